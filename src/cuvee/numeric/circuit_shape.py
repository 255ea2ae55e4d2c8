"""The shape of a circuit before anything is learned: which fields are neighbours, and how codes are smoothed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
Floats = NDArray[np.float64]

WIDTH, BINS = 4_096, 16
"""A field is seen in so many bins, and all fields together in about so many, while the tree is looked for."""
SHAPE_ROWS, SHAPE_WORK = 20_000, 1e11
"""The tree is looked for in so many rows, and in fewer where rows times bins squared are more than this."""


TOGETHER = 256
"""Pairs of so many bins with all others are counted at once."""


def shape_rows(fields: int) -> tuple[int, int]:
    """How many bins a field is seen in, and in how many rows, while the tree is looked for.

    >>> shape_rows(14), shape_rows(2000)
    ((16, 20000), (4, 1562))
    """
    bins = int(np.clip(WIDTH // max(fields, 1), 4, BINS))
    return bins, int(min(SHAPE_ROWS, SHAPE_WORK / (fields * bins) ** 2))


def coarse_cells(masses: Floats, missing: int, bins: int) -> Codes:
    """(m,), a bin for each code: neighbours of about equal mass, missing values by themselves.

    >>> coarse_cells(np.array([0.1, 0.2, 0.2, 0.3, 0.2]), 1, 3).tolist()
    [0, 1, 1, 2, 2]
    """
    rest = np.maximum(masses[missing:], 0)
    below = np.cumsum(rest) - rest / 2
    spread = max(bins - (missing > 0), 1)
    cells = np.minimum((below / max(rest.sum(), 1e-300) * spread).astype(np.int32), spread - 1)
    _, cells = np.unique(cells, return_inverse=True)
    return np.r_[np.zeros(missing, np.int32), cells.astype(np.int32) + (missing > 0)].astype(np.int32)


def mutual_information(cells: Codes, sizes: Sequence[int]) -> Floats:
    """(d, d), the mutual information of every pair of fields in nats, less what chance gives.

    Args:
        cells: (d, n), the bin of each cell, -1 where it is not known.
        sizes: The number of bins of each field.

    Source: Miller (1955), Note on the bias of information estimates.
    """
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    (d, n), width = cells.shape, int(starts[-1])
    ones = np.zeros((n, width), np.float32)
    for j, c in enumerate(cells):
        known = np.flatnonzero(c >= 0)
        ones[known, starts[j] + c[known]] = 1
    result = np.zeros((d, d))
    heads = starts[:-1]
    together, low, block = max(TOGETHER // max(sizes), 1), 0, ones
    for j in range(d):
        if j % together == 0:
            low = int(starts[j])
            block = ones[:, low : starts[min(j + together, d)]].T @ ones
        joint = block[starts[j] - low : starts[j + 1] - low].astype(np.float64)
        # Rows of each bin of this field that have each other field.
        own = np.add.reduceat(joint, heads, axis=1)
        rows = np.maximum(own.sum(0), 1)
        expected = np.repeat(own / rows, sizes, axis=1) * joint.sum(0)
        ratio = np.divide(joint, expected, out=np.ones_like(joint), where=joint > 0)
        mutual = np.add.reduceat(joint * np.log(ratio), heads, axis=1).sum(0) / rows
        seen = np.add.reduceat((joint.sum(0) > 0).astype(np.float64), heads)
        chance = (max(int((joint.sum(1) > 0).sum()), 1) - 1) * (seen - 1) / (2 * rows)
        result[j] = np.maximum(mutual - chance, 0)
    np.fill_diagonal(result, 0)
    return (result + result.T) / 2


def spanning_tree(weights: Floats) -> tuple[Codes, Codes]:
    """The heaviest spanning tree of (d, d) weights, from the field that says most on: its order, and parents.

    Returns:
        (d,) fields, every parent before its children; (d,) the parent of each field, -1 for the root.

    Source: Chow and Liu (1968), Approximating discrete probability distributions with dependence trees.
    """
    d = len(weights)
    root = int(np.argmax(weights.sum(1)))
    parent, best = np.full(d, root, np.int32), weights[root].copy()
    parent[root] = -1
    best[root] = -np.inf
    order = [root]
    for _ in range(d - 1):
        j = int(np.argmax(best))
        order.append(j)
        best[j] = -np.inf
        closer = (weights[j] > best) & (best > -np.inf)
        best[closer] = weights[j][closer]
        parent[closer] = j
    return np.array(order, np.int32), parent


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """A binary tree over the codes of a field, along which a state's probabilities are drawn to those of all rows.

    Attributes:
        nodes: (m - 1, 2), left and right child of each node: a code, or m + the number of a later node.
        share: (m - 1,), the share of the left side among all rows.
        depth: (m - 1,), how deep each node lies; 1 for the first.
    """

    nodes: Codes
    share: NDArray[np.float32]
    depth: NDArray[np.float32]


def ladder(masses: Floats, missing: int) -> Ladder:
    """Codes parted into missing and there, and then again and again into halves of about equal mass."""
    m = len(masses)
    mass = np.maximum(masses, 1e-9)
    below = np.concatenate([[0.0], np.cumsum(mass)])
    nodes, share, depth = np.zeros((max(m - 1, 0), 2), np.int32), np.zeros(max(m - 1, 0)), np.ones(max(m - 1, 0))
    waiting = [(0, m, -1, 0, 1)]
    made = 0
    while waiting:
        low, high, up, side, deep = waiting.pop(0)
        number = low if high - low == 1 else m + made
        if up >= 0:
            nodes[up, side] = number
        if high - low == 1:
            continue
        if low < missing < high:
            cut = missing
        else:
            cut = int(np.searchsorted(below, (below[low] + below[high]) / 2))
            if cut > low + 1 and below[cut] + below[cut - 1] > below[low] + below[high]:
                cut -= 1
            cut = min(max(cut, low + 1), high - 1)
        share[made] = (below[cut] - below[low]) / (below[high] - below[low])
        depth[made] = deep
        waiting += [(low, cut, made, 0, deep + 1), (cut, high, made, 1, deep + 1)]
        made += 1
    return Ladder(nodes, share.astype(np.float32), depth.astype(np.float32))
