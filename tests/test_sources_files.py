"""Files of every form: what comes back, where they may stand, and that a failure loses nothing."""

import io
import json
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import cuvee
from cuvee.core import Source
from cuvee.data.errors import SourceError
from cuvee.registry import REGISTRY
from cuvee.sources.arrow import Arrow
from cuvee.sources.csv import Csv
from cuvee.sources.excel import Excel
from cuvee.sources.folder import Folder
from cuvee.sources.json import Json, JsonLines
from cuvee.sources.location import form_of, table_name
from cuvee.sources.npy import Npy
from cuvee.sources.parquet import Parquet
from shared import shared_data

ENDINGS = {name: entry.endings for name, entry in REGISTRY["sources"].items()}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
CELL_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs", "Cc", "Cn", "Co"]), max_size=8)
TIMES = st.datetimes(datetime(1900, 3, 1), datetime(2200, 1, 1))

FULL = pl.DataFrame(
    {
        "i": pl.Series([1, None, -(2**63)], dtype=pl.Int64),
        "small": pl.Series([1, None, 255], dtype=pl.UInt8),
        "big": pl.Series([2**64 - 1, None, 0], dtype=pl.UInt64),
        "f": [0.1, None, float("inf")],
        "b": [True, None, False],
        "s": ["=x", None, ""],
        "c": pl.Series(["a", None, "b"], dtype=pl.Categorical),
        "e": pl.Series(["lo", None, "hi"], dtype=pl.Enum(["lo", "hi"])),
        "d": [date(1, 1, 1), None, date(9999, 12, 31)],
        "t": [datetime(2020, 1, 1, 1, 2, 3, 4), None, datetime(1850, 1, 1)],
        "z": pl.Series([datetime(2020, 7, 1), None, datetime(2020, 1, 1)]).dt.replace_time_zone("Europe/Berlin"),
        "u": pl.Series([timedelta(1, 2, 3), None, timedelta(-1)]),
        "h": [time(1, 2, 3), None, time(0)],
        "x": pl.Series(["1.50", None, "-99999999.99"]).cast(pl.Decimal(10, 2)),
        "y": [b"\0a", None, b""],
        "l": [[1, None], None, []],
        "st": [{"a": 1, "b": "x"}, None, {"a": None, "b": None}],
    }
)


def as_frame(table: Any) -> pl.DataFrame:
    return table if isinstance(table, pl.DataFrame) else pl.DataFrame(pl.from_arrow(table))


def again(make: Callable[[str], Source], name: str, frame: pl.DataFrame) -> pl.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        source = make(f"{folder}/{name}")
        source.write({"t": frame})
        (table,) = source.read().items()
        assert table[0] == "t"
        return as_frame(table[1])


def of(kind: type[Source], **options: Any) -> Callable[[str], Source]:
    return lambda path: kind(path=path, **options)


# ---- what comes back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (of(Parquet), "t.parquet"),
        (of(Arrow), "t.arrow"),
        (of(Arrow), "t.feather"),
        (of(Arrow), "t.arrows"),
        (of(Arrow, stream=True, compression="uncompressed"), "t.ipc"),
    ],
)
def test_full_forms_keep_every_type(make: Callable[[str], Source], name: str) -> None:
    assert_frame_equal(again(make, name, FULL), FULL, categorical_as_str=True)
    assert_frame_equal(again(make, name, FULL.clear()), FULL.clear(), categorical_as_str=True)


def test_a_folder_keeps_tables_and_order(tmp_path: Path) -> None:
    source = Folder(path=str(tmp_path / "data"))
    source.write({"zoo": FULL, "a b": pl.DataFrame({"x": [1]})})
    (tmp_path / "data" / "schema.yaml").write_text("version: 1\ntables:\n  zoo: {columns: {}}\n  a b: {columns: {}}\n")
    read = source.read()
    assert list(read) == ["zoo", "a b"]
    assert_frame_equal(read["zoo"], FULL, categorical_as_str=True)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "s": st.none() | TEXT,
                "i": st.none() | st.integers(-(2**63), 2**63 - 1),
                "f": st.none() | st.floats(allow_nan=False, allow_infinity=False),
                "b": st.none() | st.booleans(),
                "t": st.none() | TIMES,
                "l": st.none() | st.lists(st.none() | TEXT, max_size=2),
            }
        ),
        min_size=1,
        max_size=6,
    )
)
def test_json_comes_back(rows: list[dict[str, Any]]) -> None:
    schema = {
        "s": pl.String,
        "i": pl.Int64,
        "f": pl.Float64,
        "b": pl.Boolean,
        "t": pl.Datetime("us"),
        "l": pl.List(pl.String),
    }
    # A first row says the type of every column; its text keeps the column text.
    first = {"s": "text", "i": 1, "f": 0.5, "b": True, "t": datetime(2020, 1, 1, 1), "l": ["x"]}
    frame = pl.DataFrame([first, *rows], schema=schema)
    assert_frame_equal(again(of(Json), "t.json", frame), frame)
    assert_frame_equal(again(of(JsonLines), "t.jsonl", frame), frame)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | CELL_TEXT.filter(bool),
            st.none() | st.integers(-(2**60), 2**60),
            st.none() | st.floats(-1e300, 1e300).filter(lambda f: f == 0 or abs(f) > 1e-300),
            st.none() | TIMES.map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_spreadsheets_come_back(rows: list[tuple[Any, ...]]) -> None:
    # A row without any value is no row of a sheet: each row has a number.
    rows = [(0, "=text", 2**60, 0.5, datetime(2020, 1, 1, 1)), *((i, *row) for i, row in enumerate(rows))]
    schema = {"id": pl.Int64, "s": pl.String, "i": pl.Int64, "f": pl.Float64, "t": pl.Datetime("us")}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    back = again(of(Excel), "t.xlsx", frame)
    # Whole numbers beyond 2^53 are written as text, digit by digit.
    assert_frame_equal(back.with_columns(pl.col("i").cast(pl.Int64)), frame, check_exact=False, abs_tol=1e-12)


def test_spreadsheets_hold_text_and_no_formula(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "=1+1": ["=HYPERLINK(1)", "http://x.example", "+1", "007"],
            "n": [-1, 2, 3, 4],
            "d": [date(2020, 1, i) for i in range(1, 5)],
        }
    )
    source = Excel(path=str(tmp_path / "t.xlsx"))
    source.write({"t": frame})
    assert_frame_equal(source.read()["t"], frame)
    import zipfile

    with zipfile.ZipFile(tmp_path / "t.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml")
    assert b"<f>" not in sheet
    assert b"hyperlink" not in sheet.lower()
    first = (tmp_path / "t.xlsx").read_bytes()
    source.write({"t": frame})
    assert (tmp_path / "t.xlsx").read_bytes() == first


def test_sheets(tmp_path: Path) -> None:
    two = {"first": pl.DataFrame({"a": [1]}), "second: [x]": pl.DataFrame({"b": ["y"]})}
    source = Excel(path=str(tmp_path / "t.xlsx"))
    source.write(two)
    assert {n: f.rows() for n, f in source.read().items()} == {"first": [(1,)], "second_ _x_": [("y",)]}
    assert Excel(path=source.path, sheet=2).read()["t"].rows() == [("y",)]
    with pytest.raises(SourceError, match="no sheet 'third'; it has 'first'"):
        Excel(path=source.path, sheet="third").read()


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ([float("inf")], "infinite"),
        (["x" * 40_000], "32,767"),
        ([date(1850, 1, 1)], "before 1900"),
        ([[1]], "holds List"),
    ],
)
def test_what_a_spreadsheet_cannot_hold_is_told(tmp_path: Path, column: list[Any], told: str) -> None:
    with pytest.raises(SourceError, match=told):
        Excel(path=str(tmp_path / "t.xlsx")).write({"t": pl.DataFrame({"a": column})})
    assert not list(tmp_path.iterdir())


# ---- JSON of all kinds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ('[{"a": 1}, {"b": "x"}]', {"t": {"a": [1, None], "b": [None, "x"]}}),
        ('{"a": [1, 2], "b": ["x", null]}', {"t": {"a": [1, 2], "b": ["x", None]}}),
        ('{"p": [{"a": 1}], "q": [{"b": 2}]}', {"p": {"a": [1]}, "q": {"b": [2]}}),
        ('[{"a": 1}, {"a": "x"}]', {"t": {"a": ["1", "x"]}}),
        ('[{"a": 1}, {"a": 2.5}]', {"t": {"a": [1.0, 2.5]}}),
        ('[{"a": [1]}, {"a": {"x": 1}}]', {"t": {"a": ["[1]", '{"x": 1}']}}),
        (f'[{{"a": {2**70}}}]', {"t": {"a": [str(2**70)]}}),
        ('[{"d": "2020-01-01"}, {"d": null}]', {"t": {"d": [date(2020, 1, 1), None]}}),
        ('[{"a": {"x": 1, "y": [1, 2]}}]', {"t": {"a": [{"x": 1, "y": [1, 2]}]}}),
    ],
)
def test_json_shapes(tmp_path: Path, text: str, tables: dict[str, Any]) -> None:
    (tmp_path / "t.json").write_text(text)
    assert {n: f.to_dict(as_series=False) for n, f in Json(path=str(tmp_path / "t.json")).read().items()} == tables


def test_records_inside_an_answer(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps({"count": 2, "data": {"items": [{"a": 1}, {"a": 2}]}}))
    assert Json(path=str(tmp_path / "t.json"), records="data.items").read()["t"]["a"].to_list() == [1, 2]
    with pytest.raises(SourceError, match=r"no entry 'data.rows'. There are: items"):
        Json(path=str(tmp_path / "t.json"), records="data.rows").read()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.json", b"", "empty"),
        ("t.json", b'[{"a": 1},\n {"a": }]', "line 2, column 8"),
        ("t.json", b'{"a": 1}\n{"a": 2}\n', "form='jsonl'"),
        ("t.json", b"[1, 2]", "an array of records"),
        ("t.json", b'{"a": [1, 2], "b": [1]}', "different lengths"),
        ("t.json", b'{"rows": [{"a": 1}], "n": 1}', "State records='rows'"),
        ("t.json", b"[" * 100_000, "too deeply|no JSON"),
        ("t.jsonl", b'{"a": 1}\nnot\n', "line 2: this is no JSON"),
        ("t.jsonl", b'{"a": 1}\n[1]\n', "line 2: a record in braces is wanted; found an array"),
        ("t.parquet", b"PAR1 no", "can't be read as Parquet"),
        ("t.parquet", b"", "can't be read as Parquet"),
        ("t.arrow", b"no arrow", "can't be read as Arrow"),
        ("t.xlsx", b"no book", "can't be read as a spreadsheet"),
        ("t.npy", b"no array", "can't be read as arrays"),
        ("t.npz", b"PK no", "can't be read as arrays"),
        ("t.csv.gz", b"no gzip", "can't be unpacked"),
        ("t.csv.zip", b"no zip", "can't be unpacked"),
    ],
)
def test_broken_files_are_told(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    from cuvee.registry import find

    (tmp_path / name).write_bytes(content)
    source = find("sources", form_of(str(tmp_path / name), ENDINGS))(path=str(tmp_path / name))
    with pytest.raises(SourceError, match=told):
        source.read()


def test_json_lines_that_the_fast_reader_refuses(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": 1, "b": NaN}\n\n{"a": "x", "b": 2}\n')
    assert JsonLines(path=str(tmp_path / "t.jsonl")).read()["t"]["a"].to_list() == ["1", "x"]


# ---- arrays ----------------------------------------------------------------------------------------------------------


def test_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.array([1.5, 2.5]))
    np.save(tmp_path / "two.npy", np.arange(6, dtype=">i4").reshape(3, 2))
    np.save(tmp_path / "images.npy", np.zeros((2, 3, 3), dtype=np.uint8))
    np.save(tmp_path / "records.npy", np.array([(1, "x")], dtype=[("a", "i8"), ("b", "U3")]))
    np.savez(tmp_path / "aligned.npz", x=np.array([1, 2]), when=np.array(["2020-01", "2021-05"], dtype="M8[M]"))
    np.savez(
        tmp_path / "parts.npz",
        train_x=np.zeros((2, 2)),
        train_y=np.array([0, 1]),
        test_x=np.ones((1, 2)),
        test_y=np.array([1]),
    )
    np.savez(tmp_path / "loose.npz", a=np.array([1, 2]), b=np.array([b"x"]))

    def read(name: str) -> dict[str, Any]:
        return {t: f.to_dict(as_series=False) for t, f in Npy(path=str(tmp_path / name)).read().items()}

    assert read("one.npy") == {"one": {"value": [1.5, 2.5]}}
    assert read("two.npy") == {"two": {"column_0": [0, 2, 4], "column_1": [1, 3, 5]}}
    assert read("records.npy") == {"records": {"a": [1], "b": ["x"]}}
    assert read("aligned.npz") == {"aligned": {"x": [1, 2], "when": [date(2020, 1, 1), date(2021, 5, 1)]}}
    assert read("parts.npz") == {
        "train": {"x_0": [0, 0], "x_1": [0, 0], "y": [0, 1]},
        "test": {"x_0": [1], "x_1": [1], "y": [1]},
    }
    assert read("loose.npz") == {"a": {"value": [1, 2]}, "b": {"value": ["x"]}}
    assert Npy(path=str(tmp_path / "images.npy")).read()["images"].schema == {"value": pl.Array(pl.UInt8, (3, 3))}


def test_arrays_come_back(tmp_path: Path) -> None:
    numbers = pl.DataFrame({"column_0": [1.5, -2.0], "column_1": [3.25, 0.0]})
    assert_frame_equal(again(of(Npy), "t.npy", numbers), numbers)
    mixed = FULL.select("f", "s", "t").with_columns(pl.col("f").fill_null(0), pl.col("s").fill_null("-"))
    assert_frame_equal(again(of(Npy), "t.npz", mixed), mixed)
    with pytest.raises(SourceError, match="Column 'i' of 't' has 1 nulls"):
        Npy(path=str(tmp_path / "t.npz")).write({"t": FULL.select("i")})
    with pytest.raises(SourceError, match="holds numbers only"):
        Npy(path=str(tmp_path / "t.npy")).write({"t": FULL.select("s")})


def test_objects_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(SourceError, match="never loaded"):
        Npy(path=str(tmp_path / "t.npy")).read()


def test_real_images() -> None:
    tables = Npy(path=str(shared_data() / "images/medmnist/pneumoniamnist.npz")).read()
    assert {name: frame.shape for name, frame in tables.items()} == {
        "train": (3882, 2),
        "val": (524, 2),
        "test": (624, 2),
    }


# ---- Parquet in parts ------------------------------------------------------------------------------------------------


def test_globs_and_hive_folders(tmp_path: Path) -> None:
    for year in (2023, 2024):
        part = tmp_path / "claims" / f"year={year}"
        part.mkdir(parents=True)
        pl.DataFrame({"n": [year % 100]}).write_parquet(part / "part-0.parquet")
    (tmp_path / "claims" / "_SUCCESS").touch()
    assert form_of(str(tmp_path / "claims"), ENDINGS) == "parquet"
    whole = Parquet(path=str(tmp_path / "claims")).read()["claims"]
    assert whole.sort("n").rows() == [(23, 2023), (24, 2024)]
    globbed = Parquet(path=str(tmp_path / "claims/*/part-*.parquet")).read()
    assert globbed["part"]["n"].to_list() == [23, 24]
    with pytest.raises(SourceError, match="No file fits"):
        Parquet(path=str(tmp_path / "claims/*.pq")).read()


def test_odd_names_of_files_are_no_globs(tmp_path: Path) -> None:
    path = str(tmp_path / "a[1]*.parquet")
    Parquet(path=path).write({"t": pl.DataFrame({"a": [1]})})
    assert next(iter(Parquet(path=path).read().values())).rows() == [(1,)]


# ---- locations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "form"),
    [
        ("a.csv", "csv"),
        ("A.CSV.GZ", "csv"),
        ("dir.v1/a.tsv.zip", "csv"),
        ("-", "csv"),
        ("data/*.parquet", "parquet"),
        ("https://x.example/a.json?key=1", "json"),
        ("s3://bucket/a.ndjson.gz", "jsonl"),
        ("zip://inner/a.xlsx::file:///x.zip", "excel"),
        ("postgresql+pg8000://host/db", "database"),
        ("mysql://host/db.csv", "database"),
        ("x.duckdb", "duckdb"),
        ("x.db", "sqlite"),
        ("new_folder", "folder"),
    ],
)
def test_forms_of_locations(location: str, form: str) -> None:
    assert form_of(location, ENDINGS) == form


def test_forms_of_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.jsonl", "{}")
    assert form_of(str(tmp_path / "x.zip"), ENDINGS) == "jsonl"
    assert form_of(str(tmp_path), ENDINGS) == "folder"
    monkeypatch.setenv("LAB", "postgresql://u:p@h/d")
    assert form_of("${LAB}", ENDINGS) == "database"
    with pytest.raises(SourceError, match=r"ending '.parqet'.*Did you mean '.parquet'"):
        form_of("a.parqet", ENDINGS)
    with pytest.raises(SourceError, match="no variable 'NOT_SET_ANYWHERE'"):
        form_of("${NOT_SET_ANYWHERE}/a.csv", ENDINGS)


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("x/flights.csv.gz", "flights"),
        ("a.b.parquet", "a.b"),
        (".hidden", "hidden"),
        ("claims/*.parquet", "claims"),
        ("x/part-*.csv", "part"),
        ("s3://b/t.csv?v=1", "t"),
        ("-", "-"),
    ],
)
def test_names_of_tables(location: str, name: str) -> None:
    assert table_name(location) == name


def test_fsspec_stores(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", None]})
    for name, kind in {
        "t.csv.gz": Csv,
        "t.parquet": Parquet,
        "t.arrow": Arrow,
        "t.jsonl": JsonLines,
        "t.xlsx": Excel,
        "t.json.zip": Json,
    }.items():
        for place in ("memory://cuvee/", tmp_path.as_uri() + "/"):
            source = kind(path=place + name)
            source.write({"t": frame})
            assert_frame_equal(as_frame(source.read()["t"]), frame)
    (tmp_path / "in").mkdir()
    fsspec.filesystem("memory").rm("/cuvee", recursive=True)
    with pytest.raises(SourceError, match=r"memory://cuvee/t.csv can't be read"):
        Csv(path="memory://cuvee/t.csv").read()
    Csv(path=str(tmp_path / "inner.csv.zip")).write({"t": frame})
    assert_frame_equal(Csv(path=f"zip://inner.csv::{(tmp_path / 'inner.csv.zip').as_uri()}").read()["inner"], frame)


def test_web_addresses(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,x\n")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}"
        assert Csv(path=f"{here}/t.csv?token=c4nary").read()["t"].rows() == [(1, "x")]
        with pytest.raises(SourceError, match="404") as error:
            Csv(path=f"{here}/no.csv?token=c4nary").read()
        server.shutdown()
    assert "c4nary" not in str(error.value)


def test_standard_input_and_output(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n1,x\n")))
    frame = Csv(path="-").read()["-"]
    Csv(path="-").write({"-": frame})
    JsonLines(path="-").write({"-": frame})
    assert out.buffer.getvalue() == b'a,b\n1,x\n{"a":1,"b":"x"}\n'


def test_environment_variables_are_put_in_when_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    source = Csv(path="${CUVEE_TEST_FOLDER}/t.csv")
    with pytest.raises(SourceError, match="no variable 'CUVEE_TEST_FOLDER'"):
        source.read()
    monkeypatch.setenv("CUVEE_TEST_FOLDER", str(tmp_path))
    assert source.read()["t"].rows() == [(1,)]


# ---- a failure loses nothing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.arrow", "t.json", "t.jsonl", "t.xlsx", "t.npz"])
def test_a_failed_write_leaves_what_stood_there(tmp_path: Path, name: str) -> None:
    from cuvee.registry import find

    source = find("sources", form_of(name, ENDINGS))(path=str(tmp_path / name))
    (tmp_path / name).write_bytes(b"before")
    bad = pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)})
    with pytest.raises(SourceError, match=r"Column 'a' of 't' holds|Object"):
        source.write({"t": bad})
    assert (tmp_path / name).read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_writing_replaces_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("before")
    (tmp_path / "real.csv").chmod(0o640)
    (tmp_path / "link.csv").symlink_to("real.csv")
    Csv(path=str(tmp_path / "link.csv")).write({"t": pl.DataFrame({"a": [1]})})
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "a\n1\n"
    assert (tmp_path / "real.csv").stat().st_mode & 0o777 == 0o640
    Csv(path=str(tmp_path / "new" / "deep.csv")).write({"t": pl.DataFrame({"a": [1]})})
    assert (tmp_path / "new" / "deep.csv").exists()
    with pytest.raises(SourceError, match="is a folder"):
        Csv(path=str(tmp_path / "new")).write({"t": pl.DataFrame({"a": [1]})})


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").write_text("years of work")
    with pytest.raises(SourceError, match=r"holds 'thesis\.txt'"):
        Folder(path=str(tmp_path / "data")).write({"t": pl.DataFrame({"a": [1]})})
    assert (tmp_path / "data" / "thesis.txt").read_text() == "years of work"
    source = Folder(path=str(tmp_path / "tables"))
    source.write({"old": pl.DataFrame({"a": [1]})})
    with pytest.raises(SourceError, match="can't be the name of a file"):
        source.write({"../new": pl.DataFrame({"a": [1]})})
    with pytest.raises(SourceError, match="Python objects"):
        source.write({"new": pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)})})
    assert list(source.read()) == ["old"]
    source.write({"new": pl.DataFrame({"a": [1]})})
    assert list(source.read()) == ["new"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "tables"]


def test_missing_files_are_told_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "flights.csv").write_text("a\n1\n")
    with pytest.raises(SourceError, match=r"There is no file .*fligths.csv. Did you mean 'flights.csv'"):
        Csv(path=str(tmp_path / "fligths.csv")).read()
    with pytest.raises(SourceError, match="folder is not there"):
        Csv(path=str(tmp_path / "no" / "x.csv")).read()
    with pytest.raises(SourceError, match="is a folder"):
        Csv(path=str(tmp_path)).read()


def test_arrow_keeps_what_polars_would_not(tmp_path: Path) -> None:
    table = pa.table(
        {
            "d": pa.array([Decimal("1.5")], pa.decimal256(60, 1)),
            "k": pa.array(["a"]).dictionary_encode(),
            "z": pa.array([datetime(2020, 1, 1, tzinfo=UTC)]),
        }
    )
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    assert Arrow(path=str(tmp_path / "t.arrow")).read()["t"].equals(table)


@pytest.mark.parametrize("ending", [".gz", ".zip", ".zst", ".bz2", ".xz"])
def test_packed_parquet_is_read_as_it_was_written(tmp_path: Path, ending: str) -> None:
    frame = pl.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]})
    file = tmp_path / f"table.parquet{ending}"
    cuvee.write(frame, file)
    read = cuvee.read(file)
    assert read.name == "table"
    assert read.frame.equals(frame, null_equal=True)
