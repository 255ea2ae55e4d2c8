"""A blend: the records of several sources, what links and relates them, and the golden data that they make."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
from pydantic import ValidationError

from cuvee.blending.graph import Graph, entity_graph
from cuvee.blending.lineage import AGREED, FOLLOWS, NO_PARENT, ONLY, SILENT
from cuvee.blending.summary import Association, Conflict, SourceSummary, Summary
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, SchemaError
from cuvee.data.names import did_you_mean
from cuvee.data.schema import Schema

__all__ = ["Association", "Blend", "Conflict", "SourceSummary", "Summary"]

VERSION = 1
_FRAMES = ("records", "links", "relations", "entities")


@dataclass(frozen=True, slots=True)
class Blend:
    """What `cuvee.blend` gives.

    Attributes:
        records: Every record read: source, record_id (its key's text, else its row number), row (in its source),
            golden (its row in the golden table; null where it was left out).
        links: Which records are the same thing: left_source, left_id, right_source, right_id, probability, key. Each
            record is linked to the first that it agrees with.
        relations: Which record refers to which: from_source, from_id, relation, to_source, to_id.
        entities: Which thing each record is of: source, record_id, entity_id.
        data: The golden data.
        lineage: `provenance` before it is computed.
        summary: The sources, associations, conflicts and notes.
    """

    records: pl.DataFrame
    links: pl.DataFrame
    relations: pl.DataFrame
    entities: pl.DataFrame
    data: Dataset
    lineage: pl.LazyFrame
    summary: Summary

    @property
    def provenance(self) -> pl.DataFrame:
        """Where every cell of the golden data came from, in order of tables, columns and rows.

        It has a row a cell, and is computed when it is asked for. Columns: table; row of the golden table; column;
        source and record_id, null where the value is of no single record; rule, which is the rule that settled it, or
        "only" (one record says it), "agreed" (several say the same), "none" (no record says anything), "no parent" (to
        attach) or "follows" (the settled key that it refers to); and others, how many claims say something else.
        """
        return _computed(self.lineage)

    def graph(self, limit: int | None = 300) -> Graph:
        """The graph of entities, its heaviest part only; None gives all of it.

        See `cuvee.blending.graph.entity_graph` for what becomes a node and what an edge.
        """
        return entity_graph(self.relations, self.links, self.entities, self._table_of(), self._labels(), limit=limit)

    def path(self, start: str, end: str) -> pl.DataFrame:
        """The shortest path between two nodes of the whole graph; see `Graph.path`.

        Such as `path("airports:JFK", "planes:N14228")`.
        """
        return self.graph(None).path(start, end)

    def neighbours(self, node: str) -> pl.DataFrame:
        """What a node of the whole graph is directly connected to; see `Graph.neighbours`."""
        return self.graph(None).neighbours(node)

    def why(self, where: int | str, column: str, *, table: str | None = None) -> str:
        """Why a golden cell is as it is, in a sentence that holds no value.

        Args:
            where: The row of the golden table, or the id of an entity.
            column: The column.
            table: The golden table of a row, where there are several.

        Raises:
            CuveeError: There is no such table, row, entity or column.
        """
        name, row = self._cell(where, table)
        frame = self.data[name]
        if column not in frame.columns:
            raise SchemaError(f"Table {name!r} has no column {column!r}.{did_you_mean(column, frame.columns)}")
        if not 0 <= row < frame.height:
            raise CuveeError(f"Table {name!r} has no row {row}; its {frame.height:,} rows count from 0.")
        here = (pl.col("table") == name) & (pl.col("column") == column) & (pl.col("row") == row)
        cell = _computed(self.lineage.filter(here)).row(0, named=True)
        return f"`{column}` in row {row} of `{name}` {_because(cell)}"

    def save(self, folder: str | Path) -> None:
        """Write the blend folder, beside first and then moved into place.

        Raises:
            CuveeError: Something else stands there.
        """
        target = Path(folder)
        if target.exists() and not (target / "manifest.json").is_file() and (target.is_file() or any(target.iterdir())):
            raise CuveeError(f"{target} is there already and is not a blend. Choose another folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{uuid4().hex[:8]}")
        try:
            self._write(beside)
            if target.exists():
                old = target.with_name(f".{target.name}.{uuid4().hex[:8]}.old")
                target.rename(old)
                beside.rename(target)
                shutil.rmtree(old)
            else:
                beside.rename(target)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _write(self, folder: Path) -> None:
        golden = folder / "golden"
        golden.mkdir(parents=True)
        for name in _FRAMES:
            getattr(self, name).write_parquet(folder / f"{name}.parquet")
        self.lineage.sink_parquet(folder / "provenance.parquet")
        # Files are numbered, as the name of a table may be none of a file.
        files = {table: _file_name(table, i) for i, table in enumerate(self.data.tables)}
        for table, file in files.items():
            self.data[table].write_parquet(golden / file)
        self.data.schema.save(golden / "schema.yaml")
        manifest: dict[str, Any] = {
            "kind": "blend",
            "version": VERSION,
            "tables": files,
            "schema": self.data.schema.model_dump(mode="json"),
            "summary": self.summary.model_dump(mode="json"),
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False), "utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> "Blend":
        """Open a blend folder.

        Raises:
            CuveeError: It is not a blend folder, is not whole, or was written by a later version.
        """
        where = Path(folder)
        try:
            manifest = json.loads((where / "manifest.json").read_text("utf-8"))
            version = manifest["version"] if manifest["kind"] == "blend" else None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CuveeError(
                f"{where} is not a blend folder. Make one with: cuvee blend FILE FILE -o FOLDER"
            ) from error
        if version != VERSION:
            raise CuveeError(
                f"{where} is a blend of version {version}; this version of cuvee reads version {VERSION}. Blend "
                "the sources again."
            )
        try:
            tables = {
                table: pl.read_parquet(where / "golden" / Path(file).name) for table, file in manifest["tables"].items()
            }
            data = Dataset(tables, Schema.model_validate(manifest["schema"]))
            frames = {name: pl.read_parquet(where / f"{name}.parquet") for name in _FRAMES}
            lineage = pl.scan_parquet(where / "provenance.parquet")
            lineage.collect_schema()
            summary = Summary.model_validate(manifest["summary"])
        except (OSError, KeyError, AttributeError, ValidationError, pl.exceptions.PolarsError) as error:
            raise CuveeError(
                f"The blend folder {where} is not whole: {type(error).__name__}. Blend the sources again."
            ) from error
        return cls(data=data, lineage=lineage, summary=summary, **frames)

    def __repr__(self) -> str:
        tables = ", ".join(f"{t} {f.height:,} x {f.width}" for t, f in self.data.tables.items())
        sizes = f"{self.links.height:,} links, {self.relations.height:,} relations"
        return f"Blend({len(self.summary.sources)} sources, {sizes}; {tables})"

    def _table_of(self) -> dict[str, str]:
        """The golden table of each source; of one that was left out of the golden data, its own name."""
        return {s.name: s.table or s.name for s in self.summary.sources}

    def _cell(self, where: int | str, table: str | None) -> tuple[str, int]:
        """The table and row of a row number or an entity."""
        if isinstance(where, int):
            name = table or self.data.name
            _ = self.data[name]
            return name, where
        found = self.entities.with_columns(self.records["golden"]).filter(pl.col("entity_id") == where)
        if not found.height:
            raise CuveeError(
                f"There is no entity {where!r} in this blend; entities are called like {_example(self.entities)!r}."
            )
        at = found.drop_nulls("golden")
        name = self._table_of()[str(found["source"][0])]
        if not at.height or name not in self.data.tables:
            raise CuveeError(
                f"The entity {where!r} has no row of its own in the golden data; its columns stand in the rows "
                "that refer to it."
            )
        return name, int(at["golden"].min())  # pyright: ignore[reportArgumentType]

    def _labels(self) -> pl.DataFrame:
        """A name for each entity whose golden table has a column of names of no person: entity_id, label."""
        parts = [pl.DataFrame(schema={"entity_id": pl.String, "label": pl.String})]
        placed = self.entities.with_columns(self.records["golden"]).drop_nulls("golden")
        tables = self._table_of()
        for table, frame in self.data.tables.items():
            meaning = self.data.schema[table]
            named = [
                c for c in frame.columns if c.lower() in {"name", "title", "label"} and not meaning.columns[c].sensitive
            ]
            if named and frame.schema[named[0]] == pl.String:
                mine = placed.filter(pl.col("source").is_in([s for s, t in tables.items() if t == table])).unique(
                    "entity_id", keep="first"
                )
                parts.append(mine.select("entity_id", frame[named[0]].gather(mine["golden"]).alias("label")))
        return pl.concat(parts)


def _computed(plan: pl.LazyFrame) -> pl.DataFrame:
    """Provenance, worked out; of a blend that was opened it is read from its folder."""
    try:
        return plan.collect()
    except OSError as error:
        raise CuveeError("The folder that this blend was opened from is gone, and its provenance with it.") from error


def _because(cell: dict[str, Any]) -> str:
    record = f"record {cell['record_id']!r} of `{cell['source']}`"
    rest = {0: "", 1: "; 1 claim differs"}.get(cell["others"], f"; {cell['others']:,} claims differ")
    return {
        ONLY: f"is what {record} says; no other record says anything.",
        AGREED: f"is what all records agree on that say anything, such as {record}.",
        SILENT: "is empty: no record says anything.",
        NO_PARENT: "is empty: the row refers to nothing, or to a row that is not there.",
        FOLLOWS: f"was rewritten to the key of the row that it refers to, as {record} says it.",
    }.get(cell["rule"]) or (
        f"was settled by {cell['rule']}: it is of no single record{rest}."
        if cell["record_id"] is None
        else f"was settled by {cell['rule']}: {record} says it{rest}."
    )


def _file_name(table: str, position: int) -> str:
    """The file of a golden table: its name, with a number where that is not a safe name of a file."""
    safe = "".join(c if c.isalnum() or c in "_- " else "_" for c in table)
    return f"{safe}.parquet" if safe == table and len(table) < 100 else f"{safe[:60]}_{position}.parquet"


def _example(entities: pl.DataFrame) -> str:
    return str(entities["entity_id"][0]) if entities.height else "source:id"
