"""Margins of made rows, made right: what a network learned of each column alone is replaced by what is known of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cuvee.core import Arrays

Floats = NDArray[np.floating]

KNOTS = 65
ROUNDS = 8
"""Offsets of categories are found in so many rounds; each leaves less than half of the error before."""


@dataclass(frozen=True, slots=True, eq=False)
class Margins:
    """What is done to made scores and log odds before they are read.

    Attributes:
        offsets: (codes,), added to the log odds.
        knots: (numbers, knots), where made scores have the quantiles of a normal distribution.
    """

    offsets: NDArray[np.float32]
    knots: NDArray[np.float32]

    def scores(self, made: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, numbers), with a normal distribution in each column."""
        wanted = _normal(self.knots.shape[1])
        pairs = zip(made.T, self.knots, strict=True)
        return np.column_stack([_stretched(own, knots, wanted) for own, knots in pairs]) if len(self.knots) else made

    def arrays(self) -> Arrays:
        """All of it."""
        return {"offsets": self.offsets, "knots": self.knots}


def fit_margins(
    scores: NDArray[np.float32],
    there: NDArray[np.bool_],
    odds: NDArray[np.float32],
    masses: Sequence[NDArray[np.float64]],
) -> Margins:
    """What brings the margins of made rows to those that are known.

    Args:
        scores: (n, numbers), of made rows.
        there: (n, numbers), where there is a number.
        odds: (n, codes), the log odds that their categories are drawn from.
        masses: By category, how common its codes are.
    """
    wanted, levels = _normal(KNOTS), _levels(KNOTS)
    knots = np.tile(wanted, (scores.shape[1], 1))
    for j in range(scores.shape[1]):
        own = scores[there[:, j], j]
        if len(own) >= 10 * KNOTS:
            # Strictly rising, so that there is a way back.
            knots[j] = np.maximum.accumulate(np.quantile(own, levels)) + 1e-6 * np.arange(KNOTS)
    offsets = np.zeros(odds.shape[1])
    start = 0
    for mass in masses:
        mine = slice(start, start + len(mass))
        offsets[mine] = _offsets(odds[:, mine].astype(np.float64), mass)
        start += len(mass)
    return Margins(offsets.astype(np.float32), knots.astype(np.float32))


def _offsets(odds: NDArray[np.float64], masses: NDArray[np.float64]) -> NDArray[np.float64]:
    """What to add to log odds, (n, m), so that the mean probabilities are the masses: iterative scaling."""
    found = np.zeros(len(masses))
    for _ in range(ROUNDS):
        high = odds + found
        high = np.exp(high - high.max(axis=1, keepdims=True))
        mean = (high / high.sum(axis=1, keepdims=True)).mean(axis=0)
        found += np.log(np.maximum(masses, 1e-9)) - np.log(np.maximum(mean, 1e-9))
    return np.clip(found, -20, 20)


def _levels(knots: int) -> NDArray[np.float64]:
    from scipy.special import ndtr

    return ndtr(_normal(knots))


def _normal(knots: int) -> NDArray[np.float64]:
    """(knots,), evenly spaced scores."""
    return np.linspace(-3, 3, knots)


def _stretched(own: NDArray[np.float32], knots: Floats, wanted: NDArray[np.float64]) -> NDArray[np.float32]:
    """Scores moved from knots to the wanted places; beyond the ends by as much as at the ends."""
    inside = np.interp(own, knots, wanted)
    beyond = np.minimum(own - knots[0], 0) + np.maximum(own - knots[-1], 0)
    return (inside + beyond).astype(np.float32)
