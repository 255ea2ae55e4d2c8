"""The recipe: its content, its text and the folder that its paths start from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import yaml

from cuvee.data.document import Dumper, read_document
from cuvee.data.errors import RecipeError
from cuvee.data.problems import Places
from cuvee.recipe.checks import problems_of
from cuvee.recipe.content import Content, ReportSpec, SourceSpec
from cuvee.recipe.filled import filled
from cuvee.recipe.steps import AnyStep
from cuvee.recipe.structure import outline

_LINE = 120
"""Letters in a line of a recipe that is written out."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A job that has been checked.

    Attributes:
        content: What it says.
        text: The YAML as it was written; secrets stand in it as `${NAME}`.
        places: Where each key and value stands in the text.
        folder: What relative paths start from.
    """

    content: Content
    text: str
    places: Places
    folder: Path

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a recipe file.

        Raises:
            RecipeError: It is not there or is wrong: a line for each problem, with file, line and column.
        """
        file = Path(path)
        try:
            text = file.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise RecipeError(f"{file} is not UTF-8 text (byte {error.start:,}). Save it as UTF-8.") from None
        except OSError as error:
            raise RecipeError(
                f"{file} can't be read: {error.strerror}. Give the path of a recipe, such as recipe.yaml."
            ) from error
        return cls.from_text(text, str(path), folder=file.parent)

    @classmethod
    def from_text(cls, text: str, where: str = "recipe.yaml", *, folder: str | Path = ".") -> Self:
        """Read the text of a recipe.

        Args:
            text: YAML.
            where: The name of the file in messages.
            folder: What relative paths start from.

        Raises:
            RecipeError: It is wrong: a line for each problem, with file, line and column.
        """
        document = read_document(text, where)
        if document.value is None:
            document.places.refuse(document.problems)
        parts, problems = outline(document.value, document.places)
        problems += problems_of(document.value, parts, document.places, Path(folder))
        # What stands in a line that could not be read is not judged as well.
        unread = {p.mark.line for p in document.problems}
        document.places.refuse((*document.problems, *(p for p in problems if p.mark.line not in unread)))
        return cls(Content.model_validate(document.value), text, document.places, Path(folder))

    @classmethod
    def of(cls, content: Mapping[str, Any], *, folder: str | Path = ".") -> Self:
        """The recipe of plain values, as they would stand in the file.

        Raises:
            RecipeError: It is wrong; lines are those of the text that it would have.
        """
        return cls.from_text(_written(content), folder=folder)

    @property
    def seed(self) -> int:
        return self.content.seed

    @property
    def sources(self) -> Mapping[str, SourceSpec]:
        return self.content.sources

    @property
    def steps(self) -> Mapping[str, AnyStep]:
        return self.content.steps

    @property
    def report(self) -> ReportSpec | None:
        return self.content.report

    def with_seed(self, seed: int) -> Self:
        """The same recipe with another seed."""
        return type(self)(self.content.model_copy(update={"seed": seed}), self.text, self.places, self.folder)

    def resolved(self) -> str:
        """The recipe as YAML with every default filled in; running it gives the same bytes."""
        return _written(filled(self.content, self.folder))

    def __repr__(self) -> str:
        return f"Recipe({self.places.name}: {', '.join(self.steps)})"


def _written(content: Mapping[str, Any]) -> str:
    """Plain values as the YAML of a recipe: a source, step or setting in one line where it fits."""
    text = ""
    for section, body in content.items():
        if section in {"sources", "steps"} and isinstance(body, Mapping) and body:
            entries = cast("Mapping[str, Any]", body).items()
            text += f"{section}:\n" + "".join(_lines(name, inner, "  ") for name, inner in entries)
        else:
            text += _lines(section, body, "")
    return text


def _lines(name: str, body: Any, margin: str) -> str:
    short = f"{margin}{_flow(name)}: {_flow(body)}\n"
    if len(short) <= _LINE or not isinstance(body, Mapping) or not body:
        return short
    inner = cast("Mapping[str, Any]", body).items()
    return f"{margin}{_flow(name)}:\n" + "".join(_lines(key, value, f"{margin}  ") for key, value in inner)


def _flow(value: Any) -> str:
    """A value in one line."""
    text = yaml.dump(value, Dumper=Dumper, sort_keys=False, default_flow_style=True, allow_unicode=True, width=10**6)
    return text.removesuffix("...\n").strip()
