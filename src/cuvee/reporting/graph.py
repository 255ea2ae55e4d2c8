"""The entity graph as plain data: where each node stands, how large it is, and which labels may be read."""

from typing import Any

import numpy as np
import polars as pl
from numpy.random import Generator

from cuvee.data.schema import Schema
from cuvee.numeric.layout import layout
from cuvee.reporting.bins import FEW
from cuvee.reporting.words import short

LIMIT = 300
LABELS = 26
LONGEST = 16
"""A longer label, such as that of a key of several columns, hides more of the drawing than it tells."""
EDGES = 900


def graph_summary(nodes: pl.DataFrame, edges: pl.DataFrame, schema: Schema, *, rng: Generator) -> dict[str, Any]:
    """What is shown of a graph.

    A label is shown only where no column of its table speaks of a person, and only for nodes that stand for at least
    `FEW` rows. Above `LIMIT` nodes, or without a connection, there is no drawing, only counts.

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


def _drawing(
    nodes: pl.DataFrame,
    pairs: np.ndarray[Any, Any],
    weights: np.ndarray[Any, Any],
    kinds: list[str],
    schema: Schema,
    *,
    rng: Generator,
) -> dict[str, Any]:
    """Nodes from the largest, and the strongest edges from the weakest, with positions in the unit square."""
    at = layout(nodes.height, pairs, np.maximum(weights, 1e-9), rng=rng)
    size = nodes["weight"].cast(pl.Float64).fill_null(0.0).to_numpy()
    largest = max(float(size.max()), 1e-9)
    named = {k: _may_name(k, schema) for k in kinds}
    labels = [
        short(label, LONGEST) if label is not None and len(label) <= LONGEST and named[kind] and weight >= FEW else ""
        for kind, label, weight in zip(nodes["kind"], nodes["label"], size.tolist(), strict=True)
    ]
    spread = _spread(at, size, [bool(label) for label in labels], kinds=nodes["kind"].to_list())
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
                "label": labels[i] if i in spread else "",
            }
            for i, kind in enumerate(nodes["kind"])
        ],
        "edges": [
            {"from": int(pairs[e, 0]), "to": int(pairs[e, 1]), "weight": round(float(np.sqrt(weights[e] / most)), 3)}
            for e in strongest.tolist()
        ],
    }


def _spread(
    at: np.ndarray[Any, Any], size: np.ndarray[Any, Any], nameable: list[bool], *, kinds: list[str]
) -> set[int]:
    """The nodes that carry a label: the largest of each kind by turns, as far as labels don't lie on one another."""
    turn: dict[str, int] = {}
    ranked: list[tuple[int, int]] = []
    for i in np.argsort(-size, kind="stable").tolist():
        if nameable[i]:
            ranked.append((turn.setdefault(kinds[i], 0), i))
            turn[kinds[i]] += 1
    chosen: list[int] = []
    for _, i in sorted(ranked):
        apart = np.abs(at[chosen] - at[i]) if chosen else np.ones((1, 2))
        if len(chosen) < LABELS and not bool(((apart[:, 0] < 0.14) & (apart[:, 1] < 0.028)).any()):
            chosen.append(i)
    return set(chosen)


def _may_name(kind: str, schema: Schema) -> bool:
    """Whether the nodes of a kind may be named: no column of its table (of any table, if it has none) is sensitive."""
    tables = [schema[kind]] if kind in schema.tables else list(schema.tables.values())
    return not any(column.sensitive for table in tables for column in table.columns.values())
