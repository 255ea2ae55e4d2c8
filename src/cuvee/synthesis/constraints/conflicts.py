"""Constraints that can't hold together, found before anything is learned."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.core import Constraint
from cuvee.data.errors import ModelError

SECONDS = 0.7
"""How long the smallest set of conflicting constraints is looked for."""


def refuse_conflicts(constraints: Sequence[Constraint], frame: pl.DataFrame) -> NDArray[np.bool_]:
    """(n,), the rows that break no constraint.

    Raises:
        ModelError: No row meets all of them; the message names the fewest that no row meets together.
    """
    single = [c for c in constraints if not c.across]
    if not single or not frame.height:
        return np.ones(frame.height, np.bool_)
    broken = np.array([(c.truth(frame, None) == False).fill_null(value=False).to_numpy() for c in single])  # noqa: E712
    # Rows in which a value is missing break little. Only if none is whole, they are what is there.
    columns = list(dict.fromkeys(name for c in single for name in c.columns()))
    floats = [pl.col(c).fill_nan(None) for c in columns if frame.schema[c].is_float()]
    there = (
        frame.select(columns)
        .with_columns(floats)
        .select(pl.all_horizontal(pl.all().is_not_null()).alias("there"))["there"]
        .to_numpy()
    )
    judged = broken[:, there] if there.any() else broken
    if (~judged.any(axis=0)).any():
        return np.asarray(~broken.any(axis=0), np.bool_)
    smallest = fewest(judged)
    names = [str(single[k]) for k in smallest]
    counts = f"{judged.shape[1]:,} rows{' in which nothing is missing' if there.any() and not there.all() else ''}"
    if len(names) == 1:
        raise ModelError(
            f"The constraint {names[0]!r} holds in none of {counts}, so nothing can be learned under it. Drop or mend "
            "it."
        )
    raise ModelError(
        f"The constraints {', '.join(map(repr, names[:-1]))} and {names[-1]!r} can't hold together: each alone holds "
        f"in some of {counts}, and no row meets {'both' if len(names) == 2 else 'all'}. Drop or mend one of them."
    )


def fewest(broken: NDArray[np.bool_]) -> list[int]:
    """The fewest rules of which every row breaks at least one.

    Args:
        broken: (rules, rows), which rows break which rules; every row breaks one.

    Returns:
        Their numbers, ascending. The smallest hitting set is found by integer programming; where that takes too long,
        a set of which none can be left out.
    """
    patterns = np.unique(broken, axis=1)
    order = np.argsort(patterns.sum(axis=0), kind="stable")
    kept: list[NDArray[np.bool_]] = []
    for k in order:
        one = patterns[:, k]
        # A row that breaks all that another one breaks, and more, says nothing new.
        if not any((other <= one).all() for other in kept):
            kept.append(one)
    table = np.array(kept).T
    from scipy.optimize import Bounds, LinearConstraint, milp

    found = milp(
        np.ones(len(table)),
        constraints=LinearConstraint(table.T.astype(np.float64), lb=1),
        integrality=np.ones(len(table)),
        bounds=Bounds(0, 1),
        options={"time_limit": SECONDS},
    )
    if found.x is not None and table[found.x > 0.5].any(axis=0).all():
        return np.flatnonzero(found.x > 0.5).tolist()
    chosen = list(range(len(table)))
    for k in range(len(table)):
        fewer = [j for j in chosen if j != k]
        if table[fewer].any(axis=0).all():
            chosen = fewer
    return chosen
