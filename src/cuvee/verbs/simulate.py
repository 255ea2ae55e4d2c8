"""The verb of scenarios: simulate."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Full, Queue
from threading import Thread
from typing import Any

import polars as pl

from cuvee.core import Source, Watch, silent
from cuvee.data.errors import CuveeError, SimulationError
from cuvee.data.names import did_you_mean
from cuvee.simulation.meaning import data_of
from cuvee.simulation.scenario import Scenario
from cuvee.simulation.simulate import simulate_scenario
from cuvee.simulation.value import Simulation
from cuvee.verbs.choose import generator, source
from cuvee.verbs.data import dataset_of, read


def simulate(
    scenario: Scenario | Mapping[str, Any] | str | Path,
    n: int | None = None,
    *,
    data: Mapping[str, Any] | None = None,
    to: str | Path | None = None,
    form: str | None = None,
    keep: bool = True,
    seed: int = 0,
    watch: Watch = silent,
) -> Simulation:
    """Draw from a scenario by Monte Carlo, and measure what comes out: risk with its error, and what it hangs on.

    Interrupted (Ctrl-C), it gives what there is, and says so in its notes.

    Args:
        scenario: A scenario, the same as plain values, or its YAML file.
        n: How many draws, at most where the scenario asks for a precision; None for as many as the scenario says.
        data: What variables are fitted to, by name: datasets, data frames or paths. They go before the scenario's own.
        to: Where to write the draws, block by block.
        form: The form to write ("csv", ...) where the ending does not say it.
        keep: Whether draws that are not written are held in memory; else they are only measured.
        seed: The same seed gives the same bytes.
        watch: Told of progress.

    Raises:
        CuveeError: The scenario is wrong, its data are missing, an output is not a number, or draws can't be written.
    """
    folder = Path(scenario).parent if isinstance(scenario, (str, Path)) else Path()
    if isinstance(scenario, (str, Path)):
        chosen = Scenario.load(scenario)
    else:
        chosen = scenario if isinstance(scenario, Scenario) else Scenario.of(scenario)
    if n is not None and (not isinstance(n, int) or isinstance(n, bool)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SimulationError(f"{n!r} draws were asked for; their number is a whole number, 2 or more.")
    generator(seed)
    frames = _frames(chosen, data or {}, folder)
    sink = Written(source(to, form=form)) if to is not None else None if keep else Dropped()
    try:
        return simulate_scenario(chosen, frames, n=n, seed=seed, sink=sink, watch=watch)
    except BaseException:
        if isinstance(sink, Written):
            sink.drop()
        raise


def _frames(scenario: Scenario, data: Mapping[str, Any], folder: Path) -> dict[str, pl.DataFrame]:
    """The data that a scenario refers to, by name.

    Raises:
        CuveeError: Some are not there, or have several tables.
    """
    frames: dict[str, pl.DataFrame] = {}
    for name in data_of(scenario):
        if name in data:
            frames[name] = dataset_of(data[name]).frame
        elif name in scenario.data:
            place = scenario.data[name]
            frames[name] = read(place if "://" in place or Path(place).is_absolute() else folder / place).frame
        else:
            known = [*data, *scenario.data]
            hint = did_you_mean(name, known) if known else " Say where: data: {" + name + ": FILE}."
            raise SimulationError(f"The scenario refers to data {name!r}, which there are not.{hint}")
    return frames


class Dropped:
    """Draws that nobody keeps."""

    def __init__(self) -> None:
        self._rows = 0

    def put(self, frame: pl.DataFrame) -> None:
        self._rows += frame.height

    def close(self) -> int:
        return self._rows


class _Unwanted(Exception):  # noqa: N818 (nothing went wrong with the file)
    """The draws are not wanted any more."""


class Written:
    """Draws written to a file on a thread of their own, so that an interruption can't stop a file half-way."""

    def __init__(self, place: Source) -> None:
        self._place = place
        self._waiting: Queue[pl.DataFrame | None] = Queue(maxsize=2)
        self._rows = 0
        self._unwanted = False
        self._failed: list[BaseException] = []
        self._thread = Thread(target=self._write, name="cuvee-draws", daemon=True)
        self._thread.start()

    def put(self, frame: pl.DataFrame) -> None:
        """Hand a block on.

        Raises:
            CuveeError: It can't be written.
        """
        self._hand_on(frame)

    def close(self) -> int:
        """Finish the file; how many rows it has.

        Raises:
            CuveeError: It can't be written; what stood there before still does.
        """
        self._hand_on(None)
        self._thread.join()
        if self._failed:
            raise self._failed[0]
        return self._rows

    def drop(self) -> None:
        """Leave what stood there before as it was."""
        self._unwanted = True
        while self._thread.is_alive():
            with suppress(Full):
                self._waiting.put(None, timeout=0.2)
            self._thread.join(0.2)

    def _hand_on(self, frame: pl.DataFrame | None) -> None:
        while True:
            if self._failed:
                raise self._failed[0]
            if not self._thread.is_alive():
                raise SimulationError("The draws could not be written.")
            with suppress(Full):
                self._waiting.put(frame, timeout=0.2)
                return

    def _blocks(self) -> Iterator[pl.DataFrame]:
        while (frame := self._waiting.get()) is not None:
            yield frame
            self._rows += frame.height
        if self._unwanted:
            raise _Unwanted

    def _write(self) -> None:
        try:
            self._place.write_blocks("draws", self._blocks())
        except (CuveeError, OSError, pl.exceptions.PolarsError) as error:
            self._failed.append(error)
        except _Unwanted:
            return
