"""Numbers: spikes as atoms, the rest as a smooth quantile function on the grid that the values were rounded to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.codec import LEAST, Arrays, Codec, Floats, Placed, masses_of, random_places, rows_in_words
from cuvee.codec.scale import Scale, from_units, integer_range, scale_of, units_of
from cuvee.numeric.quantiles import Cells, cut_cells, place

BINS = 256
"""About how many intervals the continuous part has; at 256 a detector no longer sees the difference to more."""
FEW = 300
"""Up to this many distinct values each value that enough rows share is an atom."""
SPIKE = 0.002
"""With more distinct values, those that at least this share of the rows have are atoms."""
SPIKES = 256
"""No more atoms than this beside a continuous part."""
SPECIAL = ("null", "nan", "-inf")
"""The cells that stand before all others, where they occur; `inf` stands after."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class NumberCodec(Codec):
    """A number column.

    Attributes:
        scale: How its values lie on a line of floats.
        left: (m,), lower edges of the cells on that line; NaN for missing values.
        right: (m,), upper edges; an atom has `left == right`.
        table: (m,), the value of each atom, exactly; null for intervals.
        special: Which special cells there are: null, nan, -inf, inf.
    """

    scale: Scale
    left: Floats
    right: Floats
    table: pl.Series
    special: tuple[str, ...]

    kind: ClassVar[str] = "number"

    @classmethod
    def fit(
        cls,
        name: str,
        series: pl.Series,
        *,
        least: int = LEAST,
        units: tuple[int, ...] = (),
        limits: tuple[int | None, int | None] = (None, None),
    ) -> Self:
        """Learn a column of any numeric dtype.

        Args:
            name: The column.
            series: Its values, one or more.
            least: The fewest rows a stored figure may come from.
            units: Steps of the grid worth trying, such as the seconds of a day.
            limits: Between which values all must lie, where the dtype does not say it.
        """
        special, finite = _specials(series)
        few = [k for k in ("-inf", "inf") if 0 < special.get(k, 0) < least]
        if few and len(finite):
            special = {k: n for k, n in special.items() if k not in few}
        tally = _tally(finite)
        spikes = _spikes(tally["count"].to_numpy(), series.len(), least)
        rare = int(tally["count"].to_numpy()[~spikes].sum())
        notes: tuple[str, ...] = ()
        if 0 < rare < least and spikes.any():
            notes = (f"Column {name!r}: values of {rows_in_words(rare)}, each too rare to keep, were left out.",)
            tally = tally.filter(pl.Series(spikes))
            spikes = np.ones(tally.height, np.bool_)
        if 0 < rare < least and not spikes.any():
            scale, cells = _magnitude(tally["value"], rare)
            notes = (f"Column {name!r}: with {rows_in_words(rare)} only the size of its numbers was kept.",)
        else:
            scale, cells = _learn(tally, spikes, least, units, limits)
        return cls._assemble(
            name, series.dtype, special, (scale, cells), tally["value"].filter(pl.Series(spikes)), notes
        )

    @classmethod
    def _assemble(
        cls,
        name: str,
        dtype: pl.DataType,
        special: Mapping[str, int],
        learned: tuple[Scale, Cells],
        spikes: pl.Series,
        notes: tuple[str, ...],
    ) -> Self:
        """All cells in order: null, NaN, -inf, the finite ones, inf."""
        scale, cells = learned
        before = [kind for kind in SPECIAL if special.get(kind)]
        after = ["inf"] if special.get("inf") else []
        ends = {"null": np.nan, "nan": np.nan, "-inf": -np.inf, "inf": np.inf}
        head, tail = np.array([ends[k] for k in before]), np.array([ends[k] for k in after])
        counts = np.r_[[float(special[k]) for k in before], cells.counts, [float(special[k]) for k in after]]
        parts = [_specials_as(before, dtype), _atoms(cells, scale, spikes, dtype), _specials_as(after, dtype)]
        return cls(
            name=name,
            dtype=dtype,
            masses=masses_of(counts),
            missing=sum(k in {"null", "nan"} for k in before),
            notes=notes,
            scale=scale,
            left=np.r_[head, cells.left, tail],
            right=np.r_[head, cells.right, tail],
            table=pl.concat(parts).rename(name),
            special=(*before, *after),
        )

    @property
    def volumes(self) -> Floats:
        # Between infinities there is no length.
        with np.errstate(invalid="ignore"):
            length = self.right - self.left
        return np.where(length > 0, length, 1.0)

    @property
    def discrete(self) -> bool:
        return not bool((self.right > self.left).any())

    def place(self, series: pl.Series, *, rng: Generator) -> Placed:
        values = series if series.dtype == self.dtype else series.cast(self.dtype, strict=False)
        codes, within = np.zeros(len(values), np.int64), np.zeros(len(values))
        known, placed = np.zeros(len(values), np.bool_), np.zeros(len(values), np.bool_)
        usual = values.is_not_null()
        if values.dtype.is_float():
            usual &= values.is_finite().fill_null(value=False)
        first = sum(k in SPECIAL for k in self.special)
        last = len(self.left) - ("inf" in self.special)
        rows = np.flatnonzero(usual.to_numpy())
        if len(rows) and last > first:
            cells = Cells(self.left[first:last], self.right[first:last], self.masses[first:last])
            positions = self.scale.positions(values.filter(usual))
            code, inside = place(cells, positions, width=self.scale.width, rng=rng)
            codes[rows], within[rows], placed[rows] = code + first, inside, True
            known[rows] = ~cells.atoms[code] | (cells.left[code] == positions)
        for kind, rows_of in _special_rows(values).items():
            if kind in self.special and rows_of.any():
                codes[rows_of] = self.special.index(kind) if kind != "inf" else len(self.left) - 1
                known[rows_of], placed[rows_of], within[rows_of] = True, True, rng.random(int(rows_of.sum()))
        others = np.flatnonzero(~placed)
        drawn = random_places(self.masses, len(others), rng=rng)
        codes[others], within[others] = drawn.codes, drawn.within
        return Placed(codes, within, known)

    def values(self, placed: Placed, *, start: int, rng: Generator) -> pl.Series:
        del start, rng
        atoms = self.table.gather(placed.codes)
        interval = self.right > self.left
        if not interval.any():
            return atoms
        base = np.where(interval, self.left, 0.0)
        length = np.where(interval, self.right - base, 0.0)
        line = self.scale.series(base[placed.codes] + placed.within * length[placed.codes], self.dtype)
        if interval.all():
            return line.rename(self.name)
        return line.zip_with(pl.Series(interval[placed.codes]), atoms).rename(self.name)

    def details(self) -> tuple[Mapping[str, Any], Arrays]:
        whole = self.table if self.dtype.is_float() else _units_list(self.table)
        kept = [
            None if v is None or (isinstance(v, float) and not np.isfinite(v)) else v
            for v in (whole.to_list() if isinstance(whole, pl.Series) else whole)
        ]
        values = {"scale": self.scale.to_json(), "special": list(self.special), "table": kept}
        return values, {"left": self.left, "right": self.right}

    @classmethod
    def restored(cls, shared: Mapping[str, Any], values: Mapping[str, Any], arrays: Arrays) -> Self:
        special = tuple(values["special"])
        dtype: pl.DataType = shared["dtype"]
        before = [k for k in special if k in SPECIAL]
        after = [k for k in special if k not in SPECIAL]
        kept = values["table"][len(before) : len(values["table"]) - len(after)]
        parts = [_specials_as(before, dtype), _exact(kept, dtype), _specials_as(after, dtype)]
        return cls(
            **shared,
            scale=Scale.from_json(values["scale"]),
            left=np.asarray(arrays["left"], np.float64),
            right=np.asarray(arrays["right"], np.float64),
            table=pl.concat(parts).rename(shared["name"]),
            special=special,
        )


def _specials(series: pl.Series) -> tuple[dict[str, int], pl.Series]:
    """The rows of each special value, and the finite values."""
    counts = {"null": series.null_count()}
    finite = series.drop_nulls()
    if series.dtype.is_float():
        rows = _special_rows(finite)
        counts |= {kind: int(mask.sum()) for kind, mask in rows.items() if kind != "null"}
        finite = finite.filter(finite.is_finite())
    return counts, finite


def _special_rows(series: pl.Series) -> dict[str, NDArray[np.bool_]]:
    """Which rows hold null, NaN, -inf and inf."""
    rows = {"null": series.is_null().to_numpy()}
    if series.dtype.is_float():
        rows["nan"] = series.is_nan().fill_null(value=False).to_numpy()
        infinite = series.is_infinite().fill_null(value=False)
        negative = (series < 0).fill_null(value=False)
        rows["-inf"], rows["inf"] = (infinite & negative).to_numpy(), (infinite & ~negative).to_numpy()
    return rows


def _tally(finite: pl.Series) -> pl.DataFrame:
    """The distinct values and their rows (`value`, `count`), by value; -0.0 counts as 0.0."""
    values = finite.rename("value")
    if values.dtype.is_float():
        values = values + pl.Series([0.0], dtype=values.dtype)
    return values.value_counts(name="count").sort("value")


def _spikes(counts: NDArray[Any], n: int, least: int) -> NDArray[np.bool_]:
    """(values,), which values are atoms."""
    if len(counts) <= FEW:
        return counts >= least
    often = counts >= max(least, SPIKE * n)
    if often.sum() > SPIKES:
        often &= counts >= np.sort(counts)[-SPIKES]
    return often


def _learn(
    tally: pl.DataFrame,
    spikes: NDArray[np.bool_],
    least: int,
    units: tuple[int, ...],
    limits: tuple[int | None, int | None],
) -> tuple[Scale, Cells]:
    """The scale and the cells of the finite values."""
    values, counts = tally["value"], tally["count"].to_numpy().astype(np.float64)
    rest = values.filter(pl.Series(~spikes))
    # Codes such as -999 or 999 stand at the ends and are on no grid of ages.
    scale = scale_of(rest if len(rest) >= 20 else values[1:-1] if len(values) >= 7 else values, units=units)
    atoms = scale.positions(values.filter(pl.Series(spikes)))
    spread = np.repeat(scale.positions(rest), counts[~spikes].astype(np.int64))
    bounds = _bounds(values, spikes, scale, limits) if len(values) else (-np.inf, np.inf)
    return scale, cut_cells(spread, atoms, counts[spikes], width=scale.width, bounds=bounds, bins=BINS, least=least)


def _bounds(
    values: pl.Series, spikes: NDArray[np.bool_], scale: Scale, limits: tuple[int | None, int | None]
) -> tuple[float, float]:
    """Where the continuous part must stop: at a spike at the end (a cap), and at zero where no value crosses it."""
    ends = scale.positions(pl.concat([values.head(1), values.tail(1)]))
    low = float(ends[0]) if spikes[0] else -np.inf
    high = float(ends[1]) if spikes[-1] else np.inf
    zero, half = -scale.origin / scale.step, scale.width / 2
    if float(ends[0]) >= zero:
        low = max(low, zero + (half if float(ends[0]) > zero else -half))
    if float(ends[1]) <= zero:
        high = min(high, zero - (half if float(ends[1]) < zero else -half))
    if limits[0] is not None:
        low = max(low, (limits[0] * 10**scale.decimals - scale.origin) / scale.step - half)
    if limits[1] is not None:
        high = min(high, (limits[1] * 10**scale.decimals - scale.origin) / scale.step + half)
    return low, high


def _magnitude(values: pl.Series, rows: int) -> tuple[Scale, Cells]:
    """One interval up to the next power of ten, where there are too few rows to keep anything more."""
    decimals = values.dtype.scale if isinstance(values.dtype, pl.Decimal) else 0
    scale = Scale(whole=not values.dtype.is_float(), decimals=decimals)
    positions = scale.positions(values)
    size = float(np.abs(positions).max())
    if size == 0:
        return scale, Cells(np.zeros(1), np.zeros(1), np.array([float(rows)]))
    reach = 10.0 ** min(np.floor(np.log10(size)) + 1 if size >= 1 else 0, 300)
    low, high = (-reach if positions.min() < 0 else 0.0), (reach if positions.max() > 0 else 0.0)
    return scale, Cells(np.array([low]), np.array([high]), np.array([float(rows)]))


def _atoms(cells: Cells, scale: Scale, spikes: pl.Series, dtype: pl.DataType) -> pl.Series:
    """(m,), the exact value of every atom; null for intervals."""
    where = cells.left.copy()
    where[~cells.atoms] = 0.0
    found = scale.series(where, dtype)
    # A spike may lie off the grid of the rest (999 among multiples of 10): its own value counts.
    known = scale.positions(spikes)
    at = np.clip(np.searchsorted(known, cells.left), 0, max(len(known) - 1, 0))
    exact = cells.atoms & (known[at] == cells.left) if len(known) else np.zeros(len(where), np.bool_)
    if len(known):
        found = spikes.gather(at).zip_with(pl.Series(exact), found)
    empty = pl.Series([None], dtype=dtype).new_from_index(0, len(where))
    return found.zip_with(pl.Series(cells.atoms), empty).rename("")


def _specials_as(kinds: list[str], dtype: pl.DataType) -> pl.Series:
    """The special values themselves."""
    values = {"null": None, "nan": float("nan"), "-inf": float("-inf"), "inf": float("inf")}
    return pl.Series([values[k] for k in kinds], dtype=dtype)


def _units_list(table: pl.Series) -> list[int | None]:
    """Integers and decimals as whole numbers for JSON."""
    present = table.drop_nulls()
    units = iter(pl.Series(units_of(present)).to_list())
    return [None if null else int(next(units)) for null in table.is_null().to_list()]


def _exact(kept: list[Any], dtype: pl.DataType) -> pl.Series:
    """The table of atoms out of JSON."""
    if dtype.is_float():
        return pl.Series(kept, dtype=pl.Float64).cast(dtype)
    numbers = [v for v in kept if v is not None]
    if dtype.is_integer() and not isinstance(dtype, pl.Decimal):
        low, high = integer_range(dtype)
        return pl.Series([None if v is None else min(max(int(v), low), high) for v in kept], dtype=dtype)
    values = from_units(pl.Series([int(v) for v in numbers], dtype=pl.Int128), dtype)
    places = np.cumsum([v is not None for v in kept]) - 1
    present = pl.Series([v is not None for v in kept], dtype=pl.Boolean)
    if not numbers:
        return pl.Series([None] * len(kept), dtype=dtype)
    gathered = values.gather(np.maximum(places, 0).astype(np.int64))
    return gathered.zip_with(present, pl.Series([None] * len(kept), dtype=dtype))
