"""What a codec is: one column to ranks and back, with nothing kept that a single row could be known by."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.data.dtypes import dtype_from_json, dtype_to_json
from cuvee.numeric.quantiles import EDGE, locate, rank

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

LEAST = 5
"""What is stored comes from at least this many rows: a value that fewer rows share is never kept as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Values as places in the cells of a codec.

    Attributes:
        codes: (n,), the cell of each value.
        within: (n,), where it lies within the cell, in [0, 1); means something inside intervals, is random in atoms.
        known: (n,), false where the value is not among those learned and was placed at random or near by; None where
            all are known.
    """

    codes: NDArray[np.int64]
    within: Floats
    known: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Codec(ABC):
    """One column as cells: missing values first, then the values, in an order that a rank follows.

    A cell is an atom (one value) or an interval. `place` and `values` go between values and (cell, position within it):
    what an engine that predicts cells wants. `encode` and `decode` go between values and one uniform rank: what a
    copula wants.

    Attributes:
        name: The column.
        dtype: Its dtype, which comes out again exactly.
        masses: (m,), the probability of each cell; they sum to 1.
        missing: How many of the first cells stand for missing values (null, NaN).
        notes: What was protected or could not be learned, in sentences.
    """

    name: str
    dtype: pl.DataType
    masses: Floats
    missing: int
    notes: tuple[str, ...]

    kind: ClassVar[str]
    """The name of this codec in model files."""
    ordered: ClassVar[bool] = True
    """Whether the order of the cells means something; else a synthesizer may reorder them."""
    informative: ClassVar[bool] = True
    """Whether the place of a value says something to other columns; that of ids and free text says nothing."""

    @abstractmethod
    def place(self, series: pl.Series, *, rng: Generator) -> Placed:
        """The cells of a column's values; a value that was not learned is placed at random or near by."""

    @abstractmethod
    def values(self, placed: Placed, *, start: int, rng: Generator) -> pl.Series:
        """The column with these cells, exactly of the dtype.

        Args:
            placed: Where the values lie.
            start: The number of the first row in the whole sample; ids are counted on from it.
            rng: For what a place does not say (free text).
        """

    @abstractmethod
    def details(self) -> tuple[Mapping[str, Any], Arrays]:
        """What this kind of codec learned beside what all have, as JSON values and arrays."""

    @classmethod
    @abstractmethod
    def restored(cls, shared: Mapping[str, Any], values: Mapping[str, Any], arrays: Arrays) -> Self:
        """The codec again, from the arguments that all share and what `details` gave."""

    @property
    def missing_share(self) -> float:
        """The probability of a missing value."""
        return float(self.masses[: self.missing].sum())

    @property
    def volumes(self) -> Floats:
        """(m,), what to divide the masses by to have a density: 1 for an atom, its length for an interval.

        Lengths are in steps of the grid, so that the density of a rounded number is a probability too; where there is
        no grid, in the unit of the column.
        """
        return np.ones(len(self.masses))

    @property
    def discrete(self) -> bool:
        """Whether every cell is an atom."""
        return True

    def encode(self, series: pl.Series, *, rng: Generator) -> Floats:
        """Uniform ranks of the values, (n,) in (0, 1); missing values have the lowest."""
        placed = self.place(series, rng=rng)
        return rank(self.masses, placed.codes, placed.within)

    def decode(self, ranks: Floats, *, start: int = 0, rng: Generator) -> pl.Series:
        """The values of ranks, (n,)."""
        return self.values(Placed(*locate(self.masses, ranks)), start=start, rng=rng)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """All that was learned, as JSON values and arrays."""
        values, arrays = self.details()
        shared = {
            "kind": self.kind,
            "name": self.name,
            "dtype": dtype_to_json(self.dtype),
            "missing": self.missing,
            "notes": list(self.notes),
        }
        return {**shared, "details": dict(values)}, {"masses": self.masses, **arrays}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        """What `state` gave, as a codec again."""
        shared = {
            "name": str(values["name"]),
            "dtype": dtype_from_json(values["dtype"]),
            "masses": np.asarray(arrays["masses"], np.float64),
            "missing": int(values["missing"]),
            "notes": tuple(values["notes"]),
        }
        return cls.restored(shared, values["details"], arrays)


def masses_of(counts: Floats) -> Floats:
    """Counts as probabilities, (m,); evenly spread where nothing was counted."""
    total = counts.sum()
    return counts / total if total > 0 else np.full(len(counts), 1 / max(len(counts), 1))


def random_places(masses: Floats, n: int, *, rng: Generator) -> Placed:
    """Places drawn with the cells' own probabilities, (n,)."""
    return Placed(*locate(masses, np.clip(rng.random(n), EDGE, 1 - EDGE)))


def null_places(series: pl.Series, missing: int, *, rng: Generator) -> Placed:
    """Places where only missing or not matters: cell 0 for nulls, the cell behind the `missing` ones else."""
    codes = np.where(series.is_null().to_numpy(), 0, missing).astype(np.int64)
    return Placed(codes, rng.random(len(series)))


def rows_in_words(n: int, what: str = "row") -> str:
    """A number of rows in words.

    >>> rows_in_words(1), rows_in_words(1200)
    ('1 row', '1,200 rows')
    """
    return f"{n:,} {what}{'' if n == 1 else 's'}"
