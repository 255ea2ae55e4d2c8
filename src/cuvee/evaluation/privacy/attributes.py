"""Attribute inference: whether the synthetic rows tell more of a training row's value than of a fresh row's.

What can be guessed of anyone from the other values is knowledge of the population and no leak; it is shown as such.
A leak is the advantage: how much more often the same attacker is right on training than on holdout rows.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from cuvee.core import Family, Metric, Score, Trial
from cuvee.evaluation.privacy.alarms import ALPHA, obstacle, seen, unknown
from cuvee.evaluation.privacy.cells import Cells, entropy, joint, learn_cells
from cuvee.evaluation.privacy.nearness import learn_space
from cuvee.evaluation.trial import Compared, compare
from cuvee.learners.boosting import Rounds, fit_boosting
from cuvee.learners.encode import Encoder, shuffled
from cuvee.numeric.attacks import holm, more_often, smallest_excess
from cuvee.numeric.distances import nearest, nearest_places
from cuvee.numeric.intervals import difference

Floats = NDArray[np.float64]
Hits = NDArray[np.bool_]

COLUMNS = 3
"""Columns that are attacked where none is marked sensitive; at most twice as many that are."""

LEARNED = 10_000
"""Synthetic rows that the model learns from, at most."""

CLASSES = 20
"""Levels beyond the most frequent are never guessed by the model."""

SURE = 0.05
"""The share of targets, those nearest to a synthetic row, that the sure attacker speaks of."""

KNOWN = 0.05
"""A column is trivial where another leaves less than this share of its entropy."""

_ROUNDS = Rounds(trees=40, rate=0.15, leaves=15)


@final
class Attributes(Metric):
    """The advantage of the strongest attack on a value, train over holdout; see the module.

    Three attackers who know all other values of a row guess each column: a model trained on the synthetic rows, the
    value of the nearest synthetic row, and the same where that row is very near. A level is right where it is the same,
    a number where its rank is within 5 %. Columns: those marked sensitive, else the three of most entropy that no
    other column gives away.

    Source: Yeom et al. (2018), eq. 4 for the advantage; Newcombe (1998) for its interval; Fisher's exact test with
    Holm's correction.
    """

    family: ClassVar[Family] = "privacy"

    queries_max: int = Field(3000, ge=100, description="Rows of train, and of the holdout, that are attacked at most.")
    rows_max: int = Field(25_000, ge=100, description="Synthetic rows that are searched at most.")

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        compared = compare(trial)
        why = obstacle(trial, compared)
        if why is not None or trial.holdout is None:
            return (unknown("attributes", why or "no holdout"),)
        frames = [trial.train.frame, trial.holdout.frame, trial.synthetic.frame]
        orders = [shuffled(compared.encoder.matrix(f), rng=rng) for f in frames]
        rows = min(frames[0].height, frames[1].height, self.queries_max)
        limits = (rows, rows, self.rows_max)
        train, holdout, made = (f[o[:n]] for f, o, n in zip(frames, orders, limits, strict=True))
        cells = learn_cells(frames[:2], frames[2], compared.encoder)
        targets = pl.concat([train, holdout])
        chosen = secret_columns(trial, cells, cells.cells(cells.values(targets)), compared.encoder)
        if not chosen:
            return (unknown("attributes", "no column is worth guessing beside the others"),)
        attacks: list[_Attack] = []
        for column in chosen:
            attacks += _attack(column, cells, compared, targets, made, seed=int(rng.integers(2**31)))
        return (_judged(attacks, made.height / trial.synthetic.frame.height, compared.note),)


@dataclass(frozen=True, slots=True)
class _Attack:
    """What one attacker got right of one column: `right` of `rows` members, `false` of `among` controls."""

    column: str
    attack: str
    right: int
    rows: int
    false: int
    among: int

    @property
    def p(self) -> float:
        return more_often(self.right, self.rows, self.false, self.among)

    @property
    def advantage(self) -> float:
        return self.right / self.rows - self.false / self.among


def secret_columns(trial: Trial, cells: Cells, real: NDArray[np.int64], encoder: Encoder) -> list[str]:
    """The columns that are attacked, by name."""
    meaning = trial.train.meaning.columns
    guessed = [c for c in cells.columns if encoder.readings[c] != "text"]
    if len(cells.columns) < 2:
        return []
    marked = [c for c in guessed if meaning[c].sensitive]
    if marked:
        return marked[: 2 * COLUMNS]
    place = {c: i for i, c in enumerate(cells.columns)}
    unsure = {c: entropy(joint(real[:, [place[c]]])) for c in guessed}
    ranked = sorted((c for c in guessed if unsure[c] > 0), key=lambda c: (-round(unsure[c], 6), c))
    chosen = [c for c in ranked if not _given_away(real, place[c], unsure[c])]
    return sorted(chosen[:COLUMNS])


def _given_away(real: NDArray[np.int64], column: int, unsure: float) -> bool:
    """Whether another column of few cells leaves little doubt of this one."""
    for other in range(real.shape[1]):
        own = joint(real[:, [other]])
        if other != column and own.max() < len(real) / 20:
            left = entropy(joint(real[:, [column, other]])) - entropy(own)
            if left < KNOWN * unsure:
                return True
    return False


def _attack(
    column: str, cells: Cells, compared: Compared, targets: pl.DataFrame, made: pl.DataFrame, *, seed: int
) -> list[_Attack]:
    """All attackers on one column; the first half of the targets are members."""
    place = cells.columns.index(column)
    alone = Cells((column,), cells.ranked, cells.levels)
    truth, values = cells.values(targets)[:, [place]], cells.values(made)[:, [place]]
    encoder = compared.encoder
    rest = Encoder(
        {c: r for c, r in encoder.readings.items() if c != column},
        {c: s for c, s in encoder.levels.items() if c != column},
        tuple(f for f in encoder.features if f.column != column),
    )
    guess = _model_guess(rest, made, targets, values[:, 0], number=column in cells.ranked, seed=seed)
    modelled = alone.agree(guess[:, None], truth)[:, 0]
    half = targets.height // 2
    space = learn_space((targets,), made, rest)
    points, others = space.points(targets), space.points(made)
    copied = alone.agree(values[nearest_places(points, others)], truth)[:, 0]
    near = nearest(points, others).distance
    sure = near <= np.sort(near)[max(1, int(SURE * len(near))) - 1]
    every = np.ones(len(near), dtype=np.bool_)
    found = [("model", modelled, every), ("neighbour", copied, every), ("sure neighbour", copied, sure)]
    return [_count(column, name, hits, of, half) for name, hits, of in found if of[:half].any() and of[half:].any()]


def _count(column: str, attack: str, hits: Hits, of: Hits, half: int) -> _Attack:
    right, false = int((hits & of)[:half].sum()), int((hits & of)[half:].sum())
    return _Attack(column, attack, right, int(of[:half].sum()), false, int(of[half:].sum()))


def _model_guess(
    rest: Encoder, made: pl.DataFrame, targets: pl.DataFrame, values: Floats, *, number: bool, seed: int
) -> Floats:
    """The value that a model trained on synthetic rows gives each target, (n,)."""
    rows = np.flatnonzero(values[:LEARNED] >= 0)
    wanted = values[rows]
    if not len(rows) or len(np.unique(wanted)) < 2:
        return np.full(targets.height, wanted[0] if len(rows) else -1.0)
    features, asked = rest.matrix(made[:LEARNED])[rows], rest.matrix(targets)
    if number:
        task, classes, target = "number", wanted[:0], wanted
    else:
        levels, counts = np.unique(wanted, return_counts=True)
        classes = np.sort(levels[np.argsort(-counts, kind="stable")[:CLASSES]])
        kept = np.isin(wanted, classes)
        features, target = features[kept], np.searchsorted(classes, wanted[kept]).astype(np.float64)
        task = "yes_no" if len(classes) == 2 else "classes"
    learner = fit_boosting(features, target, task=task, categorical=rest.categorical, rounds=_ROUNDS, seed=seed)
    said = learner.predict(asked)
    if task == "number":
        return np.clip(said, 0.0, 1.0)
    return classes[said.argmax(axis=1) if task == "classes" else (said > 0.5).astype(np.int64)]


def _judged(attacks: list[_Attack], coverage: float, note: str) -> Score:
    corrected = holm(np.array([a.p for a in attacks]))
    best = attacks[int(np.argmin(corrected))]
    leaking = bool(corrected.min() < ALPHA["attributes"])
    low, high = difference(best.right, best.rows, best.false, best.among)
    leak = min(
        smallest_excess(a.rows, a.false / a.among, a.among, ALPHA["attributes"] / len(attacks)) * a.rows / most
        for most in [max(b.rows for b in attacks)]
        for a in attacks
    )
    leak = min(1.0, leak / coverage)
    said = f"Values of {best.column} leak" if leaking else "No sign of attribute inference"
    verdict = (
        f"{said}: the strongest attack ({best.attack} on {best.column}) is right on {best.right / best.rows:.1%} of "
        f"training rows and on {best.false / best.among:.1%} of holdout rows, an advantage of {best.advantage:+.1%} "
        f"({low:+.1%} to {high:+.1%}); what is right on holdout rows is knowledge of the population and no leak; "
        f"{seen(leak)}.{note}"
    )
    pairs = sorted(zip(attacks, corrected, strict=True), key=lambda pair: pair[1])
    detail = tuple(_row(a, float(p)) for a, p in pairs)
    return Score("attributes", "privacy", best.advantage, None, 0.0, (low, high), 0.0, verdict, not leaking, detail)


def _row(attack: _Attack, p: float) -> dict[str, Any]:
    low, high = difference(attack.right, attack.rows, attack.false, attack.among)
    accuracy = attack.false / attack.among
    where = {"column": attack.column, "attack": attack.attack, "value": attack.advantage, "low": low, "high": high}
    return {**where, "p": p, "population_accuracy": accuracy, "rows": attack.rows}
