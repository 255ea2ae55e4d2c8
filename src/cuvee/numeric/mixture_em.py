"""Learning a mixture of classes: expectation maximisation, several starts, and how many classes the rows can tell.

Source: Dempster, Laird and Rubin (1977), Maximum likelihood from incomplete data via the EM algorithm; for the rest see
`cuvee.numeric.mixture`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.numeric import mixture_kernels as kernels
from cuvee.numeric.circuit_shape import coarse_cells
from cuvee.numeric.circuit_start import first_states
from cuvee.numeric.mixture import Mixture, Patterns, log_sum
from cuvee.numeric.mixture_kernels import Floats, Ints

Told = Callable[[int, float], None]

HELD_OUT, MOST_HELD = 0.2, 5_000
START_ROUNDS, MANY = 8, 32
"""Rounds after which the best start is chosen; of more classes there is one start, for they find their places."""
TRY_ROUNDS, TRY_ROWS = 25, 20_000
"""Numbers of classes are compared after so many rounds, on so many rows."""
PROGRESS = 5e-4
"""Nats a row by which rows must gain in a round for learning to go on."""
BETTER = 2e-3
"""Nats a row by which more classes must be better on rows held out."""
PULL = 0.01
"""Rows that the mean of all is worth in a class."""
BINS = 8
"""Bins of numbers while the first classes are looked for."""
FEW = 2.0
"""States that too few rows of a class have together count as so many rows, or as many as expected if that is less."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """How a mixture is learned.

    Attributes:
        classes: How many classes; None for as many as `choice` says.
        most: The most classes.
        choice: "holdout" takes what rows held out find likeliest, "bic" the best Bayesian information criterion.
        spread: "full", "diagonal", or "low_rank" covariance matrices.
        rank: Directions of a spread of low rank.
        smooth: How many rows the shares of all rows are worth in a class.
        least: Nothing is learned from fewer rows.
        starts: From how many first classes the best is taken.
        rounds: The most rounds.
    """

    classes: int | None = None
    most: int = 128
    choice: Literal["holdout", "bic"] = "holdout"
    spread: Literal["full", "diagonal", "low_rank"] = "full"
    rank: int = 8
    smooth: float = 1.0
    least: int = 5
    starts: int = 2
    rounds: int = 60


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What is learned from.

    Attributes:
        states: (fields, n), -1 where not known.
        z: (n, p), NaN where there is none.
        sizes: The states of each field.
        margins: (cells,), the share of every state in all rows, above 0.
        state: (p,), the field of each number.
        there: (p,), the state of that field in which the number is there.
        pooled: (p, p), the covariance of all rows, to which those of classes are drawn; None where it is to be found.
    """

    states: Ints
    z: Floats
    sizes: Sequence[int]
    margins: Floats
    state: Ints
    there: Ints
    pooled: Floats | None = None

    @property
    def n(self) -> int:
        """How many."""
        return len(self.z)

    def pick(self, which: NDArray[np.int64]) -> "Rows":
        """Some of the rows."""
        return replace(self, states=np.ascontiguousarray(self.states[:, which]), z=np.ascontiguousarray(self.z[which]))


def learn(
    rows: Rows, lessons: Lessons, *, rng: Generator, watch: Told = lambda _classes, _score: None
) -> tuple[Mixture, list[tuple[int, float]]]:
    """Learn a mixture.

    Args:
        rows: The rows.
        lessons: How.
        rng: For first classes, and the rows held out.
        watch: Told of classes that were tried, and of their score in nats a row.

    Returns:
        The mixture, and what was tried: classes, and their score (higher is better).
    """
    one = _improved(rows, _started(rows, 1, lessons, rng), replace(lessons, spread="full"), lessons.rounds)[0]
    rows = replace(rows, pooled=one.spreads[0])
    if lessons.classes is not None:
        found = _best_start(rows, lessons.classes, lessons, rng)
        return _improved(rows, found, lessons, lessons.rounds)[0], []
    order = rng.permutation(rows.n)[: TRY_ROWS + MOST_HELD]
    held = min(int(HELD_OUT * len(order)), MOST_HELD) if lessons.choice == "holdout" else 0
    test, train = rows.pick(np.sort(order[:held])), rows.pick(np.sort(order[held : held + TRY_ROWS]))
    tried: dict[int, tuple[float, Mixture]] = {}

    def attempt(k: int) -> float:
        if k not in tried:
            found, total = _improved(
                train, _best_start(train, k, lessons, rng), lessons, min(TRY_ROUNDS, lessons.rounds)
            )
            if held:
                score = float(found.log_density(test.states, test.z).mean())
            else:
                score = total - 0.5 * _parameters(found, rows.sizes, lessons) * float(np.log(train.n)) / train.n
            tried[k] = (score, found)
            watch(k, score)
        return tried[k][0]

    limit = int(np.clip(rows.n // (4 * lessons.least), 1, lessons.most))
    k, best = 1, attempt(1)
    while 2 * k <= limit and attempt(2 * k) > best + BETTER:
        k, best = 2 * k, tried[2 * k][0]
    for near in (3 * k // 4, 3 * k // 2):
        if 1 < near <= limit and near != k:
            attempt(near)
    k = max(tried, key=lambda k: (tried[k][0], -k))
    final, _ = _improved(rows, tried[k][1], lessons, lessons.rounds)
    return final, sorted((k, score) for k, (score, _) in tried.items())


def _best_start(rows: Rows, k: int, lessons: Lessons, rng: Generator) -> Mixture:
    """The best of several starts after some rounds."""
    best, score = None, -np.inf
    for _ in range(lessons.starts if 1 < k <= MANY else 1):
        found, total = _improved(rows, _started(rows, k, lessons, rng), lessons, START_ROUNDS)
        if best is None or total > score:
            best, score = found, total
    assert best is not None  # noqa: S101 (there is at least one start)
    return best


def _started(rows: Rows, k: int, lessons: Lessons, rng: Generator) -> Mixture:
    """A mixture of classes as k-means on bins parts the rows."""
    first = np.concatenate([[0], np.cumsum(rows.sizes)]).astype(np.int64)
    cells, sizes = [], []
    for f, m in enumerate(rows.sizes):
        look = coarse_cells(rows.margins[first[f] : first[f + 1]], 0, 2 * BINS) if m > 2 * BINS else np.arange(m)
        cells.append(np.where(rows.states[f] < 0, -1, look[rows.states[f]]))
        sizes.append(int(look.max()) + 1)
    for z in rows.z.T:
        known = ~np.isnan(z)
        edges = np.quantile(z[known], np.arange(1, BINS) / BINS) if known.any() else np.zeros(0)
        cells.append(np.where(known, np.searchsorted(edges, np.nan_to_num(z)), -1))
        sizes.append(BINS)
    if k > 1:
        classes = first_states(np.stack(cells).astype(np.int32), sizes, k, 0.0, rng=rng)[0]
    else:
        classes = np.zeros(rows.n, np.int64)
    weight = np.zeros((rows.n, k))
    weight[np.arange(rows.n), classes] = 1
    p = rows.z.shape[1]
    spread = _pooled(rows)
    blank = Mixture(
        np.full(k, 1 / k), first, np.repeat(rows.margins[:, None], k, axis=1),
        np.zeros((k, p)), np.repeat(spread[None], k, axis=0), rows.state, rows.there,
    )  # fmt: skip
    return _maximised(rows, blank, weight, lessons, Patterns.of(rows.z))


def _pooled(rows: Rows) -> Floats:
    """(p, p), the covariance of all rows, or their variances where it is not known yet."""
    return np.diag([_variance(z) for z in rows.z.T]) if rows.pooled is None else rows.pooled


def _variance(z: Floats) -> float:
    known = z[~np.isnan(z)]
    return max(float(known.var()), 1e-3) if len(known) else 1.0


def _improved(rows: Rows, mixture: Mixture, lessons: Lessons, rounds: int) -> tuple[Mixture, float]:
    """A mixture after rounds of expectation and maximisation, and its mean log density."""
    patterns, before = Patterns.of(rows.z), -np.inf
    for _ in range(rounds):
        weight, score = _expected(rows, mixture, patterns)
        if score < before + PROGRESS:
            break
        before = score
        mixture = _maximised(rows, mixture, weight, lessons, patterns)
    return mixture, _expected(rows, mixture, patterns)[1]


def _expected(rows: Rows, mixture: Mixture, patterns: Patterns) -> tuple[Floats, float]:
    """(n, K), the chance of each class in each row, and the mean log density of rows."""
    joint = np.tile(np.log(mixture.weights), (rows.n, 1))
    kernels.add_states(rows.states, mixture.first, np.log(mixture.shares), joint)
    if rows.z.shape[1]:
        kernels.add_gaussians(rows.z, *patterns.parts, mixture.means, mixture.spreads, joint)
    whole = log_sum(joint)
    joint -= whole[:, None]
    return np.exp(joint, out=joint), float(whole.mean())


def _maximised(rows: Rows, old: Mixture, weight: Floats, lessons: Lessons, patterns: Patterns) -> Mixture:
    """The likeliest mixture for given chances of classes; classes of too few rows are dropped."""
    size = weight.sum(axis=0)
    full = size >= 2 * lessons.least
    if not full.any():
        full = size >= size.max()
    weight, size = np.ascontiguousarray(weight[:, full]), size[full]
    k, p = len(size), rows.z.shape[1]
    counts = np.zeros((len(rows.margins), k))
    kernels.count_states(rows.states, old.first, weight, counts)
    shares = _shares(counts, rows, old.first, lessons)
    means, spreads = old.means[full], old.spreads[full]
    if p:
        first, second = np.zeros((k, p)), np.zeros((k, p, p))
        kernels.moments(rows.z, *patterns.parts, means, spreads, weight, first, second)
        second = np.tril(second) + np.swapaxes(np.tril(second, -1), 1, 2)
        moved = first / size[:, None]
        second -= size[:, None, None] * moved[:, :, None] * moved[:, None, :]
        means = (means + moved) * (size / (size + PULL))[:, None]
        spreads = _spreads(second, means, size, rows, lessons)
    return Mixture(size / size.sum(), old.first, shares, means, spreads, rows.state, rows.there)


def _shares(counts: Floats, rows: Rows, first: NDArray[np.int64], lessons: Lessons) -> Floats:
    """(cells, K), shares of states; those that fewer than `least` rows of a class have say only how many they are."""
    result = np.empty_like(counts)
    for low, high in zip(first[:-1].tolist(), first[1:].tolist(), strict=True):
        own, margin = counts[low:high], rows.margins[low:high, None]
        rare = own < lessons.least
        usual = np.where(rare, margin, 0.0)
        mass, total = usual.sum(axis=0), own.sum(axis=0)
        held = (own * rare).sum(axis=0)
        held = np.where(held < lessons.least, np.minimum(FEW, total * mass), held)
        told = np.where(rare, usual * (held / np.maximum(mass, 1e-300)), own) + lessons.smooth * margin
        result[low:high] = told / told.sum(axis=0)
    return result


def _spreads(second: Floats, means: Floats, size: Floats, rows: Rows, lessons: Lessons) -> Floats:
    """(K, p, p), spreads drawn to a small one of the form of all rows (Fraley and Raftery), so that none collapses."""
    k, p = means.shape
    prior = _pooled(rows) / k ** (2 / p)
    pull = PULL * size / (PULL + size)
    outer = pull[:, None, None] * means[:, :, None] * means[:, None, :]
    spreads = (second + prior + outer) / (size + 2 * p + 4)[:, None, None]
    if lessons.spread == "diagonal":
        return np.ascontiguousarray(spreads * np.eye(p))
    if lessons.spread == "low_rank" and p > lessons.rank + 1:
        values, vectors = np.linalg.eigh(spreads)
        noise = values[:, : p - lessons.rank].mean(axis=1)
        above = np.maximum(values[:, p - lessons.rank :] - noise[:, None], 0)
        part = vectors[:, :, p - lessons.rank :]
        spreads = (part * above[:, None, :]) @ np.swapaxes(part, 1, 2) + noise[:, None, None] * np.eye(p)
    return np.ascontiguousarray(spreads)


def _parameters(mixture: Mixture, sizes: Sequence[int], lessons: Lessons) -> float:
    """How many numbers a mixture has to choose."""
    k, p = mixture.means.shape
    spread = {"full": p * (p + 1) / 2, "diagonal": p, "low_rank": min(lessons.rank, p) * p + 1}[lessons.spread]
    return k * (1 + sum(m - 1 for m in sizes) + p + spread) - 1
