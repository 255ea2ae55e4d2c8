"""How well missing cells are filled, beside what is in common use.

    python benchmarks/imputation.py [FOLDER] [--rows 4000] [--only NAME] [--budget 20]

FOLDER (else ../shared/data) has load.py and synth/: real datasets that are not shipped. Cells are set to missing in two
ways: each with a chance of 20 %, whatever it holds (MCAR); and in every other column with a chance of 5 to 55 % that
grows with the rank of the first column, which stays whole (MAR). Each method sees the table with its blanks and nothing
else.

Figures, on the blanks only: mean absolute error of numbers over their standard deviation (the least is best); share of
wrong categories; how many true numbers lie within the central 90 % of 40 draws (for those that draw, and of numbers of
which no value is in more than 5 % of rows); seconds, those of learning included.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import cuvee

DRAWS = 40
DATA: dict[str, tuple[str, int]] = {
    "adult": ("synth/adult_train", 1),
    "california": ("synth/california_housing", 1),
    "magic": ("synth/magic_gamma", 1),
    "bank": ("synth/bank_marketing_full", 1),
}


def dataset(folder: Path, name: str, rows: int) -> pl.DataFrame:
    """A random part of a dataset, without the few rows that have nulls already."""
    sys.path.insert(0, str(folder))
    from load import load  # pyright: ignore[reportMissingImports]

    found = load(DATA[name][0])
    frame = next(iter(found.values())) if isinstance(found, dict) else found
    frame = frame.drop_nulls()
    return frame[np.sort(np.random.default_rng(0).permutation(frame.height)[:rows])]


def holes(frame: pl.DataFrame, how: str) -> np.ndarray:
    """(n, columns), which cells are set to missing."""
    rng = np.random.default_rng(1)
    n, d = frame.shape
    if how == "MCAR":
        return rng.random((n, d)) < 0.2
    rank = frame.to_series(0).rank("random", seed=0).to_numpy() / n
    mask = rng.random((n, d)) < (0.05 + 0.5 * rank)[:, None]
    mask[:, [j for j in range(d) if j == 0 or j % 2 == 0]] = False
    return mask


def numbers(frame: pl.DataFrame) -> list[str]:
    return [c for c, t in frame.schema.items() if t.is_numeric() and frame[c].n_unique() > 10]


def coded(frame: pl.DataFrame) -> np.ndarray:
    """Numbers as they are, categories by their rank, NaN where missing: what scikit-learn takes."""
    own = numbers(frame)
    parts = [frame[c] if c in own else frame[c].cast(pl.String).rank("dense") for c in frame.columns]
    return np.column_stack([p.cast(pl.Float64).fill_null(float("nan")).to_numpy() for p in parts])


def fills(name: str) -> Callable[[np.ndarray, list[int], int], np.ndarray]:
    """A method of scikit-learn: the table with its blanks filled."""

    def run(x: np.ndarray, categories: list[int], seed: int) -> np.ndarray:
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.experimental import enable_iterative_imputer  # noqa: F401
        from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

        warnings.simplefilter("ignore", ConvergenceWarning)
        centre, scale = np.nanmean(x, axis=0), np.maximum(np.nanstd(x, axis=0), 1e-9)
        z = (x - centre) / scale
        if name == "median or mode":
            made = SimpleImputer(strategy="median").fit_transform(z)
            made[:, categories] = SimpleImputer(strategy="most_frequent").fit_transform(z)[:, categories]
        elif name == "nearest neighbours":
            made = KNNImputer(n_neighbors=10, weights="distance").fit_transform(z)
        elif name == "random forests":
            forest = RandomForestRegressor(n_estimators=20, min_samples_leaf=5, n_jobs=-1, random_state=seed)
            made = IterativeImputer(forest, max_iter=5, random_state=seed).fit_transform(z)
        else:
            drawn = name.endswith("drawn")
            made = IterativeImputer(
                sample_posterior=drawn, max_iter=3 if drawn else 10, random_state=seed
            ).fit_transform(z)
        made = made * scale + centre
        low, high = np.nanmin(x, axis=0), np.nanmax(x, axis=0)
        made[:, categories] = np.clip(np.rint(made[:, categories]), low[categories], high[categories])
        return made

    return run


def score(made: list[np.ndarray], truth: np.ndarray, mask: np.ndarray, categories: list[int]) -> dict[str, Any]:
    """Errors of one copy, coverage of many."""
    far, wrong, held = [], [], []
    for j in range(truth.shape[1]):
        at = mask[:, j]
        if not at.any():
            continue
        if j in categories:
            wrong.append(float(np.mean(made[0][at, j] != truth[at, j])))
        elif len(made) == 1:
            far.append(float(np.mean(np.abs(made[0][at, j] - truth[at, j])) / truth[:, j].std()))
        else:
            low, high = np.quantile(np.stack([m[at, j] for m in made]), [0.05, 0.95], axis=0, method="hazen")
            far.append(float(np.mean(np.abs(made[0][at, j] - truth[at, j])) / truth[:, j].std()))
            if np.unique(truth[:, j], return_counts=True)[1].max() > 0.05 * len(truth):
                continue  # An interval of values that many rows share holds more than it should, or less.
            held.append(float(np.mean((low <= truth[at, j]) & (truth[at, j] <= high))))
    mean = [float(np.mean(v)) if v else float("nan") for v in (far, wrong, held)]
    return {"error": mean[0], "wrong": mean[1], "held": mean[2]}


def ours(frame: pl.DataFrame, broken: pl.DataFrame, synthesizer: str, budget: float) -> Any:
    """Our best values and draws, coded as the truth is."""
    levels = [c for c in frame.columns if c not in numbers(frame)]
    ranks = {c: frame[c].cast(pl.String).unique().sort() for c in levels}

    def code(made: pl.DataFrame) -> np.ndarray:
        parts = [
            made[c].cast(pl.String).replace_strict(ranks[c], np.arange(1, len(ranks[c]) + 1), default=-1)
            if c in ranks
            else made[c]
            for c in frame.columns
        ]
        return np.column_stack([p.cast(pl.Float64).to_numpy() for p in parts])

    name, _, twice = synthesizer.partition(" ")
    options = {} if name == "circuit" else {"time_budget": budget}
    start = time.perf_counter()
    model = cuvee.fit(broken, name, **options, seed=0)
    if twice:
        # As cuvee.impute does without a model.
        model = cuvee.fit(model.impute(broken, columns=broken.columns, seed=1), name, **options, seed=0)
    fitted = time.perf_counter() - start
    columns = broken.columns
    best = code(model.impute(broken, columns=columns, how="best", seed=1).frame)
    best_seconds = time.perf_counter() - start
    start = time.perf_counter()
    drawn = model.impute(broken, columns=columns, draws=DRAWS, seed=2).frame
    draw_seconds = fitted + time.perf_counter() - start
    copies = [code(f.drop("draw")) for f in drawn.partition_by("draw", maintain_order=True)]
    return best, best_seconds, copies, draw_seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path, default=Path("../shared/data"))
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--how", default="MCAR,MAR")
    parser.add_argument("--ours", default="trees twice,circuit")
    parser.add_argument("--budget", type=float, default=20.0)
    parser.add_argument("--alone", action="store_true", help="ours only")
    args = parser.parse_args()
    print("| data | missing | method | error of numbers | wrong categories | coverage of 90 % | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name in DATA:
        if args.only and name not in args.only.split(","):
            continue
        frame = dataset(args.folder, name, args.rows)
        own = numbers(frame)
        categories = [j for j, c in enumerate(frame.columns) if c not in own]
        truth = coded(frame)
        for how in args.how.split(","):
            mask = holes(frame, how)
            broken = frame.select(
                pl.Series(c, frame[c]).set(pl.Series(mask[:, j]), None) for j, c in enumerate(frame.columns)
            )

            def say(method: str, found: dict[str, Any], seconds: float, *, name: str = name, how: str = how) -> None:
                figures = " | ".join(f"{found[k]:.3f}" for k in ("error", "wrong", "held")).replace("nan", "–")
                print(f"| {name} | {how} | {method} | {figures} | {seconds:.1f} |", flush=True)

            for synthesizer in args.ours.split(","):
                best, best_seconds, copies, draw_seconds = ours(frame, broken, synthesizer, args.budget)
                say(f"cuvee {synthesizer}, best", score([best], truth, mask, categories), best_seconds)
                found = score(copies, truth, mask, categories)
                say(f"cuvee {synthesizer}, drawn", found, draw_seconds)
            if args.alone:
                continue
            x = np.where(mask, np.nan, truth)
            for method in (
                () if args.alone else ("median or mode", "linear, chained", "nearest neighbours", "random forests")
            ):
                start = time.perf_counter()
                made = fills(method)(x, categories, 0)
                seconds = time.perf_counter() - start
                say(method, score([made], truth, mask, categories), seconds)
            start = time.perf_counter()
            copies = [fills("linear, drawn")(x, categories, k) for k in range(DRAWS)]
            say("linear, chained, drawn", score(copies, truth, mask, categories), time.perf_counter() - start)


if __name__ == "__main__":
    main()
