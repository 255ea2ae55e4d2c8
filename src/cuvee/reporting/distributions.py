"""Each column, real against synthetic, as shares of rows: bins or categories that hold enough real rows to show."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.data.schema import Column
from cuvee.reporting.bins import FEW, Axis, cut, figures, merged

CATEGORIES = 12

_HIDDEN = {
    "text": "free text",
    "id": "identifier",
    "image": "image",
    "opaque": "nested or binary values",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bin or category: the share of all rows of each side; `label` where it has a name, edges where it is a bin."""

    real: float
    synthetic: float
    label: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Distribution:
    """What is shown of one column.

    Attributes:
        column: Its name (with its table, where there are several).
        kind: Its kind, and role if it has one.
        form: `bins` of an axis, `bars` of categories, or `hidden`: then `reason` says why no value is shown.
        bars: Bins in order, or categories from the most frequent; none where hidden.
        nulls: Share of rows without a value, real and synthetic.
        difference: Total variation distance of what is drawn, nulls included: 0 the same, 1 nothing in common.
        outside: Share of rows outside the axis; None where it stands for fewer than five real rows.
        ticks: Labels of the axis.
        unit: Unit of the axis.
        mean: Mean real and synthetic, for numbers.
        reason: Why no value is shown.
        table: The table of the column.
        codes: Level of each row (real, synthetic), for what is computed over pairs of columns; not part of the page.
    """

    column: str
    kind: str
    form: Literal["bins", "bars", "hidden"]
    bars: tuple[Bar, ...] = ()
    nulls: tuple[float, float] = (0.0, 0.0)
    difference: float | None = None
    outside: tuple[float | None, float] = (0.0, 0.0)
    ticks: tuple[tuple[float, str], ...] = ()
    unit: str = ""
    mean: tuple[float, float] | None = None
    reason: str = ""
    table: str = ""
    codes: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    def plain(self) -> dict[str, Any]:
        """JSON values."""
        bars = [
            {"label": b.label, "real": b.real, "synthetic": b.synthetic}
            if b.low is None
            else {"low": b.low, "high": b.high, "real": b.real, "synthetic": b.synthetic}
            for b in self.bars
        ]
        return {
            "column": self.column,
            "kind": self.kind,
            "form": self.form,
            "reason": self.reason,
            "difference": self.difference,
            "nulls": list(self.nulls),
            "outside": list(self.outside),
            "mean": None if self.mean is None else list(self.mean),
            "unit": self.unit,
            "ticks": [{"at": at, "label": label} for at, label in self.ticks],
            "bars": bars,
        }


def distribution(name: str, column: Column, real: pl.Series, synthetic: pl.Series) -> Distribution:
    """One column, real against synthetic.

    Text, identifiers and what speaks of a person are never shown by value.
    """
    kind = column.kind if column.role is None else f"{column.kind}, {column.role}"
    nulls = (_share(real.null_count(), real.len()), _share(synthetic.null_count(), synthetic.len()))
    reason = _why_hidden(column, real, synthetic)
    if reason:
        return Distribution(name, kind, "hidden", nulls=nulls, reason=reason)
    if _is_axis(column, real.dtype) and real.null_count() < real.len():
        on_axis = _on_axis(real, synthetic)
        if on_axis is None:
            reason = "too few or too widely spread values to draw"
            return Distribution(name, kind, "hidden", nulls=nulls, reason=reason)
        return _bins(name, kind, on_axis, (real, synthetic))
    return _categories(name, kind, real, synthetic, nulls)


def _why_hidden(column: Column, real: pl.Series, synthetic: pl.Series) -> str:
    """Why no value of a column may be shown, or nothing."""
    if column.sensitive:
        return f"speaks of a person ({column.role})"
    if column.kind in _HIDDEN:
        return _HIDDEN[column.kind]
    if real.dtype.is_nested() or any(isinstance(d, (pl.Binary, pl.Object)) for d in (real.dtype, synthetic.dtype)):
        return _HIDDEN["opaque"]
    if real.len() < FEW:
        return f"fewer than {FEW} real rows"
    if real.dtype != synthetic.dtype and real.dtype.is_temporal() != synthetic.dtype.is_temporal():
        return f"the types differ: {real.dtype} and {synthetic.dtype}"
    return ""


def _is_axis(column: Column, dtype: pl.DataType) -> bool:
    if column.kind in {"category", "boolean"}:
        return False
    return dtype.is_numeric() or dtype.is_temporal()


def _on_axis(real: pl.Series, synthetic: pl.Series) -> tuple[Axis, NDArray[np.float64], NDArray[np.float64]] | None:
    x = figures(real)
    axis = cut(x, real.dtype)
    return None if axis is None else (axis, x, figures(synthetic))


def _bins(
    name: str,
    kind: str,
    on_axis: tuple[Axis, NDArray[np.float64], NDArray[np.float64]],
    both: tuple[pl.Series, pl.Series],
) -> Distribution:
    axis, x, y = on_axis
    runs = merged(np.histogram(x, axis.edges)[0])
    edges = axis.edges[[*(a for a, _ in runs), runs[-1][1]]]
    counts = [np.histogram(side, edges)[0] for side in (x, y)]
    sizes = (max(len(x), 1), max(len(y), 1))
    empty = [int(np.isnan(side).sum()) for side in (x, y)]
    out = [len(side) - int(count.sum()) - e for side, count, e in zip((x, y), counts, empty, strict=True)]
    shares = [np.append(count, [o, e]) / n for count, o, e, n in zip(counts, out, empty, sizes, strict=True)]
    bars = tuple(
        Bar(_round(r), _round(s), low=float(a), high=float(b))
        for a, b, r, s in zip(edges[:-1], edges[1:], shares[0], shares[1], strict=False)
    )
    return Distribution(
        column=name,
        kind=kind,
        form="bins",
        bars=bars,
        nulls=(_round(shares[0][-1]), _round(shares[1][-1])),
        difference=_round(float(np.abs(shares[0] - shares[1]).sum()) / 2),
        outside=(None if 0 < out[0] < FEW else _round(shares[0][-2]), _round(shares[1][-2])),
        ticks=axis.ticks,
        unit=axis.unit,
        mean=_means(x, y) if both[0].dtype.is_numeric() else None,
        codes=(_levels(x, x), _levels(x, y)),
    )


def _categories(
    name: str, kind: str, real: pl.Series, synthetic: pl.Series, nulls: tuple[float, float]
) -> Distribution:
    words = [side.cast(pl.String, strict=False) for side in (real, synthetic)]
    table = words[0].drop_nulls().value_counts(name="n").sort("n", words[0].name, descending=[True, False])
    shown = table.filter(pl.col("n") >= FEW).head(CATEGORIES)[words[0].name].to_list()
    lookup = pl.DataFrame({"word": pl.Series(shown, dtype=pl.String), "code": np.arange(1, len(shown) + 1)})
    last = len(shown) + 1  # 0 is null, the last is every other value
    codes = [_coded(side, lookup, last) for side in words]
    sizes = [max(len(c), 1) for c in codes]
    shares = [np.bincount(c, minlength=last + 1) / n for c, n in zip(codes, sizes, strict=True)]
    bars = [Bar(_round(shares[0][i + 1]), _round(shares[1][i + 1]), label=word) for i, word in enumerate(shown)]
    if shares[0][last] or shares[1][last]:
        others = table.height - len(shown)
        label = "all other values" if others == 0 else f"other values ({others:,})"
        bars.append(Bar(_round(shares[0][last]), _round(shares[1][last]), label=label))
    return Distribution(
        column=name,
        kind=kind,
        form="bars",
        bars=tuple(bars),
        nulls=nulls,
        difference=_round(float(np.abs(shares[0] - shares[1]).sum()) / 2),
        codes=(codes[0], codes[1]),
    )


def _coded(words: pl.Series, lookup: pl.DataFrame, other: int) -> NDArray[np.int64]:
    """Level of each row: 0 null, then the shown categories, then all others."""
    frame = pl.DataFrame({"word": words}).join(lookup, on="word", how="left", maintain_order="left")
    code = pl.when(pl.col("word").is_null()).then(0).otherwise(pl.col("code").fill_null(other)).cast(pl.Int64)
    return frame.select(code=code)["code"].to_numpy()


def _levels(x: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Level of each row by the deciles of the real figures x: 0 for null, 1 to 10."""
    finite = x[np.isfinite(x)]
    inner = np.unique(np.quantile(finite, np.arange(0.1, 0.95, 0.1)))
    return np.where(np.isnan(values), 0, np.searchsorted(inner, values, side="left") + 1)


def _means(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float] | None:
    with np.errstate(all="ignore"):
        means = [float(side[np.isfinite(side)].mean()) if np.isfinite(side).any() else float("nan") for side in (x, y)]
    return (means[0], means[1]) if np.isfinite(means).all() else None


def _share(count: int, n: int) -> float:
    return _round(count / n) if n else 0.0


def _round(share: float) -> float:
    """Five digits: fine enough to draw, and JSON stays small."""
    return round(float(share), 5)
