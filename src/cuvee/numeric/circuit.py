"""A probabilistic circuit: a hidden Chow-Liu tree, whose density, margins and conditionals are exact for any evidence.

Every field has a hidden variable of H states. The hidden variables form a tree; a field depends on its own hidden
variable alone. Summing the hidden states out takes one product of matrices an edge, so that the density of any part of
a row, and any conditional, is computed and not estimated.

Source: Liu and Van den Broeck (2021), Tractable Regularization of Probabilistic Circuits.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.numeric import circuit_kernels as kernels

Codes = NDArray[np.int32]
Narrow = NDArray[np.float32]
Floats = NDArray[np.float64]

Evidence = NDArray[Any] | None
"""What is known of one field: nothing (None); a code for each row, (n,) integers, -1 where it is open; or how likely
each code makes what was seen: (m,) for all rows alike or (n, m), where False and True say which codes are possible."""

CELLS = 6_000_000
"""Messages held at once: rows of a chunk times fields times states."""


@dataclass(frozen=True, slots=True, eq=False)
class Circuit:
    """A hidden Chow-Liu tree.

    Attributes:
        order: (d,), the fields from the root on; every parent stands before its children.
        parent: (d,), the parent of each field; -1 for the root.
        prior: (H,), the probability of each state of the root.
        transitions: (d, H, H), the probability of each state (column) given the parent's (row); unused for the root.
        emissions: One a field, (m, H): the probability of each code (row) in each state.
    """

    order: NDArray[np.int32]
    parent: NDArray[np.int32]
    prior: Narrow
    transitions: Narrow
    emissions: tuple[Narrow, ...]

    @property
    def states(self) -> int:
        """The states of a hidden variable."""
        return len(self.prior)

    def chunk(self) -> int:
        """How many rows are worked on at once."""
        return max(CELLS // max(len(self.parent) * self.states, 1), 64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that it is, by name."""
        emissions = np.concatenate(self.emissions) if self.emissions else np.zeros((0, self.states), np.float32)
        return {
            "order": self.order,
            "parent": self.parent,
            "prior": self.prior,
            "transitions": self.transitions,
            "emissions": emissions,
            "sizes": np.array([len(e) for e in self.emissions], np.int32),
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `arrays` gave, as a circuit again."""
        cuts = np.cumsum(arrays["sizes"])[:-1]
        return cls(
            np.asarray(arrays["order"], np.int32),
            np.asarray(arrays["parent"], np.int32),
            np.asarray(arrays["prior"], np.float32),
            np.asarray(arrays["transitions"], np.float32),
            tuple(np.ascontiguousarray(e, np.float32) for e in np.split(arrays["emissions"], cuts)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Upward:
    """What the evidence below says of every hidden state.

    Attributes:
        belief: (d, n, H), how likely each state of a field makes the evidence in its subtree, up to a factor a row.
        message: (d, n, H), the same for each state of the field's parent.
        log_density: (n,), the log probability of the evidence.
    """

    belief: Narrow
    message: Narrow
    log_density: Floats


def log_density(circuit: Circuit, evidence: Sequence[Evidence], n: int) -> Floats:
    """The exact log probability of the evidence of n rows, (n,) in nats; minus infinity where it is impossible."""
    parts = [upward(circuit, part, stop - start).log_density for start, stop, part in chunks(circuit, evidence, n)]
    return np.concatenate(parts) if parts else np.zeros(0)


def chunks(
    circuit: Circuit, evidence: Sequence[Evidence], n: int
) -> Iterator[tuple[int, int, Sequence[Evidence]]]:
    """Rows and their evidence in parts that fit into memory."""
    size = circuit.chunk()
    for start in range(0, n, size):
        stop = min(start + size, n)
        yield start, stop, [e[start:stop] if by_row(e) else e for e in evidence]


def by_row(evidence: Evidence) -> bool:
    """Whether evidence differs between rows: codes of integers, or likelihoods of every row."""
    return evidence is not None and (evidence.ndim == 2 or np.issubdtype(evidence.dtype, np.integer))


def leaf(emission: Narrow, evidence: Evidence, out: Narrow) -> None:
    """Fill (n, H) with how likely each state makes the evidence of one field."""
    if evidence is None:
        out[:] = 1
    elif np.issubdtype(evidence.dtype, np.integer):
        kernels.gather(emission, np.ascontiguousarray(evidence, np.int32), out)
    else:
        out[:] = np.asarray(evidence, np.float32) @ emission


def upward(circuit: Circuit, evidence: Sequence[Evidence], n: int) -> Upward:
    """Pass what the evidence says from the leaves to the root, for n rows at once."""
    d, h = len(circuit.parent), circuit.states
    belief, message = np.empty((d, n, h), np.float32), np.empty((d, n, h), np.float32)
    scale = np.zeros(n)
    for j in range(d):
        leaf(circuit.emissions[j], evidence[j], belief[j])
    for j in circuit.order[::-1].tolist():
        kernels.rescale(belief[j], scale)
        if circuit.parent[j] >= 0:
            np.matmul(belief[j], circuit.transitions[j].T, out=message[j])
            kernels.absorb(belief[circuit.parent[j]], message[j], scale)
    root = belief[circuit.order[0]].astype(np.float64) @ circuit.prior.astype(np.float64)
    with np.errstate(divide="ignore"):
        return Upward(belief, message, scale + np.log(root))


def posteriors(circuit: Circuit, passed: Upward) -> Narrow:
    """(d, n, H), the probability of every hidden state given all the evidence of its row."""
    post = np.empty_like(passed.belief)
    quotient = np.empty_like(passed.belief[0])
    for j in circuit.order.tolist():
        up = circuit.parent[j]
        if up < 0:
            post[j] = circuit.prior
        else:
            kernels.divide(post[up], passed.message[j], quotient)
            np.matmul(quotient, circuit.transitions[j], out=post[j])
        kernels.weigh(post[j], passed.belief[j])
    return post


def conditional(circuit: Circuit, evidence: Sequence[Evidence], n: int, field: int) -> Floats:
    """(n, m), the probability of every code of one field given the evidence of all fields, its own included.

    Raises:
        ValueError: Some evidence is impossible.
    """
    parts: list[Floats] = []
    own = evidence[field]
    for _, _, part in chunks(circuit, evidence, n):
        rows = len(next((e for e in part if by_row(e) and e is not None), np.empty(0))) or None
        parts.append(_conditional(circuit, part, rows or min(n, circuit.chunk()), field))
    del own
    return np.concatenate(parts) if parts else np.zeros((0, len(circuit.emissions[field])))
