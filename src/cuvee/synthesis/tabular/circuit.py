"""A probabilistic circuit of one table: an exact density, and exact answers to any evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field as Option

from cuvee.codec.codec import LEAST
from cuvee.core import Arrays, Asked, Event, Learned, Method, Synthesizer, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.synthesis.tabular.coding import Coding, fit_coding
from cuvee.synthesis.tabular.columns import renumbered
from cuvee.synthesis.tabular.evidence import Lines
from cuvee.synthesis.tabular.known import rows_drawn
from cuvee.synthesis.tabular.options import Least

Codes = NDArray[np.int32]
Soft = Mapping[int, NDArray[Any]]

WIDEST = 2_000
"""More fields are too many: every pair of them is compared."""
STATES = (8, 128)
"""A hidden variable has at least and at most so many states, where the user does not say."""
GROWTH, ROWS_OF_STATE = 3.0, 32
"""States are so many times the cube root of the rows, and have at least so many rows on average."""
STEPS = 3_000_000
"""States are so few that all edges together have no more than this many steps from state to state."""
SEEN = 500_000
"""Rows are seen again until about this many were seen, where the user does not say how often."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class CircuitLearned(Learned):
    """A circuit of one table.

    Attributes:
        coding: The columns as fields.
        arrays: The circuit, as `cuvee.numeric.circuit.Circuit.arrays` gives it; nothing where there is no field.
        rare: The log probability of a value that was not learned, as one that fewer rows have than are learned from.
    """

    coding: Coding
    arrays: Arrays
    rare: float

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        if not self.coding.fields:
            return self.coding.frame(np.zeros((0, n), np.int32), start=start, rng=rng)
        from cuvee.numeric.circuit import draw

        return self.coding.frame(draw(self._circuit(), n, rng=rng), start=start, rng=rng)

    def sample_given(
        self, codes: Codes, soft: Soft | None = None, *, start: int = 0, rng: Generator
    ) -> Mapping[str, pl.DataFrame]:
        """Rows drawn from their exact distribution given evidence.

        Args:
            codes: (fields, n), the code of each cell that is given; -1 where it is to be drawn.
            soft: By field, how likely each code makes what is known: (m,) for all rows or (n, m). False and True say
                which codes may be drawn.
            start: The number of the first row in the whole sample.
            rng: For what is drawn.

        Raises:
            ModelError: The evidence of a row is impossible.
        """
        from cuvee.numeric.circuit import draw_given

        try:
            drawn = draw_given(self._circuit(), codes, soft, rng=rng) if self.coding.fields else codes
        except ValueError as error:
            raise ModelError(str(error)) from error
        return self.coding.frame(drawn, start=start, rng=rng)

    def sample_asked(
        self, n: int, asked: Asked, *, start: int, rng: Generator
    ) -> tuple[Mapping[str, pl.DataFrame], Method]:
        from cuvee.numeric.circuit import draw_given

        def draw(fixed: Codes, lines: Mapping[int, Lines], filled: Soft, stream: Generator) -> tuple[Codes, float]:
            soft = {f: table[0] if len(table) == 1 else table[line] for f, (table, line) in lines.items()}
            soft |= {f: line * soft.get(f, np.float32(1)) for f, line in filled.items()}
            return (draw_given(self._circuit(), fixed, soft, rng=stream) if self.coding.fields else fixed), 1.0

        return rows_drawn(self.coding, n, asked, draw, start=start, rng=rng)

    def log_evidence(self, codes: Codes, soft: Soft | None = None) -> NDArray[np.float64]:
        """The exact log probability of evidence, (n,) in nats; see `sample_given` for the arguments."""
        if not self.coding.fields:
            return np.zeros(codes.shape[1])
        from cuvee.numeric.circuit import log_density

        return log_density(self._circuit(), codes, soft)

    def made_new(self) -> tuple[str, ...]:
        return self.coding.made_new()

    def numbered(self, frame: pl.DataFrame, *, start: int, rng: Generator) -> pl.DataFrame:
        return renumbered(self.coding.codecs, frame, start=start, rng=rng)

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = self.coding.state()
        own = {f"circuit.{name}": array for name, array in self.arrays.items()}
        return {"coding": values, "rare": self.rare}, {**arrays, **own}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        own = {name[8:]: array for name, array in arrays.items() if name.startswith("circuit.")}
        return cls(Coding.restore(values["coding"], arrays), own, float(values["rare"]))

    def notes(self) -> tuple[str, ...]:
        return self.coding.notes()

    def log_prob(self, data: Dataset) -> NDArray[np.float64]:
        """The exact log density of each row, (n,) in nats; ids and free text count only as missing or there.

        Rounded numbers count with the probability of their value, others with a density in their own unit. A value that
        was not learned counts as one that fewer rows have than are learned from, and says nothing of other cells.
        """
        codes, volumes = self._places(data)
        return self.log_evidence(codes) + volumes.sum(0)

    def log_prob_cells(self, data: Dataset) -> NDArray[np.float64]:
        """The exact log density of each cell given all other cells of its row, (n, columns) in nats.

        Columns that say nothing, or that follow from another one, are 0 throughout.
        """
        result = np.zeros((data.frame.height, len(self.coding.codecs)))
        if not self.coding.fields:
            return result
        from cuvee.numeric.circuit import cell_log_density

        codes, volumes = self._places(data)
        cells = cell_log_density(self._circuit(), codes) + volumes
        result[:, [f.column for f in self.coding.fields]] = cells.T
        return result

    def _circuit(self) -> Any:
        """The circuit itself; its loops are compiled, so it is made where it is used."""
        from cuvee.numeric.circuit import Circuit as Numeric

        return Numeric.restore(self.arrays)

    def _places(self, data: Dataset) -> tuple[Codes, NDArray[np.float64]]:
        """Codes of the fields, (fields, n), -1 where not learned, and what to add to the log density of each cell."""
        codes, known = self.coding.codes(data, rng=np.random.default_rng(0))
        added = np.full(codes.shape, self.rare)
        for f, field in enumerate(self.coding.fields):
            added[f][known[f]] = -np.log(field.volumes[codes[f][known[f]]])
        return np.where(known, codes, -1).astype(np.int32), added


@final
class Circuit(Synthesizer):
    """Learn one table as a tree of hidden variables, one a column, of which everything can be computed exactly."""

    learned: ClassVar[type[Learned]] = CircuitLearned

    states: int | None = Option(
        default=None, ge=1, le=1024, description="States of each hidden variable; None: as the rows and columns say."
    )
    smooth: float = Option(
        default=0.7, ge=0, le=1000, description="How many rows what all rows say is worth in each hidden state."
    )
    epochs: int | None = Option(
        default=None, ge=1, le=1000, description="How often rows are seen at most; None: as their number says."
    )
    rows: int = Option(
        default=200_000, ge=100, description="Dependence is learned from at most this many rows, drawn at random."
    )
    least: Least = LEAST

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> CircuitLearned:
        if data.frame.width > WIDEST:
            raise ModelError(
                f"Table {data.name!r} has {data.frame.width:,} columns; a circuit takes at most {WIDEST:,}, as it "
                "compares every pair of them. Exclude some, or learn each alone with the synthesizer 'independent'."
            )
        coding = fit_coding(data, least=self.least, rng=rng, watch=watch)
        n, d = data.frame.height, len(coding.fields)
        rare = float(np.log(self.least / max(n, self.least)))
        if d == 0:
            return CircuitLearned(coding, {}, rare)
        from cuvee.numeric.circuit_em import Lessons, learn

        some = (
            data if n <= self.rows else data.with_frame(data.name, data.frame[np.sort(rng.permutation(n)[: self.rows])])
        )
        codes, known = coding.codes(some, rng=rng)
        lessons = Lessons(
            states=self.states or default_states(codes.shape[1], d),
            epochs=self.epochs or int(np.clip(SEEN // codes.shape[1], 3, 30)),
            smooth=self.smooth,
            least=float(self.least),
        )
        circuit = learn(
            np.where(known, codes, -1).astype(np.int32),
            [f.masses for f in coding.fields],
            [f.missing for f in coding.fields],
            lessons,
            rng=rng,
            watch=lambda done, total, score: watch(Event("circuit", done, total, f"{score:.3f} nats a row")),
        )
        return CircuitLearned(coding, circuit.arrays(), rare)


def default_states(rows: int, fields: int) -> int:
    """How many states the hidden variables of a table have.

    >>> default_states(500, 5), default_states(32_561, 14), default_states(32_561, 1500)
    (12, 92, 44)
    """
    wanted = int(np.clip(min(GROWTH * np.cbrt(rows), rows / ROWS_OF_STATE), *STATES))
    most = int(np.sqrt(STEPS / max(fields, 1)))
    return max(min(wanted, most) // 4 * 4, 4)
