"""Mixing by share, and the curve that says what a share is worth."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, SchemaError
from cuvee.data.schema import Column, Schema, Table
from cuvee.mixing.curve import share_curve
from cuvee.mixing.share import mix_by_share


def dataset(frame: pl.DataFrame, **kinds: str) -> Dataset:
    columns = {c: Column.model_validate({"kind": kinds.get(c, "number")}) for c in frame.columns}
    key = ("id",) if "id" in frame.columns else None
    return Dataset({"people": frame}, Schema(tables={"people": Table(columns=columns, key=key)}))


def people(n: int, start: int = 0) -> Dataset:
    return dataset(pl.DataFrame({"id": np.arange(start, start + n), "age": np.arange(n) % 90}), id="id")


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.floats(0, 0.8), st.integers(0, 9))
def test_mix_keeps_all_real_rows_and_the_share(n: int, share: float, seed: int):
    real, synthetic = people(n), people(300, start=1000)
    mixed = mix_by_share(real, synthetic, share=share, rng=np.random.default_rng(seed)).frame
    from_real, made = (mixed.filter(pl.col("_origin") == o) for o in ("real", "synthetic"))
    assert sorted(from_real["id"]) == list(range(n))
    assert made["id"].n_unique() == made.height == round(share / (1 - share) * n)
    assert set(made["id"]) <= set(range(1000, 1300))


def test_mix_is_shuffled_and_repeats_itself():
    real, synthetic = people(50), people(50, start=1000)
    first, second, other = (
        mix_by_share(real, synthetic, share=0.5, rng=np.random.default_rng(s)).frame for s in (0, 0, 1)
    )
    assert first.equals(second)
    assert not first.equals(other)
    assert first["_origin"].head(50).n_unique() == 2


@pytest.mark.parametrize(("share", "origins", "rows"), [(0, ["real"], 50), (1, ["synthetic"], 40)])
def test_mix_at_the_ends(share: float, origins: list[str], rows: int):
    mixed = mix_by_share(people(50), people(40, start=99), share=share, rng=np.random.default_rng(0))
    assert mixed.frame["_origin"].unique().to_list() == origins
    assert mixed.frame.height == rows
    assert mixed.frame.schema["_origin"] == pl.Enum(["real", "synthetic"])
    assert mixed.meaning.columns["_origin"].kind == "category"


def test_mix_changes_nothing_it_was_given_and_keeps_a_key_only_while_it_is_one():
    real, apart, again = people(10), people(10, start=100), people(10)
    before = real.frame.clone()
    assert mix_by_share(real, apart, share=0.5, rng=np.random.default_rng(0)).meaning.key == ("id",)
    assert mix_by_share(real, again, share=0.5, rng=np.random.default_rng(0)).meaning.key is None
    assert real.frame.equals(before)


def test_mix_takes_columns_in_any_order_and_dtypes_without_loss():
    real = dataset(
        pl.DataFrame(
            {"a": [1, 2], "b": pl.Series(["x", "y"], dtype=pl.Enum(["x", "y"])), "d": [dt.date(2020, 1, 1)] * 2}
        )
    )
    synthetic = dataset(pl.DataFrame({"d": [dt.datetime(2020, 1, 2)], "b": ["y"], "a": [3.0]}))
    mixed = mix_by_share(real, synthetic, share=1 / 3, rng=np.random.default_rng(0)).frame
    assert dict(mixed.schema) == {**real.frame.schema, "_origin": pl.Enum(["real", "synthetic"])}
    assert mixed.filter(pl.col("_origin") == "synthetic").row(0) == (3, "y", dt.date(2020, 1, 2), "synthetic")


@pytest.mark.parametrize(
    "odd",
    [
        pl.DataFrame({"a": [1.5], "b": ["x"]}),  # half a number
        pl.DataFrame({"a": [1], "b": ["z"]}),  # no such level
        pl.DataFrame({"a": [dt.date(2020, 1, 1)], "b": ["x"]}),
        pl.DataFrame({"a": [2**40], "b": ["x"]}),  # too large
        pl.DataFrame({"a": [[1]], "b": ["x"]}),
    ],
)
def test_mix_refuses_dtypes_that_lose_values(odd: pl.DataFrame):
    real = dataset(
        pl.DataFrame({"a": pl.Series([1, 2], dtype=pl.Int32), "b": pl.Series(["x", "y"], dtype=pl.Enum(["x", "y"]))})
    )
    with pytest.raises(SchemaError, match="without loss"):
        mix_by_share(real, dataset(odd), share=0.1, rng=np.random.default_rng(0))


def test_mix_says_how_many_rows_are_missing():
    with pytest.raises(CuveeError, match=r"needs 300 synthetic rows .* there are 50\. .*cuvee sample MODEL -n 300"):
        mix_by_share(people(100), people(50), share=0.75, rng=np.random.default_rng(0))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_mix_wants_a_share(share: float):
    with pytest.raises(CuveeError, match="between 0 and 1"):
        mix_by_share(people(5), people(5), share=share, rng=np.random.default_rng(0))


def test_mix_names_columns_that_differ():
    with pytest.raises(SchemaError, match=r"lacks 'age' and has 'agee'.*Did you mean 'agee'"):
        mix_by_share(
            people(5), dataset(people(5).frame.rename({"age": "agee"})), share=0.5, rng=np.random.default_rng(0)
        )


def test_a_mix_is_not_mixed_again():
    mixed = mix_by_share(people(5), people(5, start=50), share=0.5, rng=np.random.default_rng(0))
    with pytest.raises(CuveeError, match="a mix already"):
        mix_by_share(mixed, people(5), share=0.5, rng=np.random.default_rng(0))
    with pytest.raises(CuveeError, match="a mix already"):
        mix_by_share(people(5), mixed, share=0.5, rng=np.random.default_rng(0))


def test_nothing_to_mix_is_an_error():
    with pytest.raises(CuveeError, match="no rows to mix"):
        mix_by_share(people(0), people(5), share=0.5, rng=np.random.default_rng(0))


def lesson(n: int, seed: int, *, noise: float = 0.5) -> Dataset:
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=n), rng.normal(size=n)
    return dataset(pl.DataFrame({"x": x, "w": w, "y": x * w + noise * rng.normal(size=n)}))


def test_curve_sees_that_good_rows_help_and_bad_ones_hurt():
    real, holdout = lesson(150, 0), lesson(1500, 1)
    good = lesson(3000, 2)
    bad = good.with_frame("people", good.frame.with_columns(y=-pl.col("y")))
    helped, hurt = (
        share_curve(real, made, holdout, predict="y > 0", shares=(0, 0.5, 0.9, 1), rng=np.random.default_rng(0))
        for made in (good, bad)
    )
    assert helped["share"].to_list() == [0, 0.5, 0.9, 1]
    assert helped["figure"].unique().to_list() == ["AUC"]
    assert helped["rows_synthetic"].to_list() == [0, 150, 1350, 3000]
    assert helped["rows_real"].to_list() == [150, 150, 150, 0]
    assert helped["gain_low"][2] > 0
    assert hurt["gain_high"][2] < 0
    assert hurt["value"][0] == helped["value"][0]
    assert (helped["low"] <= helped["value"]).all()
    assert (helped["value"] <= helped["high"]).all()


def test_curve_leaves_out_shares_that_it_has_no_rows_for_and_always_measures_none():
    curve = share_curve(
        lesson(100, 0), lesson(60, 1), lesson(200, 2), predict="y", shares=(0.25, 0.75), rng=np.random.default_rng(0)
    )
    assert curve["share"].to_list() == [0, 0.25]
    assert curve["gain"][0] == 0


def test_curve_refuses_what_it_cannot_test():
    real = lesson(50, 0)
    constant = real.with_frame("people", real.frame.with_columns(y=pl.lit(1.0)))
    with pytest.raises(CuveeError, match="the same in all holdout rows"):
        share_curve(real, real, constant, predict="y > 0", rng=np.random.default_rng(0))
    with pytest.raises(CuveeError, match="not between 0 and 1"):
        share_curve(real, real, real, predict="y > 0", shares=(2.0,), rng=np.random.default_rng(0))
