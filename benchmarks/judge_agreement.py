"""Our figures beside those of an outside judge that shares no code with us, on Adult.

    python benchmarks/judge_agreement.py [--judge JUDGE.py] [--train TRAIN.parquet] [--holdout HOLDOUT.parquet]

Three tables stand for synthetic ones: a bootstrap of train (copies), shuffled columns (no relations), and real rows
that were kept out of train (as good as it gets). Train is cut to the holdout's size, because the judge looks at no
more of it. Prints a table of both figures for each; the detector's and the copy figures
hang on the rows drawn (dcr_share: 6,000 each, so their difference has an sd of 0.01), near_copies also on the cut.
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
from cuvee.data.schema import Column, Schema, Table

SHARED = Path(__file__).resolve().parents[2] / "shared"
NAMES = {  # ours: (the judge's value, ceiling, floor)
    "shape": ("shape", "ceiling_shape", None),
    "pairs": ("pairs", "ceiling_pairs", "floor_pairs"),
    "detection": ("c2st_holdout", "ceiling_c2st", "floor_c2st"),
    "utility": ("tstr", "trtr", None),
    "exact_copies": ("exact_copies", "exact_copies_real", None),
    "near_copies": ("near_copies", "near_copies_real", None),
    "dcr_share": ("dcr_share", None, None),
}


def tables(train: pl.DataFrame, holdout: pl.DataFrame, seed: int) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    """Train at the holdout's size, and three tables that stand for synthetic ones."""
    rng = np.random.default_rng(seed)
    order, n = rng.permutation(train.height), min(holdout.height, train.height // 2)
    kept, fresh = train[order[:n]], train[order[n : 2 * n]]
    shuffled = kept.select(kept[c].gather(rng.permutation(n)) for c in kept.columns)
    return kept, {"bootstrap": kept[rng.integers(0, n, n)], "independent": shuffled, "fresh": fresh}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for option, place in (
        ("--judge", "judge/tabular.py"),
        ("--train", "data/synth/adult_train.parquet"),
        ("--holdout", "data/synth/adult_test.parquet"),
    ):
        parser.add_argument(option, type=Path, default=SHARED / place)
    chosen = parser.parse_args()
    train, holdout = pl.read_parquet(chosen.train), pl.read_parquet(chosen.holdout)
    holdout = holdout.with_columns(
        pl.col("income").str.strip_chars_end(".")
    )  # the test file ends its labels with a dot
    train, made = tables(train, holdout, seed=0)
    kinds = {c: Column(kind="number" if d.is_numeric() else "category") for c, d in train.schema.items()}
    schema = Schema(tables={"data": Table(columns=kinds)})
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        paths = {"--train": Path(folder) / "train.parquet", "--holdout": Path(folder) / "holdout.parquet"}
        train.write_parquet(paths["--train"])
        holdout.write_parquet(paths["--holdout"])
        for name, synthetic in made.items():
            path = Path(folder) / f"{name}.parquet"
            synthetic.write_parquet(path)
            arguments = [str(a) for pair in {**paths, "--synthetic": path}.items() for a in pair]
            command = [sys.executable, "-W", "ignore", str(chosen.judge), *arguments, "--target", "income"]
            judged = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            began = time.perf_counter()
            datasets = [cuvee.Dataset.of(f, schema=schema) for f in (synthetic, train, holdout)]
            scores = cuvee.evaluate(datasets[0], train=datasets[1], holdout=datasets[2], predict="income")
            print(f"\n{name}: ours in {time.perf_counter() - began:.1f} s, the judge in {judged['seconds']:.1f} s")
            print(f"  {'':14}{'value':>18}{'ceiling':>18}{'floor':>18}")
            for score, theirs in NAMES.items():
                ours = (scores[score].value, scores[score].ceiling, scores[score].floor)
                pairs = [(o, judged[t]) for o, t in zip(ours, theirs, strict=True) if t is not None and o is not None]
                print(f"  {score:14}" + "".join(f"{o:9.4f} {t:8.4f}" for o, t in pairs))
                worst = max(worst, abs(pairs[0][0] - pairs[0][1]))
    print(f"\nlargest difference of a value: {worst:.4f}")


if __name__ == "__main__":
    main()
