"""Rows of which so many have these values: shares that are asked for, met exactly in counts.

What is asked makes cells (a value of one column, or a combination of several). The joint share of the cells stays as
near to the model's own as the margins allow, and in each cell rows are drawn given that cell.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.random import SeedSequence

from cuvee.core.asked import Asked, draw_asked
from cuvee.core.plugins import Event, Learned, Watch
from cuvee.core.sampling import BLOCK, in_order
from cuvee.data.conditions import Comparison, Condition, Every, Missing, Some
from cuvee.data.conditions_text import condition_of
from cuvee.data.errors import ModelError, SchemaError
from cuvee.data.names import did_you_mean
from cuvee.numeric.margins import fitted_to_margins, whole_shares, whole_table

POOL = 20_000
"""The model's own joint shares are counted in so many rows."""
UNSEEN = 0.01
"""What none of them is counts as this many rows: it is made only where the margins want it."""
MOST = 4_000
"""At most so many cells."""
VALUES = 60
"""A column whose values are to be equal, or fair, has at most so many."""
KEY = 2**41
"""Blocks of cells are numbered from here on, so that they are none of those drawn plainly."""


@dataclass(frozen=True, slots=True)
class Margin:
    """What is asked of one column, or of several together.

    Attributes:
        says: Each cell in words.
        cells: Each cell as a condition.
        shares: Of all rows; they sum to 1.
    """

    says: tuple[str, ...]
    cells: tuple[Condition, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Shares:
    """What is asked of shares.

    Attributes:
        balance: By column, or columns, the shares of values; None for nothing.
        fair: The target and the groups; None for nothing.
        seed: The same seed gives the same rows.
        workers: Threads that make cells at the same time.
    """

    balance: Any
    fair: Any
    seed: int
    workers: int


def balanced(
    learned: Learned, n: int, asked: Asked, shares: Shares, *, watch: Watch
) -> Iterator[Mapping[str, pl.DataFrame]]:
    """Blocks of n rows with the shares that are asked for; all rows are held in memory.

    Raises:
        ModelError: The shares can't be, or the model can't make such rows.
    """
    if asked.given is not None:
        raise ModelError(
            "Rows are given, and shares are asked for too; the given rows settle the shares. Leave one out."
        )
    if learned.across():
        raise ModelError(
            f"Shares can't be asked for under {str(learned.across()[0])!r}, which speaks of all rows together."
        )
    balance, fair, seed = shares.balance, shares.fair, shares.seed
    pool = _pool(learned, asked, seed)
    if fair is not None and balance is not None:
        raise ModelError("Ask for either balance or fair: fair settles the shares of the target and of the groups.")
    margins = _fair(fair, pool) if fair is not None else _margins(balance, pool)
    counts = _counts(margins, pool, n, natural=fair is None)
    where = [tuple(int(k) for k in at) for at in np.argwhere(counts > 0)]
    jobs = [(c, at, s) for c, at in enumerate(where) for s in range(0, int(counts[at]), BLOCK)]

    def make(j: int) -> Mapping[str, pl.DataFrame]:
        number, at, first = jobs[j]
        cell = tuple(m.cells[k] for m, k in zip(margins, at, strict=True))
        size = min(BLOCK, int(counts[at]) - first)
        wanted = Asked(Every((asked.condition, *cell)))
        sequence = SeedSequence(seed, spawn_key=(KEY, number, first // BLOCK))
        try:
            return draw_asked(learned, size, wanted, start=0, seed=sequence)[0]
        except ModelError as error:
            says = " and ".join(m.says[k] for m, k in zip(margins, at, strict=True))
            raise ModelError(
                f"{size:,} rows with {says} are wanted to meet the shares, and can't be made: {error}"
            ) from error

    made: list[Mapping[str, pl.DataFrame]] = []
    for k, block in enumerate(in_order(make, range(len(jobs)), shares.workers)):
        made.append(block)
        watch(Event("sample", k + 1, len(jobs)))
    yield from _shuffled(learned, made, pool, n, seed)


def _shuffled(
    learned: Learned, made: Sequence[Mapping[str, pl.DataFrame]], pool: pl.DataFrame, n: int, seed: int
) -> Iterator[Mapping[str, pl.DataFrame]]:
    """The cells' rows in one random order, with ids of their own."""
    rng = np.random.default_rng(SeedSequence(seed, spawn_key=(KEY,)))
    name = next(iter(made[0])) if made else next(iter(learned.sample(0, start=0, rng=rng)))
    frame = pl.concat([m[name] for m in made]) if made else pool[:0]
    frame = learned.numbered(frame[rng.permutation(frame.height)], start=0, rng=rng)
    for start in range(0, max(n, 1), BLOCK):
        yield {name: frame[start : start + BLOCK]}


def _pool(learned: Learned, asked: Asked, seed: int) -> pl.DataFrame:
    """Rows of the model by itself, to count what it makes."""
    sequence = SeedSequence(seed, spawn_key=(KEY, 2**31))
    if asked:
        return next(iter(draw_asked(learned, POOL, asked, start=0, seed=sequence)[0].values()))
    tables = learned.sample(POOL, start=0, rng=np.random.default_rng(sequence))
    if len(tables) > 1:
        raise ModelError(f"Shares can be asked for of one table, and this model makes {len(tables)}.")
    return next(iter(tables.values()))


def _margins(balance: Any, pool: pl.DataFrame) -> list[Margin]:
    """What is asked, checked.

    Raises:
        ModelError: It can't be read, or the shares can't be.
    """
    if not isinstance(balance, Mapping) or not balance:
        raise ModelError('What is asked of shares is a mapping such as {"fraud": {"yes": 0.5}}.')
    said = cast("Mapping[Any, Any]", balance)
    return [_margin(columns, shares, pool) for columns, shares in said.items()]


def _margin(columns: Any, shares: Any, pool: pl.DataFrame) -> Margin:
    names = _names(columns, pool)
    if shares == "equal":
        values = _values(names, pool)
        shares = {v if len(names) > 1 else v[0]: 1 / len(values) for v in values}
    if not isinstance(shares, Mapping) or not shares:
        raise ModelError(f"The shares of {', '.join(names)} are a mapping such as {{'yes': 0.5}}, or the word equal.")
    cells: dict[str, tuple[Condition, float]] = {}
    for value, share in cast("Mapping[Any, Any]", shares).items():
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise ModelError(f"The share of {value!r} in {', '.join(names)} is {share!r}; it is a number from 0 to 1.")
        cell = _cell(names, value, pool)
        cells[str(cell)] = (cell, float(share))
    total = sum(share for _, share in cells.values())
    if total > 1 + 1e-6:
        raise ModelError(f"The shares of {', '.join(names)} sum to {total:g}, more than 1.")
    found = list(cells.values())
    if total < 1 - 1e-6:
        rest = _others([cell for cell, _ in found])
        if not rest.truth(pool).fill_null(value=False).any():
            raise ModelError(
                f"The shares of {', '.join(names)} sum to {total:g}, and the model makes no other values that the rest "
                "could have. Make them sum to 1."
            )
        found.append((rest, 1 - total))
    whole = sum(share for _, share in found)
    return Margin(tuple(str(c) for c, _ in found), tuple(c for c, _ in found), tuple(s / whole for _, s in found))


def _others(cells: Sequence[Condition]) -> Condition:
    """What is none of some cells; where it is unknown whether it is, it is none."""
    parts: list[Condition] = []
    for cell in cells:
        missing = tuple(Missing(c) for c in cell.columns())
        plain = cell.negated()
        parts.append(plain if isinstance(cell, Missing) else Some((plain, *missing)))
    return Every(tuple(parts))


def _names(columns: Any, pool: pl.DataFrame) -> list[str]:
    """The columns of a margin: a name, several in a tuple, or several in text with commas."""
    if isinstance(columns, str):
        names = [columns] if columns in pool.columns else [c.strip() for c in columns.split(",")]
    else:
        names = [str(c) for c in columns]
    for name in names:
        if name not in pool.columns:
            raise ModelError(f"The model has no column {name!r}.{did_you_mean(name, pool.columns)}")
    return names


def _cell(names: Sequence[str], value: Any, pool: pl.DataFrame) -> Condition:
    """A value, a combination of values, or a condition in text, as a condition."""
    if len(names) == 1 and isinstance(value, str) and any(sign in value for sign in "<>="):
        try:
            said = condition_of(value)
        except SchemaError:
            said = None
        if said is not None and set(said.columns()) == set(names):
            said.truth(pool[:0])
            return said
    parts = [value] if len(names) == 1 else [v.strip() for v in value.split(",")] if isinstance(value, str) else value
    if len(parts) != len(names):
        raise ModelError(f"{value!r} has {len(parts)} values, and {', '.join(names)} are {len(names)} columns.")
    cells = [Missing(c) if v is None else Comparison(c, "=", v) for c, v in zip(names, parts, strict=True)]
    whole = cells[0] if len(cells) == 1 else Every(tuple(cells))
    whole.truth(pool[:0])
    return whole


def _values(names: Sequence[str], pool: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The combinations of values that the model makes, in order."""
    found = pool.select(names).unique().sort(names)
    if found.height > VALUES:
        raise ModelError(
            f"The model makes {found.height:,} different values of {', '.join(names)}, more than {VALUES}. Name those "
            "that are meant, or ranges of them as conditions."
        )
    return found.rows()


def _fair(fair: Any, pool: pl.DataFrame) -> list[Margin]:
    """The target and the groups as they are, to be made independent.

    Raises:
        ModelError: What is asked can't be read.
    """
    if not isinstance(fair, Mapping) or set(cast("Mapping[Any, Any]", fair)) != {"target", "groups"}:
        raise ModelError('What is to be fair is said such as {"target": "income", "groups": ["sex"]}.')
    said = cast("Mapping[str, Any]", fair)
    groups = [said["groups"]] if isinstance(said["groups"], str) else list(said["groups"])
    margins: list[Margin] = []
    for columns in ([said["target"]], groups):
        names = _names(tuple(columns), pool)
        values = _values(names, pool)
        cells = [_cell(names, v if len(names) > 1 else v[0], pool) for v in values]
        shares = [float(c.truth(pool).fill_null(value=False).sum()) for c in cells]
        margins.append(Margin(tuple(map(str, cells)), tuple(cells), tuple(s / sum(shares) for s in shares)))
    return margins


def _counts(margins: Sequence[Margin], pool: pl.DataFrame, n: int, *, natural: bool) -> np.ndarray:
    """How many rows each combination of cells gets.

    Raises:
        ModelError: There are too many, or no counts meet the shares.
    """
    shape = tuple(len(m.cells) for m in margins)
    if int(np.prod(shape)) > MOST:
        raise ModelError(f"What is asked makes {int(np.prod(shape)):,} combinations, more than {MOST:,}. Ask for less.")
    wanted = [np.array(m.shares) for m in margins]
    whole = [whole_shares(w, n) for w in wanted]
    weights = _weights(margins, pool) if natural else _outer(wanted)
    table = fitted_to_margins(weights, wanted)
    counts = None if table is None else whole_table(table * n, whole)
    if counts is None:
        says = "; ".join(f"{s} {share:.0%}" for m in margins for s, share in zip(m.says, m.shares, strict=True))
        raise ModelError(f"No {n:,} rows have all these shares at once: {says}. Ask for less.")
    return counts


def _outer(margins: Iterable[np.ndarray]) -> np.ndarray:
    """The table of independent margins."""
    table = np.ones(())
    for m in margins:
        table = np.multiply.outer(table, m)
    return table


def _weights(margins: Sequence[Margin], pool: pl.DataFrame) -> np.ndarray:
    """How often the model makes each combination of cells by itself."""
    truths = [[c.truth(pool).fill_null(value=False).to_numpy() for c in m.cells] for m in margins]
    table = np.zeros(tuple(len(m.cells) for m in margins))
    for at in product(*(range(s) for s in table.shape)):
        both = np.ones(pool.height, np.bool_)
        for truth, k in zip(truths, at, strict=True):
            both &= truth[k]
        table[at] = both.sum()
    _refuse_overlaps(margins, truths)
    return np.where(table > 0, table, UNSEEN)


def _refuse_overlaps(margins: Sequence[Margin], truths: Sequence[Sequence[np.ndarray]]) -> None:
    """Refuse cells of one margin that a row can be in at once.

    Raises:
        ModelError: There are such.
    """
    for margin, truth in zip(margins, truths, strict=True):
        both = np.sum(truth, axis=0) > 1
        if both.any():
            row = int(np.flatnonzero(both)[0])
            says = [s for s, t in zip(margin.says, truth, strict=True) if t[row]]
            raise ModelError(f"{says[0]} and {says[1]} are true of the same rows, so their shares do not add up.")
