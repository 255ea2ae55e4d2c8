"""The claim of the most trusted source."""

import polars as pl
from pydantic import Field

from cuvee.blending.claims import counted, first_by
from cuvee.core import Rule


class Trusted(Rule):
    """The claim of the most trusted source that says anything; within it, the most common, then the smallest value."""

    order: tuple[str, ...] = Field(
        (), description="Sources, most trusted first; empty takes the trust order of the blend."
    )

    def settle(self, claims: pl.DataFrame) -> pl.DataFrame:
        ranked = claims
        if self.order:
            # Sources that are not named keep their order behind those that are.
            place = {source: i for i, source in enumerate(self.order)}
            named = pl.col("source").cast(pl.String).replace_strict(place, default=None, return_dtype=pl.Int64)
            ranked = claims.with_columns(
                pl.coalesce(named, pl.col("rank").cast(pl.Int64) + len(self.order)).alias("rank")
            )
        best = ranked.filter(pl.col("rank") == pl.col("rank").min().over("entity"))
        return first_by(counted(best), {"count": True})
