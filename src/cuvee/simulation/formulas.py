"""Formulas of a scenario, such as `max(price[-1] * (1 + r), 0)`: read safely and computed on arrays, never by eval."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from cuvee.data.errors import SimulationError
from cuvee.data.names import did_you_mean

Values = NDArray[Any]
Kind = Literal["number", "text"]
Look = Callable[[str, int], Any]
"""The values of a variable, (n,), now (0) or so many steps ago (-1, -2, ...)."""

LONGEST, DEEPEST = 2_000, 100
"""A formula has at most so many characters, and is nested at most so deeply."""


def _truth(value: Any) -> Values:
    return np.asarray(value, dtype=np.float64)


def _round(value: Any, digits: Any = 0.0) -> Values:
    scale = np.power(10.0, np.rint(digits))
    return np.rint(np.multiply(value, scale)) / scale


def _is_zero(value: Any) -> Any:
    return np.equal(value, 0)


def _where(truth: Any, one: Any, other: Any) -> Values:
    return np.where(np.not_equal(truth, 0), one, other)


def _compare(how: Callable[..., Any]) -> Callable[..., Values]:
    return lambda *two: _truth(how(*two))


def _join(how: Callable[..., Any]) -> Callable[..., Values]:
    return lambda *parts: _truth(reduce(how, parts))


FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int, int]] = {
    "abs": (np.abs, 1, 1),
    "ceil": (np.ceil, 1, 1),
    "cos": (np.cos, 1, 1),
    "exp": (np.exp, 1, 1),
    "floor": (np.floor, 1, 1),
    "log": (np.log, 1, 1),
    "max": (lambda *all_of: reduce(np.maximum, all_of), 2, 99),
    "min": (lambda *all_of: reduce(np.minimum, all_of), 2, 99),
    "round": (_round, 1, 2),
    "sin": (np.sin, 1, 1),
    "sqrt": (np.sqrt, 1, 1),
    "where": (_where, 3, 3),
}
"""By name: what computes it, and the fewest and most values it takes. `if(a, b, c)` is another way to write `where`."""
_BINARY: Mapping[type[ast.operator], Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_COMPARED: Mapping[type[ast.cmpop], Callable[..., Any]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
RESERVED = frozenset({*FUNCTIONS, "step", "draw", "pi", "if", "and", "or", "not", "else", "True", "False", "None"})
"""Names that no variable can have: `step` is the number of the time step."""


@dataclass(frozen=True, slots=True)
class _Number:
    value: float


@dataclass(frozen=True, slots=True)
class _Text:
    value: str


@dataclass(frozen=True, slots=True)
class _Name:
    name: str
    lag: int


@dataclass(frozen=True, slots=True)
class _Applied:
    """Something computed from other parts; `orders` and `equals` say which comparisons it makes, if any."""

    what: str
    compute: Callable[..., Any]
    parts: "tuple[_Node, ...]"


_Node = _Number | _Text | _Name | _Applied


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that was read.

    Attributes:
        text: As it was written.
        root: What it means.
    """

    text: str
    root: _Node

    def __str__(self) -> str:
        return self.text

    def names(self) -> tuple[tuple[str, int], ...]:
        """The variables that it is computed from, each with its lag (0 now, -1 a step ago), in order."""
        return tuple(dict.fromkeys((n.name, n.lag) for n in _leaves(self.root) if isinstance(n, _Name)))

    def value(self, look: Look) -> Any:
        """Its value for each draw: (n,), or one number where no variable stands in it.

        A division by zero gives infinity, a logarithm of a negative number NaN: whoever uses the outcome looks at that.
        """
        with np.errstate(all="ignore"):
            return _value(self.root, look)

    def kind(self, kinds: Mapping[str, Kind]) -> Kind:
        """Whether it is a number or text.

        Raises:
            SimulationError: Text stands where a number is wanted.
        """
        return _kind(self.root, kinds, self.text)


def formula_of(text: str) -> Formula:
    """The formula that a text means.

    It has numbers, names, `+ - * / **`, comparisons, `and`, `or`, `not`, brackets, functions, `a if condition else b`,
    values of earlier time steps such as `price[-1]`, and text in quotes to compare with. Truth is 1 and 0.

    Raises:
        SimulationError: It is something else; the message says what.

    >>> float(formula_of("max(price[-1] * 1.1, 10)").value(lambda name, lag: 20.0))
    22.0
    """
    if len(text) > LONGEST:
        raise SimulationError(f"A formula has {len(text):,} characters; at most {LONGEST:,} are read.")
    try:
        return Formula(text, _of_node(_parsed(text), text, 0))
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        hint = (
            _slip(text) or "It has numbers, names, + - * / **, comparisons, brackets and functions, such as max(x, 0)."
        )
        raise SimulationError(f"The formula {_short(text)} can't be read. {hint}") from error


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        # `if` is a word of Python's own; as a function it is where.
        again = re.sub(r"(^|[^\w\s])(\s*)if\s*\(", r"\1\2where(", text.strip())
        return ast.parse(again, mode="eval").body


def _slip(text: str) -> str | None:
    """The cure of a slip that is common in formulas."""
    if re.search(r"(?<![<>=!])=(?!=)", text):
        return "Equality is written ==."
    if "^" in text:
        return "Powers are written with **."
    if "&" in text or "|" in text:
        return "Conditions are joined by the words and, or."
    return "Percentages are written as shares, such as 0.05." if "%" in text else None


def _short(text: str) -> str:
    return repr(text.strip() if len(text) <= 80 else text.strip()[:77] + "...")


def _of_node(node: ast.expr, text: str, depth: int) -> _Node:  # noqa: C901, PLR0911 (one case a kind of node)
    """A part of a formula.

    Raises:
        ValueError: It is something that formulas do not have.
        SimulationError: The same, where a sentence of its own says more.
    """
    if depth > DEEPEST:
        raise SimulationError(
            f"The formula {_short(text)} is nested more than {DEEPEST} deep. Give parts of it a name."
        )

    def inner(one: ast.expr) -> _Node:
        return _of_node(one, text, depth + 1)

    if isinstance(node, ast.Constant):
        return _constant(node.value, text)
    if isinstance(node, ast.Name):
        return _Number(float(np.pi)) if node.id == "pi" else _Name(node.id, 0)
    if isinstance(node, ast.Subscript):
        return _lagged(node, text)
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _Applied("arithmetic", _BINARY[type(node.op)], (inner(node.left), inner(node.right)))
    if isinstance(node, ast.UnaryOp):
        return _unary(node, inner(node.operand))
    if isinstance(node, ast.Compare):
        return _compared(node, inner)
    if isinstance(node, ast.BoolOp):
        combine = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        return _Applied("truth", _join(combine), tuple(inner(v) for v in node.values))
    if isinstance(node, ast.IfExp):
        return _Applied("where", FUNCTIONS["where"][0], (inner(node.test), inner(node.body), inner(node.orelse)))
    if isinstance(node, ast.Call):
        return _called(node, inner, text)
    raise ValueError(text)


def _constant(value: Any, text: str) -> _Node:
    if isinstance(value, bool):
        return _Number(float(value))
    if isinstance(value, (int, float)):
        return _Number(float(value))
    if isinstance(value, str):
        return _Text(value)
    raise ValueError(text)


def _unary(node: ast.UnaryOp, operand: _Node) -> _Node:
    if isinstance(node.op, ast.USub):
        return _Number(-operand.value) if isinstance(operand, _Number) else _Applied("-", np.negative, (operand,))
    if isinstance(node.op, ast.Not):
        return _Applied("not", _compare(_is_zero), (operand,))
    if isinstance(node.op, ast.UAdd):
        return operand
    raise ValueError(node)


def _lagged(node: ast.Subscript, text: str) -> _Node:
    place = node.slice
    if isinstance(node.value, ast.Name):
        whole = (
            isinstance(place, ast.UnaryOp)
            and isinstance(place.op, ast.USub)
            and isinstance(place.operand, ast.Constant)
        )
        back = cast("Any", place).operand.value if whole else None
        if isinstance(back, int) and 1 <= back <= 10_000:
            return _Name(node.value.id, -back)
        raise SimulationError(
            f"The formula {_short(text)} has a value in square brackets that is no step back. Write "
            f"{node.value.id}[-1] for the step before, [-2] for the one before that."
        )
    raise ValueError(text)


def _compared(node: ast.Compare, inner: Callable[[ast.expr], _Node]) -> _Node:
    if any(type(op) not in _COMPARED for op in node.ops):
        raise ValueError(node)
    sides = [inner(node.left), *(inner(c) for c in node.comparators)]
    parts: list[_Node] = []
    for position, op in enumerate(node.ops):
        what = "equal" if isinstance(op, (ast.Eq, ast.NotEq)) else "order"
        parts.append(_Applied(what, _compare(_COMPARED[type(op)]), (sides[position], sides[position + 1])))
    if len(parts) == 1:
        return parts[0]
    return _Applied("truth", _join(np.logical_and), tuple(parts))


def _called(node: ast.Call, inner: Callable[[ast.expr], _Node], text: str) -> _Node:
    if not isinstance(node.func, ast.Name) or node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
        raise ValueError(text)
    name = node.func.id
    if name not in FUNCTIONS:
        raise SimulationError(
            f"The formula {_short(text)} has a function {name!r}, which there is not.{did_you_mean(name, FUNCTIONS)}"
        )
    compute, least, most = FUNCTIONS[name]
    if not least <= len(node.args) <= most:
        wanted = str(least) if least == most else f"{least} or more" if most == 99 else f"{least} or {most}"
        raise SimulationError(f"The formula {_short(text)} gives {name} {len(node.args)} values; it takes {wanted}.")
    return _Applied("where" if name == "where" else "arithmetic", compute, tuple(inner(a) for a in node.args))


def _leaves(node: _Node) -> Iterator[_Node]:
    if isinstance(node, _Applied):
        for part in node.parts:
            yield from _leaves(part)
    else:
        yield node


def _value(node: _Node, look: Look) -> Any:
    if isinstance(node, _Number):
        return np.float64(node.value)
    if isinstance(node, _Text):
        return node.value
    if isinstance(node, _Name):
        return look(node.name, node.lag)
    return node.compute(*(_value(part, look) for part in node.parts))


def _kind(node: _Node, kinds: Mapping[str, Kind], text: str) -> Kind:
    if isinstance(node, (_Number, _Text)):
        return "number" if isinstance(node, _Number) else "text"
    if isinstance(node, _Name):
        return kinds.get(node.name, "number")
    found: list[Kind] = [_kind(part, kinds, text) for part in node.parts]
    if node.what == "equal" and len(set(found)) == 1:
        return "number"
    if node.what == "where" and found[0] == "number" and found[1] == found[2]:
        return found[1]
    if "text" in found:
        what = "compares text with a number" if node.what == "equal" else "computes with text"
        raise SimulationError(
            f"The formula {_short(text)} {what}. Text can be compared by == and != with text in quotes."
        )
    return "number"
