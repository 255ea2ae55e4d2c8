"""The Bayesian copula: its posterior, the copies that carry it, and the rules that pool what they give."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cuvee.core import Event, Model
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.numeric.chains import rhat
from cuvee.numeric.pooling import pooled_synthetic
from cuvee.numeric.rank_copula import sample_copula
from cuvee.synthesis.model_file import open_model
from cuvee.synthesis.tabular.bayes import Bayes, BayesLearned


def normal(n: int, rho: float, seed: int) -> np.ndarray:
    """(n, 3) normal rows; the first two are correlated."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 3))
    z[:, 1] = rho * z[:, 0] + np.sqrt(1 - rho**2) * z[:, 1]
    return z


def test_the_posterior_of_ranks_holds_the_truth_and_is_as_wide_as_it_should_be() -> None:
    z = normal(300, 0.6, 1)
    # Ranks, five levels, and a yes or no of which a fifth is missing: margins do not matter.
    levels = np.stack(
        [
            np.argsort(np.argsort(np.exp(z[:, 0]))),
            np.digitize(z[:, 1], [-1, -0.3, 0.3, 1]),
            np.where(np.random.default_rng(2).random(300) < 0.2, -1, z[:, 2] > 0),
        ]
    ).astype(np.int32)
    made = sample_copula(levels, chains=2, draws=400, warmup=150, rng=np.random.default_rng(3)).pairs()
    assert rhat(made[0]) < 1.05
    # The standard error of a correlation of .6 in 300 rows is (1 - .36) / sqrt(300) = .037; five levels lose a little.
    assert made[0].mean() == pytest.approx(0.6, abs=4 * 0.04)
    assert 0.03 < made[0].std() < 0.06
    assert abs(made[1].mean()) < 4 * 0.09


def table(n: int, seed: int) -> pl.DataFrame:
    z, rng = normal(n, 0.7, seed), np.random.default_rng(seed + 1)
    pay = np.where(rng.random(n) < 0.1, np.nan, np.exp(z[:, 1]))
    return pl.DataFrame(
        {"age": np.round(40 + 10 * z[:, 0]), "pay": pay, "town": np.array(["a", "b"])[(z[:, 2] > 0).astype(int)]}
    ).with_columns(pl.col("pay").fill_nan(None))


@pytest.fixture(scope="module")
def fitted() -> tuple[BayesLearned, Dataset]:
    data = Dataset.of(table(250, 5), name="people")
    return Bayes(draws=300, warmup=150).fit(data, rng=np.random.default_rng(1)), data


def test_rows_and_copies_are_like_the_table(fitted: tuple[BayesLearned, Dataset]) -> None:
    learned, _ = fitted
    made = learned.sample(4_000, start=0, rng=np.random.default_rng(2))["people"].drop_nulls()
    both = made.select(pl.col("age").rank(), pl.col("pay").rank())
    # Of 250 rows a correlation of .7 is known to .03; ranks have a little less.
    assert both.select(pl.corr("age", "pay")).item() == pytest.approx(0.68, abs=0.15)
    copies = learned.copies(250, 8, seed=3)
    assert [c.height for c in copies] == [250] * 8
    means = [float(c["age"].mean()) for c in copies]
    # Within a copy the mean of age has a standard error of .63, and so have copies among themselves.
    assert 0.4 < np.std(means, ddof=1) < 1.6
    assert copies[0].equals(learned.copies(250, 8, seed=3)[0])
    with pytest.raises(ModelError, match="draws of its posterior"):
        learned.copies(10, 21)


def test_a_saved_posterior_says_the_same(fitted: tuple[BayesLearned, Dataset], tmp_path: Path) -> None:
    learned, data = fitted
    model = Model("bayes", Bayes(), data.schema, {"people": 250}, 1, learned, learned.notes())
    model.save(tmp_path / "m")
    opened = open_model(tmp_path / "m", lambda _: Bayes)
    assert opened.sample(200, seed=4).frame.equals(model.sample(200, seed=4).frame)
    assert "worst R-hat" in learned.notes()[0]


def test_progress_is_told_and_wide_tables_are_refused() -> None:
    events: list[Event] = []
    data = Dataset.of(table(80, 7), name="people")
    Bayes(draws=40, warmup=20, chains=1).fit(data, rng=np.random.default_rng(0), watch=events.append)
    assert [e.done for e in events if e.step == "posterior"] == [20, 40, 60]
    wide = Dataset.of(pl.DataFrame({f"c{k}": [0, 1] * 20 for k in range(101)}), name="wide")
    with pytest.raises(ModelError, match="101 columns; the posterior of a copula takes at most 100"):
        Bayes().fit(wide, rng=np.random.default_rng(0))


@pytest.mark.parametrize("kind", ["full", "partial"])
def test_intervals_of_pooled_copies_hold_the_truth_as_often_as_they_say(kind: str) -> None:
    rng, n, m, times = np.random.default_rng(11), 100, 20, 800
    held = 0
    for _ in range(times):
        real = rng.normal(3, 1, n)
        mean, variance = real.mean(), real.var(ddof=1)
        if kind == "full":
            centre = mean + np.sqrt(variance / n) * rng.standard_normal((m, 1))
            copies = centre + np.sqrt(variance) * rng.standard_normal((m, n))
        else:
            # Half the rows are kept, half are made from what was learned of them.
            made = real[50:].mean() + real[50:].std(ddof=1) * rng.standard_normal((m, 50))
            copies = np.concatenate([np.broadcast_to(real[:50], (m, 50)), made], axis=1)
        found = pooled_synthetic(copies.mean(axis=1), copies.var(axis=1, ddof=1) / n, kind=kind)
        held += found.low <= 3 <= found.high
    # 800 intervals: a share of .95 is known to .008. The variance of "full" is an estimate that can fall below 0, and
    # what stands in for it is too wide.
    assert 0.92 <= held / times <= (0.995 if kind == "full" else 0.98)


def test_pooling_needs_two_copies() -> None:
    with pytest.raises(ValueError, match="each of two or more copies"):
        pooled_synthetic([1.0], [1.0])
