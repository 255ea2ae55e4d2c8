"""What is known of rows before they are drawn, in the fields that engines draw: given cells, sets, ranges, order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.codec import Codec, Placed
from cuvee.data.conditions import Comparison, Condition, Every, Missing, Sign, Some
from cuvee.data.errors import ModelError
from cuvee.data.names import did_you_mean
from cuvee.synthesis.tabular.coding import Coding, flag_codes
from cuvee.synthesis.tabular.shares import Shares, shares_of

Codes = NDArray[np.int32]
Lines = tuple[NDArray[np.float32], Codes]
"""Shares of the codes of a field, (g, m), and which line counts for each row, (n,)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a column is drawn.

    Attributes:
        field: The field.
        column: The column whose codec has its values: its own, or that of the column it equals.
        codes: (m,), the column's code for each code of the field; None where the field says only missing or there.
    """

    field: int
    column: int
    codes: NDArray[np.int64] | None


@dataclass(frozen=True, slots=True)
class Beside:
    """Two fields whose values are in an order: the left one is less than the right one, or at most as large.

    Where one of them is missing there is no order; whether it may be is said by its own line.
    """

    left: int
    right: int
    equal: bool


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A condition, as far as an engine can draw by it.

    Attributes:
        condition: All of it.
        lines: By field, (m,), how much of each code is allowed.
        shares: By column, what of its cells is allowed.
        besides: Orders between fields.
        searched: Parts that are only looked at when a row is whole.
        filled: By field, (m,), the codes that are drawn where a cell may not be missing. It says nothing else: that a
            cell is filled is no evidence of what the others are.
    """

    condition: Condition
    lines: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)
    shares: Mapping[int, Shares] = field(default_factory=dict)
    besides: tuple[Beside, ...] = ()
    searched: tuple[Condition, ...] = ()
    filled: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What is known of n rows.

    Attributes:
        fixed: (fields, n), given codes, or -1.
        within: (fields, n), positions of given values in their cells.
        lines: By field, what else is known of its code.
        asked: What holds for all rows.
        given: The cells that are known, null where not; columns that are not given are not in it.
    """

    fixed: Codes
    within: NDArray[np.float32]
    lines: Mapping[int, Lines]
    asked: Asked
    given: pl.DataFrame | None = None

    @property
    def rows(self) -> int:
        """How many."""
        return self.fixed.shape[1]

    def known(self) -> NDArray[np.bool_]:
        """(fields, n), where something is known."""
        found = np.array(self.fixed >= 0, ndmin=2)
        for f, (lines, line) in self.lines.items():
            found[f] |= np.any(lines < 1, axis=1)[line]
        for beside in self.asked.besides:
            found[[beside.left, beside.right]] = True
        return found


def places_of(coding: Coding) -> dict[int, Place]:
    """Where each column is drawn, by its number; columns that are drawn nowhere (constants, ids) are not in it."""
    found: dict[int, Place] = {}
    for f, one in enumerate(coding.fields):
        for k, j in enumerate(one.flags):
            up = (np.arange(len(one.masses)) == k).astype(np.int64)
            found[j] = Place(f, j, flag_codes(coding.codecs[j])[up])
        if not one.flags:
            found[one.column] = Place(f, one.column, None if one.gate else np.arange(len(one.masses)))
    for tie in coding.ties:
        parent = found.get(tie.parent)
        if parent is None or parent.codes is None:
            continue
        if tie.table is None:
            found[tie.child] = parent
        else:
            found[tie.child] = Place(parent.field, tie.child, tie.table[parent.codes])
    return found


def ask(condition: Condition, coding: Coding, *, rng: Generator, filled: Sequence[str] = ()) -> Asked:
    """A condition in terms of fields.

    Args:
        condition: What must be true of every row.
        coding: The fields.
        rng: For codecs whose values are not settled by their place.
        filled: Columns that may not be missing.

    Raises:
        ModelError: A column is not there, or nothing that the model knows meets what is asked of one column.
    """
    names = [c.name for c in coding.codecs]
    for column in (*condition.columns(), *filled):
        if column not in names:
            raise ModelError(f"The model has no column {column!r}.{did_you_mean(column, names)}")
    parts = condition.parts()
    places = places_of(coding)
    alone: dict[int, list[Condition]] = {}
    besides: list[Beside] = []
    searched: list[Condition] = []
    for part in parts:
        columns = [names.index(c) for c in part.columns()]
        if len(columns) == 1:
            alone.setdefault(columns[0], []).append(part)
            continue
        beside = _beside(part, columns, places, coding)
        if beside is None:
            searched.append(part)
            continue
        besides.append(beside)
    for j in {names.index(c) for p in parts if isinstance(p, Comparison) and p.other for c in p.columns()}:
        # A comparison with a null is not true.
        alone.setdefault(j, []).append(Missing(names[j], missing=False))
    lines: dict[int, NDArray[np.float32]] = {}
    shares: dict[int, Shares] = {}
    for j, asked in sorted(alone.items()):
        _alone(j, Every(tuple(asked)), coding, places, lines, shares, rng)
    there = _filled([names.index(c) for c in filled], coding, places)
    return Asked(Every(tuple(parts)), lines, shares, tuple(besides), tuple(searched), there)


def _filled(columns: Sequence[int], coding: Coding, places: Mapping[int, Place]) -> dict[int, NDArray[np.float32]]:
    """The codes of fields that give these columns a value.

    Raises:
        ModelError: The model knows no value of one.
    """
    found: dict[int, NDArray[np.float32]] = {}
    for j in columns:
        place, own = places.get(j), coding.codecs[j]
        if own.missing_share >= 1:
            raise ModelError(
                f"Column {own.name!r} had no values when the model was fitted, so none can be made up for it. Leave it "
                "out of what is to be filled."
            )
        if place is None:
            continue
        codes = np.arange(2) if place.codes is None else place.codes
        missing = 1 if place.codes is None else coding.codecs[place.column].missing
        line = (codes >= missing).astype(np.float32) * found.get(place.field, np.float32(1))
        if float(line @ coding.fields[place.field].masses) > 0:
            found[place.field] = line
    return found


def _beside(part: Condition, columns: list[int], places: Mapping[int, Place], coding: Coding) -> Beside | None:
    """A comparison of two numbers that are drawn each by itself, true or unknown too; None for anything else."""
    part = _unless_missing(part)
    if not isinstance(part, Comparison) or part.sign in {"=", "!="}:
        return None
    one, other = (places.get(j) for j in columns)
    if one is None or other is None or one.field == other.field:
        return None
    for place in (one, other):
        own = coding.fields[place.field]
        if own.gate or own.flags or not own.ordered or own.column != place.column:
            return None
    signs: dict[Sign, tuple[int, int, bool]] = {
        "<": (one.field, other.field, False),
        "<=": (one.field, other.field, True),
        ">": (other.field, one.field, False),
        ">=": (other.field, one.field, True),
    }
    return Beside(*signs[part.sign])


def _unless_missing(part: Condition) -> Condition:
    """The comparison in "a comparison, or one of its columns is missing"."""
    if not isinstance(part, Some):
        return part
    first = [p for p in part.conditions if isinstance(p, Comparison)]
    gone = {p.column for p in part.conditions if isinstance(p, Missing) and p.missing}
    whole = len(first) == 1 and len(part.conditions) == 1 + len(gone) and gone == set(first[0].columns())
    return first[0] if whole else part


def _alone(
    j: int,
    asked: Condition,
    coding: Coding,
    places: Mapping[int, Place],
    lines: dict[int, NDArray[np.float32]],
    shares: dict[int, Shares],
    rng: Generator,
) -> None:
    """Add what is asked of one column to the line of its field."""
    place, own = places.get(j), coding.codecs[j]
    if place is not None and place.codes is not None:
        codec = coding.codecs[place.column]
        found = shares_of(codec, _renamed(asked, own, codec), rng=rng)
        line = found.line[place.codes]
        shares[place.column] = found
    elif place is not None:
        line = _missing_or_there(asked, own)
    else:
        if not own.informative or len(own.masses) > 1:
            _missing_or_there(asked, own)
        elif not float(shares_of(own, asked, rng=rng).line @ own.masses):
            raise _impossible(asked, own)
        return
    line = line * lines.get(place.field, np.float32(1))
    lines[place.field] = line
    if float(line @ coding.fields[place.field].masses) <= 0:
        raise _impossible(asked, own)


def _renamed(asked: Condition, own: Codec, codec: Codec) -> Condition:
    """What is asked of a column that equals another one, asked of that one."""
    if own.name == codec.name:
        return asked
    return asked.renamed({own.name: codec.name})


def _missing_or_there(asked: Condition, codec: Codec) -> NDArray[np.float32]:
    """(2,), whether missing and there are allowed, for a column whose values are made new.

    Raises:
        ModelError: More is asked than that.
    """
    if not all(isinstance(p, Missing) for p in asked.parts()):
        raise ModelError(
            f"Column {codec.name!r} is made new for every row, so none of its values can be asked for: {asked}. Leave "
            "it out of the condition, or give its values with given=."
        )
    line = np.array(
        [all(p.missing == wanted for p in asked.parts() if isinstance(p, Missing)) for wanted in (True, False)]
    )
    allowed = line & (np.array([codec.missing_share, 1 - codec.missing_share]) > 0)
    if not allowed.any():
        raise _impossible(asked, codec)
    return line.astype(np.float32)


def _impossible(asked: Condition, codec: Codec) -> ModelError:
    return ModelError(
        f"No value of column {codec.name!r} that the model knows meets: {asked}. {_range(codec)} A value that fewer "
        "rows share than the model protects is not known to it."
    )


def _range(codec: Codec) -> str:
    """What values there are, in a sentence."""
    rng = np.random.default_rng(0)
    some = np.flatnonzero(codec.masses[codec.missing :] > 0) + codec.missing
    if not len(some):
        return "All its values are missing."
    if codec.ordered and (not codec.discrete or len(some) > 8):
        ends = codec.values(Placed(some[[0, -1]], np.array([0.0, 1 - 1e-9])), start=0, rng=rng)
        return f"It goes from {ends[0]} to {ends[1]}."
    values = codec.values(Placed(some[:8], np.full(min(len(some), 8), 0.5)), start=0, rng=rng)
    more = f" and {len(some) - 8} more" if len(some) > 8 else ""
    return f"It has {', '.join(str(v) for v in values)}{more}."


def evidence_of(asked: Asked, coding: Coding, n: int, given: pl.DataFrame | None, *, rng: Generator) -> Evidence:
    """What is known of n rows.

    Args:
        asked: What holds for all.
        coding: The fields.
        n: How many rows.
        given: n rows of some of the columns, in the dtypes of training; null where a cell is to be drawn.
        rng: For positions within cells.
    """
    fields = len(coding.fields)
    fixed, within = np.full((fields, n), -1, np.int32), np.zeros((fields, n), np.float32)
    lines: dict[int, Lines] = {f: (line[None], np.zeros(n, np.int32)) for f, line in asked.lines.items()}
    if given is None or not given.width:
        return Evidence(fixed, within, lines, asked)
    names, places = [c.name for c in coding.codecs], places_of(coding)
    # A column that is drawn itself says more than one that follows from it: it comes first.
    order = sorted((names.index(c) for c in given.columns), key=lambda j: _follows(j, places, coding))
    for j in order:
        place = places.get(j)
        if place is None:
            continue
        own = coding.fields[place.field]
        values = given[names[j]]
        there = values.is_not_null().to_numpy()
        if place.codes is None:
            fixed[place.field, there] = 1
            continue
        codec = coding.codecs[place.column]
        placed = codec.place(values.cast(codec.dtype, strict=False).rename(codec.name), rng=rng)
        known = there if placed.known is None else there & placed.known
        if not own.flags and own.column == place.column:
            fixed[place.field, known], within[place.field, known] = placed.codes[known], placed.within[known]
            continue
        open_rows = np.flatnonzero(known & (fixed[place.field] < 0))
        # What can't be together is said of conditions; of cells that are given, the first of them counts.
        masses = None if asked.lines or asked.besides else own.masses
        _follow(place, placed.codes, open_rows, lines, masses, n)
    return Evidence(fixed, within, lines, asked, given)


def _follows(j: int, places: Mapping[int, Place], coding: Coding) -> tuple[bool, int]:
    place = places.get(j)
    return (place is not None and coding.fields[place.field].column != j, j)


def _follow(
    place: Place,
    codes: NDArray[np.int64],
    rows: NDArray[np.int64],
    lines: dict[int, Lines],
    masses: NDArray[np.float64] | None,
    n: int,
) -> None:
    """Allow in some rows only what has these codes in the column that follows; with masses, if there is any."""
    if not len(rows) or place.codes is None:
        return
    table, line = lines.get(place.field, (np.ones((1, len(place.codes)), np.float32), np.zeros(n, np.int32)))
    pairs = np.column_stack([line[rows], codes[rows]])
    different, which = np.unique(pairs, axis=0, return_inverse=True)
    more = np.array([table[old] * (place.codes == code) for old, code in different.tolist()], np.float32)
    if masses is not None:
        none = more @ masses <= 0
        more[none] = table[different[none, 0]]
    fresh = line.copy()
    fresh[rows] = len(table) + which.reshape(-1)
    lines[place.field] = (np.concatenate([table, more]), fresh.astype(np.int32))


def rows_of(
    coding: Coding,
    codes: Codes,
    evidence: Evidence,
    *,
    start: int,
    rng: Generator,
    within: NDArray[np.floating] | None = None,
) -> Mapping[str, pl.DataFrame]:
    """The table of codes that were drawn by what is known, (fields, n): positions in cells are where they may be."""
    within = rng.random(codes.shape) if within is None else within
    for f, one in enumerate(coding.fields):
        if one.column in evidence.asked.shares and not one.flags:
            within[f] = evidence.asked.shares[one.column].moved(codes[f], within[f])
    given = evidence.fixed >= 0
    within[given] = evidence.within[given]
    placed = allowed_places(coding, codes, within, evidence.asked, rng=rng)
    return coding.assembled({j: coding.codecs[j].values(p, start=start, rng=rng) for j, p in sorted(placed.items())})


def allowed_places(
    coding: Coding, codes: Codes, within: NDArray[np.floating], asked: Asked, *, rng: Generator
) -> dict[int, Placed]:
    """Places by column as `Coding.placed` gives them, moved to where they are allowed.

    Positions of fields that were drawn by what is asked are there already; those of columns that follow are not.
    """
    placed = coding.placed(codes, within, rng=rng)
    own = {f.column for f in coding.fields if not f.flags and not f.gate}
    for j, shares in asked.shares.items():
        if j in placed and j not in own:
            placed[j] = Placed(placed[j].codes, shares.moved(placed[j].codes, placed[j].within))
    return placed
