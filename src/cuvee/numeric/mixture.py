"""A mixture of latent classes over mixed columns: states by tables of shares, numbers by Gaussians.

In class k a row has the density pi_k times the shares of its states times the normal density of its numbers, those that
are there: gaps are integrated out. So the density of any part of a row, and any conditional, is closed form.

Source: McLachlan and Peel (2000), Finite mixture models; Hunt and Jorgensen (2003), Mixture model clustering for mixed
data with missing information; Fraley and Raftery (2007), Bayesian regularization for normal mixture estimation and
model-based clustering, Journal of Classification 24, for the prior of spreads; Tipping and Bishop (1999), Mixtures of
probabilistic principal component analysers, for spreads of low rank.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.numeric import mixture_kernels as kernels
from cuvee.numeric.mixture_kernels import Floats, Ints
from cuvee.numeric.resampling import effective_share, resampled

CANDIDATES = 16
"""Candidates of a row where several numbers are asked to lie in a set."""
SWEEPS = 10
"""How often classes and numbers in sets are drawn again, where there are several sets: candidates alone are too few."""
BLOCK = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """Rows by which numbers are there, as the loops want them."""

    order: NDArray[np.int64]
    begin: NDArray[np.int64]
    masks: NDArray[np.bool_]

    @classmethod
    def of(cls, z: Floats) -> Self:
        """The patterns of (n, p) numbers, NaN where there is none."""
        there = ~np.isnan(z)
        masks, which = np.unique(there, axis=0, return_inverse=True)
        which = which.reshape(-1)
        begin = np.concatenate([[0], np.cumsum(np.bincount(which, minlength=len(masks)))]).astype(np.int64)
        return cls(np.argsort(which, kind="stable"), begin, np.ascontiguousarray(masks, np.bool_))

    @property
    def parts(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """All of it, in the order of the loops' arguments."""
        return self.order, self.begin, self.masks


@dataclass(frozen=True, slots=True, eq=False)
class Within:
    """What is known of one number: which part of each cell between edges is allowed, as lines of a table.

    Attributes:
        edges: (c + 1,), rising; the ends may be infinite.
        table: (g, c).
        line: (n,), which line counts.
    """

    edges: Floats
    table: NDArray[np.float32]
    line: Ints


Lines = Mapping[int, tuple[NDArray[np.float32], Ints]]
"""By field, how much of each state is allowed, (g, states), and which line counts for each row, (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A mixture of classes.

    Attributes:
        weights: (K,), the shares of the classes.
        first: (fields + 1,), where the states of each field begin.
        shares: (cells, K), the share of every state in every class.
        means: (K, p).
        spreads: (K, p, p), covariance matrices.
        state: (p,), the field of each number.
        there: (p,), the state of that field in which the number is there.
    """

    weights: Floats
    first: NDArray[np.int64]
    shares: Floats
    means: Floats
    spreads: Floats
    state: Ints
    there: Ints

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, for a file."""
        return {
            name: getattr(self, name) for name in ("weights", "first", "shares", "means", "spreads", "state", "there")
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `arrays` gave, as a mixture again."""
        return cls(**{name: np.array(array) for name, array in arrays.items()})

    def class_logs(self, states: Ints, z: Floats) -> Floats:
        """(n, K), the log density of rows together with each class.

        Args:
            states: (fields, n); -1 where a state is open.
            z: (n, p); NaN where a number is open or not there.
        """
        out = np.tile(np.log(self.weights), (states.shape[1], 1))
        kernels.add_states(states, self.first, np.log(self.shares), out)
        if self.means.shape[1]:
            kernels.add_gaussians(z, *Patterns.of(z).parts, self.means, self.spreads, out)
        return out

    def log_density(self, states: Ints, z: Floats) -> Floats:
        """(n,), the exact log density of rows or parts of rows, in nats; see `class_logs`."""
        return np.concatenate([np.zeros(0), *(log_sum(self.class_logs(*part)) for part in _blocks(states, z))])

    def cell_log_density(self, states: Ints, z: Floats) -> Floats:
        """(fields, n), the exact log density of each cell given all else of its row, in nats; 0 where it is open.

        A state that says that a number is there counts together with that number.
        """
        fields, p = len(self.first) - 1, self.means.shape[1]
        cells, at = np.zeros((fields, states.shape[1])), 0
        for some, part in _blocks(states, z):
            joint, n = self.class_logs(some, part), len(part)
            whole, own = log_sum(joint), np.zeros((n, p, len(self.weights)))
            if p:
                kernels.own_gaussians(part, *Patterns.of(part).parts, self.means, self.spreads, own)
            for f in range(fields):
                mine = np.zeros((n, len(self.weights)))
                kernels.add_states(some[f : f + 1], self.first[f : f + 2], np.log(self.shares), mine)
                for j in np.flatnonzero(self.state == f):
                    mine += own[:, j]
                cells[f, at : at + n] = np.where(some[f] < 0, 0.0, whole - log_sum(joint - mine))
            at += n
        return cells

    def draw(self, n: int, *, rng: Generator) -> tuple[Ints, Floats]:
        """Draw n rows: (fields, n) states, and (n, p) numbers, there or not."""
        classes = rng.choice(len(self.weights), n, p=self.weights / self.weights.sum()).astype(np.int32)
        states = np.full((len(self.first) - 1, n), -1, np.int32)
        z = np.full((n, self.means.shape[1]), np.nan)
        return self._rest(states, z, classes, rng)

    def _rest(self, states: Ints, z: Floats, classes: Ints, rng: Generator) -> tuple[Ints, Floats]:
        """Fill what is open of rows whose class is known."""
        kernels.draw_states(self._sums(), self.first, classes, rng.random(states.shape, dtype=np.float32), states)
        if z.shape[1]:
            kernels.draw_numbers(
                z, *Patterns.of(z).parts, classes, self.means, self.spreads, rng.standard_normal(z.shape)
            )
        return states, z

    def _sums(self) -> Floats:
        """(K, cells), running sums of the shares of each field."""
        sums = np.ascontiguousarray(self.shares.T)
        for low, high in zip(self.first[:-1].tolist(), self.first[1:].tolist(), strict=True):
            part = np.cumsum(sums[:, low:high], axis=1)
            sums[:, low:high] = part / part[:, -1:]
        return sums

    def draw_given(
        self, states: Ints, z: Floats, lines: Lines, within: Mapping[int, Within], *,
        same: bool, rng: Generator,
    ) -> tuple[Ints, Floats, float]:  # fmt: skip
        """Draw what is open of rows given evidence: exactly with one set, by Gibbs sampling with several.

        Args:
            states: (fields, n), -1 where open.
            z: (n, p), NaN where open.
            lines: What is known of states.
            within: By number, what is known of it beyond its state.
            same: Whether the same is known of all rows.
            rng: For what is drawn.

        Returns:
            States, numbers, and the share of effective candidates.

        Raises:
            ValueError: The evidence of a row is impossible.
        """
        n, times = states.shape[1], CANDIDATES if len(within) > 1 else 1
        if n == 0:
            return states.copy(), z.copy(), 1.0
        joint, masses = self._evidence(states, z, lines, within, same=same)
        gone = np.flatnonzero(~np.isfinite(joint.max(axis=1)))
        if len(gone):
            raise ValueError(f"The evidence of row {int(gone[0])} is impossible: no value is left that it allows.")
        whose = np.repeat(np.arange(n), times)
        classes = (joint[whose] + rng.gumbel(size=(len(whose), joint.shape[1]))).argmax(axis=1).astype(np.int32)
        drawn, numbers, weights = states[:, whose], z[whose].copy(), np.zeros(len(whose))
        for f, (table, line) in lines.items():
            number = next((j for j in within if self.state[j] == f), None)
            self._choose(
                drawn, f, classes, (table, line[whose]), None if number is None else masses[number][whose], rng
            )
        drawn, inside = np.ascontiguousarray(drawn), {}
        for j, known in within.items():
            inside[j] = (drawn[self.state[j]] == self.there[j]) & np.isnan(numbers[:, j])
            self._place(numbers, classes, j, inside[j], known, known.line[whose], weights, rng)
            first = masses[j][whose, classes]
            weights[inside[j]] -= np.log(np.maximum(first[inside[j]], 1e-300))
        worth = effective_share(weights, n, same=same)
        if times > 1:
            chosen = resampled(weights, n, 1, same=same, rng=rng)
            if chosen is None:
                raise ValueError("The evidence is impossible: no value is left that it allows.")
            drawn, numbers = np.ascontiguousarray(drawn[:, chosen]), np.ascontiguousarray(numbers[chosen])
            classes = self._swept(drawn, numbers, within, {j: rows[chosen] for j, rows in inside.items()}, rng)
        return *self._rest(drawn, numbers, classes, rng), worth

    def _swept(
        self, states: Ints, z: Floats, within: Mapping[int, Within], inside: Mapping[int, NDArray[np.bool_]],
        rng: Generator,
    ) -> Ints:  # fmt: skip
        """Draw classes, and numbers that lie in sets, again and again, each given the others; the last classes."""
        classes = np.zeros(len(z), np.int32)
        for _ in range(SWEEPS):
            joint = self.class_logs(states, z)
            classes = (joint + rng.gumbel(size=joint.shape)).argmax(axis=1).astype(np.int32)
            for j, known in within.items():
                z[inside[j], j] = np.nan
                self._place(z, classes, j, inside[j], known, known.line, np.zeros(len(z)), rng)
        return classes

    def _place(
        self, z: Floats, classes: Ints, j: int, inside: NDArray[np.bool_], known: Within, line: Ints, weights: Floats,
        rng: Generator,
    ) -> None:  # fmt: skip
        """Draw one number of some rows from what is allowed of it; see `cuvee.numeric.mixture_kernels.draw_within`."""
        kernels.draw_within(
            z, *Patterns.of(z).parts, classes, self.means, self.spreads, j, inside, known.edges, known.table,
            np.ascontiguousarray(line), rng.random(len(z)), weights,
        )  # fmt: skip

    def _evidence(
        self, states: Ints, z: Floats, lines: Lines, within: Mapping[int, Within], *, same: bool
    ) -> tuple[Floats, dict[int, Floats]]:
        """(n, K) log densities of classes and evidence, and by number the chance that it is allowed, (n, K)."""
        n = states.shape[1]
        some = slice(0, 1) if same else slice(0, n)
        joint, part = self.class_logs(np.ascontiguousarray(states[:, some]), z[some]), Patterns.of(z[some])
        masses: dict[int, Floats] = {}
        for j, known in within.items():
            mean, scale, mass = np.empty_like(joint), np.empty_like(joint), np.empty_like(joint)
            kernels.expected_numbers(z[some], *part.parts, self.means, self.spreads, j, mean, scale)
            kernels.allowed_masses(mean, scale, known.edges, known.table, known.line[some], mass)
            masses[j] = mass
        for f, (table, line) in lines.items():
            number = next((j for j in masses if self.state[j] == f), None)
            chance = self._chances(f, table, line[some], None if number is None else masses[number])
            with np.errstate(divide="ignore"):
                joint += np.where((states[f, some] < 0)[:, None], np.log(chance.sum(axis=2)), 0.0)
        if same:
            joint, masses = np.repeat(joint, n, axis=0), {j: np.repeat(m, n, axis=0) for j, m in masses.items()}
        return joint, masses

    def _chances(self, f: int, table: NDArray[np.float32], line: Ints, mass: Floats | None) -> Floats:
        """(n, K, states), the chance of each state of a field together with what is known of it."""
        own = self.shares[self.first[f] : self.first[f + 1]].T
        chance = table[line][:, None, :] * own[None]
        if mass is not None:
            at = int(self.there[np.flatnonzero(self.state == f)[0]])
            chance[:, :, at] = own[None, :, at] * mass
        return chance

    def _choose(
        self, drawn: Ints, f: int, classes: Ints, line: tuple[NDArray[np.float32], Ints], mass: Floats | None,
        rng: Generator,
    ) -> None:  # fmt: skip
        """Draw one field's state, where it is open, from what is allowed."""
        rows = np.flatnonzero(drawn[f] < 0)
        for start in range(0, len(rows), BLOCK):
            some = rows[start : start + BLOCK]
            chance = self.shares[self.first[f] : self.first[f + 1]].T[classes[some]] * line[0][line[1][some]]
            if mass is not None:
                at = int(self.there[np.flatnonzero(self.state == f)[0]])
                own = self.shares[self.first[f] + at, classes[some]]
                chance[:, at] = own * mass[some, classes[some]]
            sums = np.cumsum(chance, axis=1)
            at_chance = rng.random(len(some)) * sums[:, -1]
            drawn[f, some] = np.minimum((sums <= at_chance[:, None]).sum(axis=1), chance.shape[1] - 1)


def log_sum(logs: Floats) -> Floats:
    """(n,), the logs of the sums of the exponentials of (n, K)."""
    top = logs.max(axis=1)
    safe = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return safe + np.log(np.exp(logs - safe[:, None]).sum(axis=1))


def _blocks(states: Ints, z: Floats) -> list[tuple[Ints, Floats]]:
    """The rows in blocks."""
    step = 8192
    return [
        (np.ascontiguousarray(states[:, low : low + step]), np.ascontiguousarray(z[low : low + step]))
        for low in range(0, len(z), step)
    ]
