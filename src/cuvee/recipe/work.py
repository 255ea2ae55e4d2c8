"""What each verb of a recipe does with its inputs, and how what it gave is written outside."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np

from cuvee import verbs
from cuvee.blending.blend import Blend
from cuvee.core import Model, Scores, Watch
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, RecipeError, SchemaError
from cuvee.data.names import did_you_mean
from cuvee.data.schema import Schema
from cuvee.mixing.curve import share_curve
from cuvee.mixing.mixed import Mixed
from cuvee.recipe.content import SourceSpec
from cuvee.recipe.inputs import location, options
from cuvee.recipe.steps import (
    BlendStep,
    EvaluateStep,
    FitStep,
    ImputeStep,
    InspectStep,
    MixStep,
    SampleStep,
    SimulateStep,
    SplitStep,
    Step,
)
from cuvee.simulation.value import Simulation

Given = Mapping[str, Any]
"""The inputs of a step by their role."""


def read_source(name: str, source: SourceSpec, folder: Path) -> Dataset:
    """Read a source of a recipe; its only table has the name of the source.

    Raises:
        SourceError: It can't be read.
    """
    return verbs.read(location(source, folder), name=name, key=source.key, form=source.form, **options(source))


def part_of(value: Any, part: str, name: str) -> Any:
    """A part of a step's value: a side of a split, a table of data; without a part, golden data of a blend, or draws.

    Raises:
        SchemaError: There is no such table.
    """
    if isinstance(value, verbs.Split):
        return {"train": value.train, "holdout": value.holdout}.get(part, value)
    data = value.data if isinstance(value, (Blend, Mixed)) else value
    data = data.draws if isinstance(data, Simulation) else data
    if not part or not isinstance(data, Dataset) or (part == "data" and part not in data.tables):
        return data
    if part not in data.tables:
        raise SchemaError(f"{name!r} has no table {part!r}.{did_you_mean(part, data.tables)}")
    return data.only(part)


def perform(step: Step, given: Given, *, seed: int | None, watch: Watch) -> Any:
    """Do what a step says.

    Args:
        step: The step.
        given: Its inputs by role.
        seed: The step's seed; None where it draws no random numbers.
        watch: Told of progress.

    Raises:
        CuveeError: The verb can't do it with these inputs.
    """
    return _DO[type(step)](step, given, seed, watch)


def write_value(value: Any, path: Path) -> None:
    """Write what a step gave: beside first, then moved into place.

    Raises:
        CuveeError: It can't be written; what stood there before still does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(value, (Dataset, Mixed)):
        verbs.write(value if isinstance(value, Dataset) else value.data, path)
    elif isinstance(value, verbs.Split):
        verbs.write(_both(value), path)
    elif isinstance(value, Blend) and path.suffix:
        verbs.write(value.data, path)
    elif isinstance(value, Simulation) and path.suffix and value.draws is not None:
        verbs.write(value.draws, path)
    elif isinstance(value, (Blend, Model, Simulation)):
        _replace_folder(path, value.save)
    elif isinstance(value, (Scores, Schema)):
        beside = path.with_name(f".{path.name}.{token_hex(4)}.part")
        try:
            value.save(beside)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def _blend(step: BlendStep, given: Given, seed: int | None, watch: Watch) -> Any:
    del seed
    named: dict[str, Dataset] = {}
    for name, data in given.items():
        # A source of several tables takes part with each of them, under the table's name.
        for table in data.tables:
            one = name if len(data) == 1 else table
            if one in named:
                raise CuveeError(f"Two tables of this blend are called {one!r}. Give one of the sources another name.")
            named[one] = data if len(data) == 1 else data.only(table)
    return verbs.blend(named, match=step.match, resolve=step.resolve, trust=step.trust, into=step.into, watch=watch)


def _split(step: SplitStep, given: Given, seed: int | None, watch: Watch) -> Any:
    del watch
    return verbs.split(given["data"], holdout=step.holdout, by=step.by, seed=seed or 0)


def _fit(step: FitStep, given: Given, seed: int | None, watch: Watch) -> Any:
    return verbs.fit(
        given["data"],
        step.synthesizer,
        table=step.table,
        exclude=step.exclude,
        constraints=step.constraints,
        time_budget=step.time_budget,
        seed=seed or 0,
        watch=watch,
    )


def _sample(step: SampleStep, given: Given, seed: int | None, watch: Watch) -> Any:
    known = given.get("given")
    asked: dict[str, Any] = {"where": step.where, "given": known, "balance": step.balance, "fair": step.fair}
    return verbs.sample(given["model"], step.rows, **asked, seed=seed or 0, watch=watch)


def _impute(step: ImputeStep, given: Given, seed: int | None, watch: Watch) -> Any:
    return verbs.impute(
        given["data"],
        given.get("model"),
        columns=step.columns,
        draws=step.draws,
        how=step.how,
        seed=seed or 0,
        watch=watch,
    )


def _mix(step: MixStep, given: Given, seed: int | None, watch: Watch) -> Any:
    data = verbs.mix(given["real"], given["synthetic"], share=step.share, seed=seed or 0)
    if step.predict is None or given.get("holdout") is None:
        return data
    rng = np.random.default_rng(seed or 0)
    real, made, holdout = given["real"], given["synthetic"], given["holdout"]
    return Mixed(data, share_curve(real, made, holdout, predict=step.predict, rng=rng, watch=watch))


def _evaluate(step: EvaluateStep, given: Given, seed: int | None, watch: Watch) -> Any:
    return verbs.evaluate(
        given["synthetic"],
        train=given["train"],
        holdout=given.get("holdout"),
        predict=step.predict,
        queries=step.queries,
        metrics=step.metrics,
        seed=seed or 0,
        watch=watch,
    )


def _inspect(step: InspectStep, given: Given, seed: int | None, watch: Watch) -> Any:
    del step, seed, watch
    return verbs.inspect(given["data"])


def _simulate(step: SimulateStep, given: Given, seed: int | None, watch: Watch) -> Any:
    done = verbs.simulate(step.simulate, data=given, seed=seed or 0, watch=watch)
    if done.stopped == "interrupted":
        # What a step gives is kept under what was asked for: part of it is not that.
        raise KeyboardInterrupt
    return done


_DO: Mapping[type[Step], Callable[[Any, Given, int | None, Watch], Any]] = {
    BlendStep: _blend,
    SplitStep: _split,
    FitStep: _fit,
    SampleStep: _sample,
    ImputeStep: _impute,
    MixStep: _mix,
    EvaluateStep: _evaluate,
    InspectStep: _inspect,
    SimulateStep: _simulate,
}


def _both(split: Any) -> Dataset:
    """Both sides of a split as the tables of one dataset."""
    meaning = split.train.meaning.model_copy(update={"foreign_keys": ()})
    sides = {"train": split.train.frame, "holdout": split.holdout.frame}
    return Dataset(sides, Schema(tables={side: meaning for side in sides}))  # noqa: C420 (a typed value)


def _replace_folder(path: Path, save: Callable[[Path], None]) -> None:
    """Write a folder beside and put it in place of an older one, if that is a model or a blend."""
    known = ("model.json", "manifest.json", "simulation.json")
    if path.exists() and not (path.is_dir() and (not any(path.iterdir()) or any((path / k).is_file() for k in known))):
        raise RecipeError(
            f"{path} is there already and is no model, blend or simulation. Remove it, or give another folder."
        )
    beside = path.with_name(f".{path.name}.{token_hex(4)}.part")
    before = path.with_name(f".{path.name}.{token_hex(4)}.before")
    try:
        save(beside)
        if path.exists():
            path.rename(before)
        beside.rename(path)
    finally:
        if before.exists() and not path.exists():
            before.rename(path)
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(before, ignore_errors=True)
