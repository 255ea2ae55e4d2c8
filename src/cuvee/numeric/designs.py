"""Points of the unit cube for a simulation: plain, antithetic, Latin hypercube and scrambled Sobol, in chunks.

A design is a row of draws that can be gone on with. Draws come in chunks of a size that hangs on the dimension alone,
so that the numbers are the same whoever cuts them into blocks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Method = Literal["plain", "antithetic", "latin", "sobol"]

REPLICATES = 16
"""Independent randomisations of a Latin hypercube or a Sobol sequence: their spread is what tells the error."""
LARGEST = 4_096
"""No Latin hypercube has more draws; by then the error of all that is additive is gone."""
EDGE = 2.0**-54
"""Uniforms lie this far inside (0, 1) at least."""
MOST_DIMENSIONS = 21_201
"""A Sobol sequence has no more. Source: Joe and Kuo (2008)."""
FIRST = 2_048
"""Draws of the first stage, where a precision is asked for; each stage doubles them."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some draws.

    Attributes:
        points: (m, d), in (0, 1).
        replicate: The independent randomisation that they belong to; 0 where there is but one.
        place: The number of the first within its replicate.
    """

    points: Floats
    replicate: int
    place: int


@dataclass(frozen=True, slots=True)
class Design:
    """How draws are spread over the unit cube.

    Attributes:
        method: In the field's word.
        d: Dimensions.
        n: The most draws that are wanted.
        seed: The same seed gives the same draws.
        staged: Whether the draws come in stages that double, and may end with any of them.
    """

    method: Method
    d: int
    n: int
    seed: int
    staged: bool = False

    def totals(self) -> tuple[int, ...]:
        """Draws at the end of each stage, rising; the last is `n`, or what `n` must be rounded up to."""
        if self.method == "antithetic":
            last = self.n + self.n % 2
        elif self.method == "sobol":
            last = REPLICATES << max(0, (-(-self.n // REPLICATES) - 1).bit_length())
        else:
            last = self.n
        if not self.staged:
            return (last,)
        totals = [FIRST << k for k in range(64) if FIRST << k < last]
        if self.method == "latin":
            size = self._latin_size()
            totals = [t // size * size for t in totals if t // size >= REPLICATES]
        return (*dict.fromkeys(totals), last)

    def stage(self, start: int, stop: int) -> Iterator[Chunk]:
        """The draws from one total to a later one."""
        rows = min(8_192, max(64, 2**20 // max(self.d, 1)))
        if self.method == "sobol":
            for replicate in range(REPLICATES):
                yield from self._sobol(replicate, start // REPLICATES, stop // REPLICATES, rows)
        elif self.method == "latin":
            yield from self._latin(start, stop)
        else:
            yield from self._random(start, stop, rows)

    def _generator(self, *key: int) -> Generator:
        return np.random.default_rng(SeedSequence(self.seed, spawn_key=key))

    def _random(self, start: int, stop: int, rows: int) -> Iterator[Chunk]:
        rows -= rows % 2
        for chunk in range(start // rows, -(-stop // rows)):
            first, end = max(start, chunk * rows), min(stop, (chunk + 1) * rows)
            rng = self._generator(0, chunk)
            if self.method == "plain":
                points = rng.random((rows, self.d))
            else:
                half = rng.random((rows // 2, self.d))
                # A draw and its mirror image stand side by side.
                points = np.stack([half, 1 - half], axis=1).reshape(rows, self.d)
            yield Chunk(_inside(points[first - chunk * rows : end - chunk * rows]), 0, first)

    def _latin_size(self) -> int:
        """Draws of one Latin hypercube."""
        if self.staged:
            return int(np.clip(self.n // 64, FIRST // REPLICATES, LARGEST))
        count = max(min(REPLICATES, self.n // 2), -(-self.n // LARGEST), 1)
        return -(-self.n // count)

    def _latin(self, start: int, stop: int) -> Iterator[Chunk]:
        size = self._latin_size()
        for first in range(start, stop, size):
            yield Chunk(self._hypercube(first // size, min(size, stop - first)), first // size, 0)

    def _hypercube(self, replicate: int, size: int) -> Floats:
        """Source: McKay, Beckman and Conover (1979), A comparison of three methods for selecting values of inputs."""
        from scipy.stats.qmc import LatinHypercube

        return _inside(cast("Any", LatinHypercube)(self.d, seed=self._generator(1, replicate)).random(size))

    def _sobol(self, replicate: int, start: int, stop: int, rows: int) -> Iterator[Chunk]:
        """Source: Joe and Kuo (2008) for the directions; Matousek (1998) for the scramble: matrix and shift."""
        from scipy.stats.qmc import Sobol

        engine: Any = cast("Any", Sobol)(self.d, scramble=True, bits=52, seed=self._generator(2, replicate))
        if start:
            engine.fast_forward(start)
        first = start
        while first < stop:
            # The engine warns of a first call for anything but a power of two, though later calls complete it.
            size = 1 if first == 0 else min(rows, stop - first)
            yield Chunk(_inside(engine.random(size)), replicate, first)
            first += size


def _inside(points: Floats) -> Floats:
    return np.clip(points, EDGE, 1 - 2 * EDGE)
