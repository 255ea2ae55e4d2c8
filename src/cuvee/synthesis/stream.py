"""Learning from a table larger than memory: one pass in batches, an even draw of rows, and exact counts of all.

The rows that are kept are those with the smallest keyed hash of their number: a uniform draw without replacement that
needs nothing but the number, so it is the same whatever the batches, and after an interruption too. (Bottom-k
sampling: Cohen and Kaplan, "Summarizing data using bottom-k sketches", PODC 2007. The hash is SplitMix64, a bijection,
so no two rows tie: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.)
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
import polars as pl
from numpy.random import SeedSequence
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from cuvee.core import Event, Stream, Watch, silent
from cuvee.data.errors import ModelError

ROWS, CELLS = 1_000_000, 50_000_000
"""What an engine learns from where nothing is said: at most so many rows, and so many cells."""
LEAST = 5
"""A value that fewer rows share is not counted as known."""
COUNTED = 50_000
"""Values of a column are counted up to this many different ones."""
ROOM = 1.25
"""Rows beyond those wanted that may wait, as a share, until the draw is made among them."""
FRAMES = 256
"""Held rows are put together when they stand in more frames than this."""
NEEDS = 3
"""A fit takes about so many times the table in memory."""
EVERY = 30.0
"""Seconds between two checkpoints."""
FORMAT = "cuvee-pass-1"
NUMBER = "row"

Rows = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known exactly of one column of all rows.

    Attributes:
        nulls: How many values are missing.
        counts: How often each value occurs, of a column of texts or truth values: `value`, `count`; None where there
            are more than `COUNTED` of them, or it is another kind of column.
    """

    nulls: int
    counts: pl.DataFrame | None


@dataclass(frozen=True, slots=True)
class Pass:
    """How far a pass has come.

    Attributes:
        rows: How many rows were read.
        held: The rows that may be drawn, in order.
        numbers: Their numbers.
        limit: Rows with a greater hash than this are not drawn any more.
        facts: By column.
    """

    rows: int = 0
    held: tuple[pl.DataFrame, ...] = ()
    numbers: tuple[Rows, ...] = ()
    limit: int = 2**64 - 1
    facts: Mapping[str, Facts] = field(default_factory=dict[str, Facts])


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a pass gave.

    Attributes:
        frame: The rows to learn from, in the order read.
        rows: How many rows there are in all.
        notes: What the user should know of the draw, in sentences.
    """

    frame: pl.DataFrame
    rows: int
    notes: tuple[str, ...]


def default_rows(columns: int) -> int:
    """How many rows are learned from where nothing is said."""
    return max(1, min(ROWS, CELLS // max(columns, 1)))


def draw(rows: int, keep: int, seed: int) -> NDArray[np.int64]:
    """The numbers of `keep` of the rows, (min(rows, keep),) rising: those that a pass with this seed keeps."""
    hashes = _hash(np.arange(rows, dtype=np.uint64), seed)
    return np.sort(np.argpartition(hashes, keep - 1)[:keep]) if keep < rows else np.arange(rows)


def draw_note(rows: int, kept: int) -> tuple[str, ...]:
    """What is said of a draw; nothing where all rows were kept."""
    if kept >= rows:
        return ()
    return (f"{rows:,} rows were read; the model learned from {kept:,} of them, drawn evenly.",)


def does_not_fit(size: int) -> bool:
    """Whether a table of so many bytes is too large to be learned in the memory that is left."""
    return size * NEEDS > available_memory()


def available_memory() -> int:
    """Bytes of memory that this process may still take, as far as the system tells."""
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 2**34
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        free = 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    with suppress(OSError, ValueError, KeyError):  # in a container the limit is the group's, not the machine's
        group = Path("/sys/fs/cgroup")
        stat = dict(line.split() for line in (group / "memory.stat").read_text("ascii").splitlines())
        free = min(free, max(int((group / "memory.max").read_text("ascii")) - int(stat["anon"]), 0))
    return free


def one_pass(
    stream: Stream,
    columns: Sequence[str],
    *,
    keep: int,
    seed: int,
    checkpoint: Path | None = None,
    every: float = EVERY,
    watch: Watch = silent,
) -> Drawn:
    """Read a table once, in constant memory, and draw rows evenly.

    Args:
        stream: The table.
        columns: Those that are wanted.
        keep: How many rows to draw; fewer where there are fewer.
        seed: The same seed draws the same rows.
        checkpoint: A file that says how far the pass has come; it is gone on from where it fits this very pass. It
            holds drawn rows: only its owner may read it, and the caller removes it when the model is learned.
        every: Seconds between two checkpoints.
        watch: Told of progress.

    Raises:
        ModelError: The checkpoint is another file.
        KeyboardInterrupt: Interrupted; what was read is in the checkpoint.
    """
    identity = json.dumps([FORMAT, stream.table, stream.identity, list(columns), keep, seed])
    state = Pass() if checkpoint is None else _opened(checkpoint, identity)
    saved = time.monotonic()
    try:
        for batch in stream.batches(columns, state.rows):
            state = _read(state, batch, keep, seed)
            watch(Event("read", state.rows, stream.rows or 0, "" if stream.rows else f"{state.rows:,} rows"))
            if checkpoint is not None and time.monotonic() - saved >= every:
                _save(checkpoint, state, identity)
                saved = time.monotonic()
    except KeyboardInterrupt:
        if checkpoint is None:
            raise
        _save(checkpoint, state, identity)
        raise KeyboardInterrupt(
            f"Interrupted after {state.rows:,} rows, which are kept in {checkpoint}. Run the same again to go on."
        ) from None
    if checkpoint is not None:
        _save(checkpoint, state, identity)
    state = _drawn(state, keep, seed)
    frame = stream.settle(pl.concat(state.held, rechunk=True)) if state.held else pl.DataFrame({c: [] for c in columns})
    return Drawn(frame, state.rows, (*draw_note(state.rows, frame.height), *_lost(state, frame)))


def _hash(numbers: Rows, seed: int) -> Rows:
    """SplitMix64 of row numbers under the key of a seed."""
    key = SeedSequence(seed, spawn_key=(2,)).generate_state(1, np.uint64)
    z = numbers * np.uint64(0x9E3779B97F4A7C15) + key
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _read(state: Pass, batch: pl.DataFrame, keep: int, seed: int) -> Pass:
    """The pass after one more batch."""
    numbers = np.arange(state.rows, state.rows + batch.height, dtype=np.uint64)
    likely = _hash(numbers, seed) <= np.uint64(state.limit)
    facts = {s.name: _facts(state.facts.get(s.name), s) for s in batch.iter_columns()}
    fresh = replace(
        state,
        rows=state.rows + batch.height,
        held=(*state.held, batch if likely.all() else batch.filter(pl.Series(likely))),
        numbers=(*state.numbers, numbers[likely]),
        facts=facts,
    )
    waiting = sum(map(len, fresh.numbers))
    return _drawn(fresh, keep, seed) if waiting > ROOM * keep + batch.height else fresh


def _drawn(state: Pass, keep: int, seed: int) -> Pass:
    """The pass with no more rows held than are wanted. Frames are cut one by one, so little is held twice."""
    if sum(map(len, state.numbers)) <= keep:
        return state
    hashes = [_hash(numbers, seed) for numbers in state.numbers]
    limit = np.partition(np.concatenate(hashes), keep - 1)[keep - 1]
    masks = [own <= limit for own in hashes]
    held = [f.filter(pl.Series(mask)) for f, mask in zip(state.held, masks, strict=True)]
    numbers = [n[mask] for n, mask in zip(state.numbers, masks, strict=True)]
    if len(held) > FRAMES:
        held, numbers = [pl.concat(held, rechunk=True)], [np.concatenate(numbers)]
    return replace(state, held=tuple(held), numbers=tuple(numbers), limit=int(limit))


def _facts(before: Facts | None, column: pl.Series) -> Facts:
    """What is known of a column after one more batch of it."""
    nulls = column.null_count() + (0 if before is None else before.nulls)
    text = isinstance(column.dtype, (pl.String, pl.Categorical, pl.Enum, pl.Boolean))
    if not text or (before is not None and before.counts is None):
        return Facts(nulls, None)
    fresh = column.drop_nulls().rename("value").value_counts(name="count").cast({"value": pl.String, "count": pl.Int64})
    if before is not None and before.counts is not None:
        fresh = pl.concat([before.counts, fresh]).group_by("value").agg(pl.col("count").sum())
    return Facts(nulls, fresh if fresh.height <= COUNTED else None)


def _lost(state: Pass, frame: pl.DataFrame) -> Iterator[str]:
    """What all rows have and the drawn ones have not, in sentences that tell no value."""
    for name, facts in state.facts.items():
        if name not in frame.columns:
            continue
        column = frame[name]
        filled = state.rows - facts.nulls
        if filled >= LEAST and column.null_count() == frame.height:
            yield f"Column {name!r}: none of the {filled:,} rows that have a value were drawn; it stays empty."
        if facts.counts is None or not isinstance(column.dtype, (pl.String, pl.Categorical, pl.Enum, pl.Boolean)):
            continue
        known = column.drop_nulls().rename("value").value_counts(name="drawn").cast({"value": pl.String})
        both = facts.counts.filter(pl.col("count") >= LEAST).join(known, on="value", how="left")
        rare = both.filter(pl.col("drawn").fill_null(0) < LEAST)
        if rare.height:
            share = rare["count"].sum() / state.rows
            values = "1 value" if rare.height == 1 else f"{rare.height:,} values"
            yield (
                f"Column {name!r}: {values}, in {share:.2g} of all rows, came up too rarely among the rows drawn to be "
                "learned. Learn from more rows to have them."
            )


def _save(file: Path, state: Pass, identity: str) -> None:
    """Write the checkpoint, beside first and then moved into place; only its owner may read it."""
    numbers = np.concatenate(state.numbers) if state.numbers else np.zeros(0, np.uint64)
    held = pl.concat(state.held) if state.held else pl.DataFrame()
    frame = pl.DataFrame([pl.Series(NUMBER, numbers), *(s.alias(f"c.{s.name}") for s in held.iter_columns())])
    facts = {
        name: {"nulls": f.nulls, "counts": None if f.counts is None else f.counts.to_dict(as_series=False)}
        for name, f in state.facts.items()
    }
    told = {"identity": identity, "rows": state.rows, "limit": state.limit, "facts": facts}
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{token_hex(4)}.part")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            frame.write_parquet(stream, compression="lz4", metadata={FORMAT: json.dumps(told)})
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _opened(file: Path, identity: str) -> Pass:
    """The pass of a checkpoint, where it is of this very pass; else one that has not begun.

    Raises:
        ModelError: The file is no checkpoint, so it is not overwritten.
    """
    if not file.exists():
        return Pass()
    try:
        told: Any = json.loads(pl.read_parquet_metadata(file)[FORMAT])
        if told["identity"] != identity:
            return Pass()
        frame = pl.read_parquet(file, glob=False, hive_partitioning=False)
        facts = {name: Facts(int(f["nulls"]), _counts(f["counts"])) for name, f in told["facts"].items()}
    except (PolarsError, OSError, LookupError, TypeError, ValueError) as error:
        raise ModelError(
            f"{file} is not the checkpoint of a fit. Remove it, or give another file for the checkpoint."
        ) from error
    held = frame.drop(NUMBER).rename(lambda name: name.removeprefix("c."))
    return Pass(int(told["rows"]), (held,), (frame[NUMBER].to_numpy(),), int(told["limit"]), facts)


def _counts(told: Mapping[str, Sequence[Any]] | None) -> pl.DataFrame | None:
    return None if told is None else pl.DataFrame(told, schema={"value": pl.String, "count": pl.Int64})
