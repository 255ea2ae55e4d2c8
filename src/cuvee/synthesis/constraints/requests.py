"""What is asked of rows under constraints, in terms of the columns that are learned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.core import Asked
from cuvee.data.conditions import Among, Comparison, Condition, Every, Missing, unless_false
from cuvee.data.errors import ModelError
from cuvee.synthesis.constraints.equation import Equation
from cuvee.synthesis.constraints.tables import numbers
from cuvee.synthesis.constraints.terms import Term

MOST = 2_000
"""At most so many values are asked for by name; a condition that allows more is looked at when rows are whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Rows of which the same is asked.

    Attributes:
        rows: Their numbers.
        conditions: What is asked of them beside what is asked of all.
        given: Their cells, in the columns that are learned; None for none.
    """

    rows: NDArray[np.int64]
    conditions: tuple[Condition, ...]
    given: pl.DataFrame | None


@dataclass(frozen=True, slots=True, eq=False)
class Requests:
    """The constraints of a model, as a way from columns that are meant to columns that are learned.

    Attributes:
        terms: The constraints.
        empty: The columns that are meant.
    """

    terms: Sequence[Term]
    empty: pl.DataFrame

    def joined(self) -> dict[str, Term]:
        """The term that each joined column belongs to."""
        return {c: t for t in self.terms if t.how == "joined" for c in t.spec.joined()}

    def derived(self) -> dict[str, Term]:
        """The term of each column that is computed."""
        return {t.spec.derived() or "": t for t in self.terms if t.how == "derived"}

    def leaders(self) -> dict[str, str]:
        """By column that is missing where another one is, that other one."""
        chains = [t.spec.together() for t in self.terms if t.how == "together"]
        return {c: chain[0] for chain in chains for c in chain[1:]}

    def filled(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The learned columns that may not be missing, where these may not be."""
        joined, derived, leaders = self.joined(), self.derived(), self.leaders()
        learned = [leaders.get(c, c) for c in columns if c not in joined and c not in derived]
        return tuple(dict.fromkeys(learned))

    def pushed(self, condition: Condition) -> Condition:
        """A condition and the constraints, as far as the learned columns can say them.

        What they can't is looked at when rows are whole.
        """
        rules = [t.spec.condition() for t in self.terms if t.how == "drawn"]
        parts = [
            *condition.parts(),
            *(p for r in rules if r is not None for p in unless_false(r).parts()),
        ]
        said = [self.said(p) for p in parts]
        return Every(tuple(s for s in said if s is not None))

    def said(self, part: Condition) -> Condition | None:
        """A part in learned columns; None where it can't be said."""
        columns, leaders = part.columns(), self.leaders()
        if any(c in columns for t in self.terms if t.how == "gaps" for c in t.spec.chain()[1:]):
            return None
        if any(c in leaders for c in columns):
            return _led(part, leaders)
        if not any(c in self.joined() or c in self.derived() for c in columns):
            return part
        return self._looked_up(part)

    def _looked_up(self, part: Condition) -> Condition | None:
        """A part on joined columns of one term, or on a computed one, as values of what is learned."""
        joined, columns = self.joined(), part.columns()
        first = joined.get(columns[0])
        if first is not None and first.learned is not None and all(joined.get(c) is first for c in columns):
            fits = part.truth(first.learned).fill_null(value=False)
            return _among(first.column, fits.arg_true().cast(pl.String))
        term = self.derived().get(columns[0]) if len(columns) == 1 else None
        if term is None or isinstance(term.spec, Equation) or term.learned is None or term.column:
            return None
        settling = [c for c in term.spec.columns() if c != columns[0]]
        fits = term.learned.filter(part.truth(term.learned).fill_null(value=False) & pl.col(settling[0]).is_not_null())
        if len(settling) > 1 or not 0 < fits.height <= MOST:
            return None
        return self.said(Among(settling[0], tuple(fits[settling[0]].to_list())))


def _led(part: Condition, leaders: Mapping[str, str]) -> Condition | None:
    """A part on columns that are missing where others are."""
    if isinstance(part, Missing):
        return Missing(leaders[part.column], part.missing)
    if not isinstance(part, (Comparison, Among)):
        return None
    return Every((part, *(Missing(leaders[c], missing=False) for c in part.columns() if c in leaders)))


def _among(column: str, values: pl.Series) -> Condition | None:
    return None if not 0 < len(values) <= MOST else Among(column, tuple(values.to_list()))


def split_given(requests: Requests, asked: Asked, n: int) -> list[Part]:
    """The given rows in parts of which the same is asked, in the columns that are learned.

    Raises:
        ModelError: Given cells stand together in no combination that the model knows.
    """
    given = asked.given
    if given is None:
        return [Part(np.arange(n), (), None)]
    joined, derived = requests.joined(), requests.derived()
    plain = given.select(c for c in given.columns if c not in joined and c not in derived)
    groups = [[c for c in t.spec.joined() if c in given.columns] for t in dict.fromkeys(joined.values())]
    for name, term in derived.items():
        if name not in given.columns:
            continue
        if isinstance(term.spec, Equation):
            plain = _solved(term.spec, given, plain, requests)
        else:
            groups.append([name])
    groups += [[c] for c in requests.leaders() if c in given.columns]
    patterns = [_patterns(requests, given, g) for g in groups if g]
    table = np.column_stack([np.zeros(n, np.int64), *(which for which, _ in patterns)])
    different, which = np.unique(table, axis=0, return_inverse=True)
    parts: list[Part] = []
    for k, keys in enumerate(different[:, 1:].tolist()):
        rows = np.flatnonzero(which.reshape(-1) == k)
        said = [conditions[key] for (_, conditions), key in zip(patterns, keys, strict=True)]
        parts.append(Part(rows, tuple(s for s in said if s is not None), plain[rows] if plain.width else None))
    return parts


def _patterns(
    requests: Requests, given: pl.DataFrame, columns: list[str]
) -> tuple[NDArray[np.int64], list[Condition | None]]:
    """Which cells of some columns each row has, (n,), and what each asks of the columns that are learned."""
    distinct = given.select(columns).unique(maintain_order=True)
    which = numbers(given, distinct, columns).cast(pl.Int64).to_numpy()
    asked: list[Condition | None] = []
    for number, row in enumerate(distinct.iter_rows(named=True)):
        cells = tuple(Comparison(c, "=", v) for c, v in row.items() if v is not None)
        said = requests.said(Every(cells)) if cells else None
        if cells and said is None and columns[0] in requests.joined():
            first = int(np.flatnonzero(which == number)[0])
            raise ModelError(
                f"Row {first} of the given rows has {' and '.join(map(str, cells))}, which stand together in no "
                "combination that the model knows. A combination that fewer rows share than the model protects is not "
                "known to it."
            )
        asked.append(said)
    return which, asked


def _solved(spec: Equation, given: pl.DataFrame, plain: pl.DataFrame, requests: Requests) -> pl.DataFrame:
    """The given cells, with the one that an equation leaves open filled in."""
    inputs = [c for c in spec.columns() if c != spec.derived()]
    whole = given.with_columns(
        pl.lit(None, requests.empty.schema[c]).alias(c) for c in inputs if c not in given.columns
    )
    gone = whole.select(pl.col(c).is_null() for c in inputs)
    one = (gone.sum_horizontal() == 1) & whole[spec.derived()].is_not_null()
    for name in inputs:
        rows = one & gone[name]
        if not rows.any() or name in requests.joined() or name in requests.derived():
            continue
        dtype = requests.empty.schema[name]
        value = spec.solution(name).value(whole)
        value = value.round(0) if dtype.is_integer() else value
        plain = plain.with_columns(whole[name].zip_with(~rows, value.cast(dtype, strict=False)).alias(name))
    return plain
