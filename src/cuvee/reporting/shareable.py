"""The report that may leave the house: what of it is declared safe, and nothing else.

Figures that were computed from training rows are a release of their own: with enough of them rows can be rebuilt
(Ganev and De Cristofaro, 2023). So the shareable page is made of the synthetic rows alone, and of what `DECLARED`
names. It is made without opening the real rows: only the scores that were computed before are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cuvee.core import Model, Scores
from cuvee.reporting.graph import column_graph
from cuvee.reporting.material import Material
from cuvee.reporting.verdict import answers, title
from cuvee.reporting.words import plural

DECLARED = (
    "the three answers, each in a word",
    "figures of likeness and usefulness, to two digits, without what is behind them",
    "counts of rows, to two digits",
    "which figures warned, and whether the self-test was passed",
    "names of tables and columns, the kind of model, its options, seed, and guarantee of privacy",
)
"""What the page says of real rows."""

LEAST = 20
"""A category of fewer synthetic rows is not named, and a bin of fewer is left out."""


def of_synthetic(material: Material) -> Material:
    """The material without real rows and without what is made of them: blends, mixes, simulations and the run."""
    kept = replace(material, real=None, holdout=None, blends=(), mixes=(), simulations=(), run=None)
    return replace(kept, real=kept.synthetic)


def declared(scores: Scores | None) -> dict[str, Any]:
    """What is declared safe of the scores, in the form of a summary."""
    if scores is None:
        return {"rows": {}, "verdict": [], "scores": [], "checks": [], "predict": None}
    told = [{**a.plain(), "sentence": _plainly(a.word, scores, a.family), "because": []} for a in answers(scores)]
    figures = [
        {
            "name": s.name,
            "family": s.family,
            "value": _digits(s.value),
            "floor": _digits(s.floor),
            "ceiling": _digits(s.ceiling),
            "interval": None,
            "best": s.best,
            "anchored": None,
            "verdict": "",
            "passed": s.passed,
            "like": None,
            "detail": [],
        }
        for s in scores
        if s.family in {"fidelity", "utility"} and s.name != "queries"
    ]
    return {
        "rows": {part: int(_digits(float(rows)) or 0) for part, rows in scores.rows.items()},
        "verdict": told,
        "scores": figures,
        "checks": [],
        "predict": scores.predict,
    }


def _plainly(word: str, scores: Scores, family: str) -> str:
    """An answer's sentence without a figure or a value."""
    own = [s for s in scores if s.family == family and s.passed is not None]
    failed = [title(s.name).lower() for s in own if s.passed is False]
    if not own or word in {"Not assessed", "Withheld"}:
        return "The internal report says what was missing."
    if not failed:
        return (
            f"{plural(len(own), 'figure')} of this kind {'was' if len(own) == 1 else 'were'} judged, and none warned."
        )
    return f"Of {plural(len(own), 'figure')} of this kind {len(failed)} warned: {', '.join(failed)}."


def _digits(value: float | None) -> float | None:
    """Two digits: 0.9731 is 0.97, 32,561 rows are 33,000."""
    if value is None:
        return None
    return round(value, 2) if abs(value) < 10 else float(f"{value:.2g}")


def plain_columns(columns: Sequence[Mapping[str, Any]], rows: int) -> list[dict[str, Any]]:
    """The synthetic side of each column, without rare categories; what would say something of real rows is none."""
    out: list[dict[str, Any]] = []
    for column in columns:
        bars = [dict(b, real=None) for b in column["bars"]]
        rare = [b for b in bars if b["synthetic"] * rows < LEAST]
        bars = [b for b in bars if b not in rare] if column["form"] == "bars" else bars
        if column["form"] == "bars" and rare:
            rest = round(sum(b["synthetic"] for b in rare), 5)
            bars.append({"label": "all other values", "real": None, "synthetic": rest})
        out.append(
            dict(column, bars=bars, nulls=[None, column["nulls"][1]], mean=None, difference=None, outside=[None, None])
        )
    return out


def plain_model(told: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """What is declared safe of a model: not its notes, constraints, graph and training, which hold figures of rows."""
    kept = ("name", "synthesizer", "options", "columns", "seed", "guarantee")
    rows = {table: int(_digits(float(n)) or 0) for table, n in model.rows.items()}
    empty: dict[str, Any] = {"notes": [], "constraints": [], "training": []}
    graph = column_graph((), rng=np.random.default_rng(0))
    return {k: told[k] for k in kept} | {"rows": rows, "graph": graph} | empty
