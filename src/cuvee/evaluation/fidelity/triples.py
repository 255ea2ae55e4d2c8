"""Triples: whether every three columns go together as in the real data."""

from itertools import combinations
from math import comb
from typing import ClassVar, final

import numpy as np
from numpy.random import Generator
from pydantic import Field

from cuvee.core import Family, Metric, Score, Trial
from cuvee.evaluation.fidelity.pairs import (
    CLOSE,
    PASS_AT,
    Joint,
    alarmed,
    compare_joint,
    learn_cells,
    percent_of,
    sample_like,
    some_rows,
)
from cuvee.evaluation.trial import compare
from cuvee.numeric.intervals import around

BINS = 5
"""Numbers are cut at so many quantiles of train, and so many of the commonest levels stand alone."""


@final
class Triples(Metric):
    """The mean over triples of columns of one minus the total variation between train's and synthetic's joint table.

    As `pairs`, with coarser cells: a relation of three columns that no two of them show is seen here alone.
    """

    family: ClassVar[Family] = "fidelity"

    triples_max: int = Field(400, ge=1, description="Triples compared; of more, so many are drawn at random.")
    rows_max: int = Field(
        50_000, ge=100, description="Rows of each table compared; of more, so many are drawn at random."
    )

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        compared = compare(trial)
        features = [(i, f) for i, f in enumerate(compared.encoder.features) if f.part != "words"]
        if len(features) < 3:
            verdict = f"Not assessed: there are fewer than three columns to compare.{compared.note}"
            return (Score("triples", self.family, None, None, None, None, 1.0, verdict, None),)
        matrices, cut = some_rows(compared, self.rows_max, rng)
        categorical = [i for i, f in features if f.categorical]
        cells = learn_cells(matrices, categorical, [i for i, _ in features], bins=BINS, levels=BINS)
        total = comb(len(features), 3)
        chosen = _choose(len(features), self.triples_max, rng)
        note = compared.note
        if len(chosen) < total:
            note += f" {len(chosen):,} of {total:,} triples were drawn at random."
        if cut:
            note += f" At most {self.rows_max:,} rows of each table were drawn at random."
        return (_summary(compare_joint(cells, chosen, [f.column for _, f in features]), note),)


def _choose(columns: int, most: int, rng: Generator) -> list[tuple[int, ...]]:
    """All triples of columns, or so many of them at random, in order."""
    if comb(columns, 3) <= most:
        return list(combinations(range(columns), 3))
    found: set[tuple[int, ...]] = set()
    while len(found) < most:
        found.add(tuple(sorted(int(c) for c in rng.choice(columns, 3, replace=False))))
    return sorted(found)


def _summary(result: Joint, note: str) -> Score:
    rows = result.rows
    value, floor = float(np.mean([r["value"] for r in rows])), float(np.mean([r["floor"] for r in rows]))
    ceiling = float(np.mean([r["ceiling"] for r in rows])) if rows[0]["ceiling"] is not None else None
    best = 1 - result.chance if ceiling is None else ceiling
    ordered = sorted(rows, key=lambda r: (r["value"] - (1.0 if r["ceiling"] is None else r["ceiling"]), r["columns"]))
    reference = f"chance alone gives {best:.3f}; no holdout" if ceiling is None else f"fresh real rows {ceiling:.3f}"
    like = sample_like(1 - value, result)
    verdict = (
        f"Triples of columns match the real ones by {value:.3f} of 1 ({reference}, shuffled columns {floor:.3f}), "
        f"like a random {percent_of(like)} % sample of the real rows; the furthest off is "
        f"{' with '.join(ordered[0]['columns'])} ({ordered[0]['value']:.3f}).{alarmed(ordered)}{note}"
    )
    passed = value >= best - CLOSE or value >= floor + PASS_AT * (best - floor)
    interval = around(value, result.error)
    return Score("triples", "fidelity", value, floor, ceiling, interval, 1.0, verdict, passed, tuple(ordered), like)
