"""Foreign keys: columns whose values stand in the key of another table, or of their own.

That all values are found says little where the parent's are 1, 2, 3, ...: every small count is found there too. So each
inclusion is weighed by how surprising it is, and whole numbers without a gap need a name that speaks for them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import log2

import polars as pl

from cuvee.data.detect_keys import unique_columns
from cuvee.data.detect_kind import KindGuess
from cuvee.data.detect_roles import RoleGuess
from cuvee.data.profile import Profile, Profiles, is_type
from cuvee.data.schema import ForeignKey
from cuvee.data.words import affinity, belongs_to, is_id, percent, stems

CONVINCING = 0.55
"""A guess below this confidence is not made."""

_BITS = 20.0
"""So many bits of surprise are as good as sure: a chance of one in a million."""

Keys = Mapping[str, tuple[str, ...] | None]
Kinds = Mapping[str, Mapping[str, KindGuess]]
Roles = Mapping[str, Mapping[str, RoleGuess]]


@dataclass(frozen=True, slots=True)
class Inclusion:
    """How much of a child's columns stands in the parent.

    Attributes:
        rows: Rows without a null.
        found: Those of them whose values stand in the parent.
        values: Distinct values of them.
        values_found: Distinct values that stand in the parent.
    """

    rows: int
    found: int
    values: int
    values_found: int

    @property
    def share(self) -> float:
        """Share of rows without a null that are found; 1 where there is no such row."""
        return self.found / self.rows if self.rows else 1.0


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A foreign key that might be, with what ranks it among those of the same columns."""

    key: ForeignKey
    rank: tuple[float, ...]
    named: float


def find_references(tables: Profiles, kinds: Kinds, keys: Keys, roles: Roles) -> dict[str, list[ForeignKey]]:
    """The foreign keys of every table.

    Args:
        tables: The columns of every table.
        kinds: Their kinds.
        keys: The key of every table, or None.
        roles: The columns of every table that say something of a person or place; only a key refers to those.

    Returns:
        For every table its foreign keys, those of one column first, in the order of their columns. A column refers to
        at most one column.
    """
    found: dict[str, dict[str, _Candidate]] = {t: {} for t in tables}
    parents = list(_parents(tables, kinds, keys, roles))
    for table, columns in tables.items():
        for name, child in columns.items():
            if not child.countable or not child.filled or is_type(child.values.dtype, pl.Boolean, pl.Duration, pl.Time):
                continue
            judged = (
                _judge(child, kinds[table][name], parent, single_key=keys[table] == (name,)) for parent in parents
            )
            best = max((c for c in judged if c is not None), key=lambda c: c.rank, default=None)
            if best is not None:
                found[table][name] = best
    single = _one_way(found, tables)
    out = {t: [c.key for c in one.values()] for t, one in single.items()}
    for table, key in _composites(tables, keys, single):
        out[table].append(key)
    return out


@dataclass(frozen=True, slots=True)
class _Parent:
    """A column that can be referred to."""

    profile: Profile
    is_key: bool
    unique: float


def _parents(tables: Profiles, kinds: Kinds, keys: Keys, roles: Roles) -> Iterator[_Parent]:
    for table, columns in tables.items():
        others = unique_columns(columns, kinds[table])
        key = keys[table]
        if key is not None and len(key) == 1 and columns[key[0]].countable and columns[key[0]].filled:
            yield _Parent(columns[key[0]], is_key=True, unique=1.0)
        for name, share in others.items():
            if key != (name,) and name not in roles[table]:
                yield _Parent(columns[name], is_key=False, unique=share)


def _family(p: Profile) -> str | None:
    """What a column's values can be compared with: whole numbers, texts, or times."""
    dtype = p.values.dtype
    if dtype.is_numeric():
        return "whole" if p.whole else None
    if is_type(dtype, pl.Date, pl.Datetime):
        return "time"
    return "text" if is_type(dtype, pl.String, pl.Categorical, pl.Enum) else None


def _plain(values: pl.Series, family: str) -> pl.Series:
    """Values in the one type of their family, so that those of two tables compare."""
    if family == "whole":
        return values.cast(pl.Int64, strict=False)
    if family == "time":
        zoned = values.dtype == pl.Datetime and getattr(values.dtype, "time_zone", None) is not None
        return (values.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zoned else values).cast(
            pl.Datetime("us")
        )
    return values.cast(pl.String)


def include(child: Mapping[str, Profile], parent: Mapping[str, Profile]) -> Inclusion | None:
    """How much of the child's columns, taken together, stands in the parent's, in order; None where types differ."""
    pairs = list(zip(child.values(), parent.values(), strict=True))
    families = [_family(c) for c, _ in pairs]
    if any(f is None or f != _family(p) for f, (_, p) in zip(families, pairs, strict=True)):
        return None
    names = [str(i) for i in range(len(pairs))]
    both = [(c, p, str(f)) for (c, p), f in zip(pairs, families, strict=True)]
    if len(pairs) == 1:
        c, p, family = both[0]
        mine = pl.DataFrame({"0": _plain(c.counts["value"], family), "count": c.counts["count"]}).drop_nulls()
        yours = pl.DataFrame({"0": _plain(p.counts["value"], family)})
    else:
        mine = pl.DataFrame({n: _plain(c.values, f) for n, (c, _, f) in zip(names, both, strict=True)}).drop_nulls()
        mine = mine.group_by(names).agg(pl.len().alias("count"))
        yours = (
            pl.DataFrame({n: _plain(p.values, f) for n, (_, p, f) in zip(names, both, strict=True)})
            .drop_nulls()
            .unique()
        )
    hits = mine.join(yours, on=names, how="semi")
    return Inclusion(int(mine["count"].sum()), int(hits["count"].sum()), mine.height, hits.height)


def describe(child: tuple[str, ...], table: str, to: tuple[str, ...], inclusion: Inclusion, more: str = "") -> str:
    """The sentence that says what refers to what, and how much of it is found."""
    if len(child) == 1:
        arrow = f"`{child[0]}` → `{table}.{to[0]}`"
    else:
        arrow = f"({', '.join(f'`{c}`' for c in child)}) → `{table}` ({', '.join(f'`{c}`' for c in to)})"
    orphans = inclusion.rows - inclusion.found
    if not orphans:
        return f"{arrow}: all {inclusion.rows:,} values found{more}"
    rows = "1 row" if orphans == 1 else f"{orphans:,} rows"
    return f"{arrow}: {percent(inclusion.share)} of values found, {rows} without a parent, kept{more}"


def _judge(child: Profile, kind: KindGuess, parent: _Parent, *, single_key: bool) -> _Candidate | None:
    """Whether a column refers to another, by name and by value."""
    to = parent.profile
    same = child.table == to.table
    if child is to or (family := _family(child)) is None or family != _family(to):
        return None
    named = affinity(child.name, to.name, to.table, same_table=same)
    one_to_one = single_key or (child.unique and not parent.is_key)
    if not _worth_a_look(child, kind, parent, named) or (one_to_one and not _may_share_key(child, parent, named)):
        return None
    inclusion = include({child.name: child}, {to.name: to})
    if inclusion is None or not inclusion.found:
        return None
    surprise = _surprise(child, to, inclusion, family)
    if single_key and inclusion.share < 1 and not belongs_to(child.name, to.table):
        return None
    sure = _confidence(named, inclusion, surprise, inclusion.values_found / to.distinct)
    sure -= 0.1 if parent.unique < 1 else 0.0
    sure -= 0.0 if parent.is_key else 0.05
    if sure < CONVINCING:
        return None
    key = ForeignKey(
        columns=(child.name,),
        table=to.table,
        to=(to.name,),
        found=inclusion.share,
        orphans=inclusion.rows - inclusion.found,
        confidence=round(min(0.99, sure), 2),
        reason=describe((child.name,), to.table, (to.name,), inclusion, _more(named, surprise, parent)),
    )
    own = float(belongs_to(to.name, to.table)) + float(belongs_to(child.name, to.table))
    return _Candidate(key, (round(sure, 2), float(parent.is_key), own, inclusion.values_found / to.distinct), named)


def _worth_a_look(child: Profile, kind: KindGuess, parent: _Parent, named: float) -> bool:
    """Whether a column could refer at all, before its values are compared."""
    if named >= 0.3:
        return True
    coded = kind.kind in {"id", "category"} or is_id(child.name)
    return coded and parent.is_key and child.table != parent.profile.table and _sparse(parent.profile)


def _sparse(p: Profile) -> bool:
    """Whether finding values here says something by itself: texts, and numbers with gaps."""
    numbers = p.numbered
    if numbers is None:
        return p.text or is_type(p.values.dtype, pl.Categorical, pl.Enum)
    return len(numbers) < 0.5 * (_bound(numbers.max()) - _bound(numbers.min()) + 1)


def _bound(value: object) -> float:
    return float(value)  # pyright: ignore[reportArgumentType] (the least or greatest of numbers)


def _may_share_key(child: Profile, parent: _Parent, named: float) -> bool:
    """Whether a unique column can refer to a key: the other table is the larger, or the one that it is named after."""
    to = parent.profile
    if not parent.is_key or belongs_to(child.name, child.table):
        return False
    if named < 0.9:
        return _sparse(to) and to.distinct > child.distinct
    return belongs_to(child.name, to.table) or to.distinct > child.distinct


def _surprise(child: Profile, to: Profile, inclusion: Inclusion, family: str) -> float:
    """How surprising it is that so many distinct values are found, 0 (no wonder) to 1."""
    mine, yours = child.numbered, to.numbered
    if mine is not None and yours is not None:
        low, high = _bound(mine.min()), _bound(mine.max())
        inside = int(yours.is_between(low, high).sum())
        bits = -log2(min(1.0, max(inside, 1) / (high - low + 1)))
    elif family == "text":
        length = child.lengths[0] if child.text else 4.0
        bits = 0.5 if length <= 1 else 1.5 if length <= 2 else 3.0 if length <= 4 else 4.0
    else:
        bits = 0.1
    return min(1.0, bits * inclusion.values_found / _BITS)


def _confidence(named: float, inclusion: Inclusion, surprise: float, covered: float) -> float:
    """How sure a foreign key is. The weights are a judgement; the less the name says, the more must be found."""
    share = inclusion.share
    if named >= 0.9:
        return 0.6 + 0.38 * share if share >= (0.2 if surprise >= 0.5 else 0.5) else 0.0
    if named >= 0.7:
        return 0.5 + 0.3 * share + 0.15 * surprise if share >= 0.8 else 0.0
    if named >= 0.5:
        return 0.35 + 0.25 * share + 0.3 * surprise if share >= 0.95 else 0.0
    if named >= 0.3:
        whole = covered >= 0.8 and inclusion.values_found >= 3
        return 0.25 + 0.3 * share + 0.3 * surprise if share >= 0.98 and (surprise >= 0.4 or whole) else 0.0
    enough = share >= 0.9 and inclusion.values_found >= 0.9 * inclusion.values and surprise >= 0.4
    return 0.2 + 0.2 * share + 0.45 * surprise if enough else 0.0


def _more(named: float, surprise: float, parent: _Parent) -> str:
    """What makes a guess unsure."""
    notes = []
    if named < 0.3:
        notes.append("; the values say so, not the names")
    elif named < 0.9 and surprise < 0.2:
        notes.append("; whole numbers without a gap would be found by chance too, the names are alike")
    if parent.unique < 1:
        notes.append("; some values of the parent occur more than once")
    return "".join(notes)


def _one_way(found: dict[str, dict[str, _Candidate]], tables: Profiles) -> dict[str, dict[str, _Candidate]]:
    """Of two columns that refer to each other only the surer, or else the one of the later table."""
    order = {t: i for i, t in enumerate(tables)}

    def loses(table: str, column: str, mine: _Candidate) -> bool:
        other = found[mine.key.table].get(mine.key.to[0])
        if other is None or (other.key.table, other.key.to) != (table, (column,)):
            return False
        return (mine.rank, order[table], column) < (other.rank, order[mine.key.table], mine.key.to[0])

    return {t: {c: k for c, k in one.items() if not loses(t, c, k)} for t, one in found.items()}


def _composites(
    tables: Profiles, keys: Keys, single: Mapping[str, Mapping[str, _Candidate]]
) -> Iterator[tuple[str, ForeignKey]]:
    """Foreign keys of several columns: to composite keys, by columns of the same names whose values are found."""
    best: dict[tuple[str, tuple[str, ...]], ForeignKey] = {}
    for parent, key in keys.items():
        if key is None or len(key) < 2:
            continue
        borrowed = any(c in single[parent] and single[parent][c].named >= 0.9 for c in key)
        for child, columns in tables.items():
            related = set(stems(parent)) <= set(stems(child)) or parent in child
            if child == parent or (borrowed and not related) or (set(key) == set(keys[child] or ()) and not related):
                continue
            for names in _mappings(columns, key, parent):
                guess = _composite(columns, names, tables[parent], key)
                old = best.get((child, tuple(sorted(names))))
                if guess is not None and (old is None or guess.confidence > old.confidence):
                    best[child, tuple(sorted(names))] = guess
    for (child, _), guess in best.items():
        yield child, guess


def _mappings(columns: Mapping[str, Profile], key: tuple[str, ...], parent: str) -> Iterator[tuple[str, ...]]:
    """The ways in which columns of a table could stand for the key, by their names; at most eight."""
    options: list[list[str]] = []
    for k in key:
        scored = {c: affinity(c, k, parent, same_table=False) for c, p in columns.items() if p.countable}
        same = [c for c in scored if stems(c) == stems(k)]
        options.append(same or [c for c, a in scored.items() if a >= 0.85])
    if all(options):
        ways = [names for names in product(*options) if len(set(names)) == len(names)]
        yield from ways[:8]


def _composite(
    columns: Mapping[str, Profile], names: tuple[str, ...], parent: Mapping[str, Profile], key: tuple[str, ...]
) -> ForeignKey | None:
    inclusion = include({n: columns[n] for n in names}, {k: parent[k] for k in key})
    if inclusion is None or inclusion.share < 0.8 or not inclusion.found:
        return None
    table = parent[key[0]].table
    exact = all(stems(n) == stems(k) for n, k in zip(names, key, strict=True))
    return ForeignKey(
        columns=names,
        table=table,
        to=key,
        found=inclusion.share,
        orphans=inclusion.rows - inclusion.found,
        confidence=round((0.55 if exact else 0.45) + 0.4 * inclusion.share, 2),
        reason=describe(names, table, key, inclusion),
    )
