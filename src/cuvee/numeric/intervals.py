"""Intervals and exact tests for shares and rates."""

from math import sqrt

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

Z95 = 1.959963984540054
"""The two-sided 95 % point of the normal distribution."""

WIDTH = 0.95


def clopper_pearson(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share, never too narrow; (0, 1) without trials.

    Source: Clopper and Pearson (1934), by the beta quantiles.

    >>> tuple(round(x, 4) for x in clopper_pearson(0, 100))
    (0.0, 0.0362)
    """
    from scipy.special import betaincinv

    if trials == 0:
        return 0.0, 1.0
    tail = (1 - WIDTH) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1 - tail))
    return low, high


def wilson(successes: float, trials: int) -> tuple[float, float]:
    """95 % interval of a share, right on average; (0, 1) without trials.

    Source: Wilson (1927).

    >>> tuple(round(x, 4) for x in wilson(50, 100))
    (0.4038, 0.5962)
    """
    if trials == 0:
        return 0.0, 1.0
    share, z2 = successes / trials, Z95**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 * sqrt(share * (1 - share) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return max(0.0, centre - half), min(1.0, centre + half)


def difference(first: int, of: int, second: int, among: int) -> tuple[float, float]:
    """95 % interval of the difference of two shares; (-1, 1) without trials.

    Source: Newcombe (1998), method 10, from two Wilson intervals.

    >>> tuple(round(x, 4) for x in difference(56, 70, 48, 80))
    (0.0524, 0.3339)
    """
    if of == 0 or among == 0:
        return -1.0, 1.0
    (a, b), (c, d) = wilson(first, of), wilson(second, among)
    p, q = first / of, second / among
    return p - q - sqrt((p - a) ** 2 + (d - q) ** 2), p - q + sqrt((b - p) ** 2 + (q - c) ** 2)


def around(value: float, error: float, *, low: float = 0.0, high: float = 1.0) -> tuple[float, float]:
    """95 % normal interval of a figure with this standard error, cut to where the figure can be."""
    return max(low, value - Z95 * error), min(high, value + Z95 * error)


def binomial_tail(
    successes: NDArray[np.float64] | float, trials: NDArray[np.float64] | float, share: float
) -> NDArray[np.float64]:
    """The chance of at least so many successes; also between whole numbers, where it is interpolated smoothly.

    Source: the incomplete beta function, e.g. Abramowitz and Stegun 26.5.24.

    >>> float(binomial_tail(2, 2, 0.5))
    0.25
    """
    from scipy.special import betainc

    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    inside = betainc(np.maximum(k, 1e-12), np.maximum(n - k + 1, 1e-12), share)
    return np.where(k <= 0, 1.0, inside)


def poisson_weights(rows: int, *, repeats: int, rng: Generator) -> NDArray[np.float64]:
    """Weights of a bootstrap of rows, (repeats, rows): how often each row is drawn.

    Source: Poisson bootstrap, Chamandy et al. (2012).
    """
    return rng.poisson(1.0, size=(repeats, rows)).astype(np.float64)


def named_rng(seed: int, name: str) -> Generator:
    """A generator of its own for each name under one seed, so that adding a name moves no other's numbers."""
    from hashlib import sha256

    return np.random.default_rng(SeedSequence(seed, spawn_key=tuple(sha256(name.encode()).digest()[:16])))
