"""The loops of a Bayesian network, compiled: growing the tree of a field's parents, drawing, densities, blankets.

A network is told to the loops as `Tables`. The trees of all fields lie one after the other; a field's own nodes are
numbered from 0, the root, and the right child of a node follows its left one. At a node, codes up to `cut` of the field
`feature` go left. Every node has a distribution over the field's codes, so a walk may end early, where a code is open.
"""

from math import lgamma, log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.compiled import compiled

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Narrow = NDArray[np.float32]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

Grown = tuple[Ints, Ints, Ints, Longs, float]


class Tables(NamedTuple):
    """A network as arrays.

    Attributes:
        order: (d,), the fields, parents first.
        size: (d,), how many codes each has.
        first: (d + 1,), where the nodes of each field begin.
        feature: (nodes,), the field that a node asks; -1 for a leaf.
        cut: (nodes,), the last code that goes left.
        left: (nodes,), the left child among the field's own nodes.
        start: (d + 1,), where the probabilities of each field begin.
        shares: (sum of nodes times codes,), the distribution of every node.
        sums: The same, as running sums that end at 1.
        begin: (d + 1,), where the children of each field begin in `children`.
        children: (edges,), the fields that ask it.
    """

    order: Ints
    size: Ints
    first: Longs
    feature: Ints
    cut: Ints
    left: Ints
    start: Longs
    shares: Narrow
    sums: Narrow
    begin: Longs
    children: Ints


@compiled
def gain_of(counts: Longs, total: int, score: int, weight: float) -> float:
    """How well a leaf with these counts describes its rows, in nats, less what its parameters cost.

    `score` 0 takes a cost of `weight` for each parameter (BIC, AIC), 1 the marginal likelihood under a Dirichlet prior
    of `weight` rows in all (BDeu).
    """
    if score == 1:
        each = weight / counts.shape[0]
        value = lgamma(weight) - lgamma(weight + total)
        for b in range(counts.shape[0]):
            if counts[b] > 0:
                value += lgamma(each + counts[b]) - lgamma(each)
        return value
    value, seen = 0.0, 0
    for b in range(counts.shape[0]):
        if counts[b] > 0:
            value += counts[b] * log(counts[b])
            seen += 1
    if total > 0:
        value -= total * log(total)
    return value - weight * max(seen - 1, 0)


@compiled
def grow(
    cells: Bytes, sizes: Ints, child: int, parents: Ints, least: int, most: int, score: int, weight: float
) -> Grown:
    """The tree of a field's parents that greedy splitting finds, and its score.

    Args:
        cells: (d, n), the bin of every cell.
        sizes: (d,), the bins of each field.
        child: The field.
        parents: The fields that may be asked.
        least: Rows of a leaf.
        most: Nodes.
        score: See `gain_of`.
        weight: See `gain_of`.

    Returns:
        By node: the field asked or -1, the last bin that goes left, the left child, and the rows; and the score in
        nats, the choice of each split paid for.
    """
    n, width = cells.shape[1], sizes[child]
    feature, cut = np.full(most, -1, np.int32), np.zeros(most, np.int32)
    left, rows = np.zeros(most, np.int32), np.zeros(most, np.int64)
    begin, prior = np.zeros(most, np.int64), np.full(most, weight)
    order, spare = np.arange(n), np.empty(n, np.int64)
    widest, choices = 1, 0
    for p in parents:
        widest = max(widest, sizes[p])
        choices += sizes[p] - 1
    table = np.zeros((len(parents), widest, width), np.int64)
    whole, low, high = np.zeros(width, np.int64), np.zeros(width, np.int64), np.zeros(width, np.int64)
    price = log(max(choices, 1))
    rows[0] = n
    for i in range(n):
        whole[cells[child, i]] += 1
    total = gain_of(whole, n, score, weight)
    made, at = 1, 0
    while at < made and len(parents) > 0:
        start, size = begin[at], rows[at]
        if size >= 2 * least and made + 2 <= most:
            table[:] = 0
            whole[:] = 0
            for i in range(start, start + size):
                row = order[i]
                c = cells[child, row]
                whole[c] += 1
                for k in range(len(parents)):
                    table[k, cells[parents[k], row], c] += 1
            own = gain_of(whole, size, score, prior[at])
            best, which, where = 0.0, -1, 0
            for k in range(len(parents)):
                low[:] = 0
                below = 0
                for v in range(sizes[parents[k]] - 1):
                    here = 0
                    for c in range(width):
                        low[c] += table[k, v, c]
                        here += table[k, v, c]
                    below += here
                    if here == 0 or below < least:
                        continue
                    if size - below < least:
                        break
                    for c in range(width):
                        high[c] = whole[c] - low[c]
                    part = (v + 1) / sizes[parents[k]] if score == 1 else 1.0
                    rest = 1 - part if score == 1 else 1.0
                    found = (
                        gain_of(low, below, score, prior[at] * part)
                        + gain_of(high, size - below, score, prior[at] * rest)
                        - own
                        - price
                    )
                    if found > best:
                        best, which, where = found, k, v
            if which >= 0:
                asked = parents[which]
                head, tail = start, 0
                for i in range(start, start + size):
                    row = order[i]
                    if cells[asked, row] <= where:
                        order[head] = row
                        head += 1
                    else:
                        spare[tail] = row
                        tail += 1
                for i in range(tail):
                    order[head + i] = spare[i]
                feature[at], cut[at], left[at] = asked, where, made
                begin[made], rows[made] = start, head - start
                begin[made + 1], rows[made + 1] = head, tail
                if score == 1:
                    part = (where + 1) / sizes[asked]
                    prior[made], prior[made + 1] = prior[at] * part, prior[at] * (1 - part)
                total += best
                made += 2
        at += 1
    return feature[:made], cut[:made], left[:made], rows[:made], total


@compiled
def smoothed(counts: Narrow, up: Ints, nodes: Ints, margin: Narrow, weight: Narrow, least: float, few: float) -> Narrow:
    """(nodes, m), the distribution of every node of a tree, each drawn to that of the node above it.

    Shares are learned along a ladder: a binary tree over the codes, at each of whose decisions a node counts the rows
    on both sides. Where fewer than `least` rows are at a decision nothing is learned; where fewer are on one side, they
    count as `few` (or as expected, if that is less), however many there are.

    Args:
        counts: (nodes, m), rows of each code.
        up: (nodes,), the node above; -1 for the root.
        nodes: (m - 1, 2), the ladder; see `cuvee.numeric.circuit_shape.ladder`.
        margin: (m - 1,), its shares in all rows.
        weight: (m - 1,), how many rows the node above is worth at each decision.
        least: The fewest rows that anything is learned from.
        few: What fewer count as.
    """
    k, m = counts.shape
    share = np.empty((k, max(m - 1, 1)), np.float32)
    result = np.empty((k, m), np.float32)
    held, mass = np.empty(max(m - 1, 1), np.float64), np.empty(max(m - 1, 1), np.float64)
    for v in range(k):
        for i in range(m - 2, -1, -1):
            a, b = nodes[i, 0], nodes[i, 1]
            held[i] = (counts[v, a] if a < m else held[a - m]) + (counts[v, b] if b < m else held[b - m])
        for i in range(m - 1):
            known = float(margin[i]) if up[v] < 0 else float(share[up[v], i])
            a, total = nodes[i, 0], held[i]
            if up[v] < 0 or total < least:
                share[v, i] = known
                continue
            one = float(counts[v, a]) if a < m else held[a - m]
            other = total - one
            if one < least and other >= least:
                one = min(few, known * total)
                other = total - one
            elif other < least and one >= least:
                other = min(few, (1 - known) * total)
                one = total - other
            elif one < least:
                one = known * total
                other = total - one
            share[v, i] = (one + weight[i] * known) / (one + other + weight[i])
        if m == 1:
            result[v, 0] = 1
            continue
        mass[0] = 1.0
        for i in range(m - 1):
            for side in range(2):
                p = mass[i] * (share[v, i] if side == 0 else 1 - share[v, i])
                where = nodes[i, side]
                if where < m:
                    result[v, where] = p
                else:
                    mass[where - m] = p
    return result


@compiled
def walk(net: Any, field: int, codes: Ints, row: int) -> int:
    """The node of a field's tree that a row comes to; it ends early where a code is open."""
    base, at = net.first[field], 0
    while net.feature[base + at] >= 0:
        code = codes[net.feature[base + at], row]
        if code < 0:
            break
        at = net.left[base + at] + (0 if code <= net.cut[base + at] else 1)
    return at


@compiled
def draw(net: Any, chances: Narrow, codes: Ints) -> None:
    """Fill (d, n) codes, parents first, from (d, n) chances."""
    for field in net.order:
        m = net.size[field]
        for row in range(codes.shape[1]):
            base = net.start[field] + walk(net, field, codes, row) * m
            low, high, chance = 0, m - 1, chances[field, row]
            while low < high:
                middle = (low + high) // 2
                if net.sums[base + middle] <= chance:
                    low = middle + 1
                else:
                    high = middle
            codes[field, row] = low


@compiled
def density(net: Any, codes: Ints, out: Floats) -> None:
    """Fill (d, n), the log probability of each code given its parents; 0 where a code is open."""
    for field in range(codes.shape[0]):
        m = net.size[field]
        for row in range(codes.shape[1]):
            if codes[field, row] < 0:
                out[field, row] = 0.0
            else:
                out[field, row] = log(
                    max(net.shares[net.start[field] + walk(net, field, codes, row) * m + codes[field, row]], 1e-30)
                )


@compiled
def blanket(net: Any, field: int, codes: Ints, row: int, out: Floats, stack: Longs) -> None:
    """Fill (m,), how likely each code of a field is given all other codes of its row, but for a factor."""
    m = net.size[field]
    base = net.start[field] + walk(net, field, codes, row) * m
    for v in range(m):
        out[v] = net.shares[base + v]
    for e in range(net.begin[field], net.begin[field + 1]):
        child = net.children[e]
        code = codes[child, row]
        if code < 0:
            continue
        own, first, wide = net.start[child], net.first[child], net.size[child]
        top, highest = 3, 0.0
        stack[0], stack[1], stack[2] = 0, 0, m
        while top > 0:
            top -= 3
            at, low, high = stack[top], stack[top + 1], stack[top + 2]
            asked = net.feature[first + at]
            if asked == field:
                middle = min(max(net.cut[first + at] + 1, low), high)
                for side in range(2):
                    a, b = (low, middle) if side == 0 else (middle, high)
                    if a < b:
                        stack[top], stack[top + 1], stack[top + 2] = net.left[first + at] + side, a, b
                        top += 3
            elif asked >= 0 and codes[asked, row] >= 0:
                stack[top] = net.left[first + at] + (0 if codes[asked, row] <= net.cut[first + at] else 1)
                top += 3
            else:
                share = net.shares[own + at * wide + code]
                for v in range(low, high):
                    out[v] *= share
        for v in range(m):
            highest = max(highest, out[v])
        if highest > 0:
            for v in range(m):
                out[v] /= highest


@compiled
def cell_density(net: Any, codes: Ints, out: Floats) -> None:
    """Fill (d, n), the log probability of each code given all other codes of its row; 0 where it is open."""
    chance, stack = np.empty(np.max(net.size), np.float64), np.empty(3 * (len(net.feature) + 2), np.int64)
    for row in range(codes.shape[1]):
        for field in range(codes.shape[0]):
            code = codes[field, row]
            out[field, row] = 0.0
            if code >= 0:
                blanket(net, field, codes, row, chance, stack)
                whole = 0.0
                for v in range(net.size[field]):
                    whole += chance[v]
                out[field, row] = log(max(chance[code] / max(whole, 1e-300), 1e-30))


@compiled
def draw_known(
    net: Any, field: int, codes: Ints, fixed: Ints, table: Narrow, line: Ints, chance: Narrow, weight: Floats
) -> None:
    """Draw one field by what is known of it, and add to each row's weight how likely its parents made that.

    Args:
        net: The network.
        field: The field.
        codes: (d, n), the parents' codes are there, the field's are filled.
        fixed: (n,), given codes, or -1.
        table: (g, m), how much of each code is allowed.
        line: (n,), which line of the table counts.
        chance: (n,).
        weight: (n,), log weights.
    """
    m = net.size[field]
    for row in range(codes.shape[1]):
        base = net.start[field] + walk(net, field, codes, row) * m
        if fixed[row] >= 0:
            codes[field, row] = fixed[row]
            weight[row] += log(max(net.shares[base + fixed[row]] * table[line[row], fixed[row]], 1e-300))
            continue
        whole = 0.0
        for v in range(m):
            whole += net.shares[base + v] * table[line[row], v]
        if whole <= 0:
            weight[row] = -np.inf
            codes[field, row] = 0
            continue
        weight[row] += log(whole)
        codes[field, row] = picked(net.shares[base : base + m], table[line[row]], chance[row] * whole)


@compiled
def picked(shares: Any, allowed: Narrow, at: float) -> int:
    """The code at which the running sum of what is allowed passes a place."""
    total, last = 0.0, 0
    for v in range(len(allowed)):
        part = shares[v] * allowed[v]
        if part > 0:
            last = v
            total += part
            if total > at:
                return v
    return last


@compiled
def sweep(net: Any, field: int, codes: Ints, rows: Longs, table: Narrow, line: Ints, chance: Narrow) -> None:
    """Draw one field of some rows again, given all other codes of the row (a step of Gibbs sampling)."""
    m = net.size[field]
    out, stack = np.empty(m, np.float64), np.empty(3 * (len(net.feature) + 2), np.int64)
    for row in rows:
        blanket(net, field, codes, row, out, stack)
        whole = 0.0
        for v in range(m):
            whole += out[v] * table[line[row], v]
        if whole > 0:
            codes[field, row] = picked(out, table[line[row]], float(chance[row]) * whole)
