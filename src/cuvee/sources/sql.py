"""Tables in SQL: the types of columns on both sides, and the rows on their way in."""

import io
import json
from typing import TYPE_CHECKING, Any

import polars as pl
import polars.selectors as cs

from cuvee.data.errors import SourceError
from cuvee.sources.cells import JSON

if TYPE_CHECKING:
    from sqlalchemy import Connection

_INSERT = 2_000
_DECLARED: dict[str, Any] = {
    "smallint": pl.Int16, "integer": pl.Int32, "int": pl.Int32, "mediumint": pl.Int32, "bigint": pl.Int64,
    "real": pl.Float32,
    "double precision": pl.Float64, "double": pl.Float64, "boolean": pl.Boolean, "date": pl.Date, "text": pl.String,
    "character varying": pl.String, "varchar": pl.String, "character": pl.String, "char": pl.String, "bytea": pl.Binary,
    "timestamp without time zone": pl.Datetime("us"), "datetime": pl.Datetime("us"), "json": JSON, "jsonb": JSON,
    "timestamp with time zone": pl.Datetime("us", "UTC"), "time without time zone": pl.Time,
    "interval": pl.Duration("us"),
}  # fmt: skip
# The numbers of PostgreSQL's types, as its drivers tell them (pg_type.dat).
_CODED: dict[int, Any] = {
    16: pl.Boolean, 17: pl.Binary, 20: pl.Int64, 21: pl.Int16, 23: pl.Int32, 25: pl.String, 114: JSON, 700: pl.Float32,
    701: pl.Float64, 1042: pl.String, 1043: pl.String, 1082: pl.Date, 1083: pl.Time, 1114: pl.Datetime("us"),
    1184: pl.Datetime("us", "UTC"), 1186: pl.Duration("us"), 3802: JSON,
}  # fmt: skip


def declared_dtype(kind: str, digits: int | None, scale: int | None) -> Any:
    """The dtype of a type as `information_schema` names it, or None where values decide."""
    if kind in {"numeric", "decimal"}:
        return pl.Decimal(int(digits), int(scale or 0)) if digits is not None and int(digits) <= 38 else None
    return _DECLARED.get(kind)


def coded_dtype(code: Any) -> Any:
    """The dtype of a type as PostgreSQL's drivers number it, or None where values decide."""
    return _CODED.get(code) if isinstance(code, int) else None


def statement(sql: str) -> Any:
    """A statement as it stands: its colons and percent signs are no parameters."""
    from sqlalchemy import text

    return text(sql.replace(":", "\\:"))


def create(connection: "Connection", name: str, frame: pl.DataFrame, schema: str | None) -> None:
    """Create a table and fill it, within the transaction of the connection.

    Raises:
        SourceError: A column can't be held by a database.
    """
    from sqlalchemy import Column, MetaData, Table, insert

    dialect = connection.dialect
    held = [_held(series, name, dialect.name) for series in frame.iter_columns()]
    table = Table(name, MetaData(), *(Column(cells.name, kind) for kind, cells in held), schema=schema)
    table.create(connection)
    stored = pl.DataFrame([cells for _, cells in held])
    if dialect.driver == "pg8000" and not any(dtype.is_nested() for dtype in stored.dtypes):
        _copy(connection, dialect.identifier_preparer.format_table(table), stored)
        return
    for start in range(0, stored.height, _INSERT):
        connection.execute(insert(table), stored.slice(start, _INSERT).to_dicts())


def _copy(connection: "Connection", table: str, frame: pl.DataFrame) -> None:
    """Send all rows in PostgreSQL's own bulk form: some twenty times faster than statements.

    Text is quoted and nulls are not, which is how that form tells empty text from null.
    """
    plain = frame.with_columns(
        cs.binary().bin.encode("hex").str.replace("^", r"\x"),
        cs.duration().dt.total_microseconds().cast(pl.String) + pl.lit(" microseconds"),
        cs.datetime(time_zone="*").dt.to_string("%Y-%m-%d %H:%M:%S%.6f+00"),
        cs.date().dt.to_string("%Y-%m-%d"),
    )
    buffer = io.BytesIO()
    plain.write_csv(buffer, include_header=False, quote_style="non_numeric")
    buffer.seek(0)
    driver: Any = connection.connection.dbapi_connection
    driver.cursor().execute(f"COPY {table} FROM STDIN WITH (FORMAT csv)", stream=buffer)


_INTERVALS = ("postgresql", "cockroachdb", "redshift", "oracle")
"""The databases that have a type for durations."""


def _held(series: pl.Series, table: str, dialect: str) -> tuple[Any, pl.Series]:
    """The SQL type of a column, and the column as drivers take it."""
    import sqlalchemy as sa

    dtype = series.dtype
    if dtype == pl.Object:
        raise SourceError(
            f"Column {series.name!r} of {table!r} holds Python objects, which no database can. Leave it out."
        )
    if dtype == pl.Boolean:
        return sa.Boolean(), series
    if dtype.is_numeric():
        return _number(dtype, dialect), series if dialect == "postgresql" or not dtype.is_float() else series.fill_nan(
            None
        )
    if dtype == pl.Duration and dialect not in _INTERVALS:
        # SQLAlchemy would write the instant that long after 1970, which reads back as a date.
        return sa.Text(), series.dt.to_string("iso")
    if dtype.is_temporal():
        return _moment(series, table)
    if dtype == pl.Binary:
        return sa.LargeBinary(), series
    return _nested(series, table, dialect) if dtype.is_nested() else (sa.Text(), series.cast(pl.String))


def _number(dtype: pl.DataType, dialect: str) -> Any:
    import sqlalchemy as sa

    if isinstance(dtype, pl.Decimal):
        return sa.Numeric(dtype.precision, dtype.scale)
    if dtype.is_float():
        return sa.REAL() if dtype == pl.Float32 and dialect == "postgresql" else sa.Double()
    if isinstance(dtype, (pl.Int8, pl.Int16, pl.UInt8)):
        return sa.SmallInteger()
    if isinstance(dtype, (pl.Int32, pl.UInt16)):
        return sa.Integer()
    return sa.BigInteger() if isinstance(dtype, (pl.Int64, pl.UInt32)) else sa.Numeric(38, 0)


def _moment(series: pl.Series, table: str) -> tuple[Any, pl.Series]:
    """Dates and times; instants in UTC.

    Raises:
        SourceError: A time is finer than a microsecond, the finest that databases and their drivers have.
    """
    import sqlalchemy as sa
    from sqlalchemy.dialects import mysql

    dtype = series.dtype
    if dtype == pl.Date:
        return sa.Date(), series
    kind, cells = sa.Time() if dtype == pl.Time else sa.Interval(), series
    if isinstance(dtype, pl.Datetime):
        zoned = dtype.time_zone is not None
        kind = sa.DateTime(timezone=zoned).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
        series = series.dt.convert_time_zone("UTC") if zoned else series
        cells = series.cast(pl.Datetime("us", "UTC" if zoned else None))
    elif dtype == pl.Duration:
        cells = series.cast(pl.Duration("us"))
    fine = series.dt.nanosecond() % 1000 != 0 if dtype == pl.Time else cells.cast(series.dtype) != series
    if fine.any():
        raise SourceError(
            f"Column {series.name!r} of {table!r} has times finer than a microsecond, which a database can't "
            f"hold. Write Parquet."
        )
    return kind, cells


def _nested(series: pl.Series, table: str, dialect: str) -> tuple[Any, pl.Series]:
    """Lists of plain values as arrays in PostgreSQL; all else that is nested as JSON text."""
    import sqlalchemy as sa

    inner: Any = getattr(series.dtype, "inner", None)
    if dialect == "postgresql" and isinstance(series.dtype, pl.List) and not inner.is_nested():
        kind, _ = _held(pl.Series(series.name, [], dtype=inner), table, dialect)
        return sa.ARRAY(kind), series
    cells = [None if cell is None else json.dumps(cell, ensure_ascii=False, default=str) for cell in series.to_list()]
    return sa.Text(), pl.Series(series.name, cells, dtype=pl.String)
