"""Runs a recipe: step by step, skipping what has not changed."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import cuvee
from cuvee.core import Event, Watch, silent
from cuvee.data.errors import CuveeError, RecipeError
from cuvee.data.names import did_you_mean
from cuvee.recipe.checks import missing_sources
from cuvee.recipe.content import SourceSpec
from cuvee.recipe.gates import judge_gates
from cuvee.recipe.job import Interrupted, Job
from cuvee.recipe.keys import key_of, parents
from cuvee.recipe.model import Recipe
from cuvee.recipe.results import Run, Values
from cuvee.recipe.steps import EvaluateStep
from cuvee.recipe.store import Store
from cuvee.registry import REPORT

STORE = ".cuvee"
"""The folder beside a recipe where values are kept."""


def run(
    recipe: str | Path | Recipe,
    *,
    dry: bool = False,
    from_step: str | None = None,
    seed: int | None = None,
    store: str | Path | Store | None = None,
    watch: Watch = silent,
) -> Run:
    """Run a recipe.

    Args:
        recipe: Its file, or a recipe that was read.
        dry: Check everything and say what would be skipped, but run and write nothing; databases are not read.
        from_step: Run this step again, and all that stand on it, though nothing changed.
        seed: Replaces the recipe's seed.
        store: The folder where values are kept; `.cuvee` beside the recipe where it is left out.
        watch: Told when a step begins and ends, and of progress inside.

    Raises:
        RecipeError: The recipe is wrong, a source is not there, or a step failed; with file, line and column.
        Interrupted: Ctrl-C; what was finished is kept.
    """
    loaded = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    loaded = loaded if seed is None else loaded.with_seed(_whole(seed))
    if from_step is not None and from_step not in loaded.steps:
        raise RecipeError(f"The recipe has no step {from_step!r} to run from.{did_you_mean(from_step, loaded.steps)}")
    loaded.places.refuse(missing_sources(_used(loaded), loaded.places, loaded.folder))
    where = store if isinstance(store, Store) else Store(Path(store) if store is not None else loaded.folder / STORE)
    job = Job(loaded, where, watch, _forced(loaded, from_step))
    for name, step in loaded.steps.items():
        job.plan(name, step) if dry else job.step(name, step)
    made = Run(
        loaded,
        tuple(job.records),
        Values(tuple(loaded.steps), job.value),
        cuvee.__version__,
        loaded.seed,
        job.reference,
        dry=dry,
    )
    return made if dry else _finished(made, job)


def _whole(seed: int) -> int:
    if seed < 0:
        raise RecipeError(f"The seed is {seed}; it must be 0 or more.")
    return seed


def _used(recipe: Recipe) -> dict[str, SourceSpec]:
    """The sources that a step refers to; others are not looked at."""
    wanted = {name for step in recipe.steps.values() for name in parents(step)}
    return {name: source for name, source in recipe.sources.items() if name in wanted}


def _forced(recipe: Recipe, from_step: str | None) -> frozenset[str]:
    """The step to run from, and all that stand on it."""
    forced: set[str] = set()
    for name, step in recipe.steps.items():
        if name == from_step or forced & set(parents(step)):
            forced.add(name)
    return frozenset(forced)


def _finished(made: Run, job: Job) -> Run:
    """The run with its gates judged and its report written."""
    recipe, report = made.recipe, made.recipe.report
    written = tuple(recipe.folder / step.save for step in recipe.steps.values() if step.save is not None)
    if report is None:
        return replace(made, written=written)
    path = recipe.folder / report.save
    pages = (path,) if report.shareable is None else (path, recipe.folder / report.shareable)
    key = key_of({
        "report": report.model_dump(mode="json"),
        "text": recipe.text,
        "seed": recipe.seed,
        "steps": [[record.name, record.key] for record in made.steps],
    })  # fmt: skip
    try:
        judged = {n: made.values[n] for n, s in recipe.steps.items() if isinstance(s, EvaluateStep) and report.fail_if}
        made = replace(made, gates=judge_gates(report.fail_if, judged))
        for page in pages:
            if job.forced or job.store.written(page) != key:
                _write_report(made, page, job.watch, shareable=page != path)
                job.store.note(page, key)
    except KeyboardInterrupt:
        raise Interrupted(tuple(record.name for record in made.steps), "report") from None
    except CuveeError as error:
        raise job.told(error, ("report",)) from None
    return replace(made, written=(*written, *pages))


def _write_report(made: Run, path: Path, watch: Watch, *, shareable: bool) -> None:
    watch(Event("report", 0, 0, path.name))
    module, _, name = REPORT.partition(":")
    path.parent.mkdir(parents=True, exist_ok=True)
    getattr(import_module(module), name)(made, shareable=shareable).save(path)
    watch(Event("report", 1, 1))
