"""Boosted trees of one output, for squares or for a yes and no, grown by the kernels of the vector trees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.numeric.compiled import compiled
from cuvee.numeric.growing import Grower
from cuvee.numeric.leaf_masks import Masks, left_to_right, masks_of, reach
from cuvee.numeric.vector_steps import route

Narrow = NDArray[np.float32]
Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]

PARTS = ("which", "cut", "mask", "child", "first", "leaf", "values")
PATH = (np.array([0, 1], np.int32), np.zeros(1, np.int32))
"""One decision, on which every row stands."""
LOOK = 10_000
"""A split is looked for in about this many rows of its leaf."""


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Features of rows.

    Attributes:
        features: (columns, n), bins.
        fields: (columns,), which of all fields each is.
        bins: (columns,), how many bins each has; at most 64 where there is no order.
        categories: (columns,), 1 where a feature has no order.
        width: The number of all fields.
    """

    features: Bytes
    fields: Ints
    bins: Ints
    categories: Bytes
    width: int

    def rows(self, rows: NDArray[Any]) -> Self:
        """Some rows of them."""
        return type(self)(
            np.ascontiguousarray(self.features[:, rows]), self.fields, self.bins, self.categories, self.width
        )

    def with_last(self, last: Bytes) -> Self:
        """With one more feature, (n,), which stands behind all fields."""
        return type(self)(
            np.vstack([self.features, last[None]]),
            np.append(self.fields, self.width).astype(np.int32),
            np.append(self.bins, 255).astype(np.int32),
            np.append(self.categories, 0).astype(np.uint8),
            self.width,
        )

    def only(self, fields: Ints) -> Self:
        """Some of the fields."""
        kept = np.flatnonzero(np.isin(self.fields, fields))
        rest = (self.fields[kept], self.bins[kept], self.categories[kept], self.width)
        return type(self)(np.ascontiguousarray(self.features[kept]), *rest)

    def by_row(self) -> Bytes:
        """(n, width + 1), the same as rows of all fields; fields that are no features are 0."""
        result = np.zeros((self.features.shape[1], self.width + 1), np.uint8)
        result[:, self.fields] = self.features.T
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Boosted:
    """Trees one after the other, see `Packed` of vector sampling; `values` is (leaves,)."""

    which: Ints
    cut: Bytes
    mask: NDArray[np.uint64]
    child: Ints
    first: Ints
    leaf: Ints
    values: Narrow

    def add(self, features: Bytes, total: Narrow) -> None:
        """Add what the trees say of rows of (n, fields) features to `total`, (n,)."""
        masks = masks_of(self.which, self.cut, self.mask, self.child, self.first, self.leaf)
        add_masked(features, masks, self.leaf, self.values, total)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, as arrays."""
        return {n: getattr(self, n) for n in PARTS}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `arrays` gave."""
        return cls(*(np.ascontiguousarray(arrays[n]) for n in PARTS))


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Trees, their mean loss on the rows held out, and how much less that is than without trees."""

    boosted: Boosted
    loss: float
    gain: float


@compiled
def add_masked(features: Bytes, masks: Masks, leaf: Ints, values: Narrow, total: Narrow) -> None:
    """Add the leaves' values of every row, for features of shape (n, fields)."""
    trees = len(leaf) - 1
    leaves = np.zeros(trees, np.int32)
    over = np.zeros(trees, np.uint32)
    for r in range(len(total)):
        reach(features, r, masks, over, leaves)
        z = np.float32(0.0)
        for t in range(trees):
            z += values[leaf[t] + leaves[t]]
        total[r] += z


def fit_squares(
    inputs: Inputs, target: Narrow, *, rng: Generator, rounds: int = 25, rate: float = 0.35, leaves: int = 16
) -> Fitted:
    """Trees for the mean of a target, (n,), stopped by an eighth of the rows."""
    return _fit(inputs, target.astype(np.float32), (rounds, rate, leaves, 40, 5.0), rng=rng, binary=False)


def fit_odds(
    inputs: Inputs, yes: Narrow, *, rng: Generator, rounds: int = 250, rate: float = 0.1, leaves: int = 32
) -> Fitted:
    """Trees for how the odds of a yes (1) against a no (0), (n,), differ from the overall ones; see `fit_squares`."""
    return _fit(inputs, yes.astype(np.float32), (rounds, rate, leaves, 40, 5.0), rng=rng, binary=True)


def pack_trees(trees: list[tuple[Any, ...]], values: Sequence[NDArray[Any]]) -> tuple[Any, ...]:
    """Which, cut, mask, child, first and leaf of trees one after the other, and their values."""
    first = np.concatenate([[0], np.cumsum([len(t[0]) for t in trees])]).astype(np.int32)
    leaf = np.concatenate([[0], np.cumsum([len(v) for v in values])]).astype(np.int32)
    empty = (np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.uint64), np.zeros((0, 2), np.int32))
    parts = [np.concatenate([empty[k], *(t[k] for t in trees)]) for k in range(4)]
    return *parts, first, leaf, values


def _fit(
    inputs: Inputs, target: Narrow, how: tuple[int, float, int, int, float], *, rng: Generator, binary: bool
) -> Fitted:
    rounds, rate, leaves, least, penalty = how
    n = len(target)
    rows, held = rng.permutation(n), n // 8
    train, test = np.sort(rows[held:]), np.sort(rows[:held])
    one, other = inputs.rows(train), inputs.rows(test)
    y, yt = target[train], target[test]
    share = float(np.clip(target.mean(), 1e-6, 1 - 1e-6)) if binary else 0.5
    start = np.float32(np.log(share / (1 - share)))
    z, zt = np.full(len(y), start), np.full(len(yt), start)
    codes = np.zeros(len(y), np.int32)
    widest = int(inputs.bins.max())
    scratch = (np.zeros((widest, 2, 2), np.float32), np.zeros(widest, np.int32))
    mine, theirs = np.zeros(len(y), np.uint8), np.zeros(len(yt), np.uint8)
    plain = _loss(yt, zt, binary=binary)
    best, kept, worse = plain, 0, 0
    trees: list[tuple[Any, ...]] = []
    values: list[Narrow] = []
    grower = Grower()
    for _ in range(rounds):
        gradient, curvature = _moves(y, z, binary=binary)
        # A split of noise gains about one variance; four of them are asked for.
        gain = 4.0 if binary else 4 * float(np.var(y - z))
        limits = np.array([penalty, least, gain, 1, LOOK, rate], np.float32)
        found = np.zeros((leaves, 1), np.float32)
        given = (one.features, inputs.bins, inputs.categories, codes, PATH)
        moves = (gradient[:, None], curvature[:, None])
        count, which, cut, mask, child = grower.grow(given, moves, scratch, limits, (found, mine))
        if count == 1:
            break
        route(other.features, which, cut, mask, child, theirs)
        z += found[mine, 0]
        zt += found[theirs, 0]
        fresh = left_to_right(child, count)
        sorted_values = np.zeros(count, np.float32)
        sorted_values[fresh] = found[:count, 0]
        trees.append((inputs.fields[which], cut, mask, child))
        values.append(sorted_values)
        loss = _loss(yt, zt, binary=binary)
        if loss < (best if binary else best * (1 - 1e-3 * rate)):
            best, kept, worse = loss, len(trees), 0
        else:
            worse += 1
            if worse > (25 if binary else 5):
                break
    which, cut, mask, child, first, leaf, whole = pack_trees(trees[:kept], values[:kept])
    return Fitted(
        Boosted(which, cut, mask, child, first, leaf, np.concatenate([np.zeros(0, np.float32), *whole])),
        best,
        plain - best,
    )


def _moves(y: Narrow, z: Narrow, *, binary: bool) -> tuple[Narrow, Narrow]:
    """Gradient and curvature of the loss, (n,) each."""
    if not binary:
        return z - y, np.ones_like(y)
    p = 1 / (1 + np.exp(-z))
    return (p - y).astype(np.float32), np.maximum(p * (1 - p), 1e-6).astype(np.float32)


def _loss(y: Narrow, z: Narrow, *, binary: bool) -> float:
    """The mean loss: squares, or negative log likelihood in nats."""
    if len(y) == 0:
        return 0.0
    return float(np.mean(np.logaddexp(0, z) - y * z)) if binary else float(np.mean(np.square(y - z)))
