"""A choice among many codes as a binary tree of decisions, balanced by mass.

A code is a leaf; going to it takes about log2(1 / mass) decisions. A model of the decisions is a model of the codes,
and neighbouring codes share all but their last decisions, so an estimate borrows strength from its neighbours.
Source: Mnih and Hinton (2009), A scalable hierarchical distributed language model.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """A binary tree over m codes, with m - 1 nodes; node 0 is the root, and nodes are sorted by falling mass.

    Attributes:
        child: (m - 1, 2), where a decision leads: a node, or the code c as -1 - c.
        start: (m + 1,), where the path of each code begins in `node` and `bit`.
        node: The nodes on the paths from the root.
        bit: The decision at each.
        base: (m - 1,), log odds of going right where nothing else is known.
        spans: (m - 1, 3), each node's first code, the first one of its right side, and the first one behind it.
    """

    child: Ints
    start: Ints
    node: Ints
    bit: NDArray[np.uint8]
    base: NDArray[np.float32]
    spans: Ints


def plan_decisions(counts: NDArray[np.float64], *, prior: float = 0.5, missing: int = 0) -> Decisions:
    """The tree of codes in their order, each node cut where its mass is nearest to halved.

    Args:
        counts: (m,), rows of each code; m >= 2.
        prior: Rows that are added to either side of every decision.
        missing: How many of the first codes stand for missing values. Missing or not is then decided first: as the last
            of several decisions about size it would be learned badly.
    """
    m = len(counts)
    weights = counts + 1e-9 * max(counts.sum(), 1.0) / m + 1e-12
    total = np.concatenate([[0.0], np.cumsum(weights)])
    first = [(0, m)]
    spans: list[tuple[int, int]] = []
    cuts: list[int] = []
    while first:
        low, high = first.pop()
        if high - low < 2:
            continue
        middle = (total[low] + total[high]) / 2
        cut = int(np.searchsorted(total, middle))
        cut = min(max(cut, low + 1), high - 1)
        if cut - 1 > low and middle - total[cut - 1] < total[cut] - middle:
            cut -= 1
        cut = missing if low < missing < high else cut
        spans.append((low, high))
        cuts.append(cut)
        first += [(cut, high), (low, cut)]
    mass = np.array([total[h] - total[lo] for lo, h in spans])
    order = np.argsort(-mass, kind="stable")
    number = {spans[k]: i for i, k in enumerate(order.tolist())}
    child = np.empty((m - 1, 2), np.int32)
    base = np.empty(m - 1, np.float32)
    plain = np.concatenate([[0.0], np.cumsum(counts)])
    for k, (low, high) in enumerate(spans):
        i, cut = number[low, high], cuts[k]
        for side, (a, b) in enumerate(((low, cut), (cut, high))):
            child[i, side] = -1 - a if b - a == 1 else number[a, b]
        base[i] = np.log((plain[high] - plain[cut] + prior) / (plain[cut] - plain[low] + prior))
    bounds = np.array([(spans[k][0], cuts[k], spans[k][1]) for k in order.tolist()], np.int32)
    return Decisions(child, *_paths(child, m), base, bounds)


def _paths(child: Ints, m: int) -> tuple[Ints, Ints, NDArray[np.uint8]]:
    """The decisions that lead to every code."""
    paths: list[tuple[list[int], list[int]]] = [([], []) for _ in range(m)]
    stack: list[tuple[int, list[int], list[int]]] = [(0, [], [])]
    while stack:
        at, nodes, bits = stack.pop()
        if at < 0:
            paths[-1 - at] = (nodes, bits)
            continue
        stack += [(int(child[at, side]), [*nodes, at], [*bits, side]) for side in (0, 1)]
    start = np.concatenate([[0], np.cumsum([len(p[0]) for p in paths])]).astype(np.int32)
    node = np.array([i for p in paths for i in p[0]], np.int32)
    return start, node, np.array([b for p in paths for b in p[1]], np.uint8)
