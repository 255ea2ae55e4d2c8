"""Columns that no two rows share."""

from typing import final

import polars as pl
from pydantic import Field

from cuvee.core import Constraint


@final
class Unique(Constraint):
    """A key: no two rows have the same values in these columns; rows that lack one of them may be as they are.

    Rows that repeat an earlier one are drawn again.

    Attributes:
        unique: The columns.
    """

    across = True

    unique: tuple[str, ...] = Field(min_length=1)

    def __str__(self) -> str:
        return f"{', '.join(self.unique)} {'is' if len(self.unique) == 1 else 'are'} unique"

    def columns(self) -> tuple[str, ...]:
        return self.unique

    def truth(self, frame: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        del learned
        key = pl.struct(self.unique)
        there = pl.all_horizontal(pl.col(c).is_not_null() for c in self.unique)
        return frame.select(pl.when(there).then(key.is_first_distinct()).alias("truth")).to_series()
