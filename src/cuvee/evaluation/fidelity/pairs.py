"""Pairs: whether every two columns go together as in the real data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from cuvee.core import Family, Metric, Score, Trial
from cuvee.evaluation.trial import Compared, Part, compare
from cuvee.learners.encode import shuffled
from cuvee.numeric.attacks import holm
from cuvee.numeric.distances import at_other_size, expected_total_variation, size_ratio, total_variation
from cuvee.numeric.homogeneity import same_table
from cuvee.numeric.intervals import around

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

BINS = 10
"""Numbers are cut at this many quantiles of train."""

LEVELS = 30
"""So many of the commonest categories of train stand alone; the others count as one."""

ALPHA = 0.01
"""Error rate of the alarms of all sets together."""

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
        matrices, cut = some_rows(compared, self.rows_max, rng)
        cells = learn_cells(matrices, [i for i, f in features if f.categorical], [i for i, _ in features])
        chosen = _choose(len(features), self.pairs_max, rng)
        names = [f.column for _, f in features]
        total = len(features) * (len(features) - 1) // 2
        note = compared.note
        if len(chosen) < total:
            note += f" {len(chosen):,} of {total:,} pairs were drawn at random."
        if cut:
            note += f" At most {self.rows_max:,} rows of each table were drawn at random."
        return (_summary(compare_joint(cells, chosen, names), note),)


def some_rows(compared: Compared, most: int, rng: Generator) -> tuple[dict[Part, Floats], bool]:
    """The rows of each part as numbers, at most so many of each, and whether any were left out."""
    matrices: dict[Part, Floats] = {p: compared.matrix(p) for p in compared.parts}
    cut = any(len(m) > most for m in matrices.values())
    return {p: m[shuffled(m, rng=rng)[:most]] if len(m) > most else m for p, m in matrices.items()}, cut


@dataclass(frozen=True, slots=True)
class Cells:
    """Every table as small whole numbers.

    Attributes:
        codes: By table, one array (n,) for each column.
        counts: How many cells each column has.
    """

    codes: dict[Part, list[Codes]]
    counts: list[int]


@dataclass(frozen=True, slots=True)
class Joint:
    """How far joint tables are apart.

    Attributes:
        rows: One for each set of columns, in the order of the sets.
        error: Standard error of their mean value.
        chance: The mean distance that chance alone gives.
        spread: What the distance of a sample of m rows is expected to be, times the root of m.
        train: Rows of train.
    """

    rows: list[dict[str, Any]]
    error: float
    chance: float
    spread: float
    train: int


def learn_cells(
    matrices: Mapping[Part, Floats],
    categorical: Sequence[int],
    chosen: Sequence[int],
    *,
    bins: int = BINS,
    levels: int = LEVELS,
) -> Cells:
    """Cut the columns at quantiles, and keep the commonest levels, of train.

    Args:
        matrices: Each part as numbers.
        categorical: The columns whose numbers are codes.
        chosen: The columns that are cut.
        bins: Bins of a number.
        levels: Levels that stand alone.
    """
    codes: dict[Part, list[Codes]] = {name: [] for name in matrices}
    counts: list[int] = []
    for column in chosen:
        train = matrices["train"][:, column]
        if column in categorical:
            known, how_many = np.unique(train[~np.isnan(train)].astype(np.int64), return_counts=True)
            top = known[np.lexsort((known, -how_many))][:levels]
            place = np.full(
                int(max(np.nanmax(m[:, column], initial=-1.0) for m in matrices.values())) + 1, len(top), np.int64
            )
            place[top] = np.arange(len(top))
            null = len(top) + 1
            for name, matrix in matrices.items():
                codes[name].append(_levels(matrix[:, column], place, null))
        else:
            known = train[~np.isnan(train)]
            edges = np.unique(np.quantile(known, np.arange(1, bins) / bins)) if len(known) else np.zeros(1)
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


def compare_joint(cells: Cells, chosen: Sequence[tuple[int, ...]], names: Sequence[str]) -> Joint:
    """Compare the joint tables of sets of columns, train's with those of the other parts.

    Each row says which sets differ more than chance explains (`alarm`): a chi-square test of both tables, with Holm's
    correction, so that where there is no difference any is called in at most one of a hundred runs.

    Args:
        cells: The columns as small whole numbers.
        chosen: The sets, by position.
        names: Of the columns.
    """
    sizes = {name: len(columns[0]) for name, columns in cells.codes.items()}
    influence = {"train": np.zeros(sizes["train"]), "synthetic": np.zeros(sizes["synthetic"])}
    rows: list[dict[str, Any]] = []
    tests: list[float] = []
    chance, spread = 0.0, 0.0
    for places in chosen:
        joint = {
            n: _joint([columns[p] for p in places], [cells.counts[p] for p in places])
            for n, columns in cells.codes.items()
        }
        width = int(np.prod([cells.counts[p] for p in places]))
        shares = {n: np.bincount(cell, minlength=width) / sizes[n] for n, cell in joint.items()}
        real, made = shares["train"], shares["synthetic"]
        lean = np.sign(real - made) / 2
        influence = {name: sums + lean[joint[name]] for name, sums in influence.items()}
        row: dict[str, Any] = {"columns": [names[p] for p in places]}
        if len(places) == 2:
            row = {"left": names[places[0]], "right": names[places[1]]}
        row |= {"value": 1 - total_variation(real, made), "ceiling": None}
        row["floor"] = 1 - total_variation(real, shares["floor"])
        if "holdout" in shares:
            measured = (sizes["train"], sizes["holdout"])
            ratio = size_ratio(measured, (sizes["train"], sizes["synthetic"]))
            apart = total_variation(real, shares["holdout"])
            row["ceiling"] = 1 - at_other_size(apart, expected_total_variation(real, measured), ratio)
        rows.append(row)
        tests.append(same_table(real * sizes["train"], made * sizes["synthetic"]))
        chance += expected_total_variation(real, (sizes["train"], sizes["synthetic"]))
        spread += float(np.sqrt(real * (1 - real)).sum()) / np.sqrt(2 * np.pi)
    for row, p in zip(rows, holm(np.array(tests)), strict=True):
        row["alarm"] = bool(p < ALPHA)
    n = len(chosen)
    error = float(np.sqrt(sum((sums / n).var() / len(sums) for sums in influence.values())))
    return Joint(rows, error, chance / n, spread / n, sizes["train"])


def _joint(codes: Sequence[Codes], counts: Sequence[int]) -> Codes:
    """One number for each combination."""
    out = codes[0]
    for code, count in zip(codes[1:], counts[1:], strict=True):
        out = out * count + code
    return out


def alarmed(rows: Sequence[dict[str, Any]]) -> str:
    """What differs more than chance explains, in a sentence, or nothing."""
    found = [" with ".join(r["columns"] if "columns" in r else (r["left"], r["right"])) for r in rows if r["alarm"]]
    if not found:
        return ""
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return f" More than chance explains: {', '.join(found[:3])}{more}."


def _summary(result: Joint, note: str) -> Score:
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
    like = f"like a random {percent_of(sample_like(1 - value, result))} % sample of the real rows"
    as_real = (
        f", where as many fresh real rows are like {percent_of(sample_like(1 - ceiling, result))} %"
        if ceiling is not None
        else ""
    )
    verdict = (
        f"Pairs of columns match the real ones by {value:.3f} of 1 ({reference}, shuffled columns {floor:.3f}), "
        f"{like}{as_real}; "
        f"the furthest off is {ordered[0]['left']} with {ordered[0]['right']} ({ordered[0]['value']:.3f})."
        f"{alarmed(ordered)}{note}"
    )
    passed = value >= best - CLOSE or value >= floor + PASS_AT * (best - floor)
    interval, sample = around(value, result.error), sample_like(1 - value, result)
    return Score("pairs", "fidelity", value, floor, ceiling, interval, 1.0, verdict, passed, tuple(ordered), sample)


def percent_of(figure: float) -> str:
    """A percentage with two digits, never as a power of ten."""
    return f"{figure:.2g}" if figure < 10 else f"{figure:.0f}"


def sample_like(distance: float, result: Joint) -> float:
    """The percentage of train whose random sample has the same mean distance to train.

    A sample of m of n rows is expected at spread * sqrt(1/m - 1/n), as in `expected_total_variation`; solved for m.

    Source: the idea is SDNist's, which draws such samples; here in closed form.
    """
    if result.spread == 0:
        return 100.0
    rows = 1 / ((distance / result.spread) ** 2 + 1 / result.train)
    return 100 * rows / result.train
