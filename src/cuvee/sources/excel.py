"""Spreadsheets: .xlsx, .xls, .xlsb and .ods are read, .xlsx is written."""

import io
import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, final

import polars as pl
import polars.selectors as cs
from pydantic import Field

from cuvee.core import Source
from cuvee.data.errors import MissingExtraError, SourceError
from cuvee.sources.files import read_bytes, replacing
from cuvee.sources.identifiers import unique_names
from cuvee.sources.location import file_name, table_name
from cuvee.sources.secrets import Location, expand, first_line, shown

if TYPE_CHECKING:
    from xlsxwriter import Workbook  # pyright: ignore[reportMissingTypeStubs]

_ROWS, _COLUMNS, _LETTERS, _SHEET = 1_048_576, 16_384, 32_767, 31
_EXACT = 2**53


@final
class Excel(Source):
    """A spreadsheet: every sheet that is not empty is a table, or the one that `sheet` names.

    Numbers that are all whole are whole numbers, and times that are all midnight are dates: a spreadsheet has neither.
    One sheet is named after the file, several after themselves. Text is written as text, never as a formula or link, so
    nothing in a cell can run. Whole numbers beyond 2^53, decimals and times with a zone are written as text, for a
    spreadsheet would round them or forget the zone.
    """

    path: Location
    sheet: str | int | None = Field(None, description="The name of a sheet, or its number from 1.")
    header: bool = Field(default=True, description="Whether the first row names the columns.")

    def read(self) -> Mapping[str, pl.DataFrame]:
        try:
            import fastexcel
        except ImportError as error:
            raise MissingExtraError("Reading a spreadsheet", "excel") from error
        content = read_bytes(self.path)
        try:
            book = fastexcel.read_excel(content)
            names = self._chosen(book.sheet_names)
            frames = {name: self._frame(book, name) for name in names}
        except fastexcel.FastExcelError as error:
            raise SourceError(
                f"{shown(self.path)} can't be read as a spreadsheet: {first_line(str(error))}."
            ) from error
        filled = {name: frame for name, frame in frames.items() if frame.width}
        if not filled:
            raise SourceError(f"{shown(self.path)} holds no sheet with a header.")
        return {table_name(expand(self.path).text): next(iter(filled.values()))} if len(filled) == 1 else filled

    def write(self, tables: Mapping[str, pl.DataFrame]) -> None:
        try:
            from xlsxwriter import Workbook  # pyright: ignore[reportMissingTypeStubs]
        except ImportError as error:
            raise MissingExtraError("Writing a spreadsheet", "excel") from error
        if not file_name(expand(self.path).text).lower().endswith(".xlsx"):
            raise SourceError(f"{shown(self.path)}: spreadsheets are written as .xlsx only.")
        sheets = self._sheets(tables)
        for name, frame in tables.items():
            _check(name, frame)
        buffer = io.BytesIO()
        # Dates before 1900 and all that a cell can't hold were refused; text stays text.
        options = {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        with Workbook(buffer, options) as book:
            # The same rows give the same bytes: no time of writing.
            book.set_properties({"created": datetime(2000, 1, 1)})
            for (name, frame), sheet in zip(tables.items(), sheets, strict=True):
                _fill(book, sheet, _cells(frame), name)
        with replacing(self.path) as beside:
            beside.write_bytes(buffer.getvalue())

    def _chosen(self, names: list[str]) -> list[str]:
        if self.sheet is None:
            return names
        if isinstance(self.sheet, int) and 1 <= self.sheet <= len(names):
            return [names[self.sheet - 1]]
        if self.sheet in names:
            return [str(self.sheet)]
        raise SourceError(f"{shown(self.path)} has no sheet {self.sheet!r}; it has {', '.join(map(repr, names))}.")

    def _frame(self, book: Any, name: str) -> pl.DataFrame:
        # The header is taken as a row of its own: its cells may be numbers, dates or missing.
        body = book.load_sheet(name, header_row=None, skip_rows=1 if self.header else 0, schema_sample_rows=None)
        frame = _plain(pl.DataFrame(body))
        if not self.header:
            frame.columns = [f"column_{i}" for i in range(1, frame.width + 1)]
            return frame
        top = pl.DataFrame(book.load_sheet(name, header_row=None, n_rows=1, dtypes="string"))
        given = [None if cell is None else str(cell) for cell in (top.row(0) if top.height else ())]
        if not given:
            return pl.DataFrame()
        if not frame.width:
            frame = pl.DataFrame({str(i): pl.Series([], dtype=pl.String) for i in range(len(given))})
        given += [None] * (frame.width - len(given))
        frame.columns = unique_names(given[: frame.width])
        nameless = [
            n for n, g in zip(frame.columns, given, strict=False) if not g and frame[n].null_count() == frame.height
        ]
        return frame.drop(nameless)

    def _sheets(self, tables: Mapping[str, pl.DataFrame]) -> list[str]:
        """Names of sheets: without the signs that they can't have, at most 31 letters, told apart."""
        if isinstance(self.sheet, str) and len(tables) == 1:
            return [self.sheet]
        seen: dict[str, str] = {}
        for table in tables:
            plain = re.sub(r"[\[\]:*?/\\]", "_", table).strip("'")[:_SHEET] or "data"
            if plain.lower() in seen:
                raise SourceError(
                    f"Tables {seen[plain.lower()]!r} and {table!r} would have the same sheet name {plain!r}. "
                    f"Rename one."
                )
            seen[plain.lower()] = table
        return [re.sub(r"[\[\]:*?/\\]", "_", table).strip("'")[:_SHEET] or "data" for table in tables]


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns as what they show: a spreadsheet has no whole numbers and no dates, only numbers and times."""
    columns: list[pl.Series] = []
    for column in frame.iter_columns():
        if (
            column.dtype.is_float()
            and column.count()
            and bool(((column == column.round()) & (column.abs() <= _EXACT)).all())
        ):
            column = column.cast(pl.Int64)  # noqa: PLW2901 (each column is replaced by what it shows)
        if column.dtype == pl.Datetime:
            midnight = column.count() and bool((column.dt.truncate("1d") == column).all())
            column = column.cast(pl.Date if midnight else pl.Datetime("us"))  # noqa: PLW2901
        columns.append(column)
    return pl.DataFrame(columns)


def _check(name: str, frame: pl.DataFrame) -> None:
    """Refuse what a sheet can't hold."""
    if frame.height >= _ROWS or frame.width > _COLUMNS:
        raise SourceError(
            f"Table {name!r} is {frame.height:,} x {frame.width:,}; a sheet holds {_ROWS - 1:,} x {_COLUMNS:,}. "
            f"Write Parquet."
        )
    for column in frame.iter_columns():
        where = f"Column {column.name!r} of {name!r}"
        if column.dtype.is_nested() or isinstance(column.dtype, (pl.Binary, pl.Object)):
            raise SourceError(
                f"{where} holds {column.dtype}, which a spreadsheet can't. Write Parquet, or leave the column out."
            )
        if column.dtype == pl.String and (column.str.len_chars().max() or 0) > _LETTERS:  # pyright: ignore[reportOperatorIssue]
            raise SourceError(
                f"{where} has a text of more than {_LETTERS:,} letters, the most that a cell holds. Write Parquet."
            )
        if column.dtype.is_float() and column.is_infinite().any():
            raise SourceError(f"{where} has infinite numbers, which a spreadsheet can't hold. Write Parquet.")
        if isinstance(column.dtype, (pl.Date, pl.Datetime)) and (column.dt.year().min() or 1900) < 1900:  # pyright: ignore[reportOperatorIssue]
            raise SourceError(f"{where} has dates before 1900, which a spreadsheet can't hold. Write CSV or Parquet.")


def _cells(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with values that a cell holds exactly."""
    big = [
        name
        for name, dtype in frame.schema.items()
        if dtype.is_integer()
        and frame.height
        and any(abs(int(v)) > _EXACT for v in (frame[name].min(), frame[name].max()) if v is not None)  # pyright: ignore[reportArgumentType]
    ]
    zoned = [
        name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
    ]
    return frame.with_columns(
        pl.col(big).cast(pl.String),
        (cs.categorical() | cs.enum() | cs.decimal()).cast(pl.String),
        cs.float().fill_nan(None),
        cs.duration().dt.to_string("iso"),
        *(pl.col(n).dt.convert_time_zone("UTC").dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ") for n in zoned),
    )


def _fill(book: "Workbook", sheet: str, frame: pl.DataFrame, name: str) -> None:
    """Write one table to one sheet."""
    from xlsxwriter.exceptions import XlsxWriterException  # pyright: ignore[reportMissingTypeStubs]

    formats = {pl.Date: "yyyy-mm-dd", pl.Datetime: "yyyy-mm-dd hh:mm:ss.000", pl.Time: "hh:mm:ss"}
    try:
        page = book.add_worksheet(sheet)
    except XlsxWriterException as error:
        raise SourceError(
            f"Table {name!r} can't be the name of a sheet: {first_line(str(error))}. Rename it."
        ) from error
    bold = book.add_format({"bold": True})
    for j, column in enumerate(frame.iter_columns()):
        page.write_string(0, j, column.name, bold)
        wanted = next((f for dtype, f in formats.items() if column.dtype == dtype), None)
        page.write_column(1, j, column.to_list(), book.add_format({"num_format": wanted}) if wanted else None)
    page.freeze_panes(1, 0)
