"""Normal variables of which it is known where they may lie: draws from unions of intervals, and Gibbs sweeps.

Source: Geweke (1991), Efficient simulation from the multivariate normal and Student-t distributions subject to linear
constraints; Robert (1995), Simulation of truncated normal variables.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Where a variable may lie: intervals, the weight of each, and nothing else.

    Attributes:
        low: (k,), where intervals begin; minus infinity where one has no beginning.
        high: (k,), where they end.
        weight: (k,), above 0: densities are multiplied by it.
    """

    low: Floats
    high: Floats
    weight: Floats

    @classmethod
    def of_shares(cls, masses: Floats, shares: Floats) -> "Region":
        """The cells of a standard normal variable that has these masses, as far as each is allowed, in [0, 1].

        Cells beside each other with the same share are one interval.
        """
        from scipy.special import ndtri

        ends = np.concatenate([[0.0], np.cumsum(masses)])
        ends = np.minimum(ends / max(ends[-1], 1e-300), 1.0)
        ends[-1] = 1.0
        used = np.flatnonzero((shares > 0) & (masses > 0))
        if not len(used):
            return cls(np.zeros(0), np.zeros(0), np.zeros(0))
        begins = np.flatnonzero(np.r_[True, (np.diff(used) > 1) | (np.diff(shares[used]) != 0)])
        stops = np.r_[begins[1:], len(used)] - 1
        return cls(ndtri(ends[used[begins]]), ndtri(ends[used[stops] + 1]), np.asarray(shares[used[begins]], float))

    @property
    def whole(self) -> bool:
        """Whether it says nothing."""
        return len(self.low) == 1 and bool(np.isneginf(self.low[0]) and np.isposinf(self.high[0]))

    def holds(self, z: Floats) -> NDArray[np.bool_]:
        """Whether values lie in it, (n,)."""
        return np.any((z[:, None] >= self.low) & (z[:, None] <= self.high), axis=1)


def draw_within(low: Floats, high: Floats, weight: Floats, mean: Floats, deviation: float, rng: Generator) -> Floats:
    """Draws of normal variables with these means, (n,), in intervals.

    What no double-precision number reaches is met at the nearest end.

    Args:
        low: (k,), where intervals begin.
        high: (k,), where they end.
        weight: (k,) or (n, k), what densities are multiplied by in each.
        mean: (n,), the means.
        deviation: The standard deviation.
        rng: For the draws.
    """
    first, last = ((ends[None] - mean[:, None]) / deviation for ends in (low, high))
    mass = interval(first, last) * weight
    ends = np.cumsum(mass, axis=1)
    lost = ends[:, -1] <= 0
    if lost.any():
        away = np.where(first > 0, first, np.where(last < 0, -last, 0.0))[lost]
        away = np.where(np.broadcast_to(weight, mass.shape)[lost] > 0, away, np.inf)
        ends[lost] = np.cumsum(away == away.min(axis=1, keepdims=True), axis=1)
    pick = (ends <= rng.random(len(mean))[:, None] * ends[:, -1:]).sum(axis=1)
    rows, pick = np.arange(len(mean)), np.minimum(pick, len(low) - 1)
    return mean + deviation * within(first[rows, pick], last[rows, pick], rng.random(len(mean)))


def interval(low: Floats, high: Floats) -> Floats:
    """The probability that a standard normal variable lies in intervals; far tails keep their precision."""
    from scipy.special import ndtr

    upper = low > 0
    return np.where(upper, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low))


def within(low: Floats, high: Floats, u: Floats) -> Floats:
    """The quantile u of a standard normal variable that lies between low and high."""
    from scipy.special import ndtr, ndtri

    upper = low > 0
    # In the upper tail the same by symmetry, where doubles are dense.
    one, other = np.where(upper, -high, low), np.where(upper, -low, high)
    first, last = ndtr(one), ndtr(other)
    found = ndtri(first + np.where(upper, 1 - u, u) * (last - first))
    found = np.where(upper, -found, found)
    nearest = np.where(np.isfinite(low) & (low > 0), low, np.where(np.isfinite(high) & (high < 0), high, 0.0))
    return np.clip(np.where(np.isfinite(found), found, nearest), low, high)
