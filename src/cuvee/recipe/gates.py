"""Gates: what a recipe refuses to be. A gate that can't be judged does not pass."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cuvee.core import Score, Scores
from cuvee.data.errors import RecipeError
from cuvee.data.names import did_you_mean
from cuvee.recipe.choices import COMPARISON

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition of `fail_if`, judged.

    Attributes:
        name: The score.
        condition: When it fails, as the recipe says it.
        value: The figure, or None where it was not assessed.
        reference: What it was compared with: the figure of holdout rows, or the number of the condition.
        passed: Whether it did not fail.
        sentence: What was found.
        step: The step that gave the score.
    """

    name: str
    condition: str
    value: float | None
    reference: float | None
    passed: bool
    sentence: str
    step: str


def judge_gates(conditions: Mapping[str, str], scores: Mapping[str, Scores]) -> tuple[Gate, ...]:
    """Every condition, for every step whose scores have its name.

    Args:
        conditions: Condition by score.
        scores: Scores by step.

    Raises:
        RecipeError: No step gave such a score.
    """
    gates: list[Gate] = []
    for name, condition in conditions.items():
        found = [(step, score) for step, given in scores.items() for score in given.scores if score.name == name]
        if not found:
            names = dict.fromkeys(score.name for given in scores.values() for score in given.scores)
            raise RecipeError(f"report.fail_if.{name}: there is no score {name!r}.{did_you_mean(name, names)}")
        gates += [_judged(step, score, condition) for step, score in found]
    return tuple(gates)


def _judged(step: str, score: Score, condition: str) -> Gate:
    def gate(reference: float | None, sentence: str, *, passed: bool) -> Gate:
        return Gate(score.name, condition, score.value, reference, passed, f"{score.name} of {step} {sentence}", step)

    compared = COMPARISON.fullmatch(condition)
    reference = float(compared[2]) if compared else score.ceiling
    if score.value is None or reference is None:
        why = score.verdict.rstrip(".") if score.value is None else "it has no figure of holdout rows"
        return gate(reference, f"could not be judged ({why}), and fails if {_spoken(condition)}.", passed=False)
    if compared:
        passed = not _COMPARE[compared[1]](score.value, reference)
        return gate(reference, f"is {_figure(score.value)} and fails if {_spoken(condition)}.", passed=passed)
    # The interval must clear the reference: a difference within chance is no failure.
    low, high = score.interval or (score.value, score.value)
    above = condition == "above_holdout"
    passed = not (low > reference if above else high < reference)
    found = f"is {_figure(score.value)} ({_figure(low)} to {_figure(high)}), of holdout rows {_figure(reference)}"
    return gate(reference, f"{found}; it fails if {_spoken(condition)}.", passed=passed)


def _spoken(condition: str) -> str:
    said: Mapping[str, str] = {"above_holdout": "all above holdout", "below_holdout": "all below holdout"}
    return said.get(condition, condition.strip())


def _figure(value: float) -> str:
    return f"{value:.4g}"
