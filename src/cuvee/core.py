"""The plug-in nouns, and the small values that they return.

A plug-in is a frozen pydantic model (a `Spec`: what the user chose, written the same in Python, in a recipe and on the
command line) with one method that does the work. Each class here is abstract, and every plug-in is final.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from cuvee.data.dataset import Dataset
from cuvee.data.dtypes import dtype_to_json
from cuvee.data.errors import ModelError
from cuvee.data.schema import Schema

Arrays = Mapping[str, NDArray[Any]]

FORMAT, VERSION = "cuvee-model", 1
MANIFEST, ARRAYS = "model.json", "arrays.safetensors"
"""A model on disk is a folder of these two files."""

BLOCK = 131_072
"""Rows are sampled in blocks of this many, each with a generator of its own: any block can be made again alone."""


@dataclass(frozen=True, slots=True)
class Event:
    """Progress of one step: `done` of `total` units; total 0 where it is not known."""

    step: str
    done: int = 0
    total: int = 0
    note: str = ""


Watch = Callable[[Event], None]
"""What progress is told to. The library draws nothing; the command line does."""


def silent(event: Event) -> None:
    """Watch nothing."""
    del event


class Spec(BaseModel):
    """What the user chose. Frozen, and closed to names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Spec, ABC):
    """One form of data outside: a file form, or a database."""

    @abstractmethod
    def read(self) -> Mapping[str, Any]:
        """The tables by name, each a Polars frame or Arrow table.

        Raises:
            SourceError: It is not there, can't be read, or is not of this form.
        """

    @abstractmethod
    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Write the tables, beside first and then moved into place, so that a failure loses nothing.

        Raises:
            SourceError: It can't be written, or this form can't hold such tables.
        """


class Rule(Spec, ABC):
    """A way to settle what several records say of one entity's column."""

    @abstractmethod
    def settle(self, claims: pl.DataFrame) -> pl.DataFrame:
        """Settle one column of all entities at once, without a loop over entities.

        Args:
            claims: One row a claim, nulls left out: `entity` (UInt32), `value`, `source` (String), `rank` (UInt32, 0 is
                the most trusted source), `row` (UInt32, the record in the order read), `time` (Datetime or null, when
                the record was made).

        Returns:
            One row an entity that has a claim, sorted by entity: `entity`, `value`, and `row` (the claim that won;
            null where the value is computed from several).
        """


class Synthesizer(Spec, ABC):
    """A way to learn a dataset."""

    learned: ClassVar["type[Learned]"]

    @abstractmethod
    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> "Learned":
        """Learn the dataset.

        Raises:
            ModelError: The data can't be learned by this synthesizer; the message says why and what to do.
        """


class Learned(ABC):
    """What a synthesizer learned: statistics and weights, never a training row."""

    @abstractmethod
    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        """Make rows `start` to `start + n` of the (root) table; rows of other blocks are made with other generators.

        Returns:
            Every table of the dataset, with the columns and dtypes of training.
        """

    @abstractmethod
    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        """All that was learned, as JSON values and arrays."""

    @classmethod
    @abstractmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        """What `state` gave, learned again without data."""

    def notes(self) -> tuple[str, ...]:
        """What the user should know of this fit, in sentences (what was left out or protected)."""
        return ()

    def log_prob(self, data: Dataset) -> NDArray[np.float64] | None:
        """Log density of each row, (n,) in nats, or None where it is not defined."""
        del data
        return None


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted synthesizer: what was chosen, what was learned, and what the data meant.

    Attributes:
        name: The synthesizer's name in the registry.
        spec: The synthesizer as it was chosen.
        schema: The schema of the training data.
        rows: Training rows by table.
        seed: The seed of the fit.
        learned: Statistics and weights.
        notes: What the user should know, in sentences.
        guarantee: The differential privacy guarantee, or None.
    """

    name: str
    spec: Synthesizer
    schema: Schema
    rows: Mapping[str, int]
    seed: int
    learned: Learned
    notes: tuple[str, ...] = ()
    guarantee: Mapping[str, float] | None = None

    def sample(self, n: int, *, seed: int = 0, watch: Watch = silent) -> Dataset:
        """Make n rows (of the root table, where there are several).

        The same seed gives the same bytes. Rows come in blocks of `BLOCK`, each from `SeedSequence(seed, block)`.

        Raises:
            ModelError: n is negative.
        """
        blocks = list(self.blocks(n, seed=seed, watch=watch))
        tables = {t: pl.concat([b[t] for b in blocks]) if len(blocks) > 1 else blocks[0][t] for t in blocks[0]}
        return Dataset(tables, _without_broken_keys(self.schema, tables))

    def blocks(self, n: int, *, seed: int = 0, watch: Watch = silent) -> Iterable[Mapping[str, pl.DataFrame]]:
        """The rows of `sample`, block by block, in constant memory."""
        if not isinstance(n, int) or n < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ModelError(f"{n!r} rows were asked for; the number of rows is a whole number, 0 or more.")
        if not isinstance(seed, int) or seed < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ModelError(f"The seed is {seed!r}; it is a whole number, 0 or more.")
        for block, start in enumerate(range(0, max(n, 1), BLOCK)):
            rng = np.random.default_rng(SeedSequence(seed, spawn_key=(block,)))
            size = min(BLOCK, n - start)
            yield self.learned.sample(size, start=start, rng=rng)
            watch(Event("sample", start + size, n))

    def log_prob(self, data: Dataset) -> NDArray[np.float64]:
        """Log density of each row under the model, (n,) in nats.

        Raises:
            ModelError: This synthesizer defines no density.
        """
        density = self.learned.log_prob(data)
        if density is None:
            raise ModelError(f"{self.name!r} defines no density. See cuvee models for those that do.")
        return density

    def save(self, path: str | Path) -> None:
        """Write the model as a folder of model.json and arrays.safetensors, beside first and then moved into place.

        Raises:
            ModelError: The path is taken by something that is not a model, or can't be written.
        """
        folder = Path(path)
        if (
            folder.exists()
            and not (folder / MANIFEST).is_file()
            and not (folder.is_dir() and not any(folder.iterdir()))
        ):
            raise ModelError(f"{folder} is there already and is not a model. Choose another name for the model folder.")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as beside:
                fresh, old = Path(beside) / "new", Path(beside) / "old"
                fresh.mkdir()
                self._write(fresh)
                if folder.exists():
                    folder.rename(old)
                try:
                    fresh.rename(folder)
                except OSError:
                    if old.exists():
                        old.rename(folder)
                    raise
        except OSError as error:
            raise ModelError(f"The model can't be written to {folder}: {error.strerror}.") from error

    def _write(self, folder: Path) -> None:
        """The two files of a model folder."""
        from safetensors.numpy import save

        values, arrays = self.learned.state()
        content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        empty = self.learned.sample(0, start=0, rng=np.random.default_rng(0))
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "spec": self.spec.model_dump(mode="json"),
            "schema": self.schema.model_dump(mode="json"),
            "dtypes": {t: {c: dtype_to_json(d) for c, d in frame.schema.items()} for t, frame in empty.items()},
            "rows": dict(self.rows),
            "seed": self.seed,
            "notes": list(self.notes),
            "guarantee": None if self.guarantee is None else dict(self.guarantee),
            "state": values,
            "arrays": {"bytes": len(content), "sha256": sha256(content).hexdigest()},
        }
        (folder / ARRAYS).write_bytes(content)
        (folder / MANIFEST).write_text(json.dumps(manifest, allow_nan=False, ensure_ascii=False), "utf-8")

    def __repr__(self) -> str:
        rows = ", ".join(f"{t} {n:,} rows" for t, n in self.rows.items())
        return f"Model({self.name}, {rows})"


def _without_broken_keys(schema: Schema, tables: Mapping[str, pl.DataFrame]) -> Schema:
    """The schema without the keys that sampled rows repeat: dates, and pairs of columns, are not made unique."""
    broken = {
        name: table.model_copy(update={"key": None})
        for name, table in schema.tables.items()
        if table.key is not None and tables[name].select(table.key).is_duplicated().any()
    }
    return schema if not broken else schema.model_copy(update={"tables": {**schema.tables, **broken}})


@dataclass(frozen=True, slots=True)
class Trial:
    """What metrics compare: the data that was learned from, untouched real data, and what was made.

    Attributes:
        train: Real rows that the model saw.
        holdout: Real rows that it did not see, or None: then what needs them is not assessed.
        synthetic: Synthetic rows.
        floor: Rows like train's with every column shuffled by itself, the naive generator; as many as `synthetic`.
        predict: The target column of utility, or None.
    """

    train: Dataset
    holdout: Dataset | None
    synthetic: Dataset
    floor: Dataset
    predict: str | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """One figure with what it is measured against.

    Attributes:
        name: The metric, in the field's word ("shape").
        family: What it speaks of.
        value: The figure of the synthetic data.
        floor: The figure of independently shuffled columns, or None where that says nothing.
        ceiling: The figure of real holdout rows, or None where there is no holdout.
        interval: 95 % interval of the value, or None.
        best: The figure that is best (1.0 for shape, 0.5 for a detector).
        verdict: What it means, in a sentence.
        passed: True fine, False a warning, None not assessed.
        detail: What is behind the figure, worst first: rows such as {"column": "age", "value": 0.98, "ceiling": 0.99}.
    """

    name: str
    family: Literal["fidelity", "utility", "privacy"]
    value: float | None
    floor: float | None
    ceiling: float | None
    interval: tuple[float, float] | None
    best: float
    verdict: str
    passed: bool | None
    detail: tuple[Mapping[str, Any], ...] = ()

    @property
    def anchored(self) -> float | None:
        """The figure where 0 is independent columns and 100 is real holdout rows; None without both."""
        if self.value is None or self.floor is None or self.ceiling is None or self.ceiling == self.floor:
            return None
        return 100 * (self.value - self.floor) / (self.ceiling - self.floor)


class Metric(Spec, ABC):
    """A way to compare synthetic with real data."""

    family: ClassVar[Literal["fidelity", "utility", "privacy"]]
    gives: ClassVar[tuple[str, ...]] = ()
    """The names of its scores, where they are not its own name alone: a gate of a recipe may ask for them."""

    @abstractmethod
    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        """The figures of this trial. Order of rows and of columns does not matter."""


@dataclass(frozen=True, slots=True)
class Scores:
    """All figures of one trial.

    Attributes:
        scores: In the order of the registry.
        rows: Rows of train, holdout and synthetic.
        predict: The target of utility, or None.
        seed: The seed of the evaluation.
    """

    scores: tuple[Score, ...]
    rows: Mapping[str, int]
    predict: str | None = None
    seed: int = 0
    version: int = field(default=1)

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)

    def __getitem__(self, name: str) -> Score:
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(f"There is no score {name!r}; there are {', '.join(s.name for s in self.scores)}.")

    def to_json(self) -> str:
        """The scores as JSON; NaN never occurs."""
        return json.dumps(asdict(self), indent=1, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Scores":
        """What `to_json` gave."""
        raw: dict[str, Any] = json.loads(text)
        for score in raw["scores"]:
            score["interval"] = None if score["interval"] is None else tuple(score["interval"])
            score["detail"] = tuple(score["detail"])
        scores = tuple(Score(**score) for score in raw.pop("scores"))
        return cls(scores=scores, **raw)

    def save(self, path: str | Path) -> None:
        """Write the scores as JSON."""
        Path(path).write_text(self.to_json(), "utf-8")

    def __repr__(self) -> str:
        return "Scores(" + ", ".join(f"{s.name}={s.value}" for s in self.scores) + ")"
