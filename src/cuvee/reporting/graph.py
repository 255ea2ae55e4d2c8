"""The entity graph as plain data: where each node stands, how large it is, and which labels may be read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.core import Edge
from cuvee.data.schema import Schema
from cuvee.numeric.layout import layout
from cuvee.reporting.bins import FEW
from cuvee.reporting.words import short

Array = NDArray[Any]
SIDES = ("right", "left", "below")

LIMIT = 300
LABELS = 26
LONGEST = 16
"""A longer id, such as that of a key of several columns, hides more of the drawing than it tells."""
MANY = 20
"""A node that has no name is called by its id only if so many rows refer to it that it is a thing in common."""
EDGES = 900
STRONGEST = 40
"""Edges between columns that are listed at most."""


def graph_summary(nodes: pl.DataFrame, edges: pl.DataFrame, schema: Schema, *, rng: Generator) -> dict[str, Any]:
    """What is shown of a graph.

    A label is shown only where no column of its table speaks of a person, and only for nodes that stand for at least
    `FEW` rows (`MANY`, where the label is an id). Above `LIMIT` nodes, or without a connection, there is no drawing,
    only counts.

    Args:
        nodes: `id`, `kind`, `label`, `weight`.
        edges: `source`, `target` (ids), `relation`, `weight`.
        schema: The schema of the golden data.
        rng: Where the layout starts.
    """
    nodes = nodes.sort("weight", "kind", "id", descending=[True, False, False])
    number = {node: i for i, node in enumerate(nodes["id"].to_list())}
    known = edges.filter(pl.col("source").is_in(nodes["id"].implode()), pl.col("target").is_in(nodes["id"].implode()))
    ends = [[number[v] for v in known[side].to_list()] for side in ("source", "target")]
    pairs = np.array(ends, dtype=np.int64).T.reshape(-1, 2)
    weights = known["weight"].cast(pl.Float64).fill_null(1.0).to_numpy()
    kinds = nodes["kind"].unique(maintain_order=True).sort().to_list()
    relations = known.group_by("relation").agg(edges=pl.len(), weight=pl.col("weight").sum()).sort("relation")
    summary: dict[str, Any] = {
        "nodes": nodes.height,
        "edges": known.height,
        "kinds": [
            {"kind": k, "nodes": nodes.filter(pl.col("kind") == k).height, "named": _may_name(k, schema)} for k in kinds
        ],
        "relations": relations.to_dicts(),
        "drawing": None,
    }
    if known.height and nodes.height <= LIMIT:
        summary["drawing"] = _drawing(nodes, pairs, weights, kinds, schema, rng=rng)
    return summary


def column_graph(edges: Sequence[Edge], *, rng: Generator) -> dict[str, Any]:
    """What is shown of a graph of columns that depend on each other; as `graph_summary` gives it, and the edges."""
    names = sorted({end for e in edges for end in (e.source, e.target)})
    number = {name: i for i, name in enumerate(names)}
    pairs = np.array([[number[e.source], number[e.target]] for e in edges], dtype=np.int64).reshape(-1, 2)
    weights = np.array([e.strength for e in edges], dtype=np.float64)
    size = np.bincount(pairs.ravel(), np.repeat(weights, 2), len(names)) if edges else np.zeros(0)
    nodes = pl.DataFrame({"id": names, "kind": ["column"] * len(names), "label": names, "weight": size})
    summary: dict[str, Any] = {
        "nodes": len(names),
        "edges": len(edges),
        "kinds": [{"kind": "column", "nodes": len(names), "named": True}] if edges else [],
        "strongest": [[e.source, e.target, e.strength] for e in edges[:STRONGEST]],
        "drawing": None,
    }
    if edges and len(names) <= LIMIT:
        labels = [short(name, 22) for name in names]
        summary["drawing"] = _placed(nodes, pairs, weights, ["column"], labels, rng=rng)
    return summary


def _drawing(
    nodes: pl.DataFrame,
    pairs: Array,
    weights: Array,
    kinds: list[str],
    schema: Schema,
    *,
    rng: Generator,
) -> dict[str, Any]:
    """Nodes from the largest, and the strongest edges from the weakest, with positions in the unit square."""
    size = nodes["weight"].cast(pl.Float64).fill_null(0.0).to_numpy()
    named = {k: _may_name(k, schema) for k in kinds}
    labels = [
        _label(node, label, weight) if named[kind] else ""
        for node, kind, label, weight in zip(nodes["id"], nodes["kind"], nodes["label"], size.tolist(), strict=True)
    ]
    return _placed(nodes, pairs, weights, kinds, labels, rng=rng)


def _placed(
    nodes: pl.DataFrame, pairs: Array, weights: Array, kinds: list[str], labels: list[str], *, rng: Generator
) -> dict[str, Any]:
    """Nodes with their places, and edges."""
    at = layout(nodes.height, pairs, np.maximum(weights, 1e-9), rng=rng)
    size = nodes["weight"].cast(pl.Float64).fill_null(0.0).to_numpy()
    largest = max(float(size.max()), 1e-9)
    sides = _spread(at, size, labels, kinds=nodes["kind"].to_list())
    strongest = np.sort(np.argsort(-weights, kind="stable")[:EDGES])
    strongest = strongest[np.argsort(weights[strongest], kind="stable")]
    most = max(float(weights.max()), 1e-9) if len(weights) else 1.0
    return {
        "nodes": [
            {
                "x": round(float(at[i, 0]), 3),
                "y": round(float(at[i, 1]), 3),
                "kind": kinds.index(kind),
                "size": round(float(np.sqrt(size[i] / largest)), 3),
                "label": labels[i] if i in sides else "",
                "side": sides.get(i, ""),
            }
            for i, kind in enumerate(nodes["kind"])
        ],
        "edges": [
            {"from": int(pairs[e, 0]), "to": int(pairs[e, 1]), "weight": round(float(np.sqrt(weights[e] / most)), 3)}
            for e in strongest.tolist()
        ],
    }


def _label(node: str, label: str | None, weight: float) -> str:
    """What a node is called on the page, or nothing."""
    if label is None or weight < FEW:
        return ""
    is_id = node == label or node.endswith(f":{label}")
    return "" if is_id and (weight < MANY or len(label) > LONGEST) else short(label, 22)


def _spread(at: Array, size: Array, labels: list[str], *, kinds: list[str]) -> dict[int, str]:
    """The nodes that carry a label, and its side: the largest, then of each kind by turns, as far as there is room.

    No label lies on another one or on a large node.
    """
    by_size: list[int] = np.argsort(-size, kind="stable").tolist()
    share = (size / max(float(size.max()), 1e-9)).tolist()
    taken = np.array([_box(at[i], share[i], "", "node") for i in by_size[:24]])
    sides: dict[int, str] = {}
    for i in _by_turns(by_size, kinds):
        if not labels[i] or len(sides) == LABELS:
            continue
        for side in SIDES:
            box = np.array(_box(at[i], share[i], labels[i], side))
            apart = (box[:2] >= taken[:, 2:]).any(axis=1) | (taken[:, :2] >= box[2:]).any(axis=1)
            if apart.all() and box[2] < 1.12:
                sides[i], taken = side, np.vstack([taken, box])
                break
    return sides


def _by_turns(ranked: list[int], kinds: list[str]) -> list[int]:
    """The ten largest nodes, then the largest of each kind, the second of each kind, and so on."""
    turns: dict[str, int] = {}
    later: list[tuple[int, int]] = []
    for i in ranked[10:]:
        later.append((turns.setdefault(kinds[i], 0), i))
        turns[kinds[i]] += 1
    return ranked[:10] + [i for _, i in sorted(later, key=lambda pair: pair[0])]


def _box(at: Array, share: float, label: str, side: str) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a node or its label, in units of the square (about 630 x 510 pixels)."""
    r, wide = 0.005 + 0.016 * float(np.sqrt(share)), 0.0105 * len(label) + 0.008
    x, y = float(at[0]), float(at[1])
    if side == "node":
        return x - r, y - 1.2 * r, x + r, y + 1.2 * r
    if side == "below":
        return x - wide / 2, y + r + 0.004, x + wide / 2, y + r + 0.032
    left = x + r if side == "right" else x - r - wide
    return left, y - 0.014, left + wide, y + 0.014


def _may_name(kind: str, schema: Schema) -> bool:
    """Whether the nodes of a kind may be named: no column of its table (of any table, if it has none) is sensitive."""
    tables = [schema[kind]] if kind in schema.tables else list(schema.tables.values())
    return not any(column.sensitive for table in tables for column in table.columns.values())
