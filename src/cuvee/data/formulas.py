"""Formulas over columns, such as `price * quantity`: read safely, computed by Polars, and solved for a column."""

import ast
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

import polars as pl

from cuvee.data.errors import SchemaError
from cuvee.data.names import did_you_mean

Operation = Literal["+", "-", "*", "/"]
OPERATIONS: Mapping[type[ast.operator], Operation] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
LONGEST = 2_000
"""A formula has at most so many characters."""


class Formula(ABC):
    """A number of each row, computed from its columns; null where one of them is."""

    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns that it is computed from, in the order of the text; one that stands twice is there twice."""

    @abstractmethod
    def expression(self) -> pl.Expr:
        """Its value as a float."""

    def value(self, frame: pl.DataFrame) -> pl.Series:
        """(n,), its value in each row; null where it can't be computed.

        Raises:
            SchemaError: A column is not there, or is no number.
        """
        for name in self.columns():
            if name not in frame.columns:
                raise SchemaError(f"There is no column {name!r}.{did_you_mean(name, frame.columns)}")
            if not frame.schema[name].is_numeric():
                raise SchemaError(f"Column {name!r} is {frame.schema[name]}, and {self} needs a number.")
        found = frame.select(self.expression().alias("value")).to_series()
        found = pl.repeat(found[0], frame.height, dtype=pl.Float64, eager=True) if not self.columns() else found
        return pl.select(pl.when(found.is_finite()).then(found)).to_series().rename("value")


@final
@dataclass(frozen=True, slots=True)
class Constant(Formula):
    """A number."""

    number: float

    def __str__(self) -> str:
        return f"{self.number:g}" if self.number == float(f"{self.number:g}") else repr(self.number)

    def columns(self) -> tuple[str, ...]:
        return ()

    def expression(self) -> pl.Expr:
        return pl.lit(self.number)


@final
@dataclass(frozen=True, slots=True)
class Value(Formula):
    """The value of a column."""

    column: str

    def __str__(self) -> str:
        return self.column if self.column.isidentifier() else '"' + self.column + '"'

    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def expression(self) -> pl.Expr:
        return pl.col(self.column).cast(pl.Float64)


@final
@dataclass(frozen=True, slots=True)
class Operated(Formula):
    """Two formulas added, subtracted, multiplied or divided."""

    left: Formula
    sign: Operation
    right: Formula

    def __str__(self) -> str:
        left, right = str(self.left), str(self.right)
        tight = self.sign in {"*", "/"}
        if tight and isinstance(self.left, Operated) and self.left.sign in {"+", "-"}:
            left = f"({left})"
        if isinstance(self.right, Operated) and (self.sign in {"-", "/"} or (tight and self.right.sign in {"+", "-"})):
            right = f"({right})"
        return f"{left} {self.sign} {right}"

    def columns(self) -> tuple[str, ...]:
        return (*self.left.columns(), *self.right.columns())

    def expression(self) -> pl.Expr:
        one, other = self.left.expression(), self.right.expression()
        if self.sign == "+":
            return one + other
        if self.sign == "-":
            return one - other
        return one * other if self.sign == "*" else one / other


def formula_of(text: str) -> Formula:
    """The formula that a text means: numbers, columns, + - * / and brackets; columns with spaces stand in quotes.

    Raises:
        SchemaError: It is something else.

    >>> str(formula_of('(price + "sales tax") * quantity'))
    '(price + "sales tax") * quantity'
    """
    if len(text) > LONGEST:
        raise SchemaError(f"A formula has {len(text):,} characters; at most {LONGEST:,} are read.")
    try:
        return _of_node(ast.parse(text.strip(), mode="eval").body, text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SchemaError(
            f"The formula {text.strip()!r} can't be read. It has numbers, columns (in quotes where a name has spaces), "
            "+ - * / and brackets, such as price * quantity."
        ) from error


def _of_node(node: ast.expr, text: str) -> Formula:
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
        return Operated(_of_node(node.left, text), OPERATIONS[type(node.op)], _of_node(node.right, text))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        inner = _of_node(node.operand, text)
        if isinstance(inner, Constant):
            return Constant(-inner.number if isinstance(node.op, ast.USub) else inner.number)
        return inner if isinstance(node.op, ast.UAdd) else Operated(Constant(0.0), "-", inner)
    if isinstance(node, ast.Name):
        return Value(node.id)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return Value(node.value)
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return Constant(float(node.value))
    raise ValueError(text)


def solved(left: Formula, right: Formula, column: str) -> Formula | None:
    """The column out of `left = right`; None where it stands there more than once, or not at all.

    >>> str(solved(formula_of("total"), formula_of("price * quantity + 5"), "price"))
    '(total - 5) / quantity'
    """
    if [*left.columns(), *right.columns()].count(column) != 1:
        return None
    inside, other = (left, right) if column in left.columns() else (right, left)
    while isinstance(inside, Operated):
        one, sign, two = inside.left, inside.sign, inside.right
        if column in one.columns():
            inside, other = one, Operated(other, _UNDONE[sign], two)
        else:
            inside = two
            other = Operated(other, _UNDONE[sign], one) if sign in {"+", "*"} else Operated(one, sign, other)
    return other


_UNDONE: Mapping[Operation, Operation] = {"+": "-", "-": "+", "*": "/", "/": "*"}
