"""Distributions of numbers on a line."""

from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from cuvee.simulation.distribution import Distribution, Floats, Number, Positive, unless


@final
class Normal(Distribution):
    """Normal."""

    mean: Number = Field(description="Mean.")
    sd: Positive = Field(description="Standard deviation.")

    def law(self) -> Any:
        from scipy.stats import norm

        return norm(self.mean, self.sd)

    def quantile(self, u: Floats) -> NDArray[Any]:
        from scipy.special import ndtri

        return self.mean + self.sd * ndtri(u)


@final
class Lognormal(Distribution):
    """The exponential of a normal variable: by its own mean and sd, or by mu and sigma of its logarithm."""

    mean: Positive | None = Field(None, description="Mean of the variable itself.")
    sd: Positive | None = Field(None, description="Standard deviation of the variable itself.")
    mu: Number | None = Field(None, description="Mean of its logarithm.")
    sigma: Positive | None = Field(None, description="Standard deviation of its logarithm.")

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        own, logs = (self.mean is not None, self.sd is not None), (self.mu is not None, self.sigma is not None)
        unless((all(own) and not any(logs)) or (all(logs) and not any(own)), "mean and sd, or mu and sigma of its log")
        return self

    def logs(self) -> tuple[float, float]:
        """Mu and sigma."""
        if self.mean is not None and self.sd is not None:
            sigma2 = float(np.log1p((self.sd / self.mean) ** 2))
            return float(np.log(self.mean)) - sigma2 / 2, float(np.sqrt(sigma2))
        return self.mu or 0.0, self.sigma or 1.0

    def law(self) -> Any:
        from scipy.stats import lognorm

        mu, sigma = self.logs()
        return lognorm(sigma, scale=np.exp(mu))

    def quantile(self, u: Floats) -> NDArray[Any]:
        from scipy.special import ndtri

        mu, sigma = self.logs()
        return np.exp(mu + sigma * ndtri(u))


@final
class T(Distribution):
    """Student's t."""

    df: Positive = Field(description="Degrees of freedom; the mean exists above 1, the variance above 2.")
    location: Number = Field(0.0, description="Middle.")
    scale: Positive = Field(1.0, description="Scale; the standard deviation is scale * sqrt(df / (df - 2)).")

    def law(self) -> Any:
        from scipy.stats import t

        return t(self.df, self.location, self.scale)

    def expectation(self) -> float | None:
        return self.location if self.df > 1 else None


@final
class Uniform(Distribution):
    """Any value between two ends, all alike."""

    low: Number = Field(description="Lower end.")
    high: Number = Field(description="Upper end.")

    @model_validator(mode="after")
    def _order(self) -> Self:
        unless(self.low < self.high, "low below high")
        return self

    def law(self) -> Any:
        from scipy.stats import uniform

        return uniform(self.low, self.high - self.low)


@final
class Triangular(Distribution):
    """Between two ends, with a peak."""

    low: Number = Field(description="Lower end.")
    mode: Number = Field(description="Peak.")
    high: Number = Field(description="Upper end.")

    @model_validator(mode="after")
    def _order(self) -> Self:
        unless(self.low <= self.mode <= self.high and self.low < self.high, "low <= mode <= high")
        return self

    def law(self) -> Any:
        from scipy.stats import triang

        return triang((self.mode - self.low) / (self.high - self.low), self.low, self.high - self.low)


@final
class Pert(Distribution):
    """PERT: a beta distribution by three estimates, with mean (low + shape mode + high) / (shape + 2)."""

    low: Number = Field(description="Lower end.")
    mode: Number = Field(description="Most likely value.")
    high: Number = Field(description="Upper end.")
    shape: Positive = Field(4.0, description="How strongly the most likely value draws; 4 is PERT's own.")

    @model_validator(mode="after")
    def _order(self) -> Self:
        unless(self.low <= self.mode <= self.high and self.low < self.high, "low <= mode <= high")
        return self

    def law(self) -> Any:
        from scipy.stats import beta

        span = self.high - self.low
        return beta(
            1 + self.shape * (self.mode - self.low) / span,
            1 + self.shape * (self.high - self.mode) / span,
            self.low,
            span,
        )


@final
class Beta(Distribution):
    """Beta between two ends."""

    a: Positive = Field(description="First shape.")
    b: Positive = Field(description="Second shape.")
    low: Number = Field(0.0, description="Lower end.")
    high: Number = Field(1.0, description="Upper end.")

    @model_validator(mode="after")
    def _order(self) -> Self:
        unless(self.low < self.high, "low below high")
        return self

    def law(self) -> Any:
        from scipy.stats import beta

        return beta(self.a, self.b, self.low, self.high - self.low)


@final
class Gamma(Distribution):
    """Gamma; the mean is shape * scale."""

    shape: Positive = Field(description="Shape.")
    scale: Positive = Field(description="Scale.")

    def law(self) -> Any:
        from scipy.stats import gamma

        return gamma(self.shape, scale=self.scale)


@final
class Exponential(Distribution):
    """Exponential."""

    mean: Positive = Field(description="Mean; the rate is 1 / mean.")

    def law(self) -> Any:
        from scipy.stats import expon

        return expon(scale=self.mean)


@final
class Weibull(Distribution):
    """Weibull, with survival exp(-(x / scale)^shape)."""

    shape: Positive = Field(description="Shape; 1 is exponential.")
    scale: Positive = Field(description="Scale.")

    def law(self) -> Any:
        from scipy.stats import weibull_min

        return weibull_min(self.shape, scale=self.scale)


@final
class Gumbel(Distribution):
    """Gumbel: the largest of many."""

    location: Number = Field(description="Mode.")
    scale: Positive = Field(description="Scale.")

    def law(self) -> Any:
        from scipy.stats import gumbel_r

        return gumbel_r(self.location, self.scale)


@final
class Logistic(Distribution):
    """Logistic."""

    location: Number = Field(description="Mean.")
    scale: Positive = Field(description="Scale.")

    def law(self) -> Any:
        from scipy.stats import logistic

        return logistic(self.location, self.scale)


@final
class Pareto(Distribution):
    """Pareto, with survival (minimum / x)^shape."""

    shape: Positive = Field(description="Tail index; the mean exists above 1.")
    minimum: Positive = Field(description="Smallest value.")

    def law(self) -> Any:
        from scipy.stats import pareto

        return pareto(self.shape, scale=self.minimum)


@final
class Gpd(Distribution):
    """Generalised Pareto: excesses over a threshold, with survival (1 + shape x / scale)^(-1 / shape)."""

    shape: Number = Field(description="Shape; above 0 a heavy tail, 0 exponential. The mean exists below 1.")
    scale: Positive = Field(description="Scale.")
    threshold: Number = Field(0.0, description="Threshold that is exceeded.")

    def law(self) -> Any:
        from scipy.stats import genpareto

        return genpareto(self.shape, self.threshold, self.scale)
