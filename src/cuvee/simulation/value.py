"""What a simulation gives."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from cuvee.data.dataset import Dataset
from cuvee.data.errors import SimulationError
from cuvee.data.names import did_you_mean
from cuvee.simulation.scenario import asked

Stopped = Literal["draws", "precision", "interrupted"]
FRAMES = ("risk", "convergence", "sensitivity", "swings", "fan", "bins")
MANIFEST = "simulation.json"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval.

    Attributes:
        value: The figure.
        low: Lower end; None where there are too few draws to tell.
        high: Upper end.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulation: draws, and what they say of risk.

    Attributes:
        title: What was simulated.
        draws: A row a draw, or a draw and step; None where they were written to a file.
        risk: `output`, `measure` (mean, sd, quantile, VaR, ES, probability), `level`, `value`, `low`, `high`. VaR and
            ES are losses: large is bad.
        convergence: The mean of each output after so many draws: `output`, `draws`, `value`, `low`, `high`.
        sensitivity: Sobol indices: `output`, `factor`, `first`, `first_low`, `first_high`, `total`, `total_low`,
            `total_high`. Variables that hang together are one factor.
        swings: One variable at a time from its 5 % to its 95 % point, all others at their medians: `output`,
            `variable`, `at_low`, `at_median`, `at_high`; and `rank_correlation` of its draws with those of the output.
        fan: Quantiles of each output by step: `output`, `step`, `level`, `value`; empty without time.
        bins: How draws are spread: `output`, `low`, `high`, `share`.
        sides: By output, gain or loss.
        method: How the draws were spread.
        n: How many draws were made.
        steps: Time steps; 0 without time.
        seed: Of the draws.
        stopped: What ended it: the number of draws, the precision, or an interruption.
        notes: What was fitted, repaired or rounded, in sentences.
    """

    title: str
    draws: Dataset | None
    risk: pl.DataFrame
    convergence: pl.DataFrame
    sensitivity: pl.DataFrame
    swings: pl.DataFrame
    fan: pl.DataFrame
    bins: pl.DataFrame
    sides: Mapping[str, str]
    method: str
    n: int
    steps: int
    seed: int
    stopped: Stopped
    notes: tuple[str, ...]

    def __getitem__(self, key: str) -> Figure:
        """A figure by its name, such as "mean of profit", "VaR 99% of profit" or "probability of ruin".

        Raises:
            SimulationError: It is not among the figures.
        """
        wanted = asked(key)
        keys = [figure_name(r) for r in self.risk.iter_rows(named=True)]
        if wanted is not None:
            for row in self.risk.iter_rows(named=True):
                same = (row["measure"], row["output"]) == (wanted[0], wanted[2])
                if same and (row["level"] is None or abs(row["level"] - (wanted[1] or 0)) < 1e-12):
                    return Figure(row["value"], row["low"], row["high"])
        raise SimulationError(f"There is no figure {key!r}.{did_you_mean(key, keys)}")

    def summary(self) -> dict[str, Any]:
        """All but the draws, as JSON values; NaN never occurs."""
        tables = {name: getattr(self, name).to_dicts() for name in FRAMES}
        plain = {name: getattr(self, name) for name in ("title", "method", "n", "steps", "seed", "stopped")}
        return {**plain, "sides": dict(self.sides), "notes": list(self.notes), **tables}

    def to_json(self) -> str:
        """All but the draws, as JSON."""
        return json.dumps(self.summary(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    def save(self, folder: str | Path) -> None:
        """Write a folder: `simulation.json`, the tables, and `draws.parquet` where draws are held.

        Raises:
            SimulationError: It can't be written, or something else stands there.
        """
        place = Path(folder)
        if place.exists() and not (place / MANIFEST).is_file() and not (place.is_dir() and not any(place.iterdir())):
            raise SimulationError(f"{place} is there already and is no simulation. Give another folder.")
        try:
            place.mkdir(parents=True, exist_ok=True)
            for name in FRAMES:
                getattr(self, name).write_parquet(place / f"{name}.parquet")
            if self.draws is not None:
                self.draws.frame.write_parquet(place / "draws.parquet")
            else:
                (place / "draws.parquet").unlink(missing_ok=True)
            (place / MANIFEST).write_text(self.to_json(), "utf-8")
        except OSError as error:
            raise SimulationError(f"The simulation can't be written to {place}: {error.strerror or error}.") from error

    @classmethod
    def load(cls, folder: str | Path) -> "Simulation":
        """Read what `save` wrote.

        Raises:
            SimulationError: It is not there, or is none.
        """
        place = Path(folder)
        try:
            told = json.loads((place / MANIFEST).read_text("utf-8"))
            frames = {name: pl.read_parquet(place / f"{name}.parquet") for name in FRAMES}
            draws = place / "draws.parquet"
            held = Dataset.of({"draws": pl.read_parquet(draws)}) if draws.is_file() else None
            plain = {name: told[name] for name in ("title", "sides", "method", "n", "steps", "seed", "stopped")}
            return cls(draws=held, notes=tuple(told["notes"]), **frames, **plain)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SimulationError(f"{place} is no simulation, or is broken. Simulate again.") from error

    def __repr__(self) -> str:
        return f"Simulation({self.title}: {self.n:,} draws, {self.risk.height} figures)"


def figure_name(row: Mapping[str, Any]) -> str:
    """A figure in words.

    >>> figure_name({"measure": "VaR", "level": 0.99, "output": "profit"})
    'VaR 99% of profit'
    """
    level = "" if row["level"] is None else f" {100 * row['level']:.10g}%"
    return f"{row['measure']}{level} of {row['output']}"
