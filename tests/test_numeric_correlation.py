"""Correlations of normal scores, against simulation and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.numeric.correlation import (
    cell_scores,
    complete_correlation,
    hermite_weights,
    latent_correlation,
    nearest_correlation,
    pair_moments,
    score_covariance,
    shrink,
    shrinkage,
)
from cuvee.numeric.detector import detector_auc
from cuvee.numeric.quantiles import locate

seeds = st.integers(0, 2**32 - 1)


@given(seed=seeds, m=st.integers(1, 40))
def test_cell_scores_have_mean_zero_and_lose_variance(seed: int, m: int) -> None:
    masses = np.random.default_rng(seed).dirichlet(np.ones(m))
    scores = cell_scores(masses)
    assert masses @ scores == pytest.approx(0, abs=1e-9)
    assert 0 <= masses @ np.square(scores) <= 1 + 1e-9


def test_cell_scores_are_conditional_means() -> None:
    z = np.sort(np.random.default_rng(0).normal(size=400_000))
    masses = np.array([0.1, 0.5, 0.4])
    cuts = np.split(z, (np.cumsum(masses)[:-1] * len(z)).astype(int))
    assert cell_scores(masses) == pytest.approx([c.mean() for c in cuts], abs=0.01)


def test_the_first_hermite_weight_is_the_variance_of_the_scores() -> None:
    masses = np.array([0.2, 0.3, 0.5])
    scores = cell_scores(masses)
    assert hermite_weights(masses)[0] == pytest.approx(masses @ np.square(scores))


@pytest.mark.parametrize("rho", [-0.9, -0.5, 0.0, 0.3, 0.8])
@pytest.mark.parametrize(
    ("a", "b"), [([0.5, 0.5], [0.9, 0.1]), ([0.3, 0.4, 0.3], [0.05] * 20), ([0.02] * 50, [0.98, 0.02])]
)
def test_a_planted_latent_correlation_is_recovered(rho: float, a: list[float], b: list[float]) -> None:
    # 400,000 rows: the standard error of a correlation is below 0.005 for all but the rarest cells (0.98, 0.02),
    # where it is about 0.01; 0.04 is four standard errors of the worst case.
    from scipy.special import ndtr

    rng = np.random.default_rng(7)
    x = rng.normal(size=400_000)
    y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=400_000)
    masses = [np.array(a), np.array(b)]
    codes = [locate(m, ndtr(z))[0] for m, z in zip(masses, (x, y), strict=True)]
    scores = np.column_stack([cell_scores(m)[c] for m, c in zip(masses, codes, strict=True)]).astype(np.float32)
    moments, _ = pair_moments(scores, None)
    found = latent_correlation(moments, np.stack([hermite_weights(m) for m in masses]))
    assert found[0, 1] == pytest.approx(rho, abs=0.04)
    assert np.diag(found).tolist() == [1.0, 1.0]


@given(seed=seeds, n=st.integers(5, 60), d=st.integers(2, 6))
def test_pair_moments_are_covariances_of_the_rows_that_both_have(seed: int, n: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    present = rng.random((n, d)) < 0.7
    scores = np.where(present, rng.normal(size=(n, d)), 0).astype(np.float32)
    moments, rows = pair_moments(scores, present)
    for i in range(d):
        for j in range(d):
            both = present[:, i] & present[:, j]
            assert rows[i, j] == both.sum()
            if both.any():
                expected = np.cov(scores[both, i], scores[both, j], bias=True)[0, 1]
                assert moments[i, j] == pytest.approx(expected, abs=1e-4)


def test_shrinkage_grows_as_data_shrink() -> None:
    rng = np.random.default_rng(0)
    amounts = []
    for n in (20, 200, 20_000):
        x = rng.normal(size=(n, 10)).astype(np.float32)
        x[:, 1] += x[:, 0]
        amounts.append(shrinkage(x, np.corrcoef(x.T)))
    assert amounts[0] > amounts[1] > amounts[2]
    assert amounts[2] < 0.01
    assert shrink(np.array([[1.0, 0.5], [0.5, 1.0]]), 0.5)[0, 1] == 0.25


def test_the_shrinkage_is_that_of_the_paper() -> None:
    # Schaefer and Strimmer (2005), eq. 10, written out with loops.
    x = np.random.default_rng(3).normal(size=(30, 4)).astype(np.float32)
    n, d = x.shape
    z = (x - x.mean(0)) / x.std(0)
    top = bottom = 0.0
    correlation = np.corrcoef(x.T)
    for i in range(d):
        for j in range(d):
            if i != j:
                w = z[:, i] * z[:, j]
                top += n / (n - 1) ** 3 * np.square(w - w.mean()).sum() * (n - 1) / n
                bottom += correlation[i, j] ** 2
    assert shrinkage(x, correlation) == pytest.approx(min(top / bottom, 1), rel=1e-3)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, d=st.integers(1, 12))
def test_the_nearest_correlation_is_one(seed: int, d: int) -> None:
    raw = np.random.default_rng(seed).uniform(-1, 1, (d, d))
    raw = (raw + raw.T) / 2
    np.fill_diagonal(raw, 1)
    near = nearest_correlation(raw)
    assert np.allclose(near, near.T)
    assert np.allclose(np.diag(near), 1)
    assert np.linalg.eigvalsh(near)[0] > 0
    assert np.abs(near).max() <= 1 + 1e-9


def test_a_proper_correlation_is_left_alone() -> None:
    good = np.array([[1, 0.5], [0.5, 1]])
    assert np.array_equal(nearest_correlation(good), good)


def test_the_detector_sees_dependence_and_only_what_is_there() -> None:
    # 3,000 rows a side, half of them read: the standard error of the AUC is 0.011; 0.04 is more than three of them.
    rng = np.random.default_rng(0)
    a, b = rng.random((4000, 3)), rng.random((4000, 3))
    assert detector_auc(a, b, rng=rng) == pytest.approx(0.5, abs=0.04)
    dependent = np.column_stack([a[:, 0], a[:, 0], a[:, 2]])
    assert detector_auc(a, dependent, rng=rng) > 0.7
    assert detector_auc(a[:3], b, rng=rng) == 0.5


def test_scores_have_the_covariance_that_latents_were_found_from() -> None:
    weights = np.stack([hermite_weights(np.array(m)) for m in ([0.5, 0.5], [0.1, 0.2, 0.7], [0.01] * 100)])
    planted = np.array([[1, 0.6, -0.4], [0.6, 1, 0.2], [-0.4, 0.2, 1]])
    assert np.allclose(latent_correlation(score_covariance(planted, weights), weights), planted, atol=1e-5)


def test_an_unknown_entry_adds_no_dependence() -> None:
    # a - b - c in a row: a and c are independent given b where their correlation is the product.
    matrix = np.array([[1, 0.8, 0], [0.8, 1, -0.7], [0, -0.7, 1]])
    unknown = np.zeros((3, 3), np.bool_)
    unknown[0, 2] = unknown[2, 0] = True
    full = complete_correlation(matrix, unknown)
    assert full[0, 2] == pytest.approx(-0.56, abs=1e-3)
    assert full[0, 1] == 0.8
    assert complete_correlation(matrix, np.zeros((3, 3), np.bool_)) is matrix
