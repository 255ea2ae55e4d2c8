"""The claim that was read first."""

import polars as pl

from cuvee.core import Rule


class First(Rule):
    """The first claim in the order of the sources and of their rows.

    The only rule that depends on the order of rows.
    """

    def settle(self, claims: pl.DataFrame) -> pl.DataFrame:
        ordered = claims.sort("entity", "row")
        return ordered.unique("entity", keep="first", maintain_order=True).select("entity", "value", "row")
