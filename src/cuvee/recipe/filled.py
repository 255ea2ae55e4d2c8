"""What a recipe says with every default filled in, and the seed of each step."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cuvee.core import Spec
from cuvee.data.errors import CuveeError
from cuvee.recipe.content import Content, ReportSpec, SourceSpec
from cuvee.recipe.inputs import form
from cuvee.recipe.steps import BlendStep, EvaluateStep, FitStep, RandomStep, Step
from cuvee.registry import Group, entries, find


def step_seed(seed: int, name: str, step: Step) -> int | None:
    """The seed of a step: stated, or of the recipe's seed and the step's name alone, so that no other step moves it.

    None where a step draws no random numbers.
    """
    if not isinstance(step, RandomStep):
        return None
    if step.seed is not None:
        return step.seed
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:4], "big") >> 1


def chosen(group: Group, choice: str | Mapping[str, Mapping[str, Any]]) -> tuple[str, Spec]:
    """The name and the spec of a choice that has been checked."""
    name, options = (choice, {}) if isinstance(choice, str) else next(iter(choice.items()))
    return name, find(group, name)(**options)


def filled_step(step: Step) -> dict[str, Any]:
    """A step as plain values with every default, without its seed and its file: what makes its value what it is."""
    plain = step.model_dump(mode="json", exclude_none=True, exclude={"seed", "save"})
    if isinstance(step, FitStep):
        plain["synthesizer"] = _named(*chosen("synthesizers", step.synthesizer))
    if isinstance(step, BlendStep):
        plain["resolve"] = {column: _named(*chosen("rules", rule)) for column, rule in step.resolve.items()}
    if isinstance(step, EvaluateStep):
        metrics = list(entries("metrics")) if step.metrics is None else step.metrics
        plain["metrics"] = [_named(*chosen("metrics", metric)) for metric in metrics]
    return plain


def filled(content: Content, folder: Path) -> dict[str, Any]:
    """The whole recipe as plain values with every default; secrets stay `${NAME}`."""
    steps: dict[str, Any] = {}
    for name, step in content.steps.items():
        seed = step_seed(content.seed, name, step)
        steps[name] = filled_step(step)
        steps[name] |= {k: v for k, v in {"seed": seed, "save": step.save}.items() if v is not None}
    sources = {name: _source(source, folder) for name, source in content.sources.items()}
    report = {} if content.report is None else {"report": _report(content.report)}
    return {"version": content.version, "seed": content.seed, "sources": sources, "steps": steps, **report}


def _named(name: str, spec: Spec) -> Any:
    """A choice as a recipe writes it, with every option."""
    options = spec.model_dump(mode="json")
    return {name: options} if options else name


def _source(source: SourceSpec, folder: Path) -> dict[str, Any]:
    plain = source.model_dump(mode="json", exclude_none=True)
    if source.key is not None and len(source.key) == 1:
        plain["key"] = source.key[0]
    try:
        return plain | {"form": form(source, folder)}
    except CuveeError:
        # The form hangs on a variable that is not set here; running says so.
        return plain


def _report(report: ReportSpec) -> dict[str, Any]:
    return report.model_dump(mode="json", exclude_none=True)
