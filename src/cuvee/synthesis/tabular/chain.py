"""One column order: every field given those before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.codec import Placed
from cuvee.numeric.boosted import Inputs
from cuvee.numeric.forest import Forest, Growth, fit_forest
from cuvee.numeric.location import Location, fit_location
from cuvee.numeric.masked_sampling import Allowed
from cuvee.synthesis.tabular.coding import Coding
from cuvee.synthesis.tabular.layout import Layout
from cuvee.synthesis.tabular.repeats import Masks
from cuvee.synthesis.tabular.shares import Shares

REDRAWN = 12
"""How often it is drawn anew whether a cell that may not be missing repeats another one."""
Codes = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Narrow = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows that a chain works on.

    Attributes:
        codes: (fields, n).
        within: (fields, n), positions within cells.
        scores: (fields, n), normal scores of numbers.
        features: (n, fields + 1), bins; the last column belongs to whoever works on the rows.
        source: (fields, n), the field whose value each field repeats, or -1.
    """

    codes: Codes
    within: NDArray[np.floating]
    scores: Narrow
    features: Bytes
    source: NDArray[np.int32]

    @classmethod
    def of(cls, codes: Codes, within: NDArray[np.floating]) -> Self:
        """Rows of codes and positions, (fields, n) each, whose features and scores are still to be set."""
        fields, n = codes.shape
        features = np.zeros((n, fields + 1), np.uint8)
        return cls(codes, within, np.zeros(codes.shape, np.float32), features, np.full(codes.shape, -1, np.int32))

    @classmethod
    def empty(cls, fields: int, within: NDArray[np.floating]) -> Self:
        """Rows of which nothing is drawn yet."""
        return cls.of(np.zeros((fields, within.shape[1]), np.int32), within)

    def take(self, which: NDArray[np.int64]) -> Self:
        """Some of the rows, copied."""
        return type(self)(
            np.ascontiguousarray(self.codes[:, which]),
            np.ascontiguousarray(self.within[:, which]),
            np.ascontiguousarray(self.scores[:, which]),
            self.features[which],
            np.ascontiguousarray(self.source[:, which]),
        )

    def put(self, which: NDArray[np.int64], other: Self) -> None:
        """Put other rows in the place of some."""
        self.codes[:, which], self.within[:, which], self.scores[:, which] = other.codes, other.within, other.scores
        self.features[which], self.source[:, which] = other.features, other.source

    def set(self, layout: Layout, field: int) -> None:
        """Fill a field's features and scores from its codes."""
        self.features[:, field] = layout.lookups[field][self.codes[field]]
        self.scores[field] = layout.score(field, self.codes[field], self.within[field])


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of one field in n rows.

    Attributes:
        fixed: (n,), given codes, or -1.
        within: (n,), positions of given values.
        allowed: What else is known; None for nothing.
        shares: Where within its cells a value may lie; None for anywhere.
        silent: (n,), rows where what is allowed only says what is drawn, and is no evidence; None for none.
    """

    fixed: Codes
    within: NDArray[np.floating]
    allowed: Allowed | None = None
    shares: Shares | None = None
    silent: NDArray[np.bool_] | None = None

    def log_share(self, which: NDArray[np.int64], codes: Codes, within: NDArray[np.floating]) -> NDArray[np.float64]:
        """0 where codes at positions are allowed in some rows, -inf where they are not, (rows,)."""
        if self.allowed is None:
            return np.zeros(len(which))
        place = codes + within
        fine = (self.allowed.low[which] <= place) & (place <= self.allowed.high[which]) | (codes < self.allowed.free)
        fine &= self.allowed.lines[self.allowed.line[which], codes] > 0
        if self.shares is not None:
            fine &= self.shares.holds(codes, within)
        return np.where(fine, 0.0, -np.inf)

    def settle(self, which: Codes, codes: Codes, within: NDArray[np.floating]) -> None:
        """Move drawn positions, (n,), of some rows to where they are allowed."""
        if self.allowed is None:
            return
        mine = codes[which]
        if self.shares is not None:
            within[which] = self.shares.moved(mine, within[which])
        low, high = self.allowed.low[which] - mine, self.allowed.high[which] - mine
        cut = ((low > 0) | (high < 1)) & (mine >= self.allowed.free)
        inside = np.clip(low, 0, 1) + within[which] * (np.clip(high, 0, 1) - np.clip(low, 0, 1))
        within[which] = np.where(cut, inside, within[which])


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """One field given those before it in its order.

    Attributes:
        field: The field.
        forest: The distribution of its code.
        location: Where its score is expected, or None.
        partners: Fields whose value it may repeat.
        repeats: Which of them it repeats (1, 2, ...) or none (0); None without partners.
    """

    field: int
    forest: Forest
    location: Location | None = None
    partners: tuple[int, ...] = ()
    repeats: Forest | None = None

    def draw(self, rows: Rows, layout: Layout, coding: Coding, *, rng: Generator) -> None:
        """Draw the field of all rows."""
        n = rows.codes.shape[1]
        every = np.arange(n, dtype=np.int32)
        one, other = (int(s) for s in rng.integers(2**63, size=2))
        free = every
        if self.repeats is not None:
            which = np.zeros(n, np.int32)
            self.repeats.draw(rows.features, every, seed=one, codes=which)
            free = np.flatnonzero(which == 0).astype(np.int32)
            for number, partner in enumerate(self.partners, 1):
                self._repeat(rows, np.flatnonzero(which == number), partner, coding, rng)
        where = None
        if self.location is not None:
            centre, scale = self.location.expect(rows.scores, rows.features)
            where = (centre[free], scale[free], self.location.table)
        self.forest.draw(rows.features, free, seed=other, codes=rows.codes[self.field], where=where)
        rows.set(layout, self.field)

    def draw_given(
        self,
        rows: Rows,
        layout: Layout,
        coding: Coding,
        known: Known,
        *,
        rng: Generator,
    ) -> NDArray[np.float64]:
        """Draw the field of all rows as far as it is not given; the log probability of what is known of it, (n,).

        Args:
            rows: What was drawn before.
            layout: How fields are seen.
            coding: The fields.
            known: What is known of this field in these rows.
            rng: For what is drawn.
        """
        n = rows.codes.shape[1]
        every = np.arange(n, dtype=np.int32)
        one, other = (int(s) for s in rng.integers(2**63, size=2))
        weights = np.zeros(n)
        given = known.fixed >= 0
        free = np.ones(n, np.bool_)
        if self.repeats is not None:
            which = np.zeros(n, np.int32)
            self.repeats.draw(rows.features, every, seed=one, codes=which)
            # A given value is taken as one of its own; a repeated one must be allowed.
            which[given] = 0
            free = which == 0
            for number, partner in enumerate(self.partners, 1):
                self._repeat(rows, np.flatnonzero(which == number), partner, coding, rng)
            again = np.flatnonzero(~free)
            weights[again] = known.log_share(again, rows.codes[self.field, again], rows.within[self.field, again])
        where = None
        if self.location is not None:
            where = (*self.location.expect(rows.scores, rows.features), self.location.table)
        drawn = np.flatnonzero(free & ~given).astype(np.int32)
        codes = rows.codes[self.field]
        some = None if where is None else (where[0][drawn], where[1][drawn], where[2])
        if known.allowed is None:
            self.forest.draw(rows.features, drawn, seed=other, codes=codes, where=some)
        else:
            mine = known.allowed.rows(drawn)
            self.forest.draw_allowed(rows.features, drawn, mine, seed=other, codes=codes, weights=weights, where=some)
            known.settle(drawn, codes, rows.within[self.field])
        if known.silent is not None:
            self._fill(rows, np.flatnonzero(known.silent).astype(np.int32), weights, coding, rng)
            weights[known.silent] = 0.0
        if given.any():
            codes[given], rows.within[self.field, given] = known.fixed[given], known.within[given]
            weights[given] += self.forest.log_prob(rows.features, codes, where=where)[given]
        rows.set(layout, self.field)
        return weights

    def _fill(
        self,
        rows: Rows,
        silent: Codes,
        weights: NDArray[np.float64],
        coding: Coding,
        rng: Generator,
    ) -> None:
        """Repeat more often where a cell may not be missing: rows that are missing are mostly those that repeat none.

        What was drawn by itself stays with the chance that such a value is there, else it is drawn anew whether the
        value repeats another one; `weights` are the log chances that what was drawn is there.
        """
        if self.repeats is None:
            return
        open_rows = silent[weights[silent] < np.log(np.maximum(rng.random(len(silent)), 1e-300))]
        for _ in range(REDRAWN):
            if not len(open_rows):
                return
            which = np.zeros(rows.codes.shape[1], np.int32)
            self.repeats.draw(rows.features, open_rows, seed=int(rng.integers(2**63)), codes=which)
            left = [open_rows[(which[open_rows] == 0) & (rng.random(len(open_rows)) >= np.exp(weights[open_rows]))]]
            for number, partner in enumerate(self.partners, 1):
                mine = open_rows[which[open_rows] == number]
                there = rows.codes[partner, mine] >= coding.codecs[coding.fields[partner].column].missing
                self._repeat(rows, mine[there].astype(np.int64), partner, coding, rng)
                left.append(mine[~there])
            open_rows = np.concatenate(left)

    def _repeat(self, rows: Rows, which: NDArray[np.int64], partner: int, coding: Coding, rng: Generator) -> None:
        """Give the partner's value to some rows; a partner without a value has none to give, and its cell is kept."""
        if len(which) == 0:
            return
        mine, theirs = (coding.codecs[coding.fields[f].column] for f in (self.field, partner))
        values = theirs.values(Placed(rows.codes[partner, which], rows.within[partner, which]), start=0, rng=rng)
        placed = mine.place(values.cast(mine.dtype, strict=False).rename(mine.name), rng=rng)
        rows.codes[self.field, which], rows.within[self.field, which] = placed.codes, placed.within
        rows.source[self.field, which] = partner

    def log_prob(self, rows: Rows) -> NDArray[np.float64]:
        """Log probability of the field's code given the fields before, (n,); `source` says what is repeated."""
        total = np.zeros(rows.codes.shape[1])
        free = np.ones(len(total), np.bool_)
        if self.repeats is not None:
            which = np.zeros(len(total), np.int32)
            for number, partner in enumerate(self.partners, 1):
                which[rows.source[self.field] == partner] = number
            total += self.repeats.log_prob(rows.features, which)
            free = which == 0
        where = None
        if self.location is not None:
            where = (*self.location.expect(rows.scores, rows.features), self.location.table)
        return total + np.where(free, self.forest.log_prob(rows.features, rows.codes[self.field], where=where), 0.0)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, as arrays."""
        parts = {f"forest.{k}": a for k, a in self.forest.arrays().items()}
        if self.location is not None:
            parts |= {f"location.{k}": a for k, a in self.location.arrays().items()}
        if self.repeats is not None:
            parts |= {f"repeats.{k}": a for k, a in self.repeats.arrays().items()}
        return {**parts, "field": np.array([self.field]), "partners": np.array(self.partners, np.int64)}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `arrays` gave."""
        own = {p: {k[len(p) + 1 :]: a for k, a in arrays.items() if k.startswith(f"{p}.")} for p in _PARTS}
        return cls(
            int(arrays["field"][0]),
            Forest.restore(own["forest"]),
            Location.restore(own["location"]) if own["location"] else None,
            tuple(int(p) for p in arrays["partners"]),
            Forest.restore(own["repeats"]) if own["repeats"] else None,
        )


_PARTS = ("forest", "location", "repeats")


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What a chain is learned from.

    Attributes:
        coding: The fields.
        layout: How they are seen.
        rows: The training rows.
        features: (fields, n), their bins, field by field.
        known: (fields, n), which codes are those of the values.
        repeats: Which fields repeat each other where.
        gains: (fields, fields), what each field (column) says of each (row); None where all are asked.
        growth: How trees are grown.
        most: Features of one field at most.
        limit: Rows that one field of one order sees at most.
        worth: The share of variance that must be explained for a number to be expected somewhere.
    """

    coding: Coding
    layout: Layout
    rows: Rows
    features: Bytes
    known: NDArray[np.bool_]
    repeats: Masks
    gains: NDArray[np.float32] | None
    growth: Growth
    most: int
    limit: int
    worth: float

    def link(self, field: int, before: list[int], rng: Generator) -> Link:
        """Learn one field given those before it."""
        if self.gains is not None and len(before) > self.most:
            order = np.argsort(-self.gains[field][before], kind="stable")[: self.most]
            before = [before[k] for k in order.tolist()]
        chosen = np.array(sorted(before), np.int32)
        layout, codes = self.layout, self.rows.codes[field]
        inputs = Inputs(
            self.features[chosen],
            chosen,
            layout.bins[chosen],
            layout.categories[chosen],
            len(layout.bins),
        )
        counts = self.coding.fields[field].masses * len(codes)
        use = self.known[field].copy()
        partners, repeats = self._repeats(field, before, inputs, use, rng)
        rows = np.flatnonzero(use)
        if len(rows) > self.limit:
            rows = np.sort(rng.permutation(rows)[: self.limit])
        some = inputs if len(rows) == len(codes) else inputs.rows(rows)
        edges = layout.edges[field]
        expected = None
        if edges is not None and len(chosen):
            expected = self._expected(field, chosen, some, rows, rng)
        if expected is not None:
            last = np.searchsorted(expected.location.bins, expected.centre).astype(np.uint8)
            some = some.with_last(last)
        missing = int(layout.missing[field])
        forest = fit_forest(
            some, codes[rows], counts, self.growth, rng, expected=expected, edges=edges, missing=missing
        )
        return Link(field, forest, None if expected is None else expected.location, partners, repeats)

    def _expected(self, field: int, chosen: Codes, inputs: Inputs, rows: NDArray[np.int64], rng: Generator) -> Any:
        """Where the field's score is expected; learned from the rows that have a value."""
        numbers = np.array([f for f in chosen.tolist() if self.layout.edges[f] is not None], np.int32)
        return fit_location(
            inputs,
            self.rows.scores[field][rows],
            self.rows.scores[:, rows],
            numbers,
            worth=self.worth,
            rng=rng,
            there=self.rows.codes[field][rows] >= self.layout.missing[field],
        )

    def _repeats(
        self, field: int, before: list[int], inputs: Inputs, use: NDArray[np.bool_], rng: Generator
    ) -> tuple[tuple[int, ...], Forest | None]:
        """Which fields before this one it may repeat and when; rows that do are taken out of `use`."""
        found = [(p, self.repeats[min(p, field), max(p, field)]) for p in before if _pair(p, field) in self.repeats]
        found.sort(key=lambda x: (-int(x[1].sum()), x[0]))
        if not found:
            return (), None
        which = np.zeros(len(use), np.int32)
        for number, (_, mask) in reversed(list(enumerate(found, 1))):
            which[mask] = number
        counts = np.bincount(which, minlength=len(found) + 1).astype(np.float64)
        use &= which == 0
        return tuple(p for p, _ in found), fit_forest(inputs, which, counts, self.growth, rng)


def _pair(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)
