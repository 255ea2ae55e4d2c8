"""Missing cells are filled with what goes with the rest of the row, and nothing that is known changes."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import cuvee
from cuvee.core import Model
from cuvee.data.errors import CuveeError, ModelError
from cuvee.numeric.pooling import pooled

SPECS: dict[str, Any] = {
    "trees": {"trees": {"orders": 4, "rounds": 10, "rate": 0.5}},
    "circuit": {"circuit": {"states": 24}},
}


def people(n: int = 1_500, seed: int = 0) -> pl.DataFrame:
    """Whole rows: heights and weights that go together, by sex; incomes; days; names."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], n)
    height = (165 + 13 * (sex == "m") + rng.normal(0, 6, n)).round(1)
    return pl.DataFrame(
        {
            "number": [f"P{k:06}" for k in range(n)],
            "sex": sex,
            "height": height,
            "weight": (height - 100 + rng.normal(0, 5, n)).round(1),
            "income": np.exp(10 + 0.5 * rng.normal(size=n)).round(-2),
            "children": rng.integers(0, 4, n),
            "married": rng.random(n) < 0.5,
            "joined": pl.Series(rng.integers(0, 4_000, n)).cast(pl.Int32).cast(pl.Date),
        }
    )


def broken(whole: pl.DataFrame, share: float = 0.2, seed: int = 1) -> pl.DataFrame:
    """The same with cells missing at random."""
    rng = np.random.default_rng(seed)
    return whole.select(
        pl.Series(s.name, s).set(pl.Series(rng.random(len(s)) < share), None) for s in whole.iter_columns()
    )


def same_where_known(made: pl.DataFrame, data: pl.DataFrame) -> bool:
    """Whether every cell that data have is in what was made, in the same place and dtype."""
    kept = all(made[c].filter(data[c].is_not_null()).equals(data[c].drop_nulls()) for c in data.columns)
    return kept and made.schema == data.schema


@pytest.fixture(scope="module")
def data() -> pl.DataFrame:
    return broken(people())


@pytest.fixture(scope="module", params=SPECS)
def model(request: pytest.FixtureRequest, data: pl.DataFrame) -> Model:
    return cuvee.fit(data, SPECS[request.param], seed=1)


@pytest.fixture(scope="module")
def circuit(data: pl.DataFrame) -> Model:
    return cuvee.fit(data, SPECS["circuit"], seed=1)


@pytest.mark.parametrize("how", ["draw", "best"])
def test_what_is_known_stays_and_all_else_is_filled(model: Model, data: pl.DataFrame, how: Any) -> None:
    shuffled = data.select(reversed(data.columns)).cast({"sex": pl.Categorical})
    made = model.impute(shuffled, how=how, seed=3).frame
    assert same_where_known(made, shuffled)
    assert made["number"].equals(data["number"]), "ids are made up only where they are named"
    assert made.drop("number").null_count().sum_horizontal().item() == 0
    assert set(made["income"].to_list()) <= {k * 100.0 for k in range(5_000)}, "values are on their column's grid"
    whole = data.drop_nulls()
    assert model.impute(whole, how=how).frame.equals(whole)


def test_only_what_is_named_is_filled(model: Model, data: pl.DataFrame) -> None:
    made = model.impute(data, columns=["weight", "number"], seed=1).frame
    assert made["weight"].null_count() == made["number"].null_count() == 0
    others = [c for c in data.columns if c not in {"weight", "number"}]
    assert made.select(others).equals(data.select(others))
    assert same_where_known(made, data)


def test_not_a_number_is_missing(circuit: Model, data: pl.DataFrame) -> None:
    holes = data.with_columns(pl.col("height").fill_null(float("nan")))
    made = circuit.impute(holes, columns=["height"], seed=1).frame
    assert not made["height"].is_nan().any()
    assert made.equals(circuit.impute(data, columns=["height"], seed=1).frame)
    kept = circuit.impute(holes, columns=["sex"], seed=1).frame
    assert kept["height"].is_nan().sum() == data["height"].null_count()


def test_the_same_seed_gives_the_same_bytes(model: Model, data: pl.DataFrame) -> None:
    one, again = (model.impute(data, seed=5, workers=k).frame for k in (1, 2))
    other = model.impute(data, seed=6).frame
    assert one.equals(again)
    assert not one.equals(other)


def test_draws_are_stacked_copies_that_differ(model: Model, data: pl.DataFrame) -> None:
    made = model.impute(cuvee.Dataset.of(data).keyed(["number"]), draws=3, seed=1)
    assert made.frame.columns == ["draw", *data.columns]
    assert made.meaning.key == ("draw", "number")
    copies = [f.drop("draw") for f in made.frame.partition_by("draw", maintain_order=True)]
    assert len(copies) == 3
    assert all(same_where_known(c, data) for c in copies)
    blank = data["height"].is_null()
    assert (copies[0]["height"].filter(blank) != copies[1]["height"].filter(blank)).mean() > 0.8


def test_other_columns_and_pandas_pass_through(circuit: Model, data: pl.DataFrame) -> None:
    more = data.with_row_index("line").with_columns(note=pl.lit("as it was"))
    made = circuit.impute(more, seed=1).frame
    assert made.select("line", "note").equals(more.select("line", "note"))
    assert made.select(data.columns).equals(circuit.impute(data, seed=1).frame)


@pytest.mark.parametrize("kind", SPECS)
def test_planted_dependence_is_recovered(kind: str) -> None:
    rng = np.random.default_rng(2)
    n = 4_000
    x = rng.normal(size=n)
    y = 2 * x + rng.normal(size=n)
    z = np.where(x > 0, "up", "down")
    gone = rng.random(n) < np.where(x > 0, 0.5, 0.1)  # missing at random: by what is known
    data = pl.DataFrame({"y": pl.Series(y).set(pl.Series(gone), None), "z": z, "x": x})
    model = cuvee.fit(data, {"trees": {"orders": 4}} if kind == "trees" else "circuit", seed=1)
    made = model.impute(data, draws=5, seed=1).frame
    drawn = made.filter(pl.Series(np.tile(gone, 5)))
    # About 1,200 cells that were missing and as many residuals: standard error of a mean 0.03, of a slope 0.05. The
    # circuit knows x and y as mixtures of few states: it flattens the tails, and spreads more than it should.
    off = 0.2 if kind == "trees" else 0.45
    slope, level = np.polyfit(drawn["x"], drawn["y"], 1)
    spread = float(np.std(drawn["y"].to_numpy() - 2 * drawn["x"].to_numpy()))
    assert slope == pytest.approx(2, abs=off)
    assert level == pytest.approx(0, abs=0.2)
    assert spread == pytest.approx(1, abs=off)
    # The known cells alone are off by 0.6, as most of what is missing is large.
    assert made["y"].mean() == pytest.approx(float(y.mean()), abs=0.12)
    assert abs(float(data["y"].mean()) - float(y.mean())) > 0.4  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("kind", SPECS)
def test_ninety_percent_of_true_values_lie_in_ninety_percent_of_draws(kind: str) -> None:
    rng = np.random.default_rng(3)
    n, d = 3_000, 4
    mix = np.linalg.cholesky(0.6 * np.ones((d, d)) + 0.4 * np.eye(d))
    whole = pl.DataFrame(rng.normal(size=(n, d)) @ mix.T, schema=list("abcd"))
    data = broken(whole)
    model = cuvee.fit(data, {"trees": {"orders": 4}} if kind == "trees" else "circuit", seed=1)
    draws = [f.drop("draw") for f in model.impute(data, draws=40, seed=1).frame.partition_by("draw")]
    held = []
    for c in whole.columns:
        blank = data[c].is_null()
        low, high = np.quantile([f[c].filter(blank) for f in draws], [0.05, 0.95], axis=0, method="hazen")
        true = whole[c].filter(blank).to_numpy()
        held.append((low <= true) & (true <= high))
    # 2,400 cells: a share of 0.90 has a standard error of 0.006. Limits of 0.03 are passed by chance alone once in a
    # million; what is left of them is for what the model has to learn.
    assert float(np.mean(np.concatenate(held))) == pytest.approx(0.9, abs=0.03)


def test_the_best_value_is_nearer_than_a_draw(model: Model, data: pl.DataFrame) -> None:
    whole = people()
    draw, best = (model.impute(data, how=how, seed=1).frame for how in ("draw", "best"))
    for c in ("height", "weight", "income"):
        # Errors of about 300 cells; the gap between draws and medians is about 40 % of them, its standard error 5 %.
        blank = data[c].is_null()
        far = [(f[c].filter(blank) - whole[c].filter(blank)).abs().mean() for f in (draw, best)]
        assert far[1] < 0.9 * far[0], c  # pyright: ignore[reportOptionalOperand, reportOperatorIssue]
    blank = data["sex"].is_null()
    wrong = [(f["sex"].filter(blank) != whole["sex"].filter(blank)).mean() for f in (draw, best)]
    assert wrong[1] < wrong[0]  # pyright: ignore[reportOptionalOperand, reportOperatorIssue]


def test_other_rows_than_those_of_training_are_filled(model: Model) -> None:
    fresh = broken(people(400, seed=9), seed=4)
    made = model.impute(fresh, seed=1).frame
    assert same_where_known(made, fresh)
    assert made.drop("number").null_count().sum_horizontal().item() == 0


@pytest.mark.parametrize("kind", SPECS)
def test_known_cells_that_contradict_each_other_stay(kind: str) -> None:
    rng = np.random.default_rng(5)
    which = rng.choice(3, 600)
    flags = pl.DataFrame({f"is_{k}": (which == k).astype(int) for k in range(3)} | {"v": rng.normal(size=600)})
    model = cuvee.fit(flags, SPECS[kind], seed=1)
    odd = pl.DataFrame({"is_0": [1, 0, 1], "is_1": [1, 0, None], "is_2": [None, 0, None], "v": [None, 0.5, 1.0]})
    made = model.impute(odd, seed=1).frame
    assert same_where_known(made, odd)
    assert made.null_count().sum_horizontal().item() == 0
    assert made.row(2)[:3] == (1, 0, 0)


# What can't be


def test_the_impossible_is_refused_in_a_sentence(circuit: Model, data: pl.DataFrame) -> None:
    with pytest.raises(ModelError, match=r"no column 'hight' to fill. Did you mean 'height'"):
        circuit.impute(data, columns=["hight"])
    with pytest.raises(ModelError, match=r"lack 'height'"):
        circuit.impute(data.drop("height"))
    with pytest.raises(ModelError, match=r"'height' .* is String, and Float64 in the model"):
        circuit.impute(data.cast({"height": pl.String}))
    with pytest.raises(ModelError, match="0 draws were asked for"):
        circuit.impute(data, draws=0)
    with pytest.raises(ModelError, match="one best value of a cell, and 5 draws"):
        circuit.impute(data, draws=5, how="best")
    with pytest.raises(ModelError, match="how is 'mean'"):
        circuit.impute(data, how="mean")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="The seed is -1"):
        circuit.impute(data, seed=-1)
    with pytest.raises(ModelError, match=r"numbered in a column 'draw', and table .* has one"):
        circuit.impute(data.with_columns(draw=pl.lit(1)), draws=2)


def test_a_column_without_any_value_is_left_or_refused() -> None:
    data = broken(people(300)).with_columns(empty=pl.lit(None, pl.Float64))
    model = cuvee.fit(data, SPECS["circuit"], seed=1)
    assert model.impute(data, seed=1).frame["empty"].null_count() == 300
    with pytest.raises(ModelError, match="'empty' had no values when the model was fitted"):
        model.impute(data, columns=["empty"])


# The verb, the command and the step


def test_the_verb_learns_the_table_itself(data: pl.DataFrame, tmp_path: Path) -> None:
    small = data.head(400)
    made = cuvee.impute(small, synthesizer=SPECS["circuit"], rounds=1, seed=2)
    model = cuvee.fit(small, SPECS["circuit"], seed=2)
    assert made.frame.equals(model.impute(small, seed=2).frame)
    twice = cuvee.impute(small, time_budget=5, columns=["sex", "height"], seed=2).frame
    assert same_where_known(twice, small)
    assert twice.select("sex", "height").null_count().sum_horizontal().item() == 0
    with pytest.raises(CuveeError, match="0 rounds were asked for"):
        cuvee.impute(small, rounds=0)
    model.save(tmp_path / "model")
    small.write_parquet(tmp_path / "small.parquet")
    assert cuvee.impute(tmp_path / "small.parquet", tmp_path / "model", seed=2).frame.equals(made.frame)
    with pytest.raises(CuveeError):
        cuvee.impute(small, tmp_path / "small.parquet")


def test_the_command_and_the_step_give_what_python_gives(
    data: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cuvee.cli import call

    monkeypatch.chdir(tmp_path)
    small = data.head(400)
    small.write_parquet("small.parquet")
    model = cuvee.fit("small.parquet", SPECS["circuit"], seed=1)
    model.save("model")
    words = ["--model", "model", "--columns", "height,sex", "--draws", "2", "--seed", "4"]
    assert call(["impute", "small.parquet", "-o", "made.parquet", *words]) == 0
    wanted = model.impute(small, columns=["height", "sex"], draws=2, seed=4).frame
    assert pl.read_parquet("made.parquet").equals(wanted)
    assert call(["impute", "small.parquet", "-o", "made.parquet", "--model", "model", "--best"]) == 0
    assert pl.read_parquet("made.parquet").equals(model.impute(small, how="best").frame)
    Path("recipe.yaml").write_text(
        "version: 1\n"
        "sources: {small: {path: small.parquet}}\n"
        "steps:\n"
        "  model: {fit: small, synthesizer: {circuit: {states: 24}}, seed: 1}\n"
        "  whole: {impute: small, model: model, columns: [height, sex], draws: 2, seed: 4, save: whole.parquet}\n",
        "utf-8",
    )
    assert call(["run", "recipe.yaml"]) == 0
    assert pl.read_parquet("whole.parquet").equals(wanted)


# Pooling


def test_rubins_rules_by_hand() -> None:
    # Mean 10; within (4 + 5 + 6) / 3 = 5; between 1; total 5 + 4/3; missing 4/19, so 2 * (19/4)^2 = 45.125 degrees.
    one = pooled([9, 10, 11], [4, 5, 6])
    assert one.estimate == 10
    assert one.variance == pytest.approx(19 / 3)
    assert one.freedom == pytest.approx(45.125)
    # The 97.5 % point of t with 45.125 degrees of freedom is 2.01396.
    assert one.high - one.estimate == pytest.approx(2.01396 * np.sqrt(19 / 3), rel=1e-4)
    # Complete data with 20 degrees: seen (21 / 23) * 20 * 15/19 = 14.4165; 1 / (1/45.125 + 1/14.4165) = 10.9260.
    few = pooled([9, 10, 11], [4, 5, 6], n=20)
    assert few.freedom == pytest.approx(10.926, abs=1e-3)
    assert few.low < one.low
    assert pooled([1, 1], [2, 2]).freedom == np.inf
    with pytest.raises(ValueError, match="two or more copies"):
        pooled([1], [1])


def test_pooled_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    n, m, times = 40, 5, 4_000
    held = 0
    for _ in range(times):
        # Half of a normal sample is missing; copies are drawn from what the other half allows, its errors included.
        seen = rng.normal(size=n // 2)
        variance = seen.var(ddof=1) * (n / 2 - 1) / rng.chisquare(n / 2 - 1, m)
        mean = seen.mean() + np.sqrt(variance / (n / 2)) * rng.normal(size=m)
        made = mean[:, None] + np.sqrt(variance)[:, None] * rng.normal(size=(m, n // 2))
        copies = np.concatenate([np.tile(seen, (m, 1)), made], axis=1)
        one = pooled(copies.mean(axis=1).tolist(), (copies.var(axis=1, ddof=1) / n).tolist(), n=n - 1)
        held += one.low <= 0 <= one.high
    # 4,000 intervals of 95 %: standard error 0.0035. Rubin's rules are right to about a percent with 5 copies.
    assert held / times == pytest.approx(0.95, abs=0.02)
