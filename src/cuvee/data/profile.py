"""What detection needs to know of each column: exact counts of the whole column, and a stated sample of its values."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

SAMPLE = 10_000
"""Patterns of values are looked for in at most this many values of a column, taken at even steps; counts are exact."""


@dataclass(frozen=True)
class Profile:
    """One column.

    Attributes:
        table: The name of its table.
        name: Its name.
        position: 0 for the leftmost column.
        values: All its values, with NaN as null.
    """

    table: str
    name: str
    position: int
    values: pl.Series

    @cached_property
    def rows(self) -> int:
        return len(self.values)

    @cached_property
    def nulls(self) -> int:
        return self.values.null_count()

    @property
    def filled(self) -> int:
        """How many values are not null."""
        return self.rows - self.nulls

    @cached_property
    def countable(self) -> bool:
        """Whether values can be told apart and counted (nested values and bytes are not)."""
        dtype = self.values.dtype
        return not (dtype.is_nested() or is_type(dtype, pl.Binary, pl.Object, pl.Null))

    @cached_property
    def counts(self) -> pl.DataFrame:
        """The distinct values that are not null and how often each occurs: columns `value`, `count`; in no order."""
        if not self.countable:
            return pl.DataFrame({"value": [], "count": []}, schema={"value": pl.Null, "count": pl.UInt32})
        return self.values.rename("value").drop_nulls().value_counts(name="count")

    @cached_property
    def distinct(self) -> int:
        """How many values there are, null not counted; 0 where they can't be counted."""
        return self.counts.height

    @property
    def unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.rows > 0 and self.distinct == self.rows

    @cached_property
    def sample(self) -> pl.Series:
        """At most `SAMPLE` values at even steps, nulls left out."""
        step = max(1, -(-self.filled // SAMPLE))
        return self.values.drop_nulls().gather_every(step)

    @cached_property
    def text(self) -> bool:
        return self.values.dtype == pl.String

    @cached_property
    def whole(self) -> bool:
        """Whether these are whole numbers, in a float column too (as where nulls made floats of integers)."""
        dtype = self.values.dtype
        if dtype.is_integer():
            return True
        if not dtype.is_float() or not self.filled:
            return False
        return _all_whole(self.sample) and _all_whole(self.counts["value"])

    @cached_property
    def span(self) -> tuple[float, float] | None:
        """The least and the greatest value of a column of numbers."""
        if not self.values.dtype.is_numeric() or not self.filled:
            return None
        low, high = self.values.min(), self.values.max()
        return float(low), float(high)  # pyright: ignore[reportArgumentType]

    @cached_property
    def dense(self) -> bool:
        """Whether the values are all the whole numbers between the least and the greatest."""
        return self.span is not None and self.whole and self.distinct == self.span[1] - self.span[0] + 1

    @cached_property
    def numbered(self) -> pl.Series | None:
        """The distinct values as whole numbers, where they are, also those that are written as text; else None."""
        if self.text and self.filled and self.share(r"^(?:0|[1-9]\d{0,17})$") == 1:
            return self.counts["value"].cast(pl.Int64, strict=False).drop_nulls()
        return self.counts["value"] if self.values.dtype.is_numeric() and self.whole else None

    @cached_property
    def rising(self) -> bool:
        """Whether no value is less than the one above it."""
        return self.countable and self.nulls == 0 and self.values.is_sorted()

    @cached_property
    def coincidence(self) -> float:
        """The chance that two rows drawn at random have the same value (1/k where k values are equally frequent)."""
        if not self.filled:
            return 1.0
        # Squares are summed as integers: a sum of floats would depend on the order of the counts.
        squares = int((self.counts["count"].cast(pl.UInt64) ** 2).sum())
        return squares / self.filled**2

    @property
    def constant(self) -> bool:
        return self.filled > 0 and self.distinct == 1

    @cached_property
    def lengths(self) -> tuple[float, float]:
        """Mean characters and mean words of a value, of a text column."""
        if not self.text or not len(self.sample):
            return 0.0, 0.0
        words = self.sample.str.count_matches(r"\S+")
        return float(self.sample.str.len_chars().mean()), float(words.mean())  # pyright: ignore[reportArgumentType]

    def share(self, pattern: str) -> float:
        """The share of sampled text values that match a regular expression."""
        if not self.text or not len(self.sample):
            return 0.0
        return mean(self.sample.str.contains(pattern))


def is_type(dtype: pl.DataType, *types: type[pl.DataType]) -> bool:
    """Whether a column's type is one of these, whatever its time zone, categories or unit."""
    return dtype.base_type() in types


def mean(mask: pl.Series) -> float:
    """The share of true values; 0 where there are none."""
    return float(mask.mean() or 0)  # pyright: ignore[reportArgumentType] (of booleans it is a number)


def _all_whole(values: pl.Series) -> bool:
    return bool(values.is_finite().all()) and bool(((values % 1) == 0).all())


Profiles = Mapping[str, Mapping[str, Profile]]


def profile(table: str, frame: pl.DataFrame) -> dict[str, Profile]:
    """The profiles of a table's columns, by name and in order. Counts are taken when they are first asked for."""
    made: dict[str, Profile] = {}
    for position, column in enumerate(frame.get_columns()):
        values = column.fill_nan(None) if column.dtype.is_float() else column
        made[column.name] = Profile(table, column.name, position, values)
    return made
