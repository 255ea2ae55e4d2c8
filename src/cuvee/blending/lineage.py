"""Where every cell of the golden data came from.

Provenance has a row a cell, so it is kept as a plan over compact columns and computed when it is read or saved.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

ONLY = "only"
"""One record says this."""

AGREED = "agreed"
"""Several records say the same."""

SILENT = "none"
"""No record says anything: the cell is null."""

NO_PARENT = "no parent"
"""The row refers to nothing, or to a row that is not there: the attached cell is null."""

FOLLOWS = "follows"
"""A reference was rewritten to the settled key of the row that it refers to."""

WORDS = (ONLY, AGREED, SILENT, NO_PARENT, FOLLOWS)


@dataclass(frozen=True, slots=True)
class Cells:
    """Where the cells of one column came from.

    Attributes:
        record: (rows,) number of the record that the value was taken from; -1 where it is of none or of several.
        rule: (rows,) position in the names of `Names.rules`.
        others: (rows,) how many claims say something else.
    """

    record: NDArray[np.int32]
    rule: NDArray[np.uint8]
    others: NDArray[np.uint16]

    def at(self, rows: NDArray[np.int64], absent: int) -> "Cells":
        """The cells of other rows; -1 among them is a row that is not there, and gets the rule `absent`."""
        here = rows >= 0
        if len(self.record) == 0:
            shape = rows.shape
            return Cells(np.full(shape, -1, np.int32), np.full(shape, absent, np.uint8), np.zeros(shape, np.uint16))
        safe = np.where(here, rows, 0)
        return Cells(
            np.where(here, self.record[safe], -1).astype(np.int32),
            np.where(here, self.rule[safe], absent).astype(np.uint8),
            np.where(here, self.others[safe], 0).astype(np.uint16),
        )


@dataclass(frozen=True, slots=True)
class Names:
    """The words that provenance is written in: rules (of blending itself first), tables, columns and sources."""

    rules: tuple[str, ...]
    tables: tuple[str, ...]
    columns: tuple[str, ...]
    sources: tuple[str, ...]

    @classmethod
    def of(cls, rules: Iterable[str], golden: Mapping[str, Sequence[str]], sources: Iterable[str]) -> "Names":
        columns = dict.fromkeys(c for names in golden.values() for c in names)
        return cls(tuple(dict.fromkeys([*WORDS, *rules])), tuple(golden), tuple(columns), tuple(sources))

    def schema(self) -> dict[str, pl.DataType]:
        """The columns of provenance and their dtypes."""
        return {
            "table": pl.Enum(self.tables),
            "row": pl.UInt32(),
            "column": pl.Enum(self.columns),
            "source": pl.Enum(self.sources),
            "record_id": pl.String(),
            "rule": pl.Enum(self.rules),
            "others": pl.UInt16(),
        }


def untouched(values: pl.Series, records: NDArray[np.int64]) -> Cells:
    """The cells of a column that stands as it was read: each from its own record, nulls from none."""
    null = values.is_null().to_numpy()
    rule = np.where(null, WORDS.index(SILENT), WORDS.index(ONLY)).astype(np.uint8)
    record = np.where(null, -1, records) if null.any() else records
    return Cells(record.astype(np.int32), rule, np.zeros(len(records), np.uint16))


def plan(cells: Mapping[tuple[str, str], Cells], records: pl.DataFrame, names: Names) -> pl.LazyFrame:
    """Provenance as a plan, with the columns of `Names.schema`; tables and columns in order, then rows."""
    schema = names.schema()
    source = records["source"].cast(schema["source"])
    ids = records["record_id"]
    rules = pl.Series(names.rules, dtype=schema["rule"])
    parts = [pl.DataFrame(schema=schema).lazy()]
    for (table, column), one in cells.items():
        compact = pl.DataFrame({"record": one.record, "rule": one.rule, "others": one.others})
        record = pl.when(pl.col("record") >= 0).then("record").cast(pl.UInt32)
        parts.append(
            compact.lazy().select(
                pl.lit(table, dtype=schema["table"]).alias("table"),
                pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
                pl.lit(column, dtype=schema["column"]).alias("column"),
                pl.lit(source).gather(record).alias("source"),
                pl.lit(ids).gather(record).alias("record_id"),
                pl.lit(rules).gather(pl.col("rule")).alias("rule"),
                "others",
            )
        )
    return pl.concat(parts)
