"""Any table as numbers that a learner can use, in the same way for real and synthetic rows.

Each column is read in one way, which its kind and dtype decide:

* number: numbers, dates, times and durations as they are, and text that holds numbers; null is NaN.
* level: categories and booleans as codes of their sorted levels, learnt on all tables together; null is NaN.
* text: two numbers, its length and its count of words; what it says is not looked at.
* nothing: ids, images and opaque columns (lists, structs, bytes) are left out, because no one value of them repeats.

Columns are taken in the order of their names, so that the order of a table's columns changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.data.kinds import Kind

Reading = Literal["number", "level", "text", "nothing"]
Floats = NDArray[np.float64]

_LARGEST = 1e300
"""Infinite numbers become this large for a learner; it stands beyond all others either way."""


def reading(dtype: pl.DataType, kind: Kind) -> Reading:
    """How a column of this kind and dtype is read.

    >>> reading(pl.Int64(), "category"), reading(pl.Date(), "datetime"), reading(pl.Int64(), "id")
    ('level', 'number', 'nothing')
    """
    if kind in {"id", "image", "opaque"} or dtype.is_nested() or isinstance(dtype, (pl.Binary, pl.Object)):
        return "nothing"
    if kind in {"category", "boolean"} or isinstance(dtype, (pl.Boolean, pl.Null)):
        return "level"
    if dtype.is_numeric() or dtype.is_temporal():
        return "number"
    return "number" if kind == "number" else "text"


def numbers(series: pl.Series) -> Floats:
    """The values as floats, (n,): dates and times by their count of units since the epoch, null and NaN as NaN."""
    physical = series.to_physical() if series.dtype.is_temporal() else series
    if isinstance(physical.dtype, (pl.Categorical, pl.Enum)):
        physical = physical.cast(pl.String)
    return physical.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy().astype(np.float64, copy=True)


def words(series: pl.Series) -> pl.Series:
    """The values as text, nulls kept, so that levels of any dtype compare."""
    physical = series.to_physical() if series.dtype == pl.Duration else series
    return physical.cast(pl.String)


def levels_of(parts: Sequence[pl.Series]) -> pl.Series:
    """The distinct values of several columns as text, sorted, without null."""
    return pl.concat([words(p).rename("level") for p in parts]).drop_nulls().unique().sort()


def codes(series: pl.Series, levels: pl.Series) -> NDArray[np.int64]:
    """The position of each value among the sorted levels, (n,); -1 for null and for a value that is not among them."""
    if not len(levels):
        return np.full(len(series), -1, dtype=np.int64)
    coded = words(series).cast(pl.Enum(levels), strict=False).to_physical()
    return coded.cast(pl.Int64).fill_null(-1).to_numpy()


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the matrix.

    Attributes:
        column: The column of the table that it comes from.
        part: "" for the value, "length" or "words" for text.
        categorical: Whether its numbers are codes without order.
    """

    column: str
    part: str
    categorical: bool


@dataclass(frozen=True, slots=True)
class Encoder:
    """How the columns of a table become a matrix.

    Attributes:
        readings: How each column is read, in the order of names; columns that are left out are not here.
        levels: The sorted levels of the columns that are read as levels.
        features: What the columns of the matrix are.
    """

    readings: Mapping[str, Reading]
    levels: Mapping[str, pl.Series]
    features: tuple[Feature, ...]

    @property
    def categorical(self) -> tuple[int, ...]:
        """The positions of the features that are codes."""
        return tuple(i for i, feature in enumerate(self.features) if feature.categorical)

    def matrix(self, frame: pl.DataFrame) -> Floats:
        """The rows as numbers, (n, features); NaN is a null, infinite numbers are the largest finite ones."""
        out = np.empty((frame.height, len(self.features)), dtype=np.float64, order="F")
        for position, feature in enumerate(self.features):
            out[:, position] = self._values(frame[feature.column], feature)
        return np.ascontiguousarray(np.clip(out, -_LARGEST, _LARGEST))

    def _values(self, series: pl.Series, feature: Feature) -> Floats:
        if feature.part == "length":
            return numbers(words(series).str.len_chars())
        if feature.part == "words":
            return numbers(words(series).str.count_matches(r"\S+"))
        if not feature.categorical:
            return numbers(series)
        coded = codes(series, self.levels[feature.column]).astype(np.float64)
        return np.where(coded < 0, np.nan, coded)


def learn_encoder(frames: Sequence[pl.DataFrame], kinds: Mapping[str, Kind], *, without: Sequence[str] = ()) -> Encoder:
    """How to encode these tables, with the levels of all of them.

    Args:
        frames: Tables with the same columns, such as train, holdout and synthetic.
        kinds: What the columns mean.
        without: Columns to leave out, such as the target.
    """
    dtypes = frames[0].schema
    how: dict[str, Reading] = {c: reading(dtypes[c], kinds[c]) for c in sorted(dtypes) if c not in without}
    how = {c: r for c, r in how.items() if r != "nothing"}
    levels = {c: levels_of([f[c] for f in frames]) for c, r in how.items() if r == "level"}
    features = [
        Feature(c, part, r == "level")
        for c, r in how.items()
        for part in (("length", "words") if r == "text" else ("",))
    ]
    return Encoder(how, levels, tuple(features))


def shuffled(matrix: Floats, *, rng: Generator) -> NDArray[np.int64]:
    """A random order of rows that hangs on what they hold and not on where they stand, (n,).

    The same rows in another order come out in the same order; equal rows can't be told apart, so they may swap. A
    sample is the first rows of this order.

    Args:
        matrix: (n, features), from an `Encoder`.
        rng: Another generator gives another order.
    """
    salt = rng.integers(0, 2**63, size=2, dtype=np.uint64)
    bits = np.ascontiguousarray(np.where(matrix == 0, 0.0, matrix)).view(np.uint64)  # -0.0 equals 0.0
    content = np.full(len(matrix), salt[0], dtype=np.uint64)
    for column in bits.T:
        content = _mix(content ^ _mix(column))
    order = np.argsort(content, kind="stable")
    ordered = content[order]
    starts = np.r_[True, ordered[1:] != ordered[:-1]] if len(order) else np.zeros(0, dtype=np.bool_)
    # Copies of a row are numbered, so that a sample takes its fair share of them instead of all or none.
    copy = np.arange(len(order)) - np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    keys = _mix(ordered ^ _mix(copy.astype(np.uint64) + salt[1]))
    return order[np.argsort(keys, kind="stable")]


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bijection that scatters neighbouring numbers. Source: splitmix64, Steele et al. (2014)."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
