"""Queries: whether the user's own analysis gives on synthetic rows what it gives on real ones."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar, final

import numpy as np
import polars as pl
from numpy.random import Generator
from pydantic import Field

from cuvee.core import Family, Metric, Score, Trial
from cuvee.data.errors import CuveeError, SchemaError
from cuvee.data.kinds import Kind
from cuvee.data.names import did_you_mean
from cuvee.evaluation.trial import Part, compare
from cuvee.learners.encode import learn_encoder, numbers, words
from cuvee.learners.linear import Design, learn_design
from cuvee.numeric.intervals import clopper_pearson
from cuvee.numeric.regression import least_squares, logistic

Cells = dict[tuple[str, ...], float]
"""What an analysis gives: a figure by the names of its row and column."""

NAME = "data"
"""The table of a query, beside the name that the training table has."""

CELLS_MAX = 2000
"""Figures of one answer that are compared, the first in order."""

LARGE = 4.0
"""A figure is the same where it differs by at most this many standard errors of a difference, whatever its size:
of thousands of figures chance takes none further."""

NEAR = 0.05
"""Or by at most this share of itself."""

PASS_AT = 0.9
"""Queries pass where this share of figures is the same, or as many as of fresh real rows."""

_REGRESSION = re.compile(r"\s*([^~]+?)\s*~\s*(.+?)\s*", re.DOTALL)
_SELECT = re.compile(r"\s*(select|with|from)\b", re.IGNORECASE)


@final
class Queries(Metric):
    """The share of figures that the user's own queries and regressions give alike on real and on synthetic rows.

    A query is SQL over the table `data` (DuckDB's dialect, without access to files or to the network); a regression
    is written "income ~ age + sex". Tables are cut to one number of rows, so that counts and sums can be compared.
    Rows of an answer are matched by their columns that are not numbers (or by their place where there are none).
    A figure is the same where it differs from that of train by at most 4 standard errors of a difference (by a
    bootstrap of train) or by 5 %. A row of the answer that only one side has is not the same. The ceiling is the same
    for holdout rows.
    """

    family: ClassVar[Family] = "utility"

    repeats: int = Field(20, ge=5, le=1000, description="Bootstrap repeats for the standard errors.")

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        if not trial.queries:
            return ()
        compared = compare(trial)
        size = min(len(compared.matrix(part)) for part in compared.parts)
        tables: dict[Part, pl.DataFrame] = {part: compared.sample(part, size, rng=rng) for part in compared.parts}
        kinds: dict[str, Kind] = {c: column.kind for c, column in trial.train.meaning.columns.items()}
        answers: list[_Answer] = []
        for text in trial.queries:
            asked = _regression(text, kinds, tables["train"]) or _sql(text, trial.train.name)
            real = asked(tables["train"])
            drawn = [asked(tables["train"][rng.integers(0, size, size)]) for _ in range(self.repeats)]
            others: dict[Part, Cells] = {part: asked(table) for part, table in tables.items() if part != "train"}
            answers += list(_compared(text, real, drawn, others))
        return (_summary(answers, len(trial.queries), size, compared.note),)


@dataclass(frozen=True, slots=True)
class _Answer:
    """One figure of an answer: of train with its standard error, and of other parts; None where a row is missing."""

    query: str
    name: str
    real: float | None
    error: float
    others: dict[Part, float | None]

    def same(self, part: Part) -> bool:
        other = self.others.get(part)
        if other is None or self.real is None:
            return False
        gap = abs(other - self.real)
        return gap <= max(LARGE * sqrt(2) * self.error, NEAR * abs(self.real))


def _compared(text: str, real: Cells, drawn: Sequence[Cells], others: dict[Part, Cells]) -> Iterator[_Answer]:
    """Every figure of an answer."""
    names = dict.fromkeys(real)
    for cells in others.values():
        names |= dict.fromkeys(cells)
    for name in list(names)[:CELLS_MAX]:
        known = [d[name] for d in drawn if name in d]
        error = float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
        rare = name in real and len(known) < len(drawn)  # a group that a fresh sample may lack says nothing
        if not rare:
            yield _Answer(
                text, ", ".join(name), real.get(name), error, {p: cells.get(name) for p, cells in others.items()}
            )


def _sql(text: str, name: str) -> Callable[[pl.DataFrame], Cells]:
    """What a query gives on a table."""
    if not _SELECT.match(text):
        raise CuveeError(
            f"The query {text.strip()[:60]!r} is neither SQL over the table {NAME!r} (it starts with "
            f"SELECT, WITH or FROM) nor a regression (such as: income ~ age + sex)."
        )

    def ask(frame: pl.DataFrame) -> Cells:
        import duckdb

        settings: dict[str, Any] = {"enable_external_access": "false", "threads": 1, "lock_configuration": "true"}
        with duckdb.connect(":memory:", config=settings) as database:
            database.register("given", frame.to_arrow())
            for table in dict.fromkeys((NAME, name)):
                quoted = table.replace('"', '""')
                database.execute(f'CREATE VIEW "{quoted}" AS SELECT * FROM given')  # noqa: S608 (a quoted name)
            try:
                answer = pl.DataFrame(database.sql(text).to_arrow_table())
            except duckdb.Error as error:
                said = str(error).strip().splitlines()[0]
                raise CuveeError(f"The query {text.strip()[:60]!r} can't be answered: {said}") from error
        return _cells(answer)

    return ask


def _cells(answer: pl.DataFrame) -> Cells:
    """The figures of an answer by what stands beside them."""
    figures = [c for c, d in answer.schema.items() if d.is_numeric() or d == pl.Boolean]
    keys = [c for c in answer.columns if c not in figures]
    if not keys and answer.height > 1 and len(figures) > 1:
        keys = [c for c in figures if answer.schema[c].is_integer() and answer[c].n_unique() == answer.height][:1]
        figures = [c for c in figures if c not in keys]
    named = [tuple(f"{k} = {v}" for k, v in zip(keys, row, strict=True)) for row in answer.select(keys).rows()]
    if not keys:
        named = [() if answer.height == 1 else (f"row {i + 1}",) for i in range(answer.height)]
    out: Cells = {}
    for column in figures:
        for where, value in zip(named, numbers(answer[column].cast(pl.Float64)).tolist(), strict=True):
            if not np.isnan(value):
                out[(column, *where)] = value
    return out


def _regression(text: str, kinds: dict[str, Kind], train: pl.DataFrame) -> Callable[[pl.DataFrame], Cells] | None:
    """What a regression gives on a table, in coefficients; None where the text is none."""
    found = None if _SELECT.match(text) else _REGRESSION.fullmatch(text)
    if found is None:
        return None
    target, *others = (_column(name, kinds, text) for name in (found[1], *found[2].split("+")))
    if target in others:
        raise SchemaError(f"The regression {text.strip()!r} explains {target!r} by itself; leave it out on the right.")
    values = train[target].drop_nulls()
    line = values.dtype.is_numeric() and kinds[target] == "number" and values.n_unique() > 2
    levels = words(values).unique().sort()
    if not line and len(levels) != 2:
        raise SchemaError(
            f"The regression {text.strip()!r} explains {target!r}, which is neither a number nor one of two values "
            f"but one of {len(levels)}; explain a number or a yes/no column."
        )
    encoder = learn_encoder((train,), {c: kinds[c] for c in kinds}, without=[c for c in kinds if c not in others])
    design: Design = learn_design(encoder, encoder.matrix(train))

    def ask(frame: pl.DataFrame) -> Cells:
        kept = frame.filter(frame[target].is_not_null())
        matrix = design.matrix(encoder.matrix(kept))
        if line:
            fit = least_squares(matrix, numbers(kept[target]))
        else:
            fit = logistic(matrix, (words(kept[target]) == levels[1]).to_numpy().astype(np.float64))
        return {(name,): float(b) for name, b in zip(design.names, fit.coefficients, strict=True)}

    return ask


def _column(name: str, kinds: dict[str, Kind], text: str) -> str:
    plain = name.strip().strip("`\"'")
    if plain not in kinds:
        raise SchemaError(f"The regression {text.strip()!r} has no column {plain!r}.{did_you_mean(plain, kinds)}")
    return plain


def _summary(answers: list[_Answer], queries: int, size: int, note: str) -> Score:
    if not answers:
        said = "Not assessed: the queries give no figure on real rows that a fresh sample would surely have."
        return Score("queries", "utility", None, None, None, None, 1.0, said, None)
    same = sum(a.same("synthetic") for a in answers)
    value = same / len(answers)
    fresh = "holdout" in answers[0].others
    ceiling = sum(a.same("holdout") for a in answers) / len(answers) if fresh else None
    floor = sum(a.same("floor") for a in answers) / len(answers)
    rows = [_row(a) for a in sorted(answers, key=lambda a: (a.same("synthetic"), -_gap(a), a.query, a.name))]
    reference = f"fresh real rows {ceiling:.0%}, " if ceiling is not None else ""
    verdict = (
        f"Of {len(answers):,} figures of {queries} {'analyses' if queries > 1 else 'analysis'}, {value:.0%} are the "
        f"same on synthetic rows ({reference}shuffled columns {floor:.0%}), {size:,} rows each"
    )
    worst = rows[0]
    if same < len(answers):
        verdict += (
            f"; the furthest off is {worst['column']}: {_said(worst['synthetic'])} instead of {_said(worst['real'])}"
        )
    passed = value >= min(PASS_AT, 1.0 if ceiling is None else ceiling)
    interval = clopper_pearson(same, len(answers))
    return Score("queries", "utility", value, floor, ceiling, interval, 1.0, f"{verdict}.{note}", passed, tuple(rows))


def _said(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _gap(answer: _Answer) -> float:
    other = answer.others["synthetic"]
    if other is None or answer.real is None:
        return np.inf
    return abs(other - answer.real) / max(answer.error, NEAR * abs(answer.real), 1e-12)


def _row(answer: _Answer) -> dict[str, Any]:
    return {
        "group": " ".join(answer.query.split())[:80],
        "column": answer.name,
        "real": answer.real,
        "synthetic": answer.others["synthetic"],
        "holdout": answer.others.get("holdout"),
    }
