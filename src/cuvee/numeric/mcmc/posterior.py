"""Draws from a log density of the user's own, with what says whether they can be trusted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

from cuvee.numeric.chains import ess_bulk, ess_tail, rhat, standard_error
from cuvee.numeric.mcmc.chain import Chain, Kernel, Target
from cuvee.numeric.mcmc.hamiltonian import Hmc, Nuts
from cuvee.numeric.mcmc.steps import Gibbs, Metropolis, Slice
from cuvee.numeric.mcmc.transforms import All, Real, Transform

Floats = NDArray[np.float64]
LogDensity = Callable[[Floats], Any]
"""Of a point (d,): a figure, or a figure and its gradient (d,)."""
Gradient = Callable[[Floats], Floats] | Literal["returned", "differences"]

KERNELS: Mapping[str, Callable[[], Kernel]] = {
    "nuts": Nuts, "hmc": Hmc, "metropolis": Metropolis, "slice": Slice, "gibbs": Gibbs,
}  # fmt: skip
MIXED, ENOUGH, ENERGY = 1.01, 100, 0.2
"""R-hat above, effective draws a chain below, and E-BFMI below which the chains are not to be trusted."""
TRIES = 100
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Summary:
    """One parameter.

    Attributes:
        name: What it is called.
        mean: Its posterior mean.
        deviation: Its posterior standard deviation.
        low: Its 5 % quantile.
        high: Its 95 % quantile.
        error: The Monte Carlo standard error of the mean.
        rhat: See `cuvee.numeric.chains.rhat`.
        bulk: Effective draws for the middle.
        tail: Effective draws for the tails.
    """

    name: str
    mean: float
    deviation: float
    low: float
    high: float
    error: float
    rhat: float
    bulk: float
    tail: float


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Draws of several chains, and how they were made.

    Attributes:
        draws: (chains, draws, d), read-only.
        log_density: (chains, draws), as it was given, without Jacobians.
        names: (d,), the names of parameters.
        kernel: The kernel's name.
        chains: The chains as the kernel moved, in real numbers.
        notes: What the user should know, in sentences.
    """

    draws: Floats
    log_density: Floats
    names: tuple[str, ...]
    kernel: str
    chains: tuple[Chain, ...]
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> Floats:
        """The draws of one parameter, (chains, draws)."""
        return self.draws[:, :, self.names.index(name)]

    @property
    def acceptance(self) -> float:
        """The mean share of proposals taken."""
        return float(np.mean([c.acceptance.mean() for c in self.chains]))

    @property
    def divergences(self) -> int:
        """Draws whose trajectory lost its energy."""
        return int(sum(c.divergent.sum() for c in self.chains))

    @property
    def energy_information(self) -> Floats:
        """(chains,), E-BFMI: how much of the energy's variance one draw renews; NaN without energies.

        Source: Betancourt (2016), Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte Carlo.
        """
        return np.array([_energy_information(c.energy) for c in self.chains])

    def summary(self) -> tuple[Summary, ...]:
        """One line for each parameter."""
        return tuple(_summary(name, self.draws[:, :, j]) for j, name in enumerate(self.names))


def sample_posterior(  # noqa: PLR0913 (one call says all of a run)
    log_density: LogDensity,
    start: Any,
    *,
    kernel: str | Kernel = "nuts",
    gradient: Gradient | None = None,
    transforms: Sequence[Transform] | None = None,
    names: Sequence[str] | None = None,
    chains: int = 4,
    draws: int = 1000,
    warmup: int = 1000,
    seed: int = 0,
    watch: Callable[[int, int, str], None] | None = None,
) -> Posterior:
    """Draw from a log density by Markov chains.

    Args:
        log_density: The log density at a point (d,), but for a constant; minus infinity where there is none.
        start: (d,) for all chains, each a little off it, or (chains, d).
        kernel: "nuts", "hmc", "metropolis", "slice" or "gibbs", or one of these with options.
        gradient: The gradient at a point, or "returned" where `log_density` gives a pair of value and gradient. None
            takes finite differences where the kernel needs gradients, which costs 2 d values each.
        transforms: What bounds the parameters have, in order; None for none. Densities are of the bounded parameters:
            Jacobians are added here.
        names: Names of the parameters.
        chains: How many.
        draws: Draws of each chain that are kept.
        warmup: Draws before these, in which the kernel finds its scales.
        seed: The same seed gives the same draws.
        watch: Told how many iterations are done, of how many, and of which chain.

    Raises:
        ValueError: A number is out of its range, the kernel is not known, or there is no density at a start.
    """
    move = _kernel(kernel)
    if chains < 1 or draws < 4 or warmup < 0 or seed < 0:
        raise ValueError(
            f"{chains} chains of {draws} draws after {warmup}, seed {seed}: at least one chain of four draws is "
            "needed, and no number may be below 0."
        )
    points = np.atleast_2d(np.asarray(start, np.float64))
    d = points.shape[1]
    bounds = All(tuple(transforms) if transforms is not None else (Real(d),))
    if bounds.size != d or points.shape[0] not in {1, chains} or (names is not None and len(names) != d):
        raise ValueError(
            f"The start has shape {points.shape}; wanted are one point or {chains}, of {bounds.size} parameters as the "
            f"transforms have, and as many names."
        )
    target, notes = _target(log_density, gradient, bounds, needed=move.uses_gradient)
    if bounds.free != bounds.size and isinstance(move, Gibbs) and move.updates:
        raise ValueError("Gibbs updates draw parameters as they are; they can't be had with transforms.")
    made: list[Chain] = []
    for c, sequence in enumerate(SeedSequence(seed).spawn(chains)):
        rng = np.random.default_rng(sequence)
        first = _first(target, bounds.to_real(points[min(c, len(points) - 1)]), rng, spread=len(points) == 1)

        def told(done: int, c: int = c) -> None:
            if watch is not None and done % 50 == 0:
                watch(c * (warmup + draws) + done, chains * (warmup + draws), f"chain {c + 1} of {chains}")

        made.append(move.run(target, first, warmup, draws, rng, told))
    return _posterior(made, bounds, tuple(names or (f"x{j}" for j in range(d))), move.name, notes)


def _kernel(kernel: str | Kernel) -> Kernel:
    if not isinstance(kernel, str):
        return kernel
    if kernel not in KERNELS:
        raise ValueError(f"There is no kernel {kernel!r}; there are {', '.join(KERNELS)}.")
    return KERNELS[kernel]()


def _target(
    log_density: LogDensity, gradient: Gradient | None, bounds: All, *, needed: bool
) -> tuple[Target, tuple[str, ...]]:
    """The density of real numbers and its gradient, and what is to be said of them."""
    returned = gradient == "returned"

    def value_of(x: Floats) -> float:
        found = log_density(x)
        value = float(found[0] if returned else found)
        return value if not np.isnan(value) else -np.inf

    def value(y: Floats) -> float:
        x, jacobian = bounds.from_real(y)
        if not (np.isfinite(x).all() and np.isfinite(jacobian)):
            return -np.inf
        return value_of(x) + jacobian

    def by_differences(y: Floats) -> tuple[float, Floats]:
        step = 6e-6 * np.maximum(1.0, np.abs(y))
        moved = [(value(y + e), value(y - e)) for e in np.diag(step)]
        with np.errstate(invalid="ignore"):
            slope = np.array([(a - b) / (2 * h) for (a, b), h in zip(moved, step, strict=True)])
        return value(y), np.where(np.isfinite(slope), slope, 0.0)

    def given(y: Floats) -> tuple[float, Floats]:
        x, jacobian = bounds.from_real(y)
        if not (np.isfinite(x).all() and np.isfinite(jacobian)):
            return -np.inf, np.zeros(len(y))
        if callable(gradient):
            found, slope = value_of(x), gradient(x)
        else:
            both = log_density(x)
            found, slope = float(both[0]), both[1]
        slope = np.asarray(slope, np.float64)
        if np.isnan(found) or not np.isfinite(slope).all():
            return -np.inf, np.zeros(len(y))
        return found + jacobian, bounds.pull(y, slope)

    if callable(gradient) or returned:
        return Target(value, given), ()
    note = "Gradients were taken by finite differences; give gradient= for speed and accuracy."
    return Target(value, by_differences), ((note,) if needed else ())


def _first(target: Target, point: Floats, rng: Generator, *, spread: bool) -> Floats:
    """Where a chain starts: at the point, or a little off it."""
    for _ in range(TRIES if spread else 0):
        near = point + JITTER * rng.uniform(-1, 1, len(point))
        if np.isfinite(target.value(near)):
            return near
    if not np.isfinite(target.value(point)):
        raise ValueError("The log density at the start is no finite number; start where there is a density.")
    return point


def _posterior(
    made: Sequence[Chain], bounds: All, names: tuple[str, ...], kernel: str, notes: tuple[str, ...]
) -> Posterior:
    """What is returned, with what is to be said of the chains."""
    shape = (len(made), made[0].draws.shape[0])
    draws, density = np.empty((*shape, bounds.size)), np.empty(shape)
    for c, chain in enumerate(made):
        for t, y in enumerate(chain.draws):
            draws[c, t], jacobian = bounds.from_real(y)
            density[c, t] = chain.log_density[t] - jacobian
    draws.flags.writeable = density.flags.writeable = False
    found = Posterior(draws, density, names, kernel, tuple(made), notes)
    return Posterior(draws, density, names, kernel, tuple(made), (*notes, *_warnings(found)))


def _warnings(found: Posterior) -> list[str]:
    """What speaks against the chains, in sentences."""
    lines, said = found.summary(), list[str]()
    n = found.draws.shape[0] * found.draws.shape[1]
    if found.divergences:
        said.append(
            f"{found.divergences:,} of {n:,} trajectories diverged: the density bends too sharply for the step. "
            "Aim at a higher acceptance (target=0.95), or choose other parameters."
        )
    apart = [s.name for s in lines if not s.rhat <= MIXED]
    if apart:
        said.append(
            f"The chains have not mixed in {_listed(apart)}: R-hat is above {MIXED}. Draw longer, or start anew."
        )
    few = [s.name for s in lines if not min(s.bulk, s.tail) >= ENOUGH * found.draws.shape[0]]
    if few:
        said.append(f"{_listed(few)}: fewer than {ENOUGH} effective draws a chain. Draw more.")
    low = int((found.energy_information < ENERGY).sum())
    if low:
        said.append(
            f"In {low} of {len(found.chains)} chains energies mix slowly (E-BFMI below {ENERGY}): tails are long."
        )
    return said


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more


def _energy_information(energy: Floats) -> float:
    if np.isnan(energy).any():
        return float("nan")
    return float(np.square(np.diff(energy)).sum() / max(np.square(energy - energy.mean()).sum(), 1e-300))


def _summary(name: str, draws: Floats) -> Summary:
    low, high = np.quantile(draws, (0.05, 0.95))
    return Summary(
        name, float(draws.mean()), float(draws.std(ddof=1)), float(low), float(high), standard_error(draws),
        rhat(draws), ess_bulk(draws), ess_tail(draws),
    )  # fmt: skip
