"""Codes of places and things, such as postcodes: common ones kept, rare ones filled up behind what they share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.codec import LEAST, Arrays, Codec, Floats, Placed, masses_of, random_places, rows_in_words
from cuvee.codec.pattern import DIGITS, LOWER, UPPER

LONGEST = 16
"""Longer texts are not codes."""
OPEN: Final[Mapping[str, str]] = {"9": DIGITS, "A": UPPER, "a": LOWER}
"""What stands at an open place, by its sign in a shape."""
SHAPED = 0.95
"""Share of the values that must be codes."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class CodeCodec(Codec):
    """A column of codes whose first places say more than the last ones.

    A code that enough rows share is a cell. Rarer ones lie in the cell of the longest beginning that enough rows share,
    and are written with that beginning and with digits and letters by chance behind it.

    Attributes:
        starts: (m - missing,), the kept code, or the kept beginning of one; sorted.
        shapes: (m - missing,), the shape of the whole code: 9, A and a for digits and letters, other signs as they are.
        width: Of whole numbers: with how many digits they are read; 0 for text.
    """

    starts: tuple[str, ...]
    shapes: tuple[str, ...]
    width: int

    kind: ClassVar[str] = "code"

    @classmethod
    def fit(cls, name: str, series: pl.Series, *, least: int = LEAST) -> Self | None:
        """Learn a column of text or whole numbers; None where most of its values are no short codes."""
        width = _width(series)
        texts = _texts(series.drop_nulls(), width)
        tally = texts.rename("code").value_counts(name="rows")
        tally = tally.with_columns(_shape(tally["code"]).alias("shape"))
        good = tally.filter(tally["code"].str.len_chars().is_between(1, LONGEST) & tally["shape"].str.contains("[9Aa]"))
        if not len(texts) or good["rows"].sum() < SHAPED * len(texts):
            return None
        found, rest = good.filter(pl.col("rows") >= least), good.filter(pl.col("rows") < least)
        cells = [found.select("code", "shape", "rows")]
        for size in range(LONGEST - 1, -1, -1):
            if rest.height == 0:
                break
            rest = rest.with_columns(pl.col("code").str.slice(0, size))
            groups = rest.group_by("code", "shape").agg(pl.col("rows").sum())
            # Groups whose beginning is as long as the code itself are single codes still.
            groups = groups.filter((pl.col("rows") >= least) & (pl.col("shape").str.len_chars() > size))
            cells.append(groups.select("code", "shape", "rows"))
            rest = rest.join(groups, on=["code", "shape"], how="anti")
        kept = pl.concat(cells).group_by("code", "shape").agg(pl.col("rows").sum()).sort("code", "shape")
        if kept.height == 0:
            return None
        nulls, lost = series.null_count(), len(texts) - int(kept["rows"].sum())
        counts = np.r_[[float(nulls)] if nulls else [], kept["rows"].to_numpy() * (len(texts) / kept["rows"].sum())]
        rare = kept.height - found.height
        notes = [f"Column {name!r}: codes that fewer than {least} rows share are made up behind their beginning."]
        if lost:
            notes.append(f"Column {name!r}: {rows_in_words(lost)} of a form that fewer than {least} share left out.")
        return cls(
            name,
            series.dtype,
            masses_of(counts),
            int(nulls > 0),
            tuple(notes if rare or lost else ()),
            tuple(kept["code"].to_list()),
            tuple(kept["shape"].to_list()),
            width,
        )

    @property
    def volumes(self) -> Floats:
        sizes = [
            float(np.prod([len(OPEN.get(sign, "x")) for sign in shape[len(start) :]], dtype=np.float64))
            for start, shape in zip(self.starts, self.shapes, strict=True)
        ]
        return np.r_[np.ones(self.missing), sizes]

    def place(self, series: pl.Series, *, rng: Generator) -> Placed:
        n = len(series)
        texts = _texts(series, self.width)
        table = pl.DataFrame({"code": self.starts, "shape": self.shapes}).with_row_index("cell")
        todo = pl.DataFrame({"row": np.arange(n), "code": texts}).filter(pl.col("code").is_not_null())
        todo = todo.with_columns(_shape(todo["code"]).alias("shape"))
        codes = np.full(n, -1, np.int64)
        codes[series.is_null().to_numpy()] = 0 if self.missing else -1
        for size in range(LONGEST, -1, -1):
            if todo.height == 0:
                break
            todo = todo.with_columns(pl.col("code").str.slice(0, size))
            hits = todo.join(table, on=["code", "shape"], how="inner")
            codes[hits["row"].to_numpy()] = hits["cell"].to_numpy() + self.missing
            todo = todo.join(hits, on="row", how="anti") if hits.height else todo
        known = codes >= 0
        others = np.flatnonzero(~known)
        if len(others):
            codes[others] = random_places(self.masses, len(others), rng=rng).codes
        return Placed(codes, rng.random(n), known)

    def values(self, placed: Placed, *, start: int, rng: Generator) -> pl.Series:
        del start
        starts = pl.Series([*[None] * self.missing, *self.starts], dtype=pl.String)
        texts = starts.gather(placed.codes)
        sizes = (len(p) - len(s) for s, p in zip(self.starts, self.shapes, strict=True))
        lengths = np.array([*[0] * self.missing, *sizes])
        rows = np.flatnonzero(lengths[placed.codes] > 0)
        if len(rows):
            cells = placed.codes[rows].astype(np.int64) - self.missing
            texts = texts.scatter(rows, self._filled(cells, rng))
        return texts.cast(self.dtype).rename(self.name)

    def _filled(self, cells: NDArray[np.int64], rng: Generator) -> pl.Series:
        """Codes of cells with open places, by chance."""
        used, which = np.unique(cells, return_inverse=True)
        size = max(len(self.shapes[j]) for j in used.tolist())
        whole = [self.starts[j] + self.shapes[j][len(self.starts[j]) :] for j in used.tolist()]
        letters = np.array(whole, f"U{size}").view(np.uint32).reshape(len(used), size)
        fixed = np.array([len(self.starts[j]) for j in used.tolist()])
        still = np.arange(size) < fixed[:, None]
        result = letters[which]
        for sign, choice in OPEN.items():
            row, place = np.nonzero(((letters == ord(sign)) & ~still)[which])
            drawn = rng.integers(0, len(choice), len(row))
            result[row, place] = np.array([ord(c) for c in choice], np.uint32)[drawn]
        return pl.Series(np.ascontiguousarray(result).view(f"U{size}").ravel().tolist(), dtype=pl.String)

    def details(self) -> tuple[Mapping[str, Any], Arrays]:
        return {"starts": list(self.starts), "shapes": list(self.shapes), "width": self.width}, {}

    @classmethod
    def restored(cls, shared: Mapping[str, Any], values: Mapping[str, Any], arrays: Arrays) -> Self:
        del arrays
        return cls(**shared, starts=tuple(values["starts"]), shapes=tuple(values["shapes"]), width=int(values["width"]))


def fixed_digits(series: pl.Series) -> bool:
    """Whether a text column holds digits of one width, some with a zero first: codes, and no numbers."""
    texts = series.drop_nulls().cast(pl.String)
    if not len(texts) or not texts.str.contains(r"^\d+$").all():
        return False
    lengths = texts.str.len_chars()
    return bool(lengths.min() == lengths.max()) and bool(texts.str.starts_with("0").any())


def _width(series: pl.Series) -> int:
    """With how many digits whole numbers are read; 0 for text."""
    if not series.dtype.is_integer():
        return 0
    return int(series.drop_nulls().cast(pl.String).str.len_chars().cast(pl.Int64).max() or 0)  # pyright: ignore[reportArgumentType]


def _texts(series: pl.Series, width: int) -> pl.Series:
    """The values as text, whole numbers with zeros before them."""
    texts = series.cast(pl.String)
    return texts.str.zfill(width) if width else texts


def _shape(texts: pl.Series) -> pl.Series:
    """Texts with 9 for digits, A and a for plain letters; other signs as they are."""
    return texts.str.replace_all(r"[0-9]", "9").str.replace_all(r"[A-Z]", "A").str.replace_all(r"[a-z]", "a")
