"""Adversarial random forests: arfpy, as it comes; what it makes is rounded to train's decimals, which it can't do.

It has no place for missing numbers (they are the median here) and for a limit of time.
"""

from typing import Any

import numpy as np
from arfpy import arf
from common import Job, Sample, drive, without_gaps


def fit(frame: Any, job: Job) -> tuple[Sample, dict[str, Any]]:
    frame = without_gaps(frame, job)
    decimals = {
        c: next((k for k in range(7) if np.allclose(frame[c], np.round(frame[c], k), atol=1e-9)), 12)
        for c in job.numbers
    }
    model = arf.arf(frame, verbose=False, random_state=job.seed, n_jobs=2)
    model.forde()

    def sample(n: int) -> Any:
        made = model.forge(n)
        for name, k in decimals.items():
            made[name] = np.round(made[name].astype(float), k)
        return made

    return sample, {}


if __name__ == "__main__":
    drive(fit)
