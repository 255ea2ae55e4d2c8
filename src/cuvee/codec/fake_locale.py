"""Which country the persons of a table are from, by the letters, numbers and endings that many rows have."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np
import polars as pl

from cuvee.codec.codec import LEAST
from cuvee.codec.fake_pools import PLAIN
from cuvee.data.schema import Column
from cuvee.numeric.permutation import mixed

SAMPLE = 2000
"""Rows that are looked at, evenly taken."""
ENOUGH = 0.02
"""A sign of a country counts where at least this share of a column's values has it."""
SCRIPTS: Final = (
    ("uk_UA", r"[іїєґІЇЄҐ]"),
    ("ru_RU", r"\p{Cyrillic}"),
    ("el_GR", r"\p{Greek}"),
    ("he_IL", r"\p{Hebrew}"),
    ("fa_IR", r"[پچژگ]"),
    ("ar_AA", r"\p{Arabic}"),
    ("ja_JP", r"[\p{Hiragana}\p{Katakana}]"),
    ("zh_CN", r"\p{Han}"),
    ("ko_KR", r"\p{Hangul}"),
    ("th_TH", r"\p{Thai}"),
    ("hi_IN", r"\p{Devanagari}"),
    ("ka_GE", r"\p{Georgian}"),
    ("hy_AM", r"\p{Armenian}"),
    ("ta_IN", r"\p{Tamil}"),
    ("bn_BD", r"\p{Bengali}"),
)
"""Locales by script; of those of one script the more special letters stand first."""
OVER: Final[Mapping[str, str]] = {"ja_JP": "zh_CN", "uk_UA": "ru_RU", "fa_IR": "ar_AA"}
"""Locales whose signs any text of theirs may lack, and the ones it then looks like."""
KNOWN = r"\p{Latin}|" + "|".join(sign for _, sign in SCRIPTS)
LATIN: Final[Mapping[str, str]] = {
    "en_US": r", [A-Z]{2},? \d{5}|^(?:(?:\+|00)1[-. ])?\(?\d{3}\)?[-. ]\d{3}[-. ]\d{4}",
    "de_DE": r"ß|[äöü].*[nrt]$|(?i:stra(?:ß|ss)e|str\.|weg \d|platz \d)|\.de$|^(?:\+|00)49",
    "de_AT": r"\.at$|^(?:\+|00)43",
    "de_CH": r"\.ch$|^(?:\+|00)41",
    "fr_FR": r"[çœê]|è.+e$|^\d*,? ?(?i:rue|avenue|boulevard) |\.fr$|^(?:\+|00)33",
    "es_ES": r"ñ|(?i:^calle |^avda)|\.es$|^(?:\+|00)34",
    "es_MX": r"\.mx$|^(?:\+|00)52",
    "it_IT": r"[òìù]$|(?i:^via |^piazza |^viale )|\.it$|^(?:\+|00)39",
    "pt_BR": r"ã|õ|(?i:^rua )|\.br$|^(?:\+|00)55",
    "pt_PT": r"\.pt$|^(?:\+|00)351",
    "nl_NL": r"(?i:straat|laan \d|gracht)|(?:^|, )\d{4} ?[A-Z]{2}(?: |$)|\.nl$|^(?:\+|00)31|(?i:\bvan de[rn]? )",
    "pl_PL": r"[łśźżńąę]|(?i:^ul\.)|(?:^|, )\d{2}-\d{3}(?: |$)|\.pl$|^(?:\+|00)48",
    "cs_CZ": r"[řěů]|\.cz$|^(?:\+|00)420",
    "sv_SE": r"(?i:gatan|vägen)|\.se$|^(?:\+|00)46|å.*ö|ö.*å",
    "da_DK": r"(?i:gade \d|vej \d)|\.dk$|^(?:\+|00)45",
    "no_NO": r"(?i:gata \d|veien \d)|\.no$|^(?:\+|00)47",
    "fi_FI": r"(?i:katu \d|tie \d)|\.fi$|^(?:\+|00)358|(?:nen|ää)$",
    "hu_HU": r"[őű]|\.hu$|^(?:\+|00)36",
    "tr_TR": r"[ğşı]|\.tr$|^(?:\+|00)90",
    "ro_RO": r"[ășț]|\.ro$|^(?:\+|00)40",
    "en_GB": r"\b[A-Z]{1,2}\d[\dA-Z]? ?\d[A-Z]{2}$|\.uk$|^(?:\+|00)44",
    "en_IN": r"\.in$|^(?:\+|00)91",
    "en_AU": r"\.au$|^(?:\+|00)61",
}
"""Signs of countries that write in Latin letters."""
PERSONAL = frozenset({"name", "email", "phone", "address", "postcode", "url"})


@dataclass(frozen=True, slots=True)
class Persons:
    """What the fakes of all columns and tables have in common, so that those of one person agree.

    Attributes:
        key: A secret number; another one gives other persons.
        locale: The country, as Faker names it.
    """

    key: int
    locale: str = PLAIN

    def key_of(self, column: str) -> int:
        """A secret number of one column: the same for columns of the same name in all tables."""
        return int(mixed(np.array([crc32(column.encode())], np.uint64), self.key)[0] >> np.uint64(8))

    def others(self, turn: int) -> "Persons":
        """Other persons of the same country, as the second name in one row is another's; 0 for the same."""
        return self if turn == 0 else Persons(self.key + turn * 2**32, self.locale)


def find_persons(columns: Iterable[tuple[pl.Series, Column]], *, key: int, least: int = LEAST) -> Persons:
    """The persons of one or more tables, by the columns that speak of them; American ones where nothing else shows.

    Args:
        columns: Columns and what they mean; any of several tables.
        key: The secret number.
        least: The fewest values that must show a sign.
    """
    votes: Counter[str] = Counter()
    for series, meaning in columns:
        if meaning.role not in PERSONAL or not (series.dtype == pl.String or isinstance(series.dtype, pl.Categorical)):
            continue
        texts = sampled(series)
        for locale, share in _votes(texts, least).items():
            votes[locale] += share
    for special, common in OVER.items():
        if special in votes:
            votes.pop(common, None)
    return Persons(key, votes.most_common(1)[0][0] if votes else PLAIN)


def sampled(series: pl.Series) -> pl.Series:
    """Some different values as texts without blanks around them."""
    texts = series.drop_nulls()
    texts = texts.gather_every(max(len(texts) // (4 * SAMPLE), 1)).cast(pl.String).str.strip_chars()
    return texts.unique(maintain_order=True).head(SAMPLE)


def unknown_script(texts: pl.Series) -> bool:
    """Whether most texts are in letters that no locale is known for."""
    return len(texts) > 0 and not texts.str.contains(KNOWN).to_numpy().mean() >= 0.5


def _votes(texts: pl.Series, least: int) -> Mapping[str, int]:
    """How many of 1,000 values speak for each locale."""
    if len(texts) < least:
        return {}
    for locale, sign in SCRIPTS:
        share = float(texts.str.contains(sign).to_numpy().mean())
        if share * len(texts) >= least and share > (0.2 if locale in {"uk_UA", "fa_IR", "ja_JP"} else 0.5):
            return {locale: round(1000 * share)}
    shares = {locale: float(texts.str.contains(sign).to_numpy().mean()) for locale, sign in LATIN.items()}
    return {k: round(1000 * s) for k, s in shares.items() if s >= ENOUGH and s * len(texts) >= least}
