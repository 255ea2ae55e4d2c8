"""Databases: SQLite, DuckDB and a real PostgreSQL; nothing but reading while reading, and no secret in any message."""

import logging
import sqlite3
import tempfile
import traceback
from contextlib import closing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from cuvee.core import Source
from cuvee.data.errors import SourceError
from cuvee.sources.csv import Csv
from cuvee.sources.database import Database
from cuvee.sources.duckdb import Duckdb
from cuvee.sources.identifiers import quote_identifier, unique_names
from cuvee.sources.secrets import redact, shown
from cuvee.sources.sqlite import Sqlite
from postgres import PASSWORD, Server

CANARY = "c4nary-Zq7"
NAME = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)
PLAIN = pl.DataFrame(
    {
        "i": pl.Series([1, None, -(2**63)], dtype=pl.Int64),
        "f": [0.1, None, 1e300],
        "b": [True, None, False],
        "s": ['it\'s; "x" %s :y \\', None, ""],
        "d": [date(1, 1, 1), None, date(9999, 12, 31)],
        "t": [datetime(2020, 1, 1, 1, 2, 3, 4), None, datetime(1850, 1, 1)],
        "z": pl.Series([datetime(2020, 7, 1), None, datetime(2020, 1, 1)]).dt.replace_time_zone("UTC"),
        "u": pl.Series([timedelta(1, 2, 3), None, timedelta(-1)]),
        "x": pl.Series(["1.50", None, "-99999999.99"]).cast(pl.Decimal(10, 2)),
        "y": [b"\0a", None, b""],
        'odd "name"; --': ["=1", "\u2028", None],
    }
)


def as_frame(table: Any) -> pl.DataFrame:
    return table if isinstance(table, pl.DataFrame) else pl.DataFrame(pl.from_arrow(table))


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "ending"), [(Sqlite, "sqlite"), (Duckdb, "duckdb")])
def test_typed_tables_come_back_and_others_stay(tmp_path: Path, kind: type[Source], ending: str) -> None:
    source = kind(path=str(tmp_path / f"x.{ending}"))
    source.write({"one": PLAIN, 'drop "table"; --': PLAIN.select("i")})
    source.write({"two": PLAIN.clear().select("i", "f", "s", "b"), "one": PLAIN.head(2)})
    read = {name: as_frame(table) for name, table in source.read().items()}
    assert set(read) == {"one", "two", 'drop "table"; --'}
    assert_frame_equal(read["one"], PLAIN.head(2))
    assert_frame_equal(read['drop "table"; --'], PLAIN.select("i"))
    assert read["two"].schema == PLAIN.select("i", "f", "s", "b").schema
    only = kind(path=source.path, table="one").read()
    assert list(only) == ["one"]
    assert_frame_equal(
        as_frame(kind(path=source.path, query='SELECT i AS a, i AS a FROM "one"').read()["query"]),
        pl.DataFrame({"a": [1, None], "a_2": [1, None]}),
    )
    with pytest.raises(SourceError, match="no table 'three'; it has"):
        kind(path=source.path, table="three").read()
    assert [p.name for p in tmp_path.iterdir()] == [f"x.{ending}"]


@pytest.mark.parametrize(("kind", "ending"), [(Sqlite, "sqlite"), (Duckdb, "duckdb")])
@settings(max_examples=6, deadline=None)
@given(
    table=NAME,
    columns=st.lists(NAME, min_size=1, max_size=3, unique_by=str.lower),
    cells=st.lists(st.none() | NAME, max_size=4),
)
def test_hostile_names_and_text_come_back(
    kind: type[Source], ending: str, table: str, columns: list[str], cells: list[str | None]
) -> None:
    # Both fold letters by rules of their own; a name that folds to another's is refused, not mixed up.
    if len({c.casefold() for c in columns}) < len(columns) or table.lower().startswith("sqlite_"):
        return
    frame = pl.DataFrame({name: pl.Series([*cells, "end"], dtype=pl.String) for name in columns})
    with tempfile.TemporaryDirectory() as folder:
        source = kind(path=f"{folder}/x.{ending}")
        source.write({table: frame})
        assert_frame_equal(as_frame(source.read()[table]), frame)


@pytest.mark.parametrize(("kind", "ending"), [(Sqlite, "sqlite"), (Duckdb, "duckdb")])
@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE t",
        "CREATE TABLE u AS SELECT 1 AS a",
        "INSERT INTO t VALUES (9)",
        "ATTACH '{other}' AS other",
        "COPY t TO '{other}'",
        "VACUUM INTO '{other}'",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM '{secret}'",
        "PRAGMA journal_mode = WAL",
        "SELECT load_extension('x')",
        "INSTALL httpfs",
        "SET enable_external_access = true",
    ],
)
def test_a_query_reads_and_does_nothing_else(tmp_path: Path, kind: type[Source], ending: str, query: str) -> None:
    (tmp_path / "secret.csv").write_text(f"a\n{CANARY}\n")
    path = tmp_path / f"x.{ending}"
    kind(path=str(path)).write({"t": pl.DataFrame({"a": [1]})})
    before = path.read_bytes()
    text = query.format(other=tmp_path / "other", secret=tmp_path / "secret.csv")
    with pytest.raises(SourceError) as error:
        kind(path=str(path), query=text).read()
    assert CANARY not in str(error.value)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["secret.csv", path.name]


def test_a_view_of_a_database_reads_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text(f"a\n{CANARY}\n")
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute(f"CREATE VIEW v AS SELECT * FROM read_text('{tmp_path}/secret.csv')")  # noqa: S608
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
    assert list(Duckdb(path=str(tmp_path / "x.duckdb")).read()) == ["t"]
    with pytest.raises(SourceError, match="disabled by configuration"):
        Duckdb(path=str(tmp_path / "x.duckdb"), table="v").read()


def test_rare_types_of_duckdb(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT 1::TINYINT AS a, [1, NULL] AS b, {'x': 1} AS c, INTERVAL 1 MONTH AS d, "
            "INTERVAL 25 HOUR AS e, "
            "'lo'::ENUM('lo', 'hi') AS f, TIMESTAMPTZ '2020-01-01 00:00:00+02' AS g, "
            "1.5::DECIMAL(9, 2) AS h, '101'::BIT AS i"
        )
    frame = as_frame(Duckdb(path=str(tmp_path / "x.duckdb")).read()["t"])
    assert frame.dtypes[:2] == [pl.Int8, pl.List(pl.Int32)]
    assert frame.drop("f", "g").row(0) == (
        1,
        [1, None],
        {"x": 1},
        "1 month",
        timedelta(hours=25),
        Decimal("1.50"),
        "101",
    )
    assert frame["g"].dtype == pl.Datetime("us", "UTC")
    assert frame["g"].dt.replace_time_zone(None).item() == datetime(2019, 12, 31, 22)


def test_untyped_columns_of_sqlite(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("CREATE TABLE t (a, b INTEGER, c DATE, d BOOLEAN, e BOOLEAN, f TEXT)")
        connection.executemany(
            "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)",
            [(1, "x", "2020-01-01", 1, 2, "2020-01-01"), (2.5, 7, None, 0, 1, None)],
        )
        connection.execute("CREATE VIEW v AS SELECT a FROM t")
        connection.execute('CREATE TABLE "empty" (n INTEGER, s TEXT, w DATE)')
        connection.commit()
    tables = Sqlite(path=str(tmp_path / "x.db")).read()
    assert list(tables) == ["t", "empty"]
    assert tables["t"].to_dict(as_series=False) == {
        "a": [1.0, 2.5], "b": ["x", "7"], "c": [date(2020, 1, 1), None], "d": [True, False], "e": [2, 1],
        "f": ["2020-01-01", None],
    }  # fmt: skip
    assert tables["empty"].schema == {"n": pl.Int64, "s": pl.String, "w": pl.Date}
    assert Sqlite(path=str(tmp_path / "x.db"), table="v").read()["v"]["a"].to_list() == [1.0, 2.5]
    (tmp_path / "no.db").write_bytes(b"this is no database at all")
    with pytest.raises(SourceError, match="is no SQLite database"):
        Sqlite(path=str(tmp_path / "no.db")).read()


@pytest.mark.parametrize(("kind", "ending"), [(Sqlite, "sqlite"), (Duckdb, "duckdb")])
def test_a_failed_write_changes_nothing(tmp_path: Path, kind: type[Source], ending: str) -> None:
    source = kind(path=str(tmp_path / f"x.{ending}"))
    bad = pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)})
    with pytest.raises(SourceError, match="Python objects"):
        source.write({"t": pl.DataFrame({"a": [1]}), "bad": bad})
    assert not list(tmp_path.iterdir())
    source.write({"t": pl.DataFrame({"a": [1]})})
    twice = pl.DataFrame({"a": [1], "A": [2]})
    with pytest.raises(SourceError):
        source.write({"t": pl.DataFrame({"a": [2]}), "twice": twice})
    assert {n: as_frame(t).rows() for n, t in source.read().items()} == {"t": [(1,)]}


@given(NAME)
def test_identifiers_are_quoted(name: str) -> None:
    """Oracle: SQLite itself reads the name back."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE t ({quote_identifier(name)} INTEGER)")
        assert connection.execute("PRAGMA table_info(t)").fetchall()[0][1] == name


@given(st.lists(st.none() | st.sampled_from(["a", "a_2", "b", "", "column_1", "a_3"]), max_size=8))
def test_names_become_unique(names: list[str | None]) -> None:
    unique = unique_names(names)
    assert len(set(unique)) == len(names)
    assert all(unique)
    first = [names.index(name) for name in {n for n in names if n}]
    assert all(unique[i] == names[i] for i in first), "the first of each name keeps it"


# ---- PostgreSQL ------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_log(caplog: pytest.LogCaptureFixture) -> Any:
    """No library logs a value, a query or a secret on our behalf."""
    caplog.set_level(logging.WARNING)
    yield
    assert not caplog.records


def test_postgres_tables_come_back(postgres: Server) -> None:
    frame = PLAIN.with_columns(
        pl.Series("small", [1, None, 2], dtype=pl.Int16),
        pl.Series("r", [0.5, None, 2], dtype=pl.Float32),
        pl.Series("h", [time(1, 2, 3, 4), None, time(0)]),
        pl.Series("nan", [float("nan"), float("inf"), None]),
        pl.Series("odd %(x)s :y", ["\\.", "\\N", 'a,b\n"c"']),
    )
    source = Database(path=postgres.url())
    source.write(
        {'Odd "Table"; %s :x': frame, "lists": pl.DataFrame({"l": [[1, None], None, []], "w": [["a"], [], None]})}
    )
    try:
        source.write({'Odd "Table"; %s :x': frame.head(2)})
        back = Database(path=postgres.url(driver="+pg8000"), table='Odd "Table"; %s :x').read()
        assert_frame_equal(back['Odd "Table"; %s :x'], frame.head(2))
        everything = source.read()
        assert set(everything) == {'Odd "Table"; %s :x', "lists"}
        assert everything["lists"].to_dict(as_series=False) == {"l": [[1, None], None, []], "w": [["a"], [], None]}
    finally:
        _run(postgres, 'DROP TABLE "Odd ""Table""; %s :x"; DROP TABLE lists')


def _run(server: Server, script: str) -> None:
    import pg8000.native

    connection = pg8000.native.Connection("cuvee", "127.0.0.1", "postgres", server.port, PASSWORD)
    connection.run(script)
    connection.close()


def test_postgres_types(postgres: Server) -> None:
    _run(
        postgres,
        """
        CREATE SCHEMA lab;
        CREATE TYPE mood AS ENUM ('ok', 'bad');
        CREATE TABLE lab.t (n numeric(12, 3), free numeric, wild numeric, tz timestamptz, j json, jb jsonb, ar int[],
            ax int[][], u uuid,
            ip inet, m mood, ch char(3), iv interval, nothing text, small smallint);
        INSERT INTO lab.t VALUES (12.345, 123456789012345678901234567890.5, 'NaN', '2020-01-01 10:00+02',
            '{"a": [1]}', '[1, 2]', '{1,NULL}',
            '{{1,2},{3,4}}', '6b1d4f0c-0000-4000-8000-000000000000', '10.0.0.1', 'ok', 'ab', '1 day 2 hours', NULL, 7),
            (-0.5, 0.25, 1.5, '2020-07-01 10:00+00', NULL, '"x"', '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
        CREATE VIEW lab.v AS SELECT small FROM lab.t;
        """,
    )
    try:
        frame = Database(path=postgres.url(), schema_name="lab").read()["t"]
        assert frame["n"].dtype == pl.Decimal(12, 3)
        assert frame["n"].to_list() == [Decimal("12.345"), Decimal("-0.500")]
        assert frame["free"].to_list() == [Decimal("123456789012345678901234567890.50"), Decimal("0.25")]
        assert str(frame["wild"].to_list()) == "[nan, 1.5]"
        assert frame["tz"].dtype == pl.Datetime("us", "UTC")
        assert frame["tz"].dt.hour().to_list() == [8, 10]
        assert frame.select("j", "jb", "ar", "ax").rows() == [
            ('{"a": [1]}', "[1, 2]", [1, None], [[1, 2], [3, 4]]),
            (None, '"x"', [], None),
        ]
        assert frame.select("ip", "m", "ch", "iv", "nothing").row(0) == (
            "10.0.0.1",
            "ok",
            "ab ",
            timedelta(days=1, hours=2),
            None,
        )
        assert (frame["nothing"].dtype, frame["small"].dtype) == (pl.String, pl.Int16)
        assert Database(path=postgres.url(), schema_name="lab", table="v").read()["v"]["small"].to_list() == [7, None]
        query = "SELECT small::int AS a, 'x:y 50%' AS b, count(*) OVER () AS c FROM lab.t WHERE u::text LIKE '6b%';"
        assert Database(path=postgres.url(), query=query).read()["query"].to_dict(as_series=False) == {
            "a": [7],
            "b": ["x:y 50%"],
            "c": [1],
        }
        empty = Database(path=postgres.url(), query="SELECT small, tz FROM lab.t WHERE false").read()["query"]
        assert empty.schema == {"small": pl.Int16, "tz": pl.Datetime("us", "UTC")}
    finally:
        _run(postgres, "DROP SCHEMA lab CASCADE; DROP TYPE mood")


def test_postgres_rows_come_in_chunks(postgres: Server) -> None:
    query = (
        "SELECT i, CASE WHEN i > 45000 THEN 0.125 ELSE 1.5 END AS x, CASE WHEN i > 45000 THEN 'late' END AS s "
        "FROM generate_series(1, 50000) AS i ORDER BY i"
    )
    frame = Database(path=postgres.url(), query=query).read()["query"]
    assert frame["i"].to_list() == list(range(1, 50_001))
    assert (frame["x"].dtype, frame["x"][0], frame["x"][-1]) == (pl.Decimal(38, 3), Decimal("1.500"), Decimal("0.125"))
    assert frame["s"].null_count() == 45_000


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE keep",
        "DELETE FROM keep",
        "SELECT 1; DROP TABLE keep",
        "SELECT setval('s', 9)",
        "COPY keep TO PROGRAM 'id'",
    ],
)
def test_a_query_of_postgres_reads_and_does_nothing_else(postgres: Server, query: str) -> None:
    _run(postgres, "CREATE TABLE keep (a int); INSERT INTO keep VALUES (1); CREATE SEQUENCE s")
    try:
        with pytest.raises(SourceError):
            Database(path=postgres.url(), query=query).read()
        assert Database(path=postgres.url(), table="keep").read()["keep"]["a"].to_list() == [1]
    finally:
        _run(postgres, "DROP TABLE keep; DROP SEQUENCE s")


def test_a_failed_write_to_postgres_changes_nothing(postgres: Server) -> None:
    source = Database(path=postgres.url())
    source.write({"a": pl.DataFrame({"x": [1]})})
    try:
        nul = pl.DataFrame({"x": [f"{CANARY}\0"]})
        with pytest.raises(SourceError, match="can't be written") as error:
            source.write({"a": pl.DataFrame({"x": [2]}), "b": nul})
        _is_silent(error.value)
        with pytest.raises(SourceError, match="finer than a microsecond"):
            source.write({"a": pl.DataFrame({"x": pl.Series([1], dtype=pl.Int64).cast(pl.Datetime("ns"))})})
        assert {name: frame.rows() for name, frame in source.read().items()} == {"a": [(1,)]}
    finally:
        _run(postgres, "DROP TABLE a")


# ---- secrets ---------------------------------------------------------------------------------------------------------


def _is_silent(error: BaseException) -> None:
    told = "".join(traceback.format_exception(error)) + repr(error) + str(error)
    assert CANARY not in told
    assert PASSWORD not in told


def test_no_error_tells_a_password(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUVEE_WRONG", CANARY)
    monkeypatch.setenv("CUVEE_URL", f"postgresql://cuvee:{CANARY}@127.0.0.1:{postgres.port}/postgres")
    monkeypatch.setenv("CUVEE_BROKEN", f"postgresql://cuvee:{CANARY}/x@127.0.0.1:y/postgres")
    wrong = [
        Database(path=postgres.url("CUVEE_WRONG")),
        Database(path="${CUVEE_URL}"),
        Database(path="${CUVEE_BROKEN}"),
        Database(path="postgresql://cuvee:${CUVEE_WRONG}@127.0.0.1:1/postgres"),
        Database(path="postgresql://cuvee:${CUVEE_WRONG}@/postgres?host=no.invalid&connect_timeout=${CUVEE_WRONG}"),
        Database(path="nosuch://cuvee:${CUVEE_WRONG}@host/db"),
        Database(path=postgres.url(), query=f"SELECT '{CANARY}'::int"),
        Csv(path="memory://user:${CUVEE_WRONG}@x/t.csv"),
        Csv(path="s3://user:${CUVEE_WRONG}@x/t.csv"),
        Csv(path="/no/${CUVEE_WRONG}/t.csv"),
    ]
    for source in wrong:
        with pytest.raises(SourceError) as error:
            source.read()
        _is_silent(error.value)


@pytest.mark.parametrize(
    "location",
    [
        f"postgresql://ada:{CANARY}@host/db",
        f"postgresql://ada:{CANARY}${{X}}@host/db",
        f"mysql+pymysql://host/db?user=ada&password={CANARY}",
        f"s3://key:{CANARY}@bucket/t.csv",
        f"https://ada:{CANARY}@host/t.csv",
    ],
)
def test_a_written_password_is_refused_and_not_repeated(location: str) -> None:
    for kind in (Database, Csv):
        with pytest.raises(SourceError, match=r"Put it in the environment and write \$\{NAME\}") as error:
            kind(path=location)
        _is_silent(error.value)


def test_what_is_shown_and_redacted() -> None:
    assert shown("postgresql://ada:${P}@db:5432/lab?sslmode=require") == "postgresql://db:5432/lab"
    assert shown("s3://b/t.csv?X-Amz-Signature=1") == "s3://b/t.csv"
    assert shown("data/t.csv") == "data/t.csv"
    told = redact(f"cannot reach postgresql://ada:{CANARY}@db/lab?password={CANARY}x (key {CANARY})", [CANARY])
    assert CANARY not in told
    assert "db/lab" in told
