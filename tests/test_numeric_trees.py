"""Boosted trees with vector leaves on arrays: exact against enumeration and walks, planted truths, odd inputs."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.stats import chi2

from cuvee.numeric.boosted import Boosted, Inputs, fit_odds, fit_squares
from cuvee.numeric.decisions import plan_decisions
from cuvee.numeric.forest import Forest, Growth, feature_gains, fit_forest
from cuvee.numeric.leaf_masks import left_to_right, masks_of, reach
from cuvee.numeric.location import fit_location

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]


def inputs_of(features: NDArray[np.integer], categories: list[int] | None = None) -> Inputs:
    """Features, (columns, n), as inputs."""
    d = len(features)
    return Inputs(
        np.ascontiguousarray(features, np.uint8),
        np.arange(d, dtype=np.int32),
        (features.max(axis=1) + 1).astype(np.int32),
        np.array(categories or [0] * d, np.uint8),
        d,
    )


def fitted(features: NDArray[np.integer], codes: Ints, m: int, growth: Growth | None = None, seed: int = 0) -> Forest:
    counts = np.bincount(codes, minlength=m).astype(np.float64)
    return fit_forest(inputs_of(features), codes, counts, growth or Growth(), np.random.default_rng(seed))


def all_probabilities(forest: Forest, rows: Bytes, m: int) -> NDArray[np.float64]:
    """(n, m), the probability of every code for rows of (n, fields + 1) features."""
    n = len(rows)
    return np.array([np.exp(forest.log_prob(rows, np.full(n, c, np.int32))) for c in range(m)]).T


def gain_of(forest: Forest, features: NDArray[np.integer], codes: Ints, m: int, train: Ints) -> float:
    """Nats a row by which held-out codes are likelier than by their shares alone."""
    found = forest.log_prob(inputs_of(features).by_row(), codes)
    counts = np.bincount(train, minlength=m) + 0.5
    return float(np.mean(found - np.log(counts / counts.sum())[codes]))


# Decisions


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=60))
def test_paths_lead_to_every_code_once_and_halve_the_mass(counts: list[int]) -> None:
    weights = np.array(counts, np.float64)
    plan = plan_decisions(weights)
    m = len(counts)
    assert plan.child.shape == (m - 1, 2)
    for code in range(m):
        at = 0
        for k in range(plan.start[code], plan.start[code + 1]):
            assert plan.node[k] == at
            at = int(plan.child[at, plan.bit[k]])
        assert at == -1 - code
    mass = [weights[a:b].sum() for a, _, b in plan.spans.tolist()]
    assert all(one >= other - 1e-3 for one, other in pairwise(mass))
    assert sorted(plan.child[plan.child < 0].tolist()) == sorted(-1 - c for c in range(m))
    assert all(a < cut < b for a, cut, b in plan.spans.tolist())


@given(st.lists(st.integers(1, 500), min_size=2, max_size=40))
def test_base_odds_say_the_shares_of_the_codes(counts: list[int]) -> None:
    weights = np.array(counts, np.float64)
    plan = plan_decisions(weights, prior=1e-6)
    right = 1 / (1 + np.exp(-plan.base.astype(np.float64)))
    for code in range(len(counts)):
        path = slice(plan.start[code], plan.start[code + 1])
        steps = np.where(plan.bit[path] == 1, right[plan.node[path]], 1 - right[plan.node[path]])
        assert np.prod(steps) == pytest.approx(weights[code] / weights.sum(), rel=1e-3)


def test_a_huge_code_is_reached_at_once_and_empty_ones_have_almost_nothing() -> None:
    plan = plan_decisions(np.array([10.0, 0.0, 1e6, 0.0, 5.0]))
    length = np.diff(plan.start)
    assert length[2] <= 2
    assert length.sum() <= 4 * 5


# Leaf masks


def random_trees(
    rng: Generator, fields: int, trees: int, leaves: int
) -> tuple[Ints, Bytes, NDArray[np.uint64], Ints, Ints, Ints]:
    """Trees one after the other, leaves numbered from left to right; field 0 is a category of 60 values."""
    which, cut, mask, child = [], [], [], []
    first, leaf = [0], [0]
    for _ in range(trees):
        size = int(rng.integers(2, leaves + 1))
        links = np.zeros((size - 1, 2), np.int32)
        open_slots = [(0, 0), (0, 1)]
        for node in range(1, size - 1):
            slot = open_slots.pop(int(rng.integers(len(open_slots))))
            links[slot] = node
            open_slots += [(node, 0), (node, 1)]
        for number, slot in enumerate(open_slots):
            links[slot] = -1 - number
        left_to_right(links, size)
        own = rng.integers(fields, size=size - 1)
        which.append(own)
        cut.append(rng.integers(0, 255, size=size - 1))
        mask.append(np.where(own == 0, rng.integers(1, 2**60, size=size - 1, dtype=np.uint64), np.uint64(0)))
        child.append(links)
        first.append(first[-1] + size - 1)
        leaf.append(leaf[-1] + size)
    return (
        np.concatenate(which).astype(np.int32),
        np.concatenate(cut).astype(np.uint8),
        np.concatenate(mask),
        np.concatenate(child),
        np.array(first, np.int32),
        np.array(leaf, np.int32),
    )


@given(st.integers(0, 10_000), st.integers(2, 32))
@settings(max_examples=40, deadline=None)
def test_masks_reach_the_leaf_that_a_walk_reaches(seed: int, leaves: int) -> None:
    rng = np.random.default_rng(seed)
    which, cut, mask, child, first, leaf = random_trees(rng, 4, 5, leaves)
    features = rng.integers(0, 256, (20, 4)).astype(np.uint8)
    features[:, 0] %= 60
    found, room = np.zeros(5, np.int32), np.zeros(5, np.uint32)
    masks = masks_of(which, cut, mask, child, first, leaf)
    for row in range(len(features)):
        reach(features, row, masks, room, found)
        for tree in range(5):
            at = 0
            while at >= 0:
                k = first[tree] + at
                value = int(features[row, which[k]])
                right = (int(mask[k]) >> value) & 1 if mask[k] else int(value > cut[k])
                at = int(child[k, right])
            assert found[tree] == -1 - at


def test_leaves_are_numbered_from_left_to_right() -> None:
    child = np.array([[-1, 1], [2, -2], [-3, -4]], np.int32)
    fresh = left_to_right(child, 4)
    assert child.tolist() == [[-1, 1], [2, -4], [-2, -3]]
    assert fresh.tolist() == [0, 3, 1, 2]


def test_a_tree_of_too_many_leaves_is_refused() -> None:
    which, cut, mask, child, first, _ = random_trees(np.random.default_rng(0), 2, 1, 30)
    with pytest.raises(ValueError, match="more than 32 leaves"):
        masks_of(which, cut, mask, child, first, np.array([0, 33], np.int32))


# Forests


def planted(kind: str, n: int, seed: int) -> tuple[NDArray[np.integer], Ints, int]:
    """Features, codes and the number of codes."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 20, (3, n))
    if kind == "exclusive":
        return x, ((x[0] > 9) ^ (x[1] > 9) ^ (rng.random(n) < 0.1)).astype(np.int32), 2
    if kind == "ring":
        far = np.hypot(x[0] - 9.5, x[1] - 9.5)
        return x, np.clip(far * 3 + rng.normal(0, 1, n), 0, 39).astype(np.int32), 40
    if kind == "noise":
        return x, rng.integers(0, 30, n).astype(np.int32), 30
    return x, np.clip((x[0] * 7 % 20) + rng.integers(0, 3, n), 0, 21).astype(np.int32), 22


@pytest.mark.parametrize(("kind", "least"), [("exclusive", 0.25), ("ring", 0.8), ("scrambled", 1.0)])
def test_planted_dependence_is_found(kind: str, least: float) -> None:
    x, codes, m = planted(kind, 6_000, seed=1)
    other, unseen, _ = planted(kind, 4_000, seed=2)
    assert gain_of(fitted(x, codes, m), other, unseen, m, codes) > least


def test_what_few_decisions_say_is_learned_though_many_others_are_noise() -> None:
    rng = np.random.default_rng(12)
    x = rng.integers(0, 3, (1, 3_000))
    codes = np.clip(rng.normal(np.array([40, 100, 160])[x[0]], 12), 0, 199).astype(np.int32)
    chances = all_probabilities(fitted(x, codes, 200), np.array([[k, 0] for k in range(3)], np.uint8), 200)
    # Each group lies within four standard deviations of its middle: what is elsewhere is what was not learned.
    for row, middle in zip(chances, (40, 100, 160), strict=True):
        assert row[max(middle - 48, 0) : middle + 49].sum() > 0.98


def test_noise_teaches_next_to_nothing() -> None:
    x, codes, m = planted("noise", 3_000, seed=1)
    other, unseen, _ = planted("noise", 4_000, seed=2)
    # 29 log odds from 3,000 rows cost 29 / 6,000 nats by themselves.
    assert gain_of(fitted(x, codes, m), other, unseen, m, codes) > -0.02


def test_a_category_is_split_in_any_way() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 40, (1, 5_000))
    high = np.isin(x[0], [1, 5, 8, 13, 22, 38])
    codes = (rng.random(5_000) < np.where(high, 0.9, 0.1)).astype(np.int32)
    counts = np.bincount(codes).astype(np.float64)
    one_split = Growth(rounds=1, leaves=2, rate=1.0)
    gains = []
    for category in (1, 0):
        forest = fit_forest(inputs_of(x, [category]), codes, counts, one_split, np.random.default_rng(0))
        gains.append(gain_of(forest, x, codes, 2, codes))
    assert gains[0] > 0.15 > gains[1]


@pytest.mark.parametrize("kind", ["exclusive", "ring", "scrambled"])
def test_probabilities_of_all_codes_sum_to_one(kind: str) -> None:
    x, codes, m = planted(kind, 3_000, seed=4)
    rows = inputs_of(x).by_row()[:50]
    np.testing.assert_allclose(all_probabilities(fitted(x, codes, m), rows, m).sum(axis=1), 1, atol=1e-5)


def test_drawn_codes_come_as_often_as_they_are_likely() -> None:
    x, codes, m = planted("ring", 4_000, seed=5)
    forest = fitted(x, codes, m)
    row = inputs_of(x).by_row()[:1]
    many = np.repeat(row, 50_000, axis=0)
    drawn = np.zeros(len(many), np.int32)
    forest.draw(many, np.arange(len(many), dtype=np.int32), seed=9, codes=drawn)
    wanted = all_probabilities(forest, row, m)[0] * len(many)
    found = np.bincount(drawn, minlength=m)
    usual = wanted >= 5
    pooled = np.append(wanted[usual], wanted[~usual].sum()), np.append(found[usual], found[~usual].sum())
    statistic = float(np.sum((pooled[1] - pooled[0]) ** 2 / np.maximum(pooled[0], 1e-9)))
    # Fails by chance once in 10,000 seeds.
    assert statistic < chi2.ppf(1 - 1e-4, usual.sum())


def test_a_row_s_code_hangs_on_its_own_number_and_the_seed_alone() -> None:
    x, codes, m = planted("ring", 2_000, seed=6)
    forest = fitted(x, codes, m)
    rows = inputs_of(x).by_row()
    one, some, other = (np.full(2_000, -1, np.int32) for _ in range(3))
    forest.draw(rows, np.arange(2_000, dtype=np.int32), seed=1, codes=one)
    forest.draw(rows, np.arange(5, 2_000, 7, dtype=np.int32), seed=1, codes=some)
    forest.draw(rows, np.arange(2_000, dtype=np.int32), seed=2, codes=other)
    assert (some[5::7] == one[5::7]).all()
    assert (np.delete(some, np.arange(5, 2_000, 7)) == -1).all()
    assert (one != other).mean() > 0.5


def test_the_same_rows_and_seed_grow_the_same_trees_and_arrays_keep_them() -> None:
    x, codes, m = planted("scrambled", 2_000, seed=7)
    one, other = (fitted(x, codes, m, seed=3).arrays() for _ in range(2))
    assert all(np.array_equal(one[k], other[k]) for k in one)
    again = Forest.restore(one)
    rows = inputs_of(x).by_row()
    np.testing.assert_array_equal(again.log_prob(rows, codes), fitted(x, codes, m, seed=3).log_prob(rows, codes))


def test_the_feature_that_says_something_has_the_gain() -> None:
    x, codes, m = planted("scrambled", 3_000, seed=8)
    counts = np.bincount(codes, minlength=m).astype(np.float64)
    gains = feature_gains(inputs_of(x), codes, counts, Growth())
    assert gains[0] > 5 * max(gains[1], gains[2])


@pytest.mark.parametrize(
    ("features", "codes", "m"),
    [
        (np.zeros((0, 300), np.int64), np.arange(300) % 5, 5),
        (np.zeros((2, 300), np.int64), np.arange(300) % 5, 5),
        (np.arange(300)[None] % 7, np.arange(300) % 2, 2),
        (np.arange(40)[None] % 7, np.arange(40) % 3, 3),
        (np.arange(300)[None] % 7, np.where(np.arange(300) % 7 > 3, 2, 0), 3),
        (np.arange(6_000)[None] % 200, np.arange(6_000) % 3_000, 3_000),
    ],
    ids=["no features", "constant features", "two codes", "forty rows", "an empty code", "3,000 codes"],
)
def test_odd_inputs_still_give_probabilities(features: NDArray[np.int64], codes: NDArray[np.int64], m: int) -> None:
    y = codes.astype(np.int32)
    if len(features):
        rows, forest = inputs_of(features).by_row()[:5], fitted(features, y, m)
    else:
        empty = np.zeros(0, np.int32)
        none = Inputs(np.zeros((0, 300), np.uint8), empty, empty, np.zeros(0, np.uint8), 0)
        forest = fit_forest(none, y, np.bincount(y).astype(np.float64), Growth(), np.random.default_rng(0))
        rows = none.by_row()[:5]
    whole = all_probabilities(forest, rows, m)
    np.testing.assert_allclose(whole.sum(axis=1), 1, atol=1e-4)
    assert (whole > 0).all()


# Expected places


def linear(n: int, noise: float, seed: int) -> tuple[Inputs, NDArray[np.float32]]:
    """Three scores as features of 200 bins each, and all scores, the last of which is to be expected."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, n))
    y = (0.8 * x[0] - 0.5 * x[1] + noise * rng.normal(size=n)) / np.sqrt(0.89 + noise**2)
    bins = np.clip((x + 4) * 25, 0, 199).astype(np.uint8)
    return inputs_of(bins), np.vstack([x, y]).astype(np.float32)


def test_a_linear_relation_is_expected_where_it_is() -> None:
    inputs, scores = linear(4_000, 0.2, seed=1)
    found = fit_location(
        inputs, scores[3], scores, np.arange(3, dtype=np.int32), worth=0.2, rng=np.random.default_rng(0)
    )
    assert found is not None
    assert np.corrcoef(found.centre, scores[3])[0, 1] > 0.96
    truth = (0.8 * scores[0] - 0.5 * scores[1]) / np.sqrt(0.93)
    assert float(np.sqrt(np.mean((found.centre - truth) ** 2))) < 0.1
    assert float(np.median(found.scale)) < 0.4


def test_nothing_is_expected_of_noise_or_of_few_rows() -> None:
    inputs, scores = linear(3_000, 20.0, seed=2)
    numbers = np.arange(3, dtype=np.int32)
    assert fit_location(inputs, scores[3], scores, numbers, worth=0.2, rng=np.random.default_rng(0)) is None
    inputs, scores = linear(150, 0.1, seed=3)
    assert fit_location(inputs, scores[3], scores, numbers, worth=0.2, rng=np.random.default_rng(0)) is None


def test_codes_that_are_expected_somewhere_have_probabilities_too() -> None:
    inputs, scores = linear(4_000, 0.3, seed=4)
    m = 50
    edges = np.quantile(scores[3], np.linspace(0, 1, m + 1))
    codes = np.clip(np.searchsorted(edges, scores[3], side="right") - 1, 0, m - 1).astype(np.int32)
    counts = np.bincount(codes, minlength=m).astype(np.float64)
    rng = np.random.default_rng(0)
    expected = fit_location(inputs, scores[3], scores, np.arange(3, dtype=np.int32), worth=0.2, rng=rng)
    assert expected is not None
    last = np.searchsorted(expected.location.bins, expected.centre).astype(np.uint8)
    whole = inputs.with_last(last)
    forest = fit_forest(whole, codes, counts, Growth(), rng, expected=expected, edges=edges)
    rows = np.ascontiguousarray(whole.by_row()[:40, :-1])
    centre, scale = expected.location.expect(scores[:, :40], rows)
    where = (centre, scale, expected.location.table)
    chances = np.array([np.exp(forest.log_prob(rows, np.full(40, c, np.int32), where=where)) for c in range(m)])
    np.testing.assert_allclose(chances.sum(axis=0), 1, atol=1e-4)
    # A scatter of a third of the margin's is worth a nat.
    assert float(np.mean(np.log(chances[codes[:40], np.arange(40)]))) > np.log(1 / m) + 0.5


# One output


def test_steps_are_found_and_noise_is_not() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 50, (2, 4_000))
    step = np.where(x[0] > 30, 2.0, -1.0)
    target = (step + rng.normal(0, 0.5, 4_000)).astype(np.float32)
    good = fit_squares(inputs_of(x), target, rng=np.random.default_rng(0))
    guess = np.zeros(4_000, np.float32)
    good.boosted.add(inputs_of(x).by_row(), guess)
    assert float(np.sqrt(np.mean((guess - step) ** 2))) < 0.2
    assert good.loss == pytest.approx(0.25, abs=0.05)
    noise = fit_squares(inputs_of(x), rng.normal(size=4_000).astype(np.float32), rng=np.random.default_rng(0))
    assert noise.gain < 0.02


def test_odds_are_found_and_kept_by_arrays() -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(0, 50, (2, 6_000))
    chance = np.where((x[0] > 24) ^ (x[1] > 24), 0.8, 0.2)
    yes = (rng.random(6_000) < chance).astype(np.float32)
    found = fit_odds(inputs_of(x), yes, rng=np.random.default_rng(0))
    odds = np.zeros(6_000, np.float32)
    found.boosted.add(inputs_of(x).by_row(), odds)
    assert float(np.mean(np.abs(1 / (1 + np.exp(-odds)) - chance))) < 0.08
    again = np.zeros(6_000, np.float32)
    Boosted.restore(found.boosted.arrays()).add(inputs_of(x).by_row(), again)
    np.testing.assert_array_equal(odds, again)
