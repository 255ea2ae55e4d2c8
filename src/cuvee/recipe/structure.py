"""Checks the form of a recipe: keys, types and verbs. What is well formed is read; the rest becomes problems."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, cast

from pydantic import ValidationError

from cuvee.core.parts import read_part, told_problems
from cuvee.data.problems import Places, Problem, Where, pictured, spelled
from cuvee.recipe.content import Content, ReportSpec, SourceSpec
from cuvee.recipe.steps import VERBS, Step, verb_of

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


def _entries(raw: Mapping[str, Any], section: str) -> Iterator[tuple[str, Any]]:
    body = raw.get(section)
    return iter(cast("Mapping[str, Any]", body).items()) if isinstance(body, Mapping) else iter(())


def _head(raw: Mapping[str, Any], places: Places) -> list[Problem]:
    """Problems of the top of the recipe; those inside its sections are found section by section."""
    try:
        Content.model_validate(raw)
    except ValidationError as error:
        top = [e for e in error.errors(include_url=False) if len(e["loc"]) == 1 and e["loc"] != ("report",)]
        return list(told_problems(top, Content, (), places, secret=False))
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
