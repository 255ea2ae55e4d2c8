"""Places: numbers of a grid within the globe, and pairs of numbers in one text."""

import json

import numpy as np
import polars as pl
import pytest

from cuvee.codec.choose import fit_codec, restore_codec
from cuvee.codec.codec import Codec
from cuvee.data.schema import Column

RNG = np.random.default_rng


def fit(series: pl.Series, kind: str, role: str | None = None) -> Codec:
    return fit_codec(series.rename("x"), Column.model_validate({"kind": kind, "role": role}), rng=RNG(1))


def draw(codec: Codec, n: int = 10_000) -> pl.Series:
    return codec.decode(RNG(0).random(n), rng=RNG(0))


def towns(n: int = 4000) -> np.ndarray:
    """Three towns: (n, 2), latitude and longitude of four decimals."""
    rng = RNG(0)
    middle = np.array([[48.14, 11.58], [52.52, 13.40], [-33.86, 151.21]])[rng.choice(3, n, p=[0.5, 0.3, 0.2])]
    return np.round(middle + rng.normal(0, 0.05, (n, 2)), 4)


@pytest.mark.parametrize(("role", "reach"), [("latitude", 90.0), ("longitude", 180.0)])
@pytest.mark.parametrize("decimals", [1, 4, None])
def test_numbers_stay_on_their_grid_and_on_the_globe(role: str, reach: float, decimals: int | None) -> None:
    values = np.clip(RNG(0).normal(0.9 * reach, 0.08 * reach, 5000), -reach, reach - 1e-3)
    values = values if decimals is None else np.clip(np.round(values, decimals), -reach, reach)
    made = draw(fit(pl.Series(values), "geo", role)).to_numpy()
    assert np.abs(made).max() <= reach
    assert decimals is None or np.array_equal(made, np.round(made, decimals))


FORMS = [
    ("{0:.4f},{1:.4f}", r"^-?\d+\.\d{4},-?\d+\.\d{4}$"),
    ("({0:.4f}; {1:.4f})", r"^\(-?\d+\.\d{4}; -?\d+\.\d{4}\)$"),
    ("POINT ({1:.4f} {0:.4f})", r"^POINT \(-?\d+\.\d{4} -?\d+\.\d{4}\)$"),
]


@pytest.mark.parametrize(("form", "pattern"), FORMS)
def test_pairs_are_written_in_the_same_form_and_lie_in_the_same_towns(form: str, pattern: str) -> None:
    points = towns()
    series = pl.Series([form.format(*p) for p in points] + [None] * 400)
    codec = fit(series, "geo")
    made = draw(codec)
    assert made.null_count() / len(made) == pytest.approx(400 / 4400, abs=0.012)  # four standard errors
    made = made.drop_nulls()
    assert made.str.contains(pattern).all()
    numbers = made.str.extract_all(r"-?\d+\.\d+").list.to_array(2).to_numpy().astype(np.float64)
    numbers = numbers[:, ::-1] if "POINT" in form else numbers
    for town, share in (([48.14, 11.58], 0.5), ([52.52, 13.40], 0.3), ([-33.86, 151.21], 0.2)):
        near = np.abs(numbers - town).max(axis=1) < 0.2
        assert near.mean() == pytest.approx(share, abs=0.04)  # four standard errors of 4,000 real rows are 0.032
        assert numbers[near].std(axis=0) == pytest.approx([0.05, 0.05], rel=0.15)
    values, arrays = codec.state()
    assert draw(restore_codec(json.loads(json.dumps(values)), arrays), 300).equals(draw(codec, 300))


def test_a_place_comes_back_near_where_it_was_and_outliers_are_not_told() -> None:
    points = np.concatenate([towns(), [[80.1234, -70.4321]]])
    series = pl.Series([f"{a:.4f},{b:.4f}" for a, b in points]).rename("x")
    codec = fit(series, "geo")
    placed = codec.place(series, rng=RNG(0))
    again = codec.values(placed, start=0, rng=RNG(0))
    back = np.array([[float(v) for v in t.split(",")] for t in again])
    assert np.quantile(np.abs(back - points).max(axis=1), 0.9) < 0.02
    assert "80.1234,-70.4321" not in set(draw(codec))


def test_a_place_that_many_rows_share_is_kept() -> None:
    points = [f"{a:.4f},{b:.4f}" for a, b in towns(2000)] + ["40.7128,-74.0060"] * 1500
    made = draw(fit(pl.Series(points), "geo"))
    assert (made == "40.7128,-74.0060").mean() == pytest.approx(1500 / 3500, abs=0.02)
