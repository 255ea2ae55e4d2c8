"""Ids and free text: the same form, unique, and nothing of a single row."""

import json
import re
import uuid
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.codec.choose import fit_codec, restore_codec
from cuvee.codec.codec import Codec
from cuvee.data.errors import ModelError
from cuvee.data.schema import Column

RNG = np.random.default_rng


def fit(values: Any, kind: Any = "id", *, role: Any = None, unique: bool = False) -> Codec:
    series = values if isinstance(values, pl.Series) else pl.Series("x", values)
    return fit_codec(series, Column(kind=kind, role=role), unique=unique, rng=RNG(1))


def draw(codec: Codec, n: int, start: int = 0) -> pl.Series:
    return codec.decode(RNG(start).random(n), start=start, rng=RNG(start))


def tails() -> list[str]:
    rng = RNG(0)
    return [
        f"N{a}{b}{c}"
        for a, b, c in zip(
            rng.integers(1, 10, 400), rng.integers(10, 99, 400), rng.choice(["UA", "AA"], 400), strict=True
        )
    ]


FORMS = {
    "tail": (tails(), r"^N\d{3}[A-Z]{2}$"),
    "uuid": (
        [str(uuid.UUID(bytes=RNG(0).bytes(16 * 300)[16 * j : 16 * j + 16], version=4)) for j in range(300)],
        r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    ),
    "padded": ([f"P{v:06d}" for v in RNG(0).permutation(10**6)[:300]], r"^P\d{6}$"),
    "counted": ([f"P{v:06d}" for v in range(300)], r"^P\d{6}$"),
    "two lengths": ([f"{v}" for v in RNG(0).integers(10**4, 10**6, 300)], r"^\d{5,6}$"),
    "phone": ([f"({a}) {b}-{c:04d}" for a, b, c in RNG(0).integers(200, 999, (300, 3))], r"^\(\d{3}\) \d{3}-\d{4}$"),
}


@pytest.mark.parametrize("form", list(FORMS))
def test_ids_keep_their_form_are_unique_and_go_on_by_block(form: str) -> None:
    values, pattern = FORMS[form]
    codec = fit(values, unique=True)
    made = draw(codec, 5000)
    assert made.n_unique() == 5000
    assert made.str.contains(pattern).all()
    parts = pl.concat([draw(codec, 2000), draw(codec, 3000, start=2000)])
    assert parts.equals(made)
    values_json, arrays = codec.state()
    assert draw(restore_codec(json.loads(json.dumps(values_json)), arrays), 5000).equals(made)
    stored = json.dumps(values_json)
    assert not any(v in stored for v in values)


def test_counters_go_on_at_the_next_round_number_which_tells_nothing_of_the_last() -> None:
    assert draw(fit(range(1, 101)), 3).to_list() == [200, 201, 202]
    assert draw(fit(range(1, 1001)), 1).to_list() == draw(fit(range(1, 1901)), 1).to_list()
    assert draw(fit([f"id{j}" for j in range(1, 101)]), 2).to_list() == ["id200", "id201"]
    assert "123456789" not in json.dumps(fit([123456789]).state()[0])
    assert "123456790" not in json.dumps(fit([123456789]).state()[0])
    assert draw(fit(pl.Series("x", range(200), dtype=pl.UInt8)), 256).n_unique() == 256


def test_too_many_ids_for_the_form_are_refused_in_a_sentence() -> None:
    with pytest.raises(ModelError, match=r"Column 'x' \(UInt8\) has room for 256"):
        draw(fit(pl.Series("x", range(200), dtype=pl.UInt8)), 257)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from([pl.Int32, pl.Int64, pl.UInt32, pl.UInt64, pl.Int128]))
def test_whole_number_ids_of_any_dtype_are_unique(seed: int, dtype: Any) -> None:
    values = np.unique(RNG(seed).integers(0, 10**7, 200))
    made = draw(fit(pl.Series("x", values).cast(dtype)), 3000)
    assert made.dtype == dtype
    assert made.n_unique() == 3000
    assert int(made.max()) < 10**7


def test_negative_and_huge_ids() -> None:
    assert draw(fit([-5, -900, 17, 40_000]), 50).n_unique() == 50
    wide = pl.Series("x", [2**100 + 17 * j * j for j in range(50)], dtype=pl.Int128)
    assert draw(fit(wide), 50).n_unique() == 50


SHARED = {
    "tail": sorted(set(FORMS["tail"][0]))[:60],
    "phone": FORMS["phone"][0][:60],
    "number": RNG(0).integers(10**5, 10**6, 60).tolist(),
    "counter": list(range(1, 61)),
    "byte": pl.Series("x", range(60), dtype=pl.UInt8).to_list(),
    "carrier": ["AA", "UA", "DL"],
}


@pytest.mark.parametrize("form", list(SHARED))
def test_ids_that_repeat_keep_their_rows_under_made_up_ids(form: str) -> None:
    real = SHARED[form]
    weights = RNG(1).dirichlet(np.ones(len(real)) * 5)
    series = pl.Series("x", [real[j] for j in RNG(0).choice(len(real), 9000, p=weights)] + [None] * 1000)
    series = series.cast(pl.UInt8) if form == "byte" else series
    codec = fit(series)
    made = draw(codec, 20_000)
    assert made.dtype == series.dtype
    assert not set(made.drop_nulls()) & set(real)
    # Shares are kept: 20,000 draws, four standard errors are at most 0.014.
    shares = [s.value_counts(sort=True)["count"].to_numpy() / len(s) for s in (series, made)]
    assert shares[1] == pytest.approx(shares[0], abs=0.014)
    if isinstance(real[0], str):
        form_of = r"[\p{L}\d]"
        assert set(made.drop_nulls().str.replace_all(form_of, "a")) == {re.sub(r"[A-Za-z\d]", "a", v) for v in real}
    values, arrays = codec.state()
    stored = json.dumps(values)
    assert not any(f'"{v}"' in stored or f" {v}," in stored for v in real if len(str(v)) > 2)
    again = restore_codec(json.loads(stored), arrays)
    placed = again.place(series, rng=RNG(0))
    assert placed.known is not None
    assert placed.known.all()
    assert placed.codes.tolist() == codec.place(series, rng=RNG(0)).codes.tolist()
    # A real id always has the same made-up one.
    pairs = pl.DataFrame({"real": series, "made": codec.values(placed, start=0, rng=RNG(0))}).unique()
    assert len(pairs) == len(real) + 1


def test_phone_numbers_of_a_short_form_repeat_rather_than_run_out() -> None:
    codec = fit([f"555-{j:03d}" for j in range(0, 1000, 7)] * 2, "text", role="phone")
    assert draw(codec, 1000, start=2_000_000).str.contains(r"^\d{3}-\d{3}$").all()


def test_ids_keep_their_nulls() -> None:
    made = draw(fit([*FORMS["tail"][0], *[None] * 400], unique=True), 2000)
    assert made.null_count() / 2000 == pytest.approx(0.5, abs=0.05)  # four standard errors are 0.045
    assert made.drop_nulls().n_unique() == made.drop_nulls().len()


def test_new_ids_without_nulls_are_not_placed_as_nulls() -> None:
    codec = fit([*FORMS["tail"][0], *[None] * 40], unique=True)
    placed = codec.place(pl.Series("x", ["N1", None]), rng=RNG(0))
    assert placed.codes.tolist() == [1, 0]
    assert codec.place(pl.Series("x", ["N1"]), rng=RNG(0)).codes.tolist() == [1]
    assert draw(codec, 0).to_list() == []


def test_five_rows_without_a_common_form_give_placeholders() -> None:
    made = draw(fit(["a", "b-1", "c.c.c", "#"], unique=True), 3)
    assert made.to_list() == ["x-1", "x-2", "x-3"]


def test_words_that_few_rows_share_never_come_out() -> None:
    rng = RNG(0)
    common = ["the", "patient", "was", "seen", "today", "with", "pain", "and", "fever", "in", "clinic"]
    notes = [" ".join(rng.choice(common, 8)) + (f" secret{j}" if j % 7 == 0 else "") for j in range(500)]
    codec = fit(notes, "text")
    made = draw(codec, 1000)
    assert not made.str.contains("secret").any()
    assert "secret" not in json.dumps(codec.state()[0])
    assert {w for text in made.to_list() for w in text.split()} <= set(common)


def test_what_persons_are_called_but_no_name_is_made_letter_by_letter() -> None:
    rng = RNG(0)
    first = ["anna", "maria", "john", "susan", "hanna", "joanna", "marian", "johan", "susanna", "mark"]
    last = ["smith", "miller", "jones", "smithers", "millerson", "johnson", "jonsson", "marks", "susman", "hanson"]
    names = [f"{rng.choice(first)} {rng.integers(10, 99)} {rng.choice(last)}" for _ in range(300)] + [
        "zbigniew 7 qwxyz"
    ]
    codec = fit(names, "text", role="name")
    made = draw(codec, 2000)
    assert codec.kind == "text"
    assert "zbigniew 7 qwxyz" not in made.to_list()
    assert not made.str.contains("[qx]").any()
    assert made.str.len_chars().mean() == pytest.approx(pl.Series(names).str.len_chars().mean(), abs=2)
    assert "role name" in codec.notes[0]


def test_texts_that_share_nothing_give_placeholders_and_nulls_stay() -> None:
    made = draw(fit(["one", "two", None, None], "text"), 400)
    assert made.null_count() / 400 == pytest.approx(0.5, abs=0.1)  # four standard errors
    assert made.drop_nulls().str.contains(r"^x-\d+$").all()


@pytest.mark.parametrize("role", ["phone", "card", "national_id", "ip", "email", "address", "url", "name"])
def test_no_value_of_a_person_comes_out_again_verbatim_when_it_is_rare(role: str) -> None:
    rng = RNG(2)
    values = [f"{a}-{b}@{c}" for a, b, c in rng.integers(10**5, 10**6, (200, 3))]
    made = draw(fit(values, "text", role=role), 1000)
    assert not set(values) & set(made.to_list())


def test_empty_texts_are_texts() -> None:
    made = draw(fit(["", "ab", "ab"] * 20, "text"), 300)
    assert set(made.to_list()) == {"", "ab"}
    assert re.fullmatch(r"(ab)?", made[0])
