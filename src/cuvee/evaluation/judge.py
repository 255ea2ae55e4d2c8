"""The judge: runs metrics over one trial, each with random numbers of its own."""

from collections.abc import Mapping

from cuvee.core import Event, Metric, Score, Scores, Trial, Watch
from cuvee.numeric.intervals import named_rng


def judge(trial: Trial, metrics: Mapping[str, Metric], *, seed: int, watch: Watch) -> Scores:
    """The scores of these metrics, in this order.

    A metric's random numbers hang on the seed and its name alone, so adding one moves no other's figures.

    Args:
        trial: What is compared.
        metrics: By name.
        seed: The same seed gives the same scores.
        watch: Told before each metric, and at the end.
    """
    scores: list[Score] = []
    for done, (name, metric) in enumerate(metrics.items()):
        watch(Event("evaluate", done, len(metrics), name))
        scores += metric.score(trial, rng=named_rng(seed, name))
    watch(Event("evaluate", len(metrics), len(metrics)))
    parts = {"train": trial.train, "holdout": trial.holdout, "synthetic": trial.synthetic}
    rows = {part: data.frame.height for part, data in parts.items() if data is not None}
    return Scores(tuple(scores), rows, trial.predict, seed)
