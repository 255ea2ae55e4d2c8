"""The verbs of data: read and write, find out what it means, blend, split and mix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cuvee.blending.blend import Blend
from cuvee.blending.join import blend_datasets
from cuvee.core import Model, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, SchemaError
from cuvee.data.names import did_you_mean
from cuvee.data.schema import Schema
from cuvee.mixing.share import mix_by_share
from cuvee.registry import find
from cuvee.synthesis.model_file import is_model, open_model
from cuvee.verbs.choose import constraint, generator, rule, source


@dataclass(frozen=True, slots=True)
class Split:
    """Two parts of one dataset that share no row."""

    train: Dataset
    holdout: Dataset


def read(
    location: Any,
    *,
    name: str | None = None,
    key: str | Sequence[str] | None = None,
    form: str | None = None,
    **options: Any,
) -> Dataset:
    """Read a path, glob, folder, URL, database or data frame.

    Args:
        location: Where it is, or a data frame, array or mapping itself.
        name: The name of the table, where there is one; else the file's name without its ending.
        key: The key column or columns, where there is one table; else it is detected.
        form: The form of the source ("csv", "parquet", ...) where its ending does not say it.
        options: Options of that form, such as `delimiter` of CSV or `table` of a database.

    Raises:
        SourceError: It is not there, can't be read, or its form is not known.
    """
    if isinstance(location, (str, Path)):
        tables = dict(source(location, form=form, **options).read())
        if name is not None and len(tables) == 1:
            tables = {name: next(iter(tables.values()))}
        beside = Path(location) / "schema.yaml"
        data = Dataset.of(tables, schema=Schema.load(beside) if beside.is_file() else None)
    else:
        data = Dataset.of(location, name=name or "data")
    return data if key is None else data.keyed((key,) if isinstance(key, str) else tuple(key))


def write(data: Any, location: str | Path, *, form: str | None = None, **options: Any) -> None:
    """Write a dataset (or anything `Dataset.of` takes) to a path, folder or database.

    Raises:
        SourceError: It can't be written; what stood there before still does.
    """
    dataset = Dataset.of(data)
    source(location, form=form, **options).write(dataset.tables)
    if Path(location).is_dir():
        dataset.schema.save(Path(location) / "schema.yaml")


def inspect(data: Any) -> Schema:
    """What the columns mean, which are keys, what they refer to, and what holds in every row.

    Each guess has a confidence and a reason. What holds in every row is only proposed (`Table.proposals`); it is kept
    in the rows of a model where it is stated in `constraints`.
    """
    from cuvee.data.detect_constraints import with_proposals

    dataset = dataset_of(data)
    return with_proposals(dataset.schema, dataset.tables)


def blend(
    *sources: Any,
    match: Any = None,
    resolve: Mapping[str, Any] | None = None,
    trust: Sequence[str] = (),
    into: str | None = None,
    watch: Watch = silent,
) -> Blend:
    """Link the records of several sources, settle what they disagree on, and relate them into one golden dataset.

    Args:
        sources: Paths or datasets, or one mapping of source names to them.
        match: Which columns say that two records are the same thing; None finds keys and foreign keys in the data. See
            `cuvee.blending.match` for the forms.
        resolve: Rule by column, and under `default` for the others; a rule is a name or {name: {option: value}}.
        trust: Sources, most trusted first.
        into: The table of facts that the others are attached to, column by column; None keeps related tables apart.
        watch: Told of progress.

    Raises:
        CuveeError: A source, column or rule is not there.
    """
    named = _named_sources(sources)
    rules = {column: rule(choice) for column, choice in (resolve or {}).items()}
    return blend_datasets(named, match=match, rules=rules, trust=tuple(trust), into=into, watch=watch)


def split(data: Any, *, holdout: float = 0.2, by: str | None = None, seed: int = 0) -> Split:
    """Split one table at random into train and holdout, before anything is fitted.

    Args:
        data: One table.
        holdout: Share of rows (of groups, with `by`) that go to holdout, between 0 and 1.
        by: Rows with the same value here stay on one side.
        seed: The same seed gives the same split.

    Raises:
        CuveeError: The share is not between 0 and 1, or a side would be empty.
    """
    dataset = dataset_of(data)
    frame, name = dataset.frame, dataset.name
    if not isinstance(holdout, (int, float)) or not 0 < holdout < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise CuveeError(f"holdout is {holdout!r}; it is a share between 0 and 1, such as 0.2.")
    if by is not None and by not in frame.columns:
        raise SchemaError(f"Table {name!r} has no column {by!r} to split by.{did_you_mean(by, frame.columns)}")
    groups = np.arange(frame.height)
    if by is not None:
        # A row without a value belongs to nobody: it is a group by itself, after all that have one.
        values = frame[by].rank("dense").cast(pl.Int64).fill_null(pl.Series(groups + frame.height))
        groups = values.to_numpy()
    ids = np.unique(groups)
    size = round(holdout * len(ids))
    if size == 0 or size == len(ids):
        raise CuveeError(
            f"Table {name!r} has {len(ids)} {'rows' if by is None else 'groups'}: too few to hold out {holdout:.0%}."
        )
    chosen = generator(seed).permutation(ids)[:size]
    mask = np.isin(groups, chosen)
    return Split(dataset.with_frame(name, frame.filter(~mask)), dataset.with_frame(name, frame.filter(mask)))


def mix(real: Any, synthetic: Any, *, share: float, seed: int = 0) -> Dataset:
    """Mix all real rows with as many synthetic rows as make up `share` of the result, marked in the column `_origin`.

    Raises:
        CuveeError: The columns differ, the share is not in [0, 1], or there are too few synthetic rows for it.
    """
    return mix_by_share(dataset_of(real), dataset_of(synthetic), share=share, rng=generator(seed))


def load(path: str | Path) -> Model | Blend | Dataset:
    """Open a model folder, a blend folder, or data."""
    folder = Path(path)
    if is_model(folder):
        return open_model(folder, lambda name: find("synthesizers", name), constraint)
    if (folder / "manifest.json").is_file():
        return Blend.load(folder)
    return read(path)


def dataset_of(data: Any) -> Dataset:
    """The dataset of a path, blend, data frame or dataset."""
    if isinstance(data, Blend):
        return data.data
    if not isinstance(data, (str, Path)):
        return Dataset.of(data)
    loaded = load(data)
    if isinstance(loaded, Model):
        raise CuveeError(f"{data} is a model, not data. Sample it first: cuvee sample {data} -n 1000 -o OUT")
    return loaded.data if isinstance(loaded, Blend) else loaded


def _named_sources(sources: Sequence[Any]) -> dict[str, Dataset]:
    """Every source by its name; one of several tables stays whole, with what relates them."""
    if len(sources) == 1 and isinstance(sources[0], Mapping):
        given = [(str(name), dataset_of(one)) for name, one in sources[0].items()]
    else:
        given = [(_title(one, position), dataset_of(one)) for position, one in enumerate(sources)]
    named: dict[str, Dataset] = {}
    for name, data in given:
        title = name or next(iter(data.tables), "")
        if title in named:
            raise CuveeError(f"Two sources are called {title!r}. Give a mapping of names to sources.")
        named[title] = data.renamed(title) if len(data) == 1 else data
    if not named:
        raise CuveeError("Nothing to blend: give at least one source.")
    return named


def _title(source: Any, position: int) -> str | None:
    """The name of a source that was given without one; None where its tables have names of their own."""
    return None if isinstance(source, (str, Path, Dataset, Blend)) else f"source{position}"
