"""A folder of numbered Parquet parts, each made alone: what was finished before an interruption is not made again.

Every part says in its metadata which sample it belongs to, so the folder holds nothing but parts.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from cuvee.core import Event, Watch, in_order
from cuvee.data.errors import SourceError
from cuvee.sources.parquet import write_parquet

KEY = "cuvee-part"
"""The name of what a part says of itself, in its metadata."""


def is_parts(folder: Path) -> bool:
    """Whether a folder holds parts that `write_parts` made."""
    first = next(folder.glob("part-*.parquet"), None) if folder.is_dir() else None
    return first is not None and _said(first) is not None


def write_parts(
    folder: Path,
    make: Callable[[int], pl.DataFrame],
    count: int,
    *,
    table: str,
    identity: Mapping[str, Any],
    workers: int,
    watch: Watch,
) -> None:
    """Write parts 0 to `count` of one table, those that are not there yet, on several threads.

    A part gets its name only when it is whole, so every part that is there is a finished one.

    Args:
        folder: The folder; made if it is not there.
        make: Gives the rows of a part; called on any thread.
        count: How many parts.
        table: The name of the table, for messages.
        identity: What makes the parts what they are; parts of anything else are not gone on with.
        workers: How many threads make parts.
        watch: Told of finished parts.

    Raises:
        SourceError: The folder holds something else, or can't be written.
        KeyboardInterrupt: Interrupted; the finished parts are there.
    """
    width = max(5, len(str(count - 1)))
    files = [folder / f"part-{k:0{width}d}.parquet" for k in range(count)]
    said = json.dumps({**identity, "parts": count}, ensure_ascii=False)
    try:
        _open(folder, {f.name for f in files}, said)
        missing = [k for k, file in enumerate(files) if not file.is_file()]
        there = count - len(missing)
        watch(Event("sample", there, count, f"{there:,} parts are there" if there else ""))

        def finish(position: int) -> None:
            k = missing[position]
            beside = files[k].with_name(f".{files[k].name}.part")
            try:
                write_parquet(make(k), beside, table, metadata={KEY: said})
                beside.replace(files[k])
            finally:
                beside.unlink(missing_ok=True)

        for done, _ in enumerate(in_order(finish, range(len(missing)), workers), there + 1):
            watch(Event("sample", done, count))
    except OSError as error:
        raise SourceError(f"The folder {folder} can't be written: {error.strerror or type(error).__name__}.") from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted. The finished parts are in {folder}; run the same again to make the others."
        ) from None


def _open(folder: Path, names: set[str], said: str) -> None:
    """Make the folder, or see that it holds parts of the same sample and nothing else."""
    if folder.is_file():
        raise SourceError(f"{folder} is a file; parts are written to a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".part-") and file.suffix == ".part":
            file.unlink()
        elif (before := _said(file)) is None:
            raise SourceError(
                f"The folder {folder} holds {file.name!r}, which is no part of a sample. Give a new folder."
            )
        elif before != said or file.name not in names:
            raise SourceError(
                f"The folder {folder} holds parts of another sample{_difference(before, said)}. Give a new folder, or "
                "remove it."
            )


def _said(file: Path) -> str | None:
    """What a part says of the sample that it belongs to; None of any other file."""
    if file.suffix != ".parquet" or not file.is_file():
        return None
    try:
        return pl.read_parquet_metadata(file).get(KEY)
    except (PolarsError, OSError):
        return None


def _difference(before: str, now: str) -> str:
    """What differs, in brackets."""
    old, new = json.loads(before), json.loads(now)
    names = [name for name in new if old.get(name) != new[name] and name != "parts"]
    return f" (other {', '.join(names)})" if names else ""
