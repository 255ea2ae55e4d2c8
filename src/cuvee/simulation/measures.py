"""The figures of a simulation: what is asked of each output and event, with intervals that suit the draws."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.numeric import risk
from cuvee.numeric.designs import Method
from cuvee.numeric.risk import Estimate, Units
from cuvee.simulation.program import Program
from cuvee.simulation.scenario import Scenario, asked

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POINTS = 24
"""Points of a convergence curve."""
BINS = 48
_FIGURES = ("level", "value", "low", "high")
RISK = {"output": pl.String, "measure": pl.String, **dict.fromkeys(_FIGURES, pl.Float64)}


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is kept of all draws: 8 bytes a draw for each output, event and control.

    Attributes:
        outputs: (q, n), at the last step.
        events: (e, n), 0 and 1.
        controls: (k, n), at the last step.
        replicates: (n,), the independent randomisation of each draw.
        places: (n,), its number within.
        method: How draws are spread.
    """

    outputs: Floats
    events: Floats
    controls: Floats
    replicates: Ints
    places: Ints
    method: Method

    @property
    def n(self) -> int:
        return self.outputs.shape[1]

    @property
    def units(self) -> Units:
        """What is independent among the draws."""
        return Units(self.method == "antithetic", self.replicates if self.method in {"latin", "sobol"} else None)

    def first(self, n: int) -> "Drawn":
        """The first n draws."""
        return self.at(np.arange(n))

    def at(self, rows: Ints) -> "Drawn":
        """Some draws."""
        parts = (self.outputs[:, rows], self.events[:, rows], self.controls[:, rows])
        return Drawn(*parts, self.replicates[rows], self.places[rows], self.method)


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked of draws.

    Attributes:
        scenario: What it says.
        outputs: By name, gain or loss.
        means: (k,), the known means of the controls.
    """

    scenario: Scenario
    outputs: Mapping[str, str]
    means: Floats

    @classmethod
    def of(cls, program: Program) -> "Asking":
        """What a scenario asks."""
        means = [
            program.margins[name].expectation if mean is None else mean
            for name, mean in program.scenario.control.items()
        ]
        return cls(program.scenario, program.outputs, np.array(means, np.float64))

    def figure(self, drawn: Drawn, measure: str, level: float | None, name: str) -> Estimate:
        """One figure."""
        units = drawn.units
        if measure == "probability":
            return risk.probability(drawn.events[list(self.scenario.events).index(name)], units)
        values = drawn.outputs[list(self.outputs).index(name)]
        loss = values if self.outputs[name] == "loss" else -values
        found = {
            "mean": lambda: risk.mean(self._controlled(values, drawn), units),
            "sd": lambda: risk.deviation(values, units),
            "quantile": lambda: risk.quantile(values, level or 0.5, units),
            "VaR": lambda: risk.quantile(loss, level or 0.5, units),
            "ES": lambda: risk.shortfall(loss, level or 0.5, units),
        }
        return found[measure]()

    def reached(self, drawn: Drawn) -> bool:
        """Whether all is known as well as is asked."""
        for key, wanted in self.scenario.precision.items():
            measure, level, name = asked(key) or ("mean", None, key)
            found = self.figure(drawn, measure, level, name)
            bound = abs(found.value) * float(wanted[:-1]) / 100 if isinstance(wanted, str) else wanted
            if not found.half <= bound:
                return False
        return bool(self.scenario.precision)

    def table(self, drawn: Drawn) -> pl.DataFrame:
        """All figures: `Simulation.risk`."""
        wanted: list[tuple[str, float | None, str]] = []
        for name in self.outputs:
            wanted += [("mean", None, name), ("sd", None, name)]
            wanted += [("quantile", level, name) for level in sorted(self.scenario.quantiles)]
            wanted += [(tail, level, name) for level in sorted(self.scenario.levels) for tail in ("VaR", "ES")]
        wanted += [("probability", None, name) for name in self.scenario.events]
        more = [asked(key) for key in self.scenario.precision]
        wanted += [m for m in more if m is not None and m not in wanted]
        rows: list[tuple[Any, ...]] = []
        for measure, level, name in wanted:
            found = self.figure(drawn, measure, level, name)
            rows.append((name, measure, level, found.value, *(found.interval or (None, None))))
        return pl.DataFrame(rows, schema=RISK, orient="row")

    def convergence(self, drawn: Drawn) -> pl.DataFrame:
        """How the means settle: `Simulation.convergence`."""
        rows: list[tuple[Any, ...]] = []
        for n, part in _prefixes(drawn):
            for name in self.outputs:
                found = self.figure(part, "mean", None, name)
                rows.append((name, n, found.value, *(found.interval or (None, None))))
        schema = {"output": pl.String, "draws": pl.Int64, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64}
        return pl.DataFrame(rows, schema=schema, orient="row").sort("output", "draws", maintain_order=True)

    def bins(self, drawn: Drawn) -> pl.DataFrame:
        """How the draws of each output are spread, between their outermost thousandths: `Simulation.bins`."""
        rows: list[tuple[Any, ...]] = []
        for name, values in zip(self.outputs, drawn.outputs, strict=True):
            low, high = (float(v) for v in np.quantile(values, (0.001, 0.999)))
            if low == high:
                rows.append((name, low, high, 1.0))
                continue
            counts, edges = np.histogram(values, bins=BINS, range=(low, high))
            ends = zip(edges[:-1].tolist(), edges[1:].tolist(), (counts / drawn.n).tolist(), strict=True)
            rows += [(name, a, b, share) for a, b, share in ends]
        schema = {"output": pl.String, "low": pl.Float64, "high": pl.Float64, "share": pl.Float64}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _controlled(self, values: Floats, drawn: Drawn) -> Floats:
        if not len(self.means) or drawn.n < 100:
            return values
        return risk.controlled(values, drawn.controls.T, self.means, drawn.units)[0]


def _prefixes(drawn: Drawn) -> Iterator[tuple[int, Drawn]]:
    """What would have been known after fewer draws: shorter sequences, fewer hypercubes, or simply the first draws."""
    n = drawn.n
    if drawn.method == "latin":
        last = int(drawn.replicates.max()) + 1
        for count in np.unique(np.linspace(2, last, min(POINTS, max(last - 1, 1))).astype(np.int64)):
            rows = np.flatnonzero(drawn.replicates < count)
            yield len(rows), drawn.at(rows)
        return
    if drawn.method == "sobol":
        last = int(drawn.places.max()) + 1
        for k in range(2, last.bit_length()):
            rows = np.flatnonzero(drawn.places < 1 << k)
            if 1 << k <= last:
                yield len(rows), drawn.at(rows)
        return
    sizes = np.unique(np.geomspace(min(64, n), n, POINTS).astype(np.int64) // 2 * 2)
    for size in (*sizes[:-1], n):
        yield int(size), drawn.first(int(size))
