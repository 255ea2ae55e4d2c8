"""What synthesizers that are networks share: how long they learn, their weights as arrays, and the extra they need."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.core import Arrays, Watch
from cuvee.data.errors import MissingExtraError
from cuvee.synthesis.tabular.generated import story

if TYPE_CHECKING:
    from torch import nn

    from cuvee.nets.training import Loss, Schedule

    Net = TypeVar("Net", bound=nn.Module)

SEEN = 800_000
"""Rows are seen again until about this many were seen."""
EPOCHS = (8, 24)
"""All rows are seen at least and at most so often."""
BATCH = (32, 512)
"""Rows of one step, at least and at most."""
HELD, FEW = 0.1, 1_000
"""The share of rows that decides when to stop; twice as much with fewer rows than this."""
LEAST_HELD = 20
"""With fewer rows to hold out than this none are."""


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """What a network learned, and how.

    Attributes:
        weights: Its weights by name.
        history: One row an epoch of the training; none where nothing was to be learned.
        said: What the user should know of the training, in sentences.
    """

    weights: Arrays
    history: pl.DataFrame
    said: tuple[str, ...] = ()

    @classmethod
    def nothing(cls) -> Self:
        """Of a table in which nothing is to be learned."""
        return cls({}, pl.DataFrame())

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """All of it, as JSON values and arrays, but for the seconds of the history: no two fits take the same."""
        told = self.history.drop("seconds", strict=False).to_dict(as_series=False)
        return {"history": told, "said": list(self.said)}, {f"net.{name}": a for name, a in self.weights.items()}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        """What `state` gave."""
        own = {name[4:]: array for name, array in arrays.items() if name.startswith("net.")}
        return cls(own, pl.DataFrame(values["history"]), tuple(values["said"]))


def need_torch(name: str) -> None:
    """Look whether torch is there.

    Raises:
        MissingExtraError: It is not.
    """
    if find_spec("torch") is None:
        raise MissingExtraError(f"{name!r}", "deep")


def scaled_epochs(n: int, *, seen: int = SEEN, most: int = EPOCHS[1]) -> int:
    """How often n rows are seen at most, so that about so many are seen in all; less often where there are very few.

    >>> scaled_epochs(40), scaled_epochs(500), scaled_epochs(32_561), scaled_epochs(1_000_000)
    (8, 24, 24, 8)
    """
    return int(np.clip(min(seen // max(n, 1), n // 8), EPOCHS[0], most))


def scaled_batch(n: int) -> int:
    """How many of n rows a step sees: a power of two, so that an epoch has some steps.

    >>> scaled_batch(40), scaled_batch(500), scaled_batch(32_561)
    (32, 32, 512)
    """
    return int(np.clip(2 ** int(np.log2(max(n, 1) / 12 + 1)), *BATCH))


def thread_count(n: int) -> int | None:
    """On how many threads a network learns n rows: one where its steps are small, else as many as are of use."""
    return 1 if scaled_batch(n) < BATCH[1] else None


def learn_rows(
    net: "nn.Module",
    loss: "Loss",
    n: int,
    schedule: "Schedule",
    *,
    rng: Generator,
    watch: Watch,
    step: str,
    judged: int = 0,
) -> Taught:
    """Train a network on n rows, some of them held out.

    Args:
        net: The network.
        loss: What it makes small.
        n: How many rows there are.
        schedule: How long and how fast.
        rng: For the parts, and what the loss draws.
        watch: Told of progress.
        step: What progress is called.
        judged: Held-out rows are judged again and again until they were at least so often, all together.
    """
    from cuvee.nets.seed import generator_of
    from cuvee.nets.training import part, train

    generator = generator_of(rng)
    rows, held = part(n, HELD if n >= FEW else 2 * HELD, least=LEAST_HELD, generator=generator)
    if len(held):
        held = held.repeat(-(-judged // len(held)) or 1)
    history = train(net, loss, rows, held, schedule, generator=generator, watch=watch, step=step)
    weights = {name: value.detach().cpu().numpy().copy() for name, value in net.state_dict().items()}
    return Taught(weights, history.frame(), story(history, f"The {step}"))


def with_weights(net: "Net", weights: Arrays) -> "Net":
    """The network with these weights."""
    import torch

    net.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
    return net.eval()
