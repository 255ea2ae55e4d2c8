"""What kernels are given and what they give: a density to draw from, and the draws of one chain."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Told = Callable[[int], None]
"""Told of the iterations that are done."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A log density, known but for a constant.

    Attributes:
        value: Its value at a point (d,); minus infinity where there is none.
        gradient: Its value and its gradient, (d,).
    """

    value: Callable[[Floats], float]
    gradient: Callable[[Floats], tuple[float, Floats]]


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """One chain, without its warm-up.

    Attributes:
        draws: (n, d).
        log_density: (n,).
        acceptance: (n,), the share of proposals that were, or would have been, taken.
        divergent: (n,), where the integrator lost the energy.
        energy: (n,), of Hamiltonian kernels; NaN for others.
        depth: (n,), doublings of NUTS; 0 for others.
        scale: The step size, or the scale of proposals, after warm-up.
        spread: (d,) or (d, d), the variances or covariance that warm-up found; empty where none is looked for.
    """

    draws: Floats
    log_density: Floats
    acceptance: Floats
    divergent: NDArray[np.bool_]
    energy: Floats
    depth: NDArray[np.int64]
    scale: float
    spread: Floats

    @classmethod
    def empty(cls, n: int, d: int) -> "Chain":
        """A chain to be filled."""
        nothing = np.full(n, np.nan)
        turns, none = np.zeros(n, np.int64), np.zeros(n, np.bool_)
        return cls(np.empty((n, d)), np.empty(n), np.ones(n), none, nothing, turns, 0.0, np.zeros(0))


class Kernel(Protocol):
    """A way to move."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def uses_gradient(self) -> bool:
        """Whether it asks for gradients."""
        ...

    def run(self, target: Target, start: Floats, warmup: int, draws: int, rng: Generator, told: Told) -> Chain:
        """One chain from a start."""
        ...


class Moments:
    """Mean and covariance of points as they come. Source: Welford (1962)."""

    def __init__(self, d: int, *, dense: bool) -> None:
        self.n, self.mean = 0, np.zeros(d)
        self.square = np.zeros((d, d) if dense else d)
        self._dense = dense

    def add(self, x: Floats) -> None:
        """One more point."""
        self.n += 1
        before = x - self.mean
        self.mean = self.mean + before / self.n
        after = x - self.mean
        self.square = self.square + (np.outer(before, after) if self._dense else before * after)

    def spread(self) -> Floats:
        """Variances or covariance, drawn to a small multiple of 1 where there are few points, as in Stan."""
        n = self.n
        found = self.square / max(n - 1, 1)
        small = 1e-3 * 5 / (n + 5)
        return n / (n + 5) * found + small * (np.eye(len(self.mean)) if self._dense else 1.0)
