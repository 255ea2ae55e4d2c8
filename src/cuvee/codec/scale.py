"""Numbers of any dtype as floats on a line, and back without loss: whole numbers, decimals, big integers, floats."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.numeric.grid import decimals_of, step_of

Floats = NDArray[np.float64]

EXACT = 2**53
"""Whole numbers up to here are exact as floats."""
SAMPLE = 20_000
"""The grid is looked for in this many rows, evenly taken."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How the values of a column lie on a line of floats: position = (value * 10^decimals - origin) / step.

    Attributes:
        whole: Whether the values lie on a grid; then positions are whole numbers, and `width` is 1.
        origin: What position 0 stands for, in units of 10^-decimals.
        step: The grid, in units of 10^-decimals.
        decimals: Decimals of the values; for Decimal the scale of the dtype, for integers 0.
    """

    whole: bool
    origin: int = 0
    step: int = 1
    decimals: int = 0

    @property
    def width(self) -> float:
        """How much of the line a value takes up: 1 on a grid, else 0."""
        return 1.0 if self.whole else 0.0

    def to_json(self) -> dict[str, Any]:
        """The scale as JSON values."""
        return {"whole": self.whole, "origin": str(self.origin), "step": str(self.step), "decimals": self.decimals}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(bool(values["whole"]), int(values["origin"]), int(values["step"]), int(values["decimals"]))

    def positions(self, series: pl.Series) -> Floats:
        """(n,), where the values lie; nulls are not allowed, NaN and infinities stay what they are."""
        if len(series) == 0:
            return np.zeros(0)
        if series.dtype.is_float():
            values = series.cast(pl.Float64).to_numpy()
            if not self.whole:
                return values.astype(np.float64)
            with np.errstate(over="ignore", invalid="ignore"):
                scaled = np.rint(values * 10.0**self.decimals)
            return (scaled - float(self.origin)) / float(self.step)
        units = units_of(series)
        if isinstance(units, np.ndarray) and abs(self.origin) < 2**62:
            # Subtracting first keeps what a float would lose of a large number; it can't overflow below 2^62.
            return (units - np.int64(self.origin)).astype(np.float64) / float(self.step)
        units = pl.Series(units) if isinstance(units, np.ndarray) else units
        if abs(self.origin) < 2**126 and units.dtype != pl.UInt128:
            units = pl.select(pl.lit(units.cast(pl.Int128)) - pl.lit(self.origin, dtype=pl.Int128)).to_series()
        return units.cast(pl.Float64).to_numpy() / float(self.step)

    def series(self, positions: Floats, dtype: pl.DataType) -> pl.Series:
        """The values at positions, (n,), of the dtype; rounded to the grid and kept within the dtype's range."""
        if dtype.is_float():
            return self._floats(positions, dtype)
        steps = np.floor(positions + 0.5)
        reach = (float(np.abs(steps).max()) if len(steps) else 0.0) * self.step + abs(self.origin)
        if reach < 2.0**62:
            return from_units(pl.Series(steps.astype(np.int64) * self.step + self.origin), dtype)
        if reach < 2.0**126:
            # Multiplied as 128-bit integers: a float would lose the last digits.
            wide = pl.lit(pl.Series(steps).cast(pl.Int128)) * pl.lit(self.step, dtype=pl.Int128) + pl.lit(
                self.origin, dtype=pl.Int128
            )
            return from_units(pl.select(wide).to_series(), dtype)
        return pl.Series(steps * float(self.step) + float(self.origin)).cast(dtype, strict=False)

    def _floats(self, positions: Floats, dtype: pl.DataType) -> pl.Series:
        values = positions
        if self.whole:
            # Dividing whole numbers gives the float nearest to the decimal number; multiplying by 0.01 would not.
            values = (np.floor(positions + 0.5) * float(self.step) + float(self.origin)) / 10.0**self.decimals
        return pl.Series(values).cast(dtype)


def scale_of(series: pl.Series, *, units: tuple[int, ...] = ()) -> Scale:
    """The scale that a column's values lie on.

    Args:
        series: Finite numbers without nulls, and without the spikes (a code such as -999 is on no grid of ages).
        units: Steps worth trying beside those that people round to.
    """
    sample = series.gather_every(max(len(series) // SAMPLE, 1))
    if series.dtype.is_float():
        values = sample.cast(pl.Float64).to_numpy()
        decimals = decimals_of(values, digits=15 if series.dtype == pl.Float64 else 6)
        if decimals is None:
            return Scale(whole=False)
        return _on_grid(np.rint(values * 10.0**decimals).astype(np.int64), decimals, units)
    decimals = series.dtype.scale if isinstance(series.dtype, pl.Decimal) else 0
    whole = units_of(sample)
    if isinstance(whole, np.ndarray):
        return _on_grid(whole, decimals, units)
    if whole.dtype != pl.Int128:
        return Scale(whole=True, decimals=decimals)
    return _on_grid(np.array(whole.to_list(), dtype=object), decimals, units)


def _on_grid(whole: NDArray[Any], decimals: int, units: tuple[int, ...]) -> Scale:
    if len(whole) == 0:
        return Scale(whole=True, decimals=decimals)
    step, rest = step_of(whole, units=units)
    mean = int(sum(whole.tolist())) // len(whole) if len(whole) < 50 or whole.dtype == object else int(whole.mean())
    # Small numbers need no origin; large ones keep their last digits only when counted from near by.
    far = max(abs(int(whole.min())), abs(int(whole.max()))) >= EXACT // 1024
    origin = (mean // step) * step + rest if far else rest
    return Scale(whole=True, origin=origin, step=step, decimals=decimals)


def units_of(series: pl.Series) -> NDArray[np.int64] | pl.Series:
    """Integers or decimals as whole numbers of their smallest unit: an array where they fit well in 64 bits.

    Larger ones come as a series of Int128, or of UInt128 where even that is too small.
    """
    whole = series.to_physical() if not series.dtype.is_integer() else series
    if str(whole.dtype) in {"Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32"}:
        return whole.cast(pl.Int64).to_numpy()
    low, high = whole.min(), whole.max()
    if low is None or high is None:
        return np.zeros(0, np.int64)
    if int(str(low)) > -(2**62) and int(str(high)) < 2**62:
        return whole.cast(pl.Int64).to_numpy()
    return whole.cast(pl.Int128) if int(str(high)) < 2**127 else whole


def from_units(whole: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Whole numbers of the smallest unit as the dtype, kept within its range."""
    if isinstance(dtype, pl.Decimal):
        return _decimals(whole, dtype)
    low, high = integer_range(dtype)
    if whole.dtype == pl.Int64:
        low, high = max(low, -(2**63)), min(high, 2**63 - 1)
        return whole.clip(low, high).cast(dtype)
    limits = [pl.lit(max(low, -(2**127)), dtype=pl.Int128), pl.lit(min(high, 2**127 - 1), dtype=pl.Int128)]
    return pl.select(pl.lit(whole).clip(*limits).cast(dtype)).to_series()


def _decimals(whole: pl.Series, dtype: pl.Decimal) -> pl.Series:
    """Unscaled decimals written out, because casts between scales go through the integer part."""
    limit = 10 ** (dtype.precision or 38) - 1
    inside = pl.select(
        pl.lit(whole.cast(pl.Int128)).clip(pl.lit(-limit, dtype=pl.Int128), pl.lit(limit, dtype=pl.Int128))
    )
    value = inside.to_series()
    if dtype.scale == 0:
        return value.cast(dtype)
    unit = pl.Series([f"0.{'0' * (dtype.scale - 1)}1"]).cast(pl.Decimal(38, dtype.scale))
    return pl.select(pl.lit(value).cast(pl.Decimal(38, 0)) * pl.lit(unit).first()).to_series().cast(dtype)


def integer_range(dtype: pl.DataType) -> tuple[int, int]:
    """The smallest and the largest value of an integer dtype.

    >>> integer_range(pl.UInt8())
    (0, 255)
    """
    name = str(dtype)
    bits = int(name.lower().lstrip("uint"))
    return (0, 2**bits - 1) if name.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
