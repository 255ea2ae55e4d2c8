"""Columns of Python values: lists, and the object columns of pandas and NumPy."""

import datetime as dt
import decimal
import numbers
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from cuvee.data.arrow_columns import from_arrow
from cuvee.data.errors import SchemaError
from cuvee.data.forms import Column

_FAMILIES: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("nothing", (type(None),)),
    ("truth values", (bool, np.bool_)),
    ("integers", (int, np.integer)),
    ("floats", (float, np.floating)),
    ("decimals", (decimal.Decimal,)),
    ("complex numbers", (complex, np.complexfloating)),
    ("text", (str,)),
    ("bytes", (bytes, bytearray, memoryview)),
    ("identifiers", (uuid.UUID,)),
    ("times of a date", (dt.datetime, np.datetime64)),
    ("dates", (dt.date,)),
    ("times", (dt.time,)),
    ("durations", (dt.timedelta, np.timedelta64)),
    ("mappings", (Mapping,)),
    ("lists", (list, tuple, np.ndarray)),
    ("numbers", (numbers.Number,)),
)
"""Families of Python types; the first that fits counts, so a subclass stands above its class."""

_TOGETHER = ({"integers", "floats"}, {"integers", "decimals"})
_NOT_SCALAR = {"mappings", "lists", "bytes"}


def from_values(values: Sequence[Any], where: str, *, nan_is_null: bool = False) -> Column:
    """Python values as a column. Values that have no common type become text, and the column's note says so.

    Args:
        values: One a row; None, NA and NaT are null.
        where: "Column 'x' of table 't'", for messages.
        nan_is_null: Whether NaN is null, as pandas has it; else a NaN among floats stays one.

    Raises:
        SchemaError: They are objects, complex numbers or a mixture that no column can hold.
    """
    kinds = {type(v) for v in values}
    families = {_family(k) for k in kinds} - {"nothing"}
    if (
        "floats" in families
        and len(families) > 1
        and all(_is_null(v) for v in values if isinstance(v, (float, np.floating)))
    ):
        families, nan_is_null = families - {"floats"}, True
    _refuse(families, kinds, where)
    alone = len(families) < 2 or families in _TOGETHER
    array = (
        _infer(values, where, nan_is_null=nan_is_null or _has_na(kinds))
        if alone and not _clocks_differ(values, kinds)
        else None
    )
    if array is None:
        return _as_text(values, families, where)
    import pyarrow as pa

    return from_arrow(pa.chunked_array([array]), pa.field("", array.type), where)


def missing_of(values: Sequence[Any]) -> Any:
    """What stands for a missing value here: the first null there is, else None."""
    return next((v for v in values if _is_null(v)), None)


def _family(kind: type) -> str:
    if kind.__name__ in {"NAType", "NaTType"}:
        return "nothing"
    for name, types in _FAMILIES:
        if issubclass(kind, types):
            return name
    return "objects"


def _has_na(kinds: set[type]) -> bool:
    return any(k.__name__ in {"NAType", "NaTType"} for k in kinds)


def _is_null(value: Any) -> bool:
    kind = type(value)
    if value is None or kind.__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def _refuse(families: set[str], kinds: set[type], where: str) -> None:
    if "complex numbers" in families:
        raise SchemaError(
            f"{where} holds complex numbers, which no column can. Make two columns of it, real and imaginary."
        )
    if "objects" in families or "numbers" in families:
        names = sorted({k.__name__ for k in kinds if _family(k) in {"objects", "numbers"}})
        raise SchemaError(
            f"{where} holds Python objects ({', '.join(names)}), which no column can. Make text or numbers of them."
        )
    if len(families) > 1 and families & _NOT_SCALAR:
        raise SchemaError(f"{where} mixes {' and '.join(sorted(families))}. Give every row the same type.")


def _clocks_differ(values: Sequence[Any], kinds: set[type]) -> bool:
    """Whether times with and without a zone stand together: Arrow would silently take one for the other."""
    if not any(issubclass(k, dt.datetime) for k in kinds):
        return False
    return len({v.tzinfo is None for v in values if isinstance(v, dt.datetime) and not _is_null(v)}) > 1


def _infer(values: Sequence[Any], where: str, *, nan_is_null: bool) -> Any:
    """The values as an Arrow array; None where Arrow finds no type that holds them all."""
    import pyarrow as pa

    for kind in (None, pa.uint64()):
        try:
            return pa.array(values, type=kind, from_pandas=nan_is_null)
        except UnicodeEncodeError as error:
            hint = "Read it with its right encoding, or replace the broken characters."
            raise SchemaError(f"{where} holds text that is not valid Unicode. {hint}") from error
        except OverflowError:
            continue
        except (pa.ArrowException, TypeError, ValueError):
            return None
    return None


def _as_text(values: Sequence[Any], families: set[str], where: str) -> Column:
    if families & _NOT_SCALAR:
        raise SchemaError(
            f"{where} holds {' and '.join(sorted(families))} of different types. Give every row the same type."
        )
    text = pl.Series([None if _is_null(v) else str(v) for v in values], dtype=pl.String)
    found = (
        f"mixes {' and '.join(sorted(families))}"
        if len(families) > 1
        else f"holds {next(iter(families))} that have no common type"
    )
    return Column(text, note=f"{where} {found}; it was read as text.")
