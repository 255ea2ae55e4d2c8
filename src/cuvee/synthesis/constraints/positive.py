"""Numbers above zero."""

from typing import final

from cuvee.core import Constraint
from cuvee.data.conditions import Comparison, Condition


@final
class Positive(Constraint):
    """Numbers above zero.

    Attributes:
        positive: The column.
        zero: Whether zero is allowed too.
    """

    positive: str
    zero: bool = False

    def __str__(self) -> str:
        return str(self.condition())

    def condition(self) -> Condition:
        return Comparison(self.positive, ">=" if self.zero else ">", 0)
