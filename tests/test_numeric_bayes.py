"""Bayesian networks, against enumeration of all graphs and of all rows."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.numeric.bayes_given import draw_given
from cuvee.numeric.bayes_net import Lessons, Network, learn
from cuvee.numeric.bayes_search import LocalScores, Rules, hill_climb, price_of, topological
from cuvee.numeric.resampling import effective_share, resampled

SIZES = (3, 2, 4, 3)


def rows(n: int, seed: int) -> np.ndarray:
    """(4, n) codes of a collider and a chain: 0 -> 2 <- 1, 2 -> 3."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 3, n), rng.integers(0, 2, n)
    c = np.where(rng.random(n) < 0.8, np.minimum(a + b, 3), rng.integers(0, 4, n))
    d = np.where(rng.random(n) < 0.7, c // 2, rng.integers(0, 3, n))
    return np.stack([a, b, c, d]).astype(np.int32)


def learned(codes: np.ndarray, search: str = "greedy", seed: int = 0, **rules: object) -> Network:
    masses = [np.bincount(c, minlength=m) / codes.shape[1] for c, m in zip(codes, SIZES, strict=True)]
    lessons = Lessons(search, Rules(**rules), 1.0, 5, 20_000)
    return learn(codes, masses, [0] * len(SIZES), lessons, rng=np.random.default_rng(seed))


def every_row() -> np.ndarray:
    return np.array(list(product(*(range(m) for m in SIZES))), np.int32).T


@pytest.fixture(scope="module")
def network() -> Network:
    return learned(rows(8_000, 1))


@pytest.mark.parametrize("criterion", ["bic", "bdeu"])
def test_planted_edges_are_found(criterion: str) -> None:
    for seed in range(3):
        found = learned(rows(6_000, seed), criterion=criterion)
        skeleton = {frozenset(e) for e in found.edges.tolist()}
        # BIC is consistent; of 20 such tables none has missed or added an edge.
        assert skeleton == {frozenset({0, 2}), frozenset({1, 2}), frozenset({2, 3})} or (
            # Where the arrow of 0 and 1 is turned, their common child needs them married.
            skeleton - {frozenset({0, 1})} == {frozenset({0, 2}), frozenset({1, 2}), frozenset({2, 3})}
        )


def test_the_tree_search_gives_each_field_one_parent_at_most() -> None:
    edges = learned(rows(6_000, 2), "tree").edges
    assert len(edges) == len(SIZES) - 1
    assert len(set(edges[:, 1].tolist())) == len(edges)


def dags(d: int) -> list[list[set[int]]]:
    pairs = [(a, b) for a in range(d) for b in range(a)]
    found = []
    for choice in product(range(3), repeat=len(pairs)):
        parents: list[set[int]] = [set() for _ in range(d)]
        for (a, b), way in zip(pairs, choice, strict=True):
            if way:
                parents[a if way == 1 else b].add(b if way == 1 else a)
        try:
            topological(parents)
        except ValueError:
            continue
        found.append(parents)
    return found


@pytest.mark.parametrize("criterion", ["bic", "aic", "bdeu"])
def test_the_search_finds_the_best_of_all_graphs(criterion: str) -> None:
    every = dags(4)
    assert len(every) == 543
    for seed in range(3):
        cells = rows(800, seed).astype(np.uint8)
        score = LocalScores(cells, np.array(SIZES, np.int32), Rules(criterion=criterion, parents=3, restarts=3))
        best = max(sum(score(j, p) for j, p in enumerate(parents)) for parents in every)
        likely = [[a for a in range(4) if a != j] for j in range(4)]
        found = hill_climb(score, [()] * 4, likely, rng=np.random.default_rng(seed))
        assert sum(score(j, p) for j, p in enumerate(found)) == pytest.approx(best, abs=1e-6)


def test_the_score_of_a_field_alone_is_its_likelihood_less_its_parameters() -> None:
    cells = rows(500, 3).astype(np.uint8)
    counts = np.bincount(cells[2]).astype(float)
    score = LocalScores(cells, np.array(SIZES, np.int32), Rules())
    wanted = (counts * np.log(counts / 500)).sum() - 3 * 0.5 * np.log(500)
    assert score(2, ()) == pytest.approx(wanted)
    assert price_of("bic", 500, 1.0) == pytest.approx(0.5 * np.log(500))


@given(st.integers(2, 8), st.integers(0, 2**30))
@settings(max_examples=25, deadline=None)
def test_an_order_puts_parents_first_or_there_is_a_cycle(d: int, bits: int) -> None:
    rng = np.random.default_rng(bits)
    parents = [set(np.flatnonzero(rng.random(d) < 0.2).tolist()) - {j} for j in range(d)]
    try:
        order = topological(parents)
    except ValueError:
        # A cycle: fields that are left are all reached from each other's parents.
        left = set(range(d))
        while any(not parents[j] & left for j in left):
            left -= {j for j in left if not parents[j] & left}
        assert left
        return
    assert sorted(order) == list(range(d))
    assert all(order.index(p) < order.index(j) for j in range(d) for p in parents[j])


def test_probabilities_of_all_rows_sum_to_one_and_are_near_the_truth(network: Network) -> None:
    every = every_row()
    p = np.exp(network.log_density(every).sum(0))
    assert p.sum() == pytest.approx(1, abs=1e-4)
    many = rows(400_000, 9)
    place = np.ravel_multi_index(tuple(many), SIZES)
    truth = np.bincount(place, minlength=len(p)) / many.shape[1]
    # 8,000 rows and 72 cells: the expected total variation is about .03.
    assert 0.5 * np.abs(p - truth).sum() < 0.06


def test_drawn_rows_have_the_probabilities_of_the_network(network: Network) -> None:
    p = np.exp(network.log_density(every_row()).sum(0))
    drawn = network.draw(200_000, rng=np.random.default_rng(1))
    seen = np.bincount(np.ravel_multi_index(tuple(drawn), SIZES), minlength=len(p)) / 200_000
    assert 0.5 * np.abs(p - seen).sum() < 0.01
    again = Network.restore(network.arrays()).draw(200_000, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(again, drawn)


def test_a_cell_given_all_others_is_the_ratio_of_sums(network: Network) -> None:
    every = every_row()
    table = np.exp(network.log_density(every).sum(0)).reshape(SIZES)
    cells = network.cell_log_density(every)
    for j in range(4):
        wanted = np.log(table / table.sum(axis=j, keepdims=True)).reshape(-1)
        np.testing.assert_allclose(cells[j], wanted, atol=1e-5)


@pytest.mark.parametrize("same", [True, False])
def test_rows_given_evidence_have_their_exact_probabilities(network: Network, same: bool) -> None:
    table = np.exp(network.log_density(every_row()).sum(0)).reshape(SIZES)
    n = 40_000
    fixed = np.full((4, n), -1, np.int32)
    fixed[3] = 1
    allowed = np.array([[0.0, 1.0, 0.5]], np.float32)
    drawn, worth = draw_given(
        network, fixed, {0: (allowed, np.zeros(n, np.int32))}, {}, same=same, rng=np.random.default_rng(2)
    )
    wanted = (table[:, :, :, 1] * allowed[0][:, None, None]).reshape(-1)
    wanted /= wanted.sum()
    assert (drawn[3] == 1).all()
    seen = np.bincount(np.ravel_multi_index(tuple(drawn[:3]), SIZES[:3]), minlength=len(wanted)) / n
    # Total variation of 40,000 independent draws over 24 cells is about .009.
    assert 0.5 * np.abs(seen - wanted).sum() < 0.02
    assert 0 < worth <= 1


def test_impossible_evidence_is_refused(network: Network) -> None:
    fixed = np.full((4, 3), -1, np.int32)
    none = (np.zeros((1, 3), np.float32), np.zeros(3, np.int32))
    with pytest.raises(ValueError, match="evidence of row 0 is impossible"):
        draw_given(network, fixed, {0: none}, {}, same=False, rng=np.random.default_rng(0))


def test_that_a_cell_is_filled_says_nothing_of_others(network: Network) -> None:
    n = 40_000
    fixed = np.full((4, n), -1, np.int32)
    there = {2: np.array([0, 1, 1, 1], np.float32)}
    drawn, _ = draw_given(network, fixed, {}, there, same=False, rng=np.random.default_rng(3))
    assert (drawn[2] > 0).all()
    free = network.draw(n, rng=np.random.default_rng(4))
    # A share of 40,000 rows is known to .0025.
    np.testing.assert_allclose(np.bincount(drawn[0]) / n, np.bincount(free[0]) / n, atol=0.015)


def test_candidates_are_chosen_by_weight() -> None:
    weights = np.log(np.tile([0.1, 0.2, 0.7], 1_000))
    chosen = resampled(weights, 1_000, 1, same=False, rng=np.random.default_rng(0))
    assert chosen is not None
    np.testing.assert_allclose(np.bincount(chosen % 3) / 1_000, [0.1, 0.2, 0.7], atol=0.05)
    assert effective_share(weights, 1_000, same=False) == pytest.approx(1 / (0.01 + 0.04 + 0.49) / 3)
    assert resampled(np.full(4, -np.inf), 2, 1, same=False, rng=np.random.default_rng(0)) is None
