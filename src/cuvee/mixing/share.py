"""Mix by share: all real rows, and as many synthetic rows as make up the share that was asked for."""

import numpy as np
import polars as pl
from numpy.random import Generator

from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, SchemaError
from cuvee.data.kinds import plain_kind
from cuvee.data.names import did_you_mean
from cuvee.data.schema import Column, Schema, Table

ORIGIN = "_origin"
"""The column that says where a row is from."""

ORIGINS = pl.Enum(["real", "synthetic"])


def mix_by_share(real: Dataset, synthetic: Dataset, *, share: float, rng: Generator) -> Dataset:
    """All real rows and `share / (1 - share)` times as many synthetic ones, drawn without replacement, in random order.

    The order is random because many learners take rows as they come, and a block of one origin at the end biases them;
    the column `_origin` (real, synthetic) keeps the parts apart for an audit. Share 0 gives the real rows alone,
    share 1 all synthetic rows alone, both with the column.

    Args:
        real: One table; its columns, their order and dtypes are kept.
        synthetic: One table with the same columns in any order, in dtypes that real's can hold without loss.
        share: The share of synthetic rows in the result, between 0 and 1.
        rng: For the draw and the order.

    Raises:
        CuveeError: The share is not in [0, 1], there are too few synthetic rows for it (the message says how many it
            takes), or a table is mixed already.
        SchemaError: The columns differ, or a dtype would lose values.
    """
    if not 0 <= share <= 1:
        raise CuveeError(f"The share of synthetic rows is {share}; it is a number between 0 and 1, such as 0.3.")
    name, frame = real.name, real.frame
    made = fit_columns(frame, synthetic.frame)
    needed = rows_needed(frame.height, share, available=made.height)
    if needed > made.height:
        raise CuveeError(
            f"A share of {share:g} needs {needed:,} synthetic rows beside the {frame.height:,} real rows of {name!r}, "
            f"but there are {made.height:,}. Make more with: cuvee sample MODEL -n {needed} -o OUT, or lower the share."
        )
    parts = [] if share == 1 else [_marked(frame, "real")]
    if needed:
        parts.append(_marked(made[np.sort(rng.choice(made.height, size=needed, replace=False))], "synthetic"))
    if not parts or not sum(part.height for part in parts):
        raise CuveeError(
            f"There are no rows to mix: {name!r} has {frame.height:,} real and {made.height:,} synthetic rows."
        )
    together = pl.concat(parts)
    mixed = together[rng.permutation(together.height)]
    return Dataset({name: mixed}, Schema(tables={name: _meaning(real.meaning, mixed, name)}))


def rows_needed(real: int, share: float, *, available: int) -> int:
    """How many synthetic rows a share takes beside so many real rows; all that are available for a share of 1.

    >>> rows_needed(70, 0.3, available=1000)
    30
    """
    return available if share == 1 else round(share / (1 - share) * real)


def fit_columns(real: pl.DataFrame, synthetic: pl.DataFrame) -> pl.DataFrame:
    """The synthetic rows with real's columns, in real's order and dtypes.

    Raises:
        CuveeError: A table has the column `_origin` already.
        SchemaError: The columns differ, or a dtype would lose values; all such columns are named.
    """
    for part, frame in (("real", real), ("synthetic", synthetic)):
        if ORIGIN in frame.columns:
            raise CuveeError(
                f"The {part} table has a column {ORIGIN!r}, so it is a mix already; give the tables that were mixed."
            )
    missing = [c for c in real.columns if c not in synthetic.columns]
    extra = [c for c in synthetic.columns if c not in real.columns]
    if missing or extra:
        lacks = f"lacks {', '.join(map(repr, missing))}" if missing else ""
        has = f"has {', '.join(map(repr, extra))}, which real has not" if extra else ""
        hint = did_you_mean(missing[0], extra) if missing and extra else ""
        said = " and ".join(filter(None, (lacks, has)))
        raise SchemaError(
            f"The synthetic table {said}; mix tables with the same columns.{hint if 'mean' in hint else ''}"
        )
    cast = {c: _cast(synthetic[c], dtype) for c, dtype in real.schema.items()}
    lost = [f"{c!r} ({synthetic.schema[c]} into {real.schema[c]})" for c, values in cast.items() if values is None]
    if lost:
        raise SchemaError(f"These synthetic columns can't take real's dtype without loss: {', '.join(lost)}.")
    return pl.DataFrame({name: values for name, values in cast.items() if values is not None})


def _cast(values: pl.Series, dtype: pl.DataType) -> pl.Series | None:
    """The values in this dtype, or None where one of them would change or vanish."""
    if values.dtype == dtype:
        return values
    if values.dtype != pl.Null and _family(values.dtype) != _family(dtype):
        return None
    try:
        cast = values.cast(dtype, strict=False)
        back = cast.cast(values.dtype, strict=False)
    except pl.exceptions.PolarsError:  # there is no cast between such dtypes
        return None
    return cast if cast.null_count() == values.null_count() and bool(back.eq_missing(values).all()) else None


def _family(dtype: pl.DataType) -> str:
    """What a dtype holds, text being text whether or not its levels are known."""
    kind = plain_kind(dtype)
    return "text" if kind == "category" else kind


def _marked(frame: pl.DataFrame, origin: str) -> pl.DataFrame:
    return frame.with_columns(pl.lit(origin, dtype=ORIGINS).alias(ORIGIN))


def _meaning(real: Table, mixed: pl.DataFrame, name: str) -> Table:
    """Real's meaning with the origin; a key stays only where no synthetic row repeats it."""
    origin = Column(kind="category", confidence=1.0, reason="Where the row is from: real or synthetic.")
    key = real.key
    if key is not None and mixed.select(key).n_unique() < mixed.height:
        key = None
    inner = tuple(f for f in real.foreign_keys if f.table == name)
    return real.model_copy(update={"columns": {**real.columns, ORIGIN: origin}, "key": key, "foreign_keys": inner})
