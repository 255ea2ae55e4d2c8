"""The transformer and the flow as synthesizers: what they make, densities, rows as asked, the same bytes everywhere."""

from typing import Any

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch")

import cuvee  # noqa: E402
from cuvee.core import Model  # noqa: E402
from cuvee.data.conditions_text import condition_of  # noqa: E402
from cuvee.data.dataset import Dataset  # noqa: E402
from cuvee.data.errors import ModelError  # noqa: E402
from cuvee.nets.device import threads  # noqa: E402
from cuvee.synthesis.tabular.transformer import Transformer  # noqa: E402

SPECS: dict[str, Any] = {"transformer": "transformer", "flow": {"flow": {"epochs": 30, "steps": 8}}}


def stays(n: int = 2_400, seed: int = 0) -> pl.DataFrame:
    """Ages, wards that settle floors, flags of which one is up, costs with nulls, two days in order, names."""
    rng = np.random.default_rng(seed)
    age = np.clip(rng.normal(50, 18, n), 0, 100).round().astype(int)
    ward = np.where(rng.random(n) < age / 130, "heart", rng.choice(["skin", "eye"], n))
    cost = np.exp(6 + (ward == "heart") * 1.5 + 0.4 * rng.normal(size=n)).round(2)
    first = pl.Series(rng.integers(0, 700, n)).cast(pl.Int32)
    kind = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    return pl.DataFrame(
        {
            "number": [f"P{k:06}" for k in range(n)],
            "age": age,
            "ward": ward,
            "floor": pl.Series(ward).replace_strict({"heart": 4, "skin": 1, "eye": 1}),
            "cost": pl.Series(cost).set(pl.Series(rng.random(n) < 0.2), None),
            "first": first.cast(pl.Date),
            "last": (first + 1 + pl.Series(rng.poisson(2 + 40 * (ward == "heart"))).cast(pl.Int32)).cast(pl.Date),
            **{f"is_{k}": (kind == k).astype(int) for k in range(3)},
        }
    )


@pytest.fixture(scope="module", params=SPECS)
def model(request: pytest.FixtureRequest) -> Model:
    return cuvee.fit(stays(), SPECS[request.param], seed=1)


@pytest.fixture(scope="module")
def transformer() -> Model:
    return cuvee.fit(stays(), SPECS["transformer"], seed=1)


def test_dependences_are_made_again(model: Model) -> None:
    rows = model.sample(4_000, seed=2).frame
    hearts, others = rows.filter(pl.col("ward") == "heart"), rows.filter(pl.col("ward") != "heart")
    # Heart wards cost e^1.5 times as much in truth; a network that learned for seconds gets most of it.
    gap = hearts["cost"].log().mean() - others["cost"].log().mean()  # pyright: ignore[reportOperatorIssue]
    assert gap == pytest.approx(1.5, abs=0.35)
    assert hearts["age"].mean() - others["age"].mean() == pytest.approx(12, abs=5)  # pyright: ignore[reportOperatorIssue]
    assert rows["cost"].null_count() / 4_000 == pytest.approx(0.2, abs=0.04)
    assert (rows["floor"] == rows["ward"].replace_strict({"heart": 4, "skin": 1, "eye": 1})).all()
    assert (rows.select(f"is_{k}" for k in range(3)).sum_horizontal() == 1).all()


@pytest.mark.parametrize(
    "where",
    [
        "age >= 60 and ward in ('skin', 'eye')",
        "floor = 1 and cost > 300.5 and cost < 700",
        "is_0 = 0 and cost is null",
        "first >= '1971-01-01' and last < '1971-05-01' and first < last",
        "age > 50 or ward = 'eye'",
    ],
)
def test_every_row_is_as_asked(model: Model, where: str) -> None:
    rows = model.sample(300, where=where, seed=3).frame
    assert rows.height == 300
    assert rows.schema == stays(10).schema
    assert condition_of(where).truth(rows).all(ignore_nulls=False)
    assert rows["number"].n_unique() == 300


@pytest.mark.parametrize("where", ["ward = 'eye' and cost > 350", "age > 55 and cost < 1200"])
def test_rows_are_those_that_the_model_would_make_by_itself(model: Model, where: str) -> None:
    every = model.sample(8_000, seed=5).frame
    wanted = every.filter(condition_of(where).truth(every))
    found = model.sample(1_500, where=where, seed=6).frame
    for column in ("age", "cost", "last"):
        a, b = (np.sort(f[column].drop_nulls().to_physical().to_numpy().astype(float)) for f in (wanted, found))
        grid = np.concatenate([a, b])
        gap = np.abs(np.searchsorted(a, grid, "right") / len(a) - np.searchsorted(b, grid, "right") / len(b)).max()
        # At least 600 rows and 1,500: Kolmogorov's distance passes 0.1 once in 2,000 times.
        assert len(a) > 600
        assert gap < 0.12, column


def test_given_cells_stay_and_the_others_go_with_them(model: Model) -> None:
    given = pl.DataFrame({"ward": ["heart", "skin"] * 500, "age": [70, None, None, None] * 250})
    rows = model.sample(given=given, seed=2).frame
    assert (rows["ward"] == given["ward"]).all()
    assert (rows["age"].gather_every(4) == 70).all()
    assert (rows["floor"] == rows["ward"].replace_strict({"heart": 4, "skin": 1})).all()
    costs = dict(rows.group_by("ward").agg(pl.col("cost").log().mean()).iter_rows())
    assert costs["heart"] - costs["skin"] == pytest.approx(1.5, abs=0.35)
    some = model.sample(given=pl.DataFrame({"floor": [4, 1] * 100}), where="cost > 400", seed=1).frame
    assert some["floor"].to_list() == [4, 1] * 100
    assert (some["cost"] > 400).all()


def test_rows_are_the_same_bytes_whatever_the_threads(model: Model) -> None:
    alone = model.sample(2_500, seed=4).frame
    with threads(3):
        assert model.sample(2_500, seed=4, workers=2).frame.equals(alone)
    with threads(1):
        assert model.sample(2_500, seed=4).frame.equals(alone)


# The transformer's density


def test_the_density_of_categories_sums_to_1() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.choice(["x", "y", "z"], 300), "b": rng.choice(["u", "v"], 300)})
    frame = frame.with_columns(c=pl.when(pl.col("a") == "x").then(pl.lit("p")).otherwise(pl.col("b")))
    learned = Transformer(epochs=6).fit(Dataset.of(frame, name="t"), rng=rng)
    every = frame.select(pl.col("a").unique().sort().implode(), pl.col("b").unique().sort().implode())
    every = every.explode("a").explode("b").join(frame.select(pl.col("c").unique().sort()), how="cross")
    assert np.exp(learned.log_prob(Dataset.of(every, name="t"))).sum() == pytest.approx(1, abs=1e-4)


def test_an_odd_row_is_less_likely_and_its_cells_sum_to_it(transformer: Model) -> None:
    fresh = stays(500, seed=9)
    usual = transformer.log_prob(fresh)
    odd = transformer.log_prob(fresh.filter(pl.col("ward") == "skin").with_columns(cost=pl.lit(4000.0)))
    assert np.median(odd) < np.quantile(usual, 0.1)
    cells = transformer.log_prob_cells(fresh)
    np.testing.assert_allclose(cells.sum_horizontal().to_numpy(), usual, atol=1e-6)
    assert (cells["number"] == 0).all()


def test_a_density_of_rows_is_higher_than_that_of_columns_alone(transformer: Model) -> None:
    fresh = stays(1_000, seed=8)
    mixed = fresh.with_columns(pl.col("ward").shuffle(1), pl.col("last").shuffle(2))
    assert np.mean(transformer.log_prob(fresh)) > np.mean(transformer.log_prob(mixed)) + 1


def test_a_device_that_is_not_there_is_refused_in_a_sentence() -> None:
    if torch.cuda.is_available():
        pytest.skip("There is an accelerator here.")
    with pytest.raises(ModelError, match="there is none that torch can use"):
        cuvee.fit(stays(50), {"transformer": {"device": "cuda"}}, seed=1)
