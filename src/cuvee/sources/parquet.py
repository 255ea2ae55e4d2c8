"""Parquet: a file, a glob, or a folder of parts or hive partitions, as one table."""

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, final

import polars as pl
import polars.selectors as cs
from polars.exceptions import PolarsError
from pydantic import Field

from cuvee.core import BLOCK, Source, Stream
from cuvee.data.errors import SourceError
from cuvee.sources.files import is_local, only_table, read_bytes, read_parts, replacing
from cuvee.sources.location import COMPRESSED, local_part, table_name
from cuvee.sources.secrets import Location, expand, first_line, shown

Compression = Literal["zstd", "snappy", "gzip", "lz4", "uncompressed"]
BATCH = BLOCK
"""Rows that are read at a time where a table is read in batches."""
CELL = 16
"""Bytes that a cell takes in memory, about: eight for a number, sixteen and more for a text."""


@final
class Parquet(Source):
    """Parquet files as one table; the folders of hive partitions (`year=2024/`) become columns."""

    path: Location
    compression: Compression = Field("zstd", description="Of what is written.")

    def read(self) -> Mapping[str, pl.DataFrame]:
        text = expand(self.path).text
        try:
            scanned = self._scan()
            frame = pl.read_parquet(io.BytesIO(self._content())) if scanned is None else scanned.collect()
        except (PolarsError, OSError) as error:
            raise SourceError(
                f"{shown(self.path)} can't be read as Parquet: {expand(self.path).tell(error)}."
            ) from None
        return {table_name(text): frame}

    def in_batches(self) -> Stream | None:
        try:
            scanned = self._scan()
            if scanned is None:
                return None
            schema, files = scanned.collect_schema(), self._files()
            rows = int(scanned.select(pl.len()).collect().item())
            stats = [f.stat() for f in files]
        except (PolarsError, OSError) as error:
            raise SourceError(
                f"{shown(self.path)} can't be read as Parquet: {expand(self.path).tell(error)}."
            ) from None

        def batches(columns: Sequence[str], start: int) -> Iterator[pl.DataFrame]:
            wanted = scanned.select(cs.by_name(*columns))
            try:
                for first in range(start, rows, BATCH):
                    yield wanted.slice(first, BATCH).collect()
            except (PolarsError, OSError) as error:
                raise SourceError(
                    f"{shown(self.path)} can't be read as Parquet: {expand(self.path).tell(error)}."
                ) from None

        identity = "\n".join(f"{f.name} {s.st_size} {s.st_mtime_ns}" for f, s in zip(files, stats, strict=True))
        size = max(CELL * rows * len(schema), sum(s.st_size for s in stats))
        return Stream(
            table_name(expand(self.path).text),
            tuple(schema),
            size,
            rows,
            f"{identity}\n{rows} {schema}",
            batches,
            lambda f: f,
        )

    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        frame = only_table(tables, "A Parquet file", self.path)
        text = expand(self.path).text
        if is_local(text) and local_part(text).is_dir():
            raise SourceError(f"{shown(self.path)} is a folder of parts; write a new file, or form='folder'.")
        with replacing(self.path) as beside:
            write_parquet(frame, beside, next(iter(tables)), self.compression)

    def write_blocks(self, table: str, blocks: Iterator[pl.DataFrame]) -> None:
        text = expand(self.path).text
        if is_local(text) and local_part(text).is_dir():
            raise SourceError(f"{shown(self.path)} is a folder of parts; write a new file, or parts.")
        with replacing(self.path) as beside:
            write_row_groups(blocks, beside, table, self.compression)

    def _scan(self) -> pl.LazyFrame | None:
        """The table, not read yet; None where it is not a plain file of this machine."""
        text = expand(self.path).text
        if not is_local(text):
            return None
        path = local_part(text)
        if path.is_dir():
            files = self._files()
            return pl.scan_parquet(
                files, hive_partitioning=any("=" in p.parent.name for p in files), missing_columns="insert"
            )
        if _is_glob(path):
            return pl.scan_parquet(self._files(), glob=False, missing_columns="insert")
        if not path.is_file() or path.suffix.lower() in COMPRESSED:
            return None
        return pl.scan_parquet(path, glob=False, hive_partitioning=False)

    def _files(self) -> list[Path]:
        """The local files, in order.

        Raises:
            SourceError: There is none.
        """
        path = local_part(expand(self.path).text)
        if path.is_dir():
            files = sorted(
                p for p in path.rglob("*") if p.suffix in {".parquet", ".pq"} and not p.name.startswith((".", "_"))
            )
            if not files:
                raise SourceError(f"The folder {shown(self.path)} holds no Parquet file.")
            return files
        if _is_glob(path):
            base = Path(path.anchor) if path.is_absolute() else Path()
            files = sorted(p for p in base.glob(str(path.relative_to(path.anchor))) if p.is_file())
            if not files:
                raise SourceError(f"No file fits {shown(self.path)}.")
            return files
        return [path]

    def _content(self) -> bytes:
        """The bytes of a file that can't be scanned where it is: far away, packed, or not there."""
        if not expand(self.path).text.lower().endswith(COMPRESSED):
            return read_bytes(self.path)
        parts = read_parts(self.path)
        if len(parts) > 1:
            raise SourceError(f"{shown(self.path)} holds {len(parts)} files. Unpack it, and read a folder.")
        return next(iter(parts.values()))


def _is_glob(path: Path) -> bool:
    return bool(set("*?[") & set(str(path))) and not path.exists()


def write_parquet(
    frame: pl.DataFrame,
    path: Path,
    table: str,
    compression: Compression = "zstd",
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write one Parquet file, with metadata of its own if wanted.

    Raises:
        SourceError: A column holds Python objects.
    """
    _refuse_objects(frame, table)
    try:
        frame.write_parquet(path, compression=compression, metadata=None if metadata is None else dict(metadata))
    except PolarsError as error:
        raise SourceError(f"Table {table!r} can't be written as Parquet: {first_line(str(error))}.") from error


def write_row_groups(blocks: Iterator[pl.DataFrame], path: Path, table: str, compression: Compression = "zstd") -> None:
    """Write one Parquet file, block by block, each a row group: in constant memory, the same bytes for the same blocks.

    Arrow has no integers of 128 bits: blocks with such columns are gathered first.

    Raises:
        SourceError: A column holds Python objects, or the disk is full.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = next(blocks)
    _refuse_objects(first, table)
    if {pl.Int128, pl.UInt128} & set(first.dtypes):
        write_parquet(pl.concat([first, *blocks]), path, table, compression)
        return
    schema = first.to_arrow().schema
    kind = "none" if compression == "uncompressed" else compression
    try:
        with pq.ParquetWriter(path, schema, compression=kind) as writer:
            while True:
                writer.write_table(first.to_arrow().cast(schema), row_group_size=max(first.height, 1))
                following = next(blocks, None)
                if following is None:
                    return
                first = following
    except pa.ArrowException as error:
        raise SourceError(f"Table {table!r} can't be written as Parquet: {first_line(str(error))}.") from error


def _refuse_objects(frame: pl.DataFrame, table: str) -> None:
    objects = [name for name, dtype in frame.schema.items() if dtype == pl.Object]
    if objects:
        raise SourceError(f"Column {objects[0]!r} of {table!r} holds Python objects, which no file can. Leave it out.")
