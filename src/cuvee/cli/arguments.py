"""Arguments that several commands share, each described once."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

Out = Annotated[Path, Parameter(name=["--out", "-o"], help="Where to write.")]
Data = Annotated[
    str,
    Parameter(
        name=["--out", "-o"], allow_leading_hyphen=True, help="A file of any form, or - for CSV on standard output."
    ),
]
MaybeOut = Annotated[Path | None, Parameter(name=["--out", "-o"], help="Where to write.")]
Json = Annotated[bool, Parameter(name="--json", negative=(), help="The result as JSON on standard output.")]
Seed = Annotated[int, Parameter(help="The same seed gives the same bytes.")]
Rows = Annotated[
    int | None, Parameter(name=["--rows", "-n"], help="How many rows to make; with --given, as many as that has.")
]
Draws = Annotated[
    int | None,
    Parameter(
        name=["--draws", "-n"],
        help="How many draws, at most where a precision is asked for; else as the scenario says.",
    ),
]
Page = Annotated[
    Path | None, Parameter(name="--report", help="Write a page (.html), or the figures (.json, .md), about the draws.")
]
Workers = Annotated[
    int | None, Parameter(help="Threads that make rows at the same time; else as many as there are cores.")
]
Group = Literal["synthesizers", "constraints", "metrics", "rules", "sources"]
Where = Annotated[
    str | None, Parameter(help="What must be true of every row, such as \"age >= 60 and state in ('CA', 'NY')\".")
]
Balance = Annotated[
    tuple[str, ...],
    Parameter(
        negative=(),
        consume_multiple=False,
        help='Shares of values, met exactly: "fraud=yes:0.5" or "sex=equal". Repeat for more columns.',
    ),
]
Fair = Annotated[str | None, Parameter(help='The same shares of a target in every group, such as "income:sex,race".')]
Several = Parameter(negative=(), consume_multiple=False)
