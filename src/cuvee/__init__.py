"""cuvee: blend messy sources into one trusted dataset, synthesise data like it, mix where it helps, and prove it.

Everything public is here, and imported only when it is first used.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cuvee.blending.blend import Blend as Blend
    from cuvee.core import Model as Model
    from cuvee.core import Score as Score
    from cuvee.core import Scores as Scores
    from cuvee.data.dataset import Dataset as Dataset
    from cuvee.data.errors import CuveeError as CuveeError
    from cuvee.data.schema import Schema as Schema
    from cuvee.recipe import Recipe as Recipe
    from cuvee.recipe import Run as Run
    from cuvee.recipe import run as run
    from cuvee.reporting import Report as Report
    from cuvee.reporting import report as report
    from cuvee.simulation.scenario import Scenario as Scenario
    from cuvee.simulation.value import Simulation as Simulation
    from cuvee.verbs import blend as blend
    from cuvee.verbs import evaluate as evaluate
    from cuvee.verbs import fit as fit
    from cuvee.verbs import impute as impute
    from cuvee.verbs import inspect as inspect
    from cuvee.verbs import load as load
    from cuvee.verbs import mix as mix
    from cuvee.verbs import read as read
    from cuvee.verbs import sample as sample
    from cuvee.verbs import simulate as simulate
    from cuvee.verbs import split as split
    from cuvee.verbs import write as write

_PUBLIC = {
    **dict.fromkeys(
        (
            "blend",
            "evaluate",
            "fit",
            "impute",
            "inspect",
            "load",
            "mix",
            "read",
            "sample",
            "simulate",
            "split",
            "write",
        ),
        "cuvee.verbs",
    ),
    **dict.fromkeys(("Recipe", "Run", "run"), "cuvee.recipe"),
    **dict.fromkeys(("Report", "report"), "cuvee.reporting"),
    **dict.fromkeys(("Model", "Score", "Scores"), "cuvee.core"),
    "Blend": "cuvee.blending.blend",
    "CuveeError": "cuvee.data.errors",
    "Dataset": "cuvee.data.dataset",
    "Scenario": "cuvee.simulation.scenario",
    "Schema": "cuvee.data.schema",
    "Simulation": "cuvee.simulation.value",
}

__all__ = [
    "Blend", "CuveeError", "Dataset", "Model", "Recipe", "Report", "Run", "Scenario", "Schema", "Score", "Scores",
    "Simulation", "blend", "evaluate", "fit", "impute", "inspect", "load", "mix", "read", "report", "run", "sample",
    "simulate", "split", "write",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'cuvee' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
