"""JSON and JSON lines: records, columns, or several tables in one object."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, final

import polars as pl
from polars.exceptions import PolarsError
from pydantic import Field

from cuvee.core import Source
from cuvee.data.errors import SourceError
from cuvee.sources.encoding import find_encoding, to_utf8
from cuvee.sources.files import only_table, read_parts, replacing
from cuvee.sources.identifiers import unique_names
from cuvee.sources.infer import temporal
from cuvee.sources.secrets import Location, first_line, shown


@final
class Json(Source):
    """A JSON file: an array of records, an object of columns, or an object of several tables.

    An object with one array of records among other entries, as web services send it, needs `records`, the name of
    that entry. Records inside records stay nested. Numbers that are not finite are written as null, for JSON has none.
    """

    path: Location
    records: str | None = Field(None, description="The entry that holds the records; dots go deeper, as in data.items.")
    dates: bool = Field(default=True, description="Whether text that is an ISO date or time throughout becomes one.")

    def read(self) -> Mapping[str, pl.DataFrame]:
        return {
            table: frame
            for name, content in read_parts(self.path).items()
            for table, frame in self._tables(_loaded(content, shown(self.path)), name).items()
        }

    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        with replacing(self.path) as beside:
            texts = {name: _array(frame, name) for name, frame in tables.items()}
            if len(texts) == 1:
                beside.write_text(next(iter(texts.values())) + "\n", "utf-8")
            else:
                beside.write_text(
                    "{" + ",\n".join(f"{_key(name)}: {text}" for name, text in texts.items()) + "}\n", "utf-8"
                )

    def _tables(self, value: Any, name: str) -> dict[str, pl.DataFrame]:
        where = shown(self.path)
        if self.records is not None:
            value = _entry(value, self.records, where)
        if isinstance(value, dict) and _are_tables(value):
            return {table: _finished(_frame(rows, where), dates=self.dates) for table, rows in value.items()}
        return {name: _finished(_frame(value, where), dates=self.dates)}


@final
class JsonLines(Source):
    """JSON lines: one record a line (.jsonl, .ndjson), plain or packed, or `-`."""

    path: Location
    dates: bool = Field(default=True, description="Whether text that is an ISO date or time throughout becomes one.")

    def read(self) -> Mapping[str, pl.DataFrame]:
        return {
            name: _finished(self._frame(content), dates=self.dates) for name, content in read_parts(self.path).items()
        }

    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        frame, table = only_table(tables, "A file of JSON lines", self.path), next(iter(tables))
        with replacing(self.path) as beside:
            _plain(frame, table).write_ndjson(beside)

    def _frame(self, content: bytes) -> pl.DataFrame:
        where = shown(self.path)
        text = _text(content, where)
        if not text.strip():
            raise SourceError(f"{where} is empty: not one record stands in it.")
        try:
            return pl.read_ndjson(text, infer_schema_length=None)
        except PolarsError:
            # The slower reader knows the line, and what Polars refuses: NaN, long numbers, records of many kinds.
            return _frame(_line_records(text, where), where)


def _line_records(text: bytes, where: str) -> list[Any]:
    records: list[Any] = []
    for number, line in enumerate(text.decode("utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            records.append(json.loads(line))
        except ValueError as error:
            raise SourceError(f"{where}, line {number:,}: this is no JSON ({error}).") from error
        if not isinstance(records[-1], dict):
            raise SourceError(f"{where}, line {number:,}: a record in braces is wanted; found {_kind(records[-1])}.")
    return records


def _text(content: bytes, where: str) -> bytes:
    try:
        return to_utf8(content, find_encoding(content).name)
    except UnicodeDecodeError as error:
        raise SourceError(f"{where}: byte {error.start:,} is no text.") from error


def _loaded(content: bytes, where: str) -> Any:
    text = _text(content, where)
    if not text.strip():
        raise SourceError(f"{where} is empty: not one record stands in it.")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        hint = " One record a line is form='jsonl'." if error.msg == "Extra data" else ""
        raise SourceError(
            f"{where}, line {error.lineno:,}, column {error.colno}: this is no JSON ({error.msg}).{hint}"
        ) from error
    except RecursionError as error:
        raise SourceError(f"{where} is nested too deeply to be a table.") from error


def _entry(value: Any, path: str, where: str) -> Any:
    for step in path.split("."):
        if not isinstance(value, dict) or step not in value:
            there = f" There are: {', '.join(map(str, value))}." if isinstance(value, dict) else ""
            raise SourceError(f"{where} has no entry {path!r}.{there}")
        value = value[step]
    return value


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(record, dict) for record in value)


def _are_tables(value: Mapping[str, Any]) -> bool:
    """Whether every entry is an array of records (one at least not empty)."""
    return bool(value) and all(_are_records(rows) for rows in value.values()) and any(value.values())


def _frame(value: Any, where: str) -> pl.DataFrame:
    """The table of an array of records or of an object of columns."""
    try:
        if _are_records(value):
            return _of_records(value)
        if isinstance(value, dict) and value and all(isinstance(cells, list) for cells in value.values()):
            sizes = {len(cells) for cells in value.values()}
            if len(sizes) > 1:
                raise SourceError(
                    f"{where} has columns of different lengths ({min(sizes):,} to {max(sizes):,}), or needs "
                    f"records='ENTRY'."
                )
            return pl.DataFrame([_column(name, cells) for name, cells in value.items()])
    except (PolarsError, TypeError, ValueError, OverflowError) as error:
        raise SourceError(f"{where} is no table: {first_line(str(error))}.") from error
    entries = [name for name, rows in value.items() if _are_records(rows)] if isinstance(value, dict) else []
    hint = f" State records={entries[0]!r}." if entries else ""
    raise SourceError(f"{where} holds {_kind(value)}; an array of records or an object of columns is wanted.{hint}")


def _of_records(records: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = [_column(name, [record.get(name) for record in records]) for name in names]
    frame = pl.DataFrame(columns)
    frame.columns = unique_names(names)
    return frame


def _column(name: str, cells: list[Any]) -> pl.Series:
    """One column; cells of kinds that do not go together become JSON text, so that nothing is lost."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds <= {int, float} or len(kinds) <= 1:
        big = int in kinds and any(isinstance(cell, int) and not -(2**63) <= cell < 2**63 for cell in cells)
        if not big:
            try:
                return (
                    pl.Series(name, cells, strict=True)
                    if kinds != {int, float}
                    else pl.Series(name, cells, dtype=pl.Float64, strict=False)
                )
            except (PolarsError, TypeError, ValueError, OverflowError):
                pass  # Nested values of differing kinds.
    text = [cell if cell is None or isinstance(cell, str) else json.dumps(cell, ensure_ascii=False) for cell in cells]
    return pl.Series(name, text, dtype=pl.String)


def _finished(frame: pl.DataFrame, *, dates: bool) -> pl.DataFrame:
    return temporal(frame) if dates else frame


def _plain(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """The frame with values that JSON has; times are ISO text.

    Raises:
        SourceError: A column holds bytes, Python objects or infinite numbers.
    """
    for name, dtype in frame.schema.items():
        if _holds_bytes(dtype):
            raise SourceError(
                f"Column {name!r} of {table!r} holds {dtype}, which JSON can't. Write Parquet, or leave the column out."
            )
        if dtype.is_float() and (infinite := frame[name].is_infinite().sum()):
            raise SourceError(
                f"Column {name!r} of {table!r} has {infinite:,} infinite numbers, which JSON can't hold. "
                "Write Parquet, or make them null."
            )
    moments = [
        pl.col(n).dt.to_string("iso" if d == pl.Duration else "%Y-%m-%dT%H:%M:%S%.f")
        for n, d in frame.schema.items()
        if d == pl.Duration or (isinstance(d, pl.Datetime) and d.time_zone is None)
    ]
    zoned = [
        pl.col(n).dt.convert_time_zone("UTC").dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")
        for n, d in frame.schema.items()
        if isinstance(d, pl.Datetime) and d.time_zone is not None
    ]
    return frame.with_columns(*moments, *zoned)


def _holds_bytes(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.Struct):
        return any(_holds_bytes(field.dtype) for field in dtype.fields)  # pyright: ignore[reportArgumentType]
    inner = getattr(dtype, "inner", None)
    return isinstance(dtype, (pl.Binary, pl.Object)) or (inner is not None and _holds_bytes(inner))


def _array(frame: pl.DataFrame, table: str) -> str:
    lines = _plain(frame, table).write_ndjson().rstrip("\n")
    return "[" + lines.replace("\n", ",\n") + "]"


def _key(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _kind(value: Any) -> str:
    return {dict: "an object", list: "an array", str: "text", bool: "a truth value", type(None): "null"}.get(
        type(value), "a number"
    )
