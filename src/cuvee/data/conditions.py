"""Conditions on rows: one language for what is asked of samples, for blanks to fill, and for rules.

A condition is written as text, `age >= 60 and state in ('CA', 'NY') and discharge > admission`, or as a mapping from
columns to what they must be: {"age": (60, None), "state": {"CA", "NY"}, "note": None}. Nulls follow SQL: a comparison
with a null is neither true nor false but unknown, `not` leaves that unknown, and only rows whose condition is true are
meant; `is null` and `is not null` ask for nulls.
"""

import datetime as dt
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, final

import polars as pl

from cuvee.data.errors import SchemaError
from cuvee.data.names import did_you_mean

Sign = Literal["=", "!=", "<", "<=", ">", ">="]
OPPOSITE: Final[Mapping[Sign, Sign]] = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
MIRRORED: Final[Mapping[Sign, Sign]] = {"=": "=", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
SPELT: Final[Mapping[str, Sign]] = {
    "==": "=",
    "<>": "!=",
    "=": "=",
    "!=": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}

WORDS: Final = frozenset({"and", "or", "not", "in", "is", "null", "between", "true", "false"})
"""Names that are columns only in quotes."""


class Condition(ABC):
    """Something that is true, false or unknown of a row."""

    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns that it speaks of, each once."""

    @abstractmethod
    def expression(self, schema: Mapping[str, pl.DataType]) -> pl.Expr:
        """The truth of each row, null where unknown.

        Raises:
            SchemaError: A column is not there, or can't be compared with this value.
        """

    @abstractmethod
    def negated(self) -> "Condition":
        """What is true where this is false, with `not` pushed down to the comparisons."""

    @abstractmethod
    def renamed(self, names: Mapping[str, str]) -> "Condition":
        """The same of columns that have other names."""

    def parts(self) -> tuple["Condition", ...]:
        """Conditions that must all be true."""
        return (self,)

    def truth(self, frame: pl.DataFrame) -> pl.Series:
        """(n,), true, false or null for each row."""
        if not self.columns():
            return pl.Series("truth", [True] * frame.height, dtype=pl.Boolean)
        return frame.select(self.expression(frame.schema).alias("truth")).to_series()


@final
@dataclass(frozen=True, slots=True)
class Comparison(Condition):
    """A column beside a value or another column.

    Attributes:
        column: The column on the left.
        sign: How they are compared.
        value: The value on the right, as it was written.
        other: The column on the right; then there is no value.
    """

    column: str
    sign: Sign
    value: Any = None
    other: str | None = None

    def __str__(self) -> str:
        return f"{_named(self.column)} {self.sign} {_written(self.value) if self.other is None else _named(self.other)}"

    def columns(self) -> tuple[str, ...]:
        return (self.column,) if self.other in {None, self.column} else (self.column, cast("str", self.other))

    def negated(self) -> Condition:
        return Comparison(self.column, OPPOSITE[self.sign], self.value, self.other)

    def renamed(self, names: Mapping[str, str]) -> Condition:
        other = None if self.other is None else names.get(self.other, self.other)
        return Comparison(names.get(self.column, self.column), self.sign, self.value, other)

    def expression(self, schema: Mapping[str, pl.DataType]) -> pl.Expr:
        left, dtype = _column(self.column, schema)
        if self.other is None:
            right = literal(self.value, dtype, self.column)
        else:
            right, theirs = _column(self.other, schema)
            if _family(dtype) != _family(theirs):
                raise SchemaError(
                    f"Column {self.column!r} ({dtype}) can't be compared with {self.other!r} ({theirs}): {self}."
                )
        answers = {
            "=": left == right,
            "!=": left != right,
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
        }
        return answers[self.sign]


@final
@dataclass(frozen=True, slots=True)
class Among(Condition):
    """A column that has one of some values, or none of them."""

    column: str
    values: tuple[Any, ...]
    inside: bool = True

    def __str__(self) -> str:
        listed = ", ".join(_written(v) for v in self.values)
        return f"{_named(self.column)} {'' if self.inside else 'not '}in ({listed})"

    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def negated(self) -> Condition:
        return Among(self.column, self.values, not self.inside)

    def renamed(self, names: Mapping[str, str]) -> Condition:
        return Among(names.get(self.column, self.column), self.values, self.inside)

    def expression(self, schema: Mapping[str, pl.DataType]) -> pl.Expr:
        column, dtype = _column(self.column, schema)
        found = pl.lit(value=False)
        for value in self.values:
            found |= column == literal(value, dtype, self.column)
        # Of a null nothing is known, whatever the values.
        known = pl.when(column.is_not_null()).then(found)
        return known if self.inside else ~known


@final
@dataclass(frozen=True, slots=True)
class Missing(Condition):
    """A column that is null (NaN counts as null), or is not."""

    column: str
    missing: bool = True

    def __str__(self) -> str:
        return f"{_named(self.column)} is {'' if self.missing else 'not '}null"

    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def negated(self) -> Condition:
        return Missing(self.column, not self.missing)

    def renamed(self, names: Mapping[str, str]) -> Condition:
        return Missing(names.get(self.column, self.column), self.missing)

    def expression(self, schema: Mapping[str, pl.DataType]) -> pl.Expr:
        column, _ = _column(self.column, schema)
        return column.is_null() if self.missing else column.is_not_null()


@final
@dataclass(frozen=True, slots=True)
class Every(Condition):
    """All of some conditions; true of every row where there are none."""

    conditions: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(f"({c})" if isinstance(c, Some) else str(c) for c in self.conditions)

    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(c for part in self.conditions for c in part.columns()))

    def negated(self) -> Condition:
        return Some(tuple(c.negated() for c in self.conditions))

    def renamed(self, names: Mapping[str, str]) -> Condition:
        return Every(tuple(c.renamed(names) for c in self.conditions))

    def parts(self) -> tuple[Condition, ...]:
        return tuple(p for c in self.conditions for p in c.parts())

    def expression(self, schema: Mapping[str, pl.DataType]) -> pl.Expr:
        whole = pl.lit(value=True)
        for condition in self.conditions:
            whole &= condition.expression(schema)
        return whole


@final
@dataclass(frozen=True, slots=True)
class Some(Condition):
    """At least one of some conditions."""

    conditions: tuple[Condition, ...]

    def __str__(self) -> str:
        return " or ".join(f"({c})" if isinstance(c, Every) else str(c) for c in self.conditions)

    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(c for part in self.conditions for c in part.columns()))

    def negated(self) -> Condition:
        return Every(tuple(c.negated() for c in self.conditions))

    def renamed(self, names: Mapping[str, str]) -> Condition:
        return Some(tuple(c.renamed(names) for c in self.conditions))

    def expression(self, schema: Mapping[str, pl.DataType]) -> pl.Expr:
        whole = pl.lit(value=False)
        for condition in self.conditions:
            whole |= condition.expression(schema)
        return whole


ALWAYS: Final = Every(())


def unless_false(condition: Condition) -> Condition:
    """What is true where a condition is true or unknown: a rule of which nulls are no breach, as SQL's CHECK.

    >>> str(unless_false(Comparison("end", ">=", other="start")))
    'end >= start or end is null or start is null'
    """
    if isinstance(condition, Every):
        return Every(tuple(unless_false(c) for c in condition.conditions))
    if isinstance(condition, Some):
        return Some(tuple(unless_false(c) for c in condition.conditions))
    if isinstance(condition, Missing):
        return condition
    return Some((condition, *(Missing(c) for c in condition.columns())))


def _named(column: str) -> str:
    plain = re.fullmatch(r"[^\W\d][\w.]*", column) and column.lower() not in WORDS
    return column if plain else '"' + column.replace('"', '""') + '"'


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def _column(name: str, schema: Mapping[str, pl.DataType]) -> tuple[pl.Expr, pl.DataType]:
    """The column as it is compared: NaN as null, categories as text."""
    if name not in schema:
        raise SchemaError(f"There is no column {name!r}.{did_you_mean(name, schema)}")
    dtype = schema[name]
    column = pl.col(name)
    if dtype.is_float():
        return column.fill_nan(None), dtype
    return (column.cast(pl.String), pl.String()) if isinstance(dtype, (pl.Categorical, pl.Enum)) else (column, dtype)


def _family(dtype: pl.DataType) -> str:
    """What can be compared with each other."""
    if dtype.is_numeric():
        return "number"
    if isinstance(dtype, (pl.Date, pl.Datetime)):
        return "moment"
    return str(dtype.base_type())


def literal(value: Any, dtype: pl.DataType, column: str) -> pl.Expr:
    """A value as it is compared with a column of a dtype.

    Raises:
        SchemaError: It can't be.
    """
    plain: Any = None
    wanted = "text"
    if dtype == pl.Boolean:
        wanted = "true or false"
        plain = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}.get(str(value).lower())
    elif dtype.is_numeric():
        wanted = "a number"
        plain = _number(value)
    elif dtype.is_temporal():
        wanted = "a number of seconds" if isinstance(dtype, pl.Duration) else "a date or time such as 2013-01-31 12:30"
        plain = _moment(value, dtype)
    elif dtype == pl.String and isinstance(value, str):
        plain = value
    if plain is None:
        raise SchemaError(f"Column {column!r} is {dtype}, and {_written(value)} is not {wanted}.")
    return pl.lit(plain)


def _number(value: Any) -> int | float | None:
    if isinstance(value, (int, float)):
        return value
    for form in (int, float):
        try:
            return form(str(value))
        except ValueError:
            continue
    return None


def _moment(value: Any, dtype: pl.DataType) -> Any:
    """A value as a date, time, datetime or duration of the dtype; None where it is none."""
    if isinstance(dtype, pl.Duration):
        seconds = value.total_seconds() if isinstance(value, dt.timedelta) else _number(value)
        return None if seconds is None else dt.timedelta(seconds=float(seconds))
    if isinstance(value, (dt.date, dt.time)):
        value = value.isoformat()
    text = pl.Series([str(value)])
    if dtype == pl.Time:
        found = [text.str.to_time(form, strict=False)[0] for form in ("%H:%M", "%H:%M:%S", "%H:%M:%S%.f")]
        return next((f for f in found if f is not None), None)
    forms = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S%.f")
    found = [text.str.to_datetime(form, strict=False)[0] for form in forms]
    moment = next((f for f in found if f is not None), None)
    if moment is None or not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
        # A date beside a date is compared as the midnight that it begins with.
        return moment
    return pl.Series([moment]).dt.replace_time_zone(dtype.time_zone)[0]
