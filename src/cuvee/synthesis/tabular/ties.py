"""Columns that another column settles: exact doubles, and functions of a column with fewer surprises."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.codec.codec import Codec, Placed

Codes = NDArray[np.int64]

GLANCE = 512
"""Most pairs are ruled out on this many rows."""
WIDEST = 10_000
"""A column with more cells settles no other."""
PROOF = 20.0
"""A function is believed when as many rows as this could have broken it, for every cell of the settling column."""


@dataclass(frozen=True, slots=True, eq=False)
class Tie:
    """Column `child` is settled by column `parent`: an exact double, or the cell that `table` gives."""

    child: int
    parent: int
    table: Codes | None


def doubles(columns: Sequence[pl.Series]) -> list[Tie]:
    """Columns that equal an earlier one in every row."""
    found: list[Tie] = []
    seen: dict[tuple[str, str], list[int]] = {}
    for j, column in enumerate(columns):
        # Only columns that begin alike are compared in full.
        kin = seen.setdefault((str(column.dtype), str(column.head(20).to_list())), [])
        twin = next((k for k in kin if columns[k].equals(column, check_names=False, null_equal=True)), None)
        if twin is None:
            kin.append(j)
        else:
            found.append(Tie(j, twin, None))
    return found


def functions(codecs: Sequence[Codec], placed: Sequence[Placed], usable: Sequence[bool], *, least: int) -> list[Tie]:
    """Columns whose cell follows from the cell of one other column in every row.

    Only atoms take part, and a cell of the parent says something only where `least` rows have it, so that whatever the
    table says was true of as many rows as a kept value has. A parent has at least as many cells as its child; of two
    columns that settle each other the one with an order is the parent.
    """
    rank = sorted(
        (j for j, c in enumerate(codecs) if usable[j] and c.discrete and 1 < len(c.masses) <= WIDEST),
        key=lambda j: (-len(codecs[j].masses), not codecs[j].ordered, j),
    )
    found: list[Tie] = []
    for place, child in enumerate(rank):
        # The nearest parent: the one with the fewest cells beyond the child's own.
        for parent in reversed(rank[:place]):
            table = _function(codecs, placed, (parent, child), least)
            if table is not None:
                found.append(Tie(child, parent, table))
                break
    return found


def holds(tie: Tie, parent: Placed, child: Placed) -> bool:
    """Whether a tie that was found in some rows is true in these."""
    if tie.table is None:
        return True
    sure, told = _known(parent) & _known(child), tie.table[parent.codes]
    return bool((told[sure] == child.codes[sure]).all()) and not bool((_known(parent) & ~_known(child)).any())


def _function(codecs: Sequence[Codec], placed: Sequence[Placed], pair: tuple[int, int], least: int) -> Codes | None:
    """(m,), the child's cell for every cell of the parent; None where it does not follow."""
    parent, child = pair
    if (_known(placed[parent]) & ~_known(placed[child])).any():
        # A value of the child that is too rare to keep stands beside a kept one of the parent: nothing is settled.
        return None
    sure = _known(placed[parent]) & _known(placed[child])
    a, b = placed[parent].codes, placed[child].codes
    masses = codecs[child].masses
    if not _follows(a[:GLANCE], b[:GLANCE], sure[:GLANCE], len(codecs[parent].masses), least)[0]:
        return None
    true, table = _follows(a, b, sure, len(codecs[parent].masses), least)
    chances = len(a) * float(1 - np.square(masses).sum())
    return table if true and chances >= PROOF * len(codecs[parent].masses) else None


def _follows(a: Codes, b: Codes, sure: NDArray[np.bool_], cells: int, least: int) -> tuple[bool, Codes]:
    """Whether b follows from a in all sure rows, and the table that says so."""
    table = np.full(cells, -1, np.int64)
    table[a[sure]] = b[sure]
    if not (table[a[sure]] == b[sure]).all():
        return False, table
    # A cell that too few sure rows have gets the child's most common cell.
    common = np.bincount(b[sure]).argmax() if sure.any() else 0
    return True, np.where(np.bincount(a[sure], minlength=cells) < least, common, table)


def _known(placed: Placed) -> NDArray[np.bool_]:
    return np.ones(len(placed.codes), np.bool_) if placed.known is None else placed.known
