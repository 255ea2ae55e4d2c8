"""The primary key of each table: unique and without nulls, and convincingly a name for rows, not unique by chance."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import exp, prod

import polars as pl

from cuvee.data.detect_kind import KindGuess
from cuvee.data.detect_roles import RoleGuess
from cuvee.data.profile import Profile, is_type
from cuvee.data.words import CATEGORY, ENTITY, belongs_to, is_count, is_id, is_step, speaks_of, tokens

MOST = 4
"""A composite key has at most this many columns."""

POOL = 9
"""Composite keys are looked for among at most this many columns of a table: the likeliest."""

PREFIX = 4_096
"""Combinations that repeat within this many first rows are given up at once."""

CONVINCING = 0.55
"""A guess below this confidence is not made."""

_NAMES_OF_THINGS = frozenset({"name", "title", "description", "label"})


@dataclass(frozen=True, slots=True)
class KeyGuess:
    """A key, how sure it is, and why."""

    columns: tuple[str, ...]
    confidence: float
    reason: str


def find_key(
    columns: Mapping[str, Profile], kinds: Mapping[str, KindGuess], roles: Mapping[str, RoleGuess]
) -> KeyGuess | None:
    """The primary key of a table, or None where none convinces.

    Args:
        columns: The table's columns.
        kinds: Their kinds.
        roles: The roles of those that have one.
    """
    singles = [(_single_score(p, kinds[c], roles.get(c)), c) for c, p in columns.items() if _may_be_key(p) and p.unique]
    if singles:
        score, name = max(singles, key=lambda s: (s[0], -columns[s[1]].position))
        if (sure := _sureness(score)) >= CONVINCING:
            return KeyGuess((name,), sure, _says_single(columns[name], len(singles)))
    return _composite(columns, kinds, roles)


def unique_columns(columns: Mapping[str, Profile], kinds: Mapping[str, KindGuess]) -> dict[str, float]:
    """Columns that could be referred to instead of the key: identifiers that (nearly) every row has alone.

    Returns:
        The share of distinct among filled values, by name of column; 1.0 where no value occurs twice.
    """
    out: dict[str, float] = {}
    for name, p in columns.items():
        if not _may_be_key(p, nulls=True) or p.filled < 2:
            continue
        share = p.distinct / p.filled
        if share >= 0.98 and (kinds[name].kind == "id" or (p.text and is_id(name))):
            out[name] = share
    return out


def _may_be_key(p: Profile, *, nulls: bool = False) -> bool:
    """Whether a column's type can name rows: no measurement, no yes or no, nothing nested."""
    dtype = p.values.dtype
    if not p.countable or is_type(dtype, pl.Boolean, pl.Duration, pl.Time) or (p.nulls and not nulls):
        return False
    return p.whole if dtype.is_numeric() else True


def _single_score(p: Profile, kind: KindGuess, role: RoleGuess | None) -> float:
    """How convincing one unique column is. From 2 on it convinces, 4 is plain. The weights are a judgement."""
    score = 3.0 if belongs_to(p.name, p.table) else 2.0 if is_id(p.name) and not is_count(p.name) else 0.0
    score += 1.5 if kind.kind == "id" else 0.0
    score += 1.5 if p.position == 0 else 0.5 if p.position <= 2 else 0.0
    if p.text:
        length, words = p.lengths
        score += 1.0 if length <= 12 and words <= 1 else 0.3 if words <= 1 else -2.0
    elif p.values.dtype.is_temporal():
        score -= 2.0
    elif p.values.dtype.is_float():
        score -= 1.0
    elif kind.kind != "id":
        score -= 2.0
    if tokens(p.name)[-1] in _NAMES_OF_THINGS and not is_id(p.name):
        score -= 1.5
    if role is not None:
        score -= 1.0 if role.role == "national_id" else 2.5
    return score - (2.0 if p.rows == 1 else 0.5 if p.rows < 10 else 0.0)


def _sureness(score: float) -> float:
    """Confidence of a score: 2 gives 0.6, 3 gives 0.8, 4 gives 0.92."""
    return round(min(0.98, 1 / (1 + exp(1.6 - score))), 2)


def _says_single(p: Profile, rivals: int) -> str:
    others = (
        f"; {rivals - 1} other columns are unique too"
        if rivals > 2
        else "; another column is unique too"
        if rivals == 2
        else ""
    )
    place = "the leftmost column, " if p.position == 0 else ""
    name = "named like an identifier, " if is_id(p.name) or belongs_to(p.name, p.table) else ""
    return f"`{p.name}`: {place}{name}{p.distinct:,} distinct values in {p.rows:,} rows, no nulls{others}."


def _composite(
    columns: Mapping[str, Profile], kinds: Mapping[str, KindGuess], roles: Mapping[str, RoleGuess]
) -> KeyGuess | None:
    """The most convincing smallest set of columns that is unique together."""
    weights = {
        c: _weight(p, kinds[c])
        for c, p in columns.items()
        if p.rows >= 4
        and _may_be_key(p)
        and p.distinct > 1
        and c not in roles
        and kinds[c].kind not in {"text", "boolean"}
    }
    pool = sorted((c for c, w in weights.items() if w >= -0.3), key=lambda c: (-weights[c], columns[c].position))[:POOL]
    pool.sort(key=lambda c: columns[c].position)
    for size in range(2, min(MOST, len(pool)) + 1):
        guesses = [
            _composite_guess([columns[c] for c in combo], sum(weights[c] for c in combo) / size)
            for combo in _unique_sets(columns, pool, size)
        ]
        best = max(guesses, key=lambda g: g.confidence, default=None)
        if best is not None and best.confidence >= CONVINCING:
            return best
    return None


def _weight(p: Profile, kind: KindGuess) -> float:
    """How likely a column is part of a composite key; below -0.3 it is left out."""
    if is_id(p.name) and not is_count(p.name):
        weight = 2.0
    elif belongs_to(p.name, p.table) or (speaks_of(p.name, ENTITY) and not is_count(p.name)):
        weight = 1.6
    elif kind.kind == "datetime" or is_step(p.name) or kind.kind == "id":
        weight = 1.3
    elif kind.kind == "category":
        weight = 1.0 if p.text or speaks_of(p.name, CATEGORY) else 0.6
    else:
        weight = 0.1
    weight -= 1.0 if is_count(p.name) else 0.4 if p.values.dtype.is_float() else 0.0
    return weight - min(0.6, 0.05 * p.position)


def _unique_sets(columns: Mapping[str, Profile], pool: list[str], size: int) -> Iterator[tuple[str, ...]]:
    """The sets of this many columns that are unique together and of which no smaller set is."""
    rows = columns[pool[0]].rows
    for combo in combinations(pool, size):
        if any(columns[c].unique for c in combo) or prod(columns[c].distinct for c in combo) < rows:
            continue
        parts = [columns[c].values for c in combo]
        if _repeats([part.head(PREFIX) for part in parts]) or _repeats(parts):
            continue
        smaller = (s for n in range(2, size) for s in combinations(combo, n))
        if all(_repeats([columns[c].values for c in s]) for s in smaller):
            yield combo


def _repeats(parts: list[pl.Series]) -> bool:
    """Whether two rows are equal in all of these columns."""
    frame = pl.DataFrame([part.rename(str(i)) for i, part in enumerate(parts)])
    return frame.select(pl.struct(pl.all()).n_unique()).item() < frame.height


def _composite_guess(parts: list[Profile], weight: float) -> KeyGuess:
    """How convincing a unique set is: by its columns, and by how many repeats independent columns would have had."""
    rows = parts[0].rows
    repeats = rows * (rows - 1) / 2 * prod(p.coincidence for p in parts)
    sure = 0.35 + 0.25 * min(weight, 2.0) - 0.08 * (len(parts) - 2)
    sure += 0.1 if repeats >= 100 else 0.0 if repeats >= 5 else -0.15 if repeats >= 0.5 else -0.35
    names = ", ".join(f"`{p.name}`" for p in parts)
    reason = (
        f"({names}): together unique in {rows:,} rows, no nulls, and no fewer of them are; "
        f"independent columns would repeat {repeats:,.0f} times."
    )
    return KeyGuess(tuple(p.name for p in parts), round(max(0.0, min(0.9, sure)), 2), reason)
