"""A generative adversarial network of one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field as Option

from cuvee.codec.codec import LEAST
from cuvee.core import Arrays, Event, Learned, Synthesizer, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.synthesis.tabular.coding import Coding, fit_coding
from cuvee.synthesis.tabular.columns import renumbered
from cuvee.synthesis.tabular.generated import Cells, Generated, learn_correction, ranks, sample_of, story
from cuvee.synthesis.tabular.margins import Margins, fit_margins
from cuvee.synthesis.tabular.mixed import Mixed
from cuvee.synthesis.tabular.networks import HELD, need_torch, scaled_batch, scaled_epochs, with_weights
from cuvee.synthesis.tabular.options import Budget, Device, Least, Rate, Rows
from cuvee.synthesis.tabular.vae import batch_of

if TYPE_CHECKING:
    import torch

    from cuvee.nets.gan import Generator as Net

WIDTHS = ((2_000, 64), (10_000, 128), (1e12, 192))
"""The width of both networks for tables of up to so many rows."""
DEPTH, NOISE = 2, 64
EPOCHS = ((2_000, 24), (6_000, 40), (1e12, 80))
"""How often all rows of a table of up to so many are seen at most."""
RATE, BETAS = (0.028, 0.65), (0.5, 0.9)
"""The learning rate, times this power of the rows of a step."""
JUDGEMENTS, PATIENCE = 12, 8
"""Made rows are compared with those held out about so often, and so many times without gain end the training."""
COMPARED, FEWEST = 3_000, 200
"""Detectors see at most so many rows of each, and with fewer they see nothing: then no rows are held out."""
MARGIN_ROWS = (4, 2_000, 20_000)
"""Margins are read off so many made rows for each real one, and at least and at most so many."""
PENALTIES: Mapping[str, float] = {"wasserstein": 10.0, "classical": 0.02, "hinge": 0.02}


@final
@dataclass(frozen=True, slots=True, eq=False)
class GanLearned(Learned):
    """A generator of one table.

    Attributes:
        generated: The columns, the weights of the generator, and what a detector still saw.
        width: The width of the generator.
        conditional: Whether rows are made for a code of a category that is drawn first.
        margins: What makes the margins of made rows right.
    """

    generated: Generated
    width: int
    conditional: bool
    margins: Margins

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        coding = self.generated.coding
        if not coding.fields or n == 0:
            return coding.frame(np.zeros((len(coding.fields), n), np.int32), start=start, rng=rng)
        mixed = Mixed.of(coding.fields)
        # Made anew: threads that sample at once share nothing.
        net = with_weights(new_net(mixed, self.width, seed=0), self.generated.weights)

        def made(count: int, own: Generator) -> Cells:
            return draw(net, mixed, self.margins, count, own, conditional=self.conditional)

        return self.generated.frame(made, n, start=start, rng=rng)

    def made_new(self) -> tuple[str, ...]:
        return self.generated.coding.made_new()

    def numbered(self, frame: pl.DataFrame, *, start: int, rng: Generator) -> pl.DataFrame:
        return renumbered(self.generated.coding.codecs, frame, start=start, rng=rng)

    def history(self) -> pl.DataFrame:
        return self.generated.history

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = self.generated.state()
        own = {f"margins.{name}": array for name, array in self.margins.arrays().items()}
        return {**values, "width": self.width, "conditional": self.conditional}, {**arrays, **own}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        margins = Margins(*(np.asarray(arrays[f"margins.{name}"], np.float32) for name in ("offsets", "knots")))
        return cls(Generated.restore(values, arrays), int(values["width"]), bool(values["conditional"]), margins)

    def notes(self) -> tuple[str, ...]:
        return self.generated.notes()


@final
class Gan(Synthesizer):
    """Learn one table as a generator whose rows a discriminator can't tell from real ones."""

    learned: ClassVar[type[Learned]] = GanLearned

    loss: Literal["classical", "wasserstein", "hinge"] = Option(
        default="classical", description="What the two networks play for."
    )
    penalty: float | None = Option(
        default=None, ge=0, description="What the gradient of the discriminator costs; None: as the loss is used to."
    )
    critic: int = Option(default=1, ge=1, le=100, description="Steps of the discriminator for one of the generator.")
    pack: int = Option(default=1, ge=1, le=64, description="Rows that the discriminator sees together.")
    conditional: bool = Option(
        default=True, description="Learn rows for a category that is drawn first, rare ones more often than they occur."
    )
    width: int | None = Option(default=None, ge=8, le=4096, description="Width of the layers; None: as the rows say.")
    correct: bool = Option(default=True, description="Keep made rows by the odds of a detector that they are real.")
    epochs: int | None = Option(
        default=None, ge=1, le=100_000, description="How often rows are seen at most; None: as their number says."
    )
    rate: Rate = None
    rows: Rows = 200_000
    time_budget: Budget = None
    device: Device = "auto"
    least: Least = LEAST

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> GanLearned:
        need_torch("gan")
        coding = fit_coding(data, least=self.least, rng=rng, watch=watch)
        width = self.width or next(w for most, w in WIDTHS if data.frame.height <= most)
        if not coding.fields:
            nothing = Margins(np.zeros(0, np.float32), np.zeros((0, 0), np.float32))
            generated = Generated(coding, {}, None, pl.DataFrame(), ())
            return GanLearned(generated, width, conditional=False, margins=nothing)
        codes, _, within = coding.places(sample_of(data, self.rows, rng), rng=rng)
        return self._learn(coding, width, (codes, within), rng, watch)

    def _learn(self, coding: Coding, width: int, cells: Cells, rng: Generator, watch: Watch) -> GanLearned:
        from cuvee.nets.device import device_of
        from cuvee.nets.gan import Conditions, Discriminator, Game
        from cuvee.nets.plan import Learner, Schedule
        from cuvee.nets.seed import generator_of
        from cuvee.nets.training import part, train_all

        mixed, n = Mixed.of(coding.fields), cells[0].shape[1]
        conditional = self.conditional and len(mixed.categories) > 0
        device, generator = device_of(self.device), generator_of(rng)
        net = new_net(mixed, width, seed=int(rng.integers(2**62))).to(device)
        judge = Discriminator(net.shape, pack=self.pack, width=width, depth=DEPTH, generator=generator).to(device)
        rows = batch_of(mixed.table(*cells))
        seen, held = part(n, HELD, least=FEWEST, generator=generator)
        conditions = Conditions(net.blocks.cpu(), rows.codes, seen) if conditional else None
        net.blocks.to(device)
        penalty = PENALTIES[self.loss] if self.penalty is None else self.penalty
        game = Game(net, judge, rows.to(device), conditions, loss=self.loss, penalty=penalty)
        epochs = self.epochs or scaled_epochs(n, most=next(e for most, e in EPOCHS if n <= most))
        schedule = Schedule(
            epochs=epochs,
            batch=scaled_batch(n),
            rate=self.rate or RATE[0] / scaled_batch(n) ** RATE[1],
            betas=BETAS,
            judged=max(epochs // JUDGEMENTS, 1),
            patience=PATIENCE,
            seconds=None if self.time_budget is None else 0.6 * self.time_budget,
            threads=1,
        )
        learners = [
            Learner(judge, game.of_judge, "discriminator"),
            Learner(net, game.of_maker, "generator", every=self.critic),
        ]
        apart = tuple(a[:, held.numpy()] for a in cells)
        score = _score(coding, mixed, net, apart, conditional=conditional) if len(held) else None
        history = train_all(learners, seen, schedule, score=score, generator=generator, watch=watch)
        net = net.cpu().eval()
        watch(Event("margins", 0, 2))
        times, least, most = MARGIN_ROWS
        margins = learn_margins(net, mixed, min(max(times * n, least), most), rng, conditional=conditional)
        watch(Event("margins", 1, 2, "what a detector still sees"))

        def made(count: int, own: Generator) -> Cells:
            return draw(net, mixed, margins, count, own, conditional=conditional)

        correction = learn_correction(coding, cells, made, rng, budget=self.time_budget) if self.correct else None
        watch(Event("margins", 2, 2))
        weights = {name: value.detach().numpy().copy() for name, value in net.state_dict().items()}
        generated = Generated(coding, weights, correction, history.frame(), story(history, "The generator"))
        return GanLearned(generated, width, conditional=conditional, margins=margins)


def new_net(mixed: Mixed, width: int, *, seed: int) -> "Net":
    """A generator that has learned only how often each category is."""
    import torch

    from cuvee.nets.gan import Generator as Net
    from cuvee.nets.rows import Shape

    own = Shape(len(mixed.numbers), mixed.sizes)
    generator = torch.Generator().manual_seed(seed)
    return Net(own, mixed.masses, mixed.gates, noise=NOISE, width=width, depth=DEPTH, generator=generator)


def _score(coding: Coding, mixed: Mixed, net: "Net", held: tuple[Any, ...], *, conditional: bool) -> Any:
    """How well quick detectors tell made rows from those held out: 0 where they can't, 0.5 where they always can."""
    from cuvee.numeric.detector import detector_auc, trees_auc

    held = tuple(a[:, :COMPARED] for a in held)
    real, size = ranks(coding, held), held[0].shape[1]

    def score(generator: "torch.Generator") -> float:
        import torch

        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        margins = learn_margins(net, mixed, MARGIN_ROWS[1], rng, conditional=conditional)
        own = ranks(coding, draw(net, mixed, margins, size, rng, conditional=conditional))
        return max(abs(detect(real, own, rng=rng) - 0.5) for detect in (detector_auc, trees_auc))

    return score


def _asked(mixed: Mixed, n: int, rng: Generator) -> NDArray[np.float32]:
    """(n, codes), one-hot conditions: categories drawn evenly, their codes as common as they are."""
    result = np.zeros((n, sum(mixed.sizes)), np.float32)
    which, starts = rng.integers(len(mixed.sizes), size=n), np.cumsum((0, *mixed.sizes))
    uniforms = rng.random(n)
    for j, masses in enumerate(mixed.masses):
        mine = np.flatnonzero(which == j)
        codes = np.minimum(np.searchsorted(np.cumsum(masses), uniforms[mine], side="right"), len(masses) - 1)
        result[mine, starts[j] + codes] = 1
    return result


def _forward(net: "Net", mixed: Mixed, n: int, rng: Generator, *, conditional: bool) -> "tuple[torch.Tensor, ...]":
    """Scores, (n, numbers), and log odds, (n, codes), of n rows, before margins."""
    import torch

    from cuvee.nets.seed import generator_of

    device = next(net.parameters()).device
    noise = torch.randn(n, NOISE, generator=generator_of(rng))
    asked = _asked(mixed, n, rng) if conditional else np.zeros((n, sum(mixed.sizes)), np.float32)
    found = net(noise.to(device), torch.from_numpy(asked).to(device))
    return tuple(part.cpu() for part in found)


def learn_margins(net: "Net", mixed: Mixed, n: int, rng: Generator, *, conditional: bool) -> Margins:
    """What makes the margins of made rows right, read off n made rows."""
    import torch

    from cuvee.nets.device import threads
    from cuvee.nets.seed import generator_of

    with threads(1), torch.no_grad():
        scores, odds = _forward(net, mixed, n, rng, conditional=conditional)
        blocks = net.blocks.cpu()
        shares = blocks.one_hot(blocks.draw(odds, torch.rand(odds.shape, generator=generator_of(rng))))
        there = net.there(shares).numpy() > 0.5
        net.blocks.to(next(net.parameters()).device)
    return fit_margins(scores.numpy(), there, odds.numpy(), mixed.masses)


def draw(net: "Net", mixed: Mixed, margins: Margins, n: int, rng: Generator, *, conditional: bool) -> Cells:
    """Codes and positions, (fields, n) each, of n rows."""
    import torch

    from cuvee.nets.device import threads
    from cuvee.nets.rows import Blocks
    from cuvee.nets.seed import generator_of

    with threads(1), torch.no_grad():
        scores, odds = _forward(net, mixed, n, rng, conditional=conditional)
        odds = odds + torch.from_numpy(margins.offsets)
        groups = Blocks(mixed.sizes).draw(odds, torch.rand(odds.shape, generator=generator_of(rng)))
    return mixed.codes(margins.scores(scores.numpy()), groups.numpy(), rng=rng)
