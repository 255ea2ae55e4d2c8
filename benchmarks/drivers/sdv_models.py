"""SDV's synthesizers of one table, with the kinds of columns given: what it detects itself takes some for addresses.

Neural ones get as many of their 300 epochs as fit into the limit, by what an epoch took in two short fits before.
"""

import sys
import time
import warnings
from typing import Any

from common import Job, Sample, drive, without_gaps
from sdv.metadata import Metadata
from sdv.single_table import CTGANSynthesizer, GaussianCopulaSynthesizer, TVAESynthesizer

TABLE = "table"
EPOCHS = 300
NEURAL = {"ctgan": CTGANSynthesizer, "tvae": TVAESynthesizer}


def fit(frame: Any, job: Job) -> tuple[Sample, dict[str, Any]]:
    import torch

    warnings.simplefilter("ignore")
    torch.manual_seed(job.seed)  # noqa: TID251 (SDV takes no generator)
    gaps = {c: frame[c].isna() for c in job.numbers}
    if not any(g.any() for g in gaps.values()):
        frame = without_gaps(frame, job)
    else:
        others = [c for c in frame.columns if c not in job.numbers]
        frame[others] = without_gaps(frame[others].copy(), job)
    kinds = {c: {"sdtype": "numerical" if c in job.numbers else "categorical"} for c in frame.columns}
    metadata = Metadata.load_from_dict({"tables": {TABLE: {"columns": kinds}}, "relationships": []})
    noted: dict[str, Any] = {}
    if chosen in NEURAL:
        short = [_seconds(NEURAL[chosen](metadata, epochs=e), frame)[0] for e in (1, 3)]
        epoch = max((short[1] - short[0]) / 2, 1e-3)
        noted["epochs"] = int(min(EPOCHS, max(1, (job.limit - short[0]) / epoch)))
        model = NEURAL[chosen](metadata, epochs=noted["epochs"])
    else:
        model = GaussianCopulaSynthesizer(metadata)
    noted["fit_s"], noted["fit_cpu_s"] = _seconds(model, frame)

    def sample(n: int) -> Any:
        made = model.sample(num_rows=n)
        return made[TABLE] if isinstance(made, dict) else made

    return sample, noted


def _seconds(model: Any, frame: Any) -> tuple[float, float]:
    """Seconds of a fit by the clock, and of the processor."""
    started, worked = time.perf_counter(), time.process_time()
    model.fit({TABLE: frame})
    return time.perf_counter() - started, time.process_time() - worked


if __name__ == "__main__":
    chosen = sys.argv.pop(1)
    drive(fit)
