"""Everything that a report shows, as plain data: what `report.json` holds and the page is made of.

Aggregates only. Names of tables and columns stand here as they are; values of the data only as categories that at least
five real rows share.
"""

import math
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import polars as pl
from numpy.random import Generator

from cuvee.blending.blend import Blend
from cuvee.core import Model, Score
from cuvee.data.dataset import Dataset
from cuvee.reporting.compare import compare, missing, pairs
from cuvee.reporting.graph import column_graph, graph_summary
from cuvee.reporting.material import ORIGIN, Material, mixed_data
from cuvee.reporting.projection import project
from cuvee.reporting.shareable import DECLARED, declared, of_synthetic, plain_columns, plain_model
from cuvee.reporting.simulated import simulation_summary
from cuvee.reporting.verdict import answers

VERSION = 1
DETAIL = 24
"""Rows of detail behind a score at most."""
EPOCHS = 200
"""Epochs of a training that are shown at most, about."""

_DETAIL_KEYS = (
    "column", "left", "right", "columns", "group", "value", "floor", "ceiling", "real", "synthetic", "difference",
    "share", "importance", "metric", "train", "holdout", "rows", "low", "high", "alarm", "says", "attack",
)  # fmt: skip
_LIBRARIES = ("cuvee", "polars", "numpy", "scipy", "scikit-learn", "lightgbm", "duckdb", "pyarrow")
_SECRET = re.compile(r"(?<=://)[^/\s'\"@]*@")


def summarise(material: Material, *, title: str | None, rng: Generator, shareable: bool = False) -> dict[str, Any]:
    """The report as JSON values.

    Args:
        material: What was given.
        title: Title of the page, or None for one that says what was compared.
        rng: Where the layout of a graph starts.
        shareable: Whether only what is declared safe is kept, made without the real rows (see `shareable`).
    """
    material = of_synthetic(material) if shareable else material
    shown = compare(material.real, material.synthetic) if material.real and material.synthetic else ()
    blends = [_blend(name, blend, rng=rng) for name, blend in material.blends]
    data: dict[str, Any] = {
        "version": VERSION,
        "title": title or _title(material),
        "declared": [],
        "rows": _rows(material),
        "verdict": [] if material.scores is None else [a.plain() for a in answers(material.scores)],
        "scores": [] if material.scores is None else [_score(s) for s in material.scores.scores],
        "checks": [] if material.scores is None else [asdict(c) for c in material.scores.checks],
        "predict": None if material.scores is None else material.scores.predict,
        "columns": [d.plain() for d in shown],
        "missing": missing(material.real, material.synthetic) if material.real and material.synthetic else [],
        "pairs": pairs(shown),
        "projection": _projection(material),
        "mixes": [_mix(name, value) for name, value in material.mixes],
        "blends": blends,
        "models": [_model(name, model, material.synthetic, rng=rng) for name, model in material.models],
        "simulations": [simulation_summary(name, done) for name, done in material.simulations],
        "recipe": _recipe(material),
        "steps": _steps(material),
        "gates": _gates(material),
        "versions": _versions(),
    }
    return finite(data | _declared(data, material) if shareable else data)


def _declared(data: Mapping[str, Any], material: Material) -> dict[str, Any]:
    """What takes the place of figures of real rows in a shareable report."""
    made = 0 if material.synthetic is None else sum(f.height for f in material.synthetic.tables.values())
    models = zip(data["models"], material.models, strict=True)
    return {
        **declared(material.scores),
        "columns": plain_columns(data["columns"], made),
        "missing": [],
        "pairs": None,
        "projection": None,
        "models": [plain_model(told, model) for told, (_, model) in models],
        "declared": list(DECLARED),
    }


def _projection(material: Material) -> dict[str, Any] | None:
    """Where real, synthetic and mixed rows lie; of single tables alone."""
    real, synthetic = material.real, material.synthetic
    if real is None or synthetic is None or len(real) != 1 or len(synthetic) != 1:
        return None
    mixes = [mixed_data(value) for _, value in material.mixes]
    others = {"synthetic": synthetic}
    if mixes and len(mixes[0]) == 1:
        others["mixed"] = mixes[0]
    return project(real, others)


def finite(value: Any) -> Any:
    """The same value with JSON types only: figures that are not finite are None.

    >>> finite({"a": (float("nan"), np.float64(1.0))})
    {'a': [None, 1.0]}
    """
    if isinstance(value, Mapping):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _title(material: Material) -> str:
    if material.run is not None and material.run.recipe.report and getattr(material.run.recipe.report, "title", None):
        return str(material.run.recipe.report.title)
    if material.simulations and material.scores is None and not material.blends:
        return material.simulations[0][1].title
    table = _table_name(material.real) or _table_name(material.synthetic)
    if table:
        return f"Synthetic {table}" if material.synthetic is not None else table.capitalize()
    return "Blended data" if material.blends and material.scores is None else "Synthetic data"


def _table_name(data: Dataset | None) -> str:
    return data.name if data is not None and len(data) == 1 and data.name != "data" else ""


def _rows(material: Material) -> dict[str, int]:
    """Rows of each side, as the scores say, else as the data is."""
    if material.scores is not None:
        return {k: int(v) for k, v in material.scores.rows.items()}
    sides = {"train": material.real, "holdout": material.holdout, "synthetic": material.synthetic}
    return {side: sum(f.height for f in data.tables.values()) for side, data in sides.items() if data is not None}


def _score(score: Score) -> dict[str, Any]:
    return {
        "name": score.name,
        "family": score.family,
        "value": score.value,
        "floor": score.floor,
        "ceiling": score.ceiling,
        "interval": score.interval,
        "best": score.best,
        "anchored": score.anchored,
        "verdict": score.verdict,
        "passed": score.passed,
        "like": score.like,
        "detail": [{k: row[k] for k in _DETAIL_KEYS if k in row} for row in score.detail[:DETAIL]],
    }


def _mix(name: str, value: Any) -> dict[str, Any]:
    """Counts of rows by origin, and the curve that justified the share if there is one."""
    data = mixed_data(value)
    counts = {"real": 0, "synthetic": 0}
    for frame in data.tables.values():
        if ORIGIN in frame.columns:
            origin = frame[ORIGIN].cast(pl.String)
            counts = {o: n + int((origin == o).sum()) for o, n in counts.items()}
    total = sum(counts.values())
    curve = getattr(value, "curve", None)
    points: list[dict[str, Any]] = []
    worth = ""
    if isinstance(curve, pl.DataFrame):
        kept = [c for c in ("share", "value", "low", "high") if c in curve.columns]
        points = curve.select(kept).sort("share").to_dicts()
        worth = _worth(curve)
    share = counts["synthetic"] / total if total else None
    return {"name": name, "rows": counts, "share": share, "curve": points, "worth": worth}


def _worth(curve: pl.DataFrame) -> str:
    """Whether adding synthetic rows helped, in a sentence. A gain counts where its whole interval lies above 0."""
    figure = curve["figure"][0]
    alone = curve.filter(pl.col("share") == 0)["value"][0]
    better = curve.filter((pl.col("share") > 0) & (pl.col("gain_low") > 0)).sort("gain", descending=True)
    if better.is_empty():
        return f"No share of synthetic rows helps: real rows alone reach {figure} {alone:.3f}."
    best = better.row(0, named=True)
    return (
        f"A share of {best['share']:.0%} synthetic rows raises {figure} from {alone:.3f} to {best['value']:.3f} "
        f"(gain {best['gain_low']:.3f} to {best['gain_high']:.3f})."
    )


def _blend(name: str, blend: Blend, *, rng: Generator) -> dict[str, Any]:
    """What a blend says of itself, the size of its golden tables, and its graph."""
    graph = blend.graph(limit=300)
    summary = blend.summary.model_dump(mode="json")
    # The table of associations says it already.
    told = {f"{a.sentence()}." for a in blend.summary.associations}
    summary["notes"] = [n for n in summary["notes"] if n not in told]
    return {
        "name": name,
        **{k: summary.get(k, []) for k in ("sources", "associations", "conflicts", "notes")},
        "tables": [{"name": t, "rows": f.height, "columns": f.width} for t, f in blend.data.tables.items()],
        "links": blend.links.height,
        "entities": blend.entities["entity_id"].n_unique() if blend.entities.height else 0,
        "records": blend.records.height,
        "graph": graph_summary(graph.nodes, graph.edges, blend.data.schema, rng=rng),
    }


def _model(name: str, model: Model, synthetic: Dataset | None, *, rng: Generator) -> dict[str, Any]:
    return {
        "name": name,
        "synthesizer": model.name,
        "options": model.spec.model_dump(mode="json"),
        "rows": dict(model.rows),
        "columns": {t: len(m.columns) for t, m in model.schema.tables.items()},
        "seed": model.seed,
        "notes": list(model.notes),
        "guarantee": None if model.guarantee is None else dict(model.guarantee),
        "constraints": _proofs(model, synthetic),
        "graph": column_graph(model.learned.edges(), rng=rng),
        "training": _training(model),
    }


def _training(model: Model) -> list[dict[str, Any]]:
    """The score of each epoch, thinned where there are many; nothing where a model was not learned in epochs."""
    history = model.history()
    if history is None or not {"epoch", "held", "kept"} <= set(history.columns):
        return []
    every = -(-history.height // EPOCHS)
    shown = history.filter((pl.int_range(pl.len()) % every == 0) | pl.col("kept") | (pl.col("epoch") == pl.len()))
    return shown.select("epoch", "held", "kept").to_dicts()


def _proofs(model: Model, synthetic: Dataset | None) -> list[dict[str, Any]]:
    """What is found of each constraint of a model in the synthetic rows, where they are of its columns."""
    if synthetic is None or len(synthetic) != 1 or set(synthetic.frame.columns) != set(model.columns()):
        return []
    return [asdict(proof) for proof in model.prove(synthetic.frame)]


def _recipe(material: Material) -> str | None:
    """The recipe as YAML; what stands between :// and @ is a secret."""
    return None if material.run is None else _SECRET.sub("…@", material.run.recipe.text)


def _steps(material: Material) -> list[dict[str, Any]]:
    if material.run is None:
        return []
    # Neither times nor what was skipped: the same recipe gives the same page.
    return [{"name": s.name, "verb": s.verb, "gave": s.gave} for s in material.run.steps]


def _gates(material: Material) -> list[dict[str, Any]]:
    """What the recipe refuses to be, and whether it is."""
    if material.run is None:
        return []
    return [
        {"name": g.name, "condition": g.condition, "passed": g.passed, "sentence": g.sentence}
        for g in material.run.gates
    ]


def _versions() -> dict[str, str]:
    """Versions of what made the figures, for those who want to make them again."""
    from cuvee import __version__

    found: dict[str, str] = {"cuvee": __version__, "Python": platform.python_version()}
    for library in _LIBRARIES[1:]:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
