"""Tables as cells that can be counted: levels by their code, numbers by their rank among real rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.learners.encode import Encoder, codes, levels_of, numbers

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

BINS = 20
"""Numbers of many values are cut into so many bins of equal counts."""

FEW = 100
"""Numbers of at most so many values are cells as they are."""

TOLERANCE = 0.05
"""Numbers agree where their ranks differ by no more than this share of the real rows."""


@dataclass(frozen=True, slots=True)
class Cells:
    """How columns are counted; the columns stand in the order of their names.

    Attributes:
        ranked: The sorted real values of each column of numbers.
        levels: The sorted levels of the other columns.
    """

    columns: tuple[str, ...]
    ranked: Mapping[str, Floats]
    levels: Mapping[str, pl.Series]

    def values(self, frame: pl.DataFrame) -> Floats:
        """Codes of levels and ranks of numbers in [0, 1], (n, columns); a null is -1."""
        return np.column_stack([self._values(frame[c], c) for c in self.columns])

    def _values(self, series: pl.Series, column: str) -> Floats:
        if column in self.levels:
            return codes(series, self.levels[column]).astype(np.float64)
        real, own = self.ranked[column], numbers(series)
        if not len(real):
            return np.where(np.isnan(own), -1.0, 0.5)
        middle = (np.searchsorted(real, own, "left") + np.searchsorted(real, own, "right")) / (2 * len(real))
        return np.where(np.isnan(own), -1.0, middle)

    def cells(self, values: Floats) -> Whole:
        """The values as whole numbers, (n, columns), numbers of many values in bins; a null is -1."""
        out = np.empty(values.shape, dtype=np.int64)
        for place, column in enumerate(self.columns):
            own = values[:, place]
            if column in self.ranked:
                many = len(np.unique(self.ranked[column])) > FEW
                own = np.where(own < 0, -1, np.floor(np.minimum(own, 1 - 1e-9) * (BINS if many else 1e6)))
            out[:, place] = own.astype(np.int64)
        return out

    def agree(self, first: Floats, second: Floats) -> NDArray[np.bool_]:
        """Where values agree, (n, columns): levels that are the same, numbers within the tolerance, nulls both."""
        number = np.array([c in self.ranked for c in self.columns])
        near = np.abs(first - second) <= np.where(number, TOLERANCE, 0.0) + 1e-12
        return near & ((first < 0) == (second < 0))


def learn_cells(real: Sequence[pl.DataFrame], synthetic: pl.DataFrame, encoder: Encoder) -> Cells:
    """The cells of these tables: ranks among real rows, levels of all."""
    ranked: dict[str, Floats] = {}
    levels: dict[str, pl.Series] = {}
    for column, how in encoder.readings.items():
        if how == "number":
            values = np.concatenate([numbers(frame[column]) for frame in real])
            ranked[column] = np.sort(values[~np.isnan(values)])
        else:
            levels[column] = levels_of([f[column] for f in (*real, synthetic)])
    return Cells(tuple(encoder.readings), ranked, levels)


def joint(cells: Whole) -> Whole:
    """One whole number for each row, the same where all its cells are, (n,).

    >>> joint(np.array([[1, 2], [3, 2], [1, 2]])).tolist()
    [0, 1, 0]
    """
    key = np.zeros(len(cells), dtype=np.int64)
    for column in cells.T:
        own = np.unique(column, return_inverse=True)[1]
        key = np.unique(key * (own.max(initial=0) + 1) + own, return_inverse=True)[1]
    return key


def entropy(key: Whole) -> float:
    """Shannon's entropy of the cells, in nats."""
    share = np.bincount(key) / len(key)
    share = share[share > 0]
    return float(-(share * np.log(share)).sum())
