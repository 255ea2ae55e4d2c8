"""Rows of numbers and categories as networks read and write them, all columns at once however many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, pi

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

KNOTS = (-2.2, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.2)
"""A normal score is read as itself and as how far it is beyond each of these."""
STEEP = 30.0
"""Log odds end here on both sides, so that none overflows."""
SHARP = (-4.0, 1.5)
"""The logarithm of the scale of a number lies between these."""
HALF_LOG = 0.5 * log(2 * pi)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a row is made of.

    Attributes:
        numbers: How many numbers.
        sizes: How many codes each category has.
    """

    numbers: int
    sizes: tuple[int, ...]

    @property
    def odds(self) -> int:
        """The codes of all categories together."""
        return sum(self.sizes)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows.

    Attributes:
        scores: (n, numbers), normal scores; 0 where there is no number.
        there: (n, numbers), 1 where there is one, else 0.
        codes: (n, categories).
    """

    scores: Tensor
    there: Tensor
    codes: Tensor

    def take(self, rows: Tensor) -> "Batch":
        """Some of the rows, by their numbers."""
        rows = rows.to(self.scores.device)
        return Batch(self.scores[rows], self.there[rows], self.codes[rows])

    def split(self, size: int) -> "list[Batch]":
        """The rows in parts of at most so many."""
        parts = zip(self.scores.split(size), self.there.split(size), self.codes.split(size), strict=True)
        return [Batch(*p) for p in parts]

    def to(self, device: torch.device) -> "Batch":
        """The same rows on a device."""
        return Batch(self.scores.to(device), self.there.to(device), self.codes.to(device))


class Blocks(nn.Module):
    """The codes of all categories side by side: which belong together, and where each category begins."""

    member: Tensor
    first: Tensor

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        ends = torch.tensor([0, *sizes]).cumsum(0)
        member = torch.zeros(int(ends[-1]), len(sizes))
        for j, (low, high) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)):
            member[low:high, j] = 1
        self.register_buffer("member", member, persistent=False)
        self.register_buffer("first", ends[:-1], persistent=False)
        self.sizes = tuple(sizes)

    def log_totals(self, odds: Tensor) -> Tensor:
        """(n, categories), the logarithm of the sum of exp(odds) in each category, of (n, codes)."""
        return (odds.float().clamp(-STEEP, STEEP).exp() @ self.member).log()

    def log_prob(self, odds: Tensor, codes: Tensor) -> Tensor:
        """(n, categories), the log probability of codes, (n, categories), by log odds, (n, codes)."""
        odds = odds.float().clamp(-STEEP, STEEP)
        return odds.gather(1, codes + self.first) - (odds.exp() @ self.member).log()

    def shares(self, odds: Tensor) -> Tensor:
        """(n, codes), probabilities that sum to 1 in each category."""
        high = odds.float().clamp(-STEEP, STEEP).exp()
        return high / (high @ self.member @ self.member.T)

    def one_hot(self, codes: Tensor) -> Tensor:
        """(n, codes), 1 for the code of each category."""
        result = torch.zeros(len(codes), len(self.member), device=codes.device)
        return result.scatter_(1, codes + self.first, 1.0)

    def draw(self, odds: Tensor, uniforms: Tensor) -> Tensor:
        """(n, categories), codes drawn by log odds, (n, codes); uniforms, (n, codes), are what is drawn with."""
        noisy = odds.float() - (-uniforms.clamp(1e-20, 1 - 1e-7).log()).log()
        return self.best(noisy)

    def best(self, odds: Tensor) -> Tensor:
        """(n, categories), the most likely code of each category."""
        parts = [part.argmax(dim=1) for part in odds.split(self.sizes, dim=1)]
        return torch.stack(parts, dim=1) if parts else torch.zeros(len(odds), 0, dtype=torch.int64)


class Reader(nn.Module):
    """Rows as features: scores, how far they are beyond knots, and one feature a code."""

    knots: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, self.blocks = shape, Blocks(shape.sizes)
        self.register_buffer("knots", torch.tensor(KNOTS), persistent=False)

    @property
    def width(self) -> int:
        """How many features."""
        return self.shape.numbers * (1 + len(KNOTS)) + self.shape.odds

    def forward(self, scores: Tensor, there: Tensor, shares: Tensor) -> Tensor:
        """(n, width), of scores, (n, numbers), where they are there, (n, numbers), and shares of codes, (n, codes)."""
        beyond = relu(scores[:, :, None] - self.knots) * there[:, :, None]
        return torch.cat([scores * there, beyond.flatten(1), shares], dim=1)

    def of(self, batch: Batch) -> Tensor:
        """The features of rows."""
        return self(batch.scores, batch.there, self.blocks.one_hot(batch.codes))


def mixture_log_prob(parts: Tensor, scores: Tensor) -> Tensor:
    """(n, numbers), the log density of scores under mixtures of normal distributions, (n, numbers, 3, components)."""
    weights, means, scales = parts.float().unbind(dim=2)
    scales = scales.clamp(*SHARP)
    each = -0.5 * ((scores[:, :, None] - means) * torch.exp(-scales)) ** 2 - scales - HALF_LOG
    return (each + weights.log_softmax(dim=2)).logsumexp(dim=2)


def mixture_draw(parts: Tensor, uniforms: Tensor, normals: Tensor) -> Tensor:
    """(n, numbers), scores drawn from such mixtures with uniforms, (n, numbers), and normals, (n, numbers)."""
    weights, means, scales = parts.float().unbind(dim=2)
    ends = weights.softmax(dim=2).cumsum(dim=2)
    which = (uniforms[:, :, None] > ends).sum(dim=2).clamp(max=weights.shape[2] - 1)[:, :, None]
    return (means.gather(2, which) + normals[:, :, None] * scales.clamp(*SHARP).exp().gather(2, which))[:, :, 0]


def mixture_middle(parts: Tensor) -> Tensor:
    """(n, numbers), the mean of the heaviest component of each mixture."""
    weights, means, _ = parts.float().unbind(dim=2)
    return means.gather(2, weights.argmax(dim=2, keepdim=True))[:, :, 0]
