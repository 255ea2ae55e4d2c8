"""The mathematics behind scores, against brute force and other libraries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.numeric.distances import (
    at_other_size,
    expected_total_variation,
    kolmogorov_smirnov,
    nearest,
    size_ratio,
    total_variation,
)
from cuvee.numeric.intervals import binomial_tail, clopper_pearson, named_rng, poisson_weights, wilson
from cuvee.numeric.ranking import auc, auc_error, r_squared, weighted_auc

numbers = st.lists(st.sampled_from([0.0, 1.0, 1.5, 2.0, -3.0, float("nan"), float("inf")]), min_size=1, max_size=30)
scored = st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 3)), min_size=1, max_size=30)


@settings(max_examples=200, deadline=None)
@given(numbers, numbers)
def test_ks_equals_brute_force_with_nulls_as_a_value(first: list[float], second: list[float]):
    a, b = np.array(first), np.array(second)
    worst = 0.0
    for x in {v for v in [*first, *second] if not np.isnan(v)}:
        worst = max(worst, abs(sum(v <= x for v in first) / len(a) - sum(v <= x for v in second) / len(b)))
    step = kolmogorov_smirnov(a, b)
    assert step.distance == pytest.approx(worst)
    assert step.sign * (np.mean(a <= step.at) - np.mean(b <= step.at)) == pytest.approx(step.distance)


def test_ks_equals_scipy():
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=300), rng.normal(0.3, 1.2, size=200)
    assert kolmogorov_smirnov(a, b).distance == pytest.approx(ks_2samp(a, b).statistic)


@pytest.mark.parametrize(
    ("sizes", "shares"), [((400, 900), [0.5, 0.3, 0.2]), ((50, 50), [0.1] * 10), ((3000, 100), [0.02] * 50)]
)
def test_expected_total_variation_equals_simulation(sizes: tuple[int, int], shares: list[float]):
    rng = np.random.default_rng(0)
    drawn = [rng.multinomial(n, shares, size=2000) / n for n in sizes]
    simulated = 0.5 * np.abs(drawn[0] - drawn[1]).sum(axis=1).mean()
    assert expected_total_variation(np.array(shares), sizes) == pytest.approx(simulated, rel=0.06)


def test_expected_total_variation_of_rare_cells_stays_below_one():
    assert expected_total_variation(np.full(10_000, 1e-4), (10, 10)) <= 1.0


def test_a_distance_moves_to_other_sizes_as_chance_does():
    rng = np.random.default_rng(0)
    shares = np.full(20, 0.05)
    small, large = (
        np.mean([total_variation(rng.multinomial(n, shares) / n, rng.multinomial(n, shares) / n) for _ in range(300)])
        for n in (200, 1800)
    )
    moved = at_other_size(
        float(small), expected_total_variation(shares, (200, 200)), size_ratio((200, 200), (1800, 1800))
    )
    assert moved == pytest.approx(large, rel=0.05)
    assert at_other_size(0.5, 0.01, 0.1) > 0.49  # a real difference stays


@pytest.mark.parametrize("kind", ["continuous", "cells", "far"])
def test_nearest_equals_brute_force(kind: str):
    rng = np.random.default_rng(0)
    if kind == "cells":
        rows, others = rng.integers(0, 2, (700, 6)), rng.integers(0, 2, (900, 6))
    else:
        rows, others = rng.normal(size=(700, 6)), rng.normal(size=(900, 6))
    a, b = (x.astype(np.float32) + (100 if kind == "far" else 0) for x in (rows, others))
    b[5], b[6] = a[3], a[3]  # one row stands there twice
    found = nearest(a, b)
    squared = ((a[:, None, :].astype(float) - b[None, :, :]) ** 2).sum(axis=2)
    np.testing.assert_allclose(found.distance, np.sqrt(squared.min(axis=1)), atol=1e-6)
    np.testing.assert_array_equal(found.ties, (squared <= squared.min(axis=1, keepdims=True) + 1e-9).sum(axis=1))
    assert found.distance[3] == 0
    assert found.ties[3] >= 2


@settings(max_examples=200, deadline=None)
@given(scored)
def test_auc_equals_counting_pairs(rows: list[tuple[int, bool, int]]):
    scores, labels = np.array([r[0] for r in rows], dtype=float), np.array([r[1] for r in rows])
    weights = np.array([r[2] for r in rows], dtype=float)

    def count(w: np.ndarray) -> float:
        total = won = 0.0
        for i in np.flatnonzero(labels):
            for j in np.flatnonzero(~labels):
                total += w[i] * w[j]
                won += w[i] * w[j] * ((scores[i] > scores[j]) + (scores[i] == scores[j]) / 2)
        return won / total if total else 0.5

    assert auc(scores, labels) == pytest.approx(count(np.ones(len(rows))))
    assert weighted_auc(scores, labels, weights[None])[0] == pytest.approx(count(weights))


def test_auc_error_equals_its_spread():
    rng = np.random.default_rng(0)
    areas, errors = [], []
    for _ in range(400):
        labels = rng.random(300) < 0.4
        scores = np.round(rng.normal(labels * 1.0, 1.0), 1)
        areas.append(auc(scores, labels))
        errors.append(auc_error(scores, labels))
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.1)  # the spread of 400 has an error of 3.5 %


def test_r_squared_equals_scikit_learn():
    from sklearn.metrics import r2_score

    rng = np.random.default_rng(0)
    truth, guess, weights = rng.normal(size=50), rng.normal(size=50), rng.integers(0, 3, 50).astype(float)
    assert r_squared(truth, guess, weights[None])[0] == pytest.approx(r2_score(truth, guess, sample_weight=weights))
    assert r_squared(np.ones(5), np.ones(5), np.ones((1, 5)))[0] == 0


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (1, 6000)])
def test_intervals_of_shares_equal_scipy(k: int, n: int):
    from scipy.stats import binomtest

    for method, ours in (("exact", clopper_pearson(k, n)), ("wilson", wilson(k, n))):
        theirs = binomtest(k, n).proportion_ci(method=method)
        assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert float(binomial_tail(k, n, 0.3)) == pytest.approx(binomtest(k, n, 0.3, alternative="greater").pvalue)


def test_intervals_without_trials_say_nothing():
    assert clopper_pearson(0, 0) == wilson(0, 0) == (0.0, 1.0)


def test_bootstrap_weights_draw_each_row_once_on_average():
    weights = poisson_weights(500, repeats=40, rng=np.random.default_rng(0))
    assert weights.shape == (40, 500)
    assert weights.mean() == pytest.approx(1, abs=0.03)


def test_named_generators_are_apart_and_repeat():
    draws = {name: named_rng(7, name).integers(2**62) for name in ("shape", "pairs", "")}
    assert len(set(draws.values())) == 3
    assert named_rng(7, "shape").integers(2**62) == draws["shape"] != named_rng(8, "shape").integers(2**62)
