"""Chains of boosted trees in several column orders: every column given those before it."""

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field as Option

from cuvee.codec.codec import LEAST
from cuvee.core import Event, Learned, Synthesizer, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.numeric.boosted import Inputs
from cuvee.numeric.forest import Growth, feature_gains
from cuvee.synthesis.tabular.chain import Lesson, Link, Rows
from cuvee.synthesis.tabular.coding import Coding, fit_coding
from cuvee.synthesis.tabular.correction import ROWS as CORRECTION_ROWS
from cuvee.synthesis.tabular.correction import TIMES, Correction, fit_correction
from cuvee.synthesis.tabular.layout import Layout
from cuvee.synthesis.tabular.options import Least
from cuvee.synthesis.tabular.repeats import find_repeats
from cuvee.synthesis.tabular.trees_learned import TreesLearned, each

GLANCE = 4_000
"""Which columns say something of which is found out on this many rows."""
PACE = 9e-8
"""Seconds of one core that a row takes for each pair of column and feature, round and order; measured."""
CORES = 2
"""Cores that seconds are reckoned for."""
FEWEST = 500
"""With fewer rows a detector learns nothing that is worth a correction."""
SMALL = 2_000
"""With fewer rows than this a fifth of them, not a tenth, decides when to stop."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done.

    Attributes:
        orders: Column orders.
        rounds: Trees of one column at most.
        rate: How far each goes.
        rows: Rows that each column of each order sees at most.
        look: Of these, rows that a split is looked for in at most.
    """

    orders: int
    rounds: int
    rate: float
    rows: int
    look: int

    def seconds(self, n: int, pairs: float) -> float:
        """About how long a fit of n rows and so many pairs of column and feature takes on two cores.

        The cores that there are do not count: the same seed and budget give the same model on any machine.
        """
        # Trees stop by themselves after about so many steps of this size.
        rounds = min(self.rounds, 7.5 / self.rate)
        return 1.3 * PACE * min(n, self.rows) * pairs * self.orders * rounds / CORES


EFFORTS = (
    (2e6, (8, 30, 0.25, 20_000)),
    (5e6, (4, 20, 0.5, 20_000)),
    (1e7, (4, 20, 0.5, 8_000)),
    (np.inf, (4, 10, 0.5, 8_000)),
)
"""Orders, rounds, rate and look for tables of up to so many rows times pairs of column and feature: more and smaller
steps are worth their time where there is little of it; benchmarks/RESULTS.md has what they buy."""


@final
class Trees(Synthesizer):
    """Learn every column given those before it with boosted trees, in several column orders."""

    learned: ClassVar[type[Learned]] = TreesLearned

    orders: int | None = Option(
        default=None, ge=1, le=64, description="Column orders, one a row; by the table's size if not said."
    )
    rounds: int | None = Option(
        default=None, ge=1, le=500, description="Trees of one column at most; by the table's size if not said."
    )
    leaves: int = Option(default=32, ge=2, le=32, description="Leaves of one tree at most.")
    rate: float | None = Option(
        default=None, gt=0, le=1, description="How far each tree goes; by the table's size if not said."
    )
    penalty: float = Option(default=5.0, ge=1, description="Rows that draw every leaf towards what is known before.")
    gain: float = Option(default=4.0, ge=0, description="What a split must gain, in nats times two.")
    smallest: int = Option(default=20, ge=LEAST, description="The fewest rows of a leaf.")
    features: int = Option(default=30, ge=1, description="A column is learned from at most this many others.")
    rows: int = Option(default=250_000, ge=100, description="Each column of each order sees at most this many rows.")
    worth: float = Option(
        default=0.2, ge=0, le=1, description="Share of a number's variance that others must explain to place it."
    )
    correct: bool = Option(default=True, description="Whether to make good what a detector still sees.")
    time_budget: float | None = Option(default=None, gt=0, description="Seconds that the fit may take, about.")
    least: Least = LEAST

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> TreesLearned:
        coding = fit_coding(data, least=self.least, rng=rng, watch=watch)
        layout = Layout.of(coding.fields)
        d, n = len(coding.fields), data.frame.height
        effort = self.effort(n, d)
        watch(Event("estimate", note=f"about {max(round(effort.seconds(n, self._pairs(d))), 1)} s"))
        lesson = self._lesson(data, coding, layout, effort, rng)
        orders = [rng.permutation(d).tolist() for _ in range(effort.orders)]
        rngs = rng.spawn(effort.orders * d)
        links: list[Link | None] = [None] * (effort.orders * d)

        def learn(number: int) -> None:
            k, place = divmod(number, d)
            links[number] = lesson.link(orders[k][place], orders[k][:place], rngs[number])

        each(learn, len(links), watch=watch, step="trees")
        chains = tuple(tuple(x for x in links[k * d : (k + 1) * d] if x is not None) for k in range(effort.orders))
        learned = TreesLearned(coding, layout, chains, n, self.model_dump(mode="json"))
        if not self.correct or d < 2 or n < FEWEST:
            return learned
        watch(Event("correction", 0, 1))
        corrected = learned.corrected(_correction(learned, lesson, rng))
        watch(Event("correction", 1, 1))
        return corrected

    def effort(self, n: int, d: int) -> Effort:
        """What is done for n rows of d columns: by their size, and less where the time would not do."""
        pairs = self._pairs(d)
        levels = [e for most, e in EFFORTS if n * pairs <= most]
        efforts = [
            Effort(self.orders or orders, self.rounds or rounds, self.rate or rate, self.rows, look)
            for orders, rounds, rate, look in levels
        ]
        if self.time_budget is None:
            return efforts[0]
        budget = self.time_budget
        last = efforts[-1]
        efforts += [replace(last, orders=k) for k in range(last.orders - 1, 1, -1)]
        effort = next((e for e in efforts if e.seconds(n, pairs) <= budget), efforts[-1])
        over = effort.seconds(n, pairs) / budget
        return effort if over <= 1 else replace(effort, rows=max(int(min(n, effort.rows) / over), 2_000))

    def seconds(self, n: int, d: int) -> float:
        """About how long a fit of n rows and d columns takes on two cores."""
        return self.effort(n, d).seconds(n, self._pairs(d))

    def _pairs(self, d: int) -> float:
        """Pairs of column and feature in one order."""
        return d * min(d / 2, self.features)

    def _lesson(self, data: Dataset, coding: Coding, layout: Layout, effort: Effort, rng: Generator) -> Lesson:
        """The training rows as chains see them."""
        codes, known, within = coding.places(data, rng=rng)
        d, n = codes.shape
        rows = Rows.of(codes, within)
        for f in range(d):
            rows.set(layout, f)
        features = np.ascontiguousarray(rows.features[:, :d].T)
        numbers = [
            data.frame.to_series(field.column) if layout.edges[f] is not None else None
            for f, field in enumerate(coding.fields)
        ]
        repeats = find_repeats([s if s is not None and _plain_number(s.dtype) else None for s in numbers])
        growth = Growth(
            *(effort.rounds, self.leaves, effort.rate, self.penalty, self.smallest, self.gain),
            look=effort.look,
            held=0.2 if n < SMALL else 0.1,
        )
        gains = _gains(coding, layout, features, codes, growth, rng) if d > self.features + 1 else None
        limits = (self.features, effort.rows, self.worth)
        return Lesson(coding, layout, rows, features, known, repeats, gains, growth, *limits)


def _plain_number(dtype: object) -> bool:
    """Whether values of the dtype can be compared as numbers."""
    import polars as pl

    return isinstance(dtype, pl.DataType) and (dtype.is_numeric() or dtype.is_temporal())


def _correction(learned: TreesLearned, lesson: Lesson, rng: Generator) -> Correction | None:
    """What a detector still sees of the chains."""
    n = lesson.features.shape[1]
    real = lesson.rows.take(np.sort(rng.permutation(n)[:CORRECTION_ROWS]))
    size = real.codes.shape[1]
    made, fresh = learned.candidates(TIMES * size, rng), learned.candidates(size, rng)
    return fit_correction(real, made, fresh, learned.layout, rng=rng)


def _gains(
    coding: Coding,
    layout: Layout,
    features: NDArray[np.uint8],
    codes: NDArray[np.int32],
    growth: Growth,
    rng: Generator,
) -> NDArray[np.float32]:
    """(fields, fields), what each field (column) says of each (row)."""
    d, n = codes.shape
    rows = np.sort(rng.permutation(n)[:GLANCE])
    every = np.arange(d, dtype=np.int32)
    inputs = Inputs(np.ascontiguousarray(features[:, rows]), every, layout.bins, layout.categories, d)
    gains = np.zeros((d, d), np.float32)

    def screen(f: int) -> None:
        counts = coding.fields[f].masses * len(rows)
        gains[f] = feature_gains(inputs, codes[f, rows], counts, growth, missing=int(layout.missing[f]))

    each(screen, d)
    return gains
