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

    def log_parts(self, points: Tensor, products: Tensor) -> Tensor:
        """(n, k), the log density of each component times its share.

        The quadratic form is linear in the products of coordinates, so that all components take one product of
        matrices.

        Args:
            points: (n, d), in double precision, which the cancellation takes.
            products: (n, d (d + 1) / 2), of `products_of`.
        """
        inverse = torch.linalg.inv(self.factors.double())
        precision = inverse.mT @ inverse
        size = self.factors.double().diagonal(dim1=1, dim2=2).log().sum(1) + 0.5 * points.shape[1] * log(2 * pi)
        towards = (precision @ self.means.double()[:, :, None])[:, :, 0]
        constant = self.shares.double().log() - size - 0.5 * (towards * self.means).sum(1)
        first, second = torch.triu_indices(points.shape[1], points.shape[1])
        twice = torch.where(first == second, 0.5, 1.0).double()
        return constant + points @ towards.T - products @ (precision[:, first, second] * twice).T

    def log_prob(self, points: Tensor) -> Tensor:
        """(n,), in nats."""
        parts = (part.double() for part in points.split(PART))
        return torch.cat([self.log_parts(p, products_of(p)).logsumexp(1) for p in parts]).to(points.dtype)


def products_of(points: Tensor) -> Tensor:
    """The products of every two coordinates, (n, d (d + 1) / 2), in the order of `torch.triu_indices`."""
    first, second = torch.triu_indices(points.shape[1], points.shape[1])
    return points[:, first] * points[:, second]


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
    squares, score = points.new_zeros(k, d * (d + 1) // 2), 0.0
    for part in points.split(PART):
        products = products_of(part)
        logs = mixture.log_parts(part, products)
        total = logs.logsumexp(1, keepdim=True)
        weights = (logs - total).exp()
        counts += weights.sum(0)
        sums += weights.T @ part
        squares += weights.T @ products
        score += float(total.sum())
    kept = counts >= min(least, float(counts.max()))
    counts, sums, squares = counts[kept], sums[kept], squares[kept]
    means = sums / counts[:, None]
    first, second = torch.triu_indices(d, d)
    whole_squares = points.new_zeros(len(counts), d, d)
    whole_squares[:, first, second] = whole_squares[:, second, first] = squares
    spread = whole_squares / counts[:, None, None] - means[:, :, None] * means[:, None, :]
    # A component of few points is drawn towards the shape of all: as if it had d points of it.
    share = (counts / (counts + d))[:, None, None]
    spread = share * spread + (1 - share) * whole / len(mixture.means) ** (2 / d)
    spread = (spread + spread.mT) / 2 + floor * torch.eye(d, dtype=points.dtype)
    return Mixture(counts / counts.sum(), means, torch.linalg.cholesky(spread)), score / len(points)
