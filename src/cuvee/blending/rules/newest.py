"""The claim of the newest record."""

import polars as pl
from pydantic import Field

from cuvee.blending.claims import first_by
from cuvee.core import Rule


class Newest(Rule):
    """The claim of the record with the latest time.

    Records without a time come last; ties go to trust, then the smallest value.
    """

    by: str | None = Field(None, description="The time column; None takes the only one that the linked sources share.")

    def settle(self, claims: pl.DataFrame) -> pl.DataFrame:
        return first_by(claims, {"time": True, "rank": False})
