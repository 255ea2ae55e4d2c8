"""Whether the kernels of `cuvee.numeric.mcmc` draw from the distribution they are for, and at what cost.

    python benchmarks/mcmc.py [--kernels nuts,slice] [--replications 200] [--skip calibration]

Simulation-based calibration (Talts et al. 2018): parameters are drawn from a prior, data from the parameters, and the
rank of the true parameter among posterior draws is uniform if the kernel is right. Ranks are thinned to be nearly
independent, put into 10 bins, and tested by chi-square; p-values below 0.001 are marked. Then known posteriors: the
distance of each mean from its truth in Monte Carlo standard errors, and effective draws a second.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from scipy.stats import chi2

from cuvee.numeric.mcmc import Gibbs, Hmc, Metropolis, Nuts, Positive, Real, Slice, sample_posterior
from cuvee.numeric.mcmc.chain import Kernel

KERNELS: dict[str, tuple[Kernel, int, int]] = {
    # kernel, draws for calibration, and every so many kept
    "metropolis": (Metropolis(), 4_000, 40),
    "gibbs": (Gibbs(), 2_000, 20),
    "slice": (Slice(), 1_000, 10),
    "hmc": (Hmc(), 400, 4),
    "nuts": (Nuts(), 400, 4),
    "nuts dense": (Nuts(mass="dense"), 400, 4),
}
BINS, SIZE = 10, 12


def calibrated(kernel: Kernel, draws: int, thin: int, replications: int) -> tuple[np.ndarray, float]:
    """p-values of uniform ranks, for a mean and a scale of twelve normal values, and the seconds."""
    ranks, began = np.empty((replications, 2)), time.perf_counter()
    kept = draws // thin
    for r in range(replications):
        rng = np.random.default_rng(r)
        mu, log_sigma = rng.normal(0, 2), rng.normal(0, 0.5)
        y = rng.normal(mu, np.exp(log_sigma), SIZE)

        def density(x: np.ndarray, y: np.ndarray = y) -> tuple[float, np.ndarray]:
            off = (y - x[0]) / x[1]
            log_scale = np.log(x[1])
            value = -(x[0] ** 2) / 8 - 2 * log_scale**2 - log_scale - SIZE * log_scale - 0.5 * off @ off
            by_scale = (-4 * log_scale - 1 - SIZE + off @ off) / x[1]
            return float(value), np.array([-x[0] / 4 + off.sum() / x[1], by_scale])

        found = sample_posterior(
            density, [0.0, 1.0], kernel=kernel, gradient="returned", transforms=[Real(), Positive()], chains=1,
            draws=draws, warmup=300, seed=r,
        )  # fmt: skip
        some = found.draws[0, ::thin]
        ranks[r] = (some < [mu, np.exp(log_sigma)]).sum(axis=0) / (kept + 1e-9)
    counts = np.stack([np.bincount(np.minimum((c * BINS).astype(int), BINS - 1), minlength=BINS) for c in ranks.T])
    # kept + 1 ranks fall into the bins as evenly as they can.
    places = np.minimum((np.arange(kept + 1) / (kept + 1e-9) * BINS).astype(int), BINS - 1)
    expected = replications * np.bincount(places, minlength=BINS) / (kept + 1)
    statistic = ((counts - expected) ** 2 / expected).sum(axis=1)
    return chi2.sf(statistic, BINS - 1), time.perf_counter() - began


def schools(x: np.ndarray) -> tuple[float, np.ndarray]:
    effect = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    error = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    mu, tau, z = x[0], x[1], x[2:]
    off = (effect - mu - tau * z) / error
    value = -0.5 * (mu / 5) ** 2 - np.log1p((tau / 5) ** 2) - 0.5 * z @ z - 0.5 * off @ off
    by_tau = -2 * tau / 25 / (1 + (tau / 5) ** 2) + (off * z / error).sum()
    return float(value), np.concatenate([[-mu / 25 + (off / error).sum(), by_tau], -z + off * tau / error])


def banana(x: np.ndarray) -> tuple[float, np.ndarray]:
    """x0 ~ N(0, 1), x1 ~ N(x0^2, 0.5): the means are 0 and 1."""
    off = (x[1] - x[0] ** 2) / 0.25
    value = -0.5 * x[0] ** 2 - 0.5 * off * (x[1] - x[0] ** 2)
    return float(value), np.array([-x[0] + 2 * off * x[0], -off])


def logistic() -> tuple[Callable[[np.ndarray], tuple[float, np.ndarray]], np.ndarray]:
    """A logistic regression of 200 rows on two columns, and its posterior means by a grid."""
    rng = np.random.default_rng(1)
    table = np.column_stack([np.ones(200), rng.normal(size=200)])
    y = (rng.random(200) < 1 / (1 + np.exp(-(table @ [0.5, -1.0])))).astype(float)

    def density(b: np.ndarray) -> tuple[float, np.ndarray]:
        line = table @ b
        chance = 1 / (1 + np.exp(-line))
        return float(y @ line - np.logaddexp(0, line).sum() - b @ b / 50), table.T @ (y - chance) - b / 25

    grid = np.linspace(-3, 3, 401)
    points = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    lines = points @ table.T
    logs = lines @ y - np.logaddexp(0, lines).sum(axis=1) - (points**2).sum(axis=1) / 50
    weight = np.exp(logs - logs.max())
    return density, weight @ points / weight.sum()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kernels", default=",".join(KERNELS))
    options.add_argument("--replications", type=int, default=200)
    options.add_argument("--skip", default="", help="calibration or known")
    chosen = options.parse_args()
    names = chosen.kernels.split(",")
    if chosen.skip != "calibration":
        print("| kernel | p of ranks of the mean | of the scale | seconds |\n|---|---|---|---|")
        for name in names:
            p, seconds = calibrated(*KERNELS[name], chosen.replications)
            said = " | ".join(f"{v:.3f}{' (!)' if v < 0.001 else ''}" for v in p)
            print(f"| {name} | {said} | {seconds:.0f} |", flush=True)
    if chosen.skip == "known":
        return
    regression, truth = logistic()
    cases = {
        "eight schools": (schools, [0.0, 1.0, *np.zeros(8)], [Real(), Positive(), Real(8)], {0: 4.41, 1: 3.60}),
        "logistic": (regression, np.zeros(2), None, dict(enumerate(truth.tolist()))),
        "banana": (banana, np.zeros(2), None, {0: 0.0, 1: 1.0}),
    }
    print(
        "| posterior | kernel | largest error, in standard errors | R-hat | effective draws a second |\n"
        + "|---" * 5
        + "|"
    )
    for case, (density, start, transforms, means) in cases.items():
        for name in names:
            kernel, _, thin = KERNELS[name]
            began = time.perf_counter()
            found = sample_posterior(
                density, start, kernel=kernel, gradient="returned", transforms=transforms, draws=500 * thin // 2, seed=1
            )
            seconds, lines = time.perf_counter() - began, found.summary()
            worst = max(abs(lines[j].mean - m) / lines[j].error for j, m in means.items())
            mixed, size = max(s.rhat for s in lines), min(s.bulk for s in lines)
            print(f"| {case} | {name} | {worst:.1f} | {mixed:.3f} | {size / seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
