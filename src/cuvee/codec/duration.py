"""Lengths of time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import polars as pl
from numpy.random import Generator

from cuvee.codec.codec import LEAST, Arrays, Codec, Floats, Placed
from cuvee.codec.datetime import CLOCK, clock_unit
from cuvee.codec.number import NumberCodec


@final
@dataclass(frozen=True, slots=True, eq=False)
class DurationCodec(Codec):
    """A Duration column of any unit.

    Attributes:
        inner: The codec of its whole numbers.
    """

    inner: NumberCodec

    kind: ClassVar[str] = "duration"

    @classmethod
    def fit(cls, name: str, series: pl.Series, *, least: int = LEAST) -> Self:
        """Learn a column with at least one value."""
        unit = clock_unit(series.dtype) or 1
        inner = NumberCodec.fit(name, series.to_physical(), least=least, units=tuple(unit * s for s in (1, *CLOCK)))
        return cls(name, series.dtype, inner.masses, inner.missing, inner.notes, inner)

    @property
    def volumes(self) -> Floats:
        return self.inner.volumes

    @property
    def discrete(self) -> bool:
        return self.inner.discrete

    def place(self, series: pl.Series, *, rng: Generator) -> Placed:
        values = series if series.dtype == self.dtype else series.cast(self.dtype, strict=False)
        return self.inner.place(values.to_physical(), rng=rng)

    def values(self, placed: Placed, *, start: int, rng: Generator) -> pl.Series:
        return self.inner.values(placed, start=start, rng=rng).cast(self.dtype)

    def details(self) -> tuple[Mapping[str, Any], Arrays]:
        return self.inner.state()

    @classmethod
    def restored(cls, shared: Mapping[str, Any], values: Mapping[str, Any], arrays: Arrays) -> Self:
        return cls(**shared, inner=NumberCodec.restore(values, arrays))
