"""Rows that are asked for: every one as asked, as the model itself would have them, or a sentence why not."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import cuvee
from cuvee.core import Event, Model
from cuvee.data.conditions_text import condition_of
from cuvee.data.errors import CuveeError, ModelError, SchemaError

SPECS: dict[str, Any] = {
    "trees": {"trees": {"orders": 4, "rounds": 10, "rate": 0.5}},
    "circuit": {"circuit": {"states": 24}},
    "copula": "copula",
    "independent": "independent",
}


def clinic(n: int = 4_000, seed: int = 0) -> pl.DataFrame:
    """Ages, stays, wards that settle floors, flags of which one is up, a copy of the age, costs with nulls, names."""
    rng = np.random.default_rng(seed)
    age = np.clip(rng.normal(50, 18, n), 0, 100).round().astype(int)
    ward = np.where(rng.random(n) < age / 130, "heart", rng.choice(["skin", "eye", "bone"], n))
    cost = np.exp(6 + (ward == "heart") * 1.5 + 0.4 * rng.normal(size=n)).round(2)
    first = pl.Series(rng.integers(0, 700, n)).cast(pl.Int32).cast(pl.Date)
    kind = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    return pl.DataFrame(
        {
            "number": [f"P{k:06}" for k in range(n)],
            "age": age,
            "age_again": age,
            "ward": ward,
            "floor": pl.Series(ward).replace_strict({"heart": 4, "skin": 1, "eye": 1, "bone": 2}),
            "cost": pl.Series(cost).set(pl.Series(rng.random(n) < 0.2), None),
            "first": first,
            "last": first.dt.offset_by("1d").to_frame("d").select(
                pl.col("d") + pl.duration(days=pl.Series(rng.poisson(2 + 4 * (ward == "heart"))))
            ).to_series(),
            **{f"is_{k}": (kind == k).astype(int) for k in range(3)},
        }
    )  # fmt: skip


@pytest.fixture(scope="module", params=SPECS)
def model(request: pytest.FixtureRequest) -> Model:
    return cuvee.fit(clinic(), SPECS[request.param], seed=1)


@pytest.fixture(scope="module")
def trees() -> Model:
    return cuvee.fit(clinic(), SPECS["trees"], seed=1)


CONDITIONS = [
    "age >= 60 and ward in ('skin', 'eye')",
    "age_again between 30 and 33",
    "floor = 1 and cost > 500.5 and cost < 700",
    "cost is null and is_1 = 1",
    "ward != 'heart' and not (age < 20 or age > 40)",
    "is_0 = 0",
    "last > first",
    "first >= '1971-01-01' and last < '1971-03-01' and first < last",
    "age > 50 or ward = 'eye'",
    "number is not null",
    "cost > 1000 or cost is null",
    "age > cost or age is null or cost is null",
]


@pytest.mark.parametrize("where", CONDITIONS)
def test_every_row_is_as_asked(model: Model, where: str) -> None:
    rows = model.sample(1_000, where=where, seed=3).frame
    assert rows.height == 1_000
    assert rows.schema == clinic(10).schema
    assert condition_of(where).truth(rows).all(ignore_nulls=False)
    assert rows["number"].n_unique() == 1_000
    assert rows.equals(model.sample(1_000, where=where, seed=3, workers=2).frame)


@pytest.mark.parametrize("where", [*CONDITIONS[:6], *CONDITIONS[-2:]])
@pytest.mark.parametrize("kind", ["trees", "circuit", "copula"])
def test_rows_are_those_that_the_model_would_make_by_itself(kind: str, where: str) -> None:
    model = cuvee.fit(clinic(), SPECS[kind], seed=1)
    every = model.sample(150_000, seed=5).frame
    wanted = every.filter(condition_of(where).truth(every))
    found = model.sample(6_000, where=where, seed=6).frame
    for column in ("age", "ward", "cost", "last", "is_2"):
        one, other = (f[column] for f in (wanted, found))
        if one.dtype in {pl.String, pl.Int64} and one.n_unique() < 8:
            for value in one.unique().to_list():
                # At least 1,000 rows that are wanted and 6,000 found: standard error of a share 0.017.
                assert (one == value).mean() == pytest.approx((other == value).mean(), abs=0.07), (column, value)
            continue
        assert one.null_count() / len(one) == pytest.approx(other.null_count() / len(other), abs=0.07)
        a, b = (np.sort(s.drop_nulls().to_physical().to_numpy().astype(float)) for s in (one, other))
        if len(a) and len(b):
            grid = np.concatenate([a, b])
            gap = np.abs(np.searchsorted(a, grid, "right") / len(a) - np.searchsorted(b, grid, "right") / len(b)).max()
            # Kolmogorov's distance of 1,000 and 6,000 rows passes 0.06 once in 250; candidates are not independent.
            assert gap < 0.09, column


def test_what_is_rare_is_made_as_readily(trees: Model) -> None:
    where = "age > 95 and ward = 'skin' and is_2 = 1 and cost < 300"
    notes: list[Event] = []
    rows = trees.sample(3_000, where=where, seed=1, watch=notes.append).frame
    assert condition_of(where).truth(rows).all(ignore_nulls=False)
    assert any(e.step == "asked" and e.note.startswith("drawn as asked") for e in notes)
    assert rows["first"].n_unique() > 300


# Given cells


@pytest.mark.parametrize("kind", ["trees", "circuit"])
def test_given_cells_stay_and_the_others_go_with_them(kind: str) -> None:
    model = cuvee.fit(clinic(), SPECS[kind], seed=1)
    given = pl.DataFrame({"ward": ["heart", "skin"] * 1_500, "age": [70, None, None] * 1_000})
    rows = model.sample(given=given, seed=2).frame
    assert rows.height == 3_000
    assert (rows["ward"] == given["ward"]).all()
    known = given["age"].is_not_null()
    assert (rows["age"].filter(known) == 70).all()
    assert (rows["age"] == rows["age_again"]).all()
    assert (rows["floor"] == rows["ward"].replace_strict({"heart": 4, "skin": 1})).all()
    real = clinic().filter(pl.col("ward").is_in(["heart", "skin"])).group_by("ward").agg(pl.col("cost").log().mean())
    mine = rows.group_by("ward").agg(pl.col("cost").log().mean())
    np.testing.assert_allclose(mine.sort("ward")["cost"], real.sort("ward")["cost"], atol=0.12)
    free = rows.filter(~known)
    ages = dict(free.group_by("ward").agg(pl.col("age").mean()).iter_rows())
    truth = dict(clinic().group_by("ward").agg(pl.col("age").mean()).iter_rows())
    # A thousand rows each, of a standard deviation of 18: standard error 0.6, and as much in the real rows.
    assert ages["heart"] == pytest.approx(truth["heart"], abs=3)
    assert ages["skin"] == pytest.approx(truth["skin"], abs=3)


def test_what_follows_from_a_column_says_something_of_it(trees: Model) -> None:
    rows = trees.sample(given=pl.DataFrame({"floor": [4, 1, 2] * 200, "is_2": [1, 0, None] * 200}), seed=1).frame
    wards = rows.group_by("floor").agg(pl.col("ward").unique().sort()).sort("floor")["ward"].to_list()
    assert wards == [["eye", "skin"], ["bone"], ["heart"]]
    assert (rows.select(f"is_{k}" for k in range(3)).sum_horizontal() == 1).all()
    assert (rows["is_2"].gather_every(3) == 1).all()
    assert (rows["is_2"].gather_every(3, 1) == 0).all()


def test_conditions_and_given_cells_go_together(trees: Model) -> None:
    given = pl.DataFrame({"ward": ["heart"] * 300 + ["eye"] * 300})
    rows = trees.sample(given=given, where="age > 80 and cost is not null", seed=1).frame
    assert (rows["ward"] == given["ward"]).all()
    assert (rows["age"] > 80).all()
    assert rows["cost"].null_count() == 0


def test_a_value_that_was_not_learned_stays_as_it_is_given(trees: Model) -> None:
    rows = trees.sample(given=pl.DataFrame({"ward": ["moon"] * 50, "number": [f"X{k}" for k in range(50)]}), seed=1)
    assert rows.frame["ward"].to_list() == ["moon"] * 50
    assert rows.frame["number"].to_list() == [f"X{k}" for k in range(50)]


# What can't be


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("age > 300", r"No value of column 'age' that the model knows meets: age > 300. It goes from"),
        ("ward = 'moon'", "It has .*heart"),
        ("ward = 'heart' and floor = 1", "ward = 'heart'.*floor = 1|floor = 1.*ward = 'heart'|'floor'"),
        ("number = 'P000001'", "made new for every row"),
    ],
)
def test_the_impossible_is_refused_in_a_sentence(trees: Model, where: str, why: str) -> None:
    with pytest.raises(ModelError, match=why):
        trees.sample(10, where=where)


def test_mistakes_are_said(trees: Model) -> None:
    with pytest.raises(SchemaError, match=r"There is no column .agee.\. Did you mean 'age'"):
        trees.sample(10, where="agee > 3")
    with pytest.raises(ModelError, match=r"column .sex. that table .* has not"):
        trees.sample(given=pl.DataFrame({"sex": ["f"]}))
    with pytest.raises(ModelError, match="2 of its values are no Int64"):
        trees.sample(given=pl.DataFrame({"age": ["old", "7", "young"]}))
    with pytest.raises(ModelError, match="5 rows are asked for, and 3 are given"):
        trees.sample(5, given=pl.DataFrame({"age": [1, 2, 3]}))
    with pytest.raises(ModelError, match="How many rows are wanted"):
        trees.sample()


# To files


def test_files_get_the_same_rows(trees: Model, tmp_path: Path) -> None:
    where = "age > 60"
    trees.save(tmp_path / "model")
    cuvee.sample(tmp_path / "model", 500, to=tmp_path / "rows.parquet", where=where, seed=4)
    rows = trees.sample(500, where=where, seed=4).frame
    assert pl.read_parquet(tmp_path / "rows.parquet").equals(rows)
    pl.DataFrame({"ward": ["eye"] * 40}).write_csv(tmp_path / "given.csv")
    made = cuvee.sample(tmp_path / "model", given=tmp_path / "given.csv", seed=1)
    assert made.frame["ward"].to_list() == ["eye"] * 40
    cuvee.sample(trees, 100, to=tmp_path / "parts", parts=True, where=where, seed=4)
    with pytest.raises(CuveeError):
        cuvee.sample(trees, 100, to=tmp_path / "parts", parts=True, where="age > 61", seed=4)
