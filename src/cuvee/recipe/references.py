"""Checks what the steps of a recipe refer to: sources, steps above, their parts, and what these give."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from cuvee.data.names import did_you_mean
from cuvee.data.problems import Places, Problem, spelled
from cuvee.recipe.steps import VERBS, BlendStep, Gives, Reference
from cuvee.recipe.structure import Outline

_GIVES: Mapping[Gives, str] = {
    "data": "data",
    "split": "a split",
    "model": "a model",
    "scores": "scores",
    "schema": "a schema",
}
_SIDES = ("train", "holdout")
_ONE_TABLE = {".csv", ".tsv", ".parquet", ".jsonl", ".ndjson", ".arrow", ".feather"}


def references(parts: Outline, places: Places) -> Iterator[Problem]:
    """References to what does not stand above, or gives something else than is wanted."""
    known: dict[str, Gives | None] = dict.fromkeys(parts.sources, "data")
    for name in parts.steps:
        verb = parts.verbs[name]
        written = VERBS[verb].references_in(parts.written[name]) if verb is not None else {}
        for place, reference in written.items():
            where = ("steps", name, *place)
            said = _reference(reference, known, name, parts)
            if said is not None:
                yield Problem(places.value(where), f"{spelled(where)} {said}")
        known[name] = VERBS[verb].gives if verb is not None else None


def _reference(stated: Reference, known: Mapping[str, Gives | None], step: str, parts: Outline) -> str | None:
    """What is wrong with a reference; None where nothing is."""
    name, dot, part = stated.name.partition(".")
    if name == step:
        return f"refers to {name!r}, which is the step itself."
    if name not in known:
        if name in parts.steps:
            return f"refers to {name!r}, which stands below it. A step uses only what stands above it."
        return f"refers to {name!r}, which is no source and no step above it.{did_you_mean(name, known)}"
    gives = known[name]
    if gives == "split":
        return _side(name, part, stated.wanted)
    said = None
    if gives is not None and stated.wanted != gives:
        said = f"gives {_GIVES[gives]}; {_GIVES[stated.wanted]} is wanted here.{_offer(stated.wanted, known)}"
    elif gives is not None and dot and (gives != "data" or not part):
        said = f"gives {_GIVES[gives]}, which has no part {part!r}."
    return None if said is None else f"refers to {name!r}, which {said}"


def _side(name: str, part: str, wanted: Gives) -> str | None:
    if wanted != "data":
        return f"refers to {name!r}, which gives a split; {_GIVES[wanted]} is wanted here."
    if not part:
        return f"refers to {name!r}, which is a split. Write '{name}.train' or '{name}.holdout'."
    if part in _SIDES:
        return None
    return f"refers to '{name}.{part}', but a split has no {part!r}.{did_you_mean(part, _SIDES)}"


def _offer(wanted: Gives, known: Mapping[str, Gives | None]) -> str:
    fitting = [repr(name) for name, gives in known.items() if gives == wanted]
    return f" There are: {', '.join(fitting)}." if fitting else ""


def blended(parts: Outline, places: Places) -> Iterator[Problem]:
    """Sources of a blend under one name, and `trust` and `into` that name none of them."""
    for name, step in parts.steps.items():
        if not isinstance(step, BlendStep):
            continue
        names = [reference.rpartition(".")[2] for reference in step.blend]
        for position, one in enumerate(names):
            if one in names[:position]:
                at = ("steps", name, "blend", position)
                yield Problem(
                    places.value(at),
                    f"{spelled(at)} is a second source called {one!r}; the sources of a blend have different names.",
                )
        into = {} if step.into is None else {("steps", name, "into"): step.into}
        trusted = {("steps", name, "trust", i): t for i, t in enumerate(step.trust)}
        for at, one in {**into, **trusted}.items():
            close = get_close_matches(one, names, n=1, cutoff=0.6)
            # A source may hold several tables, whose names only reading tells; a near miss is a slip all the same.
            if one not in names and (close or all(_is_one_table(n, parts) for n in step.blend)):
                yield Problem(
                    places.value(at), f"{spelled(at)} is {one!r}, which is not blended here.{did_you_mean(one, names)}"
                )


def _is_one_table(reference: str, parts: Outline) -> bool:
    source = parts.sources.get(reference)
    if source is None:
        return reference not in parts.sources and not isinstance(parts.steps.get(reference), BlendStep)
    return source.path is not None and Path(source.path).suffix.lower() in _ONE_TABLE
