"""A flow of numbers and a masked process of categories, learned as one: velocities and probabilities at every time.

Numbers go on straight lines from noise, x_t = (1 - t) x_0 + t x_1, and the network learns the mean velocity x_1 - x_0
given where all columns are. A category is masked until a time of its own, uniform on (0, 1), and the network learns its
probabilities given what is unmasked and where the numbers are. Both together make one process on the product of spaces.
Source: Lipman et al. (2023), Flow matching for generative modeling, section 4; Sahoo et al. (2024), Simple and
effective masked diffusion language models, equation 10; Holderrieth et al. (2024), Generator matching, section 7.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from cuvee.nets.columns import Codes, Linear, normal, tables

KNOTS = 16
"""A number is read along so many knots of its rank, beside itself."""
WAVES = 16
"""The time is read as so many sines and cosines."""


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """Rows of both kinds.

    Attributes:
        numbers: (n, numbers), normal scores.
        codes: (n, categories); the number of codes of a column means masked.
    """

    numbers: Tensor
    codes: Tensor


class Layer(nn.Module):
    """Two layers beside the stream, told the time."""

    def __init__(self, width: int, *, depth: int, generator: torch.Generator) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.wide = Linear(width, width, generator=generator)
        self.time = Linear(width, width, generator=generator, scale=0.5)
        self.narrow = Linear(width, width, generator=generator, scale=depth**-0.5)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        return x + self.narrow(functional.silu(self.wide(self.norm(x)) + self.time(time)))


class FlowNet(nn.Module):
    """Velocities of numbers, and log odds of categories, out of where all of them are at a time."""

    def __init__(
        self, numbers: int, columns: Sequence[Codes], *, width: int, depth: int, own: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.sizes = [len(c.masses) for c in columns]
        self.numbers = numbers
        self.read_codes = tables(columns, own, scale=1.0, generator=generator)
        self.masked = normal(len(columns), own, scale=1.0, generator=generator)
        self.read_numbers = normal(numbers, 2 * KNOTS + 3, own, scale=0.5, generator=generator)
        self.into = Linear(own * (numbers + len(columns)), width, generator=generator)
        self.clock = Linear(2 * WAVES, width, generator=generator)
        self.layers = nn.ModuleList([Layer(width, depth=depth, generator=generator) for _ in range(depth)])
        self.last = nn.LayerNorm(width)
        self.velocity = Linear(width, numbers, generator=generator, scale=0.1)
        self.odds = Linear(width, sum(self.sizes), generator=generator, scale=0.1)
        with torch.no_grad():
            for part, column in zip(self.odds.bias.split(self.sizes), columns, strict=True):
                part.copy_(torch.from_numpy(column.masses).float().clamp(min=1e-6).log())

    def forward(self, rows: Mixed, time: Tensor, given: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Velocities (n, numbers), and log odds of each category (n, codes).

        Args:
            rows: Where they are.
            time: (n,), in [0, 1]; or (1,), the same for all rows.
            given: (n, numbers), which numbers are already where they end.
        """
        parts: list[Tensor] = []
        if self.numbers:
            parts.append(torch.einsum("nfk,fkw->nfw", self._seen(rows.numbers, given), self.read_numbers))
        if self.sizes:
            read = [
                functional.embedding(rows.codes[:, f], torch.cat([table(), self.masked[f : f + 1]]))
                for f, table in enumerate(self.read_codes)
            ]
            parts.append(torch.stack(read, dim=1))
        clock = functional.silu(self.clock(waves(time)))
        x = self.into(torch.cat(parts, dim=1).flatten(1)) + clock
        for layer in self.layers:
            x = layer(x, clock)
        x = self.last(x)
        # The velocity of independent normal numbers is known; the network learns what is beside it.
        mean = (2 * time - 1) / (time**2 + (1 - time) ** 2)
        return mean[:, None] * rows.numbers + self.velocity(x), list(self.odds(x).split(self.sizes, dim=1))

    def _seen(self, numbers: Tensor, given: Tensor) -> Tensor:
        """(n, numbers, 2 KNOTS + 3): shares of knots and the number, both again if it is given, and whether it is."""
        place = torch.special.ndtr(numbers) * (KNOTS - 1)
        hats = (1 - (place[..., None] - torch.arange(KNOTS, device=numbers.device)).abs()).clamp(min=0)
        own, sure = torch.cat([hats, numbers[..., None]], dim=2), given[..., None].to(numbers.dtype)
        # What is given has the same meaning at all times, what moves has not.
        return torch.cat([own, own * sure, sure], dim=2)


def waves(time: Tensor) -> Tensor:
    """(n, 2 WAVES), sines and cosines of a time, of frequencies from a half to about a hundred turns."""
    speed = torch.pi * 1.4 ** torch.arange(WAVES, device=time.device)
    return torch.cat([(time[:, None] * speed).sin(), (time[:, None] * speed).cos()], dim=1)


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Rows to learn from.

    Attributes:
        low: (n, numbers), where the rank of a number begins, in (0, 1).
        high: (n, numbers), where it ends: beyond `low` for a value that many rows share.
        there: (n, numbers), whether there is a number; else it is noise, and nothing is learned of it.
        codes: (n, categories).
        known: (n, categories), whether a code is that of the value; else nothing is learned of it.
    """

    low: Tensor
    high: Tensor
    there: Tensor
    codes: Tensor
    known: Tensor

    def rows(self, which: Tensor) -> "Lesson":
        """Some of the rows."""
        return Lesson(*(a[which] for a in (self.low, self.high, self.there, self.codes, self.known)))

    def scores(self, generator: torch.Generator) -> Tensor:
        """(n, numbers), normal scores of ranks drawn evenly between low and high, or noise."""
        shape, device = self.low.shape, self.low.device
        rank = self.low + (self.high - self.low) * torch.rand(shape, generator=generator).to(device)
        noise = torch.randn(shape, generator=generator).to(device)
        return torch.where(self.there, torch.special.ndtri(rank.clamp(1e-6, 1 - 1e-6)), noise)


def flow_loss(net: FlowNet, rows: Lesson, *, aside: float, generator: torch.Generator) -> Tensor:
    """(n,), the loss of rows at random times: squares of missed velocities, and nats of masked categories.

    Args:
        net: The network.
        rows: Where rows end.
        aside: The share of rows of which some columns are given from the start.
        generator: For times, noise and masks; on the CPU.
    """
    (n, numbers), categories, device = rows.low.shape, rows.codes.shape[1], rows.low.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator).to(device)

    ends = rows.scores(generator)
    # Times are spread evenly over the rows of a step.
    time = (torch.randperm(n, generator=generator).to(device) + uniform(n)) / n
    at, some = time[:, None], uniform(n, 1) * (uniform(n, 1) < aside)
    fixed = uniform(n, numbers) < some
    noise = torch.randn(n, numbers, generator=generator).to(device)
    moved = torch.where(fixed, ends, (1 - at) * noise + at * ends)
    masked = (uniform(n, categories) >= at) & (uniform(n, categories) >= some)
    sizes = torch.tensor(net.sizes, dtype=rows.codes.dtype, device=device)
    velocity, odds = net(Mixed(moved, torch.where(masked, sizes, rows.codes)), time, fixed)
    total = ((velocity - (ends - noise)).square() * (rows.there & ~fixed)).sum(dim=1)
    if odds:
        nats = [functional.cross_entropy(o, rows.codes[:, f], reduction="none") for f, o in enumerate(odds)]
        wanted = masked & rows.known
        # The mean over what is masked, for each category: equation 10 weighs by 1 / (1 - t), whose noise is larger.
        mean = (torch.stack(nats, dim=1) * wanted).sum(dim=1) / masked.sum(dim=1).clamp(min=1)
        total = total + categories * mean
    return total


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where rows start, and what of them is given.

    Attributes:
        rows: Noise where a number is open, masks where a category is; else what is given.
        given: (n, numbers), which numbers are given.
        when: (n, categories), the time in [0, 1) at which a category is unmasked.
        uniforms: (n, categories), what categories are drawn with, in [0, 1).
    """

    rows: Mixed
    given: Tensor
    when: Tensor
    uniforms: Tensor


def follow(net: FlowNet, start: Start, steps: int) -> Mixed:
    """Where rows end: numbers follow their velocity by Heun's rule, categories are drawn when their time comes.

    A category is drawn where the numbers are before the step in which its time lies; the second velocity of the step
    knows it already. One velocity a step would draw numbers together by about 1.5 / steps of their spread.
    """
    x, z = start.rows.numbers, start.rows.codes.clone()
    times = torch.linspace(0, 1, steps + 1).tolist()
    for low, high in pairwise(times):
        first, odds = net(Mixed(x, z), torch.full((1,), low), start.given)
        for f, size in enumerate(net.sizes):
            rows = torch.nonzero((z[:, f] == size) & (start.when[:, f] < high))[:, 0]
            reach = odds[f][rows].softmax(dim=1).cumsum(dim=1)
            drawn = (reach <= start.uniforms[rows, f, None] * reach[:, -1:]).sum(dim=1)
            z[rows, f] = drawn.clamp(max=size - 1)
        if not net.numbers:
            continue
        there = torch.where(start.given, x, x + (high - low) * first)
        second, _ = net(Mixed(there, z), torch.full((1,), high), start.given)
        x = torch.where(start.given, x, x + (high - low) / 2 * (first + second))
    return Mixed(x, z)
