"""A dataset: named tables and what they mean."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from cuvee.data.constraint_lines import columns_of_line
from cuvee.data.detect import detect
from cuvee.data.errors import SchemaError
from cuvee.data.interchange import Form, ingest, is_table, to_arrow, to_numpy, to_pandas
from cuvee.data.names import did_you_mean
from cuvee.data.schema import Schema, Table

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Dataset:
    """Named Polars tables and their schema. Nothing changes a dataset; a verb makes a new one.

    One table: tabular. Foreign keys: relational. A sequence key and order: sequential.

    Attributes:
        tables: The tables by name, in order.
        schema: What their columns mean; has the same tables and columns.
        forms: The Arrow type that a table came in with, so that it goes out the same; may be empty.
    """

    tables: Mapping[str, pl.DataFrame]
    schema: Schema
    forms: Mapping[str, Form] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for name, frame in self.tables.items():
            if name not in self.schema.tables:
                raise SchemaError(f"The schema has no table {name!r}; it has {', '.join(self.schema) or 'none'}.")
            missing = set(self.schema[name].columns) ^ set(frame.columns)
            if missing:
                raise SchemaError(f"Table {name!r} and its schema differ in the columns {sorted(missing)}.")

    @classmethod
    def of(cls, data: Any, *, name: str = "data", schema: Schema | None = None) -> Self:
        """Make a dataset of a data frame, an array, a dict of columns or a dict of tables.

        Args:
            data: Anything with `__arrow_c_stream__` (Polars, pandas, Arrow, DuckDB, ...), a NumPy array of one or two
                dimensions, a mapping of column names to values, a mapping of table names to any of these, or a dataset.
            name: The name of the table, where there is one.
            schema: What the columns mean; columns it leaves out are detected.

        Raises:
            SchemaError: The input is none of these, or has duplicate column names.
        """
        if isinstance(data, cls):
            return data
        if isinstance(data, Mapping) and data and all(is_table(v) for v in data.values()):
            both = {str(t): ingest(v, str(t)) for t, v in data.items()}
        else:
            both = {name: ingest(data, name)}
        tables = {t: frame for t, (frame, _) in both.items()}
        return cls(tables, detect(tables, known=schema), {t: form for t, (_, form) in both.items() if form is not None})

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def __getitem__(self, table: str) -> pl.DataFrame:
        if table not in self.tables:
            raise SchemaError(f"There is no table {table!r}; there are {', '.join(self.tables) or 'none'}.")
        return self.tables[table]

    @property
    def name(self) -> str:
        """The name of the only table."""
        if len(self.tables) != 1:
            raise SchemaError(
                f"One table is wanted here, but the dataset has {len(self.tables)}: {', '.join(self.tables)}."
            )
        return next(iter(self.tables))

    @property
    def frame(self) -> pl.DataFrame:
        """The only table.

        Raises:
            SchemaError: There are several tables, or none.
        """
        return self.tables[self.name]

    @property
    def meaning(self) -> Table:
        """The schema of the only table."""
        return self.schema[self.name]

    def only(self, table: str) -> "Dataset":
        """The dataset of this one table; foreign keys to other tables are left out."""
        frame, meaning = self[table], self.schema[table]
        inner = tuple(f for f in meaning.foreign_keys if f.table == table)
        schema = Schema(tables={table: meaning.model_copy(update={"foreign_keys": inner})})
        return Dataset({table: frame}, schema, {t: f for t, f in self.forms.items() if t == table})

    def renamed(self, name: str) -> "Dataset":
        """The only table under another name; what refers to itself still does."""
        old = self.name
        if old == name:
            return self
        keys = tuple(f.model_copy(update={"table": name}) if f.table == old else f for f in self.meaning.foreign_keys)
        schema = Schema(tables={name: self.meaning.model_copy(update={"foreign_keys": keys})})
        form = self.forms.get(old)
        return Dataset({name: self.frame}, schema, {} if form is None else {name: form})

    def keyed(self, key: Sequence[str]) -> "Dataset":
        """The only table with these columns stated as its key.

        Raises:
            SchemaError: It has no such column.
        """
        for column in key:
            if column not in self.frame.columns:
                hint = did_you_mean(column, self.frame.columns)
                raise SchemaError(f"Table {self.name!r} has no column {column!r} for its key.{hint}")
        stated = {"key": tuple(key), "key_confidence": 1.0, "key_reason": "stated"}
        return Dataset(self.tables, Schema(tables={self.name: self.meaning.model_copy(update=stated)}), self.forms)

    def without(self, column: str) -> "Dataset":
        """The only table without a column, and without what it was part of.

        Raises:
            SchemaError: It has no such column.
        """
        frame, name, meaning = self.frame, self.name, self.meaning
        if column not in frame.columns:
            hint = did_you_mean(column, frame.columns)
            raise SchemaError(f"Table {name!r} has no column {column!r} to exclude.{hint}")
        sequence = meaning.sequence
        left = {
            "columns": {c: k for c, k in meaning.columns.items() if c != column},
            "key": None if column in (meaning.key or ()) else meaning.key,
            "sequence": None if sequence is None or column in (*sequence.key, sequence.order) else sequence,
            "foreign_keys": tuple(f for f in meaning.foreign_keys if column not in f.columns),
            "constraints": tuple(c for c in meaning.constraints if column not in columns_of_line(c)),
            "proposals": tuple(p for p in meaning.proposals if column not in columns_of_line(p.line)),
        }
        return Dataset({name: frame.drop(column)}, Schema(tables={name: meaning.model_copy(update=left)}))

    def with_frame(self, table: str, frame: pl.DataFrame) -> "Dataset":
        """The same dataset with other rows in one table; the columns stay."""
        return Dataset({**self.tables, table: frame}, self.schema, self.forms)

    def to_polars(self) -> pl.DataFrame:
        """The only table as a Polars frame."""
        return self.frame

    def to_arrow(self) -> Any:
        """The only table as an Arrow table, with the types that it came in with."""
        return to_arrow(self.frame, self.forms.get(self.name))

    def to_pandas(self) -> Any:
        """The only table as a pandas data frame (pandas must be installed), with the dtypes that it came in with."""
        return to_pandas(self.frame, self.forms.get(self.name))

    def to_numpy(self) -> "np.ndarray[Any, Any]":
        """The only table as an array, (rows, columns); (rows,) if it came in with one dimension."""
        return to_numpy(self.frame, self.forms.get(self.name))

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        if self.name not in self.forms:
            # Straight from Polars: nothing is lost on the way, 128 bit integers included.
            return self.frame.__arrow_c_stream__(requested_schema)
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{t} {f.height:,} x {f.width}" for t, f in self.tables.items())
        return f"Dataset({sizes})"

    def _repr_html_(self) -> str:
        return "".join(f"<h4>{_escape(t)}</h4>{f.head(5)._repr_html_()}" for t, f in self.tables.items())  # pyright: ignore[reportPrivateUsage]


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
