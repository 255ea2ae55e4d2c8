"""Distances between samples, and from each row to the nearest of many."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]

_BLOCK = 512
_NOISE = 4e-6
"""Squared distances below this share of the squared lengths are rounding of float32, and count as nothing."""

_AGAIN = 200
"""Where rows have more neighbours as near as rounding can tell, they are cells of categories: rounding is enough."""

KOLMOGOROV_MEAN = 0.8687
"""Mean of the Kolmogorov distribution: sqrt(pi / 2) * log(2)."""


def total_variation(first: Floats, second: Floats) -> float:
    """Half the sum of the differences of two distributions over the same cells, in [0, 1].

    >>> total_variation(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    0.5
    """
    return float(0.5 * np.abs(first - second).sum())


def expected_total_variation(shares: Floats, sizes: tuple[int, int]) -> float:
    """The total variation to expect between two samples of the same distribution, from chance alone.

    A cell's difference is nearly normal, with mean absolute value sqrt(2 p (1 - p) (1/n + 1/m) / pi); where a cell is
    so rare that it is not, the mean can't exceed 2 p (1 - p), as for one row against one.

    Args:
        shares: The distribution, adding up to 1.
        sizes: Rows of the two samples.

    Source: mean of the half-normal distribution; the same idea gives the accuracy ceiling of mostlyai-qa.
    """
    variance = shares * (1 - shares)
    normal = np.sqrt(2 / np.pi * variance * (1 / sizes[0] + 1 / sizes[1]))
    return float(0.5 * np.minimum(normal, 2 * variance).sum())


@dataclass(frozen=True, slots=True)
class Step:
    """Where two distribution functions lie farthest apart.

    Attributes:
        distance: How far, in [0, 1].
        at: At this value (rows up to it count); infinite where the shares of nulls differ most.
        sign: 1 where the first function is above there, else -1.
    """

    distance: float
    at: float
    sign: float


def kolmogorov_smirnov(first: Floats, second: Floats) -> Step:
    """The Kolmogorov-Smirnov distance of two samples, in which nulls (NaN) are a value of their own, after all others.

    Args:
        first: (n,), n > 0; NaN is a null.
        second: (m,), m > 0.

    >>> kolmogorov_smirnov(np.array([1.0, 2.0]), np.array([2.0, np.nan])).distance
    0.5
    """
    a, b = np.sort(first), np.sort(second)  # NaN comes last
    grid = np.concatenate([a[~np.isnan(a)], b[~np.isnan(b)]])
    if not len(grid):
        return Step(0.0, np.inf, 1.0)
    gaps = np.searchsorted(a, grid, "right") / len(a) - np.searchsorted(b, grid, "right") / len(b)
    # Among equal gaps the smallest value, so that the order of rows does not matter.
    size = np.abs(gaps)
    best = size.max()
    at = grid[size >= best - 1e-15].min()
    sign = 1.0 if gaps[np.flatnonzero(grid == at)[0]] >= 0 else -1.0
    return Step(float(best), float(at), sign)


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest of many rows to each row.

    Attributes:
        distance: (n,), 0 where the same.
        ties: (n,), how many rows are as near.
    """

    distance: Floats
    ties: Floats


def nearest(rows: Rows, others: Rows) -> Nearest:
    """Euclidean distance from each row to the nearest of the others, by blocks of matrix products.

    Args:
        rows: (n, width).
        others: (m, width), m > 0.
    """
    # One product gives |other|^2 - 2 row.other, which orders the others as their distances do.
    table = np.ascontiguousarray(np.column_stack([others, (others**2).sum(axis=1)]).T)
    distance, ties = np.empty(len(rows)), np.empty(len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        own = (block**2).sum(axis=1)
        squared = np.column_stack([-2 * block, np.ones(len(block), dtype=np.float32)]) @ table
        least = squared.min(axis=1)
        noise = _NOISE * (1 + own)
        close = squared <= (least + noise)[:, None]
        if np.count_nonzero(close) <= _AGAIN * len(block):
            found = _again(block, others, close)
        else:
            total = least + own
            found = Nearest(np.sqrt(np.where(total > noise, total, 0.0)), close.sum(axis=1).astype(np.float64))
        distance[start : start + _BLOCK], ties[start : start + _BLOCK] = found.distance, found.ties
    return Nearest(distance, ties)


def nearest_places(rows: Rows, others: Rows) -> NDArray[np.int64]:
    """The position of the nearest other row of each row, (n,); of several as near (but for rounding) any one.

    Args:
        rows: (n, width).
        others: (m, width), m > 0.
    """
    table = np.ascontiguousarray(np.column_stack([others, (others**2).sum(axis=1)]).T)
    places = np.empty(len(rows), dtype=np.int64)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        squared = np.column_stack([-2 * block, np.ones(len(block), dtype=np.float32)]) @ table
        places[start : start + _BLOCK] = squared.argmin(axis=1)
    return places


def nearer(first: Nearest, second: Nearest) -> Nearest:
    """The nearest of two sets of others, from what was found in each."""
    gap, same = first.distance**2 - second.distance**2, _same(first)
    ties = np.where(gap < -same, first.ties, np.where(gap > same, second.ties, first.ties + second.ties))
    return Nearest(np.minimum(first.distance, second.distance), ties)


def share_of_first(first: Nearest, second: Nearest) -> Floats:
    """For each row, the first set's share of the nearest of both: 1 or 0, or between where both are as near."""
    gap, same = first.distance**2 - second.distance**2, _same(first)
    return np.where(gap < -same, 1.0, np.where(gap > same, 0.0, first.ties / (first.ties + second.ties)))


def _same(found: Nearest) -> Floats:
    """Squared distances that differ by less are the same but for rounding."""
    return 1e-10 + 1e-6 * found.distance**2


def _again(rows: Rows, others: Rows, close: NDArray[np.bool_]) -> Nearest:
    """The nearest among those that matrix products can't tell apart, by differences, which round less."""
    first, second = np.divmod(np.flatnonzero(close), close.shape[1])
    squared = ((rows[first] - others[second]).astype(np.float64) ** 2).sum(axis=1)
    starts = np.searchsorted(first, np.arange(len(rows)))
    least = np.minimum.reduceat(squared, starts)
    same = squared <= least[first] * (1 + 1e-6) + 1e-12
    return Nearest(np.sqrt(least), np.add.reduceat(same.astype(np.float64), starts))


def at_other_size(distance: float, expected: float, ratio: float) -> float:
    """A distance between two samples, as it would be had they other sizes, so that chance adds as much as elsewhere.

    Args:
        distance: As measured.
        expected: What chance alone gives at the sizes measured.
        ratio: How much more chance gives at the other sizes (below 1 where they are larger).
    """
    return max(0.0, distance - min(distance, expected) * (1 - ratio))


def size_ratio(measured: tuple[int, int], wanted: tuple[int, int]) -> float:
    """How much more chance separates samples of the wanted sizes than of the measured ones.

    >>> round(size_ratio((100, 100), (400, 400)), 6)
    0.5
    """
    return float(np.sqrt((1 / wanted[0] + 1 / wanted[1]) / (1 / measured[0] + 1 / measured[1])))
