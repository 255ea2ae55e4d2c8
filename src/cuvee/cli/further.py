"""Further commands: simulate and report, and what there is to choose, to install and to complete."""

from pathlib import Path

from cuvee.cli.arguments import Data, Draws, Group, Json, MaybeOut, Out, Page, Seed
from cuvee.cli.commands import app


@app.command
def simulate(
    scenario: Path,
    /,
    *,
    draws: Draws = None,
    out: Data | None = None,
    report: Page = None,
    seed: Seed = 0,
    json: Json = False,
) -> int:
    """Draw from a scenario by Monte Carlo: risk with its error, and what it hangs on. Ctrl-C keeps what there is.

    Args:
        scenario: The YAML file: variables, how they hang together, what may happen, what is asked.
        out: The draws: a file of any form, or - for CSV on standard output. Without it they are not kept.
    """
    from cuvee import verbs
    from cuvee.cli import DONE, INTERRUPTED, progress
    from cuvee.cli.simulated import show_simulation
    from cuvee.data.errors import CuveeError

    if out == "-" and json:
        raise CuveeError("Draws and figures can't both go to standard output. Write the draws to a file: -o draws.csv")

    with progress.drawn() as watch:
        form = "csv" if out == "-" else None
        done = verbs.simulate(scenario, draws, to=out, form=form, keep=False, seed=seed, watch=watch)
    if report is not None:
        from cuvee.reporting import report as make

        make(done).save(report)
    if out != "-":
        show_simulation(done, json=json, written=[w for w in (out, report) if w is not None])
    return INTERRUPTED if done.stopped == "interrupted" else DONE


@app.command
def report(
    *,
    out: Out,
    train: str | None = None,
    holdout: str | None = None,
    synthetic: str | None = None,
    blend: Path | None = None,
    model: Path | None = None,
    predict: str | None = None,
    title: str | None = None,
    seed: Seed = 0,
) -> None:
    """Write one self-contained page about a blend, a model, or synthetic data beside real data.

    Args:
        train: The real rows that the model was fitted on.
        holdout: Real rows that it did not see.
        synthetic: Synthetic rows.
        blend: A blend's folder.
        model: A model's folder.
        predict: The target that the data shall be useful for.
        title: The title of the page.
    """
    from cuvee import verbs
    from cuvee.cli import show
    from cuvee.reporting import report as make

    values = [verbs.load(folder) for folder in (blend, model) if folder is not None]
    real, fresh, twins = (None if place is None else verbs.read(place) for place in (train, holdout, synthetic))
    make(*values, train=real, holdout=fresh, synthetic=twins, predict=predict, title=title, seed=seed).save(out)
    show.line(f"written: {out}")


@app.command
def models(group: Group = "synthesizers", /, *, json: Json = False) -> None:
    """List what can be chosen by name, what it handles, and which extra it needs.

    Args:
        group: What to list.
    """
    from cuvee.cli import show
    from cuvee.cli.choices import choices

    rows = choices(group)
    if json:
        show.as_json(rows)
        return
    more = {"sources": ("endings",), "synthesizers": ("can",)}.get(group, ())
    show.table(rows, ("name", "what", "handles", "needs", *more))


@app.command
def doctor(*, json: Json = False) -> None:
    """Say what is installed, what this machine has, and how to get what is missing."""
    from cuvee.cli import show
    from cuvee.cli.machine import examine

    found = examine()
    if json:
        show.as_json(found)
        return
    show.table([{"what": w, "found": f} for w, f in found["machine"].items()], ("what", "found"))
    show.line()
    show.table(found["extras"], ("extra", "installed", "missing", "install"))


@app.command
def schema(*, out: MaybeOut = None) -> None:
    """Print the JSON Schema of recipes, for an editor's completion.

    Args:
        out: Write it here instead.
    """
    from json import dumps

    from cuvee.cli import show
    from cuvee.recipe import recipe_schema

    if out is None:
        show.as_json(recipe_schema())
    else:
        out.write_text(dumps(recipe_schema(), indent=1) + "\n", "utf-8")
