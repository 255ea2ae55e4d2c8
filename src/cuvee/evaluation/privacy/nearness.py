"""Which real rows synthetic rows stand next to: the rows of train, or of a holdout that none was learned from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.learners.encode import Encoder, codes, levels_of, numbers
from cuvee.numeric.distances import Rows, nearer, nearest, share_of_first

Floats = NDArray[np.float64]

_BASE = 64
"""Up to so many levels differ by exactly 1; of more levels, each is written in digits, and differs by the share of
them."""

_WIDTH_MAX = 1024
"""Numbers a row at most, unless there are very many columns."""


@dataclass(frozen=True, slots=True)
class Space:
    """How rows become points whose Euclidean distance says how much they differ.

    A column adds at most 1 to a squared distance: a number the squared difference of its ranks among real rows (in
    [0, 1], a null half a step below), a category 1 where it differs. Text differs where it is not the same.

    Attributes:
        ranks: The sorted real numbers of each column that holds numbers.
        levels: The sorted levels of the other columns.
        base: Levels of more than this number are written in digits of this base.
    """

    ranks: Mapping[str, Floats]
    levels: Mapping[str, pl.Series]
    base: int

    @property
    def width(self) -> int:
        """Numbers a row."""
        return len(self.ranks) + sum(_width(len(levels) + 1, self.base) for levels in self.levels.values())

    def points(self, frame: pl.DataFrame) -> Rows:
        """The rows as points, (n, width)."""
        out = np.zeros((frame.height, self.width), dtype=np.float32)
        for place, (column, ranked) in enumerate(self.ranks.items()):
            out[:, place] = _rank(numbers(frame[column]), ranked)
        start = len(self.ranks)
        for column, levels in self.levels.items():
            coded = codes(frame[column], levels) + 1
            start = _write_digits(out, start, coded, len(levels) + 1, self.base)
        return out


def learn_space(real: Sequence[pl.DataFrame], synthetic: pl.DataFrame, encoder: Encoder) -> Space:
    """The space that real rows span; levels are of all tables, so that an unseen one differs from all others."""
    ranks: dict[str, Floats] = {}
    levels: dict[str, pl.Series] = {}
    for column, how in encoder.readings.items():
        if how == "number":
            values = np.concatenate([numbers(frame[column]) for frame in real])
            ranks[column] = np.sort(values[~np.isnan(values)])
        else:
            levels[column] = (
                encoder.levels[column] if how == "level" else levels_of([f[column] for f in (*real, synthetic)])
            )
    base = _BASE
    while base > 2 and len(ranks) + sum(_width(len(s) + 1, base) for s in levels.values()) > _WIDTH_MAX:
        base //= 2
    return Space(ranks, levels, base)


def _rank(values: Floats, ranked: Floats) -> Floats:
    if not len(ranked):
        return np.where(np.isnan(values), -0.5, 0.5)
    middle = (np.searchsorted(ranked, values, "left") + np.searchsorted(ranked, values, "right")) / (2 * len(ranked))
    return np.where(np.isnan(values), -0.5, middle)


def _digits(count: int, base: int) -> tuple[int, int]:
    """How many digits, and of which base, write so many levels."""
    digits = 1
    while base**digits < count:
        digits += 1
    return digits, next(b for b in range(max(1, int(count ** (1 / digits)) - 1), count + 1) if b**digits >= count)


def _width(count: int, base: int) -> int:
    digits, own = _digits(count, base)
    return digits * own


def _write_digits(out: Rows, start: int, coded: NDArray[np.int64], count: int, base: int) -> int:
    """Write each level as digits, each digit as one place of its own; gives where the next column starts."""
    digits, own = _digits(count, base)
    for _ in range(digits):
        out[np.arange(len(coded)), start + coded % own] = np.sqrt(0.5 / digits)
        coded = coded // own
        start += own
    return start


@dataclass(frozen=True, slots=True)
class Neighbours:
    """For each row, the nearest training and the nearest holdout row.

    For rows that were made without looking at single training rows, every real row is as likely to be the nearest, so
    the expected credit is train's share of the real rows, whatever is made and however often.

    Attributes:
        train: Distances to train.
        holdout: Distances to holdout.
        credit: (n,), the share of the nearest real rows that are training rows: 1 or 0, or between where both are as
            near.
        balanced: The same among as many training as holdout rows.
    """

    train: Floats
    holdout: Floats
    credit: Floats
    balanced: Floats


def neighbours(rows: Rows, train: Rows, holdout: Rows) -> Neighbours:
    """The nearest real rows of each row; real rows come in random order."""
    size = min(len(train), len(holdout))
    first, second = nearest(rows, train[:size]), nearest(rows, holdout[:size])
    all_train = nearer(first, nearest(rows, train[size:])) if len(train) > size else first
    all_holdout = nearer(second, nearest(rows, holdout[size:])) if len(holdout) > size else second
    credit = share_of_first(all_train, all_holdout)
    return Neighbours(all_train.distance, all_holdout.distance, credit, share_of_first(first, second))
