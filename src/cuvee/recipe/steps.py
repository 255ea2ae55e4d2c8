"""The steps of a recipe. A step is told by its verb, which is one of its keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, final

from pydantic import Discriminator, Field, Tag

from cuvee.core import Spec
from cuvee.data.problems import Where
from cuvee.recipe.choices import Choice, ConstraintLine, Number, Seconds, Share, Whole, Word
from cuvee.simulation.reading import data_names

Gives = Literal["data", "split", "model", "scores", "schema"]
"""What a name of a recipe stands for. A blend stands for its golden data."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A name in a step that stands for a source or for what another step gives.

    Attributes:
        role: What the step takes it for.
        name: As it is written, such as parts.train.
        wanted: What it must give.
    """

    role: str
    name: str
    wanted: Gives


Seed = Annotated[Whole, Field(ge=0)]


class Step(Spec):
    """What all steps have.

    Attributes:
        gives: What the step gives.
        refers: By the place of a reference in the step: the role of what it names, and what that must give.
    """

    gives: ClassVar[Gives] = "data"
    refers: ClassVar[Mapping[tuple[str, ...], tuple[str, Gives]]] = {}

    save: Word | None = Field(None, description="Where to write what the step gives, beside the recipe.")

    @classmethod
    def references_in(cls, body: Mapping[str, Any]) -> dict[Where, Reference]:
        """The references of a step as it is written, well formed or not."""
        found: dict[Where, Reference] = {}
        for where, (role, wanted) in cls.refers.items():
            value: Any = body
            for part in where:
                value = value.get(part) if isinstance(value, Mapping) else None
            if isinstance(value, str):
                found[where] = Reference(role, value, wanted)
        return found

    def references(self) -> dict[Where, Reference]:
        """What the step refers to, by the place in the step."""
        return self.references_in(self.model_dump())


class RandomStep(Step):
    """What steps that draw random numbers have."""

    seed: Seed | None = Field(None, description="Else it is derived from the recipe's seed and the step's name.")


@final
class BlendStep(Step):
    """Link the records of several sources, settle what they disagree on, and relate them."""

    blend: tuple[Word, ...] = Field(min_length=1, description="Sources or steps above.")
    match: Any = Field(
        None, description="What says that two records are the same thing; keys are found where it is left out."
    )
    resolve: Mapping[str, Choice] = Field({}, description="The rule of a column, and under `default` of all others.")
    trust: tuple[Word, ...] = Field((), description="Sources, most trusted first.")
    into: Word | None = Field(
        None, description="The source of facts that all others are attached to, column by column."
    )

    @classmethod
    def references_in(cls, body: Mapping[str, Any]) -> dict[Where, Reference]:
        listed = body.get("blend")
        names = enumerate(listed) if isinstance(listed, (list, tuple)) else ()
        # A part of a value, such as june.flights, takes part under its own name.
        return {("blend", i): Reference(n.rpartition(".")[2], n, "data") for i, n in names if isinstance(n, str)}


@final
class SplitStep(RandomStep):
    """Split rows at random into `.train` and `.holdout`."""

    gives: ClassVar[Gives] = "split"

    refers: ClassVar[Mapping[tuple[str, ...], tuple[str, Gives]]] = {("split",): ("data", "data")}

    split: Word = Field(description="A source or a step above.")
    holdout: Number = Field(0.2, gt=0, lt=1, description="The share of rows that is held out.")
    by: Word | None = Field(None, description="Rows with the same value in this column stay on one side.")


@final
class FitStep(RandomStep):
    """Learn a dataset."""

    gives: ClassVar[Gives] = "model"

    refers: ClassVar[Mapping[tuple[str, ...], tuple[str, Gives]]] = {("fit",): ("data", "data")}

    fit: Word = Field(description="A source or a step above.")
    synthesizer: Choice = Field("auto", description="How to learn; see cuvee models.")
    table: Word | None = Field(None, description="The table to learn, where there are several.")
    exclude: tuple[Word, ...] = Field((), description="Columns to leave out.")
    constraints: tuple[ConstraintLine, ...] = Field(
        (), description="What holds in every row that is made, such as end >= start; see cuvee models constraints."
    )
    time_budget: Seconds | None = Field(None, description="How long to learn at most, such as 5m.")


@final
class SampleStep(RandomStep):
    """Make synthetic rows."""

    refers: ClassVar[Mapping[tuple[str, ...], tuple[str, Gives]]] = {
        ("sample",): ("model", "model"),
        ("given",): ("given", "data"),
    }

    sample: Word = Field(description="A step above that fits.")
    rows: Whole | None = Field(None, ge=0, description="How many; may be left out where rows are given.")
    where: Word | None = Field(None, description="What must be true of every row, such as age >= 60 and sex = 'F'.")
    given: Word | None = Field(None, description="Rows of some of the columns: a source or a step above.")
    balance: Mapping[str, Any] | None = Field(None, description="Shares of values, such as {fraud: {yes: 0.5}}.")
    fair: Mapping[str, Any] | None = Field(None, description="Such as {target: income, groups: [sex]}.")


@final
class ImputeStep(RandomStep):
    """Fill what is missing with values that go with the rest of each row."""

    refers: ClassVar[Mapping[tuple[str, ...], tuple[str, Gives]]] = {
        ("impute",): ("data", "data"),
        ("model",): ("model", "model"),
    }

    impute: Word = Field(description="A source or a step above.")
    model: Word | None = Field(None, description="A step above that fits; else the data themselves are learned.")
    columns: tuple[Word, ...] | None = Field(
        None, min_length=1, description="What to fill; else all but ids, texts and names."
    )
    draws: Whole = Field(1, ge=1, description="Completed copies, numbered in a column draw where there are several.")
    how: Literal["draw", "best"] = Field("draw", description="A draw for each cell, or the value of the least error.")


class MixOf(Spec):
    """What is mixed."""

    real: Word = Field(description="Real rows: a source or a step above.")
    synthetic: Word = Field(description="Synthetic rows: a step above.")


@final
class MixStep(RandomStep):
    """Mix all real rows with synthetic ones, marked in the column `_origin`."""

    refers: ClassVar[Mapping[tuple[str, ...], tuple[str, Gives]]] = {
        ("mix", "real"): ("real", "data"),
        ("mix", "synthetic"): ("synthetic", "data"),
        ("holdout",): ("holdout", "data"),
    }

    mix: MixOf = Field(description="What is mixed.")
    share: Share = Field(description="The synthetic share of the result, from 0 to 1.")
    predict: Word | None = Field(None, description="What the mix is meant to help predict, for the report.")
    holdout: Word | None = Field(None, description="Real rows set aside, to show in the report what the mix is worth.")


@final
class EvaluateStep(RandomStep):
    """Compare synthetic rows with real ones."""

    gives: ClassVar[Gives] = "scores"

    refers: ClassVar[Mapping[tuple[str, ...], tuple[str, Gives]]] = {
        ("evaluate",): ("synthetic", "data"),
        ("train",): ("train", "data"),
        ("holdout",): ("holdout", "data"),
    }

    evaluate: Word = Field(description="Synthetic rows: a step above.")
    train: Word = Field(description="The real rows that the model was fitted on.")
    holdout: Word | None = Field(
        None, description="Real rows that it did not see; without them privacy is not assessed."
    )
    predict: Word | None = Field(None, description="A column, or one comparison such as arr_delay > 15.")
    queries: tuple[Word, ...] = Field(
        (), description="Your own SQL over the table data, or regressions (y ~ a + b): do they give the same?"
    )
    metrics: tuple[Choice, ...] | None = Field(None, min_length=1, description="Which; all where it is left out.")


@final
class InspectStep(Step):
    """Find out what the columns mean, and write it down."""

    gives: ClassVar[Gives] = "schema"

    refers: ClassVar[Mapping[tuple[str, ...], tuple[str, Gives]]] = {("inspect",): ("data", "data")}

    inspect: Word = Field(description="A source or a step above.")


@final
class SimulateStep(RandomStep):
    """Draw from a scenario by Monte Carlo. As data, it stands for its draws."""

    simulate: Mapping[str, Any] = Field(
        description="A scenario, as in a file of its own; its data are sources and steps above."
    )

    @classmethod
    def references_in(cls, body: Mapping[str, Any]) -> dict[Where, Reference]:
        return {("simulate", *place): Reference(n, n, "data") for place, n in data_names(body.get("simulate"))}


VERBS: Mapping[str, type[Step]] = {
    "blend": BlendStep,
    "split": SplitStep,
    "fit": FitStep,
    "sample": SampleStep,
    "impute": ImputeStep,
    "mix": MixStep,
    "evaluate": EvaluateStep,
    "inspect": InspectStep,
    "simulate": SimulateStep,
}


def verb_of(step: Any) -> str | None:
    """The verb of a step, as it is written or as it was read; None where it has none."""
    if isinstance(step, Step):
        return next(verb for verb, kind in VERBS.items() if isinstance(step, kind))
    return next((verb for verb in VERBS if verb in step), None) if isinstance(step, Mapping) else None


AnyStep = Annotated[
    Annotated[BlendStep, Tag("blend")]
    | Annotated[SplitStep, Tag("split")]
    | Annotated[FitStep, Tag("fit")]
    | Annotated[SampleStep, Tag("sample")]
    | Annotated[ImputeStep, Tag("impute")]
    | Annotated[MixStep, Tag("mix")]
    | Annotated[EvaluateStep, Tag("evaluate")]
    | Annotated[InspectStep, Tag("inspect")]
    | Annotated[SimulateStep, Tag("simulate")],
    Discriminator(verb_of),
]
"""A step; which one its verb says."""
