"""What a network knows of each column: how many codes there are, how they are spread, and where they lie in order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

KNOTS, ROOTS = (6, 24), 0.3
"""Codes in order share what is learned along so many knots at least and at most; between, so many times the root of the
rows."""
SURE = 100.0
"""What a code has of its own counts half where so many rows have it, and less with fewer."""
SHORT = 6
"""Fewer codes in order than this need no knots."""


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """The codes of one column.

    Attributes:
        masses: (m,), their probabilities.
        ordered: Whether those that are not missing stand in an order.
        missing: How many of the first stand for missing values.
        rows: How many rows they are learned from.
    """

    masses: NDArray[np.float64]
    ordered: bool
    missing: int
    rows: int

    def places(self) -> NDArray[np.float64]:
        """(m,), the middle of each code in ranks of the values, in (0, 1); 0 for missing ones."""
        some = self.masses[self.missing :]
        ends = np.cumsum(some) / max(float(some.sum()), 1e-300)
        return np.r_[np.zeros(self.missing), ends - some / max(float(some.sum()), 1e-300) / 2]

    def knots(self) -> NDArray[np.float32]:
        """(m, k), how much of each knot each code has; no knots (m, 0) where codes have no order, or are few.

        Linear interpolation between evenly spaced ranks: the piecewise-linear encoding of Gorishniy et al. (2022), On
        embeddings for numerical features in tabular deep learning, section 3.2.
        """
        m = len(self.masses)
        if not self.ordered or m - self.missing < SHORT:
            return np.zeros((m, 0), np.float32)
        count = min(int(np.clip(ROOTS * self.rows**0.5, *KNOTS)), m - self.missing)
        place = self.places() * (count - 1)
        hat = np.maximum(1 - np.abs(place[:, None] - np.arange(count)), 0)
        hat[: self.missing] = 0
        return hat.astype(np.float32)

    def trust(self) -> NDArray[np.float32]:
        """(m, 1), how much what a code has of its own counts beside what it shares; little for rare codes."""
        rows = self.masses * self.rows
        return (rows / (rows + SURE)).astype(np.float32)[:, None]


def normal(*shape: int, scale: float, generator: torch.Generator) -> nn.Parameter:
    """A parameter of independent normal numbers."""
    return nn.Parameter(torch.randn(*shape, generator=generator) * scale)


class Table(nn.Module):
    """A vector for each code of one column: a smooth part along the order, and one of its own."""

    knots: Tensor
    trust: Tensor

    def __init__(self, codes: Codes, width: int, *, scale: float, generator: torch.Generator) -> None:
        super().__init__()
        knots = torch.from_numpy(codes.knots())
        self.register_buffer("knots", knots, persistent=False)
        smooth = knots.shape[1] > 0
        trust = torch.from_numpy(codes.trust()) if smooth else torch.ones(len(codes.masses), 1)
        self.register_buffer("trust", trust, persistent=False)
        self.along = normal(knots.shape[1], width, scale=scale, generator=generator)
        self.own = normal(len(codes.masses), width, scale=scale * (0.2 if smooth else 1.0), generator=generator)

    def forward(self) -> Tensor:
        """(m, width)."""
        return self.own * self.trust + self.knots @ self.along


class Linear(nn.Module):
    """y = W x + b, with weights drawn from a generator of the caller: the global one is never touched."""

    def __init__(self, inside: int, outside: int, *, generator: torch.Generator, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = normal(outside, inside, scale=scale / inside**0.5, generator=generator)
        self.bias = nn.Parameter(torch.zeros(outside))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight, self.bias)


def tables(columns: Sequence[Codes], width: int, *, scale: float, generator: torch.Generator) -> nn.ModuleList:
    """A table of vectors for each column."""
    return nn.ModuleList([Table(c, width, scale=scale, generator=generator) for c in columns])
