"""How well a score ranks: the area under the ROC curve, its error, and R squared; also for weighted rows."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def midranks(values: Floats) -> Floats:
    """Ranks from 1 to n, ties sharing their mean rank, (n,).

    >>> midranks(np.array([3.0, 1.0, 3.0]))
    array([2.5, 1. , 2.5])
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def auc(scores: Floats, labels: NDArray[np.bool_]) -> float:
    """The chance that a true row scores above a false one, ties counting half; 0.5 where a class is missing.

    >>> auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        return 0.5
    total = midranks(scores)[labels].sum()
    return float((total - positives * (positives + 1) / 2) / (positives * negatives))


def auc_error(scores: Floats, labels: NDArray[np.bool_]) -> float:
    """Standard error of `auc`; 0 where a class has fewer than two rows.

    Source: DeLong, DeLong and Clarke-Pearson (1988), eq. 4-6, by ranks as in Sun and Xu (2014).
    """
    positive, negative = scores[labels], scores[~labels]
    m, n = len(positive), len(negative)
    if m < 2 or n < 2:
        return 0.0
    joint = midranks(np.concatenate([positive, negative]))
    above = (joint[:m] - midranks(positive)) / n  # for each positive, share of negatives below it
    below = (joint[m:] - midranks(negative)) / m  # for each negative, share of positives below it
    return float(np.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n))


def weighted_auc(scores: Floats, labels: NDArray[np.bool_], weights: Floats) -> Floats:
    """`auc` for many weightings of the same rows at once.

    Args:
        scores: (n,).
        labels: (n,).
        weights: (repeats, n), not negative.

    Returns:
        (repeats,); 0.5 where a class has no weight.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])
    sorted_weights, truth = weights[:, order], labels[order]
    positive = np.add.reduceat(np.where(truth, sorted_weights, 0.0), starts, axis=1)  # (repeats, distinct scores)
    negative = np.add.reduceat(np.where(truth, 0.0, sorted_weights), starts, axis=1)
    beaten = np.cumsum(negative, axis=1) - negative / 2
    total = positive.sum(axis=1) * negative.sum(axis=1)
    return np.where(total > 0, (positive * beaten).sum(axis=1) / np.where(total > 0, total, 1.0), 0.5)


def r_squared(truth: Floats, guess: Floats, weights: Floats) -> Floats:
    """Share of the variance that a guess explains, for many weightings of the same rows at once.

    Args:
        truth: (n,).
        guess: (n,).
        weights: (repeats, n), not negative.

    Returns:
        (repeats,), at most 1; 0 where the truth does not vary.
    """
    unit = float(np.abs(truth).max(initial=0.0)) or 1.0  # squares of very large numbers would overflow
    centred = truth / unit - (truth / unit).mean()
    off = np.clip((truth - guess) / unit, -1e100, 1e100)
    mass = np.maximum(weights.sum(axis=1), 1e-300)
    spread = weights @ centred**2 / mass - (weights @ centred / mass) ** 2
    error = weights @ off**2 / mass
    varies = spread > 1e-20
    return np.where(varies, 1 - error / np.where(varies, spread, 1.0), 0.0)
