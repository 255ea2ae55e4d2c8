"""Dates, times of day and moments: numbers on the grid of their clock, in local time where they have a zone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator

from cuvee.codec.codec import LEAST, Arrays, Codec, Floats, Placed
from cuvee.codec.number import NumberCodec
from cuvee.codec.scale import Scale
from cuvee.codec.week import Week
from cuvee.numeric.quantiles import EDGE

DAY = 86_400
CLOCK = (60, 300, 600, 900, 1800, 3600, 21_600, 43_200, DAY, 7 * DAY)
"""Steps of a clock in seconds."""
PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}


@final
@dataclass(frozen=True, slots=True, eq=False)
class DatetimeCodec(Codec):
    """A Date, Datetime (any unit, any zone) or Time column.

    Intervals are of the calendar; within one, moments lie where the week has them: on working days from nine to five.

    Attributes:
        inner: The codec of the clock's whole numbers.
        week: When in a week things happen; None where nothing is known of it.
    """

    inner: NumberCodec
    week: Week | None = None

    kind: ClassVar[str] = "datetime"

    @classmethod
    def fit(cls, name: str, series: pl.Series, *, least: int = LEAST) -> Self:
        """Learn a column with at least one value."""
        unit = clock_unit(series.dtype)
        steps = (7,) if unit is None else tuple(unit * s for s in (1, *CLOCK))
        limits = (0, DAY * 10**9 - 1) if series.dtype == pl.Time else (None, None)
        ticks = _ticks(series)
        inner = NumberCodec.fit(name, ticks, least=least, units=steps, limits=limits)
        week = None
        if series.dtype != pl.Time and not inner.discrete:
            second = _second(series.dtype)
            seconds = _seconds(inner.scale, inner.scale.positions(ticks.drop_nulls()), second)
            week = Week.learn(seconds, step=inner.scale.step / second, least=least)
        return cls(name, series.dtype, inner.masses, inner.missing, inner.notes, inner, week)

    @property
    def volumes(self) -> Floats:
        return self.inner.volumes

    @property
    def discrete(self) -> bool:
        return self.inner.discrete

    def place(self, series: pl.Series, *, rng: Generator) -> Placed:
        values = series if series.dtype == self.dtype else series.cast(self.dtype, strict=False)
        return self._warped(self.inner.place(_ticks(values), rng=rng), back=True)

    def values(self, placed: Placed, *, start: int, rng: Generator) -> pl.Series:
        return _moments(self.inner.values(self._warped(placed, back=False), start=start, rng=rng), self.dtype)

    def _warped(self, placed: Placed, *, back: bool) -> Placed:
        """Positions within intervals of even weeks as those of the learned week; or back."""
        if self.week is None or len(placed.codes) == 0:
            return placed
        # Only the edges of finite intervals are turned; atoms and missing values stay as they are.
        line = self.inner.right > self.inner.left
        second = _second(self.dtype)
        edges = [
            _seconds(self.inner.scale, np.where(line, e, 0.0), second) for e in (self.inner.left, self.inner.right)
        ]
        low, high = (self.week.turned(e) for e in edges)
        line &= high > low
        size, turns = np.where(line, edges[1] - edges[0], 1.0), np.where(line, high - low, 1.0)
        codes, within = placed.codes, placed.within
        if back:
            inside = (self.week.turned(edges[0][codes] + within * size[codes]) - low[codes]) / turns[codes]
        else:
            inside = (self.week.seconds(low[codes] + within * turns[codes]) - edges[0][codes]) / size[codes]
        return Placed(codes, np.where(line[codes], np.clip(inside, 0.0, 1 - EDGE), within), placed.known)

    def details(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = self.inner.state()
        return values, arrays if self.week is None else {**arrays, "week": self.week.total}

    @classmethod
    def restored(cls, shared: Mapping[str, Any], values: Mapping[str, Any], arrays: Arrays) -> Self:
        week = Week(np.asarray(arrays["week"], np.float64)) if "week" in arrays else None
        return cls(**shared, inner=NumberCodec.restore(values, arrays), week=week)


def clock_unit(dtype: pl.DataType) -> int | None:
    """How many units of the dtype make a second; None for dates, which count days."""
    if isinstance(dtype, (pl.Datetime, pl.Duration)):
        return PER_SECOND[dtype.time_unit or "us"]
    return PER_SECOND["ns"] if dtype == pl.Time else None


def _second(dtype: pl.DataType) -> float:
    """How many units of the dtype make a second: a fraction of a day for dates."""
    return float(clock_unit(dtype) or 1 / DAY)


def _seconds(scale: Scale, positions: Floats, second: float) -> Floats:
    """Positions on a scale as seconds since a Monday at midnight, (n,), half a step later.

    A value on a grid takes up half a step before and behind it; half a step later it begins at its own moment.
    """
    days = round(7 * DAY * second)
    # 1970 began on a Thursday, four days before a Monday. Whole weeks are taken off first: floats then stay exact.
    origin = (scale.origin - round(4 * DAY * second)) % days
    return (positions * scale.step + origin + scale.width * scale.step / 2) / second


def _ticks(series: pl.Series) -> pl.Series:
    """The clock's whole numbers; in local time, because midnight is midnight on the wall and not in UTC."""
    if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone is not None:
        series = series.dt.replace_time_zone(None)
    return series.to_physical().cast(pl.Int64)


def _moments(ticks: pl.Series, dtype: pl.DataType) -> pl.Series:
    """The clock's whole numbers as the dtype."""
    if dtype == pl.Date:
        # Whole days that no calendar has are kept within the years 1 to 9999.
        return ticks.clip(-719_162, 2_932_896).cast(pl.Int32).cast(pl.Date)
    if dtype == pl.Time:
        return ticks.clip(0, DAY * 10**9 - 1).cast(pl.Time)
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
        return ticks.cast(dtype)
    plain = ticks.cast(pl.Datetime(dtype.time_unit))
    zoned = plain.dt.replace_time_zone(dtype.time_zone, ambiguous="earliest", non_existent="null")
    # The hour that spring leaves out: read the clock an hour as UTC instead, which always exists.
    return zoned.zip_with(zoned.is_not_null(), plain.dt.replace_time_zone("UTC").dt.convert_time_zone(dtype.time_zone))
