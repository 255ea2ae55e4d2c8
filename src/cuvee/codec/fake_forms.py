"""How persons are written: the order, the signs and the case of names, addresses and e-mails, never what they say."""

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Self

import polars as pl

from cuvee.codec.fake_locale import Persons
from cuvee.codec.fake_pools import pool_of, slugs_of

FORMS = 24
"""No more forms than this a column: the most common ones."""
READ = 0.6
"""Share of the values that must be read as what they are said to be."""
MR: Final = frozenset({"mr", "herr", "hr", "sir", "sr", "don", "monsieur", "master", "lord"})
MS: Final = frozenset({"mrs", "ms", "miss", "frau", "fr", "sra", "srta", "madame", "mme", "mlle", "lady", "dona"})
TITLES: Final = MR | MS | {"dr", "prof", "rev", "dipl", "ing", "med", "col", "capt", "major", "phd", "md"}
AFTER: Final = frozenset({"jr", "sr", "ii", "iii", "iv", "phd", "md", "dds", "dvm", "esq"})
PARTICLES: Final = frozenset(
    [
        *("van", "von", "der", "den", "de", "del", "della", "da", "di", "do", "dos", "das", "du", "la", "le"),
        *("ten", "ter", "zu", "zum", "zur", "al", "el", "bin", "ibn", "san", "st", "mac", "o"),
    ]
)
FAMILY_FIRST: Final = frozenset({"hu_HU", "ja_JP", "zh_CN", "ko_KR"})
_FILES = re.compile(r"\.(?:html?|php|aspx?|jsp|jpe?g|png|gif|pdf)$")

Piece = tuple[str, str]
"""A field (or "=" for a text that stands as it is) and how it is written: upper, lower, 1 for its first letter."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way of writing.

    Attributes:
        pieces: What stands one after the other.
        rows: How many values were written so.
        sex: Of whom: 0 men, 1 women, -1 both.
    """

    pieces: tuple[Piece, ...]
    rows: int = 1
    sex: int = -1

    @property
    def fields(self) -> frozenset[str]:
        """What is drawn for it."""
        return frozenset(field for field, _ in self.pieces)

    def to_json(self) -> dict[str, Any]:
        """The form as JSON values."""
        return {"pieces": [list(p) for p in self.pieces], "rows": self.rows, "sex": self.sex}

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """What `to_json` gave."""
        return cls(tuple((str(f), str(how)) for f, how in values["pieces"]), int(values["rows"]), int(values["sex"]))


Parser = Callable[[str], tuple[tuple[Piece, ...], int] | None]


def learn_forms(texts: pl.Series, parser: Parser, default: tuple[Piece, ...], *, least: int) -> tuple[Form, ...] | None:
    """The forms that at least `least` different values have; None where most values can't be read.

    Args:
        texts: Different values.
        parser: The form of one value and whose sex it says, or None.
        default: What stands where no form is shared.
        least: The fewest values that must have a form.
    """
    read = [found for text in texts.to_list() if (found := parser(text)) is not None]
    if len(read) < READ * len(texts):
        return None
    common = [Form(p, n, sex) for (p, sex), n in Counter(read).most_common(FORMS) if n >= least]
    if not all(any(f.sex in {-1, sex} for f in common) for sex in (0, 1)):
        common.append(Form(default))
    return tuple(common)


def name_parser(part: str, locale: str, texts: pl.Series) -> Parser:
    """Reads names: the whole ones, first ones or last ones; `texts` show which of the two comes first."""
    if part == "company":
        return _company
    swapped = part == "full" and _family_first(locale, texts)

    def parse(text: str) -> tuple[tuple[Piece, ...], int] | None:
        case = "upper" if text.isupper() and len(text) > 1 else "lower" if text.islower() else ""
        text = re.sub(r"\s*[(\[\"].*", "", text)
        left, comma, right = text.partition(",")
        head, tail = _words(left), _words(right)
        if head is None or tail is None or not (head or tail):
            return None
        if tail and all(w.lower().rstrip(".") in AFTER for w in tail):
            head, tail, comma = head + [f",{w}" for w in tail], [], ""
        if comma and tail:
            pieces = [("last", case), ("=", ", "), *_given(tail, case, part="first")]
        elif swapped and len(head) == 1:
            pieces = [("last", case), ("first", case)] if len(head[0]) > 1 else [("last", case)]
        elif swapped and not _literal(head[0]):
            pieces = [("last", case), ("=", " "), *_given(head[1:], case, part="first")]
        else:
            pieces = _given(head, case, part=part)
        titles = {w.lower().rstrip(".") for w in (*head, *tail)}
        sex = 1 if titles & MS else 0 if titles & (MR - {"sr"}) else -1
        return tuple(pieces), sex

    return parse


def _family_first(locale: str, texts: pl.Series) -> bool:
    """Whether the family name stands first: by custom, or where the first words are more often family names."""
    if locale in FAMILY_FIRST:
        return True
    begins = texts.str.extract(r"^([^\s,]+)\s").str.to_lowercase().drop_nulls()
    if len(begins) < len(texts) / 2:
        return False
    known = [float(begins.is_in(_lower(locale, what)).to_numpy().mean()) for what in ("first", "last")]
    return known[1] > 2 * known[0] and known[1] > 0.1


def _words(text: str) -> list[str] | None:
    """The words of a name, those such as "van der" with the one they belong to; None for what is no name."""
    words: list[str] = []
    glued = ""
    for word in text.split():
        if not re.fullmatch(r"[^\W\d_][^\d_@/]*", word):
            return None
        if word.lower() in PARTICLES and word.rstrip(".") == word:
            glued = f"{glued}{word}~"
            continue
        words.append(glued + word)
        glued = ""
    return words + ([glued.rstrip("~")] if glued else [])


def _given(words: list[str], case: str, *, part: str) -> list[Piece]:
    """The pieces of names in the order of speaking."""
    plain = [w for w in words if not _literal(w)]
    pieces: list[Piece] = []
    turn = 0
    for word in words:
        if word.startswith(","):
            pieces.append(("=", f", {word[1:]}"))
            continue
        if pieces:
            pieces.append(("=", " "))
        if _literal(word):
            pieces.append(("=", word))
            continue
        turn += 1
        final = part == "last" or (part == "full" and turn == len(plain) and turn > 1)
        field = "last" if final else "middle" if turn > 1 or part == "middle" else "first"
        if len(word.rstrip(".")) == 1:
            pieces.append((field, f"1{case}"))
            if word.endswith("."):
                pieces.append(("=", "."))
        elif not (final and pieces and pieces[-2:-1] == [("last", case)]):
            pieces.append((field, case))
        else:
            pieces.pop()
    return pieces


def _literal(word: str) -> bool:
    """Whether a word is a title, before or after a name."""
    bare = word.lower().lstrip(",").rstrip(".")
    return word.startswith(",") or (bare in TITLES and (word.endswith(".") or bare in MR | MS)) or bare in AFTER - {"o"}


def _company(text: str) -> tuple[tuple[Piece, ...], int] | None:
    case = "upper" if text.isupper() and len(text) > 3 else "lower" if text.islower() else ""
    return ((("company", case),), -1) if re.search(r"[^\W\d_]{2}", text) else None


def user_parser(persons: Persons) -> Parser:
    """Reads what stands before the @: the parts of a name, signs and digits."""
    first, last = (frozenset(slugs_of(persons.locale, what).words) for what in ("first", "last"))

    def parse(text: str) -> tuple[tuple[Piece, ...], int] | None:
        local = text.partition("@")[0].partition("+")[0]
        tokens = re.findall(r"[^\W\d_]+|\d+|[._\-]+", local)
        words = [t.lower() for t in tokens if t[0].isalpha()]
        if not words or len(tokens) > 9:
            return None
        case = "upper" if local.isupper() else ""
        named = iter(_named(words, first, last))
        pieces: list[Piece] = []
        for token in tokens:
            if token[0].isalpha():
                pieces += [(f"{field}~", how + case) for field, how in next(named)]
            else:
                pieces.append(("#", str(min(len(token), 4))) if token[0].isdigit() else ("=", token))
        return tuple(pieces), -1

    return parse


def _named(words: list[str], first: Collection[str], last: Collection[str]) -> list[list[Piece]]:
    """Which part of the name each word stands for."""
    if len(words) > 1:
        swapped = words[0] in last and words[0] not in first and words[-1] in first
        names = ["last" if swapped else "first", *["middle"] * (len(words) - 2), "first" if swapped else "last"]
        return [[(name, "1" if len(w) == 1 else "")] for name, w in zip(names, words, strict=True)]
    word = words[0]
    if word in first:
        return [[("first", "")]]
    if word[1:] in last or word in last:
        return [[("last", "")] if word in last else [("first", "1"), ("last", "")]]
    if word[:-1] in first:
        return [[("first", ""), ("last", "1")]]
    if any(word[:cut] in first and word[cut:] in last for cut in range(3, len(word) - 2)):
        return [[("first", ""), ("last", "")]]
    return [[("first", "1"), ("last", "")]]


def address_parser(text: str) -> tuple[tuple[Piece, ...], int] | None:
    """Reads addresses: a street with its number, a flat, a town, a state and a postcode, in any order."""
    case = "upper" if text.isupper() else "lower" if text.islower() else ""
    parts = re.split(r"(\s*[,;]\s*|\s*\n\s*)", text)
    pieces: list[Piece] = []
    seen = False
    for j, part in enumerate(parts):
        if j % 2:
            pieces.append(("=", part))
            continue
        if not part:
            continue
        found = _place(part, case, street=not seen)
        if found is None:
            return None
        seen = seen or any(f == "street" for f, _ in found)
        pieces += found
    return (tuple(pieces), -1) if 0 < len(pieces) <= 20 else None


def _place(part: str, case: str, *, street: bool) -> list[Piece] | None:  # noqa: PLR0911 (a list of forms)
    """The pieces of one part of an address."""
    if m := re.fullmatch(r"(?i)(apt\.?|suite|unit|ste\.?|flat|no\.?|#)\s*(\d{1,4})", part):
        return [("=", part[: m.start(2)]), ("house", str(len(m[2])))]
    if re.fullmatch(r"\d{1,3}[a-zA-Z]?", part):
        return [("house", str(len(part.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))))]
    if m := re.fullmatch(r"([A-Z]{2})\s+(\d{5}(?:-\d{4})?)", part):
        return [("state", ""), ("=", " "), *_digits(m[2])]
    if re.fullmatch(r"\d{2,5}(?:[- ]\d{2,4})?", part):
        return _digits(part)
    if re.fullmatch(r"[A-Z]{2}", part):
        return [("state", "")]
    if m := re.fullmatch(r"(.*?)\s*\b([A-Z]{1,2}\d[\dA-Z]?\s?\d[A-Z]{2})", part):
        return [*([("city", case), ("=", " ")] if m[1] else []), ("postcode", "")]
    if street:
        return _street(part, case)
    if m := re.fullmatch(r"(\d{4,6}(?:[- ]\d{2,4})?)\s+(\D+)", part):
        return [*_digits(m[1]), ("=", " "), ("city", case)]
    if m := re.fullmatch(r"(\D+?)\s+([A-Z]{2})?\s*(\d{4,6}(?:[- ]\d{2,4})?)", part):
        state: list[Piece] = [("=", " "), ("state", "")] if m[2] else []
        return [("city", case), *state, ("=", " "), *_digits(m[3])]
    return [("city", case)] if re.fullmatch(r"\D+", part) else None


def _street(part: str, case: str) -> list[Piece] | None:
    """The pieces of a street with its number before or behind, and a flat."""
    flat: list[Piece] = []
    if m := re.fullmatch(r"(?i)(.*?)(\s+(?:apt\.?|suite|unit|ste\.?|flat|#)\s*#?)(\d{1,4})", part):
        flat, part = [("=", m[2]), ("house", str(len(m[3])))], m[1]
    if m := re.fullmatch(r"(\d{1,5})(?:[-/]\d{1,5})?[a-zA-Z]?\s+(.*[^\W\d_]{2}.*)", part):
        return [("house", str(len(m[1]))), ("=", " "), ("street", case), *flat]
    if m := re.fullmatch(r"(.*[^\W\d_]{2}.*?)(\s+)(\d{1,5})(?:[-/]\d{1,5})?\s?[a-zA-Z]?", part):
        return [("street", case), ("=", " "), ("house", str(len(m[3]))), *flat]
    return [("street", case), *flat] if re.fullmatch(r"\D*[^\W\d_]{2}\D*", part) else None


def _digits(text: str) -> list[Piece]:
    """Digits for digits, the signs between them kept."""
    return [("#", str(len(t))) if t[0].isdigit() else ("=", t) for t in re.findall(r"\d+|\D+", text)]


def url_parser(text: str) -> tuple[tuple[Piece, ...], int] | None:
    """Reads web addresses: the scheme, a domain, and a path of words and numbers."""
    found = re.fullmatch(r"(?i)((?:https?|ftp)://)?(www\.)?([^/\s?#:]+\.[^/\s?#:]+)(?::\d+)?([/?#]\S*)?", text)
    if found is None:
        return None
    path = found[4] or ""
    file = _FILES.search(path)
    ending = file[0] if file else ""
    pieces: list[Piece] = [("=", f"{found[1] or ''}{found[2] or ''}".lower()), ("domain", "")]
    for token in re.findall(r"[^\W\d_]+|\d+|[\W_]+", path.removesuffix(ending)):
        field = "word~" if token[0].isalpha() else "#" if token[0].isdigit() else "="
        pieces.append((field, token if field == "=" else str(min(len(token), 8)) if field == "#" else ""))
    pieces += [("=", ending)] if ending else []
    return tuple(p for p in pieces if p != ("=", "")), -1


def name_part(name_tokens: Collection[str], texts: pl.Series, locale: str) -> str:
    """Which part of a name a column holds, by what it is called, else by its values."""
    given = {"first", "firstname", "fname", "given", "givenname", "forename", "vorname", "prenom"}
    family = {"last", "lastname", "lname", "surname", "family", "familyname", "nachname", "familienname"} | {
        *("apellido", "apellidos", "maiden", "geburtsname")
    }
    for part, words in (
        ("user", {"user", "username", "login", "nick", "nickname", "handle", "screenname"}),
        ("middle", {"middle", "middlename"}),
    ):
        if words & set(name_tokens) and texts.str.contains(r"\s").to_numpy().mean() < 0.2:
            return part
    first, last = bool(given & set(name_tokens)), bool(family & set(name_tokens))
    if first != last:
        return "first" if first else "last"
    single = texts.str.contains(r"^\S+$").to_numpy().mean() if len(texts) else 0.0
    if single < 0.5 or locale in {"ja_JP", "zh_CN", "ko_KR"}:
        return "full"
    known = [float(texts.str.to_lowercase().is_in(_lower(locale, w)).to_numpy().mean()) for w in ("first", "last")]
    return "last" if known[1] > known[0] else "first"


def _lower(locale: str, what: str) -> list[str]:
    return [w.lower() for w in pool_of(locale, what).words]
