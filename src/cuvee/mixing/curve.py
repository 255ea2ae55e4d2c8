"""The share curve: whether synthetic rows beside real ones help to predict, and from where on they hurt."""

from collections.abc import Mapping, Sequence

import polars as pl
from numpy.random import Generator

from cuvee.core import Event, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError
from cuvee.data.kinds import Kind
from cuvee.learners.downstream import Exam, Outcome, set_exam
from cuvee.learners.target import parse_target
from cuvee.mixing.share import fit_columns, rows_needed

SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


def share_curve(
    real: Dataset,
    synthetic: Dataset,
    holdout: Dataset,
    *,
    predict: str,
    rng: Generator,
    shares: Sequence[float] = SHARES,
    watch: Watch = silent,
) -> pl.DataFrame:
    """How well gradient boosting predicts holdout rows, by the share of synthetic rows among those it learned from.

    As in `mix_by_share`, all real rows are kept. Every share is tested on the same holdout rows with the same
    bootstrap, so that gains over real rows alone have honest intervals. Shares that need more synthetic rows than
    there are left out.

    Args:
        real: Rows to learn from.
        synthetic: Rows to add.
        holdout: Real rows, of which no learner and no synthesizer saw any.
        predict: A column or a comparison (see `cuvee.learners.target`).
        rng: For the draws and the bootstrap.
        shares: In [0, 1]; 0 is always measured.
        watch: Told of progress.

    Returns:
        share, value, low, high (95 %), gain, gain_low, gain_high (over share 0), rows_real, rows_synthetic, figure
        (what the value is: "AUC", "macro AUC" or "R²"), sorted by share.

    Raises:
        CuveeError: A share is not in [0, 1], the target is not there, or the holdout can't test it.
    """
    wrong = [s for s in shares if not 0 <= s <= 1]
    if wrong:
        raise CuveeError(f"The shares {wrong} are not between 0 and 1.")
    frame, made = real.frame, fit_columns(real.frame, synthetic.frame)
    exam = _exam(real, fit_columns(frame, holdout.frame), made, predict, rng)
    order = rng.permutation(made.height)  # larger shares hold the rows of smaller ones
    needed = {s: rows_needed(frame.height, s, available=made.height) for s in sorted({0.0, *map(float, shares)})}
    possible = {s: n for s, n in needed.items() if n <= made.height and (s > 0 or frame.height)}
    outcomes: dict[float, Outcome] = {}
    for done, (share, extra) in enumerate(possible.items()):
        watch(Event("mix", done, len(possible), f"share {share:g}"))
        parts = ([] if share == 1 else [frame]) + ([made[order[:extra]]] if extra else [])
        outcomes[share] = exam.sit(pl.concat(parts), rng=rng)
    watch(Event("mix", len(possible), len(possible)))
    rows = [
        _row(share, o, outcomes[0.0], 0 if share == 1 else frame.height, possible[share], exam.figure)
        for share, o in outcomes.items()
    ]
    return pl.DataFrame(rows)


def _exam(real: Dataset, test: pl.DataFrame, made: pl.DataFrame, predict: str, rng: Generator) -> Exam:
    """The test that all shares sit."""
    kinds: dict[str, Kind] = {c: column.kind for c, column in real.meaning.columns.items()}
    exam = set_exam(parse_target(predict, real.frame.columns), kinds, test, (real.frame, made), rng=rng)
    if exam.obstacle is not None:
        raise CuveeError(f"The curve of shares can't be measured: {exam.obstacle}.")
    return exam


def _row(
    share: float, outcome: Outcome, alone: Outcome, real: int, synthetic: int, figure: str
) -> Mapping[str, object]:
    low, high = outcome.interval
    gain, gain_low, gain_high = outcome.minus(alone)
    measured = {"share": share, "value": outcome.value, "low": low, "high": high}
    return measured | {
        "gain": gain,
        "gain_low": gain_low,
        "gain_high": gain_high,
        "rows_real": real,
        "rows_synthetic": synthetic,
        "figure": figure,
    }
