"""The recipe: a job as one file, checked before anything runs, and run again only where something changed."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cuvee.recipe.editor import recipe_schema as recipe_schema
    from cuvee.recipe.gates import Gate as Gate
    from cuvee.recipe.model import Recipe as Recipe
    from cuvee.recipe.results import Run as Run
    from cuvee.recipe.results import StepRecord as StepRecord
    from cuvee.recipe.running import Interrupted as Interrupted
    from cuvee.recipe.running import run as run
    from cuvee.recipe.store import Store as Store

__all__ = ["Gate", "Interrupted", "Recipe", "Run", "StepRecord", "Store", "recipe_schema", "run"]

_PUBLIC = {
    "Gate": "gates",
    "Interrupted": "running",
    "Recipe": "model",
    "Run": "results",
    "StepRecord": "results",
    "Store": "store",
    "recipe_schema": "editor",
    "run": "running",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'cuvee.recipe' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"cuvee.recipe.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
