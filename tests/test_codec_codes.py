"""Postcodes and other codes of fixed width, and dates written as whole numbers."""

import datetime as dt
import json
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.codec.choose import fit_codec, restore_codec
from cuvee.codec.codec import Codec
from cuvee.data.schema import Column

RNG = np.random.default_rng


def fit(series: pl.Series, kind: str = "category", role: str | None = None) -> Codec:
    column = Column.model_validate({"kind": kind, "role": role})
    return fit_codec(series.rename("x"), column, rng=RNG(1))


def draw(codec: Codec, n: int) -> pl.Series:
    return codec.decode(RNG(0).random(n), rng=RNG(0))


def postcodes(n: int = 6000) -> pl.Series:
    rng = RNG(0)
    area = rng.choice(["021", "100", "941"], n, p=[0.5, 0.3, 0.2])
    common = rng.random(n) < 0.4
    return pl.Series(
        [a + ("38" if c else f"{v:02d}") for a, c, v in zip(area, common, rng.integers(0, 100, n), strict=True)]
    )


def rare_postcodes() -> pl.Series:
    """Codes of which only the beginnings are shared."""
    rng = RNG(3)
    area = rng.choice(["02", "94"], 800, p=[0.7, 0.3])
    return pl.Series([f"{a}{v:04d}" for a, v in zip(area, rng.permutation(800), strict=True)])


@pytest.mark.parametrize(("kind", "role"), [("category", "postcode"), ("text", None), ("text", "postcode")])
def test_codes_keep_their_width_their_zeros_and_their_beginnings(kind: str, role: str | None) -> None:
    for series in (postcodes(), rare_postcodes()):
        made = draw(fit(series, kind, role), 20_000)
        assert made.str.len_chars().unique().to_list() == [len(series[0])]
        assert made.str.contains(r"^\d+$").all()
        for size in (1, 2):
            real, fake = (Counter(s.str.slice(0, size)) for s in (series, made))
            assert set(fake) == set(real)
            for start, rows in real.items():
                # Four standard errors of 800 real rows are 0.07.
                assert fake[start] / len(made) == pytest.approx(rows / len(series), abs=0.02)


def test_rare_codes_are_made_up_and_not_stored() -> None:
    series = rare_postcodes()
    codec = fit(series, role="postcode")
    values, arrays = codec.state()
    assert not any(f'"{v}"' in json.dumps(values) for v in series)
    assert draw(codec, 5000).n_unique() > 1000
    again = restore_codec(json.loads(json.dumps(values)), arrays)
    assert draw(again, 500).equals(draw(codec, 500))
    placed = codec.place(series, rng=RNG(0))
    assert placed.known is not None
    assert placed.known.all()
    sizes = [10 ** (6 - len(start)) for start in values["details"]["starts"]]
    assert codec.volumes.tolist() == sizes


def test_whole_numbers_and_letters_can_be_codes_too() -> None:
    numbers = postcodes().cast(pl.Int32)
    made = draw(fit(numbers, "category", "postcode"), 5000)
    assert made.dtype == pl.Int32
    assert set(made.cast(pl.String).str.zfill(5).str.slice(0, 3)) == {"021", "100", "941"}
    rng = RNG(0)
    british = pl.Series(
        [
            f"SW{a}A {b}{c}{d}"
            for a, b, c, d in zip(*rng.integers(1, 10, (2, 500)), *rng.choice(list("ABDEFG"), (2, 500)), strict=True)
        ]
    )
    made = draw(fit(british, "text", "postcode"), 2000)
    assert made.str.contains(r"^SW\d[A-Z] \d[A-Z]{2}$").all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 300))
def test_no_beginning_of_fewer_than_five_rows_is_stored(seed: int, n: int) -> None:
    rng = RNG(seed)
    series = pl.Series([f"{v:06d}" for v in (rng.random(n) ** 3 * 10**6).astype(int)])
    codec = fit(series, "category", "postcode")
    if codec.kind == "code":
        for start in codec.state()[0]["details"]["starts"]:
            assert series.str.starts_with(start).sum() >= 5
    assert (
        sum(c >= 5 for c in Counter(series).values()) or not set(draw(codec, 50)) & set(series) or codec.kind == "code"
    )


@pytest.mark.parametrize("dtype", [pl.Int32, pl.Int64, pl.UInt32])
def test_whole_numbers_that_are_dates_stay_dates(dtype: pl.DataType) -> None:
    days = [dt.date(2019, 1, 1) + dt.timedelta(days=int(v)) for v in RNG(0).integers(0, 1500, 3000)]
    series = pl.Series([int(d.strftime("%Y%m%d")) for d in days] + [None] * 300).cast(dtype)
    codec = fit(series, "number")
    made = draw(codec, 5000)
    assert made.dtype == dtype
    read = made.drop_nulls().cast(pl.String).str.to_date("%Y%m%d", strict=False)
    assert read.null_count() == 0
    assert made.null_count() / 5000 == pytest.approx(300 / 3300, abs=0.02)
    assert read.dt.year().is_between(2018, 2024).all()
    values, arrays = codec.state()
    assert draw(restore_codec(json.loads(json.dumps(values)), arrays), 500).equals(draw(codec, 500))


def test_whole_numbers_that_only_look_like_dates_stay_numbers() -> None:
    prices = pl.Series(RNG(0).integers(19_000_000, 20_300_000, 2000))
    assert fit(prices, "number").kind == "number"
    assert fit(pl.Series([20_200_101, 20_200_102] * 50), "number").kind == "number"
