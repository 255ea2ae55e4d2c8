"""Parquet: a file, a glob, or a folder of parts or hive partitions, as one table."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, final

import polars as pl
from polars.exceptions import PolarsError
from pydantic import Field

from cuvee.core import Source
from cuvee.data.errors import SourceError
from cuvee.sources.files import is_local, only_table, read_bytes, replacing
from cuvee.sources.location import local_part, table_name
from cuvee.sources.secrets import Location, expand, first_line, shown


@final
class Parquet(Source):
    """Parquet files as one table; the folders of hive partitions (`year=2024/`) become columns."""

    path: Location
    compression: Literal["zstd", "snappy", "gzip", "lz4", "uncompressed"] = Field(
        "zstd", description="Of what is written."
    )

    def read(self) -> Mapping[str, pl.DataFrame]:
        text = expand(self.path).text
        try:
            frame = (
                self._files(local_part(text)) if is_local(text) else pl.read_parquet(io.BytesIO(read_bytes(self.path)))
            )
        except (PolarsError, OSError) as error:
            raise SourceError(
                f"{shown(self.path)} can't be read as Parquet: {expand(self.path).tell(error)}."
            ) from None
        return {table_name(text): frame}

    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        frame = only_table(tables, "A Parquet file", self.path)
        text = expand(self.path).text
        if is_local(text) and local_part(text).is_dir():
            raise SourceError(f"{shown(self.path)} is a folder of parts; write a new file, or form='folder'.")
        with replacing(self.path) as beside:
            write_parquet(frame, beside, next(iter(tables)), self.compression)

    def _files(self, path: Path) -> pl.DataFrame:
        if path.is_dir():
            files = sorted(
                p for p in path.rglob("*") if p.suffix in {".parquet", ".pq"} and not p.name.startswith((".", "_"))
            )
            if not files:
                raise SourceError(f"The folder {shown(self.path)} holds no Parquet file.")
            return pl.scan_parquet(
                files, hive_partitioning=any("=" in p.parent.name for p in files), missing_columns="insert"
            ).collect()
        if set("*?[") & set(str(path)) and not path.exists():
            base = Path(path.anchor) if path.is_absolute() else Path()
            files = sorted(p for p in base.glob(str(path.relative_to(path.anchor))) if p.is_file())
            if not files:
                raise SourceError(f"No file fits {shown(self.path)}.")
            return pl.scan_parquet(files, glob=False, missing_columns="insert").collect()
        if not path.is_file():
            return pl.read_parquet(read_bytes(self.path))
        return pl.read_parquet(path, glob=False, hive_partitioning=False)


def write_parquet(
    frame: pl.DataFrame,
    path: Path,
    table: str,
    compression: Literal["zstd", "snappy", "gzip", "lz4", "uncompressed"] = "zstd",
) -> None:
    """Write one Parquet file.

    Raises:
        SourceError: A column holds Python objects.
    """
    objects = [name for name, dtype in frame.schema.items() if dtype == pl.Object]
    if objects:
        raise SourceError(f"Column {objects[0]!r} of {table!r} holds Python objects, which no file can. Leave it out.")
    try:
        frame.write_parquet(path, compression=compression)
    except PolarsError as error:
        raise SourceError(f"Table {table!r} can't be written as Parquet: {first_line(str(error))}.") from error
