"""A place in the plane for every node of a graph, so that what is connected stands together."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Points = NDArray[np.float64]
Indices = NDArray[np.int64]

_GAP = 0.12
"""Empty margin around each packed component, as a share of its side."""


def layout(n: int, edges: Indices, weights: Points, *, rng: Generator, steps: int = 240) -> Points:
    """Positions of n nodes by attraction along edges and repulsion between all pairs.

    Each connected component is laid out by itself, and the components are packed in shelves, the largest first, so that
    small ones do not drift away from large ones. Time and memory grow with the square of the largest component: meant
    for up to a few thousand nodes.

    Args:
        n: Nodes, numbered from 0.
        edges: (m, 2) node numbers; a node's edge to itself moves nothing.
        weights: (m,) how strongly each edge pulls, above 0.
        rng: Where the starting positions come from.
        steps: Moves of every node; more is smoother and slower.

    Returns:
        (n, 2) positions in the unit square.

    Raises:
        ValueError: An edge names a node that is not there, or weights and edges differ in number.

    Source: Fruchterman and Reingold (1991); the repulsion by degree is that of Jacomy et al. (2014).
    """
    pairs = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    pull = np.asarray(weights, dtype=np.float64).reshape(-1)
    if len(pairs) != len(pull):
        raise ValueError(f"There are {len(pairs)} edges and {len(pull)} weights; each edge has one weight.")
    if len(pairs) and (pairs.min() < 0 or pairs.max() >= n):
        raise ValueError(
            f"An edge names node {pairs.min() if pairs.min() < 0 else pairs.max()}; nodes are 0 to {n - 1}."
        )
    if n == 0:
        return np.zeros((0, 2))
    label = components(n, pairs)
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    placed = np.full((n, 2), 0.5)
    for group in groups:
        if len(group) > 1:
            inside = np.isin(pairs[:, 0], group)
            local = np.searchsorted(group, pairs[inside])
            placed[group] = _unit(_forces(len(group), local, pull[inside], rng=rng, steps=steps))
    return _pack(placed, groups)


def components(n: int, edges: Indices) -> Indices:
    """The connected component of each node, (n,): the smallest node number in it.

    >>> components(4, np.array([[0, 2], [2, 3]])).tolist()
    [0, 1, 0, 0]
    """
    label = np.arange(n)
    if len(edges) == 0:
        return label
    while True:
        before = label.copy()
        low = np.minimum(label[edges[:, 0]], label[edges[:, 1]])
        np.minimum.at(label, edges[:, 0], low)
        np.minimum.at(label, edges[:, 1], low)
        label = label[label]  # each takes its leader's leader: paths halve, so few rounds are needed
        if np.array_equal(label, before):
            return label


def _forces(n: int, edges: Indices, weights: Points, *, rng: Generator, steps: int) -> Points:
    """Positions of one connected component, (n, 2), in no particular scale."""
    pull = np.zeros((n, n))
    np.add.at(pull, (edges[:, 0], edges[:, 1]), np.sqrt(weights / weights.mean()))
    pull += pull.T
    np.fill_diagonal(pull, 0.0)
    mass = np.sqrt(1.0 + (pull > 0).sum(axis=1))
    repulsion = mass[:, None] * mass[None, :]
    at = rng.normal(size=(n, 2))
    for step in range(steps):
        apart = at[:, None, :] - at[None, :, :]  # (n, n, 2)
        square = np.maximum(
            (apart**2).sum(axis=2), 1e-4
        )  # never 0: two nodes in one place push nowhere, not infinitely
        strength = repulsion / square - pull * np.sqrt(square)
        move = (strength[:, :, None] * apart).sum(axis=1) - 0.3 * mass[:, None] * at
        length = np.maximum(np.sqrt((move**2).sum(axis=1, keepdims=True)), 1e-12)
        heat = 0.35 * np.sqrt(n) * (1.0 - step / steps) ** 1.5
        at = at + move / length * np.minimum(length, heat)
    return at


def _unit(at: Points) -> Points:
    """Moved and scaled into the unit square, keeping proportions, centred."""
    low, high = at.min(axis=0), at.max(axis=0)
    side = max(float((high - low).max()), 1e-12)
    return np.clip((at - (low + high) / 2) / side + 0.5, 0.0, 1.0)


def _pack(placed: Points, groups: list[Indices]) -> Points:
    """Components in shelves, the largest first, each in a square whose area is its number of nodes."""
    if len(groups) == 1:
        return placed
    by_size = sorted(range(len(groups)), key=lambda g: (-len(groups[g]), int(groups[g][0])))
    sides = {g: float(np.sqrt(len(groups[g]))) * (1 + 2 * _GAP) for g in by_size}
    width = max(sides[by_size[0]], 1.1 * float(np.sqrt(sum(s * s for s in sides.values()))))
    out = np.empty_like(placed)
    x = y = shelf = right = 0.0
    for g in by_size:
        side = sides[g]
        if x > 0 and x + side > width * (1 + 1e-9):
            x, y, shelf = 0.0, y + shelf, 0.0
        inner = side / (1 + 2 * _GAP)
        out[groups[g]] = placed[groups[g]] * inner + np.array([x, y]) + inner * _GAP
        x, shelf = x + side, max(shelf, side)
        right = max(right, x)
    return np.clip(out / max(right, y + shelf), 0.0, 1.0)
