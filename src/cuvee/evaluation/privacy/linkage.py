"""Linkage: whether rows that a few known values make unique are given away by the synthetic rows."""

from collections.abc import Sequence
from typing import Any, ClassVar, final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from cuvee.core import Family, Metric, Score, Trial
from cuvee.evaluation.privacy.alarms import ALPHA, obstacle, seen, unknown
from cuvee.evaluation.privacy.cells import Cells, joint, learn_cells
from cuvee.evaluation.trial import compare
from cuvee.learners.encode import shuffled
from cuvee.numeric.attacks import more_often, smallest_excess
from cuvee.numeric.intervals import clopper_pearson, difference

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

COLUMNS_MAX = 5
"""Columns that an attacker knows, at most."""

CELLS = (2, 120)
"""Columns of more cells are not taken for known."""

UNIQUE = 0.5
"""No column is added once this share of the rows is unique."""


@final
class Linkage(Metric):
    """The share of training rows that are unique on known columns, matched by one synthetic row, which then agrees.

    The known columns (quasi-identifiers) are those with a role; else up to five of at most 120 cells, taken one after
    the other so that most rows become unique. A row counts where no other real row has its known values, exactly one
    synthetic row has them, and every other value of that row agrees (numbers within 5 % of the ranks). The ceiling is
    the same share of holdout rows.

    Source: Sweeney (2002) for quasi-identifiers; Fisher's exact test of train against holdout.
    """

    family: ClassVar[Family] = "privacy"

    rows_max: int = Field(40_000, ge=100, description="Real rows of each table that are looked at, at most.")

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        compared = compare(trial)
        why = obstacle(trial, compared)
        if why is not None or trial.holdout is None:
            return (unknown("linkage", why or "no holdout"),)
        frames = (trial.train.frame, trial.holdout.frame)
        rows = min(*(f.height for f in frames), self.rows_max)
        tables = [f[shuffled(compared.encoder.matrix(f), rng=rng)[:rows]] for f in frames]
        cells = learn_cells(frames, trial.synthetic.frame, compared.encoder)
        real = np.concatenate([cells.values(t) for t in tables])
        roles = [c for c in cells.columns if trial.train.meaning.columns[c].role is not None]
        known = known_columns(cells, cells.cells(real), roles)
        if not known or len(known) == len(cells.columns):
            return (unknown("linkage", "no column is left beside those that an attacker may know"),)
        unique, linked = _linked(cells, real, cells.values(trial.synthetic.frame), known)
        return (_judged([cells.columns[k] for k in known], unique, linked, rows, compared.note),)


def known_columns(cells: Cells, real: Whole, roles: Sequence[str]) -> list[int]:
    """The places of the columns that an attacker may know, at most five."""
    counts = [len(np.unique(column)) for column in real.T]
    fit = [p for p, count in enumerate(counts) if CELLS[0] <= count <= CELLS[1]]
    if roles:
        return sorted(
            sorted((p for p, c in enumerate(cells.columns) if c in roles), key=lambda p: counts[p])[:COLUMNS_MAX]
        )
    known: list[int] = []
    key, share = np.zeros(len(real), dtype=np.int64), 0.0
    while fit and len(known) < min(COLUMNS_MAX, len(cells.columns) - 1) and share < UNIQUE:
        keys = {p: joint(np.column_stack([key, real[:, p]])) for p in fit}
        best = max(fit, key=lambda p: (int((np.bincount(keys[p]) == 1).sum()), int(keys[p].max()), -p))
        key, share = keys[best], float((np.bincount(keys[best]) == 1).sum()) / len(real)
        known.append(best)
        fit.remove(best)
    return sorted(known)


def _linked(
    cells: Cells, real: Floats, made: Floats, known: Sequence[int]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which real rows are unique on the known columns, and which of them one synthetic row gives away."""
    both = cells.cells(np.concatenate([real, made]))[:, known]
    key = joint(both)
    own, other = key[: len(real)], key[len(real) :]
    size = int(key.max()) + 1
    unique = np.bincount(own, minlength=size)[own] == 1
    matched = unique & (np.bincount(other, minlength=size)[own] == 1)
    place = np.zeros(size, dtype=np.int64)
    place[other] = np.arange(len(other))
    rest = [p for p in range(real.shape[1]) if p not in known]
    rows = np.flatnonzero(matched)
    linked = np.zeros(len(real), dtype=np.bool_)
    linked[rows] = cells.agree(real[rows], made[place[own[rows]]])[:, rest].all(axis=1)
    return unique, linked


def _judged(known: Sequence[str], unique: NDArray[np.bool_], linked: NDArray[np.bool_], rows: int, note: str) -> Score:
    hits, false = int(linked[:rows].sum()), int(linked[rows:].sum())
    p = more_often(hits, rows, false, rows)
    found = p < ALPHA["linkage"]
    low, high = difference(hits, rows, false, rows)
    leak = smallest_excess(rows, false / rows, rows, ALPHA["linkage"])
    # Only rows that are unique on the known columns can be linked.
    share = float(unique.mean())
    leak = min(1.0, leak / share) if share else 1.0
    said = "Known values lead to training rows" if found else "No sign of linkage"
    verdict = (
        f"{said}: by {', '.join(known)}, {hits / rows:.2%} of training rows can be linked to a synthetic row that "
        f"agrees with them, and {false / rows:.2%} of holdout rows (excess {low:+.2%} to {high:+.2%}); "
        f"{share:.1%} of rows are unique on these columns; {seen(leak)}.{note}"
    )
    detail: tuple[dict[str, Any], ...] = tuple({"column": column} for column in known)
    value = hits / rows
    return Score(
        "linkage", "privacy", value, None, false / rows, clopper_pearson(hits, rows), 0.0, verdict, not found, detail
    )
