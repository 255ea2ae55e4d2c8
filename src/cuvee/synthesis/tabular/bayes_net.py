"""A Bayesian network of one table: which columns depend on which directly, and an exact density."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field as Option

from cuvee.codec.codec import LEAST
from cuvee.core import Arrays, Asked, Edge, Event, Learned, Method, Synthesizer, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.synthesis.tabular.coding import Coding, fit_coding
from cuvee.synthesis.tabular.columns import renumbered
from cuvee.synthesis.tabular.known import rows_drawn
from cuvee.synthesis.tabular.options import Least

if TYPE_CHECKING:
    from cuvee.numeric.bayes_net import Network

Codes = NDArray[np.int32]

WIDEST = 500
"""More fields are too many: the structure of 500 takes minutes."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class BayesNetLearned(Learned):
    """A Bayesian network of one table.

    Attributes:
        coding: The columns as fields.
        arrays: The network, as `cuvee.numeric.bayes_net.Network.arrays` gives it; nothing where there is no field.
        rare: The log probability of a value that was not learned, as one that fewer rows have than are learned from.
    """

    coding: Coding
    arrays: Arrays
    rare: float

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        codes = self._network().draw(n, rng=rng) if self.coding.fields else np.zeros((0, n), np.int32)
        return self.coding.frame(codes, start=start, rng=rng)

    def sample_asked(
        self, n: int, asked: Asked, *, start: int, rng: Generator
    ) -> tuple[Mapping[str, pl.DataFrame], Method]:
        from cuvee.numeric.bayes_given import draw_given

        network = self._network() if self.coding.fields else None

        def draw(fixed: Codes, lines: Any, filled: Any, stream: Generator) -> tuple[Codes, float]:
            if network is None:
                return fixed, 1.0
            return draw_given(network, fixed, lines, filled, same=asked.given is None, rng=stream)

        return rows_drawn(self.coding, n, asked, draw, start=start, rng=rng)

    def edges(self) -> tuple[Edge, ...]:
        """Which columns depend on which directly; the strongest first."""
        if not self.coding.fields:
            return ()
        names = [self.coding.codecs[f.column].name for f in self.coding.fields]
        pairs, strength = self.arrays["edges"].tolist(), self.arrays["strength"].tolist()
        found = [Edge(names[a], names[b], float(s)) for (a, b), s in zip(pairs, strength, strict=True)]
        return tuple(sorted(found, key=lambda e: (-e.strength, e.source, e.target)))

    def made_new(self) -> tuple[str, ...]:
        return self.coding.made_new()

    def numbered(self, frame: pl.DataFrame, *, start: int, rng: Generator) -> pl.DataFrame:
        return renumbered(self.coding.codecs, frame, start=start, rng=rng)

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = self.coding.state()
        own = {f"network.{name}": array for name, array in self.arrays.items()}
        return {"coding": values, "rare": self.rare}, {**arrays, **own}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        own = {name[8:]: array for name, array in arrays.items() if name.startswith("network.")}
        return cls(Coding.restore(values["coding"], arrays), own, float(values["rare"]))

    def notes(self) -> tuple[str, ...]:
        edges = self.edges()
        if not edges:
            return self.coding.notes()
        first = ", ".join(f"{e.source} → {e.target}" for e in edges[:3])
        told = f"The network has {len(edges):,} edge{'s' if len(edges) > 1 else ''}; the strongest: {first}."
        return (told, *self.coding.notes())

    def log_prob(self, data: Dataset) -> NDArray[np.float64]:
        """The log density of each row, (n,) in nats; ids and free text count only as missing or there.

        Rounded numbers count with the probability of their value, others with a density in their own unit. It is exact
        for rows of learned values. A value that was not learned counts as one that fewer rows have than are learned
        from; what depends on it counts as the parents asked before it say.
        """
        codes, added = self._places(data)
        if not self.coding.fields:
            return added.sum(0)
        return (self._network().log_density(codes) + added).sum(0)

    def log_prob_cells(self, data: Dataset) -> NDArray[np.float64]:
        """The log density of each cell given all other cells of its row, (n, columns) in nats.

        Columns that say nothing, or that follow from another one, are 0 throughout.
        """
        result = np.zeros((data.frame.height, len(self.coding.codecs)))
        if self.coding.fields:
            codes, added = self._places(data)
            cells = self._network().cell_log_density(codes) + added
            result[:, [f.column for f in self.coding.fields]] = cells.T
        return result

    def _network(self) -> "Network":
        """The network itself; its loops are compiled, so it is made where it is used."""
        from cuvee.numeric.bayes_net import Network as Numeric

        return Numeric.restore(self.arrays)

    def _places(self, data: Dataset) -> tuple[Codes, NDArray[np.float64]]:
        """Codes of the fields, (fields, n), -1 where not learned, and what to add to the log density of each cell."""
        codes, known = self.coding.codes(data, rng=np.random.default_rng(0))
        added = np.full(codes.shape, self.rare)
        for f, field in enumerate(self.coding.fields):
            added[f][known[f]] = -np.log(field.volumes[codes[f][known[f]]])
        return np.where(known, codes, -1).astype(np.int32), added


@final
class BayesNet(Synthesizer):
    """Learn one table as a Bayesian network: each column given the few that it depends on directly."""

    learned: ClassVar[type[Learned]] = BayesNetLearned

    search: Literal["greedy", "tree"] = Option(
        default="greedy", description="Greedy: among all acyclic graphs; tree: the best tree (Chow and Liu), sooner."
    )
    score: Literal["bic", "aic", "bdeu"] = Option(default="bic", description="What a graph is judged by.")
    parents: int = Option(default=6, ge=1, le=12, description="A column depends on at most this many directly.")
    restarts: int = Option(
        default=2, ge=0, le=100, description="How often the search starts again near the best graph."
    )
    smooth: float = Option(
        default=5.0, gt=0, le=1000, description="How many rows what fewer parents say is worth, against what all say."
    )
    rows: int = Option(
        default=20_000, ge=100, description="The graph is looked for in at most this many rows, drawn at random."
    )
    least: Least = LEAST

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> BayesNetLearned:
        if data.frame.width > WIDEST:
            raise ModelError(
                f"Table {data.name!r} has {data.frame.width:,} columns; a Bayesian network takes at most {WIDEST:,}, "
                "as it compares every pair of them. Exclude some, or learn each alone with 'independent'."
            )
        coding = fit_coding(data, least=self.least, rng=rng, watch=watch)
        n = data.frame.height
        rare = float(np.log(self.least / max(n, self.least)))
        if not coding.fields:
            return BayesNetLearned(coding, {}, rare)
        from cuvee.numeric.bayes_net import Lessons, learn
        from cuvee.numeric.bayes_search import Rules

        codes, known = coding.codes(data, rng=rng)
        rules = Rules(criterion=self.score, parents=self.parents, restarts=self.restarts)
        network = learn(
            np.where(known, codes, -1).astype(np.int32),
            [f.masses for f in coding.fields],
            [f.missing for f in coding.fields],
            Lessons(self.search, rules, self.smooth, self.least, self.rows),
            rng=rng,
            watch=lambda step, done, total, note: watch(Event(step, done, total, note)),
        )
        return BayesNetLearned(coding, network.arrays(), rare)
