"""What a scenario means: which formula needs what, in which order, and what in it can't be."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cuvee.data.errors import SimulationError
from cuvee.data.names import did_you_mean
from cuvee.data.problems import Places, Problem, Where, spelled
from cuvee.numeric.families import FITTED
from cuvee.simulation.distributions import FAMILIES
from cuvee.simulation.formulas import RESERVED, Formula, Kind, formula_of
from cuvee.simulation.scenario import (
    Change,
    Computed,
    Constant,
    Dependence,
    Empirical,
    Fitted,
    Scenario,
    Stated,
    Variable,
    asked,
)


@dataclass(frozen=True, slots=True)
class Written:
    """A formula that stands somewhere in a scenario.

    Attributes:
        where: The way to it.
        text: As it is written.
        owner: The variable that it is for; None for an event.
        start: Whether it is a value before the first step.
    """

    where: Where
    text: str
    owner: str | None
    start: bool = False


class MisplacedError(SimulationError):
    """Something wrong at a place of a scenario.

    Attributes:
        where: The way to it.
    """

    def __init__(self, where: Where, said: str) -> None:
        super().__init__(said)
        self.where = where


def data_of(scenario: Scenario) -> tuple[str, ...]:
    """The data that a scenario refers to, by name."""
    fitted = [v.data for v in scenario.variables.values() if isinstance(v, (Fitted, Empirical))]
    return tuple(dict.fromkeys([*fitted, *(d.fit for d in scenario.dependence if d.fit is not None)]))


def drawn(variable: Variable) -> bool:
    """Whether a variable is drawn at random."""
    return isinstance(variable, (Stated, Fitted, Empirical))


def steady(variable: Variable) -> bool:
    """Whether a variable has one value in all steps of a draw, whatever other variables do."""
    return isinstance(variable, Constant) or (drawn(variable) and variable.each == "draw")


def written(scenario: Scenario) -> Iterator[Written]:
    """All formulas of a scenario."""
    for name, variable in scenario.variables.items():
        if isinstance(variable, Computed):
            yield Written(("variables", name), variable.formula, name)
        if isinstance(variable.start, str):
            yield Written(("variables", name, "start"), variable.start, name, start=True)
    for shock, body in scenario.shocks.items():
        for name, change in body.change.items():
            for how, amount in amounts(change):
                if isinstance(amount, str):
                    yield Written(("shocks", shock, "change", name, how), amount, name)
    for event, body in scenario.events.items():
        yield Written(("events", event), body.when, None)


def amounts(change: Change) -> Iterator[tuple[str, float | str]]:
    """What a change does, in order: multiply, add, set."""
    for how, amount in (("multiply", change.multiply), ("add", change.add), ("set", change.set)):
        if amount is not None:
            yield how, amount


def order_of(scenario: Scenario) -> tuple[str, ...]:
    """The variables in an order in which each stands after all that it is computed from in the same step.

    Raises:
        SimulationError: Some go round in a circle, which is named.
    """
    needs: dict[str, list[str]] = {name: [] for name in scenario.variables}
    for one in written(scenario):
        if one.owner in needs and not one.start:
            now = [name for name, lag in formula_of(one.text).names() if lag == 0]
            needs[one.owner] += [name for name in now if name in needs]
    done: dict[str, None] = {}

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            circle = " -> ".join((*way[way.index(name) :], name))
            back = f" A value of the step before is written {name}[-1]." if scenario.steps else ""
            raise MisplacedError(("variables", name), f"{name!r} is computed from itself: {circle}.{back}")
        if name not in done:
            for other in needs[name]:
                visit(other, (*way, name))
            done[name] = None

    for name in needs:
        visit(name, ())
    return tuple(done)


def outputs_of(scenario: Scenario) -> Mapping[str, str]:
    """The outputs, by name, gain or loss: those that are stated, else what is computed and used for nothing else."""
    if scenario.outputs:
        return scenario.outputs
    used = {
        name for one in written(scenario) if one.owner for name, _ in formula_of(one.text).names() if name != one.owner
    }
    computed = [n for n, v in scenario.variables.items() if isinstance(v, Computed)]
    last = [n for n in computed if n not in used] or computed or [n for n, v in scenario.variables.items() if drawn(v)]
    kinds = kinds_of(scenario)
    return dict.fromkeys([n for n in last if kinds[n] == "number"], "gain")


def kinds_of(scenario: Scenario, texts: frozenset[str] = frozenset()) -> Mapping[str, Kind]:
    """Whether each variable is a number or text.

    Args:
        scenario: What it says.
        texts: Variables that follow a column of text.

    Raises:
        SimulationError: A formula computes with text.
    """
    kinds: dict[str, Kind] = dict.fromkeys(scenario.shocks, "number")
    for name, variable in scenario.variables.items():
        text = name in texts or (isinstance(variable, Stated) and variable.distribution.text)
        kinds[name] = "text" if text else "number"
    for name in order_of(scenario):
        variable = scenario.variables[name]
        if isinstance(variable, Computed):
            try:
                kinds[name] = formula_of(variable.formula).kind(kinds)
            except SimulationError as error:
                raise MisplacedError(("variables", name), _lower(str(error))) from None
    return kinds


def problems_of(scenario: Scenario, where: Where, places: Places) -> Iterator[Problem]:
    """What is wrong with the meaning of a scenario that is well formed."""
    found = [*_names(scenario), *_formulas(scenario), *_dependence(scenario), *_asked(scenario), *_shocks(scenario)]
    if not found:
        try:
            kinds = kinds_of(scenario)
        except MisplacedError as error:
            found = [(error.where, str(error))]
        else:
            found = [*_kinds(scenario, kinds), *_precision(scenario)]
    for at, said in found:
        place = (*where, *at)
        yield Problem(places.value(place) if at[0] == "precision" else places.key(place), f"{spelled(place)}: {said}")


_Found = tuple[Where, str]


def _names(scenario: Scenario) -> Iterator[_Found]:
    for section, named in (("variables", scenario.variables), ("shocks", scenario.shocks), ("events", scenario.events)):
        for name in named:
            if not name.isidentifier() or not name.isascii():
                yield (
                    (section, name),
                    f"{name!r} is no name for formulas: use letters, digits and _, and begin with a letter.",
                )
            elif name in RESERVED:
                yield (section, name), f"the name {name!r} has a meaning of its own in formulas. Choose another."
            elif section != "variables" and name in scenario.variables:
                yield (section, name), f"there is a variable {name!r} too. Give one of them another name."
            elif section == "events" and name in scenario.shocks:
                yield (section, name), f"there is a shock {name!r} too. Give one of them another name."
    for name, variable in scenario.variables.items():
        for family in (isinstance(variable, Fitted) and variable.families) or ():
            if family not in FITTED:
                why = "is not fitted: it can only be stated" if family in FAMILIES else "is not known"
                yield (
                    ("variables", name, "fit", "families"),
                    f"the family {family!r} {why}.{did_you_mean(family, FITTED)}",
                )


def _formulas(scenario: Scenario) -> Iterator[_Found]:
    for one in written(scenario):
        try:
            formula = formula_of(one.text)
        except SimulationError as error:
            yield one.where, _lower(str(error))
            continue
        yield from ((one.where, said) for said in _unknown(formula, one, scenario))


def _unknown(formula: Formula, one: Written, scenario: Scenario) -> Iterator[str]:
    """What is wrong with the names in a formula."""
    known = [*scenario.variables, *scenario.shocks]
    for name, lag in formula.names():
        if name == "step" and lag == 0 and scenario.steps:
            continue
        if name not in known:
            time = " There are no time steps here: give 'steps'." if name == "step" else did_you_mean(name, known)
            yield f"there is no variable {name!r}.{time}"
        elif lag and not scenario.steps:
            yield f"{name}[{lag}] looks back in time, but there are no time steps. Give 'steps', such as steps: 12."
        elif lag and name in scenario.variables and not _has_start(scenario.variables[name]):
            yield f"{name}[{lag}] looks back before the first step: give {name!r} a 'start'."
        elif one.start and (name not in scenario.variables or not steady(scenario.variables[name])):
            known_then = "constants and what is drawn once a draw"
            yield f"a start is computed before the first step, from {known_then}; {name!r} is neither."


def _has_start(variable: Variable) -> bool:
    return variable.start is not None or steady(variable)


def _kinds(scenario: Scenario, kinds: Mapping[str, Kind]) -> Iterator[_Found]:
    for name in scenario.outputs:
        if kinds[name] == "text":
            yield (
                ("outputs",),
                f"{name!r} is text, and an output is a number. Make one of it, such as {name} == 'value'.",
            )
    for one in written(scenario):
        try:
            if formula_of(one.text).kind(kinds) == "text" and not (one.owner and kinds[one.owner] == "text"):
                yield one.where, "this is text, where a number is wanted."
        except SimulationError as error:
            yield one.where, _lower(str(error))
    for position, one in enumerate(scenario.dependence):
        for name in members(one):
            if kinds[name] == "text":
                yield ("dependence", position), f"{name!r} is text, which has no order to correlate."


def members(dependence: Dependence) -> tuple[str, ...]:
    """The variables that hang together: those that are listed, else all that are named, in order."""
    if dependence.variables is not None:
        return dependence.variables
    named = dependence.correlation if isinstance(dependence.correlation, Mapping) else {}
    both = [n for one, others in named.items() for n in (one, *others)]
    return tuple(dict.fromkeys([*both, *dependence.columns]))


def _dependence(scenario: Scenario) -> Iterator[_Found]:
    taken: set[str] = set()
    for position, one in enumerate(scenario.dependence):
        at: Where = ("dependence", position)
        names = members(one)
        if len(names) < 2:
            yield at, "fewer than two variables hang together here. List them in 'variables'."
        for name in names:
            if name not in scenario.variables:
                yield at, f"there is no variable {name!r}.{did_you_mean(name, scenario.variables)}"
            elif not drawn(scenario.variables[name]):
                yield at, f"{name!r} is not drawn: only variables with a distribution hang together by a copula."
            elif name in taken:
                yield at, f"{name!r} stands in two copulas. Put them together in one."
            taken.add(name)
        found = [scenario.variables[n] for n in names if n in scenario.variables]
        if scenario.steps and len({v.each for v in found}) > 1:
            yield at, "some of these variables are drawn in each step, others once a draw; they can't hang together."
        yield from ((at, said) for said in _correlation(one, names))


def _correlation(one: Dependence, names: tuple[str, ...]) -> Iterator[str]:
    if isinstance(one.correlation, Mapping):
        for left, others in one.correlation.items():
            for right, value in others.items():
                if not isinstance(value, (int, float)) or not -1 <= value <= 1:
                    yield f"the correlation of {left} and {right} is {value!r}; it must be from -1 to 1."
                for name in (left, right):
                    if one.variables is not None and name not in one.variables:
                        yield f"{name!r} is not among 'variables'.{did_you_mean(name, one.variables)}"
    elif one.correlation is not None:
        said = _matrix(one.correlation, one, len(names))
        yield from () if said is None else (said,)


def _matrix(rows: Sequence[Sequence[Any]], one: Dependence, k: int) -> str | None:
    """What is wrong with a correlation matrix; None where nothing is."""
    if one.variables is None:
        return "a matrix needs 'variables': the order of its rows and columns."
    if len(rows) != k or any(len(r) != k for r in rows):
        return f"the matrix has {len(rows)} rows; {k} rows of {k} numbers are wanted, one for each variable."
    if any(not isinstance(v, (int, float)) or not -1 <= v <= 1 for r in rows for v in r):
        return "the matrix has an entry that is no number from -1 to 1."
    skew = any(rows[i][j] != rows[j][i] for i in range(k) for j in range(i))
    if skew or any(rows[i][i] != 1 for i in range(k)):
        return "the matrix is not symmetric with ones on its diagonal."
    return None


def _shocks(scenario: Scenario) -> Iterator[_Found]:
    for name, shock in scenario.shocks.items():
        for changed in shock.change:
            if changed not in scenario.variables:
                said = f"there is no variable {changed!r}.{did_you_mean(changed, scenario.variables)}"
                yield ("shocks", name, "change", changed), said
        if shock.at > max(scenario.steps, 1):
            said = f"it begins at step {shock.at}, and there are {max(scenario.steps, 1)}."
            yield ("shocks", name, "at"), said


def _asked(scenario: Scenario) -> Iterator[_Found]:
    """Outputs, controls and precisions of what is not there."""
    for name in scenario.outputs:
        if name not in scenario.variables:
            yield ("outputs",), f"there is no variable {name!r}.{did_you_mean(name, scenario.variables)}"
    for name, mean in scenario.control.items():
        if name not in scenario.variables:
            yield ("control",), f"there is no variable {name!r}.{did_you_mean(name, scenario.variables)}"
            continue
        variable = scenario.variables[name]
        changed = any(name in s.change for s in scenario.shocks.values())
        stated = isinstance(variable, Stated) and not changed and variable.distribution.expectation() is not None
        if mean is None and not stated:
            why = "a shock changes it" if changed else "no stated distribution says it"
            yield ("control",), f"the mean of {name!r} is not known: {why}. Give it, such as {{{name}: 100}}."


def _precision(scenario: Scenario) -> Iterator[_Found]:
    """Precisions of what is no figure."""
    outputs = outputs_of(scenario)
    for key in scenario.precision:
        wanted = asked(key)
        if wanted is None:
            said = (
                "this can't be read. Write it such as 'mean of profit', 'VaR 99% of profit' or 'probability of ruin'."
            )
            yield ("precision", key), said
            continue
        known = scenario.events if wanted[0] == "probability" else outputs
        if wanted[2] not in known:
            what = "event" if wanted[0] == "probability" else "output"
            yield ("precision", key), f"there is no {what} {wanted[2]!r}.{did_you_mean(wanted[2], known)}"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
