"""One training while it goes on."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import cos, inf, pi
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from cuvee.core import Event, Watch
from cuvee.data.errors import ModelError
from cuvee.nets import checkpoint as file
from cuvee.nets.device import narrow
from cuvee.nets.plan import History, Learner, Schedule, Score

FALLS = 3
"""So often a loss that is no number is mended by going back to the best weights with half the rate."""
TOLD = 0.5
"""Seconds between two words of progress within an epoch."""
SAVED = 30.0
"""Seconds between two checkpoints."""
LOWEST = 0.01
"""The rate falls to this share of the highest."""


class _Fallen(Exception):  # noqa: N818 (it is mended, not told)
    """A loss or its gradient is no number."""


@dataclass(slots=True)
class Told:
    """What is known at the end of an epoch: plain values that a checkpoint holds.

    Attributes:
        epoch: Epochs that are over.
        steps: Steps that were made.
        factor: What the rate is multiplied with; halved at every fall.
        falls: How often a loss was no number.
        best: The best score.
        best_epoch: The epoch of the best score, or -1.
        worse: Judgements since.
        losses, held, rates, seconds, notes: See `History`.
    """

    epoch: int = 0
    steps: int = 0
    factor: float = 1.0
    falls: int = 0
    best: float = inf
    best_epoch: int = -1
    worse: int = 0
    losses: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    held: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])
    seconds: list[float] = field(default_factory=list[float])
    notes: list[str] = field(default_factory=list[str])


class Hand:
    """One learner with its optimiser, its averaged weights, and the best of those."""

    def __init__(self, learner: Learner, schedule: Schedule) -> None:
        self.learner, self.schedule, self.updates = learner, schedule, 0
        self.weights: list[Tensor] = [p for p in learner.net.parameters() if p.requires_grad]
        self.average = [p.detach().clone() for p in self.weights]
        self.kept = [p.detach().clone() for p in self.weights]
        self.optimiser = self.begun()

    @property
    def device(self) -> torch.device:
        return self.weights[0].device

    def begun(self) -> torch.optim.Optimizer:
        """An optimiser that has seen nothing; biases and the like are not drawn to 0."""
        matrices = [p for p in self.weights if p.ndim > 1]
        vectors = [p for p in self.weights if p.ndim <= 1]
        pairs = ((matrices, self.schedule.decay), (vectors, 0.0))
        groups = [{"params": ps, "weight_decay": decay} for ps, decay in pairs if ps]
        return torch.optim.AdamW(groups, lr=self.schedule.rate, betas=self.schedule.betas, fused=True)

    def step(self, batch: Tensor, generator: torch.Generator, rate: float) -> float:
        """Learn from one batch; its loss."""
        with narrow(self.device):
            value = self.learner.loss(batch, generator).mean()
        # Only these weights get a gradient: the loss may have gone through networks of others.
        found = torch.autograd.grad(value, self.weights, allow_unused=True)
        for weight, gradient in zip(self.weights, found, strict=True):
            weight.grad = gradient
        length = nn.utils.clip_grad_norm_(self.weights, self.schedule.clip)
        if not bool(torch.isfinite(length + value.detach())):
            raise _Fallen
        for group in self.optimiser.param_groups:
            group["lr"] = rate * self.learner.rate
        self.optimiser.step()
        self.updates += 1
        blend = get_ema_multi_avg_fn(min(self.schedule.average, self.updates / (self.updates + 10)))
        with torch.no_grad():
            blend(self.average, self.weights, self.updates)
        return float(value.detach())

    def load(self, weights: Sequence[Tensor]) -> None:
        """Give the network these weights."""
        with torch.no_grad():
            for own, other in zip(self.weights, weights, strict=True):
                own.copy_(other)

    def keep(self) -> None:
        """The averaged weights are the best so far."""
        with torch.no_grad():
            for own, other in zip(self.kept, self.average, strict=True):
                own.copy_(other)

    def fall_back(self) -> None:
        """Begin again from the best weights."""
        self.load(self.kept)
        self.average = [p.clone() for p in self.kept]
        self.optimiser, self.updates = self.begun(), 0


class Run:
    """A training; see `cuvee.nets.training.train_all` for the arguments."""

    def __init__(
        self,
        learners: Sequence[Learner],
        rows: Tensor,
        schedule: Schedule,
        score: Score | None,
        *,
        generator: torch.Generator,
        watch: Watch,
        step: str,
        checkpoint: Path | None,
    ) -> None:
        self.hands = [Hand(learner, schedule) for learner in learners]
        self.rows, self.schedule, self.score, self.generator = rows, schedule, score, generator
        self.watch, self.name, self.path = watch, step, checkpoint
        self.steps = max(-(-len(rows) // schedule.batch) * schedule.epochs, 1)
        self.identity = "" if checkpoint is None else file.identity(self.hands, schedule, len(rows), generator)
        self.seed = int(torch.randint(2**62, (1,), generator=generator))
        self.told = Told(losses={learner.name: [] for learner in learners})
        self.started = self.saved = self.said = time.monotonic()
        self.judging, self.ended = 0.0, "epochs"

    def open(self) -> None:
        """Go on from the checkpoint, where there is one of this very training."""
        found = None if self.path is None else file.opened(self.path, self.identity, self.hands, self.generator)
        if found is not None:
            self.told = Told(**found)
            self.started -= self.told.seconds[-1] if self.told.seconds else 0.0

    def go(self) -> None:
        """Learn until something ends it."""
        while self.told.epoch < self.schedule.epochs and self.told.worse < self.schedule.patience:
            whole = self._epoch()
            if not whole:
                self.ended = "time"
                return
            now = time.monotonic()
            if self.path is not None and now - self.saved > SAVED:
                self._save()
        if self.told.worse >= self.schedule.patience:
            self.ended = "patience"

    def close(self) -> None:
        """Leave the best averaged weights in the networks."""
        for hand in self.hands:
            if self.score is None or self.told.best_epoch < 0:
                hand.keep()
            hand.load(hand.kept)
        if self.path is not None and self.ended == "interrupted":
            return
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def history(self) -> History:
        """What happened."""
        told = self.told
        losses = {name: tuple(values) for name, values in told.losses.items()}
        best = told.best_epoch if self.score is not None else told.epoch - 1
        series = (tuple(told.held), tuple(told.rates), tuple(told.seconds))
        return History(losses, *series, best, self.ended, tuple(told.notes))

    def _epoch(self) -> bool:
        """See all rows once; false where time ran out before."""
        order = self.rows[torch.randperm(len(self.rows), generator=self.generator)]
        totals, counts, whole = [0.0] * len(self.hands), [0] * len(self.hands), True
        for batch in order.split(self.schedule.batch):
            try:
                self._step(batch, totals, counts)
            except _Fallen:
                self._fall()
            self._say()
            if self._late():
                whole = False
                break
        self.told.epoch += 1
        means = [total / max(count, 1) for total, count in zip(totals, counts, strict=True)]
        for values, mean in zip(self.told.losses.values(), means, strict=True):
            values.append(mean)
        self._judge(means[0], last=not whole or self.told.epoch == self.schedule.epochs)
        self.told.rates.append(self._rate())
        self.told.seconds.append(time.monotonic() - self.started)
        self._say(now=True)
        return whole

    def _step(self, batch: Tensor, totals: list[float], counts: list[int]) -> None:
        rate, share = self._rate(), min(self._share(), 1.0)
        self.told.steps += 1
        for k, hand in enumerate(self.hands):
            if self.told.steps % hand.learner.every == 0:
                if hand.learner.at is not None:
                    hand.learner.at(share)
                totals[k] += hand.step(batch, self.generator, rate) * len(batch)
                counts[k] += len(batch)

    def _fall(self) -> None:
        """Go back to the best weights, and go on with half the rate.

        Raises:
            ModelError: That was done often enough.
        """
        self.told.falls += 1
        if self.told.falls > FALLS:
            raise ModelError(
                f"The loss of {self.name!r} was no number after {self.told.steps:,} steps, and that {FALLS + 1} times, "
                "each with half the rate of before. Give it a smaller rate, or look for numbers of very different size."
            )
        self.told.factor /= 2
        self.told.notes.append(
            f"The loss was no number in step {self.told.steps:,}; the best weights so far were taken again, and the "
            "learning rate was halved."
        )
        for hand in self.hands:
            hand.fall_back()

    def _judge(self, loss: float, *, last: bool) -> None:
        """The score of the averaged weights, and whether they are the best."""
        told = self.told
        if self.score is None or (told.epoch % self.schedule.judged and not last):
            told.held.append(told.held[-1] if told.held and self.score is not None else loss)
            return
        began = time.monotonic()
        own = [[p.detach().clone() for p in hand.weights] for hand in self.hands]
        for hand in self.hands:
            hand.load(hand.average)
        with torch.no_grad(), narrow(self.hands[0].device):
            found = self.score(torch.Generator().manual_seed(self.seed))
        for hand, weights in zip(self.hands, own, strict=True):
            hand.load(weights)
        self.judging = time.monotonic() - began
        told.held.append(found)
        told.worse += 1
        if found < told.best:
            told.best, told.best_epoch, told.worse = found, told.epoch - 1, 0
            for hand in self.hands:
                hand.keep()

    def _rate(self) -> float:
        """The learning rate of the next step. Time counts only where it would run out before the steps do."""
        rise = min(1.0, (self.told.steps + 1) / max(self.schedule.warm, 1))
        fall = 0.5 * (1 + cos(pi * min(self._share(), 1.0)))
        return self.schedule.rate * self.told.factor * rise * max(fall, LOWEST)

    def _share(self) -> float:
        """How much of the training is over."""
        steps = self.told.steps / self.steps
        if self.schedule.seconds is None or self.told.steps < self.schedule.warm:
            return steps
        return max(steps, (time.monotonic() - self.started) / self.schedule.seconds)

    def _late(self) -> bool:
        """Whether no time is left but for one more judgement."""
        seconds = self.schedule.seconds
        return seconds is not None and time.monotonic() - self.started > seconds - self.judging

    def _say(self, *, now: bool = False) -> None:
        if not now and time.monotonic() - self.said < TOLD:
            return
        self.said = time.monotonic()
        held, best = self.told.held, self.told.best
        note = "" if not held else f"{held[-1]:.4g} held out, best {best:.4g}" if self.score else f"{held[-1]:.4g}"
        self.watch(Event(self.name, min(int(self._share() * self.steps), self.steps), self.steps, note))

    def _save(self) -> None:
        assert self.path is not None  # noqa: S101
        told: dict[str, Any] = {name: getattr(self.told, name) for name in Told.__slots__}
        file.save(self.path, self.identity, self.hands, self.generator, told)
        self.saved = time.monotonic()
