"""Linear and logistic regression behind the same functions as boosting: the learner that analysts use."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cuvee.learners.boosting import Task
from cuvee.learners.encode import Encoder
from cuvee.numeric.regression import Fit, least_squares, logistic

Floats = NDArray[np.float64]

LEVELS = 12
"""So many of the commonest levels of a column stand alone, beside the commonest of all, which is the reference."""

FEWEST = 20
"""A level that fewer rows have counts with the others: its coefficient would say nothing."""


@dataclass(frozen=True, slots=True)
class Design:
    """How a matrix of an `Encoder` becomes the features of a regression.

    They are a constant, numbers in units of their spread, a flag for nulls, and a flag for each common level.

    Attributes:
        names: What each feature says, such as "age" or "job = clerk".
        columns: The column that each comes from; "" for the constant.
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]
    _parts: tuple[tuple[int, str, float, float], ...]

    def matrix(self, features: Floats) -> Floats:
        """(n, features) of the encoder to (n, features) of the regression."""
        out = np.ones((len(features), len(self._parts) + 1))
        for place, (position, part, centre, spread) in enumerate(self._parts, start=1):
            values = features[:, position]
            if part == "level":
                out[:, place] = values == centre
            elif part == "null":
                out[:, place] = np.isnan(values)
            else:
                # Beyond ten spreads a value says no more: one odd row must not settle a coefficient.
                scaled = np.clip(values / spread - centre / spread, -10, 10)
                out[:, place] = np.where(np.isnan(scaled), 0.0, scaled)
        return out


def learn_design(encoder: Encoder, features: Floats) -> Design:
    """The design that these rows span.

    Args:
        encoder: What made the matrix.
        features: (n, features), real rows: the common levels, centres and spreads are theirs.
    """
    names, columns = ["constant"], [""]
    parts: list[tuple[int, str, float, float]] = []

    def add(column: str, name: str, part: tuple[int, str, float, float]) -> None:
        names.append(name)
        columns.append(column)
        parts.append(part)

    for position, feature in enumerate(encoder.features):
        values = features[:, position]
        known = values[~np.isnan(values)]
        if feature.categorical:
            for level in _common(known):
                said = f"{feature.column} = {encoder.levels[feature.column][int(level)]}"
                add(feature.column, said, (position, "level", level, 1.0))
        elif len(known) and known.min() < known.max():
            unit = float(np.abs(known).max())  # squares of huge numbers would not be finite
            inner = np.clip(known / unit, *np.quantile(known / unit, [0.005, 0.995]))
            spread = float(inner.std()) or float((known / unit).std()) or 1.0
            name = feature.column if feature.part == "" else f"{feature.part} of {feature.column}"
            add(feature.column, name, (position, "number", float(inner.mean()) * unit, spread * unit))
        if FEWEST <= len(values) - len(known) <= len(values) - FEWEST:
            add(feature.column, f"{feature.column} is missing", (position, "null", 0.0, 1.0))
    return Design(tuple(names), tuple(columns), tuple(parts))


def _common(levels: Floats) -> Sequence[float]:
    """The commonest levels but the first."""
    found, counts = np.unique(levels, return_counts=True)
    order = np.lexsort((found, -counts))
    return [float(found[i]) for i in order[1 : LEVELS + 1] if counts[i] >= FEWEST]


@dataclass(frozen=True, slots=True)
class Linear:
    """A fitted learner; it predicts as `Boosting` does.

    Attributes:
        task: What it predicts.
        fits: One regression, or one for each class against the rest.
        design: Its features.
    """

    task: Task
    fits: tuple[Fit, ...]
    design: Design

    def predict(self, features: Floats) -> Floats:
        """The expected number, (n,); the chance of yes, (n,); or the chance of each class, (n, classes)."""
        matrix = self.design.matrix(features)
        lines = np.column_stack([fit.line(matrix) for fit in self.fits])
        if self.task == "number":
            return lines[:, 0]
        chances = 1 / (1 + np.exp(-np.clip(lines, -30, 30)))
        return chances[:, 0] if self.task == "yes_no" else chances / chances.sum(axis=1, keepdims=True)


def fit_linear(features: Floats, target: Floats, *, task: Task, design: Design) -> Linear:
    """Learn a target from features.

    Args:
        features: (n, features) of an encoder.
        target: (n,) numbers; 0 or 1 for yes_no; 0, 1, ... for classes.
        task: What the target is.
        design: How features become those of a regression.
    """
    matrix = design.matrix(features)
    if task == "number":
        return Linear(task, (least_squares(matrix, target),), design)
    if task == "yes_no":
        return Linear(task, (logistic(matrix, target),), design)
    classes = range(int(target.max()) + 1)
    return Linear(task, tuple(logistic(matrix, (target == c).astype(np.float64)) for c in classes), design)
