"""Synthesizers of one table: planted dependence comes back, margins and nulls stay, and nothing odd breaks them."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

import cuvee
from cuvee.core import BLOCK, Model, Synthesizer
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.data.kinds import plain_kind
from cuvee.data.schema import Column, Schema, Table
from cuvee.synthesis.tabular.auto import Auto, AutoLearned
from cuvee.synthesis.tabular.copula import Copula
from cuvee.synthesis.tabular.independent import Independent

SPECS: list[Synthesizer] = [Independent(), Copula(), Auto()]


def dataset(frame: pl.DataFrame, **kinds: Any) -> Dataset:
    """One table whose kinds are plain, but for those given; text is a category."""
    columns = {
        c: Column(kind=kinds.get(c, "category" if t == pl.String else plain_kind(t))) for c, t in frame.schema.items()
    }
    return Dataset({"data": frame}, Schema(tables={"data": Table(columns=columns)}))


def fit(spec: Synthesizer, data: Dataset, seed: int = 0) -> Model:
    learned = spec.fit(data, rng=np.random.default_rng(seed))
    return Model("x", spec, data.schema, {"data": data.frame.height}, seed, learned, learned.notes())


def mixed_table(n: int = 4000, seed: int = 0) -> pl.DataFrame:
    """Numbers, categories without order, flags and block-wise nulls, all depending on two hidden causes."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n), rng.normal(size=n)
    income = np.exp(10 + 0.6 * a + 0.3 * rng.normal(size=n)).round(-2)
    age = np.clip(np.rint(45 + 15 * (0.5 * a + 0.8 * b)), 18, 90).astype(int)
    job = np.array(["z clerk", "a chief", "m temp"])[np.digitize(a + 0.5 * rng.normal(size=n), [-0.5, 0.8])]
    gone = b + 0.5 * rng.normal(size=n) > 1
    frame = pl.DataFrame(
        {"income": income, "age": age, "job": job, "rich": income > 30_000, "b": b, "c": b + rng.normal(size=n)}
    )
    hidden = pl.Series(gone)
    return frame.with_columns(
        pl.when(~hidden).then(pl.col("b")).alias("b"),
        pl.when(~hidden).then(pl.col("c")).alias("c"),
    )


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: type(s).__name__)
def test_the_schema_survives_and_the_same_seed_gives_the_same_bytes(spec: Synthesizer) -> None:
    data = dataset(mixed_table(500))
    one, two = fit(spec, data, seed=3), fit(spec, data, seed=3)
    made = one.sample(700, seed=5)
    assert made.frame.schema == data.frame.schema
    assert made.schema == data.schema
    assert made.frame.height == 700
    assert made.frame.equals(two.sample(700, seed=5).frame, null_equal=True)
    assert not made.frame.equals(one.sample(700, seed=6).frame, null_equal=True)
    assert one.sample(0).frame.schema == data.frame.schema


def test_a_block_made_alone_is_the_block_of_the_whole() -> None:
    frame = pl.DataFrame({"id": range(300), "x": np.random.default_rng(0).normal(size=300)})
    model = fit(Copula(), dataset(frame, id="id"))
    whole = model.sample(BLOCK + 500, seed=1).frame
    rng = np.random.default_rng(np.random.SeedSequence(1, spawn_key=(1,)))
    alone = model.learned.sample(500, start=BLOCK, rng=rng)["data"]
    assert whole[BLOCK:].equals(alone)
    assert whole["id"].n_unique() == BLOCK + 500


def test_planted_correlations_come_back() -> None:
    rng = np.random.default_rng(0)
    planted = np.array([[1, 0.8, -0.5], [0.8, 1, -0.3], [-0.5, -0.3, 1]])
    z = rng.multivariate_normal(np.zeros(3), planted, 20_000)
    frame = pl.DataFrame({"a": np.exp(z[:, 0]), "b": z[:, 1].round(2), "c": z[:, 2] ** 3})
    made = fit(Copula(), dataset(frame)).sample(20_000, seed=1).frame
    found = np.corrcoef(np.column_stack([made[c].rank().to_numpy() for c in made.columns]).T)
    expected = 6 / np.pi * np.arcsin(planted / 2)
    # Two samples of 20,000: the standard error of the difference of rank correlations is 0.01; 0.04 is four of them.
    assert np.abs(found - expected).max() < 0.04


def test_dependence_between_flags_and_categories_is_not_weakened() -> None:
    frame = mixed_table(20_000)
    made = fit(Copula(), dataset(frame)).sample(20_000, seed=1).frame
    # Differences of two shares of 20,000 rows in groups of at least 4,000: standard error at most 0.011.
    for job in ("z clerk", "a chief", "m temp"):
        share = [f.filter(pl.col("job") == job)["rich"].mean() for f in (frame, made)]
        assert share[0] == pytest.approx(share[1], abs=0.06)  # the copula itself is an approximation here
    real, synthetic = (f["income"].rank().to_numpy() for f in (frame, made))
    ages = [np.corrcoef(r, f["age"].to_numpy())[0, 1] for r, f in ((real, frame), (synthetic, made))]
    assert ages[0] == pytest.approx(ages[1], abs=0.04)


def test_nulls_stay_together_and_keep_their_dependence() -> None:
    frame = mixed_table(20_000)
    made = fit(Copula(), dataset(frame)).sample(20_000, seed=1).frame
    assert (made["b"].is_null() == made["c"].is_null()).all()
    assert made["b"].null_count() / 20_000 == pytest.approx(frame["b"].null_count() / 20_000, abs=0.02)
    by_age = [
        f.group_by(pl.col("age") > 55).agg(pl.col("b").is_null().mean()).sort("age")["b"].to_list()
        for f in (frame, made)
    ]
    assert by_age[0] == pytest.approx(by_age[1], abs=0.05)
    assert by_age[0][1] - by_age[0][0] > 0.2


def test_nested_nulls_stay_nested() -> None:
    rng = np.random.default_rng(0)
    stage = rng.integers(0, 4, 5000)
    frame = pl.DataFrame({f"s{j}": rng.normal(size=5000) for j in range(3)}).with_columns(
        pl.when(pl.Series(stage > j)).then(pl.col(f"s{j}")).alias(f"s{j}") for j in range(3)
    )
    made = fit(Copula(), dataset(frame)).sample(5000).frame
    for j in range(2):
        assert not (made[f"s{j}"].is_null() & made[f"s{j + 1}"].is_not_null()).any()
    # Shares of 5,000 rows twice: four standard errors are 0.04.
    assert [s.null_count() / 5000 for s in made] == pytest.approx([s.null_count() / 5000 for s in frame], abs=0.04)


def test_columns_that_settle_each_other_do_so_in_every_row() -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 12, 3000)
    frame = pl.DataFrame(
        {"code": code, "name": [f"n{(7 * c) % 12}" for c in code], "group": [f"g{c // 4}" for c in code]}
    )
    frame = frame.with_columns(again=pl.col("code"), noise=pl.Series(rng.normal(size=3000)))
    model = fit(Copula(), dataset(frame))
    made = model.sample(3000).frame
    real = {tuple(r) for r in frame.drop("noise").iter_rows()}
    assert {tuple(r) for r in made.drop("noise").iter_rows()} <= real
    assert sum("every row" in note for note in model.notes) == 3


def test_a_function_of_few_rows_is_not_believed() -> None:
    frame = pl.DataFrame({"a": ["x", "y"] * 10, "b": ["u"] * 19 + ["v"]})
    assert not any("follows" in note for note in fit(Copula(), dataset(frame)).notes)


def test_independent_columns_are_independent() -> None:
    made = fit(Independent(), dataset(mixed_table())).sample(20_000).frame
    # 20,000 rows: the standard error is 0.007.
    assert np.corrcoef(made["income"].rank().to_numpy(), made["age"].to_numpy())[0, 1] == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"a": [1.5]}),
        pl.DataFrame({"a": [1, 2], "b": ["x", None]}),
        pl.DataFrame({"a": [7] * 200, "b": ["k"] * 200}),
        pl.DataFrame({"a": [None] * 150, "b": pl.Series([None] * 150, dtype=pl.Datetime("us")), "c": range(150)}),
        pl.DataFrame({"a": [float("inf"), float("-inf"), float("nan"), 1.0, 2.0] * 40}),
        pl.DataFrame({"a": [1e308, -1e308, 0.0] * 60}),
        pl.DataFrame({"a": [f"c{j}" for j in range(10_000)] * 2}),
        pl.DataFrame({"a": [[1], [2]] * 60, "b": [{"x": 1}, {"x": None}] * 60}),
        pl.DataFrame({"a": [True, False, None] * 50, "_origin": [1] * 150, 'with "quote"\n.': [2] * 150}),
        pl.DataFrame({"a": [b"x"] * 120, "n": [None, 1.0] * 60}),
    ],
    ids=["one row", "two rows", "constant", "all null", "infinite", "enormous", "10k", "nested", "names", "bytes"],
)
def test_odd_tables_get_an_answer(spec: Synthesizer, frame: pl.DataFrame) -> None:
    data = dataset(frame)
    model = fit(spec, data)
    made = model.sample(130).frame
    assert made.schema == frame.schema
    assert made.height == 130
    json.dumps(model.learned.state()[0], allow_nan=False)


def test_five_hundred_columns_get_an_answer() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=(300, 5))
    wide = base @ rng.normal(size=(5, 500)) + rng.normal(size=(300, 500))
    made = fit(Copula(), dataset(pl.DataFrame(wide, schema=[f"c{j}" for j in range(500)]))).sample(50).frame
    assert made.shape == (50, 500)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: type(s).__name__)
def test_what_can_not_be_learned_is_refused_in_a_sentence(spec: Synthesizer) -> None:
    rng = np.random.default_rng(0)
    none = dataset(pl.DataFrame({"a": pl.Series([], dtype=pl.Int64)}))
    with pytest.raises(ModelError, match="no rows"):
        spec.fit(none, rng=rng)
    with pytest.raises(ModelError, match="no columns"):
        spec.fit(Dataset({"data": pl.DataFrame()}, Schema(tables={"data": Table(columns={})})), rng=rng)
    table = Table(columns={"a": Column(kind="number")})
    several = Dataset(
        {"p": pl.DataFrame({"a": [1]}), "q": pl.DataFrame({"a": [1]})}, Schema(tables={"p": table, "q": table})
    )
    with pytest.raises(ModelError, match=r"has 2: p, q\. Choose one"):
        spec.fit(several, rng=rng)


def test_a_key_of_one_column_never_repeats() -> None:
    frame = pl.DataFrame({"tail": [f"N{j * 37 % 9000 + 1000}" for j in range(300)], "x": [1, 2, 3] * 100})
    columns = {"tail": Column(kind="category"), "x": Column(kind="number")}
    data = Dataset({"data": frame}, Schema(tables={"data": Table(columns=columns, key=("tail",))}))
    assert fit(Copula(), data).sample(2000).frame["tail"].n_unique() == 2000


def test_log_density_prefers_real_rows_to_shuffled_ones() -> None:
    frame = mixed_table(4000).drop("b", "c")
    data = dataset(frame)
    rng = np.random.default_rng(0)
    shuffled = data.with_frame("data", pl.DataFrame([c.gather(rng.permutation(4000)) for c in frame]))
    copula, independent = fit(Copula(), data), fit(Independent(), data)
    assert copula.log_prob(data).shape == (4000,)
    assert np.mean(copula.log_prob(data)) > np.mean(copula.log_prob(shuffled)) + 0.3
    assert np.mean(copula.log_prob(data)) > np.mean(independent.log_prob(data)) + 0.1
    assert np.mean(independent.log_prob(data)) == pytest.approx(
        np.mean(independent.log_prob(shuffled)),
        abs=0.02,  # rounded numbers at an edge fall to either side
    )


def test_the_log_density_of_a_normal_pair_is_right() -> None:
    # Minus the entropy of a bivariate normal with correlation 0.7; 5,000 rows: standard error 0.015.
    rng = np.random.default_rng(0)
    z = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 5000)
    data = dataset(pl.DataFrame({"a": z[:, 0], "b": z[:, 1]}))
    expected = -np.log(2 * np.pi * np.e) - 0.5 * np.log(1 - 0.49)
    assert np.mean(fit(Copula(), data).log_prob(data)) == pytest.approx(expected, abs=0.08)


def test_auto_takes_the_trees_where_there_is_dependence_and_says_why() -> None:
    model = fit(Auto(), dataset(mixed_table(3000)))
    assert isinstance(model.learned, AutoLearned)
    assert model.learned.choice == "trees"
    assert "pair error" in model.notes[0]
    alone = fit(Auto(candidates=("independent",)), dataset(mixed_table(300)))
    assert isinstance(alone.learned, AutoLearned)
    assert alone.learned.choice == "independent"
    few = fit(Auto(), dataset(mixed_table(50)))
    assert "too few to compare" in few.notes[0]


def test_no_training_row_stands_in_the_state() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {"x": rng.normal(size=300), "y": [f"secret{j}" for j in range(300)], "z": rng.integers(10**9, 10**12, 300)}
    )
    for spec in SPECS:
        values, arrays = fit(spec, dataset(frame, y="text", z="id")).learned.state()
        text = json.dumps(values)
        stored = np.concatenate([np.ravel(a).astype(float) for a in arrays.values()])
        assert not any(f"secret{j}" in text for j in range(300))
        assert not np.isin(frame["x"].to_numpy(), stored).any()
        assert not np.isin(frame["z"].to_numpy().astype(float), stored).any()
        assert not any(str(v) in text for v in frame["z"].to_list())


def test_sampling_leaves_the_global_generator_alone() -> None:
    before = json.dumps(np.random.get_state(legacy=False), default=str)  # noqa: NPY002 (read only, to see that nobody wrote)
    fit(Copula(), dataset(mixed_table(200))).sample(50)
    assert json.dumps(np.random.get_state(legacy=False), default=str) == before  # noqa: NPY002


def test_a_tie_is_never_learned_from_few_rows():
    parent = ["rare"] * 5 + ["often"] * 395
    child = ["u1", "u2", "u3", "u4", "x"] + ["y"] * 200 + ["y"] * 195
    other = ["x"] * 200 + ["y"] * 200
    data = pl.DataFrame({"p": parent, "c": child, "o": other})
    model = cuvee.fit(data, "copula", seed=1)
    assert not [n for n in model.notes if "'c'" in n and "follows" in n]


def test_what_one_row_says_is_not_learned():
    rng = np.random.default_rng(4)
    x = rng.normal(size=500)
    flag = np.arange(500) == int(np.argmax(x))
    made = cuvee.fit(pl.DataFrame({"x": x, "flag": flag}), "copula", seed=1).sample(100_000, seed=1).frame
    # The mean of x where the flag is set is that of x: 200 flags, so six standard errors are 0.45.
    assert abs(made.filter("flag")["x"].mean()) < 0.45
    lone = pl.DataFrame({"x": [float("inf"), *x[1:]]})
    assert cuvee.fit(lone, "copula").sample(20_000).frame["x"].is_finite().all()


def test_a_key_that_samples_repeat_is_not_claimed():
    from datetime import date, timedelta

    days = [date(2020, 1, 1) + timedelta(days=i) for i in range(400)]
    data = Dataset.of(pl.DataFrame({"day": days, "x": np.arange(400.0)}))
    model = cuvee.fit(data, "copula")
    made = model.sample(2000)
    if made.frame["day"].n_unique() < 2000:
        assert made.meaning.key != ("day",)


def test_the_key_stays_a_key_when_another_column_is_left_out():
    data = Dataset.of(pl.DataFrame({"id": [f"A{i:05}" for i in range(300)], "x": np.arange(300.0), "z": np.ones(300)}))
    assert data.meaning.key == ("id",)
    made = cuvee.fit(data, "copula", exclude=["z"]).sample(5000)
    assert made.frame["id"].n_unique() == 5000
    assert made.meaning.key == ("id",)
