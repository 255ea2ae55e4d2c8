"""Words that fakes are put together from: Faker's names, streets, towns and firms of one country, drawn once."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

HALF = 1024
"""A pool has this many places for men, then as many for women; a common name has several places."""
PLAIN = "en_US"
FIRMS = 200
"""Where the firms of a country have fewer names in Latin letters, American ones fill up."""
_METHODS: Final[Mapping[str, tuple[str, str]]] = {
    "first": ("first_name_male", "first_name_female"),
    "last": ("last_name_male", "last_name_female"),
    "middle": ("middle_name_male", "middle_name_female"),
    "street": ("street_name", ""),
    "city": ("city", ""),
    "postcode": ("postcode", ""),
    "state": ("state_abbr", ""),
    "company": ("company", ""),
    "word": ("word", ""),
}
"""Faker's methods for men and for women; those without the second make no difference."""
_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "\u0131": "i", "þ": "th", "ð": "d"}
    | {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Words by place.

    Attributes:
        words: Different words.
        picks: (2 * HALF,), the word of each place: those of men, then those of women.
    """

    words: tuple[str, ...]
    picks: NDArray[np.int32]

    @classmethod
    def of(cls, drawn: list[str]) -> Self:
        """The pool of drawn words, a multiple of which fills all places."""
        words = tuple(sorted(set(drawn)))
        number = {w: j for j, w in enumerate(words)}
        return cls(words, np.resize(np.array([number[w] for w in drawn], np.int32), 2 * HALF))

    def series(self) -> pl.Series:
        """(2 * HALF,), the words of all places."""
        return pl.Series(self.words, dtype=pl.String).gather(self.picks)

    def slugs(self, spare: "Pool") -> "Pool":
        """The words in small Latin letters, as addresses of the internet have them.

        Args:
            spare: What stands for words that have no Latin letter; of Latin words.
        """
        own, others = [slug(w) for w in self.words], [slug(w) for w in spare.words]
        made = [own[j] or others[k] or "user" for j, k in zip(self.picks.tolist(), spare.picks.tolist(), strict=True)]
        return Pool.of(made)

    def to_json(self) -> list[str]:
        """The words."""
        return list(self.words)


def slug(word: str) -> str:
    """A word in small Latin letters.

    >>> slug("Müller-Lüdenscheidt"), slug("O'Neil"), slug("Анна")
    ('muellerluedenscheidt', 'oneil', '')
    """
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", word).lower().translate(_LETTERS))
    return "".join(c for c in plain if "a" <= c <= "z")


def _short(firm: str) -> str:
    """The name of a firm as a domain: its first word, or two where that is short."""
    words = [slug(w) for w in firm.replace("-", " ").split()]
    return words[0] if len(words) == 1 or len(words[0]) > 4 else words[0] + words[1]


def pool_of(locale: str, what: str) -> Pool:
    """The pool of one kind of word in one country; that of the United States where Faker has none for it."""
    if what == "middle":
        return _drawn(locale, what) or pool_of(locale, "first")
    return _drawn(locale, what) or _drawn(PLAIN, what) or Pool.of(["x"])


def slugs_of(locale: str, what: str) -> Pool:
    """The pool in small Latin letters, place by place the same words."""
    return pool_of(locale, what).slugs(pool_of(PLAIN, what))


def domains_of(locale: str, shares: list[float], *, seed: int) -> Pool:
    """Made-up domains, of which nobody can be the owner.

    Names under `example.com`, `example.org`, `example.net` and `.example` are reserved (RFC 2606), so no letter to a
    fake ever reaches a person.

    Args:
        locale: The country, for the names of firms in the domains.
        shares: The share of each domain that many rows had, the largest first; all other rows have domains of their
            own.
        seed: Which firms.
    """
    firms = {_short(w) for w in pool_of(locale, "company").words} | {slug(w) for w in pool_of(locale, "last").words}
    if len(firms) < FIRMS and locale != PLAIN:
        firms |= {slug(w) for w in pool_of(PLAIN, "last").words}
    firms = sorted(f for f in firms if len(f) > 2)
    order = np.random.default_rng(seed).permutation(len(firms))
    own = ["example.com", "example.org", "example.net", *(f"{firms[j]}.example" for j in order)]
    places = [min(round(s * 2 * HALF), 2 * HALF) for s in shares[: len(own)]]
    drawn = [own[j] for j, size in enumerate(places) for _ in range(size)][: 2 * HALF]
    rest = own[min(len(shares), len(own) - 1) :]
    drawn += [rest[j % len(rest)] for j in range(2 * HALF - len(drawn))]
    # Places are shuffled, so that domains do not go with the sex of the name.
    return Pool.of([drawn[j] for j in np.random.default_rng(seed + 1).permutation(len(drawn))])


@lru_cache(maxsize=64)
def _drawn(locale: str, what: str) -> Pool | None:
    """What Faker draws for a locale; None where it has no such words, or none for that locale."""
    from faker import Faker

    try:
        fake: Any = Faker(locale)
        fake.seed_instance(f"{locale} {what}")
        drawn: list[str] = []
        for method in _METHODS[what]:
            if method:
                make = getattr(fake, method)
                drawn += [" ".join(str(make()).split()) for _ in range(HALF)]
    except AttributeError:
        return None
    return Pool.of(drawn)
