"""One answer out of those that several completed copies of a table gave."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np


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
    from scipy.special import stdtrit

    q, u = np.asarray(estimates, np.float64), np.asarray(variances, np.float64)
    m = len(q)
    if m < 2 or q.shape != u.shape or q.ndim != 1:
        raise ValueError(f"{m} estimates and {len(u)} variances: each of two or more copies gives one of both.")
    within, between = float(u.mean()), (1 + 1 / m) * float(q.var(ddof=1))
    total = within + between
    missing = between / total if total > 0 else 0.0
    old = (m - 1) / missing**2 if missing > 0 else inf
    freedom = old
    if n is not None:
        seen = (n + 1) / (n + 3) * n * (1 - missing)
        freedom = 0.0 if seen <= 0 else seen if old == inf else old * seen / (old + seen)
    # Beyond any table the t distribution is the normal one.
    half = float(stdtrit(max(min(freedom, 1e9), 1e-3), (1 + level) / 2)) * sqrt(total)
    estimate = float(q.mean())
    return Pooled(estimate, total, freedom, estimate - half, estimate + half, missing)
