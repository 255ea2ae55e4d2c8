"""The loops of a probabilistic circuit, compiled."""

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.compiled import compiled

Narrow = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

Totals = tuple[Floats, Narrow, Narrow]

TINY = np.float32(1e-30)


@compiled
def multiply(rows: Narrow, matrix: Narrow, out: Narrow) -> None:
    """(n, H) times (H, H). Four terms at a time: a row of `out` is then read and written a quarter as often."""
    h = matrix.shape[0]
    whole = h - h % 4
    for i in range(rows.shape[0]):
        out[i, :] = np.float32(0)
        for k in range(0, whole, 4):
            a, b, c, d = rows[i, k], rows[i, k + 1], rows[i, k + 2], rows[i, k + 3]
            for s in range(h):
                out[i, s] += a * matrix[k, s] + b * matrix[k + 1, s] + c * matrix[k + 2, s] + d * matrix[k + 3, s]
        for k in range(whole, h):
            a = rows[i, k]
            for s in range(h):
                out[i, s] += a * matrix[k, s]


@compiled
def add_products(left: Narrow, right: Narrow, total: Narrow) -> None:
    """Add the transpose of (n, H) times (n, H) to (H, H)."""
    n, h = left.shape
    whole = n - n % 4
    for i in range(0, whole, 4):
        for k in range(h):
            a, b, c, d = left[i, k], left[i + 1, k], left[i + 2, k], left[i + 3, k]
            for s in range(h):
                total[k, s] += a * right[i, s] + b * right[i + 1, s] + c * right[i + 2, s] + d * right[i + 3, s]
    for i in range(whole, n):
        for k in range(h):
            a = left[i, k]
            for s in range(h):
                total[k, s] += a * right[i, s]


@compiled
def gather(codes: Ints, first: Ints, emissions: Narrow, belief: Narrow) -> None:
    """Fill (d, n, H): how likely each state makes each code of (d, n); ones where a code is below 0."""
    for j in range(codes.shape[0]):
        for i in range(codes.shape[1]):
            if codes[j, i] < 0:
                belief[j, i, :] = np.float32(1)
            else:
                belief[j, i, :] = emissions[first[j] + codes[j, i]]


@compiled
def rescale(belief: Narrow, scale: Floats) -> None:
    """Divide each row by its largest entry, whose logarithm goes to `scale`; a row of nothing becomes ones."""
    for i in range(belief.shape[0]):
        top = np.float32(0)
        for s in range(belief.shape[1]):
            top = max(top, belief[i, s])
        if top > 0:
            scale[i] += np.log(np.float64(top))
            factor = np.float32(1) / top
            for s in range(belief.shape[1]):
                belief[i, s] *= factor
        else:
            scale[i] = -np.inf
            belief[i, :] = np.float32(1)


@compiled
def pass_up(order: Ints, parent: Ints, turned: Narrow, belief: Narrow, message: Narrow, scale: Floats) -> None:
    """Multiply into the belief of every field, (d, n, H), the messages of its children, from the leaves on.

    Args:
        order: (d,), every parent before its children.
        parent: (d,), -1 for the root.
        turned: (d, H, H), transitions with the child's states as rows.
        belief: Holds what is known of each field itself; afterwards of its whole subtree, each row up to a factor.
        message: (d, n, H), filled: what a field's belief says of each state of its parent.
        scale: (n,), the logarithm of the factors is added.
    """
    for k in range(len(order) - 1, -1, -1):
        j = order[k]
        rescale(belief[j], scale)
        up = parent[j]
        if up >= 0:
            multiply(belief[j], turned[j], message[j])
            mine, theirs = belief[up], message[j]
            for i in range(mine.shape[0]):
                for s in range(mine.shape[1]):
                    mine[i, s] *= theirs[i, s]
            rescale(mine, scale)


@compiled
def finish(prior: Floats, root: Narrow, scale: Floats) -> None:
    """Add the logarithm of how likely the root makes all evidence to (n,)."""
    for i in range(root.shape[0]):
        total = 0.0
        for s in range(root.shape[1]):
            total += prior[s] * np.float64(root[i, s])
        scale[i] += np.log(total)


@compiled
def pass_down(
    order: Ints, parent: Ints, prior: Floats, transitions: Narrow, belief: Narrow, message: Narrow, post: Narrow
) -> None:
    """Fill (d, n, H), the probability of every hidden state given all evidence of a row, from the root on.

    Each message is replaced by what is known of its parent without it.
    """
    for j in order:
        up = parent[j]
        mine = post[j]
        if up < 0:
            for i in range(mine.shape[0]):
                for s in range(mine.shape[1]):
                    mine[i, s] = np.float32(prior[s])
        else:
            rest, all_of_it = message[j], post[up]
            for i in range(mine.shape[0]):
                for s in range(mine.shape[1]):
                    rest[i, s] = all_of_it[i, s] / max(rest[i, s], TINY)
            multiply(rest, transitions[j], mine)
        for i in range(mine.shape[0]):
            total = np.float32(0)
            for s in range(mine.shape[1]):
                value = mine[i, s] * belief[j, i, s]
                mine[i, s] = value
                total += value
            factor = np.float32(1) / max(total, TINY)
            for s in range(mine.shape[1]):
                mine[i, s] *= factor


@compiled
def count(parent: Ints, codes: Ints, first: Ints, belief: Narrow, rest: Narrow, post: Narrow, into: Totals) -> None:
    """Add what `pass_down` left to the expected counts.

    Args:
        parent: (d,), -1 for the root.
        codes: (d, n), -1 where open.
        first: (d,), where the codes of each field begin in `seen`.
        belief: (d, n, H).
        rest: (d, n, H), what `pass_down` made of the messages.
        post: (d, n, H).
        into: Added to are (H,) rows in each state of the root; (d, H, H) rows that step from one state to another,
            still to be multiplied by the transitions; (codes, H) rows of each code in each state.
    """
    prior, steps, seen = into
    for j in range(codes.shape[0]):
        for i in range(codes.shape[1]):
            if codes[j, i] >= 0:
                at = first[j] + codes[j, i]
                for s in range(post.shape[2]):
                    seen[at, s] += post[j, i, s]
        if parent[j] < 0:
            for i in range(codes.shape[1]):
                for s in range(post.shape[2]):
                    prior[s] += post[j, i, s]
        else:
            add_products(rest[j], belief[j], steps[j])


@compiled
def smooth(
    counts: Narrow, nodes: Ints, share: Narrow, strength: Narrow, least: np.float32, rows: Narrow, out: Narrow
) -> None:
    """Expected counts as probabilities, smoothed along a binary tree of codes (a Pólya tree).

    At every node the share of the left side is drawn to its share among all rows, as by `strength` rows more; where
    fewer than `least` rows are expected it is that share.

    Args:
        counts: (m, H), expected rows of each code in each state.
        nodes: (m - 1, 2), left and right child of each node: a code, or m + the number of a later node.
        share: (m - 1,), share of the left side among all rows.
        strength: (m - 1,), how many rows that share is worth.
        least: The fewest rows that a share is learned from.
        rows: (2 m - 1, H), working space.
        out: (2 m - 1, H), filled: probabilities of codes first, then of nodes; those of codes sum to 1 in each state.
    """
    m, h = counts.shape
    rows[:m] = counts
    for k in range(m - 2, -1, -1):
        a, b = nodes[k, 0], nodes[k, 1]
        for s in range(h):
            rows[m + k, s] = rows[a, s] + rows[b, s]
    out[min(m, 2 * m - 2), :] = np.float32(1)
    for k in range(m - 1):
        a, b = nodes[k, 0], nodes[k, 1]
        for s in range(h):
            part = share[k]
            if rows[m + k, s] > 0 and rows[m + k, s] >= least:
                part = (rows[a, s] + strength[k] * part) / (rows[m + k, s] + strength[k])
            out[a, s] = out[m + k, s] * part
            out[b, s] = out[m + k, s] * (np.float32(1) - part)


@compiled
def share(post: Narrow, leaf: Narrow, out: Floats) -> None:
    """Minus the log of the sum over states of `post` / `leaf`, (d, n, H) each, into (d, n)."""
    for j in range(post.shape[0]):
        for i in range(post.shape[1]):
            total = 0.0
            for s in range(post.shape[2]):
                if leaf[j, i, s] > 0:
                    total += np.float64(post[j, i, s]) / np.float64(leaf[j, i, s])
            out[j, i] = -np.log(total)


@compiled
def locate(sums: Narrow, chance: np.float32) -> int:
    """The first entry of rising sums that is above a number; the sums end at 1."""
    low, high = 0, len(sums) - 1
    while low < high:
        middle = (low + high) // 2
        if sums[middle] > chance:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def draw(
    order: Ints, parent: Ints, first: Ints, prior: Floats, moves: Narrow, shares: Narrow, chances: Narrow, codes: Ints
) -> None:
    """Fill (d, n) codes from the root on, with nothing given.

    Args:
        order: (d,), every parent before its children.
        parent: (d,), -1 for the root.
        first: (d + 1,), where the codes of each field begin.
        prior: (H,), running sums over the root's states.
        moves: (d, H, H), running sums over a child's states.
        shares: (H, codes), running sums over each field's codes.
        chances: (2, d, n), uniform numbers below 1, for states and for codes.
        codes: (d, n), filled.
    """
    state = np.empty(len(order), np.int32)
    start = prior.astype(np.float32)
    for i in range(codes.shape[1]):
        for j in order:
            sums = start if parent[j] < 0 else moves[j, state[parent[j]]]
            z = locate(sums, chances[0, j, i])
            state[j] = z
            codes[j, i] = locate(shares[z, first[j] : first[j + 1]], chances[1, j, i])


@compiled
def draw_states(
    order: Ints, parent: Ints, prior: Floats, transitions: Narrow, belief: Narrow, chances: Narrow, states: Ints
) -> None:
    """Fill (d, n) with hidden states drawn from the root on, given the beliefs that `pass_up` left, (d, n, H)."""
    h = belief.shape[2]
    sums = np.empty(h)
    for i in range(states.shape[1]):
        for j in order:
            total = 0.0
            for s in range(h):
                move = prior[s] if parent[j] < 0 else np.float64(transitions[j, states[parent[j], i], s])
                total += move * np.float64(belief[j, i, s])
                sums[s] = total
            at, z = total * np.float64(chances[j, i]), 0
            while z < h - 1 and sums[z] <= at:
                z += 1
            states[j, i] = z


@compiled
def draw_codes(first: Ints, shares: Narrow, states: Ints, chances: Narrow, codes: Ints) -> None:
    """Fill the open cells, below 0, of (d, n) codes, each given its hidden state; see `draw`."""
    for j in range(codes.shape[0]):
        for i in range(codes.shape[1]):
            if codes[j, i] < 0:
                codes[j, i] = locate(shares[states[j, i], first[j] : first[j + 1]], chances[j, i])
