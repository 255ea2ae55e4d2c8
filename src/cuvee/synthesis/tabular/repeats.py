"""Numbers that repeat another column's number in the same row: a payment that is exactly the bill."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

COMMON = 0.005
"""A value that more rows than this have in either column is no evidence: 0 equals 0 for no reason."""
SHARE = 0.002
"""Rows that must repeat the other column."""
FEWEST = 20
CHANCE = 5.0
"""They must be this many times as many as chance gives."""
GLANCE = 20_000
"""Most pairs are ruled out on this many rows."""

Masks = Mapping[tuple[int, int], NDArray[np.bool_]]


def find_repeats(columns: Sequence[pl.Series | None]) -> Masks:
    """For every pair of columns (the lower number first) that repeat each other in some rows, in which, (n,).

    Args:
        columns: Numbers, dates or durations; None for columns that take no part.
    """
    kept = [j for j, s in enumerate(columns) if s is not None]
    if len(kept) < 2:
        return {}
    values = {j: _plain(s) for j in kept if (s := columns[j]) is not None}
    n = len(values[kept[0]])
    rare = {j: _rare(values[j]) for j in kept}
    glance = slice(None, None, max(n // GLANCE, 1))
    found: dict[tuple[int, int], NDArray[np.bool_]] = {}
    for a, b in combinations(kept, 2):
        if (_kind(columns[a]) != _kind(columns[b])) or (
            np.count_nonzero(values[a][glance] == values[b][glance]) < SHARE / 2 * min(n, GLANCE)
        ):
            continue
        same = (values[a] == values[b]) & rare[a] & rare[b]
        hits = int(same.sum())
        if hits >= max(FEWEST, SHARE * n) and hits > CHANCE * _chance(values[a][rare[a]], values[b][rare[b]], n):
            found[a, b] = same
    return found


def same_values(one: pl.Series, other: pl.Series) -> NDArray[np.bool_]:
    """(n,), in which rows two columns hold the same value; missing ones are the same as nothing."""
    return _plain(one) == _plain(other)


def _plain(series: pl.Series) -> NDArray[np.float64]:
    """Values as floats; missing ones equal nothing."""
    physical = series.to_physical() if series.dtype.is_temporal() else series
    return physical.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()


def _kind(series: pl.Series | None) -> str:
    """What only values of the same kind can repeat: another dtype might not hold the value."""
    return "" if series is None else str(series.dtype)


def _rare(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows hold a value that few rows have."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts[inverse] <= max(COMMON * len(values), 1)) & ~np.isnan(values)


def _chance(one: NDArray[np.float64], other: NDArray[np.float64], n: int) -> float:
    """How many rows would repeat by chance."""
    a, count_a = np.unique(one, return_counts=True)
    b, count_b = np.unique(other, return_counts=True)
    _, in_a, in_b = np.intersect1d(a, b, return_indices=True)
    return float((count_a[in_a].astype(np.float64) * count_b[in_b]).sum() / max(n, 1))
