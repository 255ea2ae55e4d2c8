"""A mixture of normal distributions in the place of N(0, 1): where the latents of real rows lie.

Source: Dempster, Laird and Rubin (1977), Maximum likelihood from incomplete data via the EM algorithm; Tomczak and
Welling (2018), VAE with a VampPrior, section 2 (the best prior is the aggregate posterior).
"""

from dataclasses import dataclass
from math import log, pi

import torch
from torch import Tensor

ROUNDS = 30
"""Rounds of expectation and maximisation at most."""
STILL = 1e-3
"""Nats a row; a round that gains less is the last."""
PART = 8_192
"""Rows that are worked on at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A mixture of normal distributions.

    Attributes:
        shares: (k,), which sum to 1.
        means: (k, d).
        factors: (k, d, d), Cholesky factors of the covariances.
    """

    shares: Tensor
    means: Tensor
    factors: Tensor

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, d)."""
        ends = self.shares.cumsum(0)
        which = torch.searchsorted(ends, torch.rand(n, generator=generator, dtype=ends.dtype) * ends[-1])
        noise = torch.randn(n, self.means.shape[1], generator=generator)
        result = torch.empty_like(noise)
        for k in which.unique().tolist():
            mine = which == k
            result[mine] = self.means[k] + noise[mine] @ self.factors[k].T
        return result

    def log_parts(self, points: Tensor) -> Tensor:
        """(n, k), the log density of each component times its share at points, (n, d)."""
        inverse = torch.linalg.inv(self.factors)
        size = self.factors.diagonal(dim1=1, dim2=2).log().sum(1) + 0.5 * points.shape[1] * log(2 * pi)
        moved = torch.einsum("kij,nj->nki", inverse, points) - torch.einsum("kij,kj->ki", inverse, self.means)
        return self.shares.log() - size - 0.5 * (moved**2).sum(2)

    def log_prob(self, points: Tensor) -> Tensor:
        """(n,), in nats."""
        return torch.cat([self.log_parts(p).logsumexp(1) for p in points.split(PART)])


def fit_mixture(points: Tensor, components: int, *, floor: float, least: float, generator: torch.Generator) -> Mixture:
    """The mixture of points, (n, d), by expectation and maximisation.

    Args:
        points: The points.
        components: How many components at most.
        floor: Variances are at least this.
        least: A component that holds fewer points than this is dropped, so that none is a point's memory.
        generator: Draws where components begin.
    """
    points = points.double()
    n, d = points.shape
    k = max(min(components, int(n / (4 * least))), 1)
    whole = points.T.cov().reshape(d, d) if n > 1 else torch.eye(d, dtype=points.dtype)
    whole = whole.nan_to_num() + floor * torch.eye(d, dtype=points.dtype)
    start = points[torch.randperm(n, generator=generator)[:k]]
    factors = torch.linalg.cholesky(whole / max(k, 1) ** (2 / max(d, 1))).expand(k, d, d)
    mixture, before = Mixture(torch.full((k,), 1 / k, dtype=points.dtype), start, factors), float("-inf")
    for _ in range(ROUNDS):
        mixture, score = _round(points, mixture, whole, floor=floor, least=least)
        if score - before < STILL:
            break
        before = score
    return Mixture(mixture.shares.float(), mixture.means.float(), mixture.factors.float())


def _round(points: Tensor, mixture: Mixture, whole: Tensor, *, floor: float, least: float) -> tuple[Mixture, float]:
    """One round: a better mixture, and the mean log density of the one before."""
    k, d = mixture.means.shape
    counts, sums = points.new_zeros(k), points.new_zeros(k, d)
    squares, score = points.new_zeros(k, d * d), 0.0
    for part in points.split(PART):
        logs = mixture.log_parts(part)
        total = logs.logsumexp(1, keepdim=True)
        weights = (logs - total).exp()
        counts += weights.sum(0)
        sums += weights.T @ part
        squares += weights.T @ (part[:, :, None] * part[:, None, :]).flatten(1)
        score += float(total.sum())
    kept = counts >= min(least, float(counts.max()))
    counts, sums, squares = counts[kept], sums[kept], squares[kept]
    means = sums / counts[:, None]
    spread = squares.view(-1, d, d) / counts[:, None, None] - means[:, :, None] * means[:, None, :]
    # A component of few points is drawn towards the shape of all: as if it had d points of it.
    share = (counts / (counts + d))[:, None, None]
    spread = share * spread + (1 - share) * whole / len(mixture.means) ** (2 / d)
    spread = (spread + spread.mT) / 2 + floor * torch.eye(d, dtype=points.dtype)
    return Mixture(counts / counts.sum(), means, torch.linalg.cholesky(spread)), score / len(points)
