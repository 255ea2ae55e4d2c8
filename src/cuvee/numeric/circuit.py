"""A probabilistic circuit: a hidden Chow-Liu tree, whose density, margins and conditionals are exact for any evidence.

Every field has a hidden variable of H states. The hidden variables form a tree, and a field depends on its own hidden
variable alone. Hidden states are summed out with one product of matrices an edge, so the density of any part of a row,
and any conditional, is computed and not estimated.

Evidence is (d, n) codes, -1 where a cell is open. `soft` says of the open cells of single fields how likely each code
makes what was seen: (m,) for all rows or (n, m). False and True there say which codes are possible: a range, or a set.

Source: Liu and Van den Broeck (2021), Tractable Regularization of Probabilistic Circuits.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.numeric import circuit_kernels as kernels
from cuvee.numeric.circuit_kernels import Floats, Ints, Narrow

Soft = Mapping[int, NDArray[Any]]

CELLS = 400_000
"""Numbers that one pass holds for a block of rows: few enough to stay near the processor."""


@dataclass(frozen=True, slots=True, eq=False)
class Circuit:
    """A hidden Chow-Liu tree.

    Attributes:
        order: (d,), the fields from the root on; every parent stands before its children.
        parent: (d,), the parent of each field; -1 for the root.
        first: (d + 1,), where the codes of each field begin in `emissions`.
        prior: (H,), the probability of each state of the root.
        transitions: (d, H, H), the probability of each state (column) given the parent's (row); nothing for the root.
        emissions: (codes of all fields, H), the probability of each code in each state.
    """

    order: Ints
    parent: Ints
    first: Ints
    prior: Floats
    transitions: Narrow
    emissions: Narrow

    @property
    def states(self) -> int:
        """How many states a hidden variable has."""
        return len(self.prior)

    @property
    def fields(self) -> int:
        """How many fields a row has."""
        return len(self.parent)

    @property
    def block(self) -> int:
        """How many rows are worked on at once."""
        return int(np.clip(CELLS // max(self.fields * self.states, 1), 16, 4096))

    def emission(self, field: int) -> Narrow:
        """(m, H), the probability of each code of one field in each state."""
        return self.emissions[self.first[field] : self.first[field + 1]]

    def turned(self) -> Narrow:
        """(d, H, H), the transitions with the child's states as rows."""
        return np.ascontiguousarray(self.transitions.transpose(0, 2, 1))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that it is, by name."""
        return {name: getattr(self, name) for name in ("order", "parent", "first", "prior", "transitions", "emissions")}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `arrays` gave, as a circuit again."""
        return cls(
            np.ascontiguousarray(arrays["order"], np.int32),
            np.ascontiguousarray(arrays["parent"], np.int32),
            np.ascontiguousarray(arrays["first"], np.int32),
            np.ascontiguousarray(arrays["prior"], np.float64),
            np.ascontiguousarray(arrays["transitions"], np.float32),
            np.ascontiguousarray(arrays["emissions"], np.float32),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Passed:
    """What the evidence of a block of rows says of every hidden state.

    Attributes:
        belief: (d, n, H), how likely each state of a field makes the evidence of its subtree, up to a factor a row.
        message: (d, n, H), the same for each state of the field's parent.
        log_density: (n,), the log probability of the evidence.
    """

    belief: Narrow
    message: Narrow
    log_density: Floats


def pass_up(circuit: Circuit, turned: Narrow, codes: Ints, soft: Soft | None = None) -> Passed:
    """Gather what the evidence of a block of rows says, from the leaves to the root."""
    d, n = codes.shape
    belief = np.empty((d, n, circuit.states), np.float32)
    message, scale = np.empty_like(belief), np.zeros(n)
    kernels.gather(codes, circuit.first, circuit.emissions, belief)
    for j, weights in (soft or {}).items():
        told = np.asarray(weights, np.float32) @ circuit.emission(j)
        belief[j] = np.where(codes[j][:, None] < 0, told, belief[j])
    kernels.pass_up(circuit.order, circuit.parent, turned, belief, message, scale)
    kernels.finish(circuit.prior, belief[circuit.order[0]], scale)
    return Passed(belief, message, scale)


def pass_down(circuit: Circuit, passed: Passed) -> Narrow:
    """(d, n, H), the probability of every hidden state given all evidence of its row. Uses the messages up."""
    post = np.empty_like(passed.belief)
    kernels.pass_down(
        circuit.order, circuit.parent, circuit.prior, circuit.transitions, passed.belief, passed.message, post
    )
    return post


def in_blocks(work: Callable[[int, int], None], n: int, size: int) -> None:
    """Work on rows `start` to `stop` of n, a block at a time, on all cores."""
    starts = range(0, n, size)
    if len(starts) < 2:
        for start in starts:
            work(start, n)
        return
    with ThreadPoolExecutor(cpu_count()) as pool:
        for _ in pool.map(work, starts, [min(start + size, n) for start in starts]):
            pass


def part_of(codes: Ints, soft: Soft | None, start: int, stop: int) -> tuple[Ints, Soft]:
    """The evidence of some rows."""
    some = {j: w[start:stop] if w.ndim == 2 else w for j, w in (soft or {}).items()}
    return np.ascontiguousarray(codes[:, start:stop], np.int32), some


def log_density(circuit: Circuit, codes: Ints, soft: Soft | None = None) -> Floats:
    """The exact log probability of the evidence, (n,) in nats; minus infinity where it is impossible."""
    result, turned = np.zeros(codes.shape[1]), circuit.turned()

    def work(start: int, stop: int) -> None:
        result[start:stop] = pass_up(circuit, turned, *part_of(codes, soft, start, stop)).log_density

    in_blocks(work, codes.shape[1], circuit.block)
    return result


def cell_log_density(circuit: Circuit, codes: Ints) -> Floats:
    """The exact log probability of each code given all other codes of its row, (d, n); 0 where a cell is open.

    With z the hidden state of the cell, 1 / p(x_j | rest) is the sum over z of p(z | x) / p(x_j | z).
    """
    result, turned = np.zeros(codes.shape), circuit.turned()

    def work(start: int, stop: int) -> None:
        part, _ = part_of(codes, None, start, stop)
        passed = pass_up(circuit, turned, part)
        post = pass_down(circuit, passed)
        kernels.gather(part, circuit.first, circuit.emissions, passed.message)
        kernels.share(post, passed.message, result[:, start:stop])

    in_blocks(work, codes.shape[1], circuit.block)
    return np.where(codes < 0, 0.0, result)


def code_probabilities(circuit: Circuit, field: int, codes: Ints, soft: Soft | None = None) -> Floats:
    """(n, m), the exact probability of every code of one field given all evidence, what is known of it included.

    Raises:
        ValueError: The evidence of a row is impossible.
    """
    emission, turned = circuit.emission(field), circuit.turned()
    result = np.zeros((codes.shape[1], len(emission)))

    def work(start: int, stop: int) -> None:
        part, some = part_of(codes, soft, start, stop)
        passed = pass_up(circuit, turned, part, some)
        _check_possible(passed, start)
        known = part[field] >= 0
        weights = np.ones((stop - start, len(emission)), np.float32)
        weights *= np.asarray(some.get(field, 1), np.float32)
        weights[known] = np.arange(len(emission)) == part[field][known, None]
        leaf = weights @ emission
        rest = pass_down(circuit, passed)[field] / np.where(leaf > 0, leaf, np.inf)
        result[start:stop] = weights * (rest @ emission.T)

    in_blocks(work, codes.shape[1], circuit.block)
    return result / result.sum(1, keepdims=True)


def draw(circuit: Circuit, n: int, *, rng: Generator) -> Ints:
    """Draw n rows, (d, n) codes."""
    tables = _tables(circuit)
    codes = np.empty((circuit.fields, n), np.int32)
    chances = rng.random((2, circuit.fields, n), dtype=np.float32)

    def work(start: int, stop: int) -> None:
        kernels.draw(
            circuit.order, circuit.parent, circuit.first, *tables, chances[:, :, start:stop], codes[:, start:stop]
        )

    in_blocks(work, n, max(n // (cpu_count() or 1), 4096))
    return codes


def draw_given(circuit: Circuit, codes: Ints, soft: Soft | None = None, *, rng: Generator) -> Ints:
    """Draw the open cells of rows, (d, n) codes, from their exact distribution given all evidence.

    Raises:
        ValueError: The evidence of a row is impossible.
    """
    result = np.array(codes, np.int32)
    chances = rng.random((2, *codes.shape), dtype=np.float32)
    _, _, shares = _tables(circuit)
    turned = circuit.turned()

    def work(start: int, stop: int) -> None:
        part, some = part_of(codes, soft, start, stop)
        passed = pass_up(circuit, turned, part, some)
        _check_possible(passed, start)
        states = np.empty(part.shape, np.int32)
        kernels.draw_states(
            circuit.order, circuit.parent, circuit.prior, circuit.transitions, passed.belief,
            chances[0, :, start:stop], states,
        )  # fmt: skip
        rows = result[:, start:stop]
        kernels.draw_codes(circuit.first, shares, states, chances[1, :, start:stop], rows)
        for j, weights in some.items():
            open_ = np.flatnonzero(part[j] < 0)
            chance = circuit.emission(j).T[states[j, open_]] * (weights[open_] if weights.ndim == 2 else weights)
            sums = np.cumsum(chance, axis=1, dtype=np.float64)
            at = chances[1, j, start + open_] * sums[:, -1]
            rows[j, open_] = np.minimum((sums <= at[:, None]).sum(1), (sums < sums[:, -1:]).sum(1))

    in_blocks(work, codes.shape[1], circuit.block)
    return result


def _tables(circuit: Circuit) -> tuple[Floats, Narrow, Narrow]:
    """Running sums of the prior, (H,), of transitions, (d, H, H), and of emissions, (H, codes), that end at 1."""
    moves = np.cumsum(circuit.transitions, axis=2, dtype=np.float64)
    shares = np.ascontiguousarray(circuit.emissions.T, np.float64)
    for low, high in zip(circuit.first[:-1].tolist(), circuit.first[1:].tolist(), strict=True):
        part = np.cumsum(shares[:, low:high], axis=1)
        shares[:, low:high] = part / part[:, -1:]
    prior = np.cumsum(circuit.prior)
    with np.errstate(invalid="ignore"):
        moves = (moves / moves[:, :, -1:]).astype(np.float32)
    return prior / prior[-1], moves, shares.astype(np.float32)


def _check_possible(passed: Passed, start: int) -> None:
    """Refuse evidence that has no probability.

    Raises:
        ValueError: The evidence of a row is impossible.
    """
    wrong = np.flatnonzero(~np.isfinite(passed.log_density))
    if len(wrong):
        raise ValueError(f"The evidence of row {start + int(wrong[0])} is impossible: no code is left that it allows.")
