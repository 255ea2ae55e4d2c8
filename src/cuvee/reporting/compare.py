"""Real against synthetic tables: every column by itself, and how columns go together."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cuvee.data.dataset import Dataset
from cuvee.data.schema import Column
from cuvee.numeric.association import cramers_v
from cuvee.reporting.distributions import Distribution, distribution

MATRIX = 40
"""Columns of the heat map at most."""

PAIRED = 160
"""Columns whose pairs are looked at at most: the work grows with the square."""


def compare(real: Dataset, synthetic: Dataset) -> tuple[Distribution, ...]:
    """What is shown of each column that both sides have, in the order of the real tables."""
    tables = _common_tables(real, synthetic)
    out: list[Distribution] = []
    for left, right in tables:
        a, b = real[left], synthetic[right]
        for column in a.columns:
            if column in b.columns:
                name = f"{left}.{column}" if len(tables) > 1 else column
                meaning = _meaning(real, left, synthetic, right, column)
                out.append(replace(distribution(name, meaning, a[column], b[column]), table=left))
    return tuple(out)


def missing(real: Dataset, synthetic: Dataset) -> list[str]:
    """Columns that only one side has, in words."""
    out: list[str] = []
    for left, right in _common_tables(real, synthetic):
        a, b = real[left].columns, synthetic[right].columns
        out += [f"{c} (only in the real data)" for c in a if c not in b]
        out += [f"{c} (only in the synthetic data)" for c in b if c not in a]
    return out


def pairs(shown: tuple[Distribution, ...]) -> dict[str, Any] | None:
    """How much the association of each pair differs: the matrix of the columns that differ most, and the worst pairs.

    Of several tables it is the one with the most such columns; None where no two columns can be compared.
    """
    usable = [d for d in shown if d.codes is not None and (d.bars or any(d.nulls))][:PAIRED]
    by_table: dict[str, list[Distribution]] = {}
    for d in usable:
        by_table.setdefault(d.table, []).append(d)
    largest = max(by_table.values(), key=len, default=[])
    if len(largest) < 2:
        return None
    names = [d.column for d in largest]
    real, synthetic = (_association(largest, side) for side in (0, 1))
    difference = np.abs(real - synthetic)
    np.fill_diagonal(difference, 0.0)
    return _matrix(names, difference) | {"worst": _worst(names, real, synthetic), "columns": len(names)}


def _matrix(names: list[str], difference: NDArray[np.float64]) -> dict[str, Any]:
    """The lower half of the matrix, of the columns with the largest differences, in their own order."""
    kept = np.sort(np.argsort(-difference.max(axis=1), kind="stable")[:MATRIX])
    part = difference[np.ix_(kept, kept)]
    return {
        "names": [names[i] for i in kept.tolist()],
        "difference": [np.round(part[i, :i], 3).tolist() for i in range(len(kept))],
        "mean": round(float(difference[np.triu_indices(len(names), 1)].mean()), 5),
    }


def _worst(
    names: list[str], real: NDArray[np.float64], synthetic: NDArray[np.float64], most: int = 12
) -> list[dict[str, Any]]:
    i, j = np.triu_indices(len(names), 1)
    gap = np.abs(real - synthetic)[i, j]
    order = np.argsort(-gap, kind="stable")[:most].tolist()
    return [
        {"left": names[i[o]], "right": names[j[o]]}
        | {"real": round(float(real[i[o], j[o]]), 4), "synthetic": round(float(synthetic[i[o], j[o]]), 4)}
        | {"difference": round(float(gap[o]), 4)}
        for o in order
    ]


def _association(columns: list[Distribution], side: int) -> NDArray[np.float64]:
    codes = np.column_stack([d.codes[side] for d in columns if d.codes is not None])
    levels = [max(int(c.max(initial=0)) for c in d.codes) + 1 for d in columns if d.codes is not None]
    return cramers_v(codes, np.array(levels, dtype=np.int64))


def _common_tables(real: Dataset, synthetic: Dataset) -> list[tuple[str, str]]:
    """Tables that stand for each other: by name, or the only one of each side."""
    if len(real) == len(synthetic) == 1:
        return [(real.name, synthetic.name)]
    return [(t, t) for t in real if t in synthetic.tables]


def _meaning(real: Dataset, left: str, synthetic: Dataset, right: str, column: str) -> Column:
    """What a column means; if either side takes it for something about a person, it is."""
    meant, other = real.schema[left].columns[column], synthetic.schema[right].columns[column]
    return other if other.sensitive and not meant.sensitive else meant
