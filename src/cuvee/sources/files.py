"""Files wherever they are: opened through fsspec, unpacked by their ending, replaced only as a whole."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import IO, Any

import polars as pl

from cuvee.data.errors import SourceError
from cuvee.sources.location import data_members, file_name, local_part, scheme_of, table_name
from cuvee.sources.secrets import Expanded, expand, shown

STANDARD = "-"
_WEB_TIMEOUT = 60.0


def is_local(location: str) -> bool:
    """Whether a (expanded) location is a path of this machine's file system."""
    return location != STANDARD and scheme_of(location) in {None, "file"}


def read_bytes(location: str) -> bytes:
    """The content of a file as it is stored.

    Raises:
        SourceError: It is not there, is a folder, may not be read, or its store can't be reached.
    """
    expanded = expand(location)
    text = expanded.text
    if text == STANDARD:
        return sys.stdin.buffer.read()
    if is_local(text):
        return _read_local(local_part(text), location)
    try:
        return _read_web(text) if scheme_of(text) in {"http", "https"} else _read_remote(text)
    except ImportError as error:
        raise SourceError(
            f"{shown(location)} needs a library for {scheme_of(text)}://. {expanded.tell(error)}."
        ) from None
    except Exception as error:  # noqa: BLE001 (every store behind fsspec has errors of its own; all become one sentence)
        raise SourceError(f"{shown(location)} can't be read: {expanded.tell(error)}.") from None


def read_parts(location: str) -> dict[str, bytes]:
    """The content of a file, unpacked by its ending, by table name; a zip archive may hold several.

    Raises:
        SourceError: It can't be read or unpacked.
    """
    content, name = read_bytes(location), file_name(expand(location).text).lower()
    try:
        if name.endswith(".zip"):
            return _unzip(content, location)
        return {table_name(expand(location).text): _unpack(content, name)}
    except (
        OSError,
        EOFError,
        ValueError,
        lzma.LZMAError,
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise SourceError(f"{shown(location)} can't be unpacked: {error}") from error


@contextmanager
def replacing(location: str) -> Generator[Path]:
    """A new file to write to, beside the location; when the block ends it is packed and put in its place.

    After an exception, what stood there before still does.

    Raises:
        SourceError: It can't be written.
    """
    expanded = expand(location)
    text = expanded.text
    if is_local(text):
        with _replacing_local(local_part(text), location) as beside:
            yield beside
        return
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder) / "new"
        yield beside
        packed = _pack(beside, file_name(text))
        if text == STANDARD:
            sys.stdout.buffer.write(packed.read_bytes())
            sys.stdout.buffer.flush()
            return
        _upload(packed, expanded, location)


@contextmanager
def replacing_folder(folder: Path) -> Generator[Path]:
    """A new folder to fill, beside the folder; when the block ends it takes its place.

    Raises:
        SourceError: It can't be written, or holds what is not a table and would be lost.
    """
    others = [p.name for p in folder.iterdir() if not _is_ours(p)] if folder.is_dir() else []
    if others or folder.is_file():
        what = f"holds {others[0]!r}, which is not a table" if others else "is a file"
        raise SourceError(f"The folder {folder.name} can't be replaced: it {what}. Give a new folder.")
    beside = folder.with_name(f".{folder.name}.{token_hex(4)}.part")
    before = folder.with_name(f".{folder.name}.{token_hex(4)}.before")
    try:
        beside.mkdir(parents=True)
        yield beside
        if folder.exists():
            folder.rename(before)
        beside.rename(folder)
    except OSError as error:
        if before.exists() and not folder.exists():
            before.rename(folder)
        raise SourceError(
            f"The folder {folder.name} can't be written: {error.strerror or type(error).__name__}."
        ) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(before, ignore_errors=True)


def only_table(tables: Mapping[str, pl.DataFrame], form: str, location: str) -> pl.DataFrame:
    """The one table that a form without room for several can hold.

    Raises:
        SourceError: There is none, or there are several.
    """
    if len(tables) == 1:
        return next(iter(tables.values()))
    names = ", ".join(tables) or "none"
    raise SourceError(
        f"{form} holds one table, but {shown(location)} is to hold {len(tables)} ({names}). Write a folder, "
        f".xlsx, .sqlite or .duckdb."
    )


def _read_local(path: Path, location: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        # Where a variable says where the file is, its neighbours are nobody's business.
        hint = "" if "${" in location else _near(path)
        raise SourceError(f"There is no file {shown(location)}.{hint}") from None
    except IsADirectoryError:
        raise SourceError(f"{shown(location)} is a folder; a file is wanted here.") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name is no path"
        raise SourceError(f"{shown(location)} can't be read: {why}.") from None


def _near(path: Path) -> str:
    """A hint at a file of the folder with nearly this name."""
    import difflib

    with suppress(OSError, ValueError):
        if path.parent.is_dir():
            close = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1, cutoff=0.7)
            return f" Did you mean {close[0]!r}?" if close else ""
        return " Its folder is not there either."
    return ""


def _read_web(address: str) -> bytes:
    """A web address, without the libraries that fsspec needs for one."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    request = Request(address, headers={"User-Agent": "cuvee"})  # noqa: S310 (the scheme was checked)
    try:
        with urlopen(request, timeout=_WEB_TIMEOUT) as answer:  # noqa: S310
            return answer.read()
    except HTTPError as error:
        error.close()
        raise


def _read_remote(address: str) -> bytes:
    import fsspec  # pyright: ignore[reportMissingTypeStubs]

    with fsspec.open(address, "rb") as stream:
        return stream.read()  # pyright: ignore[reportReturnType, reportAttributeAccessIssue]


def _upload(packed: Path, expanded: Expanded, location: str) -> None:
    import fsspec  # pyright: ignore[reportMissingTypeStubs]

    try:
        # Object stores show a new object only when it is whole, so this replaces as a whole too.
        with packed.open("rb") as content, fsspec.open(expanded.text, "wb") as stream:
            shutil.copyfileobj(content, stream)  # pyright: ignore[reportArgumentType]
    except Exception as error:  # noqa: BLE001 (every store behind fsspec has errors of its own; all become one sentence)
        raise SourceError(f"{shown(location)} can't be written: {expanded.tell(error)}.") from None


@contextmanager
def _replacing_local(path: Path, location: str) -> Generator[Path]:
    # A link is followed: what it points to is replaced, and the link stays.
    target = path.resolve()
    beside = target.with_name(f".{target.name}.{token_hex(4)}.part")
    packed = beside
    try:
        if target.is_dir():
            raise SourceError(f"{shown(location)} is a folder; a file is to be written here.")
        target.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        packed = _pack(beside, target.name)
        if target.exists():
            shutil.copymode(target, packed)
        os.replace(packed, target)  # noqa: PTH105 (atomic, and named as what it is)
    except OSError as error:
        raise SourceError(f"{shown(location)} can't be written: {error.strerror or type(error).__name__}.") from None
    finally:
        beside.unlink(missing_ok=True)
        packed.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    return path.is_file() and (path.suffix == ".parquet" or path.name == "schema.yaml")


_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def _unpack(content: bytes, name: str) -> bytes:
    for ending, opener in _OPENERS.items():
        if name.endswith(ending):
            with opener(io.BytesIO(content), "rb") as stream:
                return stream.read()
    if name.endswith(".zst"):
        import pyarrow as pa

        with pa.input_stream(io.BytesIO(content), compression="zstd") as stream:  # pyright: ignore[reportUnknownMemberType]
            return stream.read()
    return content


def _unzip(content: bytes, location: str) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = list(data_members(archive))
        parts = {table_name(m.filename): archive.read(m) for m in members}
    if not members:
        raise SourceError(f"The archive {shown(location)} holds no file.")
    if len(parts) != len(members):
        raise SourceError(
            f"The archive {shown(location)} holds two files of the same name. Unpack it, and read a folder."
        )
    if len(parts) == 1:
        return {table_name(expand(location).text): next(iter(parts.values()))}
    return parts


def _pack(plain: Path, name: str) -> Path:
    """The file, compressed as its final name says, beside the plain one."""
    ending = PurePosixPath(name).suffix.lower()
    packed = plain.with_name(plain.name + ".packed")
    if ending in _OPENERS:
        with plain.open("rb") as content, _packer(ending, packed) as stream:
            shutil.copyfileobj(content, stream, 1 << 20)
        return packed
    if ending == ".zip":
        stem = PurePosixPath(name).stem
        inner = zipfile.ZipInfo(stem if "." in stem else f"{stem}.csv", (1980, 1, 1, 0, 0, 0))
        inner.compress_type = zipfile.ZIP_DEFLATED
        with (
            plain.open("rb") as content,
            zipfile.ZipFile(packed, "w") as archive,
            archive.open(inner, "w", force_zip64=True) as stream,
        ):
            shutil.copyfileobj(content, stream, 1 << 20)
        return packed
    if ending == ".zst":
        import pyarrow as pa

        with plain.open("rb") as content, pa.output_stream(str(packed), compression="zstd") as stream:  # pyright: ignore[reportUnknownMemberType]
            shutil.copyfileobj(content, stream, 1 << 20)
        return packed
    return plain


@contextmanager
def _packer(ending: str, packed: Path) -> Generator[IO[bytes]]:
    """A compressed stream without the time of writing in it: the same rows give the same bytes."""
    if ending == ".gz":
        with packed.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as stream:
            yield stream  # pyright: ignore[reportReturnType]
        return
    with _OPENERS[ending](packed, "wb") as stream:
        yield stream
