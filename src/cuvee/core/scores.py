"""What is compared, and what comes of it: trials, metrics and scores."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from numpy.random import Generator

from cuvee.core.plugins import Spec
from cuvee.data.dataset import Dataset

Family = Literal["fidelity", "utility", "privacy", "usual"]
"""What a score speaks of; "usual" are figures of other tools under their names, shown and never judged."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What metrics compare: the data that was learned from, untouched real data, and what was made.

    Attributes:
        train: Real rows that the model saw.
        holdout: Real rows that it did not see, or None: then what needs them is not assessed.
        synthetic: Synthetic rows.
        floor: Rows like train's with every column shuffled by itself, the naive generator; as many as `synthetic`.
        predict: The target column of utility, or None.
        queries: What the user will ask of the data: SQL, or regressions such as "income ~ age + sex".
        kept: What metrics have computed of the tables and share, by name.
    """

    train: Dataset
    holdout: Dataset | None
    synthetic: Dataset
    floor: Dataset
    predict: str | None = None
    queries: tuple[str, ...] = ()
    kept: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Score:
    """One figure with what it is measured against.

    Attributes:
        name: The metric, in the field's word ("shape").
        family: What it speaks of.
        value: The figure of the synthetic data.
        floor: The figure of independently shuffled columns, or None where that says nothing.
        ceiling: The figure of real holdout rows, or None where there is no holdout.
        interval: 95 % interval of the value, or None.
        best: The figure that is best (1.0 for shape, 0.5 for a detector).
        verdict: What it means, in a sentence.
        passed: True fine, False a warning, None not assessed.
        detail: What is behind the figure, worst first: rows such as {"column": "age", "value": 0.98, "ceiling": 0.99}.
        like: The synthetic rows are as near to train as a random sample of so many percent of train's rows, or None
            where this can't be said.
    """

    name: str
    family: Family
    value: float | None
    floor: float | None
    ceiling: float | None
    interval: tuple[float, float] | None
    best: float
    verdict: str
    passed: bool | None
    detail: tuple[Mapping[str, Any], ...] = ()
    like: float | None = None

    @property
    def anchored(self) -> float | None:
        """The figure where 0 is independent columns and 100 is real holdout rows; None without both."""
        if self.value is None or self.floor is None or self.ceiling is None or self.ceiling == self.floor:
            return None
        return 100 * (self.value - self.floor) / (self.ceiling - self.floor)


class Metric(Spec, ABC):
    """A way to compare synthetic with real data."""

    family: ClassVar[Family]
    gives: ClassVar[tuple[str, ...]] = ()
    """The names of its scores, where they are not its own name alone: a gate of a recipe may ask for them."""

    @abstractmethod
    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        """The figures of this trial. Order of rows and of columns does not matter."""


@dataclass(frozen=True, slots=True)
class Check:
    """Whether the metrics saw something that was planted into rows that are otherwise as good as real.

    Attributes:
        name: What was planted: "nothing", "copies" or "correlation".
        family: The verdict that hangs on it.
        seen: Whether the metrics did what they should; None where it could not be tried.
        says: What was planted and what came of it, in a sentence.
    """

    name: str
    family: Family
    seen: bool | None
    says: str


@dataclass(frozen=True, slots=True)
class Scores:
    """All figures of one trial.

    Attributes:
        scores: In the order of the registry.
        rows: Rows of train, holdout and synthetic.
        predict: The target of utility, or None.
        seed: The seed of the evaluation.
        checks: The self-test: where the metrics fail it, the verdict is withheld.
    """

    scores: tuple[Score, ...]
    rows: Mapping[str, int]
    predict: str | None = None
    seed: int = 0
    version: int = field(default=1)
    checks: tuple[Check, ...] = ()

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)

    def __getitem__(self, name: str) -> Score:
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(f"There is no score {name!r}; there are {', '.join(s.name for s in self.scores)}.")

    def to_json(self) -> str:
        """The scores as JSON; NaN never occurs."""
        return json.dumps(asdict(self), indent=1, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Scores":
        """What `to_json` gave."""
        raw: dict[str, Any] = json.loads(text)
        for score in raw["scores"]:
            score["interval"] = None if score["interval"] is None else tuple(score["interval"])
            score["detail"] = tuple(score["detail"])
        scores = tuple(Score(**score) for score in raw.pop("scores"))
        checks = tuple(Check(**check) for check in raw.pop("checks", ()))
        return cls(scores=scores, checks=checks, **raw)

    def save(self, path: str | Path) -> None:
        """Write the scores as JSON."""
        Path(path).write_text(self.to_json(), "utf-8")

    def __repr__(self) -> str:
        return "Scores(" + ", ".join(f"{s.name}={s.value}" for s in self.scores) + ")"
