"""The posterior of a Gaussian copula from ranks alone, by Gibbs sampling: gaps, orders and categories need no margins.

Each variable is an order of levels, 0 and up; of the normal variables behind them nothing is known but that rows of a
higher level lie higher. Given these, the covariance is drawn from an inverse Wishart distribution.

Source: Hoff (2007), Extending the rank likelihood for semiparametric copula estimation, Annals of Applied Statistics 1.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

from cuvee.numeric.compiled import compiled
from cuvee.numeric.mixture_kernels import normal_below, normal_quantile

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]


@compiled
def between(mean: float, scale: float, low: float, high: float, chance: float) -> float:
    """A normal number between two others, from a chance in (0, 1)."""
    a, b = (low - mean) / scale, (high - mean) / scale
    if a > 0:
        # Above the mean shares are too near 1 to be told apart; their mirror image is not.
        below, above = normal_below(-b), normal_below(-a)
        found = -normal_quantile(below + chance * (above - below))
    else:
        below, above = normal_below(a), normal_below(b)
        found = normal_quantile(below + chance * (above - below))
    return mean + scale * min(max(found, a), b)


@compiled
def sweep(z: Floats, levels: Ints, order: Longs, precision: Floats, chances: Floats) -> None:
    """Draw all normal variables, (n, p), once: each given the others, between those of lower and of higher levels.

    Args:
        z: The normal variables.
        levels: (p, n), -1 where there is a gap.
        order: (p, n), the rows by level, gaps first.
        precision: (p, p), the inverse of the covariance.
        chances: (p, n).
    """
    n, p = z.shape
    limit = np.empty(n + 1)
    for j in range(p):
        scale = 1 / np.sqrt(precision[j, j])
        # The lowest of all rows from each place on.
        limit[n] = np.inf
        for at in range(n - 1, -1, -1):
            limit[at] = min(limit[at + 1], z[order[j, at], j])
        at, lower = 0, -np.inf
        while at < n:
            level, end = levels[j, order[j, at]], at
            while end < n and levels[j, order[j, end]] == level:
                end += 1
            highest = -np.inf
            for place in range(at, end):
                row = order[j, place]
                mean = 0.0
                for k in range(p):
                    if k != j:
                        mean -= precision[j, k] * z[row, k]
                mean /= precision[j, j]
                if level < 0:
                    z[row, j] = between(mean, scale, -np.inf, np.inf, chances[j, row])
                else:
                    z[row, j] = between(mean, scale, lower, limit[end], chances[j, row])
                    highest = max(highest, z[row, j])
            if level >= 0:
                lower = max(lower, highest)
            at = end


@dataclass(frozen=True, slots=True, eq=False)
class CopulaChains:
    """Draws of a correlation matrix.

    Attributes:
        correlations: (chains, draws, p, p).
    """

    correlations: Floats

    def pairs(self) -> Floats:
        """(pairs, chains, draws), the correlations of every two variables."""
        p = self.correlations.shape[-1]
        upper = np.triu_indices(p, 1)
        return np.moveaxis(self.correlations[:, :, upper[0], upper[1]], 2, 0)


def sample_copula(
    levels: Ints,
    *,
    chains: int,
    draws: int,
    warmup: int,
    rng: Generator,
    watch: Callable[[int, int], None] = lambda _done, _total: None,
) -> CopulaChains:
    """Draw correlation matrices from their posterior.

    The prior of the covariance is inverse Wishart with p + 2 degrees of freedom around the identity.

    Args:
        levels: (p, n), the level of each variable in each row; -1 where it is missing.
        chains: How many chains.
        draws: Draws of each that are kept.
        warmup: Draws before these.
        rng: For what is drawn; each chain has a generator of its own.
        watch: Told of the sweeps that are done, and of how many.
    """
    p, n = levels.shape
    order = np.argsort(levels, axis=1, kind="stable")
    found = np.empty((chains, draws, p, p))
    for c, sequence in enumerate(SeedSequence(int(rng.integers(2**62))).spawn(chains)):
        own = np.random.default_rng(sequence)
        z = _start(levels, own)
        precision = np.eye(p)
        for t in range(warmup + draws):
            sweep(z, levels, order, precision, np.clip(own.random((p, n)), 1e-12, 1 - 1e-12))
            precision = _wishart(n + p + 2, z.T @ z + (p + 2) * np.eye(p), own)
            if t >= warmup:
                covariance = np.linalg.inv(precision)
                scale = np.sqrt(np.diag(covariance))
                found[c, t - warmup] = covariance / scale[:, None] / scale
            if t % 20 == 19:
                watch(c * (warmup + draws) + t + 1, chains * (warmup + draws))
    return CopulaChains(found)


def _start(levels: Ints, rng: Generator) -> Floats:
    """(n, p), normal scores of levels with ties in random order; random where there is a gap."""
    from scipy.special import ndtri

    p, n = levels.shape
    z = rng.standard_normal((n, p))
    for j in range(p):
        known = np.flatnonzero(levels[j] >= 0)
        ranks = np.empty(len(known))
        ranks[np.lexsort((rng.random(len(known)), levels[j, known]))] = np.arange(1, len(known) + 1)
        z[known, j] = ndtri(ranks / (len(known) + 1))
    return z


def _wishart(freedom: int, scale: Floats, rng: Generator) -> Floats:
    """A draw of the precision whose inverse is inverse Wishart. Source: Bartlett (1933)."""
    p = len(scale)
    triangle = np.tril(rng.standard_normal((p, p)), -1)
    triangle[np.diag_indices(p)] = np.sqrt(rng.chisquare(freedom - np.arange(p)))
    # With scale = L L', the rows of L^-T A have the covariance of the inverse of the scale.
    half = np.linalg.solve(np.linalg.cholesky(scale).T, triangle)
    return half @ half.T
