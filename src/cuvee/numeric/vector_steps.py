"""What decisions cost and how they move: losses, gradients and steps of trees with vector leaves, as compiled loops."""

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.compiled import compiled

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]
Narrow = NDArray[np.float32]
Words = NDArray[np.uint64]


@compiled
def decision_gradients(
    codes: Ints,
    paths: tuple[Ints, Ints, Bytes],
    logits: Narrow,
    levels: tuple[Ints, Bytes],
    gradient: Narrow,
    curvature: Narrow,
    losses: NDArray[np.float64],
) -> None:
    """Fill the gradient and curvature of every row's decisions, (n, depth), and the loss of each level in nats.

    Args:
        codes: (n,), the target.
        paths: `start`, `node` and `bit` of the decisions.
        logits: (n, depth).
        levels: Each node's level, and which levels are closed: their gradients are 0.
        gradient: (n, depth), filled.
        curvature: (n, depth), filled.
        losses: (levels,), filled with the sums over rows.
    """
    start, node, bit = paths
    level, closed = levels
    losses[:] = 0.0
    for i in range(len(codes)):
        a, b = start[codes[i]], start[codes[i] + 1]
        for k in range(a, b):
            z = logits[i, k - a]
            own = level[node[k]]
            p = np.float32(1.0) / (np.float32(1.0) + np.exp(-z))
            gradient[i, k - a] = np.float32(0.0) if closed[own] != 0 else p - bit[k]
            curvature[i, k - a] = max(p * (np.float32(1.0) - p), np.float32(1e-6))
            if bit[k] == 0:
                z = -z
            losses[own] += np.log1p(np.exp(-z)) if z > -30 else -z


@compiled
def add_leaves(codes: Ints, start: Ints, node: Ints, leaves: Bytes, values: Narrow, logits: Narrow) -> None:
    """Add a tree's leaf values, (leaves, nodes), to the log odds of every row's decisions, (n, depth)."""
    width = values.shape[1]
    for i in range(len(codes)):
        a, b = start[codes[i]], start[codes[i] + 1]
        leaf = leaves[i]
        for k in range(a, b):
            if node[k] < width:
                logits[i, k - a] += values[leaf, node[k]]


@compiled
def route(features: Bytes, which: Ints, cut: Bytes, mask: Words, child: Ints, leaves: Bytes) -> None:
    """The leaf of every row, (n,), for features of shape (columns, n)."""
    for i in range(len(leaves)):
        at = 0
        while at >= 0:
            f = which[at]
            b = features[f, i]
            if mask[at] != 0:
                right = (mask[at] >> np.uint64(b)) & np.uint64(1)
            else:
                right = np.uint64(1) if b > cut[at] else np.uint64(0)
            at = child[at, right]
        leaves[i] = -1 - at
