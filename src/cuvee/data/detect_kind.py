"""The kind of each column, from its values first and its name second."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from cuvee.data.dates import DateForm, find_form
from cuvee.data.detect_roles import RoleGuess
from cuvee.data.kinds import Kind, plain_kind
from cuvee.data.profile import Profile, is_type
from cuvee.data.words import CATEGORY, COUNT, ENTITY, TIME, is_count, is_id, percent, speaks_of, tokens

FEW = 50
"""Whole numbers with more distinct values than this are no category, unless their name says so."""

_SHAPES_OF_IDS: Final = (
    (r"^(?i:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$", "a UUID"),
    (r"^(?i:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})$", "a hash"),
)
_WKT = r"^(?i:\s*(?:SRID=\d+;)?(?:MULTI)?(?:POINT|LINESTRING|POLYGON)\s*(?:Z|M|ZM)?\s*\(.*\)\s*)$"
_PAIR = r"^\s*[\[(]?\s*([-+]?\d{1,3}\.\d+)\s*[,;]\s*([-+]?\d{1,3}\.\d+)\s*[\])]?\s*$"
_NUMBER = r"^\s*[-+]?(?:0|[1-9]\d*)?(?:\.\d+)?(?:[eE][-+]?\d+)?\s*$"
_PICTURES: Final = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")


@dataclass(frozen=True, slots=True)
class KindGuess:
    """A kind, how sure it is, and why."""

    kind: Kind
    confidence: float
    reason: str


def date_forms(columns: dict[str, Profile]) -> dict[str, DateForm]:
    """The text columns of which nearly all values read as dates in one form, or in two that can't be told apart."""
    out: dict[str, DateForm] = {}
    for name, p in columns.items():
        form = find_form(p.sample) if p.text and p.filled else None
        if form is not None and form.share >= 0.99:
            out[name] = form
    return out


def find_kind(p: Profile, *, form: DateForm | None, role: RoleGuess | None) -> KindGuess:
    """The kind of a column.

    Args:
        p: The column.
        form: How its dates are written, for text that reads as dates.
        role: What it says of a person or a place.
    """
    dtype = p.values.dtype
    plain = plain_kind(dtype)
    if dtype.is_nested() or dtype == pl.Binary:
        return _nested(p)
    if not p.filled:
        kind: Kind = "category" if plain == "text" else plain
        return KindGuess(kind, 0.5, f"All {p.rows:,} values are null." if p.rows else "There are no rows.")
    if plain in {"boolean", "duration", "datetime", "opaque"} or is_type(dtype, pl.Categorical, pl.Enum):
        return KindGuess(plain, 1.0, f"The column's type is {dtype.base_type().__name__}.")
    if dtype.is_numeric():
        return _whole(p, role) if p.whole else KindGuess("number", 0.98, _fractions(p))
    return _text(p, form, role)


def _fractions(p: Profile) -> str:
    return f"Numbers with fractions, {p.distinct:,} distinct values."


def _nested(p: Profile) -> KindGuess:
    dtype = p.values.dtype
    if isinstance(dtype, pl.Array):
        depth = len(dtype.shape)
        inner: pl.DataType = dtype
        while isinstance(inner, pl.Array):
            inner = inner.inner  # pyright: ignore[reportAssignmentType]
        shape = " x ".join(str(s) for s in dtype.shape)
        if depth in {2, 3} and inner == pl.UInt8:
            return KindGuess("image", 0.95, f"Every value is {shape} bytes.")
        if depth in {2, 3} and inner.is_numeric() and min(dtype.shape[:2]) >= 8:
            return KindGuess("image", 0.6, f"Every value is {shape} numbers.")
    if dtype == pl.Binary and p.filled:
        heads = p.sample.head(100).to_list()
        share = sum(h.startswith(_PICTURES) or (h[:4] == b"RIFF" and h[8:12] == b"WEBP") for h in heads) / len(heads)
        if share >= 0.95:
            return KindGuess("image", 0.95, f"{percent(share)} of values begin like a picture file.")
    return KindGuess(
        "opaque",
        0.95 if p.filled else 0.5,
        f"The column's type is {type(dtype).__name__}: carried along, not modelled.",
    )


def _whole(p: Profile, role: RoleGuess | None) -> KindGuess:
    """Whole numbers: an amount, a code, a yes or no, or an identifier."""
    n = f"{p.distinct:,} distinct whole numbers in {p.filled:,} rows"
    if role is not None and role.role in {"phone", "national_id", "card"}:
        return KindGuess("id", role.confidence, f"{n}; {role.reason}")
    if (guess := _plain_whole(p, n) or _identifier(p, n)) is not None:
        return guess
    if role is not None and role.role == "postcode":
        return KindGuess("category", 0.7, f"{n}; {role.reason}")
    if p.distinct > FEW and not (
        speaks_of(p.name, CATEGORY) and p.filled >= 10 * p.distinct and not speaks_of(p.name, COUNT)
    ):
        return KindGuess("number", _dateless(p), _dated(p, n))
    odds = _category_odds(p)
    sure = min(0.95, 1 / (1 + math.exp(-abs(odds))))
    kind: Kind = "category" if odds > 0 else "number"
    return KindGuess(kind, round(sure, 2), f"{n}, {p.filled / p.distinct:,.0f} rows a value; read as {_AS[kind]}.")


def _plain_whole(p: Profile, n: str) -> KindGuess | None:
    """Whole numbers that leave little doubt: a constant, 0 and 1, years."""
    low, high = p.span or (0.0, 0.0)
    if p.constant:
        return KindGuess("number", 0.8, f"One value in all {p.filled:,} rows.")
    if p.distinct == 2 and (low, high) == (0, 1):
        return KindGuess("boolean", 0.9 if p.filled >= 50 else 0.7, f"Only 0 and 1, in {p.filled:,} rows.")
    if "year" in tokens(p.name) and low >= 1000 and high <= 2300:
        return KindGuess("number", 0.9, f"{n}, all of them years.")
    return None


_AS: Final = {"category": "codes rather than amounts", "number": "amounts rather than codes"}


def _identifier(p: Profile, n: str) -> KindGuess | None:
    """Unique counters and repeated numbers whose name is that of an identifier."""
    named = is_id(p.name) and not is_count(p.name)
    if p.unique and p.rows >= 3:
        if named:
            return KindGuess("id", 0.97, f"{n}: unique, and the name is that of an identifier.")
        if p.dense and p.rising and p.rows >= 10 and not speaks_of(p.name, TIME):
            return KindGuess("id", 0.85, f"{n}: a counter of the rows, without a gap.")
        if p.dense and p.position == 0 and p.rows >= 10 and not speaks_of(p.name, TIME | COUNT):
            return KindGuess("id", 0.75, f"{n}: every whole number of its range once.")
    entity = (
        tokens(p.name)[-1] in ENTITY
        and len(tokens(p.name)) == 1
        and not is_count(p.name)
        and 2 * p.distinct <= p.filled
    )
    low, high = p.span or (0.0, 0.0)
    scattered = named and high - low > 100 * p.distinct
    if ((named or entity) and p.distinct > FEW) or scattered:
        return KindGuess("id", 0.85 if named else 0.65, f"{n}: the name is that of an identifier, which rows share.")
    return None


def _dateless(p: Profile) -> float:
    return 0.6 if _reads_as_dates(p) else 0.95


def _dated(p: Profile, n: str) -> str:
    if _reads_as_dates(p):
        return f"{n} that read as dates YYYYMMDD; kept as numbers."
    return f"{n}, from the least to the greatest."


def _reads_as_dates(p: Profile) -> bool:
    low, high = p.span or (0, 0)
    if not (low > 17_000_000 and high < 22_000_000):
        return False
    texts = p.sample.cast(pl.Int64).cast(pl.String)
    return texts.str.to_date("%Y%m%d", strict=False).null_count() <= 0.01 * len(texts)


def _category_odds(p: Profile) -> float:
    """Log odds that whole numbers are codes. The weights are a judgement: a wrong guess is to be unsure."""
    low, high = p.span or (0.0, 0.0)
    odds = 0.5 if p.distinct <= 2 else 0.3 if p.distinct <= 12 else -0.2 if p.distinct <= 20 else -1.2
    odds -= 1.5 if p.filled < 5 * p.distinct else 0.0
    if is_id(p.name) or (speaks_of(p.name, CATEGORY) and not speaks_of(p.name, COUNT)):
        odds += 1.8
    elif is_count(p.name):
        odds -= 2.2
    elif speaks_of(p.name, TIME):
        odds -= 2.0
    elif speaks_of(p.name, ENTITY):
        odds += 1.0
    if low < 0:
        odds -= 0.5
    if not p.dense:
        odds -= 0.3 if high - low < 3 * p.distinct else 0.8
    return odds - (1.0 if _falls_off(p) else 0.0)


def _falls_off(p: Profile) -> bool:
    """Whether frequencies fall from the least value on, as those of counts do."""
    counts = p.counts.sort("value")["count"].to_numpy().astype(np.int64)
    return len(counts) >= 4 and bool((np.diff(counts) <= 0).mean() >= 0.85) and (p.span or (9, 9))[0] in {0, 1}


def _text(p: Profile, form: DateForm | None, role: RoleGuess | None) -> KindGuess:
    if form is not None and (guess := _dates(p, form)) is not None:
        return guess
    personal = role is not None and role.role not in {"latitude", "longitude", "postcode"}
    if not personal and (guess := _numbers_or_places(p, role)) is not None:
        return guess
    for shape, says in _SHAPES_OF_IDS:
        if (share := p.share(shape)) >= 0.98 and p.distinct > 2:
            return KindGuess("id", 0.97, f"{percent(share)} of values have the form of {says}.")
    if p.unique or (p.distinct >= 0.99 * p.filled and is_id(p.name)):
        return _unique_text(p, personal=personal)
    return _repeated_text(p, form, personal=personal)


def _dates(p: Profile, form: DateForm) -> KindGuess | None:
    says = f"{percent(form.share)} of values read as dates {form.says}"
    if form.ambiguous or (form.pattern == "%Y%m%d" and (p.distinct < 5 or is_id(p.name))):
        return None
    return KindGuess("datetime", 0.95 if p.distinct > 1 else 0.8, f"{says}.")


def _numbers_or_places(p: Profile, role: RoleGuess | None) -> KindGuess | None:
    """Text that is well-known text of places, or numbers stored as text."""
    if (share := p.share(_WKT)) >= 0.95:
        return KindGuess("geo", 0.95, f"{percent(share)} of values are well-known text of a place (WKT).")
    if p.share(_PAIR) >= 0.95 and _inside(p):
        return KindGuess("geo", 0.85, "Values are pairs of a latitude and a longitude.")
    place = role is not None and role.role in {"latitude", "longitude"}
    if p.share(_NUMBER) < 1 or p.share(r"\d") < 1 or (role is not None and not place) or p.distinct <= 20:
        return None
    if is_id(p.name) or (p.unique and p.share(r"^\d+$") == 1) or speaks_of(p.name, CATEGORY):
        return None
    return KindGuess(
        "number", 0.9 if place else 0.75, "All values are text that reads as numbers, without leading zeros."
    )


def _inside(p: Profile) -> bool:
    """Whether pairs lie on the globe, in one of the two orders."""
    parts = [p.sample.str.extract(_PAIR, i).cast(pl.Float64, strict=False).abs().max() for i in (1, 2)]
    low, high = sorted(float(x) for x in parts if x is not None)  # pyright: ignore[reportArgumentType]
    return low <= 90 and high <= 180


def _unique_text(p: Profile, *, personal: bool) -> KindGuess:
    length, words = p.lengths
    n = f"{p.distinct:,} distinct texts in {p.filled:,} rows"
    if personal:
        return KindGuess("text", 0.85, f"{n}, of a person.")
    code = p.share(r"^\S{1,60}$") >= 0.98 and (p.share(r"\d") >= 0.5 or length <= 5 or is_id(p.name))
    if code:
        named = is_id(p.name)
        sure = 0.95 if named else 0.85 if p.rows >= 20 else 0.6
        return KindGuess(
            "id",
            sure,
            f"{n}: unique and without blanks" + (", and the name is that of an identifier." if named else "."),
        )
    return KindGuess("text", 0.85 if words >= 3 else 0.65, f"{n}, {words:.1f} words on average.")


def _repeated_text(p: Profile, form: DateForm | None, *, personal: bool) -> KindGuess:
    length, words = p.lengths
    share = p.distinct / p.filled
    n = f"{p.distinct:,} distinct texts in {p.filled:,} rows"
    if form is not None and form.ambiguous:
        n += ", which read as dates with the day or the month first"
    if p.distinct <= 2 or (share <= 0.05 and length < 60):
        return KindGuess("category", 0.6 if form is not None else 0.95 if p.distinct <= 1000 else 0.8, n + ".")
    if words >= 8 or length >= 60:
        return KindGuess("text", 0.85 if share > 0.3 else 0.65, f"{n}, {words:.1f} words on average.")
    if is_id(p.name) and "name" not in tokens(p.name) and p.distinct > FEW and p.share(r"^\S+$") >= 0.98:
        return KindGuess("id", 0.75, f"{n}: the name is that of an identifier, which rows share.")
    if share <= 0.5:
        sure = 0.85 if share <= 0.2 and p.filled >= 20 else 0.65
        return KindGuess("category", sure if form is None else 0.55, n + ".")
    return KindGuess("text", 0.8 if personal or words >= 3 else 0.6, f"{n}, {words:.1f} words on average.")
