"""Ids: never copied, made anew in the same form, and unique however many rows are made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.codec import LEAST, Arrays, Codec, Placed, masses_of, null_places
from cuvee.codec.pattern import Patterns, learn_patterns
from cuvee.codec.scale import integer_range
from cuvee.data.errors import ModelError
from cuvee.numeric.permutation import LARGEST, permuted

DENSE = 2.0
"""Whole numbers are a counter when their range is at most this many times their number: half of a counter is one."""


@dataclass(frozen=True, slots=True)
class Counter:
    """Ids that count on: a prefix, then a number, filled up with zeros to `width` places."""

    first: int
    prefix: str = ""
    width: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """Whole numbers anywhere between two round numbers, in the order of a permutation; then those that follow."""

    low: int
    size: int
    key: int


@final
@dataclass(frozen=True, slots=True, eq=False)
class IdentifierCodec(Codec):
    """An id column of text or whole numbers.

    A counter goes on where it ended; other ids are written after the patterns of the real ones. Row `start + i` has the
    same id in every sample of the model, so blocks that are made apart never share one.

    Attributes:
        maker: How ids are made.
        wraps: Whether ids may repeat once all of the form are used up, as phone numbers may; else more are refused.
    """

    maker: Counter | Span | Patterns
    wraps: bool = False

    kind: ClassVar[str] = "identifier"
    informative: ClassVar[bool] = False

    @classmethod
    def fit(
        cls,
        name: str,
        series: pl.Series,
        *,
        key: int,
        least: int = LEAST,
        role: str | None = None,
        wraps: bool = False,
    ) -> Self:
        """Learn the form of a column's ids.

        Args:
            name: The column.
            series: Text, or whole numbers of any size; at least one value.
            key: What the order of made ids depends on.
            least: The fewest rows that a form must have in common.
            role: What the ids say of a person, for the note.
            wraps: Whether ids may repeat once all of the form are used up.
        """
        present = series.drop_nulls()
        nulls = series.null_count()
        maker = (
            _numbers(present, key, least)
            if series.dtype.is_integer()
            else _codes(name, present.cast(pl.String), key, least)
        )
        form = {
            "Counter": "counted on",
            "Span": "drawn from numbers of as many digits",
            "Patterns": "made after their pattern",
        }
        what = "ids" if role is None else f"values of role {role}"
        notes = [f"Column {name!r}: its {what} are not copied but {form[type(maker).__name__]}."]
        if present.n_unique() < len(present):
            notes.append(
                f"Column {name!r}: {len(present) - present.n_unique():,} rows repeat an id; made ids do not repeat."
            )
        counts = np.array([nulls, len(present)] if nulls else [len(present)], np.float64)
        return cls(name, series.dtype, masses_of(counts), int(nulls > 0), tuple(notes), maker, wraps)

    @property
    def room(self) -> int:
        """How many rows can be given different ids."""
        if isinstance(self.maker, Patterns):
            return self.maker.room
        if isinstance(self.maker, Span):
            return integer_range(self.dtype)[1] - self.maker.low + 1
        return integer_range(self.dtype)[1] - self.maker.first + 1 if self.dtype.is_integer() else LARGEST

    def place(self, series: pl.Series, *, rng: Generator) -> Placed:
        return null_places(series, self.missing, rng=rng)

    def values(self, placed: Placed, *, start: int, rng: Generator) -> pl.Series:
        del rng
        n = len(placed.codes)
        if start + n > self.room and not self.wraps:
            raise ModelError(
                f"Column {self.name!r} ({self.dtype}) has room for {self.room:,} different ids of its form, and row "
                f"{start + n:,} was asked for. Ask for fewer rows, or leave the column out of the fit."
            )
        ids = self.made(np.arange(start, start + n))
        if self.missing:
            ids = ids.zip_with(pl.Series(placed.codes > 0), pl.Series([None], dtype=self.dtype).new_from_index(0, n))
        return ids.rename(self.name)

    def made(self, rows: NDArray[np.int64]) -> pl.Series:
        """The ids of rows, or of persons, by their numbers, (n,): the same for the same number."""
        return self._ids(rows % min(self.room, 2**63 - 1)).cast(self.dtype)

    def _ids(self, rows: NDArray[np.int64]) -> pl.Series:
        maker = self.maker
        if isinstance(maker, Patterns):
            return maker.write(rows)
        if isinstance(maker, Span):
            inside = permuted(np.minimum(rows, maker.size - 1), maker.size, key=maker.key)
            return _shifted(np.where(rows < maker.size, inside, rows), maker.low)
        numbers = _shifted(rows, maker.first)
        if self.dtype.is_integer():
            return numbers
        return maker.prefix + numbers.cast(pl.String).str.zfill(maker.width)

    def details(self) -> tuple[Mapping[str, Any], Arrays]:
        maker = self.maker
        if isinstance(maker, Patterns):
            return {"form": "patterns", "wraps": self.wraps, **maker.to_json()}, {}
        if isinstance(maker, Span):
            return {
                "form": "span",
                "wraps": self.wraps,
                "low": str(maker.low),
                "size": str(maker.size),
                "key": maker.key,
            }, {}
        counter = {"first": str(maker.first), "prefix": maker.prefix, "width": maker.width}
        return {"form": "counter", "wraps": self.wraps, **counter}, {}

    @classmethod
    def restored(cls, shared: Mapping[str, Any], values: Mapping[str, Any], arrays: Arrays) -> Self:
        del arrays
        maker: Counter | Span | Patterns
        if values["form"] == "patterns":
            maker = Patterns.from_json(values)
        elif values["form"] == "span":
            maker = Span(int(values["low"]), int(values["size"]), int(values["key"]))
        else:
            maker = Counter(int(values["first"]), str(values["prefix"]), int(values["width"]))
        return cls(**shared, maker=maker, wraps=bool(values.get("wraps", False)))


def substitutes(name: str, values: pl.Series, *, key: int) -> pl.Series:
    """Made-up ids in the place of real ones, (n,): of the same form, different, and in an order that tells nothing.

    Args:
        name: The column.
        values: Different real ids, of text or whole numbers, each of enough rows to be kept: so is the form of each.
        key: A secret number; the same gives the same ids.
    """
    if values.dtype.is_integer():
        codec = IdentifierCodec.fit(name, values, key=key, least=1)
        return _others(codec.made(np.arange(min(codec.room, 2 * len(values) + 64))), values, key)
    # Each id is given one of its own form: its length, and its signs that are neither letter nor digit.
    table = pl.DataFrame({"id": values.cast(pl.String)}).with_row_index()
    table = table.with_columns(pl.col("id").str.replace_all(r"[\p{L}\p{N}]", "a").alias("form"))
    parts: list[pl.DataFrame] = []
    for turn, group in enumerate(table.partition_by("form", maintain_order=True)):
        learned = learn_patterns(group["id"], least=1, key=key)
        made = pl.Series([], dtype=pl.String)
        if learned is not None:
            pattern = learned.patterns[0]
            index = np.arange(min(pattern.space, 2 * group.height + 64))
            made = pl.Series(pattern.write(index, key=key + turn), dtype=pl.String)
        if len(made) < group.height:
            made = pl.Series([f"{name}-{turn}-{j + 1}" for j in range(group.height)])
        parts.append(group.select("index", _others(made, group["id"], key).alias("made")))
    return pl.concat(parts).sort("index")["made"]


def _others(made: pl.Series, values: pl.Series, key: int) -> pl.Series:
    """As many of the made ids as there are real ones, shuffled, without the real ones as far as there are others."""
    real = made.is_in(values.implode())
    # A short form, such as one letter, leaves too few; then real ids stand for one another.
    made = pl.concat([made.filter(~real), made.filter(real)]).head(len(values))
    return made.gather(np.random.default_rng(key).permutation(len(values)))


def _shifted(numbers: NDArray[np.int64], first: int) -> pl.Series:
    """Numbers counted from `first`, in 64 bits where they fit."""
    if -(2**62) < first < 2**62:
        return pl.Series(numbers + first)
    wide = pl.UInt128 if first >= 2**126 else pl.Int128
    return pl.select(pl.lit(pl.Series(numbers).cast(wide)) + pl.lit(first, dtype=wide)).to_series()


def _above(high: int) -> int:
    """The next number after the largest id that is round in its first digit: the largest itself is one row's."""
    unit = 10 ** max(len(str(abs(high))) - 1, 1)
    return (high // unit + 1) * unit


def _numbers(present: pl.Series, key: int, fewest: int) -> Counter | Span:
    """A counter where the numbers leave few gaps, else a span between powers of ten."""
    low, high = int(str(present.min())), int(str(present.max()))
    least, most = integer_range(present.dtype)
    if (
        len(present) >= fewest
        and high - low + 1 <= DENSE * present.n_unique()
        and most - _above(high) > 10 * len(present)
    ):
        return Counter(_above(high))
    digits = max(len(str(abs(low))), len(str(abs(high))))
    start = -(10**digits) if low < 0 else 10 ** (len(str(low)) - 1) if low >= 10 else 0
    start, stop = max(start, least), min(10**digits, most + 1)
    return Span(start, min(stop - start, LARGEST), key)


def _codes(name: str, present: pl.Series, key: int, least: int) -> Counter | Patterns:
    """A counter where codes are a fixed beginning and running numbers, else patterns, else the name and a number."""
    parts = present.str.extract_groups(r"^(\D*)(\d{1,18})$").struct.unnest()
    prefix, digits = parts.to_series(0), parts.to_series(1)
    if digits.null_count() == 0 and prefix.n_unique() == 1 and len(present) >= least:
        numbers = digits.cast(pl.Int64)
        low, high = int(str(numbers.min())), int(str(numbers.max()))
        if high - low + 1 <= DENSE * numbers.n_unique():
            filled = bool(digits.str.starts_with("0").any())
            width = int(digits.str.len_chars().mode().sort()[0]) if filled else 0
            return Counter(_above(high), str(prefix[0]), width)
    return learn_patterns(present, least=least, key=key) or Counter(1, f"{name}-")
