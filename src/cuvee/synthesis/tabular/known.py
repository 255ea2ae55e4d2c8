"""Rows as asked from an engine that draws codes given codes: what is asked is said in codes, and rows made of them."""

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.core import Asked, Method
from cuvee.data.errors import ModelError
from cuvee.synthesis.tabular.coding import Coding
from cuvee.synthesis.tabular.evidence import Lines, ask, evidence_of, rows_of

Codes = NDArray[np.int32]
Filled = Mapping[int, NDArray[np.float32]]
Draw = Callable[[Codes, Mapping[int, Lines], Filled, Generator], tuple[Codes, float]]
"""From given codes (-1 where open), what else is known by field, and the codes of fields that may not be missing: all
codes, and the share of effective candidates. A ValueError says that there are none."""
DrawWithin = Callable[
    [Codes, NDArray[np.floating], Mapping[int, Lines], Filled, Generator], tuple[Codes, NDArray[np.floating], float]
]
"""The same for an engine that also draws where in its cell a value lies, and is told where given ones do."""


def rows_drawn(
    coding: Coding, n: int, asked: Asked, draw: Draw, *, start: int, rng: Generator
) -> tuple[Mapping[str, pl.DataFrame], Method]:
    """Make n rows that are as asked; see `cuvee.core.Learned.sample_asked`.

    Raises:
        ModelError: There can be no such rows; the message says why.
    """

    def anywhere(
        fixed: Codes, within: NDArray[np.floating], lines: Mapping[int, Lines], filled: Filled, stream: Generator
    ) -> tuple[Codes, NDArray[np.floating], float]:
        del within
        codes, effective = draw(fixed, lines, filled, stream)
        return codes, stream.random(codes.shape), effective

    return rows_drawn_within(coding, n, asked, anywhere, start=start, rng=rng)


def rows_drawn_within(
    coding: Coding, n: int, asked: Asked, draw: DrawWithin, *, start: int, rng: Generator
) -> tuple[Mapping[str, pl.DataFrame], Method]:
    """The same for an engine that also draws where in its cell a value lies.

    Raises:
        ModelError: There can be no such rows; the message says why.
    """
    wanted = ask(asked.condition, coding, rng=rng, filled=asked.filled)
    evidence = evidence_of(wanted, coding, n, asked.given, rng=rng)
    try:
        codes, within, effective = draw(evidence.fixed, evidence.within, evidence.lines, wanted.filled, rng)
    except ValueError as error:
        raise ModelError(f"{error} It was asked that {asked.condition}.") from error
    tables = rows_of(coding, codes, evidence, start=start, rng=rng, within=np.asarray(within, np.float64))
    return {coding.table: asked.kept(tables[coding.table])}, Method(effective=effective)
