"""A generator and a discriminator of rows of numbers and categories, and the game between them.

Source: Goodfellow et al. (2014), Generative adversarial nets; Gulrajani et al. (2017), Improved training of Wasserstein
GANs; Lim and Ye (2017), Geometric GAN (hinge); Mescheder et al. (2018), Which training methods for GANs do actually
converge? (the penalty R1); Lin et al. (2018), PacGAN; Xu et al. (2019), Modeling tabular data using conditional GAN
(training by sampling).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import relu, softplus

from cuvee.nets.columns import Linear
from cuvee.nets.layers import Trunk
from cuvee.nets.rows import Batch, Blocks, Reader, Shape

Loss = Literal["classical", "wasserstein", "hinge"]

SOFT = 0.5
"""The temperature of drawn categories: Jang et al. (2017), Categorical reparameterization with Gumbel-softmax."""


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Rows that a generator made, and through which a gradient flows.

    Attributes:
        scores: (n, numbers).
        there: (n, numbers), 1 where the categories say that there is a number.
        shares: (n, codes), 1 for the code of each category; its gradient is that of a soft draw.
        odds: (n, codes), the log odds that were drawn from.
    """

    scores: Tensor
    there: Tensor
    shares: Tensor
    odds: Tensor


class Generator(nn.Module):
    """x_G = G(z, c): numbers and log odds of categories from noise and a condition."""

    def __init__(
        self,
        shape: Shape,
        masses: Sequence[NDArray[np.float64]],
        gates: Sequence[int],
        *,
        noise: int,
        width: int,
        depth: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.shape, self.noise, self.gates = shape, noise, tuple(gates)
        self.blocks = Blocks(shape.sizes)
        self.trunk = Trunk(noise + shape.odds, width, depth, generator=generator)
        self.scores = Linear(width, shape.numbers, generator=generator)
        self.odds = Linear(width, shape.odds, generator=generator, scale=0.5)
        with torch.no_grad():
            self.odds.bias.copy_(torch.from_numpy(np.log(np.maximum(np.concatenate([*masses, np.zeros(0)]), 1e-6))))

    def forward(self, noise: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Scores, (n, numbers), and log odds, (n, codes), of (n, noise) and one-hot conditions, (n, codes)."""
        known = self.trunk(torch.cat([noise, condition], dim=1))
        return self.scores(known).float(), self.odds(known).float()

    def make(self, noise: Tensor, condition: Tensor, uniforms: Tensor) -> Made:
        """Rows, with hard categories whose gradient is that of soft ones; uniforms are (n, codes)."""
        scores, odds = self(noise, condition)
        noisy = odds - (-uniforms.clamp(1e-20, 1 - 1e-7).log()).log()
        soft = self.blocks.shares(noisy / SOFT)
        hard = self.blocks.one_hot(self.blocks.best(noisy))
        shares = hard + soft - soft.detach()
        return Made(scores, self.there(shares), shares, odds)

    def there(self, shares: Tensor) -> Tensor:
        """(n, numbers), whether there is a number by the categories."""
        parts = [shares[:, g] if g >= 0 else shares.new_ones(len(shares)) for g in self.gates]
        return torch.stack(parts, dim=1) if parts else shares.new_zeros(len(shares), 0)


class Discriminator(nn.Module):
    """D(x): how real some rows look together, of as many rows as are packed."""

    def __init__(self, shape: Shape, *, pack: int, width: int, depth: int, generator: torch.Generator) -> None:
        super().__init__()
        self.pack, self.reader = pack, Reader(shape)
        self.trunk = Trunk((self.reader.width + shape.odds) * pack, width, depth, generator=generator)
        self.last = Linear(width, 1, generator=generator)

    def forward(self, features: Tensor) -> Tensor:
        """(n / pack,), log odds of being real, of (n, features) beside their conditions."""
        return self.last(self.trunk(features.view(len(features) // self.pack, -1)))[:, 0].float()


class Conditions:
    """Which code of which category a row is asked to have, and real rows that have it.

    Categories are drawn evenly, and their codes by the logarithm of how many rows have them in training, so that rare
    ones are learned too; by their own shares when rows are made, so that rows are as common as they are.
    Source: Xu et al. (2019), section 4.3.
    """

    def __init__(self, blocks: Blocks, codes: Tensor, rows: Tensor) -> None:
        own = codes[rows] + blocks.first.cpu()
        self.width = len(blocks.member)
        self.counts = torch.bincount(own.flatten(), minlength=self.width)
        self.starts = self.counts.cumsum(0) - self.counts
        self.order = rows[own.T.flatten().argsort(stable=True) % max(len(rows), 1)]
        weights = (self.counts + 1.0).log() * (self.counts > 0)
        self.weights = weights / (weights @ blocks.member.cpu() @ blocks.member.cpu().T).clamp(min=1e-12)

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(n,), codes among those of all categories, and for each the number of a row that has it."""
        codes = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        place = torch.rand(n, generator=generator, dtype=torch.float64) * self.counts[codes]
        return codes, self.order[self.starts[codes] + place.long()]


class Game:
    """The two losses.

    classical: the discriminator makes -E[log D(x)] - E[log(1 - D(G(z)))] small, and the generator, which does not
    saturate, -E[log D(G(z))]. wasserstein: E[D(G(z))] - E[D(x)] with a gradient of length 1 between the two, against
    -E[D(G(z))]. hinge: E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]. In the first and the last the gradient of D at
    real rows is kept small.
    """

    def __init__(
        self,
        maker: Generator,
        judge: Discriminator,
        rows: Batch,
        conditions: Conditions | None,
        *,
        loss: Loss,
        penalty: float,
    ) -> None:
        self.maker, self.judge, self.rows, self.conditions = maker, judge, rows, conditions
        self.loss, self.penalty = loss, penalty

    def of_judge(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """What the discriminator makes small, one figure."""
        asked, codes, mine = self._asked(rows, generator)
        del codes
        real = torch.cat([self.judge.reader.of(self.rows.take(mine)), asked], dim=1)
        with torch.no_grad():
            made = self._features(self._made(asked, generator), asked)
        if self.loss == "wasserstein":
            share = torch.rand(len(real) // self.judge.pack, 1, generator=generator).to(real.device)
            share = share.repeat_interleave(self.judge.pack, dim=0)
            between = (real * share + made * (1 - share)).requires_grad_()
            length = self._slope(self.judge(between), between).clamp(min=1e-12).sqrt()
            return self.judge(made).mean() - self.judge(real).mean() + self.penalty * ((length - 1) ** 2).mean()
        real.requires_grad_()
        true, false = self.judge(real), self.judge(made)
        if self.loss == "hinge":
            value = relu(1 - true).mean() + relu(1 + false).mean()
        else:
            value = softplus(-true).mean() + softplus(false).mean()
        return value + self.penalty / 2 * self._slope(true, real).mean()

    def of_maker(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """What the generator makes small, one figure: its part of the game, and how far it misses its conditions."""
        asked, codes, _ = self._asked(rows, generator)
        made = self._made(asked, generator)
        found = self.judge(self._features(made, asked))
        value = softplus(-found).mean() if self.loss == "classical" else -found.mean()
        if codes is None:
            return value
        own = (made.odds * asked).sum(1) - (self.maker.blocks.log_totals(made.odds) * self._column(asked)).sum(1)
        return value - own.mean()

    def _asked(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None, Tensor]:
        """One-hot conditions, (n, codes), the codes, and rows that meet them; as many as fill packs."""
        device, n = self.rows.scores.device, max(len(rows) // self.judge.pack, 1) * self.judge.pack
        if self.conditions is None:
            some = rows[:n] if len(rows) >= n else rows.repeat(-(-n // len(rows)))[:n]
            return torch.zeros(n, self.maker.shape.odds, device=device), None, some
        codes, mine = self.conditions.draw(n, generator)
        hot = torch.zeros(n, self.conditions.width).scatter_(1, codes[:, None], 1.0).to(device)
        return hot, codes, mine

    def _made(self, asked: Tensor, generator: torch.Generator) -> Made:
        noise = torch.randn(len(asked), self.maker.noise, generator=generator).to(asked.device)
        return self.maker.make(noise, asked, torch.rand(asked.shape, generator=generator).to(asked.device))

    def _features(self, made: Made, asked: Tensor) -> Tensor:
        return torch.cat([self.judge.reader(made.scores, made.there, made.shares), asked], dim=1)

    def _column(self, asked: Tensor) -> Tensor:
        return asked @ self.maker.blocks.member

    def _slope(self, value: Tensor, at: Tensor) -> Tensor:
        """(n / pack,), the squared length of the gradient of each value."""
        (found,) = torch.autograd.grad(value.sum(), at, create_graph=True)
        return (found.view(len(value), -1) ** 2).sum(1)
