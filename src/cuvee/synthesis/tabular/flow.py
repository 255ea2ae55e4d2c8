"""A flow from noise to rows: numbers move along learned velocities while categories are unmasked one by one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from cuvee.synthesis.tabular.evidence import Evidence, ask, evidence_of
from cuvee.synthesis.tabular.networks import (
    FEW,
    Taught,
    learn_rows,
    need_torch,
    scaled_batch,
    scaled_epochs,
    thread_count,
)
from cuvee.synthesis.tabular.options import Budget, Device, Least, Rate, Rows
from cuvee.synthesis.tabular.scores import Scores

if TYPE_CHECKING:
    from torch import Tensor

    from cuvee.nets.flow import FlowNet

Codes = NDArray[np.int32]

WIDTHS = ((2_000, 64), (10_000, 256), (1e12, 384))
"""The width of the network for tables of up to so many rows."""
OWN = 12
"""Numbers that stand for one column."""
PART = 4_096
"""Rows are drawn in parts of this many."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class FlowLearned(Learned):
    """A flow of one table.

    Attributes:
        coding: The columns as fields.
        shape: Width and depth of the network.
        rows: How many rows it learned from.
        steps: Steps from noise to rows.
        taught: The weights of the network, and how they were learned.
    """

    coding: Coding
    shape: tuple[int, int]
    rows: int
    steps: int
    taught: Taught

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        fixed = np.full((len(self.coding.fields), n), -1, np.int32)
        codes, within = self._draw(fixed, np.zeros(fixed.shape), rng)
        return self.coding.frame(codes, start=start, rng=rng, within=within)

    def sample_asked(
        self, n: int, asked: Asked, *, start: int, rng: Generator
    ) -> tuple[Mapping[str, pl.DataFrame], Method]:
        """Given cells stand from the start, and so does one field of which a part is allowed, drawn from its margin.

        What else is asked is not looked at here: whoever calls draws rows again until they are as asked, so that rows
        have their exact distribution given all of it.
        """
        wanted = ask(asked.condition, self.coding, rng=rng, filled=asked.filled)
        evidence = _one_settled(evidence_of(wanted, self.coding, n, asked.given, rng=rng), self.coding, rng)
        codes, within = self._draw(evidence.fixed, evidence.within, rng)
        placed = self.coding.placed(codes, within, rng=rng)
        columns = {j: self.coding.codecs[j].values(p, start=start, rng=rng) for j, p in sorted(placed.items())}
        tables = self.coding.assembled(columns)
        return {self.coding.table: asked.kept(tables[self.coding.table])}, Method()

    def _draw(self, fixed: Codes, places: NDArray[np.floating], rng: Generator) -> tuple[Codes, NDArray[np.float64]]:
        """Codes and positions within cells, (fields, n) each.

        Args:
            fixed: (fields, n), codes that are given, -1 where not.
            places: (fields, n), positions of what is given.
            rng: For what is drawn.
        """
        fields, n = fixed.shape
        codes, within = np.zeros((fields, n), np.int32), np.zeros((fields, n))
        if fields == 0 or n == 0:
            return codes, within
        scores, net = Scores.of(self.coding.fields), self._net()
        for start in range(0, n, PART):
            mine = slice(start, start + PART)
            codes[:, mine], within[:, mine] = _draw_part(net, scores, fixed[:, mine], places[:, mine], self.steps, rng)
        given = fixed >= 0
        within[given] = places[given]
        return codes, within

    def made_new(self) -> tuple[str, ...]:
        return self.coding.made_new()

    def numbered(self, frame: pl.DataFrame, *, start: int, rng: Generator) -> pl.DataFrame:
        return renumbered(self.coding.codecs, frame, start=start, rng=rng)

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = self.coding.state()
        told, weights = self.taught.state()
        own = {"shape": list(self.shape), "rows": self.rows, "steps": self.steps}
        return {"coding": values, **told, **own}, {**arrays, **weights}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        taught = Taught.restore(values, arrays)
        width, depth = (int(x) for x in values["shape"])
        coding = Coding.restore(values["coding"], arrays)
        return cls(coding, (width, depth), int(values["rows"]), int(values["steps"]), taught)

    def notes(self) -> tuple[str, ...]:
        return (*self.coding.notes(), *self.taught.said)

    def history(self) -> pl.DataFrame | None:
        return self.taught.history if self.taught.history.width else None

    def _net(self) -> "FlowNet":
        """The network with what it learned, made anew: threads that sample at once share nothing."""
        from cuvee.synthesis.tabular.networks import with_weights

        return with_weights(new_net(Scores.of(self.coding.fields), self.shape, self.rows, seed=0), self.taught.weights)


@final
class Flow(Synthesizer):
    """Learn one table as a flow from noise: numbers by flow matching, categories by a masked process."""

    learned: ClassVar[type[Learned]] = FlowLearned

    width: int | None = Option(default=None, ge=16, le=4096, description="Width of the layers; None: as the rows say.")
    depth: int = Option(default=3, ge=1, le=24, description="Layers beside the stream.")
    steps: int = Option(default=20, ge=2, le=1000, description="Steps from noise to rows.")
    aside: float = Option(
        default=0.2, ge=0, le=1, description="Share of rows that are learned with some columns given from the start."
    )
    epochs: int | None = Option(
        default=None, ge=1, le=10_000, description="How often rows are seen at most; None: as their number says."
    )
    rate: Rate = None
    rows: Rows = 200_000
    time_budget: Budget = None
    device: Device = "auto"
    least: Least = LEAST

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> FlowLearned:
        need_torch("flow")
        coding = fit_coding(data, least=self.least, rng=rng, watch=watch)
        n = data.frame.height
        width = self.width or next(w for most, w in WIDTHS if n <= most)
        shape = (width, self.depth)
        if not coding.fields:
            return FlowLearned(coding, shape, n, self.steps, Taught.nothing())
        frame = data.frame if n <= self.rows else data.frame[np.sort(rng.permutation(n)[: self.rows])]
        codes, known, within = coding.places(data.with_frame(data.name, frame), rng=rng)
        taught = self._taught(Scores.of(coding.fields), shape, (codes, known, within), rng, watch)
        return FlowLearned(coding, shape, codes.shape[1], self.steps, taught)

    def _taught(
        self,
        scores: Scores,
        shape: tuple[int, int],
        cells: tuple[Codes, NDArray[np.bool_], NDArray[np.float32]],
        rng: Generator,
        watch: Watch,
    ) -> Taught:
        """What the network learns of rows: their codes, which of them are those of the values, and positions."""
        import torch

        from cuvee.nets.device import device_of
        from cuvee.nets.flow import Lesson, flow_loss
        from cuvee.nets.plan import Schedule

        codes, known, within = cells
        n = codes.shape[1]
        schedule = Schedule(
            epochs=self.epochs or scaled_epochs(n, seen=SEEN, most=EPOCHS),
            batch=scaled_batch(n),
            rate=self.rate or RATE / scaled_batch(n) ** 0.5,
            seconds=self.time_budget,
            threads=thread_count(n),
            judged=4 if n < FEW else 1,
        )
        device = device_of(self.device)
        net = new_net(scores, shape, n, seed=int(rng.integers(2**62))).to(device)
        low, high, there = scores.ranks(codes, known, within)
        whole = Lesson(*(torch.from_numpy(a).to(device) for a in (low, high, there, *scores.kinds(codes, known))))

        def loss(rows: "Tensor", generator: torch.Generator) -> "Tensor":
            return flow_loss(net, whole.rows(rows.to(device)), aside=self.aside, generator=generator)

        return learn_rows(net, loss, n, schedule, rng=rng, watch=watch, step="flow", judged=JUDGED)


SEEN, EPOCHS = 2_000_000, 40
"""Rows are seen again until about this many were seen, and at most so often."""
JUDGED = 1_000
"""The loss at one time says little of a row: rows held out are judged at so many times in all."""
RATE = 0.045
"""The learning rate, times the root of the rows of a step."""


def new_net(scores: Scores, shape: tuple[int, int], rows: int, *, seed: int) -> "FlowNet":
    """A network for the fields of a table that has learned only their margins."""
    import torch

    from cuvee.nets.columns import Codes as Column
    from cuvee.nets.flow import FlowNet

    width, depth = shape
    columns = [Column(s.masses, s.ordered, s.missing, rows) for s in scores.categories]
    generator = torch.Generator().manual_seed(seed)
    return FlowNet(len(scores.numbers), columns, width=width, depth=depth, own=OWN, generator=generator)


def _draw_part(
    net: "FlowNet", scores: Scores, fixed: Codes, places: NDArray[np.floating], steps: int, rng: Generator
) -> tuple[Codes, NDArray[np.float64]]:
    """Codes and positions of some rows, (fields, n) each."""
    import torch

    from cuvee.nets.device import threads
    from cuvee.nets.flow import Mixed, Start, follow

    n = fixed.shape[1]
    size = len(scores.categories)
    noise = rng.standard_normal((n, len(scores.numbers)), dtype=np.float32)
    # Times are spread evenly, in an order of each row's own: as few categories as can be are drawn at once.
    order = np.argsort(rng.random((n, size)), axis=1)
    when = (order + rng.random((n, 1))) / max(size, 1)
    uniforms = rng.random((n, size), dtype=np.float32)
    numbers, given, codes = scores.start(fixed, places, noise)
    parts = (torch.from_numpy(a) for a in (given, when.astype(np.float32), uniforms))
    with torch.inference_mode(), threads(1):
        ended = follow(net, Start(Mixed(torch.from_numpy(numbers), torch.from_numpy(codes)), *parts), steps)
    return scores.codes(ended.numbers.numpy(), ended.codes.numpy())


def _one_settled(evidence: Evidence, coding: Coding, rng: Generator) -> Evidence:
    """Evidence in which, of each row of which nothing is given, the field of the rarest part is drawn from its margin.

    Of rows of which cells are given, fields that may have one code alone are given too.
    """
    fixed, within = evidence.fixed.copy(), evidence.within.copy()
    n = fixed.shape[1]
    open_rows = (fixed < 0).all(axis=0)
    share = np.ones((max(len(coding.fields), 1), n))
    for f, (lines, line) in evidence.lines.items():
        share[f] = (lines @ coding.fields[f].masses)[line]
        single = ((lines > 0).sum(axis=1) == 1)[line] & (fixed[f] < 0) & ~open_rows
        fixed[f, single] = lines.argmax(axis=1)[line][single]
        within[f, single] = rng.random(int(single.sum()))
    rarest = share.argmin(axis=0)
    for f, (lines, line) in evidence.lines.items():
        field = coding.fields[f]
        mine = np.flatnonzero(open_rows & (rarest == f) & (share[f] < 1))
        ends = np.cumsum(lines.astype(np.float64) * field.masses, axis=1)[line[mine]]
        fixed[f, mine] = (ends <= rng.random((len(mine), 1)) * ends[:, -1:]).sum(axis=1)
        drawn = rng.random(len(mine))
        shares = evidence.asked.shares.get(field.column)
        within[f, mine] = drawn if shares is None or field.flags else shares.moved(fixed[f, mine], drawn)
    return replace(evidence, fixed=fixed, within=within)
