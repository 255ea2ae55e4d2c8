"""Columns that arithmetic ties together."""

from typing import Self, final

import polars as pl
from pydantic import model_validator

from cuvee.core import Constraint
from cuvee.data.errors import SchemaError
from cuvee.data.formulas import Formula, Value, formula_of, solved
from cuvee.synthesis.constraints.tables import DECIMALS, decimals_of

SLACK = 1e-6
"""Of a last decimal, and of the size of a value: what floats and other ways of rounding lose."""


@final
class Equation(Constraint):
    """Arithmetic, such as `total = price * quantity` or `a + b + c = 100`.

    The column that stands alone on one side, else the last one, is not learned but computed, and rounded as the
    training rows are.

    Attributes:
        equation: Two formulas with an equals sign between them.
    """

    equation: str

    @model_validator(mode="after")
    def _solvable(self) -> Self:
        sides = self.equation.split("=")
        if len(sides) != 2:
            raise ValueError(f"an equation has one '=', and {self.equation!r} has {len(sides) - 1}")
        try:
            self.sides()
            self.solution(self.derived())
        except SchemaError as error:
            raise ValueError(str(error)) from error
        return self

    def __str__(self) -> str:
        left, right = self.sides()
        return f"{left} = {right}"

    def sides(self) -> tuple[Formula, Formula]:
        """Both formulas."""
        left, right = self.equation.split("=")
        return formula_of(left), formula_of(right)

    def columns(self) -> tuple[str, ...]:
        left, right = self.sides()
        return tuple(dict.fromkeys((*left.columns(), *right.columns())))

    def derived(self) -> str:
        left, right = self.sides()
        for side in (left, right):
            if isinstance(side, Value):
                return side.column
        if not self.columns():
            raise SchemaError(f"{self.equation!r} has no column.")
        return (*left.columns(), *right.columns())[-1]

    def solution(self, column: str) -> Formula:
        """What a column of it is, computed from the others.

        Raises:
            SchemaError: It can't be solved for the column.
        """
        found = solved(*self.sides(), column)
        if found is None:
            raise SchemaError(f"{self.equation!r} can't be solved for {column!r}: it stands there more than once.")
        return found

    def learn(self, frame: pl.DataFrame, *, least: int) -> pl.DataFrame:
        """How many decimals the computed column has (none where it is not rounded), and whether it may be negative."""
        del least
        values = frame[self.derived()].cast(pl.Float64).drop_nulls().drop_nans().to_numpy()
        places = decimals_of(values)
        return pl.DataFrame(
            {"decimals": [places], "negative": [bool((values < 0).any())]},
            schema={"decimals": pl.Int64, "negative": pl.Boolean},
        )

    def derive(self, frame: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        places = None if learned is None else learned["decimals"][0]
        found = self.solution(self.derived()).value(frame)
        # Half a hair up before rounding: 2.675 is 2.67499999 as a float, and people round it to 2.68.
        return (found if places is None else (found * (1 + 1e-15)).round(places)).rename(self.derived())

    def truth(self, frame: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        column = self.derived()
        table = self.learn(frame, least=1) if learned is None else learned
        places, negative = table["decimals"][0], bool(table["negative"][0])
        computed = self.solution(column).value(frame)
        value = frame[column].cast(pl.Float64).fill_nan(None)
        room = (0.5 + SLACK) * 10.0 ** -(DECIMALS if places is None else places) + SLACK * computed.abs() * 1e-3
        both = pl.DataFrame({"off": (value - computed).abs() - room, "value": value})
        fine = (pl.col("off") <= 0) & (pl.lit(negative) | (pl.col("value") >= 0))
        return both.select(fine.alias("truth")).to_series()
