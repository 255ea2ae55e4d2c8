"""Orders between columns, and arithmetic that ties them together."""

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.data.conditions import Comparison
from cuvee.data.formulas import Operated, Operation, Value
from cuvee.data.proposals import CHANCE, Proposal, counted

Floats = NDArray[np.float64]

NUMBERS = 40
"""At most so many numbers are looked at for arithmetic, and twice as many for orders."""
GLANCE = 300
"""Most candidates are ruled out by so many rows."""
ALMOST = 0.98
"""The share of those rows that must keep a candidate; all rows decide."""
FEWEST = 50
"""Rows in which nothing is missing that a rule needs."""
OFTEN = 0.04
"""An order must be broken by this share of the pairs of values that are put together at random."""


def orders(some: pl.DataFrame, plain: pl.DataFrame) -> Iterator[Proposal]:
    """Columns of which one is never less than another, though both reach over the same values; equal columns."""
    rng = np.random.default_rng(0)
    edges: dict[tuple[str, str], Proposal] = {}
    for names in _alike(some):
        values = {c: _floats(some[c]) for c in names}
        for a, b in combinations(names, 2):
            both = ~np.isnan(values[a]) & ~np.isnan(values[b])
            if both.sum() < FEWEST:
                continue
            x, y = values[a][both], values[b][both]
            if (x == y).all():
                if len(np.unique(x)) > 2:
                    yield from _comparison(Comparison(a, "=", other=b), plain, "they are the same in every row")
                continue
            low, high = (a, b) if (x <= y).mean() > 0.5 else (b, a)
            less, more = (x, y) if low == a else (y, x)
            if (less > more).mean() > OFTEN / 40:
                continue
            chance = float((less > rng.permutation(more)).mean())
            if chance < OFTEN or chance * len(x) < CHANCE:
                continue
            why = f"put together at random, {chance:.0%} of the values would break it"
            for found in _comparison(Comparison(low, "<=", other=high), plain, why):
                edges[low, high] = found
    yield from _reduced(edges)


def _comparison(said: Comparison, plain: pl.DataFrame, why: str) -> Iterator[Proposal]:
    yield from counted(str(said), said.truth(plain), why)


def _reduced(edges: dict[tuple[str, str], Proposal]) -> Iterator[Proposal]:
    """The orders without those that follow from others; a chain is one."""
    exact = {pair for pair, p in edges.items() if not p.exceptions}
    kept = {
        (a, c): p
        for (a, c), p in edges.items()
        if p.exceptions or not any((a, b) in exact and (b, c) in exact for b in {x for pair in exact for x in pair})
    }
    after = {a: [c for x, c in kept if x == a and not kept[x, c].exceptions] for a, _ in kept}
    before = {c: [a for a, x in kept if x == c and not kept[a, x].exceptions] for _, c in kept}
    used: set[tuple[str, str]] = set()
    for a, c in list(kept):
        if (a, c) in used or kept[a, c].exceptions or before.get(a):
            continue
        chain = [a]
        while len(after.get(chain[-1], [])) == 1 and len(before[after[chain[-1]][0]]) == 1:
            chain.append(after[chain[-1]][0])
        if len(chain) > 2:
            steps = list(pairwise(chain))
            used |= set(steps)
            rows = min(kept[s].rows for s in steps)
            reason = f"holds in all {rows:,} rows: each is at least as large as the one before."
            yield kept[steps[0]].model_copy(update={"line": {"increasing": chain}, "rows": rows, "reason": reason})
    yield from (p for pair, p in kept.items() if pair not in used)


def equations(some: pl.DataFrame, plain: pl.DataFrame) -> Iterator[Proposal]:
    """Numbers that are the sum or the product of two others."""
    columns = _numbers(some)[:NUMBERS]
    found: set[frozenset[str]] = set()
    whole = {c: _floats(some[c]) for c in columns}
    rows = np.flatnonzero(~np.isnan(np.array(list(whole.values()))).any(axis=0)) if columns else np.zeros(0, int)
    rows = rows[:: max(len(rows) // GLANCE, 1)][:GLANCE]
    if len(rows) < FEWEST:
        return
    values = {c: v[rows] for c, v in whole.items()}
    room = {c: _room(v) for c, v in values.items()}
    rich = [c for c in columns if len(np.unique(values[c])) >= 3 and (values[c] != 0).mean() > 0.1]
    for b, c in combinations(rich, 2):
        both: list[tuple[Operation, Floats]] = [("+", values[b] + values[c]), ("*", values[b] * values[c])]
        for sign, made in both:
            if sign == "*" and min(len(np.unique(values[b])), len(np.unique(values[c]))) < 4:
                continue
            for a in columns:
                key = frozenset((a, b, c))
                if a in {b, c} or key in found or len(np.unique(values[a])) < 5:
                    continue
                if (np.abs(values[a] - made) <= room[a] + 1e-9 * np.abs(made)).mean() < ALMOST:
                    continue
                formula = Operated(Value(b), sign, Value(c))
                proposals = list(_equation(a, formula, plain))
                found |= {key} if proposals else set()
                yield from proposals


def _equation(column: str, formula: Operated, plain: pl.DataFrame) -> Iterator[Proposal]:
    computed, value = formula.value(plain), plain[column].cast(pl.Float64).fill_nan(None)
    room = _room(value.filter(value.is_finite()).to_numpy())
    off = (value - computed).abs() - room - 1e-9 * computed.abs()
    yield from counted(f"{Value(column)} = {formula}", off <= 0, "to the last decimal")


def sums(some: pl.DataFrame, plain: pl.DataFrame) -> Iterator[Proposal]:
    """Three to eight neighbouring numbers that sum to another column, or to 1 or 100."""
    columns = _numbers(some)
    taken: set[str] = set()
    for size in range(8, 2, -1):
        for start in range(len(columns) - size + 1):
            parts = columns[start : start + size]
            if taken & set(parts):
                continue
            table = np.array([_floats(some[c])[:GLANCE] for c in parts])
            if (np.nanmax(np.abs(table), axis=1, initial=0) == 0).any():
                continue
            total = table.sum(axis=0)
            known = ~np.isnan(total)
            if known.sum() < FEWEST:
                continue
            line = _sum_line(parts, total, known, columns, some)
            if line is None:
                continue
            left, right = line
            computed = plain.select(pl.sum_horizontal([pl.col(c).cast(pl.Float64) for c in parts], ignore_nulls=False))
            wanted = plain[right].cast(pl.Float64) if right in plain.columns else pl.Series([float(right)])
            room = 10.0 ** -_decimals(table[:, known].reshape(-1)) * size
            truth = (computed.to_series() - wanted).abs() <= room / 2 + 1e-9
            proposals = list(
                counted(f"{left} = {Value(right) if right in plain.columns else right}", truth, "they sum to it")
            )
            taken |= set(parts) if proposals else set()
            yield from proposals


def _sum_line(
    parts: Sequence[str], total: Floats, known: NDArray[np.bool_], columns: Sequence[str], some: pl.DataFrame
) -> tuple[str, str] | None:
    """The sum as text, and the column or number that it is; None for neither."""
    left = " + ".join(str(Value(c)) for c in parts)
    for number in (1.0, 100.0):
        if (np.abs(total[known] - number) <= 1e-3 * number).mean() > ALMOST:
            return left, f"{number:g}"
    for c in columns:
        if c in parts:
            continue
        other = _floats(some[c])[: len(total)]
        both = known & ~np.isnan(other)
        if both.sum() < FEWEST or len(np.unique(other[both])) < 5:
            continue
        if (np.abs(total - other)[both] <= 1e-6 * np.abs(other[both]) + 1e-9).mean() > ALMOST:
            return left, c
    return None


def _alike(frame: pl.DataFrame) -> Iterator[list[str]]:
    """Groups of columns that can be compared."""
    yield _numbers(frame)[: 2 * NUMBERS]
    moments = [c for c, d in frame.schema.items() if isinstance(d, (pl.Date, pl.Datetime))]
    yield moments[: 2 * NUMBERS]


def _numbers(frame: pl.DataFrame) -> list[str]:
    """Columns of numbers that are more than flags."""
    return [c for c, d in frame.schema.items() if d.is_numeric() and frame[c].n_unique() > 2]


def _floats(series: pl.Series) -> Floats:
    if series.dtype.is_temporal():
        series = series.cast(pl.Datetime("us")).to_physical()
    values = series.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    return np.where(np.isfinite(values), values, np.nan)


def _decimals(values: Floats) -> int:
    """The fewest decimals that all values are written with, 9 at most."""
    fits = (d for d in range(9) if (np.abs(np.round(values, d) - values) <= 1e-9 * np.maximum(np.abs(values), 1)).all())
    return next(fits, 9)


def _room(values: Floats) -> float:
    """How far a computed value may be off for the rounding of what it is compared with."""
    return 0.5 * 10.0 ** -_decimals(values) * (1 + 1e-6)
