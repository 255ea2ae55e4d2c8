"""Showing a simulation on the command line."""

from collections.abc import Sequence
from json import loads
from typing import Any

from cuvee.cli import show
from cuvee.simulation.value import Simulation


def show_simulation(done: Simulation, *, json: bool, written: Sequence[Any]) -> None:
    """The figures as a table with notes, or all as JSON."""
    if json:
        show.as_json(loads(done.to_json()))
        return
    rows = [
        {
            "output": row["output"],
            "measure": row["measure"] + ("" if row["level"] is None else f" {100 * row['level']:.10g}%"),
            **{name: _short(row[name]) for name in ("value", "low", "high")},
        }
        for row in done.risk.iter_rows(named=True)
    ]
    show.table(rows, ("output", "measure", "value", "low", "high"))
    show.line()
    show.line(
        f"{done.n:,} draws ({done.method}); low and high are 95 % intervals. VaR and ES are losses: large is bad."
    )
    for note in done.notes:
        show.line(note)
    for place in written:
        show.line(f"written: {place}")


def _short(value: float | None) -> str:
    """A figure with six digits that count."""
    return "" if value is None else f"{value:,.6g}"
