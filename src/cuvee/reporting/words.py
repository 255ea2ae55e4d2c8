"""Figures, dates and names as words that a person reads."""

import math
import unicodedata
from datetime import UTC, datetime, timedelta

_FORMAT_MARKS = {"\u200c", "\u200d"}
"""Joiners that scripts and emoji need; other invisible marks can turn a name around, so they go."""

HOUR, DAY = 3_600, 86_400


def plain(text: object) -> str:
    r"""Text without control characters, invisible direction marks and half characters, on one line or several.

    >>> plain("a\x00b\u202ec")
    'a\ufffdbc'
    """
    out: list[str] = []
    for character in str(text):
        kind = unicodedata.category(character)
        if character in "\n\t" or character in _FORMAT_MARKS:
            out.append(character)
        elif kind in {"Cc", "Cs", "Cn"}:
            out.append("\ufffd")
        elif kind != "Cf":
            out.append(character)
    return "".join(out)


def short(text: object, length: int = 28) -> str:
    """A name in one line of at most `length` characters, with an ellipsis where it was cut.

    >>> short("departure delay of the flight", 12)
    'departure d…'
    """
    line = " ".join(plain(text).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def number(value: float | None, digits: int = 3) -> str:
    """A figure with about three digits that count; a dash where there is none.

    >>> number(0.98765), number(12345), number(0.00123), number(None), number(1e-7)
    ('0.988', '12,345', '0.0012', '–', '1e-7')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0 or (float(value).is_integer() and abs(value) < 1e9):
        return f"{value:,.0f}"
    size = abs(value)
    if size >= 1e9 or size < 0.0005:
        return _power(value)
    if size < 0.01:
        return f"{value:.2g}"
    places = max(0, digits - 1 - math.floor(math.log10(size))) if size >= 1 else digits
    return f"{value:,.{places}f}"


def figure(value: float | None) -> str:
    """A score, with three digits after the point so that scores stand in line; small ones keep two that count.

    >>> figure(1.0), figure(0.00062), figure(0), figure(12.5), figure(None)
    ('1.000', '0.00062', '0', '12.5', '–')
    """
    if value is None or not 0.01 <= abs(value) < 10:
        return number(value)
    return f"{value:.3f}"


def axis(value: float) -> str:
    """A figure for the end of an axis: short, and a year stays a year.

    >>> axis(2013), axis(25000), axis(-1500000), axis(0.25)
    ('2013', '25k', '-1.5M', '0.25')
    """
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-4:
        return _power(value)
    for unit, word in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= unit:
            return f"{value / (1e3 if word == 'k' else unit):.4g}{word}"
    return f"{value:.5g}"


def percent(share: float | None) -> str:
    """A share as a percentage with one digit; small shares are not rounded to nothing.

    >>> percent(0.1234), percent(0.0001), percent(0.0), percent(1.0)
    ('12.3 %', '< 0.1 %', '0 %', '100 %')
    """
    if share is None:
        return "–"
    if share in (0, 1):
        return f"{share * 100:.0f} %"
    if share < 0.001:
        return "< 0.1 %"
    return f"{min(share * 100, 99.9):.1f} %"


def seconds(value: float | None) -> str:
    """How long something took.

    >>> seconds(0.123), seconds(75), seconds(None)
    ('0.12 s', '1 min 15 s', '–')
    """
    if value is None:
        return "–"
    if value < 60:
        return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"
    return f"{value // 60:.0f} min {value % 60:.0f} s"


def moment(at: float, step: float, *, clock: bool = False) -> str:
    """A moment in seconds since 1970 as a date or time, as finely as the step between two asks for.

    >>> moment(0, 86400 * 366), moment(0, 86400), moment(3600, 60, clock=True)
    ('1970', '1 Jan 1970', '01:00')
    """
    try:
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at)
    except OverflowError:
        return "–"
    if clock:
        return f"{when:%H:%M:%S}" if step < 60 else f"{when:%H:%M}"
    if step >= 365 * DAY:
        return str(when.year)
    if step >= 28 * DAY:
        return f"{when:%b} {when.year}"
    day = f"{when.day} {when:%b}"
    return f"{day} {when.year}" if step >= DAY else f"{day} {when:%H:%M}"


def plural(count: int, word: str, many: str | None = None) -> str:
    """A count with its word.

    >>> plural(1, "row"), plural(1200, "row"), plural(2, "entry", "entries")
    ('1 row', '1,200 rows', '2 entries')
    """
    return f"{count:,} {word if count == 1 else many or word + 's'}"


def listed(words: list[str] | tuple[str, ...], most: int = 4) -> str:
    """Words in a row: "a, b and c", or "a, b and 7 more".

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c", "d"], 2)
    ('a, b and c', 'a, b and 2 more')
    """
    shown, rest = list(words[:most]), len(words) - most
    if rest > 0:
        return f"{', '.join(shown)} and {rest} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""


def _power(value: float) -> str:
    mantissa, _, exponent = f"{value:.2g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa
