"""Large data: seconds, rows a second and peak memory of fits and samples.

    python benchmarks/large.py [--synthesizer auto] [--fit-rows 5000000] [--rows 10000000] [--learn 1000000]
        [--data ../shared/data/synth/adult_train.parquet] [--folder FOLDER] [--time-budget 5m]

Makes a Parquet file of --fit-rows rows: those of --data drawn again, with noise in the columns of numbers that have
many values. Then, each in a process of its own, so that its peak memory is its own:

* fits of 10,000, 100,000 and --learn rows of it in memory: the cost of a row must not grow;
* a fit that reads the whole file in batches and learns from --learn rows, and how much of it the pass alone takes;
* --rows rows to one Parquet file with one worker and with all cores, to a folder of parts, and to CSV.

Peak memory is that of the whole process, with about 75 MB for Python and its libraries.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

FEW = 100
"""A column of numbers with more different values than this gets noise."""
PART = 250_000
"""Rows that are made at a time."""


def make(data: Path, file: Path, rows: int) -> None:
    """A large table like a real one, written part by part."""
    import polars as pl
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    frame, writer = pl.read_parquet(data), None
    noisy = [s.name for s in frame if s.dtype.is_numeric() and s.n_unique() > FEW]
    for start in range(0, rows, PART):
        size = min(PART, rows - start)
        part = frame[rng.integers(0, frame.height, size)]
        for name in noisy:
            spread = float(frame[name].std()) / 50
            moved = part[name] + pl.Series(
                rng.normal(0, spread, size).round() if part[name].dtype.is_integer() else rng.normal(0, spread, size)
            )
            # What is zero stays zero: a spike is no place for noise.
            kept = pl.select(
                pl.when(part[name] == 0)
                .then(part[name])
                .otherwise(moved)
                .cast(part[name].dtype, strict=False)
                .alias(name)
            )
            part = part.with_columns(kept[name].fill_null(part[name].median()))
        arrow = part.to_arrow()
        writer = writer or pq.ParquetWriter(file, arrow.schema, compression="zstd")
        writer.write_table(arrow)
    if writer is not None:
        writer.close()


def measured(job: str, **values: Any) -> dict[str, Any]:
    """What a job of `work` took, in a process of its own."""
    command = [sys.executable, __file__, "--job", json.dumps({"job": job, **values})]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def work(job: str, **values: Any) -> dict[str, Any]:
    """One job; its seconds, and the peak memory of this process."""
    import polars as pl

    import cuvee

    began, more = time.perf_counter(), {}
    if job == "fit":
        frame = pl.read_parquet(values["file"], n_rows=values["rows"])
        began = time.perf_counter()
        cuvee.fit(frame, values["synthesizer"], time_budget=values["budget"]).save(values["model"])
    elif job == "stream":
        passed: list[float] = []
        model = cuvee.fit(
            values["file"], values["synthesizer"], stream=True, rows=values["rows"], time_budget=values["budget"],
            watch=lambda event: passed.append(time.perf_counter()) if event.step == "read" else None,
        )  # fmt: skip
        more = {"pass": passed[-1] - began}
        model.save(values["model"])
    else:
        cuvee.sample(
            values["model"], values["rows"], to=values["to"], parts=job == "parts", workers=values["workers"], seed=1
        )  # fmt: skip
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "peak": peak(), **more}


def peak() -> float:
    """Peak memory of this process in MB. (What getrusage says is at least what the parent had when it began.)"""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def show(what: str, rows: int, took: dict[str, Any], note: str = "") -> None:
    rate = f"{rows / took['seconds']:12,.0f}"
    print(f"{what:44}{rows:12,}{took['seconds']:9.1f}{rate}{took['peak']:10,.0f}  {note}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(__file__).resolve().parents[2] / "shared"
    options.add_argument("--synthesizer", default="auto")
    options.add_argument("--fit-rows", type=int, default=5_000_000)
    options.add_argument("--learn", type=int, default=1_000_000)
    options.add_argument("--rows", type=int, default=10_000_000)
    options.add_argument("--data", type=Path, default=shared / "data" / "synth" / "adult_train.parquet")
    options.add_argument("--folder", type=Path)
    options.add_argument("--time-budget")
    options.add_argument("--job", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.job is not None:
        print(json.dumps(work(**json.loads(chosen.job))))
        return
    folder = Path(tempfile.mkdtemp(prefix="cuvee-large-", dir=chosen.folder))
    try:
        measure(chosen, folder)
    finally:
        shutil.rmtree(folder)


def measure(chosen: argparse.Namespace, folder: Path) -> None:
    file, name = folder / "table.parquet", chosen.synthesizer
    make(chosen.data, file, chosen.fit_rows)
    print(f"{name}, {chosen.data.stem}, {os.cpu_count()} cores, file of {file.stat().st_size / 1e6:,.0f} MB")
    print(f"{'what':44}{'rows':>12}{'seconds':>9}{'rows/s':>12}{'peak MB':>10}")
    ways = {"file": str(file), "synthesizer": name, "budget": chosen.time_budget}
    for rows in sorted({10_000, 100_000, min(chosen.learn, chosen.fit_rows)}):
        took = measured("fit", **ways, rows=rows, model=str(folder / f"model-{rows}"))
        show("fit in memory", rows, took, f"{1e6 * took['seconds'] / rows:.1f} µs a row")
    took = measured("stream", **ways, rows=chosen.learn, model=str(folder / "model"))
    show(
        f"fit in batches, {chosen.learn:,} learned from", chosen.fit_rows, took, f"the pass alone {took['pass']:.1f} s"
    )
    model, cores = str(folder / "model"), os.cpu_count() or 1
    for what, job, to, workers in [
        ("sample to Parquet, 1 worker", "one", "one.parquet", 1),
        (f"sample to Parquet, {cores} workers", "one", "all.parquet", cores),
        (f"sample to parts, {cores} workers", "parts", "parts", cores),
        (f"sample to CSV, {cores} workers", "one", "all.csv", cores),
    ]:
        took = measured(job, model=model, rows=chosen.rows, to=str(folder / to), workers=workers)
        where = folder / to
        size = sum(f.stat().st_size for f in ([where] if where.is_file() else where.iterdir()))
        show(what, chosen.rows, took, f"{size / 1e6:,.0f} MB")
    same = (folder / "one.parquet").read_bytes() == (folder / "all.parquet").read_bytes()
    print("The files of 1 and of all workers are", "the same, byte for byte." if same else "NOT the same.")


if __name__ == "__main__":
    main()
