"""The structure of a Bayesian network: the best tree, or a greedy search over acyclic graphs.

Source: Chow and Liu (1968), Approximating discrete probability distributions with dependence trees; Heckerman, Geiger
and Chickering (1995), Learning Bayesian networks: the combination of knowledge and statistical data, Machine Learning
20; Friedman and Goldszmidt (1996), Learning Bayesian networks with local structure, UAI, for parents that are asked one
after the other; Friedman, Nachman and Pe'er (1999), Learning Bayesian network structure from massive datasets, UAI, for
the search among likely parents alone.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.numeric import bayes_kernels as kernels
from cuvee.numeric.bayes_kernels import Bytes, Ints

Floats = NDArray[np.float64]
Criterion = Literal["bic", "aic", "bdeu"]
Move = tuple[str, int, int]
"""What is done ("add", "remove", "reverse") to the edge from one field to another."""

LEAF, NODES = 20, 255
"""Rows of a leaf, and nodes of a tree, while the structure is looked for."""
GAIN = 1e-6
"""Nats; less is no gain."""
TABU = 12
"""So many of the last moves may not be taken back."""
PATIENCE = 10
"""Moves without a new best before the search stops."""
SHAKES = 6
"""Moves at random from the best graph, where the search starts again."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How a structure is looked for.

    Attributes:
        criterion: "bic" or "aic" (a parameter costs half the log of the rows, or 1), or "bdeu" (the marginal likelihood
            under a Dirichlet prior of `prior` rows).
        parents: The most parents of a field.
        candidates: Parents of a field are looked for among so many.
        prior: Rows of the prior of "bdeu".
        restarts: How often the search starts again from a graph near the best.
        moves: The most moves of one search.
    """

    criterion: Criterion = "bic"
    parents: int = 6
    candidates: int = 12
    prior: float = 5.0
    restarts: int = 2
    moves: int = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class LocalScores:
    """The score of each field given its parents, in nats: worked out once.

    Attributes:
        cells: (d, n), the bin of every cell.
        sizes: (d,), the bins of each field.
        rules: How the structure is looked for.
    """

    cells: Bytes
    sizes: Ints
    rules: Rules
    _kept: dict[tuple[int, tuple[int, ...]], float] = field(default_factory=dict)

    def __call__(self, child: int, parents: Iterable[int]) -> float:
        """The score of one field."""
        key = (child, tuple(sorted(parents)))
        if key not in self._kept:
            weight = price_of(self.rules.criterion, self.cells.shape[1], self.rules.prior)
            score = int(self.rules.criterion == "bdeu")
            asked = np.array(key[1], np.int32)
            self._kept[key] = kernels.grow(self.cells, self.sizes, child, asked, LEAF, NODES, score, weight)[4]
        return self._kept[key]


def price_of(criterion: Criterion, rows: int, prior: float) -> float:
    """What a parameter costs in nats, or the rows of the prior.

    >>> price_of("aic", 1000, 5.0), price_of("bdeu", 1000, 5.0), round(price_of("bic", 1000, 5.0), 3)
    (1.0, 5.0, 3.454)
    """
    return {"bic": 0.5 * float(np.log(max(rows, 2))), "aic": 1.0, "bdeu": prior}[criterion]


@dataclass(slots=True, eq=False)
class _Graph:
    """An acyclic graph while it is changed."""

    parents: list[set[int]]

    def copy(self) -> "_Graph":
        return _Graph([set(p) for p in self.parents])

    def leads(self, start: int, end: int, without: tuple[int, int] | None = None) -> bool:
        """Whether there is a directed path, perhaps without one edge (from, to)."""
        todo, seen = [end], {end}
        while todo:
            at = todo.pop()
            for parent in self.parents[at]:
                if (parent, at) == without or parent in seen:
                    continue
                if parent == start:
                    return True
                seen.add(parent)
                todo.append(parent)
        return start == end

    def apply(self, move: Move) -> None:
        what, a, b = move
        if what == "add":
            self.parents[b].add(a)
            return
        self.parents[b].remove(a)
        if what == "reverse":
            self.parents[a].add(b)


def topological(parents: Sequence[Iterable[int]]) -> list[int]:
    """The fields, parents first, the lowest number first where there is a choice.

    Raises:
        ValueError: The graph has a cycle.

    >>> topological([[2], [0, 2], []])
    [2, 0, 1]
    """
    left = [set(p) for p in parents]
    order: list[int] = []
    done: set[int] = set()
    while len(order) < len(left):
        ready = [j for j, p in enumerate(left) if j not in done and p <= done]
        if not ready:
            raise ValueError("The graph has a cycle, so its fields have no order.")
        order.append(ready[0])
        done.add(ready[0])
    return order


def hill_climb(
    score: LocalScores,
    start: Sequence[Iterable[int]],
    likely: Sequence[Sequence[int]],
    *,
    rng: Generator,
    watch: Callable[[int, float], None] = lambda _moves, _score: None,
) -> list[tuple[int, ...]]:
    """The parents of each field in the best graph that greedy moves with a tabu list find.

    Args:
        score: The local scores; a graph's score is their sum.
        start: The parents of each field where the search begins.
        likely: By field, the fields that may become its parents.
        rng: For the graphs from which the search starts again.
        watch: Told of the moves that were made, and of the best score.
    """
    best = _Graph([set(p) for p in start])
    best_score = sum(score(j, p) for j, p in enumerate(best.parents))
    moves = 0
    for again in range(score.rules.restarts + 1):
        graph = best.copy()
        if again and not _shaken(graph, score.rules, likely, rng):
            break
        now = sum(score(j, p) for j, p in enumerate(graph.parents))
        tabu: deque[Move] = deque(maxlen=TABU)
        found, found_score, vain = graph.copy(), now, 0
        while vain < PATIENCE and moves < score.rules.moves * (again + 1):
            gain, move = _best_move(graph, score, likely, tabu)
            if move is None:
                break
            graph.apply(move)
            tabu.append(_undone(move))
            now, moves, vain = now + gain, moves + 1, vain + 1
            if now > found_score + GAIN:
                found, found_score, vain = graph.copy(), now, 0
            watch(moves, max(best_score, found_score))
        if found_score > best_score + GAIN:
            best, best_score = found, found_score
    return [tuple(sorted(p)) for p in best.parents]


def _moves(graph: _Graph, rules: Rules, likely: Sequence[Sequence[int]]) -> Iterator[Move]:
    """All moves that keep the graph acyclic and no field with too many parents."""
    for b, parents in enumerate(graph.parents):
        for a in likely[b]:
            if a not in parents and len(parents) < rules.parents and not graph.leads(b, a):
                yield "add", a, b
        for a in sorted(parents):
            yield "remove", a, b
            if len(graph.parents[a]) < rules.parents and b in likely[a] and not graph.leads(a, b, (a, b)):
                yield "reverse", a, b


def _gain(graph: _Graph, score: LocalScores, move: Move) -> float:
    """By how much a move raises the score."""
    what, a, b = move
    mine = graph.parents[b]
    if what == "add":
        return score(b, mine | {a}) - score(b, mine)
    gain = score(b, mine - {a}) - score(b, mine)
    if what == "reverse":
        gain += score(a, graph.parents[a] | {b}) - score(a, graph.parents[a])
    return gain


def _best_move(
    graph: _Graph, score: LocalScores, likely: Sequence[Sequence[int]], tabu: Iterable[Move]
) -> tuple[float, Move | None]:
    """The move that gains most, or loses least; none that takes back one of the last."""
    forbidden = set(tabu)
    best, chosen = -np.inf, None
    for move in _moves(graph, score.rules, likely):
        if move in forbidden:
            continue
        gain = _gain(graph, score, move)
        if gain > best + GAIN:
            best, chosen = gain, move
    return best, chosen


def _undone(move: Move) -> Move:
    """The move that takes one back."""
    what, a, b = move
    return {"add": ("remove", a, b), "remove": ("add", a, b), "reverse": ("reverse", b, a)}[what]


def _shaken(graph: _Graph, rules: Rules, likely: Sequence[Sequence[int]], rng: Generator) -> bool:
    """Change the graph at random; whether there was anything to change."""
    for _ in range(SHAKES):
        possible = list(_moves(graph, rules, likely))
        if not possible:
            return False
        graph.apply(possible[int(rng.integers(len(possible)))])
    return True
