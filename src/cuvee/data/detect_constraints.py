"""Constraints that hold in the data without exception, or nearly: proposed with what speaks for them, never assumed.

Every proposal is found in some rows and counted in all. One that would hold by chance, were the columns independent,
is left out: it is no rule.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import polars as pl

from cuvee.data.constraint_lines import Line, columns_of_line
from cuvee.data.detect_arithmetic import equations, orders, sums
from cuvee.data.detect_groups import grouped
from cuvee.data.detect_missing import missing
from cuvee.data.proposals import CHANCE, NEARLY, Proposal, counted, nats
from cuvee.data.schema import Schema, Table

LOOK = 20_000
"""Candidates are looked for in so many rows."""
LEVELS = 2_000
"""A column that settles another one, or is settled, has at most so many values."""
SETTLING = 120
"""At most so many columns are looked at for what settles what."""
MOST = 40
"""At most so many constraints are proposed for a table."""
SHAPES = 50
"""A pattern needs so many different values."""


def find_constraints(frame: pl.DataFrame, table: Table) -> tuple[Proposal, ...]:
    """What holds in every row of a table, or in nearly all, best first; what is stated already is left out."""
    if frame.height < 20:
        return ()
    plain = frame.select(c for c, d in frame.schema.items() if not d.is_nested() and d != pl.Binary)
    rng = np.random.default_rng(0)
    some = plain if plain.height <= LOOK else plain[np.sort(rng.permutation(plain.height)[:LOOK])]
    flags = list(_flags(some, plain))
    taken = {c for f in flags for c in columns_of_line(f.line)}
    rest = [c for c in plain.columns if c not in taken]
    arithmetic = [*equations(some.select(rest), plain), *sums(some.select(rest), plain)]
    tied = [set(columns_of_line(p.line)) for p in arithmetic]
    groups = list(grouped(plain, table))
    within = {frozenset(columns_of_line(p.line)) for p in groups}
    keys = [*groups, *(p for p in _keys(plain, table) if frozenset(columns_of_line(p.line)) not in within)]
    found = [
        *flags,
        *arithmetic,
        *_dependencies(some, plain, table, rest),
        # What is a part of a sum is no more than it: that says nothing new.
        *(p for p in orders(some.select(rest), plain) if not any(set(columns_of_line(p.line)) <= t for t in tied)),
        *missing(some, plain),
        *keys,
        *_patterns(plain, table),
    ]
    known = {frozenset(columns_of_line(line)) for line in table.constraints}
    fresh = [p for p in found if frozenset(columns_of_line(p.line)) not in known]
    exact = [p for p in fresh if not p.exceptions]
    return tuple([*exact, *(p for p in fresh if p.exceptions)][:MOST])


def with_proposals(schema: Schema, tables: Mapping[str, pl.DataFrame]) -> Schema:
    """The schema with what its tables could be held to."""
    proposed = {
        name: table.model_copy(update={"proposals": find_constraints(tables[name], table)})
        for name, table in schema.tables.items()
    }
    return schema.model_copy(update={"tables": proposed})


def _flags(some: pl.DataFrame, plain: pl.DataFrame) -> Iterator[Proposal]:
    """Runs of neighbouring columns of 0 and 1 of which exactly one is up."""
    up: dict[str, np.ndarray] = {}
    for c in some.iter_columns():
        if c.null_count() == 0 and (c.dtype.is_numeric() or c.dtype == pl.Boolean):
            values = c.cast(pl.Float64)
            if values.is_in([0.0, 1.0]).all():
                up[c.name] = values.to_numpy()
    names = some.columns
    start = 0
    while start < len(names):
        end, total = start, np.zeros(some.height)
        while end < len(names) and names[end] in up and (total + up[names[end]]).max(initial=0) <= 1:
            total = total + up[names[end]]
            end += 1
        if end - start >= 3 and total.min(initial=1) == 1:
            group = names[start:end]
            sums_up = plain.select(pl.sum_horizontal(pl.col(c).cast(pl.Int64) for c in group)).to_series()
            yield from counted({"one_hot": group}, sums_up == 1, "exactly one of them is 1")
        start = max(end, start + 1)


def _dependencies(some: pl.DataFrame, plain: pl.DataFrame, table: Table, names: Sequence[str]) -> Iterator[Proposal]:
    """Columns that another one settles; of two that settle each other, the first settles."""
    n = some.height
    sizes = {c: some[c].n_unique() for c in names}
    usable = [
        c for c in names if 2 <= sizes[c] <= min(LEVELS, n // 4) and table.columns[c].kind not in {"text", "opaque"}
    ][:SETTLING]
    codes = {c: some[c].rank("dense").fill_null(0).to_numpy().astype(np.int64) for c in usable}
    common = {c: float(np.square(np.bincount(codes[c]) / n).sum()) for c in usable}
    settled: set[str] = set()
    for a, b in sorted(((a, b) for a in usable for b in usable if a != b), key=lambda p: (sizes[p[0]], p)):
        if b in settled or sizes[a] < sizes[b] or (n - sizes[a]) * nats(common[b]) < CHANCE:
            continue
        pairs = len(np.unique(codes[a] * (LEVELS + 1) + codes[b]))
        if pairs > sizes[a] + NEARLY:
            continue
        if sizes[a] == sizes[b] and (_settles(settled, a, b) or some.columns.index(a) > some.columns.index(b)):
            continue
        there = plain.select(a, b)
        both = there.drop_nulls()
        if (both.height - both[a].n_unique()) * nats(common[b]) < CHANCE:
            continue
        usual = both.group_by(a, b).len().sort([a, "len", b], descending=[False, True, False])
        usual = usual.unique(a, keep="first", maintain_order=True).select(a, pl.col(b).alias("_usual"))
        joined = there.join(usual, on=a, how="left", maintain_order="left")
        truth = joined.select(pl.when(pl.col(b).is_not_null()).then(pl.col(b) == pl.col("_usual"))).to_series()
        line: Line = {"follows": b, "from": [a]}
        fresh = list(counted(line, truth, f"each of the {sizes[a]:,} values of {a} has one {b}"))
        settled |= {b} if fresh else set()
        yield from fresh


def _settles(settled: set[str], a: str, b: str) -> bool:
    return a in settled and b in settled


def _keys(plain: pl.DataFrame, table: Table) -> Iterator[Proposal]:
    """Two columns of which no two rows have the same values, though each alone repeats."""
    n = plain.height
    if table.key is not None:
        return
    kinds = {"category", "id", "datetime", "boolean", "number"}
    whole = [
        c.name
        for c in plain.iter_columns()
        if table.columns[c.name].kind in kinds and not c.dtype.is_float() and not c.null_count()
    ][:12]
    shares = {c: plain[c].value_counts()["count"].to_numpy() / n for c in whole}
    for a, b in combinations(whole, 2):
        expected = n * (n - 1) / 2 * float(np.square(shares[a]).sum()) * float(np.square(shares[b]).sum())
        if expected < CHANCE or plain[a].n_unique() == n or plain[b].n_unique() == n:
            continue
        truth = plain.select(pl.struct(a, b).is_first_distinct()).to_series()
        why = f"no two rows share both, and {expected:,.0f} pairs of rows would by chance"
        yield from counted({"unique": [a, b]}, truth, why)


def _patterns(plain: pl.DataFrame, table: Table) -> Iterator[Proposal]:
    """Codes that all have the same shape."""
    for c in plain.iter_columns():
        if c.dtype != pl.String or table.columns[c.name].role is not None or table.columns[c.name].kind == "datetime":
            continue
        values = c.drop_nulls().unique()
        if len(values) < SHAPES or (values.str.len_chars() > 40).any():
            continue
        shapes = {_shape(v) for v in values.sort().head(2_000).to_list()}
        if len(shapes) != 1:
            continue
        pattern = shapes.pop()
        if not re.search(r"\[0-9\]|\[A-Z\]", pattern):
            continue
        truth = c.str.contains(f"^(?:{pattern})$")
        why = f"all {len(values):,} values look so"
        yield from counted({"matches": c.name, "pattern": pattern}, truth, why)


def _shape(text: str) -> str:
    """Text with its runs of letters and digits as classes: AB-12 is [A-Z]{2}-[0-9]{2}."""
    parts: list[str] = []
    for run in re.finditer(r"[A-Z]+|[a-z]+|[0-9]+|.", text, re.DOTALL):
        word = run.group()
        kind = "[A-Z]" if "A" <= word[0] <= "Z" else "[a-z]" if "a" <= word[0] <= "z" else "[0-9]"
        plain = not word[0].isascii() or not word[0].isalnum()
        parts.append(re.escape(word) if plain else kind + (f"{{{len(word)}}}" if len(word) > 1 else ""))
    return "".join(parts)
