"""What a run gave: its steps, their values, the gates, and the files it wrote."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cuvee.data.names import did_you_mean
from cuvee.recipe.gates import Gate
from cuvee.recipe.model import Recipe


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a run.

    Attributes:
        name: Its name in the recipe.
        verb: What it does.
        key: The content hash of its value, or None where only running tells it (dry, and on a database).
        seconds: How long it took, when it was last run.
        skipped: Whether its value was there already. In a dry run: whether it would be skipped.
        gave: What it gave, in words; empty where it has not been run.
        rows: Rows by table, or by side of a split.
        seed: Its seed, or None where it draws no random numbers.
        inputs: By role (real, synthetic, train, holdout, model, data; names in a blend): what `Run.value` takes.
        spec: The step as plain values, with every default.
    """

    name: str
    verb: str
    key: str | None
    seconds: float
    skipped: bool
    gave: str
    rows: Mapping[str, int]
    seed: int | None
    inputs: Mapping[str, str]
    spec: Mapping[str, Any]


class Values(Mapping[str, Any]):
    """Values by the name of their step, opened when they are asked for."""

    def __init__(self, names: tuple[str, ...], opened: Callable[[str], Any]) -> None:
        self._names = names
        self._opened = opened

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(f"There is no value {name!r}.{did_you_mean(name, self._names)}")
        return self._opened(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"Values({', '.join(self._names)})"


@dataclass(frozen=True, slots=True)
class Run:
    """What a recipe gave.

    Attributes:
        recipe: The recipe; its text has secrets as `${NAME}`.
        steps: In order.
        values: By the name of a step, opened when asked for.
        version: The version of cuvee.
        seed: The seed of the run.
        gates: The conditions of `fail_if`, judged.
        written: The files and folders that the recipe saves.
        dry: Whether nothing was run.
    """

    recipe: Recipe
    steps: tuple[StepRecord, ...]
    values: Mapping[str, Any]
    version: str
    seed: int
    resolve: Callable[[str], Any] = field(repr=False)
    gates: tuple[Gate, ...] = ()
    written: tuple[Path, ...] = ()
    dry: bool = False

    @property
    def failed(self) -> bool:
        """Whether a gate did not pass."""
        return any(not gate.passed for gate in self.gates)

    def step(self, name: str) -> StepRecord:
        """The step of this name.

        Raises:
            KeyError: There is none.
        """
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(f"There is no step {name!r}.{did_you_mean(name, [s.name for s in self.steps])}")

    def value(self, reference: str) -> Any:
        """What a reference of the recipe means: a source, a step's value, or a part of it such as `parts.train`.

        Raises:
            CuveeError: There is no such value or part.
        """
        return self.resolve(reference)

    def plan(self) -> str:
        """The recipe with every default filled in, and above each step whether it is skipped, as YAML comments."""
        notes = {
            s.name: "unchanged, skipped" if s.skipped else "runs" if self.dry else f"ran, {s.seconds:.1f} s"
            for s in self.steps
        }
        lines: list[str] = []
        inside = False
        for line in self.recipe.resolved().splitlines():
            inside = line == "steps:" or (inside and line.startswith(" "))
            name = line.strip().partition(":")[0].strip("'\"")
            if inside and line.startswith("  ") and line[2] not in " -}" and name in notes:
                lines.append(f"  # {notes[name]}")
            lines.append(line)
        return "\n".join(lines) + "\n"

    def __repr__(self) -> str:
        skipped = sum(step.skipped for step in self.steps)
        gates = f", {sum(not g.passed for g in self.gates)} gates failed" if self.failed else ""
        return f"Run({len(self.steps)} steps, {skipped} skipped{gates})"
