"""Dates and numbers that are written as text: read once, learned as what they are, and written the same way again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import polars as pl
from numpy.random import Generator

from cuvee.codec.codec import LEAST, Arrays, Codec, Floats, Placed, rows_in_words
from cuvee.codec.datetime import DatetimeCodec
from cuvee.codec.number import NumberCodec

ENOUGH = 0.9
"""Share of the values that must be readable; the others become nulls, with a note."""
DATES = (
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%Y/%m/%d",
    "%Y%m%d",
    "%d-%m-%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
)
DIFFERENT = 20
"""Whole numbers are dates only where at least this many different ones are."""
YEARS = (1800, 2200)
HOURS = (" %H:%M:%S", " %H:%M", "T%H:%M:%S", "T%H:%M:%SZ", "T%H:%M", " %H:%M:%S%.f", "T%H:%M:%S%.f")
FORMS = (*DATES, *(d + h for d in DATES for h in HOURS))
"""How moments are written; of those that read equally many values the first counts."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class WrittenCodec(Codec):
    """A text column that holds dates or numbers, or whole numbers that are dates (YYYYMMDD).

    Attributes:
        form: How a date is read and written (as of strftime), or "number".
        decimals: Of numbers: how many decimals are always written; -1 for as many as needed.
        inner: The codec of what was read.
    """

    form: str
    decimals: int
    inner: DatetimeCodec | NumberCodec

    kind: ClassVar[str] = "written"

    @classmethod
    def fit_dates(cls, name: str, series: pl.Series, *, least: int = LEAST) -> Self | None:
        """Learn a column of dates; None where too few values can be read as such."""
        text = series.cast(pl.String)
        present = text.drop_nulls()
        sample = present.gather_every(max(len(present) // 2000, 1))
        best, share = "", 0.0
        for form in FORMS:
            read = len(sample) and 1 - _moments(sample, form).null_count() / len(sample)
            if read > share:
                best, share = form, read
        if share < ENOUGH:
            return None
        form = next((f for f in (best, _unpadded(best)) if _same(_moments(sample, best).dt.to_string(f), sample)), best)
        moments = _moments(text, best)
        inner = DatetimeCodec.fit(name, moments, least=least)
        notes = (*inner.notes, *_unread(name, text, moments))
        return cls(name, series.dtype, inner.masses, inner.missing, notes, form, -1, inner)

    @classmethod
    def fit_compact(cls, name: str, series: pl.Series, *, least: int = LEAST) -> Self | None:
        """Learn whole numbers that are dates written YYYYMMDD; None where one is none, or where there are few."""
        low, high = (int(str(v)) for v in (series.min(), series.max()))
        if not YEARS[0] * 10_000 < low <= high < YEARS[1] * 10_000:
            return None
        present = series.drop_nulls().unique()
        if len(present) < DIFFERENT or _moments(present.cast(pl.String), "%Y%m%d").null_count() > 0:
            return None
        inner = DatetimeCodec.fit(name, _moments(series.cast(pl.String), "%Y%m%d"), least=least)
        return cls(name, series.dtype, inner.masses, inner.missing, inner.notes, "%Y%m%d", -1, inner)

    @classmethod
    def fit_numbers(cls, name: str, series: pl.Series, *, least: int = LEAST) -> Self | None:
        """Learn a column of numbers; None where too few values can be read as such."""
        text = series.cast(pl.String)
        numbers = text.str.strip_chars().cast(pl.Float64, strict=False)
        # "nan" and "inf" are words here: they count as what can't be read.
        numbers = numbers.zip_with(
            numbers.is_finite().fill_null(value=True),
            pl.Series([None], dtype=pl.Float64).new_from_index(0, len(numbers)),
        )
        if text.len() == text.null_count() or numbers.count() < ENOUGH * text.count():
            return None
        whole = text.str.strip_chars().cast(pl.Int64, strict=False)
        values = whole if whole.count() == numbers.count() else numbers
        inner = NumberCodec.fit(name, values, least=least)
        decimals = -1 if _same(values.cast(pl.String), text) else inner.scale.decimals if inner.scale.whole else -1
        notes = (*inner.notes, *_unread(name, text, values))
        return cls(name, series.dtype, inner.masses, inner.missing, notes, "number", decimals, inner)

    @property
    def volumes(self) -> Floats:
        return self.inner.volumes

    @property
    def discrete(self) -> bool:
        return self.inner.discrete

    def place(self, series: pl.Series, *, rng: Generator) -> Placed:
        text = series.cast(pl.String)
        if isinstance(self.inner, DatetimeCodec):
            return self.inner.place(_moments(text, self.form.replace("%-", "%")), rng=rng)
        return self.inner.place(text.str.strip_chars().cast(self.inner.dtype, strict=False), rng=rng)

    def values(self, placed: Placed, *, start: int, rng: Generator) -> pl.Series:
        read = self.inner.values(placed, start=start, rng=rng)
        if isinstance(self.inner, DatetimeCodec):
            return read.dt.to_string(self.form).cast(self.dtype).rename(self.name)
        if self.decimals >= 0 and read.dtype.is_float():
            return read.cast(pl.Decimal(38, self.decimals)).cast(pl.String).cast(self.dtype).rename(self.name)
        return read.cast(pl.String).cast(self.dtype).rename(self.name)

    def details(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = self.inner.state()
        return {"form": self.form, "decimals": self.decimals, "inner": values}, arrays

    @classmethod
    def restored(cls, shared: Mapping[str, Any], values: Mapping[str, Any], arrays: Arrays) -> Self:
        kind = NumberCodec if values["form"] == "number" else DatetimeCodec
        return cls(
            **shared, form=values["form"], decimals=values["decimals"], inner=kind.restore(values["inner"], arrays)
        )


def _moments(text: pl.Series, form: str) -> pl.Series:
    """The texts read as dates, or as moments where the form has hours; null where they are not."""
    dtype = pl.Datetime("us") if "%H" in form else pl.Date()
    return text.str.strip_chars().str.strptime(dtype, form, strict=False)


def _unpadded(form: str) -> str:
    """The form with days and months written without a leading zero."""
    return form.replace("%d", "%-d").replace("%m", "%-m").replace("%H", "%-H")


def _same(written: pl.Series, text: pl.Series) -> bool:
    """Whether writing gives back what was read, nearly always."""
    return bool((written == text).fill_null(value=False).to_numpy().mean() >= ENOUGH)


def _unread(name: str, text: pl.Series, read: pl.Series) -> tuple[str, ...]:
    lost = read.null_count() - text.null_count()
    return (f"Column {name!r}: {rows_in_words(lost)} could not be read and count as nulls.",) if lost else ()
