"""Membership: whether an attacker who holds the synthetic rows can tell that a person's row was learned from.

As many training rows (members) as holdout rows (controls) are scored by three attacks. A figure is the share of
members that the strongest attack names while it wrongly names 1 % of the controls. Averages over all rows, such as the
AUC, hide the few that leak; they are only shown.
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
from cuvee.evaluation.privacy.targets import Targets, draw_targets, isolated
from cuvee.evaluation.trial import Compared, compare
from cuvee.learners.encode import words
from cuvee.numeric.attacks import Tail, holm, smallest_tail, tail_attack
from cuvee.numeric.intervals import clopper_pearson
from cuvee.numeric.ranking import auc

Floats = NDArray[np.float64]

RATES = (0.01, 0.001)
"""False positives at which attacks are judged; the first is the figure."""

ISOLATED = 0.05
"""The share of targets that counts as isolated."""

ISOLATED_ROWS = 20

GROUP_ROWS = 20
"""Smaller groups are not looked at."""

GROUP_LEVELS = 20

GROUP_COLUMNS = 3


@final
class Membership(Metric):
    """True positive rate of membership attacks at 1 % false positives: over all rows, and over isolated ones.

    The attacks score a row x by: -d(x, S); d(x, R) - d(x, S); log d(x, R) - log d(x, S), the log ratio of the two
    nearest-neighbour densities; S are the synthetic rows and R holdout rows that are no controls.

    Source: Carlini et al. (2022) for the rate; Chen et al. (2020), van Breugel et al. (2023) for the scores; Meeus et
    al. (2023) for isolated rows.
    """

    family: ClassVar[Family] = "privacy"
    gives: ClassVar[tuple[str, ...]] = ("membership", "membership_rare")

    queries_max: int = Field(6000, ge=100, description="Rows of train, and of the holdout, that are attacked at most.")

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        compared = compare(trial)
        why = obstacle(trial, compared)
        if why is not None or trial.holdout is None:
            return tuple(unknown(name, why or "no holdout") for name in self.gives)
        targets = draw_targets(trial, trial.holdout.frame, compared, most=self.queries_max, rng=rng)
        scores = attack_scores(targets)
        groups = _groups(trial, compared, targets, scores)
        rare = isolated(targets.reference, ISOLATED, ISOLATED_ROWS)
        return (
            _judged("membership", scores, (targets.rows, targets.coverage), compared, groups),
            _judged(
                "membership_rare",
                {n: s[rare] for n, s in scores.items()},
                (int(rare[: targets.rows].sum()), targets.coverage),
                compared,
                (),
            ),
        )


def attack_scores(targets: Targets) -> dict[str, Floats]:
    """What each attack says of each target, (2 n,); higher is more like a member."""
    least = 1e-3 * max(float(np.median(targets.reference)), 1e-6)  # where both are nothing the ratio is 1
    near, away = targets.synthetic, targets.reference
    return {
        "distance": -near,
        "difference": away - near,
        "density ratio": np.log(away + least) - np.log(near + least),
    }


@dataclass(frozen=True, slots=True)
class _Group:
    """An attack on the rows of one level of a column."""

    column: str
    level: str
    attack: str
    tail: Tail
    p: float


def _judged(
    name: str, scores: dict[str, Floats], seen_rows: tuple[int, float], compared: Compared, groups: tuple[_Group, ...]
) -> Score:
    """The score; `seen_rows` are the members, and the share of synthetic rows that was looked at."""
    members, coverage = seen_rows
    controls = len(next(iter(scores.values()))) - members
    if members < ISOLATED_ROWS // 2 or controls < ISOLATED_ROWS // 2:
        return unknown(name, f"only {members} training and {controls} holdout rows could be compared")
    tried = [(a, r, tail_attack(s[:members], s[members:], r)) for a, s in scores.items() for r in RATES]
    corrected = holm(np.array([t.p for _, _, t in tried]))
    best = int(np.argmin(corrected))
    attack, _, _ = tried[best]
    shown = next(t for a, r, t in tried if a == attack and r == RATES[0])
    leaking = [g for g in groups if g.p < ALPHA["membership_groups"]]
    told = bool(corrected[best] < ALPHA[name])
    rows = "the rows" if name == "membership" else "the isolated rows"
    smallest = min(smallest_tail(members, controls, t.allowed, ALPHA[name] / len(tried)) for _, _, t in tried)
    smallest = min(1.0, smallest / coverage)  # a row whose copy was not looked at does not show
    said = f"The synthetic rows tell of {rows} that they were learned from" if told else "No sign of membership"
    where = "".join(f" It shows among the rows with {g.column} = {g.level}." for g in leaking[:3])
    verdict = (
        f"{said}: the strongest attack ({attack}) names {shown.rate:.2%} of {members} training rows, and wrongly "
        f"{shown.false / controls:.2%} of {controls} holdout rows; {seen(smallest, rows)}.{where}{compared.note}"
    )
    detail = [_row(a, r, t, scores[a], members, float(p)) for (a, r, t), p in zip(tried, corrected, strict=True)]
    return Score(
        name,
        "privacy",
        shown.rate,
        None,
        shown.false / controls,
        clopper_pearson(shown.hits, members),
        0.0,
        verdict,
        not told and not leaking,
        (*(_group_row(g) for g in groups[:10]), *sorted(detail, key=lambda d: d["p"])),
    )


def _row(attack: str, rate: float, tail: Tail, scores: Floats, members: int, p: float) -> dict[str, Any]:
    low, high = clopper_pearson(tail.hits, tail.members)
    area = auc(scores, np.arange(len(scores)) < members)
    return {
        "attack": attack,
        "false_positives": rate,
        "value": tail.rate,
        "low": low,
        "high": high,
        "p": p,
        "auc": area,
    }


def _group_row(group: _Group) -> dict[str, Any]:
    tail = group.tail
    low, high = clopper_pearson(tail.hits, tail.members)
    where = {"column": group.column, "level": group.level, "attack": group.attack}
    return {**where, "value": tail.rate, "ceiling": tail.false / tail.controls, "low": low, "high": high, "p": group.p}


def _groups(trial: Trial, compared: Compared, targets: Targets, scores: dict[str, Floats]) -> tuple[_Group, ...]:
    """The strongest attack on each group, those that leak most surely first; p is corrected for all that was tried."""
    found: list[tuple[str, str, str, Tail]] = []
    for column in _group_columns(trial, compared):
        levels = words(pl.concat([targets.members[column], targets.controls[column]])).fill_null("(null)")
        for level in levels.unique().sort().to_list():
            here = (levels == level).to_numpy()
            members = int(here[: targets.rows].sum())
            if min(members, int(here.sum()) - members) >= GROUP_ROWS:
                for attack, score in scores.items():
                    own = score[here]
                    found.append((column, level, attack, tail_attack(own[:members], own[members:], RATES[0])))
    if not found:
        return ()
    corrected = holm(np.array([tail.p for *_, tail in found]))
    best: dict[tuple[str, str], _Group] = {}
    for place in np.argsort(corrected, kind="stable"):
        column, level, attack, tail = found[place]
        best.setdefault((column, level), _Group(column, level, attack, tail, float(corrected[place])))
    return tuple(best.values())


def _group_columns(trial: Trial, compared: Compared) -> list[str]:
    """Columns of levels that are marked sensitive, else those of the fewest levels."""
    meaning = trial.train.meaning.columns
    coarse = {c: len(levels) for c, levels in compared.encoder.levels.items() if 2 <= len(levels) <= GROUP_LEVELS}
    marked = [c for c in coarse if meaning[c].sensitive]
    return marked or sorted(coarse, key=lambda c: (coarse[c], c))[:GROUP_COLUMNS]
