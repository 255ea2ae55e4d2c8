"""Constraints: kept in every row by every synthesizer, not by chance, and refused together where they conflict."""

import datetime as dt
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cuvee
from cuvee.core import Constraint, Model
from cuvee.data.errors import CuveeError, ModelError
from cuvee.registry import REGISTRY
from cuvee.synthesis.constraints.conflicts import fewest
from cuvee.synthesis.tabular.trees import Trees
from cuvee.testing import check_constraint
from cuvee.verbs.choose import constraint

QUICK = Trees(orders=2, rounds=8, rate=0.5, correct=False)
SYNTHESIZERS = {"trees": QUICK, "circuit": "circuit", "copula": "copula", "independent": "independent"}


def orders(n: int = 1_500, seed: int = 0) -> pl.DataFrame:
    """Bills that add up, days in order, towns in their land, and what goes missing together."""
    rng = np.random.default_rng(seed)
    price, pieces = rng.lognormal(2, 0.6, n).round(2), rng.integers(1, 9, n)
    town = rng.choice(["Rome", "Milan", "Paris", "Lyon"], n, p=[0.4, 0.3, 0.2, 0.1])
    shipped = rng.random(n) < 0.9
    ordered = pl.Series(rng.integers(18_000, 18_900, n)).cast(pl.Int32).cast(pl.Date)
    later = pl.Series([dt.timedelta(days=int(d)) for d in rng.integers(0, 30, n)])
    size = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    return pl.DataFrame(
        {
            "price": price,
            "pieces": pieces,
            "total": (price * pieces).round(2),
            "town": town,
            "land": np.where(np.isin(town, ["Rome", "Milan"]), "IT", "FR"),
            "ordered": ordered,
            "shipped": pl.select(pl.when(pl.Series(shipped)).then(ordered + later)).to_series(),
            "carrier": pl.Series(
                [c if s else None for c, s in zip(rng.choice(["x", "y"], n), shipped, strict=True)], dtype=pl.String
            ),
            "small": size == 0,
            "middle": size == 1,
            "large": size == 2,
        }
    )


RULES: list[Any] = [
    "total = price * pieces",
    {"follows": "land", "from": ["town"]},
    {"increasing": ["ordered", "shipped"]},
    {"missing_together": ["shipped", "carrier"]},
    {"one_hot": ["small", "middle", "large"]},
    {"positive": "price"},
    {"range": "pieces", "low": 1, "high": 8},
    "price < 60 or pieces < 5",
    {"predicate": "price + pieces < 120"},
]
SQL = [
    "abs(total - price * pieces) > 0.0051",
    "(town in ('Rome', 'Milan')) <> (land = 'IT')",
    "shipped < ordered",
    "(shipped is null) <> (carrier is null)",
    "small::int + middle::int + large::int <> 1",
    "price <= 0",
    "pieces < 1 or pieces > 8",
    "not (price < 60 or pieces < 5)",
    "not (price + pieces < 120)",
]


def broken(frame: pl.DataFrame, sql: str) -> int:
    """Rows that another engine finds to break it."""
    return duckdb.sql("select count(*) from frame where " + sql).fetchall()[0][0]  # noqa: S608 (no outside text)


@pytest.fixture(scope="module", params=SYNTHESIZERS)
def model(request: pytest.FixtureRequest) -> Model:
    return cuvee.fit(orders(), SYNTHESIZERS[request.param], constraints=RULES, seed=1)


# In every row


def test_no_row_breaks_any_constraint_as_another_engine_counts(model: Model) -> None:
    frame = model.sample(30_000, seed=2).frame
    assert {sql: broken(frame, sql) for sql in SQL} == dict.fromkeys(SQL, 0)
    assert frame.schema == orders().schema
    proofs = model.prove(frame)
    assert len(proofs) == len(RULES)
    assert all(p.broken == 0 and p.rows == 30_000 for p in proofs)


def test_margins_stay_what_they_were(model: Model) -> None:
    real, frame = orders(), model.sample(30_000, seed=2).frame
    # 1,500 real rows: a share of 0.5 has a standard error of 0.013, a mean of pieces of 0.06; four of them and a bit.
    for town in ("Rome", "Milan", "Paris", "Lyon"):
        assert (frame["town"] == town).mean() == pytest.approx((real["town"] == town).mean(), abs=0.06)
    assert frame["shipped"].null_count() / 30_000 == pytest.approx(real["shipped"].null_count() / 1_500, abs=0.035)
    assert np.mean(frame["pieces"].to_numpy()) == pytest.approx(np.mean(real["pieces"].to_numpy()), abs=0.3)


def test_a_broken_row_is_found_whoever_made_it(model: Model) -> None:
    frame = model.sample(100, seed=2).frame.with_columns(
        total=pl.when(pl.int_range(pl.len()) < 7).then(pl.col("total") + 1).otherwise("total")
    )
    assert {p.constraint: p.broken for p in model.prove(frame) if p.broken} == {"total = price * pieces": 7}


def test_a_model_with_constraints_is_the_same_after_saving(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    again = cuvee.load(tmp_path / "model")
    assert isinstance(again, Model)
    assert again.sample(500, seed=4).frame.equals(model.sample(500, seed=4).frame)
    assert again.prove(orders()) == model.prove(orders())


def test_the_density_of_a_broken_row_is_zero(model: Model) -> None:
    if model.name in {"copula", "independent"}:
        pytest.skip("a copula has no density where values are missing, and independent columns none of cells")
    real = orders(200, seed=5)
    wrong = real.with_columns(pl.col("total") + 1)
    density = model.log_prob(real)
    assert np.isfinite(density).all()
    assert (model.log_prob(wrong) == -np.inf).all()
    if model.name == "trees":
        np.testing.assert_allclose(model.log_prob_cells(real).to_numpy().sum(axis=1), density, atol=1e-6)


def test_rows_are_asked_for_in_columns_that_are_not_learned(model: Model) -> None:
    frame = model.sample(400, where="land = 'IT' and total > 30 and not small", seed=3).frame
    assert frame.height == 400
    assert (frame["land"] == "IT").all()
    assert (frame["total"] > 30).all()
    assert not frame["small"].any()
    assert [broken(frame, sql) for sql in SQL] == [0] * len(SQL)


@pytest.mark.parametrize("name", ["trees", "circuit"])
def test_given_cells_stay_whatever_they_settle(name: str) -> None:
    model = cuvee.fit(orders(), SYNTHESIZERS[name], constraints=RULES, seed=1)
    known = pl.DataFrame(
        {
            "land": ["IT", "FR", None, "FR"] * 25,
            "total": [40.0, None, 12.0, 24.0] * 25,
            "pieces": [2, 3, None, 4] * 25,
            "price": [None, None, 6.0, None] * 25,
            "large": [True, None, False, None] * 25,
        }
    )
    frame = model.sample(given=known, seed=3).frame
    assert [broken(frame, sql) for sql in SQL] == [0] * len(SQL)
    for column in known.columns:
        there = known[column].is_not_null()
        assert frame[column].filter(there).equals(known[column].filter(there).cast(frame[column].dtype))


def test_blanks_are_filled_with_what_keeps_the_constraints() -> None:
    rng = np.random.default_rng(3)
    real = orders(400, seed=9)
    holes = ("price", "total", "land", "shipped")
    lost = real.with_columns(pl.when(pl.Series(rng.random(400) < 0.7)).then(pl.col(c)).alias(c) for c in holes)
    model = cuvee.fit(orders(), QUICK, constraints=[*RULES[:3], {"positive": "price"}], seed=1)
    whole = model.impute(lost, columns=holes, seed=1).frame
    assert whole.null_count().sum_horizontal().item() == lost["carrier"].null_count()
    both = (lost["price"].is_null() | lost["total"].is_null()).to_list()
    assert broken(whole.filter(pl.Series(both)), SQL[0]) == 0
    assert [broken(whole, SQL[k]) for k in (1, 2, 5)] == [0, 0, 0]


def test_blocks_on_several_threads_are_the_same_rows() -> None:
    model = cuvee.fit(orders(600), "independent", constraints=RULES[:4], seed=1)
    assert model.sample(70_000, seed=1, workers=1).frame.equals(model.sample(70_000, seed=1, workers=3).frame)


def test_what_is_drawn_again_is_drawn_from_the_same_distribution() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.normal(size=4_000), "b": rng.normal(size=4_000)})
    plain = cuvee.fit(frame.filter(pl.col("a") <= pl.col("b")), "independent", seed=1)
    kept = cuvee.fit(frame, "independent", constraints=[{"predicate": "a <= b"}], seed=1)
    rows, wanted = (
        kept.sample(40_000, seed=1).frame,
        plain.sample(200_000, seed=2).frame.filter(pl.col("a") <= pl.col("b")),
    )
    # Both have the margins of the same rows; two means of 40,000 differ by 0.005 x 4 once in 10^4.
    for column in ("a", "b"):
        assert np.mean(rows[column].to_numpy()) == pytest.approx(np.mean(wanted[column].to_numpy()), abs=0.03)
        assert np.std(rows[column].to_numpy()) == pytest.approx(np.std(wanted[column].to_numpy()), abs=0.03)


# Each of them


SAID: dict[str, Any] = {
    "holds": "price < 1000 or pieces < 5",
    "equation": "total = price * pieces",
    "follows": {"follows": "land", "from": ["town"]},
    "fixed": {"fixed": ["town", "land"]},
    "one_hot": {"one_hot": ["small", "middle", "large"]},
    "increasing": {"increasing": ["ordered", "shipped"]},
    "range": {"range": "pieces", "low": 1, "high": 8},
    "positive": {"positive": "price"},
    "unique": {"unique": ["price", "ordered"]},
    "monotone": {"monotone": "total", "by": "price"},
    "missing_together": {"missing_together": ["shipped", "carrier"]},
    "matches": {"matches": "town", "pattern": "[A-Z][a-z]+"},
    "predicate": {"predicate": "price + pieces < 1000"},
}


@pytest.mark.parametrize("name", REGISTRY["constraints"])
def test_every_constraint_of_the_registry_keeps_the_contract(name: str) -> None:
    kept = orders(400).unique(["price", "ordered"], maintain_order=True)
    if name == "monotone":
        kept = kept.sort("price").with_columns(total=pl.col("price") * 2)
    town = pl.when(pl.int_range(pl.len()) < 3).then(pl.lit("paris")).otherwise("town")
    wrong = kept.with_columns(
        price=pl.lit(-2000.0),
        pieces=pl.lit(3000),
        town=town,
        land=pl.lit("FR"),
        carrier=pl.lit("x"),
        small=True,
        middle=True,
    ).with_columns(total=-pl.int_range(pl.len()).cast(pl.Float64), ordered=pl.lit(dt.date(2030, 1, 1)))
    wrong = wrong.with_columns(price=pl.int_range(pl.len()) / 1.0) if name == "monotone" else wrong
    wrong = wrong.with_columns(price=pl.lit(5000.0)) if name in {"holds", "predicate"} else wrong
    check_constraint(constraint(SAID[name]), kept, wrong)


def test_the_contract_finds_a_constraint_that_does_not_hold() -> None:
    class Never(Constraint):
        def columns(self) -> tuple[str, ...]:
            return ("price",)

        def truth(self, frame: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
            del learned
            return frame["price"] > 7

    frame = orders(300)
    with pytest.raises(AssertionError, match="must hold in rows that keep it"):
        check_constraint(Never, frame, frame)


@pytest.mark.parametrize("name", ["trees", "copula"])
def test_codes_are_made_from_their_expression_and_do_not_repeat(name: str) -> None:
    codes = pl.Series([f"AB-{k:05d}" if k % 10 else None for k in np.random.default_rng(0).permutation(90_000)[:1_500]])
    frame = orders().with_columns(code=codes)
    rule = {"matches": "code", "pattern": "(AB|CD)-[0-9]{5}"}
    model = cuvee.fit(frame, SYNTHESIZERS[name], constraints=[rule, "price < 60 or pieces < 5"], seed=1)
    rows = model.sample(70_000, seed=1).frame
    there = rows["code"].drop_nulls()
    assert there.str.contains("^(AB|CD)-[0-9]{5}$").all()
    assert there.is_unique().all()
    assert rows["code"].null_count() / 70_000 == pytest.approx(0.1, abs=0.03)
    assert model.prove(rows)[0].how == "made from the expression"
    assert model.sample(200, where="town = 'Rome'", seed=1).frame["code"].drop_nulls().is_unique().all()


# Over all rows


def test_keys_of_several_columns_are_unique_however_few_there_are() -> None:
    rng = np.random.default_rng(0)
    pairs = [(f"s{a}", f"c{b}") for a in range(20) for b in range(20)]
    chosen = [pairs[k] for k in rng.permutation(400)[:300]]
    frame = pl.DataFrame({"student": [a for a, _ in chosen], "course": [b for _, b in chosen], "mark": rng.random(300)})
    model = cuvee.fit(frame, "independent", constraints=[{"unique": ["student", "course"]}], seed=1)
    rows = model.sample(300, seed=1).frame
    assert rows.select("student", "course").n_unique() == 300
    with pytest.raises(ModelError, match="student, course are unique"):
        model.sample(401, seed=1)


def test_readings_never_fall_and_are_the_values_that_were_drawn() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {"meter": np.repeat(["a", "b", "c"], 100), "day": np.tile(np.arange(100), 3), "reading": np.arange(300.0)}
    ).with_columns(reading=pl.col("reading") + pl.Series(rng.random(300)))
    rule = {"monotone": "reading", "by": "day", "within": ["meter"]}
    model = cuvee.fit(frame, "copula", constraints=[rule], seed=1)
    free = cuvee.fit(frame, "copula", seed=1)
    rows = model.sample(2_000, seed=1).frame
    falls = duckdb.sql(
        "select count(*) from rows a join rows b on a.meter = b.meter and a.day < b.day and a.reading > b.reading"
    ).fetchall()[0][0]
    assert falls == 0
    assert model.prove(rows)[0].broken == 0
    assert sorted(rows["reading"]) == sorted(free.sample(2_000, seed=1).frame["reading"])
    with pytest.raises(ModelError, match="speaks of all rows"):
        model.block(0, 2_000)


# Together


def test_constraints_that_can_not_hold_together_are_named_and_no_others() -> None:
    rules = [*RULES[:4], "price > 20", {"positive": "pieces"}, "total < 15"]
    with pytest.raises(ModelError, match=r"'price > 20' and 'total < 15' can't hold together") as found:
        cuvee.fit(orders(), "independent", constraints=rules)
    assert "follows" not in str(found.value)
    with pytest.raises(ModelError, match=r"'shipped < ordered' holds in none of"):
        cuvee.fit(orders(), "independent", constraints=["shipped < ordered"])


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4).filter(any), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_the_fewest_conflicting_rules_are_the_fewest(rows: list[list[bool]]) -> None:
    table = np.array(rows).T
    chosen = fewest(table)
    assert table[chosen].any(axis=0).all()
    smaller = [c for k in range(len(chosen)) for c in combinations(range(4), k) if table[list(c)].any(axis=0).all()]
    assert not smaller


def test_training_rows_that_break_a_constraint_are_not_learned_from_and_counted() -> None:
    frame = orders(500).with_columns(
        total=pl.when(pl.int_range(pl.len()) < 12).then(pl.col("total") + 9).otherwise("total")
    )
    model = cuvee.fit(frame, "independent", constraints=["total = price * pieces"], seed=1)
    assert any("12 training rows that break a constraint were not learned from" in note for note in model.notes)
    assert broken(model.sample(2_000, seed=1).frame, SQL[0]) == 0


def test_two_ways_to_compute_a_column_agree_or_are_looked_at() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 50, 800), rng.integers(0, 50, 800)
    frame = pl.DataFrame({"a": a, "b": b, "sum": a + b})
    model = cuvee.fit(frame, "independent", constraints=["sum = a + b", "a = sum - b", {"positive": "a", "zero": True}])
    rows = model.sample(3_000, seed=1).frame
    assert (rows["a"] + rows["b"] == rows["sum"]).all()


def test_parts_that_sum_to_a_hundred_do_and_none_is_negative() -> None:
    rng = np.random.default_rng(2)
    parts = (100 * rng.dirichlet([2, 3, 4], 1_000)).round(1)
    frame = pl.DataFrame({"x": parts[:, 0], "y": parts[:, 1], "z": (100 - parts[:, 0] - parts[:, 1]).round(1)})
    rows = cuvee.fit(frame, "copula", constraints=["x + y + z = 100"], seed=1).sample(20_000, seed=1).frame
    np.testing.assert_allclose(rows.sum_horizontal().to_numpy(), 100, atol=1e-9)
    assert (rows["z"] >= 0).all()
    assert (rows["z"] * 10 - (rows["z"] * 10).round(0)).abs().max() == pytest.approx(0, abs=1e-9)


def test_only_combinations_that_enough_rows_have_are_made() -> None:
    frame = orders(1_000).select("town", "land", "price")
    odd = pl.DataFrame({"town": ["Nice"] * 3 + ["Bari"] * 8, "land": ["FR"] * 3 + ["IT"] * 8, "price": [1.0] * 11})
    model = cuvee.fit(pl.concat([frame, odd]), "copula", constraints=[{"fixed": ["town", "land"]}], seed=1)
    rows = model.sample(20_000, seed=1).frame
    known = {("Rome", "IT"), ("Milan", "IT"), ("Paris", "FR"), ("Lyon", "FR"), ("Bari", "IT")}
    assert set(rows.select("town", "land").unique().rows()) == known
    with pytest.raises(ModelError, match="stand together in no combination"):
        model.sample(given=pl.DataFrame({"town": ["Rome"], "land": ["FR"]}))


# As they are said


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("nowhere > 3", "speaks of column 'nowhere', which is not there"),
        ("price >", "price >"),
        ("total = price * price", "can't be solved|stands there more than once|total"),
        ("= price * 3", "can't be read"),
        ({"follows": "land"}, "from"),
        ({"folows": "land", "from": ["town"]}, "one of the words"),
        ({"range": "price"}, "a low end, a high end"),
        ({"matches": "town", "pattern": "("}, "no regular expression"),
        ({"predicate": "price +"}, "no SQL expression"),
        ({"predicate": "price + 1"}, "true or false"),
        ({"fixed": ["price", "total"]}, "only .* of 1,500 rows have a combination"),
        (3, "A constraint is text"),
    ],
)
def test_what_is_no_constraint_is_refused_in_a_sentence(said: Any, says: str) -> None:
    if said == "total = price * price":
        model = cuvee.fit(orders().with_columns(total=pl.col("price") ** 2), "independent", constraints=[said])
        assert (model.sample(100).frame.select((pl.col("price") ** 2 - pl.col("total")).abs().max()).item()) < 1e-6
        return
    with pytest.raises(CuveeError, match=says):
        cuvee.fit(orders(), "independent", constraints=[said])


def test_a_python_function_is_kept_but_not_written(tmp_path: Path) -> None:
    def odd(frame: pl.DataFrame) -> pl.Series:
        return frame["pieces"] % 2 == 1

    rule = {"predicate": odd, "reads": ["pieces"]}
    model = cuvee.fit(orders(), "independent", constraints=[rule], seed=1)
    assert (model.sample(2_000, seed=1).frame["pieces"] % 2 == 1).all()
    with pytest.raises(ModelError, match="opening a model runs no code"):
        model.save(tmp_path / "model")


@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, 1, 2, 3]), st.sampled_from([None, 1, 2, 3]), st.sampled_from([None, "p", "q"])
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_nulls_break_a_condition_just_where_they_break_a_check_of_sql(rows: list[tuple[Any, ...]]) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.Int64, "k": pl.String}, orient="row")
    for said in ("a <= b", "a < b or k = 'p'", "not (a >= b and k in ('p', 'q'))", "a is null or b is not null"):
        table = broken(frame, f"not ({said})")
        truth = constraint(said).truth(frame, None)
        assert int((~truth.fill_null(value=True)).sum()) == table
