"""Categories of any dtype and any number: kept values as atoms, rare ones given up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, ClassVar, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.codec import LEAST, Arrays, Codec, Placed, masses_of, random_places, rows_in_words


@final
@dataclass(frozen=True, slots=True, eq=False)
class CategoryCodec(Codec):
    """A category column: one atom for every value that enough rows share.

    The rows of rarer values are spread over the kept ones in proportion. Where no value is kept, the levels of an Enum
    stand in (they are part of the dtype), else placeholders: the column's name and a number, or whole numbers.

    Attributes:
        levels: (m - missing,), the kept values, in the order of the cells; of the column's dtype.
        digests: (m - missing,), the real values that made-up levels stand for, as digests; None where levels are real.
    """

    levels: pl.Series
    digests: tuple[str, ...] | None = None

    kind: ClassVar[str] = "category"
    ordered: ClassVar[bool] = False

    @classmethod
    def fit(cls, name: str, series: pl.Series, *, least: int = LEAST) -> Self:
        """Learn a column with at least one value."""
        plain = plain_values(series)
        nulls = plain.null_count()
        tally = plain.drop_nulls().rename("value").value_counts(name="count").sort("value")
        counts = tally["count"].to_numpy().astype(np.float64)
        kept = counts >= least
        rare = int(counts[~kept].sum())
        notes: tuple[str, ...] = ()
        if kept.any():
            levels, counts_kept = (
                tally["value"].filter(pl.Series(kept)),
                counts[kept] * (counts.sum() / counts[kept].sum()),
            )
            if rare:
                lost = rows_in_words(int((~kept).sum()), "value")
                notes = (
                    f"Column {name!r}: {lost} that fewer than {least} rows share ({rows_in_words(rare)}) left out.",
                )
        else:
            levels = _placeholders(name, series.dtype, plain.dtype, distinct=len(counts), rows=rare, least=least)
            counts_kept = np.full(len(levels), rare / len(levels))
            notes = (f"Column {name!r}: no value is shared by {least} rows, so placeholders stand for its values.",)
        both = np.r_[[float(nulls)] if nulls else [], counts_kept]
        return cls(
            name, series.dtype, masses_of(both), int(nulls > 0), notes, _typed(levels, series.dtype).rename(name)
        )

    def reordered(self, order: NDArray[np.int64]) -> Self:
        """The same codec with its values in another order.

        Args:
            order: (m - missing,), the present places of the values in their new order.
        """
        masses = np.r_[self.masses[: self.missing], self.masses[self.missing :][order]]
        digests = None if self.digests is None else tuple(self.digests[j] for j in order.tolist())
        return replace(self, masses=masses, levels=self.levels.gather(order), digests=digests)

    def disguised(self, substitutes: pl.Series, note: str) -> Self:
        """The same codec that writes other values in the place of the real ones, of which only digests are kept.

        Args:
            substitutes: (m - missing,), different values of the column's dtype.
            note: What was done, in a sentence.
        """
        return replace(
            self,
            levels=substitutes.cast(self.dtype).rename(self.name),
            digests=tuple(_digests(plain_values(self.levels))),
            notes=(*self.notes, note),
        )

    def place(self, series: pl.Series, *, rng: Generator) -> Placed:
        levels, values = plain_values(self.levels), plain_values(series)
        if self.digests is not None:
            levels, values = pl.Series(self.digests, dtype=pl.String), _digested(values)
        table = pl.DataFrame({"value": levels, "code": np.arange(len(levels)) + self.missing})
        found = pl.DataFrame({"value": values.cast(levels.dtype, strict=False)}).join(
            table, on="value", how="left", maintain_order="left"
        )["code"]
        known = found.is_not_null().to_numpy()
        codes = found.fill_null(0).to_numpy().astype(np.int64)
        if self.missing:
            known = known | plain_values(series).is_null().to_numpy()
        others = np.flatnonzero(~known)
        if len(others):
            codes[others] = random_places(self.masses, len(others), rng=rng).codes
        return Placed(codes, rng.random(len(series)), known)

    def values(self, placed: Placed, *, start: int, rng: Generator) -> pl.Series:
        del start, rng
        table = self.levels
        if self.missing:
            table = pl.concat([pl.Series([None], dtype=self.dtype), self.levels])
        return table.gather(placed.codes).rename(self.name)

    def details(self) -> tuple[Mapping[str, Any], Arrays]:
        return {"levels": plain_values(self.levels).to_list(), "digests": self.digests and list(self.digests)}, {}

    @classmethod
    def restored(cls, shared: Mapping[str, Any], values: Mapping[str, Any], arrays: Arrays) -> Self:
        del arrays
        dtype: pl.DataType = shared["dtype"]
        levels: Sequence[Any] = values["levels"]
        plain = pl.Series(levels, dtype=plain_values(pl.Series([], dtype=dtype)).dtype)
        kept = values.get("digests")
        digests = None if kept is None else tuple(kept)
        return cls(**shared, levels=_typed(plain, dtype).rename(shared["name"]), digests=digests)


def _digests(plain: pl.Series) -> list[str]:
    """What tells values apart without being them."""
    return [blake2b(str(v).encode(), digest_size=8).hexdigest() for v in plain.to_list()]


def _digested(plain: pl.Series) -> pl.Series:
    """The digests of values, each value read once; null for null."""
    different = plain.drop_nulls().unique(maintain_order=True)
    table = pl.DataFrame({"value": different, "digest": pl.Series(_digests(different), dtype=pl.String)})
    return pl.DataFrame({"value": plain}).join(table, on="value", how="left", maintain_order="left")["digest"]


def plain_values(series: pl.Series) -> pl.Series:
    """The values as text, 64-bit integers or floats, which JSON and joins know; NaN becomes null."""
    dtype = series.dtype
    if isinstance(dtype, (pl.Enum, pl.Categorical, pl.Decimal)) or str(dtype) in {"Int128", "UInt128", "UInt64"}:
        return series.cast(pl.String)
    if dtype.is_temporal():
        return series.to_physical().cast(pl.Int64)
    if dtype.is_integer() or dtype == pl.Boolean:
        return series.cast(pl.Int64)
    if dtype.is_float():
        return series.cast(pl.Float64).fill_nan(None)
    return series.cast(pl.String)


def _typed(plain: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Plain values as the dtype again."""
    if dtype == pl.Date:
        return plain.cast(pl.Int32).cast(dtype)
    return plain.cast(dtype)


def _placeholders(
    name: str, dtype: pl.DataType, plain: pl.DataType, *, distinct: int, rows: int, least: int
) -> pl.Series:
    if isinstance(dtype, pl.Enum):
        return dtype.categories.cast(pl.String)
    size = min(distinct, max(rows // least, 1))
    if plain == pl.String and (dtype == pl.String or isinstance(dtype, pl.Categorical)):
        return pl.Series([f"{name}-{j + 1}" for j in range(size)], dtype=pl.String)
    return pl.Series(range(size), dtype=pl.Int64).cast(plain)
