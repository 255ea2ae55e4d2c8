"""A Gaussian copula on exact margins: dependence as one correlation matrix of normal variables, in seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from cuvee.codec.codec import LEAST, Codec, Placed
from cuvee.core import Arrays, Asked, Event, Learned, Method, Synthesizer, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.numeric.correlation import (
    cell_scores,
    complete_correlation,
    hermite_weights,
    latent_correlation,
    nearest_correlation,
    pair_moments,
    score_covariance,
    shrink,
    shrinkage,
)
from cuvee.numeric.quantiles import EDGE, locate
from cuvee.synthesis.tabular.coding import find_ties, plain_coding, sort_categories, tie_notes
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
from cuvee.synthesis.tabular.ties import Tie

WIDEST = 2_500
"""Columns; 1,000 take 8 seconds and 4,000 take 84 on two cores."""
CHANCE = 1e-3
"""Rows of one column are held to be missing within those of another unless chance does as much this often."""
FEW_PAIRS = 20.0
"""A correlation seen in few rows is drawn towards 0 as if this many rows without any had been seen too."""


@dataclass(frozen=True, slots=True)
class Latent:
    """One normal variable: the value of a column, or which of several columns are missing.

    Attributes:
        column: The column, where it stands for a value.
        steps: Columns that go missing one after the other as the variable falls, the rarest first; each is missing in
            all rows where the one before is. Empty for a value.
    """

    column: int
    steps: tuple[int, ...] = ()


@final
@dataclass(frozen=True, slots=True, eq=False)
class CopulaLearned(Learned):
    """A correlation matrix between the columns of one table, and their margins.

    Attributes:
        table: The table's name.
        codecs: Its columns; categories in the order that carries dependence.
        latents: The normal variables.
        correlation: (latents, latents), their correlation, positive definite.
        gates: (columns,), the latent that says whether a column is missing, or -1.
        ties: Columns that follow from another one, each after its parent.
    """

    table: str
    codecs: Codecs
    latents: tuple[Latent, ...]
    correlation: NDArray[np.float64]
    gates: tuple[int, ...]
    ties: tuple[Tie, ...]

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        from scipy.special import ndtr

        noise = rng.standard_normal((len(self.latents), n), dtype=np.float32)
        factor = (
            np.linalg.cholesky(self.correlation).astype(np.float32) if self.latents else np.zeros((0, 0), np.float32)
        )
        mixed = factor @ noise
        own = {latent.column: j for j, latent in enumerate(self.latents) if not latent.steps}
        tied = {tie.child for tie in self.ties}
        placed: dict[int, Placed] = {}
        for j, codec in enumerate(self.codecs):
            if j not in tied:
                value = ndtr(mixed[own[j]].astype(np.float64)) if j in own else rng.random(n)
                gate = ndtr(mixed[self.gates[j]].astype(np.float64)) if self.gates[j] >= 0 else None
                placed[j] = join(codec, value, gate)
        columns: dict[int, pl.Series] = {}
        for tie in self.ties:
            if tie.table is not None:
                placed[tie.child] = Placed(tie.table[placed[tie.parent].codes], rng.random(n))
        for j, codec in enumerate(self.codecs):
            if j in placed:
                columns[j] = codec.values(placed[j], start=start, rng=rng)
        for tie in self.ties:
            if tie.table is None:
                columns[tie.child] = columns[tie.parent].rename(self.codecs[tie.child].name)
        return {self.table: pl.DataFrame({columns[j].name: columns[j] for j in range(len(self.codecs))})}

    def sample_asked(
        self, n: int, asked: Asked, *, start: int, rng: Generator
    ) -> tuple[Mapping[str, pl.DataFrame], Method]:
        """Normal variables in the regions that what is asked leaves; comparisons are for whoever calls to look at."""
        from cuvee.synthesis.tabular.copula_given import draw_given

        coding = plain_coding(self.table, self.codecs, self.ties)
        wanted = ask(asked.condition, coding, rng=rng, filled=asked.filled)
        evidence = evidence_of(wanted, coding, n, asked.given, rng=rng)
        codes, within, method = draw_given(self, coding, evidence, rng)
        tables = rows_of(coding, codes, evidence, start=start, rng=rng, within=within)
        return {self.table: asked.kept(tables[self.table])}, method

    def made_new(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.codecs if not c.informative)

    def numbered(self, frame: pl.DataFrame, *, start: int, rng: Generator) -> pl.DataFrame:
        return renumbered(self.codecs, frame, start=start, rng=rng)

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = columns_state(self.codecs)
        ties = [[t.child, t.parent, t.table is not None] for t in self.ties]
        tables = {f"tie{t.child}": t.table for t in self.ties if t.table is not None}
        latents = [[x.column, list(x.steps)] for x in self.latents]
        own = {"table": self.table, "columns": values, "latents": latents, "gates": list(self.gates), "ties": ties}
        return own, {**arrays, "correlation": self.correlation, **tables}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        return cls(
            table=str(values["table"]),
            codecs=restore_columns(values["columns"], arrays),
            latents=tuple(Latent(int(c), tuple(int(j) for j in steps)) for c, steps in values["latents"]),
            correlation=np.asarray(arrays["correlation"], np.float64),
            gates=tuple(int(g) for g in values["gates"]),
            ties=tuple(
                Tie(int(c), int(p), np.asarray(arrays[f"tie{c}"], np.int64) if has else None)
                for c, p, has in values["ties"]
            ),
        )

    def notes(self) -> tuple[str, ...]:
        return (*column_notes(self.codecs), *tie_notes(self.codecs, self.ties))

    def log_prob(self, data: Dataset) -> NDArray[np.float64]:
        """Log density of each row, (n,) in nats: the margins' (as of `independent`) plus the copula's.

        The copula's density is that of the mean normal scores of the cells, as if they were normal with the covariance
        that the copula gives them: exact for continuous columns, an approximation for atoms. A missing value counts as
        the mean score. Columns that follow from another one add nothing.
        """
        rng = np.random.default_rng(0)
        columns = columns_of(data, self.codecs)
        placed = [c.place(s, rng=rng) for c, s in zip(self.codecs, columns, strict=True)]
        tied = {t.child for t in self.ties}
        margins = [
            log_margin(c, p.codes) for j, (c, p) in enumerate(zip(self.codecs, placed, strict=True)) if j not in tied
        ]
        total = np.sum(margins, axis=0) if margins else np.zeros(data.frame.height)
        if not self.latents:
            return total
        scores = np.column_stack([_scores(x, self.codecs, placed)[0] for x in self.latents])
        weights = np.stack([hermite_weights(_masses(x, self.codecs)) for x in self.latents])
        spread = np.sqrt(np.maximum(weights[:, 0], EDGE))
        scores /= spread
        joint = nearest_correlation(score_covariance(self.correlation, weights) / spread[:, None] / spread)
        precision = np.linalg.inv(joint) - np.eye(len(self.latents))
        _, logdet = np.linalg.slogdet(joint)
        return total - 0.5 * logdet - 0.5 * np.einsum("ni,ij,nj->n", scores, precision, scores, optimize=True)


@final
class Copula(Synthesizer):
    """Learn one table as a Gaussian copula: every margin exactly, dependence as correlations of normal variables."""

    learned: ClassVar[type[Learned]] = CopulaLearned

    shrink: float | None = Field(
        None, ge=0, le=1, description="How far correlations are drawn to 0; None: as the data say."
    )
    rows: int = Field(
        default=50_000, ge=100, description="Dependence is learned from at most this many rows, drawn at random."
    )
    least: Least = LEAST

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> CopulaLearned:
        table = only_table(data)
        if data.frame.width > WIDEST:
            raise ModelError(
                f"Table {table!r} has {data.frame.width:,} columns; a copula takes at most {WIDEST:,}, as its work "
                "grows with their square. Exclude some, or learn each alone with the synthesizer 'independent'."
            )
        codecs = fit_columns(data, least=self.least, rng=rng, watch=watch)
        frame = data.frame
        if frame.height > self.rows:
            frame = frame[np.sort(rng.permutation(frame.height)[: self.rows])]
        watch(Event("dependence", 0, 3, "placing values"))
        placed = [c.place(s, rng=rng) for c, s in zip(codecs, frame.iter_columns(), strict=True)]
        ties = find_ties(
            codecs, placed, data.frame, partial=frame.height < data.frame.height, least=self.least, rng=rng
        )
        watch(Event("dependence", 1, 3, "ordering categories"))
        codecs, placed, ties = sort_categories(codecs, placed, ties, rng)
        settled = {t.child for t in ties}
        latents, gates = _latents(codecs, placed, settled, self.least)
        watch(Event("dependence", 2, 3, "correlations"))
        correlation = _correlation(latents, codecs, placed, (self.shrink, self.least))
        watch(Event("dependence", 3, 3))
        return CopulaLearned(table, codecs, latents, correlation, gates, tuple(ties))


def join(codec: Codec, value: NDArray[np.float64], gate: NDArray[np.float64] | None) -> Placed:
    """Places from the rank of the value and the rank of its being missing."""
    first = codec.missing
    if gate is None:
        # Without a gate the column is always there, or never.
        return Placed(*locate(codec.masses, np.clip(value, EDGE, 1 - EDGE)))
    codes, within = locate(codec.masses[first:], np.clip(value, EDGE, 1 - EDGE))
    share = codec.missing_share
    gone = gate < share
    which = locate(codec.masses[:first], np.clip(gate / share, EDGE, 1 - EDGE))[0]
    return Placed(np.where(gone, which, codes + first), within)


def _latents(
    codecs: Codecs, placed: Sequence[Placed], settled: set[int], least: int
) -> tuple[tuple[Latent, ...], tuple[int, ...]]:
    """The normal variables, and for every column the one that says whether it is missing (-1 for none).

    What fewer than `least` rows have, a value or a gap, is drawn by itself: nothing is learned of what goes with it.
    """
    latents: list[Latent] = []
    masks: dict[int, NDArray[np.bool_]] = {}
    for j, codec in enumerate(codecs):
        if j in settled:
            continue
        gone = placed[j].codes < codec.missing
        if 0 < codec.missing_share < 1 and least <= int(gone.sum()) <= len(gone) - least:
            masks[j] = gone
        counts = np.bincount(placed[j].codes[~gone])
        if codec.informative and (int(counts.sum() - counts.max(initial=0)) >= least or not codec.discrete):
            latents.append(Latent(j))
    gates = [-1] * len(codecs)
    for chain in _chains(masks):
        for j in chain:
            gates[j] = len(latents)
        latents.append(Latent(chain[0], tuple(chain)))
    return tuple(latents), tuple(gates)


def _chains(masks: Mapping[int, NDArray[np.bool_]]) -> list[list[int]]:
    """Columns whose missing rows lie within each other, the rarest first in each chain.

    Columns of one chain share a normal variable, so that what is always missing together stays so. A mask lies within
    a larger one by chance with probability share^rows; only where that is small is it believed.
    """
    chains: list[list[int]] = []
    for j in sorted(masks, key=lambda j: (-int(masks[j].sum()), j)):
        rows = int(masks[j].sum())
        for chain in chains:
            outer = masks[chain[0]]
            same = rows == int(outer.sum())
            if not (masks[j] & ~outer).any() and (same or rows * np.log(max(outer.mean(), EDGE)) < np.log(CHANCE)):
                chain.insert(0, j)
                break
        else:
            chains.append([j])
    return chains


def _masses(latent: Latent, codecs: Codecs) -> NDArray[np.float64]:
    """The cells of a normal variable."""
    if latent.steps:
        return np.diff([0.0, *np.maximum.accumulate([codecs[j].missing_share for j in latent.steps]), 1.0])
    codec = codecs[latent.column]
    rest = codec.masses[codec.missing :]
    return rest / rest.sum()


def _scores(latent: Latent, codecs: Codecs, placed: Sequence[Placed]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Mean normal scores of a variable in the rows, (n,), 0 where it has no value, and where it has one."""
    scores = cell_scores(_masses(latent, codecs)).astype(np.float32)
    if latent.steps:
        there = [placed[j].codes >= codecs[j].missing for j in latent.steps]
        return scores[np.sum(there, axis=0)], np.ones(len(there[0]), np.bool_)
    codes = placed[latent.column].codes - codecs[latent.column].missing
    return np.where(codes < 0, np.float32(0), scores[np.maximum(codes, 0)]), codes >= 0


def _correlation(
    latents: Sequence[Latent], codecs: Codecs, placed: Sequence[Placed], how: tuple[float | None, int]
) -> NDArray[np.float64]:
    """The correlation matrix of the normal variables, (latents, latents), by shrinkage and the fewest rows."""
    amount, least = how
    if not latents:
        return np.zeros((0, 0))
    parts = [_scores(x, codecs, placed) for x in latents]
    scores = np.column_stack([p[0] for p in parts])
    present = np.column_stack([p[1] for p in parts])
    moments, rows = pair_moments(scores, None if present.all() else present)
    weights = np.stack([hermite_weights(_masses(x, codecs)) for x in latents])
    latent = latent_correlation(moments * (rows / (rows + FEW_PAIRS)), weights)
    drawn = shrinkage(scores, latent) if amount is None else amount
    # Where a column is missing its value is not seen, so nothing is known of its dependence on being missing.
    unknown = np.array([[_hidden(x, y) or _hidden(y, x) for y in latents] for x in latents]) | (rows < least)
    return nearest_correlation(complete_correlation(shrink(latent, drawn), unknown))


def _hidden(value: Latent, gate: Latent) -> bool:
    """Whether the second variable says when the first has no value."""
    return not value.steps and value.column in gate.steps
