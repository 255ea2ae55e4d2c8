"""What goes with a value being missing: columns missing in the same rows, and values where one always is."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from cuvee.data.conditions import Among, Comparison, Condition, Missing, Some
from cuvee.data.proposals import CHANCE, SHARE, Proposal, counted, nats

LEVELS = 12
"""A column whose values say what is missing has at most so many."""
TELLING, MASKS = 40, 60
"""At most so many such columns are looked at, and so many that have missing values."""
NAMED = 4
"""A rule names at most so many of them."""
FEWEST = 20
"""Rows that must be missing, and there."""


def missing(some: pl.DataFrame, plain: pl.DataFrame) -> Iterator[Proposal]:
    """Columns that are missing in the same rows; values of another column with which one always is."""
    groups: dict[bytes, list[str]] = {}
    for c in plain.iter_columns():
        if FEWEST <= c.null_count() <= plain.height - FEWEST:
            groups.setdefault(np.packbits(c.is_null().to_numpy()).tobytes(), []).append(c.name)
    for names in groups.values():
        if len(names) > 1:
            truth = pl.repeat(value=True, n=plain.height, eager=True)
            why = f"all are missing in the same {plain[names[0]].null_count():,} rows"
            yield from counted({"missing_together": names}, truth, why)
    telling = [c.name for c in some.iter_columns() if not c.dtype.is_float() and 2 <= c.n_unique() <= LEVELS][:TELLING]
    for names in list(groups.values())[:MASKS]:
        yield from _explained(names[0], [c for c in telling if c not in names], some, plain)


def _explained(column: str, telling: list[str], some: pl.DataFrame, plain: pl.DataFrame) -> Iterator[Proposal]:
    """With which values of another column one is always missing; the first such column is enough."""
    share = some[column].null_count() / some.height
    for other in telling:
        counts = some.group_by(other).agg(rows=pl.len(), gone=pl.col(column).is_null().sum()).drop_nulls().sort(other)
        shares = (counts["gone"] / counts["rows"]).to_numpy()
        always, never = shares >= 1 - SHARE, shares <= SHARE
        rows = counts["rows"].to_numpy()
        if not always.any() or rows[always].sum() * nats(share) < CHANCE or shares[~always].min(initial=1) > 1 - SHARE:
            continue
        whole = bool((always | never).all()) and rows[never].sum() * nats(1 - share) >= CHANCE
        short = int(never.sum()) < int(always.sum()) and whole
        if min(int(always.sum()), int(never.sum()) if whole else LEVELS) > NAMED:
            continue
        some_of = _one_of(other, counts[other].filter(pl.Series(never if short else always)))
        where = some_of.negated() if short else some_of
        said: list[Condition] = [Some((where.negated(), Missing(column)))]
        if whole:
            said.append(Some((where, Missing(column, missing=False))))
        for rule in said:
            how = "every one" if rule is said[0] else "none but those"
            yield from counted(
                str(rule), rule.truth(plain), f"{share:.0%} of the values are missing, {how} with {where}"
            )
        return


def _one_of(column: str, values: pl.Series) -> Condition:
    found = values.to_list()
    if values.dtype.is_temporal():
        found = [str(v) for v in found]
    return Comparison(column, "=", found[0]) if len(found) == 1 else Among(column, tuple(found))
