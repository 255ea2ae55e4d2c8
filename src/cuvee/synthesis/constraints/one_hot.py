"""Flags of which exactly one is up."""

from typing import final

import polars as pl
from pydantic import Field

from cuvee.core import Constraint
from cuvee.data.errors import SchemaError
from cuvee.synthesis.constraints.tables import combinations


@final
class OneHot(Constraint):
    """Columns of 0 and 1 (or false and true) of which exactly one is up in every row.

    Attributes:
        one_hot: The columns.
    """

    one_hot: tuple[str, ...] = Field(min_length=2)

    def __str__(self) -> str:
        return f"exactly one of {', '.join(self.one_hot)} is up"

    def columns(self) -> tuple[str, ...]:
        return self.one_hot

    def joined(self) -> tuple[str, ...]:
        return self.one_hot

    def learn(self, frame: pl.DataFrame, *, least: int) -> pl.DataFrame:
        return combinations(frame, self.one_hot, least=least, says=str(self))

    def truth(self, frame: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        del learned
        for name in self.one_hot:
            if not (frame.schema[name].is_numeric() or frame.schema[name] == pl.Boolean):
                raise SchemaError(f"Column {name!r} is {frame.schema[name]}, and a flag is 0 or 1, or false or true.")
        flags = [pl.col(c).cast(pl.Float64) for c in self.one_hot]
        plain = pl.all_horizontal(f.is_null() | f.is_in([0.0, 1.0]) for f in flags)
        total, gone = pl.sum_horizontal(flags), pl.any_horizontal(f.is_null() for f in flags)
        # Two that are up are one too many, whatever is missing.
        truth = pl.when(~plain | (total > 1)).then(statement=False).when(~gone).then(total == 1)
        return frame.select(truth.alias("truth")).to_series()
