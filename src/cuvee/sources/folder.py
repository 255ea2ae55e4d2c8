"""A folder of Parquet files, one a table; what the tables mean stands in `schema.yaml` beside them."""

from collections.abc import Mapping
from pathlib import Path
from typing import final

import polars as pl
from polars.exceptions import PolarsError

from cuvee.core import Source
from cuvee.data.errors import SourceError
from cuvee.data.schema import Schema
from cuvee.sources.files import is_local, replacing_folder
from cuvee.sources.location import local_part
from cuvee.sources.parquet import write_parquet
from cuvee.sources.secrets import Location, expand, shown


@final
class Folder(Source):
    """A folder of several tables, each a Parquet file named after it; in the order of `schema.yaml` if there."""

    path: Location

    def read(self) -> Mapping[str, pl.DataFrame]:
        folder = self._folder()
        if not folder.is_dir():
            raise SourceError(f"There is no folder or file {shown(self.path)}.")
        files = {p.stem: p for p in sorted(folder.glob("*.parquet"))}
        if not files:
            raise SourceError(f"The folder {shown(self.path)} holds no Parquet file.")
        beside = folder / "schema.yaml"
        order = [name for name in Schema.load(beside) if name in files] if beside.is_file() else []
        return {name: self._read(files[name]) for name in dict.fromkeys([*order, *files])}

    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        for name in tables:
            if not name or set(name) & set("/\\\0:") or name.startswith("."):
                raise SourceError(f"Table {name!r} can't be the name of a file. Rename it.")
        lowered = [name.lower() for name in tables]
        if len(set(lowered)) < len(lowered):
            raise SourceError(
                "Two tables differ only in capital letters, which not every file system tells apart. Rename one."
            )
        with replacing_folder(self._folder()) as beside:
            for name, frame in tables.items():
                write_parquet(frame, beside / f"{name}.parquet", name)

    def _folder(self) -> Path:
        text = expand(self.path).text
        if not is_local(text):
            raise SourceError(
                f"{shown(self.path)} is not on this machine; a folder of tables is read and written only here."
            )
        return local_part(text)

    def _read(self, file: Path) -> pl.DataFrame:
        try:
            return pl.read_parquet(file, glob=False, hive_partitioning=False)
        except (PolarsError, OSError) as error:
            told = expand(self.path).tell(error)
            raise SourceError(f"{file.name} of {shown(self.path)} can't be read as Parquet: {told}.") from None
