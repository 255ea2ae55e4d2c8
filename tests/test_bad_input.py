"""Bad inputs from public bug reports, by their numbers: each gives an answer or a sentence, through all verbs."""

import datetime as dt
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd  # noqa: TID251 (the guest that is tested)
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import cuvee
from cuvee.core import Model, Scores
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, ModelError, SchemaError
from cuvee.testing import bad_inputs

RNG = np.random.default_rng(0)
PLAIN = {"amount": RNG.normal(size=40), "city": RNG.choice(["Ulm", "Bonn", "Kiel"], 40)}


def sentence(error: CuveeError) -> bool:
    text = str(error)
    return len(text.split()) >= 4 and "Traceback" not in text and not text.startswith("<")


def through(table: object) -> tuple[Dataset, Model, Dataset]:
    """Fit a copula and sample it; what comes out has the columns, dtypes and rows that it should."""
    data = Dataset.of(table)
    before = data.frame.clone()
    model = cuvee.fit(data, "copula", seed=1)
    made = model.sample(12, seed=2)
    assert made.frame.height == 12
    assert made.frame.schema == data.frame.schema
    assert_frame_equal(data.frame, before)
    assert_frame_equal(model.sample(12, seed=2).frame, made.frame)
    return data, model, made


def judged(data: Dataset, made: Dataset) -> Scores:
    """Evaluate with half as train and half as holdout; no figure is NaN."""
    half = max(data.frame.height // 2, 1)
    train, holdout = (data.with_frame(data.name, f) for f in (data.frame.head(half), data.frame.tail(half)))
    scores = cuvee.evaluate(made, train=train, holdout=holdout, metrics=["shape", "pairs", "copies"])
    assert all(s.value is None or math.isfinite(s.value) for s in scores)
    assert all(s.verdict for s in scores)
    return scores


def survives(table: object) -> None:
    """An answer or a sentence, from fitting to judging."""
    try:
        data, _, made = through(table)
        judged(data, made)
    except CuveeError as error:
        complaint = error
    else:
        return
    assert sentence(complaint)


CORPUS = {one.name: one for one in bad_inputs()}
REFUSED = (
    "21 complex numbers",
    "35 a list",
    "37 duplicate names",
    "45 broken Unicode",
    "66 three dimensions",
    "67 columns of different lengths",
)


@pytest.mark.parametrize("name", [n for n in CORPUS if n not in REFUSED])
def test_bad_input(name: str) -> None:
    survives(CORPUS[name].make())


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_is_refused(name: str) -> None:
    with pytest.raises(SchemaError) as caught:
        Dataset.of(CORPUS[name].make())
    assert sentence(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "01 all-null column",
        "04 constant number",
        "05 constant datetime",
        "06 single category",
        "08 infinite numbers",
        "09 nulls among integers",
        "11 booleans",
        "20 integers beyond 2**53",
        "22 times with a zone",
        "25 extreme dates",
        "29 identifiers",
        "31 no categories",
        "32 only categories",
        "34 five rows",
        "38 odd names",
        "39 reserved names",
        "43 negative numbers and zero",
        "44 quotes, formulas and markup",
        "46 empty text beside null",
        "49 a single column",
        "60 identical rows",
    ],
)
def test_ordinary_bad_input_gives_an_answer_not_only_a_sentence(name: str) -> None:
    data, _, made = through(CORPUS[name].make())
    judged(data, made)


# What only pandas has


def pandas_inputs() -> dict[str, Callable[[], Any]]:
    objects = {"dtype": object}
    return {
        "02 all-None objects": lambda: pd.DataFrame({"x": pd.Series([None] * 40, **objects), **PLAIN}),
        "09 NaN among integers": lambda: pd.DataFrame({"x": [1, np.nan] * 20, **PLAIN}),
        "10 Int64 and boolean with NA": lambda: pd.DataFrame(
            {"x": pd.Series([1, pd.NA] * 20, dtype="Int64"), "y": pd.Series([True, pd.NA] * 20, dtype="boolean")}
        ),
        "12 NaN as a category": lambda: pd.DataFrame({"x": pd.Categorical(["a", np.nan] * 20), **PLAIN}),
        "13 mixed integers and text": lambda: pd.DataFrame({"x": pd.Series([1, "a"] * 20, **objects), **PLAIN}),
        "14 numbers as objects": lambda: pd.DataFrame({"x": pd.Series([1, 2] * 20, **objects), **PLAIN}),
        "16 pyarrow dtypes": lambda: pd.DataFrame({"x": pd.Series([1.5, None] * 20, dtype="double[pyarrow]"), **PLAIN}),
        "17 string dtype": lambda: pd.DataFrame({"x": pd.Series(["a", pd.NA] * 20, dtype="string"), **PLAIN}),
        "18 ordered category dtype": lambda: pd.DataFrame(
            {"x": pd.Categorical(["lo", "hi"] * 20, ["never", "lo", "hi"], ordered=True), **PLAIN}
        ),
        "19 integer categories": lambda: pd.DataFrame({"x": pd.Categorical([30, 10] * 20), **PLAIN}),
        "22 local times": lambda: pd.DataFrame(
            {"x": pd.date_range("2024-03-30", periods=40, freq="h", tz="Europe/Berlin")}
        ),
        "23 dates as objects": lambda: pd.DataFrame(
            {"x": pd.Series([dt.date(2024, 1, 1), None] * 20, **objects), **PLAIN}
        ),
        "33 no rows": lambda: pd.DataFrame({"x": pd.Series([], dtype="int64"), "y": pd.Series([], dtype="str")}),
        "33 nothing": pd.DataFrame,
        "36 integer labels": lambda: pd.DataFrame(RNG.normal(size=(40, 3))),
        "40 non-unique index": lambda: pd.DataFrame(PLAIN, index=[5, 5, 7, 7] * 10),
        "40 dates as index": lambda: pd.DataFrame(PLAIN, index=pd.date_range("2024", periods=40, name="day")),
        "40 two levels": lambda: pd.DataFrame(PLAIN, index=pd.MultiIndex.from_product([range(4), list("abcdefghij")])),
    }


@pytest.mark.parametrize("name", pandas_inputs())
def test_bad_input_of_pandas(name: str) -> None:
    survives(pandas_inputs()[name]())


@pytest.mark.parametrize("name", ["21 complex", "37 duplicate labels"])
def test_what_pandas_alone_can_hold_is_refused(name: str) -> None:
    tables = {
        "21 complex": pd.DataFrame({"x": [1j]}),
        "37 duplicate labels": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    }
    with pytest.raises(SchemaError) as caught:
        cuvee.fit(tables[name], "copula")
    assert sentence(caught.value)


def test_03_all_null_integers_stay_integers() -> None:
    data, _, made = through(CORPUS["03 all-null integers"].make())
    assert made.frame["x"].dtype == data.frame["x"].dtype == pl.Int32
    assert made.frame["x"].null_count() == 12


def test_04_constants_stay_constant() -> None:
    _, _, made = through(CORPUS["04 constant number"].make())
    assert made.frame["x"].to_list() == [7] * 12


def test_11_12_levels_are_only_those_of_training() -> None:
    _, _, made = through({"flag": [True, None, False, True] * 20, "level": ["a", float("nan"), None, "b"] * 20})
    assert set(made.frame["level"].drop_nulls()) <= {"a", "b"}


def test_27_thousands_of_categories_stay_small_and_quick() -> None:
    _, model, made = through(CORPUS["27 thousands of categories"].make())
    assert made.frame["x"].dtype == pl.String
    values, arrays = model.learned.state()
    assert sum(a.nbytes for a in arrays.values()) + len(repr(values)) < 5_000_000


# What evaluation meets


def test_41_columns_in_another_order_are_the_same_columns() -> None:
    data, _, made = through(PLAIN | {"x": list(range(40))})
    turned = data.frame.select(reversed(data.frame.columns))
    plain = cuvee.evaluate(made, train=data, holdout=data, metrics=["shape"])
    assert cuvee.evaluate(made, train=data, holdout=turned, metrics=["shape"])["shape"].value == plain["shape"].value


def test_41_missing_columns_are_named() -> None:
    data, _, made = through(PLAIN)
    with pytest.raises(CuveeError, match="city"):
        cuvee.evaluate(made, train=data, holdout=data.frame.drop("city"))


def test_42_unseen_categories_are_judged() -> None:
    data = Dataset.of(PLAIN)
    strange = data.frame.with_columns(city=pl.lit("Atlantis"))
    judged(data, Dataset.of(strange))


# Keys, order, files


def test_47_48_null_and_nan_keys_link_nothing() -> None:
    left = pl.DataFrame({"id": ["a", None, None], "k": [1.0, float("nan"), None], "x": [1, 2, 3]})
    right = pl.DataFrame({"id": ["a", None], "k": [1.0, float("nan")], "y": [1, 2]})
    for key in ("id", "k"):
        blend = cuvee.blend({"left": left.select(key, "x"), "right": right.select(key, "y")}, match=[key])
        assert blend.links.height == 1


def test_51_keys_with_nulls_and_duplicates_are_no_key() -> None:
    data = Dataset.of(CORPUS["51 keys with nulls and duplicates"].make())
    assert data.meaning.key != ("id",)


def test_52_orphans_are_counted_and_kept() -> None:
    parents = pl.DataFrame({"id": range(50), "name": [f"p{i}" for i in range(50)]})
    children = pl.DataFrame({"child": range(200), "id": [i % 55 if i % 10 else None for i in range(200)]})
    data = Dataset.of({"parents": parents, "children": children})
    assert data["children"].height == 200


def test_54_the_order_of_rows_is_no_information() -> None:
    data = Dataset.of(PLAIN)
    turned = data.with_frame("data", data.frame.reverse())
    score = [cuvee.evaluate(data, train=t, holdout=t, metrics=["shape"])["shape"].value for t in (data, turned)]
    assert score[0] == pytest.approx(score[1], abs=1e-12)


@pytest.mark.parametrize("text", ["", "tables: []", "version: 1", "tables: {a: {columns: {x: nothing}}}", "{"])
def test_55_an_empty_or_unknown_schema_is_a_sentence(text: str) -> None:
    with pytest.raises(SchemaError) as caught:
        cuvee.Schema.from_yaml(text)
    assert sentence(caught.value)


def test_56_heavy_tails_stay_finite() -> None:
    heavy = RNG.standard_cauchy(500) * 1e6
    data, _, made = through({"x": heavy, "y": np.exp(np.clip(heavy / 1e6, -300, 300))})
    assert made.frame["x"].is_finite().all()
    judged(data, made)


def test_58_fitting_twice_and_saving_after_sampling(tmp_path: Any) -> None:
    data, model, made = through(PLAIN)
    model.save(tmp_path / "model")
    again = cuvee.fit(data, "copula", seed=1)
    opened = cuvee.load(tmp_path / "model")
    assert isinstance(opened, Model)
    for other in (again, opened):
        assert_frame_equal(other.sample(12, seed=2).frame, made.frame)


def test_59_a_number_of_rows_below_0_is_a_sentence() -> None:
    _, model, _ = through(PLAIN)
    with pytest.raises(ModelError) as caught:
        model.sample(-1)
    assert sentence(caught.value)


def test_60_identical_rows_have_no_zero_division() -> None:
    data, _, made = through(CORPUS["60 identical rows"].make())
    scores = judged(data, made)
    assert {s.name for s in scores} >= {"shape", "pairs"}


def test_arrow_of_every_bad_input_that_comes_in_goes_out() -> None:
    for one in CORPUS.values():
        if one.name not in REFUSED:
            data = Dataset.of(one.make())
            assert isinstance(data.to_arrow(), pa.Table)
            assert data.to_pandas().shape == data.frame.shape or data.frame.width == 0
            assert data.to_numpy().shape[:1] == (data.frame.height,)
