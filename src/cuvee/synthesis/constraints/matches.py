"""Text that matches a pattern."""

import re
from typing import final

import polars as pl
from pydantic import field_validator

from cuvee.core import Constraint


@final
class Matches(Constraint):
    """Text of which every value matches a regular expression as a whole.

    Attributes:
        matches: The column.
        pattern: The regular expression (without look-around, so that it is fast whatever the text).
    """

    matches: str
    pattern: str

    @field_validator("pattern")
    @classmethod
    def _readable(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
            pl.Series([""]).str.contains(f"^(?:{pattern})$", strict=True)
        except (re.error, pl.exceptions.ComputeError) as error:
            raise ValueError(f"{pattern!r} is no regular expression that can be used") from error
        return pattern

    def __str__(self) -> str:
        return f"{self.matches} matches {self.pattern}"

    def columns(self) -> tuple[str, ...]:
        return (self.matches,)

    def truth(self, frame: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        del learned
        return frame[self.matches].cast(pl.String).str.contains(f"^(?:{self.pattern})$")
