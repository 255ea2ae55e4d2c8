"""Columns of flags of which exactly one is up in every row: together they are one category."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

FEWEST = 50
"""In fewer rows flags may be so by chance."""


def flag_groups(columns: Sequence[pl.Series]) -> list[tuple[int, ...]]:
    """Runs of neighbouring columns of 0 and 1 (or false and true) of which exactly one is 1 in every row.

    Two columns are no group: each is the other's opposite, which a tie says already.
    """
    n = len(columns[0]) if columns else 0
    if n < FEWEST:
        return []
    flags = [_flags(s) for s in columns]
    groups: list[tuple[int, ...]] = []
    start = 0
    while start < len(flags):
        end = _group_end(flags, start, n)
        if end - start >= 3:
            groups.append(tuple(range(start, end)))
        start = max(end, start + 1)
    return groups


def hot(columns: Sequence[pl.Series]) -> NDArray[np.int64]:
    """(n,), which of the columns is 1; -1 where none or several are, or one is neither 0 nor 1."""
    flags = np.array([s.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy() for s in columns])
    fine = np.isin(flags, (0.0, 1.0)).all(axis=0) & (np.nan_to_num(flags).sum(axis=0) == 1)
    return np.where(fine, np.argmax(flags == 1, axis=0), -1)


def _group_end(flags: Sequence[NDArray[np.int8] | None], start: int, n: int) -> int:
    """Behind the last column of a group that begins here; `start` where none does."""
    total = np.zeros(n, np.int8)
    end = start
    for j in range(start, len(flags)):
        column = flags[j]
        if column is None or ((total + column) > 1).any():
            break
        total = total + column
        if total.all():
            end = j + 1
            # Flags that are never up here may still belong to it.
            while end < len(flags) and (more := flags[end]) is not None and not more.any():
                end += 1
            return end
    return end


def _flags(series: pl.Series) -> NDArray[np.int8] | None:
    """(n,), a column as 0 and 1, or None where it is something else."""
    if series.null_count() or not (series.dtype.is_integer() or series.dtype.is_float() or series.dtype == pl.Boolean):
        return None
    values = series.cast(pl.Float64)
    return values.cast(pl.Int8).to_numpy() if bool(values.is_in([0.0, 1.0]).all()) else None
