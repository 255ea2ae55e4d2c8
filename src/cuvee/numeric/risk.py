"""Measures of risk of simulated values, each with a 95 % interval that suits the way the draws were made.

Losses are large numbers here: value at risk and expected shortfall look at the upper tail.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.intervals import WIDTH, Z95, clopper_pearson

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Interval = tuple[float, float] | None

TAIL = (1 - WIDTH) / 2
FEWEST = 10
"""With fewer draws beyond a level the error of a mean of them can't be told."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; None where there are too few draws to tell."""

    value: float
    interval: Interval

    @property
    def half(self) -> float:
        """Half the width of the interval; infinite where there is none."""
        return np.inf if self.interval is None else (self.interval[1] - self.interval[0]) / 2


@dataclass(frozen=True, slots=True)
class Units:
    """What is independent among the draws.

    Attributes:
        pairs: Whether draws 2 i and 2 i + 1 are an antithetic pair.
        replicates: (n,), the independent randomisation of each draw; None where draws (or pairs) are independent.
    """

    pairs: bool = False
    replicates: Ints | None = None

    @property
    def plain(self) -> bool:
        """Whether every draw is independent of all others."""
        return not self.pairs and self.replicates is None

    def means(self, values: Floats) -> tuple[Floats, Floats]:
        """The mean of each independent unit, (u,), and how many draws it has, (u,)."""
        if self.replicates is not None:
            sizes = np.bincount(self.replicates).astype(np.float64)
            sums = np.bincount(self.replicates, weights=values)
            return sums[sizes > 0] / sizes[sizes > 0], sizes[sizes > 0]
        if self.pairs:
            return values.reshape(-1, 2).mean(1), np.full(len(values) // 2, 2.0)
        return values, np.ones(len(values))


def mean(values: Floats, units: Units) -> Estimate:
    """The mean of n values."""
    return _linear(float(values.mean()), values, units)


def deviation(values: Floats, units: Units) -> Estimate:
    """The standard deviation of n values.

    Its error is that of its influence function, (x - mean)^2 / (2 sd) - sd / 2.
    """
    found = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    if found == 0:
        return Estimate(0.0, (0.0, 0.0))
    estimate = _linear(found, np.square(values - values.mean()) / (2 * found), units)
    low, high = estimate.interval or (0.0, 0.0)
    return Estimate(found, None if estimate.interval is None else (max(0.0, low), high))


def upper_quantile(values: Floats, level: float) -> float:
    """The smallest value that at least this share of all are at or below: the ceil(level n)-th in order."""
    place = order_place(len(values), level)
    return float(np.partition(values, place)[place])


def order_place(n: int, level: float) -> int:
    """Where the quantile of a level stands among n sorted values, from 0."""
    # Without the rounding 0.95 x 100 would be 95.00000000000001, and its ceiling the 96th.
    return min(max(int(np.ceil(np.round(level * n, 9))) - 1, 0), n - 1)


def quantile(values: Floats, level: float, units: Units) -> Estimate:
    """A quantile of n values; of losses, the value at risk.

    The interval lies between two order statistics, and so holds whatever the density there. Plain draws: by the
    binomial distribution of how many lie below. Other draws: by the spread of that share among independent units.

    Source: David and Nagaraja (2003), Order statistics, section 7.1; Dong and Nakayama (2020), A tutorial on quantile
    estimation via Monte Carlo, section 4, for the inversion of the distribution function.
    """
    n, ordered = len(values), np.sort(values)
    found = float(ordered[order_place(n, level)])
    if units.plain:
        from scipy.stats import binom

        low, high = int(binom.ppf(TAIL, n, level)), int(binom.ppf(1 - TAIL, n, level)) + 1
    else:
        shares, sizes = units.means((values <= found).astype(np.float64))
        if len(shares) < 2:
            return Estimate(found, None)
        # Stratified shares can agree to the last draw by chance; what is drawn within a stratum still varies.
        error = max(_error(shares, sizes), 1 / (np.sqrt(12) * float(sizes.mean())) / np.sqrt(len(shares)))
        half = _student(len(shares) - 1) * error if units.replicates is not None else Z95 * error
        low, high = int(np.floor(n * (level - half))), int(np.ceil(n * (level + half)))
    if low < 1 or high > n:
        return Estimate(found, None)
    return Estimate(found, (float(ordered[low - 1]), float(ordered[high - 1])))


def shortfall_of(values: Floats, level: float) -> float:
    """The mean of the worst 1 - level of all values, atoms split: quantile + mean excess / (1 - level)."""
    at = upper_quantile(values, level)
    return at + float(np.maximum(values - at, 0).mean()) / (1 - level)


def shortfall(values: Floats, level: float, units: Units) -> Estimate:
    """Expected shortfall (conditional value at risk) of n losses.

    Its influence function at x is q + max(x - q, 0) / (1 - level) - ES; its error is that of the mean of this.

    Source: Rockafellar and Uryasev (2000), Optimization of conditional value-at-risk, eq. 4; Acerbi and Tasche (2002);
    Trindade et al. (2007), Financial prediction with constrained tail risk, for the asymptotics.
    """
    at = upper_quantile(values, level)
    parts = at + np.maximum(values - at, 0) / (1 - level)
    if len(values) * (1 - level) < FEWEST:
        return Estimate(float(parts.mean()), None)
    return _linear(float(parts.mean()), parts, units)


def probability(happened: Floats, units: Units) -> Estimate:
    """The share of draws in which something happened, (n,) of 0 and 1."""
    n, count = len(happened), round(float(happened.sum()))
    exact = clopper_pearson(count, n)
    if units.plain or count in {0, n}:
        return Estimate(count / n, exact)
    found = mean(happened, units)
    if found.interval is None or found.half == 0:
        return Estimate(count / n, exact)
    return Estimate(found.value, (max(0.0, found.interval[0]), min(1.0, found.interval[1])))


def _linear(value: float, parts: Floats, units: Units) -> Estimate:
    """A figure that is, up to a constant, the mean of parts, (n,); the interval minds what is independent.

    Replicates are few and their means nearly normal: Student's t. Draws and pairs are many and may be skewed.

    Source: Hall (1992), On the removal of skewness by transformation, eq. 2.3: a monotone cubic of Student's t that is
    normal up to terms of order 1/n.
    """
    means, sizes = units.means(parts)
    n = len(means)
    if n < 2 or not np.isfinite(means).all():
        return Estimate(value, None)
    error, point = _error(means, sizes), _student(n - 1)
    # Pairs and strata may cancel all but rounding, which no interval should be narrower than.
    rounding = 1e-15 * float(np.abs(parts).max())
    lean = 0.0
    if units.replicates is None and error > 0:
        lean = float(np.mean(((means - means.mean()) / (error * np.sqrt(n))) ** 3)) / np.sqrt(n)

    def undone(x: float) -> float:
        return x if abs(lean) < 1e-8 else 3 / lean * (float(np.cbrt(1 + lean * (x - lean / 6))) - 1)

    return Estimate(value, (value - error * undone(point) - rounding, value - error * undone(-point) + rounding))


def _error(means: Floats, sizes: Floats) -> float:
    """The standard error of the mean of all draws, by the spread of the means of units of these sizes."""
    weights = sizes / sizes.sum()
    centre = float(weights @ means)
    u = len(means)
    return float(np.sqrt(u / (u - 1) * (np.square(weights) @ np.square(means - centre))))


def _student(freedom: int) -> float:
    """The two-sided 95 % point of Student's distribution."""
    from scipy.special import stdtrit

    return Z95 if freedom > 10_000 else float(stdtrit(freedom, 1 - TAIL))


def controlled(
    values: Floats, controls: Floats, known: Floats, units: Units, *, folds: int = 10
) -> tuple[Floats, Floats]:
    """Values whose mean is the same and whose variance is smaller: less what controls with a known mean explain.

    Each fold of independent units is corrected with coefficients of all others, so that the mean stays unbiased.

    Args:
        values: (n,).
        controls: (n, k).
        known: (k,), their means.
        units: What is independent: a fold holds whole units.
        folds: How many.

    Returns:
        (n,) values, and (k,) the mean coefficients.

    Source: Lavenberg and Welch (1981); Avramidis and Wilson (1993), A splitting scheme for control variates.
    """
    n = len(values)
    fold = np.zeros(n, np.int64)
    if units.replicates is not None:
        fold = units.replicates % folds
    else:
        step = 2 if units.pairs else 1
        fold = np.arange(n) // step % folds
    corrected, slopes = values.copy(), np.zeros(controls.shape[1])
    parts = np.unique(fold)
    for part in parts:
        here, rest = fold == part, fold != part
        if not rest.any():
            continue
        centred = controls[rest] - controls[rest].mean(0)
        slope = np.linalg.lstsq(centred, values[rest] - values[rest].mean(), rcond=None)[0]
        corrected[here] = values[here] - (controls[here] - known) @ slope
        slopes += slope / len(parts)
    return corrected, slopes
