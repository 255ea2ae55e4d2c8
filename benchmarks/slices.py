"""Rows on conditions: are they like the real rows of that slice, and what do rare ones cost?

    python benchmarks/slices.py [--synthesizer auto] [--sets adult,bank,default] [--shared FOLDER]

Slices are the values of categories and the outer quarters of numbers, and pairs of them, that have 500 to 4,000 holdout
rows; eight are drawn. As many rows as the slice has in holdout are asked for with `where`; `cuvee`'s detection tells
them from the holdout rows of the slice (0.5 is best; `train` are training rows of the slice, which no synthesizer can
beat). Then the time of 20,000 rows on conditions that ever fewer rows meet.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import cuvee
from cuvee.data.conditions_text import condition_of
from outside.sets import load, shared

LEAST, MOST, SLICES = 500, 4_000, 8


def slices(train: pl.DataFrame, holdout: pl.DataFrame) -> list[str]:
    """Conditions that enough holdout rows meet."""
    rng = np.random.default_rng(0)
    single: list[str] = []
    for column in train.iter_columns():
        name = '"' + column.name.replace('"', '""') + '"'
        if column.dtype.is_numeric() and column.n_unique() > 10:
            cuts = np.unique([column.quantile(q) for q in (0.25, 0.5, 0.75)])
            single += [f"{name} <= {cuts[0]}", f"{name} > {cuts[-1]}"]
        elif column.dtype == pl.String and column.n_unique() <= 40:
            single += [f"{name} = '{v}'" for v in column.unique().sort().drop_nulls() if "'" not in v]
    pairs = [f"{a} and {b}" for a in single for b in single if a < b]
    chosen = [some[k] for some in (single, pairs) for k in rng.permutation(len(some))[: 40 if some is single else 80]]
    fits = [s for s in chosen if LEAST <= int(condition_of(s).truth(holdout).sum() or 0) <= MOST]
    return [fits[k] for k in rng.permutation(len(fits))[:SLICES]]


def detected(made: Any, train: pl.DataFrame, holdout: pl.DataFrame) -> float:
    """The AUC of cuvee's detection on holdout."""
    return cuvee.evaluate(made, train=train, holdout=holdout, metrics=["detection"]).scores[0].value


def main() -> None:
    """Fit, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--synthesizer", default="auto")
    parser.add_argument("--sets", default="adult,bank,default")
    parser.add_argument("--shared", type=Path, default=shared())
    given = parser.parse_args()
    for name in given.sets.split(","):
        split = load(name, given.shared)
        if split is None:
            print(f"{name} is not there: skipped.")
            continue
        train, holdout = split.train.drop(split.ids), split.holdout.drop(split.ids)
        model = cuvee.fit(train, given.synthesizer, seed=0)
        whole = detected(model.sample(holdout.height, seed=1), train, holdout)
        print(
            f"\n{name}: all rows {whole:.3f}\n\n| slice | holdout rows | AUC | train | seconds |\n|---|--:|--:|--:|--:|"
        )
        found: list[float] = []
        for says in slices(train, holdout):
            truth = condition_of(says)
            real, fresh = (f.filter(truth.truth(f).fill_null(value=False)) for f in (train, holdout))
            began = time.perf_counter()
            made = model.sample(fresh.height, where=says, seed=1)
            took = time.perf_counter() - began
            same = detected(real[np.random.default_rng(0).permutation(real.height)[: fresh.height]], real, fresh)
            found.append(detected(made, real, fresh))
            print(f"| {says} | {fresh.height:,} | {found[-1]:.3f} | {same:.3f} | {took:.2f} |", flush=True)
        print(f"\nmean {np.mean(found):.3f}, largest {np.max(found):.3f}", flush=True)
        if name == "adult":
            rare(model)


def rare(model: cuvee.Model) -> None:
    """The seconds of 20,000 rows on conditions of Adult that ever fewer rows meet."""
    many = model.sample(1_000_000, seed=3).frame
    print("\n| condition | share of a million rows | seconds for 20,000 |\n|---|--:|--:|")
    for says in (
        "age >= 17",
        "age > 60",
        "age > 60 and income = '>50K'",
        "age > 75 and education = 'Doctorate'",
        "age > 75 and education = 'Doctorate' and sex = 'Female'",
        "age > 80 and education = 'Doctorate' and sex = 'Female' and race = 'Black'",
        "age < 20 and education = 'Doctorate' and \"marital-status\" = 'Widowed'",
    ):
        share = float(condition_of(says).truth(many).mean() or 0)
        began = time.perf_counter()
        model.sample(20_000, where=says, seed=1)
        print(f"| {says} | {share:.6f} | {time.perf_counter() - began:.2f} |", flush=True)


if __name__ == "__main__":
    main()
