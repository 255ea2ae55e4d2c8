"""What the synthesizer `trees` learned: sampling, densities, and the model file."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from os import cpu_count
from typing import Any, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.core import Arrays, Asked, Event, Learned, Method, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.synthesis.tabular.chain import Link, Rows
from cuvee.synthesis.tabular.coding import Coding
from cuvee.synthesis.tabular.columns import columns_of, renumbered
from cuvee.synthesis.tabular.correction import Correction
from cuvee.synthesis.tabular.evidence import allowed_places, ask, evidence_of
from cuvee.synthesis.tabular.layout import Layout
from cuvee.synthesis.tabular.repeats import COMMON, same_values

REPLAY = 500_000
"""An update remembers what was learned before as at most this many made rows."""
CHUNK = 65_536
"""Densities are worked out for this many rows at a time."""
Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, eq=False)
class TreesLearned(Learned):
    """Chains of trees.

    Attributes:
        coding: The columns as fields.
        layout: How trees see them.
        chains: One a column order; a row is drawn from one of them.
        rows: Rows that were learned from.
        spec: The options of the fit.
        correction: What a detector still saw, or None.
    """

    coding: Coding
    layout: Layout
    chains: tuple[tuple[Link, ...], ...]
    rows: int
    spec: Mapping[str, Any]
    correction: Correction | None = None

    def corrected(self, correction: Correction | None) -> Self:
        """The same with a correction."""
        return replace(self, correction=correction)

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        codes, within, source = self._draw(n, rng)
        placed = self.coding.placed(codes, within, rng=rng)
        columns = {j: self.coding.codecs[j].values(p, start=start, rng=rng) for j, p in sorted(placed.items())}
        self._repeat(columns, source)
        return self.coding.assembled(columns)

    def sample_asked(
        self, n: int, asked: Asked, *, start: int, rng: Generator
    ) -> tuple[Mapping[str, pl.DataFrame], Method]:
        from cuvee.synthesis.tabular.conditional import draw_given

        wanted = ask(asked.condition, self.coding, rng=rng, filled=asked.filled)
        evidence = evidence_of(wanted, self.coding, n, asked.given, rng=rng)
        found = draw_given(self, evidence, rng, times=asked.times)
        placed = allowed_places(self.coding, found.rows.codes, found.rows.within, wanted, rng=rng)
        columns = {j: self.coding.codecs[j].values(p, start=start, rng=rng) for j, p in sorted(placed.items())}
        self._repeat(columns, found.rows.source)
        tables = self.coding.assembled(columns)
        return {self.coding.table: asked.kept(tables[self.coding.table])}, Method(effective=found.effective)

    def _draw(self, n: int, rng: Generator) -> tuple[NDArray[np.int32], NDArray[np.floating], NDArray[np.int32]]:
        """Codes, positions and sources of n rows, (fields, n) each, corrected where there is a correction."""
        correction = self.correction
        if correction is None or n == 0:
            rows = self.candidates(n, rng)
            return rows.codes, rows.within, rows.source
        parts: list[Rows] = []
        have = 0
        while have < n:
            rows = self.candidates(int((n - have) / correction.kept * 1.05) + 64, rng)
            kept = np.flatnonzero(rng.random(len(rows.features)) < correction.chances(rows))[: n - have]
            have += len(kept)
            parts.append(rows.take(kept))
        names = ("codes", "within", "source")
        codes, within, source = (np.concatenate([getattr(p, a) for p in parts], axis=1) for a in names)
        return codes, within, source

    def candidates(self, n: int, rng: Generator) -> Rows:
        """Rows of the chains, before any correction."""
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

        each(draw, len(self.chains))
        return rows

    def _repeat(self, columns: dict[int, pl.Series], source: NDArray[np.int32]) -> None:
        """Give repeated values exactly; a chain of repeats ends where a value is its own."""
        if (source < 0).all():
            return
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

    def log_prob(self, data: Dataset) -> Floats:
        """Log density of each row, (n,) in nats: that of the mixture of all column orders, corrected.

        Rounded numbers and categories count with their probability, other numbers with a density in their own unit, and
        a value that was not learned, whatever stands beside it, as half as likely as the rarest of its column. Ids and
        texts count as missing or there.
        """
        return self.log_prob_cells(data).sum(axis=1)

    def log_prob_cells(self, data: Dataset) -> Floats:
        """The part of every cell in its row's log density, (n, columns) in nats; columns that follow from others: 0.

        A cell counts with its log density given the columns before it, in the mean over the column orders, each
        weighted with how well it explains the row. What the mixture adds is spread evenly: cells sum to the row.
        """
        n, width = data.frame.height, len(self.coding.codecs)
        result = np.zeros((n, width))
        columns = [f.column for f in self.coding.fields]
        for start in range(0, n, CHUNK):
            part = data.with_frame(data.name, data.frame[start : start + CHUNK])
            result[start : start + CHUNK, columns] = self._cells(part)
        return result

    def _cells(self, data: Dataset) -> Floats:
        """(n, fields), the parts of the fields."""
        rng = np.random.default_rng(0)
        codes, known, within = self.coding.places(data, rng=rng)
        fields, n = codes.shape
        rare = np.ones(codes.shape, np.bool_)
        for f, field in enumerate(self.coding.fields):
            # What a value does not say is the same for all rows, so that none depends on those beside it.
            if (field.volumes == 1).all():
                codes[f, ~known[f]] = field.masses.argmax()
            atom = field.volumes[codes[f]] == 1
            within[f, atom] = 0.5
            rare[f] = ~atom | (field.masses[codes[f]] <= COMMON)
        rows = Rows.of(codes, within)
        for f in range(fields):
            rows.set(self.layout, f)
        values = columns_of(data, self.coding.codecs)
        parts = np.zeros((len(self.chains), fields, n))

        def explain(k: int) -> None:
            mine = rows.take(np.arange(n))
            for link in self.chains[k]:
                own = values[self.coding.fields[link.field].column]
                for partner in reversed(link.partners):
                    same = same_values(own, values[self.coding.fields[partner].column])
                    mine.source[link.field, same & rare[link.field] & rare[partner]] = partner
                parts[k, link.field] = link.log_prob(mine)
                field = self.coding.fields[link.field]
                size = np.log(field.volumes[codes[link.field]])
                parts[k, link.field] -= np.where(mine.source[link.field] >= 0, 0.0, size)
                unseen = np.log(field.masses[field.masses > 0].min() / 2)
                parts[k, link.field, ~known[link.field]] = unseen

        each(explain, len(self.chains))
        if fields == 0:
            return np.zeros((n, 0))
        whole = parts.sum(axis=1)
        total = np.logaddexp.reduce(whole, axis=0) - np.log(len(self.chains))
        weight = np.exp(whole - np.logaddexp.reduce(whole, axis=0))
        cells = np.einsum("kn,kfn->nf", weight, parts)
        if self.correction is not None:
            total += self.correction.log_weight(rows)
        return cells + ((total - cells.sum(axis=1)) / fields)[:, None]

    def update(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> "TreesLearned":
        """Learn new rows beside what was learned before, which is remembered as made rows, never as real ones.

        Source: Shin et al. (2017), Continual learning with deep generative replay.
        """
        from cuvee.synthesis.tabular.trees import Trees

        old = min(self.rows, REPLAY)
        frame = data.frame
        if old < self.rows:
            # The new rows keep their share.
            size = max(round(frame.height * old / self.rows), 1)
            frame = frame[np.sort(rng.permutation(frame.height)[:size])]
        made = self.sample(old, start=0, rng=rng)[self.coding.table]
        both = pl.concat([made, frame.select(made.columns)], how="vertical_relaxed").cast(made.schema)
        learned = Trees.model_validate(self.spec).fit(data.with_frame(data.name, both), rng=rng, watch=watch)
        return replace(learned, rows=self.rows + data.frame.height)

    def made_new(self) -> tuple[str, ...]:
        return self.coding.made_new()

    def numbered(self, frame: pl.DataFrame, *, start: int, rng: Generator) -> pl.DataFrame:
        return renumbered(self.coding.codecs, frame, start=start, rng=rng)

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = self.coding.state()
        for k, chain in enumerate(self.chains):
            for place, link in enumerate(chain):
                arrays |= {f"link{k}.{place}.{name}": a for name, a in link.arrays().items()}
        if self.correction is not None:
            arrays |= {f"correction.{name}": a for name, a in self.correction.arrays().items()}
        own = {"chains": [len(c) for c in self.chains], "rows": self.rows, "spec": dict(self.spec)}
        return {"coding": values, **own}, arrays

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        parts: dict[str, dict[str, NDArray[Any]]] = {}
        correction: dict[str, NDArray[Any]] = {}
        for name, array in arrays.items():
            if name.startswith("link"):
                k, place, rest = name[4:].split(".", 2)
                parts.setdefault(f"{k}.{place}", {})[rest] = array
            elif name.startswith("correction."):
                correction[name.partition(".")[2]] = array
        coding = Coding.restore(values["coding"], arrays)
        chains = tuple(
            tuple(Link.restore(parts[f"{k}.{place}"]) for place in range(int(size)))
            for k, size in enumerate(values["chains"])
        )
        made = Correction.restore(correction) if correction else None
        return cls(coding, Layout.of(coding.fields), chains, int(values["rows"]), values["spec"], made)

    def notes(self) -> tuple[str, ...]:
        return self.coding.notes()


def each(work: Callable[[int], None], count: int, *, watch: Watch = silent, step: str = "") -> None:
    """Do a number of tasks on all cores; each has its own generator, so their order does not matter."""
    with ThreadPoolExecutor(cpu_count()) as pool:
        futures = [pool.submit(work, k) for k in range(count)]
        try:
            for done, future in enumerate(futures):
                future.result()
                if step:
                    watch(Event(step, done + 1, count))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
