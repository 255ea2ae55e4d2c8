"""What must never happen to the shape of the package: heavy imports, names that leak, files that grow without end."""

import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

import cuvee
from cuvee.registry import REGISTRY, find, name_of

SRC = Path(cuvee.__file__).parent
HEAVY = {"torch", "sklearn", "pandas", "scipy", "polars", "pyarrow", "duckdb", "lightgbm", "altair", "vl_convert"}


def loaded_after(code: str) -> set[str]:
    """The top-level modules that are loaded after some code, in a fresh interpreter."""
    tail = "import sys; print(' '.join({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{tail}"], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def fastest(command: list[str], tries: int = 7) -> float:
    """Seconds of the fastest of several runs: what the command costs when the machine is not busy with other work."""
    best = float("inf")
    for _ in range(tries):
        began = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        best = min(best, time.perf_counter() - began)
    return best


def test_import_loads_nothing_heavy():
    assert not loaded_after("import cuvee") & HEAVY


def test_help_loads_nothing_heavy():
    quiet = "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()): call(['--help'])"
    assert not loaded_after(f"from cuvee.cli import call\n{quiet}") & HEAVY


def test_recipes_are_read_without_learning_libraries():
    assert not loaded_after("import cuvee.recipe") & {"torch", "sklearn", "pandas", "lightgbm", "altair"}


def test_import_takes_under_a_quarter_of_a_second():
    assert fastest([sys.executable, "-c", "import cuvee"]) < 0.25


def test_help_takes_under_four_tenths_of_a_second():
    assert fastest([sys.executable, "-m", "cuvee", "--help"]) < 0.4


def test_public_names():
    assert sorted(cuvee.__all__) == [
        "Blend", "CuveeError", "Dataset", "Model", "Recipe", "Report", "Run", "Scenario", "Schema", "Score", "Scores",
        "Simulation", "blend", "evaluate", "fit", "impute", "inspect", "load", "mix", "read", "report", "run", "sample",
        "simulate", "split", "write",
    ]  # fmt: skip
    for name in cuvee.__all__:
        assert getattr(cuvee, name) is not None


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="blendd"):
        _ = cuvee.blendd  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(("group", "name"), [(g, n) for g, entries in REGISTRY.items() for n in entries])
def test_every_choice_of_the_registry_is_there_and_final(group, name):
    kind = find(group, name)
    assert name_of(group, kind) == name
    assert kind.__doc__, f"{group} {name} has no docstring"
    module = import_module(kind.__module__)
    others = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, kind) and v is not kind]
    assert not others, f"{name} is not final: {others}"


def test_every_folder_says_what_it_is_for():
    for folder in [SRC, *(p for p in SRC.rglob("*") if p.is_dir() and any(p.glob("*.py")))]:
        init = folder / "__init__.py"
        assert init.exists(), folder
        assert init.read_text("utf-8").startswith('"""'), folder


def test_no_file_grows_without_end():
    long = {
        str(p.relative_to(SRC)): n for p in SRC.rglob("*.py") if (n := len(p.read_text("utf-8").splitlines())) > 420
    }
    assert not long
