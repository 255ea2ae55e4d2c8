"""Rows that keep constraints: some columns learned as one, some computed, the rest drawn until they hold.

Drawing again only the rows that break a constraint gives exactly the learned distribution given that it holds. Where
more rows break one than keep it, the synthesizer is asked for rows that do, where it can be.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.core import Arrays, Asked, Constraint, Edge, Learned, Method, Proof, Synthesizer, Watch, as_asked, silent
from cuvee.data.conditions import ALWAYS, Every
from cuvee.data.dataset import Dataset
from cuvee.data.errors import ModelError
from cuvee.data.schema import Column, Schema
from cuvee.synthesis.constraints.conflicts import refuse_conflicts
from cuvee.synthesis.constraints.requests import Requests, split_given
from cuvee.synthesis.constraints.terms import SAYS, Term, check_columns, terms_of
from cuvee.synthesis.tabular.columns import only_table

LEAST = 5
"""What constraints remember comes from at least so many rows, where the synthesizer does not say how many."""
SEARCH = 400
"""At most so many rows are drawn for each one that is kept."""
GLANCE, MOSTLY = 2_000, 0.9
"""Of so many rows this share keeps the constraints, else what goes up is learned as distances where that is better."""
PLAIN = 0.5
"""Where a smaller share of the rows keeps the constraints, the synthesizer is asked for such rows."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Constrained(Learned):
    """What was learned under constraints.

    Attributes:
        inner: What was learned of the columns that are learned.
        terms: The constraints, those that make columns first, in the order in which the columns are made.
        table: The table.
        empty: Its columns and dtypes, without rows.
        left_out: Training rows that broke a constraint.
    """

    inner: Learned
    terms: tuple[Term, ...]
    table: str
    empty: pl.DataFrame
    left_out: int

    def sample(self, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        frame = self._whole(self.inner.sample(n, start=start, rng=rng), start)
        wrong = self.broken(frame)
        if not len(wrong):
            return {self.table: frame}
        share, drawn = 1 - len(wrong) / n, n
        asked = Asked(self._requests().pushed(ALWAYS)) if share < PLAIN else Asked()
        while len(wrong):
            if drawn > max(SEARCH * n, 20_000):
                raise ModelError(self._hopeless(n, len(wrong), drawn))
            size = int(np.clip(len(wrong) / max(share, 0.02) * 1.2 + 16, 64, 65_536))
            fresh = self._drawn(size, asked, start, rng)
            fine = np.setdiff1d(np.arange(fresh.height), self.broken(fresh))
            share = max(len(fine), 1) / fresh.height if fresh.height else share
            fine, drawn = fine[: len(wrong)], drawn + size
            place = np.arange(n)
            place[wrong[: len(fine)]] = n + np.arange(len(fine))
            frame, wrong = pl.concat([frame, fresh[fine]])[place], wrong[len(fine) :]
        return {self.table: self.numbered(frame, start=start, rng=rng)}

    def _drawn(self, n: int, asked: Asked, start: int, rng: Generator) -> pl.DataFrame:
        """Rows of the inner model, whole; asked for where it can be."""
        found = self.inner.sample_asked(n, asked, start=start, rng=rng) if asked else None
        return self._whole(self.inner.sample(n, start=start, rng=rng) if found is None else found[0])

    def sample_asked(
        self, n: int, asked: Asked, *, start: int, rng: Generator
    ) -> tuple[Mapping[str, pl.DataFrame], Method] | None:
        if asked.given is None and not self._compiled():
            return None
        requests = self._requests()
        inner, filled = requests.pushed(asked.condition), requests.filled(asked.filled)
        parts = split_given(requests, asked, n)
        frames: list[pl.DataFrame] = []
        rows: list[NDArray[np.int64]] = []
        methods: list[Method] = []
        for part, stream in zip(parts, rng.spawn(len(parts)), strict=True):
            size = len(part.rows)
            condition = Every((inner, *part.conditions)) if part.conditions else inner
            wanted = Asked(condition, part.given, filled, asked.times if len(parts) == 1 else 1)
            made, method = as_asked(self.inner, size, wanted, start=start, rng=stream)
            frames.append(self._whole(made))
            rows.append(part.rows)
            methods.append(method)
        whole = pl.concat(frames)
        if len(parts) == 1:
            whole = self._written(whole, start)
        else:
            whole = self.numbered(whole[np.argsort(np.concatenate(rows))], start=start, rng=rng)
        return {self.table: asked.kept(whole)}, Method.of_all(methods)

    def numbered(self, frame: pl.DataFrame, *, start: int, rng: Generator) -> pl.DataFrame:
        return self._written(self.inner.numbered(frame, start=start, rng=rng), start)

    def history(self) -> pl.DataFrame | None:
        return self.inner.history()

    def edges(self) -> tuple[Edge, ...]:
        there = set(self.empty.columns)
        return tuple(e for e in self.inner.edges() if {e.source, e.target} <= there)

    def made_new(self) -> tuple[str, ...]:
        return tuple(c for c in self.inner.made_new() if c in self.empty.columns)

    def broken(self, frame: pl.DataFrame) -> NDArray[np.int64]:
        fine = np.ones(frame.height, np.bool_)
        for term in self.terms:
            # What is learned as one column is as it was, whatever it is.
            if term.how not in {"joined", "across"}:
                fine &= term.truth(frame).fill_null(value=True).to_numpy()
        return np.flatnonzero(~fine)

    def across(self) -> tuple[Constraint, ...]:
        return tuple(t.spec for t in self.terms if t.how == "across")

    def prove(self, frame: pl.DataFrame) -> tuple[Proof, ...]:
        found: list[Proof] = []
        for term in self.terms:
            truth = term.truth(frame)
            broken = int((~truth.fill_null(value=True)).sum())
            found.append(Proof(str(term.spec), frame.height, broken, truth.null_count(), SAYS[term.how]))
        return tuple(found)

    def notes(self) -> tuple[str, ...]:
        said = [f"Constraint {str(t.spec)!r}: {SAYS[t.how]}." for t in self.terms]
        if self.left_out:
            said.append(
                f"{self.left_out:,} training row{'s that break' if self.left_out > 1 else ' that breaks'} a constraint "
                f"{'were' if self.left_out > 1 else 'was'} not learned from."
            )
        return (*said, *self.inner.notes())

    def log_prob(self, data: Dataset) -> NDArray[np.float64] | None:
        """That of the columns that are learned; minus infinity where a constraint is broken."""
        found = self.inner.log_prob(self.learned_form(data))
        return None if found is None else self._impossible(data.frame, found)

    def log_prob_cells(self, data: Dataset) -> NDArray[np.float64] | None:
        """Those of the columns that are learned; of joined columns the first has all, and computed ones are 0."""
        form = self.learned_form(data)
        found = self.inner.log_prob_cells(form)
        if found is None:
            return None
        cells = np.zeros((data.frame.height, self.empty.width))
        standing = {t.column: t.spec.joined()[0] for t in self.terms if t.how == "joined"}
        standing |= {t.column: t.spec.derived() or "" for t in self.terms if t.how == "derived" and t.column}
        for j, name in enumerate(form.frame.columns):
            cells[:, self.empty.columns.index(standing.get(name, name))] += found[:, j]
        return self._impossible(data.frame, cells)

    def _impossible(self, frame: pl.DataFrame, found: NDArray[np.float64]) -> NDArray[np.float64]:
        found[self.broken(frame)] = -np.inf
        for term in self.terms:
            if term.how == "joined":
                found[(~term.truth(frame).fill_null(value=True)).to_numpy()] = -np.inf
        return found

    def update(self, data: Dataset, *, rng: Generator, watch: Watch = silent) -> "Constrained":
        fine = refuse_conflicts([t.spec for t in self.terms], data.frame)
        fine &= np.isin(np.arange(len(fine)), self.broken(data.frame), invert=True)
        form = self.learned_form(data.with_frame(data.name, data.frame.filter(fine)))
        gone = [pl.col(t.column).is_not_null() for t in self.terms if t.how == "joined"]
        kept = form.frame.filter(gone) if gone else form.frame
        inner = self.inner.update(form.with_frame(form.name, kept), rng=rng, watch=watch)
        return replace(self, inner=inner, left_out=self.left_out + data.frame.height - kept.height)

    def learned_form(self, data: Dataset) -> Dataset:
        """A dataset with the columns that are learned."""
        frame = data.frame
        for term in _forwards(self.terms):
            frame = term.forward(frame)
        return _with_columns(data, frame)

    def _whole(self, tables: Mapping[str, pl.DataFrame], start: int = 0) -> pl.DataFrame:
        """Rows as they are meant, of rows as they are learned."""
        (frame,) = tables.values()
        for term in self.terms:
            frame = term.backward(frame, self.empty.schema)
        return self._written(frame.select(pl.col(c).cast(d) for c, d in self.empty.schema.items()), start)

    def _written(self, frame: pl.DataFrame, start: int) -> pl.DataFrame:
        """Rows with the values that are made from nothing else."""
        for term in self.terms:
            frame = term.write(frame, start)
        return frame

    def often_kept(self) -> bool:
        """Whether most rows keep the constraints by themselves, or where they are asked for.

        Where they do not, what is drawn until it holds leans to rows in which a value is missing.
        """
        frame = self._drawn(GLANCE, Asked(self._requests().pushed(ALWAYS)), 0, np.random.default_rng(0))
        return len(self.broken(frame)) <= (1 - MOSTLY) * GLANCE

    def _compiled(self) -> bool:
        """Whether what is learned can be asked for rows."""
        return self.inner.sample_asked(0, Asked(), start=0, rng=np.random.default_rng(0)) is not None

    def _requests(self) -> Requests:
        return Requests(self.terms, self.empty)

    def _hopeless(self, n: int, wrong: int, drawn: int) -> str:
        """That there are hardly any rows that keep the constraints, and which one is in the way."""
        frame = self._whole(self.inner.sample(2_000, start=0, rng=np.random.default_rng(0)))
        counts = [
            int((~t.truth(frame).fill_null(value=True)).sum()) for t in self.terms if t.how in {"drawn", "derived"}
        ]
        kinds = [t for t in self.terms if t.how in {"drawn", "derived"}]
        worst = kinds[int(np.argmax(counts))]
        return (
            f"{wrong:,} of {n:,} rows could not be made under the constraints, in {drawn:,} tries. {str(worst.spec)!r} "
            f"breaks most: {max(counts) / 20:.1f} % of the rows that the model draws by itself. Say it in a way that "
            "can be computed (an equation, from/follows, fixed), or drop it."
        )

    def state(self) -> tuple[Mapping[str, Any], Arrays]:
        values, arrays = self.inner.state()
        own = [t.state() for t in self.terms]
        tables = {f"constraint.{k}": a for k, (_, a) in enumerate(own) if a is not None}
        empty = np.frombuffer(self.empty.write_ipc(None).getvalue(), np.uint8)
        kept = {"inner": values, "terms": [v for v, _ in own], "table": self.table, "left_out": self.left_out}
        return kept, {**arrays, **tables, "constraint.columns": empty}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> "Constrained":
        del values, arrays
        raise ModelError("A model with constraints is opened with its synthesizer and its constraints.")

    @classmethod
    def opened(
        cls, values: Mapping[str, Any], arrays: Arrays, learned: type[Learned], constraints: Sequence[Constraint]
    ) -> "Constrained":
        """What `state` gave, with what its names mean."""
        inner = {name: a for name, a in arrays.items() if not name.startswith("constraint.")}
        terms = tuple(
            Term.restore(spec, term, arrays.get(f"constraint.{k}"))
            for k, (spec, term) in enumerate(zip(constraints, values["terms"], strict=True))
        )
        empty = pl.read_ipc(np.ascontiguousarray(arrays["constraint.columns"]).tobytes())
        return cls(learned.restore(values["inner"], inner), terms, str(values["table"]), empty, int(values["left_out"]))


def fit_constrained(
    spec: Synthesizer, data: Dataset, constraints: Sequence[Constraint], *, rng: Generator, watch: Watch = silent
) -> Learned:
    """Learn a dataset under constraints.

    Raises:
        ModelError: A constraint speaks of a column that is not there, no row meets all of them, or it can't be learned.
    """
    if not constraints:
        return spec.fit(data, rng=rng, watch=watch)
    table, frame = only_table(data), data.frame
    check_columns(constraints, frame)
    fine = refuse_conflicts(constraints, frame)
    rows = frame.filter(fine)
    least = int(getattr(spec, "least", LEAST))
    for gaps in (False, True):
        terms = terms_of(constraints, rows, least=least, gaps=gaps)
        form = rows
        for term in _forwards(terms):
            form = term.forward(form)
        known = [pl.col(t.column).is_not_null() for t in terms if t.how == "joined"]
        form = form.filter(known) if known else form
        # The same numbers whether or not it is learned again, and whether or not there are constraints.
        inner = spec.fit(_with_columns(data, form), rng=deepcopy(rng), watch=watch)
        made = _written(terms, inner, rows.columns)
        learned = Constrained(inner, made, table, frame[:0], frame.height - form.height)
        if gaps or not any(t.how == "drawn" and t.spec.chain() for t in terms) or learned.often_kept():
            break
    return learned


def _written(terms: Sequence[Term], inner: Learned, columns: Sequence[str]) -> tuple[Term, ...]:
    """The terms, of which those on a column that is made new anyway make its values, where they can."""
    new = inner.made_new()
    key = int.from_bytes(sha256(repr(list(columns)).encode()).digest()[:7], "little")
    return tuple(
        Term(t.spec, "written", pl.DataFrame({"key": [key]}))
        if t.how == "drawn" and len(t.spec.columns()) == 1 and t.spec.columns()[0] in new and _can_write(t.spec)
        else t
        for t in terms
    )


def _can_write(spec: Constraint) -> bool:
    return spec.written(np.zeros(0, np.int64), 0) is not None


def _forwards(terms: Sequence[Term]) -> list[Term]:
    """The terms in the order in which columns are taken away: what is computed before what it is computed from."""
    order = {"derived": 0, "together": 1, "gaps": 1, "joined": 2}
    return sorted((t for t in reversed(terms) if t.how in order), key=lambda t: order[t.how])


def _with_columns(data: Dataset, frame: pl.DataFrame) -> Dataset:
    """A dataset of other columns: those that stay mean what they did."""
    meaning = data.meaning
    fresh = {c: _meaning(meaning.columns.get(c), d) for c, d in frame.schema.items()}
    whole = set(frame.columns)
    sequence = meaning.sequence
    left = {
        "columns": fresh,
        "key": meaning.key if meaning.key is not None and set(meaning.key) <= whole else None,
        "sequence": sequence if sequence is not None and {*sequence.key, sequence.order} <= whole else None,
        "foreign_keys": tuple(f for f in meaning.foreign_keys if set(f.columns) <= whole),
        "constraints": (),
        "proposals": (),
    }
    return Dataset({data.name: frame}, Schema(tables={data.name: meaning.model_copy(update=left)}))


def _meaning(column: Column | None, dtype: pl.DataType) -> Column:
    """What a column means that is learned."""
    if isinstance(dtype, pl.Duration):
        return Column(kind="duration")
    if column is not None:
        return column
    return Column(kind="boolean" if dtype == pl.Boolean else "category")
