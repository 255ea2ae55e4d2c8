"""Every column by itself: exact margins, no dependence. The floor that any other synthesizer must beat."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.codec import LEAST, masses_of
from cuvee.core import Arrays, Asked, Learned, Method, Synthesizer, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.numeric.quantiles import EDGE, locate
from cuvee.synthesis.tabular.coding import plain_coding
from cuvee.synthesis.tabular.columns import (
    Codecs,
    column_notes,
    columns_of,
    columns_state,
    fit_columns,
    log_margin,
    only_table,
    renumbered,
    restore_columns,
)
from cuvee.synthesis.tabular.evidence import ask, evidence_of, rows_of
from cuvee.synthesis.tabular.options import Least


@final
@dataclass(frozen=True, slots=True, eq=False)
class IndependentLearned(Learned):
    """The margins of one table.

    Attributes:
        table: The table's name.
        codecs: Its columns.
    """

    table: str
    codecs: Codecs

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        columns = [c.decode(np.clip(rng.random(n), EDGE, 1 - EDGE), start=start, rng=rng) for c in self.codecs]
        return {self.table: pl.DataFrame({s.name: s for s in columns})}

    def sample_asked(
        self, n: int, asked: Asked, *, start: int, rng: Generator
    ) -> tuple[Mapping[str, pl.DataFrame], Method]:
        """Each column by what is known of it; comparisons between columns are for whoever calls to look at."""
        coding = plain_coding(self.table, self.codecs)
        wanted = ask(asked.condition, coding, rng=rng, filled=asked.filled)
        evidence = evidence_of(wanted, coding, n, asked.given, rng=rng)
        codes = evidence.fixed.copy()
        for f, field in enumerate(coding.fields):
            lines, line = evidence.lines.get(f, (np.ones((1, len(field.masses))), np.zeros(n, np.int32)))
            for g, allowed in enumerate(lines):
                rows = np.flatnonzero((line == g) & (codes[f] < 0))
                masses = field.masses * allowed * wanted.filled.get(f, 1)
                if len(rows) and masses.sum() <= 0:
                    masses = field.masses * allowed
                codes[f, rows] = locate(masses_of(masses), np.clip(rng.random(len(rows)), EDGE, 1 - EDGE))[0]
        tables = rows_of(coding, codes, evidence, start=start, rng=rng)
        return {self.table: asked.kept(tables[self.table])}, Method()

    def made_new(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.codecs if not c.informative)

    def numbered(self, frame: pl.DataFrame, *, start: int, rng: Generator) -> pl.DataFrame:
        return renumbered(self.codecs, frame, start=start, rng=rng)

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = columns_state(self.codecs)
        return {"table": self.table, "columns": values}, arrays

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        return cls(str(values["table"]), restore_columns(values["columns"], arrays))

    def notes(self) -> tuple[str, ...]:
        return column_notes(self.codecs)

    def log_prob(self, data: Dataset) -> NDArray[np.float64]:
        """Log density of each row, (n,) in nats: the sum over columns; ids and free text are left out.

        Rounded numbers count with the probability of their value, others with a density in their own unit. A value
        that was not learned counts as the one it is placed at.
        """
        rng = np.random.default_rng(0)
        columns = columns_of(data, self.codecs)
        parts = [log_margin(c, c.place(s, rng=rng).codes) for c, s in zip(self.codecs, columns, strict=True)]
        return np.sum(parts, axis=0)


@final
class Independent(Synthesizer):
    """Learn every column of one table by itself."""

    learned: ClassVar[type[Learned]] = IndependentLearned

    least: Least = LEAST

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> IndependentLearned:
        table = only_table(data)
        return IndependentLearned(table, fit_columns(data, least=self.least, rng=rng, watch=watch))
