"""Boosted trees whose leaves hold one log odds for every decision about a code, as compiled loops.

One tree serves all decisions of a target at once: rows are split on their features, and each leaf says how far every
decision's log odds move there. Gradients and curvatures are those of the decisions' logistic losses, so the sum of the
losses is the negative log likelihood of the code.
Source: Friedman (2001), Greedy function approximation; Chen and Guestrin (2016), XGBoost, eq. 5-7, a vector per leaf.
"""

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.compiled import compiled

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]
Narrow = NDArray[np.float32]
Words = NDArray[np.uint64]

STEEPEST = 2.0
"""No log odds are moved by more than this times the rate of learning: what a step from even odds to certainty takes."""


@compiled
def _scan_ordered(hist: Narrow, rows: Ints, bins: int, nodes: int, total: Narrow, limits: Narrow) -> tuple[float, int]:
    """The best cut of an ordered feature: its gain and the last bin that goes left."""
    penalty, least = limits[0], limits[1]
    left = np.zeros((nodes, 2), np.float32)
    n = 0
    for b in range(bins):
        n += rows[b]
    before = 0
    best, where = 0.0, -1
    for b in range(bins - 1):
        if rows[b] == 0:
            continue
        before += rows[b]
        for t in range(nodes):
            left[t, 0] += hist[b, t, 0]
            left[t, 1] += hist[b, t, 1]
        if before < least:
            continue
        if n - before < least:
            break
        gain = np.float32(0.0)
        for t in range(nodes):
            g, h = left[t, 0], left[t, 1]
            r, s = total[t, 0] - g, total[t, 1] - h
            gain += g * g / (h + penalty) + r * r / (s + penalty)
        if gain > best:
            best, where = float(gain), b
    return best, where


@compiled
def _scan_categories(
    hist: Narrow, rows: Ints, bins: int, nodes: int, total: Narrow, limits: Narrow
) -> tuple[float, np.uint64]:
    """The best split of at most 64 categories in two along the direction in which they differ most."""
    penalty, least = limits[0], limits[1]
    score = np.zeros((bins, nodes), np.float32)
    axis = np.zeros(nodes, np.float32)
    farthest = np.float32(-1.0)
    present = 0
    n = 0
    for b in range(bins):
        if rows[b] == 0:
            continue
        present += 1
        n += rows[b]
        size = np.float32(0.0)
        for t in range(nodes):
            mean = total[t, 0] / (total[t, 1] + penalty)
            step = hist[b, t, 0] - mean * hist[b, t, 1]
            score[b, t] = step / np.sqrt(hist[b, t, 1] + penalty)
            size += score[b, t] * score[b, t]
        if size > farthest:
            farthest = size
            for t in range(nodes):
                axis[t] = score[b, t]
    if present < 2:
        return 0.0, np.uint64(0)
    place = np.zeros(bins, np.float32)
    for _ in range(3):
        fresh = np.zeros(nodes, np.float32)
        length = np.float32(0.0)
        for b in range(bins):
            if rows[b] == 0:
                continue
            along = np.float32(0.0)
            for t in range(nodes):
                along += score[b, t] * axis[t]
            for t in range(nodes):
                fresh[t] += along * score[b, t]
        for t in range(nodes):
            length += fresh[t] * fresh[t]
        length = np.sqrt(length)
        if length == 0:
            break
        for t in range(nodes):
            axis[t] = fresh[t] / length
    for b in range(bins):
        if rows[b] == 0:
            place[b] = np.inf
            continue
        along, weight = np.float32(0.0), np.float32(0.0)
        for t in range(nodes):
            along += score[b, t] * axis[t]
            weight += hist[b, t, 1]
        place[b] = along / np.sqrt(weight + penalty)
    order = np.argsort(place, kind="mergesort")
    left = np.zeros((nodes, 2), np.float32)
    taken, best, mask = np.uint64(0), 0.0, np.uint64(0)
    before = 0
    for k in range(present - 1):
        b = order[k]
        before += rows[b]
        taken |= np.uint64(1) << np.uint64(b)
        for t in range(nodes):
            left[t, 0] += hist[b, t, 0]
            left[t, 1] += hist[b, t, 1]
        if before < least:
            continue
        if n - before < least:
            break
        gain = np.float32(0.0)
        for t in range(nodes):
            g, h = left[t, 0], left[t, 1]
            r, s = total[t, 0] - g, total[t, 1] - h
            gain += g * g / (h + penalty) + r * r / (s + penalty)
        if gain > best:
            best, mask = float(gain), taken
    # The mask names what goes right; categories that no row here has go left.
    whole = np.uint64(0)
    for b in range(bins):
        if rows[b] > 0:
            whole |= np.uint64(1) << np.uint64(b)
    return best, whole & ~mask


@compiled
def best_split(
    features: Bytes,
    bins: Ints,
    categories: Bytes,
    rows: Ints,
    codes: Ints,
    decisions: tuple[Ints, Ints],
    gradient: Narrow,
    curvature: Narrow,
    scratch: tuple[Narrow, Ints],
    limits: Narrow,
    gains: Narrow,
) -> tuple[float, int, int, np.uint64]:
    """The best split of a leaf's rows over all features (gain, feature, cut, mask); fills every feature's gain."""
    start, node = decisions
    hist, count = scratch
    m = len(rows)
    most = int(limits[3])
    step = max(1, m // max(int(limits[4]), 1))
    seen = (m + step - 1) // step
    nodes = min(most, max(2, seen // 16))
    total = np.zeros((nodes, 2), np.float32)
    deepest = gradient.shape[1]
    # What the rows say is gathered once, and read in order for every feature.
    which = np.empty((seen, deepest), np.int32)
    moves = np.empty((seen, deepest, 2), np.float32)
    length = np.empty(seen, np.int32)
    for i in range(seen):
        r = rows[i * step]
        a, b = start[codes[r]], start[codes[r] + 1]
        k = 0
        while a + k < b and node[a + k] < nodes:
            which[i, k] = node[a + k]
            moves[i, k, 0] = gradient[r, k]
            moves[i, k, 1] = curvature[r, k]
            total[node[a + k], 0] += gradient[r, k]
            total[node[a + k], 1] += curvature[r, k]
            k += 1
        length[i] = k
    whole = 0.0
    for t in range(nodes):
        whole += total[t, 0] * total[t, 0] / (total[t, 1] + limits[0])
    inner = limits.copy()
    inner[1] = max(limits[1] / step, 2)
    best, feature, cut, mask = 0.0, -1, 0, np.uint64(0)
    for f in range(len(bins)):
        width = bins[f]
        shift = 0
        if categories[f] == 0:
            while (width >> shift) > 32 and (width >> shift) * 8 > seen:
                shift += 1
        size = ((width - 1) >> shift) + 1
        if size < 2:
            continue
        for b in range(size):
            count[b] = 0
            for t in range(nodes):
                hist[b, t, 0] = 0.0
                hist[b, t, 1] = 0.0
        for i in range(seen):
            b = features[f, rows[i * step]] >> shift
            count[b] += 1
            for k in range(length[i]):
                t = which[i, k]
                hist[b, t, 0] += moves[i, k, 0]
                hist[b, t, 1] += moves[i, k, 1]
        gain = 0.0
        if categories[f] != 0:
            gain, subset = _scan_categories(hist, count, size, nodes, total, inner)
            if gain > best:
                best, feature, cut, mask = gain, f, 0, subset
        else:
            gain, at = _scan_ordered(hist, count, size, nodes, total, inner)
            if gain > best:
                best, feature, cut, mask = gain, f, ((at + 1) << shift) - 1, np.uint64(0)
        gains[f] = max((gain - whole) * step, 0.0)
    return (best - whole) * step, feature, cut, mask


@compiled
def grow_tree(
    features: Bytes,
    bins: Ints,
    categories: Bytes,
    codes: Ints,
    decisions: tuple[Ints, Ints],
    gradient: Narrow,
    curvature: Narrow,
    scratch: tuple[Narrow, Ints],
    limits: Narrow,
    values: Narrow,
    leaves: Bytes,
    forced: int,
) -> tuple[int, Ints, Bytes, Words, Ints]:
    """Grow one tree, the most promising leaf first.

    Args:
        features: (columns, n), bins of the features.
        bins: (columns,), how many each has; at most 64 for categories.
        categories: (columns,), which have no order.
        codes: (n,), the target.
        decisions: `start` and `node` of its decisions.
        gradient: (n, depth).
        curvature: (n, depth).
        scratch: Room for histograms, (bins, nodes, 2) and (bins,).
        limits: Penalty on the curvature, least rows of a leaf, least gain of a split, nodes that splits are judged by,
            rows that a split is looked for in, and the rate of learning.
        values: (most leaves, nodes), filled with the leaves' values.
        leaves: (n,), filled with the rows' leaves.
        forced: The feature whose middle is the first split, whatever it gains; -1 for none.

    Returns:
        The number of leaves, and for every split its feature, cut, mask and children (a split, or leaf l as -1 - l).
    """
    most = values.shape[0]
    n = len(codes)
    rows = np.arange(n).astype(np.int32)
    spare = np.empty(n, np.int32)
    first = np.zeros(most, np.int64)
    last = np.zeros(most, np.int64)
    gains = np.full(most, -1.0)
    choice = np.zeros((most, 2), np.int32)
    masks = np.zeros(most, np.uint64)
    parent = np.full((most, 2), -1, np.int32)
    which = np.zeros(most - 1, np.int32)
    cuts = np.zeros(most - 1, np.uint8)
    subset = np.zeros(most - 1, np.uint64)
    child = np.zeros((most - 1, 2), np.int32)
    unused = np.zeros(len(bins), np.float32)
    last[0] = n
    count, splits = 1, 0
    fresh = np.zeros(2, np.int64)
    todo = 1
    if forced >= 0:
        todo = 0
        gains[0], choice[0, 0], choice[0, 1] = limits[2], forced, np.median(features[forced]) - 0.5
        if categories[forced] != 0:
            masks[0] = ~np.uint64(0) << np.uint64(choice[0, 1] + 1)
    while True:
        for j in range(todo):
            leaf = fresh[j]
            gains[leaf] = -1.0
            if last[leaf] - first[leaf] >= 2 * limits[1]:
                gain, f, cut, mask = best_split(
                    features,
                    bins,
                    categories,
                    rows[first[leaf] : last[leaf]],
                    codes,
                    decisions,
                    gradient,
                    curvature,
                    scratch,
                    limits,
                    unused,
                )
                if f >= 0:
                    gains[leaf], choice[leaf, 0], choice[leaf, 1], masks[leaf] = gain, f, cut, mask
        if count == most:
            break
        leaf = int(np.argmax(gains[:count]))
        if gains[leaf] < limits[2]:
            break
        f, cut, mask = choice[leaf, 0], choice[leaf, 1], masks[leaf]
        a, b = first[leaf], last[leaf]
        low, high = a, 0
        for i in range(a, b):
            r = rows[i]
            v = features[f, r]
            right = ((mask >> np.uint64(v)) & np.uint64(1)) != 0 if mask != 0 else v > cut
            if right:
                spare[high] = r
                high += 1
            else:
                rows[low] = r
                low += 1
        rows[low:b] = spare[:high]
        gains[leaf] = -1.0
        if low - a < limits[1] or b - low < limits[1]:
            todo = 0
            continue
        which[splits], cuts[splits], subset[splits] = f, cut, mask
        if parent[leaf, 0] >= 0:
            child[parent[leaf, 0], parent[leaf, 1]] = splits
        child[splits, 0], child[splits, 1] = -1 - leaf, -1 - count
        parent[leaf, 0], parent[leaf, 1] = splits, 0
        parent[count, 0], parent[count, 1] = splits, 1
        first[count], last[count], last[leaf] = low, b, low
        fresh[0], fresh[1] = leaf, count
        todo = 2
        splits += 1
        count += 1
    _leaf_values(rows, first[:count], last[:count], codes, decisions, gradient, curvature, limits, values, leaves)
    return count, which[:splits], cuts[:splits], subset[:splits], child[:splits]


@compiled
def _leaf_values(
    rows: Ints,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    codes: Ints,
    decisions: tuple[Ints, Ints],
    gradient: Narrow,
    curvature: Narrow,
    limits: Narrow,
    values: Narrow,
    leaves: Bytes,
) -> None:
    """One Newton step for every decision in every leaf, drawn to 0 by the penalty."""
    start, node = decisions
    width = values.shape[1]
    sums = np.zeros((width, 2), np.float64)
    for leaf in range(len(first)):
        sums[:] = 0.0
        for i in range(first[leaf], last[leaf]):
            r = rows[i]
            leaves[r] = leaf
            a, b = start[codes[r]], start[codes[r] + 1]
            for k in range(a, b):
                t = node[k]
                if t < width:
                    sums[t, 0] += gradient[r, k - a]
                    sums[t, 1] += curvature[r, k - a]
        for t in range(width):
            step = -sums[t, 0] / (sums[t, 1] + limits[0])
            # From a wrong certainty the curvature says nothing, and a whole step would lead to the opposite one.
            values[leaf, t] = limits[5] * min(max(step, -STEEPEST), STEEPEST)
