"""What is wrong with a recipe, or another YAML file: one line for each problem, with its place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cuvee.data.errors import CuveeError, RecipeError

Where = tuple[str | int, ...]
"""The way to a value of a file: ("steps", "twins", "rows")."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a text, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to mend.

    Attributes:
        mark: Where it stands, or None of a recipe that has no text.
        text: What was found, what was wanted and what to do.
    """

    mark: Mark
    text: str


@dataclass(frozen=True, slots=True)
class Places:
    """Where the keys and values of a YAML file stand in its text.

    Attributes:
        name: The name of the file, as messages give it.
        keys: The mark of each key (of each item, in a list).
        values: The mark of each value.
        error: What is raised where the file is wrong.
    """

    name: str
    keys: Mapping[Where, Mark]
    values: Mapping[Where, Mark]
    error: type[CuveeError] = RecipeError

    def key(self, where: Where) -> Mark:
        """The mark of a key, or of the nearest thing around it that has one."""
        return self.keys[where] if where in self.keys or not where else self.key(where[:-1])

    def value(self, where: Where) -> Mark:
        """The mark of a value, or of the nearest thing around it that has one."""
        return self.values[where] if where in self.values or not where else self.value(where[:-1])

    def line(self, problem: Problem) -> str:
        """The problem as one line: file:line:column: text."""
        return f"{self.name}:{problem.mark.line}:{problem.mark.column}: {problem.text}"

    def refuse(self, problems: Iterable[Problem]) -> None:
        """Nothing, where there is no problem.

        Raises:
            CuveeError: There are problems: one line each, in the order of the file.
        """
        listed = sorted(set(problems))
        if listed:
            raise self.error("\n".join(self.line(p) for p in listed))


def spelled(where: Where, whole: str = "recipe") -> str:
    """The way to a value as a person writes it.

    >>> spelled(("steps", "people", "blend", 1))
    'steps.people.blend[1]'
    """
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or f"the {whole}"


def pictured(value: Any) -> str:
    """A value as a message shows it: short, and never the inside of a collection."""
    if value is None or (isinstance(value, (Mapping, list)) and not value):
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:37] + "...")
    return "a mapping" if isinstance(value, Mapping) else "a list"
