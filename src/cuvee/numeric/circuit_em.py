"""Learning a probabilistic circuit: expectation maximisation in small batches, with smoothing and early stopping."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.random import Generator

from cuvee.numeric import circuit_kernels as kernels
from cuvee.numeric.circuit import Circuit, in_blocks, log_density, pass_down, pass_up
from cuvee.numeric.circuit_kernels import Floats, Ints, Narrow
from cuvee.numeric.circuit_shape import Ladder, coarse_cells, ladder, mutual_information, shape_rows, spanning_tree
from cuvee.numeric.circuit_start import first_states

PARTS = 2
"""Sums are made in this many parts, at the same time where there are cores for it."""
FLOOR = np.float32(1e-7)
"""No state is left with a smaller chance: a message of 0 would hide what else is known."""
HELD_OUT = 0.1
PROGRESS = 1e-3
"""Nats a row by which held-out rows must gain for learning to go on."""
PACE = 0.4
"""Step k of the learning counts (k + 2) to the power of minus this.

Source: Cappé and Moulines (2009), Online expectation-maximization algorithm for latent data models. They ask for more
than 0.5 so that the steps settle; the last steps, on all rows, do that here."""
FINAL = 2
"""Steps on all rows in the end: what was learned in small batches still wavers."""
BOOST = 2.0
"""How much more a field counts for its own first state."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """How a circuit is learned.

    Attributes:
        states: States of a hidden variable.
        epochs: How often all rows are seen at most.
        smooth: How many rows what all rows say is worth in each state: at the first decision between codes as many, at
            the second twice as many, and so on.
        tie: How many rows the mean over all states is worth in each transition.
        least: No share is learned from fewer expected rows.
        batch: Rows after which what was learned is used.
        patience: Epochs without progress on rows held out before learning stops.
    """

    states: int
    epochs: int = 20
    smooth: float = 0.7
    tie: float = 1.0
    least: float = 5.0
    batch: int = 256
    patience: int = 3


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Expected rows: of states of the root, (H,), of steps along edges, (d, H, H), of codes in states, (codes, H)."""

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
            np.multiply(mine, mine.dtype.type(keep), out=mine)
            np.add(mine, mine.dtype.type(add) * theirs, out=mine)


def expect(circuit: Circuit, codes: Ints) -> tuple[Counts, float]:
    """The expected counts of rows, (d, n) codes with -1 where open, and the sum of their log densities."""
    d, n = codes.shape
    # As many parts on any machine, so that sums come out the same.
    parts = [Counts.empty(d, circuit.states, len(circuit.emissions)) for _ in range(PARTS)]
    scores = np.zeros(PARTS)
    turned, size, share = circuit.turned(), circuit.block, max(-(-n // PARTS), 1)

    def work(start: int, stop: int) -> None:
        mine = parts[start // share]
        for low in range(start, stop, size):
            some = np.ascontiguousarray(codes[:, low : min(low + size, stop)], np.int32)
            passed = pass_up(circuit, turned, some)
            post = pass_down(circuit, passed)
            scores[start // share] += passed.log_density.sum()
            into = (mine.prior, mine.steps, mine.seen)
            kernels.count(circuit.parent, some, circuit.first, passed.belief, passed.message, post, into)

    in_blocks(work, n, share)
    for other in parts[1:]:
        parts[0].merge(other, 1, 1)
    parts[0].steps[:] *= circuit.transitions
    return parts[0], float(scores.sum())


def maximise(circuit: Circuit, counts: Counts, ladders: Sequence[Ladder], lessons: Lessons) -> Circuit:
    """The circuit that expected counts make most likely, drawn to what all rows say."""
    h = circuit.states
    prior = counts.prior + FLOOR
    usual = counts.steps.sum(1, keepdims=True) + FLOOR
    usual *= np.float32(lessons.tie) / usual.sum(2, keepdims=True)
    usual += FLOOR
    enough = counts.steps.sum(2, keepdims=True) >= lessons.least
    moves = counts.steps * enough + usual
    moves /= moves.sum(2, keepdims=True)
    emissions = np.empty_like(circuit.emissions)
    for j, rungs in enumerate(ladders):
        low, high = int(circuit.first[j]), int(circuit.first[j + 1])
        rows, out = (np.empty((2 * (high - low) - 1, h), np.float32) for _ in range(2))
        strength = (lessons.smooth * rungs.depth).astype(np.float32)
        kernels.smooth(counts.seen[low:high], rungs.nodes, rungs.share, strength, np.float32(lessons.least), rows, out)
        emissions[low:high] = out[: high - low]
    return replace(circuit, prior=prior / prior.sum(), transitions=moves, emissions=emissions)


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where learning begins.

    Attributes:
        circuit: With the tree, and nothing learned.
        counts: Of the first hidden states.
        ladders: What emissions are smoothed along, one a field.
    """

    circuit: Circuit
    counts: Counts
    ladders: tuple[Ladder, ...]


def begin(codes: Ints, masses: Sequence[Floats], missing: Sequence[int], lessons: Lessons, *, rng: Generator) -> Start:
    """Find the tree and first hidden states of rows; see `learn` for the arguments."""
    (d, n), h = codes.shape, lessons.states
    bins, most = shape_rows(d)
    maps = [coarse_cells(m, k, bins) for m, k in zip(masses, missing, strict=True)]
    sizes = [int(c.max()) + 1 for c in maps]
    some = codes[:, np.sort(rng.permutation(n)[:most])]
    cells = np.stack([np.where(x >= 0, c[x], -1) for x, c in zip(some, maps, strict=True)]).astype(np.int32)
    order, parent = spanning_tree(mutual_information(cells, sizes))
    first = np.concatenate([[0], np.cumsum([len(m) for m in masses])]).astype(np.int32)
    states = first_states(cells, sizes, h, BOOST, rng=rng)
    counts, weight = Counts.empty(d, h, int(first[-1])), np.float32(n / some.shape[1])
    for j in range(d):
        known = np.flatnonzero(some[j] >= 0)
        np.add.at(counts.seen, (some[j][known] + first[j], states[j][known]), weight)
        if parent[j] < 0:
            counts.prior[:] += np.bincount(states[j], minlength=h) * weight
        else:
            np.add.at(counts.steps[j], (states[parent[j]], states[j]), weight)
    blank = Circuit(
        order, parent, first, np.full(h, 1 / h), np.full((d, h, h), 1 / h, np.float32),
        np.repeat(np.concatenate(masses)[:, None], h, 1).astype(np.float32),
    )  # fmt: skip
    return Start(blank, counts, tuple(ladder(m, k) for m, k in zip(masses, missing, strict=True)))


def learn(
    codes: Ints,
    masses: Sequence[Floats],
    missing: Sequence[int],
    lessons: Lessons,
    *,
    rng: Generator,
    watch: Callable[[int, int, float], None] | None = None,
) -> Circuit:
    """Learn a circuit of rows.

    Args:
        codes: (d, n), -1 where a cell is not known; one field and one row at least.
        masses: The probability of each code among all rows, one array a field.
        missing: How many of the first codes of each field stand for missing values.
        lessons: How.
        rng: For what is drawn: the rows held out, the first states, the order of rows.
        watch: Told of the epochs done, of how many, and the log density of a row held out.
    """
    n = codes.shape[1]
    mixed = rng.permutation(n)
    held, rows = mixed[: int(n * HELD_OUT)], mixed[int(n * HELD_OUT) :]
    start = begin(codes[:, rows], masses, missing, lessons, rng=rng)
    counts, circuit = start.counts, maximise(start.circuit, start.counts, start.ladders, lessons)
    best, top, waited, step = circuit, -np.inf, 0, 0
    batches = max(round(len(rows) / lessons.batch), 1)
    for epoch in range(lessons.epochs):
        for part in np.array_split(rng.permutation(rows), batches):
            step += 1
            rate = (step + 2.0) ** -PACE
            counts.merge(expect(circuit, codes[:, part])[0], 1 - rate, rate * len(rows) / len(part))
            circuit = maximise(circuit, counts, start.ladders, lessons)
        score = float(log_density(circuit, codes[:, held]).mean()) if len(held) else float(epoch)
        if watch is not None:
            watch(epoch + 1, lessons.epochs, score)
        best, top, waited = (circuit, score, 0) if score > top + PROGRESS else (best, top, waited + 1)
        if waited >= lessons.patience:
            break
    for _ in range(FINAL):
        best = maximise(best, expect(best, codes)[0], start.ladders, lessons)
    return best
