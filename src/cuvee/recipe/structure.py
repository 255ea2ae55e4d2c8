"""Checks the form of a recipe: keys, types and verbs. What is well formed is read; the rest becomes problems."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cuvee.data.names import did_you_mean
from cuvee.recipe.content import Content, ReportSpec, SourceSpec
from cuvee.recipe.problems import Places, Problem, Where, pictured, spelled
from cuvee.recipe.steps import VERBS, Step, verb_of

_Kind = TypeVar("_Kind", bound=BaseModel)

_OTHER_WORDS = {
    "read": "Sources are read by themselves: put it under 'sources:'.",
    "report": "The report is no step: put 'report:' at the end of the recipe, at the left margin.",
    "synthesize": "Learning and making rows are two steps, 'fit' and 'sample'.",
    "synthesise": "Learning and making rows are two steps, 'fit' and 'sample'.",
    "generate": "Did you mean 'sample'?",
    "join": "Did you mean 'blend'?",
    "merge": "Did you mean 'blend'?",
    "learn": "Did you mean 'fit'?",
    "score": "Did you mean 'evaluate'?",
}
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


@dataclass(frozen=True, slots=True)
class Outline:
    """The parts of a recipe that could be read; None stands for a part that could not.

    Attributes:
        sources: By name.
        steps: By name, in order.
        written: Each step as it is written, where it is a mapping.
        verbs: The verb of each step, where it has one.
        report: The report.
    """

    sources: Mapping[str, SourceSpec | None]
    steps: Mapping[str, Step | None]
    written: Mapping[str, Mapping[str, Any]]
    verbs: Mapping[str, str | None]
    report: ReportSpec | None


def outline(value: Any, places: Places) -> tuple[Outline, list[Problem]]:
    """The parts of a recipe, and what is wrong with their form."""
    if not isinstance(value, Mapping):
        text = f"The recipe is {pictured(value)}; it must be a mapping with version, sources and steps."
        return Outline({}, {}, {}, {}, None), [Problem(places.value(()), text)]
    raw = cast("Mapping[str, Any]", value)
    problems = _head(raw, places)
    sources: dict[str, SourceSpec | None] = {}
    for name, body in _entries(raw, "sources"):
        sources[name], found = read_part(SourceSpec, body, ("sources", name), places, secret=True)
        problems += found
    steps: dict[str, Step | None] = {}
    for name, body in _entries(raw, "steps"):
        steps[name], found = _step(name, body, places)
        problems += found
    report, found = None, []
    if raw.get("report") is not None:
        report, found = read_part(ReportSpec, raw["report"], ("report",), places)
    verbs = {name: verb_of(body) if _verbs(body) < 2 else None for name, body in _entries(raw, "steps")}
    written = {name: body for name, body in _entries(raw, "steps") if isinstance(body, Mapping)}
    return Outline(sources, steps, written, verbs, report), problems + found


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
        return None, list(_told(error.errors(include_url=False), kind, where, places, secret=secret))


def _needed(kind: type[BaseModel]) -> list[str]:
    """The keys that a part must have, or the first that it can have."""
    return [n for n, f in kind.model_fields.items() if f.is_required()] or list(kind.model_fields)[:1]


def _entries(raw: Mapping[str, Any], section: str) -> Iterator[tuple[str, Any]]:
    body = raw.get(section)
    return iter(cast("Mapping[str, Any]", body).items()) if isinstance(body, Mapping) else iter(())


def _head(raw: Mapping[str, Any], places: Places) -> list[Problem]:
    """Problems of the top of the recipe; those inside its sections are found section by section."""
    try:
        Content.model_validate(raw)
    except ValidationError as error:
        top = [e for e in error.errors(include_url=False) if len(e["loc"]) == 1 and e["loc"] != ("report",)]
        return list(_told(top, Content, (), places, secret=False))
    return []


def _step(name: str, body: Any, places: Places) -> tuple[Step | None, list[Problem]]:
    where = ("steps", name)
    if not isinstance(body, Mapping):
        text = f"{spelled(where)} is {pictured(body)}; it must be a mapping with a verb, such as {{fit: data}}."
        return None, [Problem(places.key(where), text)]
    stated = cast("Mapping[str, Any]", body)
    verbs = [v for v in VERBS if v in stated]
    if len(verbs) > 1:
        named = " and ".join(repr(v) for v in verbs)
        text = f"{spelled(where)} has {len(verbs)} verbs, {named}. A step has one: make two steps of it."
        return None, [Problem(places.key(where), text)]
    if not verbs:
        return None, [_no_verb(where, stated, places)]
    return read_part(VERBS[verbs[0]], stated, where, places)


def _verbs(body: Any) -> int:
    return sum(verb in body for verb in VERBS) if isinstance(body, Mapping) else 0


def _no_verb(where: Where, stated: Mapping[str, Any], places: Places) -> Problem:
    for key in stated:
        if key in _OTHER_WORDS:
            return Problem(places.key((*where, key)), f"{spelled(where)} has no verb {key!r}. {_OTHER_WORDS[key]}")
    for key in stated:
        close = get_close_matches(key, VERBS, n=1, cutoff=0.6)
        if close:
            return Problem(
                places.key((*where, key)), f"{spelled(where)} has no verb {key!r}. Did you mean {close[0]!r}?"
            )
    return Problem(places.key(where), f"{spelled(where)} has no verb. A step has one of: {', '.join(VERBS)}.")


def _told(
    errors: Sequence[ErrorDetails], kind: type[BaseModel], where: Where, places: Places, *, secret: bool
) -> Iterator[Problem]:
    """The errors as problems; a mistyped key and the missing key that it stands for are one."""
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
