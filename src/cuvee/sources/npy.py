"""NumPy arrays: .npy (one) and .npz (several), opened without running code."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from cuvee.core import Source
from cuvee.data.errors import SourceError
from cuvee.sources.files import only_table, read_bytes, replacing
from cuvee.sources.location import file_name, table_name
from cuvee.sources.secrets import Location, expand, first_line, shown

Array = NDArray[Any]


@final
class Npy(Source):
    """Arrays as tables: rows are the first axis.

    One axis is a column (`value`), two axes are columns (`column_0`, `column_1`, ...), more axes are one column of
    arrays (images). Arrays of an .npz of the same length are one table; else arrays of the same length and the same
    beginning of their names (`train_images`, `train_labels`) are one table, and all others a table each.
    """

    path: Location
    compressed: bool = Field(default=True, description="Whether an .npz is written compressed.")

    def read(self) -> Mapping[str, pl.DataFrame]:
        name, content = table_name(expand(self.path).text), read_bytes(self.path)
        try:
            loaded = np.load(io.BytesIO(content), allow_pickle=False)
            arrays = {key: loaded[key] for key in loaded.files} if hasattr(loaded, "files") else {name: loaded}
        except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise SourceError(
                f"{shown(self.path)} can't be read as arrays: {first_line(str(error))}. Objects are never loaded."
            ) from error
        if not arrays:
            raise SourceError(f"{shown(self.path)} holds no array.")
        if not hasattr(loaded, "files"):
            return {name: self._frame({"": arrays[name]})}
        return {table: self._frame(group) for table, group in _groups(arrays, name).items()}

    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        if file_name(expand(self.path).text).lower().endswith(".npz"):
            arrays = _arrays(tables)
            with replacing(self.path) as beside, beside.open("wb") as stream:
                (np.savez_compressed if self.compressed else np.savez)(stream, **arrays)  # pyright: ignore[reportArgumentType]
            return
        matrix = _matrix(only_table(tables, "An .npy file", self.path), next(iter(tables)))
        with replacing(self.path) as beside, beside.open("wb") as stream:
            np.save(stream, matrix, allow_pickle=False)

    def _frame(self, group: Mapping[str, Array]) -> pl.DataFrame:
        columns: dict[str, pl.Series] = {}
        for key, array in group.items():
            if array.ndim == 0 or (array.dtype.kind in "OcV" and array.dtype.names is None):
                raise SourceError(
                    f"{shown(self.path)}: an array of {array.dtype} with {array.ndim} axes is no column of a table."
                )
            columns |= _columns(key, array)
        return pl.DataFrame(columns)


def _groups(arrays: Mapping[str, Array], name: str) -> dict[str, dict[str, Array]]:
    """The arrays of each table."""
    sizes = {key: array.shape[0] if array.ndim else -1 for key, array in arrays.items()}
    if len(set(sizes.values())) == 1:
        return {name: dict(arrays)}
    starts = {key: key.partition("_")[0] for key in arrays}
    same = all(len({sizes[k] for k in arrays if starts[k] == start}) == 1 for start in starts.values())
    if not same:
        return {key: {"": array} for key, array in arrays.items()}
    groups: dict[str, dict[str, Array]] = {}
    for key, array in arrays.items():
        groups.setdefault(starts[key], {})[key.partition("_")[2]] = array
    return groups


def _columns(key: str, array: Array) -> dict[str, pl.Series]:
    """The columns that one array stands for."""
    if array.dtype.names is not None:
        return {field: _series(array[field]) for field in array.dtype.names}
    if array.ndim == 2 and key and array.shape[1] == 1:
        return {key: _series(array[:, 0])}
    if array.ndim == 2:
        return {f"{key or 'column'}_{i}": _series(array[:, i]) for i in range(array.shape[1])}
    return {key or "value": _series(array)}


def _series(array: Array) -> pl.Series:
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind in "mM" and np.datetime_data(array.dtype)[0] in {"Y", "M", "W", "h", "m"}:
        array = array.astype(f"{array.dtype.kind}8[{'s' if np.datetime_data(array.dtype)[0] in 'hm' else 'D'}]")
    if array.dtype.kind == "f" and array.dtype.itemsize not in {4, 8}:
        array = array.astype(np.float32 if array.dtype.itemsize == 2 else np.float64)
    # Polars takes the byte order of this machine only.
    return pl.Series(values=np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))))


def _matrix(frame: pl.DataFrame, table: str) -> Array:
    """The table as one array of numbers or truth values: (rows, columns), or (rows,) of one column called `value`."""
    for name, dtype in frame.schema.items():
        if not (dtype.is_numeric() or dtype == pl.Boolean):
            raise SourceError(
                f"Column {name!r} of {table!r} is {dtype}; an .npy file holds numbers only. Write .npz or Parquet."
            )
        _no_nulls(frame[name], table)
    return frame["value"].to_numpy() if frame.columns == ["value"] else frame.to_numpy()


def _arrays(tables: Mapping[str, pl.DataFrame]) -> dict[str, Array]:
    """An array a column; names of several tables begin with that of their table."""
    several = len(tables) > 1
    arrays: dict[str, Array] = {}
    for table, frame in tables.items():
        if several and ("_" in table or not table):
            raise SourceError(
                f"Table {table!r} can't be told apart in an .npz file, for its name has an underscore. Rename it."
            )
        for column in frame.iter_columns():
            key = f"{table}_{column.name}" if several else column.name
            if not key or set(key) & set("/\\\0"):
                raise SourceError(f"Column {key!r} of {table!r} can't name an array of an .npz file. Rename it.")
            arrays[key] = _array(column, table)
    return arrays


def _array(column: pl.Series, table: str) -> Array:
    if (column.dtype.is_nested() and not isinstance(column.dtype, pl.Array)) or isinstance(
        column.dtype, (pl.Object, pl.Binary, pl.Time)
    ):
        raise SourceError(
            f"Column {column.name!r} of {table!r} holds {column.dtype}, which an array can't. Write Parquet."
        )
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    _no_nulls(column, table)
    if isinstance(column.dtype, (pl.String, pl.Categorical, pl.Enum)):
        return np.array(column.cast(pl.String).to_list(), dtype=np.str_)
    return column.cast(pl.Float64).to_numpy() if column.dtype.is_decimal() else column.to_numpy()


def _no_nulls(column: pl.Series, table: str) -> None:
    if column.null_count() and not column.dtype.is_float() and not column.dtype.is_temporal():
        raise SourceError(
            f"Column {column.name!r} of {table!r} has {column.null_count():,} nulls, which an array of "
            f"{column.dtype} can't hold. Write Parquet."
        )
