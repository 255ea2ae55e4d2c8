"""Rows that are asked for: by a condition on all of them, by cells that are given, or both. None is ever wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import polars as pl
from numpy.random import Generator, SeedSequence

from cuvee.core.plugins import Learned
from cuvee.data.conditions import ALWAYS, Condition
from cuvee.data.errors import ModelError

TRIES = 12
"""How often rows that miss what only whole rows can show are drawn again before it is given up."""
SEARCH = 400
"""A synthesizer that can't draw by a condition draws at most this many rows for each one asked."""
LEAST = 20_000
"""And at least this many before it gives up."""


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


@dataclass(frozen=True, slots=True)
class Method:
    """How what was asked was met.

    Attributes:
        name: "exact" (drawn so), or "searched" (drawn, and looked through).
        effective: The share of candidates that a row was chosen from: 1 where each was as good as any other.
        drawn: Rows drawn for each row returned.
    """

    name: str
    effective: float
    drawn: float

    def __str__(self) -> str:
        if self.name == "searched":
            return f"looked for: {self.drawn:,.1f} rows drawn for each one kept"
        return f"drawn as asked: candidates were worth {self.effective:.0%} of their number"

    @classmethod
    def of_all(cls, methods: "list[Method]") -> "Method":
        """What stands for several blocks: the means."""
        n = len(methods)
        return cls(methods[0].name, sum(m.effective for m in methods) / n, sum(m.drawn for m in methods) / n)


def draw_asked(
    learned: Learned, n: int, asked: Asked, *, start: int, seed: SeedSequence
) -> tuple[Mapping[str, pl.DataFrame], Method]:
    """Make n rows that are as asked, every one of them.

    Raises:
        ModelError: There are none, or none were found.
    """
    rng = np.random.default_rng(seed)
    first = learned.sample_asked(n, asked, start=start, rng=rng)
    if first is None:
        return _searched(learned, n, asked, start=start, rng=rng)
    (name, frame), effective = next(iter(first[0].items())), first[1]
    wrong, drawn, vain = _wrong(learned, frame, asked), n, 0
    while len(wrong):
        times = int(np.clip(4096 // len(wrong), 1, 64))
        rows = np.repeat(np.arange(len(wrong)), times)
        part = asked.pick(wrong[rows])
        again = learned.sample_asked(len(rows), part, start=start, rng=rng)
        fresh = frame[:0] if again is None else again[0][name]
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
    return {name: frame}, Method("exact", effective, drawn / max(n, 1))


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


def _searched(
    learned: Learned, n: int, asked: Asked, *, start: int, rng: Generator
) -> tuple[Mapping[str, pl.DataFrame], Method]:
    """Rows of a synthesizer that can't draw by a condition: those of many that meet it."""
    if asked.given is not None:
        name = type(learned).__name__.removesuffix("Learned").lower()
        raise ModelError(
            f"A model of {name!r} can't fill in rows that are given in part. `cuvee models` lists those that can with "
            "'given'."
        )
    found: list[Mapping[str, pl.DataFrame]] = []
    have = drawn = 0
    while have < n:
        if drawn >= max(SEARCH * n, LEAST):
            raise ModelError(
                f"Of {drawn:,} rows that were drawn, {have:,} meet {asked.condition}, and {n:,} were asked for. This "
                "model can only be looked through; one of 'trees' or 'circuit' draws such rows directly."
            )
        share = max(have, 1) / max(drawn, 1) if drawn else 1.0
        size = int(np.clip((n - have) / share * 1.1 + 64, 256, 65_536))
        made = learned.sample(size, start=start + have, rng=rng)
        (name, frame), *_ = made.items()
        fine = np.setdiff1d(np.arange(size), _wrong(learned, frame, asked))
        found.append({name: frame[fine]})
        have, drawn = have + len(fine), drawn + size
    name = next(iter(found[0]))
    whole = learned.numbered(pl.concat([f[name] for f in found])[:n], start=start, rng=rng)
    return {name: whole}, Method("searched", 1.0, drawn / max(n, 1))
