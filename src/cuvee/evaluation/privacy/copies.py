"""Copies: whether synthetic rows repeat, or nearly repeat, the rows that were learned from.

Averages miss single copies, so two tail figures are tested and the average is only shown:

* `exact_copies`: synthetic rows that stand in train, word for word;
* `near_copies`: synthetic rows nearer to train than all but the nearest one in a thousand holdout rows;
* `dcr_share`: synthetic rows nearer to a training than to a holdout row. It misses one copied row in twenty.

Each of the first two is a warning where two exact one-sided tests both say so at 1 %, so that it is a false alarm in
at most one run in a hundred: there are more such rows than among holdout rows (which a generator that keeps to the
crowd may have too), and of the nearest real rows more are training rows than train's share of real rows (which only
copying explains).
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from cuvee.core import Family, Metric, Score, Trial
from cuvee.evaluation.privacy.nearness import learn_space, neighbours
from cuvee.evaluation.trial import Compared, compare
from cuvee.learners.encode import shuffled
from cuvee.numeric.distances import nearest
from cuvee.numeric.intervals import Z95, binomial_tail, clopper_pearson, wilson

Floats = NDArray[np.float64]

ALPHA = 0.01
"""Error rate of each test."""

FEWEST = 20
"""Fewer holdout rows can't show how near rows come by chance."""

TAIL = 0.001
"""The share of holdout rows that count as near to train; at least `TAIL_ROWS` rows."""

TAIL_ROWS = 5

_NUMBERS_MAX = 48_000_000
"""At most this many numbers are held for the points of one table."""


@final
class Copies(Metric):
    """Exact copies, near copies and the share nearer to train than to holdout; see the module for how they are judged.

    Without a holdout none is assessed: there is nothing to say how near rows come by chance. Verdicts give the smallest
    leak that the run would have seen, and never say that data is private.
    """

    family: ClassVar[Family] = "privacy"
    gives: ClassVar[tuple[str, ...]] = ("exact_copies", "near_copies", "dcr_share")

    queries_max: int = Field(
        6000, ge=100, description="Rows whose nearest real row is looked for; of more, a random sample."
    )
    rows_max: int = Field(
        40_000, ge=100, description="Real rows of each table that are looked at; of more, a random sample."
    )

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        compared = compare(trial)
        why = None
        if trial.holdout is None:
            why = "no holdout"
        elif trial.holdout.frame.height < FEWEST:
            why = f"the holdout has only {trial.holdout.frame.height} rows"
        elif not compared.encoder.readings:
            why = "no column can be compared"
        if why is not None or trial.holdout is None:
            best = {"dcr_share": 0.5}
            return tuple(
                Score(n, self.family, None, None, None, None, best.get(n, 0.0), f"not assessed: {why}", None)
                for n in self.gives
            )
        exact = _exact(trial.train.frame, trial.holdout.frame, trial.synthetic.frame, list(compared.encoder.readings))
        return (_judged("exact_copies", exact, compared), *self._near(trial, trial.holdout.frame, compared, rng))

    def _near(self, trial: Trial, holdout: pl.DataFrame, compared: Compared, rng: Generator) -> tuple[Score, Score]:
        train, synthetic = trial.train.frame, trial.synthetic.frame
        space = learn_space((train, holdout), synthetic, compared.encoder)
        most = max(100, min(self.rows_max, _NUMBERS_MAX // max(space.width, 1)))
        tables: dict[str, pl.DataFrame] = {}
        for name, frame, limit in (
            ("train", train, most),
            ("holdout", holdout, most),
            ("made", synthetic, self.queries_max),
        ):
            order = shuffled(compared.encoder.matrix(frame), rng=rng)
            tables[name] = frame[order[:limit]]
        points = {name: space.points(frame) for name, frame in tables.items()}
        fresh = nearest(points["holdout"][: self.queries_max], points["train"]).distance
        place = max(TAIL_ROWS, int(np.ceil(TAIL * len(fresh))))
        cut = float(np.sort(fresh)[place - 1])
        found = neighbours(points["made"], points["train"], points["holdout"])
        seen = np.minimum(found.train, found.holdout) <= cut
        counts = _Counts(
            near=int((found.train <= cut).sum()),
            rows=len(points["made"]),
            fresh_near=int((fresh <= cut).sum()),
            fresh_rows=len(fresh),
            credit=float(found.credit[seen].sum()),
            credited=int(seen.sum()),
            train_share=len(points["train"]) / (len(points["train"]) + len(points["holdout"])),
            coverage=len(points["train"]) / train.height,
        )
        return _judged("near_copies", counts, compared), _average(found.balanced)


def _average(credit: Floats) -> Score:
    value, rows = float(credit.mean()), len(credit)
    verdict = (
        f"{value:.1%} of synthetic rows are nearer to a training row than to a holdout row "
        "(50 % means no difference); an average like this misses single copies, so it is shown and not judged."
    )
    return Score("dcr_share", "privacy", value, None, 0.5, wilson(value * rows, rows), 0.5, verdict, None)


@dataclass(frozen=True, slots=True)
class _Counts:
    """What the two tests need.

    Attributes:
        near: Synthetic rows that stand in, or near, train; of `rows`.
        fresh_near: Holdout rows that do; of `fresh_rows`.
        credit: Over the `credited` synthetic rows that stand near any real row, the share of their nearest that are
            train's.
        train_share: The share of real rows that are train's.
        coverage: The share of training rows that was looked at.
    """

    near: int
    rows: int
    fresh_near: int
    fresh_rows: int
    credit: float
    credited: int
    train_share: float
    coverage: float


def _exact(train: pl.DataFrame, holdout: pl.DataFrame, synthetic: pl.DataFrame, columns: list[str]) -> _Counts:
    def counted(frame: pl.DataFrame, name: str) -> pl.DataFrame:
        return frame.select(columns).group_by(columns, maintain_order=True).len(name)

    def beside(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
        return rows.join(others, on=columns, how="left", nulls_equal=True, maintain_order="left")

    in_train, in_holdout = counted(train, "in train"), counted(holdout, "in holdout")
    made = beside(beside(synthetic.select(columns), in_train), in_holdout).select(
        pl.col("in train", "in holdout").fill_null(0)
    )
    fresh = beside(holdout.select(columns), in_train)["in train"].is_not_null().sum()
    a, b = made["in train"].to_numpy().astype(np.float64), made["in holdout"].to_numpy().astype(np.float64)
    seen = a + b > 0
    return _Counts(
        near=int((a > 0).sum()),
        rows=synthetic.height,
        fresh_near=int(fresh),
        fresh_rows=holdout.height,
        credit=float((a[seen] / (a + b)[seen]).sum()),
        credited=int(seen.sum()),
        train_share=train.height / (train.height + holdout.height),
        coverage=1.0,
    )


def _judged(name: str, counts: _Counts, compared: Compared) -> Score:
    value, fresh = counts.near / counts.rows, counts.fresh_near / counts.fresh_rows
    copied = bool(_more_than_fresh(counts, np.array([float(counts.near)]))[0] < ALPHA) and (
        float(binomial_tail(counts.credit, counts.credited, counts.train_share)) < ALPHA
    )
    leak = _smallest_leak(counts)
    stand = "stand in the training data" if name == "exact_copies" else "come very near to a training row"
    said = "Synthetic rows repeat training rows" if copied else "No sign of copying"
    power = (
        f"a leak of {leak:.2g} % of the rows would have shown"
        if leak < 100
        else "the tables are too small to show a leak"
    )
    sampled = f" {counts.coverage:.0%} of the training rows were looked at." if counts.coverage < 1 else ""
    verdict = (
        f"{said}: {value:.2%} of synthetic rows {stand}, and {fresh:.2%} of holdout rows; "
        f"{power}.{sampled}{compared.note}"
    )
    interval = clopper_pearson(counts.near, counts.rows)
    return Score(name, "privacy", value, None, fresh, interval, 0.0, verdict, not copied)


def _more_than_fresh(counts: _Counts, near: Floats) -> Floats:
    """The chance of so many near rows among synthetic ones, were they as often near as holdout rows.

    Source: conditional test of two rates, Przyborowski and Wilenski (1940).
    """
    return binomial_tail(near, near + counts.fresh_near, counts.rows / (counts.rows + counts.fresh_rows))


def _smallest_leak(counts: _Counts) -> float:
    """The smallest share of copied rows, in %, that both tests would have called in about 95 of 100 runs, or 100."""
    background = counts.rows * counts.fresh_near / counts.fresh_rows
    by_chance = background / max(counts.train_share, 1e-9)
    leaked = np.unique(np.round(np.geomspace(1, counts.rows, 400)))
    low = np.maximum(leaked, leaked + background - 1.645 * np.sqrt(background))
    first = _more_than_fresh(counts, low) < ALPHA
    credited = leaked + by_chance
    credit = (
        leaked
        + by_chance * counts.train_share
        - 1.645 * np.sqrt(by_chance * counts.train_share * (1 - counts.train_share))
    )
    second = binomial_tail(np.minimum(credit, credited), credited, counts.train_share) < ALPHA
    seen = leaked[first & second]
    if not len(seen):
        return 100.0
    enough = float(seen[0]) + Z95 * np.sqrt(float(seen[0]))  # as a random sample of all copies, some stay outside it
    return min(100.0, 100 * enough / counts.rows / counts.coverage)
