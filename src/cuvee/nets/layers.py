"""Blocks of layers whose weights come from a generator of the caller."""

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from cuvee.nets.columns import Linear


class Residual(nn.Module):
    """Two layers beside the stream, after a normalisation."""

    def __init__(self, width: int, *, depth: int, generator: torch.Generator) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.wide = Linear(width, width, generator=generator, scale=2**0.5)
        self.narrow = Linear(width, width, generator=generator, scale=depth**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(silu(self.wide(self.norm(x))))


class Trunk(nn.Module):
    """A layer to a width, residual blocks, and a normalisation."""

    def __init__(self, inside: int, width: int, depth: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.into = Linear(inside, width, generator=generator)
        self.blocks = nn.ModuleList([Residual(width, depth=depth, generator=generator) for _ in range(depth)])
        self.last = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.into(x)
        for block in self.blocks:
            x = block(x)
        return silu(self.last(x))
