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
