"""What a report is made of: the values that were given, sorted by what they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from cuvee import verbs
from cuvee.blending.blend import Blend
from cuvee.core import Model, Scores
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError
from cuvee.data.schema import Schema
from cuvee.recipe import Run
from cuvee.simulation.value import Simulation

ORIGIN = "_origin"


@dataclass(frozen=True, slots=True)
class Material:
    """What was given or found in a run. Names are those of a recipe's steps, or empty.

    Attributes:
        blends: Blends by name.
        models: Models by name.
        mixes: Mixed data (or a value with `data` and `curve`) by name.
        scores: The scores.
        real: Real rows that were learned from.
        holdout: Real rows that were set aside.
        synthetic: Synthetic rows.
        run: The run of a recipe.
        simulations: Simulations by name.
    """

    blends: tuple[tuple[str, Blend], ...] = ()
    models: tuple[tuple[str, Model], ...] = ()
    mixes: tuple[tuple[str, Any], ...] = ()
    scores: Scores | None = None
    real: Dataset | None = None
    holdout: Dataset | None = None
    synthetic: Dataset | None = None
    run: Run | None = None
    simulations: tuple[tuple[str, Simulation], ...] = ()


def gather(values: Iterable[Any]) -> Material:
    """The values of a report sorted by what they are.

    Raises:
        CuveeError: A value is none of those that a report can show, or data of which nobody says what it is.
    """
    material = Material()
    for value in values:
        material = _add(material, "", value)
    return material


def completed(
    material: Material, *, real: Any, train: Any, holdout: Any, synthetic: Any, predict: str | None, seed: int
) -> Material:
    """The material with the data that was named, and scored where there is real and synthetic data but no score."""
    seen = _origin_parts(material)
    learned, made = _dataset(train if train is not None else real), _dataset(synthetic)
    holdout = _dataset(holdout)
    scores = material.scores
    if scores is None and learned is not None and made is not None and len(learned) == len(made) == 1:
        scores = verbs.evaluate(made, train=learned, holdout=holdout, predict=predict, seed=seed)
    return replace(
        material,
        real=_dataset(real) or learned or material.real or seen.get("real"),
        holdout=holdout or material.holdout,
        synthetic=made or material.synthetic or seen.get("synthetic"),
        scores=scores,
    )


def _add(material: Material, name: str, value: Any) -> Material:
    """The material with one more value."""
    if isinstance(value, (str, Path)):
        return _add(material, Path(value).stem, _opened(Path(value)))
    if isinstance(value, Run):
        made = _of_run(material, value)
    elif isinstance(value, Scores):
        made = replace(material, scores=value)
    elif isinstance(value, Blend):
        made = replace(material, blends=(*material.blends, (name, value)))
    elif isinstance(value, Simulation):
        made = replace(material, simulations=(*material.simulations, (name, value)))
    elif isinstance(value, Model):
        made = replace(material, models=(*material.models, (name, value)))
    else:
        mixed = value if _mixed(value) is not None else _marked(value)
        made = replace(material, mixes=(*material.mixes, (name, mixed)))
    return made


def _marked(value: Any) -> Dataset:
    """Data whose rows say where they come from."""
    if isinstance(value, Dataset) or hasattr(value, "__arrow_c_stream__"):
        data = Dataset.of(value)
        if any(ORIGIN in f.columns for f in data.tables.values()):
            return data
        raise CuveeError(
            f"A report can't tell what {data} is: it has no column {ORIGIN!r}. Say it: real=..., synthetic=... or "
            "holdout=..."
        )
    raise CuveeError(
        "A report is made of a run, scores, blends, models, simulations and mixed data; "
        f"a {type(value).__name__} was given."
    )


def _of_run(material: Material, run: Run) -> Material:
    """The values of a run that a report shows, and the data that its last evaluation compared."""
    material = replace(material, run=run)
    for name, value in run.values.items():
        shown = isinstance(value, (Scores, Blend, Model, Simulation)) or _mixed(value) is not None
        if shown or (isinstance(value, Dataset) and any(ORIGIN in f.columns for f in value.tables.values())):
            material = _add(material, name, value)
    judged = [step.inputs for step in run.steps if step.verb == "evaluate"]
    if not judged:
        return material
    compared = {role: _dataset(run.value(reference)) for role, reference in judged[-1].items()}
    real, synthetic = compared.get("train"), compared.get("synthetic")
    return replace(material, real=real, holdout=compared.get("holdout"), synthetic=synthetic)


def _mixed(value: Any) -> Dataset | None:
    """The data of a value that is mixed data with the curve that justified its share."""
    data = getattr(value, "data", None)
    return data if isinstance(data, Dataset) and isinstance(getattr(value, "curve", None), pl.DataFrame) else None


def mixed_data(value: Any) -> Dataset:
    """The rows of one of `Material.mixes`."""
    return _mixed(value) or Dataset.of(value)


def _origin_parts(material: Material) -> Mapping[str, Dataset]:
    """Real and synthetic rows of mixed data, where that is all there is."""
    for _, value in material.mixes:
        data = mixed_data(value)
        if len(data) == 1 and ORIGIN in data.frame.columns:
            kept = {c: column for c, column in data.meaning.columns.items() if c != ORIGIN}
            schema = Schema(tables={data.name: data.meaning.model_copy(update={"columns": kept})})
            parts = data.frame.partition_by(ORIGIN, include_key=False, as_dict=True)
            return {str(o): Dataset({data.name: rows}, schema) for (o,), rows in parts.items()}
    return {}


def _opened(path: Path) -> Any:
    return Scores.from_json(path.read_text("utf-8")) if path.suffix == ".json" else verbs.load(path)


def _dataset(value: Any) -> Dataset | None:
    """The dataset of a dataset, blend, path or data frame."""
    if value is None or isinstance(value, Dataset):
        return value
    if isinstance(value, (str, Path)):
        value = verbs.load(value)
    if isinstance(value, Model):
        raise CuveeError("A model was given where data is wanted. Sample it first: cuvee.sample(model, 1000)")
    return value.data if isinstance(value, Blend) else Dataset.of(value)
