"""Whether Markov chains have reached the distribution they are for, and what their draws are worth.

Source: Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Rank-normalization, folding, and localization: an
improved R-hat for assessing convergence of MCMC, Bayesian Analysis 16 (2); Geyer (1992), Practical Markov chain Monte
Carlo, Statistical Science 7 (4), for where the sum of autocorrelations is cut.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TINY = 1e-20
"""A variance below this is that of one value, but for rounding."""
TAILS = (0.05, 0.95)
"""Tail sizes are those of the events of lying beyond these quantiles."""


def rhat(draws: Floats) -> float:
    """How much wider all chains together are than each by itself: 1 where they have mixed, above 1.01 where not.

    The larger of that of ranks, which sees where chains lie, and that of folded ranks, which sees how wide they are.

    Args:
        draws: (chains, draws), of one quantity; every chain is split in halves, so one is enough.

    Returns:
        NaN where there are fewer than four draws or not all are finite; 1 where all are the same.
    """
    halves = _halves(draws)
    if halves.shape[1] < 2 or not np.isfinite(halves).all():
        return float("nan")
    folded = np.abs(halves - np.median(halves))
    return max(_rhat(_normal_ranks(halves)), _rhat(_normal_ranks(folded)))


def ess_bulk(draws: Floats) -> float:
    """How many independent draws these are worth for where the middle of a quantity lies; see `rhat` for arguments."""
    halves = _halves(draws)
    if halves.shape[1] < 2 or not np.isfinite(halves).all():
        return float("nan")
    return _size(_normal_ranks(halves))


def ess_tail(draws: Floats) -> float:
    """How many independent draws these are worth for the 5 % and the 95 % quantile, the lesser of both."""
    halves = _halves(draws)
    if halves.shape[1] < 2 or not np.isfinite(halves).all():
        return float("nan")
    ends = np.quantile(halves, TAILS)
    return min(_size((halves <= end).astype(float)) for end in ends)


def ess_mean(draws: Floats) -> float:
    """How many independent draws these are worth for the mean itself."""
    halves = _halves(draws)
    if halves.shape[1] < 2 or not np.isfinite(halves).all():
        return float("nan")
    return _size(halves)


def standard_error(draws: Floats) -> float:
    """The Monte Carlo standard error of the mean of all draws."""
    return float(np.std(draws, ddof=1) / np.sqrt(ess_mean(draws)))


def pooled(draws: Floats) -> tuple[float, float]:
    """The effective size of one chain and R-hat of many short chains with targets of their own, by what all say.

    Variances within and between the chains of one target are averaged over targets before they are compared, so that a
    dozen draws are enough where there are many targets.

    Args:
        draws: (quantities, targets, chains, draws); a target in which a quantity is not finite is left out of it.

    Returns:
        The least size and the largest R-hat of all quantities; as many as there are draws, and 1, where none moves
        and all chains of a target agree.
    """
    worth, worst = float(draws.shape[-1]), 1.0
    for one in draws:
        fine = one[np.isfinite(one).all(axis=(1, 2))]
        if not len(fine) or fine.shape[2] < 4:
            continue
        ranks = _normal_ranks(fine)
        halves = np.stack([_halves(t) for t in ranks])
        worth = min(worth, _size(halves) / one.shape[1])
        worst = max(worst, _rhat(halves))
    return worth, worst


def _halves(draws: Floats) -> Floats:
    """(2 * chains, draws // 2), the first and the last half of each chain; an odd draw in the middle is left out."""
    table = np.atleast_2d(np.asarray(draws, np.float64))
    half = table.shape[1] // 2
    return np.concatenate([table[:, :half], table[:, table.shape[1] - half :]])


def _normal_ranks(table: Floats) -> Floats:
    """Normal scores of the ranks among all draws: (r - 3/8) / (S + 1/4), ties in the middle."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    ranks = rankdata(table, method="average").reshape(table.shape)
    return ndtri((ranks - 0.375) / (table.size + 0.25))


def _rhat(table: Floats) -> float:
    """The square root of the pooled variance over the mean variance within chains; targets come before chains."""
    n = table.shape[-1]
    within = float(table.var(axis=-1, ddof=1).mean())
    between = float(table.mean(axis=-1).var(axis=-1, ddof=1).mean()) if table.shape[-2] > 1 else 0.0
    if within <= TINY:
        return 1.0 if between <= TINY else float("inf")
    return float(np.sqrt((n - 1) / n + between / within))


def _size(table: Floats) -> float:
    """The effective size by Geyer's initial monotone sequence of paired autocorrelations, at most S log10 S.

    Of many targets, that of one.
    """
    from scipy.fft import next_fast_len

    m, n = table.shape[-2:]
    within = float(table.var(axis=-1, ddof=1).mean())
    between = float(table.mean(axis=-1).var(axis=-1, ddof=1).mean()) if m > 1 else 0.0
    spread = within * (n - 1) / n + between
    if spread <= TINY:
        return float(m * n)
    centred = table - table.mean(axis=-1, keepdims=True)
    size = next_fast_len(2 * n)
    spectrum = np.abs(np.fft.rfft(centred, size, axis=-1)) ** 2
    covariance = np.fft.irfft(spectrum, size, axis=-1)[..., :n] / n
    # The mean over chains of autocovariances, brought to the unbiased variance.
    rho = 1 - (within - covariance.reshape(-1, n).mean(axis=0) * n / (n - 1)) / spread
    rho[0] = 1.0
    pairs = rho[: n - n % 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    pairs = pairs[: negative[0]] if len(negative) else pairs
    total = -1 + 2 * float(np.minimum.accumulate(pairs).sum()) if len(pairs) else 1.0
    return float(m * n / max(total, 1 / np.log10(max(m * n, 10))))
