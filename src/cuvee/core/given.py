"""Rows that come to a fitted model: whether they have the columns and dtypes of training."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import polars as pl

from cuvee.data.errors import ModelError
from cuvee.data.names import did_you_mean


def fitted(frame: pl.DataFrame, schema: pl.Schema, table: str) -> pl.DataFrame:
    """The columns of a schema in its order and dtypes, where the frame has just these.

    Raises:
        ModelError: It has others, or other dtypes; texts may be of any dtype of texts.
    """
    missing = [c for c in schema if c not in frame.columns]
    extra = [c for c in frame.columns if c not in schema]
    if missing or extra:
        said = [f"lack {', '.join(map(repr, missing[:8]))}"] if missing else []
        said += [f"have {', '.join(map(repr, extra[:8]))}, which the model does not know"] if extra else []
        hint = did_you_mean(extra[0], missing) if missing and extra else ""
        hint = hint if hint.startswith(" Did") else ""
        raise ModelError(f"Rows of table {table!r} {' and '.join(said)}. Give the columns of training.{hint}")
    text = (pl.String, pl.Categorical, pl.Enum)
    columns: list[pl.Series] = []
    for name, dtype in schema.items():
        column = frame[name]
        if column.dtype != dtype:
            both = isinstance(dtype, text) and isinstance(column.dtype, text)
            cast = column.cast(dtype, strict=False) if both or column.dtype == pl.Null else None
            if cast is None or cast.null_count() > column.null_count():
                raise ModelError(
                    f"Column {name!r} of table {table!r} is {column.dtype}, and {dtype} in the model. Cast it first."
                )
            column = cast
        columns.append(column)
    return pl.DataFrame(columns)


def known_cells(frame: pl.DataFrame, empty: pl.DataFrame, table: str) -> pl.DataFrame:
    """Given rows in the dtypes of training.

    Raises:
        ModelError: They have a column that training had not, or a value that its dtype can't hold.
    """
    columns: list[pl.Series] = []
    for series in frame.iter_columns():
        if series.name not in empty.columns:
            raise ModelError(
                f"The given rows have a column {series.name!r} that table {table!r} has not."
                f"{did_you_mean(series.name, empty.columns)}"
            )
        cast = series.cast(empty.schema[series.name], strict=False)
        lost = cast.null_count() - series.null_count()
        if lost:
            raise ModelError(
                f"Column {series.name!r} of the given rows is {series.dtype}, and {lost:,} of its values are no "
                f"{empty.schema[series.name]}, which the model was fitted on."
            )
        columns.append(cast)
    return pl.DataFrame(columns)


def changed(
    frame: pl.DataFrame, change: Mapping[str, Any], *, keep: Sequence[str] | None, redraw: Sequence[str] | None
) -> tuple[pl.DataFrame, list[pl.Series]]:
    """The cells that are known once some columns are changed, and all columns that stay, blanks included.

    Raises:
        ModelError: A column is not there, or it is not said which others stay.
    """
    if (keep is None) == (redraw is None):
        raise ModelError(
            "Say which columns stay (keep=[...]) or which are drawn again (redraw=[...]), one of both: what depends on "
            "a change is for you to say."
        )
    named = [*change, *(keep or ()), *(redraw or ())]
    for column in named:
        if column not in frame.columns:
            raise ModelError(f"The model has no column {column!r}.{did_you_mean(column, frame.columns)}")
    drawn = set(redraw) if redraw is not None else set(frame.columns) - set(keep or ())
    both = sorted(set(change) & (set(redraw or ()) | set(keep or ())))
    if both:
        raise ModelError(f"Column {both[0]!r} is changed, so it can't stay as it is or be drawn again.")
    stay = [frame[c] for c in frame.columns if c not in drawn and c not in change]
    fresh = [_changed(frame[c], value) for c, value in change.items()]
    return pl.DataFrame([*stay, *fresh]), [*stay, *fresh]


def _changed(column: pl.Series, value: Any) -> pl.Series:
    """A column with another value in all rows, or with other values for old ones.

    Raises:
        ModelError: The column can't hold it.
    """
    try:
        if isinstance(value, Mapping):
            return column.replace(cast("Mapping[Any, Any]", value))
        return pl.Series(column.name, [value], dtype=column.dtype).new_from_index(0, len(column))
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise ModelError(f"Column {column.name!r} is {column.dtype}, and can't hold {value!r}.") from error
