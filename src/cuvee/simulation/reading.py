"""Reads a scenario: YAML or plain values to specs; whatever is wrong is one sentence with its place."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import yaml

from cuvee.core.parts import read_part
from cuvee.data.document import Dumper, read_document
from cuvee.data.errors import SimulationError
from cuvee.data.names import did_you_mean
from cuvee.data.problems import Places, Problem, Where, pictured, spelled
from cuvee.simulation.distributions import FAMILIES, Categorical
from cuvee.simulation.meaning import problems_of
from cuvee.simulation.scenario import (
    Computed,
    Constant,
    Dependence,
    Empirical,
    Event,
    Fitted,
    Scenario,
    Shock,
    Stated,
    Variable,
)

FORMS = ("fit", "empirical", "formula")
_SHARED = ("each", "start")
_OTHER_WORDS = {
    "gaussian": "normal", "student": "t", "student_t": "t", "constant": "formula", "choice": "discrete",
    "log_normal": "lognormal", "generalised_pareto": "gpd", "generalized_pareto": "gpd", "exp": "exponential",
}  # fmt: skip
"""Words that others have for a form."""


def load(path: Path) -> Scenario:
    """The scenario of a file.

    Raises:
        SimulationError: It is not there or is wrong: a line for each problem.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SimulationError(f"{path} is not UTF-8 text (byte {error.start:,}). Save it as UTF-8.") from None
    except OSError as error:
        said = f"{path} can't be read: {error.strerror}. Give the path of a scenario, such as scenario.yaml."
        raise SimulationError(said) from error
    return of_text(text, str(path))


def of_content(content: Mapping[str, Any]) -> Scenario:
    """The scenario of plain values.

    Raises:
        SimulationError: It is wrong; lines are those of the text that it would have.
    """
    try:
        text = yaml.dump(_plain(content), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=10**6)
    except yaml.YAMLError as error:
        raise SimulationError("A scenario has plain values only: numbers, text, lists and mappings.") from error
    return of_text(text, "scenario")


def _plain(value: Any) -> Any:
    """A value of Python as YAML has it."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in cast("list[Any]", value)]
    return value.item() if isinstance(value, np.generic) else value


def of_text(text: str, name: str) -> Scenario:
    """The scenario of a YAML text.

    Raises:
        SimulationError: It is wrong: a line for each problem.
    """
    document = read_document(text, name, whole="scenario", error=SimulationError)
    if document.value is None:
        document.places.refuse(document.problems)
    scenario, problems = read_scenario(document.value, (), document.places)
    unread = {p.mark.line for p in document.problems}
    document.places.refuse((*document.problems, *(p for p in problems if p.mark.line not in unread)))
    return cast("Scenario", scenario)


def read_scenario(value: Any, where: Where, places: Places) -> tuple[Scenario | None, list[Problem]]:
    """A scenario that stands at a place of a file, and what is wrong with it.

    Args:
        value: What stands there.
        where: The way to it.
        places: Where things stand.
    """
    if not isinstance(value, Mapping):
        said = f"{spelled(where, 'scenario')} is {pictured(value)}; it must be a mapping with variables."
        return None, [Problem(places.value(where), said)]
    raw = cast("Mapping[str, Any]", value)
    problems: list[Problem] = []
    made: dict[str, Any] = {k: _frozen(v) for k, v in raw.items() if k not in _PARTS}
    for key, read in _PARTS.items():
        if key in raw:
            made[key], found = read(raw[key], (*where, key), places)
            problems += found
    # What could not be read is left to the sentences it has; a stand-in keeps the rest readable.
    if problems:
        stand_in = {
            "variables": {"x": Constant(value=0.0)},
            "shocks": {},
            "dependence": (),
            "outputs": {},
            "events": {},
        }
        _, others = read_part(Scenario, {**made, **{k: v for k, v in stand_in.items() if k in raw}}, where, places)
        return None, [*problems, *others]
    scenario, problems = read_part(Scenario, made, where, places)
    return scenario, problems if scenario is None else list(problems_of(scenario, where, places))


def data_names(value: Any) -> Iterator[tuple[Where, str]]:
    """The data that a scenario refers to, well formed or not: where, and by which name."""
    if not isinstance(value, Mapping):
        return
    raw = cast("Mapping[str, Any]", value)
    variables = raw.get("variables")
    for name, body in (cast("Mapping[str, Any]", variables) if isinstance(variables, Mapping) else {}).items():
        for form in ("fit", "empirical"):
            inner = body.get(form) if isinstance(body, Mapping) else None
            if isinstance(inner, Mapping) and isinstance(inner.get("data"), str):
                yield ("variables", name, form, "data"), inner["data"]
    listed = raw.get("dependence")
    for position, body in enumerate(cast("list[Any]", listed) if isinstance(listed, list) else [listed]):
        if isinstance(body, Mapping) and isinstance(body.get("fit"), str):
            place = (position,) if isinstance(listed, list) else ()
            yield ("dependence", *place, "fit"), body["fit"]


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in cast("list[Any]", value)) if isinstance(value, list) else value


_Read = tuple[Any, list[Problem]]


def _variables(value: Any, where: Where, places: Places) -> _Read:
    return _each(value, where, places, _variable)


def _variable(value: Any, where: Where, places: Places) -> tuple[Variable | None, list[Problem]]:
    """A variable: a number, a formula as text, or a mapping with one form."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Constant(value=float(value)), []
    if isinstance(value, str):
        return Computed(formula=value), []
    if not isinstance(value, Mapping):
        said = f"{spelled(where)} is {pictured(value)}; it must be a number, a formula or a mapping."
        return None, [Problem(places.value(where), said)]
    body = cast("Mapping[str, Any]", value)
    known = [*FAMILIES, *FORMS]
    forms = [k for k in body if k in known]
    if len(forms) != 1:
        return None, [_no_form(body, forms, where, places)]
    return _formed(body, forms[0], where, places)


def _formed(body: Mapping[str, Any], form: str, where: Where, places: Places) -> tuple[Variable | None, list[Problem]]:
    """A variable of one form."""
    known, shared = [*FAMILIES, *FORMS], {k: v for k, v in body.items() if k != form}
    if form == "formula":
        return read_part(Computed, {**shared, "formula": body[form]}, where, places)
    problems = [
        Problem(places.key((*where, key)), f"{spelled(where)} has no {key!r}.{did_you_mean(key, (*known, *_SHARED))}")
        for key in shared
        if key not in _SHARED
    ]
    if problems:
        return None, problems
    inner = _frozen_items(body[form])
    if form in FAMILIES:
        kind = FAMILIES[form]
        given = {"weights": inner} if kind is Categorical and "weights" not in _keys(inner) else inner
        part, problems = read_part(kind, given, (*where, form), places)
        return (None, problems) if part is None else read_part(Stated, {**shared, "distribution": part}, where, places)
    kind = Fitted if form == "fit" else Empirical
    if not isinstance(inner, Mapping):
        return cast("Any", read_part(kind, inner, (*where, form), places))
    part, problems = read_part(kind, inner, (*where, form), places)
    return (None, problems) if part is None else read_part(kind, {**inner, **shared}, where, places)


def _keys(value: Any) -> Any:
    return cast("Mapping[str, Any]", value).keys() if isinstance(value, Mapping) else ()


def _frozen_items(value: Any) -> Any:
    return {k: _frozen(v) for k, v in cast("Mapping[str, Any]", value).items()} if isinstance(value, Mapping) else value


def _no_form(body: Mapping[str, Any], forms: list[str], where: Where, places: Places) -> Problem:
    if len(forms) > 1:
        named = " and ".join(repr(f) for f in forms)
        return Problem(places.key(where), f"{spelled(where)} has {named}. A variable has one of them.")
    word = next((k for k in body if k not in _SHARED), None)
    if word is None:
        return Problem(
            places.key(where), f"{spelled(where)} says no distribution and no formula, such as {{normal: ...}}."
        )
    other = _OTHER_WORDS.get(word.lower())
    hint = f" Did you mean {other!r}?" if other else did_you_mean(word, [*FAMILIES, *FORMS])
    return Problem(
        places.key((*where, word)), f"{spelled(where)} has the distribution {word!r}, which there is not.{hint}"
    )


def _each(value: Any, where: Where, places: Places, read: Any) -> _Read:
    """The parts of a mapping by name."""
    if not isinstance(value, Mapping):
        return {}, [
            Problem(places.value(where), f"{spelled(where)} is {pictured(value)}; it must be a mapping by name.")
        ]
    made: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, body in cast("Mapping[str, Any]", value).items():
        made[name], found = read(body, (*where, name), places)
        problems += found
    return made, problems


def _dependence(value: Any, where: Where, places: Places) -> _Read:
    if isinstance(value, Mapping):
        one, problems = read_part(Dependence, _frozen_items(value), where, places)
        return (one,), problems
    if not isinstance(value, (list, tuple)):
        said = f"{spelled(where)} is {pictured(value)}; it must be a mapping with 'correlation' or 'fit', or a list."
        return (), [Problem(places.value(where), said)]
    found = [
        read_part(Dependence, _frozen_items(v), (*where, i), places) for i, v in enumerate(cast("list[Any]", value))
    ]
    return tuple(one for one, _ in found), [p for _, problems in found for p in problems]


def _shocks(value: Any, where: Where, places: Places) -> _Read:
    return _each(value, where, places, _shock)


def _shock(body: Any, at: Where, places: Places) -> Any:
    return read_part(Shock, body, at, places)


def _outputs(value: Any, where: Where, places: Places) -> _Read:
    """Outputs by name; those of a list, or without a word, are gains."""
    if isinstance(value, list):
        wrong = [i for i, name in enumerate(cast("list[Any]", value)) if not isinstance(name, str)]
        said = "; it must be the name of a variable."
        problems = [
            Problem(places.value((*where, i)), f"{spelled((*where, i))} is {pictured(value[i])}{said}") for i in wrong
        ]
        return dict.fromkeys([v for v in cast("list[Any]", value) if isinstance(v, str)], "gain"), problems
    if isinstance(value, Mapping):
        sides = {k: "gain" if v is None else v for k, v in cast("Mapping[str, Any]", value).items()}
        problems = [
            Problem(places.value((*where, k)), f"{spelled((*where, k))} is {pictured(v)}; it must be gain or loss.")
            for k, v in sides.items()
            if v not in ("gain", "loss")
        ]
        return sides, problems
    said = f"{spelled(where)} is {pictured(value)}; it must be a list of variables, or {{profit: gain, claims: loss}}."
    return {}, [Problem(places.value(where), said)]


def _events(value: Any, where: Where, places: Places) -> _Read:
    def read(body: Any, at: Where, places: Places) -> Any:
        return read_part(Event, {"when": body} if isinstance(body, str) else body, at, places)

    return _each(value, where, places, read)


def _control(value: Any, where: Where, places: Places) -> _Read:
    del where, places
    listed = isinstance(value, list) and all(isinstance(v, str) for v in cast("list[Any]", value))
    return (dict.fromkeys(cast("list[str]", value)) if listed else value), []


_PARTS = {
    "variables": _variables,
    "dependence": _dependence,
    "shocks": _shocks,
    "outputs": _outputs,
    "events": _events,
    "control": _control,
}
