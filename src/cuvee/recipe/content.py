"""What a recipe says: its sources, its steps in order, and its report."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from cuvee.core import Spec
from cuvee.recipe.choices import Condition, Word
from cuvee.recipe.steps import AnyStep, Seed


def _columns(value: Any) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if isinstance(listed, (list, tuple)) and listed and all(isinstance(c, str) and c for c in listed):
        return tuple(listed)
    raise PydanticCustomError("wanted", "a column, or a list of columns such as [origin, hour]")


Columns = Annotated[
    tuple[str, ...],
    BeforeValidator(_columns),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
    ),
]
"""One column, or several."""


class SourceSpec(Spec):
    """Where a source is. What else stands here are options of its form, such as `delimiter` of CSV."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="allow")

    path: Word | None = Field(None, description="A file, glob or folder, beside the recipe or absolute.")
    url: Word | None = Field(
        None, description='A database or address; secrets only as "${NAME}", from the environment.'
    )
    key: Columns | None = Field(None, description="The column or columns that name a record.")
    table: Word | None = Field(None, description="The table of a database or sheet of a workbook.")
    form: Word | None = Field(None, description="The form, such as csv, where the ending does not say it.")

    @property
    def location(self) -> str:
        """The path or URL as it is written."""
        return self.path or self.url or ""

    def options(self) -> dict[str, Any]:
        """What the form is told, as it is written: secrets unexpanded."""
        stated = {} if self.table is None else {"table": self.table}
        return {**stated, **(self.model_extra or {})}


class ReportSpec(Spec):
    """The page that shows the run, and the gates."""

    save: Word = Field("report.html", description="Where to write it, beside the recipe.")
    shareable: Word | None = Field(
        None, description="Where to write a page that may leave the house: of the real rows only what it declares."
    )
    title: Word | None = Field(None, description="Its title.")
    fail_if: Mapping[str, Condition] = Field({}, description="By score: when the run fails (exit code 3).")


class Content(Spec):
    """A recipe."""

    version: Literal[1] = Field(description="The version of the form of recipes: 1.")
    seed: Seed = Field(0, description="The same seed gives the same bytes.")
    sources: Mapping[str, SourceSpec] = Field(min_length=1, description="What is read, by name.")
    steps: Mapping[str, AnyStep] = Field(min_length=1, description="What is done, in order, by name.")
    report: ReportSpec | None = Field(None, description="The page that shows the run.")
