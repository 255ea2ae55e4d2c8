"""The golden tables: linked sources as one table, the others as they are, and the references between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.blending.associate import Link, Reference
from cuvee.blending.keys import is_hashed
from cuvee.blending.lineage import FOLLOWS, WORDS, Cells, untouched
from cuvee.blending.normalise import aligned
from cuvee.blending.references import NOTHING, ORPHAN, Referred
from cuvee.blending.resolve import Group, Rows, Rules, settle
from cuvee.blending.stack import Stack
from cuvee.blending.summary import Conflict
from cuvee.core import Event, Watch
from cuvee.data.kinds import plain_kind
from cuvee.data.schema import Column, ForeignKey, Table


@dataclass(frozen=True, slots=True)
class GoldenReference:
    """A reference between golden tables.

    Attributes:
        table: The referring table.
        columns: Its columns.
        parent: The table referred to.
        to: Its columns.
        rows: (rows of the referring table,), the row referred to, `NOTHING` or `ORPHAN`.
        reference: The (first) reference between sources that it was made of.
    """

    table: str
    columns: tuple[str, ...]
    parent: str
    to: tuple[str, ...]
    rows: NDArray[np.int64]
    reference: Reference


@dataclass(frozen=True, slots=True)
class Golden:
    """The golden tables.

    Attributes:
        groups: The sources behind each table, in order.
        tables: The tables by name.
        meanings: What their columns mean, with keys and foreign keys.
        cells: Where each column came from, by table and column.
        references: Between the tables.
        row: (records,), the golden row of each record in its table; -1 where it was left out.
        conflicts: What records disagreed on.
    """

    groups: tuple[Group, ...]
    tables: Mapping[str, pl.DataFrame]
    meanings: Mapping[str, Table]
    cells: Mapping[tuple[str, str], Cells]
    references: tuple[GoldenReference, ...]
    row: NDArray[np.int64]
    conflicts: tuple[Conflict, ...]


def group_sources(
    stack: Stack, links: Sequence[Link], same: Sequence[Mapping[str, str]], into: str | None
) -> tuple[Group, ...]:
    """Sources that a link spans are about the same things: one group, named after its first source, or after `into`."""
    root = {source: source for source in stack.frames}
    for link in links:
        joined = {root[source] for source in link.columns}
        first = next(root[source] for source in stack.frames if root[source] in joined)
        root = {source: first if r in joined else r for source, r in root.items()}
    groups: list[Group] = []
    for first in dict.fromkeys(root.values()):
        members = tuple(source for source in stack.frames if root[source] == first)
        table = into if into in members else first
        ordered = tuple(dict.fromkeys([table, *members]))
        groups.append(Group(table, ordered, golden_names(stack, ordered, links, same)))
    return tuple(groups)


def golden_names(
    stack: Stack, sources: Sequence[str], links: Sequence[Link], same: Sequence[Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """The golden name of each column of some sources: its own, or that of the first source that it is the same as."""
    names = {source: {c: c for c in stack.frames[source].columns} for source in sources}
    for link in links:
        for i in range(len(next(iter(link.columns.values())))):
            own = {source: link.columns[source][i] for source in sources if source in link.columns}
            hashed = link.evidence.how in {"hashed", "keyed"} and len(next(iter(link.columns.values()))) == 1
            _call_alike(names, own, _hashes(stack, own) if hashed else set())
    for columns in same:
        own = {source: columns[source] for source in sources if source in columns}
        for source, column in own.items():
            stack.columns(source, [column])
        _call_alike(names, own, set())
    _keep_nested_apart(stack, names)
    return names


def _hashes(stack: Stack, own: Mapping[str, str]) -> set[str]:
    """The sources that hold hashes where others hold values: two things that must not be settled as one."""
    hashed = {source for source, column in own.items() if is_hashed(stack.frames[source][column])}
    return hashed if len(hashed) < len(own) else set()


def _call_alike(names: dict[str, dict[str, str]], own: Mapping[str, str], hashed: set[str]) -> None:
    """Give columns of several sources the golden name of the first one's; hashes get that name with `_hashed`."""
    plain = [source for source in own if source not in hashed]
    if not own:
        return
    first = plain[0] if plain else next(iter(own))
    called = names[first][own[first]]
    for source, column in own.items():
        name = f"{called}_hashed" if source in hashed else called
        mine = names[source]
        if mine[column] != column or mine[column] == name:
            continue  # it has that name, or an earlier key named it
        for other, taken in mine.items():
            if taken == name and other != column:
                mine[other] = _free(f"{other}_{source}", mine.values())
        mine[column] = name


def _keep_nested_apart(stack: Stack, names: dict[str, dict[str, str]]) -> None:
    """Lists and structs stand under a name of their own where another source has something else under theirs."""
    first: dict[str, pl.DataType] = {}
    for source, mine in names.items():
        for column, name in list(mine.items()):
            dtype = stack.frames[source].schema[column]
            nested = dtype.is_nested() or dtype == pl.Object
            before = first.setdefault(name, dtype)
            if before != dtype and (nested or before.is_nested() or before == pl.Object):
                mine[column] = _free(f"{name}_{source}", mine.values())


def _free(name: str, taken: object) -> str:
    """The name, or with a number where it is taken."""
    used = set(taken)  # pyright: ignore[reportArgumentType]
    turn, made = 2, name
    while made in used:
        made, turn = f"{name}_{turn}", turn + 1
    return made


def place_records(
    stack: Stack, groups: Sequence[Group], labels: NDArray[np.int64], into: str | None
) -> NDArray[np.int64]:
    """The golden row of each record in its table, (records,): one row an entity, in the order of their first records.

    Every row of the table `into` stays a row of its own; records of other sources of its group join their entity's
    first row there, or are left out (-1).
    """
    row = np.full(stack.size, -1, dtype=np.int64)
    for group in groups:
        numbers = np.concatenate([stack.numbers(source) for source in group.sources])
        mine = labels[numbers]
        if into is not None and group.table == into:
            base = stack.numbers(into)
            row[base] = np.arange(len(base))
            known, first = np.unique(labels[base], return_index=True)
            rest = numbers[len(base) :]
            at = np.minimum(np.searchsorted(known, labels[rest]), max(len(known) - 1, 0))
            row[rest] = np.where(known[at] == labels[rest], first[at], -1) if len(known) else -1
        else:
            _, first, inverse = np.unique(mine, return_index=True, return_inverse=True)
            turn = np.empty(len(first), dtype=np.int64)
            turn[np.argsort(first)] = np.arange(len(first))
            row[numbers] = turn[inverse]
    return row


def make_golden(
    stack: Stack,
    groups: Sequence[Group],
    row: NDArray[np.int64],
    links: Sequence[Link],
    referred: Sequence[Referred],
    rules: Rules,
    words: Sequence[str],
    watch: Watch,
) -> Golden:
    """Settle the linked sources, take the others as they are, and relate the tables.

    Raises:
        SchemaError: A rule can't settle a column; the message names it.
    """
    tables: dict[str, pl.DataFrame] = {}
    meanings: dict[str, Table] = {}
    cells: dict[tuple[str, str], Cells] = {}
    conflicts: list[Conflict] = []
    for done, group in enumerate(groups):
        watch(Event("resolve", done, len(groups), group.table))
        rows = Rows(
            int(row[np.concatenate([stack.numbers(s) for s in group.sources])].max(initial=-1)) + 1,
            {s: row[stack.numbers(s)] for s in group.sources},
        )
        if len(group.sources) == 1 and rows.count == stack.frames[group.sources[0]].height:
            _take(stack, group, tables, meanings, cells)
        else:
            _settle_all(stack, group, rows, rules, words, tables, cells, conflicts)
            meanings[group.table] = _meaning(stack, group, tables[group.table], links)
    references = _relate(stack, groups, row, referred, tables)
    for reference in references:
        _follow(reference, references, tables, cells)
    meanings = {t: m.model_copy(update={"foreign_keys": _foreign_keys(references, t)}) for t, m in meanings.items()}
    watch(Event("resolve", len(groups), len(groups)))
    return Golden(tuple(groups), tables, meanings, cells, references, row, tuple(conflicts))


def _take(
    stack: Stack,
    group: Group,
    tables: dict[str, pl.DataFrame],
    meanings: dict[str, Table],
    cells: dict[tuple[str, str], Cells],
) -> None:
    """An unlinked source is its own golden table."""
    source = group.sources[0]
    frame, numbers = stack.frames[source], stack.numbers(source)
    tables[group.table], meanings[group.table] = frame, stack.meanings[source]
    for column in frame.columns:
        cells[group.table, column] = untouched(frame[column], numbers)


def _settle_all(
    stack: Stack,
    group: Group,
    rows: Rows,
    rules: Rules,
    words: Sequence[str],
    tables: dict[str, pl.DataFrame],
    cells: dict[tuple[str, str], Cells],
    conflicts: list[Conflict],
) -> None:
    columns: list[pl.Series] = []
    for column in group.columns():
        settled = settle(stack, group, rows, column, rules, words)
        columns.append(settled.values)
        cells[group.table, column] = settled.cells
        if settled.conflicts:
            conflicts.append(Conflict(table=group.table, column=column, entities=settled.conflicts, rule=settled.rule))
    tables[group.table] = pl.DataFrame({c.name: c for c in columns})


def _meaning(stack: Stack, group: Group, frame: pl.DataFrame, links: Sequence[Link]) -> Table:
    """What the columns of settled sources mean: as the first source has it, where the dtype still is the same."""
    columns: dict[str, Column] = {}
    for name in frame.columns:
        seen = [(stack.meanings[s].columns[own], stack.frames[s].schema[own]) for s, own in group.having(name)]
        role = next((c.role for c, _ in seen if c.role is not None), None)
        alike = next((c for c, dtype in seen if dtype == frame.schema[name]), None)
        known = alike or Column(
            kind=plain_kind(frame.schema[name]), confidence=0.5, reason="The sources hold it in different types."
        )
        columns[name] = known.model_copy(update={"role": role})
    wanted = [
        *(stack.meanings[s].key for s in group.sources[:1]),
        *(link.columns[s] for link in links for s in group.sources[:1] if s in link.columns),
    ]
    own = group.names[group.sources[0]]
    for key in [tuple(own[c] for c in k) for k in wanted if k]:
        part = pl.DataFrame({f"k{i}": frame[c] for i, c in enumerate(key)})
        if (
            not any(part.null_count().row(0))
            and not any(d.is_nested() for d in part.dtypes)
            and part.n_unique() == frame.height
        ):
            return Table(columns=columns, key=key, key_reason="Tells the golden rows apart.")
    return Table(columns=columns)


def _relate(
    stack: Stack,
    groups: Sequence[Group],
    row: NDArray[np.int64],
    referred: Sequence[Referred],
    tables: Mapping[str, pl.DataFrame],
) -> tuple[GoldenReference, ...]:
    """References between golden tables; those from and to the same columns of linked sources are one."""
    of = {source: group for group in groups for source in group.sources}
    made: dict[tuple[str, tuple[str, ...], str, tuple[str, ...]], GoldenReference] = {}
    for one in referred:
        r = one.reference
        child, parent = of[r.source], of[r.table]
        columns = tuple(child.names[r.source][c] for c in r.columns)
        to = tuple(parent.names[r.table][c] for c in r.to)
        name = (child.table, columns, parent.table, to)
        start = np.full(tables[child.table].height, NOTHING, dtype=np.int64)
        before = made.get(name) or GoldenReference(child.table, columns, parent.table, to, start, r)
        here = row[stack.numbers(r.source)]
        target = np.where(one.parents >= 0, row[np.maximum(one.parents, 0)], one.parents) if stack.size else one.parents
        # A parent that was left out of the golden data is not there.
        target = np.where((one.parents >= 0) & (target < 0), ORPHAN, target)
        made[name] = replace(before, rows=_merged(before.rows, here, target))
    return tuple(made.values())


def _merged(before: NDArray[np.int64], here: NDArray[np.int64], target: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row referred to, from several records of one row: found before orphan before nothing, the earliest first."""
    rows = before.copy()
    orphaned = here[(target == ORPHAN) & (here >= 0)]
    rows[orphaned] = np.where(rows[orphaned] == NOTHING, ORPHAN, rows[orphaned])
    found = np.flatnonzero((target >= 0) & (here >= 0))[
        ::-1
    ]  # the last assignment stays, so the first record comes last
    open_rows = found[rows[here[found]] < 0]
    rows[here[open_rows]] = target[open_rows]
    return rows


def _follow(
    reference: GoldenReference,
    references: Sequence[GoldenReference],
    tables: dict[str, pl.DataFrame],
    cells: dict[tuple[str, str], Cells],
) -> None:
    """Rewrite values that differ from the settled key that they refer to, so that golden tables join by value."""
    used = [c for r in references if r.table == reference.table for c in r.columns]
    found = reference.rows >= 0
    if reference.reference.evidence.how in {"hashed", "keyed"} or not found.any():
        return
    for column, to in zip(reference.columns, reference.to, strict=True):
        child, parent = tables[reference.table], tables[reference.parent]
        if used.count(column) > 1 or child.schema[column] != parent.schema[to]:
            continue
        rows = pl.Series(np.where(found, reference.rows, 0), dtype=pl.UInt32)
        key = parent[to].gather(rows)
        mine, theirs = aligned([child[column], key])
        differ = found & mine.ne_missing(theirs).to_numpy() & key.is_not_null().to_numpy()
        if not differ.any():
            continue
        mask = pl.Series(differ)
        rewritten = pl.DataFrame({"mine": child[column], "key": key}).select(
            pl.when(mask).then("key").otherwise("mine").alias(column)
        )
        tables[reference.table] = child.with_columns(rewritten.to_series())
        own = cells[reference.table, column]
        theirs_at = cells[reference.parent, to].at(reference.rows, 0)
        cells[reference.table, column] = Cells(
            np.where(differ, theirs_at.record, own.record).astype(np.int32),
            np.where(differ, WORDS.index(FOLLOWS), own.rule).astype(np.uint8),
            np.where(differ, 1, own.others).astype(np.uint16),
        )


def _foreign_keys(references: Sequence[GoldenReference], table: str) -> tuple[ForeignKey, ...]:
    keys: list[ForeignKey] = []
    for r in references:
        if r.table == table:
            found, orphans = int((r.rows >= 0).sum()), int((r.rows == ORPHAN).sum())
            share = found / (found + orphans) if found + orphans else 1.0
            keys.append(
                ForeignKey(
                    columns=r.columns, table=r.parent, to=r.to, found=share, orphans=orphans, reason=r.reference.reason
                )
            )
    return tuple(keys)
