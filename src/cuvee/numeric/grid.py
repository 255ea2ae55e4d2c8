"""The grid that numbers were rounded to: decimals, whole numbers, multiples of 10 or 500."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ENOUGH = 0.995
"""Share of the values that must lie on a grid; a few strays do not make a column ungridded."""
STEPS = tuple(m * 10**e for e in range(13) for m in (1, 2, 5))
"""Steps that people round to."""


def decimals_of(values: Floats, *, digits: int) -> int | None:
    """How many decimals the values are written with, 0 to 9, or None where they are not rounded.

    Args:
        values: (n,), finite.
        digits: Significant decimal digits that the dtype holds (15 for Float64, 6 for Float32).
    """
    if len(values) == 0:
        return None
    size = np.abs(values).max()
    for decimals in range(10):
        scaled = values * 10.0**decimals
        if size * 10.0**decimals >= 10.0**digits:
            return None
        error = np.abs(scaled - np.rint(scaled))
        if (error <= np.maximum(np.abs(scaled), 1) * 10.0**-digits).mean() >= ENOUGH:
            return decimals
    return None


def step_of(whole: NDArray[Any], *, units: tuple[int, ...] = ()) -> tuple[int, int]:
    """The step that whole numbers keep to, and their remainder by it: all are (nearly) remainder + j * step.

    Args:
        whole: (n,), integers of any dtype.
        units: Steps worth trying beside those that people round to, such as the seconds of a day.

    Returns:
        (step, remainder); (1, 0) where there is none, and where there are too few values to be sure.
    """
    distinct = np.unique(whole)
    if len(distinct) < 5:
        return 1, 0
    first = int(distinct[len(distinct) // 2])
    apart = np.abs(distinct.astype(object) - first) if distinct.dtype.kind == "O" else _distances(distinct, first)
    common = int(np.gcd.reduce(apart))
    # An odd step (7, 123) is believed only where it would be a great coincidence otherwise.
    sure = common > 1 and (len(distinct) >= 20 or common in STEPS or common in units)
    found = (common, first % common) if sure else (1, 0)
    for step in sorted({*STEPS[1:], *units}, reverse=True):
        if found[0] < step < int(apart.max()) and (whole % step == 0).mean() >= ENOUGH:
            return step, 0
    return found


def _distances(distinct: NDArray[Any], first: int) -> NDArray[Any]:
    """How far integers lie from one of them, without overflow."""
    span = int(distinct[-1]) - int(distinct[0])
    if span >= 2**62:
        return np.abs(distinct.astype(object) - first)
    return np.abs(distinct.astype(np.int64) - np.int64(first))
