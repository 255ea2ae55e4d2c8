"""Places written as a pair of numbers, such as "48.137, 11.575" or POINT (11.575 48.137): boxes on the map."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.codec import LEAST, Arrays, Codec, Floats, Placed, masses_of, random_places, rows_in_words

BOXES = 256
"""About how many boxes the map is cut into."""
ENOUGH = 0.9
"""Share of the values that must be written in one form."""
SPIKE = 0.002
"""A place that at least this share of the rows have is kept as it is."""
FINE = 4096
"""A position within a box is a number of this many columns, and where it lies in one."""
_PAIR: Final = r"^(\D*?)([-+]?\d{1,3}(?:\.\d+)?)([\s,;]+)([-+]?\d{1,3}(?:\.\d+)?)(\D*)$"


@final
@dataclass(frozen=True, slots=True, eq=False)
class GeoCodec(Codec):
    """A text column of places.

    The map is cut in halves, by turns, until about equally many rows lie in each box; a box ends at the mean of its
    `least` outermost rows. Places that many rows share are boxes without size.

    Attributes:
        form: What stands before, between and behind the two numbers.
        decimals: How many decimals each number has.
        low: (m - missing, 2), the lower corner of each box.
        high: (m - missing, 2), the upper corner.
    """

    form: tuple[str, str, str]
    decimals: tuple[int, int]
    low: Floats
    high: Floats

    kind: ClassVar[str] = "geo"

    @classmethod
    def fit(cls, name: str, series: pl.Series, *, least: int = LEAST) -> Self | None:
        """Learn a column of pairs; None where most values are no pairs in one form."""
        parts = _read(series.drop_nulls())
        tally = parts.select("before", "between", "behind").drop_nulls().to_struct("form").value_counts(sort=True)
        if tally.height == 0 or tally["count"][0] < max(ENOUGH * len(parts), least):
            return None
        form = tuple(str(v) for v in tally["form"][0].values())
        good = parts.filter(pl.concat_str("before", "between", "behind") == "".join(form))
        decimals = tuple(
            int(str(good[c].str.extract(r"\.(\d+)$").str.len_chars().fill_null(0).max())) for c in ("first", "second")
        )
        points = good.select(pl.col("first", "second").cast(pl.Float64)).to_numpy()
        values, which, counts = np.unique(points, axis=0, return_inverse=True, return_counts=True)
        spikes = counts >= max(least, SPIKE * len(points))
        rest = points[~spikes[which.ravel()]]
        low, high, rows = _boxes(rest, least) if len(rest) >= least else (np.empty((0, 2)), np.empty((0, 2)), [])
        if not spikes.any() and not len(rows):
            return None
        nulls = series.null_count()
        all_rows = np.r_[[float(nulls)] if nulls else [], rows, counts[spikes]]
        lost = len(parts) - len(good)
        note = f"Column {name!r}: {rows_in_words(lost)} of another form left out."
        return cls(
            name,
            series.dtype,
            masses_of(all_rows),
            int(nulls > 0),
            (note,) if lost else (),
            (form[0], form[1], form[2]),
            (decimals[0], decimals[1]),
            np.concatenate([low, values[spikes]]),
            np.concatenate([high, values[spikes]]),
        )

    @property
    def volumes(self) -> Floats:
        steps = (self.high - self.low) * 10.0 ** np.array(self.decimals)
        return np.r_[np.ones(self.missing), np.maximum(steps, 1.0).prod(axis=1)]

    @property
    def discrete(self) -> bool:
        return not bool((self.high > self.low).any())

    def place(self, series: pl.Series, *, rng: Generator) -> Placed:
        n = len(series)
        result = random_places(self.masses, n, rng=rng)
        codes, within = result.codes.copy(), result.within.copy()
        parts = _read(series)
        read = (pl.Series(parts["first"]).is_not_null()).to_numpy()
        points = parts.filter(pl.Series(read)).select(pl.col("first", "second").cast(pl.Float64)).to_numpy()
        if len(points):
            # The box that a place lies in, or the nearest one; of those that overlap, the smallest.
            best, least = np.zeros(len(points), np.int64), np.full(len(points), np.inf)
            area = (self.high - self.low).prod(axis=1)
            for j in np.argsort(-area, kind="stable").tolist():
                away = np.maximum(self.low[j] - points, points - self.high[j]).clip(0).sum(axis=1)
                nearer = away <= least
                best[nearer], least[nearer] = j, away[nearer]
            size = np.where(self.high > self.low, self.high - self.low, 1.0)[best]
            inside = np.clip((points - self.low[best]) / size, 0.0, 1 - 2.0**-30)
            rows = np.flatnonzero(read)
            codes[rows] = best + self.missing
            within[rows] = (np.floor(inside[:, 0] * FINE) + inside[:, 1]) / FINE
        if self.missing:
            codes[series.is_null().to_numpy()] = 0
        known = read | (series.is_null().to_numpy() & bool(self.missing))
        return Placed(codes, within, known)

    def values(self, placed: Placed, *, start: int, rng: Generator) -> pl.Series:
        del start
        here = placed.codes >= self.missing
        box = np.maximum(placed.codes - self.missing, 0)
        column = placed.within * FINE
        inside = ((np.floor(column) + rng.random(len(column))) / FINE, column % 1)
        numbers: list[pl.Series] = []
        for axis in (0, 1):
            low, high = self.low[:, axis][box], self.high[:, axis][box]
            unit = 10 ** self.decimals[axis]
            whole = np.rint((low + inside[axis] * (high - low)) * unit).astype(np.int64)
            numbers.append(_written(whole, self.decimals[axis]))
        before, between, behind = self.form
        text = before + numbers[0] + between + numbers[1] + behind
        if self.missing:
            text = text.zip_with(pl.Series(here), pl.Series([None], dtype=pl.String).new_from_index(0, len(here)))
        return text.cast(self.dtype).rename(self.name)

    def details(self) -> tuple[Mapping[str, Any], Arrays]:
        return {"form": list(self.form), "decimals": list(self.decimals)}, {"low": self.low, "high": self.high}

    @classmethod
    def restored(cls, shared: Mapping[str, Any], values: Mapping[str, Any], arrays: Arrays) -> Self:
        before, between, behind = values["form"]
        first, second = values["decimals"]
        low, high = (np.asarray(arrays[k], np.float64) for k in ("low", "high"))
        return cls(**shared, form=(before, between, behind), decimals=(int(first), int(second)), low=low, high=high)


def _read(series: pl.Series) -> pl.DataFrame:
    """The parts of each value; all null where it is no pair."""
    groups = series.cast(pl.String).str.extract_groups(_PAIR).struct.unnest()
    groups.columns = ["before", "first", "between", "second", "behind"]
    return groups


def _boxes(points: Floats, least: int) -> tuple[Floats, Floats, NDArray[np.float64]]:
    """Boxes of about equally many points: their corners and rows."""
    size = max(len(points) / BOXES, 4 * least)
    leaves: list[NDArray[np.int64]] = []
    todo = [np.arange(len(points))]
    while todo:
        rows = todo.pop()
        spread = np.ptp(points[rows], axis=0)
        axis = int(spread[1] > spread[0])
        middle = np.median(points[rows, axis])
        left = points[rows, axis] < middle
        if len(rows) < 2 * size or min(left.sum(), (~left).sum()) < least:
            leaves.append(rows)
        else:
            todo += [rows[~left], rows[left]]
    low, high = np.empty((len(leaves), 2)), np.empty((len(leaves), 2))
    for j, rows in enumerate(leaves):
        ordered = np.sort(points[rows], axis=0)
        low[j], high[j] = ordered[:least].mean(axis=0), ordered[-least:].mean(axis=0)
    return low, high, np.array([float(len(rows)) for rows in leaves])


def _written(whole: NDArray[np.int64], decimals: int) -> pl.Series:
    """Whole numbers of the last decimal as text with that many decimals."""
    unit = 10**decimals
    sign = pl.Series(np.where(whole < 0, "-", ""))
    text = sign + pl.Series(np.abs(whole) // unit).cast(pl.String)
    return text if decimals == 0 else text + "." + pl.Series(np.abs(whole) % unit).cast(pl.String).str.zfill(decimals)
