"""Trees that also find what no single split sees: one of two features that matter only together (an exclusive or)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.vector_trees import grow_tree

GLANCE = 4_000
"""Whether a forced first split pays is found out on this many rows."""
MOST = 40
"""So many features are tried at most."""

PATIENCE = 2
"""Rounds without a better held-out loss before a level is closed."""

Tree = tuple[int, Any, Any, Any, Any]
Grow = Callable[[int], Tree]


@dataclass(slots=True)
class Grower:
    """Grows the trees of one target, one after the other.

    Where no split gains anything, each feature is tried as a first split at its middle, on some rows; the first after
    which another split gains something is kept for all later trees that would end at their root.

    Attributes:
        forced: That feature; -1 where there is none, None as long as it was not looked for.
    """

    forced: int | None = None

    def grow(
        self,
        given: tuple[Any, Any, Any, Any, Any],
        moves: tuple[NDArray[np.float32], NDArray[np.float32]],
        scratch: Any,
        limits: NDArray[np.float32],
        found: tuple[NDArray[np.float32], NDArray[np.uint8]],
    ) -> Tree:
        """One tree; of one leaf where nothing gains. Arguments as for `grow_tree`, in its order."""
        tree = grow_tree(*given, *moves, scratch, limits, *found, -1)
        if tree[0] > 1:
            return tree
        if self.forced is None:
            self.forced = self._look(given, moves, scratch, limits, found)
        if self.forced < 0:
            return tree
        again = grow_tree(*given, *moves, scratch, limits, *found, self.forced)
        return again if again[0] > 2 else tree

    def _look(
        self,
        given: tuple[Any, Any, Any, Any, Any],
        moves: tuple[NDArray[np.float32], NDArray[np.float32]],
        scratch: Any,
        limits: NDArray[np.float32],
        found: tuple[NDArray[np.float32], NDArray[np.uint8]],
    ) -> int:
        """The first feature behind which something gains, or -1."""
        features, bins, categories, codes, path = given
        some = slice(None, None, max(len(codes) // GLANCE, 1))
        part = (np.ascontiguousarray(features[:, some]), bins, categories, np.ascontiguousarray(codes[some]), path)
        gradient, curvature = (np.ascontiguousarray(m[some]) for m in moves)
        # Three leaves are enough to see whether a second split gains.
        values, leaves = np.zeros_like(found[0][:3]), np.zeros(len(part[3]), np.uint8)
        for f in range(min(len(bins), MOST)):
            if grow_tree(*part, gradient, curvature, scratch, limits, values, leaves, f)[0] > 2:
                return f
        return -1


@dataclass(slots=True)
class Levels:
    """Decides when the decisions of each level have learned enough: each stops by itself.

    Decisions near the root have most rows and go on learning when those that tell neighbouring codes apart have long
    begun to learn noise. Stopped together, the ones would learn too little or the others too much.

    Attributes:
        of: (nodes,), the level of each decision: 0 for the root, 1 for the next two by mass, 2 for the next four.
        closed: (levels,), 1 where no more is learned.
        losses: (levels,), held-out losses of the last round.
        best: (levels,), the least so far.
        kept: (levels,), after how many trees that was.
    """

    of: NDArray[np.int32]
    closed: NDArray[np.uint8]
    losses: NDArray[np.float64]
    best: NDArray[np.float64]
    kept: NDArray[np.int64]

    @classmethod
    def of_nodes(cls, nodes: int) -> "Levels":
        """The levels of decisions that are sorted by falling mass."""
        level = np.floor(np.log2(np.arange(nodes) + 1)).astype(np.int32)
        m = int(level.max(initial=0)) + 1
        return cls(level, np.zeros(m, np.uint8), np.zeros(m), np.full(m, np.inf), np.zeros(m, np.int64))

    @property
    def state(self) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """What `decision_gradients` wants."""
        return self.of, self.closed

    def after(self, trees: int) -> bool:
        """Take note of the held-out losses after so many trees; whether anything is still learned."""
        better = self.losses < self.best - 1e-4 * np.abs(np.where(np.isfinite(self.best), self.best, 0.0))
        better &= self.closed == 0
        self.best[better], self.kept[better] = self.losses[better], trees
        self.closed[(trees - self.kept > PATIENCE) & (self.closed == 0)] = 1
        return bool((self.closed == 0).any())

    def trimmed(self, values: list[NDArray[np.int16]]) -> list[NDArray[np.int16]]:
        """Leaf values, (leaves, nodes) of each tree, without those that came after their level's best."""
        last = int(self.kept.max(initial=0))
        for number, table in enumerate(values[:last]):
            table[:, self.kept[self.of[: table.shape[1]]] <= number] = 0
        return values[:last]
