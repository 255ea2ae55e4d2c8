"""Columns learned in another shape: distances instead of what goes up, values without the blanks they share."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import polars as pl

from cuvee.synthesis.constraints.tables import decimals_of

Table = pl.DataFrame


def gaps_of(frame: pl.DataFrame, chain: Sequence[str]) -> Table | None:
    """What distances along a chain need to become values again: the decimals of each column, null for none.

    Returns:
        None where distances would lose something: a value is there and the one before it is not, a column is not a
        number or a moment, or two are moments of different kinds.
    """
    dtypes = [frame.schema[c] for c in chain]
    plain = all(d.is_numeric() for d in dtypes) or (len(set(dtypes)) == 1 and dtypes[0].is_temporal())
    if not plain or dtypes[0] == pl.Time:
        return None
    floats = [c for c in chain if frame.schema[c].is_float()]
    there = frame.select(chain).with_columns(pl.col(c).fill_nan(None) for c in floats)
    for before, column in pairwise(chain):
        if (there[before].is_null() & there[column].is_not_null()).any():
            return None
    places = [decimals_of(there[c].drop_nulls().to_numpy()) if c in floats else None for c in chain]
    return pl.DataFrame({"column": list(chain), "decimals": places}, schema={"column": pl.String, "decimals": pl.Int64})


def as_gaps(frame: pl.DataFrame, chain: Sequence[str]) -> pl.DataFrame:
    """Every value of a chain but the first as its distance from the one before."""

    def plain(column: str) -> pl.Expr:
        dtype = frame.schema[column]
        return pl.col(column).cast(pl.Int64) if dtype.is_integer() else pl.col(column)

    pairs = pairwise(chain)
    return frame.with_columns((plain(b) - plain(a)).alias(b) for a, b in pairs)


def from_gaps(frame: pl.DataFrame, table: Table, dtypes: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Distances as values again, rounded as they were."""
    chain, places = table["column"].to_list(), table["decimals"].to_list()
    for before, column, decimals in zip(chain[:-1], chain[1:], places[1:], strict=True):
        value = frame[before] + frame[column]
        if decimals is not None:
            value = value.round(decimals)
        if dtypes[column].is_integer() and value.dtype.is_float():
            value = value.round(0)
        frame = frame.with_columns(value.cast(dtypes[column], strict=False).alias(column))
    return frame


def filled(frame: pl.DataFrame, together: Sequence[str]) -> pl.DataFrame:
    """Columns that are missing in the same rows, all but the first with values in the place of blanks.

    The values are those of other rows, so that the column stays what it is where it is there.
    """
    rng = np.random.default_rng(0)
    full: list[pl.Series] = []
    for name in together[1:]:
        column = frame[name].fill_nan(None) if frame.schema[name].is_float() else frame[name]
        there = column.drop_nulls()
        if not len(there) or not column.null_count():
            continue
        others = there.gather(rng.integers(0, len(there), frame.height))
        full.append(column.zip_with(column.is_not_null(), others))
    return frame.with_columns(full)


def blanked(frame: pl.DataFrame, together: Sequence[str]) -> pl.DataFrame:
    """Columns that are missing where the first is."""
    first = pl.col(together[0]).is_not_null()
    return frame.with_columns(pl.when(first).then(pl.col(c)).alias(c) for c in together[1:])
