"""Links between records, and the entities that they make: the connected components of all links."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.blending.associate import Link, keys_of
from cuvee.blending.stack import Stack
from cuvee.blending.summary import Association

CROWD = 10
"""An entity with more records of one source than this is reported: a key that many things share looks like it."""


@dataclass(frozen=True, slots=True)
class Linked:
    """What the links say.

    Attributes:
        pairs: left, right (UInt32, numbers of records, left the smaller), key (which columns said so).
        labels: The entity of every record, (records,), numbered from 0 in the order of each one's first record.
        associations: One for each pair of sources that a link spans.
        notes: What the user should know, in sentences.
    """

    pairs: pl.DataFrame
    labels: NDArray[np.int64]
    associations: tuple[Association, ...]
    notes: tuple[str, ...]


def link_records(stack: Stack, links: Sequence[Link]) -> Linked:
    """Link all records that agree on a key.

    A key that k records share gives k - 1 links, each to the first of them in the order read, not one a pair: the
    entities are the same, and their number stays linear in the records.
    """
    parts: list[pl.DataFrame] = []
    stacked: list[pl.DataFrame] = []
    associations: list[Association] = []
    for link in links:
        keys = _numbered(stack, link)
        stacked.append(keys)
        parts.append(_star(keys, link.evidence.title()))
        associations += _describe(link, keys)
    empty = pl.DataFrame(schema={"left": pl.UInt32, "right": pl.UInt32, "key": pl.String})
    pairs = (
        pl.concat([empty, *parts])
        .group_by("left", "right", maintain_order=True)
        .agg(pl.col("key").unique(maintain_order=True).str.join("; "))
    )
    pairs = pairs.sort("left", "right")
    labels = components(pairs["left"].to_numpy(), pairs["right"].to_numpy(), stack.size)
    notes = [*_crowds(stack, labels), *_contradictions(links, stacked, labels), *_silent(associations, links)]
    return Linked(pairs, labels, tuple(associations), tuple(notes))


def components(left: NDArray[Any], right: NDArray[Any], size: int) -> NDArray[np.int64]:
    """The connected component of each of `size` nodes, (size,), numbered from 0 in the order of their first nodes."""
    if len(left) == 0:
        return np.arange(size, dtype=np.int64)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(size, size))
    _, found = connected_components(graph, directed=False)
    first = np.full(int(found.max()) + 1, size, dtype=np.int64)
    np.minimum.at(first, found, np.arange(size))
    order = np.empty(len(first), dtype=np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return order[found]


def entity_ids(stack: Stack, labels: NDArray[np.int64]) -> pl.DataFrame:
    """The entities: source, record_id, entity_id.

    An entity is called after its first source (in the order of the blend) and the smallest record id there, so that
    the order of rows changes no name.
    """
    whole = stack.records.select("source", "record_id").with_columns(
        label=pl.Series(labels),
        place=pl.Series(np.repeat(np.arange(len(stack.frames)), [f.height for f in stack.frames.values()])),
    )
    own = pl.col("source") + ":" + pl.col("record_id")
    if stack.size == 0 or int(labels.max()) + 1 == stack.size:
        return whole.select("source", "record_id", own.alias("entity_id"))
    shared = whole.filter(pl.len().over("label") > 1)
    named = shared.sort("place", "record_id").group_by("label", maintain_order=True).agg(own.first().alias("shared_id"))
    joined = whole.join(named, on="label", how="left", maintain_order="left")
    return joined.select("source", "record_id", pl.coalesce("shared_id", own).alias("entity_id"))


def _numbered(stack: Stack, link: Link) -> pl.DataFrame:
    """The known keys of all sources of a link, one under the other: record, source, k0, k1, ..."""
    keys = keys_of(stack, link.evidence, link.columns)
    parts = [
        frame.select(
            pl.Series("record", stack.numbers(source), dtype=pl.UInt32), pl.lit(source).alias("source"), pl.all()
        )
        for source, frame in keys.items()
    ]
    return pl.concat(parts).drop_nulls()


def _star(keys: pl.DataFrame, title: str) -> pl.DataFrame:
    """A link from each record to the first that has its key."""
    columns = [c for c in keys.columns if c not in {"record", "source"}]
    first = pl.col("record").min().over(columns)
    starred = keys.select(first.alias("left"), pl.col("record").alias("right"), pl.lit(title).alias("key"))
    return starred.filter(pl.col("left") != pl.col("right"))


def _describe(link: Link, keys: pl.DataFrame) -> list[Association]:
    """What a link found between each two of its sources; within its source, where there is one."""
    columns = [c for c in keys.columns if c not in {"record", "source"}]
    sides = {source: keys.filter(pl.col("source") == source) for source in link.columns}
    made: list[Association] = []
    pairs = list(combinations(link.columns, 2)) or [(source, source) for source in link.columns]
    for left, right in pairs:
        rows = sides[right].height
        matched = (
            sides[right].join(sides[left], on=columns, how="semi").height
            if left != right
            else int(rows - sides[right].select(columns).n_unique())
        )
        made.append(
            Association(
                kind="link",
                left=left,
                right=right,
                columns=link.columns[left],
                to=link.columns[right],
                how=link.evidence.how,
                matched=matched,
                orphans=rows - matched,
                found=matched / rows if rows else 0.0,
                reason=link.reason,
            )
        )
    return made


def _crowds(stack: Stack, labels: NDArray[np.int64]) -> list[str]:
    """Which entities have many records of one source, and how many records are duplicates within theirs."""
    notes: list[str] = []
    for source in stack.frames:
        mine = labels[stack.numbers(source)]
        sizes = np.unique(mine, return_counts=True)[1]
        extra = len(mine) - len(sizes)
        if extra:
            notes.append(f"{extra:,} records of `{source}` are the same thing as another record of `{source}`.")
        crowds = sizes[sizes > CROWD]
        if len(crowds):
            notes.append(
                f"{len(crowds):,} things have more than {CROWD} records of `{source}` each, the largest "
                f"{int(crowds.max()):,}: "
                "check that different things don't share the key. Where its rows refer to a thing, state "
                "relate instead."
            )
    return notes


def _contradictions(links: Sequence[Link], stacked: Sequence[pl.DataFrame], labels: NDArray[np.int64]) -> list[str]:
    """How many entities hold several values of a key, because another key links them."""
    notes: list[str] = []
    if len(links) < 2:
        return notes
    for link, keys in zip(links, stacked, strict=True):
        columns = [c for c in keys.columns if c not in {"record", "source"}]
        values = keys.select(columns).with_columns(label=labels[keys["record"].to_numpy()]).unique()
        several = int((values.group_by("label").len()["len"] > 1).sum())
        if several:
            notes.append(
                f"{several:,} things have several values of `{link.evidence.title()}`: another key says that "
                "their records are the same."
            )
    return notes


def _silent(associations: Sequence[Association], links: Sequence[Link]) -> list[str]:
    """Stated keys that found nothing, and hashes that can be guessed."""
    notes: list[str] = []
    for a in associations:
        if a.matched == 0 and a.left != a.right and (a.orphans > 0):
            same = (
                " Both parties need the same secret, the same role and the same leading_zeros."
                if a.how in {"hashed", "keyed"}
                else ""
            )
            notes.append(f"No value of `{a.left}.{', '.join(a.columns)}` is in `{a.right}.{', '.join(a.to)}`.{same}")
    if any(link.evidence.how == "hashed" for link in links):
        notes.append(
            "Plain hashes of values that can be guessed can be undone by trying them all; use keyed where "
            "others may not learn them."
        )
    return notes
