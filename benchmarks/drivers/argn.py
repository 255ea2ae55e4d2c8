"""TabularARGN of mostlyai-engine, its medium model; rare categories are replaced by others, not by a token."""

from typing import Any

from common import Job, Sample, drive
from mostlyai.engine import TabularARGN


def fit(frame: Any, job: Job) -> tuple[Sample, dict[str, Any]]:
    for name in frame.columns:
        if name not in job.numbers:
            frame[name] = frame[name].astype(object).where(frame[name].isna(), frame[name].astype(str))
    kinds = {c: "TABULAR_NUMERIC_AUTO" if c in job.numbers else "TABULAR_CATEGORICAL" for c in frame.columns}
    model = TabularARGN(
        max_training_time=job.limit / 60, tgt_encoding_types=kinds, random_state=job.seed, device="cpu", verbose=0
    )
    model.fit(frame)
    return lambda n: model.sample(n, rare_category_replacement_method="SAMPLE"), {"limit": job.limit}


if __name__ == "__main__":
    drive(fit)
