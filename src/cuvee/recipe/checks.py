"""Checks what a recipe means: names, references, choices and files to write, before anything runs."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from cuvee.core import Spec
from cuvee.core.parts import read_part
from cuvee.data.errors import CuveeError
from cuvee.data.names import did_you_mean
from cuvee.data.problems import Places, Problem, Where, spelled
from cuvee.recipe.content import SourceSpec
from cuvee.recipe.inputs import VARIABLE, form, refusal
from cuvee.recipe.references import blended, references
from cuvee.recipe.steps import BlendStep, EvaluateStep, FitStep, SampleStep, SimulateStep, Step
from cuvee.recipe.structure import Outline
from cuvee.registry import Group, entries, find
from cuvee.simulation.reading import read_scenario
from cuvee.sources.secrets import refuse_literal_secret
from cuvee.verbs import able


def problems_of(value: Any, parts: Outline, places: Places, folder: Path) -> list[Problem]:
    """What is wrong with the meaning of a recipe, as far as its parts could be read."""
    return [
        *_variables(value, (), places),
        *_names(parts, places),
        *(p for name, s in parts.sources.items() if s is not None for p in _source(name, s, places, folder)),
        *references(parts, places),
        *(p for name, s in parts.steps.items() if s is not None for p in _choices(name, s, places)),
        *blended(parts, places),
        *_files(parts, places, folder),
        *_gates(parts, places),
    ]


def missing_sources(sources: Mapping[str, SourceSpec], places: Places, folder: Path) -> list[Problem]:
    """The sources that are not there, or whose variables are not set: what only the place of running can say."""
    found: list[Problem] = []
    for name, source in sources.items():
        said = refusal(source, folder)
        if said is not None:
            where = ("sources", name, "path" if source.path is not None else "url")
            found.append(Problem(places.value(where), f"{spelled(where)}: {said}"))
    return found


def _variables(value: Any, where: Where, places: Places) -> Iterator[Problem]:
    """`${NAME}` where the environment is not read: outside sources, and in what says how to read one."""
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, Any]", value).items():
            yield from _variables(inner, (*where, key), places)
    elif isinstance(value, list):
        for position, inner in enumerate(cast("list[Any]", value)):
            yield from _variables(inner, (*where, position), places)
    elif isinstance(value, str) and VARIABLE.search(value):
        inside = where[0] == "sources" and len(where) > 2 and where[2] not in {"key", "form"}
        if not inside:
            only = "the environment is read only in the path, url and options of a source."
            yield Problem(places.value(where), f"{spelled(where)} has a variable; {only}")


def _names(parts: Outline, places: Places) -> Iterator[Problem]:
    for section, named in (("sources", parts.sources), ("steps", parts.steps)):
        for name in named:
            if not name or not all(c.isalnum() or c in "_-" for c in name):
                yield Problem(
                    places.key((section, name)),
                    f"{name!r} is no name for one of the {section}: use letters, digits, _ and -.",
                )
    for name in parts.steps:
        if name in parts.sources:
            line = places.key(("sources", name)).line
            yield Problem(
                places.key(("steps", name)),
                f"The step {name!r} has the name of a source (line {line}). Give it another name.",
            )


def _source(name: str, source: SourceSpec, places: Places, folder: Path) -> Iterator[Problem]:
    where = ("sources", name)
    unknown = {
        key: close
        for key in (source.model_extra or {})
        for close in get_close_matches(key, SourceSpec.model_fields, n=1, cutoff=0.75)
    }
    if (source.path is None) == (source.url is None):
        mistyped = next((k for k, meant in unknown.items() if meant in {"path", "url"}), None)
        if mistyped is not None and source.path is None:
            yield Problem(
                places.key((*where, mistyped)),
                f"{spelled(where)} has no {mistyped!r}. Did you mean {unknown[mistyped]!r}?",
            )
        else:
            says = (
                "needs 'path' or 'url': where it is"
                if source.path is None
                else "has both 'path' and 'url'; a source has one"
            )
            yield Problem(places.key(where), f"{spelled(where)} {says}.")
        return
    key = "path" if source.path is not None else "url"
    try:
        refuse_literal_secret(source.location)
        if VARIABLE.search(source.location) and source.form is None:
            return  # The form hangs on the environment, which is looked at when the recipe is run.
        name_of_form = form(source, folder)
    except CuveeError as error:
        at = "form" if source.form is not None else key
        yield Problem(places.value((*where, at)), f"{spelled((*where, at))}: {_lower(str(error))}")
        return
    yield from _options(source, name_of_form, where, places)


def _options(source: SourceSpec, name: str, where: Where, places: Places) -> Iterator[Problem]:
    """Options that the form does not have, or of the wrong type; those from the environment are tried when run."""
    kind = find("sources", name)
    stated = source.options()
    for option in stated:
        if option not in kind.model_fields:
            known = sorted({*kind.model_fields, *SourceSpec.model_fields} - {"table"})
            yield Problem(
                places.key((*where, option)),
                f"{spelled(where)} has no {option!r}; its form is {name}.{did_you_mean(option, known)}",
            )
    plain = {k: v for k, v in stated.items() if k in kind.model_fields and not VARIABLE.search(str(v))}
    _, problems = read_part(kind, {"path": source.location, **plain}, where, places, secret=True)
    yield from problems


def _choices(name: str, step: Step, places: Places) -> Iterator[Problem]:
    where = ("steps", name)
    if isinstance(step, FitStep):
        found = list(_choice("synthesizers", step.synthesizer, (*where, "synthesizer"), places))
        yield from found
        if not found and step.time_budget is not None:
            yield from _budget(step, where, places)
    if isinstance(step, BlendStep):
        for column, rule in step.resolve.items():
            yield from _choice("rules", rule, (*where, "resolve", column), places)
        yield from _match(step, where, places)
    if isinstance(step, FitStep):
        yield from _constraints(step, where, places)
    if isinstance(step, SimulateStep):
        yield from _scenario(step, where, places)
    if isinstance(step, SampleStep):
        yield from _asked(step, where, places)
    if isinstance(step, EvaluateStep):
        for position, metric in enumerate(step.metrics or ()):
            yield from _choice("metrics", metric, (*where, "metrics", position), places)


def _choice(group: Group, choice: str | Mapping[str, Any], where: Where, places: Places) -> Iterator[Problem]:
    """What is wrong with a choice by name: the name, an extra that is not installed, or its options."""
    name, stated = (choice, {}) if isinstance(choice, str) else next(iter(choice.items()))
    inner = where if isinstance(choice, str) else (*where, name)
    try:
        kind: type[Spec] = find(group, name)
    except CuveeError as error:
        yield Problem(
            places.value(where) if isinstance(choice, str) else places.key(inner),
            f"{spelled(where)}: {_lower(str(error))}",
        )
        return
    _, problems = read_part(kind, stated, inner, places)
    yield from problems


def _budget(step: FitStep, where: Where, places: Places) -> Iterator[Problem]:
    name = step.synthesizer if isinstance(step.synthesizer, str) else next(iter(step.synthesizer))
    if "time_budget" not in find("synthesizers", name).model_fields:
        at = (*where, "time_budget")
        others = able("time_budget")
        instead = f", or choose one that has: {', '.join(others)}" if others else ""
        yield Problem(
            places.key(at),
            f"{spelled(at)}: the synthesizer {name!r} has no time budget: it takes as long as it takes. "
            f"Remove this{instead}.",
        )


def _constraints(step: FitStep, where: Where, places: Places) -> Iterator[Problem]:
    from cuvee.verbs.choose import constraint

    for position, said in enumerate(step.constraints):
        try:
            constraint(said)
        except CuveeError as error:
            at = (*where, "constraints", position)
            yield Problem(places.value(at), f"{spelled(at)}: {_lower(str(error))}")


def _scenario(step: SimulateStep, where: Where, places: Places) -> Iterator[Problem]:
    at = (*where, "simulate")
    if "data" in step.simulate:
        said = "in a recipe the data of a scenario are sources and steps above, by their names. Remove this."
        yield Problem(places.key((*at, "data")), f"{spelled((*at, 'data'))}: {said}")
    yield from read_scenario(step.simulate, at, places)[1]


def _asked(step: SampleStep, where: Where, places: Places) -> Iterator[Problem]:
    from cuvee.data.conditions_text import condition_of

    if step.rows is None and step.given is None:
        yield Problem(places.key(where), f"{spelled(where)} needs 'rows': how many.")
    try:
        condition_of(step.where)
    except CuveeError as error:
        at = (*where, "where")
        yield Problem(places.value(at), f"{spelled(at)}: {_lower(str(error))}")


def _match(step: BlendStep, where: Where, places: Places) -> Iterator[Problem]:
    from cuvee.blending.match import parse_match

    try:
        parse_match(step.match)
    except CuveeError as error:
        at = (*where, "match")
        yield Problem(places.value(at), f"{spelled(at)}: {str(error).removeprefix('match: ').removeprefix('match ')}")


def _files(parts: Outline, places: Places, folder: Path) -> Iterator[Problem]:
    """Files that two steps would write, that are sources, or that have no form."""
    taken = {
        _path(s.path, folder): f"the source {n!r}"
        for n, s in parts.sources.items()
        if s is not None and s.path is not None
    }
    saves = [
        (("steps", n, "save"), s.save, s.gives) for n, s in parts.steps.items() if s is not None and s.save is not None
    ]
    pages = {} if parts.report is None else {"save": parts.report.save, "shareable": parts.report.shareable}
    report = [(("report", key), path, "report") for key, path in pages.items() if path is not None]
    for where, save, gives in (*saves, *report):
        path = _path(save, folder)
        if path in taken:
            yield Problem(places.value(where), f"{spelled(where)} would overwrite {taken[path]}. Give another file.")
        taken[path] = f"what {spelled(where[:-1])} saves"
        said = _ending(path, gives)
        if said is not None:
            yield Problem(places.value(where), f"{spelled(where)}: {said}")


def _path(written: str, folder: Path) -> Path:
    return Path(written) if Path(written).is_absolute() else folder / written


def _ending(path: Path, gives: str) -> str | None:
    """Why a value can't be written to this path, by its ending; None where it can."""
    wanted = {
        "scores": (".json",),
        "schema": (".yaml", ".yml"),
        "report": (".html", ".md", ".json"),
        "model": ("",),
        "split": ("",),
    }
    suffix = path.suffix.lower()
    if gives in wanted:
        if suffix in wanted[gives]:
            return None
        kinds = (
            "a folder, so a path without an ending"
            if wanted[gives] == ("",)
            else f"a file that ends with {' or '.join(wanted[gives])}"
        )
        return f"{path.name!r} has the ending {suffix!r}; what this gives is written to {kinds}."
    from cuvee.sources.location import form_of

    try:
        form_of(str(path), {n: entry.endings for n, entry in entries("sources").items()})
    except CuveeError as error:
        return _lower(str(error))
    return None


def _gates(parts: Outline, places: Places) -> Iterator[Problem]:
    if parts.report is None or not parts.report.fail_if:
        return
    judged = [(n, s) for n, s in parts.steps.items() if isinstance(s, EvaluateStep)]
    if not judged and "evaluate" not in parts.verbs.values():
        yield Problem(
            places.key(("report", "fail_if")), "report.fail_if needs scores: put a step with 'evaluate' above it."
        )
    broken = any(verb == "evaluate" and parts.steps[name] is None for name, verb in parts.verbs.items())
    given = [score for _, step in judged for score in _scores(step)]
    broken, known = broken or None in given, [score for score in dict.fromkeys(given) if score is not None]
    for score, condition in parts.report.fail_if.items():
        where = ("report", "fail_if", score)
        if score not in known and judged and not broken:
            hint = did_you_mean(score, known)
            yield Problem(places.key(where), f"{spelled(where)}: there is no score {score!r}.{hint}")
        for name, step in judged:
            if condition.endswith("_holdout") and step.holdout is None:
                text = f"{spelled(where)} compares with holdout rows, but steps.{name} has no 'holdout'."
                yield Problem(places.value(where), text)


def _scores(step: EvaluateStep) -> Iterator[str | None]:
    """The names of the scores that a step gives; None for a metric that is not known."""
    for choice in entries("metrics") if step.metrics is None else step.metrics:
        name = choice if isinstance(choice, str) else next(iter(choice))
        yield from (find("metrics", name).gives or (name,)) if name in entries("metrics") else (None,)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:] if sentence[:2] == sentence[:2].capitalize() else sentence
