"""The cells of a run as tables for people, and as one JSON file for programs."""

import json
import operator
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from outside.cells import Cell, Log
from outside.sets import SETS

FIGURES: tuple[tuple[str, str | None, int], ...] = (
    ("c2st_holdout", "ceiling_c2st", 3),
    ("c2st_train", None, 3),
    ("shape", "ceiling_shape", 4),
    ("pairs", "ceiling_pairs", 4),
    ("tstr", "trtr", 4),
    ("dcr_share", None, 3),
    ("near_copies", "near_copies_real", 4),
    ("exact_copies", "exact_copies_real", 4),
    ("novel", None, 4),
    ("outside", None, 4),
    ("off_grid", None, 4),
    ("other_forest", "ceiling_other_forest", 3),
    ("other_linear", "ceiling_other_linear", 3),
    ("other_network", "ceiling_other_network", 3),
    ("fit_s", None, 1),
    ("fit_cpu_s", None, 1),
    ("cold_s", None, 1),
    ("rows_per_s", None, 0),
    ("fit_peak_gb", None, 2),
    ("peak_gb", None, 2),
    ("load", None, 1),
)
"""A figure, what it is for real rows, and its decimals."""
OTHERS = 0.54
"""The mean AUC of the sets other than Adult is to be at most this."""
Target = tuple[str, float]


def targets(name: str, real: Mapping[str, float]) -> dict[str, Target]:
    """What a set's figures are to reach."""
    if name != "adult":
        return {"c2st_holdout": ("<=", 0.56), "c2st_train": ("<=", 0.57)}
    return {
        "c2st_holdout": ("<=", 0.53),
        "c2st_train": (">=", 0.49),
        "shape": (">=", 0.995),
        "pairs": (">=", real["ceiling_pairs"] - 0.003),
        "tstr": (">=", 0.99 * real["trtr"]),
        "dcr_share": ("<=", 0.52),
        "near_copies": ("<=", 1.2 * real["near_copies_real"]),
        "fit_s": ("<=", 15.0),
    }


def reached(value: float, target: Target) -> bool:
    """Whether a figure is on the right side of its target."""
    return (operator.le if target[0] == "<=" else operator.ge)(value, target[1])


def summary(log: Log) -> dict[str, Any]:
    """Mean, least and greatest of every figure over the seeds, by set and synthesizer, with its target."""
    found: dict[str, Any] = {}
    for name in (s for s in SETS if s in log.constants):
        cells = [c for k, c in log.cells.items() if k[0] == name]
        done = [c for c in cells if "error" not in c]
        real = log.constants[name] | ({"near_copies_real": done[0]["near_copies_real"]} if done else {})
        wanted = targets(name, real) if done else {}
        by: dict[str, Any] = {}
        for synthesizer in dict.fromkeys(c["synthesizer"] for c in cells):
            mine = [c for c in done if c["synthesizer"] == synthesizer]
            failed = [c["error"] for c in cells if c["synthesizer"] == synthesizer and "error" in c]
            figures = {f: _figure(mine, f, wanted.get(f)) for f, _, _ in FIGURES if any(f in c for c in mine)}
            by[synthesizer] = {"seeds": len(mine), "errors": failed, "figures": figures}
        found[name] = {"real": real, "synthesizers": by}
    return found


def _figure(cells: Iterable[Cell], figure: str, target: Target | None) -> dict[str, Any]:
    values = [float(c[figure]) for c in cells if c.get(figure) is not None]
    found: dict[str, Any] = {
        "mean": float(np.mean(values)),
        "min": min(values),
        "max": max(values),
        "seeds": len(values),
    }
    if target is not None:
        found |= {"target": f"{target[0]} {target[1]:.4f}", "reached": reached(found["mean"], target)}
        found["seeds_reached"] = sum(reached(v, target) for v in values)
    return found


def show(log: Log) -> None:
    """Print a table for each set, then the mean over the sets other than Adult.

    A figure is its mean and, where there are several seeds, its range; ! marks a mean that misses its target, ~ one
    that reaches it though some seed does not.
    """
    everything = summary(log)
    for synthesizer, about in log.about.items():
        print(f"{synthesizer}: {about['compile_s']} s for the first fit ever, of a tiny table, kernels compiled")
    means: dict[str, list[tuple[str, float]]] = {}
    for name, found in everything.items():
        by, real = found["synthesizers"], found["real"]
        seeds = ", ".join(f"{s} {b['seeds']}" for s, b in by.items())
        print(f"\n{name}: {real['train']:,} rows of train, {real['holdout']:,} of holdout; seeds: {seeds}")
        print(f"  {'':14}{'real':>9} {'target':>9}  " + "".join(f"{s:28}" for s in by))
        for figure, reference, decimals in FIGURES:
            if not any(figure in b["figures"] for b in by.values()):
                continue
            of_real = f"{real[reference]:.{decimals}f}" if reference in real else ""
            target = next((b["figures"][figure].get("target", "") for b in by.values() if figure in b["figures"]), "")
            print(
                f"  {figure:14}{of_real:>9} {target.replace(' 0', ' ')[:9]:>9}  "
                + "".join(f"{_shown(b, figure, decimals):28}" for b in by.values())
            )
        for synthesizer, b in by.items():
            for error in b["errors"]:
                print(f"  {synthesizer} failed: {error}")
            if name != "adult" and "c2st_holdout" in b["figures"]:
                means.setdefault(synthesizer, []).append((name, b["figures"]["c2st_holdout"]["mean"]))
    if means:
        print(f"\nMean AUC on holdout over the sets other than Adult (target <= {OTHERS}):")
    for synthesizer, values in means.items():
        mean = float(np.mean([v for _, v in values]))
        print(f"  {synthesizer:20}{mean:.4f}{'' if mean <= OTHERS else ' !'}  over " + ", ".join(n for n, _ in values))


def _shown(by: Mapping[str, Any], figure: str, decimals: int) -> str:
    found = by["figures"].get(figure)
    if found is None:
        return "–"
    text = f"{found['mean']:,.{decimals}f}"
    if found["seeds"] > 1:
        text += f" ({found['min']:,.{decimals}f}–{found['max']:,.{decimals}f})"
    if "target" not in found:
        return text
    return text + (" !" if not found["reached"] else " ~" if found["seeds_reached"] < found["seeds"] else "")


def write(log: Log, file: Path) -> None:
    """Write the summary for programs."""
    about = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    file.write_text(json.dumps({"about": about, "synthesizers": log.about, "sets": summary(log)}, indent=1), "utf-8")
    print(f"\nWritten: {file}")
