"""The one training loop: small batches, averaged weights, stopped by rows that are held out, kept within a time.

A network that has one loss is trained by `train`. Networks that play against each other, each with a loss and an
optimiser of its own, are trained by `train_all`, which is the same loop. Losses are given the numbers of the rows of a
batch, and hold the arrays themselves:

    generator = generator_of(rng)
    rows, held = part(n, 0.1, least=20, generator=generator)
    history = train(net, lambda rows, generator: net.loss(table[rows]), rows, held, Schedule(30), generator=generator)
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from cuvee.core import Watch, silent
from cuvee.nets.device import threads
from cuvee.nets.plan import History, Learner, Loss, Schedule, Score
from cuvee.nets.run import Run

__all__ = ["History", "Learner", "Loss", "Schedule", "Score", "mean_loss", "part", "train", "train_all"]


def train(  # noqa: PLR0913 (what may be said of one training)
    net: nn.Module,
    loss: Loss,
    rows: Tensor,
    held: Tensor,
    schedule: Schedule,
    *,
    generator: torch.Generator,
    score: Score | None = None,
    watch: Watch = silent,
    step: str = "train",
    checkpoint: Path | None = None,
) -> History:
    """Train one network in place; see `train_all`. Without a score, the loss of held-out rows is one."""
    learner = Learner(net, loss)
    if score is None and len(held):
        score = mean_loss(learner, held, 4 * schedule.batch)
    return train_all(
        [learner], rows, schedule, score=score, generator=generator, watch=watch, step=step, checkpoint=checkpoint
    )


def train_all(
    learners: Sequence[Learner],
    rows: Tensor,
    schedule: Schedule,
    *,
    generator: torch.Generator,
    score: Score | None = None,
    watch: Watch = silent,
    step: str = "train",
    checkpoint: Path | None = None,
) -> History:
    """Train networks in place; they end with the averaged weights that were best by the score.

    Judgements all use the same random numbers, so two of them differ by what was learned alone. Without a score the
    last averaged weights are kept. An interruption (KeyboardInterrupt) ends the training and keeps the best weights so
    far; the history says so. A loss that is no longer a number takes all networks back to their best weights, at half
    the rate. The same generator gives the same bytes on the CPU, also where a checkpoint was gone on from, unless time
    ran out.

    Source: Loshchilov and Hutter (2019), Decoupled weight decay regularization; Polyak and Juditsky (1992),
    Acceleration of stochastic approximation by averaging.

    Args:
        learners: The networks; in each step they learn one after the other from the same rows.
        rows: (n,), the numbers of the training rows, on the CPU; n > 0.
        schedule: How long and how fast.
        generator: For the order of rows and what losses draw; on the CPU.
        score: How good the weights are; called in a state where networks hold their averaged weights.
        watch: Told of progress, with the last score in the note.
        step: What progress is called.
        checkpoint: A file in which the training is kept twice a minute, and gone on from where it is of this very
            training; it is removed in the end. It holds weights, and no rows.

    Raises:
        ModelError: The loss is no number however small the rate, or the file is no checkpoint.
    """
    with threads(schedule.threads):
        run = Run(learners, rows, schedule, score, generator=generator, watch=watch, step=step, checkpoint=checkpoint)
        run.open()
        try:
            run.go()
        except KeyboardInterrupt:
            run.ended = "interrupted"
        run.close()
    return run.history()


def mean_loss(learner: Learner, held: Tensor, batch: int) -> Score:
    """The mean loss of held-out rows as a score."""

    def score(generator: torch.Generator) -> float:
        total = 0.0
        for part in held.split(batch):
            total += float(learner.loss(part, generator).detach().mean()) * len(part)
        return total / len(held)

    return score


def part(n: int, share: float, *, least: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The numbers of n rows, parted at random into those to learn from and those held out: none of too few rows."""
    order = torch.randperm(n, generator=generator)
    cut = round(n * share)
    cut = 0 if cut < least else cut
    return order[cut:].sort().values, order[:cut].sort().values
