"""The order of categories along one line, chosen so that it says as much as it can of the other columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.correlation import cell_scores

Floats = NDArray[np.float64]
Narrow = NDArray[np.float32]

FEATURES = 512
"""At most about this many features describe a row while the first order is looked for."""
LEVELS = 8
"""At most this many levels of a category are features."""
DENSE = 64
"""Up to this many cells a product of matrices sums faster than sorting."""
CAUTION = 10.0
"""A category's mean counts as much as this many rows of the overall mean."""


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A column as cells, without its missing values.

    Attributes:
        codes: (n,), the cell of each row; -1 where the value is missing.
        masses: (m,), how likely each cell is.
        ordered: Whether the order of the cells is given.
    """

    codes: NDArray[np.int64]
    masses: Floats
    ordered: bool


def order_levels(columns: Sequence[Coded], *, rounds: int = 2) -> list[NDArray[np.int64] | None]:
    """For every column without an order, its cells in the order found, (m,); None for the others.

    First each category is placed on the axis along which its means of all other columns differ most (the first axis of
    a correspondence analysis, with numbers as columns of their scores). Then the axes are refined with the other
    columns as the single scores that a copula will see.

    Source: Greenacre (2017), Correspondence Analysis in Practice; Gifi (1990), Nonlinear Multivariate Analysis.
    """
    free = [j for j, c in enumerate(columns) if not c.ordered]
    result: list[NDArray[np.int64] | None] = [None] * len(columns)
    if not free:
        return result
    width = max(min(LEVELS, FEATURES // len(free)), 1)
    blocks = [_block(c, width) for c in columns]
    features, owner = np.hstack(blocks), np.repeat(np.arange(len(columns)), [b.shape[1] for b in blocks])
    places = {j: _axis(columns[j], features, owner != j) for j in free}
    every = np.arange(len(columns))
    for _ in range(rounds):
        scores = np.column_stack([_scores(c, places.get(j)) for j, c in enumerate(columns)])
        places = {j: _axis(columns[j], scores, every != j) for j in free}
    for j in free:
        result[j] = np.argsort(places[j], kind="stable")
    return result


def _scores(column: Coded, place: Floats | None) -> Narrow:
    """(n,), normal scores of the cells in the order of their places; 0 where missing."""
    order = np.arange(len(column.masses)) if place is None else np.argsort(place, kind="stable")
    values = np.empty(len(order))
    values[order] = cell_scores(column.masses[order])
    return np.where(column.codes < 0, 0.0, values[column.codes]).astype(np.float32)


def _block(column: Coded, width: int) -> Narrow:
    """(n, features), a column as features of unit total weight: its scores, or its most common levels."""
    if column.ordered:
        return _scores(column, None)[:, None]
    common = np.argsort(-column.masses, kind="stable")[:width]
    share = column.masses[common]
    hits = (column.codes[:, None] == common).astype(np.float32) - share
    return (hits / np.sqrt(np.maximum(share, 1e-9) * max(len(common) - 1, 1))).astype(np.float32)


def _axis(column: Coded, features: Narrow, others: NDArray[np.bool_]) -> Floats:
    """(m,), where each cell lies on the axis along which the cells' means of the other columns differ most."""
    m = len(column.masses)
    cells, sums, counts = _sums(column.codes, features, m)
    if len(cells) == 0 or not others.any():
        return np.arange(m, dtype=np.float64)
    means = sums / counts[:, None] - sums.sum(0) / counts.sum()
    means *= others * (counts / (counts + CAUTION))[:, None]
    weights = counts / counts.sum()
    axis = means[np.argmax((np.square(means).sum(1)) * weights)].copy()
    for _ in range(30):
        axis = means.T @ (weights * (means @ axis))
        length = np.linalg.norm(axis)
        if length == 0:
            return np.arange(m, dtype=np.float64)
        axis /= length
    place = np.zeros(m)
    place[cells] = means @ axis
    return place


def _sums(codes: NDArray[np.int64], features: Narrow, m: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    """The cells that occur, the sums of the features over their rows, (cells, features), and their rows."""
    if m <= DENSE:
        hits = (codes[:, None] == np.arange(m)).astype(np.float32)
        counts = hits.sum(0, dtype=np.float64)
        cells = np.flatnonzero(counts)
        return cells, (hits.T @ features)[cells].astype(np.float64), counts[cells]
    rows = np.flatnonzero(codes >= 0)
    rows = rows[np.argsort(codes[rows], kind="stable")]
    if len(rows) == 0:
        return rows, np.zeros((0, features.shape[1])), np.zeros(0)
    held = codes[rows]
    first = np.flatnonzero(np.r_[True, held[1:] != held[:-1]])
    sums = np.add.reduceat(features[rows], first, axis=0).astype(np.float64)
    return held[first], sums, np.diff(np.r_[first, len(held)]).astype(np.float64)
