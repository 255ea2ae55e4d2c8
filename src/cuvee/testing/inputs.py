"""Inputs that break tools of this kind: each must give an answer or a sentence, never another error.

The numbers are those of the project's list of bad inputs, collected from public bug reports; 60 and above are ours.
"""

import datetime as dt
import decimal
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

ROWS = 40


@dataclass(frozen=True, slots=True)
class BadInput:
    """One bad input.

    Attributes:
        name: Its number and what it is.
        make: Makes it anew: a frame, array, mapping or list, or no table at all.
        note: Why it breaks tools.
    """

    name: str
    make: Callable[[], object]
    note: str


def bad_inputs() -> Iterator[BadInput]:
    """All bad inputs, in the order of their numbers. Each is small enough for any synthesizer."""
    for name, (make, note) in sorted({**_VALUES, **_TYPES, **_TEXTS, **_SHAPES}.items()):
        yield BadInput(name, make, note)


def _beside(**columns: Iterable[Any] | pl.Series) -> Callable[[], object]:
    """Makes a table of these columns beside a plain number and a plain category."""

    def make() -> object:
        rng = np.random.default_rng(0)
        plain = {"amount": rng.normal(size=ROWS), "city": rng.choice(["Ulm", "Bonn", "Kiel"], ROWS)}
        return pl.DataFrame(plain | {name: _repeated(values) for name, values in columns.items()})

    return make


def _repeated(values: Iterable[Any] | pl.Series) -> pl.Series:
    """The values, over and over until there are enough."""
    series = values if isinstance(values, pl.Series) else pl.Series(list(values), strict=False)
    return pl.concat([series] * -(-ROWS // len(series))).head(ROWS)


def _typed(values: list[Any], dtype: Any) -> pl.Series:
    return pl.Series(values, dtype=dtype)


def _dates(*texts: str) -> list[dt.date]:
    return [dt.date.fromisoformat(t) for t in texts]


def _arrow(**columns: Callable[[Any], Any]) -> Callable[[], object]:
    """Makes an Arrow table; each column is made by a function of the Arrow library."""

    def make() -> object:
        import pyarrow as pa

        return pa.table({name: column(pa) for name, column in columns.items()})

    return make


def _noisy_constant() -> pl.Series:
    return pl.Series([0.1 + 0.2, 0.3, 0.30000000000000004, 0.3])


_Corpus = Mapping[str, tuple[Callable[[], object], str]]

_VALUES: _Corpus = {
    "01 all-null column": (
        _beside(x=_typed([None], pl.Float64), y=_typed([None], pl.String)),
        "There is nothing to learn.",
    ),
    "02 column of nothing": (_beside(x=_typed([None], pl.Null)), "It has no type at all."),
    "03 all-null integers": (_beside(x=_typed([None], pl.Int32)), "They must stay integers."),
    "04 constant number": (_beside(x=[7], y=[0.5]), "Its variance is zero."),
    "05 constant datetime": (_beside(x=[dt.datetime(2024, 5, 1, 12)], y=[dt.date(2024, 5, 1)]), "Its range is zero."),
    "06 single category": (_beside(x=["only"]), "There is no second level."),
    "07 constant with rounding noise": (_beside(x=_noisy_constant()), "The variance is next to zero."),
    "08 infinite numbers": (_beside(x=[1.0, float("inf"), -float("inf"), 2.0]), "Mean and range are not finite."),
    "09 nulls among integers": (_beside(x=[1, None, 3]), "They become floats in NumPy."),
    "10 nullable integers and booleans": (
        _beside(x=_typed([1, None], pl.UInt8), y=[True, None]),
        "Null is neither true nor false.",
    ),
    "11 booleans": (_beside(x=[True, False], y=[True, None, False], z=[True]), "They are numbers to some tools."),
    "12 NaN as a category": (
        lambda: {"x": ["a", float("nan"), None, "nan"] * 10, "y": list(range(40))},
        "NaN does not equal itself.",
    ),
    "13 mixed integers and text": (lambda: {"x": [1, "a", 2, None] * 10, "y": list(range(40))}, "They have no order."),
    "14 numbers stored as text": (_beside(x=["1", "2.5", " 3", "1e3"], y=["007", "010"]), "Leading zeros matter."),
    "20 integers beyond 2**53": (
        _beside(x=[2**53 + 1, 2**63 - 1, -(2**63)], y=_typed([2**64 - 1, 0], pl.UInt64)),
        "Floats lose them.",
    ),
    "25 extreme dates": (_beside(x=_dates("0001-01-01", "9999-12-31", "1969-12-31")), "Nanoseconds can't hold them."),
    "43 negative numbers and zero": (_beside(x=[-1.5, 0.0, -0.0, -1e-300], y=[-1, 0, 1]), "Logarithms fail."),
    "56 heavy tails": (_beside(x=[1e-300, 1.0, 1e300, -1e300, 1e18]), "Squares overflow."),
    "60 identical rows": (lambda: pl.DataFrame({"x": [1] * ROWS, "y": ["a"] * ROWS}), "All distances are zero."),
    "61 NaN beside null": (_beside(x=[1.0, float("nan"), None, 2.0]), "Both mean missing, and differ."),
}

_TYPES: _Corpus = {
    "15 decimals and rare types": (
        _beside(
            x=[decimal.Decimal("1.50"), None, decimal.Decimal("-2.25")],
            y=_typed([2**70, -5], pl.Int128),
            z=[dt.timedelta(hours=1), dt.timedelta(days=-2), None],
            t=[dt.time(1, 2, 3), None, dt.time(23, 59)],
        ),
        "Many tools know no such type.",
    ),
    "16 types of Arrow": (
        _arrow(
            x=lambda pa: pa.array([1, None] * 20, pa.decimal256(50, 2)),
            y=lambda pa: pa.array([[1], None] * 20, pa.list_view(pa.int8())),
            z=lambda pa: pa.array([1, None] * 20, pa.timestamp("s", "+02:00")),
            w=lambda pa: pa.array([1.5, None] * 20, pa.float16()),
        ),
        "They have no equal elsewhere.",
    ),
    "17 kinds of text in Arrow": (
        _arrow(
            x=lambda pa: pa.array(["a", None] * 20, pa.string()),
            y=lambda pa: pa.array(["b", "c"] * 20, pa.string_view()),
        ),
        "Text is stored in four ways.",
    ),
    "18 categories with unused levels": (
        _beside(
            x=_typed(["a", "b", None], pl.Categorical), y=_typed(["low", "high"], pl.Enum(["never", "low", "high"]))
        ),
        "A level without a row has no frequency.",
    ),
    "19 integers as categories": (
        _arrow(x=lambda pa: pa.array([30, 10, None, 20] * 10).dictionary_encode(), y=lambda pa: pa.array(range(40))),
        "Codes are taken for values.",
    ),
    "21 complex numbers": (lambda: {"x": np.array([1j, 2.0])}, "They have no order; a sentence is the answer."),
    "22 times with a zone": (
        _beside(x=_typed([0, 10**15, None], pl.Datetime("us", "Europe/Berlin"))),
        "An hour is missing in March.",
    ),
    "23 dates as text": (
        _beside(x=["2024-05-01", "2024-06-01 12:00", None], y=["01/02/2024", "13/02/2024"]),
        "Order of day and month.",
    ),
    "24 dates beside datetimes": (
        _beside(x=[dt.date(2024, 1, 1), None], y=[dt.datetime(2024, 1, 1, 5), None]),
        "They don't compare.",
    ),
    "26 odd formats of dates": (
        _beside(x=["1/2/03", "May 3rd, '04", "20240501", "Q3 2024"]),
        "Two digits of a year are guessed.",
    ),
    "62 nested values": (
        _beside(
            x=_typed([[1, None], [], None], pl.List(pl.Int8)),
            y=_typed([{"a": 1, "b": "x"}, None], pl.Struct({"a": pl.Int8, "b": pl.String})),
        ),
        "They are carried along.",
    ),
    "63 bytes": (_beside(x=[b"\x00\xff", None, b""]), "They are no text."),
    "64 arrays": (_beside(x=_typed([[1.0, 2.0], None], pl.Array(pl.Float32, 2))), "A row of a matrix in a cell."),
    "65 empty structs": (
        lambda: pl.DataFrame({"x": pl.Series([{}] * ROWS, dtype=pl.Struct([])), "y": range(ROWS)}),
        "Values without a field.",
    ),
}

_TEXTS: _Corpus = {
    "27 thousands of categories": (
        lambda: pl.DataFrame({"x": [f"level {i % 4000}" for i in range(5000)], "y": [i % 7 for i in range(5000)]}),
        "One column a level exhausts memory.",
    ),
    "29 identifiers": (
        _beside(x=[f"ID-{i:05d}" for i in range(ROWS)], y=list(range(ROWS))),
        "Every value occurs once.",
    ),
    "30 long random codes": (
        _beside(x=[f"{i * 7919:064x}" for i in range(1, ROWS)]),
        "The space of such codes is endless.",
    ),
    "44 quotes, formulas and markup": (
        _beside(x=["O'Neill", '"quoted"', "=1+1", "<script>alert(1)</script>", "a,b;c\td", "{{7*7}}", "%s", "\\"]),
        "Cells are no code.",
    ),
    "45 odd Unicode": (
        _beside(x=["a\u0000b", "\u202egnp", "🏴‍☠️", "e\u0301", "é", "\ufeffx", " "]),
        "Length, order and equality surprise.",
    ),
    "45 broken Unicode": (lambda: {"x": ["a\ud800", "b"]}, "It can't be encoded; a sentence is the answer."),
    "46 empty text beside null": (_beside(x=["", None, " ", "x"]), "Empty is a value, null is none."),
}


def _wide() -> object:
    rng = np.random.default_rng(0)
    return pl.DataFrame({f"c{i}": rng.normal(size=20) for i in range(300)})


def _numbered() -> dict[Any, list[int]]:
    return {i: [1, 2, 3] * 5 for i in range(3)}


_NAMES = ("a.b", "a\nb", 'a"b', "a'b", "a b", "", " ", "a;drop table", "ü🙂", "x" * 300)
_RESERVED = (
    "index",
    "_origin",
    "source",
    "row",
    "entity",
    "value",
    "select",
    "class",
    "datetime",
    "level_0",
    "column",
    "count",
    "literal",
)

_SHAPES: _Corpus = {
    "28 many columns": (_wide, "Pairs of columns grow with the square."),
    "31 no categories": (
        lambda: pl.DataFrame({"x": np.arange(30.0), "y": np.arange(30) % 5}),
        "The list of categories is empty.",
    ),
    "32 only categories": (
        lambda: pl.DataFrame({"x": ["a", "b", "c"] * 10, "y": ["u", "v"] * 15}),
        "The list of numbers is empty.",
    ),
    "33 no rows and no columns": (pl.DataFrame, "There is nothing."),
    "33 no rows": (lambda: pl.DataFrame(schema={"x": pl.Int64, "y": pl.String, "z": pl.Date}), "Types without values."),
    "34 one row": (lambda: pl.DataFrame({"x": [1], "y": ["a"], "z": [None]}), "There is no variance."),
    "34 five rows": (lambda: pl.DataFrame({"x": [1.5, 2, 3, 4, 5], "y": list("aabbc")}), "Shares are coarse."),
    "35 a list": (lambda: [1, 2, 3], "It is no table; a sentence is the answer."),
    "36 integers as names": (_numbered, "A name is text."),
    "37 duplicate names": (
        lambda: _arrow_of_pairs([("x", [1, 2]), ("x", [3, 4])]),
        "Which one is meant? A sentence is the answer.",
    ),
    "38 odd names": (
        lambda: pl.DataFrame({name: [1.0, 2.0, 3.0] * 5 for name in _NAMES}),
        "Names end up in SQL, paths and HTML.",
    ),
    "39 reserved names": (
        lambda: pl.DataFrame({name: [1, 2, 3] * 5 for name in _RESERVED}),
        "Tools use such names themselves.",
    ),
    "49 a single column": (lambda: pl.DataFrame({"x": ["a", "b", None] * 10}), "There is no pair."),
    "50 keys only": (
        lambda: pl.DataFrame({"id": range(ROWS), "parent_id": [i // 4 for i in range(ROWS)]}),
        "Nothing is left to model.",
    ),
    "51 keys with nulls and duplicates": (_beside(id=[1, 2, 2, None]), "They identify nothing."),
    "66 three dimensions": (lambda: np.zeros((2, 2, 2)), "It is no table; a sentence is the answer."),
    "67 columns of different lengths": (
        lambda: {"x": [1], "y": [1, 2]},
        "Rows are not defined; a sentence is the answer.",
    ),
}


def _arrow_of_pairs(pairs: list[tuple[str, list[int]]]) -> object:
    import pyarrow as pa

    return pa.table([values for _, values in pairs], names=[name for name, _ in pairs])
