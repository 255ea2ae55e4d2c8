"""Distributions of counts, of some values, and of words."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, Strict, model_validator

from cuvee.simulation.distribution import Chance, Distribution, Floats, Number, Positive, unless


@final
class Poisson(Distribution):
    """Counts of independent events."""

    mean: Positive = Field(description="Mean.")

    def law(self) -> Any:
        from scipy.stats import poisson

        return poisson(self.mean)


@final
class Binomial(Distribution):
    """Successes in so many trials."""

    trials: Annotated[int, Strict()] = Field(ge=1, description="Trials.")
    p: Chance = Field(description="Chance of a success.")

    def law(self) -> Any:
        from scipy.stats import binom

        return binom(self.trials, self.p)


@final
class NegativeBinomial(Distribution):
    """Counts that vary more than Poisson's: the variance is mean + mean^2 / size."""

    mean: Positive = Field(description="Mean.")
    size: Positive = Field(description="The larger, the nearer to Poisson.")

    def law(self) -> Any:
        from scipy.stats import nbinom

        return nbinom(self.size, self.size / (self.size + self.mean))


@final
class Bernoulli(Distribution):
    """1 with a chance, else 0."""

    p: Chance = Field(description="Chance of a 1.")

    def law(self) -> Any:
        from scipy.stats import bernoulli

        return bernoulli(self.p)

    def quantile(self, u: Floats) -> NDArray[Any]:
        return (u > 1 - self.p).astype(np.float64)


@final
class Discrete(Distribution):
    """Some numbers with weights."""

    values: tuple[Number, ...] = Field(min_length=1, description="The numbers.")
    weights: tuple[Annotated[float, Strict(), Field(ge=0)], ...] | None = Field(
        None, description="Their weights, in any unit; else all alike."
    )

    @model_validator(mode="after")
    def _match(self) -> Self:
        given = self.weights
        unless(given is None or (len(given) == len(self.values) and sum(given) > 0), "as many weights as values")
        return self

    def law(self) -> Any:
        raise NotImplementedError

    def shares(self) -> Floats:
        """The probability of each value."""
        weights = np.ones(len(self.values)) if self.weights is None else np.asarray(self.weights)
        return weights / weights.sum()

    def quantile(self, u: Floats) -> NDArray[Any]:
        order = np.argsort(self.values, kind="stable")
        return np.asarray(self.values, np.float64)[order][_chosen(self.shares()[order], u)]

    def expectation(self) -> float | None:
        return float(self.shares() @ np.asarray(self.values))


@final
class Categorical(Distribution):
    """Some words with weights."""

    text: ClassVar[bool] = True

    weights: Mapping[str, Annotated[float, Strict(), Field(ge=0)]] = Field(
        min_length=1, description="The weight of each word, in any unit."
    )

    @model_validator(mode="after")
    def _some(self) -> Self:
        unless(sum(self.weights.values()) > 0, "weights of which one is above 0")
        return self

    def law(self) -> Any:
        raise NotImplementedError

    def quantile(self, u: Floats) -> NDArray[Any]:
        weights = np.asarray(list(self.weights.values()))
        return np.asarray(list(self.weights))[_chosen(weights / weights.sum(), u)]

    def expectation(self) -> float | None:
        return None


def _chosen(shares: Floats, u: Floats) -> NDArray[np.int64]:
    """Which of several things each rank falls on."""
    return np.minimum(np.searchsorted(np.cumsum(shares), u, side="left"), np.flatnonzero(shares)[-1])
