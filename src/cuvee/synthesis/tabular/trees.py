"""Chains of boosted trees in several column orders: every column given those before it, and any order may come first."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from typing import Any, ClassVar, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field as Option

from cuvee.codec.codec import LEAST
from cuvee.core import Arrays, Event, Learned, Synthesizer, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.numeric.boosted import Inputs
from cuvee.numeric.forest import Growth, feature_gains
from cuvee.synthesis.tabular.chain import Lesson, Link, Rows
from cuvee.synthesis.tabular.coding import Coding, fit_coding
from cuvee.synthesis.tabular.correction import ROWS as CORRECTION_ROWS
from cuvee.synthesis.tabular.correction import TIMES, Correction, fit_correction
from cuvee.synthesis.tabular.layout import Layout
from cuvee.synthesis.tabular.repeats import find_repeats

GLANCE = 4_000
"""Which features say something is found out on this many rows."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class TreesLearned(Learned):
    """Chains of trees.

    Attributes:
        coding: The columns as fields.
        layout: How trees see them.
        chains: One a column order; a row is drawn from one of them.
        correction: What a detector still saw, or None.
    """

    coding: Coding
    layout: Layout
    chains: tuple[tuple[Link, ...], ...]
    correction: Correction | None = None

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        codes, within, source = self._draw(n, rng)
        placed = self.coding.placed(codes, within, rng=rng)
        columns = {j: self.coding.codecs[j].values(p, start=start, rng=rng) for j, p in sorted(placed.items())}
        self._repeat(columns, source)
        return self.coding.assembled(columns)

    def _draw(self, n: int, rng: Generator) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
        """Codes, positions and sources of n rows, (fields, n) each, corrected where there is a correction."""
        if self.correction is None:
            rows = self.candidates(n, rng)
            return rows.codes, rows.within, rows.source
        parts: list[tuple[NDArray[Any], ...]] = []
        have = 0
        while have < n:
            rows = self.candidates(int((n - have) / self.correction.kept * 1.05) + 64, rng)
            kept = np.flatnonzero(rng.random(len(rows.features)) < self.correction.chances(rows))
            kept = kept[: n - have]
            have += len(kept)
            parts.append((rows.codes[:, kept], rows.within[:, kept], rows.source[:, kept]))
        if not parts:
            rows = Rows.empty(len(self.coding.fields), np.zeros((len(self.coding.fields), 0), np.float32))
            return rows.codes, rows.within, rows.source
        codes, within, source = (np.concatenate([p[k] for p in parts], axis=1) for k in range(3))
        return codes, within, source

    def candidates(self, n: int, rng: Generator) -> Rows:
        """n rows of the chains, before any correction."""
        fields = len(self.coding.fields)
        rows = Rows.empty(fields, rng.random((fields, n), dtype=np.float32))
        whose = rng.permutation(n) % len(self.chains)
        rngs = rng.spawn(len(self.chains))

        def draw(k: int) -> None:
            mine = np.flatnonzero(whose == k)
            part = rows.take(mine)
            for link in self.chains[k]:
                link.draw(part, self.layout, self.coding, rng=rngs[k])
            rows.put(mine, part)

        _each(draw, len(self.chains))
        return rows

    def _repeat(self, columns: dict[int, pl.Series], source: NDArray[np.int32]) -> None:
        """Give repeated values exactly; a chain of repeats ends where a value is its own."""
        origin = source.copy()
        for _ in range(len(source)):
            deeper = np.where(origin >= 0, np.take_along_axis(source, np.maximum(origin, 0), axis=0), -1)
            if (deeper < 0).all():
                break
            origin = np.where(deeper >= 0, deeper, origin)
        for f, field in enumerate(self.coding.fields):
            for partner in np.unique(origin[f][origin[f] >= 0]).tolist():
                rows = np.flatnonzero(origin[f] == partner)
                mine, theirs = columns[field.column], columns[self.coding.fields[partner].column]
                columns[field.column] = mine.scatter(rows, theirs.gather(rows).cast(mine.dtype, strict=False))

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = self.coding.state()
        for k, chain in enumerate(self.chains):
            for place, link in enumerate(chain):
                arrays |= {f"link{k}.{place}.{name}": a for name, a in link.arrays().items()}
        if self.correction is not None:
            arrays |= {f"correction.{name}": a for name, a in self.correction.arrays().items()}
        return {"coding": values, "chains": [len(c) for c in self.chains]}, arrays

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        parts: dict[str, dict[str, NDArray[Any]]] = {}
        for name, array in arrays.items():
            if name.startswith("link"):
                k, place, rest = name[4:].split(".", 2)
                parts.setdefault(f"{k}.{place}", {})[rest] = array
        coding = Coding.restore(values["coding"], arrays)
        chains = tuple(
            tuple(Link.restore(parts[f"{k}.{place}"]) for place in range(int(size)))
            for k, size in enumerate(values["chains"])
        )
        correction = {k[11:]: a for k, a in arrays.items() if k.startswith("correction.")}
        return cls(
            coding, Layout.of(coding.fields), chains, Correction.restore(correction) if correction else None
        )

    def notes(self) -> tuple[str, ...]:
        return self.coding.notes()


@final
class Trees(Synthesizer):
    """Learn every column given those before it with boosted trees, in several column orders."""

    learned: ClassVar[type[Learned]] = TreesLearned

    orders: int = Option(default=4, ge=1, le=64, description="Column orders; each row is drawn from one of them.")
    rounds: int = Option(default=15, ge=1, le=500, description="Trees of one column at most.")
    leaves: int = Option(default=32, ge=2, le=256, description="Leaves of one tree at most.")
    rate: float = Option(default=0.5, gt=0, le=1, description="How far each tree goes.")
    penalty: float = Option(default=8.0, ge=0, description="Rows that draw every leaf towards what is known before.")
    gain: float = Option(default=8.0, ge=0)
    nodes: int = 64
    patience: int = 2
    smallest: int = Option(default=20, ge=LEAST, description="The fewest rows of a leaf.")
    features: int = Option(default=40, ge=1, description="A column is learned from at most this many others.")
    worth: float = Option(default=0.2, ge=0, le=1)
    correct: bool = Option(default=True, description="Whether to make good what a detector still sees.")
    least: int = Option(
        default=LEAST, ge=LEAST, le=1000, description="A value that fewer rows share is never kept as it is."
    )

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> TreesLearned:
        coding = fit_coding(data, least=self.least, rng=rng, watch=watch)
        layout = Layout.of(coding.fields)
        growth = Growth(self.rounds, self.leaves, self.rate, self.penalty, self.smallest, gain=self.gain, nodes=self.nodes, patience=self.patience)
        lesson = self._lesson(data, coding, layout, growth, rng)
        d = len(coding.fields)
        orders = [rng.permutation(d).tolist() for _ in range(self.orders)]
        rngs = rng.spawn(self.orders * d)
        links: list[Link | None] = [None] * (self.orders * d)

        def learn(number: int) -> None:
            k, place = divmod(number, d)
            links[number] = lesson.link(orders[k][place], orders[k][:place], rngs[number])

        _each(learn, len(links), watch=watch, step="trees")
        chains = tuple(tuple(x for x in links[k * d : (k + 1) * d] if x is not None) for k in range(self.orders))
        learned = TreesLearned(coding, layout, chains)
        if not self.correct or d < 2:
            return learned
        return TreesLearned(coding, layout, chains, self._correction(learned, lesson, rng))

    def _lesson(self, data: Dataset, coding: Coding, layout: Layout, growth: Growth, rng: Generator) -> Lesson:
        """The training rows as chains see them."""
        codes, known, within = coding.places(data, rng=rng)
        d, n = codes.shape
        rows = Rows.of(codes, within)
        for f in range(d):
            rows.set(layout, f)
        features = np.ascontiguousarray(rows.features[:, :d].T)
        columns = [data.frame.to_series(f.column) if layout.edges[k] is not None else None for k, f in enumerate(coding.fields)]
        repeats = find_repeats([c if c is not None and (c.dtype.is_numeric() or c.dtype.is_temporal()) else None for c in columns])
        gains = None
        if d > self.features + 1:
            gains = _gains(coding, layout, features, codes, growth, rng)
        return Lesson(coding, layout, rows, features, known, repeats, gains, growth, self.features, self.worth)

    def _correction(self, learned: TreesLearned, lesson: Lesson, rng: Generator) -> Correction | None:
        """What a detector still sees of the chains."""
        n = lesson.features.shape[1]
        real = lesson.rows.take(np.sort(rng.permutation(n)[:CORRECTION_ROWS]))
        size = real.codes.shape[1]
        return fit_correction(
            real, learned.candidates(TIMES * size, rng), learned.candidates(size, rng), learned.layout, rng=rng
        )


def _gains(coding: Coding, layout: Layout, features: NDArray[np.uint8], codes: NDArray[np.int32], growth: Growth, rng: Generator) -> NDArray[np.float32]:
    """(fields, fields), what each field (column) says of each (row)."""
    d, n = codes.shape
    rows = np.sort(rng.permutation(n)[:GLANCE])
    every = np.arange(d, dtype=np.int32)
    inputs = Inputs(np.ascontiguousarray(features[:, rows]), every, layout.bins, layout.categories, d)
    gains = np.zeros((d, d), np.float32)

    def screen(f: int) -> None:
        gains[f] = feature_gains(inputs, codes[f, rows], coding.fields[f].masses * len(rows), growth)

    _each(screen, d)
    return gains


def _each(work: Callable[[int], None], count: int, *, watch: Watch = silent, step: str = "") -> None:
    """Do a number of tasks on all cores; each has its own generator, so their order does not matter."""
    with ThreadPoolExecutor(cpu_count()) as pool:
        for done, _ in enumerate(pool.map(work, range(count))):
            watch(Event(step, done + 1, count))
