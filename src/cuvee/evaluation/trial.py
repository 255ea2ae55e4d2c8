"""The trial: synthetic rows beside the rows that were learned from, untouched real rows, and a naive generator's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.core import Trial
from cuvee.data.dataset import Dataset
from cuvee.data.errors import SchemaError
from cuvee.data.kinds import Kind
from cuvee.data.names import did_you_mean
from cuvee.data.schema import Schema
from cuvee.learners.encode import Encoder, learn_encoder, reading, shuffled
from cuvee.learners.target import parse_target
from cuvee.numeric.intervals import named_rng

Floats = NDArray[np.float64]
Part = Literal["train", "holdout", "synthetic", "floor"]

_TEXT = (pl.String, pl.Categorical, pl.Enum)


def make_trial(
    train: Dataset,
    holdout: Dataset | None,
    synthetic: Dataset,
    *,
    predict: str | None,
    rng: Generator,
    queries: Sequence[str] = (),
) -> Trial:
    """Put the tables beside each other: the same columns in the order of train, in dtypes that hold the values of all.

    The floor is train with every column drawn by itself, without replacement as far as train goes, as many rows as
    synthetic has. The kinds of columns are train's.

    Args:
        train: One table, the rows that were learned from.
        holdout: One table of the same columns, rows that were not, or None.
        synthetic: One table of the same columns.
        predict: A column or a comparison (see `cuvee.learners.target`), or None.
        rng: For the floor.
        queries: SQL and regressions that the user will ask of the data.

    Raises:
        SchemaError: A table is empty, or its columns or dtypes are not train's; all that differ are named.
    """
    name = train.name
    kinds: dict[str, Kind] = {c: column.kind for c, column in train.meaning.columns.items()}
    given = {"train": train, "synthetic": synthetic, **({} if holdout is None else {"holdout": holdout})}
    frames = {part: data.frame for part, data in given.items()}
    for part, frame in frames.items():
        if frame.height == 0 or frame.width == 0:
            what = "rows" if frame.width else "columns"
            raise SchemaError(f"The {part} table {given[part].name!r} has no {what}; nothing can be compared.")
        _same_columns(train.frame.columns, frame.columns, part)
    if predict is not None:
        target = parse_target(predict, train.frame.columns)
        target.of(train.frame.head(0))
    aligned = _align({part: frame.select(train.frame.columns) for part, frame in frames.items()})
    schema = Schema(tables={name: train.meaning.model_copy(update={"foreign_keys": ()})})
    floor = _shuffle_columns(aligned["train"], aligned["synthetic"].height, kinds, rng)
    made = {part: Dataset({name: frame}, schema) for part, frame in {**aligned, "floor": floor}.items()}
    return Trial(made["train"], made.get("holdout"), made["synthetic"], made["floor"], predict, tuple(queries))


@dataclass(frozen=True, slots=True)
class Compared:
    """The columns of a trial that are compared, in the order of their names.

    Attributes:
        kinds: What each column means.
        encoder: How the tables become matrices: learnt on all of them together.
        left_out: Columns of ids, images and opaque values, which no metric compares.
    """

    kinds: Mapping[str, Kind]
    encoder: Encoder
    left_out: tuple[str, ...]
    _frames: Mapping[Part, pl.DataFrame]
    _matrices: dict[Part, Floats] = field(default_factory=dict[Part, Floats], repr=False)

    def matrix(self, part: Part) -> Floats:
        """A part of the trial as numbers, (n, features), read-only: encoded once for all metrics."""
        if part not in self._matrices:
            made = self.encoder.matrix(self._frames[part])
            made.flags.writeable = False
            self._matrices[part] = made
        return self._matrices[part]

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that the trial has."""
        return tuple(self._frames)

    def sample(self, part: Part, rows: int, *, rng: Generator) -> pl.DataFrame:
        """At most so many rows of a part, drawn at random; the order of its rows does not matter."""
        return self._frames[part][shuffled(self.matrix(part), rng=rng)[:rows]]

    @property
    def note(self) -> str:
        """A sentence that names what was left out, or nothing."""
        if not self.left_out:
            return ""
        names = ", ".join(self.left_out[:8]) + (f" and {len(self.left_out) - 8} more" if len(self.left_out) > 8 else "")
        return f" Not compared, as ids or opaque: {names}."


def compare(trial: Trial) -> Compared:
    """What of this trial is compared; found out once."""
    if "compared" in trial.kept:
        return trial.kept["compared"]
    kinds: dict[str, Kind] = {c: column.kind for c, column in trial.train.meaning.columns.items()}
    parts = (trial.train, trial.holdout, trial.synthetic)
    encoder = learn_encoder([part.frame for part in parts if part is not None], kinds)
    left_out = tuple(c for c in sorted(kinds) if c not in encoder.readings)
    named: dict[Part, Dataset | None] = {
        "train": trial.train,
        "holdout": trial.holdout,
        "synthetic": trial.synthetic,
        "floor": trial.floor,
    }
    frames: dict[Part, pl.DataFrame] = {name: data.frame for name, data in named.items() if data is not None}
    compared = Compared({c: kinds[c] for c in encoder.readings}, encoder, left_out, frames)
    trial.kept["compared"] = compared
    return compared


def _same_columns(wanted: Sequence[str], found: Sequence[str], part: str) -> None:
    missing = [c for c in wanted if c not in found]
    extra = [c for c in found if c not in wanted]
    if not missing and not extra:
        return
    said: list[str] = []
    if missing:
        hint = did_you_mean(missing[0], extra) if extra else ""
        said.append(
            f"lacks {', '.join(map(repr, missing[:8]))}{'' if hint.startswith(' There') else hint.replace('?', '')}"
        )
    if extra:
        said.append(f"has {', '.join(map(repr, extra[:8]))}, which train has not")
    raise SchemaError(f"The {part} table {' and '.join(said)}; give tables with the same columns.")


def _align(frames: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The same tables with one dtype for each column that loses nothing."""
    aligned = dict(frames)
    different: list[str] = []
    schemas = {part: frame.schema for part, frame in frames.items()}
    for column, dtype in schemas["train"].items():
        dtypes = {part: schema[column] for part, schema in schemas.items()}
        if all(d == dtype for d in dtypes.values()):
            continue
        common = _common_dtype(list(dtypes.values()))
        if common is None:
            odd = ", ".join(f"{d} in {part}" for part, d in dtypes.items())
            different.append(f"{column!r} ({odd})")
        else:
            aligned = {part: frame.with_columns(frame[column].cast(common)) for part, frame in aligned.items()}
    if different:
        raise SchemaError(
            f"These columns have dtypes that can't be compared: {'; '.join(different)}. Give them one dtype."
        )
    return aligned


def _common_dtype(dtypes: Sequence[pl.DataType]) -> pl.DataType | None:
    """A dtype that holds all values of these, or None."""
    real = [d for d in dtypes if d != pl.Null]
    if all(d == real[0] for d in real):
        return real[0] if real else pl.Null()
    families: list[tuple[bool, pl.DataType | None]] = [
        (all(isinstance(d, _TEXT) for d in real), pl.String()),
        (all(d.is_integer() for d in real), pl.Int128() if any(d == pl.UInt64 for d in real) else pl.Int64()),
        (all(d.is_numeric() for d in real), pl.Float64()),
        (all(isinstance(d, pl.Duration) for d in real), pl.Duration("us")),
        (all(isinstance(d, (pl.Datetime, pl.Date)) for d in real), _common_moment(real)),
    ]
    return next((dtype for fits, dtype in families if fits), None)


def _common_moment(dtypes: Sequence[pl.DataType]) -> pl.DataType | None:
    """Dates count as their midnight, but only where there are no time zones; those must all be the same."""
    zones = {d.time_zone if isinstance(d, pl.Datetime) else None for d in dtypes}
    return pl.Datetime("us", next(iter(zones))) if len(zones) == 1 else None


def _shuffle_columns(frame: pl.DataFrame, rows: int, kinds: Mapping[str, Kind], rng: Generator) -> pl.DataFrame:
    """Each column drawn by itself. Sorted first, and with a generator of its own, so that order does not matter."""
    seed = int(rng.integers(2**63))
    drawn: list[pl.Series] = []
    for column, dtype in frame.schema.items():
        own = named_rng(seed, column)
        whole, rest = divmod(rows, frame.height)
        picks = np.concatenate([np.tile(np.arange(frame.height), whole), own.permutation(frame.height)[:rest]])
        values = frame[column] if reading(dtype, kinds[column]) == "nothing" else frame[column].sort()
        drawn.append(values.gather(own.permutation(picks)))
    return pl.DataFrame({s.name: s for s in drawn})
