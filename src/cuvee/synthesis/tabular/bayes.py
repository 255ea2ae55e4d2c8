"""Bayesian synthesis of small tables: what the rows leave open is carried into every synthetic copy."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray
from pydantic import Field as Option

from cuvee.codec.codec import LEAST
from cuvee.core import Arrays, Event, Learned, Synthesizer, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.numeric.quantiles import EDGE, locate
from cuvee.synthesis.tabular.coding import Coding, Field, fit_coding
from cuvee.synthesis.tabular.columns import renumbered
from cuvee.synthesis.tabular.options import Least

Floats = NDArray[np.float64]

WIDEST = 100
MIXED = 1.05
"""R-hat above which the notes say that the chains have not mixed."""
WATCHED = 300
"""Correlations whose chains are looked at, at most."""


@dataclass(frozen=True, slots=True)
class Latent:
    """One normal variable: the value of a field, or whether it is there."""

    field: int
    gate: bool


@final
@dataclass(frozen=True, slots=True, eq=False)
class BayesLearned(Learned):
    """Draws from the posterior of a Gaussian copula and of margins.

    Attributes:
        coding: The columns as fields.
        latents: The normal variables.
        correlations: (draws, latents, latents).
        margins: (draws, cells of all fields), the shares of cells, field after field.
        chains: What was found of the chains: the worst R-hat, and the fewest effective draws in bulk and tail.
    """

    coding: Coding
    latents: tuple[Latent, ...]
    correlations: Floats
    margins: Floats
    chains: tuple[float, float, float]

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        if not self.coding.fields:
            return self.coding.frame(np.zeros((0, n), np.int32), start=start, rng=rng)
        return self._drawn(int(rng.integers(len(self.margins))), n, start=start, rng=rng)

    def copies(self, n: int, m: int, *, seed: int = 0) -> list[pl.DataFrame]:
        """Make m synthetic copies of n rows, each from another draw of the posterior, for `pooled_synthetic`.

        Raises:
            ModelError: There are fewer draws than copies are asked for, or fewer than two are.
        """
        if not 2 <= m <= max(len(self.margins), 2) or n < 1:
            raise ModelError(
                f"{m} copies of {n} rows are asked for; the model has {len(self.margins)} draws of its posterior, "
                "one a copy. Fit with copies= as many as are wanted."
            )
        picks = np.linspace(0, max(len(self.margins) - 1, 0), m).round().astype(int)
        found: list[pl.DataFrame] = []
        for k, stream in zip(picks.tolist(), SeedSequence(seed).spawn(m), strict=True):
            one = replace(self, correlations=self.correlations[k : k + 1], margins=self.margins[k : k + 1])
            found.append(one.sample(n, start=0, rng=np.random.default_rng(stream))[self.coding.table])
        return found

    def _drawn(self, k: int, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        """Rows by one draw of the posterior."""
        from scipy.special import ndtr

        factor = np.linalg.cholesky(self.correlations[k]) if self.latents else np.zeros((0, 0))
        ranks = np.clip(ndtr(factor @ rng.standard_normal((len(self.latents), n))), EDGE, 1 - EDGE)
        fields = self.coding.fields
        codes, within = np.zeros((len(fields), n), np.int32), rng.random((len(fields), n))
        own = {(x.field, x.gate): ranks[i] for i, x in enumerate(self.latents)}
        at = 0
        for f, field in enumerate(fields):
            m, first = len(field.masses), field.missing
            masses = self.margins[k, at : at + m]
            at += m
            value = own.get((f, False), rng.random(n))
            there, share = masses[first:], float(masses[:first].sum())
            if there.sum() > 0:
                code, within[f] = locate(there / there.sum(), np.clip(value, EDGE, 1 - EDGE))
                codes[f] = code + first
            gate = own.get((f, True), rng.random(n))
            gone = gate < share
            if gone.any():
                which = locate(masses[:first] / share, np.clip(gate[gone] / share, EDGE, 1 - EDGE))[0]
                codes[f, gone] = which
        return self.coding.frame(codes, start=start, rng=rng, within=within)

    def made_new(self) -> tuple[str, ...]:
        return self.coding.made_new()

    def numbered(self, frame: pl.DataFrame, *, start: int, rng: Generator) -> pl.DataFrame:
        return renumbered(self.coding.codecs, frame, start=start, rng=rng)

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = self.coding.state()
        own = {"coding": values, "latents": [[x.field, x.gate] for x in self.latents], "chains": list(self.chains)}
        return own, {**arrays, "bayes.correlations": self.correlations, "bayes.margins": self.margins}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        return cls(
            Coding.restore(values["coding"], arrays),
            tuple(Latent(int(f), bool(gate)) for f, gate in values["latents"]),
            np.asarray(arrays["bayes.correlations"], np.float64),
            np.asarray(arrays["bayes.margins"], np.float64),
            (float(values["chains"][0]), float(values["chains"][1]), float(values["chains"][2])),
        )

    def notes(self) -> tuple[str, ...]:
        worst, bulk, tail = self.chains
        if len(self.latents) < 2:
            return self.coding.notes()
        told = (
            f"The posterior has {len(self.margins)} draws that are kept; of all correlations the worst R-hat is "
            f"{worst:.3f}, and the fewest effective draws are {bulk:.0f} in the middle and {tail:.0f} in the tails."
        )
        if worst > MIXED:
            told += " The chains have not mixed: fit with more warmup= and draws=."
        return (told, *self.coding.notes())


@final
class Bayes(Synthesizer):
    """Learn a small table by the posterior of a Gaussian copula from ranks; each copy comes from another draw of it."""

    learned: ClassVar[type[Learned]] = BayesLearned

    copies: int = Option(default=20, ge=2, le=1000, description="Draws of the posterior that are kept, one a copy.")
    chains: int = Option(default=2, ge=1, le=16, description="Markov chains.")
    draws: int = Option(default=400, ge=10, le=100_000, description="Draws of each chain.")
    warmup: int = Option(default=200, ge=0, le=100_000, description="Draws before these, that are thrown away.")
    rows: int = Option(default=2_000, ge=20, description="Dependence is learned from at most this many rows.")
    least: Least = LEAST

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> BayesLearned:
        if data.frame.width > WIDEST:
            raise ModelError(
                f"Table {data.name!r} has {data.frame.width:,} columns; the posterior of a copula takes at most "
                f"{WIDEST}. Exclude some, or fit the synthesizer 'copula'."
            )
        coding = fit_coding(data, least=self.least, rng=rng, watch=watch)
        n = data.frame.height
        if not coding.fields:
            return BayesLearned(coding, (), np.zeros((1, 0, 0)), np.zeros((1, 0)), (1.0, 0.0, 0.0))
        margins = _margins(coding.fields, n, self.copies, rng)
        some = data.frame if n <= self.rows else data.frame[np.sort(rng.permutation(n)[: self.rows])]
        codes, known = coding.codes(data.with_frame(data.name, some), rng=rng)
        latents, levels = _levels(coding.fields, codes, known, self.least)
        if len(latents) < 2:
            flat = np.repeat(np.eye(len(latents))[None], self.copies, axis=0)
            return BayesLearned(coding, latents, flat, margins, (1.0, 0.0, 0.0))
        from cuvee.numeric.chains import ess_bulk, ess_tail, rhat
        from cuvee.numeric.rank_copula import sample_copula

        made = sample_copula(
            levels, chains=self.chains, draws=self.draws, warmup=self.warmup, rng=rng,
            watch=lambda done, total: watch(Event("posterior", done, total)),
        )  # fmt: skip
        pairs = made.pairs()
        looked = pairs[np.linspace(0, len(pairs) - 1, min(len(pairs), WATCHED)).astype(int)]
        found = (max(map(rhat, looked)), min(map(ess_bulk, looked)), min(map(ess_tail, looked)))
        flat = made.correlations.reshape(-1, len(latents), len(latents))
        kept = flat[np.linspace(0, len(flat) - 1, self.copies).astype(int)]
        return BayesLearned(coding, latents, kept, margins, found)


def _margins(fields: tuple[Field, ...], n: int, copies: int, rng: Generator) -> Floats:
    """(copies, cells), the shares of cells: draws of a Dirichlet distribution around those of the rows.

    Source: Rubin (1981), The Bayesian bootstrap, Annals of Statistics 9.
    """
    parts: list[Floats] = []
    for field in fields:
        counts = np.where(field.masses > 0, np.maximum(field.masses * n, 1e-3), 0.0)
        draws = rng.standard_gamma(np.broadcast_to(counts, (copies, len(counts))))
        parts.append(draws / np.maximum(draws.sum(axis=1, keepdims=True), 1e-300))
    return np.concatenate(parts, axis=1)


def _levels(
    fields: tuple[Field, ...], codes: NDArray[np.int32], known: NDArray[np.bool_], least: int
) -> tuple[tuple[Latent, ...], NDArray[np.int32]]:
    """The normal variables, and their levels, (latents, n), -1 for gaps; what fewer than `least` rows have is none."""
    latents: list[Latent] = []
    levels: list[NDArray[np.int32]] = []
    for f, field in enumerate(fields):
        gone = codes[f] < field.missing
        if least <= int(gone.sum()) <= len(gone) - least:
            latents.append(Latent(f, gate=True))
            levels.append(np.where(known[f], ~gone, -1).astype(np.int32))
        value = np.where(gone | ~known[f], -1, codes[f] - field.missing).astype(np.int32)
        counts = np.bincount(value[value >= 0])
        if len(counts) and int(counts.sum() - counts.max()) >= least:
            latents.append(Latent(f, gate=False))
            levels.append(value)
    return tuple(latents), np.stack(levels) if levels else np.zeros((0, codes.shape[1]), np.int32)
