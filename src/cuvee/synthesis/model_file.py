"""Opening model folders: JSON and plain arrays are checked and read; nothing in them can run."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
from numpy.random import default_rng
from numpy.typing import NDArray
from pydantic import ValidationError

from cuvee.core import ARRAYS, FORMAT, MANIFEST, VERSION, Constraint, Learned, Model, Synthesizer
from cuvee.data.dtypes import dtype_from_json
from cuvee.data.errors import CuveeError, ModelError
from cuvee.data.schema import Schema
from cuvee.synthesis.constraints.constrained import Constrained

LARGEST = 512 * 2**20
"""A model.json beyond this many bytes is not read."""
FIELDS = ("name", "spec", "schema", "dtypes", "rows", "seed", "notes", "guarantee", "state", "arrays")


def is_model(path: Path) -> bool:
    """Whether a path is a model folder."""
    return (path / MANIFEST).is_file()


def open_model(
    path: Path,
    find: Callable[[str], type[Synthesizer]],
    constraint: Callable[[Mapping[str, Any]], Constraint] | None = None,
) -> Model:
    """Open a model folder that `Model.save` wrote.

    Args:
        path: The folder.
        find: The class of a synthesizer by its name.
        constraint: The constraint that a mapping means; None where models have none.

    Raises:
        ModelError: The folder is not a model, was written by a newer version, or is damaged.
    """
    manifest = _manifest(path)
    arrays = _arrays(path, manifest["arrays"])
    try:
        kind = find(str(manifest["name"]))
        schema = Schema.model_validate(manifest["schema"])
        model = Model(
            name=str(manifest["name"]),
            spec=kind.model_validate(manifest["spec"]),
            schema=schema,
            rows={str(t): int(n) for t, n in manifest["rows"].items()},
            seed=int(manifest["seed"]),
            learned=_learned(kind.learned, manifest, arrays, constraint),
            notes=tuple(str(n) for n in manifest["notes"]),
            guarantee=manifest["guarantee"],
        )
        _check_tables(path, model, manifest["dtypes"])
    except ModelError:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        raise ModelError(f"{path} is damaged: {place}: {first['msg']}. Fit the model again.") from error
    except CuveeError as error:
        raise ModelError(f"{path} can't be opened: {error}") from error
    # What a hand-edited or cut state makes NumPy, Polars and the codecs say is as varied as the ways to damage it.
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise ModelError(f"{path} is damaged: its state does not fit together. Fit the model again.") from error
    return model


def _learned(
    kind: type[Learned],
    manifest: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    constraint: Callable[[Mapping[str, Any]], Constraint] | None,
) -> Learned:
    """What was learned, with the constraints that rows of it keep."""
    state = manifest["state"]
    if not manifest.get("constrained"):
        return kind.restore(state, arrays)
    if constraint is None:
        raise ModelError("It has constraints, and what they are is not known here.")
    return Constrained.opened(state, arrays, kind, [constraint(t["constraint"]) for t in state["terms"]])


def _manifest(path: Path) -> Mapping[str, Any]:
    """model.json, with its format, version and fields checked."""
    file = path / MANIFEST
    if not file.is_file():
        raise ModelError(f"{path} is not a model: it has no {MANIFEST}. Make one with: cuvee fit FILE -o MODEL")
    if file.stat().st_size > LARGEST:
        raise ModelError(f"{file} has {file.stat().st_size:,} bytes, more than any model; it is not read.")
    try:
        loaded: Any = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file} is damaged: it is not JSON. Fit the model again.") from error
    if not isinstance(loaded, dict) or loaded.get("format") != FORMAT:
        raise ModelError(f"{file} is not a model of cuvee: its format is not {FORMAT!r}.")
    version = loaded.get("version")
    if version != VERSION:
        raise ModelError(
            f"{path} has model version {version!r}; this cuvee reads version {VERSION}. Use the cuvee that wrote it."
        )
    missing = [f for f in FIELDS if f not in loaded]
    if missing:
        raise ModelError(f"{file} is damaged: it lacks {', '.join(missing)}. Fit the model again.")
    return loaded


def _arrays(path: Path, expected: Any) -> Mapping[str, NDArray[Any]]:
    """The arrays, of the size and checksum that model.json states."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    file = path / ARRAYS
    if not isinstance(expected, dict) or not file.is_file():
        raise ModelError(f"{path} is damaged: {ARRAYS} is missing. Copy the whole folder, or fit the model again.")
    if file.stat().st_size != expected.get("bytes"):
        raise ModelError(
            f"{file} has {file.stat().st_size:,} bytes and {expected.get('bytes')} were written. Fit the model again."
        )
    content = file.read_bytes()
    if sha256(content).hexdigest() != expected.get("sha256"):
        raise ModelError(f"{file} is not the file that was written: its checksum differs. Fit the model again.")
    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"{file} is damaged: it holds no arrays. Fit the model again.") from error


def _check_tables(path: Path, model: Model, dtypes: Mapping[str, Mapping[str, Any]]) -> None:
    """Whether an empty sample has the tables, columns and dtypes that were written."""
    made = {t: dict(f.schema) for t, f in model.learned.sample(0, start=0, rng=default_rng(0)).items()}
    written = {t: {c: dtype_from_json(d) for c, d in columns.items()} for t, columns in dtypes.items()}
    if made != written or set(made) != set(model.schema):
        raise ModelError(f"{path} is damaged: its columns are not those that were written. Fit the model again.")
