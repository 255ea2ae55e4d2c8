"""One flat table: the rows of a table of facts with the columns of everything that they refer to."""

import re
from collections.abc import Sequence

import polars as pl

from cuvee.blending.golden import Golden, GoldenReference
from cuvee.blending.lineage import NO_PARENT, WORDS, Cells
from cuvee.data.schema import Table

_ID_ENDING = re.compile(
    r"(?<=.)[ _\-.]+(?i:ids?|code|key|no|nr|num|number|fk|ref)$|(?<=[a-z])(?:I[dD]|Code|Key|No|Nr|Num|Number|Ref)$"
)


def flatten(golden: Golden, base: str) -> tuple[pl.DataFrame, Table, dict[str, Cells], tuple[str, ...]]:
    """The rows of a table in order, never more or fewer, with the columns of each table that they refer to.

    This goes one step deep. Attached columns are called `<table>_<column>`, or `<role>_<column>` where two references
    go to one table (`origin_name`, `dest_name`). The columns referred to are left out, as they repeat the reference.
    Rows without a parent get nulls.

    Returns:
        The table, what its columns mean, where they came from, and notes on what is not in it.
    """
    frame, meaning = golden.tables[base], golden.meanings[base]
    references = [r for r in golden.references if r.table == base]
    columns = [frame[c] for c in frame.columns]
    meanings = dict(meaning.columns)
    cells = {c: golden.cells[base, c] for c in frame.columns}
    taken = set(frame.columns)
    for reference, prefix in zip(references, prefixes(references), strict=True):
        parent = golden.tables[reference.parent]
        here = (
            pl.Series(reference.rows)
            .to_frame("r")
            .select(pl.when(pl.col("r") >= 0).then("r").cast(pl.UInt32))
            .to_series()
        )
        for column in parent.columns:
            if column in reference.to:
                continue
            name = _free(f"{prefix}{column}", taken)
            taken.add(name)
            columns.append(parent[column].gather(here).alias(name))
            meanings[name] = golden.meanings[reference.parent].columns[column]
            cells[name] = golden.cells[reference.parent, column].at(reference.rows, WORDS.index(NO_PARENT))
    inner = tuple(f for f in meaning.foreign_keys if f.table == base)
    flat = meaning.model_copy(update={"columns": meanings, "foreign_keys": inner})
    return pl.DataFrame({c.name: c for c in columns}), flat, cells, _notes(golden, base, references)


def prefixes(references: Sequence[GoldenReference]) -> list[str]:
    """The prefix of each reference's columns: the table, or the role where several references go to one table."""
    made: list[str] = []
    for one in references:
        rivals = [r for r in references if r.parent == one.parent and r is not one]
        if not rivals and one.parent != one.table:
            made.append(f"{one.parent}_")
            continue
        shared = set(one.columns).intersection(*(set(r.columns) for r in rivals)) if rivals else set[str]()
        own = [c for c in one.columns if c not in shared] or list(one.columns)
        made.append("_".join(_ID_ENDING.sub("", c) for c in own) + "_")
    twice = {p for p in made if made.count(p) > 1}
    return [f"{p}{r.parent}_" if p in twice else p for p, r in zip(made, references, strict=True)]


def _free(name: str, taken: set[str]) -> str:
    turn, made = 2, name
    while made in taken:
        made, turn = f"{name}_{turn}", turn + 1
    return made


def _notes(golden: Golden, base: str, references: Sequence[GoldenReference]) -> tuple[str, ...]:
    attached = dict.fromkeys(r.parent for r in references)
    notes: list[str] = []
    deeper = sorted(
        {r.parent for r in golden.references if r.table in attached and r.table != base} - set(attached) - {base}
    )
    if deeper:
        notes.append(
            f"What `{base}` refers to is attached one step deep; left out, as only attached tables refer to it: "
            f"{', '.join(deeper)}."
        )
    away = [t for t in golden.tables if t not in attached and t != base and t not in deeper]
    if away:
        notes.append(f"Left out of the flat table, as `{base}` does not refer to it: {', '.join(away)}.")
    group = next(g for g in golden.groups if g.table == base)
    if len(group.sources) > 1:
        lost = int((golden.row < 0).sum())
        if lost:
            notes.append(
                f"{lost:,} records of {', '.join(group.sources[1:])} are in no row of `{base}`, and are left "
                "out: its rows stay as they are."
            )
    return tuple(notes)
