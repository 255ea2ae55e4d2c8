"""Constraints: violations in a million rows, what they cost in time, and whether the rows are as real as without.

    python benchmarks/constraints.py [--rows 1000000] [--synthesizer auto] [--sets orders,adult,covertype]
        [--shared FOLDER]

orders is planted: bills that add up, chains of days, towns in their land, flags, a composite key left out of the time.
For each set the same synthesizer is fitted without and with its constraints. Violations are counted by DuckDB, not by
what kept them. AUC is that of `cuvee`'s own detection on holdout rows (0.5 is best), with as many rows as train has.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

import cuvee
from outside.sets import shared

Set = tuple[pl.DataFrame, pl.DataFrame, list[Any], list[str]]


def orders(n: int = 20_000) -> Set:
    """A planted table: train, holdout, constraints, and the SQL that finds broken rows."""
    rng = np.random.default_rng(0)
    price, pieces = rng.lognormal(2, 0.6, n).round(2), rng.integers(1, 9, n)
    town = rng.choice(["Rome", "Milan", "Paris", "Lyon", "Nice", "Ulm", "Bonn"], n)
    land = (
        pl.Series(town)
        .replace({"Rome": "IT", "Milan": "IT", "Ulm": "DE", "Bonn": "DE"})
        .replace({"Paris": "FR", "Lyon": "FR", "Nice": "FR"})
    )
    ordered = pl.Series(rng.integers(18_000, 18_900, n)).cast(pl.Int32).cast(pl.Date)
    days = (rng.exponential(5, n) + price / 20).astype(int)
    shipped = ordered + pl.Series(days).cast(pl.Duration("ms")) * 86_400_000
    kind = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    frame = pl.DataFrame(
        {"price": price, "pieces": pieces, "total": (price * pieces).round(2), "town": town, "land": land}
    ).with_columns(
        ordered=ordered, shipped=shipped.cast(pl.Date), a=kind == 0, b=kind == 1, c=kind == 2,
        carrier=pl.Series([None if k == 2 else "xyz"[k] for k in kind]),
        weight=pl.Series(np.where(kind == 2, np.nan, rng.gamma(2, 3, n).round(1))).fill_nan(None),
    )  # fmt: skip
    rules: list[Any] = [
        "total = price * pieces",
        {"fixed": ["town", "land"]},
        {"increasing": ["ordered", "shipped"]},
        {"one_hot": ["a", "b", "c"]},
        {"missing_together": ["carrier", "weight"]},
        {"positive": "price"},
        {"range": "pieces", "low": 1, "high": 8},
        {"predicate": "price + pieces < 500"},
    ]
    broken = [
        "abs(total - price * pieces) > 0.0051",
        "land <> case when town in ('Rome', 'Milan') then 'IT' when town in ('Ulm', 'Bonn') then 'DE' else 'FR' end",
        "shipped < ordered",
        "a::int + b::int + c::int <> 1",
        "(carrier is null) <> (weight is null)",
        "price <= 0 or pieces < 1 or pieces > 8 or price + pieces >= 500",
    ]
    return frame[: n // 2], frame[n // 2 :], rules, broken


def adult(folder: Path) -> Set:
    """Adult: a level of education has one number."""
    frame = pl.read_parquet(folder / "data/synth/adult_train.parquet")
    frame = frame[np.random.default_rng(0).permutation(frame.height)]
    cut = frame.height * 3 // 4
    rules: list[Any] = [{"follows": "education-num", "from": ["education"]}, {"range": "age", "low": 17, "high": 90}]
    pairs = frame.select("education", "education-num").unique().sort("education").rows()
    cases = " ".join(f"when education = '{e}' then {k}" for e, k in pairs)
    return frame[:cut], frame[cut:], rules, [f'"education-num" <> case {cases} else -1 end', "age < 17 or age > 90"]


def covertype(folder: Path) -> Set:
    """Covertype: exactly one wilderness and one soil flag."""
    frame = pl.read_parquet(next((folder / "data/synth").glob("cover*.parquet")))
    order = np.random.default_rng(0).permutation(frame.height)
    frame = frame[order]
    cut = frame.height * 3 // 4
    groups = [[c for c in frame.columns if c.lower().startswith(w)] for w in ("wilderness", "soil")]
    broken = [" + ".join(f'"{c}"::int' for c in g) + " <> 1" for g in groups]
    return frame[:cut], frame[cut:], [{"one_hot": g} for g in groups], broken


def seconds(model: cuvee.Model, rows: int) -> tuple[float, pl.DataFrame]:
    """How long a sample takes after a first one has loaded the kernels, and its rows."""
    model.sample(1_000)
    began = time.perf_counter()
    frame = model.sample(rows, seed=1).frame
    return time.perf_counter() - began, frame


def counted(frame: pl.DataFrame, sql: str) -> int:
    """The rows of which something is true, as DuckDB counts."""
    return duckdb.from_arrow(frame.to_arrow()).filter(sql).count("*").fetchall()[0][0]


def main() -> None:
    """Fit, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--synthesizer", default="auto")
    parser.add_argument("--sets", default="orders,adult,covertype")
    parser.add_argument("--shared", type=Path, default=shared())
    given = parser.parse_args()
    print("| set | constraints | broken without | broken with | seconds without | with | ratio | AUC without | with |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name in given.sets.split(","):
        train, holdout, rules, broken = (
            orders() if name == "orders" else {"adult": adult, "covertype": covertype}[name](given.shared)
        )
        cells: list[tuple[int, float, float]] = []
        for stated in ([], rules):
            model = cuvee.fit(train, given.synthesizer, constraints=stated, seed=0)
            took, frame = seconds(model, given.rows)
            any_broken = " or ".join(f"({b})" for b in broken)
            wrong = counted(frame, any_broken)
            made = model.sample(train.height, seed=2)
            scores = cuvee.evaluate(made, train=train, holdout=holdout, metrics=["detection"])
            cells.append((wrong, took, next(s.value for s in scores)))
        (w0, t0, d0), (w1, t1, d1) = cells
        row = f"| {name} | {len(rules)} | {w0:,} | {w1:,} | {t0:.1f} | {t1:.1f} | {t1 / t0:.2f} | {d0:.3f} | {d1:.3f} |"
        print(row, flush=True)


if __name__ == "__main__":
    main()
