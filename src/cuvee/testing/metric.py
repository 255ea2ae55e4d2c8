"""The contract of a metric."""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from cuvee.core import Metric, Score, Trial
from cuvee.data.dataset import Dataset
from cuvee.evaluation.trial import make_trial
from cuvee.testing.planted import dependent_table, shuffled
from cuvee.testing.require import fingerprint, require, untouched

PREDICT = "member"
"""The target of utility in the planted table."""

QUERIES = ("select member, avg(income) as income from data group by member", "income ~ age")
"""What is asked of the planted table."""


@dataclass(frozen=True, slots=True)
class _Case:
    """What the checks of one metric share."""

    spec: Metric
    name: str
    train: pl.DataFrame
    holdout: pl.DataFrame
    synthetic: pl.DataFrame

    def scores(self, synthetic: pl.DataFrame, *, seed: int = 0) -> tuple[Score, ...]:
        """The scores of these rows against train and holdout."""
        return self.spec.score(self.trial(synthetic), rng=np.random.default_rng(seed))

    def trial(self, synthetic: pl.DataFrame, *, holdout: bool = True) -> Trial:
        held = Dataset.of(self.holdout, name="people") if holdout else None
        train, made = Dataset.of(self.train, name="people"), Dataset.of(synthetic, name="people")
        return make_trial(train, held, made, predict=PREDICT, rng=np.random.default_rng(0), queries=QUERIES)


def check_metric(spec: Metric | Callable[[], Metric], *, rows: int = 400, tolerance: float = 0.1) -> None:
    """Certify a metric: that it keeps the contract of `cuvee.core.Metric`.

    Required are: figures are finite, with a verdict, and the same for the same seed; the order of rows and columns does
    not matter; nothing given is changed; without a holdout there is no ceiling. Of fidelity: a copy scores no worse
    than the holdout, shuffled columns about the floor, a scaled column worse, and one outlier moves the figure little.
    Of privacy: a copy is flagged.

    Args:
        spec: The metric, or what makes one.
        rows: Rows of each part of the planted trial.
        tolerance: What counts as "about", as a share of the span from the floor to the best figure, at least of 1.

    Raises:
        AssertionError: It does not; the message says what it should do.
    """
    made = spec if isinstance(spec, Metric) else spec()
    parts = [dependent_table(rows, np.random.default_rng(seed)) for seed in (21, 22, 23)]
    case = _Case(made, type(made).__name__, *parts)
    plain = _plain_figures(case)
    _order(case, plain, tolerance)
    _without_holdout(case)
    if made.family == "fidelity":
        _fidelity(case, plain, tolerance)
    if made.family == "privacy":
        copied = case.scores(case.train)
        require(any(s.passed is False for s in copied), f"{case.name} does not flag a copy of the training rows.")


def _plain_figures(case: _Case) -> tuple[Score, ...]:
    trial = case.trial(case.synthetic)
    tables = (trial.train.frame, trial.synthetic.frame, trial.floor.frame)
    before = [fingerprint(t) for t in tables]
    scores = case.spec.score(trial, rng=np.random.default_rng(0))
    require([fingerprint(t) for t in tables] == before, f"{case.name} changed the trial.")
    require(scores, f"{case.name} gives no score.")
    require(len({s.name for s in scores}) == len(scores), f"{case.name} gives two scores of one name.")
    for score in scores:
        _well_formed(case, score)
    with untouched(case.name):
        again = case.scores(case.synthetic)
    require(_same_figures(scores, again), f"{case.name} gives other figures for the same trial and seed.")
    return scores


def _well_formed(case: _Case, score: Score) -> None:
    what = f"{case.name}: the score {score.name!r}"
    require(
        score.family == case.spec.family, f"{what} is of the family {score.family}, its metric of {case.spec.family}."
    )
    require(all(math.isfinite(x) for x in _numbers(asdict(score))), f"{what} holds NaN or an infinite number.")
    require(len(score.verdict.split()) >= 3, f"{what} has no verdict in a sentence.")
    require(
        score.value is None or isinstance(score.value, float), f"{what} is a {type(score.value).__name__}, not a float."
    )
    if score.interval is not None:
        require(score.interval[0] <= score.interval[1], f"{what} has an interval that ends before it begins.")
        require(score.value is not None, f"{what} has an interval but no value.")
    json.dumps(asdict(score), allow_nan=False)


def _numbers(value: Any) -> Iterable[float]:
    if isinstance(value, (float, np.floating)):
        yield float(value)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _numbers(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _numbers(inner)


def _same_figures(first: tuple[Score, ...], second: tuple[Score, ...]) -> bool:
    return [(s.name, s.value, s.floor, s.ceiling, s.interval) for s in first] == [
        (s.name, s.value, s.floor, s.ceiling, s.interval) for s in second
    ]


def _order(case: _Case, plain: tuple[Score, ...], tolerance: float) -> None:
    """Permute the rows and columns of every part."""
    mixed = replace(case, train=_permuted(case.train, 1), holdout=_permuted(case.holdout, 2))
    for before, after in _pairs(plain, mixed.scores(_permuted(case.synthetic, 3))):
        # A figure with an interval rests on random splits of the rows; one without must not move at all.
        allowed = (
            1e-9 if before.interval is None else max(before.interval[1] - before.interval[0], tolerance * _span(before))
        )
        require(
            abs(_value(before) - _value(after)) <= allowed,
            f"{case.name}: {before.name!r} moves from {before.value} to {after.value} when rows or columns move.",
        )


def _permuted(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    columns = [frame.columns[i] for i in np.random.default_rng(5).permutation(frame.width)]
    return frame[rng.permutation(frame.height)].select(columns)


def _pairs(first: tuple[Score, ...], second: tuple[Score, ...]) -> list[tuple[Score, Score]]:
    """Scores of one name that both have a value."""
    others = {s.name: s for s in second}
    return [
        (s, others[s.name])
        for s in first
        if s.name in others and s.value is not None and others[s.name].value is not None
    ]


def _without_holdout(case: _Case) -> None:
    for score in case.spec.score(case.trial(case.synthetic, holdout=False), rng=np.random.default_rng(0)):
        _well_formed(case, score)
        require(score.ceiling is None, f"{case.name}: {score.name!r} has a ceiling although there is no holdout.")
        if case.spec.family == "privacy":
            require(
                score.passed is None,
                f"{case.name}: {score.name!r} judges privacy without a holdout; it can't be assessed.",
            )


def _fidelity(case: _Case, plain: tuple[Score, ...], tolerance: float) -> None:
    for score in case.scores(case.train):
        if score.value is not None and score.ceiling is not None:
            worse = _miss(score) - abs(score.ceiling - score.best)
            require(
                worse <= tolerance * _span(score),
                f"{case.name}: a copy of train scores {score.value} on {score.name!r}, and real rows {score.ceiling}.",
            )
    for score in case.scores(shuffled(case.train, np.random.default_rng(6))):
        if score.value is not None and score.floor is not None:
            require(
                abs(score.value - score.floor) <= tolerance * max(_span(score), abs(score.floor - score.best)),
                f"{case.name}: shuffled columns score {score.value} on {score.name!r}; the floor says {score.floor}.",
            )
    scaled = case.scores(case.synthetic.with_columns(pl.col("income") * 3))
    pairs = _pairs(plain, scaled)
    require(
        any(_miss(after) > _miss(before) for before, after in pairs)
        and all(_miss(a) >= _miss(b) - tolerance for b, a in pairs),
        f"{case.name} does not get worse when one column of numbers is scaled by 3.",
    )
    spoilt = case.synthetic.with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(1e9).otherwise(pl.col("income")).alias("income")
    )
    for before, after in _pairs(plain, case.scores(spoilt)):
        require(
            abs(_value(before) - _value(after)) <= tolerance * _span(before),
            f"{case.name}: one outlier moves {before.name!r} from {before.value} to {after.value}.",
        )


def _value(score: Score) -> float:
    return 0.0 if score.value is None else score.value


def _miss(score: Score) -> float:
    """How far a figure is from the best one."""
    return abs(_value(score) - score.best)


def _span(score: Score) -> float:
    """The span of a figure's scale, at least 1 so that shares count in points."""
    ends = [abs(e - score.best) for e in (score.floor, score.ceiling) if e is not None]
    return max([1.0, *ends])
