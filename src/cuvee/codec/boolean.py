"""Yes and no."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator

from cuvee.codec.codec import Arrays, Codec, Placed, masses_of


@final
@dataclass(frozen=True, slots=True, eq=False)
class BooleanCodec(Codec):
    """A Boolean column: null, false, true. Both values are always known, so that neither gives a row away."""

    kind: ClassVar[str] = "boolean"

    @classmethod
    def fit(cls, name: str, series: pl.Series) -> Self:
        """Learn a column with at least one value."""
        nulls, yes = series.null_count(), int(series.sum())
        counts = np.array([*([nulls] if nulls else []), len(series) - nulls - yes, yes], np.float64)
        return cls(name, series.dtype, masses_of(counts), int(nulls > 0), ())

    def place(self, series: pl.Series, *, rng: Generator) -> Placed:
        values = series.cast(pl.Int64, strict=False)
        codes = (values + self.missing).fill_null(0).to_numpy().astype(np.int64)
        return Placed(codes, rng.random(len(series)))

    def values(self, placed: Placed, *, start: int, rng: Generator) -> pl.Series:
        del start, rng
        table = pl.Series(self.name, [*([None] if self.missing else []), False, True], dtype=pl.Boolean)
        return table.gather(placed.codes)

    def details(self) -> tuple[Mapping[str, Any], Arrays]:
        return {}, {}

    @classmethod
    def restored(cls, shared: Mapping[str, Any], values: Mapping[str, Any], arrays: Arrays) -> Self:
        del values, arrays
        return cls(**shared)
