"""The median of numbers, dates or times."""

import polars as pl

from cuvee.core import Rule
from cuvee.data.errors import SchemaError


class Median(Rule):
    """The middle value; of an even number of claims, half-way between the middle two.

    The dtype stays: half-way between whole numbers or dates is rounded down.
    """

    def settle(self, claims: pl.DataFrame) -> pl.DataFrame:
        """See `Rule.settle`.

        Raises:
            SchemaError: The values are not numbers, dates, times or durations.
        """
        dtype = claims.schema["value"]
        if not (dtype.is_numeric() or dtype.is_temporal()):
            raise SchemaError(
                f"The rule 'median' needs numbers, dates or times, and finds {dtype}. Choose another rule, such "
                "as most_common."
            )
        middle = _middle(claims, dtype)
        # The claim that won is named where one has exactly this value.
        rows = claims.join(middle, on=["entity", "value"], how="semi").group_by("entity").agg(pl.col("row").min())
        return middle.join(rows, on="entity", how="left").sort("entity")


def _middle(claims: pl.DataFrame, dtype: pl.DataType) -> pl.DataFrame:
    """entity, value: the median in the dtype of the claims."""
    value = pl.col("value").to_physical() if dtype.is_temporal() else pl.col("value")
    if dtype.is_decimal():
        value = value.cast(pl.Float64)
    elif not dtype.is_float() and dtype != pl.UInt64:
        value = value.cast(pl.Int64)
    ordered = pl.col("number").sort()
    low, high = ordered.get((pl.len() - 1) // 2), ordered.get(pl.len() // 2)
    # Half-way by the distance, so that the sum of two large numbers can't overflow.
    half = (high - low) / 2 if dtype.is_float() or dtype.is_decimal() else (high - low) // 2
    numbers = claims.select("entity", value.alias("number"))
    middle = numbers.group_by("entity").agg((low + half).alias("value"))
    back = pl.col("value").cast(pl.Int32) if dtype == pl.Date else pl.col("value")
    return middle.select("entity", back.cast(dtype))
