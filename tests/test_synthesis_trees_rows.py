"""The synthesizer of trees: repeats, blocks on threads, corrections, and a density that is each row's own."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from cuvee.core import BLOCK, Event, Model
from cuvee.data.dataset import Dataset
from cuvee.synthesis.tabular.trees import Trees
from cuvee.synthesis.tabular.trees_learned import TreesLearned
from cuvee.testing import check_synthesizer

QUICK = Trees(orders=2, rounds=8, rate=0.5, correct=False)


def learn(frame: pl.DataFrame, spec: Trees = QUICK, seed: int = 1) -> tuple[TreesLearned, Dataset]:
    data = Dataset.of(frame, name="data")
    return spec.fit(data, rng=np.random.default_rng(seed)), data


def made(learned: TreesLearned, n: int, seed: int = 2) -> pl.DataFrame:
    return learned.sample(n, start=0, rng=np.random.default_rng(seed))["data"]


def test_the_contract_is_kept_without_a_correction() -> None:
    check_synthesizer(QUICK, bad=False)


def test_days_that_repeat_do_so_exactly_and_as_often() -> None:
    rng = np.random.default_rng(0)
    start = pl.Series(rng.integers(0, 4_000, 3_000)).cast(pl.Int32).cast(pl.Date)
    end = start + pl.Series([dt.timedelta(days=int(k)) for k in np.where(rng.random(3_000) < 0.4, 0, 900)])
    rows = made(learn(pl.DataFrame({"start": start, "end": end}))[0], 20_000)
    # 3,000 and 20,000 rows at a share of 0.4: the difference has a standard error of 0.01.
    assert (rows["start"] == rows["end"]).mean() == pytest.approx((start == end).mean(), abs=0.05)


def test_columns_that_only_share_a_range_do_not_start_to_repeat() -> None:
    x = np.random.default_rng(1).uniform(0, 100, (2, 2_000)).round(2)
    rows = made(learn(pl.DataFrame({"x": x[0], "y": x[1]}))[0], 20_000)
    # By chance one in 10,000 rows: 2 of 20,000; more than 14 once in 10^8 samples.
    assert (rows["x"] == rows["y"]).sum() <= 14


def test_blocks_are_the_same_on_one_thread_and_on_several() -> None:
    rng = np.random.default_rng(3)
    frame = pl.DataFrame({"k": rng.choice(["a", "b"], 400), "x": rng.normal(size=400)})
    learned, data = learn(frame, Trees(orders=1, rounds=5, rate=0.5, correct=False))
    model = Model("trees", QUICK, data.schema, {"data": 400}, 1, learned, learned.notes())
    alone = model.sample(BLOCK + 500, seed=5, workers=1).frame
    assert model.sample(BLOCK + 500, seed=5, workers=3).frame.equals(alone)


def test_a_correction_makes_good_what_trees_missed_and_its_density_is_one() -> None:
    rng = np.random.default_rng(4)
    angle = rng.uniform(0, 2 * np.pi, 3_000)
    frame = pl.DataFrame({"k": (angle > np.pi).astype(int).astype(str), "x": np.cos(angle), "y": np.sin(angle)})
    plain = Trees(orders=1, rounds=2, rate=0.2, correct=False)
    off: dict[bool, float] = {}
    for correct in (False, True):
        learned, data = learn(frame, plain.model_copy(update={"correct": correct}))
        rows = made(learned, 10_000)
        off[correct] = float(np.mean(np.abs(rows["x"].to_numpy() ** 2 + rows["y"].to_numpy() ** 2 - 1)))
        assert (learned.correction is not None) == correct
        cells = learned.log_prob_cells(data)
        np.testing.assert_allclose(cells.sum(axis=1), learned.log_prob(data), atol=1e-6)
    # The mean of 10,000 distances that scatter by less than 0.5: standard error 0.005.
    assert off[True] < 0.9 * off[False]


def test_a_value_that_few_rows_share_is_not_made_after_an_update_either() -> None:
    old = pl.DataFrame({"k": ["a", "b"] * 500, "x": np.random.default_rng(5).normal(size=1_000)})
    learned, data = learn(old)
    new = pl.DataFrame({"k": ["c"] * 4 + ["d"] * 200, "x": np.zeros(204)})
    more = learned.update(data.with_frame("data", new), rng=np.random.default_rng(1))
    kinds = set(made(more, 20_000)["k"])
    assert kinds == {"a", "b", "d"}
    assert more.rows == 1_204


def test_a_budget_is_told_as_an_estimate_before_the_work() -> None:
    events: list[Event] = []
    frame = pl.DataFrame(np.random.default_rng(6).normal(size=(600, 3)), schema=["a", "b", "c"])
    Trees(orders=1, rounds=5, rate=0.5).fit(Dataset.of(frame), rng=np.random.default_rng(0), watch=events.append)
    steps = [e.step for e in events]
    assert steps.index("estimate") < steps.index("trees") < steps.index("correction")
    assert [e.done for e in events if e.step == "trees"] == [1, 2, 3]


def test_mostly_missing_columns_stay_so_and_keep_their_values_range() -> None:
    rng = np.random.default_rng(7)
    there = rng.random(2_000) < 0.04
    x = [float(v) if t else None for v, t in zip(rng.normal(50, 5, 2_000), there, strict=True)]
    rows = made(learn(pl.DataFrame({"x": pl.Series(x, dtype=pl.Float64), "y": there}))[0], 20_000)
    assert float(np.mean((rows["x"].is_not_null() == rows["y"]).to_numpy())) > 0.99
    # 80 real values of standard deviation 5: standard error 0.6.
    assert rows["x"].mean() == pytest.approx(50, abs=2.5)


def bills(n: int) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    bill = rng.lognormal(5, 1, n).round(2)
    return pl.DataFrame({"bill": bill, "paid": np.where(rng.random(n) < 0.4, bill, (bill * 0.7).round(2))})


def test_a_row_is_as_likely_whatever_rows_are_asked_about_beside_it() -> None:
    learned, data = learn(bills(3_000).with_columns(kind=pl.Series(["a", "b", "c"] * 1_000)))
    some = data.frame.filter(pl.col("bill") == pl.col("paid")).head(100)
    some = some.with_columns(kind=pl.when(pl.int_range(pl.len()) < 50).then(pl.lit("unseen")).otherwise("kind"))
    once = learned.log_prob(data.with_frame("data", some))
    twice = learned.log_prob(data.with_frame("data", pl.concat([some.reverse(), some])))
    np.testing.assert_allclose(twice[100:], once, atol=1e-6)
    np.testing.assert_allclose(twice[:100], once[::-1], atol=1e-6)


def test_a_missing_flag_of_one_row_says_nothing_about_other_rows() -> None:
    rng = np.random.default_rng(0)
    kind = rng.choice(4, 2_000)
    flags = pl.DataFrame({f"is_{k}": (kind == k).astype(int) for k in range(4)})
    learned, data = learn(flags.with_columns(x=rng.normal(size=2_000)))
    gone = data.frame.with_columns(is_0=pl.when(pl.int_range(pl.len()) > 0).then(pl.col("is_0")))
    found, whole = learned.log_prob(data.with_frame("data", gone)), learned.log_prob(data)
    np.testing.assert_allclose(found[1:], whole[1:], atol=1e-6)
    assert found[0] < whole[0]


@pytest.mark.parametrize("kinds", [int, bool])
def test_flags_are_exact_and_a_rare_one_is_never_up(kinds: type) -> None:
    rng = np.random.default_rng(2)
    kind = np.concatenate([rng.choice(3, 1_996, p=[0.6, 0.3, 0.1]), [3] * 4])
    frame = pl.DataFrame({f"is_{k}": (kind == k).astype(kinds) for k in range(4)}).with_columns(
        x=rng.normal(size=2_000) + 3 * kind
    )
    rows = made(learn(frame)[0], 20_000).with_columns(pl.col("^is_.*$").cast(pl.Int64))
    assert (rows.select(f"is_{k}" for k in range(4)).sum_horizontal() == 1).all()
    assert rows["is_3"].sum() == 0
    # 200 rows of the smallest kind: shares to 0.007, means to 0.07; trees blur neighbours a little.
    assert rows["is_2"].mean() == pytest.approx(0.1, abs=0.03)
    assert rows.filter(pl.col("is_2") == 1)["x"].mean() == pytest.approx(6, abs=0.4)
