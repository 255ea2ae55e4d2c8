"""Python values of a database driver as columns, exactly: decimals, instants, arrays, JSON."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

_PLAIN: dict[type, Any] = {
    bool: pl.Boolean,
    int: pl.Int64,
    float: pl.Float64,
    str: pl.String,
    bytes: pl.Binary,
    date: pl.Date,
    time: pl.Time,
    timedelta: pl.Duration("us"),
}
_DIGITS = 38

JSON = "json"
"""Wanted of a column of JSON values: each becomes JSON text, whatever it is."""


def column(cells: Sequence[Any], wanted: Any = None) -> pl.Series:
    """The cells as a column of the wanted dtype where they all fit it, else of the narrowest that holds them all.

    Values of several kinds, and of kinds that Polars has not, become text; nested JSON becomes JSON text.
    """
    cells = [bytes(cell) if isinstance(cell, memoryview) else cell for cell in cells]
    if wanted == JSON:
        return pl.Series(
            [None if cell is None else json.dumps(cell, ensure_ascii=False, default=str) for cell in cells],
            dtype=pl.String,
        )
    # Polars has no decimal that is not a number, and breaks on one.
    if wanted is not None and not any(isinstance(cell, Decimal) and not cell.is_finite() for cell in cells):
        try:
            return pl.Series(cells, dtype=wanted, strict=True)
        except (PolarsError, TypeError, ValueError, OverflowError):
            pass
    kinds = {type(cell) for cell in cells} - {type(None)}
    if not kinds:
        return pl.Series(cells, dtype=pl.Null)
    try:
        return _of_kinds(cells, kinds)
    except (PolarsError, TypeError, ValueError, OverflowError):
        return pl.Series([as_text(cell) for cell in cells], dtype=pl.String)


def joined(chunks: Sequence[pl.Series]) -> pl.Series:
    """Chunks of one column as one series, of the dtype that holds them all; no chunk at all is text."""
    dtypes = {chunk.dtype for chunk in chunks} - {pl.Null()}
    if not dtypes:
        return pl.Series([None] * sum(map(len, chunks)), dtype=pl.String)
    if len(dtypes) > 1 and not all(dtype.is_numeric() for dtype in dtypes):
        return pl.concat([chunk.cast(pl.String) for chunk in chunks])
    return pl.concat([chunk.alias("c").to_frame() for chunk in chunks], how="vertical_relaxed")["c"]


def as_text(cell: Any) -> str | None:
    """One value as text; what is nested as JSON."""
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, (dict, list, tuple)):
        return json.dumps(cell, ensure_ascii=False, default=str)
    return cell.hex() if isinstance(cell, bytes) else str(cell)


def _of_kinds(cells: list[Any], kinds: set[type]) -> pl.Series:
    if kinds == {int, float}:
        return pl.Series(cells, dtype=pl.Float64, strict=False)
    if Decimal in kinds and kinds <= {Decimal, int}:
        return _decimals(cells)
    if kinds == {datetime}:
        return _moments(cells)
    if kinds == {list} and not _has_no_number(cells):
        return pl.Series(cells, strict=True)
    only = next(iter(kinds)) if len(kinds) == 1 else None
    if only in _PLAIN:
        return pl.Series(cells, dtype=_PLAIN[only], strict=True)
    return pl.Series([as_text(cell) for cell in cells], dtype=pl.String)


def _decimals(cells: list[Any]) -> pl.Series:
    """Decimals with as many digits as they need; floats beside NaN and infinity; text where digits would be lost."""
    numbers = [Decimal(cell) for cell in cells if cell is not None]
    if not all(number.is_finite() for number in numbers):
        exact = all(not number.is_finite() or Decimal(repr(float(number))) == number for number in numbers)
        return pl.Series([None if cell is None else float(cell) if exact else str(cell) for cell in cells])
    scale = max((max(0, -int(number.as_tuple().exponent)) for number in numbers), default=0)
    whole = max((number.adjusted() + 1 for number in numbers), default=1)
    if max(whole, 1) + scale > _DIGITS:
        return pl.Series([None if cell is None else format(Decimal(cell), "f") for cell in cells], dtype=pl.String)
    return pl.Series(cells, dtype=pl.Decimal(_DIGITS, scale), strict=True)


def _has_no_number(cell: Any) -> bool:
    """Whether a decimal that is not a number stands somewhere in a list."""
    if isinstance(cell, list):
        return any(_has_no_number(inner) for inner in cell)
    return isinstance(cell, Decimal) and not cell.is_finite()


def _moments(cells: list[Any]) -> pl.Series:
    """Local times as they are, instants in UTC."""
    aware = {cell.tzinfo is not None for cell in cells if cell is not None}
    if aware == {False}:
        return pl.Series(cells, dtype=pl.Datetime("us"), strict=True)
    if aware == {True}:
        instants = [None if cell is None else cell.astimezone(UTC).replace(tzinfo=None) for cell in cells]
        return pl.Series(instants, dtype=pl.Datetime("us"), strict=True).dt.replace_time_zone("UTC")
    return pl.Series([as_text(cell) for cell in cells], dtype=pl.String)
