"""What synthesizers make of rows that they have not seen: how `auto` compares them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.codec import Codec
from cuvee.core import Synthesizer, silent
from cuvee.data.dataset import Dataset
from cuvee.numeric.detector import detector_auc, trees_auc
from cuvee.numeric.distances import nearest
from cuvee.numeric.intervals import binomial_tail
from cuvee.numeric.quantiles import rank
from cuvee.synthesis.tabular.columns import Codecs, fit_columns

Floats = NDArray[np.float64]

HELD_OUT = 0.25
BINS = 10
WIDEST = 60
"""Pairs are compared among at most this many columns, drawn at random."""
NEAR = 0.01
"""The share of held-out rows that count as near to a row that was learned from."""
OFTEN = 2.0
"""Near copies this many times as common as among held-out rows, and not by chance, are memory."""
CHANCE = 1e-3
QUERIES = 2_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one candidate made of the held-out rows.

    Attributes:
        name: The candidate.
        pairs: Mean total variation distance between pairs of columns, made and held out; smaller is better.
        detection: How far a detector tells made from held-out rows; 0.5 is best.
        near: Share of made rows nearer to a learned row than 99 % of held-out rows are.
        memorised: Whether that is more than chance and real rows explain.
        likelihood: Mean log density of held-out rows in nats, where it is defined.
    """

    name: str
    pairs: float
    detection: float
    near: float
    memorised: bool
    likelihood: float | None

    @property
    def cost(self) -> float:
        """Both errors in one figure; a pair error of 0.05 weighs as much as a detection of 0.6."""
        return self.pairs + abs(self.detection - 0.5) / 2

    def __str__(self) -> str:
        likely = "" if self.likelihood is None else f", log-likelihood {self.likelihood:.1f}"
        return (
            f"{self.name} detector {self.detection:.2f}, pair error {self.pairs:.3f}, near copies {self.near:.1%}"
            f"{likely}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Race:
    """A part of a table, cut into rows that candidates see and rows that they do not.

    Attributes:
        seen: What candidates learn from.
        unseen: What they are compared on.
        codecs: Columns as both are looked at.
        columns: Which of them say something.
    """

    seen: Dataset
    unseen: pl.DataFrame
    codecs: Codecs
    columns: list[int]

    @classmethod
    def of(cls, data: Dataset, *, rows: int, least: int, rng: Generator) -> Self:
        """The race of at most so many rows."""
        frame = data.frame
        drawn = rng.permutation(frame.height)[:rows]
        cut = round(len(drawn) * (1 - HELD_OUT))
        seen, unseen = data.with_frame(data.name, frame[np.sort(drawn[:cut])]), frame[np.sort(drawn[cut:])]
        codecs = fit_columns(seen, least=least, rng=rng, watch=silent)
        columns = [j for j, c in enumerate(codecs) if c.informative]
        if len(columns) > WIDEST:
            columns = np.sort(rng.permutation(columns)[:WIDEST]).tolist()
        return cls(seen, unseen, codecs, columns)

    def run(self, name: str, spec: Synthesizer, *, rng: Generator) -> Evidence:
        """Fit one candidate and compare."""
        learned = spec.fit(self.seen, rng=rng)
        made = learned.sample(self.unseen.height, start=0, rng=rng)[self.seen.name]
        density = learned.log_prob(self.seen.with_frame(self.seen.name, self.unseen))
        one, other = (self._ranks(f, rng) for f in (self.unseen, made))
        auc = max(detector_auc(one, other, rng=rng), trees_auc(one, other, rng=rng))
        near, memorised = self._near(made)
        likelihood = None if density is None or not np.isfinite(density).all() else float(density.mean())
        return Evidence(name, _pair_error(one, other), auc, near, memorised, likelihood)

    def _ranks(self, frame: pl.DataFrame, rng: Generator) -> Floats:
        """The ranks of the columns, (n, columns)."""
        if not self.columns:
            return np.zeros((frame.height, 0))
        return np.column_stack([self.codecs[j].encode(frame[self.codecs[j].name], rng=rng) for j in self.columns])

    def _near(self, made: pl.DataFrame) -> tuple[float, bool]:
        """The share of made rows that are near to a seen one, and whether that is memory."""
        if not self.columns or self.unseen.height < 20:
            return 0.0, False
        seen, unseen, fresh = (
            _points(f, [self.codecs[j] for j in self.columns])
            for f in (self.seen.frame, self.unseen[:QUERIES], made[:QUERIES])
        )
        real, own = nearest(unseen, seen).distance, nearest(fresh, seen).distance
        cut = np.sort(real)[max(int(np.ceil(NEAR * len(real))) - 1, 4)]
        expected, found = float((real <= cut).mean()), int((own <= cut).sum())
        # The expected share is itself an estimate: its upper end counts.
        upper = expected + 3 * np.sqrt(expected * (1 - expected) / len(real))
        often = binomial_tail(found, len(own), min(upper, 1.0)) < CHANCE and found > OFTEN * expected * len(own)
        return found / len(own), bool(often)


def _points(frame: pl.DataFrame, codecs: Sequence[Codec]) -> NDArray[np.float32]:
    """Rows as points, (n, columns): ranks of numbers, and of the middle of an atom."""
    rng = np.random.default_rng(0)
    points: list[Floats] = []
    for codec in codecs:
        placed = codec.place(frame[codec.name], rng=rng)
        inside = np.full(len(placed.codes), 0.5) if codec.discrete else placed.within
        points.append(rank(codec.masses, placed.codes, inside))
    return np.column_stack(points).astype(np.float32)


def _pair_error(real: Floats, made: Floats) -> float:
    """Mean total variation distance over all pairs of columns, binned into tenths."""
    a, b = ((np.minimum(x * BINS, BINS - 1)).astype(np.int64) for x in (real, made))
    d = a.shape[1]
    gaps: list[float] = []
    for one in range(d):
        for other in range(one + 1, d):
            p = np.bincount(a[:, one] * BINS + a[:, other], minlength=BINS**2) / len(a)
            q = np.bincount(b[:, one] * BINS + b[:, other], minlength=BINS**2) / len(b)
            gaps.append(0.5 * float(np.abs(p - q).sum()))
    return float(np.mean(gaps)) if gaps else 0.0
