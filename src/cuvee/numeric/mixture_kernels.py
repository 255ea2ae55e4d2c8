"""The loops of a mixture of classes, compiled: states as tables of shares, numbers as Gaussians with gaps.

Rows with the same gaps are a pattern: `order` has the rows pattern by pattern, `begin` where each begins, and `masks`
(patterns, p) which numbers are there. Work that hangs on the gaps alone is done once a pattern and class.
"""

from math import erfc, exp, log, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.compiled import compiled

Floats = NDArray[np.float64]
Narrow = NDArray[np.float32]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Flags = NDArray[np.bool_]


@compiled
def add_states(states: Ints, first: Longs, logs: Floats, out: Floats) -> None:
    """Add to (n, K) the log shares of (fields, n) states; a state below 0 is open."""
    for f in range(states.shape[0]):
        for i in range(states.shape[1]):
            if states[f, i] >= 0:
                out[i] += logs[first[f] + states[f, i]]


@compiled
def count_states(states: Ints, first: Longs, weight: Floats, out: Floats) -> None:
    """Add to (cells, K) the weights, (n, K), of the rows that have each state."""
    for f in range(states.shape[0]):
        for i in range(states.shape[1]):
            if states[f, i] >= 0:
                out[first[f] + states[f, i]] += weight[i]


@compiled
def cholesky(matrix: Floats) -> Floats:
    """The lower factor of a positive definite matrix."""
    p = matrix.shape[0]
    lower = np.zeros((p, p))
    for i in range(p):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i == j:
                lower[i, i] = sqrt(max(total, 1e-12))
            else:
                lower[i, j] = total / lower[j, j]
    return lower


@compiled
def part_of(matrix: Floats, rows: Longs, columns: Longs) -> Floats:
    """Some rows and columns of a matrix."""
    result = np.empty((len(rows), len(columns)))
    for a in range(len(rows)):
        for b in range(len(columns)):
            result[a, b] = matrix[rows[a], columns[b]]
    return result


@compiled
def add_gaussians(
    z: Floats, order: Longs, begin: Longs, masks: Flags, means: Floats, spreads: Floats, out: Floats
) -> None:
    """Add to (n, K) the log density of (n, p) numbers, gaps integrated out."""
    for g in range(masks.shape[0]):
        there = np.flatnonzero(masks[g])
        p = len(there)
        if p == 0:
            continue
        y = np.empty(p)
        for k in range(means.shape[0]):
            lower = cholesky(part_of(spreads[k], there, there))
            base = -0.5 * p * log(2 * pi)
            for a in range(p):
                base -= log(lower[a, a])
            for i in order[begin[g] : begin[g + 1]]:
                square = 0.0
                for a in range(p):
                    value = z[i, there[a]] - means[k, there[a]]
                    for b in range(a):
                        value -= lower[a, b] * y[b]
                    y[a] = value / lower[a, a]
                    square += y[a] * y[a]
                out[i, k] += base - 0.5 * square


@compiled
def regression(spread: Floats, there: Longs, gone: Longs) -> tuple[Floats, Floats]:
    """How numbers that are gone follow from those there: coefficients (gone, there), and what is left of the spread."""
    lower = cholesky(part_of(spread, there, there))
    cross = part_of(spread, there, gone)
    left = part_of(spread, gone, gone)
    p, q = len(there), len(gone)
    half = np.empty((p, q))
    for c in range(q):
        for a in range(p):
            value = cross[a, c]
            for b in range(a):
                value -= lower[a, b] * half[b, c]
            half[a, c] = value / lower[a, a]
    slope = np.empty((q, p))
    for c in range(q):
        for a in range(p - 1, -1, -1):
            value = half[a, c]
            for b in range(a + 1, p):
                value -= lower[b, a] * slope[c, b]
            slope[c, a] = value / lower[a, a]
        for d in range(q):
            for a in range(p):
                left[c, d] -= half[a, c] * half[a, d]
    return slope, left


@compiled
def moments(
    z: Floats,
    order: Longs,
    begin: Longs,
    masks: Flags,
    means: Floats,
    spreads: Floats,
    weight: Floats,
    first: Floats,
    second: Floats,
) -> None:
    """Add expected sums, (K, p), and sums of products around the old means, (K, p, p), gaps filled in expectation."""
    p = means.shape[1]
    row = np.empty(p)
    for g in range(masks.shape[0]):
        there, gone = np.flatnonzero(masks[g]), np.flatnonzero(~masks[g])
        for k in range(means.shape[0]):
            slope, left = regression(spreads[k], there, gone)
            whole = 0.0
            for i in order[begin[g] : begin[g + 1]]:
                w = weight[i, k]
                if w < 1e-6:
                    continue
                whole += w
                for a in there:
                    row[a] = z[i, a] - means[k, a]
                for c in range(len(gone)):
                    value = 0.0
                    for a in range(len(there)):
                        value += slope[c, a] * row[there[a]]
                    row[gone[c]] = value
                for a in range(p):
                    first[k, a] += w * row[a]
                    for b in range(a + 1):
                        second[k, a, b] += w * row[a] * row[b]
            for c in range(len(gone)):
                for d in range(len(gone)):
                    if gone[d] <= gone[c]:
                        second[k, gone[c], gone[d]] += whole * left[c, d]


@compiled
def own_gaussians(
    z: Floats, order: Longs, begin: Longs, masks: Flags, means: Floats, spreads: Floats, out: Floats
) -> None:
    """Fill (n, p, K), the log density of each number given the other numbers of its row and the class; 0 for gaps."""
    out[:] = 0.0
    for g in range(masks.shape[0]):
        there = np.flatnonzero(masks[g])
        p = len(there)
        if p == 0:
            continue
        off = np.empty(p)
        for k in range(means.shape[0]):
            precision = np.linalg.inv(part_of(spreads[k], there, there))
            for i in order[begin[g] : begin[g + 1]]:
                for a in range(p):
                    off[a] = z[i, there[a]] - means[k, there[a]]
                for a in range(p):
                    value = 0.0
                    for b in range(p):
                        value += precision[a, b] * off[b]
                    out[i, there[a], k] = 0.5 * (log(precision[a, a] / (2 * pi)) - value * value / precision[a, a])


@compiled
def normal_below(x: float) -> float:
    """The normal distribution function."""
    return 0.5 * erfc(-x / sqrt(2.0))


@compiled
def normal_quantile(p: float) -> float:
    """The inverse of the normal distribution function, to about 1e-14.

    Source: Acklam's rational approximation, and one step of Halley.
    """
    if p <= 1e-300:
        return -37.0
    if p >= 1 - 1e-16:
        return 8.2
    if p < 0.02425 or p > 1 - 0.02425:
        q = sqrt(-2 * log(p if p < 0.5 else 1 - p))
        x = (
            (
                (((-7.784894002430293e-03 * q - 3.223964580411365e-01) * q - 2.400758277161838) * q - 2.549732539343734)
                * q
                + 4.374664141464968
            )
            * q
            + 2.938163982698783
        ) / (
            (((7.784695709041462e-03 * q + 3.224671290700398e-01) * q + 2.445134137142996) * q + 3.754408661907416) * q
            + 1
        )
        if p > 0.5:
            x = -x
    else:
        q = p - 0.5
        r = q * q
        x = (
            (
                (
                    (
                        ((-3.969683028665376e01 * r + 2.209460984245205e02) * r - 2.759285104469687e02) * r
                        + 1.383577518672690e02
                    )
                    * r
                    - 3.066479806614716e01
                )
                * r
                + 2.506628277459239
            )
            * q
        ) / (
            (
                (
                    ((-5.447609879822406e01 * r + 1.615858368580409e02) * r - 1.556989798598866e02) * r
                    + 6.680131188771972e01
                )
                * r
                - 1.328068155288572e01
            )
            * r
            + 1
        )
    error = normal_below(x) - p
    step = error * sqrt(2 * pi) * exp(min(x * x / 2, 700.0))
    return x - step / (1 + x * step / 2)


@compiled
def allowed_mass(mean: float, scale: float, edges: Floats, allowed: Narrow) -> float:
    """How likely a normal number falls into what is allowed of the cells between edges."""
    total, below = 0.0, normal_below((edges[0] - mean) / scale)
    for c in range(len(allowed)):
        above = normal_below((edges[c + 1] - mean) / scale)
        total += allowed[c] * max(above - below, 0.0)
        below = above
    return total


@compiled
def allowed_draw(mean: float, scale: float, edges: Floats, allowed: Narrow, chance: float) -> float:
    """A normal number in what is allowed, from a chance in [0, 1)."""
    at, total = chance * allowed_mass(mean, scale, edges, allowed), 0.0
    below = normal_below((edges[0] - mean) / scale)
    for c in range(len(allowed)):
        above = normal_below((edges[c + 1] - mean) / scale)
        part = allowed[c] * max(above - below, 0.0)
        if part > 0 and total + part > at:
            share = (at - total) / part
            found = mean + scale * normal_quantile(below + share * (above - below))
            return min(max(found, edges[c]), edges[c + 1])
        total += part
        below = above
    return mean


@compiled
def allowed_masses(mean: Floats, scale: Floats, edges: Floats, table: Narrow, line: Ints, out: Floats) -> None:
    """Fill (n, K) with `allowed_mass` for means and scales (n, K) and the line of the table of each row."""
    for i in range(mean.shape[0]):
        for k in range(mean.shape[1]):
            out[i, k] = allowed_mass(mean[i, k], scale[i, k], edges, table[line[i]])


@compiled
def draw_states(sums: Floats, first: Longs, classes: Ints, chances: Narrow, states: Ints) -> None:
    """Fill (fields, n) states where they are below 0, from running sums, (K, cells), in rows of given classes."""
    for f in range(states.shape[0]):
        for i in range(states.shape[1]):
            if states[f, i] >= 0:
                continue
            low, high, chance = 0, first[f + 1] - first[f] - 1, chances[f, i]
            while low < high:
                middle = (low + high) // 2
                if sums[classes[i], first[f] + middle] <= chance:
                    low = middle + 1
                else:
                    high = middle
            states[f, i] = low


@compiled
def draw_numbers(
    z: Floats, order: Longs, begin: Longs, masks: Flags, classes: Ints, means: Floats, spreads: Floats, noise: Floats
) -> None:
    """Fill the gaps of (n, p) numbers from normal noise, (n, p), given the numbers that are there and the classes."""
    for g in range(masks.shape[0]):
        there, gone = np.flatnonzero(masks[g]), np.flatnonzero(~masks[g])
        if len(gone) == 0:
            continue
        for k in range(means.shape[0]):
            slope, left = regression(spreads[k], there, gone)
            lower = cholesky(left)
            for i in order[begin[g] : begin[g + 1]]:
                if classes[i] != k:
                    continue
                for c in range(len(gone)):
                    value = means[k, gone[c]]
                    for a in range(len(there)):
                        value += slope[c, a] * (z[i, there[a]] - means[k, there[a]])
                    for b in range(c + 1):
                        value += lower[c, b] * noise[i, b]
                    z[i, gone[c]] = value


@compiled
def draw_within(
    z: Floats,
    order: Longs,
    begin: Longs,
    masks: Flags,
    classes: Ints,
    means: Floats,
    spreads: Floats,
    which: int,
    inside: Flags,
    edges: Floats,
    table: Narrow,
    line: Ints,
    chance: Floats,
    weight: Floats,
) -> None:
    """Draw one number of some rows from what is allowed of it, given those there; add the log mass of that to weights.

    `which` is the number, `inside` (n,) the rows, the last four as in `allowed_draw`, by row.
    Source: Geweke (1991), Efficient simulation from the multivariate normal distribution subject to linear constraints.
    """
    gone = np.array([which])
    for g in range(masks.shape[0]):
        there = np.flatnonzero(masks[g])
        for k in range(means.shape[0]):
            slope, left = regression(spreads[k], there, gone)
            scale = sqrt(max(left[0, 0], 1e-12))
            for i in order[begin[g] : begin[g + 1]]:
                if classes[i] != k or not inside[i]:
                    continue
                mean = means[k, which]
                for a in range(len(there)):
                    mean += slope[0, a] * (z[i, there[a]] - means[k, there[a]])
                mass = allowed_mass(mean, scale, edges, table[line[i]])
                weight[i] += log(max(mass, 1e-300))
                z[i, which] = allowed_draw(mean, scale, edges, table[line[i]], float(chance[i]))


@compiled
def expected_numbers(
    z: Floats,
    order: Longs,
    begin: Longs,
    masks: Flags,
    means: Floats,
    spreads: Floats,
    which: int,
    mean: Floats,
    scale: Floats,
) -> None:
    """Fill (n, K) means and scales of one number given those there, for every class."""
    gone = np.array([which])
    for g in range(masks.shape[0]):
        there = np.flatnonzero(masks[g])
        for k in range(means.shape[0]):
            slope, left = regression(spreads[k], there, gone)
            for i in order[begin[g] : begin[g + 1]]:
                value = means[k, which]
                for a in range(len(there)):
                    value += slope[0, a] * (z[i, there[a]] - means[k, there[a]])
                mean[i, k] = value
                scale[i, k] = sqrt(max(left[0, 0], 1e-12))
