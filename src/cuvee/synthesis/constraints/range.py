"""Numbers and moments between two ends."""

from typing import Self, final

from pydantic import Field, model_validator

from cuvee.core import Constraint
from cuvee.data.conditions import Comparison, Condition, Every


@final
class Range(Constraint):
    """Values between two ends, which are allowed themselves.

    Attributes:
        range: The column.
        low: The lowest value; None for no end.
        high: The highest; None for no end.
    """

    range: str
    low: float | str | None = Field(None, description="A number, or a moment as text.")
    high: float | str | None = Field(None, description="A number, or a moment as text.")

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("a range has a low end, a high end, or both")
        return self

    def __str__(self) -> str:
        return str(self.condition())

    def condition(self) -> Condition:
        ends: list[Condition] = []
        if self.low is not None:
            ends.append(Comparison(self.range, ">=", self.low))
        if self.high is not None:
            ends.append(Comparison(self.range, "<=", self.high))
        return Every(tuple(ends))
