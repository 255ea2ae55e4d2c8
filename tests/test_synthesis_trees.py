"""The synthesizer of trees: what holds exactly in every row, densities, planted dependence, updates, odd tables."""

from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cuvee.core import Model
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.synthesis.model_file import open_model
from cuvee.synthesis.tabular.trees import Trees
from cuvee.synthesis.tabular.trees_learned import TreesLearned

QUICK = Trees(orders=2, rounds=8, rate=0.5, correct=False)


def learn(frame: pl.DataFrame, spec: Trees = QUICK, seed: int = 1) -> tuple[TreesLearned, Dataset]:
    data = Dataset.of(frame, name="data")
    return spec.fit(data, rng=np.random.default_rng(seed)), data


def made(learned: TreesLearned, n: int, seed: int = 2) -> pl.DataFrame:
    return learned.sample(n, start=0, rng=np.random.default_rng(seed))["data"]


def clinic(n: int, seed: int = 0) -> pl.DataFrame:
    """Ward settles floor; a payment often is the bill; one of four flags is up; bills are missing in one ward."""
    rng = np.random.default_rng(seed)
    ward = rng.choice(["east", "north", "west", "south"], n, p=[0.4, 0.3, 0.2, 0.1])
    centre = pl.Series(ward).replace_strict({"east": 200, "north": 900, "west": 2_000, "south": 400}).to_numpy()
    bill = (centre * np.exp(0.3 * rng.normal(size=n))).round(2)
    paid = np.where(rng.random(n) < 0.4, bill, (bill * rng.uniform(0.1, 0.9, n)).round(2))
    kind = rng.choice(4, n, p=[0.5, 0.2, 0.2, 0.1])
    frame = pl.DataFrame(
        {
            "ward": ward,
            "floor": pl.Series(ward).replace_strict({"east": 1, "north": 1, "west": 3, "south": 2}),
            "bill": np.where((ward == "south") & (rng.random(n) < 0.7), np.nan, bill),
            "paid": paid,
            **{f"is_{k}": (kind == k).astype(int) for k in range(4)},
        }
    )
    return frame.with_columns(pl.col("bill").fill_nan(None))


@pytest.fixture(scope="module")
def fitted() -> tuple[TreesLearned, Dataset]:
    return learn(clinic(3_000))


# What holds exactly


def test_what_follows_repeats_or_excludes_each_other_does_so_in_every_row(
    fitted: tuple[TreesLearned, Dataset],
) -> None:
    rows = made(fitted[0], 20_000)
    floors = {"east": 1, "north": 1, "west": 3, "south": 2}
    assert (rows["floor"] == rows["ward"].replace_strict(floors)).all()
    assert (rows.select(f"is_{k}" for k in range(4)).sum_horizontal() == 1).all()
    whole = fitted[1].frame
    same = [(f["bill"] == f["paid"]).sum() / (f.height - f["bill"].null_count()) for f in (whole, rows)]
    # 3,000 and 20,000 rows: the difference has a standard error of 0.01.
    assert same[0] == pytest.approx(same[1], abs=0.05)


def test_values_that_few_rows_share_are_never_made() -> None:
    frame = clinic(2_000).with_columns(
        ward=pl.when(pl.int_range(pl.len()) < 4).then(pl.lit("attic")).otherwise(pl.col("ward"))
    )
    learned, _ = learn(frame.drop("floor"))
    assert "attic" not in made(learned, 20_000)["ward"].to_list()
    assert any("ward" in note for note in learned.notes())


def test_no_row_of_numbers_is_given_back() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1_000, 3)).round(3)
    frame = pl.DataFrame({"a": x[:, 0], "b": (x[:, 0] + 0.2 * x[:, 1]).round(3), "c": x[:, 2]})
    rows = made(learn(frame)[0], 20_000)
    # A thousand rows among at least 10^9 places: by chance one copy in 10,000 such samples.
    assert rows.join(frame, on=frame.columns, how="semi").height == 0


# Planted dependence


def test_margins_by_group_and_missing_values_come_back(fitted: tuple[TreesLearned, Dataset]) -> None:
    rows = made(fitted[0], 20_000)
    real, mine = (
        f.group_by("ward")
        .agg(bill=pl.col("bill").log().mean(), spread=pl.col("bill").log().std(), gone=pl.col("bill").is_null().mean())
        .sort("ward")
        for f in (fitted[1].frame, rows)
    )
    # Smallest group of the real rows: 300, 90 of them with a bill; log bills scatter by 0.3, standard error 0.03.
    np.testing.assert_allclose(mine["bill"], real["bill"], atol=0.12)
    np.testing.assert_allclose(mine["spread"], real["spread"], atol=0.22)
    np.testing.assert_allclose(mine["gone"], real["gone"], atol=0.06)


@pytest.mark.parametrize("rate", [0.5, 0.25])
def test_far_groups_stay_apart_and_missing_values_where_they_are(rate: float) -> None:
    rng = np.random.default_rng(7)
    group = rng.choice(["near", "far"], 4_000, p=[0.6, 0.4])
    size = np.exp(6 + 1.5 * (group == "far") + 0.4 * rng.normal(size=4_000)).round(2)
    gone = pl.Series(rng.random(4_000) < np.where(group == "far", 0.3, 0.1))
    frame = pl.DataFrame({"group": group, "size": pl.select(pl.when(~gone).then(pl.Series(size))).to_series()})
    rows = made(learn(frame, Trees(orders=1, rounds=round(7.5 / rate), rate=rate, correct=False), seed=2)[0], 30_000)
    real, mine = (
        f.group_by("group")
        .agg(mean=pl.col("size").log().mean(), spread=pl.col("size").log().std(), gone=pl.col("size").is_null().mean())
        .sort("group")
        for f in (frame, rows)
    )
    # 1,600 real rows at least: standard errors of 0.01 for means and spreads, 0.011 for shares.
    for figure, error in (("mean", 0.05), ("spread", 0.1), ("gone", 0.035)):
        np.testing.assert_allclose(mine[figure], real[figure], atol=error, err_msg=figure)


def test_what_only_two_columns_together_say_comes_back() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.choice(["x", "y"], (2, 4_000))
    frame = pl.DataFrame({"a": a, "b": b, "c": np.where((a == b) ^ (rng.random(4_000) < 0.05), "same", "other")})
    rows = made(learn(frame)[0], 20_000)
    right = ((rows["a"] == rows["b"]) == (rows["c"] == "same")).mean()
    assert right == pytest.approx(0.95, abs=0.02)


# Densities


def every_row(learned: TreesLearned, values: dict[str, list[str]]) -> np.ndarray:
    frame = pl.DataFrame(list(product(*values.values())), schema=list(values), orient="row")
    return np.exp(learned.log_prob(Dataset.of(frame, name="data")))


@pytest.mark.parametrize("correct", [False, True])
def test_the_probabilities_of_all_rows_sum_to_one(correct: bool) -> None:
    rng = np.random.default_rng(5)
    values = {c: [f"{c}{k}" for k in range(m)] for c, m in (("p", 3), ("q", 4), ("r", 2), ("s", 5))}
    cause = rng.integers(0, 6, 2_000)
    frame = pl.DataFrame(
        {c: [v[int(k)] for k in (cause + rng.integers(0, 2, 2_000)) % len(v)] for c, v in values.items()}
    )
    # Trees that learn too little, so that there is something to correct.
    spec = Trees(orders=1, rounds=1, rate=0.1) if correct else Trees(orders=3, rounds=6, rate=0.5, correct=False)
    learned, _ = learn(frame, spec)
    assert (learned.correction is not None) == correct
    # The share of candidates that a correction keeps is itself estimated.
    assert every_row(learned, values).sum() == pytest.approx(1, abs=0.05 if correct else 1e-4)


def test_cells_sum_to_their_row_and_columns_that_follow_are_nothing(fitted: tuple[TreesLearned, Dataset]) -> None:
    learned, data = fitted
    cells = learned.log_prob_cells(data)
    np.testing.assert_allclose(cells.sum(axis=1), learned.log_prob(data), atol=1e-6)
    by_name = dict(zip(data.frame.columns, cells.T, strict=True))
    # Ward settles floor, or floor and chance settle ward: one of both says nothing more.
    assert (by_name["floor"] == 0).all()
    assert not (by_name["bill"] == 0).any()


def test_an_odd_row_is_unlikely_and_its_odd_cell_stands_out(fitted: tuple[TreesLearned, Dataset]) -> None:
    learned, data = fitted
    odd = data.frame.filter((pl.col("ward") == "west") & (pl.col("bill") > 1_500)).head(40)
    odd = odd.with_columns(bill=pl.lit(60.0), paid=pl.lit(31.77))
    strange = data.with_frame("data", odd)
    assert np.median(learned.log_prob(strange)) < np.quantile(learned.log_prob(data), 0.03)
    cells = dict(zip(odd.columns, learned.log_prob_cells(strange).T, strict=True))
    usual = dict(zip(odd.columns, learned.log_prob_cells(data).T, strict=True))
    assert np.mean(cells["bill"]) < np.mean(usual["bill"]) - 1


def test_a_value_that_was_not_learned_is_the_least_likely(fitted: tuple[TreesLearned, Dataset]) -> None:
    learned, data = fitted
    some = data.frame.head(50)
    likely = {
        w: learned.log_prob_cells(data.with_frame("data", some.with_columns(ward=pl.lit(w))))[:, 0].mean()
        for w in ("east", "north", "west", "south", "moon")
    }
    assert min(likely, key=lambda w: likely[w]) == "moon"


# Updates, files, time


def test_new_rows_count_as_many_as_they_are() -> None:
    old = pl.DataFrame({"kind": ["a"] * 1_500 + ["b"] * 500, "x": np.random.default_rng(0).normal(size=2_000)})
    new = pl.DataFrame({"kind": ["b"] * 2_000, "x": np.random.default_rng(1).normal(5, 1, 2_000)})
    learned, data = learn(old)
    more = learned.update(data.with_frame("data", new), rng=np.random.default_rng(3))
    assert more.rows == 4_000
    rows = made(more, 10_000)
    # A share of 0.625 of 4,000 rows, half of them made, and of 10,000 rows: standard error 0.01.
    assert (rows["kind"] == "b").mean() == pytest.approx(0.625, abs=0.04)
    assert rows.filter(pl.col("kind") == "b")["x"].mean() == pytest.approx(4, abs=0.3)
    assert (made(learned, 10_000)["kind"] == "b").mean() == pytest.approx(0.25, abs=0.03)


def test_a_saved_model_says_the_same(fitted: tuple[TreesLearned, Dataset], tmp_path: Path) -> None:
    learned, data = fitted
    model = Model("trees", QUICK, data.schema, {"data": 3_000}, 1, learned, learned.notes())
    model.save(tmp_path / "model")
    opened = open_model(tmp_path / "model", lambda _: Trees)
    assert opened.fingerprint() == model.fingerprint()
    assert opened.sample(300, seed=3).frame.equals(model.sample(300, seed=3).frame, null_equal=True)
    np.testing.assert_array_equal(opened.log_prob(data.frame), model.log_prob(data.frame))


def test_less_time_gives_fewer_orders_and_rows_but_a_model() -> None:
    whole, hurried = Trees().effort(200_000, 20), Trees(time_budget=2).effort(200_000, 20)
    assert hurried.orders * hurried.rounds < whole.orders * whole.rounds
    assert hurried.rows < 200_000
    assert Trees(time_budget=2).seconds(200_000, 20) == pytest.approx(2, rel=0.2)
    assert Trees(orders=7, rounds=3, rate=0.9).effort(1_000, 5).orders == 7
    learned, _ = learn(clinic(600), Trees(time_budget=0.01))
    assert made(learned, 100).height == 100


# Odd tables

RNG = np.random.default_rng(9)
ODD: dict[str, pl.DataFrame] = {
    "30 rows": clinic(30),
    "one column": pl.DataFrame({"x": RNG.normal(size=300)}),
    "nothing but nulls": pl.DataFrame({"x": pl.Series([None] * 300, dtype=pl.Float64), "y": RNG.normal(size=300)}),
    "mostly nulls": pl.DataFrame({"x": [1.5 * k if k % 40 == 0 else None for k in range(800)], "y": [*range(4)] * 200}),
    "ids alone": pl.DataFrame({"id": [f"u{k:05}" for k in range(300)]}),
    "constants": pl.DataFrame({"x": [3] * 300, "y": ["a"] * 300, "z": RNG.normal(size=300)}),
    "many levels": pl.DataFrame({"x": [f"v{k % 3_000}" for k in range(18_000)], "y": RNG.integers(0, 3, 18_000)}),
    "more columns than sense": pl.DataFrame({f"c{k}": RNG.normal(size=200).round(1) for k in range(120)}),
    "dates and flags": pl.DataFrame(
        {
            "day": pl.Series(RNG.integers(0, 2_000, 400)).cast(pl.Int32).cast(pl.Date),
            "moment": pl.Series(RNG.integers(0, 10**14, 400)).cast(pl.Datetime("us")),
            "yes": RNG.random(400) < 0.3,
        }
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_tables_are_learned_and_made_again(name: str) -> None:
    frame = ODD[name]
    learned, data = learn(frame, Trees(orders=1, rounds=3, rate=0.5))
    rows = made(learned, 500)
    assert rows.schema == frame.schema
    assert rows.height == 500
    assert np.isfinite(learned.log_prob(data)).all()
    for column in frame.columns:
        real, mine = (f[column].null_count() / f.height for f in (frame, rows))
        # 200 real and 500 made rows at a share of one half: standard error 0.04.
        assert abs(real - mine) < 0.17


def test_an_empty_table_is_refused_in_a_sentence() -> None:
    with pytest.raises(ModelError, match="no rows"):
        learn(clinic(10).head(0))
