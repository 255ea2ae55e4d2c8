"""A variational autoencoder of one table: rows as points among few latents, whose distribution is learned too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field as Option

from cuvee.codec.codec import LEAST
from cuvee.core import Arrays, Event, Learned, Synthesizer, Watch, silent
from cuvee.core.given import fitted
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.synthesis.tabular.coding import Coding, fit_coding
from cuvee.synthesis.tabular.columns import renumbered
from cuvee.synthesis.tabular.generated import Cells, Generated, learn_correction, sample_of, story
from cuvee.synthesis.tabular.mixed import Mixed, Table
from cuvee.synthesis.tabular.networks import (
    FEW,
    HELD,
    LEAST_HELD,
    need_torch,
    scaled_batch,
    scaled_epochs,
    with_weights,
)
from cuvee.synthesis.tabular.options import Budget, Device, Least, Rate, Rows

if TYPE_CHECKING:
    import torch

    from cuvee.nets.rows import Batch
    from cuvee.nets.vae import Vae as Net

Schedules = Literal["rising", "cyclical", "constant"]

WIDTHS = ((2_000, 64), (10_000, 128), (1e12, 192))
"""The width of the network for tables of up to so many rows."""
DEPTH, COMPONENTS = 2, 4
"""Blocks of layers on each side, and components of the distribution of a number given the latents."""
LATENTS = 24
SEEN, EPOCHS = 800_000, ((2_000, 30), (6_000, 45), (1e12, 55))
"""Rows are seen again until about this many were seen; those of a table of up to so many rows at most so often."""
RATE = 0.09
"""The learning rate, times the root of the rows of a step."""
RISE, CYCLES = 0.25, 4
"""The weight of the divergence rises over this share of the training, or of each of so many cycles."""
ACTIVE = 0.02
"""A latent whose divergence is at least so many nats a row says something of it."""
JUDGED, PATIENCE = 4, 4
PRIOR_ROWS, MOST = 50_000, 128
"""The distribution of the latents is learned from at most so many rows, with at most so many components."""
FLOOR = 1e-3


@final
@dataclass(frozen=True, slots=True, eq=False)
class VaeLearned(Learned):
    """A variational autoencoder of one table.

    Attributes:
        generated: The columns, the weights, and what a detector still saw.
        shape: Width of the network, and how many latents.
        prior: Where the latents of real rows lie: `shares`, `means` and `factors` of a mixture.
    """

    generated: Generated
    shape: tuple[int, int]
    prior: Arrays

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        if not self.generated.coding.fields or n == 0:
            return self.generated.coding.frame(
                np.zeros((len(self.generated.coding.fields), n), np.int32), start=start, rng=rng
            )
        net = self._net()
        return self.generated.frame(lambda k, own: draw(net, self.prior, self._mixed, k, own), n, start=start, rng=rng)

    def latents(self, rows: Any) -> NDArray[np.float32]:
        """(n, latents), where rows lie: the means of the encoder.

        Args:
            rows: Rows with the columns of training: a dataset or any data frame.

        Raises:
            ModelError: A column is missing, or there is nothing in this table that a network learned.
        """
        import torch

        coding = self.generated.coding
        if not coding.fields:
            raise ModelError(f"Table {coding.table!r} has no column that says anything, so there are no latents.")
        data = rows if isinstance(rows, Dataset) else Dataset.of(rows, name=coding.table)
        schema = self.sample(0, start=0, rng=np.random.default_rng(0))[coding.table].schema
        frame = fitted(data.frame, schema, coding.table)
        codes, _, within = coding.places(Dataset.of(frame, name=coding.table), rng=np.random.default_rng(0))
        with torch.no_grad():
            return self._net().encode(batch_of(self._mixed.table(codes, within)))[0].numpy()

    def interpolate(self, first: Any, second: Any, steps: int = 10) -> pl.DataFrame:
        """Rows on the straight way between two rows among the latents, (steps,): what lies between them.

        Each is the most likely row at its place: the most likely categories, and the middle of each number.

        Args:
            first: One row with the columns of training.
            second: Another one.
            steps: How many rows, the two ends (as the model sees them) with them.

        Raises:
            ModelError: It is not one row each, or a column is missing.
        """
        ends = [self._one(row) for row in (first, second)]
        share = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
        return self._likely(((1 - share) * ends[0] + share * ends[1]).astype(np.float32))

    def traverse(self, row: Any, latent: int, values: Sequence[float]) -> pl.DataFrame:
        """Rows that differ from one row in one latent alone, (values,): what that latent says.

        Raises:
            ModelError: It is not one row, a column is missing, or there is no such latent.
        """
        if not 0 <= latent < self.shape[1]:
            raise ModelError(f"There is no latent {latent}; this model has the latents 0 to {self.shape[1] - 1}.")
        points = np.repeat(self._one(row), len(values), axis=0)
        points[:, latent] = np.asarray(values, np.float32)
        return self._likely(points)

    def made_new(self) -> tuple[str, ...]:
        return self.generated.coding.made_new()

    def numbered(self, frame: pl.DataFrame, *, start: int, rng: Generator) -> pl.DataFrame:
        return renumbered(self.generated.coding.codecs, frame, start=start, rng=rng)

    def history(self) -> pl.DataFrame:
        return self.generated.history

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = self.generated.state()
        prior = {f"prior.{name}": array for name, array in self.prior.items()}
        return {**values, "shape": list(self.shape)}, {**arrays, **prior}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        prior = {name[6:]: array for name, array in arrays.items() if name.startswith("prior.")}
        width, latents = (int(x) for x in values["shape"])
        return cls(Generated.restore(values, arrays), (width, latents), prior)

    def notes(self) -> tuple[str, ...]:
        return self.generated.notes()

    @property
    def _mixed(self) -> Mixed:
        return Mixed.of(self.generated.coding.fields)

    def _net(self) -> "Net":
        """The network with what it learned, made anew: threads that sample at once share nothing."""
        return with_weights(new_net(self._mixed, self.shape, seed=0), self.generated.weights)

    def _one(self, row: Any) -> NDArray[np.float32]:
        """(1, latents), where one row lies."""
        found = self.latents(row)
        if len(found) != 1:
            raise ModelError(f"One row is wanted here, and there are {len(found):,}.")
        return found

    def _likely(self, latents: NDArray[np.float32]) -> pl.DataFrame:
        """The most likely row at each point."""
        import torch

        from cuvee.nets.rows import mixture_middle

        rng, coding, net = np.random.default_rng(0), self.generated.coding, self._net()
        with torch.no_grad():
            odds, parts = net.decode(torch.from_numpy(latents))
            groups = net.reader.blocks.best(odds)
            scores = mixture_middle(parts)
        codes, within = self._mixed.codes(scores.numpy(), groups.numpy(), rng=rng)
        return coding.frame(codes, start=0, rng=rng, within=within)[coding.table]


@final
class Vae(Synthesizer):
    """Learn one table as points among few latents, and a decoder that makes rows of them."""

    learned: ClassVar[type[Learned]] = VaeLearned

    latents: int | None = Option(default=None, ge=1, le=512, description="How many; None: as the columns say.")
    width: int | None = Option(default=None, ge=8, le=4096, description="Width of the layers; None: as the rows say.")
    alpha: float = Option(
        default=1.0, gt=0, le=100, description="What the divergence weighs beside the reconstruction."
    )
    schedule: Schedules = Option(
        default="rising", description="How alpha comes to its weight: rising, cyclical, or constant from the start."
    )
    free: float = Option(default=0.01, ge=0, le=10, description="Nats of each latent that cost nothing (free bits).")
    correct: bool = Option(default=True, description="Keep made rows by the odds of a detector that they are real.")
    epochs: int | None = Option(
        default=None, ge=1, le=10_000, description="How often rows are seen at most; None: as their number says."
    )
    rate: Rate = None
    rows: Rows = 200_000
    time_budget: Budget = None
    device: Device = "auto"
    least: Least = LEAST

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> VaeLearned:
        need_torch("vae")
        coding = fit_coding(data, least=self.least, rng=rng, watch=watch)
        n, d = data.frame.height, len(coding.fields)
        width = self.width or next(w for most, w in WIDTHS if n <= most)
        shape = (width, self.latents or int(min(2 + d, LATENTS)))
        if not d:
            return VaeLearned(Generated(coding, {}, None, pl.DataFrame(), ()), shape, {})
        codes, _, within = coding.places(sample_of(data, self.rows, rng), rng=rng)
        return self._learn(coding, shape, (codes, within), rng, watch)

    def _learn(self, coding: Coding, shape: tuple[int, int], cells: Cells, rng: Generator, watch: Watch) -> VaeLearned:
        from cuvee.nets.device import device_of, threads
        from cuvee.nets.plan import Learner, Schedule
        from cuvee.nets.seed import generator_of
        from cuvee.nets.training import mean_loss, part, train_all
        from cuvee.nets.vae import Bound

        mixed, n = Mixed.of(coding.fields), cells[0].shape[1]
        device, generator = device_of(self.device), generator_of(rng)
        net = new_net(mixed, shape, seed=int(rng.integers(2**62))).to(device)
        rows = batch_of(mixed.table(*cells))
        bound = Bound(net, rows.to(device), self.free, lambda share: self.alpha * weight(share, self.schedule))
        learner = Learner(net, bound, at=bound.at)
        seen, held = part(n, HELD if n >= FEW else 2 * HELD, least=LEAST_HELD, generator=generator)
        schedule = Schedule(
            epochs=self.epochs or scaled_epochs(n, seen=SEEN, most=next(e for most, e in EPOCHS if n <= most)),
            batch=scaled_batch(n),
            rate=self.rate or RATE / scaled_batch(n) ** 0.5,
            judged=JUDGED,
            patience=PATIENCE,
            seconds=None if self.time_budget is None else 0.6 * self.time_budget,
            threads=1,
        )
        score = mean_loss(Learner(net, bound.whole), held, 4 * schedule.batch) if len(held) else None
        history = train_all([learner], seen, schedule, score=score, generator=generator, watch=watch)
        net = net.cpu().eval()
        watch(Event("latents", 0, 2))
        with threads(1):
            prior, active = learn_prior(net, rows, self.least, generator)
        watch(Event("latents", 1, 2, "what a detector still sees"))
        correction = None
        if self.correct:
            correction = learn_correction(
                coding, cells, lambda k, own: draw(net, prior, mixed, k, own), rng, budget=self.time_budget
            )
        watch(Event("latents", 2, 2))
        said = (*story(history, "The autoencoder"), f"{active} of its {shape[1]} latents say something of a row.")
        weights = {name: value.detach().numpy().copy() for name, value in net.state_dict().items()}
        return VaeLearned(Generated(coding, weights, correction, history.frame(), said), shape, prior)


def weight(share: float, schedule: Schedules) -> float:
    """What of alpha counts when so much of the training is over, in (0, 1].

    Source: Bowman et al. (2016), Generating sentences from a continuous space; Fu et al. (2019), Cyclical annealing
    schedule.

    >>> weight(0.125, "rising"), weight(0.5, "rising"), weight(0.25, "cyclical"), weight(0.0, "constant")
    (0.5, 1.0, 0.01, 1.0)
    """
    if schedule == "constant":
        return 1.0
    if schedule == "rising":
        return max(min(share / RISE, 1.0), 0.01)
    return max(min(share * CYCLES % 1 / 0.5, 1.0), 0.01)


def new_net(mixed: Mixed, shape: tuple[int, int], *, seed: int) -> "Net":
    """A network that has learned only how often each category is."""
    import torch

    from cuvee.nets.rows import Shape
    from cuvee.nets.vae import Vae as Net

    width, latents = shape
    own = Shape(len(mixed.numbers), mixed.sizes)
    generator = torch.Generator().manual_seed(seed)
    return Net(own, mixed.masses, width=width, depth=DEPTH, latent=latents, components=COMPONENTS, generator=generator)


def batch_of(table: Table) -> "Batch":
    """Rows as tensors."""
    import torch

    from cuvee.nets.rows import Batch

    return Batch(*(torch.from_numpy(a) for a in (table.scores, table.there, table.codes)))


def learn_prior(net: "Net", rows: "Batch", least: int, generator: "torch.Generator") -> tuple[Arrays, int]:
    """The mixture of the latents of rows, and how many latents say something."""
    import torch

    from cuvee.nets.prior import fit_mixture
    from cuvee.nets.vae import divergence

    n = len(rows.scores)
    some = rows.take(torch.randperm(n, generator=generator)[:PRIOR_ROWS])
    with torch.no_grad():
        means, scales = (torch.cat(p) for p in zip(*(net.encode(b) for b in some.split(8_192)), strict=True))
        active = int((divergence(means, scales).mean(0) >= ACTIVE).sum())
        points = means + scales.exp() * torch.randn(means.shape, generator=generator)
        components = int(np.clip(np.sqrt(n) / 1.5, 1, MOST))
        found = fit_mixture(points, components, floor=FLOOR, least=4.0 * least, generator=generator)
    return {n: np.ascontiguousarray(getattr(found, n).numpy()) for n in ("shares", "means", "factors")}, active


def draw(net: "Net", prior: Arrays, mixed: Mixed, n: int, rng: Generator) -> Cells:
    """Codes and positions, (fields, n) each, of n rows: latents from the prior, then columns from the decoder."""
    import torch

    from cuvee.nets.device import threads
    from cuvee.nets.prior import Mixture
    from cuvee.nets.rows import mixture_draw
    from cuvee.nets.seed import generator_of

    generator = generator_of(rng)
    mixture = Mixture(*(torch.from_numpy(np.array(prior[name])) for name in ("shares", "means", "factors")))
    with threads(1), torch.no_grad():
        odds, parts = net.decode(mixture.draw(n, generator))
        groups = net.reader.blocks.draw(odds, torch.rand(odds.shape, generator=generator))
        uniforms = torch.rand(parts.shape[:2], generator=generator)
        scores = mixture_draw(parts, uniforms, torch.randn(parts.shape[:2], generator=generator))
    return mixed.codes(scores.numpy(), groups.numpy(), rng=rng)
