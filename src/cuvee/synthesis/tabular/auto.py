"""The synthesizer that suits this table, chosen by what each makes of rows that it has not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from cuvee.codec.codec import LEAST
from cuvee.core import Arrays, Asked, Event, Learned, Method, Synthesizer, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.synthesis.tabular.circuit import Circuit, CircuitLearned
from cuvee.synthesis.tabular.columns import only_table
from cuvee.synthesis.tabular.copula import WIDEST as WIDEST_COPULA
from cuvee.synthesis.tabular.copula import Copula, CopulaLearned
from cuvee.synthesis.tabular.independent import Independent, IndependentLearned
from cuvee.synthesis.tabular.race import Evidence, Race
from cuvee.synthesis.tabular.trees import Trees
from cuvee.synthesis.tabular.trees_learned import TreesLearned

Choice = Literal["trees", "circuit", "copula", "independent"]
LEARNED: Mapping[str, type[Learned]] = {
    "trees": TreesLearned,
    "circuit": CircuitLearned,
    "copula": CopulaLearned,
    "independent": IndependentLearned,
}
FEWEST = 100
"""Below this many rows nothing can be learned about dependence that is worth a comparison."""
LONGEST = 240.0
"""Seconds that the default takes at most, about, where no budget is given."""
RACE_SHARE = 0.3
"""The share of a budget that the comparison may take."""
WIDEST_CIRCUIT = 100
"""Columns beyond which the circuit is not tried: trees are faster there, and no worse."""
CIRCUIT_PACE = 4e-5
"""Seconds that the circuit takes for a cell; measured."""
QUICK: Mapping[str, Any] = {"orders": 2, "rounds": 15, "rate": 0.5}
"""How trees are grown in the comparison: what more effort buys there is not worth its time."""
CLOSE = 0.015
"""Candidates whose costs differ by less are as good as each other; the first of them is taken."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class AutoLearned(Learned):
    """What the chosen synthesizer learned, and why it was chosen.

    Attributes:
        choice: The name of the chosen synthesizer.
        reason: Why, in a sentence.
        inner: What it learned.
    """

    choice: str
    reason: str
    inner: Learned

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        return self.inner.sample(n, start=start, rng=rng)

    def sample_asked(
        self, n: int, asked: Asked, *, start: int, rng: Generator
    ) -> tuple[Mapping[str, pl.DataFrame], Method] | None:
        return self.inner.sample_asked(n, asked, start=start, rng=rng)

    def made_new(self) -> tuple[str, ...]:
        return self.inner.made_new()

    def numbered(self, frame: pl.DataFrame, *, start: int, rng: Generator) -> pl.DataFrame:
        return self.inner.numbered(frame, start=start, rng=rng)

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = self.inner.state()
        return {"choice": self.choice, "reason": self.reason, "inner": values}, arrays

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        choice = str(values["choice"])
        if choice not in LEARNED:
            raise ModelError(f"The model was made by {choice!r}, which this version of cuvee does not know.")
        return cls(choice, str(values["reason"]), LEARNED[choice].restore(values["inner"], arrays))

    def notes(self) -> tuple[str, ...]:
        return (self.reason, *self.inner.notes())

    def history(self) -> pl.DataFrame | None:
        return self.inner.history()

    def log_prob(self, data: Dataset) -> NDArray[np.float64] | None:
        return self.inner.log_prob(data)

    def log_prob_cells(self, data: Dataset) -> NDArray[np.float64] | None:
        return self.inner.log_prob_cells(data)

    def update(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> Self:
        return replace(self, inner=self.inner.update(data, rng=rng, watch=watch))


@final
class Auto(Synthesizer):
    """Try the synthesizers of one table on a part of it, and learn all of it with the one that does best."""

    learned: ClassVar[type[Learned]] = AutoLearned

    candidates: tuple[Choice, ...] = Field(
        default=("trees", "circuit", "copula", "independent"), min_length=1, description="Whom to compare."
    )
    rows: int = Field(default=5_000, ge=FEWEST, description="The comparison is made on at most this many rows.")
    time_budget: float | None = Field(default=None, gt=0, description="Seconds that the fit may take, about.")
    least: int = Field(
        default=LEAST, ge=LEAST, le=1000, description="A value that fewer rows share is never kept as it is."
    )

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> AutoLearned:
        table = only_table(data)
        compare, full = rng.spawn(2)
        names = self._usable(data.frame)
        if len(names) == 1:
            choice, reason = names[0], f"Only {names[0]!r} could be considered."
        elif data.frame.height < FEWEST:
            choice = "copula" if "copula" in names else names[0]
            reason = f"Table {table!r} has {data.frame.height} rows, too few to compare; {choice!r} was taken unseen."
        else:
            choice, reason = self._race(data, names, compare, watch)
        left = LONGEST if self.time_budget is None else (1 - RACE_SHARE) * self.time_budget
        return AutoLearned(choice, reason, self._spec(choice, left).fit(data, rng=full, watch=watch))

    def _usable(self, frame: pl.DataFrame) -> tuple[Choice, ...]:
        """The candidates that can take so many columns, each once."""
        limits = {"copula": WIDEST_COPULA, "circuit": WIDEST_CIRCUIT}
        names = tuple(dict.fromkeys(self.candidates))
        # That only those were asked for that can't take it is left to their own sentence.
        return tuple(n for n in names if frame.width <= limits.get(n, frame.width)) or names

    def _spec(self, name: str, seconds: float, **options: Any) -> Synthesizer:
        if name == "trees":
            return Trees(least=self.least, time_budget=seconds, **options)
        if name == "circuit":
            return Circuit(least=self.least)
        return Copula(shrink=None, least=self.least) if name == "copula" else Independent(least=self.least)

    def _race(self, data: Dataset, names: Sequence[Choice], rng: Generator, watch: Watch) -> tuple[str, str]:
        """The candidate that does best on held-out rows and gives back no training rows, and why."""
        budget = None if self.time_budget is None else RACE_SHARE * self.time_budget
        race = Race.of(data, rows=self.rows, least=self.least, rng=rng)
        spent = 0.0
        found: list[Evidence] = []
        skipped: list[str] = []
        for done, name in enumerate(names):
            # What it will take is reckoned, not measured: the same seed gives the same model, however busy the machine.
            spent += _seconds(name, race.seen.frame.height, len(race.codecs))
            if budget is not None and found and spent > budget:
                skipped.append(name)
                continue
            watch(Event("compare", done, len(names), name))
            found.append(race.run(name, self._spec(name, LONGEST / 8, **QUICK), rng=rng))
        watch(Event("compare", len(names), len(names)))
        return _decide(found, skipped)


def _seconds(name: str, n: int, d: int) -> float:
    """About how long a candidate takes in the comparison."""
    if name == "trees":
        return Trees(**QUICK).seconds(n, d)
    return CIRCUIT_PACE * n * d if name == "circuit" else 0.0


def _decide(evidence: Sequence[Evidence], skipped: Sequence[str]) -> tuple[str, str]:
    """The first candidate of the least cost among those that give back no training rows, and why.

    Raises:
        ModelError: All of them give back training rows.
    """
    shown = "; ".join(str(e) for e in evidence)
    honest = [e for e in evidence if not e.memorised]
    if not honest:
        raise ModelError(
            "Every synthesizer that was tried gives back rows of its training data more often than real rows repeat "
            f"each other, so nothing was fitted: {shown}. Drop columns that nearly name a row, or fit more rows."
        )
    least = min(e.cost for e in honest)
    best = next(e for e in honest if e.cost <= least + CLOSE)
    refused = [e.name for e in evidence if e.memorised]
    also = f" Refused, as they gave back training rows: {', '.join(map(repr, refused))}." if refused else ""
    also += f" Left out for want of time: {', '.join(map(repr, skipped))}." if skipped else ""
    reason = (
        f"{best.name!r} was chosen by what it makes of rows held out (detector: 0.5 is best; pair error and near "
        f"copies: lower is better): {shown}.{also}"
    )
    return best.name, reason
