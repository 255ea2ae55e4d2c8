"""Markov chain Monte Carlo for a log density of the user's own: kernels, bounds of parameters, chains, diagnostics."""

from cuvee.numeric.mcmc.chain import Chain
from cuvee.numeric.mcmc.hamiltonian import Hmc, Nuts
from cuvee.numeric.mcmc.posterior import Posterior, Summary, sample_posterior
from cuvee.numeric.mcmc.steps import Gibbs, Metropolis, Slice
from cuvee.numeric.mcmc.transforms import Between, Ordered, Positive, Real, Simplex

__all__ = [
    "Between", "Chain", "Gibbs", "Hmc", "Metropolis", "Nuts", "Ordered", "Positive", "Posterior", "Real", "Simplex",
    "Slice", "Summary", "sample_posterior",
]  # fmt: skip
