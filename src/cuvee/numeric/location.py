"""Where a number is expected, given others: what boosting begins with instead of the plain margin.

The normal score of a number that depends closely on others lies around an expected score. A regression (linear, then
boosted trees) gives that score and how far values scatter around it, and a table says how the scatter is shaped. From
these follow the log odds of every decision about the number's code; trees with vector leaves then correct what is left.
Source: boosting from a model is in Friedman (2001), section 4; normal scores are those of a Gaussian copula.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.numeric.boosted import Boosted, Inputs, fit_squares
from cuvee.numeric.compiled import compiled
from cuvee.numeric.decisions import Decisions

Narrow = NDArray[np.float32]
Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]

TABLE = 512
"""The shape of the scatter is a table of this many steps."""
CLOSEST = 1e-4
"""No scatter is smaller than this, in scores."""
ROWS = 15_000
"""The regression is learned from at most this many rows."""
MARGIN = 0.02
"""What is expected somewhere still follows the margin with this weight."""
NOWHERE = -1e6
"""A score below all others."""
PSEUDO = 40.0
"""The shape of the scatter is drawn towards a logistic one as if this many rows of it had been seen too."""


@dataclass(frozen=True, slots=True, eq=False)
class Location:
    """Where a score is expected.

    Attributes:
        fields: (k,), the fields whose scores it depends on linearly.
        weights: (k,), how.
        cuts: The linear part's bins, as a feature of the trees.
        centre: Trees that correct the linear part.
        spread: Trees for the logarithm of the scatter.
        scale: The scatter where `spread` says 0.
        bins: The expected score's bins, as a feature of what follows.
        table: (TABLE + 1,), the share of the scatter below each step of u / (1 + |u|), from -1 to 1.
    """

    fields: Ints
    weights: Narrow
    cuts: Narrow
    centre: Boosted
    spread: Boosted
    scale: float
    bins: Narrow
    table: Narrow

    def expect(self, scores: Narrow, features: Bytes) -> tuple[Narrow, Narrow]:
        """The expected score and the scatter of rows, (n,) each.

        Args:
            scores: (fields, n).
            features: (n, fields + 1), bins of the fields; the last column is overwritten with the bins of the result.
        """
        centre = self.weights @ scores[self.fields] if len(self.fields) else np.zeros(len(features), np.float32)
        features[:, -1] = np.searchsorted(self.cuts, centre)
        spread = np.zeros(len(centre), np.float32)
        total = np.ascontiguousarray(centre, np.float32)
        self.centre.add(features, total)
        self.spread.add(features, spread)
        features[:, -1] = np.searchsorted(self.bins, total)
        return total, np.maximum(self.scale * np.exp(spread), CLOSEST).astype(np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, as arrays."""
        plain = {n: getattr(self, n) for n in ("fields", "weights", "cuts", "bins", "table")}
        parts = {f"{n}.{k}": a for n in ("centre", "spread") for k, a in getattr(self, n).arrays().items()}
        return {**plain, **parts, "scale": np.array([self.scale])}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `arrays` gave."""
        centre, spread = (
            Boosted.restore({k.partition(".")[2]: a for k, a in arrays.items() if k.startswith(f"{n}.")})
            for n in ("centre", "spread")
        )
        own = {n: np.asarray(arrays[n]) for n in ("fields", "weights", "cuts", "bins", "table")}
        return cls(**own, centre=centre, spread=spread, scale=float(arrays["scale"][0]))


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What a location says of the rows that it was learned from, without having seen the row itself.

    Attributes:
        location: The location.
        centre: (n,), expected scores.
        scale: (n,), scatter.
    """

    location: Location
    centre: Narrow
    scale: Narrow


def fit_location(
    inputs: Inputs,
    target: Narrow,
    scores: Narrow,
    numbers: Ints,
    *,
    worth: float,
    rng: Generator,
    there: NDArray[np.bool_] | None = None,
) -> Expected | None:
    """Learn where a score is expected.

    Args:
        inputs: The features; n rows.
        target: (n,), the scores to be expected.
        scores: (fields, n), all scores.
        numbers: The fields among the features that have scores.
        worth: The share of the variance that must be explained.
        rng: For folds and held-out rows.
        there: (n,), which rows have a score; None for all. The others get an expectation of the same kind, lest it be
            known by that which they are.

    Returns:
        None where less is explained.
    """
    n = len(target)
    known = np.arange(n) if there is None else np.flatnonzero(there)
    variance = float(np.var(target[known])) if len(known) else 0.0
    if len(known) < 200 or variance < 1e-6:
        return None
    glance = np.sort(known[rng.permutation(len(known))[:ROWS]])
    some = scores[numbers][:, glance]
    weights = _ridge(some, target[glance])
    linear = (weights @ scores[numbers]).astype(np.float32) if len(numbers) else np.zeros(n, np.float32)
    cuts = _cuts(linear[glance])
    last = np.searchsorted(cuts, linear).astype(np.uint8)
    whole = inputs.with_last(last)
    rest = target - linear
    quick = glance[: min(len(glance), 8000)]
    sketch = fit_squares(whole.rows(quick), rest[quick], rounds=8, rate=0.5, rng=rng)
    if 1 - float(sketch.loss) / variance < worth / 2:
        return None
    # Features that the sketch never asked are not asked again.
    whole = whole.only(np.append(sketch.boosted.which, inputs.width))
    folds = 4 if len(known) < 5_000 else 2
    fold = rng.permutation(n) % folds
    out = linear.copy()
    row_major = whole.by_row()
    for k in range(folds):
        inside, outside = glance[fold[glance] != k], np.flatnonzero(fold == k)
        part = fit_squares(whole.rows(inside), rest[inside], rng=rng).boosted
        guess = np.zeros(len(outside), np.float32)
        part.add(row_major[outside], guess)
        out[outside] += guess
    missed = np.abs(target - out)[known]
    explained = 1 - float(np.mean(np.square(missed))) / variance
    if explained < worth:
        return None
    centre = fit_squares(whole.rows(glance), rest[glance], rng=rng).boosted
    size = np.log(np.maximum(np.abs(target - out), 1e-3)).astype(np.float32)
    level_of = float(size[glance].mean())
    spread = fit_squares(whole.rows(glance), size[glance] - level_of, rounds=8, rng=rng).boosted
    wide = np.zeros(n, np.float32)
    spread.add(row_major, wide)
    scale = max(float(np.median(missed / np.exp(wide[known]))), CLOSEST)
    scatter = np.maximum(scale * np.exp(wide), CLOSEST).astype(np.float32)
    table = _shape(((target - out) / scatter)[known])
    location = Location(numbers, weights, cuts, centre, spread, scale, _cuts(out[glance]), table)
    return Expected(location, out, scatter)


def _ridge(scores: Narrow, target: Narrow) -> Narrow:
    """(k,), the weights of a linear regression."""
    if len(scores) == 0:
        return np.zeros(0, np.float32)
    wide = scores.astype(np.float64)
    gram = wide @ wide.T / wide.shape[1] + 1e-3 * np.eye(len(wide))
    return np.linalg.solve(gram, wide @ target / wide.shape[1]).astype(np.float32)


def _cuts(values: Narrow) -> Narrow:
    """Cuts into at most 255 bins of about equal size."""
    return np.unique(np.quantile(values, np.linspace(0, 1, 255)[1:-1]).astype(np.float32))


def _shape(scatter: Narrow) -> Narrow:
    """(TABLE + 1,), the share below each step of u / (1 + |u|), from scatter in units of its scale, (n,)."""
    u = np.linspace(-1, 1, TABLE + 1)
    edges = u[1:-1] / (1 - np.abs(u[1:-1]))
    counts = np.searchsorted(np.sort(scatter), edges).astype(np.float64)
    plain = 1 / (1 + np.exp(-np.clip(edges * np.log(3.0), -40, 40)))
    inner = (counts + PSEUDO * plain) / (len(scatter) + PSEUDO)
    return np.concatenate([[0.0], inner, [1.0]]).astype(np.float32)


def decision_bounds(
    decisions: Decisions, edges: NDArray[np.float64], masses: NDArray[np.float64], *, missing: int = 0
) -> Narrow:
    """(m - 1, 5): from where to where each decision's codes lie, where they are cut, and the mass left and right.

    Args:
        decisions: Over m codes in their order.
        edges: (m + 1,), scores between codes.
        masses: (m,), probabilities.
        missing: How many of the first codes stand for missing values. They lie nowhere: whether a value is missing
            begins with the margin's odds.
    """
    total = np.concatenate([[0.0], np.cumsum(masses)])
    low, cut, high = decisions.spans.T
    left, right = total[cut] - total[low], total[high] - total[cut]
    if missing:
        edges = np.concatenate([np.full(missing + 1, NOWHERE), edges[missing + 1 :]])
    return np.column_stack([edges[low], edges[cut], edges[high], left, right]).astype(np.float32)


@compiled
def level(score: float, centre: float, scale: float, table: Narrow) -> float:
    """The share of the distribution around an expected score that lies below a score."""
    u = (score - centre) / scale
    place = (u / (np.float32(1.0) + abs(u)) + np.float32(1.0)) * np.float32(TABLE // 2)
    k = min(int(place), TABLE - 1)
    return table[k] + (place - np.float32(k)) * (table[k + 1] - table[k])


@compiled
def located_logits(
    codes: Ints,
    paths: tuple[Ints, Ints],
    bounds: Narrow,
    where: tuple[Narrow, Narrow, Narrow],
    logits: Narrow,
) -> None:
    """Fill the log odds of every row's decisions, (n, depth), from centre, scale and table of where it is expected."""
    start, node = paths
    centre, scale, table = where
    for i in range(len(codes)):
        a = start[codes[i]]
        low, high = np.float32(0.0), np.float32(1.0)
        for k in range(a, start[codes[i] + 1]):
            t = node[k]
            low = level(bounds[t, 0], centre[i], scale[i], table)
            cut = level(bounds[t, 1], centre[i], scale[i], table)
            high = level(bounds[t, 2], centre[i], scale[i], table)
            left, right = weigh(low, cut, high, bounds[t])
            logits[i, k - a] = np.log(right / left)


@compiled
def weigh(low: float, cut: float, high: float, bounds: Narrow) -> tuple[float, float]:
    """The weights of both sides of a decision: where the score is expected, and a fiftieth of the margin.

    Whether a value is missing follows the margin alone: a missing one is expected nowhere.
    """
    few = np.float32(1e-9)
    if bounds[1] <= np.float32(NOWHERE):
        return float(bounds[3] + few), float(bounds[4] + few)
    most, rest = np.float32(1 - MARGIN), np.float32(MARGIN)
    left = most * max(cut - low, np.float32(0.0)) + rest * bounds[3] + few
    right = most * max(high - cut, np.float32(0.0)) + rest * bounds[4] + few
    return float(left), float(right)
