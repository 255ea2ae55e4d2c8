"""Sequences: rows of one entity in the order of time, or one single series; guessed only where the rows show it."""

from collections.abc import Mapping

import polars as pl

from cuvee.data.dates import DateForm, read_dates
from cuvee.data.detect_kind import KindGuess
from cuvee.data.profile import Profile, is_type, mean
from cuvee.data.schema import Sequence
from cuvee.data.words import ENTITY, TIME, is_count, is_id, percent, speaks_of, tokens

SHORTEST = 20
"""A table with fewer rows is no sequence."""

_REGULAR = 0.7
"""From this share of equally long steps on a single series is regular (days without weekends have 0.78)."""


def find_sequence(
    columns: Mapping[str, Profile],
    kinds: Mapping[str, KindGuess],
    forms: Mapping[str, DateForm],
    *,
    key: tuple[str, ...] | None,
    references: int,
) -> Sequence | None:
    """The sequence key and order of a table, or None where none convinces.

    Args:
        columns: The table's columns.
        kinds: Their kinds.
        forms: How the dates of text columns are written.
        key: The table's key.
        references: How many other tables it refers to; a table that refers to several is one of events.
    """
    rows = next(iter(columns.values())).rows if columns else 0
    if rows < SHORTEST:
        return None
    orders = {n: t for n, p in columns.items() if (t := _times(p, kinds[n], forms.get(n))) is not None}
    single = next((s for n, t in orders.items() if (s := _single_series(n, t)) is not None), None)
    if single is not None:
        return single
    entities = [p for n, p in columns.items() if n not in orders and _may_be_entity(p, kinds[n])]
    panels = [
        guess
        for entity in entities
        for name, times in orders.items()
        if (guess := _panel(entity, columns[name], times, key=key, references=references)) is not None
    ]
    return max(panels, key=lambda s: s.confidence, default=None)


def _times(p: Profile, kind: KindGuess, form: DateForm | None) -> pl.Series | None:
    """A column as times or whole steps, or None where it can be no order."""
    if p.nulls or p.distinct < 3:
        return None
    if is_type(p.values.dtype, pl.Date, pl.Datetime):
        return p.values.to_physical()
    if kind.kind == "datetime" and form is not None:
        read = read_dates(p.values, form.pattern)
        return None if read.null_count() else read.to_physical()
    last = tokens(p.name)[-1]
    timed = (
        last in TIME or (len(tokens(p.name)) == 2 and speaks_of(p.name, TIME) and is_id(p.name)) or last.endswith("seq")
    )
    return p.values if timed and p.values.dtype.is_numeric() and not p.constant else None


def _single_series(name: str, times: pl.Series) -> Sequence | None:
    """One series: every row has a later time than the one above, mostly by the same step."""
    steps = times.diff().drop_nulls()
    if not len(steps) or (steps <= 0).any():
        return None
    usual = steps.value_counts(name="n").sort(["n", steps.name], descending=True)
    share = int(usual["n"][0]) / len(steps)
    if share < _REGULAR:
        return None
    reason = f"`{name}` rises from row to row, {percent(share)} of its steps are equally long: one series."
    return Sequence(key=(), order=name, confidence=round(0.6 + 0.35 * share, 2), reason=reason)


def _may_be_entity(p: Profile, kind: KindGuess) -> bool:
    """Whether a column can say whose row it is: an identifier or a category with several rows a value."""
    if p.nulls or not p.countable or p.distinct < 2 or 2 * p.distinct > p.rows:
        return False
    if speaks_of(p.name, TIME):
        return False
    if kind.kind == "id" or (is_id(p.name) and not is_count(p.name)):
        return True
    return (kind.kind == "category" and p.text) or (speaks_of(p.name, ENTITY) and p.whole)


def _panel(
    entity: Profile, order: Profile, times: pl.Series, *, key: tuple[str, ...] | None, references: int
) -> Sequence | None:
    """Sequences by entity: their rows stand together and rise in time, or entity and time are the table's key."""
    frame = pl.DataFrame({"entity": entity.values, "time": times})
    changes = int((frame["entity"] != frame["entity"].shift(1)).sum()) + 1
    together = changes == entity.distinct
    is_key = key is not None and set(key) == {entity.name, order.name}
    if not is_key and (not together or references > 1 or (key is not None and len(key) == 1)):
        return None
    inside = frame.with_columns(step=pl.col("time").diff().over("entity", order_by=None)).drop_nulls("step")
    rising = mean(inside["step"] >= 0)
    if rising < 0.95:
        return None
    repeats = mean(inside["step"] == 0)
    if repeats > 0.3:
        return None
    named = is_id(entity.name) or speaks_of(entity.name, ENTITY)
    sure = 0.6 + (0.15 if is_key else 0.0) + (0.1 if together else 0.0) + (0.1 if named else 0.0) - 0.3 * repeats
    reason = (
        f"`{entity.name}` has {entity.distinct:,} values of {entity.rows / entity.distinct:,.1f} rows each, in which "
        f"`{order.name}` rises in {percent(rising)} of steps."
    )
    return Sequence(key=(entity.name,), order=order.name, confidence=round(min(0.95, sure), 2), reason=reason)
