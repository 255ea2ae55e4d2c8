"""Rows of chains of trees given evidence: orders in which it comes early, exact draws of what is allowed, weights.

In a chain, what is known of a field is met exactly when the field is drawn: among the codes that are allowed, with
their probabilities given the fields before. What the fields before did not know of it is made good by weights: several
candidates are drawn for each row up to the last field of which something is known, and are chosen by how likely they
made what is known.
Source: Gordon, Salmond and Smith (1993), the particle filter; Doucet and Johansen (2009), A tutorial on particle
filtering and smoothing.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.data.errors import ModelError
from cuvee.numeric.masked_sampling import Allowed
from cuvee.numeric.resampling import effective_share, resampled
from cuvee.synthesis.tabular.chain import Known, Link, Rows
from cuvee.synthesis.tabular.coding import Coding
from cuvee.synthesis.tabular.evidence import Evidence

if TYPE_CHECKING:
    from cuvee.synthesis.tabular.trees_learned import TreesLearned

MOST = 32
"""Candidates of a row at most, where all rows are asked the same."""
SPARE = 1.5
"""There are so many times as many candidates as rows, counted by what they are worth."""
PILOT, LEAST = 8, 512
"""What candidates are worth is told from one for each so many rows, and from at least so many."""
PARTICLES = 24
"""Candidates of a row that has evidence of its own."""
ENOUGH = 0.5
"""Candidates are chosen anew as soon as they are worth fewer than this share of their number."""
WHOLE = 4
"""Of each row so many candidates are finished where a correction chooses among them."""


MANY, TOGETHER = 20, 5
"""Of many draws of one row, at most so many are chosen from the same candidates: those of a row are then fewer than
its draws, and hardly ever the same."""


class Drawn(Protocol):
    """Rows as far as they are drawn: codes and positions within cells, (fields, n) each."""

    @property
    def codes(self) -> NDArray[np.int32]: ...
    @property
    def within(self) -> NDArray[np.floating]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Conditional:
    """Rows given evidence.

    Attributes:
        rows: The rows, in the order of the evidence.
        effective: How many different candidates a row was chosen from, in the mean, as a share of those drawn.
    """

    rows: Rows
    effective: float


def draw_given(learned: "TreesLearned", evidence: Evidence, rng: Generator, *, times: int = 1) -> Conditional:
    """Rows that have what is known of them.

    Args:
        learned: The chains.
        evidence: What is known.
        rng: For what is drawn.
        times: Of so many rows beside each other the same is known.

    Raises:
        ModelError: No candidate of a row is possible.
    """
    n, fields = evidence.rows, len(learned.coding.fields)
    whole = Rows.empty(fields, np.zeros((fields, n), np.float32))
    known, same = evidence.known(), evidence.given is None
    share = max(s for s in range(1, TOGETHER + 1) if times % s == 0) if times >= MANY and not same else 1
    repeated = [(f, p, rows[::share]) for f, p, rows in _repeated(learned, evidence)]
    whose = np.repeat(_orders(learned, known[:, ::share], repeated, rng), share)
    effective: list[tuple[float, int]] = []
    for k, stream in enumerate(rng.spawn(len(learned.chains))):
        mine = np.flatnonzero(whose == k)
        if not len(mine):
            continue
        drawn, worth = _chain(learned, k, evidence, known, mine, stream, share=share, same=same)
        whole.put(mine, drawn)
        effective.append((worth, len(mine)))
    total = sum(n for _, n in effective)
    return Conditional(whole, sum(w * n for w, n in effective) / max(total, 1))


def _repeated(learned: "TreesLearned", evidence: Evidence) -> list[tuple[int, int, NDArray[np.bool_]]]:
    """Fields that may repeat another one, that one, and the rows where only it is given."""
    pairs = {(link.field, p) for chain in learned.chains for link in chain for p in link.partners}
    pairs |= {(other, one) for one, other in pairs}
    there = evidence.fixed >= 0
    return [(f, p, ~there[f] & there[p]) for f, p in sorted(pairs)]


def _orders(
    learned: "TreesLearned",
    known: NDArray[np.bool_],
    repeated: list[tuple[int, int, NDArray[np.bool_]]],
    rng: Generator,
) -> NDArray[np.int64]:
    """(n,), for each row one of the orders in which the last field of which something is known comes early.

    Before all, a value that is given comes before those that may repeat it: it can't be guessed.
    """
    k, n = len(learned.chains), known.shape[1]
    last, late = np.zeros((k, n), np.int64), np.zeros((k, n), np.int64)
    for number, chain in enumerate(learned.chains):
        order = [link.field for link in chain]
        place = np.arange(1, len(order) + 1)[:, None]
        last[number] = (known[order] * place).max(axis=0, initial=0)
        # A row of which all is known before the first open field needs no choice: its order is as good as any.
        first_open = np.where((~known[order]).any(axis=0), (~known[order]).argmax(axis=0), len(order))
        last[number] = np.where(first_open >= last[number], 0, last[number])
        spot = {f: i for i, f in enumerate(order)}
        for f, partner, rows in repeated:
            late[number] += rows & (spot[partner] > spot[f])
    last = last + late * (len(learned.coding.fields) + 1)
    ranks = np.argsort(np.argsort(last + 1e-6 * rng.random((k, 1)), axis=0, kind="stable"), axis=0, kind="stable")
    good = ((ranks < max(k // 2, 1)) & (late <= late.min(axis=0))) | (last <= last.min(axis=0))
    chance = good / good.sum(axis=0)
    return np.minimum((np.cumsum(chance, axis=0) < rng.random(n) - 1e-12).sum(axis=0), k - 1)


def _chain(
    learned: "TreesLearned",
    k: int,
    evidence: Evidence,
    known: NDArray[np.bool_],
    mine: NDArray[np.int64],
    rng: Generator,
    *,
    share: int,
    same: bool,
) -> tuple[Rows, float]:
    """Some rows out of one chain, and how many candidates each was chosen from, as a share.

    So many rows beside each other as `share` says are chosen from the same candidates.
    """
    chain, one = learned.chains[k], mine[::share]
    about = known[[link.field for link in chain]][:, mine].any(axis=1)
    last = int(np.flatnonzero(about)[-1]) + 1 if about.any() else 0
    early = chain[:last]
    finish = WHOLE if learned.correction is not None else 1
    few = PARTICLES
    if same and last:
        some = np.resize(np.arange(len(one)), max(len(one) // PILOT, LEAST))
        *_, worth = _candidates(learned, early, evidence, one[some], some, rng, same=True)
        few = int(np.clip(np.ceil(SPARE / max(worth, SPARE / MOST)), 1, MOST))
    whose = np.repeat(np.arange(len(one)), few if last else 1)
    rows, weights, worth = _candidates(learned, early, evidence, one[whose], whose, rng, same=same)
    chosen = resampled(weights, len(one), share * finish, same=same, rng=rng)
    if chosen is None:
        raise ModelError(
            "A row of those that are given can't be: no value that the model knows goes with what is asked."
        )
    if share > 1:
        chosen = rng.permuted(chosen.reshape(len(one), -1), axis=1).reshape(-1)
    part = rows.take(chosen)
    part.within[[link.field for link in chain[last:]]] = rng.random((len(chain) - last, len(chosen)), dtype=np.float32)
    for link in chain[last:]:
        if link.field not in evidence.asked.filled:
            link.draw(part, learned.layout, learned.coding, rng=rng)
            continue
        there = known_of(learned.coding, evidence, np.repeat(mine, finish), part, link.field, set(), rng)
        link.draw_given(part, learned.layout, learned.coding, there, rng=rng)
    if learned.correction is None:
        return part, worth
    chances = np.log(learned.correction.chances(part).astype(np.float64) + 1e-12).reshape(len(mine), finish)
    picked = (chances + rng.gumbel(size=chances.shape)).argmax(axis=1) + np.arange(len(mine)) * finish
    return part.take(picked), worth


def _candidates(
    learned: "TreesLearned",
    links: tuple[Link, ...],
    evidence: Evidence,
    rows_of: NDArray[np.int64],
    whose: NDArray[np.int64],
    rng: Generator,
    *,
    same: bool,
) -> tuple[Rows, NDArray[np.float64], float]:
    """Candidates up to the last field of which something is known, their log weights, and their worth as a share.

    They are worth no more than there are different ones among them.
    """
    fields, n = len(learned.coding.fields), len(rows_of)
    rows = Rows.empty(fields, rng.random((fields, n), dtype=np.float32))
    weights, worth, origin = np.zeros(n), 1.0, np.arange(n)
    drawn: set[int] = set()
    for place, link in enumerate(links):
        known = known_of(learned.coding, evidence, rows_of, rows, link.field, drawn, rng)
        weights = weights + link.draw_given(rows, learned.layout, learned.coding, known, rng=rng)
        drawn.add(link.field)
        worth = effective_share(weights, n if same else int(whose[-1]) + 1 if len(whose) else 0, same=same)
        if place + 1 < len(links) and worth < ENOUGH and weights.max(initial=-np.inf) > -np.inf:
            own = n if same else int(whose[-1]) + 1
            again = resampled(weights, own, n // own, same=same, rng=rng)
            if again is not None:
                rows, weights, origin = rows.take(again), np.zeros(n), origin[again]
    if not np.isfinite(weights.max(initial=-np.inf)):
        return rows, weights, 0.0
    return rows, weights, min(worth, len(np.unique(origin)) / max(n, 1)) if same else worth


def known_of(
    coding: Coding,
    evidence: Evidence,
    rows_of: NDArray[np.int64],
    rows: Drawn,
    field: int,
    drawn: set[int],
    rng: Generator,
) -> Known:
    """What is known of a field in candidates, with what was drawn before taken into account.

    Args:
        coding: The fields.
        evidence: What is known of rows.
        rows_of: (n,), the row of the evidence that each candidate is for.
        rows: The candidates as far as they are drawn.
        field: The field that is drawn next.
        drawn: The fields that were.
        rng: For codecs whose values are not settled by their place.
    """
    own = coding.fields[field]
    fixed, within = evidence.fixed[field, rows_of], evidence.within[field, rows_of]
    m, n = len(own.masses), len(rows_of)
    allowed: Allowed | None = None
    if field in evidence.lines:
        lines, line = evidence.lines[field]
        allowed = Allowed(lines, line[rows_of], np.zeros(n), np.full(n, float(m)), own.missing)
    for beside in evidence.asked.besides:
        other = beside.right if beside.left == field else beside.left
        if field not in {beside.left, beside.right} or other not in drawn:
            continue
        # Missing values lie in no order: where they may not be, their line says so.
        allowed = allowed or replace(Allowed.of(np.ones(m, np.float32), n), free=own.missing)
        ends = _border(coding, rows, field, other, above=beside.right == field, equal=beside.equal, rng=rng)
        if beside.right == field:
            allowed = replace(allowed, low=np.fmax(allowed.low, ends))
        else:
            allowed = replace(allowed, high=np.fmin(allowed.high, ends))
    there, silent = evidence.asked.filled.get(field), None
    if there is not None:
        allowed = allowed or Allowed.of(np.ones(m, np.float32), n)
        free = np.all(allowed.lines >= 1, axis=1)[allowed.line] & (allowed.low <= 0) & (allowed.high >= m)
        silent, allowed = free & (fixed < 0), _there(allowed, there)
    return Known(fixed, within, allowed, evidence.asked.shares.get(own.column), silent)


def _there(allowed: Allowed, there: NDArray[np.float32]) -> Allowed:
    """What is allowed, with a value where there is one that is."""
    lines = allowed.lines * there
    none = ~np.any(lines > 0, axis=1)
    lines[none] = allowed.lines[none]
    return replace(allowed, lines=np.ascontiguousarray(lines, np.float32))


def _border(
    coding: Coding, rows: Drawn, field: int, other: int, *, above: bool, equal: bool, rng: Generator
) -> NDArray[np.float64]:
    """Where in a field's codes the value of another field lies, (n,); NaN where that one has none."""
    from cuvee.codec.codec import Placed

    mine, theirs = (coding.codecs[coding.fields[f].column] for f in (field, other))
    values = theirs.values(Placed(rows.codes[other].astype(np.int64), rows.within[other]), start=0, rng=rng)
    placed = mine.place(values.cast(mine.dtype, strict=False).rename(mine.name), rng=rng)
    interval = coding.fields[field].volumes[placed.codes] != 1
    atom = placed.codes + (0.0 if equal == above else 1.0)
    place = np.where(interval, placed.codes + placed.within, atom)
    return np.where(values.is_null().to_numpy(), np.nan, place)
