"""Values as files, exactly: what is opened equals what was saved."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cuvee.core import Model, Scores
from cuvee.data.dataset import Dataset
from cuvee.data.errors import RecipeError
from cuvee.data.schema import Schema


def kind_of(value: Any) -> str:
    """The kind of a value, as the store names it."""
    from cuvee.blending.blend import Blend
    from cuvee.mixing.mixed import Mixed
    from cuvee.simulation.value import Simulation
    from cuvee.verbs import Split

    kinds: Mapping[type[Any], str] = {
        Dataset: "data",
        Blend: "blend",
        Split: "split",
        Mixed: "mixed",
        Model: "model",
        Scores: "scores",
        Schema: "schema",
        Simulation: "simulation",
    }
    return kinds[type(value)]


def save_value(value: Any, folder: Path, kind: str) -> None:
    """Write a value into an empty folder.

    Raises:
        RecipeError: A column has Python objects, which no file can hold.
    """
    _SAVE[kind](value, folder)


def load_value(folder: Path, kind: str) -> Any:
    """Read what `save_value` wrote."""
    return _LOAD[kind](folder)


def rows_of(value: Any) -> dict[str, int]:
    """Rows by table (or by side of a split), where a value has rows."""
    from cuvee.blending.blend import Blend
    from cuvee.mixing.mixed import Mixed
    from cuvee.verbs import Split

    if isinstance(value, Split):
        return {"train": value.train.frame.height, "holdout": value.holdout.frame.height}
    data = value.data if isinstance(value, (Blend, Mixed)) else getattr(value, "draws", value)
    return {name: frame.height for name, frame in data.tables.items()} if isinstance(data, Dataset) else {}


def told(value: Any) -> str:
    """What a step gave, in words."""
    from cuvee.blending.blend import Blend
    from cuvee.mixing.mixed import Mixed
    from cuvee.verbs import Split

    if isinstance(value, Blend):
        return f"{_sizes(value.data)}; {value.links.height:,} links"
    if isinstance(value, (Dataset, Mixed)):
        return _sizes(value if isinstance(value, Dataset) else value.data)
    if isinstance(value, Model):
        columns = sum(len(t.columns) for t in value.schema.tables.values())
        return f"{value.name}, learned from {sum(value.rows.values()):,} rows, {columns} columns"
    if isinstance(value, Scores):
        figures = [f"{s.name} {s.value:.3f}" for s in value.scores if s.value is not None]
        return ", ".join(figures) or "nothing could be assessed"
    if isinstance(value, Schema):
        return f"{len(value.tables)} tables, {sum(len(t.columns) for t in value.tables.values())} columns"
    sides = ", ".join(f"{side} {n:,} rows" for side, n in rows_of(value).items())
    return sides if isinstance(value, Split) else f"{value.n:,} draws, {value.risk.height} figures"


def _sizes(data: Dataset) -> str:
    if len(data) == 1:
        return f"{data.frame.height:,} rows, {data.frame.width} columns"
    return ", ".join(f"{name} {frame.height:,} rows" for name, frame in data.tables.items())


def _save_data(data: Dataset, folder: Path) -> None:
    from polars.exceptions import PolarsError

    folder.mkdir(exist_ok=True)
    names = {name: f"{position}.parquet" for position, name in enumerate(data.tables)}
    for name, frame in data.tables.items():
        try:
            frame.write_parquet(folder / names[name])
        except PolarsError as error:
            objects = [c for c, t in frame.schema.items() if t.is_object()]
            said = f"the columns {objects} hold Python objects" if objects else str(error).splitlines()[0]
            raise RecipeError(f"Table {name!r} can't be kept: {said}. Make them text or numbers first.") from error
    # JSON keeps confidences and reasons, which schema.yaml tells only to people; file names may be any words.
    (folder / "schema.json").write_text(data.schema.model_dump_json(indent=1), "utf-8")
    (folder / "tables.json").write_text(json.dumps(names, indent=1), "utf-8")


def _load_data(folder: Path) -> Dataset:
    import polars as pl

    names = json.loads((folder / "tables.json").read_text("utf-8"))
    return Dataset({name: pl.read_parquet(folder / file) for name, file in names.items()}, _load_schema(folder))


def _save_blend(blend: Any, folder: Path) -> None:
    blend.save(folder / "blend")


def _load_blend(folder: Path) -> Any:
    from cuvee.blending.blend import Blend

    return Blend.load(folder / "blend")


def _save_split(split: Any, folder: Path) -> None:
    _save_data(split.train, folder / "train")
    _save_data(split.holdout, folder / "holdout")


def _load_split(folder: Path) -> Any:
    from cuvee.verbs import Split

    return Split(_load_data(folder / "train"), _load_data(folder / "holdout"))


def _save_mixed(mixed: Any, folder: Path) -> None:
    _save_data(mixed.data, folder / "data")
    mixed.curve.write_parquet(folder / "curve.parquet")


def _load_mixed(folder: Path) -> Any:
    import polars as pl

    from cuvee.mixing.mixed import Mixed

    return Mixed(_load_data(folder / "data"), pl.read_parquet(folder / "curve.parquet"))


def _save_model(model: Model, folder: Path) -> None:
    model.save(folder / "model")


def _load_model(folder: Path) -> Any:
    from cuvee import verbs

    return verbs.load(folder / "model")


def _save_scores(scores: Scores, folder: Path) -> None:
    scores.save(folder / "scores.json")


def _load_scores(folder: Path) -> Scores:
    return Scores.from_json((folder / "scores.json").read_text("utf-8"))


def _save_schema(schema: Schema, folder: Path) -> None:
    (folder / "schema.json").write_text(schema.model_dump_json(indent=1), "utf-8")


def _load_schema(folder: Path) -> Schema:
    return Schema.model_validate_json((folder / "schema.json").read_text("utf-8"))


def _save_simulation(done: Any, folder: Path) -> None:
    done.save(folder / "simulation")


def _load_simulation(folder: Path) -> Any:
    from cuvee.simulation.value import Simulation

    return Simulation.load(folder / "simulation")


_SAVE: Mapping[str, Callable[[Any, Path], None]] = {
    "data": _save_data,
    "blend": _save_blend,
    "split": _save_split,
    "mixed": _save_mixed,
    "model": _save_model,
    "scores": _save_scores,
    "schema": _save_schema,
    "simulation": _save_simulation,
}
_LOAD: Mapping[str, Callable[[Path], Any]] = {
    "data": _load_data,
    "blend": _load_blend,
    "split": _load_split,
    "mixed": _load_mixed,
    "model": _load_model,
    "scores": _load_scores,
    "schema": _load_schema,
    "simulation": _load_simulation,
}
