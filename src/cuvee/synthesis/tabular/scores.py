"""Fields as numbers and categories: a category says missing, a spike, or neither; a number is where the rest lies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.quantiles import EDGE, cumulative, locate
from cuvee.synthesis.tabular.coding import Field
from cuvee.synthesis.tabular.mixed import parted

Codes = NDArray[np.int32]
Narrow = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One field as a category, a number, or both.

    Attributes:
        field: The field.
        kinds: (m,), the code of the category for each code of the field; with a number, the last one stands for it.
        masses: (k,), the probabilities of the codes of the category; one alone where there is no category.
        rest: Codes that the number places, in order; none where the field is a category alone.
        below: (rest + 1,), where each of them begins and ends in ranks.
        shared: (rest,), whether it is one value that rows share, so that their ranks may lie anywhere in it.
        ordered: Whether the codes of the category stand in an order.
        missing: How many of the first codes of the category stand for missing values.
    """

    field: int
    kinds: NDArray[np.int64]
    masses: NDArray[np.float64]
    rest: NDArray[np.int64]
    below: NDArray[np.float64]
    shared: NDArray[np.bool_]
    ordered: bool
    missing: int

    @classmethod
    def of(cls, number: int, field: Field) -> "Split":
        """How a field is split."""
        kinds, rest = parted(field)
        if not len(rest):
            none = np.zeros(0, np.bool_)
            return cls(number, kinds, field.masses, rest, np.zeros(1), none, field.ordered, field.missing)
        masses, parts = np.bincount(kinds, field.masses).astype(np.float64), field.masses[rest]
        below, shared = cumulative(parts / parts.sum()), field.volumes[rest] == 1
        return cls(number, kinds, masses, rest, below, shared, ordered=False, missing=0)

    @property
    def of_kind(self) -> NDArray[np.int64]:
        """(k,), a code of the field for each code of the category."""
        return np.unique(self.kinds, return_index=True)[1]

    def cells(self, codes: Codes) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Which of `rest` each code of the field is, 0 where none, and whether it is one; (n,) each."""
        there = self.kinds[codes] == self.kinds[self.rest[0]]
        return np.searchsorted(self.rest, np.where(there, codes, self.rest[0])), there


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The fields of a table, split.

    Attributes:
        splits: Each field.
        numbers: Those that have a number.
        categories: Those that have a category.
    """

    splits: tuple[Split, ...]
    numbers: tuple[Split, ...]
    categories: tuple[Split, ...]

    @classmethod
    def of(cls, fields: Sequence[Field]) -> "Scores":
        """How fields are split."""
        splits = tuple(Split.of(f, field) for f, field in enumerate(fields))
        return cls(splits, tuple(s for s in splits if len(s.rest)), tuple(s for s in splits if len(s.masses) > 1))

    def ranks(
        self, codes: Codes, known: NDArray[np.bool_], within: NDArray[np.floating]
    ) -> tuple[Narrow, Narrow, NDArray[np.bool_]]:
        """Where the rank of each number begins and ends, and whether there is one, (n, numbers) each.

        Args:
            codes: (fields, n).
            known: (fields, n), which of them are those of the values.
            within: (fields, n), positions within cells. What a value shares with others has no place of its own:
                its rank may be anywhere in its cell.
        """
        shape = (codes.shape[1], len(self.numbers))
        low, high, there = np.zeros(shape, np.float32), np.ones(shape, np.float32), np.zeros(shape, np.bool_)
        for j, split in enumerate(self.numbers):
            place, there[:, j] = split.cells(codes[split.field])
            first, size, shared = split.below[place], np.diff(split.below)[place], split.shared[place]
            low[:, j] = first + np.where(shared, 0.0, within[split.field]) * size
            high[:, j] = np.where(shared, first + size, low[:, j])
            there[:, j] &= known[split.field]
        return low, high, there

    def kinds(self, codes: Codes, known: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Codes of the categories, and whether they are those of the values, (n, categories) each."""
        found = np.zeros((codes.shape[1], len(self.categories)), np.int64)
        for j, split in enumerate(self.categories):
            found[:, j] = split.kinds[codes[split.field]]
        return found, np.ascontiguousarray(known[[s.field for s in self.categories]].T)

    def start(
        self, fixed: Codes, within: NDArray[np.floating], noise: Narrow
    ) -> tuple[Narrow, NDArray[np.bool_], NDArray[np.int64]]:
        """Where rows start: numbers and which of them are given, (n, numbers), and codes, (n, categories).

        Args:
            fixed: (fields, n), codes that are given; -1 where not.
            within: (fields, n), their positions.
            noise: (n, numbers), where a number starts that is not given, or is none.
        """
        from scipy.special import ndtri

        codes = np.maximum(fixed, 0)
        numbers, there = noise.copy(), np.zeros(noise.shape, np.bool_)
        for j, split in enumerate(self.numbers):
            place, there[:, j] = split.cells(codes[split.field])
            there[:, j] &= fixed[split.field] >= 0
            ranks = split.below[place] + within[split.field] * np.diff(split.below)[place]
            numbers[:, j] = np.where(there[:, j], ndtri(np.clip(ranks, 1e-6, 1 - 1e-6)), noise[:, j])
        kinds, given = self.kinds(codes, fixed >= 0)
        masked = np.array([len(s.masses) for s in self.categories], np.int64)
        return numbers, there, np.where(given, kinds, masked)

    def codes(self, numbers: Narrow, kinds: NDArray[np.int64]) -> tuple[Codes, NDArray[np.float64]]:
        """Codes of the fields and positions within them, (fields, n), of (n, numbers) and (n, categories)."""
        from scipy.special import ndtr

        codes = np.zeros((len(self.splits), len(numbers)), np.int32)
        within = np.full(codes.shape, 0.5)
        for split, kind in zip(self.categories, kinds.T, strict=True):
            codes[split.field] = split.of_kind[kind]
        for split, number in zip(self.numbers, numbers.T, strict=True):
            there = split.cells(codes[split.field])[1] | (len(split.masses) == 1)
            ranks = np.clip(ndtr(number[there].astype(np.float64)), EDGE, 1 - EDGE)
            place, within[split.field, there] = locate(np.diff(split.below), ranks)
            codes[split.field, there] = split.rest[place]
        return codes, within
