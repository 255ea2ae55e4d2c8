"""Conditions that name rows in words: a level of a category, a range of a number, or a null."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.core import Trial
from cuvee.evaluation.trial import Compared
from cuvee.learners.encode import Feature

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

BINS = 8
"""Ranges of a number and levels of a category that are named, at most."""

LEAST = 20
"""A level or a range that fewer rows of train share is never named."""

_LETTERS = 40
"""A level is shown up to this length."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A column cut into conditions, learnt on train.

    Attributes:
        feature: Where the values come from.
        place: The column of the matrix.
        names: The condition of each code in words ("age 25 to 37"; the upper end of a range is not in it).
        dtype: Of the table's column.
    """

    feature: Feature
    place: int
    names: tuple[str, ...]
    dtype: pl.DataType
    _borders: Floats
    _codes: Codes

    @property
    def title(self) -> str:
        """The column, as it is called in a sentence."""
        return _title(self.feature)

    def codes(self, matrix: Floats) -> Codes:
        """The condition that each row meets, (n,), from 0 to `len(names) - 1`; -1 where it has no name."""
        values = matrix[:, self.place]
        missing = np.isnan(values)
        if self.feature.categorical:
            cell = np.where(missing, 0, values).astype(np.int64)
            cell = np.where(cell < len(self._codes), cell, 0) if len(self._codes) else cell
        else:
            cell = np.searchsorted(self._borders, values, "right")
        found = self._codes[np.where(missing, 0, cell)] if len(self._codes) else np.full(len(values), -1)
        return np.where(missing, len(self.names) - 1, found).astype(np.int64)

    def show(self, value: float) -> str:
        """A value of the column in words."""
        return _shown(value, self.dtype, self.feature)


def cuts(trial: Trial, compared: Compared, train: Floats) -> list[Cut]:
    """The conditions of every column that may be named, in the order of the matrix; the last one of each is null.

    Columns that speak of a person (`Column.sensitive`) are left out, since a report that may be shared names levels.

    Args:
        trial: Its schema and dtypes.
        compared: Its encoder.
        train: (n, features), rows of train: they alone decide where a column is cut.
    """
    made: list[Cut] = []
    columns = trial.train.meaning.columns
    for place, feature in enumerate(compared.encoder.features):
        if feature.part == "words" or columns[feature.column].sensitive:
            continue
        dtype = trial.train.frame.schema[feature.column]
        levels = compared.encoder.levels.get(feature.column)
        known = train[~np.isnan(train[:, place]), place]
        if feature.categorical:
            borders, names, counts = np.zeros(0), *_levels(known, [] if levels is None else levels.to_list(), feature)
        else:
            borders = _borders(known, dtype, feature)
            names = _ranges(borders, dtype, feature)
            counts = np.bincount(np.searchsorted(borders, known, "right"), minlength=len(names))
        named = (counts >= LEAST) & np.array([bool(n) for n in names], dtype=np.bool_)
        codes = np.where(named, np.cumsum(named) - 1, -1)
        kept = [n for n, keep in zip(names, named, strict=True) if keep]
        made.append(Cut(feature, place, (*kept, f"{_title(feature)} is null"), dtype, borders, codes))
    return made


def _title(feature: Feature) -> str:
    return f"length of {feature.column}" if feature.part == "length" else feature.column


def _levels(known: Floats, levels: Sequence[str], feature: Feature) -> tuple[list[str], Codes]:
    """The commonest levels of train, by their place among all levels; the others have no name."""
    counts = np.bincount(known.astype(np.int64), minlength=len(levels))
    common = set(np.lexsort((np.arange(len(counts)), -counts))[:BINS].tolist())
    names = [
        f"{feature.column} = {level if len(level) <= _LETTERS else level[: _LETTERS - 1] + '…'}" if i in common else ""
        for i, level in enumerate(levels)
    ]
    return names, counts


def _borders(known: Floats, dtype: pl.DataType, feature: Feature) -> Floats:
    """Where a number is cut: values that are common stand alone, the others are cut at quantiles, readably rounded."""
    if not len(known):
        return np.zeros(0)
    values, counts = np.unique(known, return_counts=True)
    alone = values[counts >= max(LEAST, len(known) / BINS)]
    rest = known[~np.isin(known, alone)]
    pieces = BINS - len(alone)
    inner = np.zeros(0)
    if len(rest) >= 2 * LEAST and pieces > 1:
        points = np.unique(np.quantile(rest, [0.02, *(np.arange(1, pieces) / pieces), 0.98]))
        gaps = np.diff(points)
        inner = np.array(
            [_rounded(p, min(a, b), dtype, feature) for p, a, b in zip(points[1:-1], gaps[:-1], gaps[1:], strict=True)]
        )
    return np.unique(np.concatenate([inner, alone, np.nextafter(alone, np.inf)]))


def _rounded(point: float, gap: float, dtype: pl.DataType, feature: Feature) -> float:
    """The point with no more digits than tell it from its neighbours, or at a whole day, hour, minute or second."""
    if dtype.is_temporal() and feature.part == "":
        second = _second(dtype)
        steps = [s * second for s in (86_400, 3_600, 60, 1) if s * second <= gap]
        step = max(1.0, steps[0] if steps else 1.0)
        return float(np.floor(point / step) * step)
    step = max(10.0 ** float(np.floor(np.log10(gap / 2))) if gap > 1e-300 else 0.0, 1e-300)
    return float(f"{np.round(point / step) * step:.12g}")


def _second(dtype: pl.DataType) -> float:
    """How many units a second has."""
    if isinstance(dtype, pl.Date):
        return 1 / 86_400
    unit = getattr(dtype, "time_unit", "ns")
    return {"ms": 1e3, "us": 1e6}.get(unit, 1e9)


def _ranges(borders: Floats, dtype: pl.DataType, feature: Feature) -> list[str]:
    """The ranges between borders in words; both ends of train stay unsaid, as they are values of single rows."""
    if not len(borders):
        return [""]
    title = _title(feature)
    after = np.isin(borders, np.nextafter(borders, np.inf))  # the border after a value that stands alone
    said = [_shown(b, dtype, feature) for b in borders]
    names = [f"{title} below {said[0]}"]
    for i in range(1, len(borders)):
        names.append(f"{title} = {said[i - 1]}" if after[i] else f"{title} {said[i - 1]} to {said[i]}")
        if after[i - 1] and not after[i]:
            names[-1] = f"{title} above {said[i - 1]} and below {said[i]}"
    names.append(f"{title} above {said[-1]}" if after[-1] else f"{title} {said[-1]} or more")
    return names


def _shown(value: float, dtype: pl.DataType, feature: Feature) -> str:
    if dtype.is_temporal() and feature.part == "":
        physical = pl.Int32 if isinstance(dtype, pl.Date) else pl.Int64
        moment = pl.Series([round(value)]).cast(physical).cast(dtype)
        return str(moment[0]).removesuffix(" 00:00:00").removesuffix(" 00:00:00+00:00")
    return f"{value:.6g}" if abs(value) >= 1e6 or value != round(value) else f"{value:,.0f}"
