"""Rows of a network that reads columns in any order: what is known of a row comes first, and is met exactly.

Given cells are read before all others. Then come fields of which only a part is allowed: each is drawn among the
allowed codes with its probabilities given what stands before. What earlier ones did not know of later ones is made good
by weights: of several candidates one is chosen by how likely it made what is allowed. With one such field no choice is
needed, and the rest follows freely.
Source: Gordon, Salmond and Smith (1993), the particle filter, with an order for each row.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from cuvee.data.errors import ModelError
from cuvee.nets.device import threads
from cuvee.nets.reading import Reader, draw_column
from cuvee.nets.transformer import ColumnTransformer
from cuvee.numeric.masked_sampling import Allowed
from cuvee.numeric.resampling import effective_share, resampled
from cuvee.synthesis.tabular.chain import Known
from cuvee.synthesis.tabular.coding import Coding
from cuvee.synthesis.tabular.conditional import PARTICLES, known_of
from cuvee.synthesis.tabular.evidence import Evidence

Orders = NDArray[np.int64]
Groups = list[tuple[int, NDArray[np.int64], set[int]]]

CELLS = 131_072
"""Rows are drawn in parts of about this many cells, so that what is remembered of them stays in the processor."""
POOL = (4, 32)
"""Candidates of a row where all rows are asked the same: at first, and where those are too unlike in weight."""
FEWEST, MOST = 64, 2_048
"""A part has at least and at most so many rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows that were drawn.

    Attributes:
        codes: (fields, n).
        within: (fields, n), positions within cells.
        weights: (n,), the log probability of what is known of a row, as far as it was drawn and not given.
    """

    codes: NDArray[np.int32]
    within: NDArray[np.float32]
    weights: NDArray[np.float64]


def draw(
    net: ColumnTransformer,
    coding: Coding,
    order: Orders,
    rng: Generator,
    *,
    evidence: Evidence | None = None,
    rows_of: NDArray[np.int64] | None = None,
    places: int | None = None,
) -> Rows:
    """Draw rows, each in its own order.

    Args:
        net: The network.
        coding: The fields.
        order: (n, fields), the field at each place of each row.
        rng: For what is drawn.
        evidence: What is known of rows; None for nothing.
        rows_of: (n,), the row of the evidence that each row is for; None for its own.
        places: How many places are drawn; None for all. What is beyond is 0.
    """
    n, fields = order.shape
    size = int(np.clip(CELLS // max(fields, 1), FEWEST, MOST))
    every = Rows(np.zeros((fields, n), np.int32), np.zeros((fields, n), np.float32), np.zeros(n))
    whose = np.arange(n) if rows_of is None else rows_of
    with torch.inference_mode(), threads(1):
        for start in range(0, n, size):
            mine = slice(start, start + size)
            part = Rows(every.codes[:, mine], every.within[:, mine], every.weights[mine])
            _draw_part(net, coding, order[mine], rng, part, (evidence, whose[mine], places or fields))
    return every


def _draw_part(
    net: ColumnTransformer,
    coding: Coding,
    order: Orders,
    rng: Generator,
    into: Rows,
    known: tuple[Evidence | None, NDArray[np.int64], int],
) -> None:
    """Fill some rows; what is known of them, the rows of the evidence that they are for, and how many places."""
    evidence, whose, places = known
    n, fields = order.shape
    uniforms = torch.from_numpy(rng.random((n, fields), dtype=np.float32))
    into.within[:] = rng.random((fields, n), dtype=np.float32)
    reader = Reader(net, n, places)
    spot = np.argsort(order, axis=1)
    for place in range(places):
        seen = reader.ask(torch.from_numpy(np.ascontiguousarray(order[:, place])))
        drawn = torch.zeros(n, dtype=torch.int64)
        for field, rows, before in _groups(order[:, place], spot, place, evidence):
            hint = None
            if evidence is not None:
                part = Rows(into.codes[:, rows], into.within[:, rows], into.weights[rows])
                hint = known_of(coding, evidence, whose[rows], part, field, before, rng)
            which = torch.from_numpy(rows)
            codes, chance = _column(net, field, seen[which], uniforms[which, field], hint)
            drawn[which] = codes
            into.codes[field, rows] = codes.numpy()
            if hint is not None:
                into.weights[rows] += chance
                _settle(hint, field, rows, into)
        reader.tell(drawn)


def _groups(column: NDArray[np.int64], spot: Orders, place: int, evidence: Evidence | None) -> Groups:
    """Rows that draw the same field, with the fields that stand in an order with it and were drawn before."""
    found: Groups = []
    for field in np.unique(column).tolist():
        rows = np.flatnonzero(column == field)
        beside = [] if evidence is None else evidence.asked.besides
        others = sorted({b.left + b.right - field for b in beside if field in {b.left, b.right}})
        if not others:
            found.append((field, rows, set()))
            continue
        before = spot[rows][:, others] < place
        for pattern in np.unique(before, axis=0):
            mine = rows[(before == pattern).all(axis=1)]
            found.append((field, mine, {o for o, yes in zip(others, pattern, strict=True) if yes}))
    return found


def _column(
    net: ColumnTransformer, field: int, seen: Tensor, uniforms: Tensor, hint: Known | None
) -> tuple[Tensor, NDArray[np.float64] | float]:
    """Codes of one field, and the log probability of what is allowed of it, 0 where it is given."""
    if hint is None:
        return draw_column(net, field, seen, uniforms)[0], 0.0
    fixed = torch.from_numpy(hint.fixed.astype(np.int64))
    given = hint.fixed >= 0
    if given.all():
        return fixed, 0.0
    shares = None if hint.allowed is None else torch.from_numpy(shares_in_rows(hint.allowed))
    codes, chance = draw_column(net, field, seen, uniforms, shares)
    silent = given if hint.silent is None else given | hint.silent
    return torch.where(fixed >= 0, fixed, codes), np.where(silent, 0.0, chance.numpy().astype(np.float64))


def shares_in_rows(allowed: Allowed) -> NDArray[np.float32]:
    """(n, m), how much of each code each row may have."""
    code = np.arange(allowed.lines.shape[1])
    shares = allowed.lines[allowed.line]
    if (allowed.low <= 0).all() and (allowed.high >= len(code)).all():
        return shares
    part = np.minimum(allowed.high[:, None], code + 1) - np.maximum(allowed.low[:, None], code)
    part[:, : allowed.free] = 1
    return (shares * np.clip(part, 0, 1)).astype(np.float32)


def _settle(hint: Known, field: int, rows: NDArray[np.int64], into: Rows) -> None:
    """Put positions within cells where they are given, or allowed."""
    codes, within = into.codes[field, rows], into.within[field, rows].astype(np.float64)
    hint.settle(np.arange(len(rows), dtype=np.int32), codes, within)
    into.within[field, rows] = np.where(hint.fixed >= 0, hint.within, np.minimum(within, np.float32(1 - 2**-24)))


def draw_given(
    net: ColumnTransformer, coding: Coding, orders: Orders, evidence: Evidence, rng: Generator
) -> tuple[Rows, float]:
    """Rows that have what is known of them, and how many candidates each was chosen from, as a share.

    Args:
        net: The network.
        coding: The fields.
        orders: (k, fields), the orders in which the network reads best.
        evidence: What is known.
        rng: For what is drawn.

    Raises:
        ModelError: No candidate of a row is possible.
    """
    n = evidence.rows
    given = evidence.fixed >= 0
    partly = evidence.known() & ~given
    order = _order(coding, orders[rng.permutation(n) % len(orders)], given, partly, evidence)
    if int(partly.sum(axis=0).max(initial=0)) <= 1:
        found = draw(net, coding, order, rng, evidence=evidence)
        if not np.isfinite(found.weights).all():
            raise _impossible()
        return found, 1.0
    same = evidence.given is None
    places = int((given | partly).sum(axis=0).max(initial=0))

    def candidates(times: int) -> tuple[Rows, float]:
        whose = np.repeat(np.arange(n), times)
        some = draw(net, coding, order[whose], rng, evidence=evidence, rows_of=whose, places=places)
        return some, effective_share(some.weights, n, same=same)

    some, worth = candidates(POOL[0] if same else PARTICLES)
    if same and (worth * POOL[0] < 1 or not np.isfinite(some.weights.max(initial=-np.inf))):
        some, worth = candidates(POOL[1])
    chosen = resampled(some.weights, n, 1, same=same, rng=rng)
    if chosen is None:
        raise _impossible()
    settled = replace(
        evidence,
        fixed=np.where(partly, some.codes[:, chosen], evidence.fixed).astype(np.int32),
        within=np.where(partly, some.within[:, chosen], evidence.within).astype(np.float32),
    )
    return draw(net, coding, order, rng, evidence=settled), worth


def _order(
    coding: Coding,
    base: Orders,
    given: NDArray[np.bool_],
    partly: NDArray[np.bool_],
    evidence: Evidence,
) -> Orders:
    """(n, fields), orders in which given fields come first, then those that are known in part, the rarest first."""
    n, fields = base.shape
    allowed = np.ones((fields, n))
    for f, (lines, line) in evidence.lines.items():
        allowed[f] = (lines @ coding.fields[f].masses)[line]
    spot = np.argsort(base, axis=1).T / max(fields, 1)
    rank = np.where(given, spot, np.where(partly, 2 + allowed, 4 + spot))
    return np.argsort(rank.T, axis=1, kind="stable")


def _impossible() -> ModelError:
    return ModelError("A row of those that are given can't be: no value that the model knows goes with what is asked.")


def log_prob(net: ColumnTransformer, codes: NDArray[np.int32], orders: Orders, *, size: int) -> NDArray[np.float64]:
    """(k, fields, n), the log probability of every code given those before it, in each order.

    Args:
        net: The network.
        codes: (fields, n).
        orders: (k, fields).
        size: How many rows are worked out at once.
    """
    fields, n = codes.shape
    found = np.zeros((len(orders), fields, n))
    rows = torch.from_numpy(np.ascontiguousarray(codes.T.astype(np.int64)))
    with torch.inference_mode(), threads():
        for k, order in enumerate(torch.from_numpy(orders)):
            for start in range(0, n, size):
                part = rows[start : start + size]
                found[k, :, start : start + size] = net.log_prob(part, order.expand(len(part), -1)).numpy().T
    return found
