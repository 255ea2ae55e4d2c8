"""Figures that people know from other tools, under their usual names: computed as published, shown, never judged.

Each has a weakness, which its sentence says; what cuvee judges by stands in `fidelity`, `utility` and `privacy`.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from cuvee.core import Family, Metric, Score, Trial
from cuvee.evaluation.privacy.nearness import learn_space
from cuvee.evaluation.trial import Compared, Part, compare
from cuvee.numeric.distances import kolmogorov_smirnov, total_variation

Floats = NDArray[np.float64]

FEWEST = 20
"""Fewer rows of a table say nothing."""

STEPS = 30
"""Points at which the curves of precision and recall are summed."""

SAYS: Mapping[str, tuple[str, str]] = {
    "ks_complement": (
        "mean over numbers of one less the Kolmogorov-Smirnov distance",
        "it leaves nulls out, is blind to tails and to how columns go together",
    ),
    "tv_complement": (
        "mean over categories of one less the total variation",
        "it leaves nulls out, and rare categories hardly weigh",
    ),
    "correlation_similarity": (
        "mean over pairs of numbers of one less half the difference of Pearson's correlations",
        "no relation at all where there is one of .6 still scores .70, and curved relations are not seen",
    ),
    "contingency_similarity": (
        "mean over pairs of categories of one less the total variation of their joint table",
        "with many categories noise alone lowers it: look at real rows beside it",
    ),
    "alpha_precision": (
        "how well the share of synthetic rows in the innermost part of the real rows is the share of real ones there",
        "it looks at the distance to one centre, so that rows off every cluster may count as inside",
    ),
    "beta_recall": (
        "how well the innermost synthetic rows cover as large a share of the real ones",
        "fresh real rows score far below 1, and copies score best",
    ),
    "authenticity": (
        "share of synthetic rows that are further from their real neighbour than that is from its own",
        "fresh real rows score about a half, not 1",
    ),
    "dcr": (
        "median distance from a synthetic row to the closest training row, as a multiple of that of holdout rows",
        "a median never sees the few rows that are copied, so it is no measure of privacy",
    ),
    "nndr": (
        "median ratio of the distances to the closest and to the second closest training row",
        "a median never sees the few rows that are copied, so it is no measure of privacy",
    ),
}
"""What each figure is, and what it can't see."""

Measure = Callable[[Mapping[Part, Floats], Part], float | None]


@final
class Usual(Metric):
    """What other tools call KS and TV complement, alpha-precision, beta-recall, authenticity, DCR and NNDR, and more.

    Each is computed for synthetic rows, for shuffled columns (the floor) and for holdout rows (the ceiling). Without a
    holdout there is no ceiling, and no `dcr`.

    Source: Alaa et al. (2022), How faithful is your synthetic data?, for alpha-precision, beta-recall and authenticity,
    with one neighbour and the mean of real rows as the centre; the others as the usual tools define them.
    """

    family: ClassVar[Family] = "usual"
    gives: ClassVar[tuple[str, ...]] = tuple(SAYS)

    rows_max: int = Field(3000, ge=100, description="Rows of each table whose neighbours are looked for; a sample.")

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        compared = compare(trial)
        matrices: dict[Part, Floats] = {p: compared.matrix(p) for p in compared.parts}
        figures: dict[str, Measure] = {**_shapes(compared), **_pairs(compared)}
        found: dict[str, dict[Part, float | None]] = {
            name: {p: measure(matrices, p) for p in matrices if p != "train"} for name, measure in figures.items()
        }
        found |= self._neighbours(trial, compared, rng)
        return tuple(_score(name, found.get(name, {}), compared.note) for name in SAYS)

    def _neighbours(self, trial: Trial, compared: Compared, rng: Generator) -> dict[str, dict[Part, float | None]]:
        """The figures that are made of distances between rows, of samples of one size."""
        size = min(self.rows_max, *(len(compared.matrix(p)) for p in compared.parts))
        if size < FEWEST or not compared.encoder.readings:
            return {}
        real = [data.frame for data in (trial.train, trial.holdout) if data is not None]
        space = learn_space(real, trial.synthetic.frame, compared.encoder)
        points: dict[Part, Floats] = {
            p: space.points(compared.sample(p, size, rng=rng)).astype(np.float64) for p in compared.parts
        }
        out: dict[str, dict[Part, float | None]] = {}
        closest: dict[Part, float] = {}
        others: list[Part] = [p for p in compared.parts if p != "train"]
        for p in others:
            figures, closest[p] = _near(points["train"], points[p])
            for name, value in figures.items():
                out.setdefault(name, {})[p] = value
        fresh = closest.get("holdout", 0.0)
        out["dcr"] = {p: d / fresh for p, d in closest.items()} if fresh > 0 else {}
        return out


def _score(name: str, found: Mapping[Part, float | None], note: str) -> Score:
    is_, weak = SAYS[name]
    value = found.get("synthetic")
    if value is None:
        said = f"Not assessed ({is_}): there is too little that it could be computed of."
        return Score(name, "usual", None, None, None, None, 1.0, said, None)
    verdict = f"{is_[0].upper()}{is_[1:]}. Its weakness: {weak}.{note}"
    ceiling = found.get("holdout")
    return Score(name, "usual", value, found.get("floor"), ceiling, None, 1.0, verdict, None)


def _shapes(compared: Compared) -> dict[str, Measure]:
    """Of single columns, without nulls."""
    features = [(i, f.categorical) for i, f in enumerate(compared.encoder.features) if f.part != "words"]

    def mean(matrices: Mapping[Part, Floats], part: Part, *, categorical: bool) -> float | None:
        return _mean([
            _shape(matrices["train"][:, i], matrices[part][:, i], categorical=c)
            for i, c in features
            if c == categorical
        ])  # fmt: skip

    return {
        "ks_complement": lambda m, p: mean(m, p, categorical=False),
        "tv_complement": lambda m, p: mean(m, p, categorical=True),
    }


def _shape(first: Floats, second: Floats, *, categorical: bool) -> float | None:
    first, second = first[~np.isnan(first)], second[~np.isnan(second)]
    if not len(first) or not len(second):
        return None
    if not categorical:
        return 1 - kolmogorov_smirnov(first, second).distance
    width = int(max(first.max(), second.max())) + 1
    return 1 - total_variation(*(np.bincount(x.astype(np.int64), minlength=width) / len(x) for x in (first, second)))


def _pairs(compared: Compared) -> dict[str, Measure]:
    """Of pairs of columns: Pearson's correlations, and joint tables in which null is a category."""
    numbers = [i for i, f in enumerate(compared.encoder.features) if not f.categorical and f.part != "words"]
    levels = [i for i, f in enumerate(compared.encoder.features) if f.categorical]

    def correlation(matrices: Mapping[Part, Floats], part: Part) -> float | None:
        if len(numbers) < 2:
            return None
        first, second = (_correlations(matrices[p][:, numbers]) for p in ("train", part))
        gap = np.abs(first - second)[np.triu_indices(len(numbers), 1)]
        return _mean([1 - float(g) / 2 for g in gap if not np.isnan(g)])

    def contingency(matrices: Mapping[Part, Floats], part: Part) -> float | None:
        codes = {p: np.nan_to_num(matrices[p][:, levels] + 1).astype(np.int64) for p in ("train", part)}
        widths = [int(max(c[:, i].max() for c in codes.values())) + 1 for i in range(len(levels))]
        gaps: list[float | None] = []
        for i in range(len(levels)):
            for j in range(i + 1, len(levels)):
                joint = [
                    np.bincount(c[:, i] * widths[j] + c[:, j], minlength=widths[i] * widths[j]) / len(c)
                    for c in codes.values()
                ]
                gaps.append(1 - total_variation(joint[0], joint[-1]))
        return _mean(gaps)

    return {"correlation_similarity": correlation, "contingency_similarity": contingency}


def _correlations(values: Floats) -> Floats:
    """Pearson's correlation of every two columns, (d, d), over the rows where both are known; NaN where one is flat."""
    known = (~np.isnan(values)).astype(np.float64)
    values = values / np.maximum(np.nanmax(np.abs(values), axis=0, initial=0.0), 1e-300)  # huge squares are not finite
    count = known.T @ known
    own = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known > 0, values - np.nansum(values, axis=0) / own, 0.0)
    scale = np.sqrt((centred**2).sum(axis=0) / own)
    filled = centred / np.where(scale > 1e-12, scale, np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        first = (filled.T @ known) / count
        square = (filled**2).T @ known / count - first**2
        cross = filled.T @ filled / count - first * first.T
        return cross / np.sqrt(np.where(square > 1e-12, square, np.nan) * np.where(square > 1e-12, square, np.nan).T)


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def _near(real: Floats, made: Floats) -> tuple[dict[str, float], float]:
    """Precision, recall, authenticity and ratio of made rows, and their median distance to the closest real row."""
    across = _distances(made, real)
    own = _distances(real, real)
    np.fill_diagonal(own, np.inf)
    radius = own.min(axis=1)
    closest = across.argmin(axis=1)
    two = np.partition(across, 1, axis=1)[:, :2]
    ratio = np.divide(two[:, 0], two[:, 1], out=np.ones(len(two)), where=two[:, 1] > 0)
    levels = np.linspace(0, 1, STEPS + 1)[1:]

    centre = real.mean(axis=0)
    inner = np.quantile(_to(real, centre), levels)
    precision = np.mean(_to(made, centre)[None, :] <= inner[:, None], axis=1)

    middle = made.mean(axis=0)
    edge = np.quantile(_to(made, middle), levels)
    nearest = across.argmin(axis=0)
    met = across.min(axis=0) <= radius
    recall = np.mean(met[None, :] & (_to(made, middle)[nearest][None, :] <= edge[:, None]), axis=1)
    figures = {
        "alpha_precision": float(1 - 2 * np.abs(precision - levels).mean()),
        "beta_recall": float(1 - 2 * np.abs(recall - levels).mean()),
        "authenticity": float(np.mean(two[:, 0] > radius[closest])),
        "nndr": float(np.median(ratio)),
    }
    return figures, float(np.median(two[:, 0]))


def _to(rows: Floats, centre: Floats) -> Floats:
    return np.sqrt(((rows - centre) ** 2).sum(axis=1))


def _distances(rows: Floats, others: Floats) -> Floats:
    squared = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None, :] - 2 * rows @ others.T
    return np.sqrt(np.where(squared > 1e-9, squared, 0.0))
