"""A column that others settle."""

from typing import final

import polars as pl
from pydantic import ConfigDict, Field

from cuvee.core import Constraint
from cuvee.data.errors import ModelError

FELL = "_fell_back"


@final
class Follows(Constraint):
    """A functional dependency: `education` settles `education_num`.

    What follows is not learned but looked up. A combination that too few training rows had gives what its first column
    gives most often.

    Attributes:
        follows: The column that is settled.
        settled_by: The columns that settle it, written `from`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    follows: str
    settled_by: tuple[str, ...] = Field(alias="from", min_length=1)

    def __str__(self) -> str:
        return f"{self.follows} follows from {', '.join(self.settled_by)}"

    def columns(self) -> tuple[str, ...]:
        return (*self.settled_by, self.follows)

    def derived(self) -> str:
        return self.follows

    def learn(self, frame: pl.DataFrame, *, least: int) -> pl.DataFrame:
        there = frame.select(self.columns()).filter(pl.col(self.follows).is_not_null())
        parts = [_most_common(there, self.settled_by[:k], self.follows) for k in range(len(self.settled_by), -1, -1)]
        whole = pl.concat(
            [p.with_columns(_level=pl.lit(k, pl.Int64)) for k, p in enumerate(parts)], how="diagonal"
        ).filter((pl.col("_count") >= least) | (pl.col("_level") == len(self.settled_by)))
        covered = whole.filter(pl.col("_level") == 0)["_count"].sum()
        if there.height and covered < there.height / 2:
            raise ModelError(
                f"{self}: only {covered:,} of {there.height:,} rows have a combination of {', '.join(self.settled_by)} "
                f"that at least {least} rows share, and what fewer share is protected. Drop this constraint, or say it "
                "as an equation."
            )
        return whole.select(*self.settled_by, self.follows, "_level")

    def derive(self, frame: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        found = pl.Series(self.follows, [None] * frame.height, dtype=frame_dtype(learned, self.follows))
        if learned is None:
            return found
        for level in range(len(self.settled_by) + 1):
            names = self.settled_by[: len(self.settled_by) - level]
            table = learned.filter(pl.col("_level") == level).select(*names, self.follows)
            if not names:
                more = pl.Series(self.follows, [table[self.follows][0] if table.height else None], dtype=found.dtype)
                more = more.new_from_index(0, frame.height)
            else:
                keyed = table.with_columns(_row=pl.lit(value=True))
                more = frame.select(names).join(
                    keyed, on=list(names), how="left", nulls_equal=True, maintain_order="left"
                )[self.follows]
            found = found.zip_with(found.is_not_null(), more)
            if not found.null_count():
                break
        return found

    def truth(self, frame: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        both = frame.select(self.columns())
        known = pl.all_horizontal(pl.col(c).is_not_null() for c in self.columns())
        if learned is None:
            # Within these rows alone: which are not what most rows with the same values have.
            usual = _most_common(both.filter(known), self.settled_by, self.follows)
        else:
            usual = learned.filter(pl.col("_level") == 0).select(*self.settled_by, self.follows)
        looked = both.join(
            usual.rename({self.follows: FELL}), on=list(self.settled_by), how="left", maintain_order="left"
        )
        return looked.select(pl.when(known).then(pl.col(self.follows) == pl.col(FELL)).alias("truth")).to_series()


def frame_dtype(frame: pl.DataFrame | None, column: str) -> pl.DataType:
    """The dtype of a column; null where there is no frame."""
    return pl.Null() if frame is None else frame.schema[column]


def _most_common(frame: pl.DataFrame, by: tuple[str, ...], column: str) -> pl.DataFrame:
    """What a column mostly is for each combination of others, and `_count`: in how many rows."""
    counts = frame.group_by(*by, column).agg(_count=pl.len().cast(pl.Int64))
    # Ties go to the smaller value, so that the same rows give the same table.
    counts = counts.sort([*by, "_count", column], descending=[*(False for _ in by), True, False])
    return counts.unique(subset=list(by), keep="first", maintain_order=True) if by else counts.head(1)
