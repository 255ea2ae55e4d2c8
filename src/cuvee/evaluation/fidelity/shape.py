"""Shape: whether each column, taken by itself, is distributed as in the real data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.core import Family, Metric, Score, Trial
from cuvee.evaluation.trial import compare
from cuvee.numeric.attacks import holm
from cuvee.numeric.distances import (
    KOLMOGOROV_MEAN,
    Step,
    at_other_size,
    expected_total_variation,
    kolmogorov_smirnov,
    size_ratio,
    total_variation,
)
from cuvee.numeric.homogeneity import same_numbers, same_shares
from cuvee.numeric.intervals import around

Floats = NDArray[np.float64]

ALPHA = 0.01
"""Error rate of the alarms of all columns together."""

SLACK = 0.05
"""Shape passes where it is at most this far below fresh real rows."""


@final
class Shape(Metric):
    """The mean over columns of one minus the distance between the train and the synthetic distribution.

    The distance is Kolmogorov-Smirnov for numbers and times, and total variation for categories; text is compared by
    its length. Nulls are a value of their own. The ceiling is the same for holdout rows, at synthetic's number of
    rows. There is no floor: shuffled columns have the right shapes. The interval is by the delta method
    (infinitesimal jackknife) over rows of both tables. It passes at most 0.05 below the ceiling, or below what chance
    allows where there is no holdout. A column that differs more than chance explains is an alarm: Kolmogorov's test for
    numbers, an exact test of each level for categories, with Holm's correction, at 1 % for all columns.
    """

    family: ClassVar[Family] = "fidelity"

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        del rng  # nothing is sampled
        compared = compare(trial)
        features = [(i, f) for i, f in enumerate(compared.encoder.features) if f.part != "words"]
        if not features:
            verdict = f"Not assessed: no column can be compared.{compared.note}"
            return (Score("shape", self.family, None, None, None, None, 1.0, verdict, None),)
        train, synthetic = compared.matrix("train"), compared.matrix("synthetic")
        holdout = None if trial.holdout is None else compared.matrix("holdout")
        gaps = [measure(train[:, i], synthetic[:, i], categorical=f.categorical) for i, f in features]
        rows = [
            {"column": f.column, "value": 1 - gap.distance, "ceiling": None, "by_chance": 1 - gap.expected}
            | ({} if f.part == "" else {"read_as": f.part})
            for gap, (_, f) in zip(gaps, features, strict=True)
        ]
        for row, p in zip(rows, holm(np.array([gap.chance for gap in gaps])), strict=True):
            row["alarm"] = bool(p < ALPHA)
        if holdout is not None:
            for row, (i, f) in zip(rows, features, strict=True):
                real = measure(train[:, i], holdout[:, i], categorical=f.categorical)
                ratio = size_ratio((len(train), len(holdout)), (len(train), len(synthetic)))
                row["ceiling"] = 1 - at_other_size(real.distance, real.expected, ratio)
        return (_summary(rows, error_of_mean(gaps), compared.note),)


@dataclass(frozen=True, slots=True)
class Gap:
    """How far two samples of one column, or pair of columns, are apart.

    Attributes:
        distance: In [0, 1].
        expected: What chance alone gives.
        first: What each row of the first sample adds, (n,); the mean of `first` less the mean of `second` is the
            distance.
        second: The same for the second sample, (m,).
        chance: The chance of such a difference where there is none; of categories, of the one that differs most.
    """

    distance: float
    expected: float
    first: Floats
    second: Floats
    chance: float


def measure(first: Floats, second: Floats, *, categorical: bool) -> Gap:
    """The gap between two samples of a column, NaN being a value of its own.

    Args:
        first: (n,), n > 0.
        second: (m,), m > 0.
        categorical: Whether the numbers are codes 0, 1, ... of levels.
    """
    sizes = (len(first), len(second))
    if not categorical:
        step = kolmogorov_smirnov(first, second)
        chance = KOLMOGOROV_MEAN * float(np.sqrt(1 / sizes[0] + 1 / sizes[1]))
        p = same_numbers(step.distance, sizes)
        return Gap(step.distance, min(1.0, chance), _below(first, step), _below(second, step), p)
    null = int(np.nanmax(np.concatenate([first, second, [-1.0]]))) + 1
    a, b = (np.where(np.isnan(x), null, x).astype(np.int64) for x in (first, second))
    p, q = np.bincount(a, minlength=null + 1) / sizes[0], np.bincount(b, minlength=null + 1) / sizes[1]
    lean = np.sign(p - q) / 2
    pooled = (p * sizes[0] + q * sizes[1]) / sum(sizes)
    shares = same_shares(p * sizes[0], q * sizes[1], sizes)
    chance = min(1.0, float(shares.min()) * int((pooled > 0).sum()))
    return Gap(total_variation(p, q), expected_total_variation(pooled, sizes), lean[a], lean[b], chance)


def _below(values: Floats, step: Step) -> Floats:
    return np.where(values <= step.at, step.sign, 0.0)


def error_of_mean(gaps: list[Gap]) -> float:
    """Standard error of the mean distance, over rows of both samples, so that columns' shared rows are accounted for.

    Source: infinitesimal jackknife, Jaeckel (1972); Efron (1982), chapter 6.
    """
    total = 0.0
    for part in ([g.first for g in gaps], [g.second for g in gaps]):
        influence = np.mean(part, axis=0)
        total += float(influence.var()) / len(influence)
    return float(np.sqrt(total))


def _summary(rows: list[dict[str, Any]], error: float, note: str) -> Score:
    value = float(np.mean([r["value"] for r in rows]))
    ceilings = [r["ceiling"] for r in rows if r["ceiling"] is not None]
    ceiling = float(np.mean(ceilings)) if ceilings else None
    chance = float(np.mean([r["by_chance"] for r in rows]))
    ordered = sorted(rows, key=_shortfall)
    reference = (
        f"fresh real rows {ceiling:.3f}" if ceiling is not None else f"chance alone gives {chance:.3f}; no holdout"
    )
    worst = ordered[0]
    verdict = (
        f"Single columns match the real ones by {value:.3f} of 1 ({reference}); "
        f"the furthest off is {worst['column']} with {worst['value']:.3f}.{_alarmed(ordered)}{note}"
    )
    passed = value >= (ceiling if ceiling is not None else chance) - SLACK
    interval = around(value, error)
    return Score("shape", "fidelity", value, None, ceiling, interval, 1.0, verdict, passed, tuple(ordered))


def _alarmed(rows: list[dict[str, Any]]) -> str:
    """The columns that differ more than chance explains, in a sentence, or nothing."""
    found = [r["column"] for r in rows if r["alarm"]]
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return f" More than chance explains: {', '.join(found[:3])}{more}." if found else ""


def _shortfall(row: Mapping[str, Any]) -> tuple[float, str]:
    """Sorts the columns that are furthest below their reference first."""
    reference = row["by_chance"] if row["ceiling"] is None else row["ceiling"]
    return row["value"] - reference, row["column"]
