"""Targets, encoding and gradient boosting."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.data.errors import CuveeError, SchemaError
from cuvee.learners.boosting import Rounds, crossfit, fit_boosting
from cuvee.learners.downstream import set_exam
from cuvee.learners.encode import learn_encoder, shuffled
from cuvee.learners.target import parse_target
from cuvee.numeric.ranking import auc

FRAME = pl.DataFrame(
    {
        "arr_delay": [1, 20, None],
        "a > b": [1, 2, 3],
        "day": [dt.date(2013, 1, 1), dt.date(2013, 2, 1), None],
        "moment": [dt.datetime(2013, 1, 1, 5), dt.datetime(2013, 1, 1, 7), None],
        "income": [">50K", "<=50K", None],
        "late": [True, False, None],
        "two words": [1.5, float("nan"), 3.0],
    }
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("arr_delay", [1, 20, None]),
        ("arr_delay > 15", [False, True, None]),
        ("arr_delay>=1", [True, True, None]),
        ("a > b", [1, 2, 3]),  # the whole text is a column's name
        ("a > b >= 2", [False, True, True]),
        ("day >= 2013-01-15", [False, True, None]),
        ("moment < 2013-01-01 06:00", [True, False, None]),
        ("income == >50K", [True, False, None]),
        ("income==<=50K", [False, True, None]),
        ("income != '>50K'", [False, True, None]),
        ("late == true", [True, False, None]),
        ("`two words` < 2", [True, None, False]),  # NaN is a null
    ],
)
def test_target_means_what_it_says(text: str, expected: list[object]):
    assert parse_target(text, FRAME.columns).of(FRAME).to_list() == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("arr_dely", "Did you mean 'arr_delay'"),
        ("arr_dely > 15", "Did you mean 'arr_delay'"),
        ("arr_delay = 1", "sign '='"),
        ("arr_delay >", "compares with nothing"),
        ("arr_delay > late", "compare it with a number"),
        ("day > 3", "compare it with a date"),
        ("late == maybe", "true or false"),
    ],
)
def test_a_wrong_target_gets_a_sentence(text: str, says: str):
    with pytest.raises(CuveeError, match=says):
        parse_target(text, FRAME.columns).of(FRAME)


def test_target_needs_its_column():
    target = parse_target("late", FRAME.columns)
    with pytest.raises(SchemaError, match="no column 'late'"):
        target.of(FRAME.drop("late"))


def test_encoder_reads_every_kind_and_knows_the_levels_of_all_tables():
    train = pl.DataFrame(
        {
            "word": ["b", None, "a"],
            "number": [1, None, 3],
            "when": [dt.date(1970, 1, 2), None, dt.date(1970, 1, 1)],
            "yes": [True, False, None],
            "said": ["one two", None, ""],
            "key": ["x", "y", "z"],
            "list": [[1], [2], []],
        }
    )
    other = train.with_columns(word=pl.Series(["c", "a", "b"]))
    kinds = {
        "word": "category",
        "number": "number",
        "when": "datetime",
        "yes": "boolean",
        "said": "text",
        "key": "id",
        "list": "opaque",
    }
    encoder = learn_encoder((train, other), kinds)
    assert [(f.column, f.part) for f in encoder.features] == [
        ("number", ""), ("said", "length"), ("said", "words"), ("when", ""), ("word", ""), ("yes", ""),
    ]  # fmt: skip
    nan = float("nan")
    np.testing.assert_array_equal(
        encoder.matrix(train), [[1, 7, 2, 1, 1, 1], [nan, nan, nan, nan, nan, 0], [3, 0, 0, 0, 0, nan]]
    )
    assert encoder.matrix(other)[:, 4].tolist() == [2.0, 0.0, 1.0]
    assert encoder.categorical == (4, 5)


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([None, None], dtype=pl.Null),
        pl.Series([2**64 - 1, 0], dtype=pl.UInt64),
        pl.Series([float("inf"), float("-inf")]),
        pl.Series(["1.50", "2.25"]).str.to_decimal(scale=2),
        pl.Series(["1", "x"]),
        pl.Series([dt.time(1), None]),
        pl.Series([dt.timedelta(seconds=1), None]),
        pl.Series(["a", "b"], dtype=pl.Categorical),
        pl.Series(["a", None], dtype=pl.Enum(["b", "a"])),
    ],
)
@pytest.mark.parametrize("kind", ["number", "category", "datetime", "text"])
def test_odd_columns_become_finite_numbers_or_nan(values: pl.Series, kind: str):
    frame = values.alias("c").to_frame()
    matrix = learn_encoder((frame,), {"c": kind}).matrix(frame)
    assert matrix.shape[0] == 2
    assert not np.isinf(matrix).any()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0.0, -0.0, 1.5, float("nan")])), min_size=1, max_size=40),
    st.integers(0, 99),
)
def test_shuffled_hangs_on_content_only(rows: list[tuple[int, float]], seed: int):
    matrix = np.array(rows, dtype=float)
    order = np.random.default_rng(seed).permutation(len(matrix))
    first = matrix[shuffled(matrix, rng=np.random.default_rng(1))]
    second = matrix[order][shuffled(matrix[order], rng=np.random.default_rng(1))]
    np.testing.assert_array_equal(first, second)
    assert sorted(shuffled(matrix, rng=np.random.default_rng(2))) == list(range(len(matrix)))


def test_shuffled_samples_copies_in_their_share():
    matrix = np.repeat([[0.0], [1.0]], [9_000, 1_000], axis=0)
    taken = matrix[shuffled(matrix, rng=np.random.default_rng(0))[:1000]]
    assert 60 < taken.sum() < 140  # 100 expected, sd 9: fails by chance in fewer than one seed in 10,000


def test_boosting_learns_an_interaction_and_repeats_itself():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(1500, 3))
    labels = features[:, 0] * features[:, 1] > 0
    chance, gain = crossfit(features, labels, rounds=Rounds(trees=60))
    again, _ = crossfit(features, labels, rounds=Rounds(trees=60))
    assert auc(chance, labels) > 0.95
    assert gain[2] < 0.1
    np.testing.assert_array_equal(chance, again)


def test_crossfit_finds_nothing_in_noise():
    rng = np.random.default_rng(3)
    features, labels = rng.normal(size=(2000, 4)), rng.random(2000) < 0.5
    chance, _ = crossfit(features, labels, rounds=Rounds(trees=40))
    assert abs(auc(chance, labels) - 0.5) < 0.05  # sd 0.013


def test_boosting_uses_codes_of_levels_and_nulls():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 30, 3000).astype(float)
    known = (codes * 7) % 3 == 0
    features = np.where(rng.random(3000) < 0.1, np.nan, codes)[:, None]
    learner = fit_boosting(features, known.astype(float), task="yes_no", categorical=(0,), rounds=Rounds(trees=30))
    assert auc(learner.predict(features), known) > 0.9


@pytest.mark.parametrize("task", ["number", "yes_no", "classes"])
def test_boosting_survives_features_that_say_nothing(task: str):
    features = np.column_stack([np.ones(12), np.full(12, np.nan)])
    learner = fit_boosting(features, np.arange(12) % 2.0, task=task)  # pyright: ignore[reportArgumentType]
    assert np.isfinite(learner.predict(features)).all()
    assert learner.gain.sum() == 0


def tables(n: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n), rng.integers(0, 3, n)
    return pl.DataFrame(
        {"x": x, "z": [f"level {i}" for i in z], "y": x + z + rng.normal(size=n) / 2, "noise": rng.normal(size=n)}
    )


@pytest.mark.parametrize(
    ("target", "figure", "least"), [("y", "R²", 0.6), ("y > 1", "AUC", 0.9), ("z", "macro AUC", 0.8)]
)
def test_exam_marks_learners(target: str, figure: str, least: float):
    train, test = tables(1500, 0), tables(800, 1)
    kinds = {"x": "number", "z": "category", "y": "number", "noise": "number"}
    exam = set_exam(parse_target(target, train.columns), kinds, test, (train,), rng=np.random.default_rng(0))
    good = exam.sit(train, rng=np.random.default_rng(0), rounds=Rounds(trees=50))
    column = exam.target.column
    shuffled_target = train.with_columns(train[column].sample(fraction=1, shuffle=True, seed=1))
    bad = exam.sit(shuffled_target, rng=np.random.default_rng(0), rounds=Rounds(trees=50))
    assert exam.figure == figure
    assert good.value > least
    assert good.interval[0] < good.value < good.interval[1]
    gap, low, _ = good.minus(bad)
    assert gap > 0.2
    assert low > 0


def test_exam_gives_a_learner_without_a_lesson_a_guess():
    train, test = tables(300, 0), tables(300, 1)
    kinds = {"x": "number", "z": "category", "y": "number", "noise": "number"}
    constant = train.with_columns(y=pl.lit(0.0), z=pl.lit("level 1"))
    for target, guess in (("y", 0.0), ("y > 1", 0.5), ("z", 0.5)):
        exam = set_exam(
            parse_target(target, train.columns), kinds, test, (train, constant), rng=np.random.default_rng(0)
        )
        assert exam.sit(constant, rng=np.random.default_rng(0)).value == pytest.approx(guess)
