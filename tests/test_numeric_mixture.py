"""Mixtures of classes, against enumeration, integration and planted classes."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from cuvee.numeric.mixture import Mixture, Within
from cuvee.numeric.mixture_em import Lessons, Rows, learn
from cuvee.numeric.mixture_kernels import normal_quantile


def mixture() -> Mixture:
    """Two classes; fields of 3 and 2 states, two numbers, the second of which is there in state 1 of field 1 alone."""
    return Mixture(
        np.array([0.3, 0.7]),
        np.array([0, 3, 5, 6]),
        np.array([[0.1, 0.5], [0.2, 0.3], [0.7, 0.2], [0.4, 0.1], [0.6, 0.9], [1.0, 1.0]]),
        np.array([[1.0, -1.0], [-0.5, 0.5]]),
        np.array([[[1.0, 0.5], [0.5, 0.8]], [[0.5, -0.3], [-0.3, 0.6]]]),
        np.array([2, 1], np.int32),
        np.array([0, 1], np.int32),
    )


def direct(m: Mixture, states: np.ndarray, z: np.ndarray) -> float:
    """The density of one row, term by term."""
    total = 0.0
    for k in range(len(m.weights)):
        term = m.weights[k]
        for f, s in enumerate(states):
            term *= 1.0 if s < 0 else m.shares[m.first[f] + s, k]
        there = ~np.isnan(z)
        if there.any():
            term *= multivariate_normal(m.means[k][there], m.spreads[k][np.ix_(there, there)]).pdf(z[there])
        total += term
    return float(np.log(total))


def test_densities_are_the_sums_over_classes_and_gaps_are_integrated_out() -> None:
    m, rng = mixture(), np.random.default_rng(1)
    states = np.stack([rng.integers(-1, 3, 40), rng.integers(-1, 2, 40), np.zeros(40, int)]).astype(np.int32)
    z = rng.normal(size=(40, 2))
    z[rng.random((40, 2)) < 0.4] = np.nan
    wanted = [direct(m, states[:, i], z[i]) for i in range(40)]
    np.testing.assert_allclose(m.log_density(states, z), wanted, atol=1e-10)


def test_a_cell_given_all_else_is_a_ratio_of_densities() -> None:
    m, rng = mixture(), np.random.default_rng(2)
    states = np.stack([rng.integers(0, 3, 20), rng.integers(0, 2, 20), np.zeros(20, int)]).astype(np.int32)
    z = rng.normal(size=(20, 2))
    z[states[1] == 0, 1] = np.nan
    cells, whole = m.cell_log_density(states, z), m.log_density(states, z)
    for f in range(3):
        without, gap = states.copy(), z.copy()
        without[f] = -1
        gap[:, m.state == f] = np.nan
        np.testing.assert_allclose(cells[f], whole - m.log_density(without, gap), atol=1e-9)


def test_drawn_rows_have_the_density() -> None:
    m = mixture()
    states, z = m.draw(200_000, rng=np.random.default_rng(3))
    share = m.shares @ m.weights
    np.testing.assert_allclose(np.bincount(states[0]) / 200_000, share[:3], atol=0.006)
    np.testing.assert_allclose(z.mean(axis=0), m.weights @ m.means, atol=0.02)
    first = np.bincount(states[0][z[:, 0] > 0], minlength=3) / (z[:, 0] > 0).sum()
    above = m.weights * norm.sf(0, m.means[:, 0], np.sqrt(m.spreads[:, 0, 0]))
    np.testing.assert_allclose(first, m.shares[:3] @ above / above.sum(), atol=0.01)


def test_rows_given_a_range_have_their_exact_distribution() -> None:
    m, n = mixture(), 60_000
    states, z = np.full((3, n), -1, np.int32), np.full((n, 2), np.nan)
    within = {
        0: Within(np.array([-np.inf, 0.2, 0.9, np.inf]), np.array([[0.0, 1.0, 0.5]], np.float32), np.zeros(n, np.int32))
    }
    drawn, numbers, worth = m.draw_given(states, z, {2: (np.ones((1, 1), np.float32), np.zeros(n, np.int32))}, within,
                                         same=True, rng=np.random.default_rng(4))  # fmt: skip
    assert worth == 1.0
    assert (numbers[:, 0] >= 0.2).all()
    sd = np.sqrt(m.spreads[:, 0, 0])
    middle = norm.cdf(0.9, m.means[:, 0], sd) - norm.cdf(0.2, m.means[:, 0], sd)
    above = 0.5 * norm.sf(0.9, m.means[:, 0], sd)
    chance = m.weights * (middle + above)
    # Shares of 60,000 rows are known to .002.
    np.testing.assert_allclose(np.bincount(drawn[0]) / n, m.shares[:3] @ chance / chance.sum(), atol=0.01)
    assert (numbers[:, 0] > 0.9).mean() == pytest.approx(float((m.weights * above).sum() / chance.sum()), abs=0.01)
    slope = m.spreads[:, 0, 1] / m.spreads[:, 0, 0]

    def second(x: float, k: int) -> float:
        return float(norm.pdf(x, m.means[k, 0], sd[k]) * (m.means[k, 1] + slope[k] * (x - m.means[k, 0])))

    wanted = sum(
        m.weights[k] * (quad(second, 0.2, 0.9, (k,))[0] + 0.5 * quad(second, 0.9, 9, (k,))[0]) for k in range(2)
    ) / chance.sum()  # fmt: skip
    assert numbers[:, 1].mean() == pytest.approx(float(wanted), abs=0.02)


def test_rows_given_two_ranges_and_a_value_are_as_rows_that_meet_them() -> None:
    m = mixture()
    states, z = m.draw(2_000_000, rng=np.random.default_rng(5))
    fine = (z[:, 0] > 0.5) & (z[:, 1] > 0.5) & (states[0] == 1) & (states[1] == 1)
    n = 20_000
    fixed, gaps = np.full((3, n), -1, np.int32), np.full((n, 2), np.nan)
    fixed[0] = 1
    edges, table, line = np.array([-np.inf, 0.5, np.inf]), np.array([[0, 1]], np.float32), np.zeros(n, np.int32)
    lines = {1: (np.array([[0, 1]], np.float32), line), 2: (np.ones((1, 1), np.float32), line)}
    within = {0: Within(edges, table, line), 1: Within(edges, table, line)}
    drawn, numbers, worth = m.draw_given(fixed, gaps, lines, within, same=False, rng=np.random.default_rng(6))
    assert (drawn[0] == 1).all()
    assert (numbers > 0.5).all()
    assert 0.1 < worth < 1
    # About 7,000 of the drawn rows meet it, so their means are known to .008; ten sweeps leave less bias than that.
    np.testing.assert_allclose(numbers.mean(axis=0), z[fine].mean(axis=0), atol=0.03)
    with pytest.raises(ValueError, match="evidence of row 0 is impossible"):
        m.draw_given(fixed, gaps, {1: (np.zeros((1, 2), np.float32), line)}, {}, same=False,
                     rng=np.random.default_rng(7))  # fmt: skip


@pytest.mark.parametrize("choice", ["holdout", "bic"])
def test_planted_classes_are_found(choice: str) -> None:
    rng, n = np.random.default_rng(8), 3_000
    true = rng.integers(0, 3, n)
    centres = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    z = centres[true] + rng.normal(size=(n, 2))
    z[rng.random((n, 2)) < 0.2] = np.nan
    states = np.stack([np.where(rng.random(n) < 0.9, true, rng.integers(0, 3, n)), np.zeros(n, int), np.zeros(n, int)])
    rows = Rows(states.astype(np.int32), z, [3, 1, 1], np.array([1 / 3, 1 / 3, 1 / 3, 1, 1]),
                np.array([1, 2], np.int32), np.array([0, 0], np.int32))  # fmt: skip
    found, tried = learn(rows, Lessons(choice=choice, most=8), rng=np.random.default_rng(9))
    assert len(found.weights) in ({3} if choice == "bic" else {3, 4, 6})
    assert [k for k, _ in tried][:2] == [1, 2]
    big = np.argsort(-found.weights)[:3]
    # A mean of 1,000 rows, a fifth of them gone, is known to .04.
    for centre in centres:
        assert np.abs(found.means[big] - centre).max(axis=1).min() < (0.2 if choice == "bic" else 0.6)


def test_rounds_do_not_lower_the_likelihood_and_no_class_is_empty() -> None:
    rng = np.random.default_rng(10)
    true = rng.integers(0, 4, 400)
    z = 2.0 * true[:, None] + rng.normal(size=(400, 3))
    states = np.stack([np.where(rng.random(400) < 0.5, true, rng.integers(0, 4, 400)) for _ in range(2)])
    rows = Rows(
        np.concatenate([states, np.zeros((3, 400), int)]).astype(np.int32), z, [4, 4, 1, 1, 1],
        np.array([0.25] * 8 + [1.0] * 3), np.array([2, 3, 4], np.int32), np.zeros(3, np.int32),
    )  # fmt: skip
    scores = [
        learn(rows, Lessons(classes=4, starts=1, rounds=r), rng=np.random.default_rng(1))[0]
        .log_density(rows.states, z)
        .mean()
        for r in (0, 2, 40)
    ]
    assert scores == sorted(scores)
    many = learn(rows, Lessons(classes=300), rng=np.random.default_rng(1))[0]
    # A class is kept while it has twice the five rows that anything is learned from.
    assert len(many.weights) <= 40
    assert (many.weights * 400 >= 9).all()


def test_low_rank_and_diagonal_spreads_are_what_they_say() -> None:
    rng = np.random.default_rng(11)
    z = rng.normal(size=(800, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(800, 6))
    rows = Rows(
        np.zeros((6, 800), np.int32), z, [1] * 6, np.ones(6), np.arange(6, dtype=np.int32), np.zeros(6, np.int32)
    )
    flat = learn(rows, Lessons(classes=2, spread="low_rank", rank=2), rng=rng)[0].spreads
    values = np.linalg.eigvalsh(flat)
    np.testing.assert_allclose(values[:, :4], values[:, :1].repeat(4, axis=1), rtol=1e-6)
    assert (values[:, 4] > 5 * values[:, 0]).all()
    diagonal = learn(rows, Lessons(classes=2, spread="diagonal"), rng=rng)[0].spreads
    assert (diagonal == diagonal * np.eye(6)).all()


def test_the_normal_quantile_is_that_of_scipy() -> None:
    p = np.concatenate([10.0 ** -np.arange(1, 40), np.linspace(0.001, 0.999, 200), 1 - 10.0 ** -np.arange(1, 13)])
    np.testing.assert_allclose([normal_quantile(float(v)) for v in p], norm.ppf(p), rtol=1e-7, atol=1e-7)
