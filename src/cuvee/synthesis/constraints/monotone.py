"""Values that never fall along an order."""

from typing import final

import polars as pl

from cuvee.core import Constraint
from cuvee.data.errors import SchemaError

ROW, NEXT, BEFORE = "_row", "_next", "_before"


@final
class Monotone(Constraint):
    """A number or moment that never falls along another column, in each group: a meter reading along time.

    The values that were drawn for a group are handed to its rows in order; none is changed.

    Attributes:
        monotone: The column that never falls.
        by: The column that orders the rows.
        within: The columns of which rows with the same values are a group; none for all rows together.
        falling: Whether it never rises instead.
    """

    across = True

    monotone: str
    by: str
    within: tuple[str, ...] = ()
    falling: bool = False

    def __str__(self) -> str:
        group = f" within {', '.join(self.within)}" if self.within else ""
        return f"{self.monotone} never {'rises' if self.falling else 'falls'} along {self.by}{group}"

    def columns(self) -> tuple[str, ...]:
        return (self.monotone, self.by, *self.within)

    def truth(self, frame: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        del learned
        _ordered(frame, self.monotone, self.by)
        there = _rows(frame, self.columns())
        value = pl.col(self.monotone)
        # Rows at the same place in the order have no order: the largest of all earlier places counts.
        sign = value.min() if self.falling else value.max()
        places = there.group_by(*self.within, self.by).agg(sign.alias(NEXT)).sort(*self.within, self.by)
        reach = pl.col(NEXT).cum_min() if self.falling else pl.col(NEXT).cum_max()
        before = reach.over(self.within).shift(1).over(self.within) if self.within else reach.shift(1)
        places = places.with_columns(before.alias(BEFORE))
        keys = [*self.within, self.by]
        looked = there.join(places.select(*keys, BEFORE), on=keys, how="left", maintain_order="left")
        fine = (value <= pl.col(BEFORE)) if self.falling else (value >= pl.col(BEFORE))
        said = looked.select(ROW, truth=fine.fill_null(value=True))
        rows = pl.DataFrame({ROW: pl.int_range(frame.height, dtype=pl.UInt32, eager=True)})
        return rows.join(said, on=ROW, how="left", maintain_order="left")["truth"]

    def settle(self, frame: pl.DataFrame) -> pl.DataFrame:
        _ordered(frame, self.monotone, self.by)
        there = _rows(frame, self.columns())
        keys = list(self.within)
        order = there.sort(*keys, self.by, ROW)
        values = there.sort(*keys, self.monotone, ROW, descending=[*(False for _ in keys), self.falling, False])
        placed = pl.DataFrame({ROW: order[ROW], NEXT: values[self.monotone]})
        whole = frame.with_row_index(ROW).join(placed, on=ROW, how="left", maintain_order="left")
        value = pl.coalesce(NEXT, self.monotone).alias(self.monotone)
        return whole.with_columns(value).select(frame.columns)


def _rows(frame: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    """The rows in which nothing of it is missing, with their numbers."""
    there = frame.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias(ROW), *dict.fromkeys(columns))
    floats = [c for c in dict.fromkeys(columns) if frame.schema[c].is_float()]
    return there.with_columns(pl.col(c).fill_nan(None) for c in floats).drop_nulls()


def _ordered(frame: pl.DataFrame, *columns: str) -> None:
    """Refuse what has no order.

    Raises:
        SchemaError: A column is neither a number nor a moment.
    """
    for name in columns:
        dtype = frame.schema[name]
        if not (dtype.is_numeric() or dtype.is_temporal()):
            raise SchemaError(f"Column {name!r} is {dtype}; what goes up is a number, a date or a time.")
