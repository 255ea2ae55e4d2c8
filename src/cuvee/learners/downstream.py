"""The learner at the end of the road: trained on some rows, tested on real ones that it did not see."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.data.kinds import Kind
from cuvee.learners.boosting import Boosting, Rounds, Task, fit_boosting
from cuvee.learners.encode import Encoder, codes, learn_encoder, numbers, shuffled, words
from cuvee.learners.linear import Linear, fit_linear, learn_design
from cuvee.learners.target import Target
from cuvee.numeric.intervals import around, poisson_weights
from cuvee.numeric.ranking import r_squared, weighted_auc

Floats = NDArray[np.float64]

ROUNDS = Rounds(trees=200, rate=0.08)
"""How much boosting there is, unless told otherwise."""

ROWS_MAX = 50_000
"""At most this many rows are learned from; more change the figure less than its interval."""

TEST_MAX = 20_000
"""At most this many real rows are tested on."""

REPEATS = 100
"""Bootstrap repeats of an interval."""

FEWEST = 10
"""Fewer test rows say nothing, and fewer training rows teach nothing."""

_CLASSES_MAX = 20
"""Only so many of the commonest classes are told apart; the others count as one more."""

FIGURES: Mapping[Task, str] = {"number": "R²", "yes_no": "AUC", "classes": "macro AUC"}
"""The figure of each task: share of variance explained, chance to rank a yes above a no, and that averaged over
classes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How well a learner did on the test rows.

    Attributes:
        value: The figure (see `FIGURES`).
        repeats: The same on bootstrap samples of the test rows, (REPEATS,); those of two outcomes of one test are
            paired.
        gain: How much each column helped boosting, adding up to 1; nothing for a linear learner.
    """

    value: float
    repeats: Floats
    gain: Mapping[str, float]

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval over test rows."""
        return around(self.value, float(self.repeats.std(ddof=1)), low=-np.inf, high=1.0)

    def minus(self, other: "Outcome") -> tuple[float, float, float]:
        """The difference to another outcome of the same test, with its 95 % interval."""
        gap = self.value - other.value
        return (gap, *around(gap, float((self.repeats - other.repeats).std(ddof=1)), low=-np.inf, high=np.inf))


@dataclass(frozen=True, slots=True)
class Exam:
    """One test that several learners sit.

    Attributes:
        target: What is predicted.
        task: What kind of prediction it is.
        rows: Test rows with a known target.
    """

    target: Target
    task: Task
    rows: int
    _encoder: Encoder
    _levels: pl.Series
    _features: Floats
    _truth: Floats
    _weights: Floats

    @property
    def figure(self) -> str:
        return FIGURES[self.task]

    @property
    def obstacle(self) -> str | None:
        """Why nothing can be tested, or None."""
        if not self._features.shape[1]:
            return "no column is left to predict from"
        if self.rows < FEWEST:
            return f"the holdout has only {self.rows} rows with a known {self.target}"
        return None if len(np.unique(self._truth)) > 1 else f"{self.target} is the same in all holdout rows"

    def sit(
        self, frame: pl.DataFrame, *, rng: Generator, rounds: Rounds | None = None, rows: int = ROWS_MAX
    ) -> Outcome:
        """Train boosting on these rows (at most so many, a sample) and predict the test rows.

        Rows whose target is null are left out. Rows that do not differ in the target teach nothing, and score as a
        guess.
        """
        taught = self._taught(frame, rows, rng)
        if taught is None:
            return self._guessed()
        learner = fit_boosting(
            taught.features,
            taught.target,
            task=taught.task,
            categorical=self._encoder.categorical,
            rounds=rounds or ROUNDS,
        )
        gain = dict.fromkeys((f.column for f in self._encoder.features), 0.0)
        for feature, helped in zip(self._encoder.features, learner.gain, strict=True):
            gain[feature.column] += float(helped)
        return self._mark(self._guess(learner, taught.known), taught.known, gain)

    def sit_linear(self, frame: pl.DataFrame, *, rng: Generator, rows: int = ROWS_MAX) -> Outcome:
        """The same with linear regression of a number, and logistic regression of the rest."""
        taught = self._taught(frame, rows, rng)
        if taught is None:
            return self._guessed()
        design = learn_design(self._encoder, taught.features)
        learner = fit_linear(taught.features, taught.target, task=taught.task, design=design)
        return self._mark(self._guess(learner, taught.known), taught.known, {})

    def _taught(self, frame: pl.DataFrame, rows: int, rng: Generator) -> "_Taught | None":
        """What a learner learns from; None where the rows teach nothing."""
        features, truth = self._read(frame)
        order = shuffled(np.column_stack([features, truth]), rng=rng)[:rows]
        features, truth = features[order], truth[order]
        known, coded = np.unique(truth, return_inverse=True)
        if len(known) < 2 or len(truth) < FEWEST:
            return None
        target = truth if self.task == "number" else coded.astype(np.float64)
        task: Task = "yes_no" if self.task == "classes" and len(known) == 2 else self.task
        return _Taught(features, target, task, known)

    def _guessed(self) -> Outcome:
        return self._mark(np.zeros((self.rows, max(len(self._levels), 1))), np.zeros(0), {})

    def _read(self, frame: pl.DataFrame) -> tuple[Floats, Floats]:
        """Features and target of the rows that have one."""
        values = self.target.of(frame)
        kept = values.is_not_null()
        truth = _truth(values.filter(kept), self.task, self._levels)
        return self._encoder.matrix(frame.filter(kept)), truth

    def _guess(self, learner: Boosting | Linear, known: Floats) -> Floats:
        """The prediction of each test row, one column, or one for each class that was seen in training."""
        guess = learner.predict(self._features)
        if guess.ndim == 2:
            return guess
        return np.column_stack([1 - guess, guess]) if self.task == "classes" and len(known) == 2 else guess[:, None]

    def _mark(self, guess: Floats, known: Floats, gain: Mapping[str, float]) -> Outcome:
        weights = np.vstack([np.ones(self.rows), self._weights])
        if self.task == "number":
            centre = np.full(self.rows, self._truth.mean())
            marks = r_squared(self._truth, guess[:, 0] if len(known) else centre, weights)
        elif self.task == "yes_no":
            marks = weighted_auc(guess[:, 0], self._truth == 1, weights)
        else:
            column = {float(k): i for i, k in enumerate(known)}
            flat = np.zeros(self.rows)
            parts = [
                weighted_auc(guess[:, column[float(c)]] if float(c) in column else flat, self._truth == c, weights)
                for c in np.unique(self._truth)
            ]
            marks = np.mean(parts, axis=0)
        return Outcome(float(marks[0]), marks[1:], gain)


@dataclass(frozen=True, slots=True)
class _Taught:
    """Rows to learn from: features, a target of which classes are 0, 1, ..., and what those numbers stand for."""

    features: Floats
    target: Floats
    task: Task
    known: Floats


def set_exam(
    target: Target,
    kinds: Mapping[str, Kind],
    test: pl.DataFrame,
    others: tuple[pl.DataFrame, ...],
    *,
    rng: Generator,
    rows: int = TEST_MAX,
) -> Exam:
    """The test that real rows make.

    Args:
        target: What is predicted; its column is no feature.
        kinds: What the columns mean.
        test: Real rows that no learner saw.
        others: All tables that will be learned from; the first is real, and decides the task and the classes.
        rng: For the bootstrap of test rows.
        rows: At most so many rows are tested on, a sample.
    """
    encoder = learn_encoder((test, *others), kinds, without=(target.column,))
    known = target.of(others[0]).drop_nulls()
    task = target.task(others[0], kinds[target.column])
    levels = _common(known) if task != "number" else pl.Series("level", [], dtype=pl.String)
    values = target.of(test)
    kept = values.is_not_null()
    truth, features = _truth(values.filter(kept), task, levels), encoder.matrix(test.filter(kept))
    order = shuffled(np.column_stack([features, truth]), rng=rng)[:rows]
    weights = poisson_weights(len(order), repeats=REPEATS, rng=rng)
    return Exam(target, task, len(order), encoder, levels, features[order], truth[order], weights)


def _common(values: pl.Series) -> pl.Series:
    """The commonest classes as text, sorted."""
    text = words(values).rename("level").to_frame()
    counts = text.group_by("level").len().sort(["len", "level"], descending=[True, False])
    return counts["level"].head(_CLASSES_MAX).sort()


def _truth(values: pl.Series, task: Task, levels: pl.Series) -> Floats:
    """The target as numbers; classes by their position, and all that are not among the levels as one more."""
    if task == "number":
        return numbers(values)
    coded = codes(values, levels)
    if task == "yes_no":
        return (coded == len(levels) - 1).astype(np.float64)
    return np.where(coded < 0, len(levels), coded).astype(np.float64)
