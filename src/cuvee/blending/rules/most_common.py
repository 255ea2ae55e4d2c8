"""The value that most records have."""

import polars as pl

from cuvee.blending.claims import counted, first_by
from cuvee.core import Rule


class MostCommon(Rule):
    """The value with the most claims; ties go to the most trusted source that says it, then to the smallest value."""

    def settle(self, claims: pl.DataFrame) -> pl.DataFrame:
        return first_by(counted(claims), {"count": True, "rank": False})
