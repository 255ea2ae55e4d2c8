# ruff: noqa: ARG002, ARG003 (the plug-ins that are broken on purpose take what the contract gives)
"""Every registered plug-in keeps its contract, and the contracts catch plug-ins that don't.

A new plug-in is tested here as soon as it stands in the registry.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
import pytest
from numpy.random import Generator

from cuvee.core import Arrays, Learned, Metric, Rule, Score, Source, Synthesizer, Trial, Watch, silent
from cuvee.data.dataset import Dataset
from cuvee.data.errors import MissingExtraError, SourceError
from cuvee.registry import REGISTRY, Entry, find
from cuvee.synthesis.tabular.independent import Independent
from cuvee.testing import bad_inputs, check_metric, check_rule, check_source, check_synthesizer


def plug_in(group: Any, name: str) -> Any:
    """The class of a choice; skips where its extra is not installed."""
    try:
        return find(group, name)
    except MissingExtraError as error:
        pytest.skip(str(error))


def place(entry: Entry, folder: Path) -> str:
    """Where a source of this entry can be in a folder."""
    if "sqlite://" in entry.endings:
        return f"sqlite:///{folder / 'table.sqlite'}"
    return str(folder / f"table{entry.endings[0]}" if entry.endings else folder / "tables")


# The registry


@pytest.mark.parametrize("name", REGISTRY["sources"])
def test_source(name: str) -> None:
    kind = plug_in("sources", name)
    check_source(lambda folder: kind(path=place(REGISTRY["sources"][name], folder)))


@pytest.mark.parametrize(
    ("name", "ending"), [("csv", ".csv.gz"), ("csv", ".tsv"), ("jsonl", ".jsonl.gz"), ("npy", ".npz")]
)
def test_source_with_another_ending(name: str, ending: str) -> None:
    kind = plug_in("sources", name)
    check_source(lambda folder: kind(path=str(folder / f"table{ending}")))


@pytest.mark.parametrize("name", REGISTRY["rules"])
def test_rule(name: str) -> None:
    check_rule(plug_in("rules", name))


@pytest.mark.parametrize("name", REGISTRY["synthesizers"])
def test_synthesizer(name: str) -> None:
    kind = plug_in("synthesizers", name)
    brief = kind(epochs=2) if REGISTRY["synthesizers"][name].extra == "deep" else None
    check_synthesizer(kind, dependent=name != "independent", brief=brief)


@pytest.mark.parametrize("name", REGISTRY["metrics"])
def test_metric(name: str) -> None:
    check_metric(plug_in("metrics", name))


def test_bad_inputs_are_made_anew_and_named_once() -> None:
    corpus = list(bad_inputs())
    assert len({one.name for one in corpus}) == len(corpus)
    assert len({one.name[:2] for one in corpus}) >= 40
    for one in corpus:
        assert one.make() is not one.make()
        assert one.note.endswith(".")


# Synthesizers that break the contract


class Rows(Learned):
    """The training rows themselves."""

    def __init__(self, frame: pl.DataFrame, name: str) -> None:
        self.frame, self.name = frame, name

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        picks = rng.integers(0, max(self.frame.height, 1), n) if self.frame.height else []
        return {self.name: self.frame[list(picks)]}

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        return {
            "rows": self.frame.write_json(),
            "dtypes": {c: str(d) for c, d in self.frame.schema.items()},
            "name": self.name,
        }, {}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        frame = pl.read_json(values["rows"].encode(), infer_schema_length=None)
        return cls(frame, values["name"])


class Bootstrap(Synthesizer):
    """Keeps the training rows and draws from them."""

    learned: ClassVar[type[Learned]] = Rows

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> Learned:
        return Rows(self.seen(data.frame, rng), data.name)

    def seen(self, frame: pl.DataFrame, rng: Generator) -> pl.DataFrame:
        return frame


class DropsAColumn(Bootstrap):
    def seen(self, frame: pl.DataFrame, rng: Generator) -> pl.DataFrame:
        return frame.drop("noise", strict=False)


class ChangesADtype(Bootstrap):
    def seen(self, frame: pl.DataFrame, rng: Generator) -> pl.DataFrame:
        return frame.with_columns(pl.col(pl.Int16).cast(pl.Int64))


class SeedsGlobally(Bootstrap):
    def seen(self, frame: pl.DataFrame, rng: Generator) -> pl.DataFrame:
        np.random.seed(0)  # noqa: NPY002, TID251 (the fault that is planted)
        return frame


class ForgetsTheSeed(Bootstrap):
    def seen(self, frame: pl.DataFrame, rng: Generator) -> pl.DataFrame:
        return frame[np.random.default_rng().permutation(frame.height)]


class OneRowTooFew(Rows):
    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        return super().sample(n - 1 if n > 1 else n, start=start, rng=rng)


class TooFew(Bootstrap):
    learned: ClassVar[type[Learned]] = OneRowTooFew

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> Learned:
        return OneRowTooFew(data.frame, data.name)


BROKEN_SYNTHESIZERS: dict[str, tuple[Callable[[], Synthesizer], str]] = {
    "drops a column": (DropsAColumn, "differ in the columns"),
    "changes a dtype": (ChangesADtype, "gave the columns"),
    "seeds globally": (SeedsGlobally, "changed the global generator of NumPy"),
    "forgets the seed": (ForgetsTheSeed, "learned something else from the same data and seed"),
    "gives too few rows": (TooFew, "rows where 10 were asked for"),
    "misses dependences": (Independent, "misses the planted dependences"),
}


@pytest.mark.parametrize("name", BROKEN_SYNTHESIZERS)
def test_a_broken_synthesizer_is_caught(name: str) -> None:
    make, complaint = BROKEN_SYNTHESIZERS[name]
    with pytest.raises(AssertionError, match=complaint):
        check_synthesizer(make, bad=False)


class RowsInBinary(Rows):
    """The same, but restorable: the rows stand in an array of bytes."""

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        stream = self.frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String)).serialize()
        return {"name": self.name}, {"rows": np.frombuffer(stream, dtype=np.uint8).copy()}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        import io

        return cls(pl.DataFrame.deserialize(io.BytesIO(arrays["rows"].tobytes())), values["name"])

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        drawn = super().sample(n, start=start, rng=rng)[self.name]
        levels = pl.Enum(["low", "middle", "high"])
        return {self.name: drawn.with_columns(pl.col("grade").cast(levels)) if "grade" in drawn.columns else drawn}


class Hoards(Bootstrap):
    learned: ClassVar[type[Learned]] = RowsInBinary

    def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> Learned:
        return RowsInBinary(data.frame, data.name)


def test_a_synthesizer_that_stores_training_rows_is_caught() -> None:
    with pytest.raises(AssertionError, match="a model holds no training row"):
        check_synthesizer(Hoards, bad=False)


class Margins(Learned):
    """What `independent` learned, used carelessly."""

    def __init__(self, inner: Learned) -> None:
        self.inner = inner

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        return self.inner.sample(n, start=start, rng=rng)

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        return self.inner.state()

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        return cls(Independent.learned.restore(values, arrays))


class KeepsItsGenerator(Margins):
    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        self.rng = rng
        time.sleep(0.01)
        return self.inner.sample(n, start=start, rng=self.rng)


class LearnsInPlace(Margins):
    def update(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> Learned:
        self.inner = Independent().fit(data, rng=rng)
        return self


class Careful(Margins):
    def update(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> Learned:
        return Careful(Independent().fit(data, rng=rng))


class FewCells(Careful):
    def log_prob(self, data: Dataset) -> Any:
        return self.inner.log_prob(data)

    def log_prob_cells(self, data: Dataset) -> Any:
        return np.zeros((data.frame.height, 2))


def wrapped(kind: type[Margins]) -> Synthesizer:
    """A synthesizer that learns margins, and gives this."""

    class Wraps(Synthesizer):
        learned: ClassVar[type[Learned]] = kind

        def fit(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> Learned:
            return kind(Independent().fit(data, rng=rng, watch=watch))

    return Wraps()


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (KeepsItsGenerator, "samples other rows where several threads sample"),
        (LearnsInPlace, "changed the model that it updated"),
        (FewCells, r"log_prob_cells of Wraps gives \(500, 2\)"),
    ],
)
def test_what_was_learned_and_changes_is_caught(kind: type[Margins], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_synthesizer(wrapped(kind), dependent=False, bad=False)


def test_what_learns_more_and_leaves_the_model_as_it_was_keeps_the_contract() -> None:
    check_synthesizer(wrapped(Careful), dependent=False, bad=False)


# Rules that break the contract


class AnyRow(Rule):
    """The claim that stands first in the frame, whatever its row."""

    def settle(self, claims: pl.DataFrame) -> pl.DataFrame:
        return (
            claims.unique("entity", keep="first", maintain_order=True).sort("entity").select("entity", "value", "row")
        )


class WrongRow(Rule):
    """The largest value with the first row."""

    def settle(self, claims: pl.DataFrame) -> pl.DataFrame:
        largest = pl.col("value").sort().last() if not claims["value"].dtype.is_nested() else pl.col("value").last()
        return (
            claims.group_by("entity").agg(largest, pl.col("row").min()).sort("entity").select("entity", "value", "row")
        )


class Unsorted(Rule):
    def settle(self, claims: pl.DataFrame) -> pl.DataFrame:
        first = claims.sort("entity", "row").unique("entity", keep="first", maintain_order=True)
        return first.sort("entity", descending=True).select("entity", "value", "row")


class Loses(Rule):
    """Loses claims that have no time."""

    def settle(self, claims: pl.DataFrame) -> pl.DataFrame:
        timed = claims.filter(pl.col("time").is_not_null()).sort("entity", "row")
        return timed.unique("entity", keep="first", maintain_order=True).select("entity", "value", "row")


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        (AnyRow, "in another order"),
        (WrongRow, "names a row that is not a claim"),
        (Unsorted, "one row for each entity, sorted"),
        (Loses, "one row for each entity"),
    ],
)
def test_a_broken_rule_is_caught(rule: type[Rule], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_rule(rule)


# Metrics that break the contract


class Figure(Metric):
    """A figure of the column `income`; what is broken about it is up to its heirs."""

    family: ClassVar[Literal["fidelity", "utility", "privacy"]] = "fidelity"

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        ceiling = None if trial.holdout is None else 1.0
        value = self.figure(trial, rng)
        return (Score("figure", self.family, value, 0.0, ceiling, None, 1.0, "It is what it is.", None),)

    def figure(self, trial: Trial, rng: Generator) -> float:
        """Agreement of the first rows, which moves with the order of rows."""
        return float(
            (trial.train.frame["noise"].head(100).mean() or 0) - (trial.synthetic.frame["noise"].head(100).mean() or 0)
        )


class GivesNan(Figure):
    def figure(self, trial: Trial, rng: Generator) -> float:
        return float("nan")


class Blind(Figure):
    def figure(self, trial: Trial, rng: Generator) -> float:
        return 0.0


class Unseeded(Figure):
    def figure(self, trial: Trial, rng: Generator) -> float:
        return float(np.random.default_rng().random())


class Calm(Figure):
    family: ClassVar[Literal["fidelity", "utility", "privacy"]] = "privacy"

    def figure(self, trial: Trial, rng: Generator) -> float:
        return 1.0


@pytest.mark.parametrize(
    ("metric", "complaint"),
    [
        (Figure, "when rows or columns move"),
        (GivesNan, "holds NaN"),
        (Blind, "a copy of train scores"),
        (Unseeded, "other figures for the same trial and seed"),
        (Calm, "does not flag a copy"),
    ],
)
def test_a_broken_metric_is_caught(metric: type[Metric], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_metric(metric)


# Sources that break the contract


class Careless(Source):
    """CSV in place: a failed write destroys what was there, and text that looks like numbers changes."""

    path: str

    def read(self) -> Mapping[str, pl.DataFrame]:
        if not Path(self.path).exists():
            raise SourceError(f"There is no file {self.path}.")
        return {"table": pl.read_csv(self.path)}

    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        next(iter(tables.values())).write_csv(self.path)


class Silent(Careless):
    """Gives an empty table where there is no file."""

    def read(self) -> Mapping[str, pl.DataFrame]:
        return super().read() if Path(self.path).exists() else {"table": pl.DataFrame()}

    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        for frame in tables.values():
            if any(d not in (pl.Int64, pl.Float64) for d in frame.dtypes) or frame.height == 0 or frame.width != 2:
                raise SourceError("Numbers are wanted here.")
            if not all(s.is_finite().all() for s in frame if s.dtype.is_float()):
                raise SourceError("Finite numbers are wanted here.")
        super().write(tables)


class Tells(Silent):
    """Refuses, and says what stood in the cell."""

    def read(self) -> Mapping[str, pl.DataFrame]:
        if not Path(self.path).exists():
            raise SourceError(f"There is no file {self.path}.")
        return super().read()

    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        for frame in tables.values():
            for series in frame:
                if series.dtype == pl.String and len(series):
                    raise SourceError(f"The cell {series.drop_nulls()[0]} is no number. Cells are {series.to_list()}.")
        super().write(tables)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [(Careless, "came back changed|read back|traceback"), (Silent, "ended in no SourceError"), (Tells, "tells a cell")],
)
def test_a_broken_source_is_caught(source: type[Careless], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_source(lambda folder: source(path=str(folder / "t.csv")))
