"""Pairs: whether every two columns go together as in the real data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from cuvee.core import Family, Metric, Score, Trial
from cuvee.evaluation.trial import compare
from cuvee.learners.encode import shuffled
from cuvee.numeric.distances import at_other_size, expected_total_variation, size_ratio, total_variation
from cuvee.numeric.intervals import around

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

BINS = 10
"""Numbers are cut at this many quantiles of train."""

LEVELS = 30
"""So many of the commonest categories of train stand alone; the others count as one."""

PASS_AT = 0.8
"""Pairs pass at this share of the way from shuffled columns to fresh real rows."""
CLOSE = 0.005
"""Or this near to fresh real rows, where shuffled columns are nearly as good."""


@final
class Pairs(Metric):
    """The mean over pairs of columns of one minus the total variation between train's and synthetic's joint table.

    Numbers and times are cut at the deciles of train, categories keep train's 30 commonest levels, nulls have a cell of
    their own; synthetic rows never move a cell's border, so that one odd value can't. The ceiling is the same for
    holdout rows, at synthetic's number of rows; the floor for shuffled columns. The interval is by the delta method
    over rows of both tables.
    """

    family: ClassVar[Family] = "fidelity"

    pairs_max: int = Field(2000, ge=1, description="Pairs compared; of more, so many are drawn at random.")
    rows_max: int = Field(
        50_000, ge=100, description="Rows of each table compared; of more, so many are drawn at random."
    )

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        compared = compare(trial)
        features = [(i, f) for i, f in enumerate(compared.encoder.features) if f.part != "words"]
        if len(features) < 2:
            verdict = f"Not assessed: there are fewer than two columns to compare.{compared.note}"
            return (Score("pairs", self.family, None, None, None, None, 1.0, verdict, None),)
        parts = {"train": trial.train, "synthetic": trial.synthetic, "floor": trial.floor, "holdout": trial.holdout}
        matrices = {n: compared.encoder.matrix(d.frame) for n, d in parts.items() if d is not None}
        cut = [n for n, m in matrices.items() if len(m) > self.rows_max]
        matrices = {n: m[shuffled(m, rng=rng)[: self.rows_max]] if n in cut else m for n, m in matrices.items()}
        cells = _cells(matrices, [i for i, f in features if f.categorical], [i for i, _ in features])
        chosen = _choose(len(features), self.pairs_max, rng)
        names = [f.column for _, f in features]
        total = len(features) * (len(features) - 1) // 2
        note = compared.note
        if len(chosen) < total:
            note += f" {len(chosen):,} of {total:,} pairs were drawn at random."
        if cut:
            note += f" At most {self.rows_max:,} rows of each table were drawn at random."
        return (_summary(_compare_pairs(cells, chosen, names), note),)


@dataclass(frozen=True, slots=True)
class Cells:
    """Every table as small whole numbers.

    Attributes:
        codes: By table, one array (n,) for each column.
        counts: How many cells each column has.
    """

    codes: dict[str, list[Codes]]
    counts: list[int]


@dataclass(frozen=True, slots=True)
class _Result:
    rows: list[dict[str, Any]]
    error: float
    chance: float
    spread: float
    train: int


def _cells(matrices: dict[str, Floats], categorical: Sequence[int], chosen: Sequence[int]) -> Cells:
    codes: dict[str, list[Codes]] = {name: [] for name in matrices}
    counts: list[int] = []
    for column in chosen:
        train = matrices["train"][:, column]
        if column in categorical:
            known, how_many = np.unique(train[~np.isnan(train)].astype(np.int64), return_counts=True)
            top = known[np.lexsort((known, -how_many))][:LEVELS]
            place = np.full(
                int(max(np.nanmax(m[:, column], initial=-1.0) for m in matrices.values())) + 1, len(top), np.int64
            )
            place[top] = np.arange(len(top))
            null = len(top) + 1
            for name, matrix in matrices.items():
                codes[name].append(_levels(matrix[:, column], place, null))
        else:
            known = train[~np.isnan(train)]
            edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.zeros(1)
            null = len(edges) + 1
            for name, matrix in matrices.items():
                values = matrix[:, column]
                codes[name].append(np.where(np.isnan(values), null, np.searchsorted(edges, values, "right")))
        counts.append(null + 1)
    return Cells(codes, counts)


def _levels(values: Floats, place: Codes, null: int) -> Codes:
    """The cell of each level, and of null."""
    missing = np.isnan(values)
    if not len(place):
        return np.full(len(values), null, dtype=np.int64)
    return np.where(missing, null, place[np.where(missing, 0, values).astype(np.int64)])


def _choose(columns: int, most: int, rng: Generator) -> list[tuple[int, int]]:
    """All pairs of columns, or so many of them at random, in order."""
    total = columns * (columns - 1) // 2
    if total <= most:
        return [(i, j) for i in range(columns) for j in range(i + 1, columns)]
    firsts = np.arange(columns)
    starts = firsts * (2 * columns - firsts - 1) // 2  # position of the pair (i, i + 1)
    picks = np.sort(rng.choice(total, size=most, replace=False))
    first = np.searchsorted(starts, picks, "right") - 1
    return [(int(i), int(k - starts[i] + i + 1)) for i, k in zip(first, picks, strict=True)]


def _compare_pairs(cells: Cells, chosen: Sequence[tuple[int, int]], names: Sequence[str]) -> _Result:
    sizes = {name: len(columns[0]) for name, columns in cells.codes.items()}
    influence = {"train": np.zeros(sizes["train"]), "synthetic": np.zeros(sizes["synthetic"])}
    rows: list[dict[str, Any]] = []
    chance, spread = 0.0, 0.0
    for i, j in chosen:
        joint = {n: columns[i] * cells.counts[j] + columns[j] for n, columns in cells.codes.items()}
        width = cells.counts[i] * cells.counts[j]
        shares = {n: np.bincount(cell, minlength=width) / sizes[n] for n, cell in joint.items()}
        real, made = shares["train"], shares["synthetic"]
        lean = np.sign(real - made) / 2
        influence = {name: sums + lean[joint[name]] for name, sums in influence.items()}
        row: dict[str, Any] = {
            "left": names[i],
            "right": names[j],
            "value": 1 - total_variation(real, made),
            "ceiling": None,
        }
        row["floor"] = 1 - total_variation(real, shares["floor"])
        if "holdout" in shares:
            measured = (sizes["train"], sizes["holdout"])
            ratio = size_ratio(measured, (sizes["train"], sizes["synthetic"]))
            apart = total_variation(real, shares["holdout"])
            row["ceiling"] = 1 - at_other_size(apart, expected_total_variation(real, measured), ratio)
        rows.append(row)
        chance += expected_total_variation(real, (sizes["train"], sizes["synthetic"]))
        spread += float(np.sqrt(real * (1 - real)).sum()) / np.sqrt(2 * np.pi)
    n = len(chosen)
    error = float(np.sqrt(sum((sums / n).var() / len(sums) for sums in influence.values())))
    return _Result(rows, error, chance / n, spread / n, sizes["train"])


def _summary(result: _Result, note: str) -> Score:
    rows = result.rows
    value, floor = float(np.mean([r["value"] for r in rows])), float(np.mean([r["floor"] for r in rows]))
    ceiling = float(np.mean([r["ceiling"] for r in rows])) if rows[0]["ceiling"] is not None else None
    best = 1 - result.chance if ceiling is None else ceiling
    ordered = sorted(
        rows, key=lambda r: (r["value"] - (1.0 if r["ceiling"] is None else r["ceiling"]), r["left"], r["right"])
    )
    reference = (
        f"fresh real rows {ceiling:.3f}" if ceiling is not None else f"chance alone gives {best:.3f}; no holdout"
    )
    like = f"like a random {_percent(_sample(1 - value, result))} % sample of the real rows"
    as_real = (
        f", where as many fresh real rows are like {_percent(_sample(1 - ceiling, result))} %"
        if ceiling is not None
        else ""
    )
    verdict = (
        f"Pairs of columns match the real ones by {value:.3f} of 1 ({reference}, shuffled columns {floor:.3f}), "
        f"{like}{as_real}; "
        f"the furthest off is {ordered[0]['left']} with {ordered[0]['right']} ({ordered[0]['value']:.3f}).{note}"
    )
    passed = value >= best - CLOSE or value >= floor + PASS_AT * (best - floor)
    interval, sample = around(value, result.error), _sample(1 - value, result)
    return Score("pairs", "fidelity", value, floor, ceiling, interval, 1.0, verdict, passed, tuple(ordered), sample)


def _percent(figure: float) -> str:
    """A percentage with two digits, never as a power of ten."""
    return f"{figure:.2g}" if figure < 10 else f"{figure:.0f}"


def _sample(distance: float, result: _Result) -> float:
    """The percentage of train whose random sample has the same mean distance to train.

    A sample of m of n rows is expected at spread * sqrt(1/m - 1/n), as in `expected_total_variation`; solved for m.

    Source: the idea is SDNist's, which draws such samples; here in closed form.
    """
    if result.spread == 0:
        return 100.0
    rows = 1 / ((distance / result.spread) ** 2 + 1 / result.train)
    return 100 * rows / result.train
