"""A Markov chain over tokens with back-off, which keeps only what several rows have in common."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Tokens = NDArray[np.int64]

END = 1
"""The token after the last; 0 fills the places before the first, and real tokens count from 2."""


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """The transitions of one context length.

    Attributes:
        contexts: (c,), contexts as numbers, rising.
        offsets: (c + 1,), where the transitions of each context begin.
        following: (t,), the tokens that follow.
        totals: (t,), running totals of their counts, over all contexts.
    """

    contexts: Tokens
    offsets: Tokens
    following: Tokens
    totals: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Transitions for contexts of `order` tokens down to none; `size` is one more than the largest token."""

    levels: tuple[Level, ...]
    size: int
    longest: int

    @property
    def empty(self) -> bool:
        """Whether nothing was common enough to be kept."""
        return not self.levels or len(self.levels[-1].following) == 0


def learn_chain(tokens: Tokens, lengths: Tokens, *, order: int, size: int, least: int, longest: int) -> Chain:
    """Count which token follows which context.

    Args:
        tokens: (total,), the tokens of all rows one after the other, 2 and above; -1 for one that is not to be kept.
        lengths: (n,), how many tokens each row has.
        order: How many tokens a context has at most; size^(order + 1) must stay below 2^62.
        size: One more than the largest token.
        least: A transition is kept when it occurs in this many different rows.
        longest: No sampled row has more tokens than this.
    """
    starts = np.cumsum(lengths) - lengths
    n, total = len(lengths), len(tokens)
    # Every row gets its end token, and the tokens before its first are 0.
    place = np.arange(total) + np.repeat(np.arange(n), lengths)
    stream = np.full(total + n, END, np.int64)
    stream[place] = tokens
    row = np.repeat(np.arange(n), lengths + 1)
    position = np.arange(total + n) - np.repeat(starts + np.arange(n), lengths + 1)
    earlier = []
    for back in range(1, order + 1):
        before = np.zeros(total + n, np.int64)
        before[back:] = stream[:-back] if back else stream
        earlier.append(np.where(position >= back, before, 0))
    levels = []
    for length in range(order, -1, -1):
        usable = stream >= 0
        context = np.zeros(total + n, np.int64)
        for before in reversed(earlier[:length]):
            usable &= before >= 0
            context = context * size + np.maximum(before, 0)
        gram = context * size + np.maximum(stream, 0)
        levels.append(_level(gram[usable], row[usable], size, least))
    return Chain(tuple(levels), size, longest)


def _level(gram: Tokens, row: Tokens, size: int, least: int) -> Level:
    """The transitions that occur in enough different rows."""
    order = np.lexsort((row, gram))
    gram, row = gram[order], row[order]
    fresh = np.r_[True, (gram[1:] != gram[:-1]) | (row[1:] != row[:-1])][: len(gram)]
    kinds, occurrences = np.unique(gram, return_counts=True)
    _, rows = np.unique(gram[fresh], return_counts=True)
    kept = rows >= least
    kinds, occurrences = kinds[kept], occurrences[kept]
    contexts, begin = np.unique(kinds // size, return_index=True)
    offsets = np.r_[begin, len(kinds)].astype(np.int64)
    return Level(
        contexts.astype(np.int64), offsets, (kinds % size).astype(np.int64), np.cumsum(occurrences).astype(np.float64)
    )


def sample_chain(chain: Chain, n: int, *, rng: Generator) -> Tokens:
    """Rows of tokens, (n, at most longest), 0 behind the end; an end token is never given."""
    order = len(chain.levels) - 1
    history = np.zeros((n, max(order, 1)), np.int64)
    result = np.zeros((n, chain.longest), np.int64)
    alive = np.arange(n)
    for step in range(chain.longest):
        if len(alive) == 0:
            return result[:, :step]
        token = _next(chain, history[alive], rng)
        going = token != END
        alive = alive[going]
        result[alive, step] = token[going]
        history[alive] = np.c_[history[alive, 1:], token[going]]
    return result


def _next(chain: Chain, history: Tokens, rng: Generator) -> Tokens:
    """The token after each history, from the longest context that is known."""
    chance, token = rng.random(len(history)), np.full(len(history), END, np.int64)
    open_rows = np.arange(len(history))
    order = len(chain.levels) - 1
    for length, level in zip(range(order, -1, -1), chain.levels, strict=True):
        if len(open_rows) == 0 or len(level.contexts) == 0:
            continue
        context = np.zeros(len(open_rows), np.int64)
        for back in range(length, 0, -1):
            context = context * chain.size + history[open_rows, history.shape[1] - back]
        at = np.minimum(np.searchsorted(level.contexts, context), len(level.contexts) - 1)
        hit = level.contexts[at] == context
        begin, stop = level.offsets[at[hit]], level.offsets[at[hit] + 1]
        below = np.where(begin > 0, level.totals[begin - 1], 0.0)
        wanted = below + chance[open_rows[hit]] * (level.totals[stop - 1] - below)
        chosen = np.clip(np.searchsorted(level.totals, wanted, side="right"), begin, stop - 1)
        token[open_rows[hit]] = level.following[chosen]
        open_rows = open_rows[~hit]
    return token
