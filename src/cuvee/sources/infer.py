"""Types of text: what a column of text cells holds, decided over every cell and never over a sample.

A column becomes numbers only if nothing is lost by it: codes with leading zeros, long digit strings and telephone
numbers stay text. ISO dates and times become dates and times. Words such as `NA` are nulls only where the rest of the
column is numbers, truth values or times; in a column of text they are text.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import polars as pl

NULL_WORDS = ("na", "n/a", "#n/a", "<na>", "nan", "null", "none", "nil", "nat", "-", "--", ".", "?", "")
"""What stands for "no value" among numbers and times, in small letters and without blanks around."""

_ZEROS = r"^[+-]?0[0-9]"
_LONG = r"^[+-]?[0-9]{17,}$"
_PHONE = r"^\+[0-9]{7,}$"
_CODE = r"^[0-9]+[eE][0-9]+$"
_ODD = r"^[+-]?(0[0-9]|[0-9]{17})|^\+[0-9]{7}|[eE][0-9]{3}|^[0-9]+[eE][0-9]+$|[0-9]{300}"
_HEAD = 200
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
_LOCAL = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_CLOCK}$"
_ZONED = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_CLOCK} ?(Z|UTC|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$"
_NANO = r"\.[0-9]{7,9}"
_COMMA = r"^[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]+)?([eE][+-]?[0-9]+)?$"

Decimal = Literal[".", ","]


def typed(frame: pl.DataFrame, *, decimal: Decimal = ".") -> pl.DataFrame:
    """The frame with its text columns as what they hold; columns of other types stay.

    Args:
        frame: Cells as they were written; null where nothing was.
        decimal: What stands before the decimals. With a comma, `1.234,5` is 1234.5.
    """
    # Polars takes some names for patterns (`*`, `^a$`): what is looked at has plain ones.
    plain = frame.clone()
    plain.columns = [f"c{i}" for i in range(frame.width)]
    found = _typed(plain, decimal)
    found.columns = frame.columns
    return found


def _typed(frame: pl.DataFrame, decimal: Decimal) -> pl.DataFrame:
    """The frame with its text columns as what they hold."""
    text = _text_columns(frame)
    frame = frame.with_columns(_from_comma(name) for name in text) if decimal == "," else frame
    # Most columns of numbers are plain ones, for which one look is enough.
    frame = frame.with_columns(_plain_numbers(frame, text))
    text = _text_columns(frame)
    counts = _facts(frame, text, _counts)
    # Looking for words is slow, and says nothing of columns that are numbers throughout.
    plain = [name for name in text if counts[name]["finite"] == counts[name]["n"] > 0]
    words = _facts(frame, [name for name in text if name not in plain], _words)
    numbers = [
        *plain,
        *(name for name in words if counts[name]["finite"] and words[name]["numbers"] == counts[name]["n"]),
    ]
    wanted = {name: counts[name]["n"] - words.get(name, {"words": 0})["words"] for name in text}
    moments = _as_moments(frame, {name: wanted[name] for name in text if name not in numbers})
    return frame.with_columns(*_as_numbers(frame, {name: wanted[name] for name in numbers}), *moments)


def temporal(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with those text columns that are ISO dates and times throughout as dates and times."""
    text = _text_columns(frame)
    counts = _facts(frame, text, lambda cell: [cell.count().alias("n")])
    return frame.with_columns(_as_moments(frame, {name: counts[name]["n"] for name in text}, words=False))


def _text_columns(frame: pl.DataFrame) -> list[str]:
    return [name for name, dtype in frame.schema.items() if dtype == pl.String]


def _facts(
    frame: pl.DataFrame, names: Iterable[str], facts: Callable[[pl.Expr], list[pl.Expr]]
) -> dict[str, dict[str, int]]:
    """The counts that `facts` makes of each column, all columns in one parallel pass."""
    chosen = list(names)
    if not chosen:
        return {}
    row = frame.select(pl.struct(facts(_trimmed(name))).alias(str(i)) for i, name in enumerate(chosen)).row(0)
    return dict(zip(chosen, row, strict=True))


def _plain_numbers(frame: pl.DataFrame, names: list[str]) -> list[pl.Series]:
    """The columns whose every cell is a plain number: whole and printed as written, or finite without oddities."""
    likely = [name for name in names if _may_be_numbers(frame[name])]
    whole = frame.select(pl.col(likely).cast(pl.Int64, strict=False))
    exact = frame.select((whole[name].cast(pl.String) == pl.col(name)).sum().alias(name) for name in likely)
    counts = {name: frame.height - frame[name].null_count() for name in likely}
    done = [whole[name] for name in likely if exact[name].item() == counts[name]]
    rest = [name for name in likely if exact[name].item() < counts[name]]
    broken = frame.select(pl.col(rest).cast(pl.Float64, strict=False))
    plain = broken.select(pl.all().is_finite().sum())
    odd = frame.select(pl.col(rest).str.contains(_ODD).sum())
    return [
        *done,
        *(
            broken[name]
            for name in rest
            if plain[name].item() == counts[name] > whole[name].count() and not odd[name].item()
        ),
    ]


def _may_be_numbers(column: pl.Series) -> bool:
    """Whether the first cells are; if not, the column is looked at as any other."""
    head = column.drop_nulls().head(_HEAD)
    return bool(len(head)) and head.cast(pl.Float64, strict=False).count() == len(head)


def _trimmed(name: str) -> pl.Expr:
    return pl.col(name).str.strip_chars()


def _is_word(cell: pl.Expr) -> pl.Expr:
    return cell.str.to_lowercase().is_in(NULL_WORDS)


def _counts(cell: pl.Expr) -> list[pl.Expr]:
    return [cell.count().alias("n"), cell.cast(pl.Float64, strict=False).is_finite().sum().alias("finite")]


def _words(cell: pl.Expr) -> list[pl.Expr]:
    word = _is_word(cell)
    return [
        word.sum().alias("words"),
        (word | cell.cast(pl.Float64, strict=False).is_not_null()).sum().alias("numbers"),
    ]


def _as_numbers(frame: pl.DataFrame, wanted: Mapping[str, int]) -> list[pl.Expr]:
    """The columns of numbers as such, but for those that would lose something."""
    looks = _facts(frame, wanted, _look)
    # What prints as it was written is exact. Of the rest, only columns with an odd cell are looked at closely.
    rest = _facts(frame, [name for name in wanted if looks[name]["canonical"] < wanted[name]], _odd)
    facts = _facts(frame, [name for name in rest if rest[name]["odd"]], _exact)
    return [
        expr
        for name in wanted
        if (expr := _as_number(name, wanted[name], looks[name] | facts.get(name, {}))) is not None
    ]


def _look(cell: pl.Expr) -> list[pl.Expr]:
    whole = cell.cast(pl.Int64, strict=False)
    return [whole.count().alias("whole"), (whole.cast(pl.String) == cell).sum().alias("canonical")]


def _odd(cell: pl.Expr) -> list[pl.Expr]:
    return [cell.str.contains(_ODD).sum().alias("odd")]


def _exact(cell: pl.Expr) -> list[pl.Expr]:
    return [
        cell.str.contains(_ZEROS).sum().alias("zeros"),
        cell.str.contains(_LONG).sum().alias("long"),
        cell.str.contains(_PHONE).sum().alias("phones"),
        cell.str.contains(_CODE).sum().alias("codes"),
        cell.str.contains(".", literal=True).sum().alias("points"),
        cell.cast(pl.UInt64, strict=False).count().alias("unsigned"),
        (cell.cast(pl.Float64, strict=False).is_infinite() & ~cell.str.contains("(?i)inf")).sum().alias("beyond"),
    ]


def _as_number(name: str, wanted: int, facts: Mapping[str, int]) -> pl.Expr | None:
    """The column as numbers, or None where that would lose something."""
    cell = _trimmed(name)
    if facts.get("zeros") or facts.get("phones") or (facts.get("codes") and not facts.get("points")):
        return None
    if facts["whole"] == wanted:
        return cell.cast(pl.Int64, strict=False)
    if facts.get("unsigned") == wanted:
        return cell.cast(pl.UInt64, strict=False)
    # Digits beyond the precision of a float, and numbers beyond its range, would be lost.
    if facts.get("long") or facts.get("beyond"):
        return None
    return cell.cast(pl.Float64, strict=False).fill_nan(None)


def _as_moments(frame: pl.DataFrame, wanted: Mapping[str, int], *, words: bool = True) -> list[pl.Series]:
    """The columns of truth values, dates and times as such; `wanted` counts their cells that are not null words.

    A cell of the right form that is no day ("2020-02-30") would become null: then the whole column stays text.
    """
    likely = {name: n for name, n in wanted.items() if n and _may_be_moments(frame[name], words=words)}
    facts = _facts(frame, likely, _moments)
    made = frame.select(expr for name, n in likely.items() if (expr := _as_moment(name, n, facts[name])) is not None)
    return [column for column in made.iter_columns() if column.count() == likely[column.name]]


def _may_be_moments(column: pl.Series, *, words: bool) -> bool:
    """Whether the first cells are; if not, the column need not be looked through."""
    head = column.drop_nulls().head(_HEAD).str.strip_chars()
    fits = head.str.contains(f"{_DATE}|{_LOCAL}|{_ZONED}") | (
        head.str.to_lowercase().is_in(["true", "false", *NULL_WORDS]) & words
    )
    return bool(fits.all())


def _moments(cell: pl.Expr) -> list[pl.Expr]:
    return [
        cell.str.to_lowercase().is_in(["true", "false"]).sum().alias("bools"),
        cell.str.contains(_DATE).sum().alias("dates"),
        cell.str.contains(_LOCAL).sum().alias("local"),
        cell.str.contains(_ZONED).sum().alias("zoned"),
        cell.str.contains(_NANO).sum().alias("nano"),
    ]


def _as_moment(name: str, wanted: int, facts: Mapping[str, int]) -> pl.Expr | None:
    """The column as truth values, dates or times, or None where some cell has another form."""
    cell = _trimmed(name)
    unit: Literal["ns", "us"] = "ns" if facts["nano"] else "us"
    if facts["bools"] == wanted:
        return cell.str.to_lowercase().replace_strict(
            {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
        )
    if facts["dates"] == wanted:
        return cell.str.to_date("%Y-%m-%d", strict=False)
    if facts["local"] + facts["dates"] == wanted:
        return _local(cell, unit).fill_null(cell.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime(unit)))
    return _zoned(cell, unit) if facts["zoned"] == wanted else None


def _local(cell: pl.Expr, unit: Literal["ns", "us"]) -> pl.Expr:
    # Seconds are put where they were left out: one format then reads all.
    full = cell.str.replace(" ", "T", literal=True).str.replace(r"(T[0-9]{2}:[0-9]{2})$", "${1}:00")
    return full.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit=unit, strict=False)


def _zoned(cell: pl.Expr, unit: Literal["ns", "us"]) -> pl.Expr:
    """Instants, in UTC."""
    full = cell.str.replace(r" ?(Z|UTC)$", "+00:00").str.replace(r" ([+-][0-9:]+)$", "${1}")
    full = full.str.replace(" ", "T", literal=True).str.replace(r"(T[0-9]{2}:[0-9]{2})([+-])", "${1}:00${2}")
    return full.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit=unit, strict=False).dt.convert_time_zone("UTC")


def _from_comma(name: str) -> pl.Expr:
    """Numbers with a decimal comma written with a point, where every cell of the column is one."""
    cell = _trimmed(name)
    fits = (cell.str.contains(_COMMA) | _is_word(cell)).all() & cell.str.contains(_COMMA).any()
    pointed = cell.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    return pl.when(fits).then(pointed).otherwise(pl.col(name)).alias(name)
