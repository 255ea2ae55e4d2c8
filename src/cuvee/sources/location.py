"""Where data is: which form a location has, and what its table is called."""

import difflib
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from cuvee.data.errors import SourceError
from cuvee.sources.secrets import expand, shown

COMPRESSED = (".gz", ".bz2", ".xz", ".zip", ".zst")
"""Endings that say how a file is compressed, and are taken off before the form is looked for."""

_SCHEME = re.compile(r"^([A-Za-z][\w+.\-]*)://")
_HIVE = re.compile(r"^[^=]+=[^=]*$")


def form_of(location: str, endings: Mapping[str, tuple[str, ...]]) -> str:
    """The form of a location: by the scheme of its URL, by its ending, or by what a folder holds.

    `-` (standard input or output) is CSV unless the form is stated. A path without an ending is a folder of tables.

    Args:
        location: A path, glob, URL or folder, or `-`.
        endings: Name of a form to the endings (".csv") and schemes ("postgresql://") that mean it.

    Raises:
        SourceError: No form has this ending or scheme.
    """
    text = expand(location).text
    if text == "-":
        return "csv"
    by_ending = {ending: form for form, known in endings.items() for ending in known}
    scheme = scheme_of(text)
    if scheme is not None and f"{scheme.partition('+')[0]}://" in by_ending:
        return by_ending[f"{scheme.partition('+')[0]}://"]
    name = file_name(text).lower()
    for ending in sorted(by_ending, key=len, reverse=True):
        if _bare(name).endswith(ending):
            return by_ending[ending]
    if scheme in {None, "file"} and (form := _by_looking(local_part(text), by_ending)) is not None:
        return form
    raise SourceError(_unknown(location, name, by_ending))


def scheme_of(location: str) -> str | None:
    """The scheme of a URL in small letters ("s3"), or None of a plain path."""
    match = _SCHEME.match(location)
    return match.group(1).lower() if match else None


def local_part(location: str) -> Path:
    """The path of a plain path or of a `file://` URL; `~` is the home folder."""
    return Path(re.sub(r"^file://", "", location)).expanduser()


def file_name(location: str) -> str:
    """The name of the file that a location means, without folders, parameters and the archive it is in."""
    if scheme_of(location) is None:
        return PurePosixPath(Path(location).as_posix()).name
    return PurePosixPath(re.split(r"[?#]|::", location, maxsplit=1)[0].partition("://")[2]).name


def table_name(location: str) -> str:
    """The file's name without its endings.

    >>> table_name("s3://data/claims.csv.gz?version=2"), table_name("v1.2.parquet"), table_name("claims/*.parquet")
    ('claims', 'v1.2', 'claims')
    """
    name = _bare(file_name(location))
    stem = PurePosixPath(name).stem if not name.startswith(".") else name.lstrip(".")
    if not set("*?[") & set(name):
        return stem or "data"
    # The name of a glob is the nearest folder, or part of the file name, that has no wildcard.
    plain = re.sub(r"[*?\[].*$", "", stem).strip("-_. ")
    parent = PurePosixPath(shown(location)).parent
    return plain or (table_name(str(parent)) if parent.name else "data")


def _bare(name: str) -> str:
    """The name without the ending of a compression, where another ending stands before it."""
    for ending in COMPRESSED:
        if name.lower().endswith(ending) and "." in name[: -len(ending)].lstrip("."):
            return name[: -len(ending)]
    return name


def _by_looking(path: Path, by_ending: Mapping[str, str]) -> str | None:
    """The form of a folder, a zip archive or a path that is not there yet."""
    if path.is_dir():
        return "parquet" if is_one_table(path) else "folder"
    if path.suffix.lower() == ".zip":
        return _form_in_zip(path, by_ending)
    return "folder" if not path.suffix and not path.exists() else None


def is_one_table(folder: Path) -> bool:
    """Whether the Parquet files of a folder are parts of one table: hive partitions, or numbered parts."""
    if (folder / "schema.yaml").exists():
        return False
    if folder.suffix.lower() in {".parquet", ".pq"} or any(_HIVE.match(p.name) for p in folder.iterdir() if p.is_dir()):
        return True
    names = [p.stem for p in folder.glob("*.parquet")]
    return bool(names) and all(re.match(r"part[-_.]?\d", name) for name in names)


def data_members(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """The members of an archive that hold data, in order: no folders, hidden files or leftovers of a file manager."""
    for member in archive.infolist():
        parts = PurePosixPath(member.filename).parts
        if not member.is_dir() and not any(p.startswith((".", "__MACOSX")) for p in parts):
            yield member


def _form_in_zip(path: Path, by_ending: Mapping[str, str]) -> str | None:
    if not zipfile.is_zipfile(path):
        return "csv"
    with zipfile.ZipFile(path) as archive:
        for member in data_members(archive):
            form = by_ending.get(PurePosixPath(member.filename).suffix.lower())
            if form is not None:
                return form
    return None


def _unknown(location: str, name: str, by_ending: Mapping[str, str]) -> str:
    ending = PurePosixPath(_bare(name)).suffix
    scheme = scheme_of(location)
    asked = ending or (f"{scheme}://" if scheme else name)
    close = difflib.get_close_matches(asked, by_ending, n=1, cutoff=0.6)
    hint = (
        f" Did you mean {close[0]!r}?"
        if close
        else f" Known are {', '.join(e for e in by_ending if e.startswith('.'))}."
    )
    return (
        f"{shown(location)} has the ending {ending!r}, which no form of data has.{hint} Or state its form, "
        f"such as form='csv'."
    )
