"""The records of all sources under one number each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cuvee.blending.keys import row_text
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, SchemaError
from cuvee.data.names import did_you_mean
from cuvee.data.schema import Schema, Table


@dataclass(frozen=True, slots=True)
class Stack:
    """The tables of all sources, one under the other. A record's number is its row here.

    Attributes:
        frames: The tables by source, in order.
        meanings: What their columns mean, by source.
        starts: The number of each source's first record.
        records: One row a record: source, record_id (String), row (UInt32, in its source).
    """

    frames: Mapping[str, pl.DataFrame]
    meanings: Mapping[str, Table]
    starts: Mapping[str, int]
    records: pl.DataFrame

    @property
    def size(self) -> int:
        return self.records.height

    def numbers(self, source: str) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        """The numbers of a source's records."""
        return np.arange(self.starts[source], self.starts[source] + self.frames[source].height)

    def columns(self, source: str, names: Sequence[str]) -> list[pl.Series]:
        """Columns of a source.

        Raises:
            SchemaError: There is no such source or column; the message names the nearest.
        """
        if source not in self.frames:
            raise SchemaError(f"There is no source {source!r} in this blend.{did_you_mean(source, self.frames)}")
        frame = self.frames[source]
        for name in names:
            if name not in frame.columns:
                raise SchemaError(f"Source {source!r} has no column {name!r}.{did_you_mean(name, frame.columns)}")
        return [frame[name] for name in names]


def stack_sources(sources: Mapping[str, Dataset]) -> tuple[Stack, Schema]:
    """Stack the tables of all sources; a source of several tables counts as one source a table, named after the table.

    Returns:
        The stack, and one schema of all tables.

    Raises:
        CuveeError: Two tables have the same name.
    """
    frames: dict[str, pl.DataFrame] = {}
    meanings: dict[str, Table] = {}
    for data in sources.values():
        for table, frame in data.tables.items():
            if table in frames:
                raise CuveeError(
                    f"Two sources have a table {table!r}. Rename one of them, so that every record can be told "
                    "where it came from."
                )
            frames[table] = frame
            meanings[table] = data.schema[table]
    if not frames:
        raise CuveeError("Nothing to blend: give at least one source with a table.")
    heights = [f.height for f in frames.values()]
    starts = dict(zip(frames, [0, *np.cumsum(heights).tolist()][:-1], strict=True))
    parts = [
        pl.DataFrame({"record_id": record_ids(frame, meanings[source])}).select(
            pl.lit(source).alias("source"), "record_id", pl.int_range(pl.len(), dtype=pl.UInt32).alias("row")
        )
        for source, frame in frames.items()
    ]
    return Stack(frames, meanings, starts, pl.concat(parts)), Schema(tables=meanings)


def record_ids(frame: pl.DataFrame, meaning: Table) -> pl.Series:
    """What each record of a source is called: the text of its key, else its row number from 0.

    A key that repeats in spite of being stated gets `#2`, `#3`, ... on its later rows; a row whose key is null is
    `#row`.
    """
    rows = pl.int_range(pl.len(), dtype=pl.UInt32).cast(pl.String)
    plain = (
        frame.select(rows.alias("record_id")).to_series()
        if frame.width
        else pl.Series("record_id", [], dtype=pl.String)
    )
    if not meaning.key:
        return plain
    try:
        ids = row_text(frame, meaning.key).alias("key")
    except SchemaError:  # a key of lists or structs has no text
        return plain
    if ids.null_count() == 0 and ids.n_unique() == ids.len():
        return ids.alias("record_id")
    turn = pl.int_range(pl.len()).over("key") + 1
    named = ids.to_frame().with_columns(row=rows, turn=turn)
    text = (
        pl.when(pl.col("key").is_null())
        .then("#" + pl.col("row"))
        .when(pl.col("turn") > 1)
        .then(pl.col("key") + "#" + pl.col("turn").cast(pl.String))
    )
    made = named.select(text.otherwise(pl.col("key")).alias("record_id")).to_series()
    return made if made.n_unique() == made.len() else plain
