"""Parameters with bounds as real numbers, with the Jacobians that go with it.

Source: Stan reference manual, constraint transforms; Betancourt (2012), Cruising the simplex, for stick-breaking.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Transform(Protocol):
    """Some parameters, and the real numbers that stand for them."""

    @property
    def size(self) -> int:
        """How many parameters."""
        ...

    @property
    def free(self) -> int:
        """How many real numbers stand for them."""
        ...

    def to_real(self, x: Floats) -> Floats:
        """The real numbers of parameters, (free,).

        Raises:
            ValueError: They are out of bounds.
        """
        ...

    def from_real(self, y: Floats) -> tuple[Floats, float]:
        """The parameters, (size,), and the log of the absolute determinant of the Jacobian."""
        ...

    def pull(self, y: Floats, gradient: Floats) -> Floats:
        """The gradient by the real numbers of f(x(y)) and the log Jacobian, from that of f by the parameters."""
        ...


@dataclass(frozen=True, slots=True)
class Real:
    """Parameters without bounds."""

    size: int = 1

    @property
    def free(self) -> int:
        """How many real numbers stand for them."""
        return self.size

    def to_real(self, x: Floats) -> Floats:
        """The same."""
        return np.asarray(x, np.float64)

    def from_real(self, y: Floats) -> tuple[Floats, float]:
        """The same, and 0."""
        return y, 0.0

    def pull(self, y: Floats, gradient: Floats) -> Floats:
        """The same."""
        del y
        return gradient


@dataclass(frozen=True, slots=True)
class Positive:
    """Parameters above a bound, as logs of how far above they are."""

    size: int = 1
    low: float = 0.0

    @property
    def free(self) -> int:
        """How many real numbers stand for them."""
        return self.size

    def to_real(self, x: Floats) -> Floats:
        """Logs of how far above the bound."""
        if not np.all(x > self.low):
            raise ValueError(f"A parameter that must be above {self.low:g} is not.")
        return np.log(np.asarray(x, np.float64) - self.low)

    def from_real(self, y: Floats) -> tuple[Floats, float]:
        """The parameters, and the sum of the numbers."""
        with np.errstate(over="ignore"):
            return self.low + np.exp(y), float(y.sum())

    def pull(self, y: Floats, gradient: Floats) -> Floats:
        """See `Transform`."""
        with np.errstate(over="ignore"):
            return gradient * np.exp(y) + 1


@dataclass(frozen=True, slots=True)
class Between:
    """Parameters between two bounds, as logits."""

    low: float = 0.0
    high: float = 1.0
    size: int = 1

    @property
    def free(self) -> int:
        """How many real numbers stand for them."""
        return self.size

    def to_real(self, x: Floats) -> Floats:
        """Logits of the share of the way from bound to bound."""
        if not np.all((x > self.low) & (x < self.high)):
            raise ValueError(f"A parameter that must be between {self.low:g} and {self.high:g} is not.")
        share = (np.asarray(x, np.float64) - self.low) / (self.high - self.low)
        return np.log(share) - np.log1p(-share)

    def from_real(self, y: Floats) -> tuple[Floats, float]:
        """The parameters, and the log Jacobian."""
        share = _logistic(y)
        log_jacobian = -np.abs(y) - 2 * np.log1p(np.exp(-np.abs(y))) + np.log(self.high - self.low)
        return self.low + (self.high - self.low) * share, float(log_jacobian.sum())

    def pull(self, y: Floats, gradient: Floats) -> Floats:
        """See `Transform`."""
        share = _logistic(y)
        return gradient * (self.high - self.low) * share * (1 - share) + 1 - 2 * share


@dataclass(frozen=True, slots=True)
class Ordered:
    """Parameters each larger than the one before: the first, and logs of the distances."""

    size: int

    @property
    def free(self) -> int:
        """How many real numbers stand for them."""
        return self.size

    def to_real(self, x: Floats) -> Floats:
        """The first, and logs of the distances."""
        if not np.all(np.diff(x) > 0):
            raise ValueError("Parameters that must rise from one to the next do not.")
        return np.concatenate([x[:1], np.log(np.diff(x))])

    def from_real(self, y: Floats) -> tuple[Floats, float]:
        """The parameters, and the sum of the logs of distances."""
        with np.errstate(over="ignore"):
            return np.cumsum(np.concatenate([y[:1], np.exp(y[1:])])), float(y[1:].sum())

    def pull(self, y: Floats, gradient: Floats) -> Floats:
        """See `Transform`."""
        above = np.cumsum(gradient[::-1])[::-1]
        with np.errstate(over="ignore"):
            return np.concatenate([above[:1], above[1:] * np.exp(y[1:]) + 1])


@dataclass(frozen=True, slots=True)
class Simplex:
    """Shares that sum to 1, by breaking a stick: each piece as the logit of its share of what is left."""

    size: int

    @property
    def free(self) -> int:
        """How many real numbers stand for them: one less than there are."""
        return self.size - 1

    def to_real(self, x: Floats) -> Floats:
        """Logits of pieces, so that equal shares are 0."""
        if not (np.all(x > 0) and abs(float(np.sum(x)) - 1) < 1e-8):
            raise ValueError("Shares that must be above 0 and sum to 1 are not or do not.")
        left = np.concatenate([[1.0], 1 - np.cumsum(x[:-1])])[:-1]
        piece = np.clip(x[:-1] / left, 1e-15, 1 - 1e-15)
        return np.log(piece) - np.log1p(-piece) + np.log(np.arange(self.size - 1, 0, -1))

    def from_real(self, y: Floats) -> tuple[Floats, float]:
        """The shares, and the log Jacobian."""
        piece, left = self._broken(y)
        x = np.concatenate([left[:-1] * piece, left[-1:]])
        with np.errstate(divide="ignore"):
            return x, float(np.sum(np.log(piece) + np.log1p(-piece) + np.log(left[:-1])))

    def pull(self, y: Floats, gradient: Floats) -> Floats:
        """See `Transform`."""
        piece, left = self._broken(y)
        result, after = np.empty(len(y)), float(gradient[-1])
        for k in range(len(y) - 1, -1, -1):
            z, rest = piece[k], left[k]
            by_piece = rest * (gradient[k] - after) * z * (1 - z) + 1 - 2 * z
            after = z * gradient[k] + (1 - z) * after + 1 / max(rest, 1e-300)
            result[k] = by_piece
        return result

    def _broken(self, y: Floats) -> tuple[Floats, Floats]:
        """The share of each piece of what is left, and what is left before each and after the last."""
        piece = _logistic(y - np.log(np.arange(self.size - 1, 0, -1)))
        return piece, np.concatenate([[1.0], np.cumprod(1 - piece)])


@dataclass(frozen=True, slots=True)
class All:
    """Several transforms one after the other.

    Attributes:
        parts: The transforms.
    """

    parts: tuple[Transform, ...]

    @property
    def size(self) -> int:
        """How many parameters."""
        return sum(p.size for p in self.parts)

    @property
    def free(self) -> int:
        """How many real numbers stand for them."""
        return sum(p.free for p in self.parts)

    def to_real(self, x: Floats) -> Floats:
        """The real numbers of parameters."""
        return np.concatenate(
            [np.zeros(0), *(p.to_real(v) for p, v in zip(self.parts, self._cut(x, free=False), strict=True))]
        )

    def from_real(self, y: Floats) -> tuple[Floats, float]:
        """The parameters, and the log Jacobian."""
        found = [p.from_real(v) for p, v in zip(self.parts, self._cut(y, free=True), strict=True)]
        return np.concatenate([np.zeros(0), *(x for x, _ in found)]), sum(j for _, j in found)

    def pull(self, y: Floats, gradient: Floats) -> Floats:
        """See `Transform`."""
        both = zip(self.parts, self._cut(y, free=True), self._cut(gradient, free=False), strict=True)
        return np.concatenate([np.zeros(0), *(p.pull(v, g) for p, v, g in both)])

    def _cut(self, values: Floats, *, free: bool) -> Sequence[Floats]:
        """The values of each part."""
        ends = np.cumsum([p.free if free else p.size for p in self.parts])
        return np.split(values, ends[:-1])


def _logistic(y: Floats) -> Floats:
    """1 / (1 + exp(-y)), without overflow."""
    small = np.exp(-np.abs(y))
    return np.where(y >= 0, 1 / (1 + small), small / (1 + small))
