"""What all synthesizers of one table share: its columns as codecs, and codecs in model files."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.choose import fit_codec, restore_codec
from cuvee.codec.codec import Codec, null_places
from cuvee.codec.fake import told_apart
from cuvee.codec.fake_locale import find_persons
from cuvee.core import Arrays, Event, Watch
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError

Codecs = tuple[Codec, ...]


def only_table(data: Dataset) -> str:
    """The name of the table to learn.

    Raises:
        ModelError: There are several tables, or the only one has no rows or no columns.
    """
    if len(data) != 1:
        raise ModelError(
            f"One table can be learned at a time, and the dataset has {len(data)}: {', '.join(data.tables) or 'none'}. "
            "Choose one of them with table=NAME, or blend them into one."
        )
    frame = data.frame
    if frame.width == 0:
        raise ModelError(f"Table {data.name!r} has no columns, so there is nothing to learn.")
    if frame.height == 0:
        raise ModelError(f"Table {data.name!r} has {frame.width} columns and no rows; at least one row is needed.")
    return data.name


def fit_columns(data: Dataset, *, least: int, rng: Generator, watch: Watch) -> Codecs:
    """A codec for every column of the only table, in order. A key of one column never repeats."""
    frame, meaning = data.frame, data.meaning
    key = meaning.key if meaning.key is not None and len(meaning.key) == 1 else ()
    # A generator of its own, so that who is made up moves no other column's numbers.
    secret = int(rng.spawn(1)[0].integers(2**62))
    persons = find_persons(((frame[c], m) for c, m in meaning.columns.items()), key=secret, least=least)
    codecs: list[Codec] = []
    for done, (name, column) in enumerate(zip(frame.columns, frame.iter_columns(), strict=True)):
        watch(Event("columns", done, frame.width, name))
        codecs.append(
            fit_codec(column, meaning.columns[name], unique=name in key, least=least, persons=persons, rng=rng)
        )
    watch(Event("columns", frame.width, frame.width))
    return told_apart(codecs)


def columns_state(codecs: Codecs) -> tuple[list[Mapping[str, Any]], dict[str, NDArray[Any]]]:
    """All codecs as JSON values, and their arrays under names that begin with the column's number."""
    values: list[Mapping[str, Any]] = []
    arrays: dict[str, NDArray[Any]] = {}
    for j, codec in enumerate(codecs):
        own, own_arrays = codec.state()
        values.append(own)
        arrays |= {f"{j}.{name}": array for name, array in own_arrays.items()}
    return values, arrays


def restore_columns(values: Sequence[Mapping[str, Any]], arrays: Arrays) -> Codecs:
    """What `columns_state` gave, as codecs again."""
    own: list[dict[str, NDArray[Any]]] = [{} for _ in values]
    for name, array in arrays.items():
        number, dot, rest = name.partition(".")
        if dot and number.isdigit() and int(number) < len(own):
            own[int(number)][rest] = array
    return tuple(restore_codec(v, a) for v, a in zip(values, own, strict=True))


def column_notes(codecs: Codecs) -> tuple[str, ...]:
    """The notes of all columns."""
    return tuple(note for codec in codecs for note in codec.notes)


def columns_of(data: Dataset, codecs: Codecs) -> list[pl.Series]:
    """The columns of a dataset that the codecs are for, in their order.

    Raises:
        ModelError: A column is missing.
    """
    frame = data.frame
    missing = [c.name for c in codecs if c.name not in frame.columns]
    if missing:
        raise ModelError(f"Table {data.name!r} lacks the columns {missing} that the model was fitted on.")
    return [frame[c.name] for c in codecs]


def renumbered(codecs: Codecs, frame: pl.DataFrame, *, start: int, rng: Generator) -> pl.DataFrame:
    """Rows whose ids and texts are made for the numbers from `start` on; missing ones stay missing."""
    return frame.with_columns(
        c.values(null_places(frame[c.name], c.missing, rng=rng), start=start, rng=rng)
        for c in codecs
        if not c.informative and c.missing < len(c.masses)
    )


def log_margin(codec: Codec, codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """The log density of each value within its column, (n,) in nats; 0 for ids and text, which have none."""
    if not codec.informative:
        return np.zeros(len(codes))
    with np.errstate(divide="ignore"):
        return np.log(codec.masses[codes]) - np.log(codec.volumes[codes])
