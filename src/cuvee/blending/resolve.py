"""Golden records: one row for each entity, each column settled by a rule."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.blending.lineage import AGREED, ONLY, SILENT, WORDS, Cells
from cuvee.blending.normalise import instants, read_instants, text
from cuvee.blending.rules.most_common import MostCommon
from cuvee.blending.stack import Stack
from cuvee.core import Rule
from cuvee.data.errors import CuveeError, SchemaError
from cuvee.data.names import did_you_mean

DEFAULT = MostCommon()
"""The rule where none is stated."""

_NUMBER = r"^-?(0|[1-9]\d*)(\.\d+)?$"
"""A number as it is written, without leading zeros."""


@dataclass(frozen=True, slots=True)
class Group:
    """Sources that are about the same things, and so become one table.

    Attributes:
        table: The name of the golden table.
        sources: In order.
        names: The golden name of each column, by source.
    """

    table: str
    sources: tuple[str, ...]
    names: Mapping[str, Mapping[str, str]]

    def columns(self) -> tuple[str, ...]:
        """The golden columns, in the order in which they first occur."""
        return tuple(dict.fromkeys(name for source in self.sources for name in self.names[source].values()))

    def having(self, column: str) -> list[tuple[str, str]]:
        """The sources that have a golden column, each with its own name for it."""
        return [(s, own) for s in self.sources for own, name in self.names[s].items() if name == column]


@dataclass(frozen=True, slots=True)
class Rows:
    """Which golden row each record of a group went to.

    Attributes:
        count: Golden rows.
        row: By source, (records,), the golden row or -1 where it was left out.
    """

    count: int
    row: Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Settled:
    """One golden column: its values, where each came from, and how many entities the records disagreed on."""

    values: pl.Series
    cells: Cells
    conflicts: int
    rule: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a blend and the trust order.

    Attributes:
        by_column: Rule by golden column, and under `default`.
        ranks: Rank of each source, 0 the most trusted.
    """

    by_column: Mapping[str, Rule]
    ranks: Mapping[str, int]

    def of(self, group: Group, column: str) -> Rule:
        """The rule of a golden column, stated by its golden name or by that of a source."""
        own = [column, *(name for _, name in group.having(column)), "default"]
        return next((self.by_column[name] for name in own if name in self.by_column), DEFAULT)

    def words(self) -> list[str]:
        """The names of all rules that may be used, in order."""
        return [rule_name(r) for r in (*self.by_column.values(), DEFAULT)]


def rule_name(rule: Rule) -> str:
    """The word for a rule in provenance: its class in lower case with underscores."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(rule).__name__).lower()


def rank_sources(sources: Sequence[str], trust: Sequence[str]) -> dict[str, int]:
    """The rank of each source: first those that are trusted, in order, then the others in theirs.

    Raises:
        CuveeError: A trusted source is not there.
    """
    for source in trust:
        if source not in sources:
            raise CuveeError(
                f"trust names {source!r}, which is not a source of this blend.{did_you_mean(source, sources)}"
            )
    return {source: rank for rank, source in enumerate(dict.fromkeys([*trust, *sources]))}


def settle(stack: Stack, group: Group, rows: Rows, column: str, rules: Rules, words: Sequence[str]) -> Settled:
    """Settle one golden column for all entities.

    A single claim, and claims that all agree, need no rule; the rule sees the entities whose records disagree.

    Raises:
        SchemaError: The rule can't settle values of this kind; the message names the column.
    """
    claims = _claims(stack, group, rows, column)
    dtype = claims.schema["value"]
    rule = rules.of(group, column)
    ranked = claims.with_columns(
        pl.col("source").replace_strict(dict(rules.ranks), return_dtype=pl.UInt32).alias("rank")
    )
    counts = np.bincount(claims["entity"].to_numpy(), minlength=rows.count)
    several = ranked.filter(pl.Series(counts[claims["entity"].to_numpy()] > 1, dtype=pl.Boolean))
    at_odds = np.zeros(rows.count, dtype=bool)
    at_odds[several.filter(_differ(dtype))["entity"].to_numpy()] = True
    disputed = several.filter(pl.Series(at_odds[several["entity"].to_numpy()], dtype=pl.Boolean))
    calm = ranked.filter(~pl.Series(at_odds[claims["entity"].to_numpy()], dtype=pl.Boolean)).sort(
        "entity", "rank", "row"
    )
    calm = calm.unique("entity", keep="first", maintain_order=True).select("entity", "value", "row")
    won = _won(stack, group, column, rule, disputed, dtype)
    whole = pl.concat([calm, won]).sort("entity")
    entity = whole["entity"].to_numpy()
    record = np.full(rows.count, -1, dtype=np.int32)
    record[entity] = whole["row"].cast(pl.Int32).fill_null(-1).to_numpy()
    code = np.select(
        [at_odds, counts > 1, counts == 1],
        [words.index(rule_name(rule)), WORDS.index(AGREED), WORDS.index(ONLY)],
        WORDS.index(SILENT),
    ).astype(np.uint8)
    place = np.full(rows.count, -1, dtype=np.int64)
    place[entity] = np.arange(len(entity))
    positions = pl.Series(place).to_frame("p").select(pl.when(pl.col("p") >= 0).then("p").cast(pl.UInt32)).to_series()
    values = whole["value"].gather(positions).alias(column)
    cells = Cells(record, code, _others(disputed, won, rows.count))
    return Settled(values, cells, int(at_odds.sum()), rule_name(rule))


def _differ(dtype: pl.DataType) -> pl.Expr:
    """Whether a claim differs from its entity's first; for lists and structs, whether any two of them do."""
    if dtype.is_nested() or dtype == pl.Object:
        return pl.col("value").n_unique().over("entity") > 1
    return pl.col("value") != pl.col("value").first().over("entity")


def _claims(stack: Stack, group: Group, rows: Rows, column: str) -> pl.DataFrame:
    """What all records of the group say of a column: entity, value, source, row."""
    having = group.having(column)
    values = one_dtype([stack.frames[source][own] for source, own in having])
    parts = [
        pl.DataFrame(
            {
                "entity": pl.Series(rows.row[source], dtype=pl.Int64),
                "value": _claimed(series),
                "source": pl.repeat(source, series.len(), dtype=pl.String, eager=True),
                "row": pl.Series(stack.numbers(source), dtype=pl.UInt32),
            }
        )
        for (source, _), series in zip(having, values, strict=True)
    ]
    known = pl.concat(parts).filter(pl.col("value").is_not_null() & (pl.col("entity") >= 0))
    return known.with_columns(pl.col("entity").cast(pl.UInt32))


def _won(
    stack: Stack, group: Group, column: str, rule: Rule, disputed: pl.DataFrame, dtype: pl.DataType
) -> pl.DataFrame:
    """What the rule makes of the disputed claims: entity, value, row."""
    empty = pl.Schema({"entity": pl.UInt32(), "value": dtype, "row": pl.UInt32()})
    if disputed.height == 0:
        return pl.DataFrame(schema=empty)
    if dtype.is_nested() or dtype == pl.Object:
        # Lists and structs have no order and no common value that a rule could tell: the most trusted record stands.
        ordered = disputed.sort("entity", "rank", "row")
        return ordered.unique("entity", keep="first", maintain_order=True).select(*empty)
    try:
        claims = disputed.with_columns(_times(stack, group, rule, disputed))
        return rule.settle(claims.select("entity", "value", "source", "rank", "row", "time")).select(*empty).cast(empty)
    except CuveeError as error:
        raise SchemaError(f"Column {column!r} of {group.table!r}: {error}") from error


def _others(disputed: pl.DataFrame, won: pl.DataFrame, count: int) -> NDArray[np.uint16]:
    """How many claims of each entity differ from what was settled."""
    made = np.zeros(count, dtype=np.int64)
    if disputed.height:
        settled = won.select("entity", pl.col("value").alias("settled"))
        both = disputed.join(settled, on="entity", how="left")
        differ = both.filter(pl.col("value").ne_missing(pl.col("settled")))["entity"].to_numpy()
        made += np.bincount(differ, minlength=count)
    return np.minimum(made, np.iinfo(np.uint16).max).astype(np.uint16)


def _times(stack: Stack, group: Group, rule: Rule, claims: pl.DataFrame) -> pl.Series:
    """The time of each claim's record, for a rule with a field `by`; null for the others."""
    nothing = pl.Series("time", [None] * claims.height, dtype=pl.Datetime("us"))
    fields = type(rule).model_fields
    if "by" not in fields:
        return nothing
    by = getattr(rule, "by", None) or _only_time(stack, group)
    times = np.full(stack.size, np.datetime64("NaT", "us"), dtype="datetime64[us]")
    found = False
    for source in group.sources:
        own = next((o for o, name in group.names[source].items() if by in (o, name)), None)
        read = None if own is None else read_instants(stack.frames[source][own])
        if read is not None:
            found = True
            times[stack.numbers(source)] = read.to_numpy()
    if not found:
        raise SchemaError(
            f"the rule {rule_name(rule)!r} is by {by!r}, which is a column of dates or times in no source of "
            f"{group.table!r}."
        )
    return pl.Series("time", times[claims["row"].to_numpy()], dtype=pl.Datetime("us"))


def _only_time(stack: Stack, group: Group) -> str:
    """The only time column that the sources share.

    Raises:
        SchemaError: There is none, or several.
    """
    shared: list[str] = []
    for column in group.columns():
        having = group.having(column)
        kinds = {stack.meanings[source].columns[own].kind for source, own in having}
        if kinds == {"datetime"} and len(having) == len(group.sources) and not _is_birth(stack, having):
            shared.append(column)
    if len(shared) != 1:
        what = f"several time columns ({', '.join(shared)})" if shared else "no time column that all sources share"
        raise SchemaError(f"the rule 'newest' finds {what} in {group.table!r}. State it: {{newest: {{by: COLUMN}}}}.")
    return shared[0]


def _is_birth(stack: Stack, having: Sequence[tuple[str, str]]) -> bool:
    """Whether a date is one of birth, which says nothing of when a record was made."""
    return any(stack.meanings[source].columns[own].role == "birthdate" for source, own in having)


def one_dtype(columns: Sequence[pl.Series]) -> list[pl.Series]:
    """Columns of several sources in the one dtype that holds all of their values; text where nothing else does.

    Raises:
        SchemaError: One holds lists or structs and another does not.
    """
    dtypes = list(dict.fromkeys(c.dtype for c in columns if c.dtype != pl.Null))
    if len(dtypes) <= 1:
        return [c.cast(dtypes[0]) for c in columns] if dtypes else list(columns)
    if all(isinstance(d, pl.Enum) for d in dtypes):
        levels = dict.fromkeys(level for d in dtypes if isinstance(d, pl.Enum) for level in d.categories)
        return [c.cast(pl.Enum(list(levels))) for c in columns]
    if all(d.is_numeric() for d in dtypes):
        wide = pl.concat([pl.DataFrame(schema={"value": d}) for d in dtypes], how="vertical_relaxed").schema["value"]
        return [c.cast(wide) for c in columns]
    if all(d == pl.Date or isinstance(d, pl.Datetime) for d in dtypes):
        zoned = all(isinstance(d, pl.Datetime) and d.time_zone is not None for d in dtypes)
        return [instants(c).dt.replace_time_zone("UTC") if zoned else instants(c) for c in columns]
    return _read_as_others(columns) or [text(c) for c in columns]


def _read_as_others(columns: Sequence[pl.Series]) -> list[pl.Series] | None:
    """Text read as what the other columns are, times or numbers, where every value of it can be."""
    others = [c for c in columns if c.dtype != pl.String]
    if all(c.dtype == pl.Date or isinstance(c.dtype, pl.Datetime) for c in others):
        read = [read_instants(c) for c in columns]
        return None if any(r is None for r in read) else [r for r in read if r is not None]
    if all(c.dtype.is_numeric() for c in others):
        # "01234" is a code and no number: what is read must be written the same way again.
        written = [c.str.strip_chars().drop_nulls() for c in columns if c.dtype == pl.String]
        if not all(w.filter(w != "").str.contains(_NUMBER).all() for w in written):
            return None
        whole = all(c.dtype.is_integer() for c in others) and all(
            w.filter(w != "").str.contains(r"^-?\d{1,18}$").all() for w in written
        )
        kind = pl.Int64() if whole else pl.Float64()
        numbers = [
            c.cast(kind) if c.dtype != pl.String else c.str.strip_chars().cast(kind, strict=False) for c in columns
        ]
        lost = any(
            n.null_count() > text(c).null_count() for n, c in zip(numbers, columns, strict=True) if c.dtype == pl.String
        )
        return None if lost else numbers
    return None


def _claimed(values: pl.Series) -> pl.Series:
    """The values that say something: NaN and empty text say nothing."""
    if values.dtype.is_float():
        return values.fill_nan(None)
    if values.dtype != pl.String:
        return values
    return values.to_frame("v").select(pl.when(pl.col("v").str.strip_chars() != "").then("v")).to_series()
