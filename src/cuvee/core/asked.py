"""Rows that are asked for: by a condition on all of them, by cells that are given, or both. None is ever wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
import polars as pl
from numpy.random import Generator, SeedSequence

from cuvee.core.method import Method
from cuvee.core.plugins import Learned
from cuvee.core.served import served
from cuvee.data.conditions import ALWAYS, Condition
from cuvee.data.errors import ModelError

TRIES = 12
"""How often rows that miss what only whole rows can show are drawn again before it is given up."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What is asked of rows.

    Attributes:
        condition: What must be true of every row.
        given: Cells that are known, row by row; null where a cell is to be drawn. None for nothing.
        filled: Columns that may not be missing.
        times: So many rows beside each other have the same given cells, and are to be drawn independently.
    """

    condition: Condition = ALWAYS
    given: pl.DataFrame | None = None
    filled: tuple[str, ...] = ()
    times: int = 1

    def __bool__(self) -> bool:
        return self.given is not None or bool(self.filled) or self.condition is not ALWAYS

    def rows(self, start: int, size: int) -> "Asked":
        """What is asked of some of the rows."""
        return self if self.given is None else Asked(self.condition, self.given[start : start + size], self.filled)

    def kept(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows with the cells that are given."""
        given = self.given
        if given is None:
            return frame
        settled = [
            given[c].zip_with(given[c].is_not_null(), frame[c]) if given[c].null_count() else given[c]
            for c in given.columns
        ]
        return frame.with_columns(settled)

    def identity(self) -> dict[str, str]:
        """Text that is another one where something else is asked; nothing where nothing is."""
        if not self:
            return {}
        given = "" if self.given is None else sha256(self.given.write_ipc(None).getvalue()).hexdigest()
        return {"asked": f"{self.condition} | {', '.join(self.filled)} | {given}"}

    def size(self, n: int | None) -> int:
        """How many rows are asked for.

        Raises:
            ModelError: It is not said, or is another number than that of the given rows.
        """
        if n is None and self.given is None:
            raise ModelError("How many rows are wanted is not said; give a number, or rows to fill in (given=).")
        if n is not None and self.given is not None and n != self.given.height:
            raise ModelError(f"{n:,} rows are asked for, and {self.given.height:,} are given; leave the number out.")
        return self.given.height if n is None and self.given is not None else n or 0

    def pick(self, which: np.ndarray) -> "Asked":
        """What is asked of some of the rows."""
        return self if self.given is None else Asked(self.condition, self.given[which], self.filled)


NOTHING = Asked()
"""Nothing is asked."""


def draw_asked(
    learned: Learned, n: int, asked: Asked, *, start: int, seed: SeedSequence
) -> tuple[Mapping[str, pl.DataFrame], Method]:
    """Make n rows that are as asked, every one of them.

    Raises:
        ModelError: There are none, or none were found.
    """
    rng = np.random.default_rng(seed)
    tables, method = as_asked(learned, n, asked, start=start, rng=rng)
    ((name, frame),) = tables.items()
    wrong, drawn, vain = _wrong(learned, frame, asked), n, 0
    while len(wrong):
        times = int(np.clip(4096 // len(wrong), 1, 64))
        rows = np.repeat(np.arange(len(wrong)), times)
        part = asked.pick(wrong[rows])
        fresh = as_asked(learned, len(rows), part, start=start, rng=rng)[0][name]
        fine = np.setdiff1d(np.arange(fresh.height), _wrong(learned, fresh, part))
        mended, first_fine = np.unique(rows[fine], return_index=True)
        frame = _put(frame, wrong[mended], fresh[fine[first_fine]])
        wrong, drawn, vain = np.delete(wrong, mended), drawn + len(rows), 0 if len(mended) else vain + 1
        if vain >= TRIES:
            raise ModelError(
                f"{len(wrong):,} of {n:,} rows could not be made so that {asked.condition} holds, in {drawn:,} tries. "
                "The model knows rows that meet each part of it, but hardly any that meet all. Drop a part of it."
            )
    if drawn > n:
        frame = asked.kept(learned.numbered(frame, start=start, rng=rng))
    return {name: frame}, replace(method, drawn=method.drawn + (drawn - n) / max(n, 1))


def as_asked(
    learned: Learned, n: int, asked: Asked, *, start: int, rng: Generator
) -> tuple[Mapping[str, pl.DataFrame], Method]:
    """Make n rows that are as asked, as far as the model can, by itself or as others are served.

    Raises:
        ModelError: There are none, or none were found.
    """
    own = learned.sample_asked(n, asked, start=start, rng=rng)
    return served(learned, n, asked, start=start, rng=rng) if own is None else own


def _wrong(learned: Learned, frame: pl.DataFrame, asked: Asked) -> np.ndarray:
    """(k,), the rows that are not as asked, or break what holds in every row."""
    true = asked.condition.truth(frame).fill_null(value=False)
    for column in asked.filled:
        true &= frame[column].is_not_null()
    return np.union1d(np.flatnonzero(~true.to_numpy()), learned.broken(frame))


def _put(frame: pl.DataFrame, rows: np.ndarray, fresh: pl.DataFrame) -> pl.DataFrame:
    """The frame with some rows replaced."""
    place = np.arange(frame.height)
    place[rows] = frame.height + np.arange(len(rows))
    return pl.concat([frame, fresh])[place]
