"""Moments by parts: the hours of the day, the days of the week, the months, and the grid of the clock."""

import datetime as dt
import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from cuvee.codec.choose import fit_codec, restore_codec
from cuvee.codec.codec import Codec
from cuvee.data.schema import Column

RNG = np.random.default_rng
N = 6000


def fit(series: pl.Series) -> Codec:
    return fit_codec(series.rename("x"), Column(kind="datetime"), rng=RNG(1))


def draw(codec: Codec, n: int = 20_000) -> pl.Series:
    return codec.decode(RNG(0).random(n), rng=RNG(0))


def office(step: int) -> pl.Series:
    """Working days from nine to five of two years, more in winter, on a grid of seconds."""
    rng = RNG(0)
    days = [d for d in (dt.date(2021, 1, 4) + dt.timedelta(days=j) for j in range(728)) if d.weekday() < 5]
    weights = np.array([3.0 if d.month in {11, 12, 1} else 1.0 for d in days])
    chosen = rng.choice(len(days), N, p=weights / weights.sum())
    seconds = rng.integers(9 * 3600 // step, 17 * 3600 // step, N) * step
    return pl.Series(
        [
            dt.datetime.combine(days[d], dt.time()) + dt.timedelta(seconds=int(s))
            for d, s in zip(chosen, seconds, strict=True)
        ]
    )


def at_work(series: pl.Series) -> float:
    """The share of moments on working days from nine to five."""
    hours = series.dt.hour().is_between(9, 16)
    return float((hours & (series.dt.weekday() <= 5)).to_numpy().mean())


@pytest.mark.parametrize("step", [1, 60, 900, 3600])
@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_office_hours_stay_office_hours(step: int, zone: str | None) -> None:
    series = office(step).dt.replace_time_zone(zone)
    assert at_work(series) == 1
    made = draw(fit(series))
    assert made.dtype == series.dtype
    assert at_work(made) > 0.98
    ticks = made.dt.replace_time_zone(None).to_physical() // 10**6
    assert (ticks % step == 0).all()
    for part in ("month", "weekday", "hour"):
        shares = [np.bincount(getattr(s.dt, part)().to_numpy(), minlength=24) / len(s) for s in (series, made)]
        # 6,000 real rows: four standard errors of a share of 0.2 are 0.021.
        assert shares[1] == pytest.approx(shares[0], abs=0.021)


def test_dates_keep_their_weekdays() -> None:
    series = office(60).dt.date()
    made = draw(fit(series))
    assert (made.dt.weekday() <= 5).mean() > 0.99
    assert made.dt.month().is_in([11, 12, 1]).mean() == pytest.approx(
        series.dt.month().is_in([11, 12, 1]).to_numpy().mean(), abs=0.03
    )


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_places_and_moments_go_there_and_back(unit: Any) -> None:
    series = office(60).cast(pl.Datetime(unit)).rename("x")
    codec = fit(series)
    placed = codec.place(series, rng=RNG(0))
    again = codec.values(placed, start=0, rng=RNG(0))
    away = (again - series).dt.total_minutes().abs()
    assert (away <= 1).mean() > 0.99
    values, arrays = codec.state()
    stored = restore_codec(json.loads(json.dumps(values)), arrays)
    assert draw(stored, 2000).equals(draw(codec, 2000))


def test_moments_of_a_few_rows_are_not_told() -> None:
    night = [dt.datetime(2021, 3, 7, 3, 17, 5)] * 3
    made = draw(fit(pl.concat([office(1), pl.Series(night)])))
    assert not (made.is_in(night)).any()
    assert made.dt.hour().is_between(9, 16).mean() > 0.98


def test_what_happens_at_any_time_stays_so() -> None:
    seconds = RNG(0).integers(0, 400 * 86_400, N)
    series = pl.Series([dt.datetime(2020, 1, 1) + dt.timedelta(seconds=int(s)) for s in seconds])
    made = draw(fit(series))
    hours = np.bincount(made.dt.hour().to_numpy(), minlength=24) / len(made)
    assert hours == pytest.approx(np.full(24, 1 / 24), abs=0.015)  # four standard errors of 6,000 rows are 0.0103
