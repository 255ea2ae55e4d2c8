"""Progress on standard error: a live line with time left on a terminal, else a plain line at every tenth."""

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cuvee.core import Event, Watch

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@contextmanager
def drawn() -> Generator[Watch]:
    """A watch that draws what it is told."""
    if not sys.stderr.isatty():
        yield Plain()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<28}"), BarColumn(bar_width=24), TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Live(progress)


STILL = 10.0
"""Seconds between two lines about a step of unknown length."""
ESTIMATE = "estimate"
"""The step of an event that says, before a step begins, how long it will take."""


class Live:
    """Draws events as rich progress bars, one a step; an estimate is a line above them."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, event: Event) -> None:
        if event.step == ESTIMATE:
            self._progress.console.print(f"{ESTIMATE}: {event.note}", markup=False, highlight=False)
            return
        if event.step not in self._tasks:
            self._tasks[event.step] = self._progress.add_task(event.step, total=None, note="")
        self._progress.update(self._tasks[event.step], completed=event.done, total=event.total or None, note=event.note)


class Plain:
    """Writes a line when a step begins, at every tenth of it, and when it is done and says what it gave.

    A step of unknown length says every ten seconds how far it is. An estimate is a line by itself.
    """

    def __init__(self) -> None:
        self._tenths: dict[str, int] = {}
        self._started: dict[str, float] = {}
        self._told: set[str] = set()
        self._wrote: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        if event.step == ESTIMATE:
            sys.stderr.write(f"{ESTIMATE}: {event.note}\n")
            sys.stderr.flush()
            return
        began = self._started.setdefault(event.step, time.monotonic())
        tenth = 10 * event.done // event.total if event.total else 0
        gave = 0 < event.done == event.total and event.note != "" and event.step not in self._told
        still = not event.total and event.note and time.monotonic() - self._wrote.get(event.step, began) >= STILL
        if tenth <= self._tenths.get(event.step, -1) and not gave and not still:
            return
        self._wrote[event.step] = time.monotonic()
        self._tenths[event.step] = tenth
        if gave:
            self._told.add(event.step)
        share = f" {10 * tenth:3d} %" if event.total else ""
        seconds = (time.monotonic() - began) * (event.total - event.done) / event.done if event.done else 0.0
        left = f", {seconds:.0f} s left" if seconds >= 1 else ""
        note = f"  {event.note}" if event.note else ""
        sys.stderr.write(f"{event.step}{share}{left}{note}\n")
        sys.stderr.flush()
