"""How surely the privacy metrics see planted copies, and how often they raise an alarm without any.

    python benchmarks/power_privacy.py [--runs 100] [--rows 5000] [--data adult categories numbers]

Each run draws train, holdout and synthetic rows anew, all of them real (or from the same planted table), and replaces a
share of the synthetic rows by training rows, word for word. A run raises an alarm where any privacy score does not
pass. Adult stands in ../shared/data, which is not shipped; it is left out where it is missing.
"""

import argparse
import importlib.util
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cuvee.core import Score, silent
from cuvee.data.dataset import Dataset
from cuvee.evaluation.judge import judge
from cuvee.evaluation.trial import make_trial
from cuvee.numeric.intervals import clopper_pearson
from cuvee.registry import find

PRIVACY = ("copies", "membership", "attributes", "linkage", "outliers")
LEAKS = (0.0, 0.005, 0.01)


def categories(rows: int, rng: np.random.Generator) -> pl.DataFrame:
    """Twelve columns of 4 to 12 levels that follow one of eight hidden classes."""
    table = np.random.default_rng(0)
    hidden = rng.integers(0, 8, rows)
    columns: dict[str, list[str]] = {}
    for place in range(12):
        levels = 4 + place * 8 // 11
        shares = table.dirichlet(np.full(levels, 0.5), 8).cumsum(axis=1)
        drawn = (rng.random(rows)[:, None] > shares[hidden]).sum(axis=1).clip(0, levels - 1)
        columns[f"c{place:02}"] = [f"level {v}" for v in drawn]
    return pl.DataFrame(columns)


def numbers(rows: int, rng: np.random.Generator) -> pl.DataFrame:
    """Ten correlated numbers of heavy and of light tails."""
    mix = np.random.default_rng(1).normal(size=(4, 10))
    plain = rng.normal(size=(rows, 4)) @ mix + rng.normal(size=(rows, 10))
    plain[:, :3] = np.exp(plain[:, :3] / 2)
    return pl.DataFrame({f"n{i}": plain[:, i].round(3) for i in range(10)})


def adult() -> pl.DataFrame | None:
    """Adult, both files, or None where they are missing."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data" / "load.py"
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location("load", path)
    if spec is None or spec.loader is None:
        return None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tables = [t for name in ("synth/adult_train", "synth/adult_test") for t in module.load(name).values()]
    return pl.concat(tables)


def draw(name: str, real: pl.DataFrame | None, rows: int, seed: int) -> list[pl.DataFrame]:
    """Train, holdout and fresh rows."""
    rng = np.random.default_rng(seed)
    if real is not None:
        order = rng.permutation(real.height)
        return [real[order[i * rows : (i + 1) * rows]] for i in range(3)]
    make = {"categories": categories, "numbers": numbers}[name]
    return [make(rows, rng) for _ in range(3)]


def run(parts: list[pl.DataFrame], leak: float, seed: int) -> list[Score]:
    """The privacy scores of one run."""
    train, holdout, fresh = parts
    copied = round(leak * fresh.height)
    made = pl.concat([train.sample(copied, seed=seed), fresh[copied:]])
    data = Dataset.of(train, name="people")
    others = [Dataset({"people": f}, data.schema) for f in (holdout, made)]
    trial = make_trial(data, others[0], others[1], predict=None, rng=np.random.default_rng(seed))
    return list(judge(trial, {m: find("metrics", m)() for m in PRIVACY}, seed=seed, watch=silent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--data", nargs="+", default=["adult", "categories", "numbers"])
    asked = parser.parse_args()
    print("| data | copies | runs | any alarm | 95 % interval | s/run | by score |\n|---|---|---|---|---|---|---|")
    for name in asked.data:
        real = adult() if name == "adult" else None
        if name == "adult" and real is None:
            continue
        for leak in LEAKS:
            start, by, alarms = time.perf_counter(), Counter[str](), 0
            for seed in range(asked.runs):
                failed = [s.name for s in run(draw(name, real, asked.rows, seed), leak, seed) if s.passed is False]
                by.update(failed)
                alarms += bool(failed)
            low, high = clopper_pearson(alarms, asked.runs)
            took = (time.perf_counter() - start) / asked.runs
            said = ", ".join(f"{n} {c}" for n, c in by.most_common())
            print(
                f"| {name} | {leak:.1%} | {asked.runs} | {alarms} | {low:.0%} to {high:.0%} | {took:.1f} | {said} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
