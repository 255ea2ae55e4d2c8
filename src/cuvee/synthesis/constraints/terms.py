"""Constraints as they are kept by a model: what each learned, and what is learned instead of its columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.core import Constraint
from cuvee.data.errors import ModelError
from cuvee.data.names import did_you_mean
from cuvee.synthesis.constraints.reshaped import as_gaps, blanked, filled, from_gaps, gaps_of
from cuvee.synthesis.constraints.tables import numbers

How = Literal["joined", "derived", "gaps", "together", "written", "drawn", "across"]
SAYS: Final[Mapping[How, str]] = {
    "joined": "learned as one column",
    "derived": "computed",
    "gaps": "learned as distances",
    "together": "made missing together",
    "written": "made from the expression",
    "drawn": "drawn until it holds",
    "across": "settled over all rows",
}


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A constraint in a model.

    Attributes:
        spec: The constraint.
        how: How it is kept.
        learned: What it learned of the training rows.
        column: The column that is learned instead of the joined ones, or that says whether a derived one is there;
            empty for none.
    """

    spec: Constraint
    how: How
    learned: pl.DataFrame | None = None
    column: str = ""

    def truth(self, frame: pl.DataFrame) -> pl.Series:
        """(n,), whether it holds in each row, null where unknown."""
        return self.spec.truth(frame, self.learned)

    def forward(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows as they are learned; columns that are not there are left alone."""
        if self.how == "joined" and self.learned is not None:
            codes = numbers(frame, self.learned, self.spec.joined()).cast(pl.String)
            return frame.with_columns(codes.alias(self.column)).drop(self.spec.joined())
        if self.how == "gaps":
            return as_gaps(frame, self.spec.chain())
        if self.how == "together":
            return filled(frame, self.spec.together())
        if self.how == "derived":
            name = self.spec.derived() or ""
            gate = [] if not self.column else [frame[name].is_not_null().alias(self.column)]
            return frame.with_columns(gate).drop(name)
        return frame

    def backward(self, frame: pl.DataFrame, dtypes: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """What was learned, as the columns that are meant."""
        if self.how == "joined" and self.learned is not None:
            rows = self.learned[frame[self.column].cast(pl.UInt32).to_numpy()]
            return pl.concat([frame.drop(self.column), rows], how="horizontal")
        if self.how == "gaps" and self.learned is not None:
            return from_gaps(frame, self.learned, dtypes)
        if self.how == "together":
            return blanked(frame, self.spec.together())
        if self.how == "derived":
            name = self.spec.derived() or ""
            value = self.spec.derive(frame, self.learned).rename(name)
            if dtypes[name].is_integer() and value.dtype.is_float():
                value = value.round(0)
            value = value.cast(dtypes[name], strict=False)
            if self.column:
                value = pl.select(pl.when(frame[self.column].fill_null(value=False)).then(value)).to_series()
                frame = frame.drop(self.column)
            return frame.with_columns(value.rename(name))
        return frame

    def write(self, frame: pl.DataFrame, start: int) -> pl.DataFrame:
        """Rows with values made from nothing else, where there is one; the first row has the number `start`."""
        if self.how != "written" or self.learned is None:
            return frame
        (name,) = self.spec.columns()
        made = self.spec.written(np.arange(start, start + frame.height), int(self.learned["key"][0]))
        if made is None:
            return frame
        there = frame[name].is_not_null()
        return frame.with_columns(made.cast(frame.schema[name]).zip_with(there, frame[name]).alias(name))

    def state(self) -> tuple[dict[str, Any], NDArray[np.uint8] | None]:
        """All of it, as JSON values and the bytes of an Arrow table.

        Raises:
            ModelError: The constraint is a Python function.
        """
        if any(callable(value) for value in dict(self.spec).values()):
            raise ModelError(
                "A model with a Python function as a constraint can't be written, because opening a model runs no "
                "code. Write the constraint as SQL."
            )
        values = {
            "constraint": self.spec.model_dump(mode="json", by_alias=True),
            "how": self.how,
            "column": self.column,
        }
        if self.learned is None:
            return values, None
        return values, np.frombuffer(self.learned.write_ipc(None).getvalue(), np.uint8)

    @classmethod
    def restore(cls, spec: Constraint, values: Mapping[str, Any], learned: NDArray[np.uint8] | None) -> "Term":
        """What `state` gave."""
        table = None if learned is None else pl.read_ipc(np.ascontiguousarray(learned).tobytes())
        how: How = values["how"]
        return cls(spec, how, table, str(values["column"]))


def check_columns(constraints: Sequence[Constraint], frame: pl.DataFrame) -> None:
    """Refuse constraints on columns that are not there, or can't be judged.

    Raises:
        ModelError: One speaks of a column that is not there.
        SchemaError: One can't be computed of these columns.
    """
    for spec in constraints:
        for column in spec.columns():
            if column not in frame.columns:
                raise ModelError(
                    f"The constraint {str(spec)!r} speaks of column {column!r}, which is not there."
                    f"{did_you_mean(column, frame.columns)}"
                )
        spec.truth(frame[:0], None)


def terms_of(
    constraints: Sequence[Constraint], frame: pl.DataFrame, *, least: int, gaps: bool = False
) -> tuple[Term, ...]:
    """How each constraint is kept: columns that are joined first, then computed ones, each after what it needs.

    A column is learned instead of others, or computed, once; constraints that say more of it are kept by drawing.

    Args:
        constraints: The constraints.
        frame: The training rows.
        least: What is remembered comes from at least so many rows.
        gaps: Whether what goes up may be learned as distances.

    Raises:
        ModelError: The rows do not have what a constraint takes.
    """
    taken: set[str] = set()
    needs: dict[str, set[str]] = {}
    joined: list[Term] = []
    derived: dict[str, Term] = {}
    rest: list[Term] = []
    for spec in constraints:
        together, settled = spec.joined(), spec.derived()
        learned = spec.learn(frame, least=least)
        if spec.across:
            rest.append(Term(spec, "across", learned))
        elif together and not taken & set(together):
            taken |= set(together)
            joined.append(Term(spec, "joined", learned, _fresh(" & ".join(together), frame)))
        elif settled is None or together:
            rest.append(Term(spec, "drawn", learned))
        else:
            derived.setdefault(settled, Term(spec, "derived", learned))
            if derived[settled].spec is not spec:
                rest.append(Term(spec, "drawn", learned))
    order: list[Term] = []
    for name, term in derived.items():
        inputs = set(term.spec.columns()) - {name}
        if name in taken or name in _reach(inputs, needs):
            rest.append(Term(term.spec, "drawn", term.learned))
            continue
        needs[name] = inputs
        order.append(term)
    reshaped, rest = _reshaped(rest, frame, taken | set(needs), gaps=gaps)
    order.sort(key=lambda t: len(_reach({t.spec.derived() or ""}, needs)))
    gated = [_gated(t, frame) for t in order]
    return (*joined, *reshaped, *gated, *rest)


def _reshaped(
    terms: Sequence[Term], frame: pl.DataFrame, made: set[str], *, gaps: bool
) -> tuple[list[Term], list[Term]]:
    """The terms whose columns are learned in another shape, and the others; a column has one shape."""
    found: list[Term] = []
    rest: list[Term] = []
    busy = set(made)
    for term in terms:
        chain, together = term.spec.chain(), term.spec.together()
        table = gaps_of(frame, chain) if gaps and chain and not busy & set(chain) else None
        if term.how == "drawn" and table is not None:
            busy |= set(chain)
            found.append(Term(term.spec, "gaps", table))
        elif term.how == "drawn" and together and together[0] not in made and not busy & set(together[1:]):
            busy |= set(together[1:])
            found.append(Term(term.spec, "together"))
        else:
            rest.append(term)
    return found, rest


def _reach(columns: set[str], needs: Mapping[str, set[str]]) -> set[str]:
    """All columns that some are computed from, themselves included."""
    found, todo = set(columns), list(columns)
    while todo:
        for column in needs.get(todo.pop(), set()) - found:
            found.add(column)
            todo.append(column)
    return found


def _gated(term: Term, frame: pl.DataFrame) -> Term:
    """The term with a column that says whether the derived one is there, where it is missing for reasons of its own."""
    name = term.spec.derived() or ""
    computed = term.spec.derive(frame, term.learned).is_not_null()
    if not (computed & frame[name].is_null()).any():
        return term
    return Term(term.spec, term.how, term.learned, _fresh(f"{name} is there", frame))


def _fresh(name: str, frame: pl.DataFrame) -> str:
    """A name that no column has."""
    while name in frame.columns:
        name += "_"
    return name
