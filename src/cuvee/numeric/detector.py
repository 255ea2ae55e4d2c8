"""A quick detector: how well a linear model on random features tells two samples of ranks apart."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEATURES = 128
ROWS = 3000
"""Rows of each sample that are looked at."""
"""Random features; with so many a linear model sees most bends and pairwise dependences."""
RIDGE = 1e-2


def detector_auc(one: Floats, other: Floats, *, rng: Generator) -> float:
    """Area under the curve of a detector that was fitted on half of the rows and is read on the other half.

    Args:
        one: (n, d), ranks in (0, 1).
        other: (m, d), ranks in (0, 1).
        rng: Draws the features and the halves.

    Returns:
        0.5 where the samples can't be told apart, 1 where they always can; 0.5 for fewer than 8 rows of either.

    Source: Rahimi and Recht (2007), Random features for large-scale kernel machines; Lopez-Paz and Oquab (2017),
    Revisiting classifier two-sample tests.
    """
    if min(len(one), len(other)) < 8 or one.shape[1] == 0:
        return 0.5
    one, other = one[rng.permutation(len(one))[:ROWS]], other[rng.permutation(len(other))[:ROWS]]
    points = 2 * np.sqrt(3.0) * (np.vstack([one, other]) - 0.5)
    label = np.r_[np.full(len(one), 1 / len(one)), np.full(len(other), -1 / len(other))] * len(points) / 2
    directions = rng.standard_normal((points.shape[1], FEATURES)) / np.sqrt(min(points.shape[1], 4))
    features = np.hstack([points, np.cos(points @ directions + rng.random(FEATURES) * 2 * np.pi)])
    features -= features.mean(0)
    half = rng.permutation(len(points)) % 2 == 0
    gram = features[half].T @ features[half]
    gram[np.diag_indices_from(gram)] += RIDGE * half.sum()
    score = features[~half] @ np.linalg.solve(gram, features[half].T @ label[half])
    return _auc(score[label[~half] > 0], score[label[~half] < 0])


def _auc(high: Floats, low: Floats) -> float:
    """The share of pairs in which the high one is above, ties counted half."""
    low = np.sort(low)
    below = np.searchsorted(low, high, side="left") + np.searchsorted(low, high, side="right")
    return float(below.mean() / (2 * len(low)))


def trees_auc(one: Floats, other: Floats, *, rng: Generator) -> float:
    """The same with boosted trees as the detector: they see spikes and conditions that a smooth one does not.

    Args:
        one: (n, d), ranks in (0, 1).
        other: (m, d), ranks in (0, 1).
        rng: Draws the halves.
    """
    from cuvee.numeric.boosted import Inputs, fit_odds

    if min(len(one), len(other)) < 50 or one.shape[1] == 0:
        return 0.5
    points = np.vstack([one, other])
    bins = np.minimum(points * 255, 254).astype(np.uint8)
    label = np.r_[np.ones(len(one)), np.zeros(len(other))].astype(np.float32)
    half = rng.permutation(len(points)) % 2 == 0
    d = points.shape[1]
    every = np.arange(d, dtype=np.int32)
    inputs = Inputs(np.ascontiguousarray(bins[half].T), every, np.full(d, 255, np.int32), np.zeros(d, np.uint8), d)
    fitted = fit_odds(inputs, label[half], rng=rng, rounds=100)
    score = np.zeros(int((~half).sum()), np.float32)
    fitted.boosted.add(np.ascontiguousarray(bins[~half]), score)
    return _auc(score[label[~half] > 0].astype(np.float64), score[label[~half] < 0.5].astype(np.float64))
