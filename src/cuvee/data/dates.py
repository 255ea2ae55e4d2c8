"""Dates that are written as text: which form they have, and the way there and back."""

import re
from dataclasses import dataclass
from typing import Final

import polars as pl

_MONTHS = r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"

_DAYS: Final = (
    (r"\d{4}-\d{1,2}-\d{1,2}", "%Y-%m-%d", "YYYY-MM-DD"),
    (r"\d{4}/\d{1,2}/\d{1,2}", "%Y/%m/%d", "YYYY/MM/DD"),
    (r"\d{4}\.\d{1,2}\.\d{1,2}", "%Y.%m.%d", "YYYY.MM.DD"),
    (r"\d{1,2}\.\d{1,2}\.\d{4}", "%d.%m.%Y", "DD.MM.YYYY"),
    (r"\d{1,2}/\d{1,2}/\d{4}", "%d/%m/%Y", "DD/MM/YYYY"),
    (r"\d{1,2}/\d{1,2}/\d{4}", "%m/%d/%Y", "MM/DD/YYYY"),
    (r"\d{1,2}-\d{1,2}-\d{4}", "%d-%m-%Y", "DD-MM-YYYY"),
    (r"\d{1,2}-\d{1,2}-\d{4}", "%m-%d-%Y", "MM-DD-YYYY"),
    (r"\d{1,2}\.\d{1,2}\.\d{2}", "%d.%m.%y", "DD.MM.YY"),
    (r"\d{1,2}/\d{1,2}/\d{2}", "%d/%m/%y", "DD/MM/YY"),
    (r"\d{1,2}/\d{1,2}/\d{2}", "%m/%d/%y", "MM/DD/YY"),
    (rf"\d{{1,2}} {_MONTHS} \d{{4}}", "%d %B %Y", "D Month YYYY"),
    (rf"\d{{1,2}}-{_MONTHS}-\d{{4}}", "%d-%B-%Y", "D-Mon-YYYY"),
    (rf"{_MONTHS} \d{{1,2}}, \d{{4}}", "%B %d, %Y", "Month D, YYYY"),
    (r"(?:1[89]|20)\d{6}", "%Y%m%d", "YYYYMMDD"),
    (r"\d{6}", "%y%m%d", "YYMMDD"),
)
_TIMES: Final = (
    (r"", "", ""),
    (r"[T ]\d{1,2}:\d{2}", "%H:%M", "hh:mm"),
    (r"[T ]\d{1,2}:\d{2}:\d{2}", "%H:%M:%S", "hh:mm:ss"),
    (r"[T ]\d{1,2}:\d{2}:\d{2}\.\d+", "%H:%M:%S%.f", "hh:mm:ss.f"),
    (r" \d{1,2}:\d{2} ?[AaPp][Mm]", "%I:%M %p", "hh:mm am/pm"),
    (r" \d{1,2}:\d{2}:\d{2} ?[AaPp][Mm]", "%I:%M:%S %p", "hh:mm:ss am/pm"),
)
_ZONES: Final = ((r"", "", ""), (r"Z", "Z", " UTC"), (r"[+-]\d{2}:?\d{2}", "%z", " with offset"))
_PROBE = 64
_BARE_DIGITS = {"%y%m%d"}
"""Six digits are a date only where a time stands behind them; alone they are any number."""


@dataclass(frozen=True, slots=True)
class DateForm:
    """How the dates of a text column are written.

    Attributes:
        pattern: The form for `str.to_datetime` and `dt.strftime`.
        says: The form in words, such as YYYY-MM-DD.
        share: The share of the values looked at that read as a date in this form.
        ambiguous: Whether day and month could be the other way round in every value.
    """

    pattern: str
    says: str
    share: float
    ambiguous: bool = False


def find_form(values: pl.Series) -> DateForm | None:
    """The form that most of these texts have as dates, or None where most are no dates.

    Args:
        values: Texts; nulls are left out.
    """
    filled = values.drop_nulls()
    probe = filled.gather_every(max(1, len(filled) // _PROBE)).head(_PROBE)
    if not len(probe) or 2 * probe.str.contains(r"^\W*\d|^[A-Za-z]{3,9} \d").sum() < len(probe):
        return None
    found = [_form(filled, pattern, says) for pattern, says in _candidates(probe.to_list())]
    if not found:
        return None
    best = max(found, key=lambda f: f.share)
    twins = [f for f in found if f.share >= 0.98 * best.share]
    if best.share < 0.5:
        return None
    return DateForm(best.pattern, best.says, best.share, ambiguous=len(twins) > 1)


def _candidates(probe: list[str]) -> list[tuple[str, str]]:
    """The forms whose shape at least half of the probe has, each with its words."""
    out: list[tuple[str, str]] = []
    for day, day_form, day_says in _DAYS:
        if sum(bool(re.match(day, v)) for v in probe) < len(probe) / 2:
            continue
        for time, time_form, time_says in _TIMES:
            for zone, zone_form, zone_says in _ZONES:
                if (zone and not time) or (not time and day_form in _BARE_DIGITS):
                    continue
                shape = re.compile(f"{day}{time}{zone}")
                fits = [v for v in probe if shape.fullmatch(v)]
                if 2 * len(fits) >= len(probe):
                    gap = "T" if time and "T" in fits[0][6:] else " " if time else ""
                    out.append((f"{day_form}{gap}{time_form}{zone_form}", f"{day_says} {time_says}{zone_says}".strip()))
    return out


def _form(values: pl.Series, pattern: str, says: str) -> DateForm:
    read = read_dates(values, pattern)
    return DateForm(pattern, says, 1 - read.null_count() / max(1, len(values)))


def read_dates(values: pl.Series, pattern: str) -> pl.Series:
    """The texts as Datetime in microseconds, in UTC where the form has an offset; null where one has another form."""
    return values.str.to_datetime(pattern, time_unit="us", strict=False)
