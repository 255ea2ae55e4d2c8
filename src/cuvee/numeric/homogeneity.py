"""Tests of whether two samples are of one population: tables, single shares, and numbers."""

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.intervals import binomial_tail

Floats = NDArray[np.float64]

FEWEST = 5.0
"""Cells that are expected to hold fewer are counted together: the chi-square distribution would not fit them."""


def same_table(first: Floats, second: Floats) -> float:
    """The chance of counts as different as these, were both drawn from the same shares; 1 where nothing can differ.

    Args:
        first: (cells,) counts of one sample.
        second: (cells,) counts of the other.

    Source: Pearson's chi-square test of homogeneity; rare cells are merged (Cochran, 1954).
    """
    from scipy.special import chdtrc

    counts = np.stack([first, second])
    sizes = counts.sum(axis=1)
    total = counts.sum(axis=0)
    if (sizes == 0).any():
        return 1.0
    rare = total * sizes.min() / sizes.sum() < FEWEST
    kept = counts[:, ~rare]
    if rare.any():
        kept = np.column_stack([kept, counts[:, rare].sum(axis=1)])
    kept = kept[:, kept.sum(axis=0) > 0]
    if kept.shape[1] < 2:
        return 1.0
    expected = np.outer(sizes, kept.sum(axis=0)) / sizes.sum()
    return float(chdtrc(kept.shape[1] - 1, ((kept - expected) ** 2 / expected).sum()))


def same_shares(first: Floats, second: Floats, sizes: tuple[int, int]) -> Floats:
    """For each pair of counts, the chance of shares as different, two-sided and exact given their sum, (n,).

    Args:
        first: (n,) counts among `sizes[0]` rows.
        second: (n,) counts among `sizes[1]` rows.
        sizes: Rows of both samples.

    Source: conditional test of two rates, Przyborowski and Wilenski (1940); twice the smaller tail.
    """
    total, share = first + second, sizes[1] / max(sum(sizes), 1)
    above = binomial_tail(second, total, share)
    below = binomial_tail(first, total, 1 - share)
    return np.where(total > 0, np.minimum(1.0, 2 * np.minimum(above, below)), 1.0)


def same_numbers(distance: float, sizes: tuple[int, int]) -> float:
    """The chance of a Kolmogorov-Smirnov distance as large; where values repeat, the true chance is smaller.

    Source: Kolmogorov's limit, with the correction of Stephens (1970).
    """
    from scipy.special import kolmogorov

    root = np.sqrt(sizes[0] * sizes[1] / sum(sizes))
    return float(kolmogorov((root + 0.12 + 0.11 / root) * distance))
