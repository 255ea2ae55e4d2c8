"""The judge: runs metrics over one trial, each with random numbers of its own."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from cuvee.core import Check, Event, Metric, Score, Scores, Trial, Watch
from cuvee.evaluation.selftest import self_test
from cuvee.evaluation.trial import compare
from cuvee.numeric.intervals import named_rng

WORKERS = 2
"""Metrics at a time: most of their time is spent in libraries that let others run. No figure hangs on it."""


def judge(trial: Trial, metrics: Mapping[str, Metric], *, seed: int, watch: Watch, check: bool = False) -> Scores:
    """The scores of these metrics, in this order.

    A metric's random numbers hang on the seed and its name alone, so adding one moves no other's figures.

    Args:
        trial: What is compared.
        metrics: By name.
        seed: The same seed gives the same scores.
        watch: Told before each metric, and at the end.
        check: Whether the metrics of fidelity and privacy are tested on what is planted (see `selftest`).
    """
    compare(trial)  # found out once, before metrics ask for it side by side
    jobs: dict[str, Future[Sequence[Score]]] = {}
    checks: tuple[Check, ...] = ()
    steps = len(metrics) + check
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for name, metric in metrics.items():
                jobs[name] = pool.submit(metric.score, trial, rng=named_rng(seed, name))
            tested = pool.submit(self_test, trial, metrics, rng=named_rng(seed, "self-test")) if check else None
            for done, (name, job) in enumerate(jobs.items()):
                watch(Event("evaluate", done, steps, name))
                job.result()
            if tested is not None:
                watch(Event("evaluate", len(metrics), steps, "self-test"))
                checks = tested.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    watch(Event("evaluate", steps, steps))
    scores = [score for job in jobs.values() for score in job.result()]
    parts = {"train": trial.train, "holdout": trial.holdout, "synthetic": trial.synthetic}
    rows = {part: data.frame.height for part, data in parts.items() if data is not None}
    return Scores(tuple(scores), rows, trial.predict, seed, checks=checks)
