"""Real, synthetic and mixed rows on one plane: where they lie, as counts in cells, never as points."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cuvee.data.dataset import Dataset
from cuvee.data.kinds import Kind
from cuvee.learners.encode import learn_encoder
from cuvee.learners.linear import learn_design
from cuvee.reporting.bins import FEW

Floats = NDArray[np.float64]

ROWS = 20_000
"""At most so many rows of each side are placed, evenly over the table."""

FEWEST = 50
"""Of fewer real rows no plane is drawn."""

CELLS = (34, 26)
"""Cells across and up."""

NAMED = 3
"""Columns that an axis is named by."""


def project(real: Dataset, others: Mapping[str, Dataset]) -> dict[str, Any] | None:
    """Where the rows of each side lie on the two main axes of the real rows; None where there are too few, or no axes.

    A cell holds the share of a side's rows; one with fewer than five rows is left out.

    Args:
        real: One table; the axes are its first two principal components (numbers in units of their spread, flags of
            common levels and of nulls).
        others: The other sides by name, one table each, with real's columns (others are left out).

    Source: principal components, Jolliffe (2002).
    """
    frame = real.frame
    sides = {name: data.frame for name, data in others.items() if set(frame.columns) <= set(data.frame.columns)}
    if frame.height < FEWEST or not sides:
        return None
    kinds: dict[str, Kind] = {c: column.kind for c, column in real.meaning.columns.items()}
    tables = {"real": _some(frame)} | {name: _some(other.select(frame.columns)) for name, other in sides.items()}
    same = {n: t for n, t in tables.items() if all(_alike(t.schema[c], frame.schema[c]) for c in frame.columns)}
    encoder = learn_encoder(list(same.values()), kinds)
    if not encoder.features or len(same) < 2:
        return None
    matrices = {name: encoder.matrix(table) for name, table in same.items()}
    design = learn_design(encoder, matrices["real"])
    if len(design.names) < 3:
        return None
    points = {name: design.matrix(matrix)[:, 1:] for name, matrix in matrices.items()}
    centre = points["real"].mean(axis=0)
    _, strengths, axes = np.linalg.svd(points["real"] - centre, full_matrices=False)
    axes = axes[:2] * np.sign(axes[:2][np.arange(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    placed = {name: (rows - centre) @ axes.T for name, rows in points.items()}
    low, high = np.quantile(placed["real"], [0.002, 0.998], axis=0)
    pad = 0.06 * np.maximum(high - low, 1e-9)
    ends = np.stack([low - pad, high + pad])
    total = float((strengths**2).sum())
    return {
        "explained": [float(s**2) / total for s in strengths[:2]],
        "axes": [_named(axis, design.columns[1:]) for axis in axes],
        "cells": list(CELLS),
        "sides": [{"name": name, "rows": tables[name].height, **_cells(rows, ends)} for name, rows in placed.items()],
    }


def _some(frame: pl.DataFrame) -> pl.DataFrame:
    return frame if frame.height <= ROWS else frame[np.linspace(0, frame.height - 1, ROWS).astype(np.int64)]


def _alike(first: pl.DataType, second: pl.DataType) -> bool:
    return first == second or (first.is_numeric() and second.is_numeric())


def _named(axis: Floats, columns: tuple[str, ...]) -> list[str]:
    """The columns that weigh most in an axis."""
    weights: dict[str, float] = {}
    for weight, column in zip(axis, columns, strict=True):
        weights[column] = weights.get(column, 0.0) + float(weight**2)
    return sorted(weights, key=lambda c: (-weights[c], c))[:NAMED]


def _cells(rows: Floats, ends: Floats) -> dict[str, Any]:
    """The share of rows in each cell that holds enough, as [column, row, share], and the share outside the plane."""
    inside = ((rows >= ends[0]) & (rows <= ends[1])).all(axis=1)
    size = np.array(CELLS)
    place = np.minimum(((rows[inside] - ends[0]) / (ends[1] - ends[0]) * size).astype(np.int64), size - 1)
    counts = np.bincount(place[:, 1] * CELLS[0] + place[:, 0], minlength=CELLS[0] * CELLS[1])
    kept = np.flatnonzero(counts >= FEW)
    shares = [[int(k % CELLS[0]), int(k // CELLS[0]), round(float(counts[k]) / len(rows), 6)] for k in kept]
    return {"shares": shares, "outside": round(float(1 - inside.mean()), 4)}
