"""Dates, times of day and moments: numbers on the grid of their clock, in local time where they have a zone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import polars as pl
from numpy.random import Generator

from cuvee.codec.codec import LEAST, Arrays, Codec, Floats, Placed
from cuvee.codec.number import NumberCodec

DAY = 86_400
CLOCK = (60, 300, 600, 900, 1800, 3600, 21_600, 43_200, DAY, 7 * DAY)
"""Steps of a clock in seconds."""
PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}


@final
@dataclass(frozen=True, slots=True, eq=False)
class DatetimeCodec(Codec):
    """A Date, Datetime (any unit, any zone) or Time column.

    Attributes:
        inner: The codec of the clock's whole numbers.
    """

    inner: NumberCodec

    kind: ClassVar[str] = "datetime"

    @classmethod
    def fit(cls, name: str, series: pl.Series, *, least: int = LEAST) -> Self:
        """Learn a column with at least one value."""
        unit = clock_unit(series.dtype)
        steps = (7,) if unit is None else tuple(unit * s for s in (1, *CLOCK))
        limits = (0, DAY * 10**9 - 1) if series.dtype == pl.Time else (None, None)
        inner = NumberCodec.fit(name, _ticks(series), least=least, units=steps, limits=limits)
        return cls(name, series.dtype, inner.masses, inner.missing, inner.notes, inner)

    @property
    def volumes(self) -> Floats:
        return self.inner.volumes

    @property
    def discrete(self) -> bool:
        return self.inner.discrete

    def place(self, series: pl.Series, *, rng: Generator) -> Placed:
        values = series if series.dtype == self.dtype else series.cast(self.dtype, strict=False)
        return self.inner.place(_ticks(values), rng=rng)

    def values(self, placed: Placed, *, start: int, rng: Generator) -> pl.Series:
        return _moments(self.inner.values(placed, start=start, rng=rng), self.dtype)

    def details(self) -> tuple[Mapping[str, Any], Arrays]:
        return self.inner.state()

    @classmethod
    def restored(cls, shared: Mapping[str, Any], values: Mapping[str, Any], arrays: Arrays) -> Self:
        return cls(**shared, inner=NumberCodec.restore(values, arrays))


def clock_unit(dtype: pl.DataType) -> int | None:
    """How many units of the dtype make a second; None for dates, which count days."""
    if isinstance(dtype, (pl.Datetime, pl.Duration)):
        return PER_SECOND[dtype.time_unit or "us"]
    return PER_SECOND["ns"] if dtype == pl.Time else None


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
