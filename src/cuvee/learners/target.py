"""What is to be predicted: a column, or a comparison with a column such as `arr_delay > 15`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import polars as pl

from cuvee.data.errors import CuveeError, SchemaError
from cuvee.data.kinds import Kind
from cuvee.data.names import did_you_mean
from cuvee.learners.boosting import Task

Op = Literal[">", ">=", "<", "<=", "==", "!="]

_OPS: tuple[Op, ...] = get_args(Op)
_SIGN = re.compile(r"[<>=!]=|[<>=]")


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be predicted.

    Attributes:
        column: The column that it comes from; it is never a feature.
        op: The comparison, or None for the column itself.
        value: What the column is compared with, as it was written; None without a comparison.
    """

    column: str
    op: Op | None = None
    value: str | None = None

    def __str__(self) -> str:
        return self.column if self.op is None else f"{self.column} {self.op} {self.value}"

    def of(self, frame: pl.DataFrame) -> pl.Series:
        """The target of each row, (n,): the column's values, or yes and no; null where the column is null.

        A number that is not finite is a null, but can be compared.

        Raises:
            SchemaError: There is no such column, or its values can't be compared with this value.
        """
        if self.column not in frame.columns:
            raise SchemaError(
                f"There is no column {self.column!r} to predict.{did_you_mean(self.column, frame.columns)}"
            )
        values = frame[self.column]
        if values.dtype.is_float():
            values = values.fill_nan(None)
        if self.op is None or self.value is None:
            return values.set(values.is_infinite(), None) if values.dtype.is_float() else values
        if isinstance(values.dtype, (pl.Categorical, pl.Enum)):
            values = values.cast(pl.String)
        return _compare(values, self.op, _literal(self.value, values.dtype, self))

    def task(self, frame: pl.DataFrame, kind: Kind) -> Task:
        """What kind of prediction this is: a number of more than two values is guessed, all else is classed."""
        values = self.of(frame).drop_nulls()
        if values.dtype == pl.Boolean or values.n_unique() <= 2:
            return "yes_no"
        numeric = kind in {"number", "datetime", "duration"} and (
            values.dtype.is_numeric() or values.dtype.is_temporal()
        )
        return "number" if numeric else "classes"


def parse_target(text: str, columns: Iterable[str]) -> Target:
    """The target that a text means: a column of these, or `column > value` with one of > >= < <= == !=.

    A text that is a column's name means that column, whatever signs are in it.

    Raises:
        CuveeError: The text is neither; the message gives the nearest column or says what is wrong.

    >>> parse_target("arr_delay > 15", ["arr_delay"])
    Target(column='arr_delay', op='>', value='15')
    """
    names = list(columns)
    whole = text.strip()
    for exact in (text, whole, _unquoted(whole)):
        if exact in names:
            return Target(exact)
    signs = list(_SIGN.finditer(whole))
    for sign in reversed(signs):  # the longest name of a column wins
        column, value = _unquoted(whole[: sign.start()].strip()), _unquoted(whole[sign.end() :].strip())
        if column in names:
            return _comparison(column, sign.group(), value, whole)
    if signs and (column := whole[: signs[0].start()].strip()):
        raise SchemaError(f"There is no column {column!r} to predict ({whole!r}).{did_you_mean(column, names)}")
    raise SchemaError(f"There is no column {whole!r} to predict.{did_you_mean(whole, names)}")


def _comparison(column: str, sign: str, value: str, text: str) -> Target:
    op = cast("Op", sign)
    if op not in _OPS:
        raise CuveeError(f"The target {text!r} has the sign {sign!r}; write one of {' '.join(_OPS)}.")
    if not value:
        raise CuveeError(f"The target {text!r} compares with nothing; write a value, such as: {column} {op} 15")
    return Target(column, op, value)


def _unquoted(text: str) -> str:
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"`"
    return text[1:-1] if quoted else text


def _literal(value: str, dtype: pl.DataType, target: Target) -> Any:
    """The value in the column's dtype."""
    wanted = "text"
    if dtype == pl.Boolean:
        wanted = "true or false"
        literal: Any = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}.get(
            value.lower()
        )
    elif dtype.is_numeric():
        wanted = "a number"
        literal = _number(value)
    elif dtype.is_temporal():
        wanted = "a date or time such as 2013-01-31"
        literal = _moment(value, dtype)
    else:
        literal = value if dtype == pl.String else None
    if literal is None:
        raise SchemaError(
            f"The target {str(target)!r} can't be taken: column {target.column!r} is {dtype}; compare it with {wanted}."
        )
    return literal


def _number(value: str) -> int | float | None:
    for form in (int, float):
        try:
            return form(value)
        except ValueError:
            continue
    return None


def _moment(value: str, dtype: pl.DataType) -> pl.Series | None:
    """The value as one date, time or datetime of this dtype; a duration is a number of seconds."""
    text = pl.Series([value])
    if isinstance(dtype, pl.Duration):
        seconds = _number(value)
        return None if seconds is None else pl.Series([round(seconds * 1e6)]).cast(pl.Duration("us")).cast(dtype)
    if dtype == pl.Time:
        moment = text.str.to_time("%H:%M", strict=False)
        return moment if moment[0] is not None else _or_none(text.str.to_time("%H:%M:%S", strict=False))
    moments = [
        text.str.to_datetime(form, strict=False)
        for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")
    ]
    found = next((m for m in moments if m[0] is not None), None)
    if found is None or not isinstance(dtype, pl.Datetime):
        return found  # a date is compared as the midnight that it begins with
    return found.dt.replace_time_zone(dtype.time_zone).cast(dtype)


def _or_none(moment: pl.Series) -> pl.Series | None:
    return None if moment[0] is None else moment


def _compare(values: pl.Series, op: Op, literal: Any) -> pl.Series:
    """Yes or no for each value, null for null."""
    frame = values.rename("value").to_frame()
    column = pl.col("value").cast(pl.Datetime("us")) if values.dtype == pl.Date else pl.col("value")
    other = pl.lit(literal)
    answers = {
        ">": column > other,
        ">=": column >= other,
        "<": column < other,
        "<=": column <= other,
        "==": column == other,
        "!=": column != other,
    }
    return frame.select(answers[op].alias("target")).to_series()
