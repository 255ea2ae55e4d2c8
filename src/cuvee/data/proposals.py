"""What a proposal says of a constraint: in how many rows it was looked at, and which rows break it."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from cuvee.data.constraint_lines import Line
from cuvee.data.schema import Proposal

CHANCE = 15.0
"""A rule must have had so many occasions to be broken by chance, in nats or in rows: e^-15 is 3 in ten million."""
NEARLY = 20
"""A rule that nearly holds is broken by at most so many rows,"""
SHARE = 0.001
"""and by at most this share of them."""
SHOWN = 5

__all__ = ["CHANCE", "NEARLY", "Proposal", "counted", "nats"]


def counted(line: Line, truth: pl.Series, why: str) -> Iterator[Proposal]:
    """The proposal of a line, where it holds in all rows or nearly all.

    Args:
        line: The line.
        truth: (n,), whether it holds in each row; null where a value is missing.
        why: What speaks for it.
    """
    judged = len(truth) - truth.null_count()
    wrong = np.flatnonzero((~truth.fill_null(value=True)).to_numpy())
    if not judged or len(wrong) > min(NEARLY, SHARE * judged):
        return
    rows = "all" if not len(wrong) else f"all but {len(wrong):,} of"
    reason = f"holds in {rows} {judged:,} rows: {why}."
    yield Proposal(
        line=line,
        rows=judged,
        exceptions=len(wrong),
        where=tuple(int(k) for k in wrong[:SHOWN]),
        confidence=0.9 if not len(wrong) else 0.6,
        reason=reason,
    )


def nats(share: float) -> float:
    """How surprising it is that something of this share is true once more."""
    return -float(np.log(min(max(share, 1e-12), 1.0)))
