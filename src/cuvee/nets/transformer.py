"""A transformer over columns that reads and writes them in any order.

A row is a sequence of columns in some order; each token holds the value of the column before and the name of the column
that it predicts, and sees all tokens before it.
Source: Vaswani et al. (2017), Attention is all you need; Pannatier, Courdier and Fleuret (2024), sigma-GPTs, section 2.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from cuvee.nets.columns import Codes, Linear, normal, tables

Cache = list[tuple[Tensor, Tensor]]
"""Keys and values of each block so far, (places, rows, heads, width of a head) each."""


class Block(nn.Module):
    """Attention to what stands before, then two layers on each token by itself; each after a normalisation."""

    def __init__(self, width: int, heads: int, inner: int, *, depth: int, generator: torch.Generator) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask = Linear(width, 3 * width, generator=generator)
        # What is added to the stream shrinks with the depth: Radford et al. (2019), GPT-2, section 2.3.
        small = (2 * depth) ** -0.5
        self.give = Linear(width, width, generator=generator, scale=small)
        self.wide = Linear(width, inner, generator=generator)
        self.narrow = Linear(inner, width, generator=generator, scale=small)

    def forward(self, x: Tensor) -> Tensor:
        """(n, t, width): every token sees itself and those before it."""
        n, t, width = x.shape
        q, k, v = self.ask(self.first(x)).view(n, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self._join(x, seen.transpose(1, 2).reshape(n, t, width))

    def step(self, x: Tensor, past: tuple[Tensor, Tensor], at: int) -> Tensor:
        """(n, width): the token of place `at`, whose keys and values are written into `past`."""
        n, width = x.shape
        q, k, v = self.ask(self.first(x)).view(n, 3, self.heads, width // self.heads).unbind(1)
        past[0][at], past[1][at] = k, v
        # One query a row: sums of products are faster than general attention.
        near = torch.linalg.vecdot(q, past[0][: at + 1]) * (width // self.heads) ** -0.5
        seen = (near.softmax(dim=0)[..., None] * past[1][: at + 1]).sum(dim=0)
        return self._join(x, seen.reshape(n, width))

    def _join(self, x: Tensor, seen: Tensor) -> Tensor:
        x = x + self.give(seen)
        return x + self.narrow(functional.gelu(self.wide(self.second(x)), approximate="tanh"))


class Head(nn.Module):
    """Log odds of the codes of one column out of what a token knows: a hidden layer, then a vector for each code."""

    def __init__(self, codes: Codes, width: int, rank: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.hidden = Linear(width, rank, generator=generator)
        (self.table,) = tables([codes], rank, scale=0.3 * rank**-0.5, generator=generator)
        floor = 1e-6
        self.bias = nn.Parameter(torch.from_numpy(codes.masses).float().clamp(min=floor).log())

    def forward(self, x: Tensor) -> Tensor:
        """(n, m), of (n, width)."""
        return functional.linear(functional.gelu(self.hidden(x), approximate="tanh"), self.table(), self.bias)


class ColumnTransformer(nn.Module):
    """The probability of every column given those before it, for any order of the columns."""

    def __init__(
        self,
        columns: Sequence[Codes],
        *,
        width: int,
        depth: int,
        heads: int,
        rank: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.values = tables(columns, width, scale=1.0, generator=generator)
        self.names = normal(len(columns), width, scale=1.0, generator=generator)
        self.start = normal(width, scale=1.0, generator=generator)
        self.blocks = nn.ModuleList(
            [Block(width, heads, 2 * width, depth=depth, generator=generator) for _ in range(depth)]
        )
        self.last = nn.LayerNorm(width)
        self.chances = nn.ModuleList([Head(c, width, rank, generator=generator) for c in columns])

    def vectors(self) -> tuple[Tensor, Tensor]:
        """(codes, width), the vectors of the codes of all columns, and (columns,), the first code of each."""
        tables = [table() for table in self.values]
        sizes = torch.tensor([0, *(len(t) for t in tables)], device=tables[0].device)
        return torch.cat(tables), sizes.cumsum(0)[:-1]

    def forward(self, codes: Tensor, order: Tensor) -> Tensor:
        """(n, columns, width): what is known before each column, by column, with the columns read in this order.

        Args:
            codes: (n, columns).
            order: (n, columns), the column at each place.
        """
        vectors, first = self.vectors()
        read = functional.embedding((codes + first).gather(1, order[:, :-1]), vectors)
        x = torch.cat([self.start.expand(len(codes), 1, -1), read], dim=1) + self.names[order]
        for block in self.blocks:
            x = block(x)
        place = order.argsort(dim=1)
        return self.last(x).gather(1, place[..., None].expand(-1, -1, self.width))

    def log_prob(self, codes: Tensor, order: Tensor) -> Tensor:
        """(n, columns), the log probability of each code given the columns before it in the order."""
        known = self(codes, order)
        parts = [
            -functional.cross_entropy(head(known[:, f]), codes[:, f], reduction="none")
            for f, head in enumerate(self.chances)
        ]
        return torch.stack(parts, dim=1)
