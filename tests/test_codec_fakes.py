"""Made-up persons: the form of the real ones, the same person in every column, and nobody's own data."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.codec.choose import fit_codec, restore_codec
from cuvee.codec.codec import Codec
from cuvee.codec.fake import FakeCodec
from cuvee.codec.fake_locale import Persons, find_persons
from cuvee.codec.fake_pools import slug
from cuvee.data.dataset import Dataset
from cuvee.data.schema import Column
from cuvee.synthesis.tabular.columns import fit_columns

RNG = np.random.default_rng
FIRST = ["Mary", "John", "Linda", "James", "Susan", "Robert", "Karen", "Michael", "Nancy", "William", "Lisa", "David"]
LAST = ["Smith", "Johnson", "Williams", "Brown", "Jones", "Garcia", "Miller", "Davis", "Wilson", "Moore", "Taylor"]
AMERICAN = Persons(7, "en_US")


def people(n: int = 300, seed: int = 0) -> pl.DataFrame:
    rng = RNG(seed)
    first, last = rng.choice(FIRST, n), rng.choice(LAST, n)
    numbers = rng.permutation(n)
    return pl.DataFrame(
        {
            "first_name": first,
            "last_name": last,
            "full_name": [f"{a} {b}" for a, b in zip(first, last, strict=True)],
            "email": [f"{a}.{b}{j}@mail{j % 3}.com".lower() for a, b, j in zip(first, last, numbers, strict=True)],
            "street": [f"{j + 1} {b} Street" for b, j in zip(last, numbers, strict=True)],
        }
    )


ROLES = {"first_name": "name", "last_name": "name", "full_name": "name", "email": "email", "street": "address"}


def fit(values: Any, role: Any, name: str = "x", persons: Persons | None = AMERICAN, **options: Any) -> Codec:
    series = values if isinstance(values, pl.Series) else pl.Series(name, values)
    return fit_codec(series, Column(kind="text", role=role), persons=persons, rng=RNG(1), **options)


def fake(codec: Codec) -> FakeCodec:
    assert isinstance(codec, FakeCodec)
    return codec


def draw(codec: Codec, n: int, start: int = 0) -> pl.Series:
    return codec.decode(RNG(start).random(n), start=start, rng=RNG(start))


def table(frame: pl.DataFrame, n: int) -> pl.DataFrame:
    return pl.DataFrame([draw(fit(frame[c], ROLES[c]), n) for c in frame.columns])


def test_the_columns_of_one_row_speak_of_the_same_person() -> None:
    made = table(people(), 2000)
    assert (made["full_name"] == made["first_name"] + " " + made["last_name"]).all()
    for first, last, mail in made.select("first_name", "last_name", "email").iter_rows():
        assert mail.startswith(f"{slug(first)}.{slug(last)}")
    assert made["full_name"].n_unique() > 1500


def test_a_person_is_the_same_in_every_table_and_block_and_other_keys_give_others() -> None:
    codec = fake(fit(people()["full_name"], "name"))
    other = fake(fit(people(seed=3)["full_name"].rename("contact_name"), "name"))
    numbers = RNG(0).integers(0, 2**63, 500).astype(np.uint64)
    assert codec.fakes(numbers).to_list() == other.fakes(numbers).to_list()
    assert codec.fakes(numbers[::-1]).reverse().equals(codec.fakes(numbers))
    assert pl.concat([draw(codec, 300), draw(codec, 700, start=300)]).equals(draw(codec, 1000))
    strangers = fake(fit(people()["full_name"], "name", persons=Persons(8, "en_US"))).fakes(numbers)
    assert (strangers == codec.fakes(numbers)).mean() < 0.05


@pytest.mark.parametrize(
    ("write", "pattern"),
    [
        (lambda a, b: f"{b}, {a}", r"^\p{Lu}[^,]*, \p{Lu}\p{L}+$"),
        (lambda a, b: f"{a} {b}".upper(), r"^[^\p{Ll}]+ [^\p{Ll}]+$"),
        (lambda a, b: f"{a} {b}".lower(), r"^[^\p{Lu}]+ [^\p{Lu}]+$"),
        (lambda a, b: f"{a} Q. {b}", r"^\p{Lu}\p{L}+ \p{Lu}\. \p{Lu}.+$"),
        (lambda a, b: f"Dr. {a} {b}", r"^Dr\. \p{Lu}\p{L}+ \p{Lu}.+$"),
        (lambda a, b: f"{a} {b} Jr.", r"^\p{Lu}\p{L}+ \p{Lu}.+ Jr\.$"),
        (lambda a, b: f"{b}, Mr. {a}", r"^\p{Lu}[^,]*, Mr\. \p{Lu}\p{L}+$"),
    ],
)
def test_names_keep_their_form(write: Any, pattern: str) -> None:
    rows = people().select("first_name", "last_name").rows()
    made = draw(fit([write(a, b) for a, b in rows], "name", "full_name"), 1000)
    if "Mr" in pattern:
        # A form that says a sex is for men; the women have the plain form.
        made = made.filter(made.str.contains("Mr"))
        assert 400 < len(made) < 600  # half of 1,000: four standard errors are 63
    assert made.str.contains(pattern).all()


def test_a_column_of_single_names_is_told_by_its_values() -> None:
    frame = people()
    whole = draw(fit(frame["full_name"], "name"), 500)
    first = draw(fit(frame["first_name"].rename("a"), "name"), 500)
    last = draw(fit(frame["last_name"].rename("b"), "name"), 500)
    assert (whole == first + " " + last).all()


def test_unique_emails_stay_unique_whatever_the_rows_and_lead_to_nobody() -> None:
    codec = fake(fit(people()["email"], "email"))
    made = codec.fakes(np.r_[np.arange(200_000), np.arange(2**40, 2**40 + 1000)].astype(np.uint64))
    assert made.n_unique() == len(made)
    assert made.str.contains(r"^[a-z]+\.[a-z]+\d+@(?:[a-z]+\.example|example\.(?:com|org|net))$").all()
    # Three domains had all rows; the reserved ones stand for them.
    assert made.str.contains(r"@example\.(?:com|org|net)$").mean() > 0.99
    again = fake(fit([*people()["email"], *people()["email"]], "email"))
    assert not again.unique


def test_emails_are_also_unique_in_blocks_made_alone() -> None:
    codec = fit(people()["email"], "email", unique=True)
    parts = pl.concat([draw(codec, 3000, start=s) for s in (0, 64_000, 67_000)])
    assert parts.n_unique() == 9000
    assert parts[3000:6000].equals(draw(codec, 3000, start=64_000))


ADDRESSES = [
    ("{j} Oak Street", r"^\d{1,3} \S.*$"),
    ("Lindenstraße {j}", r"^\S.* \d{1,3}$"),
    ("{j} Oak Street, Springfield, IL 62704", r"^\d{1,3} [^,]+, [^,]+, [A-Z]{2} \d{5}$"),
    ("Lindenstraße {j}, 80331 München", r"^[^,]+ \d{1,3}, \d{5} \D+$"),
    ("{j} Oak Street Apt. 12, Springfield", r"^\d{1,3} .+ Apt\. \d{2}, [^,]+$"),
    ("{j} High Street, London SW1A 1AA", r"^\d{1,3} [^,]+, .+ [A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}$"),
]


@pytest.mark.parametrize(("form", "pattern"), ADDRESSES)
def test_addresses_keep_their_form(form: str, pattern: str) -> None:
    codec = fit([form.format(j=j) for j in range(1, 400)], "address", persons=None)
    made = draw(codec, 1000)
    assert codec.kind == "fake"
    assert made.str.contains(pattern).all()
    # By chance a town may have the same name as a real one: it is made up all the same.
    assert made.str.contains("Oak Street|High Street|Lindenstraße|Springfield").to_numpy().mean() < 0.02


LOCALES = [
    (["Жуков Иван", "Анна Петрова", "Олег Смирнов"], r"\p{Cyrillic}", "ru_RU"),
    (["山田 太郎さ", "佐藤 花子き", "鈴木 一郎あ"], r"\p{Han}", "ja_JP"),
    (["Jürgen Weiß", "Grete Groß", "Uwe Preuß"], r"\p{Latin}", "de_DE"),
    (["Łukasz Wiśniewski", "Małgorzata Żak", "Paweł Dąbrowski"], r"\p{Latin}", "pl_PL"),
    (["Iñigo Núñez", "Begoña Peña", "Toño Ibáñez"], r"\p{Latin}", "es_ES"),
    (["Παύλος Νικολάου", "Ελένη Γεωργίου"], r"\p{Greek}", "el_GR"),
]


@pytest.mark.parametrize(("names", "letters", "locale"), LOCALES)
def test_persons_are_of_the_country_of_the_real_ones(names: list[str], letters: str, locale: str) -> None:
    many = [f"{a.split()[0]} {b.split()[1]}" for a in names for b in names]
    series = pl.Series("full_name", [f"{n}{ending}" for n in many for ending in ("", "a", "o")])
    persons = find_persons([(series, Column(kind="text", role="name"))], key=3)
    assert persons.locale == locale
    made = draw(fit(series, "name", persons=persons), 200)
    assert made.str.contains(letters).all()


@pytest.mark.parametrize(
    ("values", "role", "locale"),
    [
        ([f"+49 89 {j}" for j in range(100_000, 100_050)], "phone", "de_DE"),
        ([f"user{j}@firma{j}.fr" for j in range(50)], "email", "fr_FR"),
        ([f"SW{j} {j % 9}AA" for j in range(1, 50)], "postcode", "en_GB"),
        ([f"person{j}@mail.com" for j in range(50)], "email", "en_US"),
        ([f"user{j}@firma{j}.de" for j in range(3)], "email", "en_US"),
    ],
)
def test_phones_postcodes_and_endings_tell_the_country_where_enough_rows_do(
    values: list[str], role: Any, locale: str
) -> None:
    assert find_persons([(pl.Series("x", values), Column(kind="text", role=role))], key=1).locale == locale


def test_web_addresses_firms_and_user_names() -> None:
    urls = draw(fit([f"https://www.shop{j}.com/item/{j:04d}.html" for j in range(200)], "url"), 500)
    assert urls.str.contains(r"^https://www\.[a-z.]+\.(?:example|com|org|net)/[a-z]+/\d{4}\.html$").all()
    firms = fit([f"Acme Widgets {j} Inc" for j in range(200)], None, "company")
    assert firms.kind == "fake"
    assert not draw(firms, 500).str.contains("Acme").any()
    users = fit([f"j{b.lower()}{j:02d}" for j, b in enumerate(LAST * 6)], None, "username")
    assert draw(users, 300).str.contains(r"^[a-z]+\d\d$").all()


def test_nulls_dtypes_and_model_files_are_kept() -> None:
    frame = people()
    for name, role in ROLES.items():
        series = pl.concat([frame[name], pl.Series(name, [None] * 300, dtype=pl.String)]).cast(pl.Categorical)
        codec = fit(series, role)
        made = draw(codec, 2000)
        assert made.dtype == pl.Categorical
        assert made.null_count() / 2000 == pytest.approx(0.5, abs=0.045)  # four standard errors
        values, arrays = codec.state()
        again = restore_codec(json.loads(json.dumps(values)), arrays)
        assert draw(again, 2000).equals(made, null_equal=True)
        assert codec.place(series, rng=RNG(0)).codes.tolist() == [1] * 300 + [0] * 300


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 80))
def test_nothing_that_was_read_is_stored(seed: int, n: int) -> None:
    rng = RNG(seed)
    words = ["".join(rng.choice(list("qxzjkvw"), 9)).title() for _ in range(n)]
    for role, values in {
        "name": [f"{w} Xq{w.lower()}" for w in words],
        "email": [f"{w}.{w}@{w}.com" for w in words],
        "address": [f"{j} {w} Road, {w}ville" for j, w in enumerate(words)],
        "url": [f"https://{w}.com/{w}" for w in words],
    }.items():
        codec = fit(values, role)
        stored = json.dumps(codec.state()[0]).lower()
        assert codec.kind == "fake"
        assert not any(w.lower() in stored for w in words)
        assert not set(values) & set(draw(codec, 200).to_list())


def test_what_is_not_the_form_of_a_name_is_made_letter_by_letter() -> None:
    assert fit([f"#{j} / {j * 7}" for j in range(100)], "name").kind == "text"
    # Faker has no persons for the letters of Tibet.
    assert fit(["བསྟན་འཛིན་རྒྱ་མཚོ", "སྒྲོལ་མ་དབང་མོ"] * 30, "name").kind == "text"


def test_all_columns_of_a_table_have_one_key_and_the_fit_is_repeatable() -> None:
    frame = people()
    data = Dataset.of(frame, name="people")
    one, two, other = (fit_columns(data, least=5, rng=RNG(seed), watch=lambda _: None) for seed in (0, 0, 1))
    made = [pl.DataFrame([draw(c, 200) for c in codecs]) for codecs in (one, two, other)]
    assert made[0].equals(made[1])
    assert not made[0].equals(made[2])
    assert (made[0]["full_name"] == made[0]["first_name"] + " " + made[0]["last_name"]).all()


def test_two_names_in_a_row_are_two_persons_each_with_both_parts() -> None:
    frame = people()
    second = people(seed=4).select(pl.all().name.prefix("agent_"))
    data = Dataset.of(pl.concat([frame, second], how="horizontal"), name="contracts")
    made = pl.DataFrame(
        [draw(c, 500) for c in fit_columns(data, least=5, rng=RNG(0), watch=lambda _: None)],
    )
    assert (made["full_name"] == made["agent_full_name"]).mean() < 0.05
    for prefix in ("", "agent_"):
        whole = made[f"{prefix}first_name"] + " " + made[f"{prefix}last_name"]
        assert (whole == made[f"{prefix}full_name"]).all()
