"""The dtypes of Polars as JSON values, exactly: what a model file needs to give back the columns it was fitted on."""

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from cuvee.data.errors import SchemaError

_PLAIN = (
    *("Int8", "Int16", "Int32", "Int64", "Int128", "UInt8", "UInt16", "UInt32", "UInt64", "UInt128"),
    *("Float16", "Float32", "Float64", "Boolean", "String", "Binary", "Date", "Time", "Null", "Object", "Unknown"),
)
"""Dtypes that say all by their name. Older versions of Polars lack some; those are left out."""

_NAMED: Mapping[str, type[pl.DataType]] = {name: getattr(pl, name) for name in _PLAIN if hasattr(pl, name)}


def dtype_to_json(dtype: Any) -> Any:
    """A dtype as a JSON value: its name, or {name: parameters} where it has any.

    Raises:
        SchemaError: Polars has a dtype here that this version of cuvee does not know.

    >>> dtype_to_json(pl.Int8()), dtype_to_json(pl.List(pl.Datetime("ms", "UTC")))
    ('Int8', {'List': {'Datetime': ['ms', 'UTC']}})
    """
    kind = dtype if isinstance(dtype, type) else type(dtype)
    name = kind.__name__
    if name in _NAMED:
        return name
    if name not in _WRITERS:
        raise SchemaError(f"The dtype {name} of Polars is not known here. Cast the column to another before this step.")
    # A bare class (pl.Datetime for pl.Datetime()) stands for its defaults.
    return {name: _WRITERS[name](dtype() if isinstance(dtype, type) else dtype)}


def dtype_from_json(value: Any) -> pl.DataType:
    """The dtype that `dtype_to_json` was given.

    Raises:
        SchemaError: The value is not what `dtype_to_json` writes, or this version of Polars has no such dtype.

    >>> dtype_from_json({"Enum": ["low", "high"]})
    Enum(categories=['low', 'high'])
    """
    if isinstance(value, str) and value in _NAMED:
        return _NAMED[value]()
    if isinstance(value, Mapping) and len(value) == 1:
        name, parameters = next(iter(value.items()))
        if name in _READERS:
            try:
                return _READERS[name](parameters)
            except (TypeError, ValueError, LookupError, AttributeError, pl.exceptions.PolarsError) as error:
                raise SchemaError(
                    f"The dtype {name} stands with parameters that do not fit it; the file is damaged."
                ) from error
    shown = (
        value
        if isinstance(value, str)
        else sorted(map(str, value))
        if isinstance(value, Mapping)
        else type(value).__name__
    )
    raise SchemaError(f"{shown!r} is not a dtype that this version can read. Was it written by a newer version?")


def _categorical_to_json(dtype: Any) -> Any:
    """The names of a categorical's set of categories; None is the global one."""
    categories = getattr(dtype, "categories", None)
    if categories is None or categories.is_global():
        return None
    return [categories.name(), categories.namespace(), dtype_to_json(categories.physical())]


def _categorical_from_json(value: Any) -> pl.DataType:
    if value is None:
        return pl.Categorical()
    name, namespace, physical = value
    return pl.Categorical(pl.Categories(name, namespace, dtype_from_json(physical)))


def _array_from_json(value: Any) -> pl.DataType:
    inner, size = value
    return pl.Array(dtype_from_json(inner), size)


def _struct_from_json(value: Any) -> pl.DataType:
    return pl.Struct([pl.Field(name, dtype_from_json(inner)) for name, inner in value])


def _pair_from_json(value: Any) -> pl.DataType:
    key, inner = value
    # Maps came with Polars 2: an older one ends in the AttributeError that the caller turns into a sentence.
    return getattr(pl, "Map")(dtype_from_json(key), dtype_from_json(inner))  # noqa: B009


def _extension_from_json(value: Any) -> pl.DataType:
    name, storage, metadata = value
    return getattr(pl, "Extension")(name, dtype_from_json(storage), metadata)  # noqa: B009


_WRITERS: Mapping[str, Callable[[Any], Any]] = {
    "Array": lambda d: [dtype_to_json(d.inner), d.size],
    "Categorical": _categorical_to_json,
    "Datetime": lambda d: [d.time_unit, d.time_zone],
    "Decimal": lambda d: [d.precision, d.scale],
    "Duration": lambda d: d.time_unit,
    "Enum": lambda d: d.categories.to_list(),
    "Extension": lambda d: [d.ext_name(), dtype_to_json(d.ext_storage()), d.ext_metadata()],
    "List": lambda d: dtype_to_json(d.inner),
    "Map": lambda d: [dtype_to_json(d.key), dtype_to_json(d.value)],
    "Struct": lambda d: [[f.name, dtype_to_json(f.dtype)] for f in d.fields],
}

_READERS: Mapping[str, Callable[[Any], pl.DataType]] = {
    "Array": _array_from_json,
    "Categorical": _categorical_from_json,
    "Datetime": lambda v: pl.Datetime(*v),
    "Decimal": lambda v: pl.Decimal(int(v[0]), int(v[1])),
    "Duration": pl.Duration,
    "Enum": lambda v: pl.Enum(pl.Series(v, dtype=pl.String)),
    "Extension": _extension_from_json,
    "List": lambda v: pl.List(dtype_from_json(v)),
    "Map": _pair_from_json,
    "Struct": _struct_from_json,
}
