"""What a training is told, and what it tells: losses, a schedule, learners, and the history."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl
import torch
from torch import Tensor, nn


class Loss(Protocol):
    """What is made small: (n,), one figure for each of these rows (or one for all of them).

    Called with the numbers of the rows of a batch, on the CPU, and a generator for all that is random.
    """

    def __call__(self, rows: Tensor, generator: torch.Generator) -> Tensor: ...


Score = Callable[[torch.Generator], float]
"""How good the averaged weights are by what was held out, the lower the better; its generator is the same each time."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast networks learn.

    Attributes:
        epochs: How often all rows are seen at most.
        batch: Rows of one step.
        rate: The highest learning rate; it rises over `warm` steps, then falls along a cosine.
        decay: How far weights are drawn to 0 in each step, as a share of the rate.
        warm: Steps in which the rate rises.
        average: How much of the averaged weights is kept in each step, at most.
        patience: So many judgements without a better one end it.
        judged: Epochs between two judgements by what is held out.
        clip: Gradients are cut to this length.
        betas: How much of the mean gradient, and of its square, is kept in each step (Adam).
        seconds: How long it may take, about; None for as long as it takes. It is checked after every step.
        threads: On how many threads, on the CPU; None: as many as are of use. Small steps are slower on more than one.
    """

    epochs: int
    batch: int = 512
    rate: float = 2e-3
    decay: float = 0.01
    warm: int = 50
    average: float = 0.999
    patience: int = 5
    judged: int = 1
    clip: float = 1.0
    betas: tuple[float, float] = (0.9, 0.99)
    seconds: float | None = None
    threads: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Learner:
    """A network with a loss and an optimiser of its own.

    Attributes:
        net: The network, already on its device.
        loss: What it makes small. Only its own weights move, whatever else the loss was computed with.
        name: What its loss is called in the history.
        every: It learns in every so many-th step: 5 for a generator whose critic takes five.
        rate: Its learning rate as a share of that of the schedule.
        at: Told before each of its steps how much of the training is over, in [0, 1), for what changes on the way.
    """

    net: nn.Module
    loss: Loss
    name: str = "train"
    every: int = 1
    rate: float = 1.0
    at: Callable[[float], None] | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What happened.

    Attributes:
        losses: By learner, the mean loss of each epoch.
        held: The score of the averaged weights after each epoch; the one before where an epoch was not judged.
        rates: The learning rate at the end of each epoch.
        seconds: From the start to the end of each epoch.
        best: The epoch whose weights were kept, from 0; -1 where none was judged.
        ended: Why it ended: "epochs", "patience", "time" or "interrupted".
        notes: What went wrong and was mended, in sentences.
    """

    losses: Mapping[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    held: tuple[float, ...] = ()
    rates: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()
    best: int = -1
    ended: str = "epochs"
    notes: tuple[str, ...] = ()

    @property
    def train(self) -> tuple[float, ...]:
        """The mean loss of the first learner in each epoch."""
        return next(iter(self.losses.values()), ())

    def frame(self) -> pl.DataFrame:
        """One row an epoch: `epoch` (from 1), the losses by their names, `held`, `rate`, `seconds` and `kept`."""
        columns = {
            "epoch": pl.int_range(1, len(self.held) + 1, eager=True),
            **{name: pl.Series(values, dtype=pl.Float64) for name, values in self.losses.items()},
            "held": pl.Series(self.held, dtype=pl.Float64),
            "rate": pl.Series(self.rates, dtype=pl.Float64),
            "seconds": pl.Series(self.seconds, dtype=pl.Float64),
        }
        return pl.DataFrame(columns).with_columns((pl.col("epoch") == self.best + 1).alias("kept"))
