"""Which leaf a row reaches in many trees at once, by masks instead of walks.

A split that a row passes to the right rules out the leaves on its left; the leaf that is reached is the first one that
no split rules out. For every bin of every feature the masks of all trees stand side by side, so a row costs one line of
memory a feature, whatever the depth of the trees.
Source: Lucchese et al. (2015), QuickScorer: a fast algorithm to rank documents with additive ensembles of
regression trees.
"""

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.compiled import compiled

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]
Words = NDArray[np.uint64]
Halves = NDArray[np.uint32]
Masks = tuple[Ints, Ints, Halves]
"""The features that trees split on, where each one's lines begin (features + 1), and the lines, (lines, trees)."""

MOST = 32
"""A tree has at most this many leaves."""
FEW = 64
"""Splits with a mask are on features of up to this many bins; others may have 256."""


def masks_of(which: Ints, cut: Bytes, mask: Words, child: Ints, first: Ints, leaf: Ints) -> Masks:
    """The masks of trees one after the other, whose leaves are numbered from left to right, at most `MOST` of them."""
    if np.diff(leaf).max(initial=0) > MOST:
        message = f"A tree has more than {MOST} leaves; grow smaller ones."
        raise ValueError(message)
    used = np.unique(which).astype(np.int32)
    wide = np.zeros(len(used), np.bool_)
    wide[np.searchsorted(used, which[mask == 0])] = True
    start = np.concatenate([[0], np.cumsum(np.where(wide, 256, FEW))]).astype(np.int32)
    lines = np.full((int(start[-1]), len(first) - 1), 0xFFFFFFFF, np.uint32)
    _rule_out(which, cut, mask, child, first, used, start, lines)
    return used, start, lines


@compiled
def left_to_right(child: Ints, leaves: int) -> Ints:
    """(leaves,), the numbers that a tree's leaves have from left to right; `child` is changed to say them."""
    fresh = np.zeros(leaves, np.int32)
    if len(child) == 0:
        return fresh
    stack = np.zeros(2 * leaves + 2, np.int32)
    slot = np.zeros(2 * leaves + 2, np.int32)
    top, count = 1, 0
    stack[0], slot[0] = 0, -1
    while top > 0:
        top -= 1
        at, where = stack[top], slot[top]
        if at < 0:
            fresh[-1 - at] = count
            child[where // 2, where % 2] = -1 - count
            count += 1
            continue
        for side in (1, 0):
            stack[top], slot[top] = child[at, side], 2 * at + side
            top += 1
    return fresh


@compiled
def _rule_out(
    which: Ints, cut: Bytes, mask: Words, child: Ints, first: Ints, used: Ints, start: Ints, lines: Halves
) -> None:
    """Clear, for every bin that a split sends right, the leaves on the split's left."""
    for t in range(len(first) - 1):
        size = first[t + 1] - first[t]
        # The leaves below each split are numbers in a row: from the first to behind the last.
        low = np.zeros(size, np.int32)
        high = np.zeros(size, np.int32)
        for back in range(size):
            k = size - 1 - back
            one, other = child[first[t] + k, 0], child[first[t] + k, 1]
            low[k] = -1 - one if one < 0 else low[one]
            high[k] = -other if other < 0 else high[other]
        for k in range(size):
            own = first[t] + k
            one = child[own, 0]
            end = -one if one < 0 else high[one]
            gone = np.uint32(0)
            for leaf in range(low[k], end):
                gone |= np.uint32(1) << np.uint32(leaf)
            u = np.searchsorted(used, which[own])
            for b in range(start[u + 1] - start[u]):
                if mask[own] != 0:
                    right = b < FEW and ((mask[own] >> np.uint64(b & 63)) & np.uint64(1)) != 0
                else:
                    right = b > cut[own]
                if right:
                    lines[start[u] + b, t] &= ~gone


@compiled
def reach(features: Bytes, row: int, masks: Masks, left: Halves, leaves: Ints) -> None:
    """The leaf of one row in every tree, for features of shape (n, fields)."""
    used, start, lines = masks
    trees = len(leaves)
    for t in range(trees):
        left[t] = np.uint32(0xFFFFFFFF)
    for u in range(len(used)):
        line = start[u] + features[row, used[u]]
        for t in range(trees):
            left[t] &= lines[line, t]
    for t in range(trees):
        # The place of the lowest bit, as the exponent of a float.
        low = left[t] & (~left[t] + np.uint32(1))
        leaves[t] = np.int32(np.log2(np.float64(low)))
