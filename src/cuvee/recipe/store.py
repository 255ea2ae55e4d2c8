"""The store: a folder of values by content hash. An entry is whole or it is not there.

An entry is a folder named after its key: `value/` and `manifest.json`, which has the SHA-256 of every file of the
value. It is written aside and renamed into place, so that a kill leaves nothing half; what was broken later is found
by its hashes, and is made again.
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, cast

from cuvee.data.errors import CuveeError, RecipeError
from cuvee.recipe.inputs import file_hash
from cuvee.recipe.values import load_value, save_value

FORM = 1
"""The version of the store's own form; entries of another are made again."""

_STALE = 24 * 3600
"""Seconds after which what a killed run left aside is removed: no step saves its value for so long."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the store says of a value without opening it.

    Attributes:
        kind: The kind of value.
        gave: What the step gave, in words.
        rows: Rows by table, where it gave rows.
        seconds: How long it took to make.
    """

    kind: str
    gave: str
    rows: Mapping[str, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Store:
    """Values by key, in a folder of this user alone. Several runs may use it at once.

    Attributes:
        folder: Where it is; made when something is kept.
    """

    folder: Path

    def entry(self, key: str) -> Entry | None:
        """What is kept under a key; None where nothing is, or where it is not what was written."""
        found = self._manifest(key)
        if found is None:
            return None
        value = self._place(key) / "value"
        try:
            whole = {p.relative_to(value).as_posix(): file_hash(p) for p in value.rglob("*") if p.is_file()}
        except CuveeError:
            return None
        if whole != found["files"]:
            return None
        return Entry(found["kind"], found["gave"], found["rows"], found["seconds"])

    def load(self, key: str) -> Any:
        """The value under a key.

        Raises:
            RecipeError: It is not there any more, or was broken.
        """
        found = self.entry(key)
        if found is None:
            raise RecipeError(f"The store {self.folder} has lost a value while it was in use. Run the recipe again.")
        return load_value(self._place(key) / "value", found.kind)

    def keep(self, key: str, value: Any, entry: Entry, *, anew: bool = False) -> None:
        """Keep a value under a key. Where another run was first, its value stays: it is the same.

        Args:
            key: The content hash of what made the value.
            value: What a step gave.
            entry: What is said of it.
            anew: Whether this value takes the place of one that is there.

        Raises:
            RecipeError: It can't be written.
        """
        try:
            self._open()
            aside = Path(tempfile.mkdtemp(prefix="new-", dir=self.folder / "aside"))
        except OSError as error:
            raise RecipeError(f"The store {self.folder} can't be written: {error.strerror or error}.") from error
        try:
            (aside / "value").mkdir()
            save_value(value, aside / "value", entry.kind)
            self._seal(aside, entry)
            self._move(aside, key, anew=anew)
        except OSError as error:
            raise RecipeError(f"The store {self.folder} can't be written: {error.strerror or error}.") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def written(self, path: Path) -> str | None:
        """The key of what was last written to a file or folder outside; None where it has changed since."""
        note = self._note(path)
        try:
            noted = json.loads(note.read_text("utf-8"))
            return str(noted["key"]) if noted["content"] == tree_hash(path) else None
        except (OSError, ValueError, KeyError, TypeError, CuveeError):
            return None

    def note(self, path: Path, key: str) -> None:
        """Remember that what stands in a file or folder outside was written for this key."""
        self._open()
        note = self._note(path)
        beside = note.with_name(f"{note.name}.{token_hex(4)}")
        beside.write_text(json.dumps({"key": key, "content": tree_hash(path)}), "utf-8")
        beside.replace(note)

    def _place(self, key: str) -> Path:
        return self.folder / "values" / key

    def _note(self, path: Path) -> Path:
        return self.folder / "written" / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()}.json"

    def _manifest(self, key: str) -> dict[str, Any] | None:
        try:
            found = json.loads((self._place(key) / "manifest.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        wanted = {"form": int, "kind": str, "gave": str, "rows": dict, "seconds": float, "files": dict, "sum": str}
        if not isinstance(found, dict):
            return None
        stated = cast("dict[str, Any]", found)
        well_formed = all(isinstance(stated.get(name), kind) for name, kind in wanted.items())
        return stated if well_formed and stated["form"] == FORM and stated["sum"] == _sum(stated) else None

    def _open(self) -> None:
        """Make the folders, for this user alone and not for version control; remove what kills left long ago."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("values", "aside", "written"):
            (self.folder / name).mkdir(exist_ok=True)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", "utf-8")
        for left in (self.folder / "aside").iterdir():
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > _STALE:
                    shutil.rmtree(left, ignore_errors=True)

    def _seal(self, aside: Path, entry: Entry) -> None:
        value = aside / "value"
        hashes = {p.relative_to(value).as_posix(): file_hash(p) for p in sorted(value.rglob("*")) if p.is_file()}
        manifest = {
            "form": FORM,
            "kind": entry.kind,
            "gave": entry.gave,
            "rows": dict(entry.rows),
            "seconds": float(entry.seconds),
            "files": hashes,
        }
        sealed = manifest | {"sum": _sum(manifest)}
        (aside / "manifest.json").write_text(json.dumps(sealed, indent=1, ensure_ascii=False), "utf-8")

    def _move(self, aside: Path, key: str, *, anew: bool) -> None:
        """Put an entry in its place. A rename onto a full folder fails: then another run was first, or it is broken."""
        place = self._place(key)
        for attempt in range(3):
            try:
                aside.rename(place)
            except OSError:
                if self.entry(key) is not None and not (anew and attempt == 0):
                    return
                old = self.folder / "aside" / f"old-{key[:16]}-{token_hex(4)}"
                with suppress(OSError):
                    place.rename(old)
                shutil.rmtree(old, ignore_errors=True)
            else:
                return
        raise RecipeError(f"The store {self.folder} can't be written: {place.name[:12]} can't be replaced.")


def tree_hash(path: Path) -> str:
    """SHA-256 of a file, or of all names and contents of a folder.

    Raises:
        SourceError: It can't be read.
    """
    if not path.is_dir():
        return file_hash(path)
    inner = sorted(p for p in path.rglob("*") if p.is_file())
    lines = "".join(f"{p.relative_to(path).as_posix()}\0{file_hash(p)}\n" for p in inner)
    return hashlib.sha256(lines.encode()).hexdigest()


def _sum(manifest: Mapping[str, Any]) -> str:
    """The hash of a manifest without its own."""
    plain = {k: v for k, v in manifest.items() if k != "sum"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
