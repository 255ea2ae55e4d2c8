"""Mixed rows with the curve that shows what mixing is worth."""

from dataclasses import dataclass

import polars as pl

from cuvee.data.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Mixed:
    """What `mix` gave where it was told what the rows are for.

    Attributes:
        data: Real and synthetic rows, marked in the column `_origin`.
        curve: How well holdout rows are predicted by share; see `cuvee.mixing.curve.share_curve`.
    """

    data: Dataset
    curve: pl.DataFrame
