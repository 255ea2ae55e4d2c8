"""What records say of one column, and how a rule picks one of them for each entity at once.

Claims have one row each: `entity` (UInt32), `value`, `source`, `rank` (0 is most trusted), `row` and `time`; see
`core.Rule`.
"""

from collections.abc import Mapping

import polars as pl


def first_by(claims: pl.DataFrame, order: Mapping[str, bool]) -> pl.DataFrame:
    """The first claim of each entity in some order; ties go to the smallest value, then the earliest row.

    Equal values tie in every order, so only the row that is named, never the value, depends on how rows are ordered.

    Args:
        claims: The claims.
        order: Columns, and whether the largest comes first; nulls always come last.

    Returns:
        entity, value, row; one row an entity, sorted by entity.
    """
    columns = ["entity", *order, "value", "row"]
    descending = [False, *order.values(), False, False]
    ordered = claims.sort(columns, descending=descending, nulls_last=True)
    return ordered.unique("entity", keep="first", maintain_order=True).select("entity", "value", "row")


def counted(claims: pl.DataFrame) -> pl.DataFrame:
    """The claims with `count`: how many claims of the entity have the same value."""
    return claims.with_columns(pl.len().over("entity", "value").alias("count"))
