"""Reading rows place by place: each column is asked once, and keys and values of what was read are kept."""

import torch
from torch import Tensor
from torch.nn import functional

from cuvee.nets.transformer import ColumnTransformer


class Reader:
    """Rows that are read from left to right, each in an order of its own; what was read is never read again."""

    def __init__(self, net: ColumnTransformer, rows: int, places: int) -> None:
        self.net, self.at = net, 0
        shape = (places, rows, net.heads, net.width // net.heads)
        self.past = [(torch.empty(shape), torch.empty(shape)) for _ in net.blocks]
        self.before = net.start.expand(rows, -1)
        self.columns = torch.zeros(rows, dtype=torch.int64)
        self.vectors, self.first = net.vectors()

    def ask(self, columns: Tensor) -> Tensor:
        """(rows, width), what is known before a column, (rows,), of each row."""
        self.columns = columns
        x = self.before + self.net.names[columns]
        for block, past in zip(self.net.blocks, self.past, strict=True):
            x = block.step(x, past, self.at)  # pyright: ignore[reportCallIssue]
        return self.net.last(x)

    def tell(self, codes: Tensor) -> None:
        """The codes, (rows,), of the columns that were asked for."""
        self.before = functional.embedding(self.first[self.columns] + codes, self.vectors)
        self.at += 1


def draw_column(
    net: ColumnTransformer, column: int, known: Tensor, uniforms: Tensor, shares: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Codes of one column, (n,), and the log probability of what is allowed of it, (n,), -inf where it can't be.

    Args:
        net: The network.
        column: The column.
        known: (n, width), what is known before it.
        uniforms: (n,), what is drawn with, in [0, 1).
        shares: (n, m), how much of each code is allowed; None for all of it.
    """
    chances = net.chances[column](known).softmax(dim=1)
    allowed = chances if shares is None else chances * shares
    ends = allowed.cumsum(dim=1)
    most = ends[:, -1:]
    # A code that is not allowed ends where the one before it ends, and is never the first beyond what is drawn.
    codes = torch.minimum((ends <= uniforms[:, None] * most).sum(dim=1), (ends < most).sum(dim=1))
    return codes, most[:, 0].clamp(max=1).log()
