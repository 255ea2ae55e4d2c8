"""What this machine has, for `cuvee doctor`."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, distribution, version
from typing import Any

import cuvee


def examine() -> dict[str, Any]:
    """The machine, and for each extra what is installed and how to get the rest."""
    machine = {
        "cuvee": cuvee.__version__,
        "Python": platform.python_version(),
        "system": platform.platform(),
        "cores": str(os.cpu_count()),
        "memory": _memory(),
        "GPU": _gpu(),
        **{
            name: _version(name) or "not installed"
            for name in ("polars", "duckdb", "numpy", "pyarrow", "scikit-learn", "lightgbm")
        },
    }
    return {"machine": machine, "extras": _extras()}


def _extras() -> list[dict[str, Any]]:
    needs: dict[str, list[str]] = {}
    for line in distribution("cuvee").requires or ():
        found = re.fullmatch(r"([\w.-]+).*; extra == ['\"](\w+)['\"]", line)
        if found and found[1] != "cuvee":
            needs.setdefault(found[2], []).append(found[1])
    rows: list[dict[str, Any]] = []
    for extra, names in needs.items():
        missing = [n for n in names if _version(n) is None]
        have = [f"{n} {_version(n)}" for n in names if n not in missing]
        rows.append({
            "extra": extra, "installed": ", ".join(have), "missing": ", ".join(missing),
            "install": f"pip install 'cuvee[{extra}]'" if missing else "",
        })  # fmt: skip
    return rows


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (AttributeError, ValueError, OSError):
        return "unknown"


def _gpu() -> str:
    if _version("torch") is None:
        return "not looked for: torch is not installed"
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none that torch can use"
