"""The YAML of a recipe or scenario as plain values, with the place of each; what is odd in it becomes a sentence."""

import math
import re
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

from cuvee.data.errors import CuveeError, RecipeError
from cuvee.data.problems import Mark, Places, Problem, Where, spelled

_TAG = "tag:yaml.org,2002:"
_PLAIN = {f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}
_NUMBERS = re.compile(r"[-+]?[0-9][0-9_]*")
_EMPTY = "The recipe is empty. See cuvee demo for one that runs."
_FLOATS = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", re.IGNORECASE)


class Loader(yaml.SafeLoader):
    """YAML 1.2's plain values: `no`, `on` and `2020-01-01` are text, not truth values or dates."""


class Dumper(yaml.SafeDumper):
    """Writes what `Loader` reads."""


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Text with line breaks in double quotes: any other style folds the rarer ones into spaces."""
    style = '"' if text.splitlines() not in ([], [text]) else None
    return dumper.represent_scalar(f"{_TAG}str", text, style=style)


Dumper.add_representer(str, _write_text)
for _style in (Loader, Dumper):
    _style.yaml_implicit_resolvers = {}
    _style.add_implicit_resolver(f"{_TAG}bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
    _style.add_implicit_resolver(f"{_TAG}int", re.compile(rf"^(?:{_NUMBERS.pattern})$"), list("-+0123456789"))
    _style.add_implicit_resolver(
        f"{_TAG}float", re.compile(rf"^(?:{_FLOATS.pattern})$", re.IGNORECASE), list("-+0123456789.")
    )
    _style.add_implicit_resolver(f"{_TAG}null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])


@dataclass(frozen=True, slots=True)
class Document:
    """A text, read.

    Attributes:
        value: The plain values; None where it could not be read.
        places: Where each stands.
        problems: What is wrong with the text itself.
    """

    value: Any
    places: Places
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class _Reading:
    """What is collected while the nodes of one text are read."""

    whole: str
    keys: dict[Where, Mark] = field(default_factory=dict)
    values: dict[Where, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)


def read_document(text: str, name: str, *, whole: str = "recipe", error: type[CuveeError] = RecipeError) -> Document:
    """Read the text of a recipe.

    Args:
        text: YAML.
        name: The name of the file, for messages.
        whole: What the file is, in a word.
        error: What is to be raised where it is wrong.
    """
    reading = _Reading(whole, {(): Mark(1, 1)}, {(): Mark(1, 1)})
    value: Any = None
    try:
        node = yaml.compose(text.removeprefix("\ufeff"), Loader)
        if node is None:
            reading.problems.append(Problem(Mark(1, 1), _EMPTY if whole == "recipe" else f"The {whole} is empty."))
        else:
            value = _value(node, (), reading)
    except yaml.MarkedYAMLError as broken:
        reading.problems.append(_syntax(broken, text))
    except (yaml.YAMLError, RecursionError) as broken:
        said = " ".join(str(broken).split()) if isinstance(broken, yaml.YAMLError) else "it is nested too deeply"
        reading.problems.append(Problem(Mark(1, 1), f"This is not YAML: {said}."))
    return Document(value, Places(name, reading.keys, reading.values, error), tuple(reading.problems))


def _mark(node: yaml.Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def _value(node: yaml.Node, where: Where, reading: _Reading) -> Any:
    reading.values.setdefault(where, _mark(node))
    if id(node) in reading.seen:
        reading.problems.append(
            Problem(
                _mark(node), f"{spelled(where, reading.whole)} is an alias (*); write the value out where it is used."
            )
        )
        return None
    reading.seen.add(id(node))
    if node.tag not in _PLAIN:
        tag, place = node.tag.replace(_TAG, "!!"), spelled(where, reading.whole)
        reading.problems.append(
            Problem(
                _mark(node),
                f"{place} has the tag {tag!r}; a {reading.whole} has no tags. Put text in quotes.",
            )
        )
        return None
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, where, reading)
    if isinstance(node, yaml.SequenceNode):
        items: list[Any] = []
        for position, item in enumerate(node.value):
            reading.keys[*where, position] = _mark(item)
            items.append(_value(item, (*where, position), reading))
        return items
    return _scalar(cast("yaml.ScalarNode", node), where, reading)


def _mapping(node: yaml.MappingNode, where: Where, reading: _Reading) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            hint = (
                "Templates such as {{ name }} are not known here"
                if isinstance(key, yaml.MappingNode)
                else "A key is a word"
            )
            reading.problems.append(
                Problem(
                    _mark(key),
                    f"{spelled(where, reading.whole)} has a collection for a key. {hint}; "
                    f"only ${{NAME}}, in quotes, in sources.",
                )
            )
            continue
        name: str = key.value
        inner = (*where, name)
        if name in made:
            first = reading.keys[inner]
            reading.problems.append(Problem(_mark(key), _twice(where, name, first, reading.whole)))
            continue
        reading.keys[inner] = _mark(key)
        made[name] = _value(value, inner, reading)
    return made


def _twice(where: Where, name: str, first: Mark, whole: str) -> str:
    kinds: dict[Where, str] = {("steps",): "steps", ("sources",): "sources"}
    if where in kinds:
        return (
            f"Two {kinds[where]} are called {name!r}; the first is in line {first.line}. Give one of them another name."
        )
    return f"{spelled(where, whole)} has {name!r} twice; the first is in line {first.line}. Remove one of them."


def _scalar(node: yaml.ScalarNode, where: Where, reading: _Reading) -> Any:
    text: str = node.value
    kind = node.tag.removeprefix(_TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            number = float(text.replace(".inf", "inf").replace(".nan", "nan"))
            if math.isfinite(number):
                return number
    except ValueError:
        pass
    if kind == "str":
        return text
    reading.problems.append(
        Problem(
            _mark(node),
            f"{spelled(where, reading.whole)} is {text!r}, which is no number that a {reading.whole} can use.",
        )
    )
    return None


def _syntax(error: yaml.MarkedYAMLError, text: str) -> Problem:
    """What a YAML error means in a recipe, with its cure."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    lines = text.splitlines()
    row = lines[line] if line < len(lines) else ""
    slip = _slip(row, column)
    if slip is not None:
        return Problem(Mark(line + 1, slip[0] + 1), slip[1])
    place, said = Mark(line + 1, column + 1), error.problem or "it can't be read"
    if "alias" in said or "alias" in (error.context or ""):
        place = Mark(line + 1, row.rfind("*", 0, column + 1) + 1)
        return Problem(place, "A value that begins with '*' must be in quotes, such as \"*.csv\".")
    if "mapping values are not allowed" in said:
        cure = "Put text that has ': ' in it in quotes, or mend the indentation."
        return Problem(place, f"A ':' stands where none can. {cure}")
    if line >= len(lines) or "<stream end>" in said or "end of stream" in said:
        opened = error.context_mark
        place = Mark(opened.line + 1, opened.column + 1) if opened is not None else place
        return Problem(place, "What is opened here is never closed: a bracket, brace or quote is missing.")
    return Problem(place, f"This is not YAML: {said}.")


def _slip(row: str, column: int) -> tuple[int, str] | None:
    """The column and the cure of a slip that is common in recipes, in the line where reading stopped."""
    if "\t" in row[: column + 1]:
        return row.index("\t"), "A tab stands here. YAML is indented with spaces: put two spaces in its place."
    variable = re.search(r"\$\{[^}\"']*\}", row)
    if variable and row[: variable.start()].count('"') % 2 == 0:
        return variable.start(), f'{variable[0]} must be in quotes: "{variable[0]}".'
    comparison = re.search(r"[:,{]\s*([<>]=?\s*[-\d.]+)", row)
    if comparison:
        return comparison.start(1), f'A comparison must be in quotes: "{comparison[1]}".'
    return None
