"""Writing a model's folder."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from cuvee.data.errors import ModelError

MANIFEST = "model.json"
"""The file that makes a folder a model."""


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a folder, beside first and then moved into place.

    Raises:
        ModelError: The folder is taken by something that is not a model, or can't be written.
    """
    if folder.exists() and not (folder / MANIFEST).is_file() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ModelError(f"{folder} is there already and is not a model. Choose another name for the model folder.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as beside:
            fresh, old = Path(beside) / "new", Path(beside) / "old"
            fresh.mkdir()
            for name, content in files.items():
                (fresh / name).write_bytes(content)
            if folder.exists():
                folder.rename(old)
            try:
                fresh.rename(folder)
            except OSError:
                if old.exists():
                    old.rename(folder)
                raise
    except OSError as error:
        raise ModelError(f"The model can't be written to {folder}: {error.strerror}.") from error
