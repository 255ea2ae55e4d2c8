"""Margins as cells: a column's distribution cut into atoms (spikes) and intervals whose edges reveal no single row.

A margin is a row of *cells* sorted by value. An atom is a value that many rows share; an interval holds the rest,
evenly spread. A cell has a mass, and the cells' masses sum to 1. Ranks u in (0, 1) and pairs (cell, position within
the cell) are the same thing said twice: `locate` and `rank` go between them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

BUCKETS = 4096
MANY = 10_000
"""From this many values on they are looked up by bucket."""
EDGE = 2.0**-40
"""Ranks keep this distance from 0 and 1, so that normal scores stay finite."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Cells sorted by value; atoms are those with `left == right`.

    Attributes:
        left: (m,), lower edges, rising.
        right: (m,), upper edges.
        counts: (m,), rows in each cell; fractions occur, where an interval was cut at an atom.
    """

    left: Floats
    right: Floats
    counts: Floats

    @property
    def atoms(self) -> NDArray[np.bool_]:
        """(m,), which cells are atoms."""
        return self.left == self.right


def spread_ties(ordered: Floats, width: float) -> Floats:
    """Sorted values with ties spread evenly over the `width` around each, (n,), still sorted.

    Values on a grid of that width become a sample without steps: 3, 3 with width 1 become 2.75, 3.25.
    """
    n = len(ordered)
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    size = np.diff(np.r_[first, n])
    place = np.arange(n) - np.repeat(first, size)
    return ordered + width * ((place + 0.5) / np.repeat(size, size) - 0.5)


def cut_ranks(n: int, *, bins: int, least: int) -> Codes:
    """Ranks 0 = r_0 < ... < r_m = n between which the rows are counted; `least` or more rows lie between neighbours.

    Ranks are evenly spaced inside and double towards both ends, because that is where a distribution bends most.
    """
    if n < 2 * least:
        return np.array([0, n])
    step = max(n / bins, least)
    inner = np.rint(np.arange(step, n - step / 2, step)).astype(np.int64)
    tail = least * 2 ** np.arange(max(int(np.log2(step / least)) + 1, 1))
    wanted = np.unique(np.concatenate([[0], tail, inner, n - tail, [n]]))
    wanted = wanted[(wanted == 0) | (wanted == n) | ((wanted >= least) & (wanted <= n - least))]
    kept = [0]
    for rank in wanted[1:-1].tolist():
        if rank - kept[-1] >= least:
            kept.append(rank)
    return np.array([*kept, n])


def smooth_knots(ordered: Floats, ranks: Codes, *, least: int) -> Floats:
    """Values of the quantile function at the given ranks, each from the mean of `least` or more rows.

    Inner knots are means of a window around the rank. The two ends are placed so that the first and last interval have
    the mean that their rows have; the smallest and the largest row are never read by themselves.

    Args:
        ordered: (n,), sorted; n >= least.
        ranks: (m + 1,), from `cut_ranks`.
        least: The fewest rows a stored figure may come from.

    Returns:
        (m + 1,), rising.
    """
    total = np.concatenate([[0.0], np.cumsum(ordered - ordered[len(ordered) // 2])])
    centre = ordered[len(ordered) // 2]

    def mean(start: Codes, stop: Codes) -> Floats:
        return centre + (total[stop] - total[start]) / (stop - start)

    if len(ranks) == 2:
        return _ends_of_one(ordered)
    gaps = np.diff(ranks)
    half = np.maximum((least + 1) // 2, np.minimum(gaps[:-1], gaps[1:]) // 4)
    inner = mean(np.maximum(ranks[1:-1] - half, 0), np.minimum(ranks[1:-1] + half, len(ordered)))
    ends = mean(ranks[[0, -2]], ranks[[1, -1]])
    low, high = 2 * ends[0] - inner[0], 2 * ends[1] - inner[-1]
    return np.maximum.accumulate(np.concatenate([[min(low, inner[0])], inner, [max(high, inner[-1])]]))


def _ends_of_one(ordered: Floats) -> Floats:
    """The two ends of a uniform distribution with the mean and spread of all rows."""
    reach = np.sqrt(3.0) * ordered.std()
    return np.array([ordered.mean() - reach, ordered.mean() + reach])


def cut_cells(
    values: Floats, atoms: Floats, counts: Floats, *, width: float, bounds: tuple[float, float], bins: int, least: int
) -> Cells:
    """Cells of a margin that has spikes and a continuous part.

    Args:
        values: (n,), the continuous part, in any order; n is 0 or at least `least`.
        atoms: (a,), the values of the spikes, rising.
        counts: (a,), the rows of each.
        width: The grid that the values lie on, or 0 for none. An atom takes up this much of the line.
        bounds: Between which values the continuous part may lie; infinite where nothing is known.
        bins: About how many intervals are wanted.
        least: The fewest rows a stored figure may come from.

    Returns:
        The cells. An interval that holds an atom is cut there and its rows are shared out by length; an interval with
        no room beside its atoms gives its rows to the nearest atom.
    """
    if len(values) == 0:
        return Cells(atoms, atoms, counts)
    ordered = spread_ties(np.sort(values), width)
    ranks = cut_ranks(len(ordered), bins=bins, least=least)
    knots = np.clip(smooth_knots(ordered, ranks, least=least), *bounds)
    left, right, rows = knots[:-1], knots[1:], np.diff(ranks).astype(np.float64)
    # Many equal values below the size of a spike, or a bound, leave intervals without length: those are atoms too.
    flat = left == right
    atoms, counts = _join(atoms, counts, left[flat], rows[flat], width / 2)
    left, right, rows = left[~flat], right[~flat], rows[~flat]
    if len(left) == 0:
        return Cells(atoms, atoms, counts)
    edges = np.concatenate([atoms - width / 2, atoms + width / 2])
    points = np.unique(np.concatenate([left, right, np.clip(edges, left[0], right[-1])]))
    low, high = points[:-1], points[1:]
    middle = low / 2 + high / 2
    free = np.where(_distance(atoms, middle)[1] > width / 2, high - low, 0.0)
    home = np.clip(np.searchsorted(left, middle, side="right") - 1, 0, len(rows) - 1)
    room = np.bincount(home, weights=free, minlength=len(rows))
    pieces = rows[home] * np.divide(free, room[home], out=np.zeros_like(free), where=room[home] > 0)
    full = room <= 0
    atoms, counts = _join(atoms, counts, (left / 2 + right / 2)[full], rows[full], np.inf)
    kept = pieces > 0
    both = (np.r_[atoms, low[kept]], np.r_[atoms, high[kept]], np.r_[counts, pieces[kept]])
    order = np.lexsort((both[1], both[0]))
    return Cells(both[0][order], both[1][order], both[2][order])


def _distance(atoms: Floats, points: Floats) -> tuple[Codes, Floats]:
    """The nearest atom of each point, (p,), and how far it is; infinitely far without atoms."""
    if len(atoms) == 0:
        return np.zeros(len(points), np.int64), np.full(len(points), np.inf)
    after = np.clip(np.searchsorted(atoms, points), 0, len(atoms) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.where(np.abs(atoms[after] - points) <= np.abs(atoms[before] - points), after, before)
    return nearer, np.abs(atoms[nearer] - points)


def _join(atoms: Floats, counts: Floats, points: Floats, rows: Floats, reach: float) -> tuple[Floats, Floats]:
    """The atoms with the rows of the points: added to the atom within reach, else the point is a new atom."""
    nearest, gap = _distance(atoms, points)
    near = gap <= reach
    if near.any():
        counts = counts + np.bincount(nearest[near], weights=rows[near], minlength=len(atoms))
    if near.all():
        return atoms, counts
    fresh, home = np.unique(points[~near], return_inverse=True)
    values = np.r_[atoms, fresh]
    sizes = np.r_[counts, np.bincount(home, weights=rows[~near])]
    order = np.argsort(values)
    return values[order], sizes[order]


def count_below(edges: Floats, values: Floats) -> Codes:
    """How many edges are at or below each value, (n,): what `np.searchsorted(side="right")` gives, faster for many.

    The line is cut into even buckets; only values that share one with several edges are searched for. Rounding can't
    mislead: it keeps the order of values, so an edge of an earlier bucket is below a value of a later one.
    """
    span = float(edges[-1]) - float(edges[0]) if len(edges) > 1 else 0.0
    if len(values) < MANY or not 0 < span < np.inf or BUCKETS / span == np.inf:
        return np.searchsorted(edges, values, side="right")
    turn = BUCKETS / span
    with np.errstate(over="ignore"):
        bucket = np.clip((values - edges[0]) * turn, 0, BUCKETS).astype(np.int32)
    held = np.bincount(np.clip((edges - edges[0]) * turn, 0, BUCKETS).astype(np.int32), minlength=BUCKETS + 1)
    result = (np.cumsum(held) - held)[bucket]
    # Where the bucket has one edge, the value is compared with it; where it has several, they are searched.
    within = held[bucket]
    one, several = np.flatnonzero(within == 1), np.flatnonzero(within > 1)
    result[one] += edges[result[one]] <= values[one]
    result[several] = np.searchsorted(edges, values[several], side="right")
    return result


def place(cells: Cells, values: Floats, *, width: float, rng: Generator) -> tuple[Codes, Floats]:
    """The cell of every value, (n,), and where it lies within it, (n,) in [0, 1).

    A value on an atom lies at random within it. Other values go to the interval they lie in, or to the nearest cell
    where there is none; a grid's steps are smoothed out at random.
    """
    noise = rng.random(len(values))
    smooth = values + width * (noise - 0.5)
    code = np.clip(count_below(cells.left, smooth) - 1, 0, len(cells.left) - 1)
    spikes = np.flatnonzero(cells.atoms)
    if len(spikes):
        at = np.maximum(count_below(cells.left[spikes], values) - 1, 0)
        code = np.where(cells.left[spikes][at] == values, spikes[at], code)
    length = cells.right[code] - cells.left[code]
    inside = np.divide(smooth - cells.left[code], length, out=noise.copy(), where=length > 0)
    return code, np.clip(inside, 0.0, 1 - EDGE)


def cumulative(masses: Floats) -> Floats:
    """(m + 1,), the ranks between cells: 0, ..., 1."""
    total = np.concatenate([[0.0], np.cumsum(masses)])
    return total / total[-1] if total[-1] > 0 else np.linspace(0, 1, len(total))


def rank(masses: Floats, codes: Codes, within: Floats) -> Floats:
    """The rank of a place within a cell, (n,) in (0, 1).

    Source: the distributional transform, Rueschendorf (2009), On the distributional transform, Sklar's theorem, and
    the empirical copula process: with `within` uniform inside atoms, ranks are uniform whatever the margin is.
    """
    below = cumulative(masses)
    return np.clip(below[codes] + within * np.diff(below)[codes], EDGE, 1 - EDGE)


def locate(masses: Floats, ranks: Floats) -> tuple[Codes, Floats]:
    """The cell of every rank, (n,), and where it lies within it, (n,) in [0, 1)."""
    below = cumulative(masses)
    code = count_below(below[1:-1], ranks)
    size = np.diff(below)[code]
    inside = np.divide(ranks - below[code], size, out=np.zeros(len(code)), where=size > 0)
    return code, np.clip(inside, 0.0, 1 - EDGE)
