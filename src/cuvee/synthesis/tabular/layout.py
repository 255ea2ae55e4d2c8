"""The fields of one table as trees see them: bins as features, and normal scores of numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cuvee.synthesis.tabular.coding import Field

Codes = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Narrow = NDArray[np.float32]

BINS = 255
"""Features have at most this many bins."""
CATEGORIES = 64
"""Up to this many categories are split in any way; more are split in the order found for them."""
NUMBER = 8
"""A number with more cells than this has a score."""
FAR = 2e-4
"""Scores end where this share of the rows is left."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """How codes become features and scores.

    Attributes:
        lookups: By field, (m,), the bin of every code.
        bins: (fields,), how many bins each has.
        categories: (fields,), 1 where bins have no order.
        edges: By field, (m + 1,), scores between codes; None where it is not a number.
        missing: (fields,), how many of the first codes stand for missing values.
    """

    lookups: tuple[Bytes, ...]
    bins: NDArray[np.int32]
    categories: Bytes
    edges: tuple[NDArray[np.float64] | None, ...]
    missing: NDArray[np.int32]

    @classmethod
    def of(cls, fields: Sequence[Field]) -> Self:
        """The layout of fields."""
        lookups = tuple(_bins(f.masses) for f in fields)
        return cls(
            lookups,
            np.array([int(b.max()) + 1 for b in lookups], np.int32),
            np.array([not f.ordered and len(f.masses) <= CATEGORIES for f in fields], np.uint8),
            tuple(_edges(f) for f in fields),
            np.array([f.missing for f in fields], np.int32),
        )

    @property
    def numbers(self) -> list[int]:
        """The fields that have scores."""
        return [f for f, e in enumerate(self.edges) if e is not None]

    def score(self, field: int, codes: Codes, within: NDArray[np.floating]) -> Narrow:
        """Normal scores of a number's places, (n,); 0 where it is missing."""
        edges = self.edges[field]
        if edges is None:
            return np.zeros(len(codes), np.float32)
        low, length = edges[:-1].astype(np.float32), np.diff(edges).astype(np.float32)
        low[: self.missing[field]], length[: self.missing[field]] = 0, 0
        return np.asarray(low[codes] + within.astype(np.float32) * length[codes], np.float32)


def _bins(masses: NDArray[np.float64]) -> Bytes:
    """(m,), the code itself, or bins of about equal mass where there are too many."""
    m = len(masses)
    if m <= BINS:
        return np.arange(m, dtype=np.uint8)
    middle = np.cumsum(masses) - masses / 2
    rough = np.minimum((middle / middle[-1] * BINS).astype(np.int64), BINS - 1)
    return np.unique(rough, return_inverse=True)[1].astype(np.uint8)


def _edges(field: Field) -> NDArray[np.float64] | None:
    """(m + 1,), scores between the codes of a number."""
    from scipy.special import ndtri

    if not field.ordered or len(field.masses) - field.missing <= NUMBER:
        return None
    total = np.concatenate([[0.0], np.cumsum(field.masses)])
    return ndtri(np.clip(total, FAR, 1 - FAR))
