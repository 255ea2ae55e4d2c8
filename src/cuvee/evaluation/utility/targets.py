"""Targets: whether models of several columns, learned from synthetic rows, are those that real rows would teach."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from cuvee.core import Family, Metric, Score, Trial
from cuvee.data.kinds import Kind
from cuvee.evaluation.trial import Compared, compare
from cuvee.evaluation.utility.chosen import targets_of
from cuvee.learners.boosting import Rounds
from cuvee.learners.downstream import Exam, Outcome, set_exam
from cuvee.learners.target import Target
from cuvee.numeric.intervals import around

Floats = NDArray[np.float64]

ROUNDS = Rounds(trees=60, rate=0.12)
"""Less boosting than for the named target: several targets are learned several times."""

FLOORS = {"R²": 0.0, "AUC": 0.5, "macro AUC": 0.5}
"""What a learner reaches that knows nothing: the value of shuffled columns, up to chance."""

TESTED = 6000
"""At most so many holdout rows are tested on: the interval is that of several targets together."""

LEARNABLE = 0.03
"""A target of which real rows do not surely teach this much is left out."""

PASS_AT = 0.9
"""Targets pass where synthetic rows teach this share of what real rows do."""

LIKE = 0.1
"""Importance passes at most this far below that of fresh real rows."""


@final
class Targets(Metric):
    """What synthetic rows teach of several columns, as a share of what real rows teach, and by which columns.

    The named target and three that the data itself can teach (they go with other columns, but repeat none) are
    learned by gradient boosting and by a linear model, from train and from synthetic rows, and tested on holdout rows.
    Of each, the share is (figure of synthetic - figure of knowing nothing) / (figure of train - figure of knowing
    nothing), where the figure is AUC or R². `targets` is the mean; its interval is by a bootstrap of holdout rows that
    all learners share. `importance` is how much of the importance of columns (boosting's gain, as shares) is the same
    in both, 1 less the total variation; its ceiling is learned from holdout rows.
    """

    family: ClassVar[Family] = "utility"
    gives: ClassVar[tuple[str, ...]] = ("targets", "importance")

    automatic: int = Field(3, ge=0, le=20, description="Targets chosen beside the named one.")
    rows_max: int = Field(10_000, ge=100, description="Rows learned from; of more, so many are drawn at random.")

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        if trial.holdout is None:
            return _unknown("no holdout")
        compared = compare(trial)
        kinds: dict[str, Kind] = {c: column.kind for c, column in trial.train.meaning.columns.items()}
        tables = (trial.train.frame, trial.synthetic.frame)
        done: list[_Done] = []
        for target in targets_of(trial, compared, self.automatic):
            exam = set_exam(target, kinds, trial.holdout.frame, tables, rng=rng, rows=TESTED)
            if exam.obstacle is None:
                done += self._sat(exam, target, trial, rng)
        learnable = [d for d in done if d.real.interval[0] - d.floor >= LEARNABLE]
        if not learnable:
            return _unknown("no column was found that the others teach")
        return _of_targets(learnable, compared), _of_importance(learnable, compared)

    def _sat(self, exam: Exam, target: Target, trial: Trial, rng: Generator) -> "list[_Done]":
        real, made = trial.train.frame, trial.synthetic.frame
        held = real if trial.holdout is None else trial.holdout.frame
        boosted = [exam.sit(frame, rng=rng, rounds=ROUNDS, rows=self.rows_max) for frame in (made, real, held)]
        linear = [exam.sit_linear(frame, rng=rng, rows=self.rows_max) for frame in (made, real)]
        return [
            _Done(target, "boosting", exam.figure, boosted[0], boosted[1], boosted[2]),
            _Done(target, "linear model", exam.figure, linear[0], linear[1], None),
        ]


@dataclass(frozen=True, slots=True)
class _Done:
    """One target and learner: learned from synthetic, from train, and (for importance alone) from holdout rows."""

    target: Target
    learner: str
    figure: str
    made: Outcome
    real: Outcome
    fresh: Outcome | None

    @property
    def floor(self) -> float:
        return FLOORS[self.figure]

    @property
    def name(self) -> str:
        return f"{self.target}, {self.learner}"

    def share(self) -> float:
        """What synthetic rows teach, as a share of what real rows do."""
        return (self.made.value - self.floor) / (self.real.value - self.floor)

    def shares(self) -> Floats:
        """The same for each bootstrap repeat."""
        return (self.made.repeats - self.floor) / np.maximum(self.real.repeats - self.floor, LEARNABLE / 2)


def _unknown(why: str) -> tuple[Score, ...]:
    return tuple(
        Score(name, "utility", None, None, None, None, 1.0, f"not assessed: {why}", None) for name in Targets.gives
    )


def _of_targets(done: list[_Done], compared: Compared) -> Score:
    value = float(np.mean([d.share() for d in done]))
    error = float(np.mean([d.shares() for d in done], axis=0).std(ddof=1))
    rows: list[dict[str, Any]] = []
    for d in sorted(done, key=lambda d: (d.share(), d.name)):
        gap, low, high = d.made.minus(d.real)
        rows.append(
            {"group": d.name, "metric": d.figure, "value": d.made.value, "floor": d.floor, "ceiling": d.real.value}
            | {"difference": gap, "low": low, "high": high}
        )
    worst = rows[0]
    names = len({d.target.column for d in done})
    verdict = (
        f"Of what real rows teach about {names} {'columns' if names > 1 else 'column'}, synthetic rows teach "
        f"{value:.0%} (boosting and a linear model, tested on holdout rows); the furthest off is {worst['group']}: "
        f"{worst['metric']} {worst['value']:.3f} where real rows reach {worst['ceiling']:.3f} "
        f"({worst['difference']:+.3f}, {worst['low']:+.3f} to {worst['high']:+.3f}).{compared.note}"
    )
    interval = around(value, error, low=-np.inf, high=np.inf)
    return Score("targets", "utility", value, 0.0, 1.0, interval, 1.0, verdict, value >= PASS_AT, tuple(rows))


def _of_importance(done: list[_Done], compared: Compared) -> Score:
    """How alike the importance of columns is; each target counts the same."""
    boosted = [d for d in done if d.fresh is not None]
    if not boosted:
        return _unknown("no column was found that boosting can learn")[1]
    rows: list[dict[str, Any]] = []
    ceilings: list[float] = []
    for d in boosted:
        gaps = {c: d.made.gain.get(c, 0.0) - share for c, share in d.real.gain.items()}
        most = max(gaps, key=lambda c: (abs(gaps[c]), c), default="")
        same = 1 - sum(abs(g) for g in gaps.values()) / 2
        fresh = {} if d.fresh is None else d.fresh.gain
        ceiling = 1 - sum(abs(fresh.get(c, 0.0) - share) for c, share in d.real.gain.items()) / 2
        ceilings.append(ceiling)
        rows.append(
            {"group": str(d.target), "column": most, "value": same, "ceiling": ceiling}
            | {"real": d.real.gain.get(most, 0.0), "synthetic": d.made.gain.get(most, 0.0)}
        )
    value, ceiling = float(np.mean([r["value"] for r in rows])), float(np.mean(ceilings))
    rows.sort(key=lambda r: (r["value"] - r["ceiling"], r["group"]))
    worst = rows[0]
    verdict = (
        f"The columns that a model relies on are the same by {value:.2f} of 1 (fresh real rows {ceiling:.2f}); "
        f"predicting {worst['group']}, {worst['column']} carries {worst['synthetic']:.0%} and should carry "
        f"{worst['real']:.0%}.{compared.note}"
    )
    passed = value >= ceiling - LIKE
    return Score("importance", "utility", value, None, ceiling, None, 1.0, verdict, passed, tuple(rows))
