"""The dialect of a text table: what parts cells, what quotes them, and whether the first row names the columns.

Every candidate is tried on the first rows, and the one that gives a regular table of well-formed cells is taken. What
was found comes with its reasons, and each of it can be stated instead.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from cuvee.sources.infer import NULL_WORDS

DELIMITERS = (",", ";", "\t", "|")
NO_DELIMITER = "\x1f"
"""The delimiter of a table of one column: a control character that no text has."""

SAMPLE = 262_144
"""Characters that a dialect is found out from."""

_ROWS = 300
_NUMBER = re.compile(r"^[+-]?(\d+([.,]\d+)*|[.,]\d+)([eE][+-]?\d+)?%?$")
_MOMENT = re.compile(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ]\d{1,2}:\d{2}.*)?$|^\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$")
_COMMA_NUMBER = re.compile(r"^[+-]?\d+(\.\d{3})*,\d+$")
_POINT_NUMBER = re.compile(r"^[+-]?\d+\.\d+$")
_YEAR = re.compile(r"^(1[5-9]|20|21)\d\d$")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text table is written.

    Attributes:
        encoding: Of the letters.
        delimiter: Between cells.
        quote: Around cells that hold delimiters or line ends; None where there are no quotes.
        escape: Before a quote inside a cell, where it is not doubled.
        header: Whether the first row names the columns.
        decimal: Before the decimals of a number.
        blanks: Whether blanks stand after delimiters and belong to no cell.
        skip: Lines before the table.
        reasons: Why each was chosen, in sentences.
    """

    encoding: str
    delimiter: str
    quote: str | None
    escape: str | None
    header: bool
    decimal: Literal[".", ","]
    blanks: bool = False
    skip: int = 0
    reasons: tuple[str, ...] = ()

    def rows(self, lines: Iterable[str], *, strict: bool = False) -> "csv.Reader":  # pyright: ignore[reportAttributeAccessIssue, reportUnknownParameterType]
        """A reader of the rows, cell by cell: slower than Polars, and lenient with quotes unless `strict`."""
        return _reader(lines, Shape(self.delimiter, self.quote, self.escape, self.blanks), strict=strict)


@dataclass(frozen=True, slots=True)
class Shape:
    """What parts and quotes the cells."""

    delimiter: str
    quote: str | None
    escape: str | None
    blanks: bool = False


@dataclass(frozen=True, slots=True)
class Stated:
    """What the user said of a dialect; None is to be found out."""

    delimiter: str | None = None
    quote: str | None = None
    header: bool | None = None
    decimal: Literal[".", ","] | None = None


def find_dialect(text: str, *, encoding: str, why: str, stated: Stated, usual: str | None = None) -> Dialect:
    """The dialect of a text, from its beginning.

    Args:
        text: The first `SAMPLE` characters, cut at a line end, or all.
        encoding: Its encoding.
        why: Why that is its encoding.
        stated: What is known already.
        usual: The delimiter that the file's ending stands for.
    """
    reasons = [f"encoding {encoding}: {why}"]
    skip, said = _before(text)
    lines = text.splitlines(keepends=True)[skip:]
    shape, why_shape = _find_shape(lines, stated, said or usual)
    reasons.append(why_shape)
    rows = _sample(lines, shape)
    header, why_header = (stated.header, "stated") if stated.header is not None else _has_header(rows)
    reasons.append(f"{'a' if header else 'no'} header: {why_header}")
    decimal = stated.decimal or _decimal(rows[1:], shape.delimiter)
    if decimal == ",":
        reasons.append(f"decimal comma: {'stated' if stated.decimal else 'numbers are written like 1,5'}")
    return Dialect(
        encoding, shape.delimiter, shape.quote, shape.escape, header, decimal, shape.blanks, skip, tuple(reasons)
    )


def _before(text: str) -> tuple[int, str | None]:
    """Lines before the table: blank ones, and the line `sep=;` of spreadsheets with the delimiter that it names."""
    skip, said = 0, None
    for line in text.splitlines()[:50]:
        names = re.fullmatch(r"sep=(.)", line.strip('\ufeff"')) if skip == 0 else None
        if names:
            said = names.group(1)
        elif line.strip():
            break
        skip += 1
    return skip, said


def _find_shape(lines: Sequence[str], stated: Stated, usual: str | None) -> tuple[Shape, str]:
    """The shape that gives the most regular table, and why."""
    likely = [*([usual] if usual else []), *DELIMITERS]
    delimiters = [stated.delimiter] if stated.delimiter else list(dict.fromkeys(likely))
    best, best_score, width = Shape(delimiters[0], '"', None), (-1.0,), 1
    text = "".join(lines[:_ROWS])
    for quote in _quotes(text, stated, delimiters):
        shapes = [Shape(delimiter, quote, None) for delimiter in delimiters]
        scored = [(shape, *_tried(lines, shape, usual)) for shape in shapes]
        # An escape is looked for only where the table can't be read without one.
        if quote and f"\\{quote}" in text and max(score[0] for _, score, _ in scored) < 1:
            shapes = [Shape(delimiter, quote, "\\") for delimiter in delimiters]
            scored += [(shape, *_tried(lines, shape, usual)) for shape in shapes]
        for shape, score, columns in scored:
            if score > best_score:
                best, best_score, width = shape, score, columns
    if width == 1 and not stated.delimiter:
        return Shape(NO_DELIMITER, best.quote, best.escape), "one column: no delimiter parts the lines regularly"
    best = Shape(best.delimiter, best.quote, best.escape, blanks=_blanks(_sample(lines, best)))
    name = {"\t": "tab", " ": "blank"}.get(best.delimiter, repr(best.delimiter))
    why = "stated" if stated.delimiter else f"it parts the lines into {width} cells"
    return best, f"delimiter {name}: {why}" + ("" if best.quote == '"' else f"; quote {best.quote or 'none'}")


def _quotes(text: str, stated: Stated, delimiters: Sequence[str]) -> list[str | None]:
    """Quotes to try, the usual one first; rare ones only where the text shows them."""
    if stated.quote is not None:
        return [stated.quote or None]
    edge = "[" + re.escape("".join(delimiters)) + "\n]"
    quotes: list[str | None] = ['"']
    if re.search(rf"(^|{edge})'[^'\n]*'({edge}|\r?$)", text, re.MULTILINE) and not re.search(rf'(^|{edge})"', text):
        quotes.append("'")
    # Where no cell stands in quotes, a quote is a sign of inches, seconds or speech.
    if '"' in text and not re.search(rf'(^|{edge})"[^"\n]*"({edge}|\r?$)', text, re.MULTILINE):
        quotes.append(None)
    return quotes


def _sample(lines: Sequence[str], shape: Shape) -> list[list[str]]:
    """The first rows, without blank lines; empty where the shape does not fit at all."""
    return _read(lines, shape)[0]


def _read(lines: Sequence[str], shape: Shape) -> tuple[list[list[str]], bool]:
    """The first rows, and whether all of them could be read."""
    rows: list[list[str]] = []
    try:
        rows.extend(row for row in islice(_reader(lines, shape, strict=True), _ROWS) if row)
    except csv.Error:
        return rows, False
    return rows, True


def _reader(lines: Iterable[str], shape: Shape, *, strict: bool) -> "csv.Reader":  # pyright: ignore[reportAttributeAccessIssue, reportUnknownParameterType]
    return csv.reader(
        lines,
        delimiter=shape.delimiter,
        quotechar=shape.quote or None,
        quoting=csv.QUOTE_MINIMAL if shape.quote else csv.QUOTE_NONE,
        doublequote=shape.escape is None,
        escapechar=shape.escape,
        skipinitialspace=shape.blanks,
        strict=strict,
    )


def _tried(lines: Sequence[str], shape: Shape, usual: str | None) -> tuple[tuple[float, ...], int]:
    rows, whole = _read(lines, shape)
    return _score(rows, whole=whole, preferred=shape.delimiter == usual)


def _score(rows: list[list[str]], *, whole: bool, preferred: bool) -> tuple[tuple[float, ...], int]:
    """How regular a table is, best first: (regular, well formed, preferred, columns), and its columns."""
    if not rows:
        return (-1.0,), 1
    width, count = Counter(len(row) for row in rows).most_common(1)[0]
    header = len(rows[0])
    regular = count / len(rows)
    if width == 1 or regular < 0.75 or header != width:
        # A first row as wide as no other is still a table with ragged rows, if most have several cells.
        ragged = header > 1 and sum(len(row) > 1 for row in rows) / len(rows) > 0.9
        return (
            (0.5 if ragged and width > 1 else 0.25, regular, float(preferred), float(width)),
            width if ragged else 1,
        )
    cells = [cell for row in rows[:100] for cell in row]
    formed = sum(_is_formed(cell) for cell in cells) / len(cells)
    return (1.0 if whole else 0.9, round(regular + formed, 1), float(preferred), float(width)), width


def _is_formed(cell: str) -> bool:
    """Whether a cell is empty, a number, a date, or text without another delimiter or quotes around it."""
    cell = cell.strip()
    if len(cell) > 1 and cell[0] == cell[-1] and cell[0] in "'\"":
        return False
    return bool(not cell or _NUMBER.match(cell) or _MOMENT.match(cell) or not any(d in cell for d in DELIMITERS))


def _blanks(rows: list[list[str]]) -> bool:
    """Whether nearly all cells after a delimiter begin with a blank."""
    cells = [cell for row in rows for cell in row[1:] if cell]
    return len(cells) >= 2 and sum(cell.startswith(" ") for cell in cells) > 0.9 * len(cells)


def _has_header(rows: list[list[str]]) -> tuple[bool, str]:
    """Whether the first row differs from the others as names differ from values."""
    if not rows:
        return True, "there is no row"
    first, body = [cell.strip() for cell in rows[0]], rows[1:]
    if not body:
        named = not any(_is_value(cell) for cell in first)
        return named, "the only row holds " + ("no number or date" if named else "numbers or dates")
    votes = [_vote(name, [row[i].strip() for row in body if i < len(row)]) for i, name in enumerate(first)]
    against, total = min(votes, default=0.0), sum(votes)
    if total > 0:
        return True, "the first row differs in kind from the rows below"
    if total < 0 and against <= -1:
        return False, "the first row holds values like those below"
    return True, "nothing in the first row speaks against it"


def _vote(name: str, below: list[str]) -> float:
    """What one column says: above 0 for a name on top, below 0 for a value."""
    filled = [cell for cell in below if cell.lower() not in NULL_WORDS]
    if not filled:
        return -1.0 if _is_value(name) else 0.0
    values = sum(_is_value(cell) for cell in filled) / len(filled)
    if values > 0.9:
        if name.lower() in NULL_WORDS:
            return -1.0 if name in {"?", "NA", "NaN"} else 0.0
        # A year on top of numbers is the usual name of a column in a table of years.
        return (0.0 if _YEAR.match(name) else -1.0) if _is_value(name) else 1.0
    if _is_value(name):
        return 0.0 if _YEAR.match(name) else -0.5
    return -1.0 if name and name in filled else 0.0


def _is_value(cell: str) -> bool:
    return bool(_NUMBER.match(cell) or _MOMENT.match(cell) or cell.lower() in {"true", "false"})


def _decimal(rows: list[list[str]], delimiter: str) -> Literal[".", ","]:
    """A comma where numbers have one, none has a point, and it is no sign of thousands."""
    cells = [cell.strip() for row in rows for cell in row]
    commas = [cell for cell in cells if _COMMA_NUMBER.match(cell)]
    if not commas or any(_POINT_NUMBER.match(cell) for cell in cells):
        return "."
    thousands = all(re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", cell) for cell in commas)
    return "." if thousands and delimiter == "," else ","
