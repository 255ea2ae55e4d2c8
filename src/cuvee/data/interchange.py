"""The way in and out: any data frame, array or mapping becomes a Polars frame, and goes out as it came in."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from cuvee.data.arrow_columns import exportable, from_arrow, to_arrow_column
from cuvee.data.errors import SchemaError
from cuvee.data.forms import ArrayForm, Column, Form, PandasForm
from cuvee.data.numpy_arrays import from_array, from_vector, to_array
from cuvee.data.pandas_frames import arrow_metadata, described, from_pandas, from_series, is_pandas, to_pandas_frame
from cuvee.data.python_values import from_values

__all__ = ["Form", "ingest", "is_table", "to_arrow", "to_numpy", "to_pandas"]

_TAKEN = "a data frame (Polars, pandas, Arrow, DuckDB), a NumPy array, a dict of columns or a list of dicts, one a row"


def ingest(data: Any, name: str) -> tuple[pl.DataFrame, Form | None]:
    """Make a Polars frame of a table, and remember how it came.

    Taken are: anything with `__arrow_c_stream__` (a lazy frame is collected), data frames of any pandas, NumPy arrays
    (one dimension gives the column `value`, two give `column_0` ..., structured ones their fields), dicts of columns,
    and lists of dicts. NaN of pandas and NumPy is null and goes out as NaN; NaN of Polars and Arrow stays apart from
    null. An index of pandas other than the default becomes the first column, called as the index or `index`. Ordered
    text categories become an Enum. Names that are no text become text.

    Args:
        data: The table. It is not changed.
        name: Its name, for messages.

    Returns:
        The frame, and its form; None where its plain types say all.

    Raises:
        SchemaError: It is no table, two columns have one name, or a column holds what no column can.
    """
    if isinstance(data, pl.LazyFrame):
        data = data.collect()
    if isinstance(data, pl.Series):
        data = data.to_frame(data.name or "value")
    if isinstance(data, pl.DataFrame):
        return _checked(data, name), None
    if is_pandas(data, "Series"):
        data = data.to_frame("value" if data.name is None else data.name)
    if is_pandas(data, "DataFrame"):
        columns, pandas = from_pandas(data, name)
        return _assembled(columns, name, pandas=pandas, metadata=described(data, pandas))
    if isinstance(data, np.ndarray):
        columns, array = from_array(data, name)
        return _assembled(columns, name, array=array)
    return _ingest_other(data, name)


def to_arrow(frame: pl.DataFrame, form: Form | None) -> Any:
    """The frame as an Arrow table, each column in the Arrow type that it came with while that holds its values.

    Raises:
        SchemaError: A column holds Python objects.
    """
    import pyarrow as pa

    plain = exportable(frame).to_arrow()
    if form is None:
        return plain
    fields: list[Any] = []
    columns: list[Any] = []
    for field, series in zip(plain.schema, frame, strict=True):
        came = form.arrow.get(field.name)
        values = plain[field.name]
        if came is not None:
            known, levels = form.dtypes.get(field.name), form.levels.get(field.name)
            values = to_arrow_column(values, series.dtype, came.type, known, levels)
            if values.type == came.type:
                field = came.with_name(field.name).with_nullable(came.nullable or values.null_count > 0)  # noqa: PLW2901
        columns.append(values)
        fields.append(field)
    return pa.table(columns, schema=pa.schema(fields, metadata=arrow_metadata(form.metadata, frame.columns)))


def to_pandas(frame: pl.DataFrame, form: Form | None) -> Any:
    """The frame as a pandas data frame, with the dtypes, index and labels that it came with while they hold its values.

    Elsewhere integers and truth values with nulls become `Int64` and `boolean`, so that no value changes.

    Raises:
        SchemaError: pandas is not installed.
    """
    try:
        return to_pandas_frame(to_arrow(frame, form), form)
    except ModuleNotFoundError as error:
        if error.name != "pandas":
            raise
        raise SchemaError(
            "A pandas data frame was asked for, but pandas is not installed. Run: pip install pandas"
        ) from error


def to_numpy(frame: pl.DataFrame, form: Form | None) -> Any:
    """The frame as an array, (rows, columns), or (rows,) if it came with one dimension; in the dtype that it had."""
    return to_array(frame, None if form is None else form.array, {} if form is None else form.dtypes)


def is_table(value: object) -> bool:
    """Whether a value of a mapping is a table rather than a column."""
    if isinstance(value, (pl.DataFrame, pl.LazyFrame, Mapping)):
        return True
    if isinstance(value, pl.Series) or is_pandas(value, "Series"):
        return False
    if isinstance(value, np.ndarray):
        return value.ndim == 2 or value.dtype.names is not None
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return len(value) > 0 and all(isinstance(row, Mapping) for row in value)
    return hasattr(value, "columns") or type(value).__name__ == "RecordBatchReader"


def _ingest_other(data: Any, name: str) -> tuple[pl.DataFrame, Form | None]:
    """What is neither a frame of Polars or pandas nor an array."""
    if hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__"):
        return _ingest_arrow(data, name)
    if isinstance(data, Mapping):
        return _assembled(_mapping_columns(data, name), name)
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _assembled(_row_columns(data, name), name)
    if hasattr(data, "__array__"):
        columns, array = from_array(np.asarray(data), name)
        return _assembled(columns, name, array=array)
    raise SchemaError(f"Table {name!r} is a value of the type {type(data).__name__}. Give {_TAKEN}.")


def _ingest_arrow(data: Any, name: str) -> tuple[pl.DataFrame, Form | None]:
    import pyarrow as pa

    try:
        if hasattr(data, "__arrow_c_stream__"):
            table = pa.RecordBatchReader.from_stream(data).read_all()
        else:
            table = pa.Table.from_batches([pa.record_batch(data)])
    except (pa.ArrowException, TypeError, ValueError):
        # A stream or an array that is no struct: one column.
        table = pa.table({"value": data if isinstance(data, (pa.Array, pa.ChunkedArray)) else _chunked(data, name)})
    _refuse_same(table.column_names, name)
    columns = {f.name: from_arrow(table[f.name], f, f"Column {f.name!r} of table {name!r}") for f in table.schema}
    return _assembled(columns, name, metadata=table.schema.metadata or {})


def _chunked(data: Any, name: str) -> Any:
    import pyarrow as pa

    try:
        return pa.chunked_array(data) if hasattr(data, "__arrow_c_stream__") else pa.array(data)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise SchemaError(
            f"Table {name!r} is a {type(data).__name__} that gives no Arrow table. Give {_TAKEN}."
        ) from error


def _assembled(
    columns: Mapping[str, Column],
    name: str,
    *,
    pandas: PandasForm | None = None,
    array: ArrayForm | None = None,
    metadata: Mapping[bytes, bytes] | None = None,
) -> tuple[pl.DataFrame, Form | None]:
    """The columns as one frame, and the form of all of them."""
    heights = {n: len(c.series) for n, c in columns.items()}
    if len(set(heights.values())) > 1:
        longest, shortest = max(heights, key=heights.__getitem__), min(heights, key=heights.__getitem__)
        raise SchemaError(
            f"Table {name!r} has columns of different lengths: {longest!r} has {heights[longest]} values and "
            f"{shortest!r} has {heights[shortest]}. Give each column one value a row."
        )
    frame = pl.DataFrame({n: c.series for n, c in columns.items()})
    notes = tuple(c.note for c in columns.values() if c.note is not None)
    arrow = {n: c.arrow for n, c in columns.items() if c.arrow is not None}
    if not arrow and not notes and pandas is None and array is None and metadata is None:
        return frame, None
    levels = {n: c.levels for n, c in columns.items() if c.levels is not None}
    return frame, Form(dict(frame.schema), arrow, levels, metadata or None, pandas, array, notes)


def _checked(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """A frame of Polars whose columns hold values, not Python objects."""
    changed = {
        s.name: from_values(s.to_list(), f"Column {s.name!r} of table {name!r}").series.alias(s.name)
        for s in frame
        if s.dtype == pl.Object
    }
    return frame.with_columns(**changed) if changed else frame


def _mapping_columns(data: Mapping[Any, Any], name: str) -> dict[str, Column]:
    """The columns of a dict of columns; each may be of another library."""
    names = [str(key) for key in data]
    _refuse_same(names, name)
    pairs = zip(names, data.values(), strict=True)
    return {n: _column(values, f"Column {n!r} of table {name!r}") for n, values in pairs}


def _row_columns(rows: Sequence[Any], name: str) -> dict[str, Column]:
    """The columns of a list of dicts, in the order in which they first occur; what a row lacks is null."""
    others = sorted({type(row).__name__ for row in rows if not isinstance(row, Mapping)})
    if others:
        raise SchemaError(f"Table {name!r} is a {type(rows).__name__} of {', '.join(others)}. Give {_TAKEN}.")
    keys = list(dict.fromkeys(key for row in rows for key in row))
    names = [str(key) for key in keys]
    _refuse_same(names, name)
    pairs = zip(names, keys, strict=True)
    return {n: _column([row.get(key) for row in rows], f"Column {n!r} of table {name!r}") for n, key in pairs}


def _column(values: Any, where: str) -> Column:
    """One column of a dict."""
    import pyarrow as pa

    if isinstance(values, pl.Series):
        return Column(values) if values.dtype != pl.Object else from_values(values.to_list(), where)
    if is_pandas(values, "Series") or is_pandas(values, "Index"):
        return from_series(values.to_series() if is_pandas(values, "Index") else values, where)
    if isinstance(values, np.ndarray) and values.ndim > 0:
        return from_vector(values, where)
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        chunked: Any = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
        return from_arrow(chunked, pa.field("", chunked.type), where)
    if isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping, np.ndarray)):
        return from_values(list(values), where)
    raise SchemaError(f"{where} is a single {type(values).__name__}, not a column. Give a list with one value a row.")


def _refuse_same(names: Sequence[str], table: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SchemaError(f"Table {table!r} has two columns called {name!r}. Rename one.")
        seen.add(name)
