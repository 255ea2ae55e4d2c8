"""What holds within groups of rows: places that no two rows of a group share, and what never falls along them."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from cuvee.data.proposals import CHANCE, Proposal, counted, nats
from cuvee.data.schema import Table

GROUPS, ORDERS, VALUES = 8, 16, 30
"""At most so many columns are looked at as groups, as places, and as values."""
SOME = 300
"""Candidates are looked for in so many groups."""
SIZE = 3
"""Groups have at least so many rows in the mean."""
OFTEN = 0.01
"""Along the places of all groups together a value must fall this often: else the places themselves say it."""


def grouped(plain: pl.DataFrame, table: Table) -> Iterator[Proposal]:
    """Keys of a group and a place in it, and values that never fall along the places of a group."""
    whole = [c for c in plain.columns if not plain[c].null_count() and plain[c].n_unique() < plain.height]
    groups = [c for c in whole if _is_group(plain[c], table.columns[c].kind)][:GROUPS]
    places = [c for c in whole if _is_place(plain[c])][:ORDERS]
    groups.sort(key=lambda c: -plain[c].n_unique())
    seen: set[frozenset[str]] = set()
    for group in groups:
        first = plain[group].unique(maintain_order=True).head(SOME)
        some = plain.filter(pl.col(group).is_in(first.implode()))
        for place in places:
            if place == group or _by_chance(plain, group, place) < CHANCE:
                continue
            if some.select(group, place).is_duplicated().any():
                continue
            truth = plain.select(pl.struct(group, place).is_first_distinct()).to_series()
            key = list(counted({"unique": [group, place]}, truth, f"no two rows of one {group} have the same {place}"))
            rising = list(_rising(some, plain, group, place)) if key else []
            yield from rising
            if frozenset((group, place)) not in seen and (table.key is None or set(table.key) != {group, place}):
                yield from key
            seen |= {frozenset((group, place))} if key else set()
            if rising:
                return


def _is_group(column: pl.Series, kind: str) -> bool:
    """Whether rows with the same value may be a group."""
    if kind not in {"id", "category", "number"} or column.dtype.is_float() or column.dtype == pl.Boolean:
        return False
    return 20 <= column.n_unique() <= len(column) // SIZE


def _is_place(column: pl.Series) -> bool:
    """Whether values may be places in an order."""
    ordered = column.dtype.is_integer() or isinstance(column.dtype, (pl.Date, pl.Datetime))
    return ordered and column.n_unique() >= SIZE


def _by_chance(plain: pl.DataFrame, group: str, place: str) -> float:
    """How many pairs of rows would share a group and a place by chance."""
    n = plain.height
    one, other = (float(np.square(plain[c].value_counts()["count"].to_numpy() / n).sum()) for c in (group, place))
    return n * (n - 1) / 2 * one * other


def _rising(some: pl.DataFrame, plain: pl.DataFrame, group: str, place: str) -> Iterator[Proposal]:
    """Values that never fall along the places of a group, though they do over all groups."""
    ordered = [
        c
        for c, d in some.schema.items()
        if c not in {group, place}
        and (d.is_numeric() or isinstance(d, (pl.Date, pl.Datetime)))
        and some[c].n_unique() > 2
    ][:VALUES]
    inner, outer = some.sort(group, place), some.sort(place)
    for c in ordered:
        step = pl.col(c).cast(pl.Float64) if some.schema[c].is_numeric() else pl.col(c).to_physical().cast(pl.Float64)
        steps = inner.select(step.diff().over(group)).to_series().drop_nulls()
        rises, falls = int((steps > 0).sum()), int((steps < 0).sum())
        alone = outer.select(step.diff()).to_series().drop_nulls()
        share = int((alone < 0).sum()) / max(len(alone), 1)
        if rises * nats(0.5) < CHANCE or falls > rises // 1_000 or share < OFTEN:
            continue
        whole = plain.with_row_index("_row").select("_row", group, place, c).drop_nulls(c).sort(group, place)
        fine = whole.select("_row", fine=(pl.col(c) >= pl.col(c).shift(1).over(group)).fill_null(value=True))
        truth = pl.DataFrame({"_row": pl.int_range(plain.height, dtype=pl.UInt32, eager=True)}).join(
            fine, on="_row", how="left", maintain_order="left"
        )["fine"]
        why = f"over all rows in the order of {place} it falls in {share:.0%} of the steps"
        yield from counted({"monotone": c, "by": place, "within": [group]}, truth, why)
