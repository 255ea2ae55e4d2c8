"""Text tables larger than memory: a file opened as a stream of bytes, and its rows in pieces of whole rows."""

import bz2
import codecs
import gzip
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from cuvee.data.errors import SourceError
from cuvee.sources.dialect import Dialect
from cuvee.sources.files import is_local
from cuvee.sources.location import COMPRESSED, local_part
from cuvee.sources.secrets import expand

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_PACKED = 8
"""Text takes about so many times its packed file."""
_WIDE = 4096
_FARTHEST = 8
"""A row is looked for in at most so many pieces: what is longer has a quote that is never closed."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A local file that can be read from its beginning as often as wanted.

    Attributes:
        path: Where it is.
        size: About how many bytes it has when it is unpacked.
        identity: Its name, size and time of writing.
    """

    path: Path
    size: int
    identity: str

    def open(self) -> IO[bytes]:
        """Its bytes, unpacked."""
        opener = _OPENERS.get(self.path.suffix.lower())
        return self.path.open("rb") if opener is None else cast("IO[bytes]", opener(self.path, "rb"))


def open_plain(location: str) -> Plain | None:
    """The local file of a location; None where it is far away, not there, or packed in another form."""
    text = expand(location).text
    path = local_part(text) if is_local(text) else None
    if path is None or not path.is_file():
        return None
    ending = path.suffix.lower()
    if ending in COMPRESSED and ending not in _OPENERS:
        return None
    stat = path.stat()
    grows = _PACKED if ending in _OPENERS else 1
    return Plain(path, stat.st_size * grows, f"{path.name} {stat.st_size} {stat.st_mtime_ns}")


def beginning(plain: Plain, size: int) -> bytes:
    """About the first `size` bytes, which end where a line ends; all of a shorter file.

    Raises:
        SourceError: It can't be unpacked.
    """
    try:
        with plain.open() as stream:
            head = stream.read(size)
            if len(head) < size:
                return head
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise SourceError(f"{plain.path} can't be unpacked: {error}") from error
    if b"\0" not in head[:_WIDE]:
        return head[: head.rfind(b"\n") + 1] or head
    # Letters of two or four bytes: the line end has zeros beside it.
    ends = (b"\n\0\0\0", b"\0\0\0\n", b"\n\0", b"\0\n")
    found = [(head.rfind(end) // len(end) * len(end) + len(end)) for end in ends if end in head]
    return head[: found[0]] if found else head[: size // 4 * 4]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some whole rows.

    Attributes:
        text: UTF-8.
        lines: How many lines stand above them in the file.
    """

    text: bytes
    lines: int


@dataclass(frozen=True, slots=True)
class Records:
    """The text of a stream in pieces that end where a row ends.

    A line end inside quotes ends no row: quotes are counted from the beginning of each piece, where a row begins.

    Attributes:
        stream: The bytes.
        dialect: How the table is written.
        where: The file, for messages.
        size: About how many bytes a piece has.
    """

    stream: IO[bytes]
    dialect: Dialect
    where: str
    size: int

    def __iter__(self) -> Iterator[Chunk]:
        decoder = codecs.getincrementaldecoder(self.dialect.encoding)()
        rest, lines, first, lone = b"", 0, True, False
        while True:
            raw = self._read()
            text = self._decoded(decoder, raw, lines)
            if first:
                text = text.removeprefix("\ufeff")
                lone = "\r" in text and "\n" not in text
                first = False
            rest += (text.replace("\r", "\n") if lone else text).encode()
            cut = len(rest) if not raw else self._end(rest)
            if cut:
                if (zero := rest.find(b"\0", 0, cut)) >= 0:
                    line = lines + rest.count(b"\n", 0, zero) + 1
                    raise SourceError(
                        f"{self.where}, line {line:,}: a NUL byte stands there. The file is damaged, or is no text."
                    )
                piece, rest = rest[:cut], rest[cut:]
                yield Chunk(piece, lines)
                lines += piece.count(b"\n")
            if not raw:
                return

    def _read(self) -> bytes:
        try:
            return self.stream.read(self.size)
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise SourceError(f"{self.where} can't be unpacked: {error}") from error

    def _decoded(self, decoder: codecs.IncrementalDecoder, raw: bytes, lines: int) -> str:
        try:
            return decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            raise SourceError(
                f"{self.where}, below line {lines:,}: a byte is not of the encoding {self.dialect.encoding}, in which "
                "the beginning is written. State the encoding."
            ) from error

    def _end(self, text: bytes) -> int:
        """Where the last whole row ends; 0 where none does."""
        cut = text.rfind(b"\n") + 1
        quote = (self.dialect.quote or "").encode()
        if not quote or quote not in text:
            return cut
        escaped = (self.dialect.escape or "").encode()
        last = cut
        quotes = _count(text[:cut], quote, escaped)
        while cut and quotes % 2:
            before = text.rfind(b"\n", 0, cut - 1) + 1
            quotes -= _count(text[before:cut], quote, escaped)
            cut = before
        # Quotes that are no quotes of cells (inches, speech) make no pairs; then every line is a row.
        return last if not cut and len(text) > _FARTHEST * self.size else cut


def _count(text: bytes, quote: bytes, escape: bytes) -> int:
    """How many quotes begin or end a cell."""
    return text.count(quote) - (text.count(escape + quote) if escape else 0)
