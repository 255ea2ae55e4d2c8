"""Rows of one table as codes and back: what every engine that predicts cells works on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.category import CategoryCodec
from cuvee.codec.codec import Codec, Placed
from cuvee.core import Arrays, Event, Watch
from cuvee.data.dataset import Dataset
from cuvee.numeric.quantiles import EDGE
from cuvee.synthesis.tabular.columns import (
    Codecs,
    column_notes,
    columns_of,
    columns_state,
    fit_columns,
    restore_columns,
)
from cuvee.synthesis.tabular.flags import flag_groups, hot
from cuvee.synthesis.tabular.order import Coded, order_levels
from cuvee.synthesis.tabular.ties import Tie, doubles, functions, holds

Codes = NDArray[np.int32]

ORDER_ROWS = 10_000
"""The order of categories is looked for in this many rows; in fewer where there are more than 100 columns."""
TIE_ROWS = 100_000
"""What settles what is looked for in this many rows, and then proved on all."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One variable of an engine: a column, or whether a column that says nothing else is missing.

    Attributes:
        column: The number of the column in the table.
        gate: Whether the variable only says missing (code 0) or there (code 1), as for ids and free text.
        masses: (m,), the probability of each code; they sum to 1.
        ordered: Whether the order of the codes is given. Categories are sorted along a correspondence axis, so their
            neighbours are alike too.
        missing: How many of the first codes stand for missing values.
        volumes: (m,), what masses are divided by to be densities: 1, or the length of the interval.
        flags: Columns of which exactly one is up, the code says which; empty for one column.
    """

    column: int
    gate: bool
    masses: NDArray[np.float64]
    ordered: bool
    missing: int
    volumes: NDArray[np.float64]
    flags: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """One table's columns as fields of codes.

    Attributes:
        table: The table's name.
        codecs: Its columns; categories in the order that carries dependence.
        ties: Columns that follow from another one, each after its parent; they have no field.
        fields: What is to be learned.
    """

    table: str
    codecs: Codecs
    ties: tuple[Tie, ...]
    fields: tuple[Field, ...]

    def codes(self, data: Dataset, *, rng: Generator) -> tuple[Codes, NDArray[np.bool_]]:
        """The codes of the fields, (fields, n), and which are known: a value that was not learned has a random code."""
        codes, known, _ = self.places(data, rng=rng)
        return codes, known

    def places(self, data: Dataset, *, rng: Generator) -> tuple[Codes, NDArray[np.bool_], NDArray[np.float32]]:
        """What `codes` gives, and where in its cell each value lies, (fields, n) in [0, 1]."""
        columns = columns_of(data, self.codecs)
        codes = np.zeros((len(self.fields), data.frame.height), np.int32)
        known = np.ones(codes.shape, np.bool_)
        within = np.zeros(codes.shape, np.float32)
        for f, field in enumerate(self.fields):
            if field.flags:
                up = hot([columns[j] for j in field.flags])
                codes[f] = np.where(up < 0, int(field.masses.argmax()), up)
                known[f] = (up >= 0) & (field.masses[codes[f]] > 0)
                continue
            codec = self.codecs[field.column]
            placed = codec.place(columns[field.column], rng=rng)
            codes[f] = placed.codes >= codec.missing if field.gate else placed.codes
            within[f] = placed.within
            if placed.known is not None and not field.gate:
                known[f] = placed.known
        return codes, known, within

    def placed(self, codes: Codes, within: NDArray[np.floating], *, rng: Generator) -> dict[int, Placed]:
        """Places by column for codes, (fields, n), and positions within them, (fields, n); doubles have none."""
        n = codes.shape[1]
        result: dict[int, Placed] = {}
        for f, field in enumerate(self.fields):
            # A flag that too few rows have is never up, and one of the others always is.
            up = np.where(field.masses[codes[f]] > 0, codes[f], int(field.masses.argmax()))
            for k, j in enumerate(field.flags):
                result[j] = Placed(flag_codes(self.codecs[j])[(up == k).astype(np.int64)], within[f])
            if field.flags:
                continue
            codec = self.codecs[field.column]
            result[field.column] = _gated(codec, codes[f], rng=rng) if field.gate else Placed(codes[f], within[f])
        settled = {t.child for t in self.ties}
        for j, codec in enumerate(self.codecs):
            if j not in result and j not in settled:
                result[j] = _gated(codec, np.full(n, int(codec.missing_share < 1), np.int32), rng=rng)
        for tie in self.ties:
            if tie.table is not None:
                result[tie.child] = Placed(tie.table[result[tie.parent].codes], rng.random(n))
        return result

    def frame(
        self, codes: Codes, *, start: int, rng: Generator, within: NDArray[np.floating] | None = None
    ) -> Mapping[str, pl.DataFrame]:
        """The table of codes, (fields, n), whose first row has the number `start`.

        Args:
            codes: The cells.
            start: The number of the first row in the whole sample.
            rng: For positions within cells, ids and texts.
            within: (fields, n), positions within cells in [0, 1), where they were drawn already.
        """
        inside = rng.random(codes.shape) if within is None else within
        placed = self.placed(codes, inside, rng=rng)
        columns = {j: self.codecs[j].values(p, start=start, rng=rng) for j, p in sorted(placed.items())}
        return self.assembled(columns)

    def assembled(self, columns: dict[int, pl.Series]) -> Mapping[str, pl.DataFrame]:
        """The table of its columns by number, with the doubles among them added."""
        for tie in self.ties:
            if tie.table is None:
                columns[tie.child] = columns[tie.parent].rename(self.codecs[tie.child].name)
        return {self.table: pl.DataFrame({self.codecs[j].name: columns[j] for j in range(len(self.codecs))})}

    def made_new(self) -> tuple[str, ...]:
        """The columns whose values say nothing and are made up for every row."""
        return tuple(c.name for c in self.codecs if not c.informative)

    def notes(self) -> tuple[str, ...]:
        """What was protected, and which columns follow from others, in sentences."""
        return (*column_notes(self.codecs), *tie_notes(self.codecs, self.ties))

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """All of it, as JSON values and arrays."""
        values, arrays = columns_state(self.codecs)
        masses = {f"flags{f.column}": f.masses for f in self.fields if f.flags}
        own = {
            "table": self.table,
            "columns": values,
            "ties": [[t.child, t.parent, t.table is not None] for t in self.ties],
            "fields": [f.column for f in self.fields],
            "flags": [list(f.flags) for f in self.fields],
        }
        return own, {**arrays, **masses, **{f"tie{t.child}": t.table for t in self.ties if t.table is not None}}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        """What `state` gave, as a coding again."""
        codecs = restore_columns(values["columns"], arrays)
        ties = tuple(
            Tie(int(c), int(p), np.asarray(arrays[f"tie{c}"], np.int64) if has else None)
            for c, p, has in values["ties"]
        )
        fields = tuple(
            _flag_field(tuple(int(k) for k in flags), np.asarray(arrays[f"flags{j}"], np.float64))
            if flags
            else _field(int(j), codecs[int(j)])
            for j, flags in zip(values["fields"], values["flags"], strict=True)
        )
        return cls(str(values["table"]), codecs, ties, fields)


def fit_coding(data: Dataset, *, least: int, rng: Generator, watch: Watch) -> Coding:
    """Learn the columns of the only table, what settles what, and the fields that are left.

    Raises:
        ModelError: There is not exactly one table, or it is empty.
    """
    from cuvee.synthesis.tabular.columns import only_table

    table = only_table(data)
    codecs = fit_columns(data, least=least, rng=rng, watch=watch)
    frame = data.frame
    if frame.height > TIE_ROWS:
        frame = frame[np.sort(rng.permutation(frame.height)[:TIE_ROWS])]
    watch(Event("codes", 0, 1))
    placed = [c.place(s, rng=rng) for c, s in zip(codecs, frame.iter_columns(), strict=True)]
    ties = find_ties(codecs, placed, data.frame, partial=frame.height < data.frame.height, least=least, rng=rng)
    codecs, _, ties = sort_categories(codecs, placed, ties, rng)
    settled = {t.child for t in ties}
    groups = _flag_fields(data.frame, codecs, settled, least)
    grouped = {j for g in groups for j in g.flags}
    fields = groups + [
        _field(j, c)
        for j, c in enumerate(codecs)
        if j not in settled | grouped and (0 < c.missing_share < 1 or (c.informative and c.missing_share < 1))
    ]
    fields.sort(key=lambda f: f.column)
    watch(Event("codes", 1, 1))
    return Coding(table, codecs, tuple(ties), tuple(f for f in fields if len(f.masses) > 1))


def plain_coding(table: str, codecs: Codecs, ties: Sequence[Tie] = ()) -> Coding:
    """Columns that were learned already as fields, one each but for those that follow from another one."""
    settled = {t.child for t in ties}
    fields = (_field(j, c) for j, c in enumerate(codecs) if j not in settled)
    return Coding(table, codecs, tuple(ties), tuple(f for f in fields if len(f.masses) > 1))


def _flag_fields(frame: pl.DataFrame, codecs: Codecs, settled: set[int], least: int) -> list[Field]:
    """The fields of groups of flags; a flag that fewer than `least` rows have is never up."""
    found: list[Field] = []
    for group in flag_groups(frame.get_columns()):
        if settled & set(group):
            continue
        up = hot([frame.to_series(j) for j in group])
        counts = np.bincount(up[up >= 0], minlength=len(group)).astype(np.float64)
        counts[[len(codecs[j].masses) < 2 for j in group]] = 0
        counts[counts < least] = 0
        if (counts > 0).sum() > 2:
            found.append(_flag_field(group, counts / counts.sum()))
    return found


def _flag_field(flags: tuple[int, ...], masses: NDArray[np.float64]) -> Field:
    return Field(flags[0], False, masses, False, 0, np.ones(len(masses)), flags)  # noqa: FBT003


def flag_codes(codec: Codec) -> NDArray[np.int64]:
    """The cells of 0 and 1; of 0 alone where there never was a 1."""
    found = codec.place(pl.Series(codec.name, [0, 1]).cast(codec.dtype), rng=np.random.default_rng(0))
    return np.asarray(found.codes if found.known is None or found.known[1] else found.codes[[0, 0]], np.int64)


def find_ties(
    codecs: Codecs, placed: Sequence[Placed], frame: pl.DataFrame, *, partial: bool, least: int, rng: Generator
) -> list[Tie]:
    """Columns that another one settles: functions first, then doubles; `partial` where not all rows are placed."""
    same = doubles(frame.get_columns())
    twins = {t.child for t in same}
    usable = [c.informative and j not in twins for j, c in enumerate(codecs)]
    follows = functions(codecs, placed, usable, least=least)
    if partial:
        follows = [t for t in follows if _true_of_all(t, codecs, frame, rng)]
    return [*follows, *same]


def sort_categories(
    codecs: Codecs, placed: Sequence[Placed], ties: Sequence[Tie], rng: Generator
) -> tuple[Codecs, list[Placed], list[Tie]]:
    """Codecs with their categories in the order that carries dependence, and places and ties to match."""
    settled = {t.child for t in ties}
    use = [j for j, c in enumerate(codecs) if c.informative and j not in settled and c.missing < len(c.masses)]
    n = len(placed[0].codes)
    rows = np.sort(rng.permutation(n)[: ORDER_ROWS * 100 // max(len(use), 100)])
    columns = [
        Coded(
            np.maximum(placed[j].codes[rows] - codecs[j].missing, -1),
            codecs[j].masses[codecs[j].missing :] / max(1 - codecs[j].missing_share, EDGE),
            codecs[j].ordered or not isinstance(codecs[j], CategoryCodec),
        )
        for j in use
    ]
    changed, places = list(codecs), list(placed)
    moved: dict[int, NDArray[np.int64]] = {}
    for j, order in zip(use, order_levels(columns), strict=True):
        codec = codecs[j]
        if order is None or not isinstance(codec, CategoryCodec):
            continue
        changed[j] = codec.reordered(order)
        fresh = np.empty(len(codec.masses), np.int64)
        fresh[: codec.missing] = np.arange(codec.missing)
        fresh[order + codec.missing] = np.arange(len(order)) + codec.missing
        moved[j] = fresh
        places[j] = replace(placed[j], codes=fresh[placed[j].codes])
    return tuple(changed), places, [_moved(t, moved) for t in ties]


def tie_notes(codecs: Codecs, ties: Sequence[Tie]) -> tuple[str, ...]:
    """Which columns follow from others, in sentences."""
    names = [c.name for c in codecs]
    return tuple(
        f"Column {names[t.child]!r} {'equals' if t.table is None else 'follows from'} {names[t.parent]!r} in every "
        "row, and is kept so exactly."
        for t in ties
    )


def _moved(tie: Tie, moved: Mapping[int, NDArray[np.int64]]) -> Tie:
    """The tie with its parent's cells in their new order; a child's own order never changes."""
    if tie.table is None or tie.parent not in moved:
        return tie
    table = np.empty_like(tie.table)
    table[moved[tie.parent]] = tie.table
    return Tie(tie.child, tie.parent, table)


def _true_of_all(tie: Tie, codecs: Codecs, frame: pl.DataFrame, rng: Generator) -> bool:
    """Whether what some rows showed of two columns is true in all."""
    parent, child = (codecs[j].place(frame.to_series(j), rng=rng) for j in (tie.parent, tie.child))
    return holds(tie, parent, child)


def _field(column: int, codec: Codec) -> Field:
    """The field of a column."""
    if not codec.informative:
        masses = np.array([codec.missing_share, 1 - codec.missing_share])
        return Field(column, gate=True, masses=masses, ordered=True, missing=1, volumes=np.ones(2))
    ordered = codec.ordered or not isinstance(codec, CategoryCodec)
    return Field(column, False, codec.masses, ordered, codec.missing, codec.volumes)  # noqa: FBT003


def _gated(codec: Codec, there: Codes, *, rng: Generator) -> Placed:
    """Places of a column of which only missing or there is said."""
    from cuvee.numeric.quantiles import locate

    n, first = len(there), codec.missing
    gone = locate(codec.masses[:first], np.clip(rng.random(n), EDGE, 1 - EDGE)) if first else None
    if first == len(codec.masses):
        codes, within = np.zeros(n, np.int64), rng.random(n)
    else:
        codes, within = locate(codec.masses[first:], np.clip(rng.random(n), EDGE, 1 - EDGE))
    codes = codes + first
    return Placed(codes if gone is None else np.where(there == 0, gone[0], codes), within)
