"""Constraints that are found in data: the planted ones and no others, counted in all rows, accepted by a line."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cuvee
from cuvee.core import Model
from cuvee.data.conditions_text import condition_of
from cuvee.data.dataset import Dataset
from cuvee.data.errors import SchemaError
from cuvee.data.schema import Proposal, Schema
from shared import shared_data


def ledger(n: int = 2_000, seed: int = 0) -> pl.DataFrame:
    """A bill, parts that sum up, towns in their land, moments in order, flags, and codes of one shape."""
    rng = np.random.default_rng(seed)
    price, pieces = rng.lognormal(2, 0.6, n).round(2), rng.integers(1, 9, n)
    town = rng.choice(["Rome", "Milan", "Paris", "Lyon", "Ulm"], n)
    land = pl.Series(town).replace({"Rome": "IT", "Milan": "IT", "Paris": "FR", "Lyon": "FR", "Ulm": "DE"})
    first = rng.normal(50, 10, n).round(1)
    second = (first + rng.exponential(4, n)).round(1)
    third = (second + rng.exponential(4, n)).round(1)
    kind = rng.choice(3, n)
    parts = rng.multinomial(100, [0.2, 0.3, 0.5], n)
    gone = rng.random(n) < 0.1
    return pl.DataFrame(
        {
            "price": price,
            "pieces": pieces,
            "total": (price * pieces).round(2),
            "town": town,
            "land": land,
            "first": first,
            "second": second,
            "third": third,
            "red": (kind == 0).astype(int),
            "green": (kind == 1).astype(int),
            "blue": (kind == 2).astype(int),
            "p": parts[:, 0],
            "q": parts[:, 1],
            "r": parts[:, 2],
            "width": np.where(gone, np.nan, rng.normal(10, 2, n)),
            "height": np.where(gone, np.nan, rng.normal(20, 2, n)),
            "code": [f"{chr(65 + k % 26)}{chr(65 + k // 26 % 26)}-{k % 1000:03d}" for k in rng.permutation(n)],
        }
    ).with_columns(pl.col("width", "height").fill_nan(None))


def proposals(frame: pl.DataFrame) -> tuple[Proposal, ...]:
    return cuvee.inspect(frame).tables["data"].proposals


def test_all_that_was_planted_is_found_and_nothing_else() -> None:
    found = {str(p.line): p for p in proposals(ledger())}
    wanted: list[Any] = [
        {"one_hot": ["red", "green", "blue"]},
        "total = price * pieces",
        "p + q + r = 100",
        {"follows": "land", "from": ["town"]},
        {"increasing": ["first", "second", "third"]},
        {"missing_together": ["width", "height"]},
        {"matches": "code", "pattern": "[A-Z]{2}\\-[0-9]{3}"},
    ]
    assert set(found) == {str(line) for line in wanted}
    assert all(p.exceptions == 0 and p.rows > 1_500 for p in found.values())


def test_what_holds_in_groups_and_what_goes_with_blanks_is_found() -> None:
    rng = np.random.default_rng(5)
    n, months = 80, 25
    reading = rng.uniform(0, 500, (n, 1)) + rng.exponential(4, (n, months)).cumsum(axis=1)
    state = rng.choice(["open", "shut", "lost"], n * months)
    frame = pl.DataFrame(
        {
            "meter": np.repeat(np.arange(n), months),
            "month": np.tile(np.arange(months), n),
            "reading": reading.reshape(-1).round(1),
            "state": state,
            "reason": pl.Series(rng.choice(["fire", "age"], n * months)).set(pl.Series(state == "open"), None),
        }
    ).sample(fraction=1, shuffle=True, seed=1)
    found = proposals(frame)
    assert {str(p.line) for p in found} == {
        str({"monotone": "reading", "by": "month", "within": ["meter"]}),
        "state != 'open' or reason is null",
        "state = 'open' or reason is not null",
    }
    worse = frame.with_columns(pl.when(pl.int_range(pl.len()) == 3).then(0.0).otherwise("reading").alias("reading"))
    rising = next(p for p in proposals(worse) if "monotone" in p.line)
    assert rising.exceptions >= 1
    model = cuvee.fit(frame, "independent", constraints=[p.line for p in found], seed=1)
    assert [p.broken for p in model.prove(model.sample(300, seed=1))] == [0, 0, 0]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_columns_that_know_nothing_of_each_other_give_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds = [
        lambda: rng.normal(size=2_000).round(2),
        lambda: rng.integers(0, 50, 2_000),
        lambda: rng.choice(["a", "b", "c"], 2_000),
        lambda: rng.random(2_000) < 0.5,
    ]
    # A rule must have been worth 15 nats: one of 20 x 19 pairs by chance once in 10,000 tables.
    assert proposals(pl.DataFrame({f"c{k}": kinds[k % 4]() for k in range(20)})) == ()


def test_what_nearly_holds_is_told_with_the_rows_that_break_it() -> None:
    frame = ledger(20_000).with_columns(
        total=pl.when(pl.int_range(pl.len()).is_in([7, 70, 700])).then(pl.col("total") + 5).otherwise("total"),
        land=pl.when(pl.int_range(pl.len()) == 11).then(pl.lit("XX")).otherwise("land"),
    )
    found = {str(p.line): p for p in proposals(frame)}
    assert found["total = price * pieces"].exceptions == 3
    assert found["total = price * pieces"].where == (7, 70, 700)
    assert found[str({"follows": "land", "from": ["town"]})].where == (11,)
    assert "all but 3 of 20,000 rows" in found["total = price * pieces"].reason
    # A fifth of the rows is no exception.
    often = frame.with_columns(total=pl.when(pl.int_range(pl.len()) % 5 > 0).then("total").otherwise(0.0))
    assert not any("total =" in str(p.line) for p in proposals(often))


@given(st.integers(0, 10_000), st.integers(60, 400))
@settings(max_examples=25, deadline=None)
def test_what_is_said_to_hold_in_all_rows_does(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(rng.integers(0, 12, (n, 5)), schema=list("abcde")).with_columns(
        f=pl.col("a") + pl.col("b") * (rng.random() < 0.7), g=pl.max_horizontal("c", "d")
    )
    for p in proposals(frame):
        if p.exceptions or not isinstance(p.line, str):
            continue
        if "+" in p.line or "*" in p.line:
            left, right = p.line.split(" = ")
            assert all(eval(left, {}, row) == eval(right, {}, row) for row in frame.rows(named=True))  # noqa: S307
        else:
            assert condition_of(p.line).truth(frame).all()


# Accepted by a line


def test_a_proposal_is_kept_once_the_mark_before_it_is_removed(tmp_path: Path) -> None:
    frame = ledger()
    schema = cuvee.inspect(frame)
    text = schema.to_yaml()
    assert Schema.from_yaml(text).tables["data"].constraints == ()
    lines = text.splitlines()
    wanted = ("# constraints:", "total = price", "follows: land", "increasing")
    accepted = [line.replace("# ", "", 1) if any(w in line for w in wanted) else line for line in lines]
    (tmp_path / "schema.yaml").write_text("\n".join(accepted))
    stated = Schema.load(tmp_path / "schema.yaml")
    assert stated.tables["data"].constraints == (
        "total = price * pieces",
        {"follows": "land", "from": ["town"]},
        {"increasing": ["first", "second", "third"]},
    )
    data = Dataset.of(frame, schema=stated)
    again = cuvee.inspect(data)
    assert again.tables["data"].constraints == stated.tables["data"].constraints
    assert "total = price * pieces" not in [p.line for p in again.tables["data"].proposals]
    assert Schema.from_yaml(again.to_yaml()).tables["data"].constraints == stated.tables["data"].constraints
    model = cuvee.fit(data, "independent", seed=1)
    assert isinstance(model, Model)
    proofs = model.prove(model.sample(3_000, seed=1))
    assert [p.broken for p in proofs] == [0, 0, 0]
    # Without a column, what speaks of it goes too.
    assert len(data.without("total").meaning.constraints) == 2


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("constraints: a <= b", r"schema.yaml:4: the constraints of table 't' must be a list"),
        ("constraints: [[a, b]]", "is text, or a mapping"),
        ("proposals: []", "has no 'proposals'"),
    ],
)
def test_what_is_no_list_of_constraints_is_refused_with_its_line(written: str, says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        Schema.from_yaml(f"tables:\n  t:\n    columns: {{a: number, b: number}}\n    {written}\n")


def test_numbers_and_marks_of_a_constraint_come_back_as_they_were() -> None:
    text = (
        "tables:\n  t:\n    constraints:\n      - {range: a, low: 0, high: 1.5}\n      - {positive: a, zero: true}\n"
        '      - {matches: "no", pattern: "[0-9]{2}"}\n    columns: {a: number, "no": text}\n'
    )
    lines = Schema.from_yaml(text).tables["t"].constraints
    assert lines == (
        {"range": "a", "low": 0, "high": 1.5},
        {"positive": "a", "zero": True},
        {"matches": "no", "pattern": "[0-9]{2}"},
    )
    assert Schema.from_yaml(Schema.from_yaml(text).to_yaml()).tables["t"].constraints == lines


# Real data


def test_real_tables_show_the_rules_that_are_known_of_them() -> None:
    folder = shared_data() / "synth"
    adult = [p.line for p in proposals(pl.read_parquet(folder / "adult_train.parquet"))]
    assert adult == [{"follows": "education-num", "from": ["education"]}]
    cover = [p.line for p in proposals(pl.read_parquet(folder / "covertype_10k.parquet"))]
    groups = [line["one_hot"] for line in cover if isinstance(line, dict) and "one_hot" in line]
    assert [len(g) for g in groups] == [4, 40]
