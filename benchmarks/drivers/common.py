"""What every driver of a peer shares. Drivers run under the peer's own interpreter: cuvee and polars are not there.

A driver is given --train (a Parquet file), --out (a folder), --seed, --limit (seconds that training may take, where the
peer can be told) and --target. It writes synthetic.parquet with as many rows as train, and cell.json with seconds and
memory.
"""
# ruff: noqa: TID251, NPY002 (peers draw from the global generators, so these are what a seed has to set)

import argparse
import json
import random
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NOTHING = "∅"
"""Stands for a missing category where a peer has no place for missing ones."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a driver is asked for.

    Attributes:
        seed: Of everything that is drawn.
        limit: Seconds that training may take.
        target: The column that is predicted.
        numbers: The columns that are numbers with more than two values; all others are categories.
    """

    seed: int
    limit: float
    target: str
    numbers: tuple[str, ...]


Sample = Callable[[int], Any]
Fit = Callable[[Any, Job], tuple[Sample, dict[str, Any]]]


def drive(fit: Fit) -> None:
    """Fit and sample as the command line says.

    Args:
        fit: Takes a data frame and the job; gives a function that samples n rows, and what is worth recording.
    """
    options = argparse.ArgumentParser()
    for name in ("--train", "--out"):
        options.add_argument(name, type=Path, required=True)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--limit", type=float, default=600)
    options.add_argument("--target", required=True)
    chosen = options.parse_args()
    frame = pq.read_table(chosen.train).to_pandas()
    numbers = tuple(c for c in frame.columns if frame[c].dtype.kind in "iuf" and frame[c].nunique(dropna=False) > 2)
    random.seed(chosen.seed)
    np.random.seed(chosen.seed)
    started, worked = time.perf_counter(), time.process_time()
    sample, noted = fit(frame.copy(), Job(chosen.seed, chosen.limit, chosen.target, numbers))
    cell = {
        "fit_s": round(noted.pop("fit_s", time.perf_counter() - started), 2),
        "fit_cpu_s": round(noted.pop("fit_cpu_s", time.process_time() - worked), 2),
        "fit_peak_gb": peak(),
    }
    started = time.perf_counter()
    made = sample(len(frame))
    seconds = time.perf_counter() - started
    cell |= {"sample_s": round(seconds, 2), "rows_per_s": round(len(frame) / max(seconds, 1e-9)), "peak_gb": peak()}
    table = pa.table({c: column(made[c], number=c in numbers) for c in frame.columns})
    pq.write_table(table, chosen.out / "synthetic.parquet")
    (chosen.out / "cell.json").write_text(json.dumps(cell | noted), "utf-8")


def column(values: Any, *, number: bool) -> pa.Array:
    """A made column as Arrow: numbers as they are, categories as text, missing ones as null."""
    gone = values.isna()
    if number:
        return pa.array(values.astype("float64").to_numpy(), mask=gone.to_numpy())
    return pa.array([None if g or v == NOTHING else str(v) for v, g in zip(values, gone, strict=True)], pa.string())


def peak() -> float:
    """The most memory that this process has had, in GB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 3)


def without_gaps(frame: Any, job: Job) -> Any:
    """Categories as text with a value for missing ones; missing numbers as the median."""
    for name in frame.columns:
        if name in job.numbers:
            frame[name] = frame[name].fillna(frame[name].median())
        else:
            frame[name] = frame[name].astype(object).where(frame[name].notna(), NOTHING).astype(str)
    return frame


def decimals(frame: Any, job: Job) -> dict[str, int]:
    """How many decimals each column of numbers has; 12 where there are more than six."""
    found: dict[str, int] = {}
    for name in job.numbers:
        there = frame[name].dropna().astype(float)
        found[name] = next((k for k in range(7) if np.allclose(there, there.round(k), atol=1e-9)), 12)
    return found


def rounded(made: Any, to: dict[str, int]) -> Any:
    """Made rows with as many decimals as train has, for peers that can't do it: what is off the grid tells at once."""
    for name, k in to.items():
        made[name] = made[name].astype(float).round(k)
    return made
