"""Databases behind a URL, through SQLAlchemy: PostgreSQL, MySQL, MariaDB, SQL Server, Oracle and others."""

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import polars as pl
from pydantic import Field

from cuvee.core import Source
from cuvee.data.errors import MissingExtraError, SourceError
from cuvee.sources.cells import column, joined
from cuvee.sources.identifiers import unique_names
from cuvee.sources.secrets import Expanded, Location, expand, first_line, shown
from cuvee.sources.sql import coded_dtype, create, declared_dtype, statement

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_CHUNK = 20_000
_DRIVERS = {
    "postgresql": ("pg8000", "psycopg", "psycopg2"),
    "mysql": ("pymysql", "MySQLdb", "mysqlconnector"),
    "mariadb": ("pymysql", "mariadbconnector"),
    "oracle": ("oracledb",),
    "mssql": ("pyodbc", "pymssql"),
}
_DIALECT_NAMES = {"MySQLdb": "mysqldb"}
# Databases in which dropping and creating tables is part of a transaction.
_TRANSACTIONAL = {"postgresql", "sqlite", "mssql", "cockroachdb", "redshift"}
_DESCRIBED = {"postgresql", "mysql", "mariadb", "mssql", "cockroachdb", "redshift", "snowflake"}


@final
class Database(Source):
    """A database: all tables (of a schema), or the one that `table` or `query` names.

    The password stands in the environment: `postgresql://ada:${PASSWORD}@host/lab`, or the whole URL does:
    `${LAB_DATABASE_URL}`. Rows come in chunks, in one transaction that can only read. Decimals stay decimals, instants
    are in UTC, arrays are lists where they are regular, JSON is text. Writing replaces the tables in one transaction.
    """

    path: Location
    table: str | None = Field(None, description="One table or view; else all tables.")
    query: str | None = Field(None, description="One SELECT statement; its table is called 'query'.")
    schema_name: str | None = Field(None, description="The schema of the tables; else the database's default.")

    def read(self) -> Mapping[str, pl.DataFrame]:
        if self.table is not None and self.query is not None:
            raise SourceError(f"{self._shown()}: state a table or a query, not both.")
        with self._connected(write=False) as connection:
            if self.query is not None:
                return {"query": _fetch(connection, self.query.strip().rstrip(";"), {})}
            names = self._names(connection)
            return {
                name: _fetch(connection, self._everything(connection, name), self._dtypes(connection, name))
                for name in names
            }

    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        if self.query is not None:
            raise SourceError(f"{self._shown()}: a query can't be written to; state a table.")
        if self.table is not None:
            if len(tables) != 1:
                raise SourceError(
                    f"{self._shown()}: {len(tables)} tables can't be written to the one table {self.table!r}."
                )
            tables = {self.table: next(iter(tables.values()))}
        with self._connected(write=True) as connection:
            for name, frame in tables.items():
                self._replace(connection, name, frame)

    def _shown(self) -> str:
        return shown(self.path)

    def _names(self, connection: "Connection") -> list[str]:
        from sqlalchemy import inspect

        inspector = inspect(connection)
        tables = inspector.get_table_names(schema=self.schema_name)
        if self.table is None:
            if not tables:
                raise SourceError(
                    f"{self._shown()} holds no "
                    f"table{f' in the schema {self.schema_name!r}' if self.schema_name else ''}."
                )
            return tables
        there = [*tables, *inspector.get_view_names(schema=self.schema_name)]
        if self.table not in there:
            raise SourceError(f"{self._shown()} has no table {self.table!r}; it has {', '.join(there) or 'none'}.")
        return [self.table]

    def _everything(self, connection: "Connection", table: str) -> str:
        from sqlalchemy import table as named

        quoted = connection.dialect.identifier_preparer.format_table(named(table, schema=self.schema_name))
        return f"SELECT * FROM {quoted}"  # noqa: S608 (quoted as the database wants it)

    def _dtypes(self, connection: "Connection", table: str) -> dict[str, Any]:
        """The dtypes that the database declares, where it says so in the standard way."""
        from sqlalchemy import text

        dialect = connection.dialect
        if dialect.name not in _DESCRIBED:
            return {}
        rows = connection.execute(
            text(
                "SELECT column_name, data_type, numeric_precision, numeric_scale FROM information_schema.columns "
                "WHERE table_name = :table AND table_schema = :schema"
            ),
            {"table": table, "schema": self.schema_name or dialect.default_schema_name},
        )
        return {
            str(name): dtype
            for name, kind, digits, scale in rows
            if (dtype := declared_dtype(str(kind).lower(), digits, scale)) is not None
        }

    def _replace(self, connection: "Connection", name: str, frame: pl.DataFrame) -> None:
        """Drop, create and fill one table."""
        from sqlalchemy import inspect
        from sqlalchemy import table as named

        if not frame.width:
            raise SourceError(f"Table {name!r} has no column, and no database holds such a table.")
        if inspect(connection).has_table(name, schema=self.schema_name):
            if connection.dialect.name not in _TRANSACTIONAL:
                raise SourceError(
                    f"{self._shown()} has a table {name!r}, and can't replace it without a moment of loss. Drop "
                    f"it first."
                )
            old = connection.dialect.identifier_preparer.format_table(named(name, schema=self.schema_name))
            connection.execute(statement(f"DROP TABLE {old}"))
        create(connection, name, frame, self.schema_name)

    @contextmanager
    def _connected(self, *, write: bool) -> "Generator[Connection]":
        """A connection in one transaction; no error of it tells a password, a URL or a value."""
        expanded = expand(self.path)
        engine = _engine(expanded, self._shown())
        if not write:
            _require_file(engine, self._shown())
        try:
            with engine.connect() as connection:
                options: dict[str, Any] = {}
                if not write and engine.dialect.name == "postgresql":
                    options = {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
                with connection.execution_options(**options).begin() as transaction:
                    if engine.dialect.name == "sqlite":
                        # Its driver begins before an INSERT, but not before a DROP: that would outlive a rollback.
                        connection.exec_driver_sql("BEGIN")
                    yield connection
                    if not write:
                        transaction.rollback()
        except SourceError:
            raise
        except Exception as error:  # noqa: BLE001 (SQLAlchemy's, every driver's and the network's errors all become one sentence)
            verb = "written" if write else "read"
            raise SourceError(f"{self._shown()} can't be {verb}: {_told(error, expanded)}.") from None
        finally:
            engine.dispose()


def _require_file(engine: "Engine", where: str) -> None:
    """A SQLite file that is to be read stands there already: connecting would make an empty one."""
    file = engine.url.database
    on_disk = engine.dialect.name == "sqlite" and file and file != ":memory:" and not file.startswith("file:")
    if on_disk and not Path(str(file)).is_file():
        raise SourceError(f"{where}: there is no file {file}.")


def _engine(expanded: Expanded, where: str) -> "Engine":
    try:
        from sqlalchemy import create_engine
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        raise MissingExtraError("A database", "databases") from error
    text = re.sub(r"^postgres(?=[:+])", "postgresql", expanded.text)
    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError):
        raise SourceError(
            f"{where} is no database URL, such as postgresql://ada:${{PASSWORD}}@host:5432/lab."
        ) from None
    if "+" not in url.drivername and url.drivername in _DRIVERS:
        driver = next((d for d in _DRIVERS[url.drivername] if find_spec(d) is not None), _DRIVERS[url.drivername][0])
        url = url.set(drivername=f"{url.drivername}+{_DIALECT_NAMES.get(driver, driver)}")
    try:
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=False)
    except ImportError as error:
        raise SourceError(f"{where} needs the driver {error.name!r}. Run: pip install {error.name}") from None
    except (SQLAlchemyError, ValueError, TypeError) as error:
        raise SourceError(f"{where} can't be opened: {_told(error, expanded)}.") from None
    # Many rows a statement: one statement a row would wait for the network every time.
    engine.dialect.use_insertmanyvalues_wo_returning = True
    return engine


def _told(error: BaseException, expanded: Expanded) -> str:
    """The database's own sentence, without statement, parameters, values and secrets."""
    cause: Any = getattr(error, "orig", None) or error
    first: Any = cause.args[0] if cause.args else ""
    message = first.get("M", "") if isinstance(first, dict) else str(cause)
    return re.sub(r":\s*[\"'].*$", "", first_line(expanded.tell(RuntimeError(str(message)))))


def _fetch(connection: "Connection", query: str, dtypes: Mapping[str, Any]) -> pl.DataFrame:
    """The rows of a query, chunk by chunk."""
    blocks = (
        _from_cursor(connection, query) if connection.dialect.name == "postgresql" else _streamed(connection, query)
    )
    given: list[str] = []
    chunks: list[list[pl.Series]] = []
    for keys, rows in blocks:
        given = [label for label, _ in keys]
        wanted = [dtypes.get(label, dtype) for label, dtype in keys]
        cells = zip(*rows, strict=True) if rows else ((),) * len(keys)
        chunks.append([column(values, dtype) for values, dtype in zip(cells, wanted, strict=True)])
    names = unique_names(given)
    return pl.DataFrame([joined([chunk[i] for chunk in chunks]).alias(name) for i, name in enumerate(names)])


Block = tuple[list[tuple[str, Any]], Sequence[Any]]
"""Labels of columns with the dtype that the driver tells, or None; and rows."""


def _from_cursor(connection: "Connection", query: str) -> Iterator[Block]:
    """Rows of PostgreSQL through a cursor of its own: SQLAlchemy's logs the query when it fails."""
    connection.execute(statement(f"DECLARE cuvee_rows NO SCROLL CURSOR FOR {query}"))
    first = True
    while True:
        result = connection.execute(statement(f"FETCH {_CHUNK} FROM cuvee_rows"))
        described = result.cursor.description if result.cursor is not None else ()
        rows = result.fetchall()
        if rows or first:
            yield [(str(entry[0]), coded_dtype(entry[1])) for entry in described or ()], rows
        if len(rows) < _CHUNK:
            break
        first = False
    connection.execute(statement("CLOSE cuvee_rows"))


def _streamed(connection: "Connection", query: str) -> Iterator[Block]:
    result = connection.execution_options(yield_per=_CHUNK).execute(statement(query))
    if not result.returns_rows:
        raise SourceError("The query gives no rows; a SELECT statement is wanted.")
    labels: list[str] = list(result.keys())
    keys = [(label, None) for label in labels]
    empty = True
    for rows in result.partitions(_CHUNK):
        yield keys, rows
        empty = False
    if empty:
        yield keys, []
