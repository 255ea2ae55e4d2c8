"""Tables with given margins: shares fitted to them, and whole numbers that meet them exactly."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROUNDS = 2_000
CLOSE = 1e-9
SECONDS = 20.0
"""How long whole numbers are looked for at most; what is found by then meets the margins, if anything does."""


def fitted_to_margins(weights: Floats, margins: list[Floats]) -> Floats | None:
    """The table nearest to some weights (least relative entropy) that has given margins.

    Source: Deming and Stephan (1940), iterative proportional fitting; Csiszár (1975) for what it minimises.

    Args:
        weights: One axis for each margin; 0 stays 0.
        margins: The sums wanted along each axis, each summing to the same.

    Returns:
        The table; None where no table with these zeros has the margins.
    """
    table = weights.astype(np.float64)
    for _ in range(ROUNDS):
        for axis, wanted in enumerate(margins):
            have = _along(table, axis)
            ratio = np.divide(wanted, have, out=np.zeros_like(have), where=have > 0)
            table = table * ratio.reshape([-1 if k == axis else 1 for k in range(table.ndim)])
        off = max(float(np.abs(_along(table, k) - wanted).max()) for k, wanted in enumerate(margins))
        if off <= CLOSE * max(float(margins[0].sum()), 1.0):
            return table
    return None


def whole_shares(shares: Floats, n: int) -> Ints:
    """Whole numbers that sum to n, each as near to its share as can be; ties go to the first.

    Source: Hamilton's method of the largest remainder.

    >>> whole_shares(np.array([0.5, 0.25, 0.25]), 3).tolist()
    [2, 1, 0]
    """
    exact = np.round(shares * n, 9)
    counts = np.floor(exact).astype(np.int64)
    left = n - int(counts.sum())
    counts[np.argsort(-(exact - counts), kind="stable")[:left]] += 1
    return counts


def whole_table(table: Floats, margins: list[Ints]) -> Ints | None:
    """Whole numbers near to a table that have given margins exactly; a 0 stays 0.

    Every cell is rounded up or down where that can be, and as near as can be in sum. Source: Cox (1987), A constructive
    procedure for unbiased controlled rounding, for the problem; it is solved here by integer programming.

    Args:
        table: One axis for each margin.
        margins: The sums wanted along each axis.

    Returns:
        The numbers; None where there are none.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_array

    inside = np.flatnonzero(table.reshape(-1) > 0)
    if not len(inside):
        return np.zeros(table.shape, np.int64) if not sum(int(m.sum()) for m in margins) else None
    exact = np.round(table.reshape(-1)[inside], 9)
    places = np.unravel_index(inside, table.shape)
    first = np.concatenate([[0], np.cumsum([len(m) for m in margins])])
    rows = np.concatenate([p + first[k] for k, p in enumerate(places)])
    columns = np.tile(np.arange(len(inside)), table.ndim)
    wanted = np.concatenate(margins).astype(np.float64)
    sums: Any = wanted
    for farther in (0, 1, 4, int(wanted.max(initial=0))):
        # What one more costs: 1 less twice the remainder, halved.
        lowest: Any = np.maximum(np.floor(exact) - farther, 0)
        highest: Any = np.ceil(exact) + farther
        matrix = coo_array((np.ones(len(rows)), (rows, columns)), shape=(first[-1], len(inside))).tocsr()
        found = milp(
            lowest - exact + 0.5,
            constraints=LinearConstraint(matrix, sums, sums),
            integrality=np.ones(len(inside)),
            bounds=Bounds(lowest, highest),
            options={"time_limit": SECONDS},
        )
        if found.x is None:
            continue
        result = np.zeros(table.size, np.int64)
        result[inside] = np.rint(found.x).astype(np.int64)
        return result.reshape(table.shape)
    return None


def _along(table: Floats, axis: int) -> Floats:
    return table.sum(axis=tuple(k for k in range(table.ndim) if k != axis))
