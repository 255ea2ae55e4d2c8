"""The values that only recipes have: choices by name, conditions of gates, and durations."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, Strict, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from cuvee.core import seconds_of
from cuvee.core.durations import UNITS
from cuvee.data.errors import CuveeError

Word = Annotated[str, StringConstraints(min_length=1)]
"""A name or a path."""

Whole = Annotated[int, Strict()]
"""A whole number, and not a truth value."""

Number = Annotated[float, Strict()]
"""A number, and not a truth value or text."""

CONDITIONS = ("above_holdout", "below_holdout")
COMPARISON = re.compile(r"\s*(>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")


def _choice(value: Any) -> Any:
    """A name, or one name with its options."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        name, options = next(iter(value.items()))
        if isinstance(name, str) and (options is None or isinstance(options, Mapping)):
            return {name: dict(options or {})}
    raise PydanticCustomError("wanted", "a name, or one name with its options such as {name: {option: value}}")


def seconds(value: Any) -> float:
    """Seconds of a duration such as "60s", "5m" or "1h".

    >>> seconds("1.5m")
    90.0

    Raises:
        PydanticCustomError: It is no duration.
    """
    try:
        if isinstance(value, str):
            return seconds_of(value)
    except CuveeError:
        pass
    raise PydanticCustomError("wanted", "a duration with its unit, such as 60s, 5m or 1h")


def duration(value: float) -> str:
    """Seconds as a recipe writes them.

    >>> duration(90.0), duration(7200.0)
    ('90s', '2h')
    """
    for unit in ("h", "m"):
        if value % UNITS[unit] == 0:
            return f"{value / UNITS[unit]:.0f}{unit}"
    return f"{value:g}s"


def _condition(value: Any) -> Any:
    if isinstance(value, str) and (value in CONDITIONS or COMPARISON.fullmatch(value)):
        return value
    raise PydanticCustomError("wanted", 'above_holdout, below_holdout or a comparison in quotes such as "> 0.9"')


def _not_auto(value: Any) -> Any:
    if value == "auto":
        raise PydanticCustomError("wanted", "a number from 0 to 1, such as 0.3: a share is not chosen by cuvee yet")
    return value


_OPTIONS = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": {"type": ["object", "null"]},
}

Choice = Annotated[
    str | Mapping[str, Mapping[str, Any]],
    BeforeValidator(_choice),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, _OPTIONS]}),
]
"""A name, or {name: {option: value}}."""

Seconds = Annotated[
    float,
    BeforeValidator(seconds),
    PlainSerializer(duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*(s|m|h)$"}),
]
"""A duration in seconds; written with its unit."""

Condition = Annotated[
    str,
    BeforeValidator(_condition),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(above_holdout|below_holdout|\s*(>=|<=|>|<)\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*)$",
        }
    ),
]
"""When a gate fails."""

ConstraintLine = Annotated[
    str | Mapping[str, Any],
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"type": "object", "minProperties": 1}]}),
]
"""A condition or an equation as text, or a mapping such as {follows: b, from: [a]}."""

Share = Annotated[float, BeforeValidator(_not_auto), Strict(), Field(ge=0, le=1)]
"""A share from 0 to 1."""
