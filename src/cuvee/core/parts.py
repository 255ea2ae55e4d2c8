"""Reads the parts of a YAML file into specs; what is wrong with one becomes a sentence with its place."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cuvee.data.names import did_you_mean
from cuvee.data.problems import Places, Problem, Where, pictured, spelled

_Kind = TypeVar("_Kind", bound=BaseModel)

_WANTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "string_too_short": "at least a letter long",
    "tuple_type": "a list such as [one, two]",
    "list_type": "a list such as [one, two]",
    "too_short": "at least one entry long",
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


def read_part(
    kind: type[_Kind], body: Any, where: Where, places: Places, *, secret: bool = False
) -> tuple[_Kind | None, list[Problem]]:
    """A part of a recipe, or what is wrong with it.

    Args:
        kind: What it must be.
        body: What stands there.
        where: The way to it.
        places: Where things stand.
        secret: Whether text in it must not be repeated in a message.
    """
    if not isinstance(body, Mapping):
        wanted = f"a mapping such as {{{', '.join(f'{name}: ...' for name in _needed(kind))}}}"
        return None, [
            Problem(places.key(where), f"{spelled(where)} is {_shown(body, secret=secret)}; it must be {wanted}.")
        ]
    try:
        return kind.model_validate(body), []
    except ValidationError as error:
        return None, list(told_problems(error.errors(include_url=False), kind, where, places, secret=secret))


def _needed(kind: type[BaseModel]) -> list[str]:
    """The keys that a part must have, or the first that it can have."""
    return [n for n, f in kind.model_fields.items() if f.is_required()] or list(kind.model_fields)[:1]


def told_problems(
    errors: Sequence[ErrorDetails], kind: type[BaseModel], where: Where, places: Places, *, secret: bool
) -> Iterator[Problem]:
    """The errors of pydantic as problems; a mistyped key and the missing key that it stands for are one."""
    extra = [e["loc"] for e in errors if e["type"] == "extra_forbidden"]
    missing = [e["loc"] for e in errors if e["type"] == "missing"]
    for loc in extra:
        inner = _inner(kind, loc[:-1])
        lacking = [str(m[-1]) for m in missing if m[:-1] == loc[:-1]]
        hint, meant = _meant(str(loc[-1]), lacking, list(inner.model_fields))
        if meant is not None:
            missing = [m for m in missing if m != (*loc[:-1], meant)]
        at = (*where, *loc)
        yield Problem(places.key(at), f"{spelled(at[:-1])} has no {str(loc[-1])!r}.{hint}")
    for loc in missing:
        at = (*where, *loc[:-1])
        says = _inner(kind, loc[:-1]).model_fields[str(loc[-1])].description or ""
        yield Problem(places.key(at), f"{spelled(at)} needs {str(loc[-1])!r}: {says[:1].lower()}{says[1:]}")
    for error in errors:
        if error["type"] not in {"extra_forbidden", "missing"}:
            at = (*where, *error["loc"])
            yield Problem(
                places.value(at),
                f"{spelled(at)} is {_shown(error['input'], secret=secret)}; it must be {_wanted(error)}.",
            )


def _meant(word: str, lacking: list[str], known: list[str]) -> tuple[str, str | None]:
    """The hint for a mistyped key, and the missing key that it stands for, if any."""
    close = get_close_matches(word, lacking, n=1, cutoff=0.6)
    if close:
        return f" Did you mean {close[0]!r}?", close[0]
    return did_you_mean(word, known), None


def _inner(kind: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel]:
    """The model that stands at a place inside another."""
    for part in loc:
        annotation = kind.model_fields[str(part)].annotation if str(part) in kind.model_fields else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            kind = annotation
    return kind


def _shown(value: Any, *, secret: bool) -> str:
    return "text" if secret and isinstance(value, str) else pictured(value)


def _wanted(error: ErrorDetails) -> str:
    """What should stand there."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"{words} {context[bound]:g}"
    if kind == "string_type" and isinstance(error["input"], (bool, int, float)):
        return f'text; put it in quotes: "{pictured(error["input"])}"'
    if kind == "literal_error":
        return str(context.get("expected", ""))
    message = error["msg"]
    plain = message.removeprefix("Input should be ").removeprefix("Value error, ")
    return _WANTED.get(kind, message if kind == "wanted" else plain[:1].lower() + plain[1:])
