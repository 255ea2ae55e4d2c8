"""Combinations of values as tables: which occur, and which rows have one that does."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from cuvee.data.errors import ModelError


def combinations(frame: pl.DataFrame, columns: Sequence[str], *, least: int, says: str) -> pl.DataFrame:
    """The combinations that at least `least` rows have, sorted; a missing value counts as one.

    Raises:
        ModelError: Fewer than half of the rows have one of them.
    """
    counts = frame.group_by(columns).agg(_count=pl.len()).filter(pl.col("_count") >= least).sort(columns)
    covered = int(counts["_count"].sum())
    if covered < frame.height / 2:
        raise ModelError(
            f"{says}: only {covered:,} of {frame.height:,} rows have a combination that at least {least} rows share, "
            "and what fewer share is protected. Drop this constraint, or name fewer columns."
        )
    return counts.select(columns)


def known_rows(frame: pl.DataFrame, table: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """(n,), which rows have one of the combinations of a table."""
    return numbers(frame, table, columns).is_not_null()


def numbers(frame: pl.DataFrame, table: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """(n,), the row of the table that each row has; null where it has none."""
    keyed = table.with_row_index("_row")
    return frame.select(columns).join(keyed, on=list(columns), how="left", nulls_equal=True, maintain_order="left")[
        "_row"
    ]


DECIMALS = 9
"""Values are looked at with at most so many decimals."""


def decimals_of(values: np.ndarray) -> int | None:
    """The fewest decimals that all values are written with; None where they are not rounded.

    >>> decimals_of(np.array([1.5, 2.25]))
    2
    """
    room = np.maximum(1e-9 * np.abs(values), 1e-12)
    fits = (d for d in range(DECIMALS + 1) if bool((np.abs(np.round(values, d) - values) <= room).all()))
    return next(fits, None)
