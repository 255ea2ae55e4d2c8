"""The commands: each reads its arguments, calls one verb and shows what came out. Libraries load when one runs."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

import cuvee
from cuvee.cli.arguments import Balance, Data, Fair, Json, MaybeOut, Out, Rows, Seed, Several, Where, Workers

app = App(
    name="cuvee",
    version=cuvee.__version__,
    help="Blend messy sources into one trusted dataset, synthesise data like it, mix both, and prove it.",
    suppress_keyboard_interrupt=False,  # what was kept, and how to go on, is said by whoever was interrupted
)


@app.command
def demo(folder: Path = Path("cuvee-demo"), /, *, json: Json = False) -> int:
    """Run the whole job on real flights that cuvee ships: blend, fit, sample, mix, evaluate, report. No network.

    Args:
        folder: Where the data, the recipe and the results go; made if it is not there.
    """
    from cuvee.cli.runs import carry_out
    from cuvee.demo import unpack

    return carry_out(unpack(folder), json=json)


@app.command
def run(
    recipe: Path,
    /,
    *,
    dry: Annotated[bool, Parameter(negative=())] = False,
    from_step: Annotated[str | None, Parameter(name="--from")] = None,
    seed: int | None = None,
    json: Json = False,
) -> int:
    """Run a recipe. Steps whose inputs and settings have not changed are skipped.

    Args:
        recipe: The YAML file.
        dry: Check everything and print the recipe with all defaults filled in, but run nothing.
        from_step: Run this step again, and all that stand on it.
        seed: Replaces the recipe's seed.
    """
    from cuvee.cli.runs import carry_out

    return carry_out(recipe, dry=dry, from_step=from_step, seed=seed, json=json)


@app.command
def inspect(*files: str, out: MaybeOut = None, json: Json = False) -> None:
    """Find out what the columns mean, which are keys, which table refers to which, and what holds in every row.

    Args:
        files: Files, globs, folders or database URLs.
        out: Write the schema here (schema.yaml); only lines marked `# check` need a look.
    """
    from cuvee import verbs
    from cuvee.cli import show
    from cuvee.cli.inputs import read_all

    data = read_all(files)
    schema = verbs.inspect(data)
    if out is not None:
        schema.save(out)
    guesses = schema.guesses()
    if json:
        show.as_json(schema.model_dump(mode="json"))
        return
    show.table(guesses, ("table", "column", "guess", "confidence", "reason"))
    for name, frame in data.tables.items():
        show.line(f"{name}: {frame.height:,} rows, {frame.width} columns")
    if out is not None:
        show.line(f"written: {out}")


@app.command
def blend(
    *files: str,
    out: Out,
    match: Annotated[tuple[str, ...], Several] = (),
    resolve: Annotated[tuple[str, ...], Several] = (),
    trust: Annotated[tuple[str, ...], Several] = (),
    into: str | None = None,
    json: Json = False,
) -> None:
    """Link the records of several sources, settle what they disagree on, and relate them into one golden dataset.

    Args:
        files: The sources; each is named after its file.
        out: The blend's folder.
        match: What says that two records are the same thing (`email`, `normalised:email`, `keyed:ssn@SECRET`), or that
            one refers to another (`flights.tailnum -> planes.tailnum`). Repeat for more. Else found in the data.
        resolve: `COLUMN=RULE`, or `RULE` for all columns. Repeat for more.
        trust: A source, most trusted first. Repeat for more.
        into: Attach all that it refers to, column by column, to this source.
    """
    from cuvee import verbs
    from cuvee.cli import progress, show

    halves = [one.partition("=") for one in resolve]
    rules = {column if sign else "default": rule or column for column, sign, rule in halves}
    with progress.drawn() as watch:
        made = verbs.blend(*files, match=list(match) or None, resolve=rules, trust=trust, into=into, watch=watch)
        made.save(out)
    if json:
        show.as_json(made.summary.model_dump(mode="json"))
        return
    for note in made.summary.notes:
        show.line(note)
    show.line(f"written: {out}")


@app.command
def path(blend: Path, start: str, end: str, /, *, json: Json = False) -> None:
    """Find the shortest path between two entities of a blend.

    Args:
        blend: The blend's folder.
        start: The first node, by its label (`JFK`) or by source and key (`airports:JFK`).
        end: The last node.
    """
    from cuvee.blending.blend import Blend
    from cuvee.cli import show

    found = Blend.load(blend).path(start, end)
    if json:
        show.as_json(found.to_dicts())
        return
    if found.is_empty():
        show.line(f"There is no path between {start} and {end}.")
        return
    show.table(found.to_dicts(), found.columns)


@app.command
def fit(
    file: str,
    /,
    *,
    out: Out,
    synthesizer: str = "auto",
    table: str | None = None,
    exclude: Annotated[tuple[str, ...], Several] = (),
    constraint: Annotated[tuple[str, ...], Several] = (),
    rows: int | None = None,
    stream: Annotated[bool | None, Parameter(negative="--no-stream")] = None,
    time_budget: str | None = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Learn a dataset. The model holds statistics, never rows.

    A Parquet or CSV file that would not fit in memory is read in batches: one pass, an even draw of rows to learn from,
    exact counts of all. Interrupted, the same command goes on where it was.

    Args:
        file: The data: a file, a glob or folder of parts, a folder of tables, or a blend's folder.
        out: The model's folder.
        synthesizer: How to learn; see `cuvee models`.
        table: The table to learn, where there are several.
        exclude: A column to leave out. Repeat for more.
        constraint: What holds in every row that is made, such as "end >= start", "total = price * quantity" or
            "{follows: b, from: [a]}"; see `cuvee models constraints`. Repeat for more.
        rows: Learn from at most so many rows, drawn evenly. Without it all, or a million of a file read in batches.
        stream: Read the file in batches, or do not; else that is done where it would not fit in memory.
        time_budget: How long to learn at most, such as 60s or 5m; for synthesizers that have one.
    """
    from cuvee import verbs
    from cuvee.cli import progress, show
    from cuvee.cli.written import plain_value

    with progress.drawn() as watch:
        model = verbs.fit(
            file,
            synthesizer,
            table=table,
            exclude=exclude,
            constraints=[plain_value(c) for c in constraint],
            rows=rows,
            stream=stream,
            checkpoint=out.with_name(f"{out.name}.checkpoint"),
            time_budget=time_budget,
            seed=seed,
            watch=watch,
        )
        model.save(out)
    if json:
        told = {"synthesizer": model.name, "rows": dict(model.rows), "notes": list(model.notes)}
        show.as_json({"model": str(out), **told})
        return
    for note in model.notes:
        show.line(note)
    show.line(f"written: {out}")


@app.command
def sample(
    model: Path,
    /,
    *,
    rows: Rows = None,
    out: Data,
    where: Where = None,
    given: str | None = None,
    balance: Balance = (),
    fair: Fair = None,
    parts: Annotated[bool, Parameter(negative=())] = False,
    workers: Workers = None,
    seed: Seed = 0,
) -> None:
    """Make synthetic rows. Parquet and CSV are written as the rows are made, in constant memory, however many.

    Args:
        model: The model's folder.
        given: Rows of some of the columns: their cells stay, the others and empty ones are drawn to go with them.
        parts: Write a folder of numbered Parquet files. Interrupted, the same command makes only the missing ones.
    """
    from cuvee import verbs
    from cuvee.cli import progress
    from cuvee.cli.written import fairness, shares

    asked: Any = {"where": where, "given": given, "balance": shares(balance), "fair": fairness(fair), "parts": parts}
    asked |= {"to": out, "form": "csv" if out == "-" else None}
    with progress.drawn() as watch:
        verbs.sample(model, rows, **asked, seed=seed, workers=workers, watch=watch)


@app.command
def impute(
    file: str,
    /,
    *,
    out: Data,
    model: Path | None = None,
    columns: str | None = None,
    draws: int = 1,
    best: Annotated[bool, Parameter(negative=())] = False,
    seed: Seed = 0,
) -> None:
    """Fill what is missing in a table with values that go with the rest of each row; what is known stays as it is.

    Args:
        file: The table.
        model: A model's folder. Without it the table itself is learned, with its missing cells.
        columns: What to fill, such as age,income. Without it all but ids, texts and names.
        draws: How many completed copies to make; several are stacked and numbered in a column draw.
        best: The one value of the least error for each cell, where a draw would vary as the data do.
    """
    from cuvee import verbs
    from cuvee.cli import progress

    named = None if columns is None else [c.strip() for c in columns.split(",")]
    with progress.drawn() as watch:
        how = "best" if best else "draw"
        made = verbs.impute(file, model, columns=named, draws=draws, how=how, seed=seed, watch=watch)
    verbs.write(made, out, form="csv" if out == "-" else None)


@app.command
def mix(real: str, synthetic: str, /, *, out: Data, share: float, seed: Seed = 0) -> None:
    """Mix all real rows with as many synthetic ones as make up a share; the column `_origin` tells them apart.

    Args:
        real: Real rows.
        synthetic: Synthetic rows.
        share: The synthetic share of the result, from 0 to 1.
    """
    from cuvee import verbs

    verbs.write(verbs.mix(real, synthetic, share=share, seed=seed), out, form="csv" if out == "-" else None)


@app.command
def evaluate(
    synthetic: str,
    /,
    *,
    train: str,
    holdout: str | None = None,
    predict: str | None = None,
    query: Annotated[tuple[str, ...], Several] = (),
    metric: Annotated[tuple[str, ...], Several] = (),
    out: MaybeOut = None,
    shareable: MaybeOut = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Compare synthetic rows with real ones: each figure beside independent columns and a real holdout.

    Args:
        synthetic: Synthetic rows.
        train: The real rows that the model was fitted on.
        holdout: Real rows that it did not see. Without them, privacy is not assessed.
        predict: The target that the data shall be useful for: a column, or one comparison ("arr_delay > 15").
        query: What you will ask of the data: SQL over the table `data`, or a regression ("y ~ a + b"). Repeat for more.
        metric: Only this metric. Repeat for more.
        out: Write the report here (.html, .md or .json).
        shareable: Write a report here that may leave the house: nothing of the real rows but what it declares.
    """
    from cuvee import verbs
    from cuvee.cli import progress, show

    real, made = verbs.read(train), verbs.read(synthetic)
    fresh = None if holdout is None else verbs.read(holdout)
    with progress.drawn() as watch:
        scores = verbs.evaluate(
            made,
            train=real,
            holdout=fresh,
            predict=predict,
            queries=query,
            metrics=metric or None,
            seed=seed,
            watch=watch,
        )
    if out is not None:
        from cuvee.reporting import report as make

        make(scores, train=real, holdout=fresh, synthetic=made, seed=seed).save(out)
    if shareable is not None:
        from cuvee.reporting import report as make

        make(scores, synthetic=made, shareable=True, seed=seed).save(shareable)
    if json:
        from json import loads

        show.as_json(loads(scores.to_json()))
        return
    show.table(
        [
            {
                "score": s.name,
                "value": s.value,
                "independent_columns": s.floor,
                "real_holdout": s.ceiling,
                "verdict": s.verdict,
            }
            for s in scores
        ],
        ("score", "value", "independent_columns", "real_holdout", "verdict"),
    )
    for written in (out, shareable):
        if written is not None:
            show.line(f"written: {written}")
