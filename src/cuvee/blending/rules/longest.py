"""The longest text."""

import polars as pl

from cuvee.blending.claims import first_by
from cuvee.core import Rule
from cuvee.data.errors import SchemaError


class Longest(Rule):
    """The value with the most characters, surrounding space not counted; ties go to trust, then the smallest value."""

    def settle(self, claims: pl.DataFrame) -> pl.DataFrame:
        """See `Rule.settle`.

        Raises:
            SchemaError: The values are lists, structs, bytes or objects, which have no text.
        """
        dtype = claims.schema["value"]
        if dtype.is_nested() or isinstance(dtype, (pl.Object, pl.Binary)):
            raise SchemaError(
                f"The rule 'longest' needs text or what can be written as text, and finds {dtype}. Use first."
            )
        characters = pl.col("value").cast(pl.String).str.strip_chars().str.len_chars()
        return first_by(claims.with_columns(characters.alias("characters")), {"characters": True, "rank": False})
