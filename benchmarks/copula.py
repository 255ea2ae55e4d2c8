"""Seconds and quality of the synthesizers of one table, judged from outside.

    python benchmarks/copula.py [--shared ../shared] [--only adult] [--synthesizers independent,copula]

Prints a table: seconds of a fit and of a million rows, then what the outside judge says of as many rows as train has.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

import cuvee
from cuvee.data.dataset import Dataset

TARGETS = {
    "adult": "income",
    "default_credit": "default.payment.next.month",
    "online_shoppers": "Revenue",
    "california_housing": "median_house_value",
}
FIGURES = (
    "shape",
    "pairs",
    "c2st_holdout",
    "tstr",
    "dcr_share",
    "near_copies",
    "exact_copies",
    "outside",
    "off_grid",
    "novel",
)
REFERENCES = ("ceiling_shape", "ceiling_pairs", "floor_pairs", "trtr", "near_copies_real")


def tables(name: str, folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Train and holdout: Adult as it was published, the others split 75/25 with a seed."""
    if name == "adult":
        holdout = pl.read_parquet(folder / "adult_test.parquet").with_columns(pl.col("income").str.strip_chars("."))
        return pl.read_parquet(folder / "adult_train.parquet"), holdout
    frame = pl.read_parquet(folder / f"{name}.parquet")
    rows = np.random.default_rng(0).permutation(frame.height)
    cut = round(frame.height * 0.75)
    return frame[np.sort(rows[:cut])], frame[np.sort(rows[cut:])]


def judged(judge: Path, parts: dict[str, pl.DataFrame], target: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(judge)]
        for role, frame in parts.items():
            frame.write_parquet(f"{folder}/{role}.parquet")
            command += [f"--{role}", f"{folder}/{role}.parquet"]
        ids = [c for c in parts["train"].columns if c == "ID"]
        command += ["--target", target, "--id-columns", ",".join(ids)]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--shared", type=Path, default=Path(__file__).resolve().parents[2] / "shared")
    options.add_argument("--only", default=",".join(TARGETS))
    options.add_argument("--synthesizers", default="independent,copula")
    chosen = options.parse_args()
    print(f"{'data':20}{'synthesizer':14}{'fit s':>7}{'1M s':>7}  " + "".join(f"{f:>13}" for f in FIGURES))
    for name in chosen.only.split(","):
        train, holdout = tables(name, chosen.shared / "data" / "synth")
        data = Dataset.of(train)
        reference: dict[str, float] = {}
        for synthesizer in chosen.synthesizers.split(","):
            started = time.perf_counter()
            model = cuvee.fit(data, synthesizer, seed=0)
            fitted = time.perf_counter()
            for _ in model.blocks(1_000_000, seed=1):
                pass
            sampled = time.perf_counter()
            synthetic = model.sample(train.height, seed=2).frame
            parts = {"train": train, "holdout": holdout, "synthetic": synthetic}
            reference = judged(chosen.shared / "judge" / "tabular.py", parts, TARGETS[name])
            seconds = f"{fitted - started:7.2f}{sampled - fitted:7.2f}"
            print(
                f"{name:20}{synthesizer:14}{seconds}  " + "".join(f"{reference[f]:13.4f}" for f in FIGURES), flush=True
            )
        print("  ".join(f"{r} {reference[r]}" for r in REFERENCES), "\n")


if __name__ == "__main__":
    main()
