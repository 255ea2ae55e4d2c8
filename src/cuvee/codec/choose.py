"""Which codec a column gets, from what the schema says it means and what its dtype can hold."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from numpy.random import Generator

from cuvee.codec.boolean import BooleanCodec
from cuvee.codec.category import CategoryCodec
from cuvee.codec.code import CodeCodec, fixed_digits
from cuvee.codec.codec import LEAST, Arrays, Codec
from cuvee.codec.datetime import DatetimeCodec
from cuvee.codec.duration import DurationCodec
from cuvee.codec.fake import FakeCodec
from cuvee.codec.fake_locale import Persons, find_persons
from cuvee.codec.geo import GeoCodec
from cuvee.codec.identifier import IdentifierCodec, substitutes
from cuvee.codec.number import NumberCodec
from cuvee.codec.opaque import OpaqueCodec
from cuvee.codec.text import TextCodec
from cuvee.codec.written import WrittenCodec
from cuvee.data.errors import ModelError
from cuvee.data.kinds import Kind, plain_kind
from cuvee.data.schema import Column
from cuvee.data.words import tokens

CODECS: Mapping[str, type[Codec]] = {
    codec.kind: codec
    for codec in (
        *(BooleanCodec, CategoryCodec, CodeCodec, DatetimeCodec, DurationCodec, FakeCodec, GeoCodec, IdentifierCodec),
        *(NumberCodec, OpaqueCodec, TextCodec, WrittenCodec),
    )
}
"""All codecs by the name they have in model files."""
CODED_ROLES = frozenset({"phone", "national_id", "ip", "card"})
"""Roles of a person whose values have a form; they are made after it and never copied."""
SPOKEN_ROLES = frozenset({"name", "email", "address", "url"})
"""Roles of a person whose values are text; they are made up, or made letter by letter, and never copied."""
GLOBE: Mapping[str, int] = {"latitude": 90, "longitude": 180}
"""How far places on the globe can lie from its middle, in degrees."""
FIRMS = frozenset({"company", "employer", "firm", "firma", "unternehmen", "entreprise", "empresa"})
"""What columns of the names of firms are called."""


def fit_codec(
    series: pl.Series,
    column: Column,
    *,
    unique: bool = False,
    least: int = LEAST,
    persons: Persons | None = None,
    rng: Generator,
) -> Codec:
    """Learn one column with one row or more.

    Args:
        series: The column, named.
        column: What it means.
        unique: Whether no value may repeat, as in a key of one column.
        least: The fewest rows a stored figure may come from.
        persons: What the fakes of all columns have in common (`find_persons`); None where this column stands alone.
        rng: For the order in which ids are made.
    """
    dtype = series.dtype
    key = int(rng.integers(2**31))
    if series.null_count() == len(series):
        return OpaqueCodec.fit(series.name, series)
    if isinstance(dtype, pl.Enum) and (column.role is not None or _shared(series, least) < 1):
        # The levels of an Enum are part of its dtype, which a model names: rare ones would stand there.
        series = series.cast(pl.String).cast(pl.Categorical)
    textual = series.dtype == pl.String or isinstance(series.dtype, pl.Categorical)
    codec: Codec | None = None
    if textual and (role := _spoken(series, column, unique=unique, least=least)) is not None:
        whose = persons or find_persons([(series, column)], key=key, least=least)
        codec = FakeCodec.fit(series.name, series, whose, role=role, unique=unique, least=least)
    if codec is None and (textual or dtype.is_integer()):
        secret = key if persons is None else persons.key_of(series.name)
        codec = _coded(series, column, unique=unique, least=least, keys=(key, secret))
    return codec or _of_kind(column, series, least)


def restore_codec(values: Mapping[str, Any], arrays: Arrays) -> Codec:
    """The codec whose `state` this is.

    Raises:
        ModelError: The kind of codec is not known.
    """
    kind = values["kind"]
    if kind not in CODECS:
        raise ModelError(f"The model has a column of the kind {kind!r}, which this version of cuvee does not know.")
    return CODECS[kind].restore(values, arrays)


def _coded(series: pl.Series, column: Column, *, unique: bool, least: int, keys: tuple[int, int]) -> Codec | None:
    """The codec of ids, and of what persons and places are coded by; None for others. The second key is secret."""
    name, role = series.name, column.role
    if unique or role in CODED_ROLES:
        key = keys[0] if role is None else keys[1]
        return IdentifierCodec.fit(name, series, key=key, least=least, role=role, wraps=not unique)
    if role in SPOKEN_ROLES:
        return TextCodec.fit(name, series, least=least, role=role) if not series.dtype.is_integer() else None
    if role != "postcode" and column.kind != "id":
        return None
    shared = _shared(series, least)
    code = CodeCodec.fit(name, series, least=least) if role == "postcode" and shared < 1 else None
    if code is not None or column.kind != "id":
        return code
    if shared < 0.5:
        return IdentifierCodec.fit(name, series, key=keys[0], least=least)
    return _disguised(series, least, keys[1])


def _disguised(series: pl.Series, least: int, key: int) -> Codec:
    """Ids that rows share: how often each comes, and with what, is kept; the ids are made up."""
    kept = CategoryCodec.fit(series.name, series, least=least)
    made = substitutes(series.name, kept.levels, key=key)
    note = (
        f"Column {series.name!r}: ids that at least {least} rows share keep their rows, and made-up ids stand for them."
    )
    return kept.disguised(made, note)


def _spoken(series: pl.Series, column: Column, *, unique: bool, least: int) -> str | None:
    """What fakes a text column needs: those of its role, or of users and firms by its name; None for no fakes."""
    if column.role in SPOKEN_ROLES:
        return column.role if not unique or column.role == "email" else None
    if column.role is not None or unique or column.kind not in {"text", "id"}:
        return None
    said = set(tokens(series.name))
    if said & {"username", "login", "nickname", "screenname"} and _shared(series, least) < 0.5:
        return "user"
    return "company" if said & FIRMS and column.kind == "text" and _shared(series, least) < 0.5 else None


def _of_kind(column: Column, series: pl.Series, least: int) -> Codec:
    """The codec for what the column means, or for what its dtype is where the two do not go together."""
    name, dtype, kind = series.name, series.dtype, column.kind
    plain = plain_kind(dtype)
    if plain == "opaque" or kind in {"opaque", "image"}:
        return OpaqueCodec.fit(name, series)
    if plain == "boolean":
        return BooleanCodec.fit(name, series)
    if kind in {"category", "boolean", "id"} or isinstance(dtype, pl.Enum):
        return CategoryCodec.fit(name, series, least=least)
    if dtype.is_integer() and (dates := WrittenCodec.fit_compact(name, series, least=least)) is not None:
        return dates
    reach = GLOBE.get(column.role or "")
    if plain == "number" and reach is not None and bool(series.abs().max() <= reach):  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
        return NumberCodec.fit(name, series, least=least, limits=(-reach, reach))
    measured = {"number": NumberCodec, "datetime": DatetimeCodec, "duration": DurationCodec}.get(plain)
    return _of_text(kind, series, least) if measured is None else measured.fit(name, series, least=least)


def _of_text(kind: Kind, series: pl.Series, least: int) -> Codec:
    """The codec of a text column whose kind is number, datetime, text or another that text can have."""
    written: Codec | None = None
    if kind in {"number", "geo"}:
        written = WrittenCodec.fit_numbers(series.name, series, least=least)
    elif kind == "datetime":
        written = WrittenCodec.fit_dates(series.name, series, least=least)
    if written is not None:
        return written
    shared = _shared(series, least)
    if kind == "geo" and shared < 0.5 and (places := GeoCodec.fit(series.name, series, least=least)) is not None:
        return places
    if shared < 1 and fixed_digits(series) and (code := CodeCodec.fit(series.name, series, least=least)) is not None:
        return code
    if kind != "text" and shared >= 0.5:
        return CategoryCodec.fit(series.name, series, least=least)
    return TextCodec.fit(series.name, series, least=least)


def _shared(series: pl.Series, least: int) -> float:
    """The share of the values that at least `least` rows have."""
    counts = series.drop_nulls().rename("value").value_counts(name="count")["count"]
    return float(counts.filter(counts >= least).sum()) / max(float(counts.sum()), 1.0)
