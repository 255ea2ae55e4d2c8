"""Names become specs here, through the registry, with a sentence for whatever is wrong with them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cuvee.core import Constraint, Rule, Source, Synthesizer
from cuvee.data.errors import CuveeError, SourceError
from cuvee.data.names import did_you_mean
from cuvee.registry import entries, find, name_of
from cuvee.sources.location import form_of


def source(location: str | Path, *, form: str | None = None, **options: Any) -> Source:
    """The source that a path, glob, URL or folder means, by its ending or scheme, or by `form`.

    Raises:
        SourceError: The form is not known, or has no such option.
    """
    name = form or form_of(str(location), {n: entry.endings for n, entry in entries("sources").items()})
    kind = find("sources", name)
    for option in options:
        if option not in kind.model_fields:
            raise SourceError(f"The source {name!r} has no option {option!r}.{did_you_mean(option, kind.model_fields)}")
    return made(kind, name, {"path": str(location), **options})


def choose(group: Any, choice: str | Mapping[str, Any]) -> Any:
    """The spec of a name, or of {name: {option: value}}."""
    if isinstance(choice, str):
        return made(find(group, choice), choice, {})
    one: list[tuple[Any, Any]] = list(choice.items()) if hasattr(choice, "items") else []
    if len(one) != 1 or not isinstance(one[0][1], Mapping):
        raise CuveeError(f"A choice of {group} is a name, or one name with its options: {{name: {{option: value}}}}.")
    return made(find(group, str(one[0][0])), str(one[0][0]), one[0][1])


def made(kind: type[Any], name: str, options: Mapping[str, Any]) -> Any:
    """The spec of a class, with the first thing that is wrong with its options as a sentence without their values."""
    from pydantic import ValidationError

    try:
        return kind(**options)
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(str(p) for p in first["loc"])
        if first["type"] == "extra_forbidden":
            said = f"{name!r} has no option {option!r}.{did_you_mean(option, kind.model_fields)}"
        else:
            said = f"The option {option!r} of {name!r}: {first['msg']}."
        raise CuveeError(said) from error


def rule(choice: Any) -> Rule:
    """The rule of a name, a name with options, or a rule itself."""
    return choice if isinstance(choice, Rule) else choose("rules", choice)


def constraint(said: Any) -> Constraint:
    """The constraint that a line means: a condition or equation as text, or {follows: b, from: [a]} and its like.

    Raises:
        CuveeError: It means none.
    """
    if isinstance(said, Constraint):
        return said
    if isinstance(said, str):
        # What stands in quotes is a value or a name; the rest tells arithmetic from comparison.
        bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", said)
        arithmetic = re.search(r"[*/+]|[\w)\s]-[\s(]", bare) and re.search(r"(?<![<>!=])=(?!=)", bare)
        name = "equation" if arithmetic else "holds"
        return made(find("constraints", name), name, {name: said})
    known = entries("constraints")
    names = [str(k) for k in said if str(k) in known] if isinstance(said, Mapping) else []
    if len(names) != 1:
        given = ", ".join(map(str, said)) if isinstance(said, Mapping) else repr(said)
        raise CuveeError(
            f"A constraint is text (a condition, or an equation) or has one of the words {', '.join(known)}, such as "
            f"{{follows: b, from: [a]}}; this one has {given}."
        )
    listed = {k: tuple(v) if isinstance(v, list) else v for k, v in said.items()}
    return made(find("constraints", names[0]), names[0], listed)


def generator(seed: int) -> np.random.Generator:
    """The generator of a seed.

    Raises:
        CuveeError: The seed is no whole number of 0 or more.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise CuveeError(f"The seed is {seed!r}; it is a whole number, 0 or more.")
    return np.random.default_rng(seed)


def able(option: str) -> list[str]:
    """The synthesizers that have an option."""
    return [name for name in entries("synthesizers") if option in find("synthesizers", name).model_fields]


def with_budget(spec: Synthesizer, seconds: float) -> Synthesizer:
    """The spec with a time budget.

    Raises:
        CuveeError: It has none; those that have are named.
    """
    name, kind = name_of("synthesizers", type(spec)), type(spec)
    if "time_budget" not in kind.model_fields:
        others = able("time_budget")
        have = f"Those that have one: {', '.join(others)}." if others else "No synthesizer has one."
        raise CuveeError(f"The synthesizer {name!r} has no time budget: it takes as long as it takes. {have}")
    return made(kind, name, {**spec.model_dump(), "time_budget": seconds})
