"""Margins as cells, against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.numeric.grid import decimals_of, step_of
from cuvee.numeric.quantiles import (
    Cells,
    count_below,
    cut_cells,
    cut_ranks,
    locate,
    place,
    rank,
    smooth_knots,
    spread_ties,
)

seeds = st.integers(0, 2**32 - 1)


def test_ties_are_spread_evenly_around_their_value() -> None:
    spread = spread_ties(np.array([1.0, 3.0, 3.0, 7.0]), 1.0)
    assert spread.tolist() == [1.0, 2.75, 3.25, 7.0]
    assert spread_ties(np.array([3.0, 3.0]), 0.0).tolist() == [3.0, 3.0]


@given(n=st.integers(1, 5000), bins=st.integers(1, 300), least=st.integers(2, 20))
def test_ranks_leave_enough_rows_between_them(n: int, bins: int, least: int) -> None:
    ranks = cut_ranks(n, bins=bins, least=least)
    assert ranks[0] == 0
    assert ranks[-1] == n
    assert len(ranks) == 2 or np.diff(ranks).min() >= least


@given(seed=seeds, n=st.integers(10, 400))
def test_no_knot_depends_on_one_extreme_row(seed: int, n: int) -> None:
    values = np.sort(np.random.default_rng(seed).normal(size=n))
    ranks = cut_ranks(n, bins=256, least=5)
    knots = smooth_knots(values, ranks, least=5)
    assert (np.diff(knots) >= 0).all()
    # Each knot is linear in means of five or more rows: moving one row by 1 moves no knot by more than 2 / 5 of it
    # (the ends are twice a mean less a neighbour).
    if len(ranks) > 2:
        moved = values.copy()
        moved[-1] += 1
        assert np.abs(smooth_knots(moved, ranks, least=5) - knots).max() <= 2 / 5 + 1e-9
        assert not np.isin(values, knots).any()


@settings(max_examples=60, deadline=None)
@given(seed=seeds, n=st.integers(0, 400), width=st.sampled_from([0.0, 1.0]), spikes=st.integers(0, 12))
def test_cells_keep_all_rows_in_order_and_never_overlap(seed: int, n: int, width: float, spikes: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.rint(rng.normal(scale=20, size=n)) if width else rng.normal(scale=20, size=n)
    atoms = np.unique(rng.integers(-30, 30, spikes).astype(float))
    values = values[~np.isin(values, atoms)]
    values = values if len(values) >= 5 else np.zeros(0)
    counts = rng.integers(5, 50, len(atoms)).astype(float)
    cells = cut_cells(values, atoms, counts, width=width, bounds=(-np.inf, np.inf), bins=64, least=5)
    assert cells.counts.sum() == pytest.approx(len(values) + counts.sum())
    assert (cells.counts >= 0).all()
    assert (cells.right >= cells.left).all()
    assert (cells.left[1:] >= cells.right[:-1] - 1e-9).all()
    for atom, count in zip(atoms, counts, strict=True):
        own = cells.counts[(cells.left == atom) & cells.atoms]
        assert len(own) == 1
        assert own[0] >= count - 1e-9
        if width:  # an interval never covers a grid point that is an atom
            assert not ((cells.left < atom) & (cells.right > atom)).any()


def test_bounds_hold_the_continuous_part() -> None:
    values = np.random.default_rng(0).exponential(size=1000)
    cells = cut_cells(values, np.zeros(0), np.zeros(0), width=0, bounds=(0.0, np.inf), bins=64, least=5)
    assert cells.left.min() >= 0


@given(seed=seeds, m=st.integers(1, 30), n=st.integers(1, 200))
def test_rank_and_locate_are_inverse(seed: int, m: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    masses = rng.dirichlet(np.ones(m))
    codes = rng.choice(m, n, p=masses)
    within = rng.uniform(0.01, 0.99, n)
    ranks = rank(masses, codes, within)
    assert ((ranks > 0) & (ranks < 1)).all()
    sure = masses[codes] > 1e-9
    again, inside = locate(masses, ranks)
    assert (again[sure] == codes[sure]).all()
    assert np.allclose(inside[sure], within[sure], atol=1e-4)


def test_locate_never_gives_a_cell_without_mass() -> None:
    codes, _ = locate(np.array([0.0, 0.5, 0.0, 0.5, 0.0]), np.linspace(1e-12, 1 - 1e-12, 1001))
    assert set(codes.tolist()) == {1, 3}


def test_place_finds_atoms_exactly_and_the_nearest_cell_else() -> None:
    cells = Cells(np.array([0.0, 0.0, 5.0]), np.array([0.0, 5.0, 5.0]), np.ones(3))
    codes, within = place(cells, np.array([0.0, 2.5, 5.0, 9.0]), width=0.0, rng=np.random.default_rng(0))
    assert codes.tolist() == [0, 1, 2, 2]
    assert within[1] == pytest.approx(0.5)


@pytest.mark.parametrize("decimals", [0, 1, 2, 4])
def test_decimals_are_found(decimals: int) -> None:
    values = np.round(np.random.default_rng(decimals).normal(size=500) * 100, decimals)
    assert decimals_of(values, digits=15) == decimals


def test_unrounded_numbers_have_no_decimals() -> None:
    assert decimals_of(np.random.default_rng(0).normal(size=500), digits=15) is None


@pytest.mark.parametrize(("step", "rest"), [(1, 0), (10, 0), (500, 0), (86_400, 3600), (7, 3)])
def test_steps_are_found(step: int, rest: int) -> None:
    values = np.random.default_rng(0).integers(0, 1000, 400) * step + rest
    assert step_of(values) == (step, rest if step > 1 else 0)


def test_a_few_strays_do_not_hide_a_step() -> None:
    values = np.random.default_rng(0).integers(0, 5000, 2000) * 100
    values[0] = 12_345
    assert step_of(values) == (100, 0)


def test_a_step_of_huge_integers_does_not_overflow() -> None:
    values = np.array([2**100 + 1000 * j for j in range(50)], dtype=object)
    step, rest = step_of(values)
    assert step == 1000
    assert rest == 2**100 % 1000


@given(seed=seeds, shape=st.sampled_from(["even", "heavy", "ties", "one", "huge"]))
def test_edges_below_are_counted_as_a_search_counts_them(seed: int, shape: str) -> None:
    rng = np.random.default_rng(seed)
    edges, values = {
        "even": (rng.normal(size=50), rng.normal(size=12_000)),
        "heavy": (np.exp(9 * rng.normal(size=200)), np.exp(9 * rng.normal(size=12_000))),
        "ties": (rng.integers(0, 9, 30).astype(float), rng.integers(-2, 12, 12_000).astype(float)),
        "one": (np.ones(1), rng.normal(size=12_000)),
        "huge": (np.array([-1e308, 0.0, 1e308]), rng.normal(size=12_000)),
    }[shape]
    edges = np.sort(edges)
    for given_values in (values, rng.choice(edges, 12_000), values[:50]):
        assert (count_below(edges, given_values) == np.searchsorted(edges, given_values, side="right")).all()
