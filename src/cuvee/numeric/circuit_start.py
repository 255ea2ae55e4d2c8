"""Where the learning of a circuit starts: rows in clusters, whose numbers are the first hidden states of all fields."""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.numeric.circuit_kernels import Ints, Narrow

ROUNDS = 8
COMMON = 0.02
"""A bin that fewer rows have counts as if this share had it."""
NOISE = 1e-3
"""Rows that are alike are parted at random."""


def first_states(cells: Ints, sizes: Sequence[int], states: int, boost: float, *, rng: Generator) -> NDArray[np.int64]:
    """(d, n), the first hidden state of every field in every row.

    Rows are put into as many clusters as there are states, by k-means on indicators of bins as in a correspondence
    analysis. A field's state is then the nearest cluster with the field itself counted `boost` times more: mostly the
    same cluster for all fields, but another one where the field says so.

    Args:
        cells: (d, n), a bin of each cell; -1 where it is not known.
        sizes: How many bins each field has.
        states: How many states there are.
        boost: How much more a field counts for its own state.
        rng: For the first centres, and for ties.
    """
    d, n = cells.shape
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    features = _features(cells, sizes, starts)
    features += rng.normal(0, NOISE, features.shape).astype(np.float32)
    centres = features[rng.integers(0, n, states)] if n < states else features[rng.permutation(n)[:states]]
    for _ in range(ROUNDS):
        nearest = np.argmin(_distances(features, centres), axis=1)
        order = np.argsort(nearest, kind="stable")
        found, heads, size = np.unique(nearest[order], return_index=True, return_counts=True)
        centres = features[rng.integers(0, n, states)]
        centres[found] = np.add.reduceat(features[order], heads, axis=0) / size[:, None].astype(np.float32)
    total = _distances(features, centres)
    result = np.empty((d, n), np.int64)
    for j in range(d):
        low, high = starts[j], starts[j + 1]
        own = _distances(features[:, low:high], centres[:, low:high])
        result[j] = np.argmin(total + np.float32(boost) * own, axis=1)
    return result


def _features(cells: Ints, sizes: Sequence[int], starts: NDArray[np.int64]) -> Narrow:
    """(n, bins of all fields), indicators; rare bins weigh more, and every field the same in all."""
    d, n = cells.shape
    features = np.zeros((n, int(starts[-1])), np.float32)
    for j in range(d):
        known = np.flatnonzero(cells[j] >= 0)
        held = cells[j][known]
        share = np.bincount(held, minlength=sizes[j]) / max(len(held), 1)
        weight = 1 / np.sqrt(np.maximum(share, COMMON) * max(sizes[j] - 1, 1))
        features[known, starts[j] + held] = weight[held]
    return features


def _distances(features: Narrow, centres: Narrow) -> Narrow:
    """(n, clusters), squared distances, but for what is the same for all clusters."""
    return np.square(centres).sum(1) - 2 * (features @ centres.T)
