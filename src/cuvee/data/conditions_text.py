"""Conditions out of text and mappings: what people write, in Python, in recipes and on the command line."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from cuvee.data.conditions import (
    ALWAYS,
    MIRRORED,
    SPELT,
    WORDS,
    Among,
    Comparison,
    Condition,
    Every,
    Missing,
    Sign,
    Some,
)
from cuvee.data.errors import SchemaError


def condition_of(said: "Condition | str | Mapping[str, Any] | Sequence[Any] | None") -> Condition:
    """The condition that text, a mapping, or several of them (all must hold) mean.

    In a mapping a value stands for itself, None for null, a set or list for one of its values, and a pair for a range
    with both ends, either of which may be None for open.

    Raises:
        SchemaError: The text can't be read; the message shows where.

    >>> str(condition_of({"age": (60, None), "state": ["CA", "NY"], "note": None}))
    "age >= 60 and state in ('CA', 'NY') and note is null"
    >>> str(condition_of("not (age < 60 or note is null)"))
    'age >= 60 and note is not null'
    """
    if said is None:
        return ALWAYS
    if isinstance(said, Condition):
        return said
    if isinstance(said, str):
        return _Reader(said).whole()
    if isinstance(said, Mapping):
        return Every(tuple(_of_column(str(c), v) for c, v in said.items()))
    return Every(tuple(condition_of(part) for part in said))


def _of_column(column: str, value: Any) -> Condition:
    if value is None:
        return Missing(column)
    if isinstance(value, tuple):
        ends = cast("tuple[Any, ...]", value)
        if len(ends) != 2:
            raise SchemaError(
                f"What is asked of column {column!r} has {len(ends)} values in a tuple; a range is a pair (from, to), "
                "either of them None for open. For one of several values write a list."
            )
        low, high = ends
        signs: tuple[tuple[Sign, Any], ...] = ((">=", low), ("<=", high))
        sides = tuple(Comparison(column, sign, end) for sign, end in signs if end is not None)
        return Every(sides) if sides else Missing(column, missing=False)
    if isinstance(value, Collection) and not isinstance(value, (str, bytes)):
        values = tuple(cast("Collection[Any]", value))
        # A set has no order, and the same request must be the same request.
        values = tuple(sorted(values, key=repr)) if isinstance(value, (set, frozenset)) else values
        plain = Among(column, tuple(v for v in values if v is not None))
        return Some((plain, Missing(column))) if len(plain.values) < len(values) else plain
    return Comparison(column, "=", value)


_TOKEN = re.compile(
    r"""\s*(?:(?P<name>"(?:[^"]|"")*"|`[^`]*`|[^\W\d][\w.]*)|(?P<text>'(?:[^']|'')*')
    |(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<sign><>|[<>=!]=|[<>=])|(?P<mark>[(),]))""",
    re.VERBOSE,
)


class _Reader:
    """Reads text token by token: or, then and, then not, then one comparison."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                start = at + len(text[at:]) - len(text[at:].lstrip())
                raise self._wrong(start, f"{text[start]!r} has no meaning here")
            kind = cast("str", found.lastgroup)
            token = found.group(kind)
            if kind == "name" and token.lower() in WORDS:
                kind, token = "word", token.lower()
            self.tokens.append((kind, token, found.start(found.lastgroup or "")))
            at = found.end()
        self.place = 0

    def whole(self) -> Condition:
        if not self.tokens:
            raise SchemaError("The condition is empty; write one such as: age >= 60 and state in ('CA', 'NY')")
        result = self._some()
        if self.place < len(self.tokens):
            raise self._wrong(self.tokens[self.place][2], "'and', 'or' or the end was expected here")
        return result

    def _wrong(self, at: int, why: str) -> SchemaError:
        shown = f"{self.text[:at]}»{self.text[at:]}" if at < len(self.text) else f"{self.text}»"
        return SchemaError(
            f"The condition {shown} can't be read: {why}. Write it such as: age >= 60 and state in ('CA', 'NY')"
        )

    def _here(self, why: str) -> SchemaError:
        at = self.tokens[self.place][2] if self.place < len(self.tokens) else len(self.text)
        return self._wrong(at, why)

    def _peek(self) -> tuple[str, str]:
        return self.tokens[self.place][:2] if self.place < len(self.tokens) else ("end", "")

    def _take(self, *wanted: str) -> bool:
        """Go on if the next word or mark is the first of the wanted ones, and those behind it too."""
        for k, token in enumerate(wanted):
            if self.place + k >= len(self.tokens):
                return False
            kind, found, _ = self.tokens[self.place + k]
            if kind not in {"word", "mark"} or found != token:
                return False
        self.place += len(wanted)
        return True

    def _expect(self, kind: str, what: str) -> str:
        if self._peek()[0] != kind:
            raise self._here(f"{what} was expected here")
        token = self.tokens[self.place][1]
        self.place += 1
        return token

    def _some(self) -> Condition:
        found = [self._every()]
        while self._take("or"):
            found.append(self._every())
        return found[0] if len(found) == 1 else Some(tuple(found))

    def _every(self) -> Condition:
        found = [self._not()]
        while self._take("and"):
            found.append(self._not())
        return found[0] if len(found) == 1 else Every(tuple(found))

    def _not(self) -> Condition:
        if self._take("not"):
            return self._not().negated()
        if self._take("("):
            inner = self._some()
            if not self._take(")"):
                raise self._here("')' was expected here")
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        kind = self._peek()[0]
        if kind in {"number", "text"}:
            value = self._value()
            sign = SPELT[self._expect("sign", "a sign such as >=")]
            return Comparison(_unquoted(self._expect("name", "a column")), MIRRORED[sign], value)
        column = _unquoted(self._expect("name", "a column"))
        if self._peek()[0] == "sign":
            sign = SPELT[self._expect("sign", "a sign")]
            if self._peek()[0] == "name":
                return Comparison(column, sign, None, _unquoted(self._expect("name", "a column")))
            return Comparison(column, sign, self._value())
        if self._peek() == ("word", "is"):
            return self._null(column)
        if self._peek() in {("end", ""), ("mark", ")"), ("word", "and"), ("word", "or")}:
            # A flag by itself.
            return Comparison(column, "=", value=True)
        turned = self._take("not")
        found = self._between(column) if self._take("between") else self._among(column)
        return found.negated() if turned else found

    def _null(self, column: str) -> Condition:
        if self._take("is", "not", "null"):
            return Missing(column, missing=False)
        if not self._take("is", "null"):
            raise self._here("'is null' or 'is not null' was expected here")
        return Missing(column)

    def _between(self, column: str) -> Condition:
        low = self._value()
        if not self._take("and"):
            raise self._here("'and' and the upper end were expected here")
        return Every((Comparison(column, ">=", low), Comparison(column, "<=", self._value())))

    def _among(self, column: str) -> Condition:
        if not self._take("in", "("):
            raise self._here("a sign such as >=, or 'in (', 'between' or 'is null' was expected here")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        if not self._take(")"):
            raise self._here("',' or ')' was expected here")
        return Among(column, tuple(values))

    def _value(self) -> Any:
        if self._take("true"):
            return True
        if self._take("false"):
            return False
        if self._peek()[0] == "number":
            number = self._expect("number", "a number")
            return int(number) if re.fullmatch(r"[+-]?\d+", number) else float(number)
        return self._expect("text", "a number, a text in single quotes, true or false")[1:-1].replace("''", "'")


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name[0] in '"`' else name
