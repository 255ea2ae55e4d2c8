"""Columns that are missing in the same rows."""

from typing import final

from pydantic import Field

from cuvee.core import Constraint
from cuvee.data.conditions import Condition, Every, Missing, Some


@final
class MissingTogether(Constraint):
    """Columns of which all are missing in a row, or none.

    Attributes:
        missing_together: The columns.
    """

    missing_together: tuple[str, ...] = Field(min_length=2)

    def __str__(self) -> str:
        return f"{', '.join(self.missing_together)} missing together"

    def together(self) -> tuple[str, ...]:
        return self.missing_together

    def condition(self) -> Condition:
        return Some(tuple(Every(tuple(Missing(c, missing=m) for c in self.missing_together)) for m in (True, False)))
