"""The real tables that synthesizers are judged on; none of them is shipped."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

ENVIRONMENT = "CUVEE_SHARED"
"""Names the folder that has data/ and judge/; without it, ../shared beside the repository is looked for."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a set.

    Attributes:
        file: Its table.
        target: The column that utility predicts.
        ids: Columns that number rows: the judge is not shown them.
    """

    file: str
    target: str
    ids: tuple[str, ...] = ()


SETS = {
    "adult": Known("adult_train", "income"),
    "default": Known("default_credit", "default.payment.next.month", ("ID",)),
    "shoppers": Known("online_shoppers", "Revenue"),
    "magic": Known("magic_gamma", "class"),
    "diabetes": Known("diabetes130", "readmitted", ("encounter_id", "patient_nbr")),
    "california": Known("california_housing", "median_house_value"),
    "bank": Known("bank_marketing_full", "y"),
    "covertype": Known("covertype_10k", "Cover_Type"),
    "fraud": Known("creditcard_fraud_sample", "Class"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One set, split.

    Attributes:
        name: Its name here.
        train: What is learned.
        holdout: What nobody has seen.
        target: The column that utility predicts.
        ids: Columns that number rows.
    """

    name: str
    train: pl.DataFrame
    holdout: pl.DataFrame
    target: str
    ids: tuple[str, ...]


def shared() -> Path:
    """The folder that has data/ and judge/, whether or not it exists."""
    given = os.environ.get(ENVIRONMENT)
    return Path(given) if given else Path(__file__).resolve().parents[3] / "shared"


def missing(folder: Path) -> str | None:
    """Why nothing can be run, in a sentence, or None."""
    for part in ("data/synth", "judge/tabular.py"):
        if not (folder / part).exists():
            return f"Skipped: {folder} has no {part}. Name the folder that has it in {ENVIRONMENT} or with --shared."
    return None


def load(name: str, folder: Path, rows: int | None = None) -> Split | None:
    """Adult as it was published, the others split 75/25 with seed 0; None where the file is missing.

    Args:
        name: One of `SETS`.
        folder: The folder that has data/synth.
        rows: Keep only so many rows of each part, to prove that something runs.
    """
    known, place = SETS[name], folder / "data" / "synth"
    if not (place / f"{known.file}.parquet").exists():
        return None
    frame = pl.read_parquet(place / f"{known.file}.parquet")
    rng = np.random.default_rng(0)
    if name == "adult":
        if not (place / "adult_test.parquet").exists():
            return None
        # The published test part ends its labels with a dot.
        label = pl.col(known.target).str.strip_chars_end(".")
        parts = frame, pl.read_parquet(place / "adult_test.parquet").with_columns(label)
    else:
        order = rng.permutation(frame.height)
        cut = round(frame.height * 0.75)
        parts = frame[np.sort(order[:cut])], frame[np.sort(order[cut:])]
    # Files are often sorted: a few rows are drawn, not the first taken.
    train, holdout = parts if rows is None else (p[np.sort(rng.permutation(p.height)[:rows])] for p in parts)
    return Split(name, train, holdout, known.target, known.ids)


def conform(made: pl.DataFrame, train: pl.DataFrame) -> pl.DataFrame:
    """Made rows in train's types where nothing is lost by it, so that 1.0 for 1 counts against nobody.

    Numbers that are not whole in a column of whole numbers stay as they are: that is the synthesizer's own doing.
    """
    columns: list[pl.Series] = []
    for name, dtype in train.schema.items():
        if name not in made.columns:
            continue
        column = made[name]
        if dtype == pl.Boolean and column.dtype != dtype:
            column = column.cast(pl.String).str.to_lowercase()
            column = column.replace({"1": "true", "1.0": "true", "0": "false", "0.0": "false"}) == "true"
        elif dtype.is_integer() and column.dtype.is_float():
            column = column.fill_nan(None)
            if (column.drop_nulls() == column.drop_nulls().round()).all():
                column = column.cast(dtype, strict=False)
        elif column.dtype == pl.Categorical or isinstance(column.dtype, pl.Enum):
            column = column.cast(pl.String)
        if dtype.is_numeric() and column.dtype == pl.String:
            column = column.cast(dtype, strict=False)
        columns.append(column.rename(name))
    return pl.DataFrame(columns)
