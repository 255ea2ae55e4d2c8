"""A field as a state and a number: a category is a state; a number is missing, a spike, or a normal score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.quantiles import EDGE
from cuvee.synthesis.tabular.coding import Field
from cuvee.synthesis.tabular.layout import NUMBER

if TYPE_CHECKING:
    from cuvee.numeric.mixture import Within

Codes = NDArray[np.int32]
Floats = NDArray[np.float64]

SPIKE = 0.05
"""A value that this share of the rows has is a state by itself, not a stretch of scores."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of one field in n rows.

    Attributes:
        states: (n,), -1 where open.
        z: (n,), NaN where open or not there.
        line: How much of each state is allowed, (g, states), and which line counts, (n,).
        within: What is known of the number beyond its state.
    """

    states: Codes
    z: Floats
    line: tuple[NDArray[np.float32], Codes] | None
    within: "Within | None"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """How one field is a state, and perhaps a number.

    Attributes:
        states: (m,), the state of each code.
        codes: (states,), a code of each state.
        masses: (states,), the share of each state.
        number: Whether there is a number.
        there: The state in which it is there; -1 without one.
        cells: The codes that are the number's, in order.
        ends: (cells + 1,), running shares between them, from 0 to 1.
        added: (m,), what the score leaves out of the log mass of a code.
    """

    states: Codes
    codes: Codes
    masses: Floats
    number: bool
    there: int
    cells: Codes
    ends: Floats
    added: Floats

    def scores(self, codes: NDArray[np.integer], within: NDArray[np.floating]) -> Floats:
        """(n,), the normal scores of places; NaN where there is no number."""
        from scipy.special import ndtri

        low, length = np.full(len(self.states), np.nan), np.zeros(len(self.states))
        low[self.cells], length[self.cells] = self.ends[:-1], np.diff(self.ends)
        rank = low[codes] + np.asarray(within, np.float64) * length[codes]
        return np.asarray(ndtri(np.clip(rank, EDGE, 1 - EDGE)), np.float64)

    def located(self, z: Floats) -> tuple[Codes, Floats]:
        """Codes and positions within them of normal scores, (n,)."""
        from scipy.special import ndtr

        rank = np.clip(ndtr(z), EDGE, 1 - EDGE)
        place = np.clip(np.searchsorted(self.ends, rank, side="right") - 1, 0, len(self.cells) - 1)
        length = np.maximum(self.ends[place + 1] - self.ends[place], 1e-300)
        return self.cells[place], np.clip((rank - self.ends[place]) / length, 0, 1 - 1e-9)

    def evidence(
        self,
        field: int,
        fixed: Codes,
        within: NDArray[np.floating],
        lines: Mapping[int, Any],
        filled: Mapping[int, Any],
    ) -> Known:
        """What is known of this field, as an engine of states and numbers takes it.

        Args:
            field: Its number.
            fixed: (n,), given codes, or -1.
            within: (n,), where given values lie in their cells.
            lines: By field, how much of each code is allowed and which line counts for each row.
            filled: By field, the codes that may be drawn.
        """
        from cuvee.numeric.mixture import Within

        there = fixed >= 0
        states = np.where(there, self.states[np.maximum(fixed, 0)], -1).astype(np.int32)
        z = np.full(len(fixed), np.nan)
        if self.number:
            z[there] = self.scores(fixed[there], within[there])
        if field not in lines and field not in filled:
            return Known(states, z, None, None)
        table, line = lines.get(field, (np.ones((1, len(self.states)), np.float32), np.zeros(len(fixed), np.int32)))
        if field in filled:
            both = table * filled[field]
            none = ~(both > 0).any(axis=1)
            both[none] = table[none]
            table = both
        table, line = np.asarray(table, np.float32), np.ascontiguousarray(line, np.int32)
        own = np.zeros((len(table), len(self.codes)), np.float32)
        own[:, self.states[self.codes]] = table[:, self.codes]
        if not self.number:
            return Known(states, z, (own, line), None)
        from scipy.special import ndtri

        mine = np.ascontiguousarray(table[:, self.cells])
        own[:, self.there] = (mine > 0).any(axis=1)
        known = None if bool((mine >= 1).all()) else Within(ndtri(self.ends), mine, line)
        return Known(states, z, (own, line), known)


def parts_of(fields: Sequence[Field]) -> tuple[Part, ...]:
    """How each field is a state, and perhaps a number."""
    return tuple(_part(f) for f in fields)


def _part(field: Field) -> Part:
    m = len(field.masses)
    every = np.arange(m, dtype=np.int32)
    alone = (every < field.missing) | ((field.masses >= SPIKE) & (field.volumes == 1))
    rest = every[~alone & (field.masses > 0)]
    if not field.ordered or field.gate or len(rest) <= NUMBER:
        return Part(every, every, field.masses, False, -1, every[:0], np.array([0.0, 1.0]), np.zeros(m))  # noqa: FBT003
    kept = every[alone]
    there = len(kept)
    states = np.full(m, there, np.int32)
    states[kept] = np.arange(there)
    masses = np.append(field.masses[kept], field.masses[~alone].sum())
    own = field.masses[rest] / field.masses[rest].sum()
    ends = np.concatenate([[0.0], np.cumsum(own)])
    ends[-1] = 1.0
    added = np.zeros(m)
    added[rest] = np.log(own)
    return Part(states, np.append(kept, rest[0]).astype(np.int32), masses, True, there, rest, ends, added)  # noqa: FBT003
