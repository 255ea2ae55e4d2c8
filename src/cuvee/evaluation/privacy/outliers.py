"""Outlier exposure: whether the most isolated training rows have a synthetic row nearer than chance brings one."""

from typing import ClassVar, final

import numpy as np
from numpy.random import Generator
from pydantic import Field

from cuvee.core import Family, Metric, Score, Trial
from cuvee.evaluation.privacy.alarms import ALPHA, obstacle, seen, unknown
from cuvee.evaluation.privacy.targets import draw_targets, isolated
from cuvee.evaluation.trial import compare
from cuvee.numeric.attacks import smallest_tail, tail_attack
from cuvee.numeric.intervals import clopper_pearson

SHARE = 0.01
"""The most isolated share of the rows; at least `ROWS`."""

ROWS = 20

RATE = 0.05
"""The share of holdout outliers that counts as near to the synthetic rows."""


@final
class Outliers(Metric):
    """The share of isolated training rows nearer to a synthetic row than all but 5 % of isolated holdout rows come.

    Rows are isolated where other holdout rows are far, members and controls alike: the farthest 1 %. Nearness is the
    distance to the nearest synthetic row over the distance to the nearest of those other rows, since outliers lie at
    very different distances.

    Source: Meeus et al. (2023), Achilles' heels, for whom to look at; the test is `cuvee.numeric.attacks.tail_attack`.
    """

    family: ClassVar[Family] = "privacy"

    queries_max: int = Field(6000, ge=100, description="Rows of train, and of the holdout, that are looked at most.")

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        compared = compare(trial)
        why = obstacle(trial, compared)
        if why is not None or trial.holdout is None:
            return (unknown("outliers", why or "no holdout"),)
        targets = draw_targets(trial, trial.holdout.frame, compared, most=self.queries_max, rng=rng)
        far = isolated(targets.reference, SHARE, ROWS)
        nearness = -targets.synthetic / np.maximum(targets.reference, 1e-9)
        members, controls = nearness[: targets.rows][far[: targets.rows]], nearness[targets.rows :][far[targets.rows :]]
        if min(len(members), len(controls)) < ROWS // 2:
            return (unknown("outliers", f"only {len(members)} training and {len(controls)} holdout rows are isolated"),)
        tail = tail_attack(members, controls, RATE)
        exposed = tail.p < ALPHA["outliers"]
        leak = smallest_tail(len(members), len(controls), tail.allowed, ALPHA["outliers"])
        leak = min(1.0, leak / targets.coverage)
        said = "Synthetic rows come too near to isolated training rows" if exposed else "No sign of exposed outliers"
        verdict = (
            f"{said}: {tail.rate:.1%} of the {len(members)} most isolated training rows have a synthetic row as near, "
            f"and {tail.false / len(controls):.1%} of {len(controls)} isolated holdout rows; "
            f"{seen(leak, 'the isolated rows')}.{compared.note}"
        )
        interval = clopper_pearson(tail.hits, len(members))
        ceiling = tail.false / len(controls)
        return (Score("outliers", "privacy", tail.rate, None, ceiling, interval, 0.0, verdict, not exposed),)
