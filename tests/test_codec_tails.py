"""What must never come out: the extreme rows, rare categories at any number of levels, and texts of a few rows."""

import json
import time
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
seeds = st.integers(0, 2**32 - 1)


def fit(series: pl.Series, kind: str) -> Codec:
    return fit_codec(series.rename("x"), Column.model_validate({"kind": kind}), rng=RNG(1))


def draw(codec: Codec, n: int, seed: int = 0) -> pl.Series:
    return codec.decode(RNG(seed).random(n), rng=RNG(seed))


@settings(max_examples=25, deadline=None)
@given(seed=seeds, whole=st.booleans(), far=st.sampled_from([1e2, 1e4, 1e6]))
def test_samples_do_not_tell_the_extreme_rows(seed: int, whole: bool, far: float) -> None:
    rng = RNG(seed)
    values = np.r_[rng.normal(0, 1, 3000), far, -far * 1.3]
    series = pl.Series(np.round(values * 1000).astype(np.int64) if whole else values)
    made = draw(fit(series, "number"), 50_000)
    # The five outermost rows stand for the tail, so one of them alone can't pull it as far as it lies itself.
    assert made.max() < 0.5 * series.max()
    assert made.min() > 0.5 * series.min()
    # Yet the tails of the others are reached.
    assert made.quantile(0.999) > (2.4 if not whole else 2400)


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_samples_do_not_end_at_the_extreme_rows(seed: int) -> None:
    series = pl.Series(RNG(seed).lognormal(0, 1, 2000))
    made = draw(fit(series, "number"), 20_000)
    assert made.max() != series.max()
    assert not made.is_in(series.top_k(5).implode()).any()


def test_twenty_thousand_categories_are_learned_at_once_and_take_little_room() -> None:
    codes = RNG(0).integers(0, 20_000, 400_000)
    series = pl.Series([f"level {v}" for v in codes])
    took = []
    for _ in range(3):
        start = time.perf_counter()
        codec = fit(series, "category")
        took.append(time.perf_counter() - start)
    assert min(took) < 1
    placed = codec.place(series, rng=RNG(0))
    assert codec.values(placed, start=0, rng=RNG(0)).equals(series.rename("x"))
    values, arrays = codec.state()
    # One text and one number a level: no table of levels by levels.
    assert len(json.dumps(values)) < 20 * 20_000
    assert sum(a.nbytes for a in arrays.values()) < 10 * 20_000


WORDS = ["pain", "fever", "cough", "rest", "today", "left", "knee", "mild"]


@settings(max_examples=25, deadline=None)
@given(seed=seeds, length=st.integers(1, 9), n=st.integers(10, 400))
def test_no_text_of_fewer_than_five_rows_comes_out(seed: int, length: int, n: int) -> None:
    rng = RNG(seed)
    # Few words and short texts: by chance alone the same text would be put together often.
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, length + 1))) for _ in range(n)]
    rare = {t for t, rows in Counter(texts).items() if rows < 5}
    codec = fit(pl.Series(texts), "text")
    values, arrays = codec.state()
    for one in (codec, restore_codec(json.loads(json.dumps(values)), arrays)):
        assert not set(draw(one, 2000)) & rare


def test_texts_are_still_made_of_what_rows_share() -> None:
    rng = RNG(0)
    texts = [" ".join(rng.choice(WORDS, 8)) for _ in range(3000)]
    made = draw(fit(pl.Series(texts), "text"), 2000)
    assert not made.str.starts_with("x-").any()
    words = Counter(w for t in made for w in t.split())
    assert set(words) == set(WORDS)
    for rows in words.values():
        assert rows / sum(words.values()) == pytest.approx(1 / 8, abs=0.02)
