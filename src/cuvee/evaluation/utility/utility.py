"""Utility: whether a learner that is trained on synthetic rows does as well on real ones as with real rows."""

from typing import Any, ClassVar, final

from numpy.random import Generator

from cuvee.core import Family, Metric, Score, Trial
from cuvee.data.kinds import Kind
from cuvee.evaluation.trial import compare
from cuvee.learners.downstream import ROWS_MAX, TEST_MAX, Outcome, set_exam
from cuvee.learners.target import parse_target

PASS_AT = 0.9
"""Utility passes at this share of the way from shuffled columns to real rows."""

LEARNABLE = 0.02
"""Where real rows do not surely teach this much more than shuffled columns, there is nothing to compare."""


@final
class Utility(Metric):
    """Gradient boosting trained on synthetic rows and tested on the holdout.

    The figure is the AUC of a yes/no target, the mean AUC of one class against the rest of a target with more
    classes, and R² of a number. The ceiling is the same learner trained on train, the floor on shuffled columns. The
    interval is by a bootstrap of holdout rows that is shared by all three, so that their gap has an interval too. It
    passes at 90 % of the way from floor to ceiling. Without a target there is no score; without a holdout it is not
    assessed.
    """

    family: ClassVar[Family] = "utility"

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        if trial.predict is None:
            return ()
        if trial.holdout is None:
            return (_unknown("no holdout"),)
        compared = compare(trial)
        train, made, floor = trial.train.frame, trial.synthetic.frame, trial.floor.frame
        target = parse_target(trial.predict, train.columns)
        kinds: dict[str, Kind] = {c: column.kind for c, column in trial.train.meaning.columns.items()}
        exam = set_exam(target, kinds, trial.holdout.frame, (train, made, floor), rng=rng)
        if exam.obstacle is not None:
            return (_unknown(exam.obstacle),)
        tables = {"real rows": train, "synthetic rows": made, "shuffled columns": floor}
        marks = {name: exam.sit(frame, rng=rng) for name, frame in tables.items()}
        note = compared.note
        if max(train.height, made.height) > ROWS_MAX or trial.holdout.frame.height > TEST_MAX:
            note += f" At most {ROWS_MAX:,} rows were learned from and {TEST_MAX:,} tested on, drawn at random."
        return (_summary(str(target), exam.figure, marks, note),)


def _unknown(why: str) -> Score:
    return Score("utility", "utility", None, None, None, None, 1.0, f"not assessed: {why}", None)


def _summary(target: str, figure: str, marks: dict[str, Outcome], note: str) -> Score:
    made, real, floor = marks["synthetic rows"], marks["real rows"], marks["shuffled columns"]
    gap, low, high = made.minus(real)
    said = (
        f"Predicting {target} on holdout rows: {figure} {made.value:.3f} learned from synthetic rows, "
        f"{real.value:.3f} from real rows, "
        f"{floor.value:.3f} from shuffled columns; the gap to real rows is {gap:+.3f} ({low:+.3f} to {high:+.3f})."
    )
    learnable = real.interval[0] - floor.value >= LEARNABLE
    passed = made.value >= floor.value + PASS_AT * (real.value - floor.value) if learnable else None
    if not learnable:
        said += " Real rows teach no more than shuffled ones here, so this says little."
    detail: list[dict[str, Any]] = [
        {"group": name, "value": o.value, "low": o.interval[0], "high": o.interval[1], "metric": figure}
        for name, o in marks.items()
    ]
    return Score(
        "utility",
        "utility",
        made.value,
        floor.value,
        real.value,
        made.interval,
        1.0,
        said + note,
        passed,
        tuple(detail),
    )
