"""What the outputs of a scenario hang on: Sobol indices, one variable at a time, and rank correlations."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.core import Event, Watch
from cuvee.numeric.sensitivity import sobol_indices
from cuvee.simulation.program import Program

Floats = NDArray[np.float64]

MANY = 60
"""With more factors the indices are left out, and a note says so."""
ENDS = (0.05, 0.95)
"""Where a variable is put, one at a time."""

_SHARES = ("first", "first_low", "first_high", "total", "total_low", "total_high")
INDICES = {"output": pl.String, "factor": pl.String, **dict.fromkeys(_SHARES, pl.Float64)}
_MOVES = ("at_low", "at_median", "at_high", "rank_correlation")
SWINGS = {"output": pl.String, "variable": pl.String, **dict.fromkeys(_MOVES, pl.Float64)}


def indices(program: Program, *, seed: int, watch: Watch) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Sobol indices of all factors: `Simulation.sensitivity`, and what to know of them."""
    factors, n = program.factors(), program.scenario.sensitivity
    if n == 0 or not factors:
        return pl.DataFrame(schema=INDICES), ()
    if len(factors) > MANY:
        said = f"There are {len(factors)} factors, more than {MANY}: sensitivity indices were left out."
        return pl.DataFrame(schema=INDICES), (said,)
    watch(Event("sensitivity", 0, 1))
    coordinates = [f.coordinates for f in factors]
    found = sobol_indices(program.last, coordinates, program.dimension, n=n, seed=seed)
    rows: list[tuple[Any, ...]] = []
    for q, output in enumerate(program.outputs):
        for k, factor in enumerate(factors):
            parts = ((found.first, found.first_half), (found.total, found.total_half))
            ends = [(float(v[k, q]), float(v[k, q] - h[k, q]), float(v[k, q] + h[k, q])) for v, h in parts]
            rows.append((output, factor.name, *ends[0], *ends[1]))
    watch(Event("sensitivity", 1, 1, f"{found.evaluations:,} runs"))
    notes: list[str] = []
    together = [f.name for f in factors if " + " in f.name]
    if together:
        notes.append(
            f"Sensitivity indices are of independent factors; what hangs together is one: {'; '.join(together)}."
        )
    return pl.DataFrame(rows, schema=INDICES, orient="row"), tuple(notes)


def swings(program: Program, kept: Mapping[str, Floats], outputs: Floats) -> pl.DataFrame:
    """Each variable and shock moved by itself: `Simulation.swings`.

    Args:
        program: The scenario, made ready.
        kept: By variable and shock: the means over steps of the first draws, (m,).
        outputs: (q, m), the outputs of the same draws.
    """
    names = [n for n in program.slots if n in program.margins or n in program.scenario.shocks]
    if not names:
        return pl.DataFrame(schema=SWINGS)
    points = np.full((2 * len(names) + 1, program.dimension), 0.5)
    for i, name in enumerate(names):
        # A shock is off, or on in all its steps; a chance of 5 % would seldom be passed.
        ends = (0.0, 1.0) if name in program.scenario.shocks else ENDS
        for j in range(2):
            points[2 * i + j, program.slots[name]] = np.clip(ends[j], 1e-12, 1 - 1e-12)
    moved = program.last(points, alone=True)
    rows: list[tuple[Any, ...]] = []
    for q, output in enumerate(program.outputs):
        for i, name in enumerate(names):
            low, high = (_finite(moved[q, 2 * i + j]) for j in range(2))
            rows.append((output, name, low, _finite(moved[q, -1]), high, _rank_correlation(kept.get(name), outputs[q])))
    return pl.DataFrame(rows, schema=SWINGS, orient="row")


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _rank_correlation(one: Floats | None, other: Floats) -> float | None:
    """Spearman's rank correlation; None where one does not vary."""
    from scipy.stats import rankdata

    if one is None or len(one) < 3 or (one == one[0]).all() or (other == other[0]).all():
        return None
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])
