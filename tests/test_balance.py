"""Shares that are asked for: exact in counts, the rest as the model has it, refused where they can't be."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cuvee
from cuvee.cli import call
from cuvee.core import Model
from cuvee.data.errors import CuveeError, ModelError
from cuvee.numeric.margins import fitted_to_margins, whole_shares, whole_table
from cuvee.synthesis.tabular.trees import Trees

GOOD = Trees(orders=4, rounds=25, rate=0.4, correct=False)


def claims(n: int = 2_000, seed: int = 0) -> pl.DataFrame:
    """Fraud is rare, more common in one town, and of higher amounts."""
    rng = np.random.default_rng(seed)
    town = rng.choice(["Ulm", "Bonn", "Kiel"], n, p=[0.5, 0.3, 0.2])
    fraud = rng.random(n) < np.where(town == "Kiel", 0.12, 0.04)
    amount = rng.normal(100, 10, n) + 60 * fraud
    return pl.DataFrame(
        {
            "id": [f"C{k:05d}" for k in range(n)],
            "town": town,
            "fraud": np.where(fraud, "yes", "no"),
            "amount": amount.round(1),
            "age": rng.integers(18, 80, n),
        }
    )


@pytest.fixture(scope="module", params=["trees", "circuit", "copula"])
def model(request: pytest.FixtureRequest) -> Model:
    return cuvee.fit(claims(), GOOD if request.param == "trees" else request.param, seed=1)


def counts(frame: pl.DataFrame, *columns: str) -> dict[tuple[Any, ...], int]:
    return {row[:-1]: row[-1] for row in frame.group_by(columns).len().rows()}


def test_one_column_has_its_shares_exactly_and_the_rest_goes_with_it(model: Model) -> None:
    frame = model.sample(3_001, balance={"fraud": {"yes": 0.5}}, seed=1).frame
    assert counts(frame, "fraud") == {("yes",): 1_501, ("no",): 1_500} or counts(frame, "fraud") == {
        ("yes",): 1_500,
        ("no",): 1_501,
    }
    assert frame["id"].is_unique().all()
    if model.name != "copula":
        means = dict(frame.group_by("fraud").agg(pl.col("amount").mean()).rows())
        # 105 real frauds with a deviation of 10: a standard error of 1. Trees draw so small a group a tenth nearer.
        assert means["yes"] - means["no"] == pytest.approx(60, abs=12)


def test_several_columns_at_once_are_exact_and_near_to_what_they_are_together(model: Model) -> None:
    asked = {"fraud": "equal", "town": {"Ulm": 0.2, "Bonn": 0.3, "Kiel": 0.5}}
    frame = model.sample(1_000, balance=asked, seed=1).frame
    assert counts(frame, "fraud") == {("yes",): 500, ("no",): 500}
    assert counts(frame, "town") == {("Ulm",): 200, ("Bonn",): 300, ("Kiel",): 500}
    if model.name != "copula":
        rate = dict(frame.group_by("town").agg((pl.col("fraud") == "yes").mean()).rows())
        assert rate["Kiel"] > rate["Ulm"] + 0.05


def test_combinations_ranges_and_a_condition_for_all(model: Model) -> None:
    joint = {("fraud", "town"): {("yes", "Kiel"): 0.25, ("yes", "Ulm"): 0.25}}
    frame = model.sample(400, balance=joint, seed=1).frame
    assert counts(frame, "fraud", "town")["yes", "Kiel"] == 100
    assert counts(frame, "fraud", "town")["yes", "Ulm"] == 100
    ranges = {"age": {"age < 30": 0.5, "age >= 60": 0.25}}
    frame = model.sample(400, balance=ranges, where="town != 'Kiel'", seed=1).frame
    assert (frame["age"] < 30).sum() == 200
    assert (frame["age"] >= 60).sum() == 100
    assert "Kiel" not in set(frame["town"])


def test_every_group_has_the_same_rate(model: Model) -> None:
    frame = model.sample(4_000, fair={"target": "fraud", "groups": ["town"]}, seed=1).frame
    rates = frame.group_by("town").agg(rate=(pl.col("fraud") == "yes").mean(), n=pl.len())
    # Exact up to one row of the smallest group.
    assert rates["rate"].max() - rates["rate"].min() <= 2 / rates["n"].min()  # pyright: ignore[reportOperatorIssue]
    share = (frame["town"] == "Kiel").mean()
    assert share == pytest.approx(0.2, abs=0.04)


def test_the_same_seed_gives_the_same_rows_whatever_the_workers(model: Model) -> None:
    one, other = (model.sample(500, balance={"fraud": "equal"}, seed=3, workers=w).frame for w in (1, 3))
    assert one.equals(other)
    assert not one.equals(model.sample(500, balance={"fraud": "equal"}, seed=4).frame)
    assert model.sample(0, balance={"fraud": "equal"}).frame.height == 0


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"balance": {"fraud": {"yes": 0.7, "no": 0.6}}}, "sum to 1.3, more than 1"),
        ({"balance": {"fraud": {"yes": -0.1}}}, "is a number from 0 to 1"),
        ({"balance": {"frud": {"yes": 0.5}}}, "Did you mean 'fraud'"),
        ({"balance": {"fraud": {"maybe": 0.5}}}, "maybe"),
        ({"balance": {"fraud": {"yes": 0.5, "no": 0.2}}}, "no other values"),
        ({"balance": {"age": {"age < 30": 0.5, "age < 40": 0.5}}}, "true of the same rows"),
        ({"balance": {"amount": "equal"}}, "more than 60"),
        ({"balance": {"fraud, town": {"yes": 0.5}}}, "2 columns"),
        ({"balance": ["fraud"]}, "is a mapping"),
        ({"balance": {"fraud": "equal"}, "fair": {"target": "fraud", "groups": ["town"]}}, "either balance or fair"),
        ({"fair": {"target": "fraud"}}, "What is to be fair"),
        ({"balance": {"fraud": "equal"}, "given": pl.DataFrame({"town": ["Ulm"] * 10})}, "settle"),
        ({"balance": {"fraud": {"yes": 1}, "fraud, town": {"no, Ulm": 1}}}, "at once|can't be made"),
    ],
)
def test_what_can_not_be_is_refused_in_a_sentence(model: Model, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        model.sample(10, **asked)


def test_shares_on_the_command_line_and_to_a_file(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    out = str(tmp_path / "rows.parquet")
    assert call(["sample", str(tmp_path / "model"), "-n", "100", "-o", out, "--balance", "fraud=yes:0.3"]) == 0
    assert counts(pl.read_parquet(out), "fraud")["yes",] == 30
    assert call(["sample", str(tmp_path / "model"), "-n", "100", "-o", out, "--balance", "fraud"]) == 1
    assert call(["sample", str(tmp_path / "model"), "-n", "90", "-o", out, "--fair", "fraud:town"]) == 0
    assert pl.read_parquet(out).height == 90


# What if


@pytest.mark.parametrize("name", ["trees", "circuit"])
def test_a_change_is_followed_by_what_depends_on_it_alone(name: str) -> None:
    model = cuvee.fit(claims(), GOOD if name == "trees" else name, seed=1)
    rows = claims(400, seed=7).with_columns(age=pl.when(pl.int_range(pl.len()) > 9).then(pl.col("age")))
    new = model.what_if(rows, {"fraud": "yes"}, redraw=["amount"], seed=1).frame
    assert new.select("id", "town", "age").equals(rows.select("id", "town", "age"))
    assert (new["fraud"] == "yes").all()
    # 105 frauds were learned, with a deviation of 10; 400 rows: standard errors of 1 and 0.5. Trees draw so small a
    # group a tenth nearer to the others.
    assert new["amount"].mean() == pytest.approx(160, abs=16)
    moved = model.what_if(rows, {"town": {"Kiel": "Ulm"}}, keep=["id", "age"], seed=1).frame
    assert set(moved["town"]) == {"Ulm", "Bonn"}
    with pytest.raises(ModelError, match="one of both"):
        model.what_if(rows, {"fraud": "yes"})
    with pytest.raises(ModelError, match="is changed, so"):
        model.what_if(rows, {"fraud": "yes"}, keep=["fraud"])
    with pytest.raises(CuveeError, match="can't hold"):
        model.what_if(rows, {"age": "old"}, redraw=["amount"])


# The mathematics


@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=4),
    st.lists(st.integers(1, 9), min_size=2, max_size=4),
    st.integers(0, 60),
    st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_whole_tables_have_their_margins_and_stay_within_one(a: list[int], b: list[int], n: int, seed: int) -> None:
    weights = np.random.default_rng(seed).random((len(a), len(b))) + 0.01
    shares = [np.array(a) / sum(a), np.array(b) / sum(b)]
    table = fitted_to_margins(weights, shares)
    assert table is not None
    np.testing.assert_allclose(table.sum(axis=1), shares[0], atol=1e-8)
    np.testing.assert_allclose(table.sum(axis=0), shares[1], atol=1e-8)
    # What is fitted keeps the odds ratios of the weights.
    odds = (table[0, 0] * table[1, 1] / table[0, 1] / table[1, 0]) / (
        weights[0, 0] * weights[1, 1] / weights[0, 1] / weights[1, 0]
    )
    assert odds == pytest.approx(1, rel=1e-6)
    margins = [whole_shares(s, n) for s in shares]
    whole = whole_table(table * n, margins)
    assert whole is not None
    assert (whole >= 0).all()
    assert whole.sum(axis=1).tolist() == margins[0].tolist()
    assert whole.sum(axis=0).tolist() == margins[1].tolist()
    assert (np.abs(whole - table * n) < 1 + 1e-6).all()


@given(st.integers(0, 8), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_whole_tables_are_the_nearest_of_all(n: int, seed: int) -> None:
    table = np.random.default_rng(seed).random((2, 3))
    table *= n / table.sum()
    margins = [whole_shares(table.sum(axis=1) / max(n, 1), n), whole_shares(table.sum(axis=0) / max(n, 1), n)]
    whole = whole_table(table, margins)
    assert whole is not None

    def off(cells: np.ndarray) -> float:
        return float(np.abs(cells - table).sum())

    every = (np.array([*c]).reshape(2, 3) for c in product(range(n + 1), repeat=6) if sum(c) == n) if n <= 4 else ()
    fits = [
        c
        for c in every
        if c.sum(axis=1).tolist() == margins[0].tolist() and c.sum(axis=0).tolist() == margins[1].tolist()
    ]
    if fits:
        assert off(whole) == pytest.approx(min(off(c) for c in fits), abs=1e-6)


def test_zeros_stay_zero_and_what_they_forbid_is_told() -> None:
    weights = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert fitted_to_margins(weights, [np.array([0.5, 0.5]), np.array([0.5, 0.5])]) is not None
    assert fitted_to_margins(weights, [np.array([0.5, 0.5]), np.array([0.2, 0.8])]) is None
    assert whole_shares(np.array([1 / 3, 1 / 3, 1 / 3]), 100).tolist() == [34, 33, 33]
