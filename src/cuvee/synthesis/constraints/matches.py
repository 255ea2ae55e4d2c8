"""Text that matches a pattern."""

import re
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import field_validator

from cuvee.codec.language import language_of, spread
from cuvee.core import Constraint
from cuvee.data.errors import SchemaError


@final
class Matches(Constraint):
    """Text of which every value matches a regular expression as a whole.

    Ids and texts, whose values are made new anyway, are made from the expression; other columns keep their values, and
    rows are drawn until theirs match.

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

    def written(self, numbers: NDArray[np.int64], key: int) -> pl.Series | None:
        try:
            language = language_of(self.pattern)
        except SchemaError:
            return None
        # What has fewer strings than there are rows begins again.
        within = numbers % language.size if language.size < 2**62 else numbers
        return pl.Series(self.matches, language.many(spread(within, language.size, key)), dtype=pl.String)

    def truth(self, frame: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        del learned
        return frame[self.matches].cast(pl.String).str.contains(f"^(?:{self.pattern})$")
