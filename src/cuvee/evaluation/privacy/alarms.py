"""What the privacy metrics share: their parts of one error rate, when nothing can be said, and how a verdict is put."""

from collections.abc import Mapping

from cuvee.core import Score, Trial
from cuvee.evaluation.trial import Compared

ALPHA: Mapping[str, float] = {
    "exact_copies": 0.01,
    "near_copies": 0.01,
    "membership": 0.005,
    "membership_groups": 0.005,
    "membership_rare": 0.005,
    "attributes": 0.005,
    "linkage": 0.005,
    "outliers": 0.005,
}
"""Error rate of each test: together at most 5 %, so that data without a leak raises any alarm in at most one run in
twenty."""

FEWEST = 40
"""Fewer holdout rows can't be parted into controls and a reference."""


def obstacle(trial: Trial, compared: Compared) -> str | None:
    """Why an attack can't be assessed, or None."""
    if trial.holdout is None:
        return "no holdout"
    for part, data in (("holdout", trial.holdout), ("train", trial.train), ("synthetic", trial.synthetic)):
        if data.frame.height < FEWEST:
            return f"the {part} table has only {data.frame.height} rows"
    return None if compared.encoder.readings else "no column can be compared"


def unknown(name: str, why: str) -> Score:
    """The score where nothing can be said."""
    return Score(name, "privacy", None, None, None, None, 0.0, f"not assessed: {why}", None)


def seen(leak: float, rows: str = "the rows") -> str:
    """What the run could have seen, in words.

    >>> seen(0.004)
    'a leak of 0.4 % of the rows would have shown'
    """
    if leak >= 1:
        return "the tables are too small to show a leak"
    return f"a leak of {100 * leak:.2g} % of {rows} would have shown"
