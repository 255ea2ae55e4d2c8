"""Adversarial random forests: arfpy, as it comes; what it makes is rounded to train's decimals, which it can't do.

It has no place for missing numbers (they are the median here) and for a limit of time.
"""

from typing import Any

from arfpy import arf
from common import Job, Sample, decimals, drive, rounded, without_gaps


def fit(frame: Any, job: Job) -> tuple[Sample, dict[str, Any]]:
    grid = decimals(frame, job)
    model = arf.arf(without_gaps(frame, job), verbose=False, random_state=job.seed, n_jobs=2)
    model.forde()
    return lambda n: rounded(model.forge(n), grid), {}


if __name__ == "__main__":
    drive(fit)
