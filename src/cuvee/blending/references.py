"""References between records: which row of another source each row refers to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.blending.associate import Reference, keys_of
from cuvee.blending.stack import Stack
from cuvee.blending.summary import Association
from cuvee.data.errors import CuveeError

NOTHING = -1
"""The parent of a row whose columns are null: it refers to nothing."""

ORPHAN = -2
"""The parent of a row whose values stand in no row of the other source."""


@dataclass(frozen=True, slots=True)
class Referred:
    """A reference, worked out.

    Attributes:
        reference: What refers to what.
        parents: (rows of the referring source,), the number of the record referred to, `NOTHING` or `ORPHAN`.
        association: How much of it was found.
    """

    reference: Reference
    parents: NDArray[np.int64]
    association: Association


def refer(stack: Stack, reference: Reference, labels: NDArray[np.int64]) -> Referred | str:
    """Work out a reference; many rows may refer to one, never one to many.

    Args:
        stack: The records.
        reference: What refers to what.
        labels: The entity of each record: several parent rows of one value are fine where they are the same thing.

    Returns:
        The reference with its parents, or the sentence why a reference found in the data is left out.

    Raises:
        CuveeError: A stated reference would multiply rows.
    """
    child, parent = _both_keys(stack, reference)
    columns = [c for c in parent.columns if c.startswith("k")]
    numbered = parent.with_columns(record=stack.numbers(reference.table), id=_ids(stack, reference.table)).drop_nulls(
        columns
    )
    things = numbered.with_columns(label=labels[numbered["record"].to_numpy()])
    several = things.group_by(columns).agg(pl.col("label").n_unique(), pl.len()).filter(pl.col("label") > 1)
    if several.height:
        sentence = _fan_out(reference, child, several, columns)
        if reference.stated:
            raise CuveeError(sentence)
        return sentence
    # Of several records of one thing, the smallest id stands for it, whatever the order of the rows.
    one = numbered.sort("id", "record").unique(columns, keep="first", maintain_order=True).select(*columns, "record")
    joined = child.join(one, on=columns, how="left", maintain_order="left")
    known = child.select(pl.all_horizontal(pl.all().is_not_null())).to_series().to_numpy()
    record = joined["record"].fill_null(ORPHAN).to_numpy()
    parents = np.where(known, record, NOTHING).astype(np.int64)
    return Referred(reference, parents, _count(reference, parents))


def relations_of(stack: Stack, referred: Sequence[Referred]) -> pl.DataFrame:
    """All relations of records: from_source, from_id, relation, to_source, to_id; orphans and nulls have none."""
    ids = stack.records["record_id"]
    schema = pl.Schema(dict.fromkeys(("from_source", "from_id", "relation", "to_source", "to_id"), pl.String()))
    parts = [pl.DataFrame(schema=schema)]
    for one in referred:
        here = np.flatnonzero(one.parents >= 0)
        r = one.reference
        found = pl.DataFrame(
            {"from_id": ids.gather(here + stack.starts[r.source]), "to_id": ids.gather(one.parents[here])}
        )
        parts.append(
            found.select(
                pl.lit(r.source).alias("from_source"),
                "from_id",
                pl.lit(r.name).alias("relation"),
                pl.lit(r.table).alias("to_source"),
                "to_id",
            )
        )
    return pl.concat(parts)


def _both_keys(stack: Stack, r: Reference) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The keys of the two sides in comparable dtypes; a source may stand on both sides."""
    if r.source != r.table:
        keys = keys_of(stack, r.evidence, {r.source: r.columns, r.table: r.to})
        return keys[r.source], keys[r.table]
    twice = Stack(
        {"from": stack.frames[r.source], "to": stack.frames[r.source]},
        {"from": stack.meanings[r.source], "to": stack.meanings[r.source]},
        {"from": 0, "to": 0},
        stack.records,
    )
    keys = keys_of(twice, r.evidence, {"from": r.columns, "to": r.to})
    return keys["from"], keys["to"]


def _ids(stack: Stack, source: str) -> pl.Series:
    return stack.records["record_id"].slice(stack.starts[source], stack.frames[source].height)


def _fan_out(r: Reference, child: pl.DataFrame, several: pl.DataFrame, columns: list[str]) -> str:
    """The sentence that refuses many-to-many, with the number of rows that it would make."""
    counts = child.join(several.select(*columns, "len"), on=columns, how="left")["len"].fill_null(1)
    most, grown = several["len"].max(), counts.sum()
    to = ", ".join(r.to)
    return (
        f"`{r.source}.{r.name}` → `{r.table}.{to}` is many-to-many: {several.height:,} values of {to} stand in "
        f"several rows of {r.table!r} "
        f"(up to {most:,}), so {child.height:,} rows of {r.source!r} would become {grown:,}. "
        f"Refer by more columns, or make {r.table!r} one row a value first."
    )


def _count(r: Reference, parents: NDArray[np.int64]) -> Association:
    matched, orphans = int((parents >= 0).sum()), int((parents == ORPHAN).sum())
    return Association(
        kind="relation",
        left=r.source,
        right=r.table,
        columns=r.columns,
        to=r.to,
        how=r.evidence.how,
        matched=matched,
        orphans=orphans,
        nulls=int((parents == NOTHING).sum()),
        found=matched / (matched + orphans) if matched + orphans else 0.0,
        reason=r.reason,
    )
