"""One set x synthesizer x seed is a cell: made by a process of its own, judged here, written down at once."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from outside import GIVEN
from outside.judge import Judge
from outside.sets import Split, load

Cell = dict[str, Any]
Key = tuple[str, str, int]
Command = Callable[[str, Path, Path, int, Split], Sequence[str]]
"""The command that makes a cell of a synthesizer, the file of train, the folder to write to, a seed and the set."""
MADE, MEASURED = "synthetic.parquet", "cell.json"
"""What such a command leaves in its folder."""


class Log:
    """The cells of a run, one JSON object a line, so that an interrupted run goes on where it was.

    Attributes:
        cells: By set, synthesizer and seed; what was written later counts.
        constants: What the judge says of each set alone.
        about: What is known of each synthesizer whatever the set.
    """

    def __init__(self, file: Path | None, *, merge: bool) -> None:
        """Open the file of a run.

        Args:
            file: Where to; None keeps nothing.
            merge: Keep what the file has. Without it, a file that has cells is refused, so that nothing is lost.
        """
        self._file = file
        self.cells: dict[Key, Cell] = {}
        self.constants: dict[str, Cell] = {}
        self.about: dict[str, Cell] = {}
        if file is None or not file.exists():
            return
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        if lines and not merge:
            sys.exit(f"{file} has {len(lines)} lines already. Add --merge to go on with it, or name another file.")
        for line in lines:
            self._take(line)

    def _take(self, line: Cell) -> None:
        if "about" in line:
            self.about[line["about"]] = line
            return
        if "constants" in line:
            self.constants[line["set"]] = line["constants"]
            return
        key = (line["set"], line["synthesizer"], line["seed"])
        self.cells[key] = line

    def add(self, line: Cell) -> None:
        """Take a line in and write it down."""
        self._take(line)
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")

    def lacks(self, key: Key) -> bool:
        """Whether a cell is still to be made: it is not there, or it failed."""
        return "error" in self.cells.get(key, {"error": ""})


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What a run does.

    Attributes:
        shared: The folder that has data/ and judge/.
        cache: A folder for constants and for the rows that were made.
        log: Its cells.
        command: What makes a cell.
        limit: Seconds that one command may take.
        other: Whether the other detectors are asked too.
        rows: Only so many rows of each part of a set, to prove that something runs.
        ids: Whether synthesizers are shown the columns that number rows.
    """

    shared: Path
    cache: Path
    log: Log
    command: Command
    limit: float
    other: bool = False
    rows: int | None = None
    ids: bool = True

    def do(self, names: Sequence[str], synthesizers: Sequence[str], seeds: Sequence[int]) -> None:
        """Make and judge the cells that are not there yet."""
        for name in names:
            split = load(name, self.shared, self.rows)
            if split is None:
                print(f"{name}: skipped, its file is not in {self.shared / 'data' / 'synth'}.", flush=True)
                continue
            keys = [(name, s, seed) for seed in seeds for s in synthesizers]
            wanted = [k for k in keys if self.log.lacks(k) or self._lacks_others(k)]
            if not wanted:
                continue
            started = time.perf_counter()
            judge = Judge(split, self.shared / "judge" / "tabular.py", self.cache, other=self.other)
            self.log.add(
                {
                    "set": name,
                    "constants": judge.constants | {"train": split.train.height, "holdout": split.holdout.height},
                }
            )
            print(f"{name}: the judge is ready after {time.perf_counter() - started:.0f} s", flush=True)
            for key in wanted:
                cell = self._others(key, judge) if not self.log.lacks(key) else self._cell(key, split, judge)
                self.log.add(cell)
                told = cell.get("error") or f"fit {cell['fit_s']} s, AUC {cell['c2st_holdout']} / {cell['c2st_train']}"
                print(f"{name} {key[1]} seed {key[2]}: {told}", flush=True)

    def _lacks_others(self, key: Key) -> bool:
        cell = self.log.cells[key]
        return self.other and "other_forest" not in cell and (self.cache / "made" / cell["made"]).exists()

    def _others(self, key: Key, judge: Judge) -> Cell:
        """A cell of an earlier run, and what the other detectors say of the rows that were kept of it."""
        cell = self.log.cells[key]
        return cell | judge.others(pl.read_parquet(self.cache / "made" / cell["made"]))

    def _cell(self, key: Key, split: Split, judge: Judge) -> Cell:
        name, synthesizer, seed = key
        cell: Cell = {"set": name, "synthesizer": synthesizer, "seed": seed, "load": round(os.getloadavg()[0], 1)}
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            shown = split.train if self.ids else split.train.drop(split.ids)
            shown.write_parquet(folder / "train.parquet")
            error = run(self.command(synthesizer, folder / "train.parquet", folder, seed, split), self.limit)
            if error is not None:
                return cell | {"error": error}
            cell |= json.loads((folder / MEASURED).read_text("utf-8"))
            made = pl.read_parquet(folder / MADE)
        kept = f"{name}-{synthesizer}-{seed}-{time.time_ns()}.parquet".replace("/", "_")
        (self.cache / "made").mkdir(parents=True, exist_ok=True)
        made.write_parquet(self.cache / "made" / kept)
        started = time.perf_counter()
        try:
            cell |= judge.figures(made)
        except (ValueError, pl.exceptions.PolarsError) as reason:
            return cell | {"error": f"could not be judged: {reason}"}
        return cell | {"made": kept, "judge_s": round(time.perf_counter() - started, 1)}


def run(command: Sequence[str], limit: float) -> str | None:
    """Run a command in a session of its own; says in a line what went wrong, or None."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, env=GIVEN, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            return f"not done in {limit:.0f} s"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        said.seek(0)
        lines = [line.strip() for line in said.read().splitlines() if line.strip()]
    return None if code == 0 else f"exit {code}: {lines[-1] if lines else 'nothing was said'}"[:300]
