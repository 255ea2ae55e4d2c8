"""Boosted trees on arrays: depth of codes, missing values, drawing where a code is expected, noise, round trips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2

from cuvee.numeric.boosted import Inputs, fit_odds, fit_squares
from cuvee.numeric.decisions import plan_decisions
from cuvee.numeric.forest import Forest, Growth, fit_forest
from cuvee.numeric.location import Expected, Location, fit_location

Ints = NDArray[np.int32]
Narrow = NDArray[np.float32]
FIELDS, CODES = 3, 50


def inputs_of(features: NDArray[np.integer]) -> Inputs:
    """Ordered features, (columns, n), as inputs."""
    d = len(features)
    bins = (features.max(axis=1) + 1).astype(np.int32)
    return Inputs(features.astype(np.uint8), np.arange(d, dtype=np.int32), bins, np.zeros(d, np.uint8), d)


def located(missing: int, n: int = 4_000) -> tuple[Inputs, Narrow, Ints, Expected, Forest]:
    """Inputs, scores, codes, what is expected and the forest of a linear relation; high first scores are often missing.

    The first `missing` of all codes stand for missing values.
    """
    rng = np.random.default_rng(4)
    x = rng.normal(size=(FIELDS, n))
    y = (0.8 * x[0] - 0.5 * x[1] + 0.3 * rng.normal(size=n)) / np.sqrt(0.98)
    there = rng.random(n) > np.where(x[0] > 0.5, 0.6, 0.1) if missing else np.ones(n, np.bool_)
    edges = np.quantile(y, np.linspace(0, 1, CODES + 1))
    codes = np.clip(np.searchsorted(edges, y, side="right") - 1, 0, CODES - 1) + missing
    if missing:
        codes = np.where(there, codes, rng.integers(0, missing, n))
    codes, edges = codes.astype(np.int32), np.concatenate([np.full(missing, edges[0]), edges])
    inputs = inputs_of(np.clip((x + 4) * 25, 0, 199).astype(np.uint8))
    scores = np.vstack([x, y]).astype(np.float32)
    target, numbers = np.where(there, scores[3], np.float32(0)), np.arange(FIELDS, dtype=np.int32)
    expected = fit_location(inputs, target, scores, numbers, worth=0.2, rng=rng, there=there)
    assert expected is not None
    last = np.searchsorted(expected.location.bins, expected.centre).astype(np.uint8)
    counts = np.bincount(codes, minlength=CODES + missing).astype(np.float64)
    forest = fit_forest(
        inputs.with_last(last), codes, counts, Growth(), rng, expected=expected, edges=edges, missing=missing
    )
    return inputs, scores, codes, expected, forest


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=80).filter(any))
def test_codes_are_reached_in_their_entropy_and_two_decisions_on_average(counts: list[int]) -> None:
    shares = np.array(counts) / sum(counts)
    mean = float(shares @ np.diff(plan_decisions(np.array(counts, np.float64)).start))
    # Weight-balanced trees, each cut nearest to the half, need at most entropy + 2.
    assert mean <= -float(np.sum(shares * np.log2(np.maximum(shares, 1e-300)))) + 2 + 1e-6


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=40))
def test_base_odds_are_those_of_the_counts_and_the_prior(counts: list[int]) -> None:
    plan = plan_decisions(np.array(counts, np.float64))
    for (low, cut, high), base in zip(plan.spans.tolist(), plan.base.tolist(), strict=True):
        wanted = (sum(counts[cut:high]) + 0.5) / (sum(counts[low:cut]) + 0.5)
        assert np.exp(base) == pytest.approx(wanted, rel=1e-5)


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=40), st.data())
def test_whether_a_value_is_missing_is_decided_first(counts: list[int], data: st.DataObject) -> None:
    missing = data.draw(st.integers(1, len(counts) - 1))
    plan = plan_decisions(np.array(counts, np.float64), missing=missing)
    assert plan.spans[0].tolist() == [0, missing, len(counts)]
    first = plan.bit[plan.start[:-1]]
    np.testing.assert_array_equal(first, np.arange(len(counts)) >= missing)


@pytest.mark.parametrize("missing", [0, 1, 3])
def test_codes_expected_somewhere_are_drawn_as_often_as_they_are_likely(missing: int) -> None:
    inputs, scores, _, expected, forest = located(missing)
    n, m = 20_000, CODES + missing
    for r in range(6):
        row = inputs.by_row()[r : r + 1]
        one = (*expected.location.expect(scores[:, r : r + 1], row), expected.location.table)
        chance = np.array([np.exp(forest.log_prob(row, np.array([c], np.int32), where=one))[0] for c in range(m)])
        assert chance.sum() == pytest.approx(1, abs=1e-4)
        where, drawn = (np.repeat(one[0], n), np.repeat(one[1], n), one[2]), np.full(n, -1, np.int32)
        forest.draw(np.repeat(row, n, axis=0), np.arange(n, dtype=np.int32), seed=r, codes=drawn, where=where)
        seen, wanted = np.bincount(drawn, minlength=m), chance * n
        few = wanted < 5
        seen, wanted = np.append(seen[~few], seen[few].sum()), np.append(wanted[~few], wanted[few].sum())
        statistic = float(np.sum((seen - wanted) ** 2 / np.maximum(wanted, 1e-9)))
        # A true forest fails one seed in 10,000, over all six rows.
        assert statistic < chi2.ppf(1 - 1e-4 / 6, len(seen) - 1)


def test_what_is_missing_follows_the_margin_and_its_feature_and_not_the_expected_place() -> None:
    inputs, scores, _, expected, forest = located(1)
    rows = inputs.by_row()
    where = (*expected.location.expect(scores, rows), expected.location.table)
    gone = np.exp(forest.log_prob(rows, np.zeros(len(rows), np.int32), where=where))
    # Before any tree it has the margin's odds: the first decision alone says whether a value is missing.
    margin = np.full(len(rows), forest.decisions.base[0])
    np.testing.assert_allclose(forest.logits(np.zeros(len(rows), np.int32), where)[:, 0], margin, atol=0.01)
    # Planted are 0.6 and 0.1; shares of 1,100 and 2,600 rows have standard errors of 0.015 and 0.006.
    assert gone[scores[0] > 0.6].mean() == pytest.approx(0.6, abs=0.07)
    assert gone[scores[0] < 0.4].mean() == pytest.approx(0.1, abs=0.04)


def test_a_location_and_its_forest_come_back_exactly_and_rows_stand_alone() -> None:
    inputs, scores, codes, expected, forest = located(1)
    place, again = Location.restore(expected.location.arrays()), Forest.restore(forest.arrays())
    one, other = inputs.by_row(), inputs.by_row()
    centre, scale = expected.location.expect(scores, one)
    for a, b in zip((centre, scale, one), (*place.expect(scores, other), other), strict=True):
        np.testing.assert_array_equal(a, b)
    where = (centre, scale, place.table)
    np.testing.assert_array_equal(forest.log_prob(one, codes, where=where), again.log_prob(one, codes, where=where))
    part = np.arange(3, len(one), 11, dtype=np.int32)
    whole, some = np.full(len(one), -1, np.int32), np.full(len(one), -1, np.int32)
    forest.draw(one, np.arange(len(one), dtype=np.int32), seed=1, codes=whole, where=where)
    again.draw(one, part, seed=1, codes=some, where=(centre[part], scale[part], place.table))
    np.testing.assert_array_equal(some[part], whole[part])


def test_features_may_be_any_of_all_fields() -> None:
    rng = np.random.default_rng(4)
    x = rng.integers(0, 20, (3, 3_000))
    codes = np.clip(x[0] + rng.integers(0, 3, 3_000), 0, 21).astype(np.int32)
    near = inputs_of(x)
    far = Inputs(near.features, np.array([7, 2, 5], np.int32), near.bins, near.categories, 9)
    counts, growth = np.bincount(codes).astype(np.float64), Growth()
    one, other = (fit_forest(i, codes, counts, growth, np.random.default_rng(0)) for i in (near, far))
    found = one.log_prob(near.by_row(), codes)
    np.testing.assert_array_equal(found, other.log_prob(far.by_row(), codes))
    assert found.mean() > np.log(1 / 22) + 1


def test_noise_and_constants_grow_next_to_nothing() -> None:
    rng = np.random.default_rng(5)
    x = inputs_of(rng.integers(0, 50, (3, 4_000)))
    for seed in range(4):
        odds = fit_odds(x, (rng.random(4_000) < 0.3).astype(np.float32), rng=np.random.default_rng(seed))
        squares = fit_squares(x, rng.normal(size=4_000).astype(np.float32), rng=np.random.default_rng(seed))
        # The trees kept are the best of a few tries on 500 held-out rows, which is luck of less than a hundredth.
        assert max(odds.gain, squares.gain) < 0.01
        assert max(len(odds.boosted.first), len(squares.boosted.first)) <= 4
    for value in (0.0, 1.0):
        same = np.full(4_000, value, np.float32)
        assert len(fit_odds(x, same, rng=rng).boosted.values) == len(fit_squares(x, same, rng=rng).boosted.values) == 0
