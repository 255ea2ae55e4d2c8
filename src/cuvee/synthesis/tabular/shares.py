"""How much of each cell of a column meets a condition on that column alone, and where within the cell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.codec import Codec, Placed
from cuvee.data.conditions import Among, Comparison, Condition, literal

Floats = NDArray[np.float64]

POINTS = 17
"""Each interval is looked at in so many places, beside those that the condition names; borders are found by halving."""
HALVINGS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """What of a column is allowed.

    Attributes:
        line: (m,), how much of each cell, in [0, 1].
        code: (s,), the cells of which only a part is allowed, one line for each stretch of them.
        low: (s,), where within the cell a stretch begins, in [0, 1].
        high: (s,), where it ends.
    """

    line: NDArray[np.float32]
    code: NDArray[np.int64]
    low: Floats
    high: Floats

    def moved(self, codes: NDArray[np.integer], within: NDArray[np.floating]) -> Floats:
        """Positions drawn evenly in a cell, (n,), as positions drawn evenly in what is allowed of it."""
        result = np.asarray(within, np.float64).copy()
        if not len(self.code):
            return result
        length = self.high - self.low
        for cell in np.unique(self.code):
            rows = np.flatnonzero(codes == cell)
            mine = np.flatnonzero(self.code == cell)
            ends = np.cumsum(length[mine])
            reach = result[rows] * ends[-1]
            which = np.minimum(np.searchsorted(ends, reach, side="right"), len(mine) - 1)
            result[rows] = self.high[mine][which] - (ends[which] - reach)
        return result

    def holds(self, codes: NDArray[np.integer], within: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Whether positions in cells are allowed, (n,)."""
        partial = np.isin(codes, self.code)
        fine = self.line[codes] > 0
        fine[partial] = False
        for cell, low, high in zip(self.code, self.low, self.high, strict=True):
            fine |= (codes == cell) & (within >= low) & (within <= high)
        return fine


def shares_of(codec: Codec, condition: Condition, *, rng: Generator) -> Shares:
    """What a condition on one column allows of it; unknown counts as not allowed.

    Args:
        codec: The column.
        condition: What is asked of it, and of no other column.
        rng: For codecs whose values are not settled by their place.
    """
    m = len(codec.masses)
    inside = _intervals(codec)
    line = np.zeros(m, np.float32)
    atoms = np.flatnonzero(~inside)
    line[atoms] = _truth(codec, condition, atoms, np.full(len(atoms), 0.5), rng)
    cells = np.flatnonzero(inside)
    if not len(cells):
        return Shares(line, np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    codes = np.repeat(cells, POINTS)
    within = np.tile((np.arange(POINTS) + 0.5) / POINTS, len(cells))
    named = _named(codec, condition, rng)
    codes, within = np.concatenate([codes, named.codes]), np.concatenate([within, named.within])
    keep = inside[codes]
    order = np.lexsort((within[keep], codes[keep]))
    codes, within = codes[keep][order], within[keep][order]
    # Between two places that the condition names lies one that it may mean: a < x and x < b.
    halves = np.flatnonzero(codes[1:] == codes[:-1])
    codes = np.concatenate([codes, codes[halves]])
    within = np.concatenate([within, (within[halves] + within[halves + 1]) / 2])
    order = np.lexsort((within, codes))
    codes, within = codes[order], within[order]
    true = _truth(codec, condition, codes, within, rng)
    turns = np.flatnonzero((codes[1:] == codes[:-1]) & (true[1:] != true[:-1]))
    borders = _halved(codec, condition, (codes[turns], within[turns], within[turns + 1], true[turns]), rng)
    stretches = _stretches(cells, codes, true, turns, borders)
    for cell, low, high in stretches:
        line[cell] += high - low
    partial = [s for s in stretches if line[s[0]] < 1 - 1e-12]
    line[line >= 1 - 1e-12] = 1
    columns: Sequence[Sequence[float]] = list(zip(*partial, strict=True)) or [(), (), ()]
    return Shares(line, np.array(columns[0], np.int64), np.array(columns[1], float), np.array(columns[2], float))


def _intervals(codec: Codec) -> NDArray[np.bool_]:
    """(m,), which cells hold more than one value."""
    if codec.discrete:
        return np.zeros(len(codec.masses), np.bool_)
    rng = np.random.default_rng(0)
    every = np.arange(len(codec.masses))
    low, high = (codec.values(Placed(every, np.full(len(every), at)), start=0, rng=rng) for at in (1e-9, 1 - 1e-9))
    return (low.ne_missing(high)).to_numpy()


def _truth(
    codec: Codec, condition: Condition, codes: NDArray[np.int64], within: Floats, rng: Generator
) -> NDArray[np.bool_]:
    values = codec.values(Placed(codes, within), start=0, rng=rng).rename(condition.columns()[0])
    return condition.truth(values.to_frame()).fill_null(value=False).to_numpy()


def _named(codec: Codec, condition: Condition, rng: Generator) -> Placed:
    """Where the values lie that the condition names."""
    values: list[object] = []
    todo = [condition]
    while todo:
        part = todo.pop()
        if isinstance(part, Comparison):
            values.append(part.value)
        elif isinstance(part, Among):
            values += part.values
        else:
            todo += getattr(part, "conditions", ())
    placed: list[Placed] = []
    for value in values:
        series = pl.select(literal(value, codec.dtype, codec.name)).to_series().cast(codec.dtype, strict=False)
        if series.null_count() == 0:
            placed.append(codec.place(series.rename(codec.name), rng=rng))
    codes = np.concatenate([np.zeros(0, np.int64), *(p.codes for p in placed)])
    return Placed(codes, np.concatenate([np.zeros(0), *(p.within for p in placed)]))


def _halved(
    codec: Codec,
    condition: Condition,
    between: tuple[NDArray[np.int64], Floats, Floats, NDArray[np.bool_]],
    rng: Generator,
) -> Floats:
    """Where between two places the truth changes, (turns,)."""
    codes, low, high, first = between
    for _ in range(HALVINGS if len(codes) else 0):
        middle = (low + high) / 2
        same = _truth(codec, condition, codes, middle, rng) == first
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return np.where(first, low, high)


def _stretches(
    cells: NDArray[np.int64],
    codes: NDArray[np.int64],
    true: NDArray[np.bool_],
    turns: NDArray[np.int64],
    borders: Floats,
) -> list[tuple[int, float, float]]:
    """Cell, begin and end of all that is allowed."""
    found: list[tuple[int, float, float]] = []
    first = np.searchsorted(codes, cells)
    for cell, start in zip(cells.tolist(), first.tolist(), strict=True):
        on, begin = bool(true[start]), 0.0
        for turn, border in zip(turns[codes[turns] == cell], borders[codes[turns] == cell], strict=True):
            del turn
            if on:
                found.append((cell, begin, float(border)))
            on, begin = not on, float(border)
        if on:
            found.append((cell, begin, 1.0))
    return found
