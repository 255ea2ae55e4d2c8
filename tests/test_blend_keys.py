"""Keys: exact, normalised, hashed and keyed, and the forms in which a match is stated."""

import hashlib
import hmac
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.blending.join import blend_datasets
from cuvee.blending.keys import hash_keys
from cuvee.blending.match import Evidence, Match, Relate, parse_match
from cuvee.blending.normalise import aligned, for_role, plain, text
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, SchemaError


def normalised(role, *values, kind="text", **options):
    return for_role(role, kind, **options)(pl.Series("c", values)).to_list()


def test_text_is_one_form_for_what_is_equal():
    assert text(pl.Series([7, 8])).to_list() == text(pl.Series([7.0, 8.0])).to_list() == ["7", "8"]
    assert text(pl.Series([1.5, float("nan"), None, 1e300])).to_list() == ["1.5", None, None, "1e+300"]
    assert text(pl.Series([Decimal("1.50"), Decimal("2.00")])).to_list() == ["1.5", "2"]
    assert text(pl.Series(["", " ", None, "a"])).to_list() == [None, " ", None, "a"]
    assert text(pl.Series(["", "x"], dtype=pl.Categorical)).to_list() == [None, "x"]
    assert text(pl.Series([date(2020, 1, 2)])).to_list() == ["2020-01-02"]
    assert text(pl.Series([b"\x00\xff"])).to_list() == ["00ff"]
    assert text(pl.Series([True, None])).to_list() == ["true", None]


def test_nested_columns_are_no_key():
    with pytest.raises(SchemaError, match="can't be a key"):
        text(pl.Series("tags", [[1], [2]]))


def test_times_align_over_types_zones_and_text():
    naive = pl.Series([datetime(2013, 1, 1, 10), datetime(2013, 1, 1, 11)])
    aware = naive.dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    written = pl.Series(["2013-01-01T10:00:00Z", "2013-01-01T11:00:00Z"])
    plainly = pl.Series(["2013-01-01 10:00:00", "2013-01-01 11:00:00"])
    coarse = naive.dt.cast_time_unit("ms")
    one = aligned([naive, aware, written, coarse])
    assert len({s.dtype for s in one}) == 1
    assert all(s.to_list() == one[0].to_list() for s in one)
    assert [s.to_list() for s in aligned([naive, plainly])] == [naive.to_list()] * 2
    days = aligned([pl.Series([date(2013, 1, 1)]), pl.Series([datetime(2013, 1, 1, tzinfo=UTC)])])
    assert days[0].to_list() == days[1].to_list()


def test_numbers_align_with_text():
    left, right, third = aligned([pl.Series([1, 2]), pl.Series(["1", "02"]), pl.Series([1.0, 2.5])])
    assert (left.to_list(), right.to_list(), third.to_list()) == (["1", "2"], ["1", "02"], ["1", "2.5"])


def test_normalising_by_role():
    assert normalised("name", "Dr. José  O\u2019Brien", "jose obrien", "PROF. DR. Weiß") == [
        "jose obrien",
        "jose obrien",
        "weiss",
    ]
    assert normalised("email", " Ann@Mail.ORG ", "mailto:ann@mail.org") == ["ann@mail.org"] * 2
    assert normalised("phone", "(555) 234-5678", "+1 555 234 5678 ext 9", "001-555-234-5678", "—") == [
        "5552345678"
    ] * 3 + [None]
    assert normalised("birthdate", "2001-02-03", "03.02.2001", "20010203") == ["2001-02-03"] * 3
    assert normalised("birthdate", "12/31/1999", "02/03/2001") == ["1999-12-31", "2001-02-03"]
    assert normalised("birthdate", "31/12/1999", "02/03/2001") == ["1999-12-31", "2001-03-02"]
    assert normalised("postcode", "sw1a 1aa", "SW1A1AA") == ["sw1a1aa"] * 2
    assert normalised("address", "12, Main-St.", "12 MAIN ST") == ["12 main st"] * 2
    assert normalised(None, "\uff26\uff55\uff4c\uff4c\u3000Width", "full-width") == ["fullwidth"] * 2
    assert normalised(None, "AB-007", "ab 007", kind="id") == ["ab007"] * 2


def test_leading_zeros_are_dropped_only_when_stated():
    assert normalised(None, "007", "7", "0", "000", kind="id") == ["007", "7", "0", "000"]
    assert normalised(None, "007", "7", "0", "000", kind="id", leading_zeros=False) == ["7", "7", "0", "0"]


@given(st.lists(st.text(max_size=12), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_normalising_twice_is_normalising_once(values):
    once = plain(pl.Series(values, dtype=pl.String))
    assert plain(once).to_list() == once.to_list()
    assert all(v is None or v.isalnum() or not v.isascii() for v in once)


def test_hash_is_sha256_of_the_normalised_value(monkeypatch):
    data = Dataset.of({"ssn": ["12-34", None, "", "12 34"], "n": [1, 2, 3, 4]}, name="t")
    out = hash_keys(data, ["ssn"], how="hashed")
    expected = hashlib.sha256(b"1234").hexdigest()
    assert out.frame["ssn"].to_list() == [expected, None, None, expected]
    assert out.frame["n"].to_list() == [1, 2, 3, 4]
    monkeypatch.setenv("T_SECRET", "a long shared secret")
    keyed = hash_keys(data, ["ssn"], secret_env="T_SECRET").frame["ssn"].to_list()
    assert keyed[0] == hmac.digest(b"a long shared secret", b"1234", "sha256").hex() != expected
    assert data.frame["ssn"][0] == "12-34"


def test_several_columns_become_one_hash():
    data = Dataset.of({"a": ["x", "xy", None], "b": ["yz", "z", "z"], "c": [1, 2, 3]}, name="t")
    out = hash_keys(data, ["a", "b"], how="hashed", name="who")
    assert out.frame.columns == ["who", "c"]
    assert out.frame["who"][0] != out.frame["who"][1]
    assert out.frame["who"][2] is None
    assert out.schema["t"].columns["who"].kind == "id"


def test_a_missing_secret_is_a_sentence_that_holds_no_value(monkeypatch):
    monkeypatch.delenv("ABSENT_SECRET", raising=False)
    data = Dataset.of({"ssn": ["12"]}, name="t")
    with pytest.raises(CuveeError, match=r"'ABSENT_SECRET'.*is not set"):
        hash_keys(data, ["ssn"], secret_env="ABSENT_SECRET")
    with pytest.raises(CuveeError, match="needs the name of the environment variable"):
        hash_keys(data, ["ssn"])
    with pytest.raises(CuveeError, match="is not set"):
        blend_datasets({"t": data}, match="keyed:ssn@ABSENT_SECRET")
    with pytest.raises(SchemaError, match="no column 'x' to hash"):
        hash_keys(data, ["x"], how="hashed")
    with pytest.raises(CuveeError, match="hashed, keyed"):
        hash_keys(data, ["ssn"], how="md5")


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (None, Match()),
        ("mrn", Match(evidence=(Evidence(columns=("mrn",)),))),
        ({"key": "mrn"}, Match(evidence=(Evidence(columns=("mrn",)),))),
        ("normalised:first, last", Match(evidence=(Evidence(how="normalised", columns=("first", "last")),))),
        ("odd:name", Match(evidence=(Evidence(columns=("odd:name",)),))),
        ("keyed:ssn@LINK_SECRET", Match(evidence=(Evidence(how="keyed", columns=("ssn",), secret="LINK_SECRET"),))),
        (
            {"keyed": {"columns": ["ssn"], "secret": "S"}},
            Match(evidence=(Evidence(how="keyed", columns=("ssn",), secret="S"),)),
        ),
        (
            [{"key": {"clinic": "mrn", "lab": "patient_no"}}, {"normalised": ["email"]}, {"hashed": "ssn"}],
            Match(
                evidence=(
                    Evidence(columns=({"clinic": "mrn", "lab": "patient_no"},)),
                    Evidence(how="normalised", columns=("email",)),
                    Evidence(how="hashed", columns=("ssn",)),
                )
            ),
        ),
        (
            "flights.[origin, hour] -> weather.[origin, hour]",
            Match(
                relate=(Relate(source="flights", columns=("origin", "hour"), table="weather", to=("origin", "hour")),)
            ),
        ),
        (
            {"relate": ["a.x -> b.y", {"from": "a", "columns": "x.z", "to": "b", "key": "y -> w"}]},
            Match(
                relate=(
                    Relate(source="a", columns=("x",), table="b", to=("y",)),
                    Relate(source="a", columns=("x.z",), table="b", to=("y -> w",)),
                )
            ),
        ),
        ({"same": {"a": "kg", "b": "weight"}, "find": False}, Match(same=({"a": "kg", "b": "weight"},), find=False)),
        (
            {"normalised": {"columns": "mobile", "role": "phone", "leading_zeros": False}},
            Match(evidence=(Evidence(how="normalised", columns=("mobile",), role="phone", leading_zeros=False),)),
        ),
    ],
)
def test_forms_of_match(stated, expected):
    assert parse_match(stated) == expected


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ({"name": ["first", "last"], "date": "born"}, "no form 'name'.*is not weighed yet.*key, normalised"),
        ({"normalized": "email"}, "Did you mean 'normalised'"),
        ({"keyed": "ssn"}, "names no secret"),
        ({"hashed": {"columns": "ssn", "secret": "S"}}, "takes no secret"),
        ({"key": []}, "names no columns"),
        ({"key": {"columns": "a", "rolle": "phone"}}, "option that it does not know"),
        ("a.[x, y] -> b.z", "has 2 columns on the left and 1 on the right"),
        ("a -> b.z", "is no relation"),
        ({"same": {"a": "x"}}, "of two sources"),
        (7, "match is a int"),
    ],
)
def test_wrong_forms_are_refused_with_a_sentence(stated, says):
    with pytest.raises(CuveeError, match=says):
        parse_match(stated)
