"""SQLite: a database in a file, through the standard library."""

import json
import sqlite3
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, final

import polars as pl
from pydantic import Field

from cuvee.core import Source
from cuvee.data.errors import SourceError
from cuvee.sources.files import is_local, read_bytes, replacing
from cuvee.sources.identifiers import quote_identifier, unique_names
from cuvee.sources.infer import temporal
from cuvee.sources.location import local_part
from cuvee.sources.secrets import Location, expand, first_line, shown

_CHUNK = 50_000
_MAGIC = b"SQLite format 3\0"


@final
class Sqlite(Source):
    """A SQLite database: all tables, or the one that `table` or `query` names.

    A column has the type of its values, for SQLite's own types bind nothing; what was declared decides dates, truth
    values and decimals. Only reading is possible while reading: no statement of a query can write, here or elsewhere.
    """

    path: Location
    table: str | None = Field(None, description="One table or view; else all tables.")
    query: str | None = Field(None, description="One SELECT statement; its table is called 'query'.")

    def read(self) -> Mapping[str, pl.DataFrame]:
        if self.table is not None and self.query is not None:
            raise SourceError(f"{shown(self.path)}: state a table or a query, not both.")
        with _reading(self.path) as connection:
            try:
                if self.query is not None:
                    return {"query": _rows(connection, self.query, {})}
                names = _tables(connection) if self.table is None else [self._known(connection, self.table)]
                if not names:
                    raise SourceError(f"{shown(self.path)} holds no table.")
                return {name: _table(connection, name) for name in names}
            except (sqlite3.Error, sqlite3.Warning) as error:
                raise SourceError(f"{shown(self.path)} can't be read: {expand(self.path).tell(error)}.") from None

    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        if self.query is not None:
            raise SourceError(f"{shown(self.path)}: a query can't be written to; state a table.")
        if self.table is not None:
            if len(tables) != 1:
                raise SourceError(
                    f"{shown(self.path)}: {len(tables)} tables can't be written to the one table {self.table!r}."
                )
            tables = {self.table: next(iter(tables.values()))}
        stored = {name: _stored(frame, name) for name, frame in tables.items()}
        text = expand(self.path).text
        # In a database that is there, the tables are replaced in one transaction, and all others stay.
        if is_local(text) and local_part(text).is_file():
            self._fill(local_part(text), stored)
            return
        with replacing(self.path) as beside:
            self._fill(beside, stored)

    def _known(self, connection: sqlite3.Connection, table: str) -> str:
        there = [
            row[0]
            for row in connection.execute(
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY rowid"
            )
        ]
        if table not in there:
            raise SourceError(f"{shown(self.path)} has no table {table!r}; it has {', '.join(there) or 'none'}.")
        return table

    def _fill(self, file: Path, stored: Mapping[str, tuple[pl.DataFrame, dict[str, str]]]) -> None:
        try:
            with closing(sqlite3.connect(file, isolation_level=None)) as connection:
                connection.execute("PRAGMA foreign_keys = OFF")
                connection.execute("BEGIN IMMEDIATE")
                try:
                    for name, (frame, types) in stored.items():
                        _insert(connection, name, frame, types)
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
            raise SourceError(
                f"{shown(self.path)} can't be written: {first_line(str(error))}. Nothing was changed."
            ) from error


@contextmanager
def _reading(location: str) -> Generator[sqlite3.Connection]:
    """A connection that can only read, and attach nothing."""
    text = expand(location).text
    connection: sqlite3.Connection
    if is_local(text) and local_part(text).is_file():
        with local_part(text).open("rb") as file:
            head = file.read(len(_MAGIC))
        if head and head != _MAGIC:
            raise SourceError(f"{shown(location)} is no SQLite database.")
        connection = sqlite3.connect(local_part(text).resolve().as_uri() + "?mode=ro", uri=True)
    else:
        content = read_bytes(location)
        if not content.startswith(_MAGIC):
            raise SourceError(f"{shown(location)} is no SQLite database.")
        connection = sqlite3.connect(":memory:")
        connection.deserialize(content)
    with closing(connection):
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.set_authorizer(_only_reading)
        yield connection


_ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_TRANSACTION,
    getattr(sqlite3, "SQLITE_RECURSIVE", 33),
}


def _only_reading(action: int, first: str | None, *_: str | None) -> int:
    allowed = action in _ALLOWED or (action == sqlite3.SQLITE_PRAGMA and first in {"table_info", "table_xinfo"})
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
    )
    return [row[0] for row in found]


def _table(connection: sqlite3.Connection, name: str) -> pl.DataFrame:
    quoted = quote_identifier(name)
    declared = {row[1]: row[2].upper() for row in connection.execute(f"PRAGMA table_info({quoted})")}
    return _rows(connection, f"SELECT * FROM {quoted}", declared)  # noqa: S608 (quoted by quote_identifier)


def _rows(connection: sqlite3.Connection, query: str, declared: Mapping[str, str]) -> pl.DataFrame:
    """The rows of a query, chunk by chunk."""
    cursor = connection.execute(query)
    if cursor.description is None:
        raise SourceError("The query gives no rows; a SELECT statement is wanted.")
    given = [entry[0] for entry in cursor.description]
    names = unique_names(given)
    chunks: list[list[pl.Series]] = []
    while block := cursor.fetchmany(_CHUNK):
        chunks.append([_series(cells) for cells in zip(*block, strict=True)])
    columns = [
        _typed(_joined([chunk[i] for chunk in chunks]), declared.get(label, "")).alias(name)
        for i, (name, label) in enumerate(zip(names, given, strict=True))
    ]
    return pl.DataFrame(columns)


_KINDS: dict[type, Any] = {int: pl.Int64, float: pl.Float64, str: pl.String, bytes: pl.Binary}


def _series(cells: tuple[Any, ...]) -> pl.Series:
    """The cells of a chunk; numbers and text in one column are text."""
    kinds = {type(cell) for cell in cells} - {type(None)}
    if kinds == {int, float}:
        return pl.Series(cells, dtype=pl.Float64, strict=False)
    if len(kinds) <= 1:
        dtype = _KINDS.get(next(iter(kinds), type(None)), pl.Null)
        return pl.Series(cells, dtype=dtype)
    return pl.Series([_as_text(cell) for cell in cells], dtype=pl.String)


def _as_text(cell: Any) -> str | None:
    return (
        cell
        if cell is None or isinstance(cell, str)
        else cell.decode("utf-8", "replace")
        if isinstance(cell, bytes)
        else repr(cell)
    )


def _joined(chunks: list[pl.Series]) -> pl.Series:
    """The chunks as one column, of the type that holds all."""
    kinds = {chunk.dtype for chunk in chunks} - {pl.Null()}
    if not kinds:
        return pl.Series([None] * sum(map(len, chunks)), dtype=pl.Null)
    mixed: Any = pl.Float64() if kinds == {pl.Int64(), pl.Float64()} else pl.String()
    wanted = next(iter(kinds)) if len(kinds) == 1 else mixed
    return pl.concat([chunk.cast(wanted, strict=False) for chunk in chunks])


_EMPTY: tuple[tuple[str, Any], ...] = (
    ("BOOL", pl.Boolean), ("DATETIME", pl.Datetime("us")), ("TIMESTAMP", pl.Datetime("us")), ("DATE", pl.Date),
    ("INT", pl.Int64),
    ("CHAR", pl.String), ("CLOB", pl.String), ("TEXT", pl.String), ("BLOB", pl.Binary), ("REAL", pl.Float64),
    ("FLOA", pl.Float64),
    ("DOUB", pl.Float64), ("NUMERIC", pl.Float64), ("DECIMAL", pl.Float64),
)  # fmt: skip


def _typed(column: pl.Series, declared: str) -> pl.Series:
    """The column as what was declared, where all its values fit."""
    if column.dtype == pl.Null:
        return column.cast(next((dtype for word, dtype in _EMPTY if word in declared), pl.Null))
    if "BOOL" in declared and column.dtype == pl.Int64 and column.drop_nulls().is_in([0, 1]).all():
        return column.cast(pl.Boolean)
    if declared == "DURATION INTEGER" and column.dtype == pl.Int64:
        return column.cast(pl.Duration("us"))
    if declared.startswith("DECIMAL_TEXT(") and column.dtype == pl.String:
        precision, scale = (int(n) for n in declared[13:].rstrip(")").split(","))
        return column.cast(pl.Decimal(precision, scale))
    if ("DATE" in declared or "TIME" in declared) and column.dtype == pl.String:
        return temporal(column.to_frame("c"))["c"]
    return column


def _stored(frame: pl.DataFrame, table: str) -> tuple[pl.DataFrame, dict[str, str]]:
    """The frame with values that SQLite holds, and the declared type of every column."""
    columns: list[pl.Series] = []
    types: dict[str, str] = {}
    for column in frame.iter_columns():
        stored, types[column.name] = _column(column, table)
        columns.append(stored)
    return pl.DataFrame(columns), types


def _column(column: pl.Series, table: str) -> tuple[pl.Series, str]:  # noqa: C901, PLR0911 (one line a type)
    dtype = column.dtype
    if dtype == pl.Boolean:
        return column.cast(pl.Int64), "BOOLEAN"
    if dtype.is_integer():
        try:
            return column.cast(pl.Int64), "INTEGER"
        except pl.exceptions.InvalidOperationError as error:
            raise SourceError(
                f"Column {column.name!r} of {table!r} has whole numbers beyond 64 bits. Write Parquet."
            ) from error
    if dtype.is_float():
        return column.cast(pl.Float64).fill_nan(None), "REAL"
    if isinstance(dtype, pl.Decimal):
        return column.cast(pl.String), f"DECIMAL_TEXT({dtype.precision},{dtype.scale})"
    if dtype == pl.Date:
        return column.dt.to_string("%Y-%m-%d"), "DATE"
    if isinstance(dtype, pl.Datetime):
        local = column if dtype.time_zone is None else column.dt.convert_time_zone("UTC")
        return local.dt.to_string("%Y-%m-%d %H:%M:%S%.f" + ("" if dtype.time_zone is None else "Z")), "TIMESTAMP"
    if dtype == pl.Duration:
        return column.dt.total_microseconds(), "DURATION INTEGER"
    if dtype == pl.Binary:
        return column, "BLOB"
    if dtype == pl.Object:
        raise SourceError(
            f"Column {column.name!r} of {table!r} holds Python objects, which no database can. Leave it out."
        )
    if dtype.is_nested():
        return pl.Series(
            column.name, [None if v is None else _json(v) for v in column.to_list()], dtype=pl.String
        ), "TEXT"
    return column.cast(pl.String), "TEXT"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _insert(connection: sqlite3.Connection, name: str, frame: pl.DataFrame, types: Mapping[str, str]) -> None:
    quoted = quote_identifier(name)
    columns = ", ".join(f"{quote_identifier(column)} {declared}" for column, declared in types.items())
    if not types:
        raise SourceError(f"Table {name!r} has no column, and no database holds such a table.")
    connection.execute(f"DROP TABLE IF EXISTS {quoted}")
    connection.execute(f"CREATE TABLE {quoted} ({columns})")
    places = ", ".join("?" * frame.width)
    connection.executemany(f"INSERT INTO {quoted} VALUES ({places})", frame.iter_rows())  # noqa: S608 (quoted by quote_identifier)
