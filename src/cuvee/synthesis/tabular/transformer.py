"""A transformer over columns, read and written in any order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field as Option

from cuvee.codec.codec import LEAST
from cuvee.core import Arrays, Asked, Learned, Method, Synthesizer, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.synthesis.tabular.coding import Coding, fit_coding
from cuvee.synthesis.tabular.columns import renumbered
from cuvee.synthesis.tabular.evidence import allowed_places, ask, evidence_of
from cuvee.synthesis.tabular.networks import Taught, learn_rows, need_torch, scaled_batch, scaled_epochs, thread_count
from cuvee.synthesis.tabular.options import Budget, Device, Least, Rate, Rows

if TYPE_CHECKING:
    from cuvee.nets.transformer import ColumnTransformer

Floats = NDArray[np.float64]

WIDTHS = ((2_000, 32), (1e12, 64))
"""The width of the network for tables of up to so many rows."""
RATE = 0.045
"""The learning rate, times the root of the rows of a step."""
HEAD = 32
"""The width of one head of attention."""
CELLS = 262_144
"""Densities are worked out for about this many cells at a time."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class TransformerLearned(Learned):
    """A transformer of one table.

    Attributes:
        coding: The columns as fields.
        shape: Width and depth of the network.
        rows: How many rows it learned from.
        orders: (k, fields), the orders that it reads best.
        taught: Its weights, and how they were learned.
    """

    coding: Coding
    shape: tuple[int, int]
    rows: int
    orders: NDArray[np.int64]
    taught: Taught

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        if not self.coding.fields or n == 0:
            return self.coding.frame(np.zeros((len(self.coding.fields), n), np.int32), start=start, rng=rng)
        from cuvee.synthesis.tabular.any_order import draw

        # Rows that share an order are drawn beside each other, so that a column of all of them is drawn at once.
        whose = rng.permutation(n) % len(self.orders)
        beside = np.argsort(whose, kind="stable")
        back = np.argsort(beside, kind="stable")
        rows = draw(self._net(), self.coding, self.orders[whose[beside]], rng)
        return self.coding.frame(rows.codes[:, back], start=start, rng=rng, within=rows.within[:, back])

    def sample_asked(
        self, n: int, asked: Asked, *, start: int, rng: Generator
    ) -> tuple[Mapping[str, pl.DataFrame], Method]:
        wanted = ask(asked.condition, self.coding, rng=rng, filled=asked.filled)
        evidence = evidence_of(wanted, self.coding, n, asked.given, rng=rng)
        codes, within, effective = evidence.fixed, evidence.within, 1.0
        if self.coding.fields and n:
            from cuvee.synthesis.tabular.any_order import draw_given

            rows, effective = draw_given(self._net(), self.coding, self.orders, evidence, rng)
            codes, within = rows.codes, rows.within
        placed = allowed_places(self.coding, codes, within, wanted, rng=rng)
        columns = {j: self.coding.codecs[j].values(p, start=start, rng=rng) for j, p in sorted(placed.items())}
        tables = self.coding.assembled(columns)
        return {self.coding.table: asked.kept(tables[self.coding.table])}, Method(effective=effective)

    def log_prob(self, data: Dataset) -> Floats:
        """Log density of each row, (n,) in nats: that of the mixture of the column orders.

        Rounded numbers and categories count with their probability, other numbers with a density in their own unit, and
        a value that was not learned as half as likely as the rarest of its column. Ids and texts count as missing or
        there.
        """
        return self.log_prob_cells(data).sum(axis=1)

    def log_prob_cells(self, data: Dataset) -> Floats:
        """The part of every cell in its row's log density, (n, columns) in nats; columns that follow from others: 0.

        A cell counts with its log density given the columns before it, in the mean over the column orders, each
        weighted with how well it explains the row. What the mixture adds is spread evenly: cells sum to the row.
        """
        result = np.zeros((data.frame.height, len(self.coding.codecs)))
        fields = self.coding.fields
        if not fields:
            return result
        from cuvee.synthesis.tabular.any_order import log_prob

        codes, known = self.coding.codes(data, rng=np.random.default_rng(0))
        for f, field in enumerate(fields):
            # What a value does not say is the same for all rows, so that none depends on those beside it.
            codes[f, ~known[f]] = field.masses.argmax()
        size = int(np.clip(CELLS // len(fields), 16, 4_096))
        parts = log_prob(self._net(), codes, self.orders, size=size)
        for f, field in enumerate(fields):
            parts[:, f] -= np.log(field.volumes[codes[f]])
            parts[:, f, ~known[f]] = np.log(field.masses[field.masses > 0].min() / 2)
        whole = parts.sum(axis=1)
        total = np.logaddexp.reduce(whole, axis=0) - np.log(len(whole))
        weight = np.exp(whole - np.logaddexp.reduce(whole, axis=0))
        cells = np.einsum("kn,kfn->nf", weight, parts)
        result[:, [f.column for f in fields]] = cells + ((total - cells.sum(axis=1)) / len(fields))[:, None]
        return result

    def made_new(self) -> tuple[str, ...]:
        return self.coding.made_new()

    def numbered(self, frame: pl.DataFrame, *, start: int, rng: Generator) -> pl.DataFrame:
        return renumbered(self.coding.codecs, frame, start=start, rng=rng)

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = self.coding.state()
        told, weights = self.taught.state()
        own = {"shape": list(self.shape), "rows": self.rows}
        return {"coding": values, **told, **own}, {**arrays, **weights, "orders": self.orders}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        taught = Taught.restore(values, arrays)
        width, depth = (int(x) for x in values["shape"])
        orders = np.asarray(arrays["orders"], np.int64)
        return cls(Coding.restore(values["coding"], arrays), (width, depth), int(values["rows"]), orders, taught)

    def notes(self) -> tuple[str, ...]:
        return (*self.coding.notes(), *self.taught.said)

    def history(self) -> pl.DataFrame | None:
        return self.taught.history if self.taught.history.width else None

    def _net(self) -> "ColumnTransformer":
        """The network with what it learned, made anew: threads that sample at once share nothing."""
        from cuvee.synthesis.tabular.networks import with_weights

        return with_weights(new_net(self.coding, self.shape, self.rows, seed=0), self.taught.weights)


@final
class Transformer(Synthesizer):
    """Learn every column given any others with attention over columns, in many column orders at once."""

    learned: ClassVar[type[Learned]] = TransformerLearned

    width: int | None = Option(
        default=None, ge=32, le=1024, multiple_of=32, description="Numbers that stand for a cell; None: as rows say."
    )
    depth: int = Option(default=2, ge=1, le=24, description="Blocks of attention.")
    orders: int = Option(default=4, ge=1, le=64, description="Column orders that rows are drawn in.")
    fixed: float = Option(
        default=0.5, ge=0, le=1, description="Share of rows that are learned in those orders; others in any order."
    )
    epochs: int | None = Option(
        default=None, ge=1, le=10_000, description="How often rows are seen at most; None: as their number says."
    )
    rate: Rate = None
    rows: Rows = 200_000
    time_budget: Budget = None
    device: Device = "auto"
    least: Least = LEAST

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> TransformerLearned:
        need_torch("transformer")
        coding = fit_coding(data, least=self.least, rng=rng, watch=watch)
        d, n = len(coding.fields), data.frame.height
        width = self.width or next(w for most, w in WIDTHS if n <= most)
        shape = (width, self.depth)
        if d == 0:
            return TransformerLearned(coding, shape, n, np.zeros((1, 0), np.int64), Taught.nothing())
        frame = data.frame if n <= self.rows else data.frame[np.sort(rng.permutation(n)[: self.rows])]
        codes, known = coding.codes(data.with_frame(data.name, frame), rng=rng)
        orders = np.stack([rng.permutation(d) for _ in range(self.orders)])
        taught = self._taught(coding, shape, orders, (codes, known), rng, watch)
        return TransformerLearned(coding, shape, codes.shape[1], orders, taught)

    def _taught(
        self,
        coding: Coding,
        shape: tuple[int, int],
        orders: NDArray[np.int64],
        cells: tuple[NDArray[np.int32], NDArray[np.bool_]],
        rng: Generator,
        watch: Watch,
    ) -> Taught:
        """What the network learns of rows: their codes, and which of them are those of the values."""
        import torch

        from cuvee.nets.device import device_of
        from cuvee.nets.plan import Schedule

        n = cells[0].shape[1]
        schedule = Schedule(
            epochs=self.epochs or scaled_epochs(n),
            batch=scaled_batch(n),
            rate=self.rate or RATE / scaled_batch(n) ** 0.5,
            seconds=self.time_budget,
            threads=thread_count(n),
        )
        device = device_of(self.device)
        net = new_net(coding, shape, n, seed=int(rng.integers(2**62))).to(device)
        codes, known = (torch.from_numpy(np.ascontiguousarray(a.T)).to(device) for a in cells)
        best = torch.from_numpy(orders)

        def loss(rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            size = len(rows)
            order = torch.rand(size, codes.shape[1], generator=generator).argsort(dim=1)
            mine = best[torch.randint(len(best), (size,), generator=generator)]
            usual = torch.rand(size, 1, generator=generator) < self.fixed
            place, order = rows.to(device), torch.where(usual, mine, order).to(device)
            return -(net.log_prob(codes[place].long(), order) * known[place]).sum(dim=1)

        return learn_rows(net, loss, n, schedule, rng=rng, watch=watch, step="transformer")


def new_net(coding: Coding, shape: tuple[int, int], rows: int, *, seed: int) -> "ColumnTransformer":
    """A network for the fields of a table that has learned only how often each code is."""
    import torch

    from cuvee.nets.columns import Codes
    from cuvee.nets.transformer import ColumnTransformer

    width, depth = shape
    columns = [Codes(f.masses, f.ordered, f.missing, rows) for f in coding.fields]
    generator = torch.Generator().manual_seed(seed)
    return ColumnTransformer(
        columns, width=width, depth=depth, heads=max(width // HEAD, 1), rank=width, generator=generator
    )
