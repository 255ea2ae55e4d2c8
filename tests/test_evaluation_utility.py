"""What synthetic rows teach, against worlds in which it is known."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from scipy import optimize

import cuvee
from cuvee.core import Scores
from cuvee.data.errors import CuveeError, SchemaError
from cuvee.numeric.association import small_codes
from cuvee.numeric.regression import least_squares, logistic, overlap


def world(n: int, seed: int, *, slope: float = 3.0) -> pl.DataFrame:
    """A number that follows another and a group, a yes/no that follows both, and a column that follows nothing."""
    rng = np.random.default_rng(seed)
    x, group, noise = rng.normal(size=n), rng.integers(0, 3, n), rng.normal(size=n)
    y = slope * x + group + rng.normal(size=n)
    return pl.DataFrame(
        {"x": x, "group": [f"g{g}" for g in group], "noise": noise, "y": y, "yes": y + rng.normal(size=n) > 1}
    )


TRAIN, HOLDOUT, FRESH = world(2000, 0), world(2000, 1), world(2000, 2)


def assess(made: pl.DataFrame, *metrics: str, predict: str | None = None, queries: tuple[str, ...] = ()) -> Scores:
    return cuvee.evaluate(
        made, train=TRAIN, holdout=HOLDOUT, metrics=metrics, predict=predict, queries=queries, check=False
    )


def test_fresh_rows_teach_what_real_rows_teach():
    scores = assess(FRESH, "targets", "coefficients", predict="yes")
    assert scores["targets"].value == pytest.approx(1, abs=0.03)
    assert scores["importance"].value == pytest.approx(1, abs=0.1)
    # The overlap of intervals of two samples of one size is .71 in the mean; some thirty coefficients hang together.
    assert scores["coefficients"].value == pytest.approx(0.71, abs=0.15)
    assert all(s.passed for s in scores)
    groups = [row["group"] for row in scores["targets"].detail]
    assert {"yes, boosting", "yes, linear model"} <= set(groups)
    assert not any(g.startswith("noise") for g in groups)


def test_a_turned_slope_is_named():
    scores = assess(world(2000, 3, slope=-3.0), "targets", "coefficients")
    assert scores["targets"].passed is False
    told = scores["coefficients"]
    assert told.passed is False
    assert "none turn" not in told.verdict
    worst = told.detail[0]
    assert {worst["group"].split(" ")[0], worst["column"].split(" ")[0]} <= {"x", "y", "yes", "group"}
    assert worst["real"] * worst["synthetic"] < 0


def test_shuffled_columns_teach_nothing():
    shuffled = pl.DataFrame([FRESH[c].shuffle(seed=i) for i, c in enumerate(FRESH.columns)])
    scores = assess(shuffled, "targets", "coefficients", predict="yes")
    assert scores["targets"].value == pytest.approx(0, abs=0.15)
    coefficients = scores["coefficients"]
    assert coefficients.value == pytest.approx(coefficients.floor, abs=0.1)


def test_a_target_that_repeats_a_column_or_follows_none_is_not_chosen():
    twins = {
        part: frame.with_columns(pl.col("group").str.replace("g", "h").alias("copy"))
        for part, frame in {"train": TRAIN, "holdout": HOLDOUT, "made": FRESH}.items()
    }
    scores = cuvee.evaluate(
        twins["made"], train=twins["train"], holdout=twins["holdout"], metrics=["targets"], check=False
    )
    named = " ".join(row["group"] for row in scores["targets"].detail)
    assert "copy" not in named
    assert "group" not in named
    assert "noise" not in named


def test_without_a_holdout_or_anything_to_learn_nothing_is_assessed():
    alone = cuvee.evaluate(FRESH, train=TRAIN, metrics=["targets", "coefficients"], check=False)
    assert all(s.value is None and "no holdout" in s.verdict for s in alone)
    loose = pl.DataFrame(
        {"a": np.random.default_rng(0).normal(size=400), "b": np.random.default_rng(1).normal(size=400)}
    )
    flat = cuvee.evaluate(loose, train=loose, holdout=loose, metrics=["targets", "coefficients"], check=False)
    assert all(s.value is None for s in flat)


AVERAGES = 'select "group", avg(y) as y, count(*) as n from data group by "group"'


def test_queries_give_on_fresh_rows_what_they_give_on_real_ones():
    scores = assess(FRESH, "queries", queries=(AVERAGES, "y ~ x + group", "yes ~ y"))
    told = scores["queries"]
    assert told.value == pytest.approx(1, abs=0.1)  # twelve figures, each within 4 standard errors or 5 %
    assert told.passed
    assert told.floor is not None
    assert told.floor < 0.8


def test_a_query_that_the_rows_do_not_survive_is_named():
    spoilt = FRESH.with_columns(
        pl.when(pl.col("group") == "g1").then(pl.col("y") + 5).otherwise(pl.col("y")).alias("y")
    )
    told = assess(spoilt, "queries", queries=(AVERAGES,))["queries"]
    assert told.passed is False
    assert "group = g1" in told.detail[0]["column"]
    assert told.detail[0]["synthetic"] - told.detail[0]["real"] == pytest.approx(5, abs=0.6)  # sd of a mean .13


def test_a_row_that_only_one_side_gives_is_not_the_same():
    lost = FRESH.with_columns(group=pl.col("group").str.replace("g2", "g9"))
    told = assess(lost, "queries", queries=(AVERAGES,))["queries"]
    missing = {row["column"]: (row["real"], row["synthetic"]) for row in told.detail}
    assert missing["y, group = g2"][1] is None
    assert missing["y, group = g9"][0] is None
    assert told.value == pytest.approx(4 / 8)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("how many?", "neither SQL"),
        ("select nothing_there from data", "can't be answered"),
        ("y ~ z", "no column 'z'"),
        ("y ~ y", "by itself"),
        ("group ~ x", "neither a number nor one of two values"),
        ("select * from read_csv('/etc/hostname')", "can't be answered"),
        ("from 'https://example.org/a.parquet'", "can't be answered"),
    ],
)
def test_a_query_that_makes_no_sense_gets_a_sentence(query: str, says: str):
    with pytest.raises((CuveeError, SchemaError), match=says):
        assess(FRESH, "queries", queries=(query,))


def test_no_queries_no_score():
    assert list(assess(FRESH, "queries")) == []


def test_regressions_agree_with_a_search_for_the_best():
    rng = np.random.default_rng(0)
    features = np.column_stack([np.ones(300), rng.normal(size=(300, 2))])
    line = features @ [0.5, -1.0, 2.0]
    numbers, truth = line + rng.normal(size=300), (rng.random(300) < 1 / (1 + np.exp(-line))).astype(float)
    assert least_squares(features, numbers).coefficients == pytest.approx(
        np.linalg.lstsq(features, numbers, rcond=None)[0], abs=1e-4
    )

    def loss(b: np.ndarray) -> float:
        return float(np.logaddexp(0, features @ b).sum() - truth @ features @ b)

    found = logistic(features, truth)
    best = optimize.minimize(loss, np.zeros(3), tol=1e-10)
    assert found.coefficients == pytest.approx(best.x, abs=1e-3)
    step = 1e-3 * np.eye(3)
    bend = [[(loss(best.x + a + b) - loss(best.x + a - b) - loss(best.x - a + b) + loss(best.x - a - b)) / 4e-6
             for a in step] for b in step]  # fmt: skip
    assert found.errors == pytest.approx(np.sqrt(np.diag(np.linalg.inv(bend))), rel=1e-2)
    assert logistic(features, truth, start=found.coefficients).coefficients == pytest.approx(
        found.coefficients, abs=1e-4
    )


def test_a_separated_target_has_finite_coefficients():
    x = np.linspace(-1, 1, 50)
    found = logistic(np.column_stack([np.ones(50), x]), (x > 0).astype(float))
    assert np.isfinite(found.coefficients).all()
    assert np.isfinite(found.errors).all()


def test_the_overlap_of_intervals():
    rng = np.random.default_rng(1)
    features = np.column_stack([np.ones(200), rng.normal(size=200)])
    fit = least_squares(features, features @ [1.0, 2.0] + rng.normal(size=200))
    assert overlap(fit, fit, width=1.96) == pytest.approx(1)
    apart = least_squares(features, features @ [50.0, -20.0] + rng.normal(size=200))
    assert (overlap(fit, apart, width=1.96) < 0).all()


def test_small_codes_keep_nulls_apart():
    values = np.array([1.0, 2.0, np.nan, 3.0, 1.0])
    for categorical in (True, False):
        codes = small_codes(values, categorical=categorical)
        assert codes[0] == codes[4]
        assert len({int(c) for c in codes}) >= 3
        assert codes[2] not in {codes[0], codes[1], codes[3]}


def test_dates_and_nulls_take_part():
    rng = np.random.default_rng(5)

    def frame(n: int) -> pl.DataFrame:
        day = rng.integers(0, 900, n)
        return pl.DataFrame({
            "day": [dt.date(2020, 1, 1) + dt.timedelta(days=int(d)) for d in day],
            "load": pl.Series(day / 100 + rng.normal(size=n)).set(pl.Series(rng.random(n) < 0.1), None),
            "flag": pl.Series(["on" if d > 400 else "off" for d in day]).set(pl.Series(rng.random(n) < 0.1), None),
        })  # fmt: skip

    scores = cuvee.evaluate(
        frame(800), train=frame(800), holdout=frame(800), metrics=["targets", "coefficients"], check=False
    )
    assert scores["targets"].value == pytest.approx(1, abs=0.15)
    assert scores["coefficients"].value is not None
