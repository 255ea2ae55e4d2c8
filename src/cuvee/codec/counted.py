"""Sets of strings that are counted and numbered without being written down: lists, sequences and choices."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

TABLE = 1024
"""Parts that have no more strings than this are looked up in one list."""

Numbers = NDArray[np.int64] | NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Words:
    """One of a list of strings: a letter, a class of letters, or short parts taken together."""

    words: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.words)

    @property
    def longest(self) -> int:
        """The length of the longest string; at least 1, so that repeats of nothing count as well."""
        return max(map(len, self.words)) or 1

    def write(self, numbers: Numbers) -> NDArray[np.object_]:
        return np.array(self.words, object)[numbers.astype(np.int64)]


@dataclass(frozen=True, slots=True)
class Joined:
    """Parts one after the other; the last one changes first, as in a number."""

    parts: "tuple[Part, ...]"
    size: int
    longest: int

    def write(self, numbers: Numbers) -> NDArray[np.object_]:
        left, pieces = narrowed(numbers, self.size), list[NDArray[np.object_]]()
        for part in reversed(self.parts):
            pieces.append(part.write(left % part.size))
            left = left // part.size
        return np.array(list(map("".join, zip(*reversed(pieces), strict=True))), object)


@dataclass(frozen=True, slots=True)
class Choice:
    """Any of the parts; the strings of the first one come first."""

    parts: "tuple[Part, ...]"
    starts: tuple[int, ...]
    size: int
    longest: int

    def write(self, numbers: Numbers) -> NDArray[np.object_]:
        left = narrowed(numbers, self.size)
        which = np.searchsorted(np.array(self.starts, left.dtype), left, side="right") - 1
        result = np.empty(len(left), object)
        for j in np.unique(which).tolist():
            rows = np.flatnonzero(which == j)
            result[rows] = self.parts[j].write(left[rows] - self.starts[j])
        return result


Part = Words | Joined | Choice
EMPTY = Words(("",))
"""Nothing, in one way."""


def then(first: Part, second: Part) -> Part:
    """Both parts, one after the other; where two short lists of words meet they become one."""
    before = first.parts if isinstance(first, Joined) else (first,)
    after = second.parts if isinstance(second, Joined) else (second,)
    left, right = before[-1], after[0]
    if isinstance(left, Words) and isinstance(right, Words) and left.size * right.size <= TABLE:
        both = Words(tuple(a + b for a in left.words for b in right.words))
        before, after = before[:-1], (both, *after[1:])
    parts = before + after
    return parts[0] if len(parts) == 1 else Joined(parts, first.size * second.size, first.longest + second.longest)


def either(parts: Sequence[Part]) -> Part:
    """Any of the parts, one behind the other."""
    size = sum(p.size for p in parts)
    words = [p.words for p in parts if isinstance(p, Words)]
    if len(parts) == 1:
        return parts[0]
    if len(words) == len(parts) and size <= TABLE:
        return Words(tuple(w for some in words for w in some))
    starts = tuple(accumulate((p.size for p in parts[:-1]), initial=0))
    return Choice(tuple(parts), starts, size, max(p.longest for p in parts))


def repeated(part: Part, least: int, most: int) -> Part:
    """The part several times, the fewest times first."""
    powers = [EMPTY, *accumulate([part] * most, then)]
    return either(powers[least:])


def within(numbers: Numbers | Sequence[int], size: int) -> Numbers:
    """Numbers as an array, of Python's whole numbers where 64 bits are too few."""
    # Anything but signed numbers of numpy goes through Python's, which are looked at before they are cut to 64 bits.
    given: NDArray[Any]
    if isinstance(numbers, np.ndarray) and numbers.dtype.kind == "i":
        given = numbers.astype(np.int64, copy=False)
    else:
        given = np.array(list(map(index, numbers)), object)
    if len(given) and (given.min() < 0 or given.max() >= size):
        raise ValueError(f"A number is outside 0 ... {size - 1}.")
    return narrowed(given if size < 2**63 else given.astype(object), size)


def narrowed(numbers: Numbers, size: int) -> Numbers:
    """Numbers below a size, in 64 bits where they fit."""
    return numbers.astype(np.int64, copy=False) if size < 2**63 else numbers
