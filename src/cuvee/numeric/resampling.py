"""Weighted candidates: how many they are worth, and some of them chosen by their weights."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def effective_share(weights: Floats, n: int, *, same: bool) -> float:
    """The effective share of candidates: 1 where all weigh the same.

    Args:
        weights: (n * k,), the log weights of k candidates for each of n rows, row by row.
        n: The rows.
        same: Whether all candidates are for every row.

    Source: Kish (1965), Survey sampling.
    """
    if not len(weights):
        return 1.0
    table = weights[None] if same else weights.reshape(n, -1)
    with np.errstate(invalid="ignore"):
        w = np.nan_to_num(np.exp(table - table.max(axis=1, keepdims=True)))
    return float(np.mean(w.sum(axis=1) ** 2 / np.maximum((w**2).sum(axis=1), 1e-300) / table.shape[1]))


def resampled(weights: Floats, n: int, times: int, *, same: bool, rng: Generator) -> NDArray[np.int64] | None:
    """So many candidates for each of n rows, by their weights: (n * times,); None where a row has none.

    See `effective_share` for the arguments.

    Source: Kitagawa (1996), Monte Carlo filter and smoother for non-Gaussian nonlinear state space models: systematic
    resampling.
    """
    table = weights[None] if same else weights.reshape(n, -1)
    best = table.max(axis=1, keepdims=True)
    if not np.isfinite(best).all():
        return None
    ends = np.cumsum(np.exp(table - best), axis=1)
    size = n * times if same else times
    at = (np.arange(size) + rng.random((len(table), 1))) / size * ends[:, -1:]
    if same:
        chosen = np.minimum(np.searchsorted(ends[0], at[0], side="right"), table.shape[1] - 1)
        return rng.permutation(chosen)
    found = np.minimum((ends[:, None, :] <= at[:, :, None]).sum(axis=2), table.shape[1] - 1)
    return (found + np.arange(n)[:, None] * table.shape[1]).reshape(-1)
