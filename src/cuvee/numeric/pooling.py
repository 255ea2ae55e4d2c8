"""One answer out of those that several completed or synthetic copies of a table gave."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pooled:
    """A figure of multiply imputed data.

    Attributes:
        estimate: The mean of the copies' estimates.
        variance: Its variance: that within copies, and that between them.
        freedom: Degrees of freedom of its t distribution.
        low: Lower end of the interval.
        high: Upper end of the interval.
        missing: The share of the variance that is due to what is missing.
    """

    estimate: float
    variance: float
    freedom: float
    low: float
    high: float
    missing: float


def pooled(
    estimates: Sequence[float],
    variances: Sequence[float],
    *,
    n: float | None = None,
    level: float = 0.95,
) -> Pooled:
    """Pool the estimates of two or more completed copies by Rubin's rules.

    Source: Rubin (1987), Multiple imputation for nonresponse in surveys, chapter 3; degrees of freedom of small
    samples: Barnard and Rubin (1999), Small-sample degrees of freedom with multiple imputation.

    Args:
        estimates: What each copy gave.
        variances: The squared standard error of each of these.
        n: Degrees of freedom that complete data would have, such as rows less parameters; None for very many.
        level: How often the interval shall hold the truth.

    Raises:
        ValueError: There are fewer than two copies, or as many variances as estimates there are not.

    >>> one = pooled([1.0, 2.0, 3.0], [0.5, 0.5, 0.5])
    >>> one.estimate, round(one.variance, 4), round(one.freedom, 2)
    (2.0, 1.8333, 3.78)
    """
    q, u = _checked(estimates, variances)
    m = len(q)
    within, between = float(u.mean()), (1 + 1 / m) * float(q.var(ddof=1))
    total = within + between
    missing = between / total if total > 0 else 0.0
    old = (m - 1) / missing**2 if missing > 0 else inf
    freedom = old
    if n is not None:
        seen = (n + 1) / (n + 3) * n * (1 - missing)
        freedom = 0.0 if seen <= 0 else seen if old == inf else old * seen / (old + seen)
    return _interval(float(q.mean()), total, freedom, missing, level)


def pooled_synthetic(
    estimates: Sequence[float],
    variances: Sequence[float],
    *,
    kind: Literal["full", "partial"] = "full",
    ratio: float = 1.0,
    level: float = 0.95,
) -> Pooled:
    """Pool the estimates of two or more synthetic copies.

    With the mean of estimates, their variance b between copies, and the mean u of their variances within, the variance
    is (1 + 1/m) b - u for copies whose rows are all made, each from another draw of the posterior, and b / m + u for
    copies in which some cells are made from what was learned, with the rows themselves kept.

    Source: Raghunathan, Reiter and Rubin (2003), Multiple imputation for statistical disclosure limitation, Journal of
    Official Statistics 19, for "full"; Reiter (2002), Satisfying disclosure restrictions with synthetic data sets, for
    what stands in for a variance below 0; Reiter (2003), Inference for partially synthetic, public use microdata sets,
    Survey Methodology 29, for "partial".

    Args:
        estimates: What each copy gave.
        variances: The squared standard error of each of these.
        kind: "full" or "partial".
        ratio: Rows of a copy over rows that were learned from; used where a variance of "full" is below 0.
        level: How often the interval shall hold the truth.

    Returns:
        The pooled figure; `missing` is the share of the variance that is due to what the copies do not agree on.

    Raises:
        ValueError: There are fewer than two copies, or as many variances as estimates there are not.

    >>> one = pooled_synthetic([1.0, 2.0, 3.0], [0.5, 0.5, 0.5])
    >>> one.estimate, round(one.variance, 4), round(one.freedom, 2)
    (2.0, 0.8333, 0.78)
    >>> round(pooled_synthetic([1.0, 2.0, 3.0], [0.5, 0.5, 0.5], kind="partial").variance, 4)
    0.8333
    """
    q, u = _checked(estimates, variances)
    m, within, between = len(q), float(u.mean()), float(q.var(ddof=1))
    if kind == "partial":
        total = between / m + within
        freedom = (m - 1) * (1 + within * m / between) ** 2 if between > 0 else inf
        return _interval(float(q.mean()), total, freedom, between / m / total if total > 0 else 0.0, level)
    spread = (1 + 1 / m) * between
    total = spread - within
    if total <= 0:
        return _interval(float(q.mean()), ratio * within, inf, 0.0, level)
    return _interval(float(q.mean()), total, (m - 1) * (1 - within / spread) ** 2, between / m / total, level)


def _checked(estimates: Sequence[float], variances: Sequence[float]) -> tuple[Floats, Floats]:
    """Both as arrays.

    Raises:
        ValueError: There are fewer than two copies, or as many variances as estimates there are not.
    """
    q, u = np.asarray(estimates, np.float64), np.asarray(variances, np.float64)
    if len(q) < 2 or q.shape != u.shape or q.ndim != 1:
        raise ValueError(f"{len(q)} estimates and {len(u)} variances: each of two or more copies gives one of both.")
    return q, u


def _interval(estimate: float, total: float, freedom: float, missing: float, level: float) -> Pooled:
    """A figure with its interval."""
    from scipy.special import stdtrit

    # Beyond any table the t distribution is the normal one.
    half = float(stdtrit(max(min(freedom, 1e9), 1e-3), (1 + level) / 2)) * sqrt(total)
    return Pooled(estimate, total, freedom, estimate - half, estimate + half, missing)
