"""A condition that no row breaks."""

from typing import final

import polars as pl
from pydantic import field_validator

from cuvee.core import Constraint
from cuvee.data.conditions import Comparison, Condition
from cuvee.data.conditions_text import condition_of


@final
class Holds(Constraint):
    """A condition of the condition language, such as `discharge >= admission`. What equals another column is copied.

    Attributes:
        holds: The condition as text.
    """

    holds: str

    @field_validator("holds")
    @classmethod
    def _readable(cls, text: str) -> str:
        return str(condition_of(text))

    def __str__(self) -> str:
        return self.holds

    def condition(self) -> Condition:
        return condition_of(self.holds)

    def derived(self) -> str | None:
        condition = self.condition()
        equal = (
            isinstance(condition, Comparison)
            and condition.sign == "="
            and condition.other not in {None, condition.column}
        )
        return condition.column if isinstance(condition, Comparison) and equal else None

    def derive(self, frame: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        del learned
        condition = self.condition()
        if not isinstance(condition, Comparison) or condition.other is None:
            raise NotImplementedError
        return frame[condition.other].rename(condition.column)

    def chain(self) -> tuple[str, ...]:
        condition = self.condition()
        if not isinstance(condition, Comparison) or condition.other in {None, condition.column}:
            return ()
        pair = (condition.column, str(condition.other))
        return {"<": pair, "<=": pair, ">": pair[::-1], ">=": pair[::-1]}.get(condition.sign, ())
