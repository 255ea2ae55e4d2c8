"""Files of the command line as data."""

from collections.abc import Sequence
from typing import Any

from cuvee import verbs
from cuvee.data.dataset import Dataset
from cuvee.data.errors import SourceError


def read_all(files: Sequence[str]) -> Dataset:
    """The tables of all files as one dataset, related to each other."""
    if not files:
        raise SourceError("Nothing to read: give at least one file, folder or URL.")
    datasets = [verbs.read(f) for f in files]
    if len(datasets) == 1:
        return datasets[0]
    tables: dict[str, Any] = {}
    for file, data in zip(files, datasets, strict=True):
        for name, frame in data.tables.items():
            if name in tables:
                raise SourceError(f"Two tables are called {name!r}; the second is in {file}. Rename one of the files.")
            tables[name] = frame
    return Dataset.of(tables)
