"""Columns from Arrow and back to the Arrow type that they came with."""

from typing import Any

import numpy as np
import polars as pl

from cuvee.data.errors import SchemaError
from cuvee.data.forms import Column


def from_arrow(values: Any, field: Any, where: str) -> Column:
    """An Arrow column as a Polars series.

    Args:
        values: Chunked array.
        field: Its Arrow field.
        where: "Column 'x' of table 't'", for messages.

    Raises:
        SchemaError: Polars has no such type.
    """
    import pyarrow as pa

    levels = _levels(values)
    values = _storage(values, where)
    metadata = None if pa.types.is_dictionary(field.type) and field.type.ordered else field.metadata
    table = pa.table([values], schema=pa.schema([pa.field(field.name, values.type, metadata=metadata)]))
    try:
        series = pl.DataFrame(table).to_series()
    except (pl.exceptions.PolarsError, pa.ArrowException, ValueError, TypeError) as error:
        raise _unknown(field.type, where) from error
    if (
        levels is not None
        and field.type.ordered
        and isinstance(series.dtype, (pl.Categorical, pl.String))
        and _distinct(levels)
    ):
        series = series.cast(pl.Enum(pl.Series(levels.to_pylist(), dtype=pl.String)))
    return Column(series, field, levels)


def to_arrow_column(values: Any, dtype: pl.DataType, came: Any, came_as: pl.DataType | None, levels: Any) -> Any:
    """A plain Arrow column in the type that it came with, or unchanged where that type no longer holds its values.

    Args:
        values: Chunked array in the plain type of its dtype.
        dtype: The Polars dtype of the column now.
        came: The Arrow type that it came with.
        came_as: The Polars dtype that it came in as.
        levels: Its dictionary, or None.
    """
    import pyarrow as pa

    if came_as is None or not _comparable(dtype, came_as):
        return values
    try:
        return _cast(values, came, levels)
    except (pa.ArrowException, pa.ArrowNotImplementedError, pa.ArrowTypeError, OverflowError):
        return values


def exportable(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with dtypes that Arrow knows: 128 bit integers become decimals, or text where they have 39 digits.

    Raises:
        SchemaError: A column holds Python objects.
    """
    changed = [
        _exportable(s) for s in frame if _holds(s.dtype, ("Int128", "UInt128", "Object")) or _holds_empty_array(s.dtype)
    ]
    return frame.with_columns(changed) if changed else frame


def _exportable(series: pl.Series) -> pl.Series:
    if _holds(series.dtype, ("Object",)):
        raise SchemaError(
            f"Column {series.name!r} holds Python objects, which can't go out. Make it text or numbers first."
        )
    if isinstance(series.dtype, (pl.Int128, pl.UInt128)):
        limit = 10**38
        fits = series.is_empty() or bool(((series < limit) & (series.cast(pl.Int128, strict=False) > -limit)).all())
        return series.cast(pl.Decimal(38, 0)) if fits else series.cast(pl.String)
    return series.cast(_narrowed(series.dtype))


def _narrowed(dtype: Any) -> Any:
    """A nested dtype without 128 bit integers and without arrays of no element, which Arrow can't hold."""
    if isinstance(dtype, (pl.Int128, pl.UInt128)):
        return pl.Decimal(38, 0)
    if isinstance(dtype, pl.Array):
        inner = _narrowed(dtype.inner)
        return pl.List(inner) if dtype.size == 0 else pl.Array(inner, dtype.size)
    if isinstance(dtype, pl.List):
        return pl.List(_narrowed(dtype.inner))
    if isinstance(dtype, pl.Struct):
        return pl.Struct([pl.Field(f.name, _narrowed(f.dtype)) for f in dtype.fields])
    return dtype


def _inner(dtype: Any) -> list[Any]:
    if isinstance(dtype, (pl.List, pl.Array)):
        return [dtype.inner]
    return [f.dtype for f in dtype.fields] if isinstance(dtype, pl.Struct) else []


def _holds(dtype: Any, names: tuple[str, ...]) -> bool:
    return type(dtype).__name__ in names or any(_holds(d, names) for d in _inner(dtype))


def _holds_empty_array(dtype: Any) -> bool:
    return (isinstance(dtype, pl.Array) and dtype.size == 0) or any(_holds_empty_array(d) for d in _inner(dtype))


def _levels(values: Any) -> Any:
    """The dictionary of a column, one for all of its chunks; None where it has none."""
    import pyarrow as pa

    if not pa.types.is_dictionary(values.type):
        return None
    unified = values.unify_dictionaries() if values.num_chunks > 1 else values
    return unified.chunk(0).dictionary if unified.num_chunks else pa.array([], values.type.value_type)


def _distinct(levels: Any) -> bool:
    return levels.null_count == 0 and len(levels.unique()) == len(levels)


def _storage(values: Any, where: str) -> Any:
    """The same values in an Arrow type that Polars takes. Some types make Polars panic, so they are asked for first."""
    import pyarrow as pa
    from pyarrow import compute

    pc: Any = compute  # its functions are made at run time

    if isinstance(values.type, pa.BaseExtensionType):
        values = pa.chunked_array([c.storage for c in values.chunks], values.type.storage_type)
    if pa.types.is_run_end_encoded(values.type):
        values = pa.chunked_array([pc.run_end_decode(c) for c in values.chunks], values.type.value_type)
    if str(values.type).startswith(_VIEWS):
        values = pa.chunked_array([_plain_lists(c) for c in values.chunks], pa.large_list(values.type.value_field))
    wanted = _storable(values.type, where)
    if wanted == values.type:
        return values
    try:
        stored = values.cast(wanted)
        # Some casts of nested types leave offsets that end Polars' process.
        stored.validate(full=True)
        return stored  # noqa: TRY300 (nothing above it may be out of the guard)
    except (pa.ArrowException, pa.ArrowNotImplementedError) as error:
        raise _unknown(values.type, where) from error


def _storable(kind: Any, where: str) -> Any:
    """The nearest Arrow type that Polars takes."""
    import pyarrow as pa

    t = pa.types
    if t.is_union(kind) or t.is_interval(kind):
        raise _unknown(kind, where)
    if t.is_date64(kind):
        return pa.date32()
    if t.is_decimal256(kind):
        return pa.decimal128(38, kind.scale)
    if t.is_struct(kind):
        return pa.struct([f.with_type(_storable(f.type, where)) for f in kind])
    if t.is_fixed_size_list(kind) and kind.list_size:
        return pa.list_(kind.value_field.with_type(_storable(kind.value_type, where)), kind.list_size)
    if str(kind).startswith(_VIEWS):
        raise _unknown(kind, where)
    if t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind):
        return pa.large_list(kind.value_field.with_type(_storable(kind.value_type, where)))
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


_VIEWS = ("list_view", "large_list_view")


def _plain_lists(views: Any) -> Any:
    """List views as lists. Not by a cast: that of pyarrow 26 gives offsets that go back behind a null."""
    import pyarrow as pa

    lengths = views.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
    kind = pa.large_list(views.type.value_field)
    return pa.LargeListArray.from_arrays(offsets, views.flatten(), type=kind, mask=views.is_null())


def _unknown(kind: Any, where: str) -> SchemaError:
    return SchemaError(
        f"{where} has the Arrow type {kind}, which can't be held here. Cast it to another type, or leave it out."
    )


def _comparable(now: pl.DataType, before: pl.DataType) -> bool:
    """Whether a cast from one dtype to the other changes no value, or fails."""
    text = (pl.String, pl.Categorical, pl.Enum)
    if now in (before, pl.Null) or (isinstance(now, text) and isinstance(before, text)):
        return True
    if now.is_integer() or before.is_integer():
        return now.is_numeric() and before.is_numeric()
    if isinstance(now, pl.Datetime) and isinstance(before, pl.Datetime):
        # From local time to an instant, a cast would take the local time for UTC.
        return (now.time_zone is None) == (before.time_zone is None)
    return isinstance(now, pl.Duration) and isinstance(before, pl.Duration)


def _cast(values: Any, came: Any, levels: Any) -> Any:
    """The values in the type that they came with.

    Raises:
        pyarrow.ArrowException: A value does not fit.
    """
    import pyarrow as pa
    from pyarrow import compute

    pc: Any = compute  # its functions are made at run time

    if pa.types.is_dictionary(values.type) and not pa.types.is_dictionary(came):
        values = values.cast(values.type.value_type)
    if pa.types.is_dictionary(came):
        return _encode(values, came, levels)
    if isinstance(came, pa.BaseExtensionType):
        stored = values.cast(came.storage_type)
        return pa.chunked_array([pa.ExtensionArray.from_storage(came, c) for c in stored.chunks], came)
    if pa.types.is_run_end_encoded(came):
        flat = values.cast(came.value_type)
        return pa.chunked_array([pc.run_end_encode(c, came.run_end_type) for c in flat.chunks], came)
    if str(came).startswith(("list_view", "large_list_view")):
        return _viewed(values, came)
    return values if values.type == came else values.cast(came)


def _viewed(values: Any, came: Any) -> Any:
    """Lists as list views, which Arrow does not cast to."""
    import pyarrow as pa

    small = str(came).startswith("list_view")
    view, plain = (pa.ListViewArray, pa.list_) if small else (pa.LargeListViewArray, pa.large_list)
    lists = values.cast(plain(came.value_field))
    parts = [(c.offsets[:-1], c.value_lengths().fill_null(0), c.values, c.is_null()) for c in lists.chunks]
    return pa.chunked_array([view.from_arrays(o, n, v, type=came, mask=m) for o, n, v, m in parts], came)


def _encode(values: Any, came: Any, levels: Any) -> Any:
    """The values as indices into the dictionary that they came with.

    Raises:
        pyarrow.ArrowInvalid: A value is not in the dictionary.
    """
    import pyarrow as pa
    from pyarrow import compute

    pc: Any = compute  # its functions are made at run time

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    flat = values.cast(came.value_type).combine_chunks()
    flat = flat.combine_chunks() if isinstance(flat, pa.ChunkedArray) else flat
    places = pc.index_in(flat, value_set=levels)
    # A null in the dictionary itself would make nulls into values of it.
    places = pc.if_else(pc.is_valid(flat), places, pa.scalar(None, places.type))
    if places.null_count > flat.null_count:
        raise pa.ArrowInvalid("a value is not in the dictionary")
    encoded = pa.DictionaryArray.from_arrays(places.cast(came.index_type), levels, ordered=came.ordered)
    return pa.chunked_array([encoded])
