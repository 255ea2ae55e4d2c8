"""The distribution of one code given others: boosted trees with vector leaves, fitted with early stopping."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.numeric.boosted import PARTS, Inputs, pack_trees
from cuvee.numeric.decisions import Decisions, plan_decisions
from cuvee.numeric.growing import Grower, Levels
from cuvee.numeric.leaf_masks import left_to_right, masks_of
from cuvee.numeric.location import Expected, decision_bounds, located_logits
from cuvee.numeric.masked_sampling import Allowed, draw_allowed
from cuvee.numeric.vector_sampling import UNIT, Packed, Shorts, code_log_prob, draw_codes
from cuvee.numeric.vector_steps import add_leaves, decision_gradients, route
from cuvee.numeric.vector_trees import best_split

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Narrow = NDArray[np.float32]
Where = tuple[Narrow, Narrow, Narrow]

DECISIONS = ("child", "start", "node", "bit", "base", "spans")


@dataclass(frozen=True, slots=True)
class Growth:
    """How trees are grown.

    Attributes:
        rounds: Trees at most.
        leaves: Leaves of a tree at most; up to 32.
        rate: How far a tree goes towards its own optimum.
        penalty: Rows' worth of curvature that draw every leaf's log odds to 0.
        least: The fewest rows of a leaf.
        gain: What a split must gain.
        nodes: Splits are judged by this many of the target's heaviest decisions.
        width: Leaves hold log odds for this many of the heaviest decisions; the others stay as they are over all rows.
        look: A split is looked for in about this many rows of its leaf.
        held: Share of the rows that decide when to stop.
    """

    rounds: int = 15
    leaves: int = 32
    rate: float = 0.5
    penalty: float = 8.0
    least: int = 20
    gain: float = 8.0
    nodes: int = 64
    width: int = 1024
    look: int = 20_000
    held: float = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """The distribution of a code given the features of its row.

    Attributes:
        decisions: The code as decisions.
        packed: The trees, see `Packed`.
        bounds: Bounds of the decisions in scores, where the code is expected somewhere; else empty.
    """

    decisions: Decisions
    packed: Packed
    bounds: Narrow

    def draw(self, features: Bytes, rows: Ints, *, seed: int, codes: Ints, where: Where | None = None) -> None:
        """Draw codes for some rows of (n, fields) features into `codes`, (n,).

        Args:
            features: Bins of the fields.
            rows: Which rows.
            seed: Row r uses the numbers of (seed, r).
            codes: Filled in these rows.
            where: Expected score and scatter of each of the rows, (rows,), and the scatter's table.
        """
        tree = (self.decisions.child, self.decisions.base)
        draw_codes(
            features,
            rows,
            self.packed,
            masks_of(*self.packed[:6]),
            tree,
            (self.bounds, *(where or _NOWHERE)),
            np.uint64(seed),
            codes,
        )

    def draw_allowed(
        self,
        features: Bytes,
        rows: Ints,
        allowed: Allowed,
        *,
        seed: int,
        codes: Ints,
        weights: NDArray[np.float64],
        where: Where | None = None,
    ) -> None:
        """Draw allowed codes for some rows, and add how likely what is allowed was.

        Args:
            features: Bins of the fields.
            rows: Which rows.
            allowed: What each of these rows may have.
            seed: Row r uses the numbers of (seed, r).
            codes: (n,), filled in these rows.
            weights: (n,), filled in these rows: the log probability of what is allowed; -inf where nothing is.
            where: As in `draw`.
        """
        d = self.decisions
        draw_allowed(
            features,
            rows,
            (
                self.packed,
                masks_of(*self.packed[:6]),
                (d.child, d.base, d.spans),
                (self.bounds, *(where or _NOWHERE)),
            ),
            (allowed.lines, allowed.line, allowed.low, allowed.high, allowed.free, *allowed.counts()),
            np.uint64(seed),
            codes,
            weights,
        )

    def log_prob(self, features: Bytes, codes: Ints, *, where: Where | None = None) -> NDArray[np.float64]:
        """Log probability of every row's code, (n,) in nats."""
        d = self.decisions
        result = np.zeros(len(codes))
        code_log_prob(
            features,
            self.packed,
            masks_of(*self.packed[:6]),
            (d.start, d.node, d.bit),
            codes,
            self.logits(codes, where),
            result,
        )
        return result

    def logits(self, codes: Ints, where: Where | None) -> Narrow:
        """(n, depth), the log odds of every row's decisions before any tree."""
        return _logits(self.decisions, self.bounds, codes, where)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, as arrays."""
        own = {f"d.{n}": getattr(self.decisions, n) for n in DECISIONS}
        parts = dict(zip(PARTS, self.packed, strict=True))
        return {**own, **parts, "bounds": self.bounds}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `arrays` gave."""
        decisions = Decisions(*(np.ascontiguousarray(arrays[f"d.{n}"]) for n in DECISIONS))
        which, cut, mask, child, first, leaf, values = (np.ascontiguousarray(arrays[n]) for n in PARTS)
        return cls(decisions, (which, cut, mask, child, first, leaf, values), np.asarray(arrays["bounds"], np.float32))


_NOWHERE: Where = (np.zeros(0, np.float32), np.zeros(0, np.float32), np.zeros(1, np.float32))


def fit_forest(
    inputs: Inputs,
    codes: Ints,
    counts: NDArray[np.float64],
    growth: Growth,
    rng: Generator,
    *,
    expected: Expected | None = None,
    edges: NDArray[np.float64] | None = None,
    missing: int = 0,
) -> Forest:
    """Fit the distribution of a code.

    Args:
        inputs: The features of n rows.
        codes: (n,), the target.
        counts: (m,), rows of each code in all data; what nothing more is known of follows them.
        growth: How to grow.
        rng: For the rows that are held out.
        expected: Where the code's score is expected.
        edges: (m + 1,), the scores between codes, where it is.
        missing: How many of the first codes stand for missing values.
    """
    decisions = plan_decisions(counts, missing=missing)
    bounds = np.zeros((0, 5), np.float32)
    if expected is not None and edges is not None:
        bounds = decision_bounds(decisions, edges, counts / counts.sum(), missing=missing)
    width = min(growth.width, len(decisions.base))
    n, held = len(codes), round(len(codes) * growth.held)
    trees: list[tuple[Any, ...]] = []
    values: list[Shorts] = []
    if len(inputs.fields) and n - held >= 2 * growth.least and held >= 2:
        order = rng.permutation(n)
        parts = tuple(np.sort(order[a:b]) for a, b in ((held, n), (0, held)))
        grown = _grow(inputs, codes, parts, (decisions, bounds), growth, expected)
        trees, values = grown
    *packed, whole = pack_trees(trees, values)
    leaves = np.concatenate([np.zeros((0, width), np.int16), *whole])
    return Forest(decisions, (*packed, leaves), bounds)


def feature_gains(
    inputs: Inputs, codes: Ints, counts: NDArray[np.float64], growth: Growth, *, missing: int = 0
) -> Narrow:
    """(columns,), what the best single split on each feature gains, to choose among many; see `fit_forest`."""
    decisions = plan_decisions(counts, missing=missing)
    logits = _logits(decisions, np.zeros((0, 5), np.float32), codes, None)
    gradient, curvature = np.zeros_like(logits), np.zeros_like(logits)
    path = (decisions.start, decisions.node)
    levels = Levels.of_nodes(len(decisions.base))
    decision_gradients(codes, (*path, decisions.bit), logits, levels.state, gradient, curvature, levels.losses)
    gains = np.zeros(len(inputs.fields), np.float32)
    nodes = min(growth.nodes, len(decisions.base))
    scratch, limits = _room(inputs, nodes, growth)
    rows = np.arange(len(codes), dtype=np.int32)
    best_split(
        *(inputs.features, inputs.bins, inputs.categories, rows, codes, path),
        *(gradient, curvature, scratch, limits, gains),
    )
    return gains


def _room(inputs: Inputs, nodes: int, growth: Growth) -> tuple[tuple[Narrow, Ints], Narrow]:
    """Room for histograms, and the limits of growth as an array."""
    widest = int(inputs.bins.max())
    limits = np.array([growth.penalty, growth.least, growth.gain, nodes, growth.look, growth.rate], np.float32)
    return (np.zeros((widest, nodes, 2), np.float32), np.zeros(widest, np.int32)), limits


def _grow(
    inputs: Inputs,
    codes: Ints,
    parts: tuple[NDArray[np.int64], ...],
    target: tuple[Decisions, Narrow],
    growth: Growth,
    expected: Expected | None,
) -> tuple[list[tuple[Any, ...]], list[Shorts]]:
    """Trees until the held-out loss no longer falls, and their leaves' values."""
    decisions, bounds = target
    path = (decisions.start, decisions.node)
    sides = [(inputs.rows(rows).features, np.ascontiguousarray(codes[rows])) for rows in parts]
    (x, y), (xt, yt) = sides
    logits, logits_t = (
        _logits(decisions, bounds, c, _where(expected, rows)) for (_, c), rows in zip(sides, parts, strict=True)
    )
    gradient, curvature = np.zeros_like(logits), np.zeros_like(logits)
    spare = np.zeros_like(logits_t), np.zeros_like(logits_t)
    width = min(growth.width, len(decisions.base))
    scratch, limits = _room(inputs, min(growth.nodes, width), growth)
    leaves, leaves_t = np.zeros(len(y), np.uint8), np.zeros(len(yt), np.uint8)
    paths, levels = (*path, decisions.bit), Levels.of_nodes(len(decisions.base))
    unused = np.zeros_like(levels.losses)
    decision_gradients(yt, paths, logits_t, levels.state, *spare, levels.losses)
    levels.after(0)
    trees: list[tuple[Any, ...]] = []
    values: list[Shorts] = []
    grower = Grower()
    for _ in range(growth.rounds):
        decision_gradients(y, paths, logits, levels.state, gradient, curvature, unused)
        found = np.zeros((growth.leaves, width), np.float32)
        given = (x, inputs.bins, inputs.categories, y, path)
        count, which, cut, mask, child = grower.grow(given, (gradient, curvature), scratch, limits, (found, leaves))
        if count == 1:
            break
        kept_values = np.rint(np.clip(found / UNIT, -32_767, 32_767)).astype(np.int16)
        found = (kept_values * UNIT).astype(np.float32)
        add_leaves(y, *path, leaves, found, logits)
        route(xt, which, cut, mask, child, leaves_t)
        add_leaves(yt, *path, leaves_t, found, logits_t)
        fresh = left_to_right(child, count)
        kept_values[fresh] = kept_values[:count].copy()
        trees.append((inputs.fields[which], cut, _masks(inputs, which, cut, mask), child))
        values.append(kept_values[:count])
        decision_gradients(yt, paths, logits_t, levels.state, *spare, levels.losses)
        if not levels.after(len(trees)):
            break
    values = levels.trimmed(values)
    return trees[: len(values)], values


def _masks(inputs: Inputs, which: Ints, cut: Bytes, mask: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The masks of all splits on features of up to 64 bins: a bit is tested faster than an order and a bit."""
    few = (inputs.bins[which] <= 64) & (mask == 0)
    above = ~np.uint64(0) << (np.minimum(cut, 62).astype(np.uint64) + np.uint64(1))
    return np.where(few, above, mask)


def _where(expected: Expected | None, rows: NDArray[np.int64]) -> Where | None:
    """What is expected of some rows."""
    return None if expected is None else (expected.centre[rows], expected.scale[rows], expected.location.table)


def _logits(decisions: Decisions, bounds: Narrow, codes: Ints, where: Where | None) -> Narrow:
    """(n, depth), the log odds of every row's decisions before any tree."""
    length = np.diff(decisions.start)
    table = np.zeros((len(length), int(length.max())), np.float32)
    for k in range(table.shape[1]):
        has = length > k
        table[has, k] = decisions.base[decisions.node[decisions.start[:-1][has] + k]]
    logits = table[codes]
    if where is not None:
        located_logits(codes, (decisions.start, decisions.node), bounds, where, logits)
    return logits
