"""What holds in all rows together: repeats are drawn again, and values are put in order."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.random import SeedSequence

from cuvee.core.asked import Asked, draw_asked
from cuvee.core.plugins import Constraint, Learned
from cuvee.core.sampling import BLOCK
from cuvee.data.errors import ModelError

TRIES = 40
"""How often rows that repeat others are drawn again before it is given up."""
FAR = 2**40
"""The blocks of rows drawn again are numbered from here on, so that they are none of the blocks drawn at first."""


def settled(
    learned: Learned,
    across: Sequence[Constraint],
    blocks: Iterable[Mapping[str, pl.DataFrame]],
    n: int,
    *,
    asked: Asked,
    seed: int,
) -> Iterator[Mapping[str, pl.DataFrame]]:
    """Blocks of rows in which constraints across rows hold; all rows are held in memory.

    Raises:
        ModelError: There are not enough different rows.
    """
    made = list(blocks)
    name = next(iter(made[0]))
    frame = pl.concat([b[name] for b in made])
    for constraint in across:
        frame = constraint.settle(frame)
    for attempt in range(TRIES):
        wrong = _wrong(across, frame)
        if not len(wrong):
            break
        part = asked.pick(wrong)
        sequence = SeedSequence(seed, spawn_key=(FAR + attempt,))
        rng = np.random.default_rng(sequence)
        if asked:
            fresh = draw_asked(learned, len(wrong), part, start=0, seed=sequence)[0][name]
        else:
            fresh = learned.sample(len(wrong), start=0, rng=rng)[name]
        place = np.arange(n)
        place[wrong] = n + np.arange(len(wrong))
        frame = pl.concat([frame, fresh])[place]
        frame = asked.kept(learned.numbered(frame, start=0, rng=rng))
        for constraint in across:
            frame = constraint.settle(frame)
    wrong = _wrong(across, frame)
    if len(wrong):
        broken = next(c for c in across if not c.truth(frame, None).fill_null(value=True).all())
        raise ModelError(
            f"{len(wrong):,} of {n:,} rows still break {str(broken)!r} after they were drawn again {TRIES} times. The "
            "model has too few different rows of this kind; ask for fewer rows, or drop the constraint."
        )
    for start in range(0, max(n, 1), BLOCK):
        yield {name: frame[start : start + BLOCK]}


def _wrong(across: Sequence[Constraint], frame: pl.DataFrame) -> np.ndarray:
    """(k,), the rows that are one too many."""
    fine = np.ones(frame.height, np.bool_)
    for constraint in across:
        fine &= constraint.truth(frame, None).fill_null(value=True).to_numpy()
    return np.flatnonzero(~fine)
