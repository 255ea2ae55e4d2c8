"""The verbs: the same words in Python, in a recipe, on the command line and on the page.

Each turns names into specs through the registry and calls the room that does the work; nothing is decided here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cuvee.blending.blend import Blend
from cuvee.blending.join import blend_datasets
from cuvee.core import Metric, Model, Rule, Scores, Source, Synthesizer, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, SchemaError, SourceError
from cuvee.data.names import did_you_mean
from cuvee.data.schema import Schema
from cuvee.evaluation.judge import judge
from cuvee.evaluation.trial import make_trial
from cuvee.mixing.share import mix_by_share
from cuvee.registry import entries, find, name_of
from cuvee.sources.location import form_of
from cuvee.synthesis.model_file import is_model, open_model

__all__ = ["Split", "blend", "evaluate", "fit", "inspect", "load", "mix", "read", "sample", "split", "write"]


@dataclass(frozen=True, slots=True)
class Split:
    """Two parts of one dataset that share no row."""

    train: Dataset
    holdout: Dataset


def source(location: str | Path, *, form: str | None = None, **options: Any) -> Source:
    """The source that a path, glob, URL or folder means, by its ending or scheme, or by `form`.

    Raises:
        SourceError: The form is not known, or has no such option.
    """
    name = form or form_of(str(location), {n: entry.endings for n, entry in entries("sources").items()})
    kind = find("sources", name)
    for option in options:
        if option not in kind.model_fields:
            raise SourceError(f"The source {name!r} has no option {option!r}.{did_you_mean(option, kind.model_fields)}")
    return _made(kind, name, {"path": str(location), **options})


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
    return data if key is None else _with_key(data, (key,) if isinstance(key, str) else tuple(key))


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
    """What the columns mean, which are keys and what they refer to, each guess with a confidence and a reason."""
    return _dataset(data).schema


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
    rules = {column: _rule(choice) for column, choice in (resolve or {}).items()}
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
    dataset = _dataset(data)
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
    chosen = _generator(seed).permutation(ids)[:size]
    mask = np.isin(groups, chosen)
    return Split(dataset.with_frame(name, frame.filter(~mask)), dataset.with_frame(name, frame.filter(mask)))


def fit(
    data: Any,
    synthesizer: str | Mapping[str, Any] | Synthesizer = "auto",
    *,
    table: str | None = None,
    exclude: Sequence[str] = (),
    seed: int = 0,
    watch: Watch = silent,
) -> Model:
    """Learn a dataset.

    Args:
        data: A dataset, blend, data frame or path.
        synthesizer: A name ("copula"), a name with options ({"copula": {"shrink": 0.1}}), or a spec.
        table: The table to learn, where the dataset has several.
        exclude: Columns that are left out of the model and of what it samples.
        seed: The same seed gives the same model.
        watch: Told of progress.

    Raises:
        CuveeError: The synthesizer is not known, or the data can't be learned.
    """
    dataset = _dataset(data)
    dataset = dataset if table is None else dataset.only(table)
    for column in (exclude,) if isinstance(exclude, str) else exclude:
        dataset = _without(dataset, column)
    spec = synthesizer if isinstance(synthesizer, Synthesizer) else _choose("synthesizers", synthesizer)
    learned = spec.fit(dataset, rng=_generator(seed), watch=watch)
    return Model(
        name=name_of("synthesizers", type(spec)),
        spec=spec,
        schema=dataset.schema,
        rows={t: f.height for t, f in dataset.tables.items()},
        seed=seed,
        learned=learned,
        notes=learned.notes(),
    )


def sample(model: Model | str | Path, n: int, *, seed: int = 0, watch: Watch = silent) -> Dataset:
    """Make n synthetic rows; see `Model.sample`."""
    opened = model if isinstance(model, Model) else load(model)
    if not isinstance(opened, Model):
        raise CuveeError(f"{model} is not a model. Make one with: cuvee fit FILE -o MODEL")
    return opened.sample(n, seed=seed, watch=watch)


def mix(real: Any, synthetic: Any, *, share: float, seed: int = 0) -> Dataset:
    """Mix all real rows with as many synthetic rows as make up `share` of the result, marked in the column `_origin`.

    Raises:
        CuveeError: The columns differ, the share is not in [0, 1], or there are too few synthetic rows for it.
    """
    return mix_by_share(_dataset(real), _dataset(synthetic), share=share, rng=_generator(seed))


def evaluate(
    synthetic: Any,
    *,
    train: Any,
    holdout: Any = None,
    predict: str | None = None,
    metrics: Sequence[str | Mapping[str, Any] | Metric] | None = None,
    seed: int = 0,
    watch: Watch = silent,
) -> Scores:
    """Compare synthetic rows with the rows that were learned from and with untouched real rows.

    Args:
        synthetic: One table.
        train: The real rows that the model saw.
        holdout: Real rows that it did not see; without them ceilings and privacy are not assessed.
        predict: Target of utility: a column, or one comparison such as "arr_delay > 15".
        metrics: Names or specs; None means all of the registry.
        seed: The same seed gives the same scores.
        watch: Told of progress.

    Raises:
        CuveeError: The tables have different columns, or are empty.
    """
    rng = _generator(seed)
    trial = make_trial(
        _dataset(train), None if holdout is None else _dataset(holdout), _dataset(synthetic), predict=predict, rng=rng
    )
    chosen = list(entries("metrics")) if metrics is None else [metrics] if isinstance(metrics, str) else metrics
    specs = {
        (m if isinstance(m, str) else name_of("metrics", type(spec))): spec
        for m in chosen
        for spec in [m if isinstance(m, Metric) else _choose("metrics", m)]
    }
    return judge(trial, specs, seed=seed, watch=watch)


def load(path: str | Path) -> Model | Blend | Dataset:
    """Open a model folder, a blend folder, or data."""
    folder = Path(path)
    if is_model(folder):
        return open_model(folder, lambda name: find("synthesizers", name))
    if (folder / "manifest.json").is_file():
        return Blend.load(folder)
    return read(path)


def _dataset(data: Any) -> Dataset:
    """The dataset of a path, blend, data frame or dataset."""
    if isinstance(data, Blend):
        return data.data
    if not isinstance(data, (str, Path)):
        return Dataset.of(data)
    loaded = load(data)
    if isinstance(loaded, Model):
        raise CuveeError(f"{data} is a model, not data. Sample it first: cuvee sample {data} -n 1000 -o OUT")
    return loaded.data if isinstance(loaded, Blend) else loaded


def _choose(group: Any, choice: str | Mapping[str, Any]) -> Any:
    """The spec of a name, or of {name: {option: value}}."""
    if isinstance(choice, str):
        return _made(find(group, choice), choice, {})
    one: list[tuple[Any, Any]] = list(choice.items()) if hasattr(choice, "items") else []
    if len(one) != 1 or not isinstance(one[0][1], Mapping):
        raise CuveeError(f"A choice of {group} is a name, or one name with its options: {{name: {{option: value}}}}.")
    return _made(find(group, str(one[0][0])), str(one[0][0]), one[0][1])


def _made(kind: type[Any], name: str, options: Mapping[str, Any]) -> Any:
    """The spec of a class, with the first thing that is wrong with its options as a sentence without their values."""
    from pydantic import ValidationError

    try:
        return kind(**options)
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(str(p) for p in first["loc"])
        if first["type"] == "extra_forbidden":
            said = f"{name!r} has no option {option!r}.{did_you_mean(option, kind.model_fields)}"
        else:
            said = f"The option {option!r} of {name!r}: {first['msg']}."
        raise CuveeError(said) from error


def _generator(seed: int) -> np.random.Generator:
    """The generator of a seed.

    Raises:
        CuveeError: The seed is no whole number of 0 or more.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise CuveeError(f"The seed is {seed!r}; it is a whole number, 0 or more.")
    return np.random.default_rng(seed)


def _rule(choice: Any) -> Rule:
    return choice if isinstance(choice, Rule) else _choose("rules", choice)


def _named_sources(sources: Sequence[Any]) -> dict[str, Dataset]:
    """Every source by its name; one of several tables stays whole, with what relates them."""
    if len(sources) == 1 and isinstance(sources[0], Mapping):
        given = [(str(name), _dataset(one)) for name, one in sources[0].items()]
    else:
        given = [(_title(one, position), _dataset(one)) for position, one in enumerate(sources)]
    named: dict[str, Dataset] = {}
    for name, data in given:
        title = name or next(iter(data.tables), "")
        if title in named:
            raise CuveeError(f"Two sources are called {title!r}. Give a mapping of names to sources.")
        named[title] = _renamed(data, title) if len(data) == 1 else data
    if not named:
        raise CuveeError("Nothing to blend: give at least one source.")
    return named


def _title(source: Any, position: int) -> str | None:
    """The name of a source that was given without one; None where its tables have names of their own."""
    return None if isinstance(source, (str, Path, Dataset, Blend)) else f"source{position}"


def _renamed(data: Dataset, name: str) -> Dataset:
    """The same table under another name; what refers to itself still does."""
    old = data.name
    if old == name:
        return data
    keys = tuple(f.model_copy(update={"table": name}) if f.table == old else f for f in data.meaning.foreign_keys)
    schema = Schema(tables={name: data.meaning.model_copy(update={"foreign_keys": keys})})
    form = data.forms.get(old)
    return Dataset({name: data.frame}, schema, {} if form is None else {name: form})


def _with_key(data: Dataset, key: tuple[str, ...]) -> Dataset:
    frame, name = data.frame, data.name
    for column in key:
        if column not in frame.columns:
            raise SchemaError(
                f"Table {name!r} has no column {column!r} for its key.{did_you_mean(column, frame.columns)}"
            )
    meaning = data.meaning.model_copy(update={"key": key, "key_confidence": 1.0, "key_reason": "stated"})
    return Dataset(data.tables, Schema(tables={name: meaning}), data.forms)


def _without(data: Dataset, column: str) -> Dataset:
    frame, name = data.frame, data.name
    if column not in frame.columns:
        raise SchemaError(f"Table {name!r} has no column {column!r} to exclude.{did_you_mean(column, frame.columns)}")
    meaning = data.meaning
    sequence = meaning.sequence
    left = {
        "columns": {c: k for c, k in meaning.columns.items() if c != column},
        "key": None if column in (meaning.key or ()) else meaning.key,
        "sequence": None if sequence is None or column in (*sequence.key, sequence.order) else sequence,
        "foreign_keys": tuple(f for f in meaning.foreign_keys if column not in f.columns),
    }
    return Dataset({name: frame.drop(column)}, Schema(tables={name: meaning.model_copy(update=left)}))
