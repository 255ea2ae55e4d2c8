"""The contract of a source."""

import datetime as dt
import decimal
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cuvee.core import Source
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, SourceError
from cuvee.testing.require import attempt, fingerprint, require, untouched

SECRET = "hunter2-4f1c9e"  # noqa: S105 (a canary, not a password)
"""Planted in what goes wrong; no message may hold it."""

TABLE = "table"


@dataclass(frozen=True, slots=True)
class _Case:
    """What the checks of one source share."""

    make: Callable[[Path], Source]
    name: str
    folder: Path

    def fresh(self, name: str) -> tuple[Source, Path]:
        """A source in an empty folder of its own."""
        folder = self.folder / name
        folder.mkdir()
        return self.make(folder), folder


def check_source(make: Callable[[Path], Source]) -> None:
    """Certify a source: that it keeps the contract of `cuvee.core.Source`.

    Required are: numbers come back; each kind of ugly column either comes back with the values that it had (types that
    the form lacks may come back as text or the nearest type) or is refused with a SourceError; reading twice gives the
    same; rows written in blocks, and read in batches where that can be, are those of the whole; what is missing or
    damaged is a SourceError that names it; a write that fails leaves what was there, and nothing beside it; no message
    holds a cell or a password; nothing given is changed.

    Args:
        make: Makes the source of a place in an empty folder (a path in it, or a database in it). It may be called
            several times with the same folder and must then mean the same place.

    Raises:
        AssertionError: It does not; the message says what it should do.
    """
    with tempfile.TemporaryDirectory() as folder:
        case = _Case(make, type(make(Path(folder))).__name__, Path(folder))
        _numbers_come_back(case)
        for kind, columns in ugly_columns().items():
            _comes_back_or_is_refused(case, kind, columns)
        _blocks_and_batches(case)
        _missing(case)
        _failed_write(case)
        _damaged(case)
        _password(case)


def ugly_columns() -> dict[str, pl.DataFrame]:
    """Columns that break forms of data, by what they hold; each beside a number that tells the rows apart."""
    words = [
        "a,b;c\td",
        'say "hi"',
        "O'Neill",
        "line\nbreak",
        "cr\r\nlf",
        "ünïcödé 🙂",
        "e\u0301",
        " space ",
        "\\",
        "NULL",
        "#",
        "é",
    ]
    columns: dict[str, list[Any] | pl.Series] = {
        "text": words,
        "text that looks like numbers": [
            "007",
            "1e3",
            "1,5",
            "-",
            "+49 30 1234",
            "0x1f",
            "12345678901234567890",
            "1_000",
        ]
        + ["x"] * 4,
        "text that looks like formulas": ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=2", "plain"] * 2,
        "text with nulls": ["a", None, "b"] * 4,
        "empty text beside null": ["", None, "x"] * 4,
        "integers": [0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)] * 2,
        "integers with nulls": [1, None, 3] * 4,
        "floats": [0.1, -1e-300, 1e300, 1 / 3, 5e-324, -0.0] * 2,
        "floats with nulls": [0.5, None, 1.5] * 4,
        "floats that are not finite": [float("nan"), float("inf"), -float("inf"), 1.0] * 3,
        "truth": [True, False, None] * 4,
        "dates": [dt.date(2024, 2, 29), None, dt.date(1899, 12, 31), dt.date(9999, 12, 31)] * 3,
        "times of a date": [dt.datetime(2024, 2, 29, 13, 5, 7, 123456), None, dt.datetime(1969, 12, 31, 23, 59, 59)]
        * 4,
        "times with a zone": pl.Series([0, 1_709_211_907_000_000, None] * 4, dtype=pl.Datetime("us", "Europe/Berlin")),
        "times of day": [dt.time(1, 2, 3), None, dt.time(23, 59, 59)] * 4,
        "durations": [dt.timedelta(days=-1, seconds=5), None, dt.timedelta(hours=30)] * 4,
        "decimals": [decimal.Decimal("1.50"), None, decimal.Decimal("-1234567.25")] * 4,
        "bytes": [b"\x00\xff", None, b"abc"] * 4,
        "nothing": pl.Series([None] * 12, dtype=pl.Null),
        "levels": pl.Series(["low", "high", None] * 4, dtype=pl.Enum(["low", "high"])),
        "lists": pl.Series([[1, 2], [], None] * 4, dtype=pl.List(pl.Int64)),
        "structs": [{"a": 1, "b": "x"}, {"a": None, "b": "y"}, None] * 4,
    }
    frames = {kind: pl.DataFrame({"n": range(12), "x": values}) for kind, values in columns.items()}
    named = {name: [1.5, 2.5] for name in ("select", "a b", "ümläut", "a.b", "a;b", 'a"b', "a'b")}
    return frames | {
        "odd names": pl.DataFrame({"n": [0, 1], **named}),
        "no rows": pl.DataFrame(schema={"n": pl.Int64, "x": pl.String}),
    }


def _numbers_come_back(case: _Case) -> None:
    """What every form can hold: finite numbers, in order, and the name of their column."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"n": np.arange(200), "x": rng.normal(size=200).round(3)})
    before = fingerprint(frame)
    spec, _ = case.fresh("numbers")
    spec.write({TABLE: frame})
    with untouched(f"Writing {case.name}"):
        spec.write({TABLE: frame})
    require(fingerprint(frame) == before, f"{case.name} changed the table that it wrote.")
    first = _only(case, spec.read())
    _same_table(case.name, _named(first, frame), frame)
    with untouched(f"Reading {case.name}"):
        again = _only(case, spec.read())
    require(fingerprint(again) == fingerprint(first), f"{case.name} gives something else when it reads again.")
    spec.write({TABLE: frame.head(3)})
    require(
        _only(case, spec.read()).height == 3, f"{case.name} does not replace what stood there when it writes again."
    )


def _only(case: _Case, tables: Mapping[str, Any]) -> pl.DataFrame:
    require(len(tables) == 1, f"{case.name} gives {len(tables)} tables where one was written: {', '.join(tables)}.")
    return Dataset.of(next(iter(tables.values())), name=next(iter(tables))).frame


def _comes_back_or_is_refused(case: _Case, kind: str, frame: pl.DataFrame) -> None:
    what = f"{case.name} with {kind}"
    spec, folder = case.fresh(f"ugly {kind}")
    refused = attempt(what, lambda: spec.write({TABLE: frame}))
    if refused is not None:
        require(
            isinstance(refused, SourceError), f"{what} was refused with a {type(refused).__name__}, not a SourceError."
        )
        left = [p.name for p in folder.rglob("*") if p.is_file()]
        require(not left, f"{what} was refused, and left {', '.join(left)} behind.")
        _tells_no_cell(what, refused, frame)
        return
    found = attempt(what, lambda: _only(case, spec.read()))
    if frame.height == 0 and (isinstance(found, SourceError) or (isinstance(found, pl.DataFrame) and found.width == 0)):
        return  # a form of records has no place for the columns of none
    if isinstance(found, CuveeError):
        raise AssertionError(f"{what} was written and can't be read back: {found}")  # noqa: TRY004
    _same_table(what, _named(found, frame), frame)


def _named(found: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """The table that was read; a form without names (an array) gives `column_0` ..., and its columns count by place."""
    nameless = found.columns == [f"column_{i}" for i in range(frame.width)]
    return found.rename(dict(zip(found.columns, frame.columns, strict=True))) if nameless else found


def _same_table(what: str, found: pl.DataFrame, frame: pl.DataFrame) -> None:
    require(found.height == frame.height, f"{what}: {frame.height} rows were written, {found.height} read.")
    require(found.columns == frame.columns, f"{what}: the columns {frame.columns} were written, {found.columns} read.")
    for column in frame.columns:
        require(
            same_values(found[column], frame[column]),
            f"{what}: the values of {column!r} came back changed, as {found[column].dtype}.",
        )


def _tells_no_cell(what: str, error: Exception, frame: pl.DataFrame) -> None:
    if "x" not in frame.columns:
        return
    cells = {str(v) for v in frame["x"] if v is not None and len(str(v)) > 8}
    require(not any(c in str(error) for c in cells), f"{what} tells a cell in its error.")


def same_values(read: pl.Series, written: pl.Series) -> bool:
    """Whether the values that were read mean those that were written, in the type that the form has for them.

    Text forms have one empty cell for null, NaN and empty text, and may hold numbers, dates and nested values as text.
    Floats count as the same from 14 digits on, and times to the millisecond, which is what spreadsheets hold.
    """
    nulls = _nulls(written)
    if len(read) != len(written) or not (_nulls(read) == nulls).all():
        return False
    first, second = read.filter(~nulls), written.filter(~nulls)
    return _same_kept(first, second)


def _same_kept(first: pl.Series, second: pl.Series) -> bool:
    """The same for values that are there, as read and as written."""
    if second.dtype.is_float():
        numbers = first.cast(pl.Float64, strict=False)
        return bool(np.allclose(numbers.to_numpy(), second.to_numpy(), rtol=1e-14, atol=0, equal_nan=True))
    if isinstance(second.dtype, pl.Datetime) and isinstance(first.dtype, pl.Datetime):
        return bool(((first.dt.epoch("us") - second.dt.epoch("us")).abs() <= 1000).all())
    if (
        first.dtype == pl.String
        and second.dtype == pl.Duration
        and first.equals(second.dt.to_string(), check_names=False)
    ):
        return True
    return _spelt(first, second.dtype) == _spelt(second, second.dtype)


def _nulls(series: pl.Series) -> pl.Series:
    """Where a form without nulls has nothing to say: null, NaN and empty text."""
    missing = series.is_null()
    if series.dtype.is_float():
        missing |= series.is_nan().fill_null(value=False)
    return missing | (series == "").fill_null(value=False) if series.dtype == pl.String else missing


def _spelt(series: pl.Series, wanted: pl.DataType) -> list[Any]:
    """The values in the type that was written, as far as they can be read as such; else as they are."""
    if isinstance(wanted, (pl.Categorical, pl.Enum)):
        return series.cast(pl.String).to_list()
    if wanted == pl.String:
        return _unguarded(series.cast(pl.String)).to_list()
    if series.dtype == pl.String:
        return _parsed(series, wanted).to_list()
    if wanted.is_temporal() or wanted.is_numeric() or wanted == pl.Boolean:
        return series.cast(wanted, strict=False).to_list()
    return series.to_list()


def _unguarded(series: pl.Series) -> pl.Series:
    """Text without the mark that guards it from being taken for a formula."""
    return series.str.replace(r"^'([=+\-@\t\r])", "$1")


def _parsed(series: pl.Series, wanted: pl.DataType) -> pl.Series:
    """Text as the type that it spells; null where it spells none."""
    if wanted == pl.Boolean:
        return series.str.to_lowercase().replace_strict(
            {"true": True, "1": True, "false": False, "0": False}, default=None, return_dtype=pl.Boolean
        )
    if isinstance(wanted, pl.Datetime):
        moments = series.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
        return (
            moments.dt.convert_time_zone(wanted.time_zone) if wanted.time_zone else moments.dt.replace_time_zone(None)
        )
    if isinstance(wanted, (pl.Date, pl.Time)):
        return series.str.strptime(type(wanted), strict=False)
    if isinstance(wanted, (pl.List, pl.Struct, pl.Array)):
        return series.str.json_decode(wanted)
    return series.cast(wanted, strict=False) if wanted.is_numeric() else series


def _blocks_and_batches(case: _Case) -> None:
    """Blocks are written as the rows that they are together; batches are, put together, what reading gives."""
    frame = pl.DataFrame({"n": range(50), "x": [f"t{j % 7}" if j % 3 else None for j in range(50)]})
    spec, _ = case.fresh("blocks")
    other, _ = case.fresh("whole")
    blocks = iter([frame[:20], frame[20:21], frame[21:]])
    refused = attempt(f"Writing blocks with {case.name}", lambda: spec.write_blocks(TABLE, blocks))
    whole = attempt(f"Writing with {case.name}", lambda: other.write({TABLE: frame}))
    require(isinstance(refused, CuveeError) == isinstance(whole, CuveeError), f"{case.name} writes blocks, or tables.")
    if isinstance(whole, CuveeError):
        return
    read, wanted = (_only(case, source.read()) for source in (spec, other))
    require(_alike(read, wanted), f"{case.name} wrote other rows from blocks than from the table.")
    stream = spec.in_batches()
    if stream is None:
        return
    for start in (0, 20):
        settled = stream.settle(pl.concat(list(stream.batches(stream.columns, start))))
        require(
            _alike(settled, read[start:]),
            f"{case.name} gives other rows in batches, from row {start} on, than as a whole.",
        )


def _alike(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    return one.schema == other.schema and one.equals(other, null_equal=True)


def _missing(case: _Case) -> None:
    spec, folder = case.fresh("missing")
    message = _refused(spec, f"{case.name} on a place where nothing is")
    names = {Path(str(v)).name for v in spec.model_dump().values() if isinstance(v, str) and v} | {folder.name}
    require(any(n in message for n in names), f"{case.name} does not say what is missing: {message!r}.")
    require(not any(p.is_file() for p in folder.rglob("*")), f"{case.name} makes a file where it was to read one.")


def _refused(spec: Source, what: str) -> str:
    """The message of the SourceError that reading gives."""
    outcome = attempt(what, spec.read)
    if not isinstance(outcome, SourceError):
        raise AssertionError(f"{what} ended in no SourceError.")  # noqa: TRY004
    return str(outcome)


def _failed_write(case: _Case) -> None:
    """A table that can't be written stands after one that can: nothing of it may remain."""
    spec, folder = case.fresh("failed write")
    good = pl.DataFrame({"n": [1, 2, 3]})
    spec.write({TABLE: good})
    before = _listing(folder)
    broken = pl.DataFrame({"n": pl.Series([object(), object(), object()], dtype=pl.Object)})
    outcome = attempt(f"{case.name} writing Python objects", lambda: spec.write({TABLE: broken}))
    require(isinstance(outcome, SourceError), f"{case.name} wrote a column of Python objects; a SourceError is wanted.")
    require(
        _listing(folder) == before,
        f"{case.name} left something behind, or changed what stood there, when a write failed.",
    )
    require(
        same_values(_only(case, spec.read()).to_series(), good["n"]),
        f"{case.name} lost what stood there when a write failed.",
    )


def _listing(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def _damaged(case: _Case) -> None:
    """Cut off and overwritten files give an answer or a sentence, and no sentence holds what stood in them."""
    for how in ("cut", "overwritten"):
        spec, folder = case.fresh(f"damaged {how}")
        rows = {"n": np.arange(500.0)}
        spec.write({TABLE: pl.DataFrame(rows)})
        for path in [p for p in folder.rglob("*") if p.is_file()]:
            content = path.read_bytes()
            path.write_bytes(
                content[: len(content) // 2] if how == "cut" else (SECRET.encode() + b"\x00\xff\xfe,\n") * 50
            )
        outcome = attempt(f"{case.name} on a file that was {how}", spec.read)
        told = isinstance(outcome, SourceError) and SECRET in str(outcome)
        require(not told, f"{case.name} tells the content of a damaged file in its error.")


def _password(case: _Case) -> None:
    """A database whose address holds a password does not tell it when it can't be reached."""
    spec, _ = case.fresh("password")
    path = str(spec.model_dump().get("path", ""))
    scheme = path.partition("://")[0]
    if "://" not in path or scheme.startswith(("file", "sqlite", "duckdb")):
        return
    address = f"{scheme}://someone:{SECRET}@127.0.0.1:9/nowhere"
    message = _refused(
        type(spec)(**{**spec.model_dump(), "path": address}), f"{case.name} on a server that is not there"
    )
    require(SECRET not in message, f"{case.name} tells the password of its address in its error.")
    require(
        SECRET not in repr(spec.model_copy(update={"path": address})),
        f"{case.name} shows the password of its address in its repr.",
    )
