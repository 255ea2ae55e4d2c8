"""The sources of a recipe: where they are, what form they have, and what stands in them as a hash."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from cuvee.data.errors import CuveeError, SourceError
from cuvee.data.names import did_you_mean
from cuvee.recipe.content import SourceSpec
from cuvee.registry import entries, find
from cuvee.sources.location import form_of, scheme_of
from cuvee.sources.secrets import expand, redact

if TYPE_CHECKING:
    from cuvee.data.dataset import Dataset

VARIABLE = re.compile(r"\$\{([^}]*)\}")


def location(source: SourceSpec, folder: Path) -> str:
    """The path or URL for `cuvee.read`; variables are left for it to expand, at the moment of use.

    Raises:
        SourceError: A variable is not set.
    """
    written = source.location
    if written == "-" or scheme_of(written) is not None:
        return written
    real = expand(written).text
    if scheme_of(real) is not None or Path(real).expanduser().is_absolute():
        return written
    return str(folder / written)


def form(source: SourceSpec, folder: Path) -> str:
    """The registered name of a source's form.

    Raises:
        CuveeError: The form is not known, or a variable is not set.
    """
    if source.form is not None:
        forms = entries("sources")
        if source.form not in forms:
            raise SourceError(f"There is no form {source.form!r}.{did_you_mean(source.form, forms)}")
        find("sources", source.form)
        return source.form
    return form_of(location(source, folder), {n: entry.endings for n, entry in entries("sources").items()})


def options(source: SourceSpec) -> dict[str, Any]:
    """The options of a source with the values of variables put in.

    Raises:
        SourceError: A variable is not set.
    """
    return {name: _expanded(value) for name, value in source.options().items()}


def variables(source: SourceSpec) -> tuple[str, ...]:
    """The names of the variables that a source needs, in order."""
    return tuple(
        dict.fromkeys(name for text in _texts([source.location, source.options()]) for name in VARIABLE.findall(text))
    )


def hidden(source: SourceSpec) -> tuple[str, ...]:
    """The values of a source's variables, which must stand in no message and no file."""
    found: list[str] = []
    for text in _texts([source.location, source.options()]):
        try:
            found += expand(text).secrets
        except SourceError:
            continue
    return tuple(dict.fromkeys(found))


def is_read_each_time(source: SourceSpec, folder: Path) -> bool:
    """Whether only reading a source tells if it changed: a database, an address, or options from the environment."""
    if source.url is not None or VARIABLE.search(str(source.options())):
        return True
    return scheme_of(expand(location(source, folder)).text) is not None or source.location == "-"


def files(source: SourceSpec, folder: Path) -> tuple[Path, ...]:
    """The files of a local source in order: one, those of a glob, or those of a folder."""
    path = Path(expand(location(source, folder)).text).expanduser()
    found = [path] if path.exists() else sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    listed = [inner for one in found for inner in (sorted(one.rglob("*")) if one.is_dir() else [one])]
    # A database's newest rows may still stand in the log beside its file.
    logs = [
        log
        for one in listed
        for log in (one.with_name(f"{one.name}-wal"), one.with_name(f"{one.name}.wal"))
        if log.is_file()
    ]
    return tuple(p for p in (*listed, *logs) if p.is_file())


def files_key(source: SourceSpec, folder: Path) -> str:
    """The hash of the content of a local source's files, read as a stream.

    Raises:
        SourceError: There is none, or one can't be read.
    """
    listed = files(source, folder)
    if not listed:
        raise SourceError(f"There is no file {source.location!r}.")
    root = Path(os.path.commonpath([p.parent for p in listed]))
    whole = hashlib.sha256()
    for path in listed:
        # The name of the only file says nothing that its form does not: a copy under another name is the same source.
        name = path.relative_to(root).as_posix() if len(listed) > 1 else ""
        whole.update(f"{name}\0{file_hash(path)}\n".encode())
    return whole.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content.

    Raises:
        SourceError: It can't be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror or error}.") from error


def data_key(data: "Dataset") -> str:
    """The hash of a dataset's rows whatever their order, for sources that give them in any order."""
    import polars as pl
    import polars.selectors as cs

    whole = _Hash()
    for name, frame in data.tables.items():
        whole.write(f"\0{name}\0{frame.height}\0{frame.schema}\0".encode())
        # A negative zero sorts like zero but has other bytes.
        floats = frame.select(cs.float())
        zeros = [pl.when(s == 0).then(0.0).otherwise(s).cast(s.dtype).alias(s.name) for s in floats.iter_columns()]
        signless = frame.with_columns(zeros)
        # Rows that differ in nested columns alone keep their order: at worst they are taken for new.
        plain = signless.select(~(cs.nested() | cs.object() | cs.by_dtype(pl.Null))).columns
        ordered = signless.sort(plain, nulls_last=True, maintain_order=True) if plain else signless
        ordered.rechunk().write_ipc(cast("IO[bytes]", whole), compression="uncompressed")
    return whole.hexdigest()


class _Hash:
    """A file that keeps only the hash of what is written to it."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self._hash.update(content)
        return len(content)

    def flush(self) -> None:
        """Nothing waits to be written."""

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def _expanded(value: Any) -> Any:
    if isinstance(value, str):
        return expand(value).text
    if isinstance(value, Mapping):
        return {name: _expanded(inner) for name, inner in cast("Mapping[str, Any]", value).items()}
    return [_expanded(inner) for inner in cast("list[Any]", value)] if isinstance(value, list) else value


def _texts(value: Any) -> Iterator[str]:
    """All texts inside plain values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in cast("Mapping[str, Any]", value).values():
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in cast("list[Any]", value):
            yield from _texts(inner)


def refusal(source: SourceSpec, folder: Path) -> str | None:
    """Why a source can't be read, as far as it can be said without reading it; None where nothing is wrong.

    Files are looked for, variables looked up, options tried.
    """
    for name in variables(source):
        if name not in os.environ:
            return f"the environment has no variable {name!r}. Set it: export {name or 'NAME'}=..."
    try:
        local = not is_read_each_time(source, folder)
        if local and not files(source, folder):
            return f"there is no file {source.location!r}.{_like_it(source, folder)}"
        form(source, folder)
    except CuveeError as error:
        return redact(str(error), hidden(source))
    return None


def _like_it(source: SourceSpec, folder: Path) -> str:
    """A file that a mistyped path may mean; nothing where the path hangs on a variable."""
    from difflib import get_close_matches

    path = folder / source.location
    if VARIABLE.search(source.location) or not path.parent.is_dir():
        return (
            f" Paths start from the folder of the recipe, {folder.resolve().name!r}."
            if not VARIABLE.search(source.location)
            else ""
        )
    close = get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1, cutoff=0.6)
    return f" Did you mean {Path(source.location).with_name(close[0]).as_posix()!r}?" if close else ""
