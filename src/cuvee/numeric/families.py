"""Families of distributions fitted to data by maximum likelihood, and how well each fits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Parameters = Mapping[str, float]

FOLDS = 5


def _normal(x: Floats) -> Parameters:
    return {"mean": float(x.mean()), "sd": float(x.std())}


def _lognormal(x: Floats) -> Parameters:
    logs = np.log(x)
    return {"mu": float(logs.mean()), "sigma": float(logs.std())}


def _t(x: Floats) -> Parameters:
    from scipy.stats import t

    df, location, scale = cast("Any", t).fit(x, 5.0, loc=float(np.median(x)), scale=float(x.std()) or 1.0)
    return {"df": float(min(df, 1e4)), "location": float(location), "scale": float(scale)}


def _logistic(x: Floats) -> Parameters:
    from scipy.stats import logistic

    location, scale = cast("Any", logistic).fit(x)
    return {"location": float(location), "scale": float(scale)}


def _gumbel(x: Floats) -> Parameters:
    from scipy.stats import gumbel_r

    location, scale = cast("Any", gumbel_r).fit(x)
    return {"location": float(location), "scale": float(scale)}


def _gamma(x: Floats) -> Parameters:
    """Source: Minka (2002), Estimating a gamma distribution, by a generalised Newton iteration."""
    from scipy.special import digamma, polygamma

    gap = float(np.log(x.mean()) - np.log(x).mean())
    shape = 0.5 / gap
    for _ in range(50):
        step = (-gap + np.log(shape) - digamma(shape)) / (shape**2 * (1 / shape - polygamma(1, shape)))
        shape = 1 / (1 / shape + step)
    return {"shape": float(shape), "scale": float(x.mean() / shape)}


def _weibull(x: Floats) -> Parameters:
    from scipy.optimize import brentq

    logs = np.log(x)
    top = float(logs.max())

    def score(shape: float) -> float:
        weights = np.exp(shape * (logs - top))
        return float((weights @ logs) / weights.sum() - 1 / shape - logs.mean())

    shape = float(cast("Any", brentq(score, 1e-3, 1e3)))
    return {"shape": shape, "scale": float(np.exp(top + np.log(np.mean(np.exp(shape * (logs - top)))) / shape))}


def _exponential(x: Floats) -> Parameters:
    return {"mean": float(x.mean())}


def _gpd(x: Floats) -> Parameters:
    from scipy.stats import genpareto

    shape, _, scale = cast("Any", genpareto).fit(x, 0.1, floc=0, scale=float(x.mean()))
    return {"shape": float(shape), "scale": float(scale)}


def _beta(x: Floats) -> Parameters:
    from scipy.stats import beta

    a, b, _, _ = cast("Any", beta).fit(x, floc=0, fscale=1)
    return {"a": float(a), "b": float(b)}


def _poisson(x: Floats) -> Parameters:
    return {"mean": float(x.mean())}


def _negative_binomial(x: Floats) -> Parameters:
    """The mean is that of the data; the size maximises the likelihood."""
    from scipy.optimize import minimize_scalar
    from scipy.stats import nbinom

    mean = float(x.mean())

    def loss(log_size: float) -> float:
        size = np.exp(log_size)
        return -float(nbinom.logpmf(x, size, size / (size + mean)).mean())

    found: Any = minimize_scalar(loss, bounds=(-6, 12), method="bounded")
    return {"mean": mean, "size": float(np.exp(found.x))}


def _bernoulli(x: Floats) -> Parameters:
    return {"p": float(x.mean())}


@dataclass(frozen=True, slots=True)
class Family:
    """A family that can be fitted.

    Attributes:
        fit: The parameters of data, (n,).
        takes: Whether data, (n,), can come from it.
        discrete: Whether it is of whole numbers.
    """

    fit: Callable[[Floats], Parameters]
    takes: Callable[[Floats], bool]
    discrete: bool = False


def _any(x: Floats) -> bool:
    return bool(x.std() > 0)


def _positive(x: Floats) -> bool:
    return bool(x.min() > 0 and x.std() > 0)


def _counts(x: Floats) -> bool:
    return bool(x.min() >= 0 and (x == np.rint(x)).all() and x.mean() > 0)


FITTED: Mapping[str, Family] = {
    "normal": Family(_normal, _any),
    "t": Family(_t, _any),
    "logistic": Family(_logistic, _any),
    "gumbel": Family(_gumbel, _any),
    "lognormal": Family(_lognormal, _positive),
    "gamma": Family(_gamma, _positive),
    "weibull": Family(_weibull, _positive),
    "exponential": Family(_exponential, lambda x: bool(x.min() >= 0 and x.mean() > 0)),
    "gpd": Family(_gpd, lambda x: bool(x.min() >= 0 and x.std() > 0)),
    "beta": Family(_beta, lambda x: bool(x.min() > 0 and x.max() < 1 and x.std() > 0)),
    "poisson": Family(_poisson, _counts, discrete=True),
    "negative_binomial": Family(_negative_binomial, _counts, discrete=True),
    "bernoulli": Family(_bernoulli, lambda x: bool(np.isin(x, (0, 1)).all()), discrete=True),
}
"""By name. What they are fitted to decides which can be compared: whole numbers with whole numbers alone."""

Density = Callable[[str, Parameters, Floats], Floats]
"""The log density of a family with parameters at some points, (n,)."""


def held_out(names: list[str], x: Floats, density: Density, folds: NDArray[np.int64]) -> dict[str, float]:
    """The mean log density of each family on rows that it was not fitted to, in nats; minus infinity where it can't be.

    Args:
        names: Families.
        x: (n,).
        density: What computes a log density.
        folds: (n,), the fold of each row.
    """
    scores: dict[str, float] = {}
    for name in names:
        total = 0.0
        for fold in np.unique(folds):
            rest, here = x[folds != fold], x[folds == fold]
            try:
                total += float(density(name, FITTED[name].fit(rest), here).sum())
            except (ValueError, FloatingPointError, ArithmeticError):
                total = -np.inf
        scores[name] = total / len(x) if np.isfinite(total) else -np.inf
    return scores


def distance(x: Floats, cumulative: Callable[[Floats], Floats]) -> float:
    """The Kolmogorov-Smirnov distance between data, (n,), and a continuous distribution."""
    ordered = np.sort(x)
    at = cumulative(ordered)
    n = len(x)
    return float(max(np.max(np.arange(1, n + 1) / n - at), np.max(at - np.arange(n) / n)))


def distance_of_counts(x: Floats, cumulative: Callable[[Floats], Floats]) -> float:
    """The largest difference of cumulative shares between counts, (n,), and a distribution of whole numbers."""
    values, counts = np.unique(x, return_counts=True)
    return float(np.max(np.abs(np.cumsum(counts) / len(x) - cumulative(values))))
