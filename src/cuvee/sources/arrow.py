"""Arrow: the file form (also called Feather) and the stream form, told apart by their first bytes."""

import io
from collections.abc import Mapping
from typing import Any, Literal, final

import polars as pl
from polars.exceptions import PolarsError
from pydantic import Field

from cuvee.core import Source
from cuvee.data.errors import SourceError
from cuvee.sources.files import only_table, read_parts, replacing
from cuvee.sources.location import file_name
from cuvee.sources.secrets import Location, expand, first_line, shown

_FILE = b"ARROW1"
_FEATHER_1 = b"FEA1"


@final
class Arrow(Source):
    """One Arrow table: .arrow, .feather, .ipc (file) or .arrows (stream); it keeps the Arrow types that it has."""

    path: Location
    stream: bool | None = Field(None, description="Whether to write the stream form; else the ending .arrows says so.")
    compression: Literal["uncompressed", "zstd", "lz4"] = Field("zstd", description="Of what is written.")

    def read(self) -> Mapping[str, Any]:
        return {name: self._table(content) for name, content in read_parts(self.path).items()}

    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        frame, table = only_table(tables, "An Arrow file", self.path), next(iter(tables))
        stream = self.stream if self.stream is not None else ".arrows" in file_name(expand(self.path).text).lower()
        with replacing(self.path) as beside:
            try:
                if stream:
                    frame.write_ipc_stream(beside, compression=self.compression)
                else:
                    frame.write_ipc(beside, compression=self.compression)
            except PolarsError as error:
                raise SourceError(f"Table {table!r} can't be written as Arrow: {first_line(str(error))}.") from error

    def _table(self, content: bytes) -> Any:
        import pyarrow as pa

        try:
            if content.startswith(_FEATHER_1):
                from pyarrow.feather import read_table

                return read_table(io.BytesIO(content))
            source = pa.BufferReader(content)
            opened = pa.ipc.open_file(source) if content.startswith(_FILE) else pa.ipc.open_stream(source)
            return opened.read_all()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise SourceError(f"{shown(self.path)} can't be read as Arrow: {first_line(str(error))}.") from error
