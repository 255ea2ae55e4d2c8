"""Small tables with a known truth, for the checks."""

import datetime as dt

import numpy as np
import polars as pl
from numpy.random import Generator


def dependent_table(n: int, rng: Generator) -> pl.DataFrame:
    """A table whose columns depend on each other, of many dtypes; nulls in a fifth of `income` and a tenth of `grade`.

    `income` follows `age` (correlation about 0.9), `grade` is cut from `income`, `member` follows `grade`, and `since`
    follows `age`. `noise` follows nothing, and `visits` is half zero.
    """
    age = rng.normal(45, 12, n).clip(18, 90)
    income = 800 * age + rng.normal(0, 4500, n)
    grade = np.digitize(income, [24_000, 40_000])
    member = rng.random(n) < np.array([0.1, 0.5, 0.9])[grade]
    since = np.datetime64("2000-01-01") + (age * 100 + rng.normal(0, 200, n)).astype("timedelta64[D]")
    frame = pl.DataFrame(
        {
            "age": age.round(0).astype(np.int16),
            "income": income,
            "grade": np.array(["low", "middle", "high"])[grade],
            "member": member,
            "since": since,
            "noise": rng.normal(size=n).astype(np.float32),
            "visits": np.where(rng.random(n) < 0.5, 0, rng.poisson(4, n)),
            "at": [dt.datetime(2024, 1, 1) + dt.timedelta(minutes=int(m)) for m in rng.integers(0, 500_000, n)],
        }
    )
    holes = pl.Series(rng.random(n) < 0.2), pl.Series(rng.random(n) < 0.1)
    return frame.with_columns(
        pl.when(holes[0]).then(None).otherwise(pl.col("income")).alias("income"),
        pl.when(holes[1]).then(None).otherwise(pl.col("grade")).alias("grade").cast(pl.Enum(["low", "middle", "high"])),
        pl.col("at").dt.cast_time_unit("ms").dt.replace_time_zone("UTC"),
    )


def shuffled(frame: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    """The frame with every column shuffled by itself: each column alone is kept, and no dependence is."""
    return frame.select([s.gather(rng.permutation(frame.height)) for s in frame])


def dependence_error(synthetic: pl.DataFrame, real: pl.DataFrame) -> float:
    """How far the planted dependences are from those of the real table, from 0 up; the mean over its pairs.

    Correlation of `age` with `income` and `since`, and of the position of `grade` and `member` with `income`.
    """
    pairs = (("age", "income"), ("age", "since"), ("income", "grade"), ("income", "member"))
    return float(np.mean([abs(_correlation(synthetic, *p) - _correlation(real, *p)) for p in pairs]))


def _correlation(frame: pl.DataFrame, first: str, second: str) -> float:
    """Rank correlation of the rows where neither is null; 0 where one of them is constant."""
    rows = frame.select(pl.col(first, second).to_physical().cast(pl.Float64)).drop_nulls()
    found = rows.select(pl.corr(first, second, method="spearman")).item() if rows.height > 2 else 0.0
    return float(found) if found is not None and np.isfinite(found) else 0.0
