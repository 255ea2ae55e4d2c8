"""Hamiltonian Monte Carlo, with a number of steps that is given (HMC) or found (NUTS), and their warm-up.

Source: Neal (2011), MCMC using Hamiltonian dynamics; Hoffman and Gelman (2014), The No-U-Turn sampler, JMLR 15, for the
doubling and dual averaging; Betancourt (2017), A conceptual introduction to Hamiltonian Monte Carlo, for multinomial
sampling along the trajectory and the criterion by summed momenta; Stan reference manual, for the windows of warm-up.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.random import Generator

from cuvee.numeric.mcmc.chain import Chain, Floats, Moments, Target, Told

LOST = 1000.0
"""A trajectory whose energy rises by more is divergent."""
TARGET = 0.8
FIRST, LAST, WINDOW = 75, 50, 25
"""Warm-up of 1,000: so many iterations for the step alone, at its end too, and the first window of the spread."""


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A point of a trajectory: place, momentum, log density and its gradient."""

    x: Floats
    p: Floats
    value: float
    slope: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """The spread of the density as the kernel takes it: variances, (d,), or a covariance, (d, d)."""

    spread: Floats
    factor: Floats

    @classmethod
    def of(cls, spread: Floats) -> "Metric":
        """The metric of variances or a covariance."""
        factor = np.sqrt(spread) if spread.ndim == 1 else np.linalg.cholesky(spread)
        return cls(spread, np.asarray(factor, np.float64))

    def velocity(self, p: Floats) -> Floats:
        """What the place changes by in a unit of time."""
        return self.spread * p if self.spread.ndim == 1 else self.spread @ p

    def momentum(self, rng: Generator) -> Floats:
        """A normal momentum whose covariance is the inverse of the spread."""
        z = rng.standard_normal(len(self.spread))
        drawn = z / self.factor if self.spread.ndim == 1 else np.linalg.solve(self.factor.T, z)
        return np.asarray(drawn, np.float64)

    def energy(self, point: Point) -> float:
        """Potential and kinetic energy; infinite where there is no density."""
        found = -point.value + 0.5 * float(point.p @ self.velocity(point.p))
        return found if np.isfinite(found) else np.inf


def leapfrog(target: Target, metric: Metric, point: Point, step: float) -> Point:
    """One step of the integrator."""
    p = point.p + 0.5 * step * point.slope
    x = point.x + step * metric.velocity(p)
    value, slope = target.gradient(x)
    return Point(x, p + 0.5 * step * slope, value, slope)


class DualAveraging:
    """A step size whose acceptance nears a goal. Source: Nesterov (2009); Hoffman and Gelman (2014), section 3.2."""

    def __init__(self, step: float, goal: float) -> None:
        self.goal = goal
        self.restart(step)

    def restart(self, step: float) -> None:
        """Begin again near a step."""
        self.centre, self.error, self.count = float(np.log(10 * step)), 0.0, 0
        self.log_step, self.smooth = float(np.log(step)), 0.0

    def learn(self, acceptance: float) -> None:
        """One more iteration."""
        self.count += 1
        share = 1 / (self.count + 10)
        self.error = (1 - share) * self.error + share * (self.goal - acceptance)
        self.log_step = self.centre - np.sqrt(self.count) / 0.05 * self.error
        weight = self.count**-0.75
        self.smooth = weight * self.log_step + (1 - weight) * self.smooth


def windows(warmup: int) -> list[int]:
    """The iterations after which the spread is learned anew.

    >>> windows(1000), windows(100), windows(10)
    ([99, 149, 249, 449, 949], [89], [])
    """
    if warmup < 20:
        return []
    first, last = (FIRST, LAST) if warmup >= FIRST + LAST + WINDOW else (int(0.15 * warmup), int(0.1 * warmup))
    size = WINDOW if warmup >= FIRST + LAST + WINDOW else warmup - first - last
    ends, at = [], first
    while at < warmup - last:
        # A window that would leave less than twice its size to the next one takes all.
        end = at + size if at + 3 * size <= warmup - last else warmup - last
        ends.append(end - 1)
        at, size = end, 2 * size
    return ends


def first_step(target: Target, metric: Metric, point: Point, rng: Generator) -> float:
    """A step at which the acceptance of one leapfrog step crosses .8, by halving or doubling."""
    step, way = 1.0, 0
    for _ in range(60):
        fresh = replace(point, p=metric.momentum(rng))
        moved = leapfrog(target, metric, fresh, step)
        fall = metric.energy(fresh) - metric.energy(moved)
        up = bool(fall > np.log(0.8))
        if way and up != (way > 0):
            break
        way = 1 if up else -1
        step *= 2.0**way
    return min(max(step, 1e-10), 1e7)


Move = Callable[[Target, Metric, Point, float, Generator], tuple[Point, float, bool, int]]
"""From a point and a step size: the next point, the acceptance, whether it diverged, and the doublings."""


def _run(  # noqa: PLR0913 (what both kernels share)
    move: Move, target: Target, start: Floats, warmup: int, draws: int, rng: Generator, told: Told,
    *, dense: bool, goal: float,
) -> Chain:  # fmt: skip
    """One chain of a Hamiltonian kernel, with the warm-up of Stan."""
    d = len(start)
    metric = Metric.of(np.eye(d) if dense else np.ones(d))
    point = Point(start.copy(), np.zeros(d), *target.gradient(start))
    averaging = DualAveraging(first_step(target, metric, point, rng), goal)
    seen, ends = Moments(d, dense=dense), windows(warmup)
    begin = FIRST if warmup >= FIRST + LAST + WINDOW else int(0.15 * warmup)
    chain, step = Chain.empty(draws, d), float(np.exp(averaging.log_step))
    for t in range(warmup + draws):
        point = replace(point, p=metric.momentum(rng))
        point, acceptance, divergent, depth = move(target, metric, point, step, rng)
        if t < warmup:
            averaging.learn(acceptance)
            if ends and begin <= t <= ends[-1]:
                seen.add(point.x)
            if t in ends:
                metric = Metric.of(seen.spread())
                seen = Moments(d, dense=dense)
                averaging.restart(first_step(target, metric, point, rng))
            step = float(np.exp(averaging.log_step if t + 1 < warmup else averaging.smooth))
        else:
            at = t - warmup
            chain.draws[at], chain.log_density[at], chain.acceptance[at] = point.x, point.value, acceptance
            chain.divergent[at], chain.depth[at], chain.energy[at] = divergent, depth, metric.energy(point)
        told(t + 1)
    return replace(chain, scale=step, spread=metric.spread)


@dataclass(frozen=True, slots=True)
class Hmc:
    """Hamiltonian Monte Carlo with a fixed time of integration.

    Attributes:
        time: How long a trajectory is, in standard deviations of the density; the last fifth of it is random.
        most: The most steps of one.
        mass: "diagonal" or "dense": what warm-up learns of the density's spread.
        target: The acceptance that warm-up aims at.
    """

    time: float = 2.0
    most: int = 1000
    mass: Literal["diagonal", "dense"] = "diagonal"
    target: float = TARGET
    name: str = "hmc"
    uses_gradient: bool = True

    def run(self, target: Target, start: Floats, warmup: int, draws: int, rng: Generator, told: Told) -> Chain:
        """One chain from a start."""
        dense = self.mass == "dense"
        return _run(self._move, target, start, warmup, draws, rng, told, dense=dense, goal=self.target)

    def _move(
        self, target: Target, metric: Metric, point: Point, step: float, rng: Generator
    ) -> tuple[Point, float, bool, int]:
        before, moved = metric.energy(point), point
        steps = int(np.clip(np.ceil(self.time * rng.uniform(0.8, 1.2) / step), 1, self.most))
        for _ in range(steps):
            moved = leapfrog(target, metric, moved, step)
            if metric.energy(moved) - before > LOST:
                return point, 0.0, True, 0
        chance = float(np.exp(min(before - metric.energy(moved), 0.0)))
        return (moved if rng.random() < chance else point), chance, False, 0


@dataclass(frozen=True, slots=True, eq=False)
class _Tree:
    """A stretch of a trajectory: both ends, a point drawn from it by its density, and what doublings need of it."""

    left: Point
    right: Point
    drawn: Point
    log_weight: float
    momenta: Floats
    steps: int
    chances: float
    going: bool
    divergent: bool


@dataclass(frozen=True, slots=True)
class Nuts:
    """The No-U-Turn sampler: a trajectory is doubled until it turns back, and a point of it is drawn by its density.

    Attributes:
        depth: The most doublings.
        mass: "diagonal" or "dense": what warm-up learns of the density's spread.
        target: The acceptance that warm-up aims at.
    """

    depth: int = 10
    mass: Literal["diagonal", "dense"] = "diagonal"
    target: float = TARGET
    name: str = "nuts"
    uses_gradient: bool = True

    def run(self, target: Target, start: Floats, warmup: int, draws: int, rng: Generator, told: Told) -> Chain:
        """One chain from a start."""
        dense = self.mass == "dense"
        return _run(self._move, target, start, warmup, draws, rng, told, dense=dense, goal=self.target)

    def _move(
        self, target: Target, metric: Metric, point: Point, step: float, rng: Generator
    ) -> tuple[Point, float, bool, int]:
        start = metric.energy(point)
        tree = _Tree(point, point, point, 0.0, point.p, 0, 0.0, going=True, divergent=False)
        depth = 0
        while tree.going and depth < self.depth:
            forward = bool(rng.random() < 0.5)
            end = tree.right if forward else tree.left
            fresh = self._grown(target, metric, end, step if forward else -step, depth, start, rng)
            drawn = tree.drawn
            if fresh.going and rng.random() < np.exp(min(fresh.log_weight - tree.log_weight, 0.0)):
                # The new half is favoured, so that points far from the start are taken more often.
                drawn = fresh.drawn
            tree = replace(_joined(metric, tree, fresh, forward=forward), drawn=drawn)
            depth += 1
        return tree.drawn, tree.chances / max(tree.steps, 1), tree.divergent, depth

    def _grown(
        self, target: Target, metric: Metric, end: Point, step: float, depth: int, start: float, rng: Generator
    ) -> _Tree:
        """A stretch of 2^depth points beyond an end."""
        if depth == 0:
            point = leapfrog(target, metric, end, step)
            rise = metric.energy(point) - start
            lost = bool(rise > LOST)
            chance = float(np.exp(min(-rise, 0.0)))
            return _Tree(point, point, point, -rise, point.p, 1, chance, going=not lost, divergent=lost)
        first = self._grown(target, metric, end, step, depth - 1, start, rng)
        if not first.going:
            return first
        forward = step > 0
        last = first.right if forward else first.left
        second = self._grown(target, metric, last, step, depth - 1, start, rng)
        whole = _joined(metric, first, second, forward=forward)
        if second.going and rng.random() < np.exp(second.log_weight - whole.log_weight):
            whole = replace(whole, drawn=second.drawn)
        return whole


def _joined(metric: Metric, first: _Tree, second: _Tree, *, forward: bool) -> _Tree:
    """Two stretches beside each other; whether the whole, or either half and the next point, has turned back."""
    left, right = (first, second) if forward else (second, first)
    momenta = first.momenta + second.momenta
    going = (
        second.going
        and _ahead(metric, left.left, right.right, momenta)
        and _ahead(metric, left.left, right.left, left.momenta + right.left.p)
        and _ahead(metric, left.right, right.right, right.momenta + left.right.p)
    )
    return _Tree(
        left.left, right.right, first.drawn, float(np.logaddexp(first.log_weight, second.log_weight)), momenta,
        first.steps + second.steps, first.chances + second.chances, going, first.divergent or second.divergent,
    )  # fmt: skip


def _ahead(metric: Metric, left: Point, right: Point, momenta: Floats) -> bool:
    """Whether both ends still move away from each other."""
    return float(metric.velocity(left.p) @ momenta) > 0 and float(metric.velocity(right.p) @ momenta) > 0
