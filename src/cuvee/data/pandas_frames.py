"""Data frames of pandas in and out. Nothing here imports pandas: what comes in brings its own classes."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cuvee.data.arrow_columns import from_arrow
from cuvee.data.errors import SchemaError
from cuvee.data.forms import Column, Form, PandasForm
from cuvee.data.python_values import from_values, missing_of

DEFAULT_INDEX = "index"
"""The column that an index without a name becomes."""


def is_pandas(data: object, name: str) -> bool:
    """Whether this is an object of the pandas class of that name, or of one derived from it."""
    return any(k.__name__ == name and k.__module__.partition(".")[0] == "pandas" for k in type(data).__mro__)


def label_text(label: Any) -> str:
    """The column name that a label of pandas becomes: the parts of a tuple are joined by an underscore."""
    return "_".join(str(p) for p in label if p != "") if isinstance(label, tuple) else str(label)


def from_pandas(data: Any, table: str) -> tuple[dict[str, Column], PandasForm]:
    """The columns of a data frame, its index first where that is not the default one. NaN is null.

    Raises:
        SchemaError: Two columns have one name, or a column holds what no column here can.
    """
    names = tuple(label_text(label) for label in data.columns)
    _refuse_same(names, data.columns, table)
    index = dict(_index_columns(data.index, set(names)))
    parts = index | {name: data.iloc[:, i] for i, name in enumerate(names)}
    columns = {name: from_series(part, f"Column {name!r} of table {table!r}") for name, part in parts.items()}
    form = PandasForm(
        dtypes={name: part.dtype for name, part in parts.items()},
        columns=data.columns,
        names=names,
        index=tuple(index),
        index_labels=tuple(data.index.names) if index else (),
        frequency=getattr(data.index, "freq", None),
        missing={name: missing_of(part.to_numpy()) for name, part in parts.items() if _holds_objects(part.dtype)},
        attributes=dict(data.attrs),
    )
    return columns, form


def from_series(series: Any, where: str) -> Column:
    """A series of pandas as a column. NaN is null.

    Raises:
        SchemaError: It holds what no column here can.
    """
    import pyarrow as pa

    if _holds_objects(series.dtype):
        return from_values(series.to_list(), where, nan_is_null=True)
    if series.dtype.kind == "c":
        return from_values([1j], where)
    dense = series.sparse.to_dense() if hasattr(series.dtype, "fill_value") else series
    try:
        array = pa.array(dense, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError, NotImplementedError) as error:
        hint = "Convert it to text, numbers or dates first."
        raise SchemaError(
            f"{where} has the pandas dtype {series.dtype} with values that no column can hold. {hint}"
        ) from error
    chunked = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    return from_arrow(chunked, pa.field("", chunked.type), where)


def described(data: Any, form: PandasForm) -> dict[bytes, bytes] | None:
    """The metadata by which any reader of Arrow makes the frame again; None where pandas has no such description."""
    import pyarrow as pa

    empty = data.iloc[:0].copy()
    empty.attrs = {}
    if empty.columns.nlevels > 1:
        empty.columns = list(form.names)
    try:
        metadata = pa.Schema.from_pandas(empty, preserve_index=bool(form.index)).metadata
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError):
        return None
    pandas: dict[str, Any] = json.loads(metadata[b"pandas"])
    renamed = dict(zip(pandas["index_columns"], form.index, strict=True))
    for column in pandas["columns"]:
        column["field_name"] = renamed.get(column["field_name"], column["field_name"])
        column["numpy_type"] = _readable(column["numpy_type"])
    pandas["index_columns"] = list(form.index)
    return {**metadata, b"pandas": json.dumps(pandas).encode()}


def to_pandas_frame(table: Any, form: Form | None) -> Any:
    """An Arrow table as a pandas data frame, in its form where it has one.

    Integers and truth values with nulls become `Int64` and `boolean`, never floats: no value changes.
    """
    plain = table.replace_schema_metadata(_metadata(table, form)).to_pandas()
    if form is None or form.pandas is None:
        return plain
    known = form.pandas
    for name in plain.columns:
        restored = _restored(table[name], plain[name], form, name)
        if restored is not None:
            plain[name] = restored
    return _relabelled(plain, known)


def arrow_metadata(metadata: Mapping[bytes, bytes] | None, columns: list[str]) -> dict[bytes, bytes] | None:
    """The metadata of an Arrow schema, with that of pandas cut down to the columns that are left."""
    if metadata is None or b"pandas" not in metadata:
        return None if metadata is None else dict(metadata)
    pandas: dict[str, Any] = json.loads(metadata[b"pandas"])
    kept = [c for c in pandas.get("columns", []) if (c.get("field_name") or c.get("name")) in columns]
    index = [i for i in pandas.get("index_columns", []) if isinstance(i, dict) or i in columns]
    if kept != pandas.get("columns") or index != pandas.get("index_columns"):
        pandas |= {"columns": kept, "index_columns": index}
        return {**metadata, b"pandas": json.dumps(pandas).encode()}
    return dict(metadata)


def _index_columns(index: Any, taken: set[str]) -> Iterator[tuple[str, Any]]:
    """The levels of an index as named series; nothing for the index that pandas gives by itself."""
    if index.nlevels == 1 and index.name is None and _counts(index):
        return
    for level, label in enumerate(index.names):
        plain = DEFAULT_INDEX if index.nlevels == 1 else f"level_{level}"
        name = plain if label is None else label_text(label)
        while name in taken:
            name += "_index"
        taken.add(name)
        yield name, index.get_level_values(level).to_series().reset_index(drop=True)


def _counts(index: Any) -> bool:
    """Whether an index counts the rows from 0. An empty one does, whatever its dtype."""
    if not len(index):
        return True
    return (
        index.dtype.kind in "iu"
        and not hasattr(index.dtype, "na_value")
        and bool(np.array_equal(index, np.arange(len(index))))
    )


def _refuse_same(names: tuple[str, ...], labels: Any, table: str) -> None:
    seen: dict[str, Any] = {}
    for name, label in zip(names, labels, strict=True):
        if name in seen:
            kinds = {type(seen[name]).__name__, type(label).__name__}
            how = "" if len(kinds) == 1 else f" (once as {' and once as '.join(sorted(kinds))})"
            raise SchemaError(f"Table {table!r} has two columns called {name!r}{how}. Rename one.")
        seen[name] = label


def _metadata(table: Any, form: Form | None) -> dict[bytes, bytes]:
    """The metadata by which pyarrow makes a frame: as it came, but nullable dtypes for integers with nulls."""
    columns = list(table.column_names)
    came = None if form is None or form.pandas is not None else arrow_metadata(form.metadata, columns)
    pandas: dict[str, Any] = (
        json.loads(came[b"pandas"]) if came and b"pandas" in came else {"index_columns": [], "columns": []}
    )
    by_name = {c.get("field_name") or c.get("name"): c for c in pandas["columns"]}
    for field in table.schema:
        nullable = _nullable(field.type) if table[field.name].null_count else None
        entry = by_name.get(field.name)
        if nullable is not None and (entry is None or entry["numpy_type"] == str(field.type).replace("bool", "object")):
            by_name[field.name] = {
                "name": field.name if entry is None else entry["name"],
                "field_name": field.name,
                "pandas_type": str(field.type),
                "numpy_type": nullable,
                "metadata": None,
            }
    pandas["columns"] = [c | {"numpy_type": _readable(c["numpy_type"])} for c in by_name.values()]
    pandas.setdefault("column_indexes", [])
    return {**(came or {}), b"pandas": json.dumps(pandas).encode()}


def _readable(dtype: str) -> str:
    """The name of a dtype, but that of a nested Arrow dtype, which pandas writes and can't read: `object`."""
    return "object" if "<" in dtype and dtype.endswith("[pyarrow]") else dtype


def _nullable(kind: Any) -> str | None:
    """The dtype of pandas that holds such values and nulls."""
    import pyarrow as pa

    if pa.types.is_boolean(kind):
        return "boolean"
    return str(kind).replace("uint", "UInt").replace("int", "Int") if pa.types.is_integer(kind) else None


def _restored(values: Any, plain: Any, form: Form, name: str) -> Any:
    """A column in the dtype that it had in pandas; None where it has it already, or where that no longer holds it."""
    import pyarrow as pa

    if form.pandas is None or name not in form.pandas.dtypes:
        return None
    wanted, came = form.pandas.dtypes[name], form.arrow.get(name)
    if plain.dtype == wanted and not _holds_objects(wanted):
        return None
    if came is not None and values.type != came.type:
        return None
    try:
        if _holds_objects(wanted):
            return _objects(values, plain, form.pandas.missing.get(name))
        return wanted.__from_arrow__(values) if hasattr(wanted, "__from_arrow__") else plain.astype(wanted)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        # The dtype is a third party's or pandas' own: whatever it refuses stays in its plain type.
        return None


def _holds_objects(dtype: Any) -> bool:
    """Whether a dtype of pandas is that of Python objects, not one of its own that also says kind O."""
    return isinstance(dtype, np.dtype) and dtype.kind == "O"


def _objects(values: Any, plain: Any, missing: Any) -> Any:
    """A column of Python objects, with what stood for a missing value in it."""
    array = np.empty(len(values), dtype=object)
    array[:] = values.to_pylist()
    if values.null_count:
        nulls = values.is_null().to_numpy()
        array[nulls] = [missing] * int(nulls.sum())
    return type(plain)(array, index=plain.index, name=plain.name, dtype=object)


def _relabelled(plain: Any, known: PandasForm) -> Any:
    """The frame with its index and its own labels again."""
    index = [name for name in known.index if name in plain.columns]
    if index and len(index) == len(known.index):
        plain = plain.set_index(index)
        plain.index.names = list(known.index_labels)
        if known.frequency is not None:
            _set_frequency(plain, known.frequency)
    if list(plain.columns) == list(known.names):
        plain.columns = known.columns
    else:
        labels = dict(zip(known.names, known.columns, strict=True))
        plain.columns = [labels.get(name, name) for name in plain.columns]
    plain.attrs.update(known.attributes)
    return plain


def _set_frequency(plain: Any, frequency: Any) -> None:
    """Give a datetime index its frequency again, where its rows still keep it."""
    import contextlib

    with contextlib.suppress(ValueError, AttributeError):
        plain.index.freq = frequency
