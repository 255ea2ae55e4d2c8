"""Tables as the numbers and categories of a network, and back to codes whose margins are exact.

A field of many ordered codes is a number, told as a normal score of its rank, and beside it a category that says
missing, one of the spikes, or that the number holds. Any other field is a category alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.numeric.quantiles import EDGE, locate, rank
from cuvee.synthesis.tabular.coding import Field

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Masses = NDArray[np.float64]

FEW = 12
"""A field of no more codes than this is a category, whatever their order."""
SPIKE = 0.03
"""A value that has so much of the mass is a code of the category: no noise is spent on it."""
WIDE = 100
"""A category of more codes is told to a network as about so many groups of neighbours; within one the margin draws."""
FAR = 1e-5
"""Normal scores end where this share of the rows is left."""


def parted(field: Field) -> tuple[Ints, Ints]:
    """The category's code of each code of a field, (m,), and the codes that its number places, (rest,), in order.

    With a number, the last code of the category says that it holds; a field of few values is a category alone.
    """
    m = len(field.masses)
    places = field.ordered & (np.arange(m) >= field.missing) & ((field.masses < SPIKE) | (field.volumes != 1))
    rest = np.flatnonzero(places)
    if m - field.missing <= FEW or field.masses[rest].sum() <= 0:
        return np.arange(m), rest[:0]
    alone = np.flatnonzero(~places)
    kinds = np.full(m, len(alone))
    kinds[alone] = np.arange(len(alone))
    return kinds, rest


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One field as a network sees it.

    Attributes:
        kinds: (m,), the category's code of each code of the field.
        group: (kinds,), the group of neighbours that stands for each code of the category, rising.
        masses: (kinds,), the probabilities of the codes of the category; of length 1 where there is none.
        rest: Codes of the field that the number places, in order; the last code of the category says that it holds.
            None where there is no number.
        places: (rest,), their probabilities given that it is one of them.
    """

    kinds: Ints
    group: Ints
    masses: Masses
    rest: Ints
    places: Masses

    @classmethod
    def of(cls, field: Field) -> Self:
        """How a field is split."""
        kinds, rest = parted(field)
        if not len(rest):
            return cls(kinds, _groups(field.masses), field.masses, rest, np.zeros(0))
        masses = np.asarray(np.bincount(kinds, weights=field.masses), np.float64)
        parts = field.masses[rest] / field.masses[rest].sum()
        return cls(kinds, np.arange(len(masses)), masses, rest, parts)

    @property
    def sizes(self) -> Masses:
        """(groups,), the probability of each group."""
        return np.asarray(np.bincount(self.group, weights=self.masses), np.float64)

    def scores(self, codes: NDArray[np.integer], within: NDArray[np.floating]) -> tuple[Floats, NDArray[np.bool_]]:
        """Normal scores, (n,), 0 where there is no number, and where there is one."""
        from scipy.special import ndtri

        there = self.kinds[codes] == self.kinds[self.rest[0]]
        place = np.searchsorted(self.rest, codes[there])
        scores = np.zeros(len(codes), np.float32)
        scores[there] = ndtri(np.clip(rank(self.places, place, within[there].astype(np.float64)), FAR, 1 - FAR))
        return scores, there

    def draw_kind(self, groups: Ints, rng: Generator) -> Ints:
        """The code of the category within each group, (n,), drawn as the margin says."""
        if len(self.group) == self.group[-1] + 1:
            return groups
        ends = np.cumsum(self.masses)
        first = np.searchsorted(self.group, groups, side="left")
        last = np.searchsorted(self.group, groups, side="right") - 1
        low = np.r_[0.0, ends][first]
        found = np.searchsorted(ends, low + rng.random(len(groups)) * (ends[last] - low), side="right")
        return np.clip(found, first, last)

    def codes(self, kinds: Ints | None, scores: Floats | None) -> tuple[NDArray[np.int32], NDArray[np.float64] | None]:
        """Codes of the field, (n,), and positions in them; None where anywhere will do."""
        from scipy.special import ndtr

        single = np.unique(self.kinds, return_index=True)[1]
        if scores is None:
            return single[kinds].astype(np.int32), None
        place, within = locate(self.places, np.clip(ndtr(scores.astype(np.float64)), EDGE, 1 - EDGE))
        found = self.rest[place]
        if kinds is not None:
            found = np.where(kinds == len(self.masses) - 1, found, single[kinds])
        return found.astype(np.int32), within


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows as a network sees them.

    Attributes:
        scores: (n, numbers), normal scores; 0 where there is no number.
        there: (n, numbers), 1 where there is one, else 0.
        codes: (n, categories), groups of the categories.
    """

    scores: Floats
    there: Floats
    codes: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """The fields of a table as numbers and categories.

    Attributes:
        parts: Each field.
        numbers: The fields that have a number.
        categories: The fields that have a category.
    """

    parts: tuple[Part, ...]
    numbers: tuple[int, ...]
    categories: tuple[int, ...]

    @classmethod
    def of(cls, fields: Sequence[Field]) -> Self:
        """How fields are told to a network."""
        parts = tuple(Part.of(field) for field in fields)
        numbers = tuple(f for f, p in enumerate(parts) if len(p.rest))
        return cls(parts, numbers, tuple(f for f, p in enumerate(parts) if p.group[-1] > 0))

    @property
    def masses(self) -> tuple[Masses, ...]:
        """By category, the probabilities of its groups."""
        return tuple(self.parts[f].sizes for f in self.categories)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many groups each category has."""
        return tuple(len(m) for m in self.masses)

    @property
    def gates(self) -> tuple[int, ...]:
        """By number, where among the codes of all categories the one stands that says that it holds; -1: always."""
        ends = dict(zip(self.categories, np.cumsum(self.sizes).tolist(), strict=True))
        return tuple(ends[f] - 1 if f in ends else -1 for f in self.numbers)

    def table(self, codes: NDArray[np.int32], within: NDArray[np.floating]) -> Table:
        """Rows of codes and positions, (fields, n) each."""
        n = codes.shape[1]
        scores, there = (np.zeros((n, len(self.numbers)), np.float32) for _ in range(2))
        groups = np.zeros((n, len(self.categories)), np.int64)
        for j, f in enumerate(self.numbers):
            scores[:, j], there[:, j] = self.parts[f].scores(codes[f], within[f])
        for j, f in enumerate(self.categories):
            groups[:, j] = self.parts[f].group[self.parts[f].kinds[codes[f]]]
        return Table(scores, there, groups)

    def codes(self, scores: Floats, groups: Ints, *, rng: Generator) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Codes and positions, (fields, n) each, of scores, (n, numbers), and groups, (n, categories)."""
        codes = np.zeros((len(self.parts), len(scores)), np.int32)
        within = rng.random(codes.shape)
        own, named = dict(zip(self.numbers, scores.T, strict=True)), dict(zip(self.categories, groups.T, strict=True))
        for f, part in enumerate(self.parts):
            kinds = part.draw_kind(named[f], rng) if f in named else None
            codes[f], place = part.codes(kinds, own.get(f))
            if place is not None:
                within[f] = place
        return codes, within


def _groups(masses: Masses) -> Ints:
    """(m,), the group of each code: neighbours of about equal mass together where there are many."""
    if len(masses) <= WIDE:
        return np.arange(len(masses))
    middle = np.cumsum(masses) - masses / 2
    rough = np.minimum((middle / max(middle[-1], EDGE) * WIDE).astype(np.int64), WIDE - 1)
    return np.unique(rough, return_inverse=True)[1].astype(np.int64)
