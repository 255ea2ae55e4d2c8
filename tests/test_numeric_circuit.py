"""The probabilistic circuit on arrays: exact against enumeration, drawing, its shape, learning."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import chi2

from cuvee.numeric.circuit import Circuit, cell_log_density, code_probabilities, draw, draw_given, log_density
from cuvee.numeric.circuit_em import Lessons, begin, expect, learn, maximise
from cuvee.numeric.circuit_shape import coarse_cells, ladder, mutual_information, spanning_tree

PARENTS = {"chain": [-1, 0, 1, 2], "star": [1, -1, 1, 1], "fork": [2, 2, -1, 1], "alone": [-1]}
SIZES = [2, 3, 4, 3]


def order_of(parent: list[int]) -> list[int]:
    """Fields from the root on."""
    order = [parent.index(-1)]
    while len(order) < len(parent):
        order += [j for j, p in enumerate(parent) if p in order and j not in order]
    return order


def random_tree(
    parent: list[int], states: int, seed: int, sizes: list[int] | None = None, sharp: float = 0.6
) -> Circuit:
    """A circuit with random tables."""
    rng, d = np.random.default_rng(seed), len(parent)
    sizes = (sizes or SIZES)[:d]
    return Circuit(
        np.array(order_of(parent), np.int32),
        np.array(parent, np.int32),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
        rng.dirichlet(np.ones(states)),
        rng.dirichlet(np.full(states, sharp), (d, states)).astype(np.float32),
        np.concatenate([rng.dirichlet(np.full(m, sharp), states).T for m in sizes]).astype(np.float32),
    )


def every_row(tree: Circuit) -> np.ndarray:
    """(d, rows), all rows that there can be."""
    sizes = np.diff(tree.first)
    return np.array(list(product(*(range(m) for m in sizes))), np.int32).T


def enumerated(tree: Circuit) -> np.ndarray:
    """The probability of every row, by summing over all hidden states one by one."""
    rows = every_row(tree)
    total = np.zeros(rows.shape[1])
    for states in product(range(tree.states), repeat=tree.fields):
        chance = 1.0
        for j in range(tree.fields):
            up = tree.parent[j]
            chance *= tree.prior[states[j]] if up < 0 else float(tree.transitions[j, states[up], states[j]])
        mass = np.full(rows.shape[1], chance)
        for j in range(tree.fields):
            mass *= tree.emission(j)[rows[j], states[j]]
        total += mass
    return total


# Exactness against enumeration; single precision carries about seven digits


@pytest.mark.parametrize("shape", PARENTS)
@pytest.mark.parametrize("states", [1, 3, 5])
def test_density_is_that_of_enumeration_and_sums_to_one(shape: str, states: int) -> None:
    tree = random_tree(PARENTS[shape], states, seed=states)
    density = np.exp(log_density(tree, every_row(tree)))
    np.testing.assert_allclose(density, enumerated(tree), rtol=1e-4, atol=1e-7)
    assert density.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("shape", ["chain", "star", "fork"])
def test_random_evidence_has_the_probability_of_enumeration(shape: str) -> None:
    tree, rng = random_tree(PARENTS[shape], 4, seed=7), np.random.default_rng(3)
    rows, mass = every_row(tree), enumerated(random_tree(PARENTS[shape], 4, seed=7))
    for _ in range(40):
        codes = np.full((tree.fields, 1), -1, np.int32)
        fits, soft = np.ones(rows.shape[1]), {}
        for j, m in enumerate(np.diff(tree.first).tolist()):
            kind = rng.integers(4)
            if kind == 1:
                codes[j] = rng.integers(m)
                fits *= rows[j] == codes[j, 0]
            elif kind == 2:
                soft[j] = rng.random(m) < 0.6
                soft[j][rng.integers(m)] = True
                fits *= soft[j][rows[j]]
            elif kind == 3:
                soft[j] = rng.random((1, m))
                fits *= soft[j][0][rows[j]]
        joint = mass * fits
        assert np.exp(log_density(tree, codes, soft)[0]) == pytest.approx(joint.sum(), rel=1e-4)
        for j, m in enumerate(np.diff(tree.first).tolist()):
            wanted = np.bincount(rows[j], joint, m) / joint.sum()
            np.testing.assert_allclose(code_probabilities(tree, j, codes, soft)[0], wanted, atol=1e-5)


def test_every_cell_given_all_others_is_as_enumerated() -> None:
    tree = random_tree(PARENTS["fork"], 4, seed=2)
    rows, mass = every_row(tree), enumerated(random_tree(PARENTS["fork"], 4, seed=2))
    cells = cell_log_density(tree, rows)
    for j in range(tree.fields):
        others = np.delete(rows, j, axis=0)
        _, group = np.unique(others, axis=1, return_inverse=True)
        wanted = mass / np.bincount(group.ravel(), mass)[group.ravel()]
        np.testing.assert_allclose(np.exp(cells[j]), wanted, rtol=2e-4)


def test_an_open_cell_is_summed_out_and_has_no_density_of_its_own() -> None:
    tree = random_tree(PARENTS["chain"], 3, seed=4)
    rows, mass = every_row(tree), enumerated(random_tree(PARENTS["chain"], 3, seed=4))
    codes = np.array([[1], [-1], [2], [-1]], np.int32)
    wanted = mass[(rows[0] == 1) & (rows[2] == 2)].sum()
    assert np.exp(log_density(tree, codes)[0]) == pytest.approx(wanted, rel=1e-4)
    cells = cell_log_density(tree, codes)[:, 0]
    assert cells[1] == cells[3] == 0
    assert np.exp(cells[0]) == pytest.approx(wanted / mass[rows[2] == 2].sum(), rel=1e-4)


def test_impossible_evidence_has_no_density_and_is_not_drawn_from() -> None:
    tree = random_tree(PARENTS["chain"], 3, seed=4)
    codes, soft = np.full((4, 2), -1, np.int32), {2: np.zeros(4, bool)}
    assert (log_density(tree, codes, soft) == -np.inf).all()
    with pytest.raises(ValueError, match=r"The evidence of row 0 is impossible"):
        draw_given(tree, codes, soft, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="impossible"):
        code_probabilities(tree, 0, codes, soft)


def test_many_fields_do_not_underflow() -> None:
    d = 600
    tree = random_tree([-1, *range(d - 1)], 3, seed=0, sizes=[50] * d)
    codes = np.random.default_rng(1).integers(0, 50, (d, 20)).astype(np.int32)
    density = log_density(tree, codes)
    assert np.isfinite(density).all()
    # About log(50) a field, and more: far below what a float holds.
    assert (density < -1000).all()
    assert np.isfinite(cell_log_density(tree, codes)).all()


# Drawing


def chi_square(counts: np.ndarray, chances: np.ndarray) -> float:
    """The p-value of counts; cells that expect under five are put together."""
    expected = chances / chances.sum() * counts.sum()
    few = expected < 5
    seen = np.append(counts[~few], counts[few].sum())
    wanted = np.append(expected[~few], expected[few].sum())
    keep = wanted > 0
    return float(chi2.sf(((seen - wanted)[keep] ** 2 / wanted[keep]).sum(), int(keep.sum()) - 1))


@pytest.mark.parametrize("shape", PARENTS)
def test_rows_are_drawn_as_often_as_they_are_likely(shape: str) -> None:
    tree = random_tree(PARENTS[shape], 4, seed=11)
    rows = draw(tree, 40_000, rng=np.random.default_rng(5))
    sizes = np.diff(tree.first)
    seen = np.bincount(np.ravel_multi_index(tuple(rows), tuple(sizes)), minlength=int(np.prod(sizes)))
    # A true model fails one seed in 10,000.
    assert chi_square(seen, np.exp(log_density(tree, every_row(tree)))) > 1e-4


@pytest.mark.parametrize("shape", ["chain", "star", "fork"])
def test_rows_drawn_given_evidence_keep_it_and_follow_the_conditional(shape: str) -> None:
    tree = random_tree(PARENTS[shape], 4, seed=12)
    n, sizes = 20_000, np.diff(tree.first)
    codes = np.full((4, n), -1, np.int32)
    codes[0] = 1
    allowed, weights = np.array([True, False, True, True]), np.array([0.2, 0.0, 1.0])
    rows = draw_given(tree, codes, {2: allowed, 3: np.tile(weights, (n, 1))}, rng=np.random.default_rng(6))
    assert (rows[0] == 1).all()
    assert allowed[rows[2]].all()
    assert (rows[3] != 1).all()
    every = every_row(tree)
    chance = enumerated(tree) * (every[0] == 1) * allowed[every[2]] * weights[every[3]]
    seen = np.bincount(np.ravel_multi_index(tuple(rows), tuple(sizes)), minlength=int(np.prod(sizes)))
    # A true model fails one seed in 10,000.
    assert chi_square(seen, chance) > 1e-4


def test_given_cells_are_kept_row_by_row() -> None:
    tree, rng = random_tree(PARENTS["fork"], 4, seed=13), np.random.default_rng(8)
    whole = draw(tree, 5_000, rng=rng)
    hidden = rng.random(whole.shape) < 0.5
    rows = draw_given(tree, np.where(hidden, -1, whole).astype(np.int32), rng=rng)
    np.testing.assert_array_equal(rows[~hidden], whole[~hidden])
    assert (rows >= 0).all()
    assert np.isfinite(log_density(tree, rows)).all()


# Shape


def test_the_tree_is_the_heaviest_of_all() -> None:
    rng = np.random.default_rng(0)
    weights = rng.random((5, 5))
    weights = (weights + weights.T) * (1 - np.eye(5))
    order, parent = spanning_tree(weights)
    found = sum(weights[j, p] for j, p in enumerate(parent) if p >= 0)
    best = 0.0
    for parents in product(range(5), repeat=5):
        if sum(p == j for j, p in enumerate(parents)) == 1 and acyclic(parents):
            best = max(best, sum(weights[j, p] for j, p in enumerate(parents) if p != j))
    assert found == pytest.approx(best)
    place = {j: k for k, j in enumerate(order.tolist())}
    assert all(p < 0 or place[p] < place[j] for j, p in enumerate(parent.tolist()))


def acyclic(parents: tuple[int, ...]) -> bool:
    """Whether every field leads to the one that is its own parent."""
    for j in range(len(parents)):
        for _ in parents:
            j = parents[j]  # noqa: PLW2901
        if parents[j] != j:
            return False
    return True


def test_mutual_information_is_that_of_the_counts_less_chance() -> None:
    rng = np.random.default_rng(1)
    first = rng.integers(0, 3, 4000)
    cells = np.stack([first, np.where(rng.random(4000) < 0.7, first, 0), rng.integers(0, 4, 4000)]).astype(np.int32)
    found = mutual_information(cells, [3, 3, 4])
    joint = np.zeros((3, 3))
    np.add.at(joint, (cells[0], cells[1]), 1 / 4000)
    raw = (joint * np.log(joint / np.outer(joint.sum(1), joint.sum(0)), where=joint > 0, out=np.zeros((3, 3)))).sum()
    assert found[0, 1] == pytest.approx(raw - 4 / 8000, abs=1e-6)
    # Nothing goes with the third: its estimate has a standard error of about 0.0006.
    assert found[2, :2].max() < 0.003
    assert (np.diag(found) == 0).all()


@pytest.mark.parametrize(("m", "missing"), [(1, 0), (2, 1), (7, 0), (40, 3)])
def test_a_ladder_holds_every_code_once_and_shares_give_the_masses(m: int, missing: int) -> None:
    masses = np.random.default_rng(m).dirichlet(np.ones(m))
    rungs = ladder(masses, missing)
    assert len(rungs.nodes) == m - 1
    chance = {m: 1.0} if m > 1 else {0: 1.0}
    for k, (left, right) in enumerate(rungs.nodes.tolist()):
        chance[left], chance[right] = chance[m + k] * rungs.share[k], chance[m + k] * (1 - rungs.share[k])
    np.testing.assert_allclose([chance[c] for c in range(m)], masses, atol=1e-5)


def test_coarse_cells_keep_missing_values_apart_and_split_the_mass() -> None:
    masses = np.r_[0.1, np.full(90, 0.01)]
    cells = coarse_cells(masses, 1, 10)
    assert cells[0] == 0
    assert (cells[1:] > 0).all()
    np.testing.assert_allclose(np.bincount(cells, masses), np.full(10, 0.1), atol=0.011)


# Learning

PLANTED = random_tree([1, -1, 1, 2, 2], 4, seed=3, sizes=[3, 5, 4, 6, 3], sharp=0.3)


def masses_of(tree: Circuit) -> list[np.ndarray]:
    """The probability of each code of each field."""
    open_ = np.full((tree.fields, 1), -1, np.int32)
    return [code_probabilities(tree, j, open_)[0] for j in range(tree.fields)]


def test_a_step_on_all_rows_never_loses_likelihood_without_smoothing() -> None:
    codes = draw(PLANTED, 3_000, rng=np.random.default_rng(1))
    codes[2, ::7] = -1
    lessons = Lessons(states=6, smooth=0, tie=0, least=0)
    start = begin(codes, masses_of(PLANTED), [0] * 5, lessons, rng=np.random.default_rng(2))
    circuit = random_tree(PLANTED.parent.tolist(), 6, seed=5, sizes=np.diff(PLANTED.first).tolist(), sharp=5)
    scores: list[float] = []
    for _ in range(25):
        counts, score = expect(circuit, codes)
        scores.append(score / 3_000)
        circuit = maximise(circuit, counts, start.ladders, lessons)
    # Single precision, and the floor of 1e-7 rows, cost less than a millionth of a nat.
    assert np.diff(scores).min() > -1e-6
    assert scores[-1] - scores[0] > 0.01


def test_a_planted_circuit_is_recovered() -> None:
    rng = np.random.default_rng(10)
    train, fresh = draw(PLANTED, 20_000, rng=rng), draw(PLANTED, 20_000, rng=rng)
    circuit = learn(train, masses_of(PLANTED), [0] * 5, Lessons(states=12), rng=np.random.default_rng(0))
    gap = log_density(PLANTED, fresh).mean() - log_density(circuit, fresh).mean()
    alone = sum(np.log(m[c]).mean() for m, c in zip(masses_of(PLANTED), fresh, strict=True))
    apart = log_density(PLANTED, fresh).mean() - alone
    # About 60 free figures cost 60 / 2 / 20,000 = 0.0015 nats a row; learning may stop beside the optimum (seed 0).
    assert gap < 0.02
    assert apart > 10 * max(gap, 0.002)


def test_what_fewer_rows_than_the_least_say_is_not_learned() -> None:
    codes = np.array([[0, 1, 0, 1, 2] * 20, [0, 1, 1, 0, 1] * 20], np.int32)
    masses = [np.array([0.4, 0.4, 0.2]), np.array([0.4, 0.6])]
    lessons = Lessons(states=3, smooth=0.1, tie=0.1, least=5)
    start = begin(codes, masses, [0, 0], lessons, rng=np.random.default_rng(0))
    for array in (start.counts.prior, start.counts.steps, start.counts.seen):
        array[:] = 0
    # All rows of each state have code 2 of the first field: 4.9 rows in state 0, 5.1 in state 1, 80 in state 2.
    rows = np.array([4.9, 5.1, 80.0])
    start.counts.seen[2] = rows
    child = int(np.flatnonzero(start.circuit.parent >= 0)[0])
    start.counts.steps[child] = np.diag(rows)
    circuit = maximise(start.circuit, start.counts, start.ladders, lessons)
    np.testing.assert_allclose(circuit.emission(0)[:, 0], masses[0], atol=1e-6)
    assert (circuit.emission(0)[2, 1:] > 0.9).all()
    np.testing.assert_allclose(circuit.transitions[child, 0], rows / rows.sum(), atol=1e-5)
    assert circuit.transitions[child, 1, 1] > 0.95


def test_learning_is_watched_and_repeats() -> None:
    codes = draw(PLANTED, 2_000, rng=np.random.default_rng(1))
    told: list[tuple[int, int, float]] = []
    lessons = Lessons(states=5, epochs=4, patience=4)
    made = [
        learn(
            codes, masses_of(PLANTED), [0] * 5, lessons, rng=np.random.default_rng(9), watch=lambda *x: told.append(x)
        )
        for _ in range(2)
    ]
    assert [t[:2] for t in told] == [(k, 4) for k in (1, 2, 3, 4)] * 2
    for name, array in made[0].arrays().items():
        np.testing.assert_array_equal(array, made[1].arrays()[name])
