"""How codes are written, learned letter by letter: which letters may stand where, never which code was seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.numeric.permutation import LARGEST, mixed, permuted

DIGITS, LOWER, UPPER = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CLASSES = (DIGITS, LOWER, UPPER, "0123456789abcdef", "0123456789ABCDEF", DIGITS + LOWER, DIGITS + UPPER, LOWER + UPPER)
"""What a place may hold, narrow to wide; the widest is all of them together."""
ROOM = 100
"""A pattern is widened until it has room for this many times the rows it was learned from."""
PATTERNS = 32
"""No more patterns than this a column: the most common ones."""
SLOTS = 1024
"""Rows are dealt to the patterns in rounds of this many, so that any block of rows can be made alone."""
LONGEST = 64
"""Longer codes are not patterns."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Codes of one length: for every place the letters that may stand there; one letter where it never changes."""

    places: tuple[str, ...]

    @property
    def space(self) -> int:
        """How many different codes there are."""
        return prod(len(letters) for letters in self.places)

    def write(self, index: NDArray[np.int64], *, key: int) -> list[str]:
        """The codes of indices, (n,): different ones for different indices."""
        free = [j for j, letters in enumerate(self.places) if len(letters) > 1]
        # The first places number the code; those beyond 2^60 are filled at random and can't make two codes equal.
        counted, space = 0, 1
        while counted < len(free) and space * len(self.places[free[counted]]) <= LARGEST:
            space *= len(self.places[free[counted]])
            counted += 1
        number = permuted(index, space, key=key)
        letters = np.empty((len(index), len(self.places)), np.uint32)
        for j, choice in enumerate(self.places):
            letters[:, j] = ord(choice[0])
        for turn, j in enumerate(free):
            choice = np.array([ord(c) for c in self.places[j]], np.uint32)
            if turn < counted:
                number, digit = number // len(choice), number % len(choice)
            else:
                digit = (mixed(index.astype(np.uint64), key + 104_729 * (turn + 1)) % np.uint64(len(choice))).astype(
                    np.int64
                )
            letters[:, j] = choice[digit]
        return np.ascontiguousarray(letters).view(f"U{len(self.places)}").ravel().tolist()


@dataclass(frozen=True, slots=True)
class Patterns:
    """The patterns of a column.

    Attributes:
        patterns: All have different codes: they differ in length or in a sign that is neither letter nor digit.
        slots: How many of `SLOTS` rows each gets.
        key: What the order of codes depends on.
    """

    patterns: tuple[Pattern, ...]
    slots: tuple[int, ...]
    key: int

    @property
    def room(self) -> int:
        """How many rows can be given different codes."""
        return min((p.space // s) * SLOTS for p, s in zip(self.patterns, self.slots, strict=True))

    def write(self, rows: NDArray[np.int64]) -> pl.Series:
        """Codes of rows by their numbers, (n,); no two equal within the first `room` rows."""
        n = len(rows)
        turn, slot = rows // SLOTS, rows % SLOTS
        dealt = np.random.default_rng(self.key).permutation(np.repeat(np.arange(len(self.slots)), self.slots))
        within = np.zeros(SLOTS, np.int64)
        for j, size in enumerate(self.slots):
            within[dealt == j] = np.arange(size)
        codes = np.empty(n, dtype=object)
        for j, (pattern, size) in enumerate(zip(self.patterns, self.slots, strict=True)):
            mine = np.flatnonzero(dealt[slot] == j)
            codes[mine] = pattern.write(turn[mine] * size + within[slot[mine]], key=self.key + j)
        return pl.Series(codes.tolist(), dtype=pl.String)

    def to_json(self) -> dict[str, Any]:
        """The patterns as JSON values."""
        return {"patterns": [list(p.places) for p in self.patterns], "slots": list(self.slots), "key": self.key}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        patterns = tuple(Pattern(tuple(places)) for places in values["patterns"])
        return cls(patterns, tuple(int(s) for s in values["slots"]), int(values["key"]))


def learn_patterns(codes: pl.Series, *, least: int, key: int) -> Patterns | None:
    """The patterns of a column of codes without nulls; None where no form is shared by enough rows."""
    # Letters and digits are what changes; every other sign stands still and tells the patterns apart.
    form = codes.str.replace_all(r"[\p{L}\p{N}]", "a")
    table = pl.DataFrame({"code": codes, "form": form}).filter(pl.col("form").str.len_chars().is_between(1, LONGEST))
    tally = (
        table["form"]
        .value_counts(name="rows")
        .filter(pl.col("rows") >= least)
        .sort(["rows", "form"], descending=[True, False])
    )
    tally = tally.head(PATTERNS)
    if tally.height == 0:
        return None
    patterns: list[Pattern] = []
    for shape in tally["form"].to_list():
        texts = table.filter(pl.col("form") == shape)["code"].to_numpy().astype(f"U{len(shape)}")
        letters = texts.view(np.uint32).reshape(len(texts), len(shape))
        patterns.append(_widened(Pattern(tuple(_letters(letters[:, j], least) for j in range(len(shape)))), len(texts)))
    return Patterns(tuple(patterns), _dealt(tally["rows"].to_numpy().astype(np.float64)), key)


def _letters(column: NDArray[np.uint32], least: int) -> str:
    """What may stand at one place: what was seen often, or the class of signs that holds all that was seen."""
    signs, counts = np.unique(column, return_counts=True)
    seen = "".join(chr(c) for c in signs)
    if counts.min() >= least:
        return seen
    return _class_of(seen)


def _class_of(seen: str) -> str:
    """The narrowest class of signs that holds what was seen; signs of no class are given up."""
    known = {c for c in seen if c in DIGITS + LOWER + UPPER}
    if not known:
        return LOWER if seen[0].isalpha() else seen[0]
    return next((letters for letters in CLASSES if known <= set(letters)), DIGITS + LOWER + UPPER)


def _widened(pattern: Pattern, rows: int) -> Pattern:
    """The pattern with wider places, from the last on, until it has room for many more rows."""
    places = list(pattern.places)
    for widen_all in (False, True):
        for j in range(len(places) - 1, -1, -1):
            if Pattern(tuple(places)).space >= ROOM * rows:
                return Pattern(tuple(places))
            if (widen_all or len(places[j]) > 1) and places[j][0].isalnum():
                places[j] = _class_of(places[j])
    return Pattern(tuple(places))


def _dealt(rows: NDArray[np.float64]) -> tuple[int, ...]:
    """How many of `SLOTS` rows each pattern gets: in proportion, at least one, by largest remainder."""
    exact = rows / rows.sum() * (SLOTS - len(rows))
    slots = np.floor(exact).astype(np.int64) + 1
    rest = SLOTS - int(slots.sum())
    slots[np.argsort(-(exact - np.floor(exact)), kind="stable")[:rest]] += 1
    return tuple(slots.tolist())
