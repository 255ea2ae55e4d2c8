"""Rows of a model that knows how likely rows are, for what is asked of them: each the end of a Markov chain.

Every row has a partner, a fresh row of the model itself. A move swaps a column, or several, between a row and its
partner, and is taken with probability min(1, p(row') p(partner') / (p(row) p(partner))). The pair has the distribution
p(row | what is asked) p(partner), which such a move leaves as it is: it is Metropolis's, as it is its own reverse, so
the density of what is proposed is not needed, whatever the kind of column. A row that breaks what is asked has no
probability, and is never moved to. Partners may also be drawn with weights that fall with their distance from the row
in columns that the move leaves as they are (given cells, say): the weights are the same before and after, and such
partners fit better.
Source: Metropolis et al. (1953), Equation of state calculations by fast computing machines; Jasra, Stephens and Holmes
(2007), On population-based simulation for static inference, for moves that exchange parts between chains.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.core.method import MIXED, Method
from cuvee.numeric.chains import pooled

Floats = NDArray[np.float64]
Density = Callable[[pl.DataFrame], Floats]
Draw = Callable[[int, Generator], pl.DataFrame]
State = tuple[pl.DataFrame, Floats]
"""Rows, and their log densities."""

WATCHED = 400
"""So many rows have a second chain from elsewhere, by which it is told whether chains forget where they began."""
ROUNDS, LONGEST = 12, 96
"""Each column is moved so often at first, and at most."""
FAR = 4
"""In every such round partners come from anywhere, in the others from near."""
FIGURES = 12
"""So many numbers of a row are watched."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What rows are to be.

    Attributes:
        density: Log densities of rows, (n,); minus infinity where one can't be.
        draw: Rows of the model as it is.
        allowed: Whether rows are as asked, (n,).
        groups: Columns that are also moved together, and rows of the model that they are taken from.
        near: Rows of the model near to rows in the columns that settle most.
        settled: Columns that are not moved where partners are near.
        free: By column, (n,), where a cell may change.
    """

    density: Density
    draw: Draw
    allowed: Callable[[pl.DataFrame], NDArray[np.bool_]]
    groups: Sequence[tuple[tuple[str, ...], pl.DataFrame]]
    near: Callable[[pl.DataFrame, Generator], pl.DataFrame]
    settled: tuple[str, ...]
    free: Mapping[str, NDArray[np.bool_]]


def walk(target: Target, first: pl.DataFrame, other: pl.DataFrame, rng: Generator) -> tuple[pl.DataFrame, Method]:
    """Rows at the ends of chains, and whether the chains have forgotten where they began.

    Args:
        target: What rows are to be.
        first: (n,), where the chains begin.
        other: Where the second chains of the first rows begin, at most `WATCHED` of them.
        rng: For the moves.
    """
    n, k = first.height, other.height
    whose = np.concatenate([np.arange(n), np.arange(k)])
    rows = pl.concat([first, other])
    state = (rows, target.density(rows))
    seen: list[Floats] = []
    taken = tried = 0
    while True:
        for _ in range(max(len(seen), ROUNDS)):
            near = len(seen) % FAR > 0
            partners = target.near(state[0], rng) if near else target.draw(rows.height, rng)
            pair = (partners, target.density(partners))
            for columns, pool in _blocks(target, rng, near=near):
                masks = {c: target.free[c][whose] for c in columns}
                if pool is None:
                    state, pair, moved = _move(target, masks, state, pair, rng)
                else:
                    mates = pool[rng.integers(pool.height, size=rows.height)]
                    state, _, moved = _move(target, masks, state, (mates, target.density(mates)), rng)
                taken, tried = taken + moved, tried + int(np.any(list(masks.values()), axis=0).sum())
            seen.append(_figures(state, k, n))
        # What comes before the middle is left out: there chains still come from where they began.
        worth, rhat = pooled(np.stack(seen[len(seen) // 2 :], axis=-1)) if k else (1.0, 1.0)
        if rhat < MIXED or len(seen) >= LONGEST:
            return state[0][:n], Method("walked", worth, len(seen), taken / max(tried, 1), rhat)


def _blocks(target: Target, rng: Generator, *, near: bool) -> list[tuple[Sequence[str], pl.DataFrame | None]]:
    """What is moved in one round: every column once, alone or with others, and then the groups.

    A column that met the same partner twice would be given back.
    """
    columns = [c for c in target.free if not near or c not in target.settled]
    parts = rng.choice([1, max(len(columns) // 2, 1), max(len(columns), 1)])
    which = rng.permutation(len(columns)) % parts
    blocks: list[tuple[Sequence[str], pl.DataFrame | None]] = [
        ([columns[i] for i in np.flatnonzero(which == k)], None) for k in range(parts)
    ]
    return [*(b for b in blocks if b[0]), *target.groups]


def _move(
    target: Target, masks: Mapping[str, NDArray[np.bool_]], state: State, pair: State, rng: Generator
) -> tuple[State, State, int]:
    """Rows and partners after columns were swapped in the rows that say so, where that is accepted; and in how many."""
    (rows, density), (mates, dense) = state, pair
    swapped = rows.with_columns(mates[c].zip_with(pl.Series(m), rows[c]) for c, m in masks.items())
    turned = mates.with_columns(rows[c].zip_with(pl.Series(m), mates[c]) for c, m in masks.items())
    some = np.flatnonzero(np.any(list(masks.values()), axis=0))
    some = some[target.allowed(swapped[some])] if len(some) else some
    fresh, back = density.copy(), dense.copy()
    fresh[some], back[some] = np.split(target.density(pl.concat([swapped[some], turned[some]])), 2)
    with np.errstate(invalid="ignore"):
        ratio = fresh[some] + back[some] - density[some] - dense[some]
    # A row that can't be, as some are where chains begin, goes wherever it can; none goes to where it can't be.
    fine = np.isfinite(fresh[some]) & np.isfinite(back[some]) & np.isfinite(dense[some])
    out = np.isfinite(fresh[some]) & ~np.isfinite(density[some])
    ratio = np.where(out, np.inf, np.where(fine, ratio, -np.inf))
    yes = np.zeros(len(density), np.bool_)
    yes[some] = np.log(rng.random(len(some))) < ratio
    one, other = _where(yes, swapped, rows), _where(yes, turned, mates)
    return (one, np.where(yes, fresh, density)), (other, np.where(yes, back, dense)), int(yes.sum())


def _where(yes: NDArray[np.bool_], ones: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """The one rows where it says so, the others elsewhere."""
    mask = pl.Series(yes)
    return pl.DataFrame([ones[c].zip_with(mask, others[c]) for c in others.columns])


def _figures(state: State, k: int, n: int) -> Floats:
    """(figures, k, 2), what is watched of the rows that have two chains: how likely they are, and their numbers."""
    rows, density = state
    watched = np.concatenate([np.arange(k), np.arange(n, n + k)])
    part = rows[watched]
    numbers = [c for c, d in part.schema.items() if d.is_numeric() or d.is_temporal() or d == pl.Boolean][:FIGURES]
    found = [density[watched], *(part[c].to_physical().cast(pl.Float64).fill_null(np.nan).to_numpy() for c in numbers)]
    return np.stack([f.reshape(2, k).T for f in found])
