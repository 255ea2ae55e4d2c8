"""What is remembered of a table that came in, so that it goes out the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column on its way in.

    Attributes:
        series: The values.
        arrow: The Arrow field that it came with, or None where its plain type says all.
        levels: The dictionary of a dictionary-encoded column in its order, unused levels too (an Arrow array), or None.
        note: What had to change on the way in, in a sentence, or None.
    """

    series: pl.Series
    arrow: Any = None
    levels: Any = None
    note: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PandasForm:
    """What pandas knows of a frame beyond Arrow.

    Attributes:
        dtypes: The pandas dtype by the column's name here, index columns too.
        columns: The pandas index of the column labels, which need not be text.
        names: The column's name here for each of these labels, in order.
        index: The names here of the columns that were the index; empty for the default index.
        index_labels: The names of the index in pandas, which may be None.
        frequency: The frequency of a datetime index, or None.
        missing: What stood for a missing value in a column of Python objects (None, NaN, NA), by column.
        attributes: The free attributes of the frame.
    """

    dtypes: Mapping[str, Any]
    columns: Any
    names: tuple[str, ...]
    index: tuple[str, ...] = ()
    index_labels: tuple[Any, ...] = ()
    frequency: Any = None
    missing: Mapping[str, Any] = field(default_factory=dict[str, Any])
    attributes: Mapping[Any, Any] = field(default_factory=dict[Any, Any])


@dataclass(frozen=True, slots=True, eq=False)
class ArrayForm:
    """What NumPy knows of an array.

    Attributes:
        dimensions: 1 or 2; a structured array has 1.
        dtype: The dtype of the array; it has fields where the array is structured.
        masked: Whether the array had a mask.
    """

    dimensions: int
    dtype: Any
    masked: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """How a table came in. What does not fit it on the way out goes out in its plain type.

    Attributes:
        dtypes: The Polars dtype of each column as it came in.
        arrow: The Arrow field by column, for those that came with one.
        levels: The dictionary by column, for those that came dictionary-encoded.
        metadata: The metadata of the Arrow schema, or None.
        pandas: What pandas knew, if it came from there.
        array: What NumPy knew, if it came from there.
        notes: What had to change on the way in, in sentences.
    """

    dtypes: Mapping[str, pl.DataType]
    arrow: Mapping[str, Any] = field(default_factory=dict[str, Any])
    levels: Mapping[str, Any] = field(default_factory=dict[str, Any])
    metadata: Mapping[bytes, bytes] | None = None
    pandas: PandasForm | None = None
    array: ArrayForm | None = None
    notes: tuple[str, ...] = ()
