"""The distributions that a scenario can state, by name."""

from collections.abc import Mapping

from cuvee.simulation.continuous import (
    Beta,
    Exponential,
    Gamma,
    Gpd,
    Gumbel,
    Logistic,
    Lognormal,
    Normal,
    Pareto,
    Pert,
    T,
    Triangular,
    Uniform,
    Weibull,
)
from cuvee.simulation.discrete import Bernoulli, Binomial, Categorical, Discrete, NegativeBinomial, Poisson
from cuvee.simulation.distribution import Distribution

FAMILIES: Mapping[str, type[Distribution]] = {
    "normal": Normal,
    "lognormal": Lognormal,
    "t": T,
    "uniform": Uniform,
    "triangular": Triangular,
    "pert": Pert,
    "beta": Beta,
    "gamma": Gamma,
    "exponential": Exponential,
    "weibull": Weibull,
    "gumbel": Gumbel,
    "logistic": Logistic,
    "pareto": Pareto,
    "gpd": Gpd,
    "poisson": Poisson,
    "binomial": Binomial,
    "negative_binomial": NegativeBinomial,
    "bernoulli": Bernoulli,
    "discrete": Discrete,
    "categorical": Categorical,
}
"""By the name that a scenario has for them."""
