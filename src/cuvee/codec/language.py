"""The strings that a regular expression matches as a whole, numbered: how codes of an asked form are made."""

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from hashlib import shake_256
from math import gcd
from typing import Final

from cuvee.codec.counted import EMPTY, Numbers, Part, Words, either, narrowed, repeated, then, within
from cuvee.codec.pattern import DIGITS, LOWER, UPPER
from cuvee.data.errors import SchemaError

WITHOUT_END = 8
"""A repeat without an end goes on for this many: * is {0,8}, + is {1,8} and {m,} is {m,m+8}."""
LONGEST = 1024
"""Expressions that match longer strings, or repeat more often, are refused."""
DEEPEST = 50
"""Groups within groups beyond this many are refused."""
BLOCK = 2**14
"""So many strings are made at a time, that the pieces of long ones fit into memory."""
OTHER: Final = "".join(c for c in map(chr, range(0x20, 0x7F)) if not c.isalnum())
PRINTABLE: Final = DIGITS + UPPER + LOWER + OTHER
"""What `.`, `\\s` and negations choose from, in this order."""
WORDY: Final = DIGITS + UPPER + LOWER + "_"

_CLASSES: Final[Mapping[str, str]] = {"d": DIGITS, "w": WORDY, "s": " "}
_CONTROLS: Final[Mapping[str, str]] = {
    "t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a", "b": "\b",
}  # fmt: skip
_HEX: Final[Mapping[str, int]] = {"x": 2, "u": 4, "U": 8}
_REPEAT: Final = re.compile(r"[?*+]|\{([0-9]+)\}|\{([0-9]*),([0-9]*)\}")
_OPENING: Final = re.compile(r"\((?:\?:|\?P<\w+>|(?!\?))")
_BEGINNING: Final = re.compile(r"(?:\^|\\A|\\b)*")
_ENDING: Final = re.compile(r"(?:\$|\\Z|\\b)+\Z")
_UNSUPPORTED: Final[Mapping[str, str]] = {
    "(?=": "a look-ahead",
    "(?!": "a look-ahead",
    "(?<": "a look-behind",
    "(?P": "a back reference",
    "(?>": "an atomic group",
    "(?(": "a condition",
    "(?#": "a comment",
}


@dataclass(frozen=True, slots=True)
class Language:
    """The strings of an expression by number.

    Different numbers give different strings where the expression is unambiguous, that is, where every string is matched
    in one way only. Of ambiguous ones, such as (a|a) or a?a?, a string has as many numbers as there are ways.

    Attributes:
        pattern: The expression.
        size: How many numbers there are; not bounded by 64 bits.
    """

    pattern: str
    size: int
    _whole: Part

    def nth(self, i: int) -> str:
        """The string of a number.

        Raises:
            ValueError: The number is not in 0 ... size - 1.
        """
        return self.many([i])[0]

    def many(self, numbers: Numbers | Sequence[int]) -> list[str]:
        """The strings of numbers, (n,).

        Raises:
            ValueError: A number is not in 0 ... size - 1.
        """
        given = within(numbers, self.size)
        return [w for j in range(0, len(given), BLOCK) for w in self._whole.write(given[j : j + BLOCK]).tolist()]


def language_of(pattern: str) -> Language:
    r"""The strings that an expression matches as a whole, numbered.

    `.`, `\d`, `\w`, `\s` and negations stand for printable ASCII only (so `\s` is the space); other letters are made
    where the expression names them. Classes keep the order they are written in; `\w`, `.` and negations go from digits
    to upper case, lower case and other signs. Repeats without an end are cut, see `WITHOUT_END`; lazy ones are the same
    as greedy ones. The anchors ^ $ \A \Z \b at the very ends are left out: that a word begins or ends at a \b is not
    checked.

    Raises:
        SchemaError: The expression is none, or has a part that strings can't be made from: look-around, back
            references, flags, anchors inside, too long repeats.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # [[a] will mean something else one day; today it is a class
            re.compile(pattern)
    except re.error as error:
        where = "" if error.pos is None else f" at sign {error.pos + 1}"
        raise SchemaError(f"The expression {pattern!r} can't be read: {error.msg}{where}.") from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise SchemaError(f"The expression {pattern!r} can't be read: {error}.") from error
    whole = _Reader(pattern).read()
    if whole.longest > LONGEST:
        said = f"matches strings of up to {whole.longest} signs; no more than {LONGEST} can be made"
        raise SchemaError(f"The expression {pattern!r} {said}. Shorten its repeats.")
    return Language(pattern, whole.size, whole)


def spread(numbers: Numbers | Sequence[int], size: int, key: int) -> Numbers:
    """Where a permutation of 0 ... size - 1 sends numbers, (n,), so that consecutive ones do not stay together.

    The key gives a factor without a common divisor with the size, and an offset. Both stay the same over versions.

    Raises:
        ValueError: A number is not in 0 ... size - 1.
    """
    given = within(numbers, size)
    bits = shake_256(f"cuvee spread {key}".encode()).digest(2 * (size.bit_length() // 8 + 9))
    one, two = int.from_bytes(bits[::2], "big"), int.from_bytes(bits[1::2], "big")
    # A factor close to 0 or to the size would leave consecutive numbers in order. The middle half always has one that
    # fits: next to the half of the size, or 1 or 0 where the size is below 8.
    low, width = size // 4, size // 2 + 1
    tried = (low + (one + step) % width for step in range(width))
    factor, offset = next(a for a in tried if gcd(a, size) == 1), two % size
    wide = given if size <= 2**31 else given.astype(object)
    return narrowed((wide * factor + offset) % size, size)


@dataclass(slots=True)
class _Reader:
    """Reads an expression that `re` has found to be well-formed, so that only what is not supported is refused."""

    text: str
    at: int = 0
    depth: int = 0

    def read(self) -> Part:
        found = _BEGINNING.match(self.text)
        self.at = found.end() if found else 0
        return self._choice()

    def _choice(self) -> Part:
        parts = [self._sequence()]
        while self.text.startswith("|", self.at):
            self.at += 1
            parts.append(self._sequence())
        return either(parts)

    def _sequence(self) -> Part:
        parts = list[Part]()
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            if _ENDING.match(self.text, self.at):
                self.at = len(self.text)
                break
            began, part = self.at, self._atom()
            parts.append(self._quantified(part, began))
        return reduce(then, parts) if parts else EMPTY

    def _quantified(self, part: Part, began: int) -> Part:
        """The part as often as the quantifier behind it says."""
        found = _REPEAT.match(self.text, self.at)
        if not found:
            return part
        least, most = _bounds(found)
        if part.longest * most > LONGEST:
            raise self._refused(f"a repeat that gives more than {LONGEST} signs", began)
        self.at = found.end()
        if self.text.startswith("+", self.at):
            raise self._refused("a possessive repeat", found.start())
        self.at += self.text.startswith("?", self.at)
        return repeated(part, least, most)

    def _atom(self) -> Part:
        began, sign = self.at, self.text[self.at]
        if sign == "(":
            return self._group()
        if sign in "^$":
            raise self._refused("an anchor inside", began)
        if sign == "[":
            return self._letters(self._class(), began)
        if sign == "\\" and self.text[began + 1] in "AZbBz":
            raise self._refused("an anchor inside", began)
        if sign == "\\":
            return self._letters(self._escape(), began)
        self.at += 1
        return self._letters(PRINTABLE if sign == "." else sign, began)

    def _group(self) -> Part:
        found = _OPENING.match(self.text, self.at)
        if not found:
            raise self._refused(_UNSUPPORTED.get(self.text[self.at : self.at + 3], "flags"), self.at)
        if self.depth == DEEPEST:
            raise self._refused(f"more than {DEEPEST} groups within groups", self.at)
        self.at, self.depth = found.end(), self.depth + 1
        part = self._choice()
        self.at, self.depth = self.at + 1, self.depth - 1
        return part

    def _escape(self) -> str:
        """The letters that an escape stands for."""
        began, sign = self.at, self.text[self.at + 1]
        self.at += 2
        if sign.lower() in _CLASSES:
            letters = _CLASSES[sign.lower()]
            return letters if sign.islower() else _all_but(letters)
        if sign in _HEX:
            self.at += _HEX[sign]
            return chr(int(self.text[began + 2 : self.at], 16))
        if sign in DIGITS:
            raise self._refused("a back reference or an octal number", began)
        if sign == "N":
            raise self._refused("a sign by its name", began)
        return _CONTROLS.get(sign, sign)

    def _class(self) -> str:
        """The letters of a class in brackets."""
        began, negated = self.at, self.text.startswith("^", self.at + 1)
        self.at += 1 + negated
        letters, first = list[str](), True
        while first or self.text[self.at] != "]":
            first, low = False, self._member()
            if self.text[self.at] == "-" and self.text[self.at + 1] != "]":
                self.at += 1
                letters.extend(map(chr, range(ord(low), ord(self._member()) + 1)))
            else:
                letters.extend(low)
        self.at += 1
        kept = _all_but(letters) if negated else "".join(dict.fromkeys(letters))
        if not kept:
            raise self._refused("a class without a printable ASCII letter", began)
        return kept

    def _member(self) -> str:
        """What stands next in a class: a letter, or the letters of an escape."""
        if self.text[self.at] == "\\":
            return self._escape()
        self.at += 1
        return self.text[self.at - 1]

    def _letters(self, letters: str, began: int) -> Part:
        """One of some letters."""
        if any("\ud800" <= c <= "\udfff" for c in letters):
            raise self._refused("half a sign (a surrogate)", began)
        return Words(tuple(letters))

    def _refused(self, what: str, at: int) -> SchemaError:
        said = f"has {what} at sign {at + 1}, from which no strings can be made"
        return SchemaError(f"The expression {self.text!r} {said}. Write it without.")


def _bounds(found: re.Match[str]) -> tuple[int, int]:
    """How often a quantifier repeats, at least and at most."""
    count, least, most = found.groups()
    if count is not None:
        return int(count), int(count)
    if least is None:
        return {"?": (0, 1), "*": (0, WITHOUT_END), "+": (1, WITHOUT_END)}[found[0]]
    low = int(least or 0)
    return low, int(most) if most else low + WITHOUT_END


def _all_but(letters: Iterable[str]) -> str:
    """Printable ASCII without some letters."""
    without = set(letters)
    return "".join(c for c in PRINTABLE if c not in without)
