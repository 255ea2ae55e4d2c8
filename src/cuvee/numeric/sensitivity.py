"""Variance-based sensitivity: which inputs the spread of an output comes from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from cuvee.numeric.designs import MOST_DIMENSIONS, Design

Floats = NDArray[np.float64]

REPEATS = 16
"""Independent randomisations, whose spread gives the intervals."""


@dataclass(frozen=True, slots=True)
class Indices:
    """Sobol indices of k factors on q outputs.

    Attributes:
        first: (k, q), the share of variance that a factor explains by itself.
        first_half: (k, q), half the width of its 95 % interval.
        total: (k, q), the share in which it has a part, by itself or with others.
        total_half: (k, q).
        evaluations: How often the model was run.
    """

    first: Floats
    first_half: Floats
    total: Floats
    total_half: Floats
    evaluations: int


def sobol_indices(
    model: Callable[[Floats], Floats], factors: Sequence[Sequence[int]], d: int, *, n: int, seed: int
) -> Indices:
    """First-order and total indices of groups of coordinates.

    Two matrices A and B of n draws and, for each factor, A with the factor's coordinates from B: n (k + 2) runs. They
    are 16 independently scrambled Sobol sequences in 2 d dimensions (plain draws where there are too many dimensions);
    each index is a ratio of means over all, its interval from their spread around it (Student, 15 degrees of freedom).

    Args:
        model: (m, d) uniforms to (q, m) outputs.
        factors: The coordinates of each factor; no two share one.
        d: Dimensions.
        n: Rows of A; rounded up to 16 times a power of two.
        seed: The same seed gives the same indices.

    Source: Saltelli et al. (2010), Variance based sensitivity analysis of model output, table 2: (b) for the first
    order; (f), Jansen (1999), for the total.
    """
    method = "sobol" if 2 * d <= MOST_DIMENSIONS else "plain"
    own = int(SeedSequence(seed, spawn_key=(3,)).generate_state(1)[0])
    design = Design(method, 2 * d, n, own)
    last = design.totals()[-1]
    centre = model(np.full((1, d), 0.5))
    sums: list[list[tuple[Floats, ...]]] = [[] for _ in range(REPEATS)]
    for k, chunk in enumerate(design.stage(0, last)):
        part = chunk.replicate if method == "sobol" else k % REPEATS
        sums[part].append(_sums(model, factors, chunk.points[:, :d], chunk.points[:, d:], centre))
    parts = [_joined(p) for p in sums if p]
    whole = _joined([s for p in sums for s in p])
    first, total = _shares(whole)
    each = [_shares(p) for p in parts]
    halves = [_half(np.array([e[i] for e in each]), (first, total)[i]) for i in range(2)]
    return Indices(first, halves[0], total, halves[1], last * (len(factors) + 2))


def _sums(
    model: Callable[[Floats], Floats], factors: Sequence[Sequence[int]], a: Floats, b: Floats, centre: Floats
) -> tuple[Floats, ...]:
    """What the indices are made of, summed over rows: count, sums and squares of outputs, products by factor.

    Outputs are taken from `centre`, (q, 1): it changes no index, and products of large numbers would lose precision.
    """
    at_a, at_b = model(a) - centre, model(b) - centre
    firsts: list[Floats] = []
    totals: list[Floats] = []
    for columns in factors:
        mixed = a.copy()
        mixed[:, columns] = b[:, columns]
        at_mixed = model(mixed) - centre
        firsts.append((at_b * (at_mixed - at_a)).sum(1))
        totals.append(np.square(at_a - at_mixed).sum(1) / 2)
    both = np.concatenate([at_a, at_b], axis=1)
    count = np.full(len(at_a), float(both.shape[1]))
    return count, both.sum(1), np.square(both).sum(1), np.array(firsts), np.array(totals)


def _joined(parts: Sequence[tuple[Floats, ...]]) -> tuple[Floats, ...]:
    return tuple(np.sum([p[i] for p in parts], axis=0) for i in range(5))


def _shares(sums: tuple[Floats, ...]) -> tuple[Floats, Floats]:
    count, total, squares, firsts, totals = sums
    variance = np.maximum(squares / count - np.square(total / count), 0.0)
    rows = count / 2
    safe = np.where(variance > 0, variance, 1.0) * rows
    return np.where(variance > 0, firsts / safe, 0.0), np.where(variance > 0, totals / safe, 0.0)


def _half(found: Floats, whole: Floats) -> Floats:
    """Half the width of the interval of what was found in each part, (k, q)."""
    from scipy.special import stdtrit

    r = len(found)
    if r < 2:
        return np.full(whole.shape, np.nan)
    return stdtrit(r - 1, 0.975) * np.sqrt(np.square(found - whole).sum(0) / (r - 1) / r)
