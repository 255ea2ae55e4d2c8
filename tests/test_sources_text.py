"""Text tables: what is found out of them, what is typed, and what comes back of what was written."""

import csv
import gzip
import io
import re
import string
import tempfile
import zipfile
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from cuvee.data.errors import SourceError
from cuvee.sources.csv import Csv
from cuvee.sources.guard import TRIGGERS
from cuvee.sources.infer import typed
from shared import shared_data

FORMULA_SIGNS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
# Any text that UTF-8 holds, and often what breaks text tables; no NUL, which text files can't hold.
HOSTILE = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
    st.text("=+-@'\"\t\r\n,;|\\ \u00a0\uff1d\uff20a1", max_size=6),
    st.sampled_from(
        ["=1+1", "'=1", "''=1", "+49 30", "-", "@SUM(A1)", "null", "NA", "007", "1e5", "''", '""', "\\.", "sep=;"]
    ),
)


def read(folder: Path, content: bytes, name: str = "t.csv", **options: object) -> pl.DataFrame:
    (folder / name).write_bytes(content)
    tables = Csv(path=str(folder / name), **options).read()
    assert len(tables) == 1
    return next(iter(tables.values()))


def again(frame: pl.DataFrame, name: str = "t.csv", **options: object) -> pl.DataFrame:
    """What is read of what was written."""
    with tempfile.TemporaryDirectory() as folder:
        source = Csv(path=str(Path(folder, name)), **options)
        source.write({"t": frame})
        return source.read()["t"]


# ---- what comes back -------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.none() | HOSTILE, st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=8), st.data())
def test_hostile_text_comes_back_as_it_was(rows: list[tuple[str | None, int]], data: st.DataObject) -> None:
    delimiter = data.draw(st.sampled_from([",", ";", "\t", "|"]))
    # The first row keeps the column text, whatever the others look like.
    frame = pl.DataFrame([("text", 0), *rows], schema={"words": pl.String, "n": pl.Int64}, orient="row")
    back = again(frame, delimiter=delimiter, quote='"', header=True)
    assert_frame_equal(back, frame)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | HOSTILE, min_size=1, max_size=6))
def test_a_column_of_text_alone_comes_back(cells: list[str | None]) -> None:
    frame = pl.DataFrame({"words": ["text", *cells]})
    assert_frame_equal(again(frame, delimiter=",", quote='"', header=True), frame)


@settings(max_examples=60, deadline=None)
@given(st.lists(HOSTILE.filter(lambda t: t != "" and t == t.strip()), min_size=2, max_size=5, unique=True))
def test_hostile_column_names_come_back(names: list[str]) -> None:
    frame = pl.DataFrame({name: [i, i + 1] for i, name in enumerate(names)})
    back = again(frame, delimiter=",", quote='"', header=True)
    # A guard is undone where all names show it; else the names are as they stand in the file.
    assert back.columns == names


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8),
    st.lists(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), min_size=1, max_size=8),
    st.lists(st.dates(), min_size=1, max_size=8),
)
def test_numbers_and_times_come_back(floats: list[float], times: list[datetime], dates: list[date]) -> None:
    size = min(len(floats), len(times), len(dates))
    frame = pl.DataFrame(
        {
            "f": [*floats[:size], 0.5, None],
            "t": [*times[:size], None, datetime(2020, 1, 1, 1)],
            "d": [*dates[:size], date(2020, 1, 1), None],
        }
    )
    assert_frame_equal(again(frame), frame)


@pytest.mark.parametrize(
    "name", ["t.csv", "t.csv.gz", "t.csv.zip", "t.zip", "t.csv.bz2", "t.csv.xz", "t.csv.zst", "t.tsv", "t.psv", "t.txt"]
)
def test_endings_decide_packing_and_delimiter(tmp_path: Path, name: str) -> None:
    frame = pl.DataFrame({"a": [1, None, 3], "b": ["x,y", "p|q;r", None]})
    source = Csv(path=str(tmp_path / name))
    source.write({"t": frame})
    assert_frame_equal(source.read()["t"], frame)
    first = (tmp_path / name).read_bytes()
    source.write({"t": frame})
    assert (tmp_path / name).read_bytes() == first, "the same rows give the same bytes"


def test_a_zip_of_several_tables(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        archive.writestr("data/a.csv", "x,y\n1,2\n")
        archive.writestr("__MACOSX/._a.csv", b"\0\1")
        archive.writestr("data/b.csv", "z;w\n1,5;2\n")
    tables = Csv(path=str(tmp_path / "both.zip")).read()
    assert {name: frame.rows() for name, frame in tables.items()} == {"a": [(1, 2)], "b": [(1.5, 2)]}


# ---- the guard -------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=6))
def test_no_written_text_begins_like_a_formula(cells: list[str]) -> None:
    frame = pl.DataFrame({"=name": ["text", *cells], "n": range(len(cells) + 1)})
    with tempfile.TemporaryDirectory() as folder:
        Csv(path=f"{folder}/t.csv").write({"t": frame})
        rows = list(csv.reader(io.StringIO(Path(folder, "t.csv").read_bytes().decode(), newline="")))
    assert not [row[0] for row in rows if row and row[0][:1] and row[0][0] in FORMULA_SIGNS]
    assert rows[0][0] == "'=name"


def test_numbers_are_not_guarded(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": [-1, 2], "f": [-0.5, 1e300], "s": ["-1", "=x"]})
    Csv(path=str(tmp_path / "t.csv")).write({"t": frame})
    assert (tmp_path / "t.csv").read_text() == "n,f,s\n-1,-0.5,'-1\n2,1e+300,'=x\n"
    Csv(path=str(tmp_path / "t.csv"), guard=False).write({"t": frame})
    assert "'" not in (tmp_path / "t.csv").read_text()


def test_a_foreign_column_with_bare_signs_keeps_its_apostrophes(tmp_path: Path) -> None:
    content = b"a,b\n'-x,'-x\n-y,z\n"
    assert read(tmp_path, content).rows() == [("'-x", "-x"), ("-y", "z")]
    assert read(tmp_path, content, guard=False)["b"].to_list() == ["'-x", "z"]


def test_all_signs_are_known() -> None:
    assert set(TRIGGERS.replace("\\", "")) == set(FORMULA_SIGNS)


# ---- types -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "dtype", "values"),
    [
        (["1", "2", None], pl.Int64, [1, 2, None]),
        (["00123", "45"], pl.String, ["00123", "45"]),
        (["0", "0.5"], pl.Float64, [0.0, 0.5]),
        (["1", "NA", "-3"], pl.Int64, [1, None, -3]),
        (["1.5", "NaN", "?", "n/a"], pl.Float64, [1.5, None, None, None]),
        (["NA", "x"], pl.String, ["NA", "x"]),
        (["NA", "NA"], pl.String, ["NA", "NA"]),
        ([str(2**63), "1"], pl.UInt64, [2**63, 1]),
        ([str(2**64), "1"], pl.String, [str(2**64), "1"]),
        (["12345678901234567890123", "0.5"], pl.String, ["12345678901234567890123", "0.5"]),
        (["1e400", "1.5"], pl.String, ["1e400", "1.5"]),
        (["inf", "1.5"], pl.Float64, [float("inf"), 1.5]),
        (["+4930123456", "+4930"], pl.String, ["+4930123456", "+4930"]),
        (["+5", "-3"], pl.Int64, [5, -3]),
        (["12E4", "77"], pl.String, ["12E4", "77"]),
        (["1.5e3", "2E-2"], pl.Float64, [1500.0, 0.02]),
        ([" 7 ", "8"], pl.Int64, [7, 8]),
        (["True", "false", "NA"], pl.Boolean, [True, False, None]),
        (["yes", "no"], pl.String, ["yes", "no"]),
        (["2020-02-29", "null"], pl.Date, [date(2020, 2, 29), None]),
        (["2020-02-29", "2019-02-29"], pl.String, ["2020-02-29", "2019-02-29"]),
        (["2020-1-1", "2020-02-02"], pl.String, ["2020-1-1", "2020-02-02"]),
        (
            ["2020-01-01 10:00", "2020-01-01T11:00:05.25"],
            pl.Datetime("us"),
            [datetime(2020, 1, 1, 10), datetime(2020, 1, 1, 11, 0, 5, 250000)],
        ),
        (["2020-01-01", "2020-01-01 11:00:00"], pl.Datetime("us"), [datetime(2020, 1, 1), datetime(2020, 1, 1, 11)]),
        (["1/2/2020", "3/4/2020"], pl.String, ["1/2/2020", "3/4/2020"]),
        (["", ""], pl.String, ["", ""]),
        ([None, None], pl.String, [None, None]),
    ],
)
def test_a_column_is_typed_only_if_nothing_is_lost(
    cells: list[str | None], dtype: pl.DataType, values: list[object]
) -> None:
    column = typed(pl.DataFrame({"c": cells}, schema={"c": pl.String}))["c"]
    assert (column.dtype, column.to_list()) == (dtype, values)


def test_instants_are_told_in_utc() -> None:
    cells = ["2020-01-01T00:00:00Z", "2020-01-01 01:00+01:00", "2020-01-01T00:00:00.5-0230"]
    column = typed(pl.DataFrame({"c": cells}))["c"]
    assert column.dtype == pl.Datetime("us", "UTC")
    assert column.dt.replace_time_zone(None).to_list() == [
        datetime(2020, 1, 1),
        datetime(2020, 1, 1),
        datetime(2020, 1, 1, 2, 30, 0, 500000),
    ]


def test_a_type_is_decided_by_the_last_row_too(tmp_path: Path) -> None:
    lines = [f"{i},{i},2020-01-01,{i}.5" for i in range(20_000)]
    frame = read(tmp_path, ("a,b,c,d\n" + "\n".join(lines) + "\n007,text,soon,NA\n").encode())
    assert frame.dtypes == [pl.String, pl.String, pl.String, pl.Float64]
    assert frame.row(-1) == ("007", "text", "soon", None)


def test_stated_nulls_and_no_types(tmp_path: Path) -> None:
    frame = read(tmp_path, b"a,b\nnone,1\nx,-200\n", nulls=("none", "-200"))
    assert frame.rows() == [(None, 1), ("x", None)]
    assert read(tmp_path, b"a,b\nnone,1\nx,02\n", types=False).rows() == [("none", "1"), ("x", "02")]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.text("0123456789.,-+eE ", max_size=8), min_size=1, max_size=8))
def test_typing_loses_no_digit(cells: list[str | None]) -> None:
    """Oracle: a number that was typed prints as the text that it was, up to writing (sign, zeros, exponent)."""
    column = typed(pl.DataFrame({"c": cells}, schema={"c": pl.String}))["c"]
    if column.dtype == pl.String:
        assert column.to_list() == cells
        return
    for cell, value in zip(cells, column.to_list(), strict=True):
        if value is None:
            assert cell is None or cell.strip() in {"", "-", "--", "."}
        else:
            assert float(cell or "") == value
            assert not re.match(r"[+-]?0[0-9]", (cell or "").strip())


# ---- dialects and encodings ------------------------------------------------------------------------------------------

WORDS = {
    "cp1252": "Straße,Müller,Größe,Crème brûlée,naïve,80 € “so”",
    "latin-1": "Straße,Müller,Größe,Crème,Ålesund",
    "cp1250": "Łódź,Kraków,żółć,Małgorzata,Jędrzej,Częstochowa,Białystok",
    "cp1251": "Москва,Новосибирск,Санкт-Петербург,Алексей,Мария",
    "shift_jis": "東京都,大阪府,さくら,鈴木一郎,北海道",
    "utf-8": "Łódź,東京,Москва,ß",
    "utf-8-sig": "Łódź,東京,ß",
    "utf-16": "Łódź,東京,ß",
    "utf-16-le": "Lodz,Krakow,Gdansk,Tychy",
}


@pytest.mark.parametrize("encoding", list(WORDS))
def test_encodings_are_found_out(tmp_path: Path, encoding: str) -> None:
    words = WORDS[encoding].split(",")
    content = ("word,n\n" + "".join(f"{word},{i}\n" for i, word in enumerate(words * 5))).encode(encoding)
    frame = read(tmp_path, content)
    assert frame.rows() == [(word, i) for i, word in enumerate(words * 5)]
    stated = read(tmp_path, content, encoding=encoding)
    assert_frame_equal(stated, frame)


def test_an_odd_byte_far_down_is_seen(tmp_path: Path) -> None:
    frame = read(tmp_path, b"a,b\n" + b"x,1\n" * 100_000 + b"caf\xe9,2\n")
    assert frame.row(-1) == ("café", 2)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_dialects_are_found_out(data: st.DataObject) -> None:
    delimiter = data.draw(st.sampled_from([",", ";", "\t", "|"]))
    header = data.draw(st.booleans())
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    word = st.text(string.ascii_lowercase + ",;'éß ", min_size=1, max_size=12).map(lambda t: f"x{t}x")
    rows = data.draw(
        st.lists(
            st.tuples(word, st.integers(10, 10**6), st.floats(1, 99).map(lambda f: f"{f:.3f}")), min_size=4, max_size=9
        )
    )
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=end)
    if header:
        writer.writerow(["name", "count", "share"])
    writer.writerows(rows)
    with tempfile.TemporaryDirectory() as folder:
        frame = read(Path(folder), buffer.getvalue().encode())
    assert frame.columns == (["name", "count", "share"] if header else ["column_1", "column_2", "column_3"])
    assert frame.rows() == [(a, b, float(c)) for a, b, c in rows]


@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        (b"a;b\n1,5;2\n-3,25;1.000,5\n", ["a", "b"], [(1.5, 2.0), (-3.25, 1000.5)]),
        (b"sep=;\na;b\n1;x,y\n", ["a", "b"], [(1, "x,y")]),
        (b"\n\na,b\n1,x\n\n2,y\n\n", ["a", "b"], [(1, "x"), (2, "y")]),
        (b'a,b\r\n1,"x\r\n\r\ny"\r\n\r\n2,z\r\n', ["a", "b"], [(1, "x\r\n\r\ny"), (2, "z")]),
        (b"id, name, city\n1, Ann, Bonn\n2, Bo, Rom\n", ["id", "name", "city"], [(1, "Ann", "Bonn"), (2, "Bo", "Rom")]),
        (b"a,b\n1,'it\\'s, ok'\n2,'so, so'\n", ["a", "b"], [(1, "it's, ok"), (2, "so, so")]),
        (b"a,b\n1,5'10\" tall\n2,x\n", ["a", "b"], [(1, "5'10\" tall"), (2, "x")]),
        (b'a,b\n1,"open\n2,x\n', ["a", "b"], [(1, '"open'), (2, "x")]),
        (b"a\n1\n\n2\n", ["a"], [(1,), (None,), (2,)]),
        (b"text\nHello, you\nno\nBye; now, or, not\n", ["text"], [("Hello, you",), ("no",), ("Bye; now, or, not",)]),
        (b"a,b,a,\n1,2,3,4\n", ["a", "b", "a_2", "column_4"], [(1, 2, 3, 4)]),
        (b"a,b,,\n1,2,,\n3,4,,\n", ["a", "b"], [(1, 2), (3, 4)]),
        (b"a,b,c\n1,2\n3,4,5\n", ["a", "b", "c"], [(1, 2, None), (3, 4, 5)]),
        (b"country,1960,1961\nItaly,5,6\nSpain,7,8\n", ["country", "1960", "1961"], [("Italy", 5, 6), ("Spain", 7, 8)]),
        (b"a,b\n", ["a", "b"], []),
        (b'a,b\n"",\n', ["a", "b"], [("", None)]),
        (b"a,b\n1,2", ["a", "b"], [(1, 2)]),
    ],
)
def test_odd_files_have_an_answer(
    tmp_path: Path, content: bytes, columns: list[str], rows: list[tuple[object, ...]]
) -> None:
    frame = read(tmp_path, content)
    assert (frame.columns, frame.rows()) == (columns, rows)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"a,b\n1,2\n1,2,3\n", "line 3: the row has 3 cells, but the header has 2"),
        (b'a,b\n1,"x, y"\n3,"open\n4,5\n', "line 3: a quote is not closed"),
        (b"a,b\n1,x\0y\n", "line 2: a NUL byte"),
    ],
)
def test_broken_files_are_told_with_their_line(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(SourceError, match=told) as error:
        read(tmp_path, content)
    assert "t.csv" in str(error.value)


def test_wrong_statements_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"line 3: a byte is not of the encoding utf-8; its bytes look like cp1252"):
        read(tmp_path, b"a,b\n1,x\n2,caf\xe9\n", encoding="utf-8")
    with pytest.raises(SourceError, match="no encoding 'klingon'"):
        read(tmp_path, b"a\n1\n", encoding="klingon")
    with pytest.raises(SourceError, match="can't be written in cp1252"):
        Csv(path=str(tmp_path / "t.csv"), encoding="cp1252").write({"t": pl.DataFrame({"a": ["東京"]})})


def test_what_csv_cannot_hold_is_told(tmp_path: Path) -> None:
    source = Csv(path=str(tmp_path / "t.csv"))
    with pytest.raises(SourceError, match="Column 'a' of 't' holds List"):
        source.write({"t": pl.DataFrame({"a": [[1]]})})
    with pytest.raises(SourceError, match=r"one table, but .* 2 \(a, b\)"):
        source.write({"a": pl.DataFrame({"x": [1]}), "b": pl.DataFrame({"x": [1]})})
    assert not list(tmp_path.iterdir())


def test_the_guess_comes_with_reasons(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("Ort;Wert\nKöln;1,5\nBonn;2,25\n".encode("cp1252"))
    found = Csv(path=str(tmp_path / "t.csv")).dialect()
    assert (found.encoding, found.delimiter, found.quote, found.header, found.decimal) == (
        "cp1252",
        ";",
        '"',
        True,
        ",",
    )
    assert len(found.reasons) == 4
    assert all(word in " ".join(found.reasons) for word in ("not UTF-8", "2 cells", "header", "1,5"))


def test_written_with_decimal_comma(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1.5, -2.25], "b": ["x", "é"]})
    source = Csv(path=str(tmp_path / "t.csv"), delimiter=";", decimal=",", encoding="cp1252")
    source.write({"t": frame})
    assert (tmp_path / "t.csv").read_bytes() == "a;b\n1,5;x\n-2,25;é\n".encode("cp1252")
    assert_frame_equal(Csv(path=str(tmp_path / "t.csv")).read()["t"], frame)


# ---- real files ------------------------------------------------------------------------------------------------------

REAL = {
    "linkage/leipzig_abt_buy/Abt.csv.gz": ((1081, 4), "cp1252", ","),
    "linkage/leipzig_dblp_acm/DBLP2.csv.gz": ((2616, 5), "cp1252", ","),
    "linkage/febrl/dataset1.csv.gz": ((1000, 11), "utf-8", ","),
    "linkage/wdc_computers4/sillworks.csv.gz": ((2391, 13), "utf-8", ";"),
    "linkage/fodors_zagats_original/fodors.csv.gz": ((533, 7), "utf-8", ","),
    "fusion/books/claims.csv.gz": ((33258, 7), "utf-8", ","),
    "fusion/books/golden.csv.gz": ((100, 3), "utf-8", ","),
    "images/digits/digits.csv.gz": ((1797, 65), "utf-8", ","),
    "messy/horse_colic.csv.gz": ((300, 28), "utf-8", ","),
    "messy/movies_head/dirty.csv.gz": ((2102, 17), "utf-8", ","),
    "sequential/air_quality_uci.csv.gz": ((9471, 15), "utf-8", ","),
    "synth/diabetes130_ids_mapping.csv": ((67, 2), "utf-8", ","),
}


@pytest.mark.parametrize("name", list(REAL))
def test_real_files(name: str) -> None:
    shape, encoding, delimiter = REAL[name]
    source = Csv(path=str(shared_data() / name))
    frame, found = next(iter(source.read().values())), source.dialect()
    assert (frame.shape, found.encoding, found.delimiter) == (shape, encoding, delimiter)


def test_real_cells_are_as_another_reader_sees_them() -> None:
    """Oracle: the standard library's reader on files that it can read, cell by cell as text."""
    for name in (
        "linkage/leipzig_abt_buy/Abt.csv.gz",
        "messy/movies_head/dirty.csv.gz",
        "linkage/geo_settlements/settlements.csv.gz",
    ):
        path = shared_data() / name
        frame = next(iter(Csv(path=str(path), types=False, guard=False).read().values()))
        content = gzip.decompress(path.read_bytes())
        text = content.decode("cp1252" if "Abt" in name else "utf-8")
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
        assert frame.columns == rows[0]
        assert [["" if cell is None else cell for cell in row] for row in frame.rows()] == rows[1:]


def test_real_codes_and_quotes_survive() -> None:
    fodors = next(iter(Csv(path=str(shared_data() / "linkage/fodors_zagats_original/fodors.csv.gz")).read().values()))
    assert fodors["name"][0] == "arnie morton's of chicago"
    febrl = next(iter(Csv(path=str(shared_data() / "linkage/febrl/dataset1.csv.gz")).read().values()))
    assert febrl.columns[1] == "given_name"
    assert not febrl["given_name"].drop_nulls().str.starts_with(" ").any()
