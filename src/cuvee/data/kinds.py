"""The kinds of columns, and the roles of those that speak of a person."""

from typing import Literal, get_args

import polars as pl

Kind = Literal["number", "category", "boolean", "datetime", "duration", "text", "id", "geo", "image", "opaque"]
"""What a column means, whatever its dtype. `opaque` is carried along and never modelled (lists, structs, bytes)."""

Role = Literal[
    "name",
    "email",
    "phone",
    "address",
    "postcode",
    "birthdate",
    "national_id",
    "ip",
    "card",
    "url",
    "latitude",
    "longitude",
]
"""What a column says of a person or a place; all but latitude and longitude of a thing are sensitive."""

KINDS: tuple[Kind, ...] = get_args(Kind)
ROLES: tuple[Role, ...] = get_args(Role)


def plain_kind(dtype: pl.DataType) -> Kind:
    """The kind that a dtype has by itself, before any value is looked at.

    >>> plain_kind(pl.Int8()), plain_kind(pl.Date()), plain_kind(pl.List(pl.Int8))
    ('number', 'datetime', 'opaque')
    """
    if dtype.is_numeric():
        return "number"
    if isinstance(dtype, (pl.Boolean, pl.Null)):
        return "boolean" if isinstance(dtype, pl.Boolean) else "category"
    if dtype == pl.Duration:
        return "duration"
    if dtype.is_temporal():
        return "datetime"
    if isinstance(dtype, (pl.Enum, pl.Categorical)):
        return "category"
    return "text" if dtype == pl.String else "opaque"
