"""Drawing codes of which only some are allowed, exactly, and how likely an allowed one was.

The codes below a decision that are all allowed, or none of them, need no look: only decisions on the border of what is
allowed are worked out, so a range costs about twice the depth of the tree and not its size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.compiled import compiled
from cuvee.numeric.leaf_masks import Masks, reach
from cuvee.numeric.location import level, weigh
from cuvee.numeric.vector_sampling import UNIT, Packed, mix
from cuvee.numeric.vector_trees import Bytes, Ints, Narrow

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Allowed:
    """Which codes each of n rows may have.

    A row may have code c as far as its line says (0 not, 1 all of it, between: that share of its interval) and as far
    as the code, which reaches from c to c + 1, lies between the row's low and high.

    Attributes:
        lines: (g, m), shares of codes in [0, 1].
        line: (n,), which of the lines counts for a row.
        low: (n,), from where on; 0 for all.
        high: (n,), up to where; m for all.
        free: The first so many codes do not lie in the order: for them low and high say nothing.
    """

    lines: Narrow
    line: Ints
    low: Doubles
    high: Doubles
    free: int = 0

    @classmethod
    def of(cls, lines: Narrow, n: int) -> "Allowed":
        """The same line, (m,), for n rows."""
        m = lines.shape[-1]
        return cls(
            np.ascontiguousarray(lines.reshape(-1, m), np.float32),
            np.zeros(n, np.int32),
            np.zeros(n),
            np.full(n, float(m)),
        )

    def rows(self, which: NDArray[np.integer]) -> "Allowed":
        """Some of the rows."""
        return Allowed(self.lines, self.line[which], self.low[which], self.high[which], self.free)

    def counts(self) -> tuple[Ints, Ints]:
        """(g, m + 1) each: before each code, how many are wholly allowed, and how many at least in part."""
        first = np.zeros((len(self.lines), 1), np.int32)
        return (
            np.concatenate([first, np.cumsum(self.lines >= 1, axis=1, dtype=np.int32)], axis=1),
            np.concatenate([first, np.cumsum(self.lines > 0, axis=1, dtype=np.int32)], axis=1),
        )


@compiled
def _share(code: int, line: Narrow, low: float, high: float, free: int) -> float:
    """How much of a code is allowed."""
    if code < free:
        return float(line[code])
    part = min(high, code + 1.0) - max(low, code + 0.0)
    return line[code] * min(max(part, 0.0), 1.0)


@compiled
def _right(
    at: int,
    packed: Packed,
    leaves: Ints,
    base: Narrow,
    bounds: Narrow,
    where: tuple[float, float, Narrow],
) -> float:
    """The probability that a decision goes right."""
    values = packed[6]
    units = np.int32(0)
    if at < values.shape[1]:
        for t in range(len(leaves)):
            units += np.int32(values[leaves[t], at])
    z = np.float32(units) * np.float32(UNIT)
    if len(bounds) == 0:
        return 1.0 / (1.0 + np.exp(-float(z + base[at])))
    centre, scale, table = where
    low = level(bounds[at, 0], centre, scale, table)
    cut = level(bounds[at, 1], centre, scale, table)
    high = level(bounds[at, 2], centre, scale, table)
    left, right = weigh(low, cut, high, bounds[at])
    return right / (right + left * np.exp(-float(z)))


@compiled
def _masses(
    packed: Packed,
    leaves: Ints,
    tree: tuple[Ints, Narrow, Ints],
    where: tuple[Narrow, float, float, Narrow],
    allowed: tuple[Narrow, Ints, Ints, float, float, int],
    room: tuple[Doubles, Doubles, Ints, Ints],
) -> None:
    """Fill each decision's chance of right and its allowed share, down to where all or nothing is allowed."""
    child, base, spans = tree
    bounds, centre, scale, table = where
    line, wholes, somes, low, high, free = allowed
    right, mass, stack, seen = room
    top, count = 1, 0
    stack[0] = 0
    while top > 0:
        top -= 1
        at = stack[top]
        first, end = spans[at, 0], spans[at, 2]
        seen[count] = at
        count += 1
        if somes[end] == somes[first] or (end > free and first >= free and (end <= low or first >= high)):
            mass[at] = 0.0
            continue
        mass[at] = 1.0
        if wholes[end] - wholes[first] == end - first and (end <= free or (low <= first and end <= high)):
            continue
        right[at] = _right(at, packed, leaves, base, bounds, (centre, scale, table))
        mass[at] = -1.0
        for side in range(2):
            if child[at, side] >= 0:
                stack[top] = child[at, side]
                top += 1
    for back in range(count):
        at = seen[count - 1 - back]
        if mass[at] >= 0:
            continue
        one, other = child[at, 0], child[at, 1]
        left = mass[one] if one >= 0 else _share(-1 - one, line, low, high, free)
        rest = mass[other] if other >= 0 else _share(-1 - other, line, low, high, free)
        mass[at] = (1.0 - right[at]) * left + right[at] * rest


@compiled
def draw_allowed(
    features: Bytes,
    rows: Ints,
    model: tuple[Packed, Masks, tuple[Ints, Narrow, Ints], tuple[Narrow, Narrow, Narrow, Narrow]],
    allowed: tuple[Narrow, Ints, Doubles, Doubles, int, Ints, Ints],
    seed: np.uint64,
    codes: Ints,
    weights: Doubles,
) -> None:
    """Draw an allowed code for every one of the rows; see `vector_sampling.draw_codes`.

    Args:
        features: (n, fields), bins of what was drawn before.
        rows: Which rows.
        model: The trees, their leaf masks, the decisions' children, log odds and spans, and where as for `draw_codes`.
        allowed: Lines, and line, low and high of each of `rows`, what is free, and the lines' counts, see `Allowed`.
        seed: Row r uses the numbers of (seed, r) alone.
        codes: (n,), filled in these rows; left as they are where nothing is allowed.
        weights: (n,), filled in these rows: the log probability of what is allowed.
    """
    packed, masks, tree, where = model
    child, base, spans = tree
    bounds, centres, scales, table = where
    lines, line, lows, highs, free, wholes, somes = allowed
    located = len(centres) > 0
    leaf = packed[5]
    trees = len(leaf) - 1
    leaves = np.zeros(trees, np.int32)
    over = np.zeros(trees, np.uint32)
    right, mass = np.zeros(len(base)), np.zeros(len(base))
    stack, seen = np.zeros(len(base) + 1, np.int32), np.zeros(len(base) + 1, np.int32)
    centre, scale = 0.0, 1.0
    for i in range(len(rows)):
        r, g = rows[i], line[i]
        reach(features, r, masks, over, leaves)
        for t in range(trees):
            leaves[t] += leaf[t]
        if located:
            centre, scale = float(centres[i]), float(scales[i])
        low, high = lows[i], highs[i]
        these = (lines[g], wholes[g], somes[g], low, high, free)
        _masses(packed, leaves, tree, (bounds, centre, scale, table), these, (right, mass, stack, seen))
        if mass[0] <= 0:
            weights[r] = -np.inf
            continue
        weights[r] = np.log(mass[0])
        state = mix(seed + np.uint64(r) * np.uint64(0x9E3779B97F4A7C15))
        at = 0
        while at >= 0:
            state = mix(state + np.uint64(0x9E3779B97F4A7C15))
            u = np.float64(state >> np.uint64(11)) * 2.0**-53
            first, end = spans[at, 0], spans[at, 2]
            if wholes[g, end] - wholes[g, first] == end - first and (end <= free or (low <= first and end <= high)):
                chance = _right(at, packed, leaves, base, bounds, (centre, scale, table))
            else:
                other = child[at, 1]
                rest = mass[other] if other >= 0 else _share(-1 - other, lines[g], low, high, free)
                chance = right[at] * rest / mass[at]
            at = int(child[at, 1 if u < chance else 0])
        codes[r] = -1 - at
