"""Which columns are worth predicting: the one that the user names, and some that the data itself can teach."""

import numpy as np
import polars as pl

from cuvee.core import Trial
from cuvee.data.kinds import Kind
from cuvee.evaluation.trial import Compared
from cuvee.learners.target import Target, parse_target
from cuvee.numeric.association import cramers_v, small_codes

ROWS = 20_000
"""Associations are measured on at most so many rows."""

SETTLED = 0.95
"""A column that goes with another by this much (Cramér's V) repeats it: to predict it says nothing."""

LOOSE = 0.1
"""A column that goes with no other by this much can't be predicted."""

_PREDICTED: frozenset[Kind] = frozenset({"number", "category", "boolean"})


def targets_of(trial: Trial, compared: Compared, most: int) -> tuple[Target, ...]:
    """The named target first, then at most so many columns that others tell most of, in that order."""
    named = () if trial.predict is None else (parse_target(trial.predict, trial.train.frame.columns),)
    matrix = compared.matrix("train")
    step = max(1, len(matrix) // ROWS)
    places = [i for i, f in enumerate(compared.encoder.features) if f.part == ""]
    coded = [small_codes(matrix[::step, i], categorical=compared.encoder.features[i].categorical) for i in places]
    if len(places) < 2:
        return named
    together = cramers_v(np.column_stack(coded), np.array([int(c.max()) + 1 for c in coded]))
    np.fill_diagonal(together, 0.0)
    names = [compared.encoder.features[i].column for i in places]
    ranked = sorted(zip(names, together.max(axis=0), together.mean(axis=0), strict=True), key=lambda c: (-c[2], c[0]))
    chosen = [
        _target(name, trial, compared)
        for name, strongest, _ in ranked
        if LOOSE <= strongest < SETTLED and _can_be_taught(name, compared) and all(name != t.column for t in named)
    ]
    return (*named, *chosen[:most])


def _can_be_taught(name: str, compared: Compared) -> bool:
    levels = compared.encoder.levels.get(name)
    return compared.kinds[name] in _PREDICTED and (levels is None or len(levels) > 1)


def _target(name: str, trial: Trial, compared: Compared) -> Target:
    """A number or one of two values as it is; of more levels the commonest against the rest.

    Rare levels, of which a learner knows little, would settle the figure.
    """
    levels = compared.encoder.levels.get(name)
    values = trial.train.frame[name]
    if levels is None or values.dtype == pl.Boolean or values.drop_nulls().n_unique() <= 2:
        return Target(name)
    common = values.drop_nulls().value_counts().sort(["count", name], descending=[True, False])[name][0]
    return Target(name, "==", str(common))
