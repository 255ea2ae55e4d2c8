"""Rows of a model that can only draw, for cells that are given: chosen among many by how near they come.

The conditional distribution is that of the model smoothed by a kernel: among the rows drawn, those near the given cells
are chosen with weights that fall with the distance (importance resampling of a joint sample).
Source: Nadaraya (1964) and Watson (1964) for kernel regression, of which this is the distribution; Beaumont, Zhang and
Balding (2002), Approximate Bayesian computation in population genetics, for weights in place of acceptance.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

NEAR = 25
"""The kernel is as wide as the distance to this many of the nearest rows."""
POOL = 20_000
"""Rows are chosen among so many."""
FEWEST = 12
"""Neighbours that are counted to tell how far off they are."""
CHUNK = 4_000_000
"""Distances that are held at a time."""
VALUES = 200
"""Of a column without an order so many values are told apart."""
MISSING = 5.0
"""The normal score of a missing number, far from all others."""


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Which rows of a pool come near given ones.

    Attributes:
        rows: (n, times), their numbers.
        effective: How many of the pool a row was chosen from, in the mean (Kish).
    """

    rows: NDArray[np.int64]
    effective: float


def match(pool: pl.DataFrame, given: pl.DataFrame, *, times: int, rng: Generator, near: int = NEAR) -> Matched:
    """For each given row some rows of the pool, drawn with weights that fall with the distance.

    Args:
        pool: Rows of the model.
        given: Some of its columns; null where a cell is not given.
        times: How many for each.
        rng: For the draws.
        near: How many rows of the pool come near; fewer where many of them are as near as the nearest.
    """
    marked = given.unique(maintain_order=True).with_row_index("__row__")
    whose = given.join(marked, on=given.columns, how="left", nulls_equal=True, maintain_order="left")["__row__"]
    one = marked.drop("__row__")
    sides = [_features(pool[c], one[c]) for c in given.columns]
    there = np.concatenate([s[1] for s in sides], axis=1) if sides else np.zeros((one.height, 0), np.float32)
    mine = np.concatenate([s[0] for s in sides], axis=1) if sides else there
    theirs = np.concatenate([s[2] for s in sides], axis=1) if sides else np.zeros((pool.height, 0), np.float32)
    return _draw(mine, there, theirs, whose.to_numpy().astype(np.int64), (times, near), rng)


def _draw(
    mine: NDArray[np.float32],
    there: NDArray[np.float32],
    theirs: NDArray[np.float32],
    whose: NDArray[np.int64],
    many: tuple[int, int],
    rng: Generator,
) -> Matched:
    """Draws for each row, out of the distances of the different ones."""
    times, wanted = many
    chosen, worth = np.zeros((len(whose), times), np.int64), np.zeros(len(mine))
    order = np.argsort(whose, kind="stable")
    starts = np.searchsorted(whose[order], np.arange(len(mine) + 1))
    size = max(CHUNK // max(len(theirs), 1), 1)
    for first in range(0, len(mine), size):
        part = slice(first, first + size)
        far = (mine[part] ** 2 * there[part]).sum(axis=1, keepdims=True)
        far = far - 2 * (mine[part] * there[part]) @ theirs.T + there[part] @ (theirs**2).T
        # The distance of so many neighbours is told from a part of the pool.
        some = far[:, :: max(min(wanted // FEWEST, len(theirs) // 64), 1)]
        near = min(wanted * some.shape[1] // max(len(theirs), 1), some.shape[1] - 1)
        width = np.maximum(np.partition(some, near, axis=1)[:, near : near + 1], 1e-6)
        weights = np.exp((far.min(axis=1, keepdims=True) - far) * (2 / width))
        ends = np.cumsum(weights, axis=1, dtype=np.float64)
        worth[part] = ends[:, -1] ** 2 / (weights**2).sum(axis=1)
        for k in range(len(far)):
            rows = order[starts[first + k] : starts[first + k + 1]]
            at = rng.random((len(rows), times)) * ends[k, -1]
            chosen[rows] = np.minimum(np.searchsorted(ends[k], at, side="right"), len(theirs) - 1)
    return Matched(chosen, float(worth[whose].mean()) if len(whose) else 0.0)


def _features(
    pool: pl.Series, given: pl.Series
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """A column as coordinates, of the given rows and the pool, and whether a given cell counts.

    What has an order is the normal score of its rank in the pool, so that it is the same in every unit; all else is a
    corner for each of its common values, two values a distance of one apart.
    """
    from scipy.special import ndtri

    there = given.is_not_null().to_numpy()
    if pool.dtype.is_numeric() or pool.dtype.is_temporal():
        sorted_ = np.sort(pool.to_physical().drop_nulls().cast(pl.Float64).to_numpy())
        some = max(len(sorted_), 1)

        def ranks(series: pl.Series) -> NDArray[np.float32]:
            values = series.to_physical().cast(pl.Float64).fill_null(np.nan).to_numpy()
            both = np.searchsorted(sorted_, values, "left") + np.searchsorted(sorted_, values, "right")
            scores = ndtri(np.clip(both / (2 * some), 0.5 / some, 1 - 0.5 / some))
            return np.where(np.isnan(values), MISSING, scores).astype(np.float32)[:, None]

        return ranks(given), there[:, None].astype(np.float32), ranks(pool)
    counts = pl.concat([given.cast(pl.String), pool.cast(pl.String)]).drop_nulls().value_counts(sort=True)
    values = sorted(counts[given.name].head(VALUES).to_list())
    corner = np.float32(np.sqrt(0.5))

    def corners(series: pl.Series) -> NDArray[np.float32]:
        known = series.cast(pl.String)
        found = [(known == v).fill_null(value=False).to_numpy() for v in values]
        return np.column_stack([*found, np.zeros(len(series), np.bool_)]).astype(np.float32) * corner

    mine = corners(given)
    return mine, np.repeat(there[:, None], mine.shape[1], axis=1).astype(np.float32), corners(pool)
