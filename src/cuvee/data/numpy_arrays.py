"""NumPy arrays in and out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.data.errors import SchemaError
from cuvee.data.forms import ArrayForm, Column
from cuvee.data.python_values import from_values

_TIMES: Mapping[str, str] = {
    "Y": "D",
    "M": "D",
    "W": "D",
    "D": "D",
    "h": "ms",
    "m": "ms",
    "s": "ms",
    "ms": "ms",
    "us": "us",
}
"""The unit of Polars for each unit of NumPy; finer ones become nanoseconds."""

_SPANS: Mapping[str, str] = {"W": "ms", "D": "ms", "h": "ms", "m": "ms", "s": "ms", "ms": "ms", "us": "us"}
_NO_SPAN = ("Y", "M", "generic")


def from_array(array: NDArray[Any], table: str) -> tuple[dict[str, Column], ArrayForm]:
    """The columns of an array: its fields, `value` for one dimension, `column_0` ... for two. NaN is null.

    Raises:
        SchemaError: It has none or more than two dimensions, or a dtype that no column can hold.
    """
    masked = isinstance(array, np.ma.MaskedArray)
    form = ArrayForm(array.ndim, array.dtype, masked)
    if array.dtype.names is not None and array.ndim == 1:
        parts = {n: array[n] for n in array.dtype.names}
    elif array.ndim == 1:
        parts = {"value": array}
    elif array.ndim == 2:
        parts = {f"column_{i}": array[:, i] for i in range(array.shape[1])}
    else:
        found = f"Table {table!r} is an array of {array.ndim} dimensions"
        raise SchemaError(f"{found}; a table has one or two. Reshape it to (rows, columns).")
    return {n: from_vector(v, f"Column {n!r} of table {table!r}") for n, v in parts.items()}, form


def from_vector(array: NDArray[Any], where: str) -> Column:
    """An array of one dimension as a column; rows of one with two become arrays. NaN, NaT and masked cells are null.

    Raises:
        SchemaError: No column can hold its dtype.
    """
    mask = np.ma.getmaskarray(array) if isinstance(array, np.ma.MaskedArray) else None
    plain = np.asarray(array)
    kind = plain.dtype.kind
    if kind == "c":
        raise SchemaError(
            f"{where} holds complex numbers, which no column can. Make two columns of it, real and imaginary."
        )
    if kind == "V":
        raise SchemaError(f"{where} holds raw memory ({plain.dtype}), which no column can. Make text or numbers of it.")
    if mask is not None and plain.ndim > 1:
        raise SchemaError(f"{where} is a masked array of {plain.ndim} dimensions. Give each of its parts as a column.")
    column = (
        from_values(list(plain), where, nan_is_null=True) if plain.dtype == object else Column(_series(plain, where))
    )
    if mask is None or not mask.any():
        return column
    series = column.series.set(pl.Series(mask), None)
    return Column(series, column.arrow, column.levels, column.note)


def to_array(frame: pl.DataFrame, form: ArrayForm | None, dtypes: Mapping[str, pl.DataType]) -> NDArray[Any]:
    """The frame as an array in its form, or (rows, columns) in the plain type where the form no longer holds it."""
    if form is None:
        return _plain(frame)
    if form.dtype.names is not None:
        return _structured(frame, form, dtypes)
    # What stands under a mask is any value: its neighbour, so that a dtype without nulls holds it.
    filled = frame.fill_null(strategy="forward").fill_null(strategy="backward") if form.masked else frame
    columns = [_vector(s, form.dtype, dtypes.get(s.name)) for s in filled]
    one = form.dimensions == 1 and frame.width == 1
    if not columns or any(c is None for c in columns):
        plain = _plain(frame)
        return plain[:, 0] if one else plain
    whole = [c for c in columns if c is not None]
    array = whole[0] if one else np.stack(whole, axis=1)
    if not form.masked:
        return array
    nulls = np.stack([s.is_null().to_numpy() for s in frame], axis=1)
    return np.ma.MaskedArray(array, nulls[:, 0] if one else nulls)


def _plain(frame: pl.DataFrame) -> NDArray[Any]:
    """The frame as an array of the nearest common dtype, (rows, columns); of Python objects where there is none."""
    try:
        return frame.to_numpy()
    except (TypeError, pl.exceptions.PolarsError):
        array = np.empty(frame.shape, dtype=object)
        for i, series in enumerate(frame):
            array[:, i] = np.fromiter(series.to_list(), dtype=object, count=frame.height)
        return array


def _series(array: NDArray[Any], where: str) -> pl.Series:
    """A plain array as a series, in the nearest dtype of Polars that loses nothing."""
    kind = array.dtype.kind
    if kind in "SUT":
        return pl.Series(array.tolist(), dtype=pl.Binary if kind == "S" else pl.String)
    if kind in "mM":
        array = _polars_unit(array, where)
    elif kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    elif not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    series = pl.Series(np.ascontiguousarray(array))
    return series.fill_nan(None) if series.dtype.is_float() else series


def _polars_unit(array: NDArray[Any], where: str) -> NDArray[Any]:
    unit = np.datetime_data(array.dtype)[0]
    if array.dtype.kind == "m" and unit in _NO_SPAN:
        raise SchemaError(
            f"{where} has the dtype {array.dtype}, a duration of no fixed length. Give it in days or seconds."
        )
    return array.astype(f"{array.dtype.kind}8[{(_TIMES if array.dtype.kind == 'M' else _SPANS).get(unit, 'ns')}]")


def _structured(frame: pl.DataFrame, form: ArrayForm, dtypes: Mapping[str, pl.DataType]) -> NDArray[Any]:
    """Rows with fields; a column that no longer fits its field has its plain type."""
    fields: dict[str, NDArray[Any]] = {}
    for series in frame:
        wanted = form.dtype.fields[series.name][0] if series.name in form.dtype.fields else None
        fitted = None if wanted is None else _vector(series, wanted, dtypes.get(series.name))
        fields[series.name] = series.to_numpy() if fitted is None else fitted
    shape = [(n, v.dtype, v.shape[1:]) for n, v in fields.items()]
    array = np.empty(frame.height, dtype=np.dtype(shape))
    for name, values in fields.items():
        array[name] = values
    return array


def _vector(series: pl.Series, wanted: np.dtype[Any], came_as: pl.DataType | None) -> NDArray[Any] | None:
    """The series in a dtype of NumPy, (rows,); None where that dtype does not hold its values."""
    kind = wanted.kind
    same = series.dtype == came_as
    if kind == "O":
        array = np.empty(len(series), dtype=object)
        array[:] = series.to_list()
        return array
    if kind == "f" and series.dtype.is_numeric() and (same or series.dtype.is_integer()):
        return series.cast(pl.Float64).to_numpy().astype(wanted)
    if kind in "mM" and same:
        return series.to_numpy().astype(wanted)
    if kind == "V" and wanted.subdtype is not None and same and not series.has_nulls():
        return series.to_numpy().astype(wanted.base)
    if series.has_nulls():
        return None
    return _whole(series, wanted) if kind in "iub" else _characters(series, wanted) if kind in "SUT" else None


def _whole(series: pl.Series, wanted: np.dtype[Any]) -> NDArray[Any] | None:
    """Integers and truth values, if each stays what it is."""
    if (wanted.kind == "b") != (series.dtype == pl.Boolean) or not (
        series.dtype == pl.Boolean or series.dtype.is_numeric()
    ):
        return None
    plain = series.to_numpy()
    if plain.dtype.kind == "f" and not np.isfinite(plain).all():
        return None
    narrow = plain.astype(wanted)
    return narrow if np.array_equal(narrow, plain) and (narrow < 0).sum() == (plain < 0).sum() else None


def _characters(series: pl.Series, wanted: np.dtype[Any]) -> NDArray[Any] | None:
    """Text or bytes in cells of fixed width, if each fits."""
    if series.dtype not in ((pl.Binary,) if wanted.kind == "S" else (pl.String, pl.Categorical, pl.Enum)):
        return None
    free = (
        np.array(series.to_list(), dtype=wanted.kind)
        if wanted.kind != "T"
        else np.array(series.to_list(), dtype=wanted)
    )
    return (
        free.astype(wanted) if wanted.kind == "T" or free.dtype.itemsize <= wanted.itemsize or len(free) == 0 else None
    )
