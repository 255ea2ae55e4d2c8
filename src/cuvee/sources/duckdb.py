"""DuckDB: a database in a file, opened for reading only and shut off from everything outside it."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import polars as pl
from pydantic import Field

from cuvee.core import Source
from cuvee.data.errors import SourceError
from cuvee.sources.files import is_local, replacing
from cuvee.sources.identifiers import quote_identifier, unique_names
from cuvee.sources.location import local_part
from cuvee.sources.secrets import Location, expand, shown

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# No statement, of a query or of a view in the file, reaches another file or the network, loads code, or undoes this.
_LOCKED: dict[str, Any] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
}


@final
class Duckdb(Source):
    """A DuckDB database: all tables, or the one that `table` or `query` names."""

    path: Location
    table: str | None = Field(None, description="One table or view; else all tables.")
    query: str | None = Field(None, description="One SELECT statement; its table is called 'query'.")

    def read(self) -> Mapping[str, Any]:
        if self.table is not None and self.query is not None:
            raise SourceError(f"{shown(self.path)}: state a table or a query, not both.")
        with _connected(self._file(), read_only=True, location=self.path) as connection:
            if self.query is not None:
                return {"query": _rows(connection, self.query)}
            there = _tables(connection)
            if self.table is not None and self.table not in there:
                raise SourceError(
                    f"{shown(self.path)} has no table {self.table!r}; it has {', '.join(there) or 'none'}."
                )
            names = [name for name, base in there.items() if base] if self.table is None else [self.table]
            if not names:
                raise SourceError(f"{shown(self.path)} holds no table.")
            return {name: _rows(connection, f"SELECT * FROM {quote_identifier(name)}") for name in names}  # noqa: S608

    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        if self.query is not None:
            raise SourceError(f"{shown(self.path)}: a query can't be written to; state a table.")
        if self.table is not None:
            if len(tables) != 1:
                raise SourceError(
                    f"{shown(self.path)}: {len(tables)} tables can't be written to the one table {self.table!r}."
                )
            tables = {self.table: next(iter(tables.values()))}
        for name, frame in tables.items():
            _check(name, frame)
        # In a database that is there, the tables are replaced in one transaction, and all others stay.
        if local_part(expand(self.path).text).is_file():
            self._fill(self._file(), tables)
            return
        with replacing(self.path) as beside:
            self._fill(beside, tables)

    def _file(self) -> Path:
        text = expand(self.path).text
        if not is_local(text):
            raise SourceError(f"{shown(self.path)} is not on this machine; DuckDB opens only files that are.")
        file = local_part(text)
        if not file.is_file():
            raise SourceError(f"There is no file {shown(self.path)}.")
        return file

    def _fill(self, file: Path, tables: Mapping[str, pl.DataFrame]) -> None:
        with _connected(file, read_only=False, location=self.path) as connection:
            connection.execute("BEGIN")
            for name, frame in tables.items():
                connection.register("_incoming", frame.to_arrow())
                connection.execute(f"CREATE OR REPLACE TABLE {quote_identifier(name)} AS SELECT * FROM _incoming")  # noqa: S608
                connection.unregister("_incoming")
            connection.execute("COMMIT")


@contextmanager
def _connected(file: Path, *, read_only: bool, location: str) -> "Generator[DuckDBPyConnection]":
    """A connection that is shut off; DuckDB's errors become sentences."""
    import duckdb

    try:
        with duckdb.connect(str(file), read_only=read_only, config=_LOCKED) as connection:
            # Instants are told in UTC, whatever the zone of this machine.
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET lock_configuration = true")
            yield connection
    except (duckdb.Error, ValueError) as error:
        verb = "read" if read_only else "written"
        raise SourceError(f"{shown(location)} can't be {verb}: {expand(location).tell(error)}.") from None


def _tables(connection: "DuckDBPyConnection") -> dict[str, bool]:
    """Tables and views of the main schema, in order, and whether each is a table."""
    rows = connection.execute(
        "SELECT table_name, table_type = 'BASE TABLE' FROM information_schema.tables "
        "WHERE table_schema = 'main' AND table_catalog = current_database() ORDER BY 1"
    ).fetchall()
    return {str(name): bool(base) for name, base in rows}


def _rows(connection: "DuckDBPyConnection", query: str) -> Any:
    """The rows of a query as an Arrow table."""
    import pyarrow as pa

    relation = connection.sql(query)
    if relation is None:  # pyright: ignore[reportUnnecessaryComparison] (so it is of a statement without rows)
        raise SourceError("The query gives no rows; a SELECT statement is wanted.")
    names = unique_names(relation.columns)
    # Repeated names could not be told apart below.
    relation = relation.set_alias("r").project(
        ", ".join(f"#{i} AS {quote_identifier(n)}" for i, n in enumerate(names, start=1))
    )
    kinds = {name: str(kind) for name, kind in zip(names, relation.types, strict=True)}
    spans = {name for name, kind in kinds.items() if kind == "INTERVAL" and _has_no_months(relation, name)}
    table = relation.project(
        ", ".join(_column(name, kind, span=name in spans) for name, kind in kinds.items())
    ).to_arrow_table()
    for at in (names.index(name) for name in sorted(spans)):
        table = table.set_column(at, names[at], table.column(at).cast(pa.duration("us")))
    return table


def _has_no_months(relation: Any, name: str) -> bool:
    """Whether every interval of a column is a length of time: a month is none."""
    column = quote_identifier(name)
    months = f"abs(datepart('year', {column})) * 12 + abs(datepart('month', {column}))"
    return relation.aggregate(f"coalesce(max({months}), 0)").fetchall()[0][0] == 0


def _column(name: str, kind: str, *, span: bool) -> str:
    """A column as Arrow and Polars can take it: lengths of time in microseconds, rare types as text."""
    column = quote_identifier(name)
    if span:
        return f"epoch_us({column}) AS {column}"
    return f"CAST({column} AS VARCHAR) AS {column}" if kind in {"INTERVAL", "BIT", "TIME WITH TIME ZONE"} else column


def _check(name: str, frame: pl.DataFrame) -> None:
    if not frame.width:
        raise SourceError(f"Table {name!r} has no column, and no database holds such a table.")
    lowered: dict[str, str] = {}
    for column, dtype in frame.schema.items():
        if dtype == pl.Object:
            raise SourceError(
                f"Column {column!r} of {name!r} holds Python objects, which no database can. Leave it out."
            )
        if column.lower() in lowered:
            raise SourceError(
                f"Columns {lowered[column.lower()]!r} and {column!r} of {name!r} differ only in capital "
                f"letters, which DuckDB does not tell apart."
            )
        lowered[column.lower()] = column
