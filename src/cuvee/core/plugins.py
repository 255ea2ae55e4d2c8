"""The plug-in nouns: a spec that the user chose, with one method that does the work. Each is abstract."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from cuvee.data.conditions import Condition
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError

if TYPE_CHECKING:
    from cuvee.core.asked import Asked
    from cuvee.core.method import Method

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Event:
    """Progress of one step: `done` of `total` units; total 0 where it is not known."""

    step: str
    done: int = 0
    total: int = 0
    note: str = ""


Watch = Callable[[Event], None]
"""What progress is told to. The library draws nothing; the command line does."""


def silent(event: Event) -> None:
    """Watch nothing."""
    del event


class Spec(BaseModel):
    """What the user chose. Frozen, and closed to names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Stream:
    """A table outside that is read in batches, in constant memory.

    Attributes:
        table: Its name.
        columns: The names of its columns, in order.
        size: About how many bytes it would take in memory.
        rows: How many rows it has; None where only reading it tells.
        identity: Text that is another one when the data may have changed.
        batches: Given the columns wanted and the number of the first row, the rows from there on in order.
        settle: Gives rows of all batches the dtypes of the whole; the same frame where batches have them already.
    """

    table: str
    columns: tuple[str, ...]
    size: int
    rows: int | None
    identity: str
    batches: Callable[[Sequence[str], int], Iterator[pl.DataFrame]]
    settle: Callable[[pl.DataFrame], pl.DataFrame]


class Source(Spec, ABC):
    """One form of data outside: a file form, or a database."""

    @abstractmethod
    def read(self) -> Mapping[str, Any]:
        """The tables by name, each a Polars frame or Arrow table.

        Raises:
            SourceError: It is not there, can't be read, or is not of this form.
        """

    @abstractmethod
    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Write the tables, beside first and then moved into place, so that a failure loses nothing.

        Raises:
            SourceError: It can't be written, or this form can't hold such tables.
        """

    def in_batches(self) -> Stream | None:
        """The only table in batches, or None where this form, or what it holds, can only be read as a whole.

        Raises:
            SourceError: It is not there, or is not of this form.
        """
        return None

    def write_blocks(self, table: str, blocks: Iterator[pl.DataFrame]) -> None:
        """Write one table that comes in blocks of rows; at least one, perhaps an empty one.

        Forms that can, write each block as it comes, in constant memory, the same bytes whoever made the blocks.

        Raises:
            SourceError: It can't be written; what stood there before still does.
        """
        self.write({table: pl.concat(list(blocks))})


class Rule(Spec, ABC):
    """A way to settle what several records say of one entity's column."""

    @abstractmethod
    def settle(self, claims: pl.DataFrame) -> pl.DataFrame:
        """Settle one column of all entities at once, without a loop over entities.

        Args:
            claims: One row a claim, nulls left out: `entity` (UInt32), `value`, `source` (String), `rank` (UInt32, 0 is
                the most trusted source), `row` (UInt32, the record in the order read), `time` (Datetime or null, when
                the record was made).

        Returns:
            One row an entity that has a claim, sorted by entity: `entity`, `value`, and `row` (the claim that won;
            null where the value is computed from several).
        """


class Constraint(Spec, ABC):
    """What holds in every row that is made, or in all rows together.

    Nulls follow SQL's CHECK: what can't be told of a row, because a value is missing, is not broken by it. A constraint
    says what it is by one of three ways, and by that how it is kept: a column that is computed from others (`derived`),
    columns that are learned as one (`joined`), or the truth of rows alone (rows are drawn until it holds).
    """

    across: ClassVar[bool] = False
    """Whether it speaks of rows together; `truth` then says which rows are one too many."""

    def columns(self) -> tuple[str, ...]:
        """The columns that it speaks of."""
        condition = self.condition()
        return () if condition is None else condition.columns()

    def condition(self) -> Condition | None:
        """The same as a condition, where the condition language can say it; it may be unknown, but never false."""
        return None

    def learn(self, frame: pl.DataFrame, *, least: int) -> pl.DataFrame | None:
        """What it needs to know of the training rows, as a table: never anything that fewer than `least` rows share.

        Raises:
            ModelError: The rows do not have what it takes.
        """
        del frame, least
        return None

    def truth(self, frame: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        """(n,), whether it holds in each row, null where that is unknown.

        Args:
            frame: The rows.
            learned: What `learn` gave; None judges the rows by themselves.
        """
        del learned
        condition = self.condition()
        if condition is None:
            raise NotImplementedError
        return condition.truth(frame)

    def derived(self) -> str | None:
        """The column that the others settle; `derive` computes it."""
        return None

    def derive(self, frame: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        """(n,), the derived column, null where it can't be computed."""
        raise NotImplementedError

    def joined(self) -> tuple[str, ...]:
        """Columns that are learned as one: `learn` gives the combinations there are."""
        return ()

    def together(self) -> tuple[str, ...]:
        """Columns that are missing in the same rows: the first says in which."""
        return ()

    def chain(self) -> tuple[str, ...]:
        """Columns whose values go up: they may be learned as distances from one to the next."""
        return ()

    def written(self, numbers: NDArray[np.int64], key: int) -> pl.Series | None:
        """The values of rows by their numbers, for a constraint on one column that makes them from nothing else.

        Args:
            numbers: (n,), the numbers of the rows in the whole sample.
            key: What scatters them.
        """
        del numbers, key
        return None

    def settle(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows in which it holds, made of these by moving values between rows; for constraints across rows."""
        return frame


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found of one constraint in rows that were made.

    Attributes:
        constraint: The constraint in words.
        rows: Rows that were looked at.
        broken: Rows that break it.
        unknown: Rows of which it can't be told, because a value is missing.
        how: How it was kept.
    """

    constraint: str
    rows: int
    broken: int
    unknown: int
    how: str

    @classmethod
    def of_all(cls, parts: "Sequence[Proof]") -> "Proof":
        """What was found in several blocks."""
        first, rows = parts[0], sum(p.rows for p in parts)
        return cls(first.constraint, rows, sum(p.broken for p in parts), sum(p.unknown for p in parts), first.how)


@dataclass(frozen=True, slots=True)
class Edge:
    """One column depends on another one directly, as a model has it.

    Attributes:
        source: The column that is asked.
        target: The column that depends on it.
        strength: What the edge says beyond all others, in nats a row.
    """

    source: str
    target: str
    strength: float


class Synthesizer(Spec, ABC):
    """A way to learn a dataset."""

    learned: ClassVar["type[Learned]"]

    @abstractmethod
    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> "Learned":
        """Learn the dataset.

        Raises:
            ModelError: The data can't be learned by this synthesizer; the message says why and what to do.
        """


class Learned(ABC):
    """What a synthesizer learned: statistics and weights, never a training row."""

    @abstractmethod
    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        """Make rows `start` to `start + n` of the (root) table; rows of other blocks are made with other generators.

        Blocks may be made on several threads at once: nothing that was learned may change here.

        Returns:
            Every table of the dataset, with the columns and dtypes of training.
        """

    def sample_asked(
        self, n: int, asked: "Asked", *, start: int, rng: Generator
    ) -> tuple[Mapping[str, pl.DataFrame], "Method"] | None:
        """Make n rows that are as asked, as far as this synthesizer can; None where it can't at all.

        Models that can't are served by `cuvee.core.served`: by search, by chains, or by nearness.

        Rows that only turn out wrong when they are whole (a comparison between three columns) may be returned: whoever
        calls looks at all of them, and asks for those again.

        Args:
            n: How many; as many as are given, where cells are given.
            asked: A condition on all rows, and given cells, row by row.
            start: The number of the first row in the whole sample.
            rng: For what is drawn.

        Returns:
            The table, given cells unchanged; and how it was met.

        Raises:
            ModelError: There can be no such rows; the message says why.
        """
        del n, asked, start, rng
        return None

    def edges(self) -> tuple[Edge, ...]:
        """The graph of which columns depend on which directly, for synthesizers that learn one; the strongest first."""
        return ()

    def made_new(self) -> tuple[str, ...]:
        """The columns whose values say nothing and are made up for every row: ids, texts, names, what is opaque."""
        return ()

    def numbered(self, frame: pl.DataFrame, *, start: int, rng: Generator) -> pl.DataFrame:
        """Rows that were picked out of many, with ids and texts of their own: row i gets those of row `start` + i."""
        del start, rng
        return frame

    def broken(self, frame: pl.DataFrame) -> NDArray[np.int64]:
        """(k,), the rows that break what holds in every row."""
        del frame
        return np.zeros(0, np.int64)

    def across(self) -> tuple[Constraint, ...]:
        """What holds in all rows together; whoever collects the blocks sees to it."""
        return ()

    def prove(self, frame: pl.DataFrame) -> tuple[Proof, ...]:
        """What is found of each constraint in rows that were made."""
        del frame
        return ()

    @abstractmethod
    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        """All that was learned, as JSON values and arrays."""

    @classmethod
    @abstractmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        """What `state` gave, learned again without data."""

    def notes(self) -> tuple[str, ...]:
        """What the user should know of this fit, in sentences (what was left out or protected)."""
        return ()

    def history(self) -> pl.DataFrame | None:
        """How it was learned, one row an epoch, or None where it was not learned in epochs.

        Columns: `epoch` from 1, the mean losses by their names, `held` (the score on held-out rows, the lower the
        better), `rate`, `kept` (whether the weights are those of this epoch), and `seconds` where it was just fitted:
        the seconds are no part of a saved model.
        """
        return None

    def log_prob(self, data: Dataset) -> NDArray[np.float64] | None:
        """Log density of each row, (n,) in nats, or None where it is not defined."""
        del data
        return None

    def log_prob_cells(self, data: Dataset) -> NDArray[np.float64] | None:
        """Log density of each cell, (n, columns) in nats, or None where it is not defined.

        How the density of a row is parted among its cells (each given those before it, or given all others) is the
        synthesizer's to say; a column that it can't say anything of is 0 throughout.
        """
        del data
        return None

    def update(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> "Learned":
        """What is known after more rows of the same columns; what was known before stays as it is.

        Raises:
            ModelError: This synthesizer learns all rows at once, or can't learn these.
        """
        del data, rng, watch
        name = type(self).__name__.removesuffix("Learned").lower()
        raise ModelError(
            f"A model of {name!r} can't learn more rows once it is fitted. Fit it again on all rows, or fit a "
            "synthesizer that `cuvee models` lists with 'update'."
        )
