"""Variables that hang together: the correlation matrix that is stated or measured, repaired where it can't be."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.data.errors import SimulationError
from cuvee.data.names import did_you_mean
from cuvee.numeric.copulas import degrees_of_freedom, from_ranks, gaussian_correlation, kendall_correlation
from cuvee.numeric.correlation import nearest_correlation
from cuvee.simulation.margins import FEWEST, MOST, Frames
from cuvee.simulation.meaning import members
from cuvee.simulation.scenario import Dependence, Empirical, Fitted, Variable

Floats = NDArray[np.float64]

SMALLEST = 1e-8
"""A matrix with an eigenvalue below this is repaired."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Variables that hang together.

    Attributes:
        names: Which, in the order of the matrix.
        root: (k, k), Cholesky root of the correlation matrix of their scores.
        df: Degrees of freedom of a t copula; None for a Gaussian one.
        notes: How it was found, in sentences.
    """

    names: tuple[str, ...]
    root: Floats
    df: float | None
    notes: tuple[str, ...] = ()


def joined(stated: Dependence, variables: Mapping[str, Variable], frames: Frames, *, rng: Generator) -> Joined:
    """The copula that a scenario states or wants fitted.

    Raises:
        SimulationError: The data or a column is not there.
    """
    names, rows = members(stated), None
    df, notes = stated.df, list[str]()
    if stated.fit is None:
        matrix = from_ranks(_stated(stated, names), stated.measure)
        matrix[np.diag_indices(len(names))] = 1.0
    else:
        rows = _rows(stated, names, variables, frames, rng)
        matrix = (gaussian_correlation if stated.copula == "gaussian" else kendall_correlation)(rows)
        notes = [f"{stated.copula} copula of {', '.join(names)} measured on {len(rows):,} rows."]
    proper, more = _repaired(matrix, names)
    if rows is not None and stated.copula == "t" and df is None:
        df = degrees_of_freedom(rows, proper)
        notes = [f"{notes[0][:-1]}; degrees of freedom {df:.3g}."]
    root = np.asarray(np.linalg.cholesky(proper), np.float64)
    return Joined(names, root, df if stated.copula == "t" else None, (*notes, *more))


def _stated(stated: Dependence, names: tuple[str, ...]) -> Floats:
    """The matrix that is written, (k, k); pairs that are not are 0."""
    if not isinstance(stated.correlation, Mapping):
        return np.asarray(stated.correlation, np.float64)
    matrix = np.eye(len(names))
    for one, others in stated.correlation.items():
        for other, value in others.items():
            i, j = names.index(one), names.index(other)
            matrix[i, j] = matrix[j, i] = value
    return matrix


def _rows(
    stated: Dependence, names: tuple[str, ...], variables: Mapping[str, Variable], frames: Frames, rng: Generator
) -> Floats:
    """The complete rows of the columns that the variables stand for, (n, k)."""
    data = stated.fit or ""
    if data not in frames:
        raise SimulationError(f"dependence: there are no data {data!r}.{did_you_mean(data, frames)}")
    frame, columns = frames[data], []
    for name in names:
        variable = variables[name]
        own = variable.column if isinstance(variable, (Fitted, Empirical)) and variable.data == data else None
        column = stated.columns.get(name, own)
        if column is None:
            raise SimulationError(
                f"dependence: which column of {data!r} is {name!r}? Say it: columns: {{{name}: COLUMN}}."
            )
        if column not in frame.columns:
            hint = did_you_mean(column, frame.columns)
            raise SimulationError(f"dependence: the data {data!r} have no column {column!r}.{hint}")
        if not frame.schema[column].is_numeric():
            raise SimulationError(f"dependence: column {column!r} of {data!r} is {frame.schema[column]}, not a number.")
        columns.append(column)
    whole = frame.select(pl.col(c).cast(pl.Float64).alias(str(i)) for i, c in enumerate(columns))
    rows = whole.fill_nan(None).drop_nulls().to_numpy()
    if len(rows) < FEWEST:
        raise SimulationError(
            f"dependence: {len(rows)} rows of {data!r} have all of {', '.join(columns)}; too few to fit."
        )
    if (rows == rows[0]).all(0).any():
        raise SimulationError(
            f"dependence: one of the columns {', '.join(columns)} of {data!r} has one value throughout."
        )
    return rows[np.sort(rng.permutation(len(rows))[:MOST])]


def _repaired(matrix: Floats, names: tuple[str, ...]) -> tuple[Floats, tuple[str, ...]]:
    """The matrix, or the nearest that can be."""
    if np.linalg.eigvalsh(matrix)[0] >= SMALLEST:
        return matrix, ()
    proper = nearest_correlation(matrix, smallest=1e-6, rounds=500)
    change = np.abs(proper - matrix)
    i, j = np.unravel_index(int(change.argmax()), change.shape)
    said = (
        f"The correlations of {', '.join(names)} can't all be true together; the nearest matrix that can be is used. "
        f"The largest change: {names[int(i)]} with {names[int(j)]}, from {matrix[i, j]:.3f} to {proper[i, j]:.3f}."
    )
    return proper, (said,)
