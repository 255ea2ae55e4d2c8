"""Drawing among allowed codes: exact against enumeration."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2

from cuvee.numeric.boosted import Inputs
from cuvee.numeric.forest import Forest, Growth, fit_forest
from cuvee.numeric.masked_sampling import Allowed

ROWS, TIMES = 20, 4_000


@pytest.fixture(scope="module", params=[2, 7, 40])
def learned(request: pytest.FixtureRequest) -> tuple[Forest, NDArray[np.uint8], NDArray[np.float64]]:
    """A forest, features of some rows, and the probability of every code there, (ROWS, m)."""
    m, rng = int(request.param), np.random.default_rng(request.param)
    x = rng.integers(0, 20, (3, 4_000)).astype(np.uint8)
    codes = np.clip(x[0] * m / 25 + rng.normal(0, m / 10, 4_000) + (x[1] > 10) * m / 8, 0, m - 1).astype(np.int32)
    inputs = Inputs(x, np.arange(3, dtype=np.int32), np.full(3, 20, np.int32), np.zeros(3, np.uint8), 3)
    forest = fit_forest(inputs, codes, np.bincount(codes, minlength=m).astype(float), Growth(rounds=10), rng)
    rows = inputs.by_row()[:ROWS]
    chances = [np.exp(forest.log_prob(rows, np.full(ROWS, c, np.int32))) for c in range(m)]
    return forest, rows, np.array(chances).T


def random_allowed(m: int, seed: int) -> Allowed:
    rng = np.random.default_rng(seed)
    lines = (rng.random((4, m)) < 0.4).astype(np.float32)
    lines[1, rng.integers(m)] = 0.5
    lines[2], lines[3] = 1, 0
    low = np.where(rng.random(ROWS) < 0.5, 0, rng.uniform(0, m / 2, ROWS))
    high = np.where(rng.random(ROWS) < 0.5, m, rng.uniform(m / 2, m, ROWS))
    return Allowed(lines, rng.integers(0, 4, ROWS).astype(np.int32), low, high, int(rng.integers(0, min(m, 4))))


def shares(allowed: Allowed, m: int) -> NDArray[np.float64]:
    """(ROWS, m), how much of each code is allowed, code by code."""
    part = [
        [1.0 if c < allowed.free else np.clip(min(high, c + 1) - max(low, c), 0, 1) for c in range(m)]
        for low, high in zip(allowed.low, allowed.high, strict=True)
    ]
    return np.array(part) * allowed.lines[allowed.line]


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_the_probability_of_what_is_allowed(
    learned: tuple[Forest, NDArray[np.uint8], NDArray[np.float64]], seed: int
) -> None:
    forest, rows, chances = learned
    m = chances.shape[1]
    allowed = random_allowed(m, seed)
    codes, weights = np.full(ROWS, -7, np.int32), np.zeros(ROWS)
    forest.draw_allowed(rows, np.arange(ROWS, dtype=np.int32), allowed, seed=1, codes=codes, weights=weights)
    share = shares(allowed, m)
    np.testing.assert_allclose(np.exp(weights), (chances * share).sum(axis=1), atol=1e-5)
    possible = share.sum(axis=1) > 0
    assert (codes[~possible] == -7).all()
    assert (share[possible, codes[possible]] > 0).all()


def test_codes_come_as_often_as_they_are_likely_among_the_allowed(
    learned: tuple[Forest, NDArray[np.uint8], NDArray[np.float64]],
) -> None:
    forest, rows, chances = learned
    m = chances.shape[1]
    allowed = random_allowed(m, 11)
    share = shares(allowed, m)
    whose = np.repeat(np.flatnonzero(share.sum(axis=1) > 0), TIMES)
    codes, weights = np.zeros(len(whose), np.int32), np.zeros(len(whose))
    every = np.arange(len(whose), dtype=np.int32)
    forest.draw_allowed(rows[whose], every, allowed.rows(whose), seed=5, codes=codes, weights=weights)
    statistic, freedom = 0.0, 0
    for row in np.unique(whose):
        wanted = chances[row] * share[row]
        wanted *= TIMES / wanted.sum()
        found = np.bincount(codes[whose == row], minlength=m)
        assert found[wanted == 0].sum() == 0
        often = wanted >= 5
        statistic += float(((found[often] - wanted[often]) ** 2 / wanted[often]).sum())
        freedom += max(int(often.sum()) - 1, 0)
    # Fails by chance about once in 10,000 seeds.
    assert statistic < chi2.ppf(1 - 1e-4, freedom + 1)


def test_a_row_s_code_hangs_on_its_own_number_and_the_seed_alone(
    learned: tuple[Forest, NDArray[np.uint8], NDArray[np.float64]],
) -> None:
    forest, rows, chances = learned
    allowed = Allowed.of(np.ones(chances.shape[1], np.float32), ROWS)
    one, some = np.zeros(ROWS, np.int32), np.zeros(ROWS, np.int32)
    few = np.arange(3, ROWS, 4, dtype=np.int32)
    forest.draw_allowed(rows, np.arange(ROWS, dtype=np.int32), allowed, seed=3, codes=one, weights=np.zeros(ROWS))
    forest.draw_allowed(rows, few, allowed.rows(few), seed=3, codes=some, weights=np.zeros(ROWS))
    assert (one[few] == some[few]).all()
