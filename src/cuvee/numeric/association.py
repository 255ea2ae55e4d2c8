"""How strongly columns go together, for all pairs of columns at once."""

import numpy as np
from numpy.typing import NDArray

BINS = 8
"""Bins of a number and levels of a category that stand alone."""

_CHUNK = 16_384
"""Rows whose indicators are held at once; single precision counts exactly up to 16,777,216."""


def cramers_v(codes: NDArray[np.int64], levels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cramér's V of every pair of columns, corrected for chance: 0 is independent, 1 is determined.

    A column with one level is associated with nothing (0), with itself too.

    Args:
        codes: (n, d) level of each row in each column, from 0 to the column's levels - 1.
        levels: (d,) levels of each column.

    Returns:
        (d, d), symmetric, in [0, 1].

    Source: Bergsma (2013), "A bias-correction for Cramér's V and Tschuprow's T".
    """
    n, d = codes.shape
    if n < 2 or d == 0:
        return np.zeros((d, d))
    starts = np.concatenate([[0], np.cumsum(levels)[:-1]])
    joint = _joint(codes + starts, int(levels.sum())) / n
    margin = np.diag(joint)
    with np.errstate(divide="ignore", invalid="ignore"):
        cells = np.where(joint > 0, joint**2 / np.outer(margin, margin), 0.0)
    chi = np.add.reduceat(np.add.reduceat(cells, starts, axis=0), starts, axis=1) - 1.0  # chi-square / n
    present = np.add.reduceat((margin > 0).astype(np.float64), starts)
    free = (present[:, None] - 1) * (present[None, :] - 1)
    corrected = np.maximum(chi - free / (n - 1), 0.0)
    size = present - (present - 1) ** 2 / (n - 1)
    best = np.minimum(size[:, None], size[None, :]) - 1
    value = np.sqrt(np.divide(corrected, best, out=np.zeros_like(corrected), where=best > 0))
    return np.clip((value + value.T) / 2, 0.0, 1.0)


def small_codes(values: NDArray[np.float64], *, categorical: bool) -> NDArray[np.int64]:
    """A column as small whole numbers for `cramers_v`, (n,): bins of about as many rows each, or the common levels.

    Args:
        values: (n,), NaN is a null, which has a code of its own.
        categorical: Whether the numbers are codes of levels: of more than `BINS`, the rarer count as one.
    """
    missing = np.isnan(values)
    known = values[~missing]
    if not len(known):
        return np.zeros(len(values), dtype=np.int64)
    if categorical:
        found, counts = np.unique(known, return_counts=True)
        common = np.sort(found[np.lexsort((found, -counts))][:BINS])
        place = np.clip(np.searchsorted(common, values), 0, len(common) - 1)
        code = np.where(common[place] == values, place, BINS)
    else:
        edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS))
        code = np.searchsorted(edges, values, "right")
    return np.where(missing, BINS + 1, code).astype(np.int64)


def _joint(places: NDArray[np.int64], width: int) -> NDArray[np.float64]:
    """Counts of every pair of levels, (width, width), from the place of each row's level in each column."""
    total = np.zeros((width, width))
    for start in range(0, len(places), _CHUNK):
        part = places[start : start + _CHUNK]
        ones = np.zeros((len(part), width), dtype=np.float32)
        np.put_along_axis(ones, part, 1.0, axis=1)
        total += ones.T @ ones
    return total
