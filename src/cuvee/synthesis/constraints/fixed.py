"""Combinations of values that occur, and no others."""

from typing import final

import polars as pl
from pydantic import Field

from cuvee.core import Constraint
from cuvee.synthesis.constraints.tables import combinations, known_rows


@final
class Fixed(Constraint):
    """Columns of which only combinations that enough training rows have are made, such as city and country.

    Attributes:
        fixed: The columns.
    """

    fixed: tuple[str, ...] = Field(min_length=2)

    def __str__(self) -> str:
        return f"{', '.join(self.fixed)} only as they occur together"

    def columns(self) -> tuple[str, ...]:
        return self.fixed

    def joined(self) -> tuple[str, ...]:
        return self.fixed

    def learn(self, frame: pl.DataFrame, *, least: int) -> pl.DataFrame:
        return combinations(frame, self.fixed, least=least, says=str(self))

    def truth(self, frame: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        if learned is None:
            return pl.Series("truth", [None] * frame.height, dtype=pl.Boolean)
        known = known_rows(frame, learned, self.fixed)
        there = frame.select(pl.all_horizontal(pl.col(c).is_not_null() for c in self.fixed)).to_series()
        return pl.select(pl.when(known | there).then(known)).to_series()
