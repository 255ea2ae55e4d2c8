"""Columns that are not modelled: they come out empty, and say so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator

from cuvee.codec.codec import Arrays, Codec, Placed


@final
@dataclass(frozen=True, slots=True, eq=False)
class OpaqueCodec(Codec):
    """A column of nulls: what came as lists, structs, bytes, images, or had no value at all."""

    kind: ClassVar[str] = "opaque"
    informative: ClassVar[bool] = False

    @classmethod
    def fit(cls, name: str, series: pl.Series) -> Self:
        """Remember the dtype."""
        empty = series.null_count() == len(series)
        why = "has no values" if empty else f"({series.dtype.__class__.__name__}) is not modelled"
        return cls(name, series.dtype, np.ones(1), 1, (f"Column {name!r} {why}; it comes out as nulls.",))

    def place(self, series: pl.Series, *, rng: Generator) -> Placed:
        return Placed(np.zeros(len(series), np.int64), rng.random(len(series)))

    def values(self, placed: Placed, *, start: int, rng: Generator) -> pl.Series:
        del start, rng
        return pl.Series(self.name, [None], dtype=self.dtype).new_from_index(0, len(placed.codes))

    def details(self) -> tuple[Mapping[str, Any], Arrays]:
        return {}, {}

    @classmethod
    def restored(cls, shared: Mapping[str, Any], values: Mapping[str, Any], arrays: Arrays) -> Self:
        del values, arrays
        return cls(**shared)
