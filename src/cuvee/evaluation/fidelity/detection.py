"""Detection: whether a learner can tell synthetic rows from real ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from cuvee.core import Family, Metric, Score, Trial
from cuvee.evaluation.fidelity.shape import measure
from cuvee.evaluation.trial import Compared, compare
from cuvee.learners.boosting import crossfit
from cuvee.learners.encode import shuffled
from cuvee.numeric.intervals import around
from cuvee.numeric.ranking import auc, auc_error

Floats = NDArray[np.float64]

FEWEST = 25
"""Fewer rows a side say nothing."""

FOLDS = 5

FOLDS_OF_REFERENCES = 3
"""Ceiling and floor lie near 0.5 and 1, where the number of folds hardly moves them."""

PASS_AT = 0.2
"""Detection passes up to this share of the way from fresh real rows (at least 0.5) to rows always told apart (1)."""


@final
class Detection(Metric):
    """The area under the ROC curve of gradient boosting that tells synthetic from holdout rows.

    It is cross-fitted in 5 folds. 0.5 is the best: nothing tells them apart. Without a holdout the real rows are
    train's, which copies make look better than it is. The ceiling is the same for train against holdout rows, the
    floor for shuffled columns, each with as many rows. The interval is DeLong's. The detail names the columns that
    give synthetic rows away.
    """

    family: ClassVar[Family] = "fidelity"

    rows_max: int = Field(20_000, ge=100, description="Rows of each side; of more, so many are drawn at random.")

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        compared = compare(trial)
        real = trial.train if trial.holdout is None else trial.holdout
        size = min(real.frame.height, trial.synthetic.frame.height, self.rows_max)
        if size < FEWEST or not compared.encoder.features:
            why = (
                "no column can be compared" if not compared.encoder.features else f"fewer than {FEWEST} rows on a side"
            )
            verdict = f"Not assessed: {why}.{compared.note}"
            return (Score("detection", self.family, None, None, None, None, 0.5, verdict, None),)
        takes = {"real": real, "synthetic": trial.synthetic, "floor": trial.floor, "train": trial.train}
        rows: dict[str, Floats] = {}
        for name, data in takes.items():
            matrix = compared.encoder.matrix(data.frame)
            rows[name] = matrix[shuffled(matrix, rng=rng)[:size]]
        found = _detect(rows["real"], rows["synthetic"], compared, FOLDS)
        floor = _detect(rows["real"], rows["floor"], compared, FOLDS_OF_REFERENCES).area
        fresh = trial.holdout is not None and len(rows["train"]) >= FEWEST
        ceiling = _detect(rows["real"], rows["train"], compared, FOLDS_OF_REFERENCES).area if fresh else None
        detail = _explain(found, rows["real"], rows["synthetic"], compared)
        return (_summary(found, floor, ceiling, detail, _note(trial, size, compared)),)


@dataclass(frozen=True, slots=True)
class _Found:
    area: float
    error: float
    gain: Floats


def _detect(real: Floats, other: Floats, compared: Compared, folds: int) -> _Found:
    size = min(len(real), len(other))
    features = np.vstack([real[:size], other[:size]])
    labels = np.arange(2 * size) >= size
    chance, gain = crossfit(features, labels, folds=folds, categorical=compared.encoder.categorical)
    return _Found(auc(chance, labels), auc_error(chance, labels), gain)


def _explain(found: _Found, real: Floats, synthetic: Floats, compared: Compared) -> list[dict[str, Any]]:
    """The columns that help the detector, most first, each with a sentence."""
    evidence: dict[str, float] = {}
    apart: dict[str, float] = {}
    for i, feature in enumerate(compared.encoder.features):
        gap = measure(real[:, i], synthetic[:, i], categorical=feature.categorical)
        evidence[feature.column] = evidence.get(feature.column, 0.0) + float(found.gain[i])
        apart[feature.column] = max(apart.get(feature.column, 0.0), gap.distance - gap.expected)
    ordered = sorted(evidence, key=lambda c: (-evidence[c], c))
    return [
        {"column": c, "importance": evidence[c], "says": _sentence(c, evidence[c], apart[c])}
        for c in ordered
        if evidence[c] > 0
    ]


def _sentence(column: str, share: float, apart: float) -> str:
    """What gives a column away: its own distribution, or how it goes with others."""
    if apart > 0.02:
        return f"{column} carries {share:.0%} of the evidence; its own distribution is off by {apart:.2f}."
    return f"{column} carries {share:.0%} of the evidence; by itself it fits, so it is how it goes with other columns."


def _note(trial: Trial, size: int, compared: Compared) -> str:
    note = compared.note
    if trial.holdout is None:
        note += (
            " The real rows are the training rows, for want of a holdout: copies of them would make this look better."
        )
    if size < trial.synthetic.frame.height:
        note += f" {size:,} rows a side, drawn at random."
    return note


def _summary(found: _Found, floor: float, ceiling: float | None, detail: Sequence[dict[str, Any]], note: str) -> Score:
    fresh = "chance 0.50" if ceiling is None else f"fresh real rows {ceiling:.2f}"
    verdict = (
        f"A detector tells synthetic from real rows with AUC {found.area:.2f} ({fresh}, shuffled columns {floor:.2f})"
    )
    start = max(0.5, ceiling or 0.5)
    passed = found.area <= start + PASS_AT * (1 - start)
    close = found.area - start < 0.03
    by = "." if close or not detail else f", most by {', '.join(d['column'] for d in detail[:3])}."
    interval = around(found.area, found.error)
    return Score(
        "detection", "fidelity", found.area, floor, ceiling, interval, 0.5, verdict + by + note, passed, tuple(detail)
    )
