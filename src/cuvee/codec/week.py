"""The week as a clock that runs fast when much happens: nights, lunch breaks and weekends take up little of it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.quantiles import count_below

Floats = NDArray[np.float64]

DAY = 86_400.0
WEEK = 7 * DAY
PARTS = 96
"""A day has this many parts, of a quarter of an hour, where values are finer than that."""
SPAN = 14 * DAY
"""Shorter spans of time have no weeks to learn from."""

EVEN = 1.63
"""The week is even where the Kolmogorov-Smirnov statistic is below what one sample in a hundred has by chance."""


@dataclass(frozen=True, slots=True, eq=False)
class Week:
    """How much of all happens up to each moment of a week.

    Attributes:
        total: (parts + 1,), rising from 0 to 1: the share of a week's events up to each part of it, from Monday on.
    """

    total: Floats

    @classmethod
    def learn(cls, seconds: Floats, *, step: float, least: int) -> Self | None:
        """The week of moments; None where they are too few, or of too short a time.

        A moment's weight is that of its weekday times that of its time, of working days or of weekends. Quarters of an
        hour that fewer than `least` moments share have the weight of their hour, and hours that fewer share have none.

        Args:
            seconds: (n,), seconds since some Monday at midnight.
            step: The grid of the moments, in seconds.
            least: The fewest rows a stored figure may come from.
        """
        if len(seconds) < 10 * least or float(seconds.max() - seconds.min()) < SPAN or step > DAY:
            return None
        inside = seconds % WEEK
        days = np.bincount((inside // DAY).astype(np.int64), minlength=7).astype(np.float64)
        days[days < least] = 0
        parts = 1 if step >= DAY else PARTS if step < 3600 else 24
        weight = np.zeros((7, parts))
        for rows in (slice(0, 5), slice(5, 7)):
            of = np.isin(inside // DAY, np.arange(7)[rows])
            counts = np.bincount((inside[of] % DAY // (DAY / parts)).astype(np.int64), minlength=parts)
            weight[rows] = days[rows, None] * _shares(counts.astype(np.float64), least)
        if weight.sum() <= 0:
            return None
        total = np.r_[0.0, np.cumsum(weight) / weight.sum()]
        apart = float(np.abs(total - np.linspace(0, 1, len(total))).max())
        return None if apart * np.sqrt(len(seconds)) < EVEN else cls(total)

    def turned(self, seconds: Floats) -> Floats:
        """What this clock shows, (n,), in weeks."""
        weeks = np.floor(seconds / WEEK)
        place = (seconds - weeks * WEEK) * ((len(self.total) - 1) / WEEK)
        part = np.minimum(place.astype(np.int64), len(self.total) - 2)
        low = self.total[part]
        return weeks + low + (place - part) * (self.total[part + 1] - low)

    def seconds(self, turned: Floats) -> Floats:
        """The moments at which this clock shows something, (n,)."""
        weeks = np.floor(turned)
        rest = turned - weeks
        part = np.clip(count_below(self.total, rest) - 1, 0, len(self.total) - 2)
        low, length = self.total[part], self.total[part + 1] - self.total[part]
        inside = np.divide(rest - low, length, out=np.zeros_like(rest), where=length > 0)
        return weeks * WEEK + (part + inside) * (WEEK / (len(self.total) - 1))


def _shares(counts: Floats, least: int) -> Floats:
    """Counts by part of the day as shares, without those of fewer rows than `least`."""
    if len(counts) == PARTS:
        hours = counts.reshape(24, -1)
        whole = np.repeat(hours.sum(axis=1, keepdims=True), hours.shape[1], axis=1)
        thin = ((hours > 0) & (hours < least)).any(axis=1, keepdims=True)
        counts = np.where(whole < least, 0.0, np.where(thin, whole / hours.shape[1], hours)).ravel()
    else:
        counts = np.where(counts < least, 0.0, counts)
    return counts / counts.sum() if counts.sum() > 0 else np.full(len(counts), 1 / len(counts))
