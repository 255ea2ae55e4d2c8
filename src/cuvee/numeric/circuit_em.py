"""Learning a probabilistic circuit by expectation maximisation, in small batches, with smoothing and early stopping."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.numeric import circuit_kernels as kernels
from cuvee.numeric.circuit import Circuit, Codes, Floats, Narrow, log_density, posteriors, upward
from cuvee.numeric.circuit_shape import Ladder, coarse_cells, ladder, mutual_information, spanning_tree

SHAPE_ROWS = 20_000
"""The tree is looked for in this many rows."""
FLOOR = np.float32(1e-7)
"""No state is left with a smaller chance: a message of 0 would hide what else is known."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """How a circuit is learned.

    Attributes:
        states: States of a hidden variable.
        epochs: How often all rows are seen at most.
        smooth: How many rows what all rows say is worth in each state, at the first decision between codes.
        tie: How many rows the mean over all states is worth in each transition.
        least: No share is learned from fewer expected rows.
        patience: Epochs without progress on rows held out before learning stops.
        batch: Rows after which what was learned is used.
    """

    states: int
    epochs: int = 30
    smooth: float = 1.0
    tie: float = 1.0
    least: float = 5.0
    patience: int = 3
    batch: int = 2048
    pace: float = 0.6
    deepen: float = 2.0
    weight: float = 0.5
    init: str = "local"


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Expected rows: of each state of the root, of each step of an edge, of each code in each state."""

    prior: Floats
    steps: Narrow
    codes: tuple[Narrow, ...]

    @classmethod
    def empty(cls, d: int, states: int, sizes: Sequence[int]) -> Self:
        """Nothing counted yet."""
        steps = np.zeros((d, states, states), np.float32)
        return cls(np.zeros(states), steps, tuple(np.zeros((m, states), np.float32) for m in sizes))

    def fade(self, keep: float) -> None:
        """Count what came before for less."""
        self.prior[:] *= keep
        self.steps[:] *= np.float32(keep)
        for c in self.codes:
            c *= np.float32(keep)

    def add(self, other: "Counts", weight: float) -> None:
        """Count other rows on top."""
        self.prior[:] += weight * other.prior
        self.steps[:] += np.float32(weight) * other.steps
        for mine, c in zip(self.codes, other.codes, strict=True):
            mine += np.float32(weight) * c


def count(circuit: Circuit, codes: Codes, counts: Counts) -> float:
    """Add the expected counts of rows, (d, n) codes with -1 where open; the sum of their log densities."""
    n = codes.shape[1]
    passed = upward(circuit, list(codes), n)
    post = posteriors(circuit, passed)
    quotient = np.empty_like(post[0])
    for j in circuit.order.tolist():
        kernels.count(post[j], codes[j], counts.codes[j])
        up = circuit.parent[j]
        if up < 0:
            counts.prior[:] += post[j].sum(0, dtype=np.float64)
        else:
            kernels.divide(post[up], passed.message[j], quotient)
            counts.steps[j] += circuit.transitions[j] * (quotient.T @ passed.belief[j])
    return float(passed.log_density.sum())


def maximise(circuit: Circuit, counts: Counts, ladders: Sequence[Ladder], lessons: Lessons) -> Circuit:
    """The circuit that expected counts make most likely, drawn to what all rows say."""
    h = circuit.states
    prior = counts.prior + FLOOR
    transitions = np.empty_like(circuit.transitions)
    for j, step in enumerate(counts.steps):
        usual = step.sum(0)
        usual = usual / usual.sum() if usual.sum() > 0 else np.full(h, 1 / h, np.float32)
        rows = step.sum(1, keepdims=True)
        table = np.where(rows >= lessons.least, step, 0) + np.float32(lessons.tie) * usual + FLOOR
        transitions[j] = table / table.sum(1, keepdims=True)
    emissions: list[Narrow] = []
    for c, rungs in zip(counts.codes, ladders, strict=True):
        m = len(c)
        rows, out = np.empty((2 * m - 1, h), np.float32), np.empty((2 * m - 1, h), np.float32)
        strength = (lessons.smooth * rungs.depth**lessons.deepen).astype(np.float32)
        kernels.smooth(c, rungs.nodes, rungs.share, strength, np.float32(lessons.least), rows, out)
        emissions.append(np.ascontiguousarray(out[:m]))
    return replace(
        circuit, prior=(prior / prior.sum()).astype(np.float32), transitions=transitions, emissions=tuple(emissions)
    )


def learn(
    codes: Codes,
    masses: Sequence[Floats],
    missing: Sequence[int],
    lessons: Lessons,
    *,
    rng: Generator,
    watch: Callable[[int, int, float], None] | None = None,
) -> Circuit:
    """Learn a circuit of rows.

    Args:
        codes: (d, n), -1 where a cell is not known; d >= 1.
        masses: The probability of each code among all rows, one array a field.
        missing: How many of the first codes of each field stand for missing values.
        lessons: How.
        rng: For what is drawn: the rows held out, the first states, the order of rows.
        watch: Told of (epochs done, of how many, log density of a row held out).
    """
    d, n = codes.shape
    cells = [coarse_cells(m, k, 16) for m, k in zip(masses, missing, strict=True)]
    ladders = [ladder(m, k) for m, k in zip(masses, missing, strict=True)]
    coarse = np.stack([np.where(x >= 0, c[x], -1) for x, c in zip(codes, cells, strict=True)]).astype(np.int32)
    sizes = [int(c.max()) + 1 for c in cells]
    some = np.sort(rng.permutation(n)[:SHAPE_ROWS])
    weights = mutual_information(list(coarse[:, some]), sizes)
    order, parent = spanning_tree(weights)
    mixed = rng.permutation(n)
    held, rows = np.sort(mixed[: n // 10]), mixed[n // 10 :]
    h = lessons.states
    blank = Circuit(
        order, parent, np.full(h, 1 / h, np.float32), np.full((d, h, h), 1 / h, np.float32),
        tuple(np.repeat(m[:, None], h, 1).astype(np.float32) for m in masses),
    )
    counts = first_counts(blank, codes[:, rows], coarse[:, rows], sizes, weights, lessons, rng)
    circuit = maximise(blank, counts, ladders, lessons)
    best, best_score, waited, step = circuit, -np.inf, 0, 0
    size = min(lessons.batch, circuit.chunk())
    for epoch in range(lessons.epochs):
        mixed = rng.permutation(rows)
        for start in range(0, len(mixed), size):
            part = mixed[start : start + size]
            if len(part) * 2 < min(size, len(mixed)):
                break
            fresh = Counts.empty(d, h, [len(m) for m in masses])
            count(circuit, np.ascontiguousarray(codes[:, part]), fresh)
            step += 1
            rate = max((step + 2.0) ** -lessons.pace, 1e-3)
            counts.fade(1 - rate)
            counts.add(fresh, rate * len(rows) / len(part))
            circuit = maximise(circuit, counts, ladders, lessons)
        score = float(log_density(circuit, list(codes[:, held]), len(held)).mean()) if len(held) else -np.inf
        if watch is not None:
            watch(epoch + 1, lessons.epochs, score)
        if score > best_score + 1e-3:
            best, best_score, waited = circuit, score, 0
        else:
            waited += 1
            if waited >= lessons.patience:
                break
    total = Counts.empty(d, h, [len(m) for m in masses])
    for start in range(0, n, circuit.chunk()):
        count(best, np.ascontiguousarray(codes[:, start : start + circuit.chunk()]), total)
    return maximise(best, total, ladders, lessons)


def first_counts(circuit, codes, coarse, sizes, weights, lessons, rng) -> Counts:
    d, n = codes.shape
    h = lessons.states
    counts = Counts.empty(d, h, [len(e) for e in circuit.emissions])
    some = rng.permutation(n)[:SHAPE_ROWS]
    if lessons.init == "random":
        states = rng.integers(0, h, (d, len(some)))
    elif lessons.init == "global":
        z = _clusters([coarse[j, some] for j in range(d)], sizes, np.ones(d), h, rng)
        states = np.stack([z] * d)
    else:
        states = np.zeros((d, len(some)), np.int64)
        for j in range(d):
            near = np.argsort(-weights[j], kind="stable")[:8]
            near = near[weights[j][near] > 0]
            w = np.sqrt(weights[j][near] / max(weights[j].max(), 1e-12)) * lessons.weight
            states[j] = _clusters([coarse[k, some] for k in (j, *near)], [sizes[k] for k in (j, *near)], np.r_[1.0, w], h, rng)
    scale = np.float32(n / len(some))
    for j in range(d):
        c = codes[j, some]
        known = c >= 0
        np.add.at(counts.codes[j], (c[known], states[j][known]), scale)
        up = circuit.parent[j]
        if up < 0:
            counts.prior[:] += np.bincount(states[j], minlength=h) * scale
        else:
            np.add.at(counts.steps[j], (states[up], states[j]), scale)
    return counts


def _clusters(columns, sizes, weights, k, rng, rounds=5):
    n = len(columns[0])
    starts = np.r_[0, np.cumsum(sizes)]
    X = np.zeros((n, starts[-1]), np.float32)
    for c, s, w, m in zip(columns, starts, weights, sizes):
        share = np.bincount(np.maximum(c, 0), minlength=m) / n
        X[np.arange(n), s + np.maximum(c, 0)] = w / np.sqrt(np.maximum(share, 0.02))[np.maximum(c, 0)] / np.sqrt(max(m - 1, 1))
    X += rng.normal(0, 1e-3, X.shape).astype(np.float32)
    C = X[rng.permutation(n)[:k]]
    if len(C) < k:
        C = np.vstack([C, C[rng.integers(0, len(C), k - len(C))] + rng.normal(0, 1e-2, (k - len(C), X.shape[1])).astype(np.float32)])
    for _ in range(rounds):
        z = np.argmin((C**2).sum(1) - 2 * X @ C.T, axis=1)
        one = np.zeros((n, k), np.float32); one[np.arange(n), z] = 1
        size = one.sum(0)
        C = np.where(size[:, None] > 0, one.T @ X / np.maximum(size, 1)[:, None], X[rng.integers(0, n, k)])
    return z
