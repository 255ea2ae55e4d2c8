"""The language of conditions: read, written, negated, and true of the rows that SQL says it is true of."""

import datetime as dt
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.data.conditions import ALWAYS, Comparison, Condition, Every, Missing, Some
from cuvee.data.conditions_text import condition_of
from cuvee.data.errors import SchemaError

FRAME = pl.DataFrame(
    {
        "a": [1, 2, None, 4, 5, None],
        "b": [1.5, None, 3.0, 4.0, -2.0, float("nan")],
        "kind": ["x", "y", None, "it's", "y", "z"],
        "day": [dt.date(2024, 1, k) if k != 3 else None for k in range(1, 7)],
        "yes": [True, False, None, True, False, True],
    }
)


def rows_of(condition: Condition) -> list[int]:
    """The numbers of the rows that it is true of."""
    return [k for k, true in enumerate(condition.truth(FRAME).to_list()) if true]


def sql_rows(text: str) -> list[int]:
    """What a database says; a NaN is read as a null there too."""
    known = FRAME.with_columns(pl.col("b").fill_nan(None)).with_row_index("number")
    with duckdb.connect() as database:
        database.register("known", known.to_arrow())
        found = database.execute(f"select number from known where {text}").fetchall()  # noqa: S608 (texts of this file)
    return sorted(int(r[0]) for r in found)


@pytest.mark.parametrize(
    "text",
    [
        "a >= 2",
        "2 <= a",
        "a = b",
        "a <> b and yes = true",
        "not (a > 2 or b < 0)",
        "not (a > 2 and b < 0)",
        "a between 2 and 4",
        "a not between 2 and 4",
        "kind in ('x', 'it''s')",
        "kind not in ('x', 'y')",
        "not kind in ('y')",
        "kind is null or a = 5",
        "kind is not null and not yes = true",
        "day > '2024-01-02' and day <= '2024-01-05'",
        "kind >= 'y'",
        '"a" = 4',
        "a > 1 or kind = 'x' and b > 3",
        "(a > 1 or kind = 'x') and b > 3",
        "b < a",
    ],
)
def test_rows_are_those_that_sql_gives(text: str) -> None:
    assert rows_of(condition_of(text)) == sql_rows(text)
    assert rows_of(condition_of(str(condition_of(text)))) == sql_rows(text)


ATOMS = [
    "a < 3", "a = 4", "b >= 1.5", "a > b", "kind = 'y'", "kind in ('x', 'z')", "yes = false", "day is null",
    "b is not null", "day between '2024-01-02' and '2024-01-04'",
]  # fmt: skip
TEXTS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: f"({p[0]} and {p[1]})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]} or {p[1]})"),
        inner.map(lambda p: f"(not {p})"),
    ),
    max_leaves=6,
)


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_any_condition_means_what_sql_means_and_its_opposite_too(text: str) -> None:
    condition = condition_of(text)
    assert rows_of(condition) == sql_rows(text)
    assert rows_of(condition.negated()) == sql_rows(f"not ({text})")
    assert rows_of(condition_of(str(condition))) == sql_rows(text)
    assert set(condition.columns()) <= set(FRAME.columns)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"a": 4}, "a = 4"),
        ({"a": (2, None)}, "a >= 2"),
        ({"a": (None, 3), "kind": {"y", "x"}}, "a <= 3 and kind in ('x', 'y')"),
        ({"kind": ["x", None]}, "(kind in ('x') or kind is null)"),
        ({"kind": None}, "kind is null"),
        ({"yes": True, "my col": (None, None)}, 'yes = true and "my col" is not null'),
        (["a > 1", {"b": 3}], "a > 1 and b = 3"),
    ],
)
def test_mappings_and_lists_say_the_same_as_text(said: Any, meant: str) -> None:
    assert str(condition_of(said)) == meant


def test_nothing_is_asked_by_none() -> None:
    assert condition_of(None) is ALWAYS
    assert rows_of(ALWAYS) == list(range(6))


def test_parts_are_what_must_all_hold() -> None:
    parts = condition_of("a > 1 and (b < 2 or kind is null) and not (yes = true or day is null)").parts()
    assert [type(p) for p in parts] == [Comparison, Some, Comparison, Missing]
    assert isinstance(condition_of("a > 1").negated(), Comparison)
    assert isinstance(Every((Missing("a"),)).negated(), Some)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("a >", "a number, a text in single quotes, true or false was expected"),
        ("a > 1 and", "a column was expected"),
        ("a ? 1", "'?' has no meaning"),
        ("(a > 1", r"'\)' was expected"),
        ("a > 1 b < 2", "'and', 'or' or the end was expected"),
        ("a in 1", r"'in \('"),
        ("a is 3", "'is null' or 'is not null'"),
        ("a between 1", "the upper end"),
        ("yes 3", "a sign such as"),
        ('kind = "y"', "There is no column 'y'"),
    ],
)
def test_what_can_not_be_read_is_shown_with_its_place(text: str, why: str) -> None:
    with pytest.raises(SchemaError, match=why):
        condition_of(text).truth(FRAME)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("agee > 1", "There is no column 'agee'. There are"),
        ("a = 'many'", "Column 'a' is Int64, and 'many' is not a number"),
        ("day > 'soon'", "is not a date or time"),
        ("yes = 'maybe'", "is not true or false"),
        ("kind = 3", "is not text"),
        ("a > kind", "can't be compared"),
        ({"a": (1, 2, 3)}, "has 3 values in a tuple"),
    ],
)
def test_what_can_not_be_compared_is_said(said: Any, why: str) -> None:
    with pytest.raises(SchemaError, match=why):
        condition_of(said).truth(FRAME)


def test_moments_of_all_kinds_are_compared() -> None:
    moments = pl.DataFrame(
        {
            "t": [dt.datetime(2024, 1, 1, 12), dt.datetime(2024, 6, 1)],
            "z": pl.Series([dt.datetime(2024, 1, 1, 12), dt.datetime(2024, 6, 1)]).dt.replace_time_zone(
                "Europe/Berlin"
            ),
            "clock": [dt.time(8, 30), dt.time(22)],
            "long": [dt.timedelta(hours=1), dt.timedelta(hours=3)],
            "c": pl.Series(["u", "v"], dtype=pl.Categorical),
        }
    )
    for text in ("t < '2024-03-01 10:00'", "z < '2024-03-01'", "clock < '12:00'", "long < 7200", "c = 'u'"):
        assert condition_of(text).truth(moments).to_list() == [True, False], text
    assert condition_of({"t": dt.datetime(2024, 6, 1)}).truth(moments).to_list() == [False, True]
    assert condition_of({"long": dt.timedelta(hours=3)}).truth(moments).to_list() == [False, True]
