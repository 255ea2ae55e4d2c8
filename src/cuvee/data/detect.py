"""Detection: what the columns of tables mean, found in the data, with names as supporting evidence.

Kinds and roles are read from at most `profile.SAMPLE` values of a column at even steps; keys and foreign keys are
exact. Nothing is random: the same tables give the same schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from cuvee.data.dates import DateForm
from cuvee.data.detect_keys import KeyGuess, find_key
from cuvee.data.detect_kind import FEW, KindGuess, date_forms, find_kind
from cuvee.data.detect_references import describe, find_references, include
from cuvee.data.detect_roles import RoleGuess, find_roles
from cuvee.data.detect_sequence import find_sequence
from cuvee.data.errors import SchemaError
from cuvee.data.names import did_you_mean
from cuvee.data.profile import Profile, Profiles, profile
from cuvee.data.schema import Column, ForeignKey, Schema, Table


def detect(tables: Mapping[str, pl.DataFrame], *, known: Schema | None = None) -> Schema:
    """What the tables mean: kinds, roles, keys, foreign keys and sequences, each with a confidence and a reason.

    Args:
        tables: The tables by name.
        known: What is known already, and wins: a column that it has is kept as it is; a key, a sequence and foreign
            keys that it states for a table are kept (with the orphans counted again), also where it states that there
            are none (`key: null`). The rest is detected.

    Raises:
        SchemaError: `known` has a table or column that the data lack, or a foreign key of another type or length.
    """
    stated = known.tables if known is not None else {}
    _check_known(tables, stated)
    profiles: Profiles = {t: profile(t, frame) for t, frame in tables.items()}
    drafts = {t: _Draft.of(columns, stated.get(t)) for t, columns in profiles.items()}
    keys = {t: d.key.columns if d.key is not None else None for t, d in drafts.items()}
    references = _references(profiles, drafts, keys, stated)
    return Schema(tables={t: _table(t, d, references, stated.get(t)) for t, d in drafts.items()})


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is found in one table by itself."""

    columns: Mapping[str, Profile]
    forms: Mapping[str, DateForm]
    roles: Mapping[str, RoleGuess]
    kinds: Mapping[str, KindGuess]
    key: KeyGuess | None

    @classmethod
    def of(cls, columns: Mapping[str, Profile], stated: Table | None) -> "_Draft":
        given = stated.columns if stated is not None else {}
        open_columns = {n: p for n, p in columns.items() if n not in given or given[n].kind == "datetime"}
        forms = date_forms(open_columns)
        roles = find_roles({n: p for n, p in columns.items() if n not in given}, dates=forms)
        roles |= {n: RoleGuess(c.role, 1.0, "") for n, c in given.items() if c.role is not None}
        kinds = {n: _kind(n, p, given, forms, roles) for n, p in columns.items()}
        if stated is not None and "key" in stated.model_fields_set:
            key = None if stated.key is None else KeyGuess(stated.key, stated.key_confidence, stated.key_reason)
        else:
            key = find_key(columns, kinds, roles)
        return cls(columns, forms, roles, kinds, key)


def _kind(
    name: str, p: Profile, given: Mapping[str, Column], forms: Mapping[str, DateForm], roles: Mapping[str, RoleGuess]
) -> KindGuess:
    if name in given:
        return KindGuess(given[name].kind, given[name].confidence, given[name].reason)
    return find_kind(p, form=forms.get(name), role=roles.get(name))


def _check_known(tables: Mapping[str, pl.DataFrame], stated: Mapping[str, Table]) -> None:
    """Refuse a schema that speaks of what the data lack."""
    for name, table in stated.items():
        if name not in tables:
            raise SchemaError(f"The schema has a table {name!r}, but the data have none.{did_you_mean(name, tables)}")
        said = [("a column", c) for c in table.columns]
        said += [("a key column", c) for c in table.key or ()]
        said += [("a foreign key column", c) for f in table.foreign_keys for c in f.columns]
        if table.sequence is not None:
            said += [("a sequence column", c) for c in (*table.sequence.key, table.sequence.order)]
        for what, column in said:
            if column not in tables[name].columns:
                raise SchemaError(
                    f"The schema has {what} {column!r} in table {name!r}, but the data have none."
                    f"{did_you_mean(column, tables[name].columns)}"
                )
        for key in table.foreign_keys:
            _check_reference(name, key, tables)


def _check_reference(table: str, key: ForeignKey, tables: Mapping[str, pl.DataFrame]) -> None:
    if key.table not in tables:
        raise SchemaError(
            f"A foreign key of table {table!r} refers to {key.table!r}, but the data have no such table."
            f"{did_you_mean(key.table, tables)}"
        )
    for column in key.to:
        if column not in tables[key.table].columns:
            raise SchemaError(
                f"A foreign key of table {table!r} refers to column {column!r} of {key.table!r}, which has none."
                f"{did_you_mean(column, tables[key.table].columns)}"
            )


def _references(
    profiles: Profiles,
    drafts: Mapping[str, _Draft],
    keys: Mapping[str, tuple[str, ...] | None],
    stated: Mapping[str, Table],
) -> dict[str, list[ForeignKey]]:
    """The foreign keys of every table: those that are stated, counted again, or else those that are found."""
    kept = {t for t, table in stated.items() if table.foreign_keys or "foreign_keys" in table.model_fields_set}
    kinds, roles = {t: d.kinds for t, d in drafts.items()}, {t: d.roles for t, d in drafts.items()}
    found = {} if kept >= set(profiles) else find_references(profiles, kinds, keys, roles)
    return {t: [_counted(profiles, t, f) for f in stated[t].foreign_keys] if t in kept else found[t] for t in profiles}


def _counted(profiles: Profiles, table: str, key: ForeignKey) -> ForeignKey:
    """A stated foreign key with its orphans counted in the data."""
    child = {c: profiles[table][c] for c in key.columns}
    parent = {c: profiles[key.table][c] for c in key.to}
    inclusion = include(child, parent)
    if inclusion is None:
        raise SchemaError(
            f"The schema says that {', '.join(key.columns)} of table {table!r} refers to {', '.join(key.to)} of "
            f"{key.table!r}, but the values of {child[key.columns[0]].values.dtype} and "
            f"{parent[key.to[0]].values.dtype} can't be compared. Change the type of one, or leave the reference out."
        )
    orphans = inclusion.rows - inclusion.found
    if key.reason and (key.found, key.orphans) == (inclusion.share, orphans):
        return key
    says = describe(key.columns, key.table, key.to, inclusion)
    return key.model_copy(update={"found": inclusion.share, "orphans": orphans, "reason": says})


def _table(
    name: str,
    draft: _Draft,
    references: Mapping[str, list[ForeignKey]],
    stated: Table | None,
) -> Table:
    """One table's meaning, after what other tables say of it."""
    mine = references[name]
    stated_key = stated is not None and "key" in stated.model_fields_set
    key = draft.key if stated_key else _confirmed(name, _link_key(draft, mine) or draft.key, references)
    if stated is not None and "sequence" in stated.model_fields_set:
        sequence = stated.sequence
    else:
        others = len({f.table for f in mine if f.table != name})
        columns = key.columns if key is not None else None
        sequence = find_sequence(draft.columns, draft.kinds, draft.forms, key=columns, references=others)
    given = stated.columns if stated is not None else {}
    referring = {c: f for f in mine if len(f.columns) == 1 and f.confidence >= 0.7 for c in f.columns}
    return Table(
        columns={n: given[n] if n in given else _column(n, draft, referring.get(n)) for n in draft.columns},
        key=None if key is None else key.columns,
        key_confidence=1.0 if key is None else key.confidence,
        key_reason="" if key is None else key.reason,
        foreign_keys=tuple(mine),
        sequence=sequence,
        constraints=() if stated is None else stated.constraints,
    )


def _link_key(draft: _Draft, mine: list[ForeignKey]) -> KeyGuess | None:
    """The key of a table that only links others: all its columns, though fewer may be unique by chance."""
    names = tuple(draft.columns)
    linked = {f.columns[0] for f in mine if len(f.columns) == 1 and f.confidence >= 0.8}
    if not 2 <= len(names) <= 3 or linked != set(names) or any(p.nulls for p in draft.columns.values()):
        return None
    if draft.key is not None and set(draft.key.columns) == set(names):
        return None
    if draft.key is None:
        return None
    return KeyGuess(
        names, 0.7, f"Every column refers to another table, and `{draft.key.columns[0]}` alone is unique only here."
    )


def _confirmed(name: str, key: KeyGuess | None, references: Mapping[str, list[ForeignKey]]) -> KeyGuess | None:
    """A key that others clearly refer to is surer."""
    if key is None:
        return None
    sure = [
        t
        for t, keys in references.items()
        for f in keys
        if f.table == name and set(f.to) == set(key.columns) and f.confidence >= 0.8
    ]
    if not sure or key.confidence >= 0.95:
        return key
    others = ", ".join(f"`{t}`" for t in dict.fromkeys(sure))
    refer = "refers" if len(dict.fromkeys(sure)) == 1 else "refer"
    return KeyGuess(key.columns, 0.95, f"{key.reason.removesuffix('.')}; {others} {refer} to it.")


def _column(name: str, draft: _Draft, refers: ForeignKey | None) -> Column:
    """A column's meaning; whole numbers that refer to another table are no amounts."""
    kind, p = draft.kinds[name], draft.columns[name]
    role = draft.roles.get(name)
    if refers is not None and kind.kind in {"number", "category", "boolean"} and p.values.dtype.is_numeric():
        codes = "id" if p.distinct > FEW else "category"
        to = f"`{refers.table}.{refers.to[0]}`"
        kind = KindGuess(
            codes,
            max(0.85, kind.confidence if kind.kind == codes else 0.0),
            f"{p.distinct:,} distinct values that refer to {to}.",
        )
    return Column(
        kind=kind.kind,
        role=None if role is None else role.role,
        confidence=kind.confidence,
        reason=kind.reason,
        role_confidence=1.0 if role is None else role.confidence,
        role_reason="" if role is None else role.reason,
    )
