"""The graph of entities: what is referred to are nodes, what refers to several makes edges between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from cuvee.data.errors import CuveeError

_NODES = pl.Schema({"id": pl.String, "kind": pl.String, "label": pl.String, "weight": pl.UInt32})
_EDGES = pl.Schema({"source": pl.String, "target": pl.String, "relation": pl.String, "weight": pl.Float64})
_COUNTED = pl.Schema({"source": pl.UInt32, "target": pl.UInt32, "relation": pl.String, "weight": pl.UInt32})


@dataclass(frozen=True, slots=True)
class Graph:
    """Entities and how they are connected; undirected for paths.

    Attributes:
        nodes: id (such as "airports:JFK"), kind (its golden table), label, weight (how many rows refer to it);
            heaviest first.
        edges: source, target, relation (the columns that relate them), weight (how many rows do); heaviest first.
    """

    nodes: pl.DataFrame
    edges: pl.DataFrame

    def find(self, node: str) -> str:
        """The id of a node from its id, or from its record id or label where only one node has it.

        Raises:
            CuveeError: There is no such node, or there are several.
        """
        if self.nodes.filter(pl.col("id") == node).height:
            return node
        after = pl.col("id").str.split_exact(":", 1).struct.field("field_1")
        own = self.nodes.filter(after == node)
        named = own if own.height else self.nodes.filter(pl.col("label").str.to_lowercase() == node.lower())
        if named.height == 1:
            return str(named["id"][0])
        if named.height:
            raise CuveeError(
                f"{node!r} is {named.height:,} nodes. Name one in full, by its source and key: SOURCE:KEY."
            )
        # No other id is named: ids may be e-mail addresses or names that whoever asks does not know.
        kinds = ", ".join(sorted(self.nodes["kind"].unique()))
        raise CuveeError(
            f"There is no node {node!r} among the {self.nodes.height:,} nodes of the graph ({kinds}). Name one by its "
            "source and key: SOURCE:KEY."
        )

    def path(self, start: str, end: str) -> pl.DataFrame:
        """The shortest path between two nodes: fewest steps, and among those the one over the heaviest edges.

        Returns:
            step (0 is the start), id, kind, label, relation and weight (of the edge that leads here; null at the
            start); no rows where the two are not connected.

        Raises:
            CuveeError: A node is not there.
        """
        first, last = self.find(start), self.find(end)
        ids = self.nodes["id"].sort()
        number = pl.DataFrame({"id": ids}).with_row_index("at")
        edges = _numbered(self.edges, number)
        ends = [int(ids.search_sorted(node)) for node in (first, last)]
        steps = _shortest(edges, ids.len(), ends[0], ends[1])
        walked = pl.DataFrame({"at": pl.Series(steps, dtype=pl.UInt32)}).with_row_index("step")
        by = walked.with_columns(before=pl.col("at").shift(1)).join(
            edges, left_on=["before", "at"], right_on=["left", "right"], how="left", maintain_order="left"
        )
        named = by.join(number, on="at", how="left", maintain_order="left")
        told = named.join(self.nodes.select("id", "kind", "label"), on="id", how="left", maintain_order="left")
        return told.select("step", "id", "kind", "label", "relation", "weight")

    def neighbours(self, node: str) -> pl.DataFrame:
        """What a node is directly connected to: id, kind, label, relation, weight; heaviest first.

        Raises:
            CuveeError: There is no such node, or there are several.
        """
        found = self.find(node)
        near = (
            _undirected(self.edges)
            .filter(pl.col("source") == found)
            .select(pl.col("target").alias("id"), "relation", "weight")
        )
        told = near.join(self.nodes.select("id", "kind", "label"), on="id", how="left")
        return told.select("id", "kind", "label", "relation", "weight").sort(
            "weight", "id", "relation", descending=[True, False, False]
        )


def entity_graph(
    relations: pl.DataFrame,
    links: pl.DataFrame,
    entities: pl.DataFrame,
    tables: Mapping[str, str],
    labels: pl.DataFrame,
    *,
    limit: int | None = None,
) -> Graph:
    """The graph of a blend.

    Rows of a table that something refers to are nodes, with an edge to each thing that they refer to themselves. Rows
    of a table that nothing refers to are edges: one between each two things that the row refers to. Where nothing
    refers to anything, records are the nodes and links the edges.

    Args:
        relations: from_source, from_id, relation, to_source, to_id.
        links: left_source, left_id, right_source, right_id, probability.
        entities: source, record_id, entity_id.
        tables: The golden table of each source, which is the kind of its entities.
        labels: entity_id, label; may be empty.
        limit: Only so many nodes, those of the heaviest edges first, and the edges between them; None gives all.
    """
    if relations.height == 0:
        return _link_graph(links, limit)
    # Entities are numbered for the joins: numbers are counted many times faster than ids.
    things = entities.select(pl.col("entity_id").unique(maintain_order=True)).with_row_index("thing")
    numbered = entities.join(things, on="entity_id", how="left", maintain_order="left")
    known = _as_entities(relations, numbered, tables, merged=things.height < entities.height)
    node_tables = set(known["to_table"].unique())
    ids = things["entity_id"]
    weights = _weights(known, node_tables, ids)
    parts = [pl.DataFrame(schema=_COUNTED)]
    for (table,), rows in known.partition_by("from_table", as_dict=True, maintain_order=True).items():
        parts.append(_own_edges(rows) if table in node_tables else _fact_edges(rows, str(table)))
    counted = pl.concat(parts)
    edges = counted.with_columns(source=ids.gather(counted["source"]), target=ids.gather(counted["target"])).cast(
        _EDGES
    )
    ordered = edges.sort("weight", "source", "target", "relation", descending=[True, False, False, False])
    nodes = weights.select("id", "weight")
    if limit is not None and nodes.height > limit:
        nodes, ordered = _heaviest(nodes, ordered, limit)
    return Graph(_named(nodes, entities, tables, labels), ordered)


def _heaviest(nodes: pl.DataFrame, edges: pl.DataFrame, limit: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The ends of the heaviest edges, then the heaviest nodes, and the edges between them.

    By weight alone, nodes of one table could fill the graph and have no edge between them.
    """
    weight = nodes.select("id", pl.col("weight").cast(pl.Float64).alias("heavy"))
    known = edges.join(weight, left_on="source", right_on="id", how="left", maintain_order="left").join(
        weight, left_on="target", right_on="id", how="left", suffix="_of_target", maintain_order="left"
    )
    both = (pl.col("heavy") + pl.col("heavy_of_target")).alias("both")
    ranked = known.with_columns(both).sort("weight", "both", descending=True, maintain_order=True).head(limit)
    ends = ranked.select(pl.concat_list("source", "target").alias("id")).explode("id")
    chosen = pl.concat([ends, nodes.select("id")]).unique(maintain_order=True).head(limit)
    kept = chosen["id"].implode()
    among = edges.filter(pl.col("source").is_in(kept) & pl.col("target").is_in(kept))
    return nodes.filter(pl.col("id").is_in(kept)), among


def _weights(known: pl.DataFrame, node_tables: set[str], ids: pl.Series) -> pl.DataFrame:
    """The nodes by number, with id and weight (how many rows refer to each), heaviest first."""
    referred = known.group_by(pl.col("to").alias("node")).agg(pl.len().alias("weight"))
    referring = (
        known.filter(pl.col("from_table").is_in(list(node_tables))).select(pl.col("from").alias("node")).unique()
    )
    lonely = referring.join(referred, on="node", how="anti").with_columns(weight=pl.lit(0, dtype=pl.UInt32))
    every = pl.concat([referred, lonely])
    return every.with_columns(id=ids.gather(every["node"])).sort("weight", "id", descending=[True, False])


def _named(
    nodes: pl.DataFrame, entities: pl.DataFrame, tables: Mapping[str, str], labels: pl.DataFrame
) -> pl.DataFrame:
    """The nodes with kind and label; what has no name is called by the record id of the member that gave its id."""
    own = (pl.col("source") + ":" + pl.col("record_id")) == pl.col("entity_id")
    members = entities.filter(own).unique("entity_id", keep="first", maintain_order=True)
    told = nodes.join(labels, left_on="id", right_on="entity_id", how="left")
    told = told.join(members, left_on="id", right_on="entity_id", how="left")
    made = told.select(
        "id",
        pl.col("source").replace_strict(dict(tables), return_dtype=pl.String).alias("kind"),
        pl.coalesce("label", "record_id").alias("label"),
        pl.col("weight").fill_null(0).cast(pl.UInt32),
    )
    return made.sort("weight", "id", descending=[True, False]).cast(_NODES)


def _as_entities(
    relations: pl.DataFrame, numbered: pl.DataFrame, tables: Mapping[str, str], *, merged: bool
) -> pl.DataFrame:
    """The relations between entities by number, each once: from, from_table, relation, to, to_table."""
    by_source = {
        str(source): part.select("record_id", "thing")
        for (source,), part in numbered.partition_by("source", as_dict=True, maintain_order=True).items()
    }
    parts: list[pl.DataFrame] = []
    ends = ["from_source", "relation", "to_source"]
    for (source, relation, to), rows in relations.partition_by(ends, as_dict=True, maintain_order=True).items():
        left = rows.join(
            by_source[str(source)], left_on="from_id", right_on="record_id", how="left", maintain_order="left"
        )
        right = left.rename({"thing": "from"}).join(
            by_source[str(to)], left_on="to_id", right_on="record_id", how="left", maintain_order="left"
        )
        parts.append(
            right.select(
                "from",
                pl.lit(tables[str(source)]).alias("from_table"),
                pl.lit(relation).alias("relation"),
                pl.col("thing").alias("to"),
                pl.lit(tables[str(to)]).alias("to_table"),
            )
        )
    whole = pl.concat(parts)
    return whole.unique(["from", "relation", "to"], keep="first", maintain_order=True) if merged else whole


def _own_edges(rows: pl.DataFrame) -> pl.DataFrame:
    """From each row that is a node to what it refers to."""
    apart = rows.filter(pl.col("from") != pl.col("to"))
    edges = apart.group_by("from", "to", "relation").agg(pl.len().alias("weight"))
    return edges.select(pl.col("from").alias("source"), pl.col("to").alias("target"), "relation", "weight").cast(
        _COUNTED
    )


def _fact_edges(rows: pl.DataFrame, table: str) -> pl.DataFrame:
    """Between each two things that a row refers to, with the number of rows as weight."""
    parts = [pl.DataFrame(schema=_COUNTED)]
    referring = rows.partition_by("relation", "to_table", as_dict=True, maintain_order=True)
    by_relation = {(str(relation), str(to)): part.select("from", "to") for (relation, to), part in referring.items()}
    for (a, mine), (b, theirs) in combinations(sorted(by_relation.items(), key=lambda r: r[0]), 2):
        both = mine.rename({"to": "source"}).join(theirs.rename({"to": "target"}), on="from")
        apart = both.filter(pl.col("source") != pl.col("target"))
        counted = apart.group_by("source", "target").agg(pl.len().alias("weight"))
        relation = pl.lit(f"{table}: {a[0]}, {b[0]}").alias("relation")
        parts.append(counted.select("source", "target", relation, "weight").cast(_COUNTED))
    return pl.concat(parts)


def _link_graph(links: pl.DataFrame, limit: int | None) -> Graph:
    """Records as nodes and links as edges, where nothing refers to anything."""
    left, right = pl.col("left_source") + ":" + pl.col("left_id"), pl.col("right_source") + ":" + pl.col("right_id")
    edges = links.select(
        left.alias("source"),
        right.alias("target"),
        pl.lit("same thing").alias("relation"),
        pl.col("probability").alias("weight"),
    )
    ends = pl.concat([
        links.select(left.alias("id"), pl.col(f"{side}_source").alias("kind"), pl.col(f"{side}_id").alias("label"))
        for side, left in (("left", left), ("right", right))
    ])  # fmt: skip
    counted = ends.group_by("id", "kind", "label").agg(pl.len().alias("weight"))
    nodes = counted.sort("weight", "id", descending=[True, False]).cast(_NODES)
    if limit is not None:
        nodes = nodes.head(limit)
        kept = nodes["id"].implode()
        edges = edges.filter(pl.col("source").is_in(kept) & pl.col("target").is_in(kept))
    return Graph(nodes, edges.sort("weight", "source", "target", descending=[True, False, False]).cast(_EDGES))


def _undirected(edges: pl.DataFrame) -> pl.DataFrame:
    """Every edge in both directions."""
    back = edges.select(pl.col("target").alias("source"), pl.col("source").alias("target"), "relation", "weight")
    return pl.concat([edges.select(back.columns), back])


def _numbered(edges: pl.DataFrame, number: pl.DataFrame) -> pl.DataFrame:
    """The edges in both directions by number of node, the heaviest of each pair: left, right, relation, weight."""
    left = edges.join(number.rename({"at": "left"}), left_on="source", right_on="id", how="left", maintain_order="left")
    both = left.join(number.rename({"at": "right"}), left_on="target", right_on="id", how="left", maintain_order="left")
    there = both.select("left", "right", "relation", "weight")
    back = there.select(pl.col("right").alias("left"), pl.col("left").alias("right"), "relation", "weight")
    heaviest = pl.concat([there, back]).sort("weight", "relation", descending=[True, False])
    return heaviest.unique(["left", "right"], keep="first", maintain_order=True)


def _shortest(edges: pl.DataFrame, size: int, start: int, end: int) -> Sequence[int]:
    """The nodes of the shortest path, start and end included; none where there is no way."""
    if start == end:
        return [start]
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    # All preferences of a path together cost less than one step, so that fewest steps come first.
    cost = 1 + 1 / ((1 + edges["weight"].to_numpy()) * (size + 1))
    graph = csr_array((cost, (edges["left"].to_numpy(), edges["right"].to_numpy())), shape=(size, size))
    _, before = dijkstra(graph, directed=True, indices=start, return_predecessors=True)
    if before[end] < 0:
        return []
    steps = [end]
    while steps[-1] != start:
        steps.append(int(before[steps[-1]]))
    return steps[::-1]
