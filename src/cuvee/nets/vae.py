"""A variational autoencoder of rows of numbers and categories.

Source: Kingma and Welling (2014), Auto-encoding variational Bayes; Kingma et al. (2016), Improving variational
inference with inverse autoregressive flow, appendix C.8 (free bits).
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cuvee.nets.columns import Linear
from cuvee.nets.layers import Trunk
from cuvee.nets.rows import Batch, Reader, Shape, mixture_log_prob

SMALL = (-6.0, 2.0)
"""The logarithm of the scale of a latent lies between these."""
SPREAD = 1.2
"""Components of a number's mixture begin within so many deviations of 0."""


class Vae(nn.Module):
    """An encoder, q(z | x) = N(mu(x), sigma(x)^2), and a decoder, p(x | z), whose columns are independent given z."""

    def __init__(
        self,
        shape: Shape,
        masses: Sequence[NDArray[np.float64]],
        *,
        width: int,
        depth: int,
        latent: int,
        components: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.shape, self.latent, self.components = shape, latent, components
        self.reader = Reader(shape)
        self.read = Trunk(self.reader.width, width, depth, generator=generator)
        self.place = Linear(width, 2 * latent, generator=generator, scale=0.5)
        self.tell = Trunk(latent, width, depth, generator=generator)
        self.odds = Linear(width, shape.odds, generator=generator, scale=0.1)
        self.parts = Linear(width, shape.numbers * 3 * components, generator=generator, scale=0.1)
        with torch.no_grad():
            self.odds.bias.copy_(torch.from_numpy(np.log(np.maximum(np.concatenate([*masses, np.zeros(0)]), 1e-6))))
            bias = self.parts.bias.view(shape.numbers, 3, components)
            bias[:, 1] = torch.linspace(-SPREAD, SPREAD, components) if components > 1 else 0.0

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Means and logarithms of scales of the latents, (n, latents) each."""
        mean, scale = self.place(self.read(self.reader.of(batch))).float().chunk(2, dim=1)
        return mean, (scale - 1).clamp(*SMALL)

    def decode(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Log odds, (n, codes), and mixtures of the numbers, (n, numbers, 3, components), of (n, latents)."""
        known = self.tell(latents)
        return self.odds(known).float(), self.parts(known).float().view(
            len(known), self.shape.numbers, 3, self.components
        )

    def log_prob(self, batch: Batch, latents: Tensor) -> Tensor:
        """(n, columns), the log probability of each number and category given latents, (n, latents)."""
        odds, parts = self.decode(latents)
        numbers = mixture_log_prob(parts, batch.scores) * batch.there
        return torch.cat([numbers, self.reader.blocks.log_prob(odds, batch.codes)], dim=1)


def divergence(mean: Tensor, log_scale: Tensor) -> Tensor:
    """(n, latents), KL(q || N(0, 1)) of each latent in nats: Kingma and Welling (2014), appendix B."""
    return 0.5 * (mean**2 + (2 * log_scale).exp() - 1) - log_scale


class Bound:
    """The loss: minus the evidence lower bound, with the divergence weighed and its first nats free.

    L = E_q[-log p(x | z)] + alpha * sum_j max(KL_j, free): Kingma and Welling (2014), equation 3.
    """

    def __init__(self, net: Vae, rows: Batch, free: float, weight: Callable[[float], float]) -> None:
        self.net, self.rows, self.free, self.weight = net, rows, free, weight
        self.alpha = weight(0.0)

    def at(self, share: float) -> None:
        """So much of the training is over."""
        self.alpha = self.weight(share)

    def __call__(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """(n,), in nats."""
        return self._of(rows, generator, self.alpha)

    def whole(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The same with the weight that the divergence has in the end."""
        return self._of(rows, generator, self.weight(1 - 1e-9))

    def _of(self, rows: Tensor, generator: torch.Generator, alpha: float) -> Tensor:
        batch = self.rows.take(rows)
        mean, scale = self.net.encode(batch)
        noise = torch.randn(mean.shape, generator=generator).to(mean.device)
        cost = divergence(mean, scale).mean(0).clamp(min=self.free).sum()
        return alpha * cost - self.net.log_prob(batch, mean + scale.exp() * noise).sum(1)
