"""A Bayesian network over codes: p(x) is the product over fields of p(x_j | parents of x_j).

What a field's parents say is a tree: they are asked one after the other, and each node has a distribution over all
codes of the field, drawn to that of the node above it, up to the margin. So a field of hundreds of codes with several
parents of hundreds of codes has only as many distributions as the rows can tell apart.

Source: Friedman and Goldszmidt (1996), Learning Bayesian networks with local structure, UAI; Pearl (1988),
Probabilistic reasoning in intelligent systems, chapter 4, for Gibbs sampling by Markov blankets.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.numeric import bayes_kernels as kernels
from cuvee.numeric.bayes_kernels import Bytes, Floats, Ints, Tables
from cuvee.numeric.bayes_search import LEAF, LocalScores, Rules, hill_climb, topological
from cuvee.numeric.circuit_shape import coarse_cells, ladder, mutual_information, shape_rows, spanning_tree

BINS = 40
"""A field is asked, and its distributions are compared, in so many bins at most, when parameters are learned."""
NUMBERS = 3_000_000
"""The distributions of one field have about so many numbers at most."""
MOST_NODES = 2_047
PRICE = 1.5
"""Nats that a parameter costs when the trees of a known structure are grown; smoothing does the rest."""
FEW = 2.0
"""Rows on one side of a decision count as so many where they are too few to be told."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """How a network is learned.

    Attributes:
        search: "greedy" looks among all acyclic graphs, "tree" takes the best tree.
        rules: How it looks.
        smooth: How many rows the distribution above is worth: at the first decision between codes as many, at the
            second twice as many, and so on.
        least: Nothing is learned from fewer rows.
        rows: Rows in which the structure is looked for.
    """

    search: Literal["greedy", "tree"]
    rules: Rules
    smooth: float
    least: int
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A Bayesian network.

    Attributes:
        tables: Its trees, as the loops read them.
        strength: (edges,), what each edge says, in nats a row: by how much the score falls without it; in the order of
            `edges`.
        edges: (edges, 2), parent and child.
    """

    tables: Tables
    edges: Ints
    strength: Floats

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, for a file."""
        t = self.tables
        return {
            "order": t.order, "size": t.size, "first": t.first, "feature": t.feature, "cut": t.cut, "left": t.left,
            "shares": t.shares, "edges": self.edges, "strength": self.strength,
        }  # fmt: skip

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `arrays` gave, as a network again."""
        a = {name: np.array(array) for name, array in arrays.items()}
        tables = _tables(a["order"], a["size"], a["first"], (a["feature"], a["cut"], a["left"]), a["shares"])
        return cls(tables, a["edges"], a["strength"])

    def log_density(self, codes: Ints) -> Floats:
        """(d, n), the log probability of each code given its parents, in nats; 0 where a code is open.

        Where a parent is open, what the parents asked before it say counts.
        """
        out = np.empty(codes.shape)
        kernels.density(self.tables, np.ascontiguousarray(codes, np.int32), out)
        return out

    def cell_log_density(self, codes: Ints) -> Floats:
        """(d, n), the log probability of each code given all other codes of its row, in nats; 0 where it is open."""
        out = np.empty(codes.shape)
        kernels.cell_density(self.tables, np.ascontiguousarray(codes, np.int32), out)
        return out

    def draw(self, n: int, *, rng: Generator) -> Ints:
        """Draw n rows, (d, n) codes."""
        codes = np.empty((len(self.tables.size), n), np.int32)
        kernels.draw(self.tables, rng.random(codes.shape, dtype=np.float32), codes)
        return codes


def learn(
    codes: Ints,
    masses: Sequence[Floats],
    missing: Sequence[int],
    lessons: Lessons,
    *,
    rng: Generator,
    watch: Callable[[str, int, int, str], None] = lambda _step, _done, _total, _note: None,
) -> Network:
    """Learn the structure, then the distributions.

    Args:
        codes: (d, n), -1 where a cell is not known; such rows count as the field's most common code.
        masses: By field, (m,), the probability of each code.
        missing: By field, how many of the first codes stand for missing values.
        lessons: How.
        rng: For the rows that the structure is looked for in, and for the search.
        watch: Told of the step, how much of it is done, of how much, and a note.
    """
    d, n = codes.shape
    whole = np.stack([np.where(c < 0, int(m.argmax()), c) for c, m in zip(codes, masses, strict=True)]).astype(np.int32)
    parents = _structure(whole, masses, missing, lessons, rng, watch)
    cells, bins = _binned(whole, masses, missing, BINS)
    scores = LocalScores(cells, bins, replace(lessons.rules, criterion="bic"))
    edges = [(a, b) for b in range(d) for a in parents[b]]
    strength: list[float] = []
    for done, (a, b) in enumerate(edges):
        watch("strength of edges", done, len(edges), "")
        strength.append(max(scores(b, parents[b]) - scores(b, set(parents[b]) - {a}), 0.0) / n)
    parts: list[tuple[Ints, Ints, Ints, NDArray[np.float32]]] = []
    for b in range(d):
        watch("distributions", b, d, "")
        parts.append(_grown(whole, (cells, bins), b, parents[b], masses, missing, lessons))
    watch("distributions", d, d, "")
    first = np.concatenate([[0], np.cumsum([len(p[0]) for p in parts])]).astype(np.int64)
    feature, cut, left = (np.concatenate([p[k] for p in parts]).astype(np.int32) for k in range(3))
    shares = np.concatenate([p[3].ravel() for p in parts])
    size = np.array([len(m) for m in masses], np.int32)
    tables = _tables(np.array(topological(parents), np.int32), size, first, (feature, cut, left), shares)
    return Network(tables, np.array(edges, np.int32).reshape(-1, 2), np.array(strength, np.float64))


def _structure(
    codes: Ints,
    masses: Sequence[Floats],
    missing: Sequence[int],
    lessons: Lessons,
    rng: Generator,
    watch: Callable[[str, int, int, str], None],
) -> list[tuple[int, ...]]:
    """The parents of each field."""
    d, n = codes.shape
    bins, most = shape_rows(d)
    some = codes if n <= lessons.rows else codes[:, np.sort(rng.permutation(n)[: lessons.rows])]
    watch("structure", 0, 0, "comparing pairs")
    cells, sizes = _binned(some, masses, missing, bins)
    mutual = mutual_information(cells[:, :most].astype(np.int32), sizes.tolist())
    _, above = spanning_tree(mutual)
    tree = [() if p < 0 or mutual[p, j] <= 0 else (int(p),) for j, p in enumerate(above)]
    if lessons.search == "tree":
        return tree
    scores = LocalScores(cells, sizes, lessons.rules)
    tree = [p if p and scores(j, p) > scores(j, ()) else () for j, p in enumerate(tree)]
    ranked = np.argsort(-mutual, axis=1, kind="stable")
    likely = [[int(a) for a in ranked[j] if a != j][: lessons.rules.candidates] for j in range(d)]

    def told(moves: int, score: float) -> None:
        watch("structure", moves, 0, f"{score / cells.shape[1]:.3f} nats a row")

    return hill_climb(scores, tree, likely, rng=rng, watch=told)


def _binned(codes: Ints, masses: Sequence[Floats], missing: Sequence[int], bins: int) -> tuple[Bytes, Ints]:
    """(d, n), the bin of every cell, and (d,), how many bins each field has."""
    looked = [coarse_cells(m, gone, bins) for m, gone in zip(masses, missing, strict=True)]
    cells = np.stack([look[c] for look, c in zip(looked, codes, strict=True)]).astype(np.uint8)
    return cells, np.array([int(look.max()) + 1 for look in looked], np.int32)


def _grown(
    codes: Ints,
    binned: tuple[Bytes, Ints],
    child: int,
    parents: Sequence[int],
    masses: Sequence[Floats],
    missing: Sequence[int],
    lessons: Lessons,
) -> tuple[Ints, Ints, Ints, NDArray[np.float32]]:
    """The tree of one field, its cuts as codes, and the distribution of each node, (nodes, m)."""
    cells, bins = binned
    m = len(masses[child])
    most = int(np.clip(NUMBERS // m, 3, MOST_NODES))
    leaf = max(LEAF, lessons.least)
    asked = np.array(parents, np.int32)
    feature, cut, left, _, _ = kernels.grow(cells, bins, child, asked, leaf, most, 0, PRICE)
    where, counts = np.zeros(cells.shape[1], np.int64), np.zeros((len(feature), m), np.float32)
    up = np.full(len(feature), -1, np.int32)
    while True:
        inner = np.flatnonzero(feature[where] >= 0)
        if not len(inner):
            break
        at = where[inner]
        where[inner] = left[at] + (cells[feature[at], inner] > cut[at])
    np.add.at(counts, (where, codes[child]), np.float32(1))
    for v in range(len(feature) - 1, -1, -1):
        if feature[v] >= 0:
            up[left[v]] = up[left[v] + 1] = v
            counts[v] = counts[left[v]] + counts[left[v] + 1]
    steps = ladder(masses[child], missing[child])
    few = min(FEW, lessons.least / 2)
    weight = (lessons.smooth * steps.depth).astype(np.float32)
    shares = kernels.smoothed(counts, up, steps.nodes, steps.share, weight, float(lessons.least), few)
    # From the last bin that goes left to the last code of it.
    for v in np.flatnonzero(feature >= 0):
        look = coarse_cells(masses[feature[v]], missing[feature[v]], BINS)
        cut[v] = int(np.flatnonzero(look <= cut[v]).max())
    return feature, cut, left, shares


def _tables(
    order: Ints, size: Ints, first: NDArray[np.int64], trees: tuple[Ints, Ints, Ints], shares: NDArray[np.float32]
) -> Tables:
    """The network for the loops, with what follows from the rest."""
    feature, cut, left = trees
    nodes = np.diff(first)
    start = np.concatenate([[0], np.cumsum(nodes * size)]).astype(np.int64)
    sums = np.empty_like(shares)
    asked: list[set[int]] = [set() for _ in size]
    for f, m in enumerate(size.tolist()):
        part = np.cumsum(shares[start[f] : start[f + 1]].reshape(-1, m), axis=1, dtype=np.float64)
        sums[start[f] : start[f + 1]] = (part / part[:, -1:]).astype(np.float32).ravel()
        for parent in np.unique(feature[first[f] : first[f + 1]]).tolist():
            if parent >= 0:
                asked[parent].add(f)
    begin = np.concatenate([[0], np.cumsum([len(a) for a in asked])]).astype(np.int64)
    children = np.array([c for a in asked for c in sorted(a)], np.int32)
    return Tables(order, size, first, feature, cut, left, start, shares, sums, begin, children)
