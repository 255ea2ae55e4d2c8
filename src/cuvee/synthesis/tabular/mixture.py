"""A mixture of latent classes of one table: closed-form densities and conditionals, in a few tables and Gaussians."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, final

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
from cuvee.synthesis.tabular.known import rows_drawn_within
from cuvee.synthesis.tabular.options import Least
from cuvee.synthesis.tabular.parts import Part, parts_of

if TYPE_CHECKING:
    from cuvee.numeric.mixture import Mixture as Numeric

Codes = NDArray[np.int32]
Floats = NDArray[np.float64]

WIDEST = 2_000
FULL = 40
"""Up to this many numbers spreads are full, where the user does not say."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class MixtureLearned(Learned):
    """A mixture of classes of one table.

    Attributes:
        coding: The columns as fields.
        parts: How each field is a state, and perhaps a number.
        arrays: The mixture, as `cuvee.numeric.mixture.Mixture.arrays` gives it; nothing where there is no field.
        rare: The log probability of a value that was not learned, as one that fewer rows have than are learned from.
        tried: Numbers of classes that were tried, and their scores in nats a row.
    """

    coding: Coding
    parts: tuple[Part, ...]
    arrays: Arrays
    rare: float
    tried: tuple[tuple[int, float], ...]

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        if not self.coding.fields:
            return self.coding.frame(np.zeros((0, n), np.int32), start=start, rng=rng)
        states, z = self._mixture().draw(n, rng=rng)
        codes, within = self._codes(states, z, rng)
        return self.coding.frame(codes, start=start, rng=rng, within=within)

    def sample_asked(
        self, n: int, asked: Asked, *, start: int, rng: Generator
    ) -> tuple[Mapping[str, pl.DataFrame], Method]:
        def draw(
            fixed: Codes, within: NDArray[np.floating], lines: Any, filled: Any, stream: Generator
        ) -> tuple[Codes, NDArray[np.floating], float]:
            if not self.coding.fields:
                return fixed, within, 1.0
            known = [p.evidence(f, fixed[f], within[f], lines, filled) for f, p in enumerate(self.parts)]
            states, z = np.stack([k.states for k in known]), np.column_stack([*self._numbers(known, n)])
            drawn, numbers, worth = self._mixture().draw_given(
                states, z,
                {f: k.line for f, k in enumerate(known) if k.line is not None},
                {j: k.within for j, k in enumerate(k for k, p in zip(known, self.parts, strict=True) if p.number)
                 if k.within is not None},
                same=asked.given is None, rng=stream,
            )  # fmt: skip
            codes, places = self._codes(drawn, numbers, stream)
            there = fixed >= 0
            return np.where(there, fixed, codes).astype(np.int32), np.where(there, within, places), worth

        return rows_drawn_within(self.coding, n, asked, draw, start=start, rng=rng)

    def _numbers(self, known: Any, n: int) -> list[Floats]:
        """(n, p), the numbers that are known, column by column; an empty one where there are none."""
        columns = [k.z for k, p in zip(known, self.parts, strict=True) if p.number]
        return columns or [np.zeros((n, 0))]

    def made_new(self) -> tuple[str, ...]:
        return self.coding.made_new()

    def numbered(self, frame: pl.DataFrame, *, start: int, rng: Generator) -> pl.DataFrame:
        return renumbered(self.coding.codecs, frame, start=start, rng=rng)

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = self.coding.state()
        own = {f"mixture.{name}": array for name, array in self.arrays.items()}
        return {"coding": values, "rare": self.rare, "tried": [list(t) for t in self.tried]}, {**arrays, **own}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        own = {name[8:]: array for name, array in arrays.items() if name.startswith("mixture.")}
        coding = Coding.restore(values["coding"], arrays)
        tried = tuple((int(k), float(score)) for k, score in values["tried"])
        return cls(coding, parts_of(coding.fields), own, float(values["rare"]), tried)

    def notes(self) -> tuple[str, ...]:
        if not self.coding.fields:
            return self.coding.notes()
        k = len(self.arrays["weights"])
        tried = ", ".join(f"{k}: {score:.2f}" for k, score in self.tried)
        told = f"The mixture has {k} class{'es' if k > 1 else ''}" + (
            f" (nats a row by classes: {tried})" if tried else ""
        )
        return (f"{told}.", *self.coding.notes())

    def classes(self, data: Dataset) -> NDArray[np.float64]:
        """(n, classes), the chance of each class in each row."""
        from cuvee.numeric.mixture import log_sum

        states, z, _ = self._places(data)
        joint = self._mixture().class_logs(states, z)
        return np.exp(joint - log_sum(joint)[:, None])

    def log_prob(self, data: Dataset) -> NDArray[np.float64]:
        """The log density of each row, (n,) in nats; ids and free text count only as missing or there.

        Rounded numbers count with the probability of their value, as if the density were even over its cell; others
        with a density in their own unit. A value that was not learned counts as one that fewer rows have than are
        learned from, and says nothing of other cells.
        """
        states, z, added = self._places(data)
        return added.sum(0) + (self._mixture().log_density(states, z) if self.coding.fields else 0.0)

    def log_prob_cells(self, data: Dataset) -> NDArray[np.float64]:
        """The log density of each cell given all other cells of its row, (n, columns) in nats.

        Columns that say nothing, or that follow from another one, are 0 throughout.
        """
        result = np.zeros((data.frame.height, len(self.coding.codecs)))
        if self.coding.fields:
            states, z, added = self._places(data)
            cells = self._mixture().cell_log_density(states, z) + added
            result[:, [f.column for f in self.coding.fields]] = cells.T
        return result

    def _mixture(self) -> "Numeric":
        """The mixture itself; its loops are compiled, so it is made where it is used."""
        from cuvee.numeric.mixture import Mixture as Kind

        return Kind.restore(self.arrays)

    def _codes(self, states: Codes, z: Floats, rng: Generator) -> tuple[Codes, NDArray[np.floating]]:
        """Codes and positions within them of states and numbers."""
        codes, within = np.empty(states.shape, np.int32), rng.random(states.shape)
        numbers = iter(z.T)
        for f, part in enumerate(self.parts):
            codes[f] = part.codes[states[f]]
            if part.number:
                there = states[f] == part.there
                codes[f, there], within[f, there] = part.located(next(numbers)[there])
        return codes, within

    def _places(self, data: Dataset) -> tuple[Codes, Floats, Floats]:
        """States of the fields, -1 where not learned, numbers, and what to add to the log density of each cell."""
        codes, known, within = self.coding.places(data, rng=np.random.default_rng(0))
        added = np.full(codes.shape, self.rare)
        states = np.full(codes.shape, -1, np.int32)
        columns: list[Floats] = []
        for f, (field, part) in enumerate(zip(self.coding.fields, self.parts, strict=True)):
            there = known[f]
            states[f, there] = part.states[codes[f, there]]
            added[f, there] = part.added[codes[f, there]] - np.log(field.volumes[codes[f, there]])
            if part.number:
                # What a rounded number stands for is an interval of scores: its middle counts.
                place = np.where(field.volumes[codes[f]] == 1, 0.5, within[f])
                z = part.scores(codes[f], place)
                z[~there] = np.nan
                held = ~np.isnan(z)
                added[f, held] += 0.5 * z[held] ** 2 + 0.5 * np.log(2 * np.pi)
                columns.append(z)
        return states, np.column_stack([*columns] or [np.zeros((codes.shape[1], 0))]), added


@final
class Mixture(Synthesizer):
    """Learn one table as a mixture of latent classes: shares of categories, and Gaussians of normal scores."""

    learned: ClassVar[type[Learned]] = MixtureLearned

    classes: int | None = Option(
        default=None, ge=1, le=1024, description="Classes; None: as many as rows held out, or BIC, say."
    )
    choose: Literal["holdout", "bic"] = Option(
        default="holdout", description="What says how many classes there are: rows held out, or BIC."
    )
    covariance: Literal["full", "diagonal", "low_rank"] | None = Option(
        default=None, description="Of numbers within a class; None: full for up to 40 numbers, low rank beyond."
    )
    rank: int = Option(default=8, ge=1, le=100, description="Directions of a covariance of low rank.")
    starts: int = Option(default=2, ge=1, le=100, description="Learning starts so many times; the best is kept.")
    smooth: float = Option(default=1.0, gt=0, le=1000, description="How many rows all rows are worth in a class.")
    rows: int = Option(
        default=50_000, ge=100, description="Classes are learned from at most this many rows, drawn at random."
    )
    least: Least = LEAST

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> MixtureLearned:
        if data.frame.width > WIDEST:
            raise ModelError(
                f"Table {data.name!r} has {data.frame.width:,} columns; a mixture takes at most {WIDEST:,}. Exclude "
                "some, or learn each alone with the synthesizer 'independent'."
            )
        coding = fit_coding(data, least=self.least, rng=rng, watch=watch)
        n = data.frame.height
        rare = float(np.log(self.least / max(n, self.least)))
        parts = parts_of(coding.fields)
        if not coding.fields:
            return MixtureLearned(coding, parts, {}, rare, ())
        from cuvee.numeric.mixture_em import Lessons, Rows, learn

        some = (
            data if n <= self.rows else data.with_frame(data.name, data.frame[np.sort(rng.permutation(n)[: self.rows])])
        )
        codes, known, within = coding.places(some, rng=rng)
        states = np.stack([np.where(k, p.states[c], -1) for p, c, k in zip(parts, codes, known, strict=True)])
        numbers = [f for f, p in enumerate(parts) if p.number]
        z = np.column_stack([np.zeros((codes.shape[1], 0)), *(parts[f].scores(codes[f], within[f]) for f in numbers)])
        z[~known[numbers].T] = np.nan
        rows = Rows(
            states.astype(np.int32), z, [len(p.masses) for p in parts],
            np.maximum(np.concatenate([p.masses for p in parts]), 1e-12),
            np.array(numbers, np.int32), np.array([parts[f].there for f in numbers], np.int32),
        )  # fmt: skip
        few = "full" if len(numbers) <= FULL else "low_rank"
        lessons = Lessons(
            classes=self.classes, choice=self.choose, spread=self.covariance or few, rank=self.rank, smooth=self.smooth,
            least=self.least, starts=self.starts,
        )  # fmt: skip
        mixture, tried = learn(
            rows,
            lessons,
            rng=rng,
            watch=lambda k, score: watch(Event("classes", k, 0, f"{k} classes: {score:.3f} nats a row")),
        )
        return MixtureLearned(coding, parts, mixture.arrays(), rare, tuple(tried))
