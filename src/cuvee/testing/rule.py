"""The contract of a resolution rule."""

import datetime as dt
from collections.abc import Callable

import numpy as np
import polars as pl

from cuvee.core import Rule
from cuvee.testing.require import attempt, fingerprint, require, untouched

ENTITIES = 60

_VALUES = {
    "text": pl.Series(["Bonn", "Ulm", "Kiel", "bonn", "", "Köln am Rhein"]),
    "integers": pl.Series([3, 1, 2, -5, 2**53 + 1, 0]),
    "floats": pl.Series([0.5, -1.25, 3.0, 0.0, 1e9, 2.5]),
    "dates": pl.Series([dt.date(2020, 1, 1), dt.date(1999, 12, 31), dt.date(2024, 2, 29)]),
    "truth": pl.Series([True, False]),
    "levels": pl.Series(["low", "high"], dtype=pl.Enum(["low", "high"])),
    "lists": pl.Series([[1, 2], [], [3]], dtype=pl.List(pl.Int64)),
}


def check_rule(spec: Rule | Callable[[], Rule], *, any_order: bool = True) -> None:
    """Certify a resolution rule: that it keeps the contract of `cuvee.core.Rule`.

    Required are, for each dtype that it takes (it may refuse one with a CuveeError): one row an entity that has a
    claim, sorted; the columns entity, value and row; a single claim and a unanimous one win; a row that is named is one
    of the entity's claims and holds the value; nulls never win; claims may lack a time; the order of the claims does
    not matter; nothing given is changed.

    Args:
        spec: The rule, or what makes one.
        any_order: Whether the order of the rows of `claims` must not matter; their `row` may.

    Raises:
        AssertionError: It does not; the message says what it should do.
    """
    made = spec if isinstance(spec, Rule) else spec()
    taken = [kind for kind in _VALUES if _takes(made, kind)]
    require(taken, f"{type(made).__name__} refuses text, numbers, dates and truth values alike.")
    for kind in taken:
        _structure(made, kind)
        _agreement(made, kind)
        _nulls(made, kind)
        if any_order:
            _order(made, kind)


def claims_of(kind: str, *, per_entity: int = 5, seed: int = 0) -> pl.DataFrame:
    """Claims of one column, between one and `per_entity` an entity; some have no time. Entities are not consecutive."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, per_entity + 1, ENTITIES)
    n = int(counts.sum())
    values = _VALUES[kind]
    rank = rng.integers(0, 3, n)
    stamps = [dt.datetime(2024, 1, 1) + dt.timedelta(days=int(d)) for d in rng.integers(0, 30, n)]
    return pl.DataFrame(
        {
            "entity": pl.Series(np.repeat(np.arange(ENTITIES) * 3 + 1, counts), dtype=pl.UInt32),
            "value": values.gather(rng.integers(0, len(values), n)),
            "source": pl.Series([f"source{r}" for r in rank], dtype=pl.String),
            "rank": pl.Series(rank, dtype=pl.UInt32),
            "row": pl.Series(rng.permutation(n), dtype=pl.UInt32),
            "time": pl.Series(stamps, dtype=pl.Datetime("us")).set(pl.Series(rng.random(n) < 0.3), None),
        }
    )


def _takes(rule: Rule, kind: str) -> bool:
    """Whether the rule settles such values; it may refuse them, in a sentence."""
    outcome = attempt(f"{type(rule).__name__} on {kind}", lambda: rule.settle(claims_of(kind)))
    return isinstance(outcome, pl.DataFrame)


def _structure(rule: Rule, kind: str) -> None:
    name, claims = type(rule).__name__, claims_of(kind)
    before = fingerprint(claims)
    with untouched(name):
        settled = rule.settle(claims)
    require(fingerprint(claims) == before, f"{name} changed the claims that it was given.")
    require(
        settled.columns == ["entity", "value", "row"],
        f"{name} gives the columns {settled.columns}, not entity, value, row.",
    )
    dtypes = (settled["entity"].dtype, settled["row"].dtype)
    require(
        dtypes == (pl.UInt32, pl.UInt32), f"{name} gives entity and row as {dtypes[0]} and {dtypes[1]}, not UInt32."
    )
    wanted = claims["entity"].unique().sort().to_list()
    require(settled["entity"].to_list() == wanted, f"{name} does not give one row for each entity, sorted.")
    same = settled["value"].dtype == claims["value"].dtype
    computed = (
        settled["row"].null_count() > 0 and settled["value"].dtype.is_numeric() and claims["value"].dtype.is_numeric()
    )
    require(same or computed, f"{name} gives {settled['value'].dtype} where the claims are {claims['value'].dtype}.")
    named = settled.filter(pl.col("row").is_not_null()).join(
        claims, on=["entity", "row"], how="left", maintain_order="left"
    )
    agrees = (named["value"] == named["value_right"]).fill_null(value=False).all() if named.height else True
    require(agrees, f"{name} names a row that is not a claim of the entity or has another value.")
    empty = rule.settle(claims.clear())
    require(empty.height == 0 and empty.columns == settled.columns, f"{name} does not settle zero claims to zero rows.")


def _agreement(rule: Rule, kind: str) -> None:
    """A single claim wins, and so does what all claims say."""
    name, claims = type(rule).__name__, claims_of(kind, seed=1)
    alone = claims.unique("entity", keep="first", maintain_order=True).sort("entity")
    settled = rule.settle(alone)
    require(_same_values(settled["value"], alone["value"]), f"{name} does not let a single claim win.")
    rows = settled["row"]
    require(
        bool((rows.is_null() | (rows == alone["row"])).all()),
        f"{name} names another row than that of the single claim.",
    )
    unanimous = claims.with_columns(pl.col("value").first().over("entity"))
    said = unanimous.unique("entity", keep="first", maintain_order=True).sort("entity")
    require(
        _same_values(rule.settle(unanimous)["value"], said["value"]),
        f"{name} does not give what all claims of an entity say.",
    )


def _same_values(first: pl.Series, second: pl.Series) -> bool:
    return first.equals(second.cast(first.dtype), check_names=False)


def _nulls(rule: Rule, kind: str) -> None:
    """Callers leave nulls out; a rule that is given some must not let them win, and no value is null."""
    name, claims = type(rule).__name__, claims_of(kind, seed=2)
    require(
        rule.settle(claims)["value"].null_count() == 0, f"{name} gives null for an entity whose claims are not null."
    )
    timeless = claims.with_columns(pl.lit(None, dtype=pl.Datetime("us")).alias("time"))
    require(rule.settle(timeless).height == ENTITIES, f"{name} loses entities whose claims have no time.")


def _order(rule: Rule, kind: str) -> None:
    name, claims = type(rule).__name__, claims_of(kind, seed=3)
    first = fingerprint(rule.settle(claims))
    for seed in range(3):
        mixed = claims[np.random.default_rng(seed).permutation(claims.height)]
        require(
            fingerprint(rule.settle(mixed)) == first, f"{name} settles the same claims in another order differently."
        )
