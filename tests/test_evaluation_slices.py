"""Metrics that name where synthetic rows are wrong: slices of rows that are too many, relations within groups."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import polars as pl
import pytest

from cuvee.core import Metric, Score
from cuvee.data.dataset import Dataset
from cuvee.data.schema import Column, Schema, Table
from cuvee.evaluation.fidelity.groups import Groups
from cuvee.evaluation.fidelity.slices import Slices
from cuvee.evaluation.trial import make_trial

KINDS = {
    "age": "number",
    "pay": "number",
    "sex": "category",
    "state": "category",
    "since": "datetime",
    "town": "category",
}


def people(n: int, seed: int) -> pl.DataFrame:
    """People whose state follows their age, and whose pay follows their sex; one in twenty has no pay."""
    rng = np.random.default_rng(seed)
    age, sex = rng.integers(17, 80, n), rng.integers(0, 2, n)
    state = np.clip((age + rng.normal(0, 20, n)) / 20, 0, 3).astype(np.int64)
    pay = rng.lognormal(3 + sex / 4 + age / 100, 0.3).round(2)
    days = rng.integers(0, 3000, n)
    return pl.DataFrame(
        {
            "age": age,
            "pay": pl.Series(pay).set(pl.Series(rng.random(n) < 0.05), None),
            "sex": np.array(["Female", "Male"])[sex],
            "state": np.array(["Single", "Married", "Divorced", "Widowed"])[state],
            "since": [dt.date(2015, 1, 1) + dt.timedelta(days=int(d)) for d in days],
            "town": rng.choice(["Bonn", "Graz", "Lyon", "Oslo", "Rome", "Turku", "Ulm", "York"], n),
        }
    )


def dataset(frame: pl.DataFrame, kinds: Mapping[str, str], sensitive: str = "") -> Dataset:
    columns = {
        c: Column.model_validate({"kind": kinds[c], **({"role": "name"} if c == sensitive else {})})
        for c in frame.columns
    }
    return Dataset({"people": frame}, Schema(tables={"people": Table(columns=columns)}))


def score(
    metric: Metric,
    train: pl.DataFrame,
    holdout: pl.DataFrame | None,
    synthetic: pl.DataFrame,
    *,
    kinds: Mapping[str, str] = KINDS,
    sensitive: str = "",
) -> Score:
    parts = [None if f is None else dataset(f, kinds, sensitive) for f in (train, holdout, synthetic)]
    assert parts[0] is not None
    assert parts[2] is not None
    trial = make_trial(parts[0], parts[1], parts[2], predict=None, rng=np.random.default_rng(0))
    (found,) = metric.score(trial, rng=np.random.default_rng(1))
    json.dumps(asdict(found), allow_nan=False)
    return found


def doubled(frame: pl.DataFrame, rows: pl.Expr) -> pl.DataFrame:
    """The rows that the condition picks come twice."""
    return pl.concat([frame, frame.filter(rows)])


def test_a_slice_of_two_conditions_with_twice_its_rows_is_named() -> None:
    train, holdout, fresh = people(8000, 1), people(8000, 2), people(8000, 3)
    planted = (pl.col("state") == "Divorced") & (pl.col("town") == "Bonn")
    share = holdout.select(planted.mean()).item()
    assert 0.02 < share < 0.04
    found = score(Slices(), train, holdout, doubled(fresh, planted))
    (named,) = [row for row in found.detail if row["group"] == "state = Divorced and town = Bonn"]
    assert 1.6 < named["value"] < 2.5
    assert named["alarm"]
    assert named["says"].startswith(f"Synthetic rows have {named['value']:.2g} times as many rows with state = Div")
    assert found.detail[0]["says"] in found.verdict
    assert found.passed is False


def test_fresh_rows_raise_no_alarm() -> None:
    """Each run is wrong with chance 0.01 at most, so that two alarms in 20 runs come up in fewer than 1 of 50 tries."""
    named = 0
    for seed in range(20):
        found = score(Slices(), people(600, 3 * seed), people(600, 3 * seed + 1), people(600, 3 * seed + 2))
        named += bool(found.detail)
        assert found.ceiling is not None
    assert named <= 1


@pytest.mark.parametrize("metric", [Slices(), Groups()], ids=lambda m: type(m).__name__)
def test_shuffled_columns_score_the_floor(metric: Metric) -> None:
    train, holdout = people(3000, 1), people(3000, 2)
    shuffled = pl.DataFrame([train[c].sample(fraction=1, shuffle=True, seed=i) for i, c in enumerate(train.columns)])
    found = score(metric, train, holdout, shuffled)
    assert found.value is not None
    assert found.floor is not None
    assert abs(found.value - found.floor) < 0.03
    assert found.passed is False


def test_a_group_whose_mean_is_shifted_is_named() -> None:
    train, holdout, fresh = people(3000, 1), people(3000, 2), people(3000, 3)
    good = score(Groups(), train, holdout, fresh)
    assert good.passed
    assert not any("says" in row for row in good.detail)
    women = pl.when(pl.col("sex") == "Female")
    shifted = fresh.with_columns(women.then(pl.col("pay") * 1.5).otherwise("pay").alias("pay"))
    found = score(Groups(), train, holdout, shifted)
    assert "pay of sex = Female" in found.verdict
    assert found.detail[0]["synthetic"] > 1.3 * found.detail[0]["real"]
    assert found.value is not None
    assert good.value is not None
    assert found.value < good.value - 0.01


def test_a_relation_that_is_reversed_within_groups_is_told() -> None:
    """Simpson: sex moves both numbers up, and within each sex one falls where the other rises."""

    def rows(seed: int, slope: float) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        sex = rng.integers(0, 2, 3000)
        dose = 3.0 * sex + rng.normal(size=3000)
        cure = 5.0 * sex + slope * (dose - 3.0 * sex) + rng.normal(0, 0.5, 3000)
        return pl.DataFrame({"dose": dose, "cure": cure, "sex": np.array(["Female", "Male"])[sex]})

    kinds = {"dose": "number", "cure": "number", "sex": "category"}
    told = "dose rises with cure in synthetic rows where sex = Female, and falls in real ones."
    assert told in score(Groups(), rows(1, -0.7), rows(2, -0.7), rows(3, 0.7), kinds=kinds).verdict
    assert "rises" not in score(Groups(), rows(1, -0.7), rows(2, -0.7), rows(3, -0.7), kinds=kinds).verdict


def test_neither_rare_nor_sensitive_values_are_named() -> None:
    train, holdout, made = people(2000, 1), people(2000, 2), people(2000, 3)
    rare = pl.when(pl.int_range(pl.len()) < 10).then(pl.lit("Rarity")).otherwise("state").alias("state")
    flooded = pl.when(pl.int_range(pl.len()) < 900).then(pl.lit("Rarity")).otherwise("state").alias("state")
    found = score(Slices(), train.with_columns(rare), holdout.with_columns(rare), made.with_columns(flooded))
    assert found.passed is False
    assert "Rarity" not in json.dumps(asdict(found))
    secret = score(Slices(), train, holdout, made.with_columns(pl.lit("Male").alias("sex")), sensitive="sex")
    assert "sex" not in json.dumps([*secret.detail])


def test_a_range_of_dates_and_a_null_are_named_in_words() -> None:
    train, holdout, made = people(3000, 1), people(3000, 2), people(3000, 3)
    late = made.with_columns((pl.col("since") + pl.duration(days=1200)).alias("since"))
    dates = score(Slices(), train, holdout, late).detail
    assert any(row["group"].startswith("since 20") or "since below 20" in row["group"] for row in dates), dates
    empty = made.with_columns(pl.when(pl.col("age") < 40).then(None).otherwise("pay").alias("pay"))
    assert any("pay is null" in row["group"] for row in score(Slices(), train, holdout, empty).detail)


@pytest.mark.parametrize("metric", [Slices(), Groups()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("rows", [1, 40, 400])
def test_odd_columns_give_finite_figures(metric: Metric, rows: int) -> None:
    rng = np.random.default_rng(rows)
    values = rng.normal(size=rows)
    frame = pl.DataFrame(
        {
            "constant": pl.Series([7.0] * rows),
            "nothing": pl.Series([None] * rows, dtype=pl.Float64),
            "null": pl.Series([None] * rows),
            "endless": np.where(values > 1, np.inf, np.where(values < -1, -np.inf, values)),
            "tiny": values * 1e-308,
            "level": np.where(values > 0, "a", "b"),
            "moment": pl.Series([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)] * rows),
            "span": pl.Series([dt.timedelta(seconds=float(v)) for v in values]),
            "clock": pl.Series([dt.time(int(8 + v % 3), 5) for v in values]),
            "said": [f"some words {v:.{i % 3}f}" for i, v in enumerate(values)],
        }
    )
    kinds = dict.fromkeys(frame.columns, "number") | {
        "null": "opaque", "level": "category", "moment": "datetime", "span": "number", "clock": "datetime",
        "said": "text",
    }  # fmt: skip
    for holdout in (None, frame.reverse()):
        found = score(metric, frame, holdout, frame[::-1], kinds=kinds)
        assert holdout is not None or found.ceiling is None
    for column in frame.columns:
        score(metric, frame.select(column), None, frame.select(column), kinds=kinds)
