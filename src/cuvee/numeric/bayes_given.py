"""Rows of a Bayesian network given evidence: importance sampling forwards, then Gibbs sampling by Markov blankets.

Several candidates are drawn for each row, parents first; what is known of a field is met as it is drawn, and weighs a
candidate by how likely its parents made that. Candidates are chosen by their weights, on the way too where these have
become too unlike. The open cells are then drawn again some times, each given all others: steps that leave the right
distribution as it is, and bring near it what the candidates missed.

Source: Fung and Chang (1990), Weighing and integrating evidence for stochastic simulation in Bayesian networks, UAI;
Gilks and Berzuini (2001), Following a moving target: Monte Carlo inference for dynamic Bayesian models, for moves after
the choice.
"""

from collections.abc import Mapping

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.numeric import bayes_kernels as kernels
from cuvee.numeric.bayes_kernels import Ints
from cuvee.numeric.bayes_net import Network
from cuvee.numeric.resampling import effective_share, resampled

Lines = tuple[NDArray[np.float32], Ints]
"""How much of each code is allowed, (g, m), and which line counts for each row, (n,)."""

CANDIDATES = 16
ENOUGH = 0.5
"""Candidates are chosen anew as soon as they are worth fewer than this share of their number."""
SWEEPS = 4
"""How often open cells are drawn again where candidates were unlike."""
BLOCK = 1 << 18
"""Candidates that are drawn at once."""


def draw_given(
    network: Network,
    fixed: Ints,
    lines: Mapping[int, Lines],
    filled: Mapping[int, NDArray[np.float32]],
    *,
    same: bool,
    rng: Generator,
) -> tuple[Ints, float]:
    """Draw rows given evidence.

    Args:
        network: The network.
        fixed: (d, n), the code of each cell that is given; -1 where it is to be drawn.
        lines: By field, how much of each code is allowed.
        filled: By field, (m,), the codes that may be drawn; that is no evidence of what other codes are.
        same: Whether the same is known of all rows, so that they may be chosen from the same candidates.
        rng: For what is drawn.

    Returns:
        (d, n) codes, and the share of effective candidates: 1 where all were as good as any.

    Raises:
        ValueError: The evidence of a row is impossible.
    """
    n = fixed.shape[1]
    if n == 0:
        return fixed.astype(np.int32), 1.0
    step = max(BLOCK // CANDIDATES, 1)
    codes, worth = np.empty(fixed.shape, np.int32), 0.0
    for start in range(0, n, step):
        stop = min(start + step, n)
        some = {f: (table, line[start:stop]) for f, (table, line) in lines.items()}
        part = _block(network, np.ascontiguousarray(fixed[:, start:stop], np.int32), some, filled, rng, same=same)
        codes[:, start:stop] = part[0]
        worth += part[1] * (stop - start) / n
    return codes, worth


def _block(
    network: Network,
    fixed: Ints,
    lines: Mapping[int, Lines],
    filled: Mapping[int, NDArray[np.float32]],
    rng: Generator,
    *,
    same: bool,
) -> tuple[Ints, float]:
    d, n = fixed.shape
    whose = np.repeat(np.arange(n), CANDIDATES)
    codes, weights = np.full((d, len(whose)), -1, np.int32), np.zeros(len(whose))
    worth = lowest = 1.0
    order: list[int] = network.tables.order.tolist()
    evident = {f for f in order if (fixed[f] >= 0).any()}
    for place, f in enumerate(order):
        table, line, silent = _allowed(network, f, n, lines, filled)
        before = weights.copy()
        chance = rng.random(len(whose), dtype=np.float32)
        kernels.draw_known(network.tables, f, codes, fixed[f][whose], table, line[whose], chance, weights)
        if f not in evident and f not in lines:
            weights = before
            continue
        if silent:
            weights = np.where((fixed[f] >= 0)[whose], weights, before)
        worth = effective_share(weights, n, same=same)
        lowest = min(lowest, worth)
        if worth < ENOUGH and place + 1 < d:
            chosen = resampled(weights, n, CANDIDATES, same=same, rng=rng)
            if chosen is None:
                break
            codes, weights = np.ascontiguousarray(codes[:, chosen]), np.zeros(len(whose))
    chosen = resampled(weights, n, 1, same=same, rng=rng)
    if chosen is None:
        gone = np.flatnonzero(~np.isfinite(weights.reshape(n, -1).max(axis=1)))
        raise ValueError(f"The evidence of row {int(gone[0])} is impossible: no code is left that it allows.")
    drawn = np.ascontiguousarray(codes[:, chosen])
    if lowest < 1 - 1e-9:
        for _ in range(SWEEPS):
            for f in order:
                table, line, _ = _allowed(network, f, n, lines, filled)
                rows = np.flatnonzero(fixed[f] < 0)
                kernels.sweep(network.tables, f, drawn, rows, table, line, rng.random(n, dtype=np.float32))
    return drawn, lowest


def _allowed(
    network: Network, f: int, n: int, lines: Mapping[int, Lines], filled: Mapping[int, NDArray[np.float32]]
) -> tuple[NDArray[np.float32], Ints, bool]:
    """How much of each code of a field is allowed, which line counts for each row, and whether it is no evidence."""
    m = int(network.tables.size[f])
    table, line = lines.get(f, (np.ones((1, m), np.float32), np.zeros(n, np.int32)))
    silent = f in filled and f not in lines
    if f in filled:
        there = table * filled[f]
        none = ~(there > 0).any(axis=1)
        there[none] = table[none]
        table = there
    return np.ascontiguousarray(table, np.float32), np.ascontiguousarray(line, np.int32), silent
