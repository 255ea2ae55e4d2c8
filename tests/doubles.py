# ruff: noqa: ARG002, ARG003 (a plug-in takes what the contract gives)
"""A small synthesizer of a third party, which does all that a synthesizer may do, and its registration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, final

import numpy as np
import polars as pl
import pytest
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from cuvee.core import Arrays, Event, Learned, Synthesizer, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.data.dtypes import dtype_from_json, dtype_to_json
from cuvee.data.errors import ModelError


class TallyLearned(Learned):
    """How often each value of each column occurs, as text."""

    def __init__(self, table: str, dtypes: Mapping[str, Any], counts: Mapping[str, Mapping[str, int]]) -> None:
        self.table, self.dtypes, self.counts = table, dtypes, counts

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        columns: list[pl.Series] = []
        for name, counts in self.counts.items():
            shares = np.array(list(counts.values())) / sum(counts.values())
            text = pl.Series(name, list(counts)).gather(rng.choice(len(counts), n, p=shares))
            columns.append(text.cast(dtype_from_json(self.dtypes[name])))
        return {self.table: pl.DataFrame(columns)}

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        return {"table": self.table, "dtypes": self.dtypes, "counts": self.counts}, {"one": np.ones(1)}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        return cls(values["table"], values["dtypes"], values["counts"])

    def notes(self) -> tuple[str, ...]:
        return tuple(f"Column {name!r} has {len(counts)} values." for name, counts in self.counts.items())

    def log_prob_cells(self, data: Dataset) -> NDArray[np.float64]:
        return np.column_stack([
            np.log([self.counts[s.name].get(str(v), 0) / sum(self.counts[s.name].values()) or 1e-9 for v in s])
            for s in data.frame.iter_columns()
        ])  # fmt: skip

    def log_prob(self, data: Dataset) -> NDArray[np.float64]:
        return self.log_prob_cells(data).sum(axis=1)

    def update(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> "TallyLearned":
        more = tally(data)
        both = {
            name: {v: old.get(v, 0) + more[name].get(v, 0) for v in sorted({*old, *more[name]})}
            for name, old in self.counts.items()
        }
        return TallyLearned(self.table, self.dtypes, both)


def tally(data: Dataset) -> dict[str, dict[str, int]]:
    """How often each value occurs."""
    return {
        s.name: {str(v): int(n) for v, n in s.value_counts(name="n").sort(s.name).iter_rows()}
        for s in data.frame.iter_columns()
    }


@final
class Tally(Synthesizer):
    """Count values."""

    learned: ClassVar[type[Learned]] = TallyLearned
    time_budget: float | None = Field(default=None, description="Seconds.")

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> TallyLearned:
        watch(Event("estimate", note="about 14 s"))
        return TallyLearned(data.name, {c: dtype_to_json(d) for c, d in data.frame.schema.items()}, tally(data))


class MuteLearned(TallyLearned):
    """Counts that say nothing of density, learn nothing more, and can't make the rows from 131,072 on."""

    log_prob_cells = Learned.log_prob_cells
    log_prob = Learned.log_prob
    update = Learned.update

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        if start:
            raise ModelError("The second block can't be made.")
        return super().sample(n, start=start, rng=rng)


@final
class Mute(Synthesizer):
    """Count values, and be able to do as little as a synthesizer may."""

    learned: ClassVar[type[Learned]] = MuteLearned

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> MuteLearned:
        return MuteLearned(data.name, {c: dtype_to_json(d) for c, d in data.frame.schema.items()}, tally(data))


def register(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install both as a distribution of somebody else's: found through its entry points, as any plug-in is."""
    said = folder / "site" / "tally-1.0.dist-info"
    said.mkdir(parents=True)
    (said / "METADATA").write_text("Metadata-Version: 2.1\nName: tally\nVersion: 1.0\n")
    (said / "entry_points.txt").write_text("[cuvee.synthesizers]\ntally = doubles:Tally\nmute = doubles:Mute\n")
    monkeypatch.syspath_prepend(folder / "site")
