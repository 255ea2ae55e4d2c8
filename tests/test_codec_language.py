"""Expressions as numbered strings: everything that is made matches, and everything that matches is made."""

import re
import time
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cuvee.codec.language import DEEPEST, LONGEST, PRINTABLE, Language, language_of, spread
from cuvee.data.errors import SchemaError

UNAMBIGUOUS = [
    r"", r"abc", r"[A-Z]{2}\d{6}", r"^INV-\d{4}$", r"\A(?P<year>20[0-2]\d)-(?:0[1-9]|1[0-2])\Z", r"\b[A-F0-9]{4}\b",
    r"(M|F|X)", r"\d{3}-\d{2}-\d{4}", r"a*", r"a+b", r"a{2,}", r"a{,3}b", r"x{0}y", r"a??b+?c*?d{1,2}?", r"[^\d\s]{2}",
    r"[]a]", r"[^]a]", r"[a\]b]", r"[a-]", r"[-a]", r"[\w.-]+@[a-z]{2,5}\.(com|org|net)", r"\x41\u00e9\t\\\.\-\/",
    r"[\x41-\x43\u00e8-\u00ea]", r"[\W]", r"\W\S\D", r".", r".{3}", r"a{", r"a{x}", r"2}", r"a{1", r"}]", r"(|a)b",
    r"(?:ab|cd){2,3}", r"((a)(b(c)))?d", r"[\b]", r"[[a]", r"[&~|]x", r"[aab]", r"é{2}ß", r"a\ b\#", r"\$\^",
    r"a|bc|d$", r"[.$^*+?{}()|]", r"\d{0,30}", r"[a-z]{40}|[A-Z]{3}", r"\U0001F600x", r"[\d\D]", r"(?:)", r"\n\r\f\v\a",
]  # fmt: skip
AMBIGUOUS = [r"(a|a)", r"a?a?", r"(a*)*", r"(|){5}", r"(?:)*", r"(a|ab)(c|bcd)"]


def numbers_of(language: Language, most: int = 2000) -> list[int]:
    """Numbers from both ends and from everywhere between."""
    if language.size <= most:
        return list(range(language.size))
    step = language.size // (most // 2)
    ends = [*range(most // 4), *range(language.size - most // 4, language.size)]
    return sorted({*ends, *(j * step for j in range(most // 2))})


@pytest.mark.parametrize("pattern", [*UNAMBIGUOUS, *AMBIGUOUS])
def test_every_string_matches(pattern: str) -> None:
    language = language_of(pattern)
    for text in language.many(numbers_of(language)):
        assert re.fullmatch(pattern, text), text


@pytest.mark.parametrize("pattern", UNAMBIGUOUS)
def test_different_numbers_give_different_strings(pattern: str) -> None:
    language = language_of(pattern)
    numbers = numbers_of(language)
    assert len(set(language.many(numbers))) == len(numbers)


@pytest.mark.parametrize(
    ("pattern", "size"),
    [
        (r"", 1), (r"[A-Z]{2}\d{6}", 26**2 * 10**6), (r"a*", 9), (r"a+", 8), (r"a{3,}", 9), (r"[ab]{2,4}", 4 + 8 + 16),
        (r"\w", 63), (r".", 95), (r"\s", 1), (r"\D", 85), (r"(a|bc|[de])", 4), (r"a?a?", 4), (r"\w{200}", 63**200),
        (r"[aab]", 2), (r"(\d{3}|[A-Z]{3}){2}", (1000 + 26**3) ** 2),
    ],
)  # fmt: skip
def test_sizes_are_exact(pattern: str, size: int) -> None:
    assert language_of(pattern).size == size


def test_order_is_that_of_numbers_and_classes_as_written() -> None:
    assert language_of(r"[A-Z]{2}\d{6}").many([0, 1, 10, 26 * 10**6]) == [
        "AA000000", "AA000001", "AA000010", "BA000000",
    ]  # fmt: skip
    assert "".join(language_of(r"[zc-eA]|x").many(range(6))) == "zcdeAx"
    assert "".join(language_of(r"\w").many(range(63))).startswith("0123456789ABC")
    assert "".join(language_of(r".").many(range(95))) == PRINTABLE
    assert "".join(sorted(PRINTABLE)) == "".join(map(chr, range(0x20, 0x7F)))
    assert language_of(r"a{1,3}?").many([0, 1, 2]) == ["a", "aa", "aaa"]


ATOMS = st.sampled_from(["a", "b", "ab", "[ab]", "[^b]", "c", ""])


def wrapped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    quantifiers = st.sampled_from(["?", "{2}", "{0,2}", "{1,2}", "{,2}", "??", "{0}"])
    return st.one_of(
        st.lists(inner, min_size=2, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.tuples(inner, quantifiers).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    )


@settings(deadline=None)
@given(st.recursive(ATOMS, wrapped, max_leaves=6))
def test_all_that_matches_is_made(pattern: str) -> None:
    language = language_of(pattern)
    assume(language.size <= 20_000)
    made = {text for text in language.many(range(language.size)) if set(text) <= set("abc")}
    longest = 6
    wanted = {"".join(t) for n in range(longest + 1) for t in product("abc", repeat=n)}
    assert {t for t in made if len(t) <= longest} == {t for t in wanted if re.fullmatch(pattern, t)}


@pytest.mark.parametrize(
    ("pattern", "letters"),
    [
        (r"[^c-z]|\S", PRINTABLE), (r"\d\D?|\W", "0aA_-."), (r"(?:a|b)*", "ab"), (r"a+b{2,}|c*?", "abc"),
        (r"^(a|bb)?[ab]{1,3}$", "ab"), (r"\w\.|.{2}", "aZ0._-"), (r"x{0}|(x|y){3}", "xy"), (r"(a?b?){2}", "ab"),
    ],
)  # fmt: skip
def test_all_that_matches_is_made_of_chosen_forms(pattern: str, letters: str) -> None:
    # Strings of up to 8 letters are below every cut of a repeat without an end.
    longest = {len(PRINTABLE): 2, 2: 8, 3: 6}.get(len(letters), 3)
    made = set(language_of(pattern).many(range(language_of(pattern).size)))
    wanted = {"".join(t) for n in range(longest + 1) for t in product(letters, repeat=n)}
    assert {t for t in made if len(t) <= longest and set(t) <= set(letters)} == {
        t for t in wanted if re.fullmatch(pattern, t)
    }


RICH = st.one_of(
    st.sampled_from(
        [r"\d", r"\w", r"\s", r"\S", r".", r"\.", r"\x41", r"\u00e9", "[a-f]", r"[^\d,]", r"[\w-]", "é", "-"]
    ),
    st.text("{},:=!<>#&~ xyzß\0", min_size=1, max_size=3).map(re.escape),
    st.tuples(st.sampled_from(["[A-C]", r"\d", "x"]), st.sampled_from(["*", "+", "{3}", "{2,}", "{1,4}?", "*?"])).map(
        "".join
    ),
)


@settings(deadline=None)
@given(st.recursive(RICH, wrapped, max_leaves=6), st.data())
def test_strings_of_any_expression_match_alone_and_together(pattern: str, data: st.DataObject) -> None:
    language = language_of(pattern)
    numbers = data.draw(st.lists(st.integers(0, language.size - 1), max_size=20))
    texts = language.many(numbers)
    assert texts == [language.nth(i) for i in numbers]
    assert all(re.fullmatch(pattern, t) for t in texts)
    if language.size <= 2**63:
        assert language.many(np.array(numbers, np.int64)) == texts


@pytest.mark.parametrize("pattern", [*UNAMBIGUOUS, *AMBIGUOUS])
def test_many_is_nth(pattern: str) -> None:
    language = language_of(pattern)
    numbers = numbers_of(language, 200)
    assert language.many(numbers) == [language.nth(i) for i in numbers]
    assert language.many([]) == []


def test_many_takes_any_whole_numbers_beyond_its_blocks() -> None:
    language = language_of(r"[ab]\d{4}")
    wanted = [f"{'ab'[i // 10_000]}{i % 10_000:04d}" for i in range(20_000)]
    numbers = np.arange(20_000)
    for given_ in (numbers, numbers.astype(np.uint64), numbers.astype(np.int32), list(numbers), range(20_000)):
        assert language.many(given_) == wanted


def test_numbers_beyond_64_bits_are_exact() -> None:
    language = language_of(r"\d{40}")
    numbers = [0, 2**63 - 1, 2**63, 2**64, 10**40 - 1]
    assert language.many(numbers) == [f"{i:040d}" for i in numbers]
    assert language.many(np.array([3, 2**63 - 1])) == [f"{3:040d}", f"{2**63 - 1:040d}"]
    edge = language_of(r"[01]{63}")
    assert edge.many([0, 2**63 - 1]) == ["0" * 63, "1" * 63]
    assert language_of(r"[01]{62}|x").nth(2**62) == "x"
    assert language_of(r"[01]{63}|x").nth(2**63) == "x"


@pytest.mark.parametrize("number", [-1, 100, 2**70, -(2**70)])
def test_numbers_outside_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match=r"outside 0 \.\.\. 99"):
        language_of(r"\d\d").nth(number)
    with pytest.raises(ValueError, match=r"outside 0 \.\.\. 99"):
        spread([0, number], 100, 1)


def test_many_is_fast() -> None:
    language, numbers = language_of(r"[A-Z]{2}\d{6}"), np.arange(200_000)
    began = time.perf_counter()
    assert len(set(language.many(spread(numbers, language.size, 3)))) == len(numbers)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"a(?=b)", "look-ahead at sign 2"), (r"a(?!b)", "look-ahead at sign 2"), (r"(?<=a)b", "look-behind at sign 1"),
        (r"(?<!a)b", "look-behind at sign 1"), (r"(a)\1", "back reference or an octal number at sign 4"),
        (r"(?P<x>a)(?P=x)", "back reference at sign 9"), (r"(?i)a", "flags at sign 1"), (r"a(?i:b)", "flags at sign 2"),
        (r"a^b", "anchor inside at sign 2"), (r"a$b", "anchor inside at sign 2"), (r"a\bb", "anchor inside at sign 2"),
        (r"a|^b", "anchor inside at sign 3"), (r"(a$)", "anchor inside at sign 3"), (r"$a", "anchor inside at sign 1"),
        (r"a\B", "anchor inside at sign 2"), (r"a\Ab", "anchor inside at sign 2"),
        (r"a++", "possessive repeat at sign 2"),
        (r"(?>a)b", "atomic group at sign 1"), (r"(a)?(?(1)b|c)", "condition at sign 5"),
        (r"(?#x)a", "comment at sign 1"),
        (r"\012", "octal number at sign 1"), (r"\N{BULLET}", "a sign by its name at sign 1"),
        (r"a[^\x20-\x7e]", "class without a printable ASCII letter at sign 2"), (r"x\ud800", "surrogate) at sign 2"),
        (r"[a-\uffff]", "surrogate) at sign 1"), (r"xa{2000}", f"more than {LONGEST} signs at sign 2"),
        (r"(a{100}){100}", f"more than {LONGEST} signs at sign 1"),
        (r"a(){3000}", f"more than {LONGEST} signs at sign 2"),
        (r"((|){900}){900}", f"more than {LONGEST} signs at sign 1"),
        (r"a{1000}b{1000}", "strings of up to 2000 signs"),
        ("(" * (DEEPEST + 1) + ")" * (DEEPEST + 1), f"more than {DEEPEST} groups within groups at sign {DEEPEST + 1}"),
        (r"(a", "can't be read: missing ), unterminated subpattern at sign 1"), (r"a**", "can't be read"),
        (r"*a", "can't be read: nothing to repeat at sign 1"), (r"^*", "can't be read"), (r"[b-a]", "can't be read"),
        (r"a{3,2}", "can't be read"), (r"\q", "can't be read"), (r"a)", "can't be read"), (r"[a", "can't be read"),
        ("a{" + "9" * 30 + "}", "can't be read"), ("a{" + "9" * 5000 + "}", "can't be read"), ("a\\", "can't be read"),
    ],
)  # fmt: skip
def test_refusals_say_what_and_where(pattern: str, said: str) -> None:
    with pytest.raises(SchemaError) as error:
        language_of(pattern)
    text = str(error.value)
    assert said in text
    assert text.startswith(f"The expression {pattern!r} ")
    assert text.endswith(".")


def test_long_expressions_are_read_in_time() -> None:
    began = time.perf_counter()
    for pattern in (r"\d{0,1000}", r".{1000}", "a" * 1000, "(a?){500}", "(" * DEEPEST + "a" + ")?" * DEEPEST):
        language = language_of(pattern)
        assert re.fullmatch(pattern, language.nth(language.size - 1))
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("key", [0, 1, 987_654_321])
def test_spread_is_a_bijection(key: int) -> None:
    for size in range(1, 301):
        assert sorted(spread(range(size), size, key).tolist()) == list(range(size))


@pytest.mark.parametrize("size", [2**31, 2**31 + 1, 2**33 - 1, 2**40, 2**63 - 1, 2**63, 10**40])
def test_spread_of_huge_sizes_is_exact(size: int) -> None:
    numbers = [*range(1000), size - 1]
    placed = [int(v) for v in spread(numbers, size, 5)]
    assert len(set(placed)) == len(numbers)
    assert all(0 <= v < size for v in placed)
    steps = {(b - a) % size for a, b in pairwise(placed[:-1])} | {(placed[0] - placed[-1]) % size}
    assert len(steps) == 1
    assert size // 4 <= steps.pop() <= 3 * size // 4 + 1


STORED = [103_028_332, 448_894_621, 118_760_910, 464_627_199, 134_493_488]


def test_spread_stays_the_same_and_depends_on_the_key() -> None:
    assert spread(range(5), 676_000_000, 1).tolist() == spread(np.arange(5), 676_000_000, 1).tolist() == STORED
    assert spread(range(5), 676_000_000, 2).tolist() != STORED
