"""Groups: whether columns are distributed within each group as in the real data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from cuvee.core import Family, Metric, Score, Trial
from cuvee.evaluation.fidelity.conditions import BINS, Cut, cuts
from cuvee.evaluation.fidelity.reversal import reversal
from cuvee.evaluation.fidelity.shape import Gap, measure
from cuvee.evaluation.trial import compare
from cuvee.learners.encode import shuffled
from cuvee.numeric.association import cramers_v
from cuvee.numeric.distances import at_other_size, size_ratio
from cuvee.numeric.intervals import around

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

PAIRS = 30
"""Pairs of a group column and another one, the most associated in train."""

COLUMNS = 150
"""Columns among which pairs are sought; of more, so many are drawn at random."""

LEAST = 50
"""Rows of train that a group has at least."""

PASS_AT, CLOSE = 0.8, 0.01
"""Passes at this share of the way from shuffled columns to fresh real rows, or this near to them."""

CERTAIN, FAR = 4.0, 0.1
"""A group's mean is named where it is off by so many standard errors, and by so many standard deviations."""

_LARGEST = 1e100
"""Means of columns with larger numbers are not compared."""


@final
class Groups(Metric):
    """The mean over groups of one minus the distance between train's and synthetic's distribution within the group.

    A group is a level or a range of one column; what is compared within it is another column, by Kolmogorov-Smirnov
    for numbers and total variation for categories, for the 30 pairs of columns that go together most in train (Cramér's
    V). Groups weigh by their rows in train; a group without synthetic rows counts 0. The ceiling is the same for
    holdout rows, at synthetic's number of rows; the floor for shuffled columns. The interval is by the delta method
    over rows of both tables, given the sizes of groups. The detail names the group whose mean is farthest off.
    """

    family: ClassVar[Family] = "fidelity"

    rows_max: int = Field(20_000, ge=100, description="Rows of each table; of more, so many are drawn at random.")

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        compared = compare(trial)
        rows = {p: compared.matrix(p)[shuffled(compared.matrix(p), rng=rng)[: self.rows_max]] for p in compared.parts}
        columns = cuts(trial, compared, rows["train"]) if compared.encoder.features else []
        if len(columns) > COLUMNS:
            columns = [columns[i] for i in np.sort(rng.choice(len(columns), size=COLUMNS, replace=False))]
        codes = {p: {c.place: c.codes(m) for c in columns} for p, m in rows.items()}
        pairs, strength = _pairs(columns, codes["train"])
        if not pairs:
            verdict = f"Not assessed: no column has two groups of {LEAST} rows to compare another one in."
            return (Score("groups", self.family, None, None, None, None, 1.0, verdict + compared.note, None),)
        found = [_compare(rows, codes, group, other) for group, other in pairs]
        means = [
            m for group, other in pairs if not other.feature.categorical for m in _means(rows, codes, group, other)
        ]
        held = f" At most {self.rows_max:,} rows of each table were drawn at random."
        cut = any(len(compared.matrix(p)) > self.rows_max for p in compared.parts)
        note = reversal(rows, codes, columns, strength) + compared.note + (held if cut else "")
        return (_summary(found, sorted(means, key=lambda m: (-m["apart"], m["group"])), note),)


@dataclass(frozen=True, slots=True)
class _Pair:
    """What became of one pair of columns; `train` and `synthetic` are what each row adds to the distance."""

    row: dict[str, Any]
    best: float
    train: Floats
    synthetic: Floats


def _groups(column: Cut, codes: Codes) -> list[int]:
    """The conditions of a column that enough rows of train meet; null is one."""
    counts = np.bincount(codes[codes >= 0], minlength=len(column.names))
    return [int(g) for g in np.flatnonzero(counts >= LEAST)]


def _pairs(columns: Sequence[Cut], codes: Mapping[int, Codes]) -> tuple[list[tuple[Cut, Cut]], Floats]:
    """The most associated pairs, (the column that groups, the other), and how associated all columns are, (d, d)."""
    if len(columns) < 2:
        return [], np.zeros((len(columns), len(columns)))
    stacked = np.column_stack([codes[c.place] + 1 for c in columns])
    strength = cramers_v(stacked, np.array([len(c.names) + 1 for c in columns]))
    groups = [len(_groups(c, codes[c.place])) for c in columns]
    left, right = np.triu_indices(len(columns), 1)
    order = np.argsort(-np.round(strength[left, right], 9), kind="stable")
    chosen: list[tuple[Cut, Cut]] = []
    for i, j in zip(left[order].tolist(), right[order].tolist(), strict=True):
        # A category groups rather than a number does, and of two the one with fewer groups.
        ways = [(not columns[g].feature.categorical, groups[g], g, o) for g, o in ((i, j), (j, i))]
        ways = [
            w for w in ways if 2 <= w[1] <= BINS + 1 and columns[w[2]].feature.column != columns[w[3]].feature.column
        ]
        if ways:
            chosen.append((columns[min(ways)[2]], columns[min(ways)[3]]))
        if len(chosen) == PAIRS:
            break
    return chosen, strength


def _compare(rows: Mapping[str, Floats], codes: Mapping[str, Mapping[int, Codes]], group: Cut, other: Cut) -> _Pair:
    categorical = other.feature.categorical
    # Of a category the common levels stand alone and the others count as one.
    values = {
        p: (codes[p][other.place] + 1).astype(np.float64) if categorical else m[:, other.place] for p, m in rows.items()
    }
    of = {p: c[group.place] for p, c in codes.items()}
    groups = _groups(group, of["train"])
    total = sum(int((of["train"] == g).sum()) for g in groups)
    added = {p: np.zeros(len(rows[p])) for p in ("train", "synthetic")}
    value, floor, ceiling, best, held = 0.0, 0.0, 0.0, 0.0, 0.0
    for g in groups:
        picks = {p: c == g for p, c in of.items()}
        inside = {p: values[p][pick] for p, pick in picks.items()}
        share = len(inside["train"]) / total
        made = max(1.0, len(inside["train"]) * len(rows["synthetic"]) / len(rows["train"]))
        gap = _gap(inside["train"], inside["synthetic"], categorical=categorical)
        naive = _gap(inside["train"], inside["floor"], categorical=categorical)
        value += share * (1 - gap.distance if gap else 0.0)
        floor += share * (1 - naive.distance if naive else 0.0)
        best += share * (1 - gap.expected if gap else 1.0)
        if gap:
            added["train"][picks["train"]] += share * (gap.first - gap.first.mean()) / len(gap.first)
            added["synthetic"][picks["synthetic"]] += share * (gap.second - gap.second.mean()) / len(gap.second)
        fresh = _gap(inside["train"], inside["holdout"], categorical=categorical) if "holdout" in inside else None
        if fresh:
            sizes = (len(inside["train"]), len(inside["holdout"]))
            ratio = size_ratio(sizes, (sizes[0], round(made)))
            ceiling += share * (1 - min(1.0, at_other_size(fresh.distance, fresh.expected, ratio)))
            held += share
    row: dict[str, Any] = {"left": group.title, "right": other.title, "value": value, "floor": floor}
    row["ceiling"] = ceiling / held if held else None
    return _Pair(row, best, added["train"], added["synthetic"])


def _gap(first: Floats, second: Floats, *, categorical: bool) -> Gap | None:
    return measure(first, second, categorical=categorical) if len(second) else None


def _means(
    rows: Mapping[str, Floats], codes: Mapping[str, Mapping[int, Codes]], group: Cut, other: Cut
) -> list[dict[str, Any]]:
    """The groups in which the mean of a number is off, with a sentence each."""
    real, made = rows["train"][:, other.place], rows["synthetic"][:, other.place]
    known = real[~np.isnan(real)]
    if not len(known) or max(np.abs(known).max(), np.nanmax(np.abs(made), initial=0.0)) > _LARGEST:
        return []
    found: list[dict[str, Any]] = []
    for g in _groups(group, codes["train"][group.place]):
        a, b = real[codes["train"][group.place] == g], made[codes["synthetic"][group.place] == g]
        a, b = a[~np.isnan(a)], b[~np.isnan(b)]
        if min(len(a), len(b)) < LEAST // 2:
            continue
        gap = float(b.mean() - a.mean())
        error = float(np.sqrt(a.var() / len(a) + b.var() / len(b)))
        if abs(gap) > CERTAIN * error and abs(gap) > FAR * float(known.std()):
            shown = [_figure(other, float(x.mean())) for x in (b, a)]
            name = f"{other.title} of {group.names[g]}"
            says = f"{name} has mean {shown[0]} in synthetic and {shown[1]} in real rows."
            figures = {"real": float(a.mean()), "synthetic": float(b.mean()), "difference": gap}
            apart = abs(gap) / float(known.std()) if known.std() > 0 else 0.0
            found.append({"group": name, **figures, "alarm": True, "says": says, "apart": apart})
    return found


def _figure(column: Cut, value: float) -> str:
    return column.show(value) if column.dtype.is_temporal() and not column.feature.part else f"{value:.4g}"


def _summary(found: Sequence[_Pair], means: Sequence[dict[str, Any]], note: str) -> Score:
    value, floor = (float(np.mean([f.row[k] for f in found])) for k in ("value", "floor"))
    ceilings = [f.row["ceiling"] for f in found if f.row["ceiling"] is not None]
    ceiling = float(np.mean(ceilings)) if ceilings else None
    best = float(np.mean([f.best for f in found])) if ceiling is None else ceiling
    error = float(
        np.sqrt(
            sum((np.mean(part, axis=0) ** 2).sum() for part in ([f.train for f in found], [f.synthetic for f in found]))
        )
    )
    pairs = sorted(
        (f.row for f in found),
        key=lambda r: (r["value"] - (1.0 if r["ceiling"] is None else r["ceiling"]), r["left"], r["right"]),
    )
    fresh = f"chance alone gives {best:.3f}; no holdout" if ceiling is None else f"fresh real rows {ceiling:.3f}"
    worst = means[0]["says"] if means else f"The furthest off is {pairs[0]['right']} within {pairs[0]['left']}."
    verdict = (
        f"Within groups, columns match the real ones by {value:.3f} of 1 ({fresh}, shuffled columns {floor:.3f}). "
        f"{worst}{note}"
    )
    detail = ({k: v for k, v in m.items() if k != "apart"} for m in means[:5])
    passed = value >= best - CLOSE or value >= floor + PASS_AT * (best - floor)
    return Score(
        "groups", "fidelity", value, floor, ceiling, around(value, error), 1.0, verdict, passed, (*detail, *pairs)
    )
