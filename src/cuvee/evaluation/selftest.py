"""The self-test: metrics that don't see what is planted into this very data may not judge it.

Fresh real rows (half of the holdout) stand for synthetic ones, because nothing is wrong with them. Left as they are,
the metrics should keep quiet; with copies of training rows among them, those of privacy should warn; with one column
shuffled that goes with another, those of fidelity should.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.random import Generator

from cuvee.core import Check, Family, Metric, Trial
from cuvee.data.dataset import Dataset
from cuvee.evaluation.trial import compare, make_trial
from cuvee.learners.encode import shuffled
from cuvee.numeric.association import cramers_v, small_codes

COPIES = 0.05
"""The share of rows that are copies; at least `COPIES_ROWS`."""

COPIES_ROWS = 10

ROWS = 10_000
"""At most so many fresh rows stand for synthetic ones."""

FEWEST = 50
"""With fewer fresh rows nothing is tried."""

LOOSE = 0.2
"""Where no two columns go together by this much (Cramér's V) there is nothing to destroy."""

SETTLED = 0.95


def self_test(trial: Trial, metrics: Mapping[str, Metric], *, rng: Generator) -> tuple[Check, ...]:
    """What the metrics of fidelity and privacy make of what is planted; nothing where there are none of these.

    Args:
        trial: The real rows; the synthetic ones are not looked at.
        metrics: The metrics to test, by name.
        rng: For what is planted where.
    """
    families: list[Family] = [f for f in ("fidelity", "privacy") if any(m.family == f for m in metrics.values())]
    if not families:
        return ()
    held = trial.train if trial.holdout is None else trial.holdout
    order = shuffled(compare(trial).matrix("train" if trial.holdout is None else "holdout"), rng=rng)[: 2 * ROWS]
    half = len(order) // 2
    if half < FEWEST:
        said = f"The metrics could not be tried: there are fewer than {2 * FEWEST} fresh real rows."
        return tuple(Check("nothing", f, None, said) for f in families)
    made, fresh = held.frame[order[:half]], held.frame[order[half : 2 * half]]
    stage = _Stage(trial, fresh, metrics, rng)
    checks: list[Check] = []
    if "fidelity" in families:
        checks += stage.correlation(made)
    if "privacy" in families:
        checks += stage.copies(made)
    return tuple(checks)


class _Stage:
    """Trials with planted rows in the place of synthetic ones."""

    def __init__(self, trial: Trial, fresh: pl.DataFrame, metrics: Mapping[str, Metric], rng: Generator) -> None:
        self._trial, self._fresh, self._metrics, self._rng = trial, fresh, metrics, rng

    def correlation(self, made: pl.DataFrame) -> list[Check]:
        """One column that goes with another is shuffled."""
        found = _closest(self._trial)
        if found is None:
            said = "No two columns go together enough for their relation to be destroyed; that was not tried."
            return [Check("correlation", "fidelity", None, said)]
        column, other, strength = found
        spoilt = made.with_columns(made[column].gather(self._rng.permutation(made.height)))
        planted = f"With {column} shuffled, which goes with {other} (Cramér's V {strength:.2f}),"
        return self._tried("correlation", "fidelity", made, spoilt, planted)

    def copies(self, made: pl.DataFrame) -> list[Check]:
        """Some rows are copies of training rows."""
        if self._trial.holdout is None:
            return [Check("copies", "privacy", None, "Without a holdout, planted copies could not be tried.")]
        train = self._trial.train.frame
        many = min(made.height, train.height, max(COPIES_ROWS, round(COPIES * made.height)))
        copied = train[np.sort(self._rng.choice(train.height, many, replace=False))]
        planted = f"With copies of {many:,} training rows among {made.height:,},"
        return self._tried("copies", "privacy", made, pl.concat([copied, made[many:]]), planted)

    def _tried(self, name: str, family: Family, made: pl.DataFrame, spoilt: pl.DataFrame, planted: str) -> list[Check]:
        """What was made of the spoilt rows, and by the metrics that saw it of the rows as they are.

        Metrics are asked in their order until one has warned: the quick ones come first.
        """
        asked: list[str] = []
        warned: list[str] = []
        for metric in (n for n, m in self._metrics.items() if m.family == family):
            asked.append(metric)
            warned = self._warned(spoilt, [metric])
            if warned:
                break
        false = self._warned(made, asked)
        nothing = f"no figure of {family}"
        quiet = f"Fresh real rows in the place of synthetic ones: {', '.join(false) or nothing} warned."
        return [
            Check(name, family, bool(warned), f"{planted} {', '.join(warned) or nothing} warned."),
            Check("nothing", family, not false, quiet),
        ]

    def _warned(self, made: pl.DataFrame, metrics: Sequence[str]) -> list[str]:
        """The scores of these metrics that are not fine."""
        given = self._trial
        train, synthetic = given.train, Dataset({given.train.name: made}, given.train.schema)
        holdout = Dataset({train.name: self._fresh}, train.schema) if given.holdout is not None else None
        planted = make_trial(train, holdout, synthetic, predict=None, rng=self._rng)
        scores = [s for name in metrics for s in self._metrics[name].score(planted, rng=self._rng)]
        return [s.name for s in scores if s.passed is False or any(row.get("alarm") for row in s.detail)]


def _closest(trial: Trial) -> tuple[str, str, float] | None:
    """Two columns that go together most, but are not the same thing twice; None where none do."""
    compared = compare(trial)
    places = [i for i, f in enumerate(compared.encoder.features) if f.part == ""]
    if len(places) < 2:
        return None
    matrix = compared.matrix("train")[:ROWS]
    coded = [small_codes(matrix[:, i], categorical=compared.encoder.features[i].categorical) for i in places]
    together = cramers_v(np.column_stack(coded), np.array([int(c.max()) + 1 for c in coded]))
    np.fill_diagonal(together, 0.0)
    loose = np.where(together < SETTLED, together, 0.0)
    if loose.max() >= LOOSE:  # two columns that say the same are a relation that few would miss
        together = loose
    i, j = np.unravel_index(int(together.argmax()), together.shape)
    names = [compared.encoder.features[p].column for p in places]
    strength = float(together[i, j])
    return (names[i], names[j], strength) if strength >= LOOSE else None
