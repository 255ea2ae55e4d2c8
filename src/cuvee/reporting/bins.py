"""Where to cut a column, so that a reader sees its form and nobody sees a single row.

Edges are round figures or calendar dates, never values of the data, and lie around the central 99 % of real rows. A bin
holds no real row, or at least `FEW`.
"""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.reporting.words import DAY, HOUR, axis, moment

FEW = 5
"""Fewer real rows than this are never shown by themselves."""

BINS = 26
Floats = NDArray[np.float64]

_CLOCK_STEPS = (1, 5, 15, 30, 60, 300, 900, 1800, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY)
_MONTH_STEPS = (1, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 6000)
_UNITS = (("days", DAY), ("hours", HOUR), ("minutes", 60), ("seconds", 1), ("milliseconds", 0.001))


@dataclass(frozen=True, slots=True)
class Axis:
    """A column as figures, and where it is cut.

    Attributes:
        edges: (bins + 1,) ascending.
        ticks: Where the axis carries a label, and the label.
        unit: What the figures count, where it is not plain ("hours").
    """

    edges: Floats
    ticks: tuple[tuple[float, str], ...]
    unit: str = ""


def figures(values: pl.Series) -> Floats:
    """A column of numbers, dates, times or durations as figures, (n,); null and what is no number are NaN.

    Dates and times are seconds since 1970 by the clock on the wall, durations are seconds.
    """
    dtype = values.dtype
    if dtype == pl.Boolean or dtype.is_numeric() or dtype == pl.Null:
        return values.cast(pl.Float64, strict=False).to_numpy().astype(np.float64)
    if dtype == pl.Time:
        return values.cast(pl.Int64).cast(pl.Float64).to_numpy() / 1e9
    if isinstance(dtype, pl.Duration):
        return values.cast(pl.Duration("us")).cast(pl.Int64).cast(pl.Float64).to_numpy() / 1e6
    if isinstance(dtype, pl.Datetime):
        values = values.dt.replace_time_zone(None)
    return values.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64).to_numpy() / 1e6


def cut(real: Floats, dtype: pl.DataType) -> Axis | None:
    """The axis of a column from its real figures; None where there are too few or they span too much to draw.

    Args:
        real: (n,) figures; NaN and infinite ones are left out.
        dtype: The dtype of the column, which says whether figures are whole, dates or durations.
    """
    finite = real[np.isfinite(real)]
    if len(finite) < FEW:
        return None
    low, high = (float(q) for q in np.quantile(finite, [0.005, 0.995]))
    with np.errstate(over="ignore"):
        if not np.isfinite(high - low) or max(abs(low), abs(high)) > 1e300:
            return None
    if dtype.is_temporal() and not isinstance(dtype, pl.Duration):
        return _dates(low, high, clock=dtype == pl.Time)
    if isinstance(dtype, pl.Duration):
        return _durations(low, high)
    whole = bool(dtype.is_integer() or np.array_equal(finite, np.round(finite)))
    return _numbers(low, high, whole=whole)


def merged(counts: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Runs of neighbouring bins, [start, stop), that hold no real row or at least `FEW` of them.

    >>> merged(np.array([9, 2, 0, 4, 7, 0, 1]))
    [(0, 1), (1, 4), (4, 7)]
    """
    runs: list[tuple[int, int, int]] = []
    start = total = 0
    for place, count in enumerate(counts.tolist()):
        total += count
        if total == 0 or total >= FEW:
            runs.append((start, place + 1, total))
            start, total = place + 1, 0
    if total:  # too few at the end: they join the last run that holds rows
        while runs and runs[-1][2] == 0:
            start = runs.pop()[0]
        if runs:
            start = runs.pop()[0]
        runs.append((start, len(counts), total))
    return [(a, b) for a, b, _ in runs]


def _numbers(low: float, high: float, *, whole: bool, unit: str = "") -> Axis:
    step = (
        _round_step((high - low) / (BINS - 2))
        if high > low
        else (1.0 if whole else _round_step(max(abs(low), 1.0) / 10))
    )
    if whole:
        step = max(1.0, float(math.ceil(step)))
    first, last = math.floor(low / step), math.floor(high / step) + 1
    edges: Floats = np.round(np.arange(first, last + 1) * step, max(0, 2 - math.floor(math.log10(step)))).astype(
        np.float64
    )
    labels = _label_places(edges)
    if whole and step == 1:  # a bin is one whole number, and stands over it
        edges = edges - 0.5
        labels = labels[labels <= edges[-1]]
    return Axis(edges, tuple((float(t), axis(float(t))) for t in labels), unit)


def _label_places(edges: Floats) -> Floats:
    """Three to five round places within the edges."""
    span = float(edges[-1] - edges[0])
    step = max(_round_step(span / 4), float(edges[1] - edges[0]))
    first, last = math.ceil(edges[0] / step - 1e-9), math.floor(edges[-1] / step + 1e-9)
    return np.arange(first, last + 1) * step


def _round_step(size: float) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that is at least this size."""
    power = 10.0 ** math.floor(math.log10(size)) if size > 1e-290 else 1e-290
    return next((m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= size * (1 - 1e-9)), 10.0 * power)


def _durations(low: float, high: float) -> Axis:
    largest = max(abs(low), abs(high))
    unit, size = next(((u, s) for u, s in _UNITS if largest >= 2 * s), _UNITS[-1])
    inner = _numbers(low / size, high / size, whole=False, unit=unit)
    return Axis(inner.edges * size, tuple((t * size, label) for t, label in inner.ticks), unit)


def _dates(low: float, high: float, *, clock: bool) -> Axis:
    """Edges on the calendar: whole minutes, hours, days, weeks, months or years."""
    wanted = (high - low) / (BINS - 2)
    step = next((s for s in _CLOCK_STEPS if s >= wanted), None)
    if step is None:
        return _months(low, high, wanted)
    first, last = math.floor(low / step), math.floor(high / step) + 1
    edges = np.arange(first, last + 1, dtype=np.float64) * step
    every = max(1, math.ceil((len(edges) - 1) / 3))
    return Axis(edges, tuple((float(t), moment(float(t), step, clock=clock)) for t in edges[::every]))


def _months(low: float, high: float, wanted: float) -> Axis:
    months = next((m for m in _MONTH_STEPS if m * 30.4 * DAY >= wanted), _MONTH_STEPS[-1])
    first, last = (_month(at) // months for at in (low, high))
    starts = np.arange(first, last + 2) * months
    edges = starts.astype("datetime64[M]").astype("datetime64[s]").astype(np.float64)
    every = max(1, math.ceil((len(edges) - 1) / 3))
    return Axis(edges, tuple((float(t), moment(float(t), months * 30.4 * DAY)) for t in edges[::every]))


def _month(at: float) -> int:
    """Months since January 1970."""
    return int(np.datetime64(math.floor(at), "s").astype("datetime64[M]").astype(np.int64))
