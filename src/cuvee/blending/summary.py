"""What a blend did, for people and for the report."""

from typing import Literal

from cuvee.core import Spec


class SourceSummary(Spec):
    """One source: its size, its key, and the golden table that its records went to (None where they were left out)."""

    name: str
    rows: int
    columns: int
    key: tuple[str, ...] | None = None
    table: str | None = None


class Association(Spec):
    """One way that two sources are related.

    Attributes:
        kind: "link" says the same thing; "relation" says refers to.
        left: The referring source, or the first of two.
        right: The source referred to, or the second.
        columns: The columns of the left source.
        to: The columns of the right source.
        how: exact, normalised, hashed or keyed.
        matched: Rows with a partner: of the left source for a relation, of the right one for a link.
        orphans: Rows that have a key but no partner; they are kept.
        nulls: Rows of a relation without a value, which refer to nothing.
        found: matched / (matched + orphans); 0 where there are none.
        reason: Why this association was made.
    """

    kind: Literal["link", "relation"]
    left: str
    right: str
    columns: tuple[str, ...]
    to: tuple[str, ...]
    how: str = "exact"
    matched: int = 0
    orphans: int = 0
    nulls: int = 0
    found: float = 0.0
    reason: str = ""

    def sentence(self) -> str:
        """Such as "`flights.tailnum` → `planes.tailnum`: 85.0 % of rows found, 50,094 rows without a parent, kept"."""
        left, right = _end(self.left, self.columns), _end(self.right, self.to)
        way = "" if self.how == "exact" else f" ({self.how})"
        if self.kind == "relation":
            empty = f", {self.nulls:,} rows empty" if self.nulls else ""
            lost = f", {self.orphans:,} rows without a parent, kept" if self.orphans else ""
            return f"{left} → {right}{way}: {percent(self.found)} of rows found{lost}{empty}"
        if self.left == self.right:
            return f"{left}{way}: {self.matched:,} rows are the same thing as an earlier row"
        alone = f", {self.orphans:,} rows without a partner, kept" if self.orphans else ""
        return f"{left} = {right}{way}: {self.matched:,} rows of `{self.right}` linked{alone}"


class Conflict(Spec):
    """How many entities the records disagree on in one column, and the rule that settled it."""

    table: str
    column: str
    entities: int
    rule: str


class Summary(Spec):
    """The sources, what relates them, what they disagreed on, and what the user should know."""

    sources: tuple[SourceSummary, ...] = ()
    associations: tuple[Association, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    notes: tuple[str, ...] = ()


def percent(share: float) -> str:
    """A share with one decimal; 100.0 % means all and 0.0 % means none.

    >>> percent(0.99999), percent(1.0), percent(0.8517)
    ('99.9 %', '100.0 %', '85.2 %')
    """
    shown = 100 * share if share in {0, 1} else min(max(100 * share, 0.1), 99.9)
    return f"{shown:.1f} %"


def _end(source: str, columns: tuple[str, ...]) -> str:
    return f"`{source}.{columns[0]}`" if len(columns) == 1 else f"`{source}.[{', '.join(columns)}]`"
