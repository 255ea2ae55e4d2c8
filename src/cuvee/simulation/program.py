"""A scenario made ready to run: points of the unit cube in, paths of all variables out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.data.errors import SimulationError
from cuvee.numeric.copulas import joint_ranks
from cuvee.simulation.formulas import Formula, formula_of
from cuvee.simulation.joined import Joined, joined
from cuvee.simulation.margins import Frames, Margin, margin_of
from cuvee.simulation.meaning import amounts, drawn, kinds_of, order_of, outputs_of, written
from cuvee.simulation.scenario import Change, Computed, Constant, Empirical, Fitted, Scenario, Shock, Stated

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Paths = Mapping[str, NDArray[Any]]
"""By variable and shock: (steps, m) values."""


@dataclass(frozen=True, slots=True)
class Factor:
    """Something independent of all else that is drawn: a variable, variables that hang together, or a shock.

    Attributes:
        name: Its name, or names joined by `+`.
        coordinates: Which coordinates of the cube it takes, in all steps.
    """

    name: str
    coordinates: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A scenario made ready.

    Attributes:
        scenario: What it says.
        order: Its variables, each after all that it is computed from.
        margins: By variable that is drawn.
        copulas: Variables that hang together.
        formulas: By text.
        slots: By variable, shock or `copula k`: its coordinates, (steps,) or (1,) where it is drawn once a draw.
        dimension: How many coordinates there are.
        outputs: By name, gain or loss.
    """

    scenario: Scenario
    order: tuple[str, ...]
    margins: Mapping[str, Margin]
    copulas: tuple[Joined, ...]
    formulas: Mapping[str, Formula]
    slots: Mapping[str, Ints]
    dimension: int
    outputs: Mapping[str, str]

    @property
    def steps(self) -> int:
        """Steps that are computed: 1 where there is no time."""
        return max(self.scenario.steps, 1)

    @property
    def notes(self) -> tuple[str, ...]:
        """How margins and dependence were found, in sentences."""
        return tuple(n for part in (*self.margins.values(), *self.copulas) for n in part.notes)

    def factors(self) -> tuple[Factor, ...]:
        """What is independent of all else; variables of one copula are one factor."""
        found: list[Factor] = []
        together = {n: (k, c) for k, c in enumerate(self.copulas) for n in c.names}
        for name, slots in self.slots.items():
            if name in together:
                k, copula = together[name]
                if name == copula.names[0]:
                    own = [self.slots[n] for n in (*copula.names, _mixing(k)) if n in self.slots]
                    found.append(Factor(" + ".join(copula.names), tuple(int(i) for i in np.concatenate(own))))
            elif name in self.margins or name in self.scenario.shocks:
                found.append(Factor(name, tuple(int(i) for i in slots)))
        return tuple(found)

    def run(self, points: Floats, *, alone: bool = False) -> Paths:
        """The paths of some draws.

        Args:
            points: (m, dimension), in (0, 1).
            alone: Whether each coordinate is the rank of its own variable, as if nothing hung together.
        """
        values = self._drawn(points, alone=alone)
        on = {name: self._shock(shock, points[:, self.slots[name]].T) for name, shock in self.scenario.shocks.items()}
        paths: dict[str, NDArray[Any]] = dict(on)
        starts: dict[str, Any] = {}
        for t in range(self.steps):
            look = self._look(paths, starts, t, values)
            for name in self.order:
                now = self._now(name, values, look, t)
                for shock, body in self.scenario.shocks.items():
                    if name in body.change:
                        now = np.where(on[shock][t] > 0, self._changed(body.change[name], now, look), now)
                now = np.broadcast_to(now, (len(points),))
                if name not in paths:
                    paths[name] = np.empty((self.steps, len(points)), now.dtype)
                elif now.dtype.itemsize > paths[name].dtype.itemsize:  # longer words than before
                    paths[name] = paths[name].astype(now.dtype)
                paths[name][t] = now
        return paths

    def last(self, points: Floats, *, alone: bool = False) -> Floats:
        """The outputs at the last step, (outputs, m)."""
        paths = self.run(points, alone=alone)
        return np.array([paths[name][-1] for name in self.outputs])

    def happened(self, paths: Paths) -> Floats:
        """Whether each event happened, (events, m) of 0 and 1."""
        found: list[Floats] = []
        for event in self.scenario.events.values():
            steps = range(self.steps) if event.at == "any" else (self.steps - 1,)
            m = len(next(iter(paths.values()))[0])
            parts = [
                np.broadcast_to(self.formulas[event.when].value(self._look(paths, {}, t, {})), (m,)) for t in steps
            ]
            found.append(np.any([np.not_equal(p, 0) & ~np.isnan(p) for p in parts], axis=0).astype(np.float64))
        return np.array(found) if found else np.zeros((0, len(next(iter(paths.values()))[0])))

    def frame(self, paths: Paths, first: int) -> pl.DataFrame:
        """The table of some draws: a row a draw, or a draw and step; constants are left out.

        Args:
            paths: What `run` gave.
            first: The number of the first draw, from 0.
        """
        shown = [n for n, v in self.scenario.variables.items() if not isinstance(v, Constant)]
        m = len(next(iter(paths.values()))[0])
        columns: dict[str, Any] = {}
        if self.scenario.steps:
            columns["draw"] = np.repeat(np.arange(first + 1, first + m + 1), self.steps)
            columns["step"] = np.tile(np.arange(1, self.steps + 1), m)
        for name in (*shown, *self.scenario.shocks):
            flat = paths[name].T.ravel()
            columns[name] = pl.Series(name, flat.tolist(), pl.String) if flat.dtype.kind == "U" else flat
            if name in self.scenario.shocks:
                columns[name] = flat > 0
        return pl.DataFrame(columns)

    def _drawn(self, points: Floats, *, alone: bool) -> dict[str, NDArray[Any]]:
        """The values of all that is drawn, (steps or 1, m)."""
        ranks = {name: points[:, self.slots[name]].T for name in self.margins}
        for k, copula in enumerate(() if alone else self.copulas):
            shape = ranks[copula.names[0]].shape
            stacked = np.array([ranks[n].ravel() for n in copula.names])
            mixing = None if copula.df is None else points[:, self.slots[_mixing(k)]].T.ravel()
            together = joint_ranks(stacked, copula.root, copula.df, mixing)
            ranks |= {n: together[i].reshape(shape) for i, n in enumerate(copula.names)}
        return {name: margin.quantile(ranks[name]) for name, margin in self.margins.items()}

    def _now(self, name: str, values: Mapping[str, NDArray[Any]], look: Callable[[str, int], Any], t: int) -> Any:
        variable = self.scenario.variables[name]
        if isinstance(variable, Constant):
            return np.float64(variable.value)
        if isinstance(variable, Computed):
            return np.asarray(self.formulas[variable.formula].value(look))
        return values[name][min(t, len(values[name]) - 1)]

    def _changed(self, change: Change, now: Any, look: Callable[[str, int], Any]) -> Any:
        with np.errstate(all="ignore"):
            for how, amount in amounts(change):
                by = self.formulas[amount].value(look) if isinstance(amount, str) else amount
                now = now * by if how == "multiply" else now + by if how == "add" else by
        return now

    def _shock(self, shock: Shock, ranks: Floats) -> Floats:
        """Whether a shock lasts, (steps, m) of 0 and 1."""
        begins = np.zeros((self.steps, ranks.shape[1]), np.bool_)
        first = shock.at - 1
        if shock.each == "draw":
            begins[first] = ranks[0] > 1 - shock.probability
            lasts = self.steps if shock.lasts is None else shock.lasts
        else:
            begins[first:] = ranks[first:] > 1 - shock.probability
            lasts = shock.lasts or 1
        on = begins.copy()
        for back in range(1, min(lasts, self.steps)):
            on[back:] |= begins[:-back]
        return on.astype(np.float64)

    def _look(
        self, paths: Mapping[str, NDArray[Any]], starts: dict[str, Any], t: int, values: Mapping[str, NDArray[Any]]
    ) -> Callable[[str, int], Any]:
        """The values of variables as they are known at a step."""

        def look(name: str, lag: int) -> Any:
            if name == "step":
                return np.float64(t + 1)
            if t + lag >= 0:
                return paths[name][t + lag]
            if name in self.scenario.shocks:
                return np.float64(0)
            if name not in starts:
                starts[name] = before(name)
            return starts[name]

        def before(name: str) -> Any:
            variable = self.scenario.variables[name]
            if isinstance(variable.start, str):
                return self.formulas[variable.start].value(lambda other, _: self._now(other, values, look, 0))
            if variable.start is not None:
                return np.float64(variable.start)
            return self._now(name, values, look, 0)

        return look


def _mixing(k: int) -> str:
    return f"copula {k}"


def compiled(scenario: Scenario, frames: Frames, *, rng: Generator) -> Program:
    """A scenario made ready to run; distributions and dependence are fitted here.

    Raises:
        SimulationError: Data are missing, or nothing can be fitted to them, or text stands where a number is wanted.
    """
    margins: dict[str, Margin] = {}
    for (name, variable), own in zip(scenario.variables.items(), rng.spawn(len(scenario.variables)), strict=True):
        if isinstance(variable, (Stated, Fitted, Empirical)):
            margins[name] = margin_of(name, variable, frames, rng=own)
    texts = frozenset(n for n, m in margins.items() if m.text)
    kinds_of(scenario, texts)
    copulas = tuple(
        joined(one, scenario.variables, frames, rng=own)
        for one, own in zip(scenario.dependence, rng.spawn(len(scenario.dependence)), strict=True)
    )
    for copula in copulas:
        for name in set(copula.names) & texts:
            raise SimulationError(f"dependence: {name!r} is text, which has no order to correlate.")
    slots, dimension = _slots(scenario, copulas)
    outputs = {n: side for n, side in outputs_of(scenario).items() if n not in texts}
    if not outputs:
        raise SimulationError(
            "The scenario has no output: all its variables are constants or text. List one in 'outputs'."
        )
    return Program(scenario, order_of(scenario), margins, copulas, _formulas(scenario), slots, dimension, outputs)


def _formulas(scenario: Scenario) -> Mapping[str, Formula]:
    return {one.text: formula_of(one.text) for one in written(scenario)}


def _slots(scenario: Scenario, copulas: tuple[Joined, ...]) -> tuple[dict[str, Ints], int]:
    """The coordinates of all that is drawn: what is drawn once, then step by step, as a sequence has its best first."""
    steps = max(scenario.steps, 1)
    stepped: dict[str, bool] = {n: v.each == "step" for n, v in scenario.variables.items() if drawn(v)}
    for k, copula in enumerate(copulas):
        if copula.df is not None:
            stepped[_mixing(k)] = stepped[copula.names[0]]
    stepped |= {name: shock.each == "step" for name, shock in scenario.shocks.items()}
    once = [n for n, each in stepped.items() if not each or steps == 1]
    often = [n for n in stepped if n not in once]
    slots = {name: np.array([i]) for i, name in enumerate(once)}
    for i, name in enumerate(often):
        slots[name] = len(once) + i + len(often) * np.arange(steps)
    return {name: slots[name] for name in stepped}, len(once) + len(often) * steps
