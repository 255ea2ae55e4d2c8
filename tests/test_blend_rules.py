"""Resolution rules against loops over entities."""

from collections import Counter
from datetime import date, datetime, timedelta
from statistics import median_low

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.blending.rules.first import First
from cuvee.blending.rules.longest import Longest
from cuvee.blending.rules.median import Median
from cuvee.blending.rules.most_common import MostCommon
from cuvee.blending.rules.newest import Newest
from cuvee.blending.rules.trusted import Trusted
from cuvee.core import Rule
from cuvee.data.errors import SchemaError
from cuvee.registry import entries, find, name_of

Claim = dict[str, object]


def claims_of(rows: list[tuple[int, object, int, int | None]], dtype: pl.DataType | type[pl.DataType]) -> pl.DataFrame:
    """Claims from (entity, value, rank, day)."""
    return pl.DataFrame(
        {
            "entity": [r[0] for r in rows],
            "value": pl.Series([r[1] for r in rows], dtype=dtype),
            "source": [f"s{r[2]}" for r in rows],
            "rank": [r[2] for r in rows],
            "row": list(range(len(rows))),
            "time": [None if r[3] is None else datetime(2020, 1, 1) + timedelta(days=r[3]) for r in rows],
        },
        schema_overrides={"entity": pl.UInt32, "rank": pl.UInt32, "row": pl.UInt32, "time": pl.Datetime("us")},
    )


def by_entity(claims: pl.DataFrame) -> dict[int, list[dict[str, object]]]:
    grouped: dict[int, list[dict[str, object]]] = {}
    for claim in claims.to_dicts():
        grouped.setdefault(claim["entity"], []).append(claim)
    return grouped


def oracle_first(mine):
    return min(mine, key=lambda c: c["row"])["value"]


def oracle_newest(mine):
    return min(
        mine, key=lambda c: (c["time"] is None, -(c["time"].timestamp() if c["time"] else 0), c["rank"], c["value"])
    )["value"]


def oracle_most_common(mine):
    counts = Counter(c["value"] for c in mine)
    return min(counts, key=lambda v: (-counts[v], min(c["rank"] for c in mine if c["value"] == v), v))


def oracle_longest(mine):
    return min(mine, key=lambda c: (-len(c["value"].strip()), c["rank"], c["value"]))["value"]


def oracle_trusted(mine):
    best = min(c["rank"] for c in mine)
    return oracle_most_common([c for c in mine if c["rank"] == best])


ORACLES = [
    (First(), oracle_first),
    (Newest(by="t"), oracle_newest),
    (MostCommon(), oracle_most_common),
    (Longest(), oracle_longest),
    (Trusted(), oracle_trusted),
]
ROWS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(["", "a", "b", "aa", " b ", "ß", "zzz"]),
        st.integers(0, 3),
        st.none() | st.integers(0, 4),
    ),
    min_size=1,
    max_size=40,
)


@pytest.mark.parametrize(("rule", "oracle"), ORACLES, ids=lambda v: type(v).__name__)
@given(rows=ROWS)
@settings(max_examples=60, deadline=None)
def test_rule_equals_a_loop_over_entities(rule: Rule, oracle, rows):
    claims = claims_of(rows, pl.String)
    settled = rule.settle(claims)
    assert settled.columns == ["entity", "value", "row"]
    assert settled["entity"].to_list() == sorted({r[0] for r in rows})
    expected = {entity: oracle(mine) for entity, mine in by_entity(claims).items()}
    assert dict(zip(settled["entity"], settled["value"], strict=True)) == expected
    # The named row is a claim of this entity with this value.
    assert all(rows[row][0] == entity and rows[row][1] == value for entity, value, row in settled.iter_rows())


@pytest.mark.parametrize(
    "rule", [First(), Newest(by="t"), MostCommon(), Longest(), Trusted(), Trusted(order=("s2", "s1"))], ids=repr
)
@given(rows=ROWS, seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_order_of_claims_does_not_matter(rule: Rule, rows, seed):
    claims = claims_of(rows, pl.String)
    order = np.random.default_rng(seed).permutation(claims.height)
    assert rule.settle(claims[order]).equals(rule.settle(claims))


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 4), st.integers(-(10**15), 10**15), st.integers(0, 2), st.none()),
        min_size=1,
        max_size=30,
    )
)
@settings(max_examples=60, deadline=None)
def test_median_of_whole_numbers_is_the_middle_rounded_down(rows):
    settled = Median().settle(claims_of(rows, pl.Int64))
    assert settled.schema["value"] == pl.Int64
    for entity, value, row in settled.iter_rows():
        mine = sorted(r[1] for r in rows if r[0] == entity)
        assert value == (mine[(len(mine) - 1) // 2] + mine[len(mine) // 2]) // 2
        assert (row is None) == (value not in mine)
        assert row is None or rows[row][:2] == (entity, value)


def test_median_keeps_every_dtype():
    for dtype, low, high, middle in [
        (pl.Float64, 1.0, 2.0, 1.5),
        (pl.Int8, -127, 127, 0),
        (pl.UInt64, 2**63, 2**64 - 1, 2**63 + (2**63 - 1) // 2),
        (pl.Date, date(2020, 1, 1), date(2020, 1, 4), date(2020, 1, 2)),
        (pl.Datetime("ms"), datetime(2020, 1, 1), datetime(2020, 1, 2), datetime(2020, 1, 1, 12)),
        (pl.Duration("us"), timedelta(1), timedelta(2), timedelta(1.5)),
        (pl.Decimal(10, 2), "1.00", "2.00", None),
    ]:
        settled = Median().settle(
            claims_of(
                [(0, low, 0, None), (0, high, 1, None)], pl.String if isinstance(low, str) else dtype
            ).with_columns(pl.col("value").cast(dtype))
        )
        assert settled.schema["value"] == dtype
        assert middle is None or settled["value"][0] == middle


def test_median_of_an_odd_number_is_a_claim():
    rows = [(0, v, 0, None) for v in (9, 3, 5)]
    settled = Median().settle(claims_of(rows, pl.Int64))
    assert settled.row(0) == (0, median_low([9, 3, 5]), 2)


def test_median_of_text_is_refused_with_a_sentence():
    with pytest.raises(SchemaError, match=r"'median' needs numbers, dates or times, and finds String"):
        Median().settle(claims_of([(0, "a", 0, None), (0, "b", 0, None)], pl.String))


def test_longest_of_lists_is_refused_with_a_sentence():
    with pytest.raises(SchemaError, match=r"'longest' needs text"):
        Longest().settle(claims_of([(0, [1], 0, None), (0, [2], 0, None)], pl.List(pl.Int64)))


def test_trusted_prefers_its_own_order_to_that_of_the_blend():
    claims = claims_of([(0, "x", 0, None), (0, "y", 1, None), (0, "z", 2, None)], pl.String)
    assert Trusted().settle(claims)["value"][0] == "x"
    assert Trusted(order=("s2",)).settle(claims)["value"][0] == "z"
    assert Trusted(order=("absent",)).settle(claims)["value"][0] == "x"


@pytest.mark.parametrize("name", ["first", "newest", "most_common", "longest", "median", "trusted"])
def test_rule_is_registered(name):
    kind = find("rules", name)
    assert issubclass(kind, Rule)
    assert name_of("rules", kind) == name
    assert entries("rules")[name].says
