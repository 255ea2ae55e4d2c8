"""The mixture of classes as a synthesizer: what it makes, its densities, and rows as asked."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from cuvee.core import Event, Model
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.synthesis.model_file import open_model
from cuvee.synthesis.tabular.mixture import Mixture, MixtureLearned


def groups(n: int, seed: int = 0) -> pl.DataFrame:
    """Three groups that differ in all columns; within a group two numbers are correlated; half the gains are 0."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n)
    x = np.array([0.0, 5.0, 10.0])[group] + rng.normal(size=n)
    y = 2 * x + 0.5 * rng.normal(size=n)
    colour = np.where(rng.random(n) < 0.9, np.array(["red", "green", "blue"])[group], rng.choice(["red", "blue"], n))
    gain = np.where(rng.random(n) < 0.5, 0.0, np.exp(group + 0.3 * rng.normal(size=n)))
    y[rng.random(n) < 0.1] = np.nan
    return pl.DataFrame({"colour": colour, "x": x, "y": y, "gain": gain}).with_columns(pl.col("y").fill_nan(None))


@pytest.fixture(scope="module")
def fitted() -> tuple[Model, Dataset]:
    data = Dataset.of(groups(3_000), name="groups")
    learned = Mixture().fit(data, rng=np.random.default_rng(1))
    return Model("mixture", Mixture(), data.schema, {"groups": 3_000}, 1, learned, learned.notes()), data


def test_dependence_spikes_and_gaps_are_made_again(fitted: tuple[Model, Dataset]) -> None:
    model, _ = fitted
    made = model.sample(20_000, seed=2).frame
    both = made.drop_nulls()
    assert np.corrcoef(both["x"], both["y"])[0, 1] > 0.99
    # Shares of 3,000 rows are known to .009 and .006.
    assert (made["gain"] == 0).mean() == pytest.approx(0.5, abs=0.04)
    assert made["y"].null_count() / 20_000 == pytest.approx(0.1, abs=0.02)
    low = made.filter(pl.col("x") < 2.5)
    assert (low["colour"] == "red").mean() == pytest.approx(0.95, abs=0.06)


def test_densities_are_near_the_truth_and_survive_a_file(fitted: tuple[Model, Dataset], tmp_path: Path) -> None:
    model, _ = fitted
    fresh = groups(5_000, seed=9).filter(pl.col("y").is_not_null() & (pl.col("gain") > 0))
    x, y = fresh["x"].to_numpy(), fresh["y"].to_numpy()
    log_gain = np.log(fresh["gain"].to_numpy())
    colours = {"red": [0.95, 0.05, 0.05], "green": [0, 0.9, 0], "blue": [0.05, 0.05, 0.95]}
    terms = [
        norm.pdf(x, 5 * k) * norm.pdf(log_gain, k, 0.3) / fresh["gain"].to_numpy()
        * np.array([colours[c][k] for c in fresh["colour"]]) / 3
        for k in range(3)
    ]  # fmt: skip
    truth = np.log(np.sum(terms, axis=0) * norm.pdf(y, 2 * x, 0.5) * 0.9 * 0.5)
    told = model.log_prob(fresh)
    # What is told is on average below the truth, by less than half a nat with 3,000 rows.
    assert 0 < np.mean(truth - told) < 0.5
    model.save(tmp_path / "m")
    opened = open_model(tmp_path / "m", lambda _: Mixture)
    np.testing.assert_array_equal(opened.log_prob(fresh), told)
    odd = fresh.with_columns(pl.lit("blue").alias("colour")).filter(pl.col("x") < 2)
    cells = model.log_prob_cells(odd)
    assert cells["colour"].mean() < np.log(0.1)
    strange = fresh.with_columns(pl.lit("violet").alias("colour"))
    assert np.isfinite(model.log_prob(strange)).all()


def test_rows_as_asked_are_as_the_rows_that_meet_it(fitted: tuple[Model, Dataset]) -> None:
    model, data = fitted
    free = model.sample(200_000, seed=3).frame.filter((pl.col("x") > 6) & (pl.col("y") < 18))
    asked = model.sample(4_000, seed=4, where="x > 6 and y < 18").frame
    assert ((asked["x"] > 6) & (asked["y"] < 18)).all()
    # Means of 4,000 rows of standard deviation about 1.
    assert asked["x"].mean() == pytest.approx(free["x"].mean(), abs=0.15)
    assert (asked["colour"] == "blue").mean() == pytest.approx((free["colour"] == "blue").mean(), abs=0.05)
    given = model.sample(given=pl.DataFrame({"x": [0.0] * 400 + [10.0] * 400}), seed=5).frame
    assert given["x"].to_list() == [0.0] * 400 + [10.0] * 400
    assert given["y"][:400].mean() == pytest.approx(0, abs=0.3)
    assert given["y"][400:].mean() == pytest.approx(20, abs=0.3)
    assert given["y"][:400].std() == pytest.approx(0.5, abs=0.25)
    filled = model.impute(data.frame.head(500), seed=6).frame
    gone = data.frame.head(500)["y"].is_null()
    off = filled.filter(gone)["y"] - 2 * filled.filter(gone)["x"]
    assert abs(off.mean()) < 0.4


def test_classes_are_those_that_were_planted(fitted: tuple[Model, Dataset]) -> None:
    model, data = fitted
    learned = model.learned
    assert isinstance(learned, MixtureLearned)
    chance = learned.classes(data)
    np.testing.assert_allclose(chance.sum(axis=1), 1)
    best = chance.argmax(axis=1)
    group = np.clip(np.round(data.frame["x"].to_numpy() / 5), 0, 2)
    # Every class lies in one group; borders between groups are 2.5 standard deviations away.
    pure = sum(np.bincount(group[best == k].astype(int)).max() for k in np.unique(best)) / len(best)
    assert pure > 0.97


def test_progress_is_told_and_options_are_kept() -> None:
    events: list[Event] = []
    data = Dataset.of(groups(800), name="groups")
    learned = Mixture(choose="bic", covariance="diagonal").fit(data, rng=np.random.default_rng(1), watch=events.append)
    assert [e.done for e in events if e.step == "classes"][:2] == [1, 2]
    spreads = learned.arrays["spreads"]
    assert (spreads == spreads * np.eye(spreads.shape[1])).all()
    alone = Mixture(classes=1).fit(data, rng=np.random.default_rng(1))
    assert "1 class." in alone.notes()[0]


def test_a_table_without_fields_and_one_that_is_too_wide() -> None:
    rng = np.random.default_rng(0)
    data = Dataset.of(pl.DataFrame({"id": [f"u{k:05}" for k in range(300)], "one": [1] * 300}), name="t")
    learned = Mixture().fit(data, rng=rng)
    assert learned.sample(7, start=0, rng=rng)["t"].shape == (7, 2)
    assert np.isfinite(learned.log_prob(data)).all()
    wide = Dataset.of(pl.DataFrame({f"c{k}": rng.integers(0, 2, 40) for k in range(2_001)}), name="wide")
    with pytest.raises(ModelError, match=r"2,001 columns; a mixture takes at most 2,000"):
        Mixture().fit(wide, rng=rng)
