"""Drawing codes from boosted trees with vector leaves, and their probabilities, as compiled loops."""

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.compiled import compiled
from cuvee.numeric.leaf_masks import Masks, reach
from cuvee.numeric.location import level, weigh
from cuvee.numeric.vector_trees import Bytes, Ints, Narrow, Words

Shorts = NDArray[np.int16]
Packed = tuple[Ints, Bytes, Words, Ints, Ints, Ints, Shorts]
"""Trees one after the other: feature, cut, mask and children of every split, the first split of each tree (trees + 1),
the first leaf of each tree, and the values of all leaves in units of `UNIT`, (leaves, nodes)."""
UNIT = 1 / 1024
"""Log odds are kept in these steps: small tables are read faster, and a thousandth decides nothing."""


@compiled
def mix(x: np.uint64) -> np.uint64:
    """A hash of 64 bits. Source: Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@compiled
def draw_codes(
    features: Bytes,
    rows: Ints,
    packed: Packed,
    masks: Masks,
    tree: tuple[Ints, Narrow],
    where: tuple[Narrow, Narrow, Narrow, Narrow],
    seed: np.uint64,
    codes: Ints,
) -> None:
    """Draw a code for every one of the rows.

    Args:
        features: (n, fields), bins of what was drawn before.
        rows: Which rows.
        packed: The trees.
        masks: Their leaf masks.
        tree: The decisions' children and log odds.
        where: Bounds of the decisions, expected score and scatter of each of `rows`, and the scatter's table; empty
            where nothing is expected.
        seed: Row r uses the numbers of (seed, r) alone.
        codes: (n,), filled in these rows.
    """
    child, base = tree
    bounds, centre, scale, table = where
    located = len(centre) > 0
    leaf, values = packed[5], packed[6]
    width = values.shape[1]
    trees = len(leaf) - 1
    leaves = np.zeros(trees, np.int32)
    over = np.zeros(trees, np.uint32)
    for i in range(len(rows)):
        r = rows[i]
        reach(features, r, masks, over, leaves)
        for t in range(trees):
            leaves[t] += leaf[t]
        state = mix(seed + np.uint64(r) * np.uint64(0x9E3779B97F4A7C15))
        at = 0
        low, high = np.float32(0.0), np.float32(1.0)
        if located:
            low = level(bounds[0, 0], centre[i], scale[i], table)
            high = level(bounds[0, 2], centre[i], scale[i], table)
        while at >= 0:
            units = np.int32(0)
            if at < width:
                for t in range(trees):
                    units += np.int32(values[leaves[t], at])
            z = np.float32(units) * np.float32(UNIT)
            state = mix(state + np.uint64(0x9E3779B97F4A7C15))
            u = np.float32(state >> np.uint64(40)) * np.float32(2.0**-24)
            if located:
                cut = level(bounds[at, 1], centre[i], scale[i], table)
                left, right = weigh(float(low), cut, float(high), bounds[at])
                left *= np.exp(-z)
                if u * (left + right) < right:
                    at, low = child[at, 1], cut
                else:
                    at, high = child[at, 0], cut
            else:
                z += base[at]
                at = child[at, 1 if u * (np.float32(1.0) + np.exp(-z)) < np.float32(1.0) else 0]
        codes[r] = -1 - at


@compiled
def code_log_prob(
    features: Bytes,
    packed: Packed,
    masks: Masks,
    paths: tuple[Ints, Ints, Bytes],
    codes: Ints,
    logits: Narrow,
    result: NDArray[np.float64],
) -> None:
    """Log probability of every row's code in nats, (n,), for features of shape (n, fields).

    Args:
        features: Bins of what the code depends on.
        packed: The trees.
        masks: Their leaf masks.
        paths: `start`, `node` and `bit` of the decisions.
        codes: (n,).
        logits: (n, depth), the log odds of each row's decisions before any tree.
        result: (n,), filled.
    """
    start, node, bit = paths
    leaf, values = packed[5], packed[6]
    width = values.shape[1]
    trees = len(leaf) - 1
    leaves = np.zeros(trees, np.int32)
    over = np.zeros(trees, np.uint32)
    for r in range(len(codes)):
        reach(features, r, masks, over, leaves)
        for t in range(trees):
            leaves[t] += leaf[t]
        total = 0.0
        first = start[codes[r]]
        for k in range(first, start[codes[r] + 1]):
            z = logits[r, k - first]
            if node[k] < width:
                for t in range(trees):
                    z += values[leaves[t], node[k]] * UNIT
            if bit[k] == 0:
                z = -z
            total -= np.log1p(np.exp(-z)) if z > -30 else -z
        result[r] = total
