# ruff: noqa: ARG002, ARG003 (a plug-in takes what the contract gives)
"""Models that can't draw what is asked by themselves: searched, walked to, or chosen by nearness, as they say."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import polars as pl
import pytest
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

from cuvee.core import Arrays, Asked, Learned, Method, draw_asked
from cuvee.data.conditions_text import condition_of
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError

R = 0.8


class Normal(Learned):
    """Two normal numbers with correlation R, a category that goes with the first, and its number of letters."""

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        x = rng.standard_normal(n)
        y = R * x + np.sqrt(1 - R**2) * rng.standard_normal(n)
        a = rng.random(n) < 1 / (1 + np.exp(-2 * x))
        return {"t": pl.DataFrame({"x": x, "y": y, "k": np.where(a, "a", "bb"), "letters": np.where(a, 1, 2)})}

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        return {}, {}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        return cls()


class Dense(Normal):
    """The same, and how likely rows are."""

    def log_prob(self, data: Dataset) -> NDArray[np.float64]:
        x, y = data.frame["x"].to_numpy(), data.frame["y"].to_numpy()
        a = (data.frame["k"] == "a").to_numpy()
        found = -(x**2) / 2 - (y - R * x) ** 2 / 2 / (1 - R**2) - np.log1p(np.exp(np.where(a, -2 * x, 2 * x)))
        return np.where(np.where(a, 1, 2) == data.frame["letters"].to_numpy(), found, -np.inf)


def drawn(learned: Learned, n: int, asked: Asked) -> tuple[pl.DataFrame, Method]:
    tables, method = draw_asked(learned, n, asked, start=0, seed=SeedSequence(1))
    return tables["t"], method


def oracle(condition: str, rows: int = 4_000_000) -> pl.DataFrame:
    """Rows that meet a condition among very many."""
    frame = Normal().sample(rows, start=0, rng=np.random.default_rng(7))["t"]
    return frame.filter(condition_of(condition).truth(frame))


@pytest.mark.parametrize("kind", [Normal, Dense])
def test_what_many_rows_meet_is_looked_for(kind: type[Learned]) -> None:
    rows, method = drawn(kind(), 2_000, Asked(condition_of("x > 0.5 and k = 'bb'")))
    assert method.name == "searched"
    assert condition_of("x > 0.5 and k = 'bb'").truth(rows).all()
    truth = oracle("x > 0.5 and k = 'bb'", 400_000)
    # Four standard errors of 2,000 rows.
    assert rows["y"].mean() == pytest.approx(truth["y"].mean(), abs=4 * 0.7 / np.sqrt(2_000))


def test_what_hardly_any_row_meets_is_walked_to() -> None:
    where = "x > 2 and k = 'bb'"
    rows, method = drawn(Dense(), 1_500, Asked(condition_of(where)))
    assert method.name == "walked"
    assert 0.1 < method.accepted < 1
    assert condition_of(where).truth(rows).all()
    truth = oracle(where)
    assert truth.height > 900
    # Rows share partners, so they are worth about a third of their number: standard errors of x .02 and of y .03.
    assert rows["x"].mean() == pytest.approx(truth["x"].mean(), abs=0.08)
    assert rows["y"].mean() == pytest.approx(truth["y"].mean(), abs=0.12)
    assert rows["y"].std() == pytest.approx(truth["y"].std(), abs=0.1)
    assert rows["y"].n_unique() > 450


def test_what_no_row_meets_is_refused_with_its_part() -> None:
    with pytest.raises(ModelError, match=r"none meets x > 9"):
        drawn(Dense(), 10, Asked(condition_of("x > 9 and y < 0")))
    with pytest.raises(ModelError, match=r"rows that were drawn, 0 meet x > 9"):
        drawn(Normal(), 10, Asked(condition_of("x > 9")))


def test_given_cells_of_a_model_with_a_density_are_walked_to() -> None:
    given = pl.DataFrame({"y": [1.5, -1.0] * 1_000, "letters": [None, 2] * 1_000})
    rows, method = drawn(Dense(), 2_000, Asked(given=given))
    assert method.name == "walked"
    assert method.rhat < 1.1
    assert method.effective > 3
    assert (rows["y"] == given["y"]).all()
    assert ((rows["k"] == "a") == (rows["letters"] == 1)).all()
    free, both = rows.gather_every(2), rows.gather_every(2, 1)
    # By Bayes' rule x given y is normal with mean R y and deviation .6; standard errors .02 for each thousand rows,
    # three times that as rows share partners.
    assert free["x"].mean() == pytest.approx(R * 1.5, abs=0.12)
    assert free["x"].std() == pytest.approx(0.6, abs=0.08)
    x = R * -1.0 + 0.6 * np.random.default_rng(3).standard_normal(200_000)
    weight = 1 / (1 + np.exp(2 * x))
    assert (both["k"] == "bb").all()
    assert both["x"].mean() == pytest.approx(float((x * weight).sum() / weight.sum()), abs=0.12)


def test_given_cells_of_a_model_that_only_draws_are_matched() -> None:
    given = pl.DataFrame({"y": np.linspace(-1.5, 1.5, 2_000), "k": [None, "a"] * 1_000})
    rows, method = drawn(Normal(), 2_000, Asked(given=given))
    assert method.name == "matched"
    assert 5 < method.effective < 200
    assert "approximate" in str(method)
    assert (rows["y"] == given["y"]).all()
    assert (rows["k"].gather_every(2, 1) == "a").all()
    # The slope of x on y is R; smoothing bends it less than .1.
    free = rows.gather_every(2)
    slope = np.cov(free["x"], free["y"])[0, 1] / free["y"].var()
    assert slope == pytest.approx(R, abs=0.1)


def test_both_go_together_and_nothing_is_drawn_twice_the_same() -> None:
    asked = Asked(condition_of("x > 1"), pl.DataFrame({"y": [0.5] * 300}))
    for learned in (Normal(), Dense()):
        rows, _ = drawn(learned, 300, asked)
        assert (rows["x"] > 1).all()
        assert (rows["y"] == 0.5).all()
        assert rows.equals(drawn(learned, 300, asked)[0])
