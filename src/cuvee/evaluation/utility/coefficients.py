"""Coefficients: whether a regression on synthetic rows says what it says on real rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from cuvee.core import Family, Metric, Score, Trial
from cuvee.evaluation.trial import Compared, Part, compare
from cuvee.evaluation.utility.chosen import targets_of
from cuvee.learners.encode import learn_encoder, numbers, words
from cuvee.learners.linear import Design, learn_design
from cuvee.learners.target import Target
from cuvee.numeric.intervals import Z95
from cuvee.numeric.regression import Fit, least_squares, logistic, overlap

Floats = NDArray[np.float64]

FEWEST = 200
"""Fewer rows of a table say too little of a coefficient."""

PASS_AT = 0.8
"""Coefficients pass at this share of the way from shuffled columns to fresh real rows."""

CLOSE = 0.05
"""Or this near to fresh real rows."""

SURE = 3.0
"""A coefficient is sure of its sign where it is so many standard errors from 0."""


@final
class Coefficients(Metric):
    """The mean overlap of the 95 % intervals of regression coefficients from train and from synthetic rows.

    The targets are those of `targets`; a number is regressed by least squares, a yes/no target or the commonest class
    against the rest by logistic regression, on the same features (numbers in units of their spread, flags of common
    levels and of nulls). All regressions use as many rows. 1: the same intervals; 0: they do not meet. Two samples of
    one population overlap by about .71, which the ceiling, from holdout rows, shows. The detail names the
    coefficients that differ most, and those whose sign turned although real rows are sure of it.

    Source: Karr et al. (2006).
    """

    family: ClassVar[Family] = "utility"

    automatic: int = Field(3, ge=0, le=20, description="Targets chosen beside the named one.")
    rows_max: int = Field(6000, ge=FEWEST, description="Rows of each table; of more, so many are drawn at random.")

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        if trial.holdout is None:
            return (_unknown("no holdout"),)
        compared = compare(trial)
        size = min(self.rows_max, *(len(compared.matrix(p)) for p in compared.parts))
        if size < FEWEST:
            return (_unknown(f"a table has fewer than {FEWEST} rows"),)
        tables: dict[Part, pl.DataFrame] = {part: compared.sample(part, size, rng=rng) for part in compared.parts}
        done: list[_Regressed] = []
        for target in targets_of(trial, compared, self.automatic):
            found = _regress(target, tables, compared)
            if found is not None:
                done.append(found)
        if not done:
            return (_unknown("no column was found that the others teach"),)
        return (_summary(done, compared),)


def _unknown(why: str) -> Score:
    return Score("coefficients", "utility", None, None, None, None, 1.0, f"not assessed: {why}", None)


@dataclass(frozen=True, slots=True)
class _Regressed:
    """One target: the regressions of each table, and the names of their features."""

    target: str
    design: Design
    fits: dict[Part, Fit]

    def overlap(self, table: Part) -> Floats:
        """Of each coefficient but the constant; not below 0, so that none outweighs all others."""
        return np.maximum(overlap(self.fits["train"], self.fits[table], width=Z95)[1:], 0.0)

    def rows(self) -> list[dict[str, Any]]:
        real, made = self.fits["train"], self.fits["synthetic"]
        same, fresh = self.overlap("synthetic"), self.overlap("holdout")
        return [
            {"group": self.target, "column": name, "value": float(same[i]), "ceiling": float(fresh[i])}
            | {"real": float(real.coefficients[i + 1]), "synthetic": float(made.coefficients[i + 1])}
            for i, name in enumerate(self.design.names[1:])
        ]

    def turned(self) -> tuple[int, int]:
        """Coefficients of whose sign real rows are sure, and those of them that synthetic rows give the other sign."""
        real, made = self.fits["train"], self.fits["synthetic"]
        sure = np.abs(real.coefficients) > SURE * np.maximum(real.errors, 1e-12)
        sure[0] = False
        return int(sure.sum()), int((sure & (np.sign(made.coefficients) != np.sign(real.coefficients))).sum())


def _regress(target: Target, tables: Mapping[Part, pl.DataFrame], compared: Compared) -> _Regressed | None:
    train = tables["train"]
    kinds = dict(compared.kinds)
    task = target.task(train, kinds[target.column])
    encoder = learn_encoder([t.select(list(kinds)) for t in tables.values()], kinds, without=(target.column,))
    if not encoder.features:
        return None
    known = words(target.of(train).drop_nulls())
    if known.n_unique() < 2:
        return None
    # Of yes and no the last in order, as `utility` has it; of classes the commonest.
    chosen = (known if task == "yes_no" else known.mode()).sort()[-1]
    design: Design | None = None
    fits: dict[Part, Fit] = {}
    start: Floats | None = None
    for name, frame in tables.items():
        values = target.of(frame)
        kept = values.is_not_null()
        features = encoder.matrix(frame.filter(kept))
        if len(features) < FEWEST:
            return None
        design = design or learn_design(encoder, features)
        if task == "number":
            fits[name] = _line(design.matrix(features), numbers(values.filter(kept)))
        else:
            truth = (words(values.filter(kept)) == chosen).to_numpy().astype(np.float64)
            fits[name] = logistic(design.matrix(features), truth, start=start)
            start = fits[name].coefficients
    said = str(target) if task != "classes" else f"{target} = {chosen}"
    return None if design is None or len(design.names) < 2 else _Regressed(said, design, fits)


def _line(features: Floats, target: Floats) -> Fit:
    """Least squares of a target of which the outermost thousandths are drawn in: one odd row settles nothing."""
    low, high = np.quantile(target, [0.001, 0.999])
    return least_squares(features, np.clip(target, low, high))


def _summary(done: list[_Regressed], compared: Compared) -> Score:
    value, ceiling, floor = (
        float(np.mean([d.overlap(table).mean() for d in done])) for table in ("synthetic", "holdout", "floor")
    )
    rows = sorted(
        (row for d in done for row in d.rows()), key=lambda r: (r["value"] - r["ceiling"], r["group"], r["column"])
    )
    sure, turned = (sum(d.turned()[i] for d in done) for i in (0, 1))
    worst = rows[0]
    verdict = (
        f"The intervals of regression coefficients overlap by {value:.2f} (fresh real rows {ceiling:.2f}, shuffled "
        f"columns {floor:.2f}); of {sure} coefficients whose sign real rows are sure of, {turned or 'none'} "
        f"{'turn' if turned != 1 else 'turns'}. The furthest off: for {worst['group']}, {worst['column']} has "
        f"{worst['synthetic']:+.2f} and should have {worst['real']:+.2f}.{compared.note}"
    )
    passed = value >= ceiling - CLOSE or value >= floor + PASS_AT * (ceiling - floor)
    return Score("coefficients", "utility", value, floor, ceiling, None, 1.0, verdict, passed, tuple(rows))
