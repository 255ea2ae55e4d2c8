"""The verbs of models: fit, sample, impute, evaluate."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from cuvee.core import (
    BLOCK,
    How,
    Metric,
    Model,
    Scores,
    Stream,
    Synthesizer,
    Watch,
    block_count,
    seconds_of,
    silent,
    thread_count,
)
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, ModelError, SchemaError, SourceError
from cuvee.data.names import did_you_mean
from cuvee.evaluation.judge import judge
from cuvee.evaluation.trial import make_trial
from cuvee.registry import entries, name_of
from cuvee.sources.parts import is_parts, write_parts
from cuvee.synthesis.constraints.constrained import fit_constrained
from cuvee.synthesis.model_file import is_model
from cuvee.synthesis.stream import default_rows, does_not_fit, draw, draw_note, one_pass
from cuvee.synthesis.tabular.auto import AutoLearned
from cuvee.verbs.choose import choose, constraint, generator, source, with_budget
from cuvee.verbs.data import dataset_of, load, write

GIVEN = ("trees", "circuit")
"""The synthesizers that can fill in rows."""


def fit(  # noqa: PLR0913 (what may be said of one fit)
    data: Any,
    synthesizer: str | Mapping[str, Any] | Synthesizer = "auto",
    *,
    table: str | None = None,
    exclude: Sequence[str] = (),
    constraints: Sequence[Any] = (),
    rows: int | None = None,
    stream: bool | None = None,
    checkpoint: str | Path | None = None,
    time_budget: float | str | None = None,
    seed: int = 0,
    watch: Watch = silent,
) -> Model:
    """Learn a dataset, in memory or, where it is larger than that, in one pass over a file.

    A pass reads the table in batches, in constant memory, draws rows evenly and counts the others: the engine learns
    from the drawn rows, the model says how many there were. Without `rows` at most a million rows are drawn (fewer of
    a table with more than 50 columns).

    Args:
        data: A dataset, blend, data frame or path.
        synthesizer: A name ("copula"), a name with options ({"copula": {"shrink": 0.1}}), or a spec.
        table: The table to learn, where the dataset has several.
        exclude: Columns that are left out of the model and of what it samples.
        constraints: What holds in every row that is made, beside what the schema states: text (a condition such as
            "end >= start", or an equation such as "total = price * quantity"), or a mapping such as
            {"follows": "education_num", "from": ["education"]}. See `cuvee models constraints`.
        rows: Learn from at most so many rows, drawn evenly; a file that can be is then read in batches.
        stream: Whether to read a file in batches; None does so where it would not fit in memory.
        checkpoint: A file that a pass goes on from after an interruption. It holds drawn rows until the fit is done.
        time_budget: How long to learn at most: seconds, or text such as "60s" or "5m".
        seed: The same seed gives the same model.
        watch: Told of progress.

    Raises:
        CuveeError: The synthesizer is not known, or the data can't be learned.
    """
    if rows is not None and (not isinstance(rows, int) or rows < 1):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ModelError(f"{rows!r} rows are to be learned from; the number of rows is a whole number, 1 or more.")
    rng = generator(seed)
    spec = synthesizer if isinstance(synthesizer, Synthesizer) else choose("synthesizers", synthesizer)
    spec = spec if time_budget is None else with_budget(spec, seconds_of(time_budget))
    left_out = (exclude,) if isinstance(exclude, str) else tuple(exclude)
    kept = None if checkpoint is None else Path(checkpoint)
    found = _stream(data, rows=rows, stream=stream)
    if found is None:
        dataset, counts, notes = _in_memory(data, table, left_out, rows, seed)
        kept = None
    else:
        columns = _wanted(found, left_out)
        keep = default_rows(len(columns)) if rows is None else rows
        drawn = one_pass(found, columns, keep=keep, seed=seed, checkpoint=kept, watch=watch)
        dataset = Dataset.of({found.table: drawn.frame})
        dataset = dataset if table is None else dataset.only(table)
        counts, notes = {found.table: drawn.rows}, drawn.notes
    stated = constraints if isinstance(constraints, (list, tuple)) else [constraints]
    kept_true = [constraint(c) for c in (*_stated(dataset), *stated)]
    learned = fit_constrained(spec, dataset, kept_true, rng=rng, watch=watch)
    if kept is not None:
        kept.unlink(missing_ok=True)
    return Model(
        name=name_of("synthesizers", type(spec)),
        spec=spec,
        schema=dataset.schema,
        rows=counts,
        seed=seed,
        learned=learned,
        notes=(*notes, *learned.notes()),
    )


@overload
def sample(
    model: Model | str | Path,
    n: int | None = None,
    *,
    where: Any = None,
    given: Any = None,
    balance: Any = None,
    fair: Any = None,
    seed: int = 0,
    workers: int | None = None,
    watch: Watch = silent,
) -> Dataset: ...


@overload
def sample(
    model: Model | str | Path,
    n: int | None = None,
    *,
    to: str | Path,
    parts: bool = False,
    form: str | None = None,
    where: Any = None,
    given: Any = None,
    balance: Any = None,
    fair: Any = None,
    seed: int = 0,
    workers: int | None = None,
    watch: Watch = silent,
) -> Path: ...


def sample(  # noqa: PLR0913 (what may be said of one sample)
    model: Model | str | Path,
    n: int | None = None,
    *,
    to: str | Path | None = None,
    parts: bool = False,
    form: str | None = None,
    where: Any = None,
    given: Any = None,
    balance: Any = None,
    fair: Any = None,
    seed: int = 0,
    workers: int | None = None,
    watch: Watch = silent,
) -> Dataset | Path:
    """Make n synthetic rows, in memory or straight to a file: the same rows either way, whatever the workers.

    Parquet and CSV are written block by block, in constant memory, beside and then moved into place. With `parts` each
    block becomes a file of its own in a folder; after an interruption only the missing ones are made.

    Args:
        model: The model, or its folder.
        n: How many rows (of the root table, where there are several); None for as many as are given.
        to: Where to write; None gives the rows.
        parts: Whether to write a folder of numbered Parquet files. A folder of such files is gone on with as it is.
        form: The form to write ("csv", ...) where the ending does not say it.
        where: What must be true of every row, such as "age >= 60 and state in ('CA', 'NY')" or {"age": (60, None)}.
        given: Rows of some of the columns: a dataset, data frame or path. Their cells stay, the others are drawn.
        balance: Shares of values, met exactly in counts, such as {"fraud": {"yes": 0.5}}; see `Model.sample`.
        fair: {"target": "income", "groups": ["sex"]} gives the target the same shares in every group.
        seed: The same seed gives the same rows.
        workers: Threads that make blocks at the same time; None takes the cores there are.
        watch: Told of progress.

    Returns:
        The rows; or where they were written.

    Raises:
        CuveeError: It is no model, can't make so many rows, or they can't be written.
    """
    opened = model if isinstance(model, Model) else load(model)
    if not isinstance(opened, Model):
        raise CuveeError(f"{model} is not a model. Make one with: cuvee fit FILE -o MODEL")
    known = given if given is None or not isinstance(given, (str, Path)) else dataset_of(given)
    said: dict[str, Any] = {"where": where, "given": known, "balance": balance, "fair": fair}
    if to is None:
        return opened.sample(n, **said, seed=seed, workers=workers, watch=watch)
    asked = opened.asked(where, known)
    n = asked.size(n)
    tables = list(opened.schema)
    whole = balance is not None or fair is not None
    if whole and (parts or is_parts(Path(to))):
        raise ModelError("Rows with stated shares are made together, and not in parts. Leave parts out.")
    if parts or is_parts(Path(to)):
        if len(tables) > 1:
            raise ModelError(f"Parts are of one table, and the model makes {len(tables)}. Leave parts out.")
        identity = {"model": opened.fingerprint(), "rows": n, "seed": seed, "block": BLOCK, **asked.identity()}
        write_parts(
            Path(to),
            lambda k: opened.block(k, n, seed=seed, asked=asked)[tables[0]],
            block_count(n),
            table=tables[0],
            identity=identity,
            workers=thread_count(workers),
            watch=watch,
        )
        return Path(to)
    place = source(to, form=form)
    if whole or len(tables) > 1 or name_of("sources", type(place)) == "folder":
        write(opened.sample(n, **said, seed=seed, workers=workers, watch=watch), to, form=form)
    else:
        blocks = opened.blocks(n, seed=seed, workers=workers, watch=watch, asked=asked)
        place.write_blocks(tables[0], (block[tables[0]] for block in blocks))
    return Path(to)


def impute(  # noqa: PLR0913 (what may be said of one table)
    data: Any,
    model: Model | str | Path | None = None,
    *,
    columns: Sequence[str] | None = None,
    draws: int = 1,
    how: How = "draw",
    synthesizer: str | Mapping[str, Any] | Synthesizer = "auto",
    rounds: int = 2,
    time_budget: float | str | None = None,
    seed: int = 0,
    workers: int | None = None,
    watch: Watch = silent,
) -> Dataset:
    """Fill what is missing in a table, by a model or by what the table itself shows; what is known stays as it is.

    Where no model is given, the table is learned with its missing cells, filled by draws, and learned again: a cell
    is then told from whole rows. Source of learning and filling in turn: Tanner and Wong (1987), data augmentation.

    Args:
        data: A dataset, blend, data frame or path.
        model: The model, or its folder. None learns the table itself, with its missing cells.
        columns: What to fill; None for all but ids, texts and other columns whose values are made up.
        draws: How many completed copies to make; several are stacked and numbered in a column `draw`.
        how: "draw" for cells that vary as they should, "best" for those of the least error.
        synthesizer: How to learn, where no model is given. "auto" compares those that can fill in rows.
        rounds: How often to learn, where no model is given.
        time_budget: How long to learn at most, where no model is given, in all rounds together.
        seed: The same seed gives the same cells.
        workers: Threads that fill blocks at the same time; None takes the cores there are.
        watch: Told of progress.

    Raises:
        CuveeError: The table can't be learned, or can't be filled; see `Model.impute`.
    """
    dataset = dataset_of(data)
    if model is None:
        opened = _rounds(dataset, synthesizer, columns, rounds, time_budget, seed, watch)
    else:
        opened = model if isinstance(model, Model) else load(model)
    if not isinstance(opened, Model):
        raise CuveeError(f"{model} is not a model. Make one with: cuvee fit FILE -o MODEL")
    return opened.impute(dataset, columns=columns, draws=draws, how=how, seed=seed, workers=workers, watch=watch)


def _rounds(
    data: Dataset,
    synthesizer: str | Mapping[str, Any] | Synthesizer,
    columns: Sequence[str] | None,
    rounds: int,
    time_budget: float | str | None,
    seed: int,
    watch: Watch,
) -> Model:
    """A model of a table that is learned and filled in turn.

    Raises:
        CuveeError: There are no rounds, or the table can't be learned or filled.
    """
    if not isinstance(rounds, int) or rounds < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ModelError(f"{rounds!r} rounds were asked for; their number is a whole number, 1 or more.")
    seconds = None if time_budget is None else seconds_of(time_budget) / rounds
    chosen: Any = {"auto": {"candidates": GIVEN}} if synthesizer == "auto" else synthesizer
    model = fit(data, chosen, time_budget=seconds, seed=seed, watch=watch)
    for k in range(1, rounds):
        whole = model.impute(data, columns=columns, seed=seed + k, watch=watch)
        if isinstance(model.learned, AutoLearned):
            # The comparison is made once.
            chosen = {"auto": {"candidates": (model.learned.choice,)}}
        model = fit(whole, chosen, time_budget=seconds, seed=seed, watch=watch)
    return model


def evaluate(  # noqa: PLR0913 (what a user may say, each by its name)
    synthetic: Any,
    *,
    train: Any,
    holdout: Any = None,
    predict: str | None = None,
    queries: Sequence[str] = (),
    metrics: Sequence[str | Mapping[str, Any] | Metric] | None = None,
    check: bool = True,
    seed: int = 0,
    watch: Watch = silent,
) -> Scores:
    """Compare synthetic rows with the rows that were learned from and with untouched real rows.

    Args:
        synthetic: One table.
        train: The real rows that the model saw.
        holdout: Real rows that it did not see; without them ceilings and privacy are not assessed.
        predict: Target of utility: a column, or one comparison such as "arr_delay > 15".
        queries: What you will ask of the data: SQL over the table `data` ("select sex, avg(age) from data group by
            sex"), or regressions ("income ~ age + sex"). Do they give the same on synthetic rows?
        metrics: Names or specs; None means all of the registry.
        check: Whether copies and a destroyed correlation are planted into fresh real rows, to see whether the metrics
            warn. Where they don't, the verdict of a report is withheld.
        seed: The same seed gives the same scores.
        watch: Told of progress.

    Raises:
        CuveeError: The tables have different columns, or are empty.
    """
    rng = generator(seed)
    trial = make_trial(
        dataset_of(train),
        None if holdout is None else dataset_of(holdout),
        dataset_of(synthetic),
        predict=predict,
        rng=rng,
        queries=[queries] if isinstance(queries, str) else queries,
    )
    chosen = list(entries("metrics")) if metrics is None else [metrics] if isinstance(metrics, str) else metrics
    specs = {
        (m if isinstance(m, str) else _name(spec)): spec
        for m in chosen
        for spec in [m if isinstance(m, Metric) else choose("metrics", m)]
    }
    return judge(trial, specs, seed=seed, watch=watch, check=check)


def _name(metric: Metric) -> str:
    """The name of a metric in the registry; of one that is not there, its class's."""
    try:
        return name_of("metrics", type(metric))
    except CuveeError:
        return type(metric).__name__.lower()


def _stated(data: Dataset) -> Sequence[Any]:
    """The constraints that the schema of the only table states."""
    return data.meaning.constraints if len(data) == 1 else ()


def _in_memory(
    data: Any, table: str | None, exclude: Sequence[str], rows: int | None, seed: int
) -> tuple[Dataset, dict[str, int], tuple[str, ...]]:
    """The data to learn, how many rows there are by table, and what is to be said of those that were left."""
    dataset = dataset_of(data)
    dataset = dataset if table is None else dataset.only(table)
    for column in exclude:
        dataset = dataset.without(column)
    counts = {t: f.height for t, f in dataset.tables.items()}
    if rows is None:
        return dataset, counts, ()
    frame = dataset.frame
    drawn = dataset.with_frame(dataset.name, frame[draw(frame.height, rows, seed)]) if rows < frame.height else dataset
    return drawn, counts, draw_note(frame.height, rows)


def _stream(data: Any, *, rows: int | None, stream: bool | None) -> Stream | None:
    """The table of a file where it is to be read in batches; None where it is read as a whole."""
    found = None
    ours = isinstance(data, (str, Path)) and (is_model(Path(data)) or (Path(data) / "manifest.json").is_file())
    if isinstance(data, (str, Path)) and stream is not False and not ours:
        found = source(data).in_batches()
    if found is None and stream:
        raise SourceError(
            "These data can't be read in batches: that takes a file, glob or folder of Parquet, or a CSV file. Write "
            "them as Parquet first, or leave stream out."
        )
    if found is None or (rows is None and stream is None and not does_not_fit(found.size)):
        return None
    return found


def _wanted(found: Stream, exclude: Sequence[str]) -> list[str]:
    """The columns of a table without those that are left out.

    Raises:
        SchemaError: One of these is not there.
    """
    for column in exclude:
        if column not in found.columns:
            hint = did_you_mean(column, found.columns)
            raise SchemaError(f"Table {found.table!r} has no column {column!r} to exclude.{hint}")
    return [c for c in found.columns if c not in exclude]
