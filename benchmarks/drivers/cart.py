"""A sequence of CART trees: py-synthpop, as it comes."""

from typing import Any

from common import Job, Sample, drive
from synthpop import Synthpop


def fit(frame: Any, job: Job) -> tuple[Sample, dict[str, Any]]:
    kinds: dict[str, str] = {}
    for name in frame.columns:
        if name in job.numbers:
            kinds[name] = "int" if frame[name].dtype.kind in "iu" else "float"
        else:
            kinds[name] = "category"
            frame[name] = frame[name].astype(str).where(frame[name].notna(), None).astype("category")
    model = Synthpop(seed=job.seed)
    model.fit(frame, kinds)
    return model.generate, {}


if __name__ == "__main__":
    drive(fit)
