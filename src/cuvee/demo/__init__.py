"""The demo: real, free data and the recipe over it."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path

from cuvee.data.errors import CuveeError


def unpack(folder: str | Path) -> Path:
    """Copy the recipe and its data into a folder; the recipe's path. What is there already is left as it is.

    Raises:
        CuveeError: The folder is a file.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise CuveeError(f"{target} is a file; the demo wants a folder.")
    with as_file(files("cuvee.demo")) as shipped:
        for source in (shipped / "recipe.yaml", *sorted((shipped / "data").iterdir())):
            copy = target / source.relative_to(shipped)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.exists():
                shutil.copyfile(source, copy)
    return target / "recipe.yaml"
