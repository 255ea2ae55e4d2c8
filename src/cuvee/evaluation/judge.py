"""The judge: runs metrics over one trial, each with random numbers of its own."""

from collections.abc import Mapping

from cuvee.core import Event, Metric, Score, Scores, Trial, Watch
from cuvee.evaluation.selftest import self_test
from cuvee.numeric.intervals import named_rng


def judge(trial: Trial, metrics: Mapping[str, Metric], *, seed: int, watch: Watch, check: bool = True) -> Scores:
    """The scores of these metrics, in this order.

    A metric's random numbers hang on the seed and its name alone, so adding one moves no other's figures.

    Args:
        trial: What is compared.
        metrics: By name.
        seed: The same seed gives the same scores.
        watch: Told before each metric, and at the end.
        check: Whether the metrics of fidelity and privacy are tested on what is planted (see `selftest`).
    """
    scores: list[Score] = []
    for done, (name, metric) in enumerate(metrics.items()):
        watch(Event("evaluate", done, len(metrics) + check, name))
        scores += metric.score(trial, rng=named_rng(seed, name))
    watch(Event("evaluate", len(metrics), len(metrics) + check, "self-test" if check else ""))
    checks = self_test(trial, metrics, rng=named_rng(seed, "self-test")) if check else ()
    watch(Event("evaluate", len(metrics) + check, len(metrics) + check))
    parts = {"train": trial.train, "holdout": trial.holdout, "synthetic": trial.synthetic}
    rows = {part: data.frame.height for part, data in parts.items() if data is not None}
    return Scores(tuple(scores), rows, trial.predict, seed, checks=checks)
