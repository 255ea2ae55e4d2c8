"""Columns whose values go up from one to the next."""

from typing import final

from pydantic import Field

from cuvee.core import Constraint
from cuvee.data.conditions import Comparison, Condition, Every


@final
class Increasing(Constraint):
    """A chain of numbers or moments: ordered, shipped, paid. Each is at least as large as the one before that is there.

    Attributes:
        increasing: The columns, smallest first.
        strict: Whether none may be equal to the one before.
    """

    increasing: tuple[str, ...] = Field(min_length=2)
    strict: bool = False

    def __str__(self) -> str:
        return (" < " if self.strict else " <= ").join(self.increasing)

    def chain(self) -> tuple[str, ...]:
        return self.increasing

    def condition(self) -> Condition:
        names, sign = self.increasing, "<" if self.strict else "<="
        # Every two, and not only neighbours: what stands between may be missing.
        pairs = [(a, b) for k, a in enumerate(names) for b in names[k + 1 :]]
        return Every(tuple(Comparison(a, sign, other=b) for a, b in pairs))
