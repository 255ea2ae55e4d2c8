"""What comes in goes out the same: Polars, Arrow, pandas, NumPy, DuckDB, dicts."""

import datetime as dt
import decimal
import json

import duckdb
import numpy as np
import pandas as pd  # noqa: TID251 (the guest that is tested)
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from polars.testing.parametric import dataframes, dtypes

from cuvee.data.dataset import Dataset
from cuvee.data.dtypes import dtype_from_json, dtype_to_json
from cuvee.data.errors import SchemaError
from cuvee.data.interchange import ingest, to_arrow, to_numpy, to_pandas

quick = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
NAN = float("nan")


def through_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    before = frame.copy(deep=True)
    inside, form = ingest(frame, "t")
    pd.testing.assert_frame_equal(frame, before)
    return to_pandas(inside, form)


def same(out: pd.DataFrame, came: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(out, came, check_exact=True, check_freq=True)


# Dtypes as JSON


@given(dtypes())
@quick
def test_every_dtype_survives_json(dtype: pl.DataType) -> None:
    back = dtype_from_json(json.loads(json.dumps(dtype_to_json(dtype))))
    assert isinstance(back, pl.DataType)
    assert back == dtype


@pytest.mark.parametrize(
    "dtype",
    [
        pl.Enum(["b", "a", "", "ü\n'"]),
        pl.Enum([]),
        pl.Decimal(38, 38),
        pl.Datetime("ns", "Europe/Berlin"),
        pl.Datetime("ms"),
        pl.Duration("ns"),
        pl.Array(pl.Array(pl.Struct({"a": pl.Enum(["x"]), "b": pl.List(pl.Decimal(10, 2))}), 0), 3),
        pl.Categorical(pl.Categories("fruit", "shop", pl.UInt8)),
        pl.Struct([]),
        pl.Int128(),
        pl.Null(),
    ],
    ids=str,
)
def test_parameters_of_a_dtype_survive_json(dtype: pl.DataType) -> None:
    back = dtype_from_json(json.loads(json.dumps(dtype_to_json(dtype))))
    assert back == dtype
    assert repr(back) == repr(dtype)


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        "Foo",
        [],
        {},
        {"Datetime": ["fortnight", None]},
        {"Enum": ["a", "a"]},
        {"List": "Foo"},
        {"Decimal": ["x", 1]},
    ],
    ids=str,
)
def test_a_damaged_dtype_is_a_sentence(value: object) -> None:
    with pytest.raises(SchemaError):
        dtype_from_json(value)


# Polars and Arrow


@given(dataframes(max_cols=5, max_size=6, excluded_dtypes=[pl.Object]))
@quick
def test_polars_comes_back_equal(frame: pl.DataFrame) -> None:
    data = Dataset.of(frame)
    assert_frame_equal(data.to_polars(), frame)
    assert_frame_equal(pl.DataFrame(data), frame)


@given(dataframes(max_cols=5, max_size=6, excluded_dtypes=[pl.Object, pl.Int128, pl.UInt128, pl.Array]))
@quick
def test_arrow_of_polars_comes_back_with_types_and_metadata(frame: pl.DataFrame) -> None:
    came = frame.to_arrow()
    inside, form = ingest(came, "t")
    out = to_arrow(inside, form)
    assert out.schema.equals(came.schema, check_metadata=True)
    assert_frame_equal(pl.DataFrame(out), frame)


ARROW_COLUMNS = {
    "small string": pa.array(["a", None, ""], pa.string()),
    "string view": pa.array(["a", None], pa.string_view()),
    "small list": pa.array([[1, None], None, []], pa.list_(pa.int8())),
    "list view": pa.array([[1], None], pa.list_view(pa.int64())),
    "fixed list": pa.array([[1, 2], None], pa.list_(pa.int32(), 2)),
    "fixed list of none": pa.array([[], None], pa.list_(pa.int32(), 0)),
    "struct": pa.array([{"a": 1, "b": "x"}, None], pa.struct([("a", pa.int16()), ("b", pa.string())])),
    "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
    "seconds": pa.array([1, None], pa.timestamp("s")),
    "seconds with zone": pa.array([1, None], pa.timestamp("s", "Europe/Berlin")),
    "offset": pa.array([1, None], pa.timestamp("us", "+02:00")),
    "duration of seconds": pa.array([1, None], pa.duration("s")),
    "time of seconds": pa.array([1, None], pa.time32("s")),
    "date64": pa.array([dt.date(2020, 1, 1), None], pa.date64()),
    "decimal32": pa.array([decimal.Decimal("1.20"), None], pa.decimal32(5, 2)),
    "decimal256": pa.array([decimal.Decimal("1.20"), None], pa.decimal256(50, 2)),
    "fixed binary": pa.array([b"ab", None], pa.binary(2)),
    "half": pa.array(np.array([1.5, 2], np.float16)),
    "unsigned": pa.array([2**64 - 1, None], pa.uint64()),
    "beyond 2**53": pa.array([2**53 + 1, None], pa.int64()),
    "null": pa.nulls(2),
    "dictionary": pa.DictionaryArray.from_arrays(pa.array([1, None, 1], pa.int16()), pa.array(["z", "a", "unused"])),
    "ordered dictionary": pa.DictionaryArray.from_arrays(
        pa.array([1, None], pa.int8()), pa.array(["z", "a"]), ordered=True
    ),
    "dictionary of integers": pa.DictionaryArray.from_arrays(pa.array([1, None], pa.int8()), pa.array([30, 10, 20])),
    "dictionary of dates": pa.array([dt.date(2020, 1, 1), None]).dictionary_encode(),
    "run ends": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([1, None])),
    "uuid": pa.array([b"1" * 16, None], pa.binary(16)).cast(pa.uuid()),
}


@pytest.mark.parametrize("name", ARROW_COLUMNS)
def test_arrow_types_come_back(name: str) -> None:
    column = ARROW_COLUMNS[name]
    field = pa.field("x", column.type, metadata={"unit": "kg"})
    came = pa.table([column], schema=pa.schema([field], metadata={"origin": "test"}))
    out = to_arrow(*ingest(came, "t"))
    assert out.schema.equals(came.schema, check_metadata=True)
    assert out.to_pylist() == came.to_pylist()
    assert out.equals(came)


def test_a_dictionary_keeps_its_order_and_unused_levels_over_chunks() -> None:
    chunks = [pa.array(["b", "a"]).dictionary_encode(), pa.array(["c", "a"]).dictionary_encode()]
    came = pa.table({"x": pa.chunked_array(chunks)})
    out = to_arrow(*ingest(came, "t"))
    assert out.to_pylist() == came.to_pylist()
    assert out["x"].chunk(0).dictionary.to_pylist() == ["b", "a", "c"]


def test_a_column_that_is_not_nullable_stays_so_until_it_has_nulls() -> None:
    came = pa.table([pa.array([1, 2])], schema=pa.schema([pa.field("x", pa.int64(), nullable=False)]))
    frame, form = ingest(came, "t")
    assert to_arrow(frame, form).schema.equals(came.schema)
    holed = to_arrow(frame.with_columns(pl.Series("x", [1, None])), form)
    assert holed.schema.field("x").nullable
    assert holed.to_pylist() == [{"x": 1}, {"x": None}]


def test_nan_stays_apart_from_null() -> None:
    frame = pl.DataFrame({"x": [1.0, NAN, None]})
    data = Dataset.of(frame)
    assert data.frame["x"].is_nan().to_list() == [False, True, None]
    assert data.to_arrow()["x"].null_count == 1
    back = Dataset.of(data.to_arrow()).frame
    assert back["x"].is_nan().to_list() == [False, True, None]


def test_a_stream_an_array_and_a_batch_are_tables() -> None:
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    for data in (table, table.to_batches()[0], reader):
        assert Dataset.of(data).frame.to_dicts() == table.to_pylist()
    assert Dataset.of(pa.array([1, None])).frame.to_dict(as_series=False) == {"value": [1, None]}
    assert Dataset.of(pl.Series([1, 2])).frame.columns == ["value"]


def test_a_lazy_frame_is_collected_and_lazy_frames_may_be_tables() -> None:
    lazy = pl.LazyFrame({"a": [1, 2]})
    assert Dataset.of(lazy).frame.height == 2
    assert list(Dataset.of({"one": lazy, "two": pl.DataFrame({"b": [1]})})) == ["one", "two"]


def test_duckdb_comes_in() -> None:
    with duckdb.connect() as connection:
        relation = connection.sql(
            "select 1::hugeint h, 'a'::enum('b', 'a') e, time '10:00' t, 1.5::decimal(5, 2) d, [1, 2] l, {'a': 1} s"
        )
        data = Dataset.of(relation)
    assert data.frame.row(0) == (1, "a", dt.time(10), decimal.Decimal("1.50"), [1, 2], {"a": 1})
    assert data.to_arrow()["e"].chunk(0).dictionary.to_pylist() == ["b", "a"]


def test_a_type_that_polars_lacks_is_a_sentence_with_table_and_column() -> None:
    union = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])])
    months = pa.array([(1, 2, 3)], pa.month_day_nano_interval())
    for column in (union, months):
        with pytest.raises(SchemaError, match="'odd' of table 'bills'"):
            Dataset.of(pa.table({"odd": column}), name="bills")


def test_128_bit_integers_go_out() -> None:
    frame = pl.DataFrame(
        {"a": pl.Series([2**70, None], dtype=pl.Int128), "b": pl.Series([2**127 - 1, 1], dtype=pl.Int128)}
    )
    out = Dataset.of(frame).to_arrow()
    assert out["a"].to_pylist() == [decimal.Decimal(2**70), None]
    assert out["b"].to_pylist() == [str(2**127 - 1), "1"]


# What no longer fits


@pytest.mark.parametrize(
    ("came", "now"),
    [
        (pa.array(["a", "b"]).dictionary_encode(), pl.Series(["a", "new"])),
        (pa.array([1, 2], pa.int8()), pl.Series([1, 300])),
        (pa.array([1, 2], pa.int64()), pl.Series([1.5, 2.0])),
        (pa.array([1, 2], pa.int64()), pl.Series(["1", "2"])),
        (pa.array([0.5, 2], pa.float32()), pl.Series([0.1, 2.0])),
        (pa.array([1, 2], pa.timestamp("s")), pl.Series([1_500], dtype=pl.Datetime("ms"))),
        (pa.array([1, 2], pa.timestamp("s", "UTC")), pl.Series([1_000], dtype=pl.Datetime("ms"))),
        (pa.array([decimal.Decimal("1.25")]), pl.Series([decimal.Decimal("1.2555")])),
        (pa.array([b"ab"], pa.binary(2)), pl.Series([b"abc"])),
    ],
    ids=["level", "overflow", "fraction", "text", "digits", "half a second", "zone", "decimal", "width"],
)
def test_values_that_no_longer_fit_go_out_in_their_plain_type(came: pa.Array, now: pl.Series) -> None:
    _, form = ingest(pa.table({"x": came}), "t")
    frame = pl.DataFrame({"x": now})
    assert to_arrow(frame, form).to_pylist() == frame.to_arrow().to_pylist()
    assert to_arrow(frame, form).schema.field("x").type != came.type


def test_columns_out_of_the_form_are_plain_and_order_is_the_frames() -> None:
    came = pa.table({"a": pa.array([1], pa.int8()), "b": pa.array(["x"], pa.string())})
    frame, form = ingest(came, "t")
    out = to_arrow(frame.select(pl.lit("new").alias("c"), "b"), form)
    assert out.column_names == ["c", "b"]
    assert out.schema.field("b").type == pa.string()


# pandas


def pandas_frames() -> dict[str, pd.DataFrame]:
    missing = pd.Series
    two = {"a": [1, 2]}
    return {
        "numbers": pd.DataFrame(
            {"f": [1.5, np.nan], "i": [1, 2**62], "u": np.array([1, 255], "u1"), "t": [True, False]}
        ),
        "short floats": pd.DataFrame({"h": np.array([1.5, np.nan], "f2"), "f": np.array([0.1, np.inf], "f4")}),
        "unsigned": pd.DataFrame({"u": np.array([2**64 - 1, 0], "u8")}),
        "text": pd.DataFrame({"a": ["x", None]}),
        "objects with None": pd.DataFrame({"a": missing(["x", None], dtype=object)}),
        "objects with NaN": pd.DataFrame({"a": missing(["x", np.nan], dtype=object)}),
        "objects with NA": pd.DataFrame({"a": missing(["x", pd.NA], dtype=object)}),
        "all None": pd.DataFrame({"a": missing([None, None], dtype=object)}),
        "all NaN": pd.DataFrame({"a": [np.nan, np.nan]}),
        "nullable": pd.DataFrame(
            {
                "i": missing([1, None, 2**60 + 1], dtype="Int64"),
                "b": missing([True, None, False], dtype="boolean"),
                "f": missing([0.1, None, 2], dtype="Float32"),
                "s": missing(["a", None, "b"], dtype="string"),
                "p": missing(["a", None, "b"], dtype=pd.StringDtype("python")),
            }
        ),
        "arrow dtypes": pd.DataFrame(
            {
                "s": missing(["a", None], dtype=pd.ArrowDtype(pa.string())),
                "d": missing([decimal.Decimal("1.5"), None], dtype=pd.ArrowDtype(pa.decimal128(5, 1))),
                "l": missing([[1], None], dtype=pd.ArrowDtype(pa.list_(pa.int8()))),
                "t": missing([1, None], dtype=pd.ArrowDtype(pa.timestamp("s"))),
            }
        ),
        "categories": pd.DataFrame(
            {
                "o": pd.Categorical(["x", "y", None], categories=["z", "y", "x"], ordered=True),
                "u": pd.Categorical(["x", "y", None], categories=["z", "y", "x"]),
                "i": pd.Categorical([3, 1, None], categories=[5, 3, 1], ordered=True),
                "f": pd.Categorical([0.5, 1, None]),
                "d": pd.Categorical(pd.to_datetime(["2020", "2021", None])),
            }
        ),
        "object categories": pd.DataFrame({"a": pd.Categorical(missing(["a", "b"], dtype=object))}),
        "times": pd.DataFrame(
            {
                "s": pd.to_datetime(["2020-01-01", None]).astype("datetime64[s]"),
                "ns": pd.to_datetime(["2020-01-01 00:00:00.123456789", None]),
                "zone": pd.to_datetime(["2020-01-01", None]).tz_localize("Europe/Berlin"),
                "offset": pd.to_datetime(["2020-01-01T00:00+02:00", None]),
                "utc": pd.to_datetime(["2020-01-01", None], utc=True),
                "span": pd.to_timedelta([1, None], unit="s").astype("timedelta64[s]"),
            }
        ),
        "far dates": pd.DataFrame({"a": np.array(["0001-01-01", "9999-12-31"], "datetime64[us]")}),
        "python values": pd.DataFrame(
            {
                "date": [dt.date(2020, 1, 1), None],
                "time": [dt.time(1, 2, 3, 4), None],
                "decimal": [decimal.Decimal("1.50"), None],
                "bytes": [b"a", None],
                "truth": [True, None],
                "int": missing([1, None], dtype=object),
                "list": [[1, 2], None],
                "struct": [{"a": 1, "b": "x"}, None],
                "number": missing([1.5, 2], dtype=object),
            }
        ),
        "periods": pd.DataFrame(
            {"p": missing(pd.period_range("2020", periods=2, freq="M")), "i": missing(pd.interval_range(0, 2))}
        ),
        "sparse": pd.DataFrame({"a": pd.arrays.SparseArray([0, 1, 0])}),
        "index": pd.DataFrame(two, index=[5, 5]),
        "named index": pd.DataFrame(two, index=pd.Index(["x", "y"], name="k")),
        "index beside a column index": pd.DataFrame({"index": [1, 2]}, index=[5, 6]),
        "levels": pd.DataFrame(two, index=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["k", None])),
        "dates as index": pd.DataFrame({"a": [1, 2, 3]}, index=pd.date_range("2020", periods=3, name="when")),
        "range from 5": pd.DataFrame(two, index=pd.RangeIndex(5, 7)),
        "named range": pd.DataFrame(two, index=pd.RangeIndex(2, name="n")),
        "periods as index": pd.DataFrame(two, index=pd.period_range("2020", periods=2, freq="M")),
        "categories as index": pd.DataFrame(two, index=pd.CategoricalIndex(["b", "a"], categories=["b", "a", "c"])),
        "integer labels": pd.DataFrame([[1, 2], [3, 4]]),
        "levels of labels": pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])),
        "named labels": pd.DataFrame(two).rename_axis("labels", axis=1),
        "nothing": pd.DataFrame(),
        "no columns": pd.DataFrame(index=[1, 2]),
        "no rows": pd.DataFrame(
            {"a": [1], "b": ["x"], "c": pd.Categorical(["x"]), "o": missing(["a"], dtype=object)}
        ).iloc[:0],
    }


@pytest.mark.parametrize("name", pandas_frames())
def test_pandas_comes_back_the_same(name: str) -> None:
    came = pandas_frames()[name]
    same(through_pandas(came), came)


@pytest.mark.parametrize(
    "name", ["numbers", "nullable", "categories", "times", "index", "named index", "dates as index", "levels"]
)
def test_any_reader_of_arrow_makes_the_pandas_frame_again(name: str) -> None:
    came = pandas_frames()[name].drop(columns="p", errors="ignore")
    out = pa.table(Dataset.of(came)).to_pandas()
    pd.testing.assert_frame_equal(out, came, check_exact=True, check_freq=False)


@pytest.mark.parametrize("name", ["nullable", "categories", "times", "index", "levels", "arrow dtypes"])
def test_arrow_with_the_metadata_of_pandas_comes_back(name: str) -> None:
    came = pa.Table.from_pandas(pandas_frames()[name])
    data = Dataset.of(came)
    assert data.to_arrow().schema.equals(came.schema, check_metadata=True)
    if name != "arrow dtypes":  # pyarrow itself can't read back what it wrote for those
        same(data.to_pandas(), came.to_pandas())


def test_nan_of_pandas_is_null_inside_and_nan_outside() -> None:
    frame, form = ingest(pd.DataFrame({"a": [1.0, np.nan]}), "t")
    assert frame["a"].null_count() == 1
    assert to_pandas(frame, form)["a"].dtype == np.float64


def test_nan_and_null_of_an_arrow_dtype_stay_apart() -> None:
    came = pd.DataFrame({"a": pd.Series(pd.arrays.ArrowExtensionArray(pa.array([1.5, None, NAN])))})
    frame, form = ingest(came, "t")
    assert frame["a"].is_nan().to_list() == [False, None, True]
    assert pa.array(to_pandas(frame, form)["a"]).null_count == 1


def test_ordered_categories_of_text_become_an_enum_and_index_a_column() -> None:
    came = pd.DataFrame(
        {"size": pd.Categorical(["s", "l"], categories=["s", "m", "l"], ordered=True)}, index=["x", "y"]
    )
    frame, _ = ingest(came, "t")
    assert frame.columns == ["index", "size"]
    assert frame["size"].dtype == pl.Enum(["s", "m", "l"])


def test_synthetic_rows_take_the_form_and_new_nulls_and_levels_do_not_break_it() -> None:
    came = pd.DataFrame(
        {"i": [1, 2], "c": pd.Categorical(["a", "b"]), "d": pd.to_datetime(["2020", "2021"])}, index=[3, 4]
    )
    _, form = ingest(came, "t")
    out = to_pandas(pl.DataFrame({"i": [1, None, 2**60 + 1], "c": ["a", "new", None], "more": [1, 2, 3]}), form)
    assert out["i"].dtype == "Int64"
    assert out["i"].tolist() == [1, pd.NA, 2**60 + 1]
    assert out["c"].dropna().tolist() == ["a", "new"]
    assert out.index.equals(pd.RangeIndex(3))


def test_integers_with_nulls_never_become_floats_on_the_way_to_pandas() -> None:
    out = Dataset.of({"big": [2**60 + 1, None], "flag": [True, None]}).to_pandas()
    assert out["big"].tolist() == [2**60 + 1, pd.NA]
    assert str(out["flag"].dtype) == "boolean"
    stored = pa.Table.from_pandas(pd.DataFrame({"k": [1, 2]}))
    frame, form = ingest(stored, "t")
    assert to_pandas(frame.with_columns(pl.Series("k", [2**60 + 1, None])), form)["k"].tolist() == [2**60 + 1, pd.NA]


def test_mixed_values_become_text_and_the_form_says_so() -> None:
    frame, form = ingest(pd.DataFrame({"m": pd.Series([1, "a", None, 2.5], dtype=object)}), "bills")
    assert frame["m"].to_list() == ["1", "a", None, "2.5"]
    assert form is not None
    assert form.notes == ("Column 'm' of table 'bills' mixes floats and integers and text; it was read as text.",)


def test_a_series_is_a_table_of_one_column() -> None:
    assert Dataset.of(pd.Series([1, 2], name="x")).frame.columns == ["x"]
    assert Dataset.of(pd.Series([1, 2])).frame.columns == ["value"]


# NumPy

ARRAYS = {
    "vector": np.array([1.5, np.nan, np.inf]),
    "matrix": np.arange(6).reshape(3, 2),
    "truth": np.array([[True, False]]),
    "short": np.array([[1, 255]], np.uint8),
    "half": np.array([0.1, np.nan], np.float16),
    "single": np.array([[0.1], [np.nan]], np.float32),
    "long double": np.array([0.5, 2], np.longdouble),
    "other byte order": np.array([1, 2], ">i4"),
    "unsigned": np.array([2**64 - 1], np.uint64),
    "beyond 2**53": np.array([2**53 + 1, -(2**62)]),
    "text": np.array([["a", "ü\n"], ["", "long text"]]),
    "new text": np.array(["a", "bb"], np.dtypes.StringDType()),
    "bytes": np.array([b"a", b"bcd"], "S5"),
    "objects": np.array(["a", None], object),
    "days": np.array(["2020-01-01", "NaT"], "datetime64[D]"),
    "months": np.array(["2020-01", "NaT"], "datetime64[M]"),
    "seconds": np.array(["2020-01-01T01:02:03", "NaT"], "datetime64[s]"),
    "nanoseconds": np.array([1, 2], "datetime64[ns]"),
    "hours": np.array([1, -5], "timedelta64[h]"),
    "columns of memory": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "every other": np.arange(10)[::2],
    "no rows": np.empty((0, 3), np.float32),
    "structured": np.array([(1, 2.5, "x"), (3, np.nan, "yy")], [("a", "i2"), ("b", "f4"), ("c", "U3")]),
    "parts": np.array([([1, 2], 0.5)], [("p", "i4", (2,)), ("q", "f8")]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back_the_same(name: str) -> None:
    came = ARRAYS[name]
    came.flags.writeable = False
    frame, form = ingest(came, "t")
    out = to_numpy(frame, form)
    assert out.dtype == came.dtype
    for field in came.dtype.names or [...]:
        np.testing.assert_array_equal(out[field], came[field])


def test_masked_arrays_keep_their_mask() -> None:
    came = np.ma.MaskedArray([1, 2, 3], [False, True, False])
    frame, form = ingest(came, "t")
    assert frame["value"].to_list() == [1, None, 3]
    out = to_numpy(frame, form)
    assert np.ma.getmaskarray(out).tolist() == [False, True, False]
    assert out.dtype == came.dtype
    np.testing.assert_array_equal(out.compressed(), came.compressed())


def test_columns_without_a_common_dtype_are_an_array_of_objects() -> None:
    out = Dataset.of({"x": [1.5], "y": [dt.datetime(2024, 1, 1)], "z": [[1, 2]], "": [None]}).to_numpy()
    assert out.tolist() == [[1.5, dt.datetime(2024, 1, 1), [1, 2], None]]


def test_names_of_columns_of_arrays() -> None:
    assert ingest(np.zeros(2), "t")[0].columns == ["value"]
    assert ingest(np.zeros((2, 3)), "t")[0].columns == ["column_0", "column_1", "column_2"]
    assert ingest(ARRAYS["structured"], "t")[0].columns == ["a", "b", "c"]


@given(st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), st.none()), max_size=6))
@quick
def test_arrays_that_no_longer_fit_keep_their_values(values: list[int | None]) -> None:
    _, form = ingest(np.array([1, 2], np.int8), "t")
    out = to_numpy(pl.DataFrame({"value": pl.Series(values, dtype=pl.Int64)}), form)
    assert out.shape == (len(values),)
    if None not in values:
        assert out.tolist() == values


# Dicts and lists


def test_dicts_of_columns_of_any_library() -> None:
    data = Dataset.of(
        {
            "list": [1, None],
            "tuple": ("a", "b"),
            "range": range(2),
            "array": np.array([1.5, np.nan]),
            "polars": pl.Series([dt.date(2020, 1, 1), None]),
            "pandas": pd.Series([1, None], dtype="Int64"),
            "arrow": pa.array([1, 2], pa.int8()),
            3: [NAN, 1.0],
            "none": [None, None],
        }
    )
    assert data.frame.columns[-2:] == ["3", "none"]
    assert data.frame["array"].null_count() == 1
    assert data.frame["3"].is_nan().to_list() == [True, False]
    assert data.to_arrow().schema.field("arrow").type == pa.int8()


def test_lists_of_dicts_are_rows() -> None:
    frame, _ = ingest([{"a": 1}, {"b": "x", "a": None}, {}], "t")
    assert frame.to_dict(as_series=False) == {"a": [1, None, None], "b": [None, "x", None]}
    assert ingest([], "t")[0].shape == (0, 0)
    assert ingest({"": [1], "a": [2]}, "t")[0].columns == ["", "a"]


@given(
    st.lists(
        st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.booleans(), st.dates(), st.binary(max_size=3)),
        max_size=5,
    )
)
@quick
def test_any_column_of_scalars_is_an_answer_or_a_sentence(values: list[object]) -> None:
    try:
        frame, _ = ingest({"x": values}, "t")
    except SchemaError as error:
        sentence = str(error)
    else:
        assert frame.height == len(values)
        return
    assert sentence.startswith("Column 'x' of table 't' ")


REFUSED = {
    "duplicate names of pandas": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "1 and '1'": pd.DataFrame([[1, 2]], columns=[1, "1"]),
    "duplicate names of Arrow": pa.table([[1], [2]], names=["a", "a"]),
    "duplicate keys as text": {1: [1], "1": [2]},
    "complex of pandas": pd.DataFrame({"c": [1j]}),
    "complex of NumPy": np.array([1j]),
    "complex in a list": {"c": [1j]},
    "objects": pd.DataFrame({"c": [object()]}),
    "sets": {"c": [{1}]},
    "lists and text": {"c": [[1], "a"]},
    "bytes and text": {"c": [b"a", "a"]},
    "broken Unicode": {"c": ["a\ud800"]},
    "objects of Polars": pl.DataFrame({"c": pl.Series([object()], dtype=pl.Object)}),
    "ragged": {"a": [1], "b": [1, 2]},
    "a scalar": {"a": 1},
    "text as a column": {"a": "abc"},
    "three dimensions": np.zeros((2, 2, 2)),
    "no dimension": np.array(1),
    "raw memory": np.zeros(2, "V3"),
    "years as a span": np.array([1], "timedelta64[Y]"),
    "a list of numbers": [1, 2],
    "rows and others": [{"a": 1}, 3],
    "None": None,
    "text": "abc",
    "a generator": (x for x in [1]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_is_a_sentence_that_names_it(name: str) -> None:
    with pytest.raises(SchemaError, match="'bills'") as caught:
        Dataset.of(REFUSED[name], name="bills")
    assert str(caught.value).endswith(".")


def test_no_message_holds_a_value() -> None:
    with pytest.raises(SchemaError) as caught:
        Dataset.of({"c": ["Jane Doe 1979", ["x"]]})
    assert "Jane" not in str(caught.value)
