"""Results on standard output: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def as_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n")


def line(text: str = "") -> None:
    """One line on standard output."""
    sys.stdout.write(text + "\n")


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A table on standard output, as wide as the terminal; all of it where it is not a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    listed = list(rows)
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200)
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        numbers = all(isinstance(row.get(column), (int, float)) or row.get(column) is None for row in listed)
        drawn.add_column(column.replace("_", " "), justify="right" if numbers else "left", overflow="fold")
    for row in listed:
        drawn.add_row(*(Text(cell(row.get(column))) for column in columns))
    console.print(drawn)


def cell(value: Any) -> str:
    """A value as a person writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
