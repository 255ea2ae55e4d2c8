"""Learning a probabilistic circuit by expectation maximisation, in small batches, with smoothing and early stopping."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.numeric import circuit_kernels as kernels
from cuvee.numeric.circuit import Circuit, in_blocks, log_density, pass_down, pass_up
from cuvee.numeric.circuit_kernels import Floats, Narrow
from cuvee.numeric.circuit_kernels import Ints as Codes
from cuvee.numeric.circuit_shape import Ladder, coarse_cells, ladder, mutual_information, spanning_tree

SHAPE_ROWS = 20_000
"""The tree is looked for in this many rows."""
PARTS = 2
"""Sums are made in this many parts, at the same time where there are cores for it."""
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
    """Expected rows: of each state of the root, of each step along an edge, of each code in each state."""

    prior: Floats
    steps: Narrow
    seen: Narrow

    @classmethod
    def empty(cls, d: int, states: int, codes: int) -> Self:
        """Nothing counted yet."""
        return cls(np.zeros(states), np.zeros((d, states, states), np.float32), np.zeros((codes, states), np.float32))

    def merge(self, other: "Counts", keep: float, add: float) -> None:
        """Count what came before for less, and other rows on top."""
        for mine, theirs in ((self.prior, other.prior), (self.steps, other.steps), (self.seen, other.seen)):
            mine *= mine.dtype.type(keep)
            mine += mine.dtype.type(add) * theirs


def expect(circuit: Circuit, codes: Codes) -> tuple[Counts, float]:
    """The expected counts of rows, (d, n) codes with -1 where open, and the sum of their log densities.

    The rows are counted in as many parts as there are parts of work, whatever the number of cores, so that sums come
    out the same.
    """
    d, n = codes.shape
    parts = [Counts.empty(d, circuit.states, len(circuit.emissions)) for _ in range(PARTS)]
    scores = np.zeros(PARTS)
    turned, size = circuit.turned(), circuit.block

    def work(start: int, stop: int) -> None:
        k = start // max(-(-n // PARTS), 1)
        mine = parts[k]
        for low in range(start, stop, size):
            part = np.ascontiguousarray(codes[:, low : min(low + size, stop)])
            passed = pass_up(circuit, turned, part)
            post = pass_down(circuit, passed)
            kernels.count(
                circuit.parent,
                part,
                circuit.first,
                passed.belief,
                passed.message,
                post,
                mine.prior,
                mine.steps,
                mine.seen,
            )
            scores[k] += passed.log_density.sum()

    in_blocks(work, n, max(-(-n // PARTS), 1))
    for other in parts[1:]:
        parts[0].merge(other, 1, 1)
    parts[0].steps[:] *= circuit.transitions
    return parts[0], float(scores.sum())


def maximise(circuit: Circuit, counts: Counts, ladders: Sequence[Ladder], lessons: Lessons) -> Circuit:
    """The circuit that expected counts make most likely, drawn to what all rows say."""
    h = circuit.states
    prior = counts.prior + FLOOR
    steps = counts.steps
    usual = steps.sum(1, keepdims=True) + FLOOR
    usual *= np.float32(lessons.tie) / usual.sum(2, keepdims=True)
    table = steps + usual + FLOOR
    few = steps.sum(2, keepdims=True) < lessons.least
    table = np.where(few, usual + FLOOR, table)
    table /= table.sum(2, keepdims=True)
    emissions = np.empty_like(circuit.emissions)
    for j, rungs in enumerate(ladders):
        low, high = circuit.first[j], circuit.first[j + 1]
        m = high - low
        rows, out = np.empty((2 * m - 1, h), np.float32), np.empty((2 * m - 1, h), np.float32)
        strength = (lessons.smooth * rungs.depth**lessons.deepen).astype(np.float32)
        kernels.smooth(counts.seen[low:high], rungs.nodes, rungs.share, strength, np.float32(lessons.least), rows, out)
        emissions[low:high] = out[:m]
    return replace(circuit, prior=prior / prior.sum(), transitions=table, emissions=emissions)


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
    h = lessons.states
    cells = [coarse_cells(m, k, 16) for m, k in zip(masses, missing, strict=True)]
    ladders = [ladder(m, k) for m, k in zip(masses, missing, strict=True)]
    coarse = np.stack([np.where(x >= 0, c[x], -1) for x, c in zip(codes, cells, strict=True)]).astype(np.int32)
    sizes = [int(c.max()) + 1 for c in cells]
    some = np.sort(rng.permutation(n)[:SHAPE_ROWS])
    weights = mutual_information(list(coarse[:, some]), sizes)
    order, parent = spanning_tree(weights)
    mixed = rng.permutation(n)
    held, rows = np.sort(mixed[: n // 10]), mixed[n // 10 :]
    first = np.concatenate([[0], np.cumsum([len(m) for m in masses])]).astype(np.int32)
    blank = Circuit(
        order,
        parent,
        first,
        np.full(h, 1 / h),
        np.full((d, h, h), 1 / h, np.float32),
        np.repeat(np.concatenate(masses)[:, None], h, 1).astype(np.float32),
    )
    counts = first_counts(blank, codes[:, rows], coarse[:, rows], sizes, weights, lessons, rng)
    circuit = maximise(blank, counts, ladders, lessons)
    best, best_score, waited, step = circuit, -np.inf, 0, 0
    size = lessons.batch
    for epoch in range(lessons.epochs):
        mixed = rng.permutation(rows)
        for start in range(0, len(mixed), size):
            part = mixed[start : start + size]
            if len(part) * 2 < min(size, len(mixed)):
                break
            fresh, _ = expect(circuit, codes[:, part])
            step += 1
            rate = max((step + 2.0) ** -lessons.pace, 1e-3)
            counts.merge(fresh, 1 - rate, rate * len(rows) / len(part))
            circuit = maximise(circuit, counts, ladders, lessons)
        score = float(log_density(circuit, codes[:, held]).mean()) if len(held) else -np.inf
        if watch is not None:
            watch(epoch + 1, lessons.epochs, score)
        if score > best_score + 1e-3:
            best, best_score, waited = circuit, score, 0
        else:
            waited += 1
            if waited >= lessons.patience:
                break
    return maximise(best, expect(best, codes)[0], ladders, lessons)


def first_counts(circuit, codes, coarse, sizes, weights, lessons, rng) -> Counts:
    d, n = codes.shape
    h = lessons.states
    counts = Counts.empty(d, h, len(circuit.emissions))
    some = rng.permutation(n)[:SHAPE_ROWS]
    if lessons.init == "aligned":
        from cuvee.numeric.circuit_start import first_states
        states = first_states(coarse[:, some], sizes, h, lessons.weight, rng=rng)
    elif lessons.init == "random":
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
            states[j] = _clusters(
                [coarse[k, some] for k in (j, *near)], [sizes[k] for k in (j, *near)], np.r_[1.0, w], h, rng
            )
    scale = np.float32(n / len(some))
    for j in range(d):
        c = codes[j, some]
        known = c >= 0
        np.add.at(counts.seen, (c[known] + circuit.first[j], states[j][known]), scale)
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
        X[np.arange(n), s + np.maximum(c, 0)] = (
            w / np.sqrt(np.maximum(share, 0.02))[np.maximum(c, 0)] / np.sqrt(max(m - 1, 1))
        )
    X += rng.normal(0, 1e-3, X.shape).astype(np.float32)
    C = X[rng.permutation(n)[:k]]
    if len(C) < k:
        C = np.vstack(
            [
                C,
                C[rng.integers(0, len(C), k - len(C))]
                + rng.normal(0, 1e-2, (k - len(C), X.shape[1])).astype(np.float32),
            ]
        )
    for _ in range(rounds):
        z = np.argmin((C**2).sum(1) - 2 * X @ C.T, axis=1)
        one = np.zeros((n, k), np.float32)
        one[np.arange(n), z] = 1
        size = one.sum(0)
        C = np.where(size[:, None] > 0, one.T @ X / np.maximum(size, 1)[:, None], X[rng.integers(0, n, k)])
    return z
