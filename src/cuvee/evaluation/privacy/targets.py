"""The rows that an attacker asks about, as many of train as of the holdout, and how near other rows come to them."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.core import Trial
from cuvee.evaluation.privacy.nearness import learn_space
from cuvee.evaluation.trial import Compared
from cuvee.numeric.distances import nearest

Floats = NDArray[np.float64]

REFERENCE_MAX = 25_000
"""Synthetic rows, and rows of the reference, that are looked at; of more, a random sample."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Members, controls, and their distances.

    Attributes:
        members: Rows of train, n.
        controls: Rows of the holdout, n, none of them in the reference.
        reference: (2 n,), the distance of members, then of controls, to the nearest holdout row that is no control.
        synthetic: (2 n,), the same to the nearest synthetic row.
        coverage: The share of synthetic rows that was looked at.
    """

    members: pl.DataFrame
    controls: pl.DataFrame
    reference: Floats
    synthetic: Floats
    coverage: float

    @property
    def rows(self) -> int:
        """Members, and as many controls."""
        return self.members.height


def draw_targets(trial: Trial, holdout: pl.DataFrame, compared: Compared, *, most: int, rng: Generator) -> Targets:
    """At most so many members and controls; half of the holdout or more is the reference."""
    rows = min(trial.train.frame.height, holdout.height // 2, most)
    members = compared.sample("train", rows, rng=rng)
    held = compared.sample("holdout", rows + REFERENCE_MAX, rng=rng)
    looked = compared.sample("synthetic", REFERENCE_MAX, rng=rng)
    controls, reference = held[:rows], held[rows:]
    space = learn_space((trial.train.frame, holdout), trial.synthetic.frame, compared.encoder)
    points = np.concatenate([space.points(members), space.points(controls)])
    return Targets(
        members,
        controls,
        nearest(points, space.points(reference)).distance,
        nearest(points, space.points(looked)).distance,
        looked.height / trial.synthetic.frame.height,
    )


def isolated(reference: Floats, share: float, fewest: int) -> NDArray[np.bool_]:
    """The targets farthest from the reference, members and controls alike: this share, at least so many pairs."""
    count = min(len(reference), 2 * max(fewest, int(np.ceil(share * len(reference) / 2))))
    cut = np.sort(reference)[len(reference) - count]
    return reference >= cut
