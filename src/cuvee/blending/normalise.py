"""Values in one comparable form: as they are, or freed of how they were typed.

Everything here is a Polars expression over a whole column; the slower ones run over distinct values only.
"""

from collections.abc import Callable, Sequence

import polars as pl

from cuvee.data.errors import SchemaError
from cuvee.data.kinds import Kind, Role

Way = Callable[[pl.Series], pl.Series]

_TITLES = r"^(?:(?:mr|mrs|ms|miss|mx|dr|prof|sir|dame|herr|frau|mme|mlle|sra|sr)\.?\s+)+"
_ISO_FORMS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d")
_DATE_FORMS = ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%d %b %Y", "%d %B %Y")


def text(values: pl.Series) -> pl.Series:
    """Every value as text in one form: 7, 7.0 and "7" are alike, times are ISO in UTC; empty text and NaN are null.

    Raises:
        SchemaError: The column holds lists, structs or objects, which have no one text.
    """
    dtype = values.dtype
    if dtype.is_nested() or dtype == pl.Object:
        raise SchemaError(
            f"Column {values.name!r} holds {dtype} values, which can't be a key. Name one of text, numbers or dates."
        )
    if dtype.is_float():
        made = _float_text(values)
    elif dtype.is_decimal():
        fraction = pl.col("v").str.contains(".", literal=True)
        made = _apply(
            values.cast(pl.String), lambda c: pl.when(fraction).then(c.str.replace(r"\.?0+$", "")).otherwise(c)
        )
    elif isinstance(dtype, pl.Datetime):
        made = instants(values).dt.to_string("%Y-%m-%dT%H:%M:%S%.f")
    elif dtype == pl.Binary:
        made = values.bin.encode("hex")
    elif isinstance(dtype, pl.Duration):
        made = values.to_physical().cast(pl.String)
    else:
        made = values.cast(pl.String)
    return _no_empty(made)


def instants(values: pl.Series) -> pl.Series:
    """Dates and times as microseconds in UTC without a zone; a time without a zone is taken as UTC."""
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None:
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return values.cast(pl.Datetime("us"))


def read_instants(values: pl.Series) -> pl.Series | None:
    """The instants of a column of dates, times or ISO text; None where its values are something else."""
    if values.dtype == pl.Date or isinstance(values.dtype, pl.Datetime):
        return instants(values)
    if values.dtype != pl.String:
        return None
    stripped = _no_empty(values.str.strip_chars())
    # A column of one form is read by Polars in one go; forms with and without a zone need one each.
    for zoned in (True, False):
        form = "%+" if zoned else None
        read = _read_one(stripped, form)
        if read is not None:
            return read
    return None


def _read_one(values: pl.Series, form: str | None) -> pl.Series | None:
    known = values.len() - values.null_count()
    try:
        read = values.str.to_datetime(form, strict=False, time_unit="us")
    except pl.exceptions.ComputeError:  # no form fits the first values
        return None
    return instants(read) if known and read.len() - read.null_count() == known else None


def aligned(columns: Sequence[pl.Series]) -> list[pl.Series]:
    """Columns of several sources in one dtype, in which equal values are equal: 7, 7.0 and "7", a date and ISO text."""
    dtypes = [c.dtype for c in columns]
    if all(d.is_integer() for d in dtypes) and pl.UInt64 not in dtypes:
        return [c.cast(pl.Int64) for c in columns]
    temporal = [d == pl.Date or isinstance(d, pl.Datetime) for d in dtypes]
    if all(temporal):
        return [instants(c) for c in columns]
    if any(temporal) and all(t or d == pl.String for t, d in zip(temporal, dtypes, strict=True)):
        read = [read_instants(c) for c in columns]
        if all(r is not None for r in read):
            return [r for r in read if r is not None]
    return [text(c) for c in columns]


def plain(values: pl.Series) -> pl.Series:
    """Letters and digits alone, lower case, without accents: of the values alone, so that parties get the same."""
    return over_distinct(text(values), lambda v: _apply(_letters(v), lambda c: c.str.replace_all(r"[^\p{L}\p{N}]", "")))


def for_role(role: Role | None, kind: Kind, *, leading_zeros: bool = True) -> Way:
    """How a column of this role or kind is normalised.

    Args:
        role: What it says of a person, if it does; comes before the kind.
        kind: Its kind.
        leading_zeros: False drops the leading zeros of a code, so that 007 and 7 are one.
    """
    way = _BY_ROLE.get(role) if role is not None else None
    if way is None:
        way = {"datetime": _date, "number": text}.get(kind, plain)
    if leading_zeros:
        return way
    inner = way
    return lambda values: _apply(inner(values), lambda c: c.str.replace(r"^0+([^0]|0$)", "${1}"))


def over_distinct(values: pl.Series, way: Way) -> pl.Series:
    """What a slow way makes of a column, computed once for each distinct value."""
    distinct = values.unique(maintain_order=True).drop_nulls()
    if distinct.len() == 0:
        return pl.Series(values.name, [None] * values.len(), dtype=pl.String)
    made = way(distinct).alias("made")
    if distinct.len() == values.len():
        return made.alias(values.name)
    table = pl.DataFrame({"value": distinct, "made": made})
    whole = values.alias("value").to_frame().join(table, on="value", how="left", maintain_order="left")
    return whole["made"].alias(values.name)


def _apply(values: pl.Series, expression: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    """An expression over one column, with empty results as null."""
    # Under a plain name, as Polars takes a name such as ^a$ for a pattern.
    made = values.to_frame("v").select(expression(pl.col("v"))).to_series()
    return _no_empty(made).alias(values.name)


def _no_empty(values: pl.Series) -> pl.Series:
    filled = values.to_frame("v").select(pl.when(pl.col("v") != "").then("v")).to_series()
    return filled.alias(values.name)


def _float_text(values: pl.Series) -> pl.Series:
    column = pl.col("v")
    whole = column.is_finite() & (column == column.round(0)) & (column.abs() < 2**53)
    shown = pl.when(whole).then(column.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(column.cast(pl.String))
    numbers = values.fill_nan(None).cast(pl.Float64).to_frame("v")
    return numbers.select(shown.alias("v")).to_series().alias(values.name)


def _letters(values: pl.Series) -> pl.Series:
    """NFKC, lower case, accents off; sharp s as ss, which lower case alone leaves."""
    lower = values.str.normalize("NFKC").str.to_lowercase().str.replace_all("ß", "ss", literal=True)
    return lower.str.normalize("NFKD").str.replace_all(r"\p{M}", "")


def _words(column: pl.Expr) -> pl.Expr:
    """Apostrophes close up, other punctuation and runs of space become one space."""
    closed = column.str.replace_all(r"['`\u2019\u00b4]", "")
    return closed.str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()


def _phrase(values: pl.Series) -> pl.Series:
    return over_distinct(text(values), lambda v: _apply(_letters(v), _words))


def _name(values: pl.Series) -> pl.Series:
    return over_distinct(
        text(values), lambda v: _apply(_letters(v), lambda c: _words(c.str.strip_chars().str.replace(_TITLES, "")))
    )


def _email(values: pl.Series) -> pl.Series:
    def address(v: pl.Series) -> pl.Series:
        lower = v.str.normalize("NFKC").str.to_lowercase()
        return _apply(lower, lambda c: c.str.replace_all(r"\s", "").str.replace("^mailto:", ""))

    return over_distinct(text(values), address)


def _phone(values: pl.Series) -> pl.Series:
    def number(v: pl.Series) -> pl.Series:
        digits = v.str.normalize("NFKC").str.replace(r"(?i)\s*(?:x|ext\.?|extension)\s*\d+\s*$", "")
        # North American numbers are written with and without their country code 1.
        return _apply(
            digits,
            lambda c: c.str.replace_all(r"\D", "").str.strip_chars_start("0").str.replace(r"^1([2-9]\d{9})$", "${1}"),
        )

    return over_distinct(text(values), number)


def _date(values: pl.Series) -> pl.Series:
    """ISO dates; text is read by the form that reads most of the column, what none reads becomes letters and digits."""
    if values.dtype != pl.String:
        day = values.dtype == pl.Date or isinstance(values.dtype, pl.Datetime)
        return instants(values).dt.to_string("%Y-%m-%d") if day else text(values)

    def iso(v: pl.Series) -> pl.Series:
        short = v.str.strip_chars().str.replace(r"[T ]\d{1,2}:\d{2}.*$", "")
        # ISO forms are never ambiguous; of the others, the one that suits most of what is left decides day or month.
        sure = [short.str.to_date(form, strict=False) for form in _ISO_FORMS]
        rest = short.to_frame("v").filter(pl.all_horizontal(*(s.is_null() for s in sure)))["v"]
        reads = [rest.str.to_date(form, strict=False).null_count() for form in _DATE_FORMS]
        best = short.str.to_date(_DATE_FORMS[reads.index(min(reads))], strict=False)
        days = [pl.lit(s).dt.to_string("%Y-%m-%d") for s in (*sure, best)]
        return v.to_frame("v").select(pl.coalesce([*days, pl.lit(plain(v))]).alias("v")).to_series()

    return over_distinct(text(values), iso)


_BY_ROLE: dict[Role, Way] = {
    "name": _name,
    "email": _email,
    "phone": _phone,
    "address": _phrase,
    "postcode": plain,
    "birthdate": _date,
    "national_id": plain,
    "ip": _email,
    "card": plain,
    "url": _email,
}
