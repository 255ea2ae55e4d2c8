"""Kernels that need no gradient: random-walk Metropolis, Gibbs, and slice sampling.

Source: Haario, Saksman and Tamminen (2001), An adaptive Metropolis algorithm, Bernoulli 7; Roberts, Gelman and Gilks
(1997), Weak convergence and optimal scaling of random walk Metropolis algorithms; Geman and Geman (1984), Stochastic
relaxation; Neal (2003), Slice sampling, Annals of Statistics 31.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from cuvee.numeric.mcmc.chain import Chain, Floats, Moments, Target, Told

Update = tuple[Sequence[int], Callable[[Floats, Generator], Floats]]
"""Coordinates, and what draws them given the whole point: an exact conditional."""

FIRST = 100
"""The covariance of proposals follows the chain from this iteration on."""
JITTER = 1e-8


@dataclass(frozen=True, slots=True)
class Metropolis:
    """Random-walk Metropolis; in warm-up the proposals take the covariance and a scale that suits the chain.

    Attributes:
        target: The share of proposals to be taken; None for .44 in one dimension and .234 in many.
    """

    target: float | None = None
    name: str = "metropolis"
    uses_gradient: bool = False

    def run(self, target: Target, start: Floats, warmup: int, draws: int, rng: Generator, told: Told) -> Chain:
        """One chain from a start."""
        d = len(start)
        goal = self.target or (0.44 if d == 1 else 0.234 + 0.206 / d)
        x, here = start.copy(), target.value(start)
        seen, factor, log_scale = Moments(d, dense=True), np.eye(d), float(np.log(2.38 / np.sqrt(d)))
        chain = Chain.empty(draws, d)
        for t in range(warmup + draws):
            proposal = x + np.exp(log_scale) * (factor @ rng.standard_normal(d))
            there = target.value(proposal)
            chance = float(np.exp(min(there - here, 0.0)))
            if rng.random() < chance:
                x, here = proposal, there
            if t < warmup:
                log_scale += (chance - goal) / (t + 1) ** 0.6
                seen.add(x)
                if t >= FIRST and t % 25 == 0:
                    factor = np.linalg.cholesky(seen.spread() + JITTER * np.eye(d))
                if t == warmup // 2:
                    # What was seen on the way to where the density is says nothing of its form.
                    seen = Moments(d, dense=True)
                    seen.add(x)
            else:
                chain.draws[t - warmup], chain.log_density[t - warmup] = x, here
                chain.acceptance[t - warmup] = chance
            told(t + 1)
        return replace(chain, scale=float(np.exp(log_scale)), spread=factor @ factor.T)


@dataclass(frozen=True, slots=True)
class Gibbs:
    """Each coordinate in turn: by a conditional where one is given, else by Metropolis with a scale of its own.

    Attributes:
        updates: Coordinates and what draws them given the whole point; the others are moved by Metropolis.
    """

    updates: tuple[Update, ...] = ()
    name: str = "gibbs"
    uses_gradient: bool = False

    def run(self, target: Target, start: Floats, warmup: int, draws: int, rng: Generator, told: Told) -> Chain:
        """One chain from a start."""
        d = len(start)
        drawn = {int(i) for which, _ in self.updates for i in which}
        rest = [j for j in range(d) if j not in drawn]
        x, here = start.copy(), target.value(start)
        log_scale, chain = np.zeros(d), Chain.empty(draws, d)
        for t in range(warmup + draws):
            for which, draw in self.updates:
                x = x.copy()
                x[list(which)] = draw(x, rng)
            if self.updates:
                here = target.value(x)
            chances = [1.0]
            for j in rest:
                proposal = x.copy()
                proposal[j] += np.exp(log_scale[j]) * rng.standard_normal()
                there = target.value(proposal)
                chance = float(np.exp(min(there - here, 0.0)))
                if rng.random() < chance:
                    x, here = proposal, there
                if t < warmup:
                    log_scale[j] += (chance - 0.44) / (t + 1) ** 0.6
                chances.append(chance)
            if t >= warmup:
                chain.draws[t - warmup], chain.log_density[t - warmup] = x, here
                chain.acceptance[t - warmup] = np.mean(chances[1:] or chances)
            told(t + 1)
        return replace(chain, scale=float(np.exp(log_scale).mean()))


@dataclass(frozen=True, slots=True)
class Slice:
    """Slice sampling of each coordinate in turn, by stepping out and shrinkage; widths are found in warm-up.

    Attributes:
        steps: The most steps outwards.
    """

    steps: int = 20
    name: str = "slice"
    uses_gradient: bool = False

    def run(self, target: Target, start: Floats, warmup: int, draws: int, rng: Generator, told: Told) -> Chain:
        """One chain from a start."""
        d = len(start)
        x, here = start.copy(), target.value(start)
        width, moved = np.ones(d), np.zeros(d)
        chain = Chain.empty(draws, d)
        for t in range(warmup + draws):
            for j in range(d):
                before = x[j]
                x, here = self._move(target, x, here, j, float(width[j]), rng)
                moved[j] += abs(x[j] - before)
            if t < warmup and t % 25 == 24:
                # Three mean moves are about as wide as a usual slice.
                width = np.maximum(3 * moved / 25, 1e-6)
                moved[:] = 0
            if t >= warmup:
                chain.draws[t - warmup], chain.log_density[t - warmup] = x, here
            told(t + 1)
        return replace(chain, scale=float(width.mean()))

    def _move(
        self, target: Target, x: Floats, here: float, j: int, width: float, rng: Generator
    ) -> tuple[Floats, float]:
        """A new point that differs in one coordinate."""
        level = here - rng.exponential()

        def at(value: float) -> tuple[Floats, float]:
            point = x.copy()
            point[j] = value
            return point, target.value(point)

        low = x[j] - width * rng.random()
        high = low + width
        left = int(rng.integers(self.steps + 1))
        right = self.steps - left
        while left > 0 and at(low)[1] > level:
            low, left = low - width, left - 1
        while right > 0 and at(high)[1] > level:
            high, right = high + width, right - 1
        while True:
            value = low + rng.random() * (high - low)
            point, there = at(value)
            if there > level:
                return point, there
            if value < x[j]:
                low = value
            else:
                high = value
            if high - low < 1e-14 * max(1.0, abs(x[j])):
                return x, here
