"""Scores, blends, models and mixes as one page that a person can read and keep."""

import json
from importlib.resources import files
from typing import Any

import numpy as np

from cuvee.data.errors import CuveeError
from cuvee.reporting.document import Report
from cuvee.reporting.material import completed, gather
from cuvee.reporting.page import page
from cuvee.reporting.summary import summarise

__all__ = ["Report", "report", "schema"]


def report(
    *values: Any,
    title: str | None = None,
    real: Any = None,
    train: Any = None,
    holdout: Any = None,
    synthetic: Any = None,
    predict: str | None = None,
    shareable: bool = False,
    seed: int = 0,
) -> Report:
    """One self-contained page of what was made and what it is worth: summaries only, never a row of real data.

    Args:
        values: A run, scores, blends, models, simulations and mixed data, in any order, or paths to them.
        title: Title of the page; None says what was compared.
        real: Real rows, to draw against the synthetic ones; None means `train`.
        train: Real rows that the model saw; None means `real`.
        holdout: Real rows that it did not see; without them ceilings and safety are not assessed.
        synthetic: Synthetic rows. With real ones and no scores among the values, they are evaluated here.
        predict: Target of usefulness: a column, or one comparison such as "arr_delay > 15".
        shareable: Whether the page may leave the house: it is made of the synthetic rows and of what
            `reporting.shareable.DECLARED` names; the real rows are not opened, so they must have been evaluated before.
        seed: The same seed and values give the same bytes.

    Raises:
        CuveeError: A value is none of those that a report can show, or the data can't be compared.
    """
    if not values and all(data is None for data in (real, train, holdout, synthetic)):
        raise CuveeError(
            "There is nothing to report on: give a run, scores, a blend, a model, a simulation, or real and synthetic "
            "rows."
        )
    material = gather(values)
    if shareable and any(data is not None for data in (real, train, holdout)):
        raise CuveeError(
            "A shareable report is made without the real rows. Evaluate first, and give the scores: "
            "cuvee.report(scores, synthetic=rows, shareable=True)"
        )
    material = completed(
        material, real=real, train=train, holdout=holdout, synthetic=synthetic, predict=predict, seed=seed
    )
    data = summarise(material, title=title, rng=np.random.default_rng(seed), shareable=shareable)
    return Report(page(data), data)


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what a report writes beside its page."""
    return json.loads((files("cuvee.reporting") / "report.schema.json").read_text("utf-8"))
