"""How surely the fidelity metrics see one fault that is planted into rows that are otherwise as good as real.

    python benchmarks/power.py --part fidelity [--runs 100] [--rows 8000] [--shared FOLDER]

Train, holdout and synthetic are parts of Adult (15 columns), or draws of a planted table of 15 columns. Into the
synthetic rows is planted: nothing; one pair of 105 destroyed (a correlation, without touching any other pair); one
category's share moved; one tail cut off. "Seen" means that an alarm names the column or the pair. An alarm where
nothing is planted is false. Each rate is of so many seeded runs, with its 95 % interval.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.random import Generator

import cuvee
from cuvee.numeric.intervals import clopper_pearson
from outside.sets import shared

METRICS = ("shape", "pairs", "triples", "margins")
COLUMNS = 15
Plant = Callable[[pl.DataFrame, Generator], tuple[pl.DataFrame, set[str]]]


def planted(rows: int, correlation: float, rng: Generator) -> pl.DataFrame:
    """Fifteen columns, numbers and categories; only the first two go together."""
    first = rng.normal(size=rows)
    second = correlation * first + np.sqrt(1 - correlation**2) * rng.normal(size=rows)
    numbers = {f"n{i}": rng.gamma(2.0, size=rows).round(3) for i in range(6)}
    levels = {
        f"c{i}": rng.choice(list("abcdefgh"), rows, p=[0.3, 0.2, 0.15, 0.1, 0.1, 0.08, 0.05, 0.02]) for i in range(7)
    }
    return pl.DataFrame({"x": first, "y": second, **numbers, **levels})


def nothing(made: pl.DataFrame, rng: Generator) -> tuple[pl.DataFrame, set[str]]:
    del rng
    return made, set()


def pair(made: pl.DataFrame, rng: Generator) -> tuple[pl.DataFrame, set[str]]:
    return made.with_columns(made["y"].gather(rng.permutation(made.height))), {"x", "y"}


def share(column: str, level: str, moved: float) -> Plant:
    """Move so many of all rows from the commonest level to this one."""

    def plant(made: pl.DataFrame, rng: Generator) -> tuple[pl.DataFrame, set[str]]:
        common = made[column].mode().sort()[0]
        places = np.flatnonzero((made[column] == common).to_numpy())
        chosen = np.zeros(made.height, dtype=np.bool_)
        chosen[rng.choice(places, round(moved * made.height), replace=False)] = True
        return made.with_columns(
            pl.when(pl.Series(chosen)).then(pl.lit(level)).otherwise(pl.col(column)).alias(column)
        ), {column}

    return plant


def tail(column: str, beyond: float) -> Plant:
    """Draw again, from the rest, what lies beyond this quantile."""

    def plant(made: pl.DataFrame, rng: Generator) -> tuple[pl.DataFrame, set[str]]:
        values = made[column].to_numpy()
        cut = np.quantile(values, beyond)
        inner = values[values <= cut]
        return made.with_columns(pl.Series(column, np.where(values > cut, rng.choice(inner, len(values)), values))), {
            column
        }

    return plant


def named(scores: cuvee.Scores) -> set[str]:
    """The columns that alarms name."""
    found: set[str] = set()
    for score in scores:
        for row in score.detail:
            if row.get("alarm"):
                found |= {str(row[k]) for k in ("column", "left", "right") if k in row} | set(row.get("columns", ()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--rows", type=int, default=8000, help="rows of each part")
    parser.add_argument("--shared", type=Path, default=shared())
    chosen = parser.parse_args()
    cases: list[tuple[str, str, Plant, float]] = [
        ("planted", "nothing", nothing, 0.15),
        ("planted", "one pair, correlation .15", pair, 0.15),
        ("planted", "one pair, correlation .08", pair, 0.08),
        ("planted", "2 % of rows to another category", share("c3", "d", 0.02), 0.15),
        ("planted", "1 % of rows to another category", share("c3", "d", 0.01), 0.15),
        ("planted", "no values beyond the 99 % quantile", tail("n2", 0.99), 0.15),
        ("planted", "no values beyond the 99.7 % quantile", tail("n2", 0.997), 0.15),
    ]
    adult = chosen.shared / "data/synth/adult_train.parquet"
    if adult.exists():
        cases += [
            ("adult", "nothing", nothing, 0.0),
            ("adult", "2 % of rows to another category", share("workclass", "Local-gov", 0.02), 0.0),
            ("adult", "1 % of rows to another category", share("workclass", "Local-gov", 0.01), 0.0),
            ("adult", "no values beyond the 99 % quantile", tail("fnlwgt", 0.99), 0.0),
        ]
    for data, what, plant, correlation in cases:
        seen = 0
        for seed in range(chosen.runs):
            rng = np.random.default_rng(seed)
            if data == "planted":
                parts = [planted(chosen.rows, correlation, rng) for _ in range(3)]
            else:
                whole = pl.read_parquet(adult)
                order = rng.permutation(whole.height)
                parts = [whole[order[i * chosen.rows : (i + 1) * chosen.rows]] for i in range(3)]
            made, columns = plant(parts[2], rng)
            scores = cuvee.evaluate(made, train=parts[0], holdout=parts[1], metrics=METRICS, seed=seed, check=False)
            found = named(scores)
            seen += columns <= found if columns else bool(found)
        low, high = clopper_pearson(seen, chosen.runs)
        word = "false alarms" if what == "nothing" else "seen"
        print(f"{data:8} {what:40} {word:12} {seen:3} of {chosen.runs} ({low:.2f} to {high:.2f})", flush=True)


if __name__ == "__main__":
    main()
