"""Missing cells of rows, drawn to go with what is known of each row.

Source: Rubin (1987), Multiple imputation for nonresponse in surveys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

from cuvee.core.asked import Asked, as_asked
from cuvee.core.plugins import Event, Learned, Watch
from cuvee.core.sampling import BLOCK, in_order
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.data.names import did_you_mean
from cuvee.data.schema import Column, Schema, Table

How = Literal["draw", "best"]
"""A draw for each cell, or the one value of the least error."""
BEST = 50
"""Draws that the best value of a cell is found from."""
TRIES = 20
"""How often rows that break a constraint are drawn again."""
DRAW = "draw"
"""The column that numbers completed copies."""
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Filling:
    """How cells are filled.

    Attributes:
        draws: Completed copies.
        how: A draw, or the best value.
        seed: The same seed gives the same cells.
        workers: Threads.
    """

    draws: int
    how: How
    seed: int
    workers: int

    @classmethod
    def checked(cls, *, draws: int, how: How, seed: int, workers: int) -> "Filling":
        """The same, if it can be.

        Raises:
            ModelError: It can't.
        """
        if not isinstance(draws, int) or draws < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ModelError(f"{draws!r} draws were asked for; their number is a whole number, 1 or more.")
        if how not in get_args(How):
            raise ModelError(f"how is {how!r}; cells are filled by a 'draw', or with the 'best' value.")
        if how == "best" and draws > 1:
            raise ModelError(f"There is one best value of a cell, and {draws} draws were asked for. Leave one of both.")
        if not isinstance(seed, int) or seed < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ModelError(f"The seed is {seed!r}; it is a whole number, 0 or more.")
        return cls(draws, how, seed, workers)

    @property
    def times(self) -> int:
        """How often each row with blanks is drawn."""
        return BEST if self.how == "best" else self.draws


def impute(
    learned: Learned,
    meaning: Table,
    data: Dataset,
    given: pl.DataFrame,
    columns: Sequence[str] | None,
    filling: Filling,
    *,
    watch: Watch,
) -> Dataset:
    """One table with its blanks filled; several copies of it, where several draws are made.

    Args:
        learned: What draws.
        meaning: What the columns of training mean.
        data: The table.
        given: The columns of training, in their dtypes.
        columns: What to fill; None for all that can be told from the rest.
        filling: How.
        watch: Told of progress.

    Raises:
        ModelError: A column is not there or has no values, or this synthesizer can't.
    """
    frame, known = data.frame, given.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))
    if filling.draws > 1 and DRAW in frame.columns:
        raise ModelError(f"Copies are numbered in a column {DRAW!r}, and table {data.name!r} has one. Rename it first.")
    blank = {c: np.flatnonzero(known[c].is_null()) for c in _chosen(learned, known, columns)}
    blank = {c: rows for c, rows in blank.items() if len(rows)}
    some = np.unique(np.concatenate([*blank.values(), np.zeros(0, np.int64)]))
    size = max(BLOCK // filling.times, 1)

    def make(k: int) -> dict[str, pl.Series]:
        return _block(learned, meaning, known, blank, some[k * size : (k + 1) * size], filling, k * size)

    made: dict[str, list[pl.Series]] = {c: [] for c in blank}
    for k, block in enumerate(in_order(make, range(-(-len(some) // size)), filling.workers)):
        for c, values in block.items():
            made[c].append(values)
        watch(Event("impute", min((k + 1) * size, len(some)), len(some)))
    found = {c: _like(pl.concat(values), frame[c], data.name) for c, values in made.items()}
    copies = [
        frame.with_columns(_put(frame[c], blank[c], found[c].gather_every(filling.draws, k)) for c in blank)
        for k in range(filling.draws)
    ]
    return data.with_frame(data.name, copies[0]) if filling.draws == 1 else _stacked(data, copies)


def _chosen(learned: Learned, known: pl.DataFrame, columns: Sequence[str] | None) -> list[str]:
    """The columns to fill.

    Raises:
        ModelError: One is not there.
    """
    if columns is None:
        return [c for c in known.columns if c not in learned.made_new()]
    named = [columns] if isinstance(columns, str) else list(columns)
    for column in named:
        if column not in known.columns:
            raise ModelError(f"The model has no column {column!r} to fill.{did_you_mean(column, known.columns)}")
    return [c for c in known.columns if c in named]


def _block(
    learned: Learned,
    meaning: Table,
    known: pl.DataFrame,
    blank: Mapping[str, Rows],
    rows: Rows,
    filling: Filling,
    number: int,
) -> dict[str, pl.Series]:
    """What fills the blanks of some rows, by column: one value, or so many draws beside each other, for each blank."""
    times = filling.times
    rng = np.random.default_rng(SeedSequence(filling.seed, spawn_key=(number,)))
    asked = Asked(given=known[np.repeat(rows, times)], filled=tuple(blank), times=times)
    n, start = len(rows) * times, number * times
    (drawn,), found = as_asked(learned, n, asked, start=start, rng=rng)[0].values(), dict[str, pl.Series]()
    drawn = _mended(learned, drawn, asked, start, rng)
    for c, all_rows in blank.items():
        mine = np.flatnonzero(np.isin(rows, all_rows, assume_unique=True))
        values = drawn[c][(mine[:, None] * times + np.arange(times)).reshape(-1)]
        values = _with_values(learned, values, rng)
        found[c] = _best(values, meaning.columns[c], times) if filling.how == "best" else values
    return found


def _mended(learned: Learned, drawn: pl.DataFrame, asked: Asked, start: int, rng: Generator) -> pl.DataFrame:
    """Rows of which those that break a constraint are drawn again; what is known may break it whatever is drawn."""
    for _ in range(TRIES):
        wrong = learned.broken(drawn)
        if not len(wrong):
            break
        (fresh,) = as_asked(learned, len(wrong), asked.pick(wrong), start=start, rng=rng)[0].values()
        fine = np.setdiff1d(np.arange(fresh.height), learned.broken(fresh))
        place = np.arange(drawn.height)
        place[wrong[fine]] = drawn.height + fine
        drawn = pl.concat([drawn, fresh])[place]
    return drawn


def _with_values(learned: Learned, values: pl.Series, rng: Generator) -> pl.Series:
    """Draws of a column, with a value of any row where nothing that the model knows goes with the rest of the row.

    Raises:
        ModelError: The model knows no value.
    """
    empty = np.flatnonzero(values.is_null())
    if not len(empty):
        return values
    (made,) = as_asked(learned, len(empty), Asked(filled=(values.name,)), start=0, rng=rng)[0].values()
    fresh = made[values.name]
    if fresh.null_count():
        raise ModelError(f"The model knows no value that column {values.name!r} could be filled with.")
    return _put(values, empty, fresh)


def _best(values: pl.Series, meaning: Column, times: int) -> pl.Series:
    """Of so many draws of each cell one: the middle of what has an order, the most common of all else."""
    c = pl.col(values.name)
    ordered = values.dtype.is_numeric() or values.dtype.is_temporal()
    if ordered and meaning.kind not in {"category", "boolean", "id"}:
        one = c.sort().gather((times - 1) // 2).first()
    else:
        one = c.mode().sort().first()
    cells = pl.Series("cell", np.arange(len(values)) // times)
    return values.to_frame().group_by(cells, maintain_order=True).agg(one)[values.name]


def _like(values: pl.Series, column: pl.Series, table: str) -> pl.Series:
    """Values in the dtype of a column.

    Raises:
        ModelError: It can't hold them.
    """
    if column.dtype in {values.dtype, pl.Null()}:
        return values
    cast = values.cast(column.dtype, strict=False)
    if cast.null_count() > values.null_count():
        raise ModelError(
            f"Column {column.name!r} of table {table!r} is {column.dtype}, which has not all the values that the model "
            f"was fitted on. Cast it to {values.dtype} first."
        )
    return cast


def _put(column: pl.Series, rows: Rows, values: pl.Series) -> pl.Series:
    """The column with other values in some rows."""
    place = np.arange(len(column))
    place[rows] = len(column) + np.arange(len(rows))
    return pl.concat([column.cast(values.dtype) if column.dtype == pl.Null else column, values])[place]


def _stacked(data: Dataset, copies: Sequence[pl.DataFrame]) -> Dataset:
    """Completed copies under each other, numbered; a key is one within each copy."""
    stacked = pl.concat([f.select(pl.lit(k, pl.Int64).alias(DRAW), pl.all()) for k, f in enumerate(copies)])
    meaning = data.meaning
    number = Column(kind="category", confidence=1.0, reason="Which completed copy the row is of.")
    sequence = meaning.sequence
    table = meaning.model_copy(
        update={
            "columns": {DRAW: number, **meaning.columns},
            "key": None if meaning.key is None else (DRAW, *meaning.key),
            "sequence": None if sequence is None else sequence.model_copy(update={"key": (DRAW, *sequence.key)}),
            "foreign_keys": tuple(f for f in meaning.foreign_keys if f.table != data.name),
        }
    )
    return Dataset({data.name: stacked}, Schema(tables={data.name: table}))
