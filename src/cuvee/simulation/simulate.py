"""Runs a scenario: draws in blocks, until there are enough, the figures are precise enough, or someone stops it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.random import SeedSequence
from numpy.typing import NDArray

from cuvee.core import Event, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.data.errors import SimulationError
from cuvee.numeric.designs import MOST_DIMENSIONS, Chunk, Design
from cuvee.simulation.effects import INDICES, indices, swings
from cuvee.simulation.measures import Asking, Drawn
from cuvee.simulation.program import Paths, Program, compiled
from cuvee.simulation.scenario import Scenario
from cuvee.simulation.value import Simulation, Stopped

Floats = NDArray[np.float64]

KEPT = 16_384
"""Fans and rank correlations are those of so many draws, the first."""
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles of a fan."""


class Sink(Protocol):
    """Where draws go, block by block."""

    def put(self, frame: pl.DataFrame) -> None:
        """Take the next draws."""
        ...

    def close(self) -> int:
        """Write what was taken; how many rows that is."""
        ...


@dataclass(slots=True)
class Held:
    """Draws held in memory."""

    frames: list[pl.DataFrame] = field(default_factory=list)

    def put(self, frame: pl.DataFrame) -> None:
        self.frames.append(frame)

    def close(self) -> int:
        return sum(f.height for f in self.frames)


@dataclass(slots=True)
class _Record:
    """What is collected while draws are made."""

    outputs: list[Floats] = field(default_factory=list)
    events: list[Floats] = field(default_factory=list)
    controls: list[Floats] = field(default_factory=list)
    replicates: list[NDArray[np.int64]] = field(default_factory=list)
    places: list[NDArray[np.int64]] = field(default_factory=list)
    fans: list[Floats] = field(default_factory=list)
    inputs: list[Floats] = field(default_factory=list)
    n: int = 0

    def drawn(self, program: Program) -> Drawn:
        outputs, events, controls = (np.concatenate(p, axis=1) for p in (self.outputs, self.events, self.controls))
        labels = np.concatenate(self.replicates), np.concatenate(self.places)
        method = program.scenario.method if program.dimension else "plain"
        return Drawn(outputs, events, controls, *labels, method)


def simulate_scenario(
    scenario: Scenario,
    frames: Mapping[str, pl.DataFrame],
    *,
    n: int | None = None,
    seed: int = 0,
    sink: Sink | None = None,
    block: int = 8_192,
    watch: Watch = silent,
) -> Simulation:
    """Draw from a scenario, and measure what comes out.

    Interrupted (Ctrl-C) after at least one block, it gives what there is, and a note says so.

    Args:
        scenario: What is simulated.
        frames: The data that variables are fitted to, by name.
        n: How many draws, at most where precision is asked for; None for as many as the scenario says.
        seed: The same seed gives the same bytes, whatever the block.
        sink: Where draws go; None holds them in memory.
        block: Rows that are computed at once, at most; a matter of memory alone.
        watch: Told of progress.

    Raises:
        SimulationError: Data are missing, nothing can be fitted to them, or an output is not a finite number.
    """
    n = scenario.draws if n is None else n
    if n < 2:
        raise SimulationError(f"{n} draws were asked for; at least 2 are wanted.")
    watch(Event("simulate", 0, n))
    root = SeedSequence(seed)
    program = compiled(scenario, frames, rng=np.random.default_rng(SeedSequence(seed, spawn_key=(4,))))
    method = scenario.method if program.dimension else "plain"
    if method == "sobol" and program.dimension > MOST_DIMENSIONS:
        said = f"The scenario draws {program.dimension:,} numbers a draw; a Sobol sequence has {MOST_DIMENSIONS:,}"
        raise SimulationError(f"{said} at most. Use method: latin, or plain.")
    held = sink or Held()
    design = Design(method, program.dimension, n, int(root.generate_state(1, np.uint64)[0]), bool(scenario.precision))
    record, asking = _Record(), Asking.of(program)
    stopped: Stopped = "draws"
    try:
        stopped = _run(program, design, asking, record, held, block, watch)
    except KeyboardInterrupt:
        if record.n < 2:
            raise
        stopped = "interrupted"
    rows = held.close() // max(scenario.steps, 1)
    drawn = record.drawn(program).first(min(rows, record.n) // 2 * 2 if stopped == "interrupted" else record.n)
    table = pl.concat(held.frames) if isinstance(held, Held) else None
    return _measured(program, design, asking, record, drawn, table, (stopped, seed), watch)


def _run(
    program: Program, design: Design, asking: Asking, record: _Record, sink: Sink, block: int, watch: Watch
) -> Stopped:
    """Make the draws stage by stage."""
    before, totals = 0, design.totals()
    for total in totals:
        for chunk in design.stage(before, total):
            for part in _cut(chunk, block):
                _take(program, part, record, sink)
                watch(Event("simulate", record.n, totals[-1]))
        before = total
        if program.scenario.precision and asking.reached(record.drawn(program)):
            return "precision"
    return "draws"


def _cut(chunk: Chunk, block: int) -> Iterator[Chunk]:
    """A chunk in blocks of an even number of draws."""
    step = max(2, block // 2 * 2)
    for first in range(0, len(chunk.points), step):
        yield Chunk(chunk.points[first : first + step], chunk.replicate, chunk.place + first)


def _take(program: Program, chunk: Chunk, record: _Record, sink: Sink) -> None:
    """Run one block, and keep what is needed of it."""
    paths = program.run(chunk.points)
    m = len(chunk.points)
    outputs = np.array([paths[name][-1] for name in program.outputs], np.float64)
    _refuse_gaps(program, outputs, record.n)
    controls = np.array([paths[name][-1] for name in program.scenario.control], np.float64).reshape(-1, m)
    frame = program.frame(paths, record.n)
    # Each list is filled before the count is: an interruption in between leaves a count that all of them have.
    record.outputs.append(outputs)
    record.events.append(program.happened(paths))
    record.controls.append(controls)
    record.replicates.append(np.full(m, chunk.replicate))
    record.places.append(chunk.place + np.arange(m))
    if record.n < KEPT:
        _keep(program, paths, record)
    record.n += m
    sink.put(frame)


def _keep(program: Program, paths: Paths, record: _Record) -> None:
    """What fans and rank correlations are made of."""
    inputs = [_over_steps(paths[n]) for n in _inputs(program)]
    record.inputs.append(np.array(inputs) if inputs else np.zeros((0, len(record.places[-1]))))
    if program.scenario.steps:
        record.fans.append(np.array([paths[n] for n in program.outputs], np.float64))


def _inputs(program: Program) -> list[str]:
    return [n for n, m in program.margins.items() if not m.text] + list(program.scenario.shocks)


def _over_steps(values: NDArray[Any]) -> Floats:
    """The mean over steps, (m,), summed step by step: the same for blocks of any size."""
    total = values[0].astype(np.float64)
    for row in values[1:]:
        total = total + row
    return total / len(values)


def _refuse_gaps(program: Program, outputs: Floats, before: int) -> None:
    """Refuse outputs that are no finite numbers.

    Raises:
        SimulationError: There are some.
    """
    for name, values in zip(program.outputs, outputs, strict=True):
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            raise SimulationError(
                f"The output {name!r} is not a finite number in {len(wrong):,} of {len(values):,} draws, first in draw "
                f"{before + wrong[0] + 1:,}: a division by zero, a logarithm or root of a negative number, or growth "
                "without bound. Guard it in the formula, such as where(x > 0, log(x), 0)."
            )


def _measured(
    program: Program,
    design: Design,
    asking: Asking,
    record: _Record,
    drawn: Drawn,
    table: pl.DataFrame | None,
    ending: tuple[Stopped, int],
    watch: Watch,
) -> Simulation:
    """The value of a simulation; `ending` is what ended it, and its seed."""
    scenario, (stopped, seed) = program.scenario, ending
    if table is not None:
        table = table.head(drawn.n * max(scenario.steps, 1))
    own = int(SeedSequence(seed, spawn_key=(5,)).generate_state(1)[0])
    shares, notes = pl.DataFrame(schema=INDICES), ("Interrupted: sensitivity indices were left out.",)
    if stopped != "interrupted":
        with suppress(KeyboardInterrupt):  # the draws are made: they are not thrown away
            shares, notes = indices(program, seed=own, watch=watch)
    kept = min(KEPT, drawn.n)
    inputs = np.concatenate(record.inputs, axis=1)[:, :kept]
    moved = swings(program, dict(zip(_inputs(program), inputs, strict=True)), drawn.outputs[:, : inputs.shape[1]])
    risk = asking.table(drawn)
    watch(Event("simulate", drawn.n, drawn.n, _ended(stopped, drawn.n)))
    return Simulation(
        title=scenario.title or "Simulation",
        draws=None if table is None else Dataset.of({"draws": table}),
        risk=risk,
        convergence=asking.convergence(drawn),
        sensitivity=shares,
        swings=moved,
        fan=_fan(program, record, kept),
        bins=asking.bins(drawn),
        sides=dict(program.outputs),
        method=design.method,
        n=drawn.n,
        steps=scenario.steps,
        seed=seed,
        stopped=stopped,
        notes=(*_notes(program, design, drawn.n, stopped), *program.notes, *notes, *_gaps(risk)),
    )


def _fan(program: Program, record: _Record, kept: int) -> pl.DataFrame:
    """Quantiles of outputs by step: `Simulation.fan`."""
    schema = {"output": pl.String, "step": pl.Int64, "level": pl.Float64, "value": pl.Float64}
    rows: list[tuple[Any, ...]] = []
    if record.fans:
        values = np.concatenate(record.fans, axis=2)[:, :, :kept]
        found = np.quantile(values, LEVELS, axis=2)
        for q, name in enumerate(program.outputs):
            for t in range(program.steps):
                rows += [(name, t + 1, level, float(found[i, q, t])) for i, level in enumerate(LEVELS)]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _ended(stopped: Stopped, n: int) -> str:
    words = {"draws": "", "precision": ": precise enough", "interrupted": ": interrupted"}
    return f"{n:,} draws{words[stopped]}"


def _notes(program: Program, design: Design, n: int, stopped: Stopped) -> Iterator[str]:
    """What to know of these draws, in sentences."""
    if stopped == "interrupted":
        yield f"Interrupted: these are the figures of the {n:,} draws that were made, of {design.totals()[-1]:,}."
    if stopped == "precision":
        yield f"Stopped at {n:,} draws: all is known as precisely as was asked."
    elif program.scenario.precision and stopped == "draws":
        yield f"After {n:,} draws, all that were allowed, not everything is known as precisely as was asked."
    if design.totals()[-1] != design.n and stopped == "draws":
        why = "16 scrambled Sobol sequences of a power of two" if design.method == "sobol" else "antithetic pairs"
        yield f"{n:,} draws were made where {design.n:,} were asked for: they come as {why}."
    if program.scenario.control:
        names = ", ".join(program.scenario.control)
        yield f"Means are corrected by the known means of {names}, with coefficients of other draws; the rest is not."


def _gaps(risk: pl.DataFrame) -> Iterator[str]:
    short = risk.filter(pl.col("low").is_null())
    if short.height:
        yield f"{short.height} of {risk.height} figures have no interval: too few draws lie beyond their levels."
