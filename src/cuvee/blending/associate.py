"""What relates the sources: stated in `match`, or found in the keys and foreign keys of the data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from cuvee.blending.keys import exact_keys, hashed_keys, normalised_keys, secret_of
from cuvee.blending.match import Evidence, How, Match, Relate
from cuvee.blending.stack import Stack
from cuvee.data.detect import detect
from cuvee.data.errors import CuveeError, SchemaError
from cuvee.data.kinds import Kind, Role
from cuvee.data.names import did_you_mean
from cuvee.data.schema import Column, Schema, Table
from cuvee.data.words import GENERIC, stems

ALIKE = 0.6
"""Two tables with this share of their column names in common are taken for two extracts of one table."""

OVERLAP = 0.5
"""Keys of different or meaningless names say the same thing only where this share of the smaller is in the other."""

LIKELY = 0.5
"""Foreign keys that detection is less sure of than this are left out."""

_PERSONAL = frozenset({"email", "national_id", "card"})
"""Roles whose values belong to one person; a phone or an address is shared by a household."""


@dataclass(frozen=True, slots=True)
class Link:
    """Columns whose equal values say "the same thing", by source, in source order."""

    evidence: Evidence
    columns: Mapping[str, tuple[str, ...]]
    reason: str
    stated: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """Columns of a source that refer to the unique columns of another, or of itself."""

    source: str
    columns: tuple[str, ...]
    table: str
    to: tuple[str, ...]
    reason: str
    stated: bool
    evidence: Evidence

    @property
    def name(self) -> str:
        return ", ".join(self.columns)


@dataclass(frozen=True, slots=True)
class Associations:
    """The links and references of a blend, and notes on how they were chosen."""

    links: tuple[Link, ...]
    references: tuple[Reference, ...]
    notes: tuple[str, ...]


def associate(stack: Stack, schema: Schema, match: Match, into: str | None) -> Associations:
    """All that relates the sources.

    Args:
        stack: The records.
        schema: What is known of the tables: keys and foreign keys within each source.
        match: What was stated.
        into: The source whose rows are facts, each kept as a row of its own; or None.

    Raises:
        CuveeError: A stated column or source is not there, or a relation would multiply rows.
    """
    bound = [_bind(stack, evidence) for evidence in match.evidence]
    references = [_state(stack, relate) for relate in match.relate]
    notes: list[str] = []
    links: list[Link] = []
    for link in bound:
        rest, facts = _facts_refer(stack, link, into)
        links += rest
        references += facts
        notes += [
            f"`{into}.{r.name}` repeats, and `{into}` keeps every row: taken to refer to `{r.table}`." for r in facts
        ]
    if match.find:
        found = _found_references(stack, schema, references)
        links += [] if bound else _found_links(stack, found)
        references += [r for r in found if not _is_link(links, r)]
    return Associations(tuple(links), tuple(references), tuple(notes))


def keys_of(stack: Stack, evidence: Evidence, columns: Mapping[str, Sequence[str]]) -> dict[str, pl.DataFrame]:
    """The key of each record of some sources as columns `k0`, `k1`, ...

    that compare across sources; null where unknown.
    """
    sides = {source: stack.columns(source, names) for source, names in columns.items()}
    if evidence.how == "exact":
        return exact_keys(sides)
    if evidence.how == "normalised":
        meaning = _meaning(stack, evidence, columns)
        return normalised_keys(sides, meaning, leading_zeros=evidence.leading_zeros)
    secret = secret_of(evidence.secret) if evidence.how == "keyed" else None
    return hashed_keys(sides, secret=secret, role=evidence.role, leading_zeros=evidence.leading_zeros)


def _meaning(stack: Stack, evidence: Evidence, columns: Mapping[str, Sequence[str]]) -> list[Column]:
    """What each part of a key means over all sources: the role that any source sees, and a kind that suits them all."""
    parts: list[Column] = []
    for i in range(len(next(iter(columns.values())))):
        seen = [stack.meanings[source].columns[names[i]] for source, names in columns.items()]
        role: Role | None = evidence.role or next((c.role for c in seen if c.role is not None), None)
        kinds: set[Kind] = {c.kind for c in seen}
        same: Kind = seen[0].kind if len(kinds) == 1 else "id"
        kind: Kind = "datetime" if "datetime" in kinds else same
        parts.append(Column(kind=kind, role=role))
    return parts


def _bind(stack: Stack, evidence: Evidence) -> Link:
    """The sources that have the columns of stated evidence."""
    for names in evidence.columns:
        for source, column in [] if isinstance(names, str) else names.items():
            stack.columns(source, [column])
    columns = {
        source: tuple(n if isinstance(n, str) else n[source] for n in evidence.columns)
        for source, frame in stack.frames.items()
        if all((n in frame.columns) if isinstance(n, str) else (source in n) for n in evidence.columns)
    }
    if not columns:
        everywhere = list(dict.fromkeys(c for frame in stack.frames.values() for c in frame.columns))
        plain = [n for n in evidence.columns if isinstance(n, str)]
        missing = next((n for n in plain if n not in everywhere), None)
        hint = (
            did_you_mean(missing, everywhere)
            if missing
            else " State them by source: {key: {clinic: mrn, lab: patient_no}}."
        )
        raise SchemaError(
            f"match: no source has the column {missing!r}.{hint}"
            if missing
            else f"match: no source has all of {evidence.title()}.{hint}"
        )
    return Link(evidence, columns, "stated", stated=True)


def _state(stack: Stack, relate: Relate) -> Reference:
    stack.columns(relate.source, relate.columns)
    stack.columns(relate.table, relate.to)
    return Reference(
        relate.source,
        relate.columns,
        relate.table,
        relate.to,
        "stated",
        stated=True,
        evidence=Evidence(columns=relate.columns),
    )


def _facts_refer(stack: Stack, link: Link, into: str | None) -> tuple[list[Link], list[Reference]]:
    """Where the key repeats in the source whose rows all stay, it refers to the others instead of making rows one."""
    if into is None or into not in link.columns:
        return [link], []
    keys = keys_of(stack, link.evidence, {into: link.columns[into]})[into].drop_nulls()
    if keys.n_unique() == keys.height:
        return [link], []
    others = {source: columns for source, columns in link.columns.items() if source != into}
    if not others:
        raise CuveeError(
            f"match: {link.evidence.title()} would make one row of several rows of {into!r}, but into: {into} "
            "keeps every row. "
            "Leave out one of the two."
        )
    facts = [
        Reference(
            into,
            link.columns[into],
            source,
            columns,
            "stated as match, and repeats",
            stated=True,
            evidence=link.evidence,
        )
        for source, columns in others.items()
    ]
    return ([Link(link.evidence, others, link.reason, stated=True)] if len(others) > 1 else []), facts


@dataclass(frozen=True, slots=True)
class _Unique:
    """Columns of a source that tell its rows apart: its key, or a personal one, such as an e-mail address."""

    source: str
    columns: tuple[str, ...]
    primary: bool
    personal: bool


def _found_links(stack: Stack, references: Sequence[Reference]) -> list[Link]:
    """Keys that say the same thing in two sources."""
    # A table that does nothing but refer is no second register of what it refers to, though its key may be the same.
    whole = [s for s, frame in stack.frames.items() if not _only_refers(s, frame.columns, references)]
    links: list[Link] = []
    for a, b in combinations([u for source in whole for u in _uniques(stack, source)], 2):
        alike = (a.primary and b.primary) or (a.personal and b.personal)
        if a.source == b.source or len(a.columns) != len(b.columns) or not alike:
            continue
        b_columns = _in_order(a.columns, b.columns)
        reason = _same_thing(stack, a, b, b_columns)
        if reason:
            _join_link(links, _way(a, b), {a.source: a.columns, b.source: b_columns}, reason)
    order = list(stack.frames)
    return [
        Link(k.evidence, dict(sorted(k.columns.items(), key=lambda c: order.index(c[0]))), k.reason, stated=False)
        for k in links
    ]


def _only_refers(source: str, columns: Sequence[str], references: Sequence[Reference]) -> bool:
    used = {c for r in references if r.source == source and r.table != source for c in r.columns}
    return len(columns) > 1 and used >= set(columns)


def _way(a: _Unique, b: _Unique) -> How:
    """Personal columns are typed by people, and so compared without how they were typed."""
    return "normalised" if a.personal and b.personal else "exact"


def _uniques(stack: Stack, source: str) -> Iterable[_Unique]:
    meaning, frame = stack.meanings[source], stack.frames[source]
    if meaning.key:
        personal = all(meaning.columns[c].role in _PERSONAL for c in meaning.key)
        yield _Unique(source, meaning.key, primary=True, personal=personal)
    for name, column in meaning.columns.items():
        if column.role in _PERSONAL and (name,) != meaning.key and not frame[name].dtype.is_nested():
            known = frame[name].drop_nulls()
            if known.len() and known.n_unique() == known.len():
                yield _Unique(source, (name,), primary=False, personal=True)


def _in_order(mine: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, ...]:
    """Their columns in the order of mine, where the names tell."""
    by_name = {stems(c): c for c in theirs}
    ordered = tuple(by_name.get(stems(c), "") for c in mine)
    return ordered if all(ordered) and len(set(ordered)) == len(theirs) else theirs


def _same_thing(stack: Stack, a: _Unique, b: _Unique, b_columns: tuple[str, ...]) -> str:
    """Why two unique keys say the same thing, or "" where they don't.

    Counters (1, 2, 3, ...) overlap whatever they count, so numbers without a telling name are no evidence.
    """
    names = all(stems(x) == stems(y) for x, y in zip(a.columns, b_columns, strict=True))
    telling = names and not all(s in GENERIC for c in a.columns for s in stems(c))
    mine, theirs = set(stack.frames[a.source].columns), set(stack.frames[b.source].columns)
    extracts = len(mine & theirs) >= ALIKE * len(mine | theirs)
    counter = any(_counts(stack.frames[u.source][c]) for u, cs in ((a, a.columns), (b, b_columns)) for c in cs)
    composite = len(a.columns) > 1
    # Decided by names before the data is looked at: each is a reason to count, none is enough without common values.
    if composite and not (names and extracts):
        return ""
    if not composite and not telling and counter and not (names and extracts):
        return ""
    both, smaller = _overlap(stack, a, b, b_columns)
    need = 1 if telling or (names and extracts) else max(10, OVERLAP * smaller)
    if both < need or smaller == 0:
        return ""
    shown = ", ".join(a.columns) if names else f"{', '.join(a.columns)} / {', '.join(b_columns)}"
    return f"`{shown}` tells the rows of both `{a.source}` and `{b.source}` apart, and {both:,} values are in both"


def _counts(values: pl.Series) -> bool:
    """Whether a column counts: whole numbers with few gaps."""
    if not values.dtype.is_integer() or values.len() == values.null_count():
        return False
    low, high = values.min(), values.max()
    return isinstance(low, int) and isinstance(high, int) and high - low < 3 * values.len()


def _overlap(stack: Stack, a: _Unique, b: _Unique, b_columns: tuple[str, ...]) -> tuple[int, int]:
    """How many keys are in both, and how many the smaller one has."""
    evidence = Evidence(how=_way(a, b), columns=a.columns)
    keys = keys_of(stack, evidence, {a.source: a.columns, b.source: b_columns})
    left, right = keys[a.source].drop_nulls().unique(), keys[b.source].drop_nulls().unique()
    return left.join(right, on=left.columns, how="semi").height, min(left.height, right.height)


def _join_link(links: list[Link], how: How, columns: dict[str, tuple[str, ...]], reason: str) -> None:
    """Add a pair of sources to the link that has one of them by the same columns, or start one."""
    for i, link in enumerate(links):
        shared = [s for s in columns if s in link.columns]
        if link.evidence.how == how and shared and all(link.columns[s] == columns[s] for s in shared):
            told = link.reason if len(shared) == len(columns) else f"{link.reason}; {reason}"
            links[i] = Link(link.evidence, {**link.columns, **columns}, told, stated=False)
            return
    links.append(Link(Evidence(how=how, columns=next(iter(columns.values()))), columns, reason, stated=False))


def _found_references(stack: Stack, schema: Schema, stated: Sequence[Reference]) -> list[Reference]:
    """Foreign keys of the schemas, and those that detection finds over all sources together."""
    taken = {(r.source, r.columns) for r in stated}
    found: dict[tuple[str, tuple[str, ...], str], Reference] = {}
    # What a source says of itself stays; references to other sources are what is looked for, so none are stated.
    bare = {t: Table(columns=m.columns, key=m.key, sequence=m.sequence) for t, m in schema.tables.items()}
    whole = detect(stack.frames, known=Schema(tables=bare))
    for origin in (schema, whole):
        for source, meaning in origin.tables.items():
            for key in meaning.foreign_keys:
                name = (source, key.columns, key.table)
                new = key.table in stack.frames and (source, key.columns) not in taken and name not in found
                if new and key.confidence >= LIKELY:
                    evidence = Evidence(columns=key.columns)
                    found[name] = Reference(
                        source, key.columns, key.table, key.to, key.reason, stated=False, evidence=evidence
                    )
    return list(found.values())


def _is_link(links: Sequence[Link], r: Reference) -> bool:
    """Whether a reference only repeats what a link says already."""
    return r.source != r.table and any(
        set(k.columns.get(r.source, ())) == set(r.columns) and set(k.columns.get(r.table, ())) == set(r.to)
        for k in links
    )
