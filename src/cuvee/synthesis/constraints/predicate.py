"""What only SQL or Python can say of a row."""

from collections.abc import Callable
from typing import Any, final

import polars as pl
from pydantic import model_validator

from cuvee.core import Constraint
from cuvee.data.errors import SchemaError


@final
class Predicate(Constraint):
    """The last resort: an SQL expression, or a Python function of a frame. Rows are drawn until it holds.

    A model with a Python function can't be saved: opening a model never runs code.

    Attributes:
        predicate: An SQL expression such as `a + b < 3 * c`, or a function (frame -> (n,) true, false or null).
        reads: The columns that a function reads; those of SQL are known.
    """

    predicate: str | Callable[[pl.DataFrame], Any]
    reads: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _known(cls, values: Any) -> Any:
        said = values.get("predicate") if isinstance(values, dict) else None
        if isinstance(said, str):
            try:
                values = {**values, "reads": tuple(pl.sql_expr(said).meta.root_names())}
            except pl.exceptions.PolarsError as error:
                raise ValueError(f"{said!r} is no SQL expression: {error}") from error
        elif callable(said) and not values.get("reads"):
            raise ValueError("the columns that a function reads must be said: reads=[...]")
        return values

    def __str__(self) -> str:
        said = self.predicate
        return said if isinstance(said, str) else f"{getattr(said, '__name__', 'a function')}({', '.join(self.reads)})"

    def columns(self) -> tuple[str, ...]:
        return self.reads

    def truth(self, frame: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        del learned
        try:
            if isinstance(self.predicate, str):
                found = frame.select(pl.sql_expr(self.predicate).alias("truth")).to_series()
            else:
                found = pl.Series("truth", self.predicate(frame.select(self.reads)), strict=False)
        except pl.exceptions.PolarsError as error:
            raise SchemaError(f"{self} can't be computed: {error}") from error
        if found.dtype != pl.Boolean or len(found) != frame.height:
            raise SchemaError(
                f"{self} gives {len(found):,} values of {found.dtype} for {frame.height:,} rows; it must say true or "
                "false of each row."
            )
        return found
