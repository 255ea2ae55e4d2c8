"""Free text: a chain of letters or words that several rows have in common, so that no sentence of one row is kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final
from zlib import crc32

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.codec import LEAST, Arrays, Codec, Placed, masses_of, null_places
from cuvee.numeric.markov import Chain, Level, learn_chain, sample_chain

ROWS = 20_000
"""Text is learned from at most this many rows, evenly taken."""
MOST = 500_000
"""Text is learned from about this many letters at most."""
LETTERS = 200
"""No text is read or written beyond this many letters, or words."""
WORDY = 4
"""Texts of at least this many words on average are learned word by word, where the common words cover them."""
COVER = 0.8
BITS = 32
"""Bits kept for each rare text."""
TRIES = 8
"""How often a text is written anew; then another one stands for it."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class TextCodec(Codec):
    """A column of free text.

    Attributes:
        chain: What follows what.
        tokens: The letters or words, from token 2 on.
        words: Whether tokens are words.
        rare: Bits, 8 to a number, set at the checksums of texts that too few rows have: such a text is written anew. A
            set bit tells little: one in 32 other texts has it too.
    """

    chain: Chain
    tokens: tuple[str, ...]
    words: bool
    rare: NDArray[np.uint8]

    kind: ClassVar[str] = "text"
    informative: ClassVar[bool] = False

    @classmethod
    def fit(cls, name: str, series: pl.Series, *, least: int = LEAST, role: str | None = None) -> Self:
        """Learn a text column with at least one value; a role of a person is always learned letter by letter."""
        nulls = series.null_count()
        present = series.drop_nulls().cast(pl.String)
        rare = _marked(present, least if role is None else len(present) + 1)
        if role is not None:
            # What many rows say of one person is still one person's: runs must be shared by different texts.
            present = present.unique(maintain_order=True)
        letters = present.str.len_chars().clip(0, LETTERS).to_numpy().sum()
        sample = present.gather_every(max(len(present) // ROWS, int(letters) // MOST, 1))
        split = _split(sample, words=True)
        words = role is None and bool(split.list.len().to_numpy().mean() >= WORDY)
        if words:
            words = bool((_encoded(split, _common(split, least))[0] >= 0).mean() >= COVER)
        parts = split if words else _split(sample, words=False)
        tokens = _common(parts, least)
        stream, lengths = _encoded(parts, tokens)
        order = 2 if words else 3
        longest = int(np.ceil(np.sort(lengths)[-least:].mean())) if len(lengths) >= least else 0
        chain = learn_chain(stream, lengths, order=order, size=len(tokens) + 2, least=least, longest=longest)
        there = len(series) - nulls
        counts = np.array([nulls, there] if nulls else [there], np.float64)
        what = "free text" if role is None else f"role {role}"
        how = "words" if words else "letters"
        note = f"Column {name!r} ({what}): made from runs of {how} that at least {least} rows share; no text is stored."
        if chain.empty:
            note = f"Column {name!r} ({what}): {least} rows share nothing of it, so numbered placeholders stand for it."
        return cls(name, series.dtype, masses_of(counts), int(nulls > 0), (note,), chain, tokens, words, rare)

    def place(self, series: pl.Series, *, rng: Generator) -> Placed:
        return null_places(series, self.missing, rng=rng)

    def values(self, placed: Placed, *, start: int, rng: Generator) -> pl.Series:
        n = len(placed.codes)
        if self.chain.empty:
            text = f"{self.name}-" + pl.Series(np.arange(start + 1, start + n + 1)).cast(pl.String)
        else:
            text = self._written(sample_chain(self.chain, n, rng=rng))
            again = np.flatnonzero(self._hits(text))
            for _ in range(TRIES):
                if len(again) == 0:
                    break
                text = text.scatter(again, self._written(sample_chain(self.chain, len(again), rng=rng)))
                again = again[self._hits(text.gather(again))]
            if len(again):
                # Others of this block stand in; placeholders only where there is none.
                good = np.setdiff1d(np.arange(n), again)
                spare = f"{self.name}-" + pl.Series(again + start + 1).cast(pl.String)
                text = text.scatter(again, text.gather(rng.choice(good, len(again))) if len(good) else spare)
        if self.missing:
            text = text.zip_with(pl.Series(placed.codes > 0), pl.Series([None], dtype=pl.String).new_from_index(0, n))
        return text.cast(self.dtype).rename(self.name)

    def _hits(self, texts: pl.Series) -> NDArray[np.bool_]:
        """(n,), whether a text may be one that too few rows have."""
        if len(self.rare) == 0:
            return np.zeros(len(texts), np.bool_)
        place = _checksums(texts) & np.uint32(8 * len(self.rare) - 1)
        return (self.rare[place >> np.uint32(3)] >> (place & np.uint32(7)).astype(np.uint8)) & 1 > 0

    def _written(self, tokens: NDArray[np.int64]) -> pl.Series:
        """Rows of tokens as texts."""
        n, length = tokens.shape
        if length == 0 or n == 0:
            return pl.Series([""] * n, dtype=pl.String)
        if not self.words:
            letters = np.array([0, 0, *(ord(t) for t in self.tokens)], np.uint32)[tokens]
            return pl.Series(np.ascontiguousarray(letters).view(f"U{length}").ravel().tolist(), dtype=pl.String)
        words = pl.Series([None, None, *self.tokens], dtype=pl.String)
        columns = [words.gather(tokens[:, j]).rename(str(j)) for j in range(length)]
        return pl.DataFrame(columns).select(pl.concat_str(pl.all(), separator=" ", ignore_nulls=True)).to_series()

    def details(self) -> tuple[Mapping[str, Any], Arrays]:
        arrays: dict[str, NDArray[Any]] = {"rare": self.rare}
        for j, level in enumerate(self.chain.levels):
            arrays |= {f"contexts{j}": level.contexts, f"offsets{j}": level.offsets}
            arrays |= {f"following{j}": level.following, f"totals{j}": level.totals}
        shape = {"levels": len(self.chain.levels), "size": self.chain.size, "longest": self.chain.longest}
        return {"tokens": list(self.tokens), "words": self.words, **shape}, arrays

    @classmethod
    def restored(cls, shared: Mapping[str, Any], values: Mapping[str, Any], arrays: Arrays) -> Self:
        levels = tuple(
            Level(*(np.asarray(arrays[f"{part}{j}"]) for part in ("contexts", "offsets", "following", "totals")))
            for j in range(int(values["levels"]))
        )
        chain = Chain(levels, int(values["size"]), int(values["longest"]))
        rare = np.asarray(arrays.get("rare", np.zeros(0)), np.uint8)
        return cls(**shared, chain=chain, tokens=tuple(values["tokens"]), words=bool(values["words"]), rare=rare)


def _marked(present: pl.Series, least: int) -> NDArray[np.uint8]:
    """The bits of the texts that fewer than `least` rows have."""
    tally = pl.DataFrame({"text": _plain(present)}).group_by("text").len().filter(pl.col("len") < least)
    if tally.height == 0:
        return np.zeros(0, np.uint8)
    size = 1 << max(int(BITS * tally.height - 1).bit_length(), 3)
    bits = np.zeros(min(size, 2**32), np.bool_)
    bits[_checksums(tally["text"]) & np.uint32(len(bits) - 1)] = True
    return np.packbits(bits, bitorder="little")


def _plain(texts: pl.Series) -> pl.Series:
    """Texts with single blanks."""
    return texts.str.strip_chars().str.replace_all(r"\s+", " ")


def _checksums(texts: pl.Series) -> NDArray[np.uint32]:
    """(n,), the checksum of each text, whatever its blanks."""
    return np.array([crc32(t.encode()) for t in _plain(texts).to_list()], np.uint32)


def _split(texts: pl.Series, *, words: bool) -> pl.Series:
    """The words or letters of each text, as lists."""
    if words:
        parts = texts.str.strip_chars().str.replace_all(r"\s+", " ").str.split(" ")
    else:
        parts = texts.str.slice(0, LETTERS).str.split("")
    # An empty text has no parts, whatever splitting makes of it.
    return parts.list.eval(pl.element().filter(pl.element() != "")).list.head(LETTERS)


def _common(parts: pl.Series, least: int) -> tuple[str, ...]:
    """The parts that enough rows have, in order."""
    table = pl.DataFrame({"part": parts.list.unique()}).explode("part").drop_nulls()
    return tuple(table["part"].value_counts(name="rows").filter(pl.col("rows") >= least)["part"].sort().to_list())


def _encoded(parts: pl.Series, tokens: tuple[str, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All parts as tokens, -1 where they are not common, and how many each row has."""
    table = pl.DataFrame({"part": pl.Series(tokens, dtype=pl.String), "token": np.arange(len(tokens)) + 2})
    flat = pl.DataFrame({"part": parts.explode(empty_as_null=False)})
    found = flat.join(table, on="part", how="left", maintain_order="left")["token"].fill_null(-1)
    return found.to_numpy().astype(np.int64), parts.list.len().to_numpy().astype(np.int64)
