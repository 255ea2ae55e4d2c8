"""What several synthesizers let the user choose, each said once: bounds and descriptions are part of the type."""

from typing import Annotated, Literal

from pydantic import Field

from cuvee.codec.codec import LEAST

Rate = Annotated[
    float | None, Field(gt=0, le=1, description="The highest learning rate; None: as the rows of a step say.")
]
Rows = Annotated[int, Field(ge=100, description="At most this many rows are learned from, drawn at random.")]
Budget = Annotated[float | None, Field(gt=0, description="Seconds that the fit may take, about.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], Field(description="Where networks learn.")]
Least = Annotated[int, Field(ge=LEAST, le=1000, description="A value that fewer rows share is never kept as it is.")]
