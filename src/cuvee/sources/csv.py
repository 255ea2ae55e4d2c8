"""CSV and its relatives: text tables, whose dialect is found out."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, final

import polars as pl
import polars.selectors as cs
from polars.exceptions import PolarsError
from pydantic import Field

from cuvee.core import BLOCK, Source, Stream
from cuvee.data.errors import SourceError
from cuvee.sources.chunks import Records, beginning, open_plain
from cuvee.sources.dialect import SAMPLE, Dialect, Stated, find_dialect
from cuvee.sources.encoding import find_encoding, to_utf8
from cuvee.sources.files import only_table, read_parts, replacing
from cuvee.sources.guard import guard, guarded_names, unguard, unguarded_names
from cuvee.sources.identifiers import unique_names
from cuvee.sources.infer import typed
from cuvee.sources.location import file_name, table_name
from cuvee.sources.secrets import Location, expand, shown

HEAD = 1 << 22
"""Bytes from which a table that is read in batches tells its dialect and encoding."""
BATCH = 1 << 24
"""Bytes that are read at a time where a table is read in batches."""
GROWS = 4
"""A table takes about so many times its file in memory."""
_USUAL = {".tsv": "\t", ".tab": "\t", ".psv": "|"}
_LINE_END = re.compile(rb"\r\n?")
_BLANK_LINE = re.compile(rb"\n(?:\r?\n)+")


@final
class Csv(Source):
    """A text table: .csv, .tsv, .psv or .txt, plain or packed (.gz, .zip, .bz2, .xz, .zst), or `-`.

    Delimiter, quote, encoding, header and decimal comma are found out unless stated; `dialect()` says what was found
    and why. Types are decided over all cells and lose nothing: see `cuvee.sources.infer`. An empty cell is null, a
    quoted empty cell (`""`) is empty text. Text that begins like a formula is guarded: see `cuvee.sources.guard`.
    """

    path: Location
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="Between cells.")
    encoding: str | None = Field(None, description="Of the letters, such as utf-8 or cp1252.")
    header: bool | None = Field(None, description="Whether the first row names the columns.")
    decimal: Literal[".", ","] | None = Field(None, description="Before the decimals of a number.")
    quote: str | None = Field(None, max_length=1, description="Around cells; the empty text for none.")
    nulls: tuple[str, ...] = Field((), description="Cells that mean null in every column.")
    types: bool = Field(
        default=True, description="Whether numbers, dates and truth values are recognised; else all is text."
    )
    guard: bool = Field(
        default=True, description="Whether text that begins like a formula is guarded, and the guard undone."
    )

    def read(self) -> Mapping[str, pl.DataFrame]:
        parts = read_parts(self.path)
        return {name: self._table(content, name if len(parts) > 1 else None) for name, content in parts.items()}

    def in_batches(self) -> Stream | None:
        opened = open_plain(self.path)
        if opened is None:
            return None
        head = beginning(opened, HEAD)
        text, encoding, why = self._text(head, self._where())
        if not text.strip():
            return None
        dialect = self._dialect(text, encoding, why)
        first = _first_row(_without_head(text, dialect.skip), dialect)
        names = _names(first, dialect)

        def batches(columns: Sequence[str], start: int) -> Iterator[pl.DataFrame]:
            passed = 0
            with opened.open() as stream:
                for chunk in Records(stream, dialect, self._where(), BATCH):
                    one = replace(dialect, header=dialect.header and not chunk.lines, skip=chunk.lines)
                    body = _without_head(chunk.text, dialect.skip) if not chunk.lines else chunk.text
                    frame = self._plain(_cells(body, one, names, self._where()), dialect)
                    if passed + frame.height > start:
                        yield frame.select(cs.by_name(*columns))[max(start - passed, 0) :]
                    passed += frame.height

        def settle(frame: pl.DataFrame) -> pl.DataFrame:
            return self._typed(_without_nameless(frame, names, first, dialect), dialect)

        identity = f"{opened.identity}\n{self.model_dump_json(exclude={'path'})}"
        table = table_name(expand(self.path).text)
        return Stream(table, tuple(names), GROWS * opened.size, None, identity, batches, settle)

    def dialect(self) -> Dialect:
        """What was found out of the (first) table, with reasons.

        Raises:
            SourceError: It can't be read.
        """
        parts = read_parts(self.path)
        name, content = next(iter(parts.items()))
        return self._dialect(*self._text(content, self._where(name if len(parts) > 1 else None)))

    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        frame = only_table(tables, "CSV", self.path)
        self.write_blocks(next(iter(tables)), frame.iter_slices(BLOCK) if frame.height else iter([frame]))

    def write_blocks(self, table: str, blocks: Iterator[pl.DataFrame]) -> None:
        delimiter, encoding = self.delimiter or self._usual() or ",", self.encoding or "utf-8"
        with replacing(self.path) as beside, beside.open("wb") as stream:
            rows = 0
            for block in blocks:
                text = self._written(block, table).write_csv(
                    separator=delimiter,
                    quote_char=self.quote or '"',
                    include_header=rows == 0 and self.header is not False,
                    decimal_comma=self.decimal == ",",
                )
                content = self._encoded(text, rows)
                # A mark of the byte order stands at the start of a file and nowhere else.
                stream.write(content.removeprefix(_mark(encoding)) if rows else content)
                rows += block.height

    def _where(self, member: str | None = None) -> str:
        return shown(self.path) + (f" ({member})" if member else "")

    def _usual(self) -> str | None:
        name = file_name(expand(self.path).text).lower()
        return next((d for ending, d in _USUAL.items() if ending in name), None)

    def _table(self, content: bytes, member: str | None) -> pl.DataFrame:
        where = self._where(member)
        text, encoding, why = self._text(content, where)
        if not text.strip():
            raise SourceError(f"{where} is empty: not even a header stands in it.")
        dialect = self._dialect(text, encoding, why)
        return self._typed(self._plain(_parse(text, dialect, where), dialect), dialect)

    def _plain(self, cells: pl.DataFrame, dialect: Dialect) -> pl.DataFrame:
        """Cells as text, without blanks that belong to none and with nulls where some are stated."""
        if dialect.blanks:
            cells = cells.with_columns(pl.all().str.strip_chars_start(" ").replace("", None))
        return cells.with_columns(pl.all().replace(dict.fromkeys(self.nulls))) if self.nulls else cells

    def _typed(self, cells: pl.DataFrame, dialect: Dialect) -> pl.DataFrame:
        """Text with its types, and without its guard."""
        frame = typed(cells, decimal=dialect.decimal) if self.types else cells
        return frame.with_columns(unguard(pl.col(pl.String))) if self.guard else frame

    def _text(self, content: bytes, where: str) -> tuple[bytes, str, str]:
        """The text as UTF-8 with plain line ends, its encoding, and why it is that."""
        found = find_encoding(content)
        name, why = (self.encoding, "stated") if self.encoding else (found.name, found.reason)
        try:
            text = to_utf8(content, name)
        except LookupError as error:
            raise SourceError(
                f"There is no encoding {name!r}. Common are utf-8, utf-16, cp1252 and latin-1."
            ) from error
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            hint = f"; its bytes look like {found.name}" if found.name != name else ""
            raise SourceError(f"{where}, line {line:,}: a byte is not of the encoding {name}{hint}.") from error
        if (zero := text.find(b"\0")) >= 0:
            line = text.count(b"\n", 0, zero) + 1
            raise SourceError(f"{where}, line {line:,}: a NUL byte stands there. The file is damaged, or is no text.")
        if b"\n" not in text and b"\r" in text:
            text = _LINE_END.sub(b"\n", text)
        return text, name, why

    def _dialect(self, text: bytes, encoding: str, why: str) -> Dialect:
        head = text[:SAMPLE]
        if len(text) > SAMPLE:
            head = head[: head.rfind(b"\n") + 1] or head
        stated = Stated(self.delimiter, self.quote, self.header, self.decimal)
        return find_dialect(
            head.decode("utf-8", "ignore"), encoding=encoding, why=why, stated=stated, usual=self._usual()
        )

    def _written(self, frame: pl.DataFrame, table: str) -> pl.DataFrame:
        """The frame with cells that CSV can hold."""
        for name, dtype in frame.schema.items():
            if dtype.is_nested() or isinstance(dtype, (pl.Binary, pl.Object)):
                raise SourceError(
                    f"Column {name!r} of {table!r} holds {dtype}, which CSV can't. Write Parquet, or leave the "
                    f"column out."
                )
        labels = frame.with_columns(
            (cs.categorical() | cs.enum()).cast(pl.String),
            cs.duration().dt.to_string("iso"),
        ).with_columns(
            cs.by_name(n).dt.convert_time_zone("UTC")
            for n, d in frame.schema.items()
            if isinstance(d, pl.Datetime) and d.time_zone
        )
        if not self.guard:
            return labels
        return labels.with_columns(guard(pl.col(pl.String))).rename(
            dict(zip(frame.columns, guarded_names(frame.columns), strict=True))
        )

    def _encoded(self, whole: str, before: int) -> bytes:
        """The text in the wanted encoding; `before` rows stand above it."""
        encoding = self.encoding or "utf-8"
        try:
            return whole.encode(encoding)
        except LookupError as error:
            raise SourceError(
                f"There is no encoding {encoding!r}. Common are utf-8, utf-16, cp1252 and latin-1."
            ) from error
        except UnicodeEncodeError as error:
            line = whole.count("\n", 0, error.start) + 1 + before
            raise SourceError(
                f"{self._where()}: a letter of row {line:,} can't be written in {encoding}. Use utf-8."
            ) from error


def _parse(text: bytes, dialect: Dialect, where: str) -> pl.DataFrame:
    """All cells as text, the columns named."""
    text = _without_head(text, dialect.skip)
    first = _first_row(text, dialect)
    names = _names(first, dialect)
    return _without_nameless(_cells(text, dialect, names, where), names, first, dialect)


def _names(first: list[str], dialect: Dialect) -> list[str]:
    """The names of the columns, from the first row."""
    if dialect.header:
        return unguarded_names(unique_names(first))
    return [f"column_{i}" for i in range(1, len(first) + 1)]


def _cells(text: bytes, dialect: Dialect, names: list[str], where: str) -> pl.DataFrame:
    """The cells of these columns as text, of rows that stand below `dialect.skip` lines."""
    frame = None
    if dialect.escape is None and not dialect.blanks and len(dialect.delimiter.encode()) == 1:
        plain = _without_blank_lines(text, dialect, len(names))
        frame = _parse_fast(plain, dialect, names)
        frame = None if frame is None else _without_blank_rows(frame, plain, dialect)
    return _parse_exactly(text, dialect, names, where) if frame is None else frame


def _without_nameless(frame: pl.DataFrame, names: list[str], first: list[str], dialect: Dialect) -> pl.DataFrame:
    """The frame without nameless columns that have no value: only a delimiter at the end of every line."""
    nameless = [
        name
        for name, given in zip(names, first, strict=True)
        if dialect.header and not given.strip() and name in frame.columns
    ]
    return frame.drop(name for name in nameless if frame[name].null_count() == frame.height)


def _mark(encoding: str) -> bytes:
    """What this encoding puts before any text."""
    return "".encode(encoding)


def _first_row(text: bytes, dialect: Dialect) -> list[str]:
    try:
        cells = next(row for row in dialect.rows(_lines(text[: 4 * SAMPLE])) if row)
    except (csv.Error, StopIteration):
        return [""]
    # Blanks after the delimiters of the header alone belong to no name.
    apart = len(cells) > 1 and all(cell.startswith(" ") for cell in cells[1:])
    return [cell.strip().strip(dialect.quote or "") for cell in cells] if apart else cells


def _parse_fast(text: bytes, dialect: Dialect, names: list[str]) -> pl.DataFrame | None:
    """The cells by Polars; None where it can't, or does not see the same columns."""
    try:
        frame = pl.read_csv(
            text,
            has_header=dialect.header,
            separator=dialect.delimiter,
            quote_char=dialect.quote,
            infer_schema=False,
        )
    except PolarsError:
        return None
    if frame.width != len(names) or not _is_whole(frame, text, dialect):
        return None
    frame.columns = names
    return frame


def _is_whole(frame: pl.DataFrame, text: bytes, dialect: Dialect) -> bool:
    """Whether the frame has every row of the text: quotes in odd places can make a fast reader skip some."""
    if dialect.quote is None or dialect.quote.encode() not in text:
        return True
    ends = text.count(b"\n") + (not text.endswith(b"\n"))
    blank = sum(len(run.group().split(b"\n")) - 2 for run in _BLANK_LINE.finditer(text))
    rows = frame.height + dialect.header
    if ends - blank <= rows <= ends:
        return True
    try:
        # Cells with line ends in them: only a count by another reader can tell.
        read = sum(1 for row in dialect.rows(_lines(text), strict=True) if row)
    except csv.Error:
        return False
    return read <= frame.height + dialect.header <= read + blank


def _lines(text: bytes) -> io.StringIO:
    return io.StringIO(text.decode("utf-8", "ignore"), newline="")


def _without_head(text: bytes, lines: int) -> bytes:
    """The text without its first lines."""
    start = 0
    for _ in range(lines):
        start = text.find(b"\n", start) + 1
    return text[start:]


def _parse_exactly(text: bytes, dialect: Dialect, names: list[str], where: str) -> pl.DataFrame:
    """The cells by a slower reader, which knows more dialects and the line of every fault.

    Raises:
        SourceError: A row has too many cells, or a quote is wrong.
    """
    reader, rows, begun = dialect.rows(_lines(text), strict=True), list[list[str]](), 0
    try:
        for row in reader:
            if len(row) > len(names):
                raise SourceError(
                    f"{where}, line {begun + dialect.skip + 1:,}: the row has {len(row)} cells, but "
                    f"{'the header' if dialect.header else 'the first row'} has {len(names)} (delimiter "
                    f"{dialect.delimiter!r})."
                )
            begun = reader.line_num
            if row:
                rows.append(row)
    except csv.Error as error:
        raise SourceError(
            f"{where}, line {begun + dialect.skip + 1:,}: a quote is not closed or not doubled ({error}). State "
            f"quote='' if quotes are text."
        ) from error
    body = rows[1:] if dialect.header else rows
    cells = [[cell or None for cell in row] + [None] * (len(names) - len(row)) for row in body]
    return pl.DataFrame(cells, schema=dict.fromkeys(names, pl.String), orient="row")


def _without_blank_lines(text: bytes, dialect: Dialect, width: int) -> bytes:
    """The text without its blank lines, which are no rows of a table of several columns.

    Where quotes occur, a blank line may belong to a cell: then all stay, and the rows without any value go afterwards.
    """
    if width == 1 or _BLANK_LINE.search(text) is None or (dialect.quote or "\0").encode() in text:
        return text
    return _BLANK_LINE.sub(b"\n", text)


def _without_blank_rows(frame: pl.DataFrame, text: bytes, dialect: Dialect) -> pl.DataFrame:
    """The rows without those that blank lines made; rows of delimiters alone stay."""
    if frame.width < 2 or not frame.height or _BLANK_LINE.search(text) is None:
        return frame
    empty = frame.select(pl.all_horizontal(pl.all().is_null()).alias("empty"))["empty"]
    if not empty.any():
        return frame
    filled = [bool(row) for row in dialect.rows(_lines(text))][int(dialect.header) :]
    return frame.filter(pl.Series(filled)) if len(filled) == frame.height else frame
