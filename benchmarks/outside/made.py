"""Fit one synthesizer of cuvee in a process of its own, so that its seconds and its memory are its own.

    python benchmarks/outside/made.py --train TRAIN.parquet --out FOLDER --synthesizer trees [--options JSON] --seed 0

Writes synthetic.parquet (as many rows as train) and cell.json. A tiny table is fitted first, so that kernels are there;
how long that took is the cold time. Without --train that is all, and it is printed.
"""

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import cuvee

WARM_ROWS = 600
SPEED_ROWS = 500_000


def peak() -> float:
    """The most memory that this process has had, in GB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 3)


def warm(choice: Any) -> float:
    """Seconds of the first fit and sample in this process, of a tiny table that has every kind of column."""
    rng = np.random.default_rng(0)
    number = rng.normal(size=WARM_ROWS)
    frame = pl.DataFrame(
        {
            "number": number,
            "other": number + rng.normal(size=WARM_ROWS),
            "whole": rng.poisson(3, WARM_ROWS),
            "half": [None if u < 0.1 else u for u in rng.random(WARM_ROWS)],
            "category": rng.choice(["a", "b", "c"], WARM_ROWS),
            "flag": number > 0,
        }
    )
    started = time.perf_counter()
    cuvee.fit(frame, choice, seed=0).sample(100, seed=0)
    return round(time.perf_counter() - started, 2)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--train", "--out"):
        options.add_argument(name, type=Path)
    options.add_argument("--synthesizer", required=True)
    options.add_argument("--options", type=json.loads, default={})
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--speed", type=int, default=SPEED_ROWS)
    chosen = options.parse_args()
    choice: Any = {chosen.synthesizer: chosen.options} if chosen.options else chosen.synthesizer
    if chosen.train is None:
        print(warm(choice))
        return
    frame = pl.read_parquet(chosen.train)
    cell: dict[str, Any] = {"cold_s": warm(choice), "warm_gb": peak()}
    started, worked = time.perf_counter(), time.process_time()
    model = cuvee.fit(frame, choice, seed=chosen.seed)
    cell |= {"fit_s": round(time.perf_counter() - started, 2), "fit_cpu_s": round(time.process_time() - worked, 2)}
    cell["fit_peak_gb"] = peak()
    started = time.perf_counter()
    made = model.sample(frame.height, seed=chosen.seed).frame
    cell["sample_s"] = round(time.perf_counter() - started, 2)
    made.write_parquet(chosen.out / "synthetic.parquet")
    if chosen.speed:
        started = time.perf_counter()
        for _ in model.blocks(chosen.speed, seed=chosen.seed, workers=None):
            pass
        cell["rows_per_s"] = round(chosen.speed / (time.perf_counter() - started))
    cell |= {"peak_gb": peak(), "notes": list(model.notes)}
    (chosen.out / "cell.json").write_text(json.dumps(cell), "utf-8")


if __name__ == "__main__":
    main()
