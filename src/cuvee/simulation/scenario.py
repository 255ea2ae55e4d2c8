"""What a scenario says: variables, how they hang together, what may happen, and what is asked of the outcome."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, Strict, model_validator
from pydantic_core import PydanticCustomError

from cuvee.core import Spec
from cuvee.numeric.designs import Method
from cuvee.simulation.distribution import Chance, Distribution, Number

Each = Literal["step", "draw"]
Word = Annotated[str, Field(min_length=1)]
Whole = Annotated[int, Strict()]
Level = Annotated[float, Strict(), Field(gt=0, lt=1)]
Side = Literal["gain", "loss"]
"""What an output is. Losses of a gain are its negative: value at risk and expected shortfall always speak of losses."""
Measured = Literal["mean", "sd", "quantile", "VaR", "ES", "probability"]

_ASKED = re.compile(
    r"\s*(?:(mean|sd|probability)|(quantile|VaR|ES)\s+(\d+(?:\.\d+)?)\s*%)\s+of\s+(\w+)\s*", re.IGNORECASE
)
_PERCENT = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*%\s*")


def _amount(value: Any) -> Any:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf"):
        return float(value)
    raise PydanticCustomError("wanted", "a number or a formula")


Amount = Annotated[float | str, BeforeValidator(_amount)]
"""A number, or a formula."""


def _correlation(value: Any) -> Any:
    nested = isinstance(value, Mapping) and all(isinstance(v, Mapping) for v in value.values())
    if nested or (isinstance(value, (list, tuple)) and all(isinstance(v, (list, tuple)) for v in value)):
        return value
    raise PydanticCustomError("wanted", "pairs such as {a: {b: 0.5}}, or a matrix such as [[1, 0.5], [0.5, 1]]")


class Variable(Spec):
    """What all variables have."""

    each: Each = Field(default="step", description="Drawn anew in each time step, or once a draw.")
    start: Amount | None = Field(
        default=None, description="Its value before the first step, for formulas that look back: a number or a formula."
    )


class Stated(Variable):
    """A variable with a stated distribution."""

    distribution: SerializeAsAny[Distribution] = Field(description="Its distribution.")


class Fitted(Variable):
    """A variable whose distribution is chosen and fitted to a column."""

    data: Word = Field(description="The data, by the name that the scenario or recipe has for them.")
    column: Word = Field(description="The column.")
    families: tuple[Word, ...] | None = Field(
        default=None, min_length=1, description="Which to choose among; else all that can be."
    )


class Empirical(Variable):
    """A variable that varies as a column does, whatever its distribution."""

    data: Word = Field(description="The data, by the name that the scenario or recipe has for them.")
    column: Word = Field(description="The column.")


class Computed(Variable):
    """A variable that is computed from others."""

    formula: Annotated[str, Strict()] = Field(description="Such as price * demand, or wealth[-1] * (1 + r).")


class Constant(Variable):
    """A number."""

    value: Number = Field(description="The number.")


class Dependence(Spec):
    """Variables that hang together, by a copula."""

    copula: Literal["gaussian", "t"] = Field(default="gaussian", description="t lets extremes come together.")
    variables: tuple[Word, ...] | None = Field(
        default=None, min_length=2, description="Which; else those that are named below."
    )
    correlation: Annotated[Any, BeforeValidator(_correlation)] = Field(
        default=None, description="{a: {b: 0.5}}, pairs left out are 0; or a matrix in the order of the variables."
    )
    measure: Literal["normal", "spearman", "kendall"] = Field(
        default="normal", description="What the figures are: correlations of normal scores, or rank correlations."
    )
    df: Annotated[float, Strict(), Field(gt=0, le=1000)] | None = Field(
        default=None, description="Degrees of freedom of the t copula; fitted where the correlation is."
    )
    fit: Word | None = Field(default=None, description="The data that the correlation is measured on.")
    columns: Mapping[str, Word] = Field(
        default={}, description="By variable: its column, if not the one it is fitted to."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.correlation is None) == (self.fit is None):
            raise PydanticCustomError("wanted", "a mapping with either 'correlation' or 'fit'")
        if self.copula == "t" and self.df is None and self.fit is None:
            raise PydanticCustomError("wanted", "a mapping with 'df', the degrees of freedom of the t copula")
        return self


class Change(Spec):
    """What an event does to a variable: one or several, in this order."""

    multiply: Amount | None = Field(default=None, description="Times so much: a number or a formula.")
    add: Amount | None = Field(default=None, description="So much more.")
    set: Amount | None = Field(default=None, description="This value.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.multiply is None and self.add is None and self.set is None:
            raise PydanticCustomError("wanted", "a mapping with 'multiply', 'add' or 'set'")
        return self


class Shock(Spec):
    """An event that may happen, and what it changes while it lasts."""

    probability: Chance = Field(description="Of the event: in a draw, or with `each: step` in each step.")
    change: Mapping[str, Change] = Field(
        min_length=1, description="By variable: {multiply: 0.5}, {add: 2} or {set: 0}."
    )
    each: Each = Field(default="draw", description="Whether it can happen once a draw, or in every step.")
    at: Annotated[int, Strict(), Field(ge=1)] = Field(default=1, description="The first step in which it can begin.")
    lasts: Annotated[int, Strict(), Field(ge=1)] | None = Field(
        default=None, description="For so many steps; else to the end, and with `each: step` for one."
    )


class Event(Spec):
    """Something whose probability is asked for."""

    when: Word = Field(description="A condition, such as wealth < 0.")
    at: Literal["end", "any"] = Field(default="end", description="At the last step, or in any step of the path.")


def precise(value: Any) -> float | str:
    """A precision: half the width of the 95 % interval, as a number or, in per cent, of the figure itself."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return float(value)
    if isinstance(value, str) and (found := _PERCENT.fullmatch(value)) and float(found[1]) > 0:
        return f"{float(found[1]):g}%"
    raise PydanticCustomError("wanted", 'a number above 0, or a share of the figure in quotes such as "1%"')


class Scenario(Spec):
    """A simulation, as it is written.

    Variables are told apart by their names. Everything else may be left out.
    """

    title: Word | None = Field(default=None, description="Title of the report.")
    variables: Mapping[str, SerializeAsAny[Variable]] = Field(min_length=1, description="By name.")
    steps: Annotated[int, Strict(), Field(ge=0, le=100_000)] = Field(default=0, description="Time steps; 0: no time.")
    dependence: tuple[Dependence, ...] = Field(default=(), description="Variables that hang together, by copulas.")
    shocks: Mapping[str, Shock] = Field(
        default={}, description="Events that may happen, by name; in formulas a name is 0 or 1."
    )
    outputs: Mapping[str, Side] = Field(default={}, description="What is asked for, each a gain or a loss.")
    events: Mapping[str, Event] = Field(default={}, description="Events whose probability is asked for, by name.")
    quantiles: tuple[Level, ...] = Field(
        default=(0.05, 0.25, 0.5, 0.75, 0.95), description="Levels of quantiles of outputs."
    )
    levels: tuple[Level, ...] = Field(default=(0.95, 0.99), description="Levels of VaR and expected shortfall.")
    draws: Annotated[int, Strict(), Field(ge=2)] = Field(
        default=10_000, description="How many; at most, where precision is asked for."
    )
    method: Method = Field(default="plain", description="How draws are spread: plain, antithetic, latin or sobol.")
    control: Mapping[str, Number | None] = Field(
        default={}, description="Control variates and their known means; null where the distribution says it."
    )
    precision: Mapping[str, Annotated[float | str, BeforeValidator(precise)]] = Field(
        default={}, description='Stop when all are known so well: {mean of profit: 0.01} or "1%".'
    )
    sensitivity: Annotated[int, Strict(), Field(ge=0)] = Field(
        default=4_096, description="Rows that sensitivity indices are computed on; 0 for none."
    )
    data: Mapping[str, Word] = Field(
        default={}, description="Files that variables are fitted to, by name, beside the scenario."
    )

    suffixes: ClassVar[tuple[str, ...]] = (".yaml", ".yml")

    @classmethod
    def load(cls, path: str | Path) -> "Scenario":
        """Read a scenario file.

        Raises:
            SimulationError: It is not there or is wrong: a line for each problem, with file, line and column.
        """
        from cuvee.simulation.reading import load

        return load(Path(path))

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Scenario":
        """The scenario of plain values, as they would stand in the file.

        Raises:
            SimulationError: It is wrong; lines are those of the text that it would have.
        """
        from cuvee.simulation.reading import of_content

        return of_content(content)


def asked(key: str) -> tuple[Measured, float | None, str] | None:
    """What `mean of profit` or `VaR 99% of profit` asks for: measure, level and name; None where it can't be read.

    >>> asked("VaR 99% of profit"), asked("probability of ruin")
    (('VaR', 0.99, 'profit'), ('probability', None, 'ruin'))
    """
    found = _ASKED.fullmatch(key)
    if found is None:
        return None
    plain, tail, level, name = found.groups()
    words: Mapping[str, Measured] = {w.lower(): w for w in ("mean", "sd", "quantile", "VaR", "ES", "probability")}
    share = None if level is None else float(level) / 100
    if share is not None and not 0 < share < 1:
        return None
    return words[(plain or tail).lower()], share, name
