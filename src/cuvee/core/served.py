"""Rows as they are asked for, of models that can't draw them so by themselves: by search, by chains, or by nearness.

A condition that enough rows meet is looked for. Where hardly any do, and for cells that are given, a model that knows
how likely rows are is walked to them by Metropolis moves, from where its rows come near; one that can only draw gives
what comes near.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.core.matching import POOL, match
from cuvee.core.method import Method
from cuvee.core.plugins import Learned
from cuvee.core.walking import WATCHED, Target, walk
from cuvee.data.conditions import Condition, Every
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.data.schema import Column, Schema, Table

if TYPE_CHECKING:
    from cuvee.core.asked import Asked

SEARCH = 400
"""A synthesizer that can't draw by a condition draws at most this many rows for each one asked."""
LEAST = 20_000
"""And at least this many before it gives up, or walks."""
CANDIDATES = 8
"""A chain begins at the first of so many rows that is as asked."""
PARTNERS, NEIGHBOURS = 2_000, 100
"""Partners of chains are chosen among so many rows, in the main among so many of them."""
WIDE = 5
"""What is asked is looked for in so many times more rows where chains are to begin."""


def served(
    learned: Learned, n: int, asked: "Asked", *, start: int, rng: Generator
) -> tuple[Mapping[str, pl.DataFrame], Method]:
    """Make n rows that are as asked, as far as this model can: whoever calls looks at them again.

    Raises:
        ModelError: None were found; the message says what to do.
    """
    made = _given if asked.given is not None else _searched
    rows, method = made(learned, n, asked, start=start, rng=rng)
    return {_name(learned): rows}, method


def _given(learned: Learned, n: int, asked: "Asked", *, start: int, rng: Generator) -> tuple[pl.DataFrame, Method]:
    """Rows of which cells are given: walked to where the model knows densities, else the nearest that it draws."""
    if n == 0:
        return _rows(learned, 0, rng), Method("matched", 0.0)
    pool = _rows(learned, POOL, rng)
    new = learned.made_new()
    given = pl.DataFrame() if asked.given is None else asked.given
    telling = [c for c in given.columns if c not in new and given[c].null_count() < n]
    matched = match(pool, given.select(telling), times=CANDIDATES, rng=rng)
    near = Method("matched", matched.effective)
    first = _first_allowed(learned, asked, pool, matched.rows)
    if not _knows_density(learned, pool):
        return asked.kept(learned.numbered(first, start=start, rng=rng)), near
    some = min(n, WATCHED)
    other = asked.pick(np.arange(some)).kept(pool[rng.integers(pool.height, size=some)])
    rows, method = walk(_target(learned, asked, pool, n), first, other, rng)
    return asked.kept(learned.numbered(rows, start=start, rng=rng)), method


def _rows(learned: Learned, n: int, rng: Generator) -> pl.DataFrame:
    return next(iter(learned.sample(n, start=0, rng=rng).values()))


def _density(learned: Learned, name: str, frame: pl.DataFrame) -> NDArray[np.float64]:
    """Log densities of rows; those of no rows are none."""
    if not frame.height:
        return np.zeros(0)
    meaning = Schema(tables={name: Table(columns={c: Column(kind="category") for c in frame.columns})})
    found = learned.log_prob(Dataset({name: frame}, meaning))
    return np.full(frame.height, np.nan) if found is None else np.asarray(found, np.float64)


def _knows_density(learned: Learned, pool: pl.DataFrame) -> bool:
    """Whether it says how likely rows are: of its own rows at least."""
    return bool(np.isfinite(_density(learned, _name(learned), pool[:1])).all())


def _name(learned: Learned) -> str:
    return next(iter(learned.sample(0, start=0, rng=np.random.default_rng(0))))


def _allowed(learned: Learned, asked: "Asked", frame: pl.DataFrame) -> NDArray[np.bool_]:
    """Whether rows are as asked, and keep what holds in every row, (n,)."""
    true = asked.condition.truth(frame).fill_null(value=False)
    for column in asked.filled:
        true &= frame[column].is_not_null()
    fine = np.array(true.to_numpy())
    fine[learned.broken(frame)] = False
    return fine


def _first_allowed(learned: Learned, asked: "Asked", pool: pl.DataFrame, candidates: NDArray[np.int64]) -> pl.DataFrame:
    """For each row the first of its candidates that is as asked, with the cells that are given."""
    n, times = candidates.shape
    every = asked.pick(np.repeat(np.arange(n), times)).kept(pool[candidates.reshape(-1)])
    fine = _allowed(learned, asked, every).reshape(n, times)
    return every[np.arange(n) * times + fine.argmax(axis=1)]


def _target(
    learned: Learned,
    asked: "Asked",
    pool: pl.DataFrame,
    n: int,
    groups: Sequence[tuple[tuple[str, ...], pl.DataFrame]] = (),
) -> Target:
    """What chains are for."""
    new, given = learned.made_new(), asked.given
    free: dict[str, NDArray[np.bool_]] = {}
    for c in pool.columns:
        open_ = np.ones(n, np.bool_) if given is None or c not in given.columns else given[c].is_null().to_numpy()
        if c not in new and open_.any() and pool[c].n_unique() > 1:
            free[c] = open_
    together = [(tuple(c for c in columns if c in free), rows) for columns, rows in groups]
    anchors = [
        c
        for c in ([c for columns, _ in groups for c in columns] if given is None else given.columns)
        if c in pool.columns
    ]
    anchors = [c for c in anchors if c not in new]

    def near(rows: pl.DataFrame, rng: Generator) -> pl.DataFrame:
        known = rows if given is None else given[np.arange(rows.height) % n]
        some = _rows(learned, PARTNERS, rng)
        return some[match(some, known.select(anchors), times=1, rng=rng, near=NEIGHBOURS).rows[:, 0]]

    return Target(
        near=near,
        settled=tuple(anchors) if given is None else (),
        density=partial(_density, learned, _name(learned)),
        draw=partial(_rows, learned),
        allowed=partial(_allowed, learned, asked),
        groups=[(columns, rows) for columns, rows in together if columns],
        free=free,
    )


def _searched(learned: Learned, n: int, asked: "Asked", *, start: int, rng: Generator) -> tuple[pl.DataFrame, Method]:
    """Rows that meet a condition: those of many, or where hardly any do the ends of chains.

    Raises:
        ModelError: There are too few, and the model doesn't know how likely rows are.
    """
    found: list[pl.DataFrame] = []
    have = drawn = 0
    while have < n or not found:
        if drawn >= max(SEARCH * n, LEAST):
            raise ModelError(
                f"Of {drawn:,} rows that were drawn, {have:,} meet {asked.condition}, and {n:,} were asked for. This "
                "model can only be looked through; one of 'trees' or 'circuit' draws such rows directly."
            )
        share = max(have, 1) / max(drawn, 1) if drawn else 1.0
        size = int(np.clip((n - have) / share * 1.1 + 64, 256, 65_536))
        made = _rows(learned, size, rng)
        fine = np.flatnonzero(_allowed(learned, asked, made))
        found.append(made[fine])
        have, drawn = have + len(fine), drawn + size
        if have < n and drawn >= LEAST and have * SEARCH < drawn and _knows_density(learned, made):
            return _walked(learned, n, asked, pl.concat(found), start=start, rng=rng)
    whole = learned.numbered(pl.concat(found)[:n], start=start, rng=rng)
    return whole, Method("searched", 1.0, drawn / max(n, 1))


def _walked(
    learned: Learned, n: int, asked: "Asked", found: pl.DataFrame, *, start: int, rng: Generator
) -> tuple[pl.DataFrame, Method]:
    """Rows that meet a condition which hardly any of the model's own rows meet.

    Chains begin at rows that are put together: parts of the condition that share no column are met by parts of
    different rows.

    Raises:
        ModelError: A part of the condition is met by no row that was drawn.
    """
    pool = _rows(learned, WIDE * LEAST, rng)
    groups: list[tuple[tuple[str, ...], pl.DataFrame]] = []
    for condition in apart(asked.condition):
        columns = condition.columns()
        rows = pl.concat([pool, found]).filter(condition.truth(pl.concat([pool, found])).fill_null(value=False))
        if not rows.height:
            raise ModelError(
                f"Of {pool.height:,} rows that were drawn none meets {condition}. The model knows no such rows, or "
                "they are too rare to be found by looking; one of 'trees' or 'circuit' draws such rows directly."
            )
        groups.append((columns, rows))
    some = min(n, WATCHED)
    size = (n + some) * CANDIDATES
    begin = pool[rng.integers(pool.height, size=size)]
    for columns, rows in groups:
        begin = begin.with_columns(rows.select(columns)[rng.integers(rows.height, size=size)])
    fine = _allowed(learned, asked, begin).reshape(-1, CANDIDATES)
    begin = begin[np.arange(n + some) * CANDIDATES + fine.argmax(axis=1)]
    rows, method = walk(_target(learned, asked, pool, n, groups), begin[:n], begin[n:], rng)
    return learned.numbered(rows, start=start, rng=rng), method


def apart(condition: Condition) -> list[Condition]:
    """A condition in parts that share no column, each as large as it must be."""
    groups: list[tuple[set[str], list[Condition]]] = []
    for part in condition.parts():
        mine, parts = set(part.columns()), [part]
        rest: list[tuple[set[str], list[Condition]]] = []
        for columns, others in groups:
            if columns & mine:
                mine, parts = mine | columns, [*others, *parts]
            else:
                rest.append((columns, others))
        groups = [*rest, (mine, parts)]
    return [Every(tuple(parts)) for columns, parts in groups if columns]
