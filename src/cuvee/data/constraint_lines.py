"""Constraints as lines of a schema: plain values, and the columns that they speak of."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from cuvee.data.conditions_text import condition_of
from cuvee.data.errors import SchemaError
from cuvee.data.formulas import formula_of

Line = str | Mapping[str, Any]
"""Text (a condition, or an equation), or a mapping such as {follows: b, from: [a]}."""
TEXTS = ("holds", "equation", "predicate", "pattern")
"""The words behind which stands text that is no column."""


def columns_of_line(line: Line) -> tuple[str, ...]:
    """The columns that a line speaks of, as far as it can be read without knowing its kind.

    >>> columns_of_line({"follows": "b", "from": ["a"]}), columns_of_line("total = price * quantity")
    (('b', 'a'), ('total', 'price', 'quantity'))
    """
    if isinstance(line, str):
        return tuple(dict.fromkeys(_of_text(line)))
    found = [c for word, value in line.items() for c in _of_value(word, value)]
    return tuple(dict.fromkeys(found))


def _of_text(text: str) -> Iterator[str]:
    try:
        yield from condition_of(text).columns()
    except SchemaError:
        for side in text.split("="):
            try:
                yield from formula_of(side).columns()
            except SchemaError:
                continue


def _of_value(word: str, value: Any) -> Iterator[str]:
    if word in TEXTS:
        yield from _of_text(str(value)) if word != "pattern" else ()
    elif isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        yield from (str(v) for v in cast("Sequence[Any]", value))


def told(line: Line) -> str:
    """A line as YAML on one line, quoted where it must be.

    >>> told({"follows": "b", "from": ["a"]}), told("end >= start")
    ('{follows: b, from: [a]}', '"end >= start"')
    """
    from cuvee.data.schema_file import word_of

    if isinstance(line, str):
        return word_of(line)
    return "{" + ", ".join(f"{k}: {_value(v)}" for k, v in line.items()) + "}"


def _value(value: Any) -> str:
    from cuvee.data.schema_file import word_of

    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(word_of(str(v)) for v in cast("Sequence[Any]", value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, (int, float)) else word_of(str(value))
