"""The synthesizer that suits this table, chosen by what each makes of rows that it has not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from cuvee.codec.codec import LEAST
from cuvee.core import Arrays, Event, Learned, Synthesizer, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.numeric.detector import detector_auc
from cuvee.synthesis.tabular.columns import Codecs, fit_columns, only_table
from cuvee.synthesis.tabular.copula import WIDEST as WIDEST_COPULA
from cuvee.synthesis.tabular.copula import Copula, CopulaLearned
from cuvee.synthesis.tabular.independent import Independent, IndependentLearned

Choice = Literal["independent", "copula"]
LEARNED: Mapping[str, type[Learned]] = {"independent": IndependentLearned, "copula": CopulaLearned}
HELD_OUT = 0.2
FEWEST = 100
"""Below this many rows nothing can be learned about dependence that is worth a comparison."""
BINS = 10
WIDEST = 60
"""Pairs are compared among at most this many columns, drawn at random."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one candidate made of the held-out rows.

    Attributes:
        name: The candidate.
        pairs: Mean total variation distance between pairs of columns, made and held out; smaller is better.
        detection: How far a quick detector tells made from held-out rows; 0.5 is best.
    """

    name: str
    pairs: float
    detection: float

    @property
    def cost(self) -> float:
        """Both in one figure; a pair error of 0.05 weighs as much as a detection of 0.6."""
        return self.pairs + abs(self.detection - 0.5) / 2


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

    def log_prob(self, data: Dataset) -> NDArray[np.float64] | None:
        return self.inner.log_prob(data)


@final
class Auto(Synthesizer):
    """Try the synthesizers of one table on a part of it, and learn all of it with the one that does best."""

    learned: ClassVar[type[Learned]] = AutoLearned

    candidates: tuple[Choice, ...] = Field(
        default=("copula", "independent"), min_length=1, description="Whom to compare."
    )
    rows: int = Field(default=20_000, ge=FEWEST, description="The comparison is made on at most this many rows.")
    least: int = Field(
        default=LEAST, ge=LEAST, le=1000, description="A value that fewer rows share is never kept as it is."
    )

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> AutoLearned:
        table = only_table(data)
        compare, full = rng.spawn(2)
        names = tuple(dict.fromkeys(self.candidates))
        if data.frame.width > WIDEST_COPULA:
            # The copula would refuse; that it alone was asked for is left to its own sentence.
            names = tuple(n for n in names if n != "copula") or names
        if len(names) == 1:
            choice, reason = names[0], f"Only {names[0]!r} could be considered."
        elif data.frame.height < FEWEST:
            choice = names[0]
            reason = f"Table {table!r} has {data.frame.height} rows, too few to compare; {choice!r} was taken unseen."
        else:
            evidence = self._compare(data, names, compare, watch)
            choice, reason = _decide(evidence)
        return AutoLearned(choice, reason, self._spec(choice).fit(data, rng=full, watch=watch))

    def _spec(self, name: str) -> Synthesizer:
        return Copula(shrink=None, least=self.least) if name == "copula" else Independent(least=self.least)

    def _compare(self, data: Dataset, names: Sequence[str], rng: Generator, watch: Watch) -> list[Evidence]:
        """What each candidate makes of a fifth of the rows when it has seen the others."""
        frame, table = data.frame, data.name
        rows = rng.permutation(frame.height)[: self.rows]
        cut = round(len(rows) * (1 - HELD_OUT))
        seen, unseen = data.with_frame(table, frame[np.sort(rows[:cut])]), frame[np.sort(rows[cut:])]
        codecs = fit_columns(seen, least=self.least, rng=rng, watch=silent)
        columns = [j for j, c in enumerate(codecs) if c.informative]
        if len(columns) > WIDEST:
            columns = np.sort(rng.permutation(columns)[:WIDEST]).tolist()
        real = _ranks(unseen, codecs, columns, rng)
        found: list[Evidence] = []
        for done, name in enumerate(names):
            watch(Event("compare", done, len(names), name))
            learned = self._spec(name).fit(seen, rng=rng)
            made = _ranks(learned.sample(unseen.height, start=0, rng=rng)[table], codecs, columns, rng)
            found.append(Evidence(name, _pair_error(real, made), detector_auc(real, made, rng=rng)))
        watch(Event("compare", len(names), len(names)))
        return found


def _ranks(frame: pl.DataFrame, codecs: Codecs, columns: Sequence[int], rng: Generator) -> NDArray[np.float64]:
    """The ranks of the informative columns, (n, columns)."""
    if not columns:
        return np.zeros((frame.height, 0))
    return np.column_stack([codecs[j].encode(frame[codecs[j].name], rng=rng) for j in columns])


def _pair_error(real: NDArray[np.float64], made: NDArray[np.float64]) -> float:
    """Mean total variation distance over all pairs of columns, binned into tenths."""
    a, b = ((np.minimum(x * BINS, BINS - 1)).astype(np.int64) for x in (real, made))
    d = a.shape[1]
    gaps: list[float] = []
    for one in range(d):
        for other in range(one + 1, d):
            p = np.bincount(a[:, one] * BINS + a[:, other], minlength=BINS**2) / len(a)
            q = np.bincount(b[:, one] * BINS + b[:, other], minlength=BINS**2) / len(b)
            gaps.append(0.5 * float(np.abs(p - q).sum()))
    return float(np.mean(gaps)) if gaps else 0.0


def _decide(evidence: Sequence[Evidence]) -> tuple[str, str]:
    """The candidate with the least cost (the first of equals), and why."""
    best = min(evidence, key=lambda e: e.cost)
    shown = "; ".join(f"{e.name} pair error {e.pairs:.3f}, quick detector {e.detection:.2f}" for e in evidence)
    return (
        best.name,
        f"{best.name!r} was chosen by what it makes of rows held out (lower and nearer to 0.5 is better): {shown}.",
    )
