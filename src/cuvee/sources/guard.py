"""The guard against formulas: a spreadsheet runs a text cell that begins like one.

A text cell that begins with one of `TRIGGERS` gets an apostrophe in front, which spreadsheets take as "this is text". A
cell that already begins with apostrophes and then a trigger gets one more, so that the guard can be undone exactly.

Reading undoes the guard column by column, and only where it is unambiguous: no cell of the column begins with a bare
trigger. A column with bare triggers was not written with the guard, and its apostrophes are its own.
"""

import polars as pl

TRIGGERS = "=+\\-@\t\r\n＝＋－＠"  # noqa: RUF001 (spreadsheets of East Asian locales take the full-width signs too)
_NEEDS = f"^'*[{TRIGGERS}]"
_BARE = f"^[{TRIGGERS}]"
_GUARDED = f"^'+[{TRIGGERS}]"


def guard(text: pl.Expr) -> pl.Expr:
    """Text with an apostrophe before every cell that begins like a formula."""
    return pl.when(text.str.contains(_NEEDS)).then(text.str.replace("^", "'")).otherwise(text)


def unguard(text: pl.Expr) -> pl.Expr:
    """Text without the apostrophes of `guard`, where the whole column shows that it was guarded."""
    strip = text.str.contains(_GUARDED) & ~text.str.contains(_BARE).any()
    return pl.when(strip).then(text.str.slice(1)).otherwise(text)


def guarded_names(names: list[str]) -> list[str]:
    """Column names, guarded like cells: they stand in the first row."""
    return pl.DataFrame({"name": pl.Series(names, dtype=pl.String)}).select(guard(pl.col("name")))["name"].to_list()


def unguarded_names(names: list[str]) -> list[str]:
    """Column names without their guard."""
    return pl.DataFrame({"name": pl.Series(names, dtype=pl.String)}).select(unguard(pl.col("name")))["name"].to_list()
