"""Blending, from sources to golden data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.blending.associate import Reference, associate
from cuvee.blending.blend import Blend
from cuvee.blending.flatten import flatten
from cuvee.blending.golden import Golden, group_sources, make_golden, place_records
from cuvee.blending.lineage import Cells, Names, plan
from cuvee.blending.links import Linked, entity_ids, link_records
from cuvee.blending.match import parse_match
from cuvee.blending.references import Referred, refer, relations_of
from cuvee.blending.resolve import Group, Rules, rank_sources
from cuvee.blending.stack import Stack, stack_sources
from cuvee.blending.summary import SourceSummary, Summary
from cuvee.core import Event, Rule, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.data.detect import detect
from cuvee.data.errors import SchemaError
from cuvee.data.names import did_you_mean
from cuvee.data.schema import Schema, Table


def blend_datasets(
    sources: Mapping[str, Dataset],
    *,
    match: Any = None,
    rules: Mapping[str, Rule] | None = None,
    trust: tuple[str, ...] = (),
    into: str | None = None,
    watch: Watch = silent,
) -> Blend:
    """Link the records of several sources, settle what they disagree on, and relate them into one golden dataset.

    Records that agree on a key are the same thing: sources that a key spans become one golden table, one row an entity.
    Foreign keys say that a row refers to another: they relate golden tables, many to one; rows without a parent are
    kept.

    Args:
        sources: Datasets by name; each of their tables is a source, named after the table.
        match: What says "the same thing" and "refers to"; see `cuvee.blending.match`. None finds both in the data.
        rules: Rule by column, and under `default` for the others, which else is most_common.
        trust: Sources, most trusted first.
        into: The table whose rows are kept one by one, in order, and get the columns of all that they refer to.
        watch: Told of progress.

    Raises:
        CuveeError: A source, column or rule is not there, a secret is not set, or a relation is many-to-many.
    """
    stated = parse_match(match)
    stack, schema = stack_sources(sources)
    if into is not None and into not in stack.frames:
        raise SchemaError(
            f"into names {into!r}, which is not a source of this blend.{did_you_mean(into, stack.frames)}"
        )
    ruling = Rules(rules or {}, rank_sources(tuple(stack.frames), trust))
    watch(Event("associate", 0, len(stack.frames)))
    found = associate(stack, schema, stated, into)
    watch(Event("link", 0, len(found.links)))
    linked = link_records(stack, found.links)
    referred, refused = _refer_all(stack, found.references, linked.labels, watch)
    groups = group_sources(stack, found.links, stated.same, into)
    _check_rules(ruling, groups)
    row = place_records(stack, groups, linked.labels, into)
    words = Names.of(ruling.words(), {}, ()).rules
    golden = make_golden(stack, groups, row, found.links, referred, ruling, words, watch)
    watch(Event("provenance"))
    data, cells, more = _golden_data(golden, sources, into)
    names = Names.of(ruling.words(), {t: f.columns for t, f in data.tables.items()}, stack.frames)
    summary = _summary(stack, golden, linked, referred, data, [*found.notes, *refused, *more], lonely=into is None)
    return Blend(
        records=stack.records.with_columns(golden=_placed(row)),
        links=_link_frame(stack, linked),
        relations=relations_of(stack, referred),
        entities=entity_ids(stack, linked.labels),
        data=data,
        lineage=plan(cells, stack.records, names),
        summary=summary,
    )


def _refer_all(
    stack: Stack, references: Sequence[Reference], labels: NDArray[np.int64], watch: Watch
) -> tuple[list[Referred], list[str]]:
    """The references that hold, and why the others found in the data don't."""
    referred: list[Referred] = []
    refused: list[str] = []
    for done, reference in enumerate(references):
        watch(Event("relate", done, len(references), f"{reference.source}.{reference.name}"))
        one = refer(stack, reference, labels)
        if isinstance(one, str):
            refused.append(one)
        else:
            referred.append(one)
    watch(Event("relate", len(references), len(references)))
    return referred, refused


def _check_rules(rules: Rules, groups: Sequence[Group]) -> None:
    """Refuse a rule for a column that is nowhere."""
    known = {name for g in groups for s in g.sources for pair in g.names[s].items() for name in pair}
    for column in rules.by_column:
        if column != "default" and column not in known:
            raise SchemaError(
                f"resolve names the column {column!r}, which no source has.{did_you_mean(column, sorted(known))}"
            )


def _golden_data(
    golden: Golden, sources: Mapping[str, Dataset], into: str | None
) -> tuple[Dataset, Mapping[tuple[str, str], Cells], tuple[str, ...]]:
    """The golden dataset, where its cells came from, and notes."""
    if into is None:
        forms = {
            t: form
            for data in sources.values()
            for t, form in data.forms.items()
            if golden.tables.get(t) is data.tables.get(t)
        }
        return Dataset(golden.tables, Schema(tables=golden.meanings), forms), golden.cells, ()
    frame, meaning, cells, notes = flatten(golden, into)
    # The name of an airline is text among airlines and a category among flights: what was attached is looked at again.
    own = golden.tables[into].columns
    sure = {c: m for c, m in meaning.columns.items() if c in own or m.role is not None}
    known = Schema(tables={into: meaning.model_copy(update={"columns": sure})})
    data = Dataset({into: frame}, detect({into: frame}, known=known))
    return data, {(into, column): c for column, c in cells.items()}, notes


def _placed(row: NDArray[np.int64]) -> pl.Series:
    """Golden rows with null for records that were left out."""
    placed = pl.Series("golden", row)
    return (
        placed.to_frame()
        .select(pl.when(pl.col("golden") >= 0).then("golden").cast(pl.UInt32).alias("golden"))
        .to_series()
    )


def _link_frame(stack: Stack, linked: Linked) -> pl.DataFrame:
    """Links by source and record id; equal keys are certain, so their probability is 1."""
    source, ids = stack.records["source"], stack.records["record_id"]
    left, right = linked.pairs["left"], linked.pairs["right"]
    return pl.DataFrame({
        "left_source": source.gather(left),
        "left_id": ids.gather(left),
        "right_source": source.gather(right),
        "right_id": ids.gather(right),
        "probability": pl.repeat(1.0, left.len(), dtype=pl.Float64, eager=True),
        "key": linked.pairs["key"],
    })  # fmt: skip


def _summary(
    stack: Stack,
    golden: Golden,
    linked: Linked,
    referred: Sequence[Referred],
    data: Dataset,
    notes: Sequence[str],
    *,
    lonely: bool,
) -> Summary:
    associations = (*linked.associations, *(r.association for r in referred))
    tables = {source: group.table for group in golden.groups for source in group.sources}
    sources = tuple(
        _source_summary(
            source, frame, stack.meanings[source], tables[source] if tables[source] in data.tables else None
        )
        for source, frame in stack.frames.items()
    )
    alone = (
        set(stack.frames) - {end for a in associations for end in (a.left, a.right)}
        if len(stack.frames) > 1 and lonely
        else set[str]()
    )
    said = [
        *(a.sentence() + "." for a in associations),
        *notes,
        *linked.notes,
        *(
            f"No key relates `{source}` to another source: it stands alone. State one in match."
            for source in stack.frames
            if source in alone
        ),
        *(
            f"`{c.column}`: the records of {c.entities:,} rows of `{c.table}` disagree, settled by {c.rule}."
            for c in golden.conflicts
        ),
    ]
    return Summary(sources=sources, associations=associations, conflicts=golden.conflicts, notes=tuple(said))


def _source_summary(name: str, frame: pl.DataFrame, meaning: Table, table: str | None) -> SourceSummary:
    return SourceSummary(name=name, rows=frame.height, columns=frame.width, key=meaning.key, table=table)
