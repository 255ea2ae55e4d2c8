"""Slices: which groups of rows, named by one or two conditions, synthetic data has too many or too few of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from cuvee.core import Family, Metric, Score, Trial
from cuvee.evaluation.fidelity.conditions import Cut, cuts
from cuvee.evaluation.trial import Compared, Part, compare
from cuvee.learners.encode import shuffled
from cuvee.numeric.intervals import around

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Matches = NDArray[np.float32]

FEWEST, COLUMNS, TESTED, SHOWN = 100, 60, 20, 5
"""Rows a side that are needed; at most so many columns are searched, slices tested, and slices named."""

LEVEL = 0.01
"""The chance that a trial without any fault names a slice (Holm, over the slices tested)."""

EXPECTED, SAID = 10, 5
"""Slices with fewer rows on both sides together are not looked at; fewer real rows than these are not counted out."""

FACTOR, SHARE = 1.25, 0.005
"""A slice warns where it is off by more than this factor, and by more than this share of the rows."""

OVERLAP, _LOOKED = 0.5, 400
"""Near-duplicates share more than this of their rows (Jaccard); among so many slices others are sought."""


@final
class Slices(Metric):
    """The largest difference of a slice's share between synthetic and real rows, of the slices that look worst.

    A slice is one condition (a level, a range of a number, a null), or two of different columns. On one random half of
    the rows the 20 slices with the largest chi-square are sought, of all there are; on the other half, which had no say
    in the choice, each is tested by Fisher's exact test (Holm, 1 % over all 20). Real rows are the holdout where there
    is one, else train. The ceiling is the same for train against holdout rows, the floor for shuffled columns. The
    interval is normal, of the difference of two shares. It fails where a significant slice is off by more than a
    factor of 1.25 and by more than 0.5 % of the rows.

    Source: Holm (1979); the search is that of SliceFinder, Chung et al. (2019), of depth two and without a model.
    """

    family: ClassVar[Family] = "fidelity"

    rows_max: int = Field(20_000, ge=200, description="Rows of each side; of more, so many are drawn at random.")

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        compared = compare(trial)
        against: Part = "train" if trial.holdout is None else "holdout"
        rows = {part: _draw(compared, part, self.rows_max, rng) for part in compared.parts}
        conditions = [] if not compared.encoder.features else cuts(trial, compared, rows["train"])
        few = min(len(rows[against]), len(rows["synthetic"])) < FEWEST
        if few or not conditions:
            why = f"fewer than {FEWEST} rows on a side" if few else "no column can be compared and named"
            verdict = f"Not assessed: {why}.{compared.note}"
            return (Score("slices", self.family, None, None, None, None, 0.0, verdict, None),)
        coded = {p: np.column_stack([c.codes(m) for c in conditions]) for p, m in rows.items()}
        made = _search(coded[against], coded["synthetic"], conditions)
        floor = _search(coded[against], coded["floor"], conditions).value
        fresh = trial.holdout is not None and len(rows["train"]) >= FEWEST
        ceiling = _search(coded[against], coded["train"][: len(rows["synthetic"])], conditions).value if fresh else None
        return (_summary(made, floor, ceiling, _note(trial, compared, self.rows_max)),)


@dataclass(frozen=True, slots=True)
class _Slice:
    """A slice, and its rows in the halves that had no say in its choice."""

    says: str
    real: int
    of: int
    made: int
    among: int

    @property
    def gap(self) -> float:
        return self.made / self.among - self.real / self.of

    @property
    def error(self) -> float:
        """Standard error of the gap."""
        p, q = self.made / self.among, self.real / self.of
        return float(np.sqrt(p * (1 - p) / self.among + q * (1 - q) / self.of))

    @property
    def chance(self) -> float:
        """Fisher's exact test, two-sided."""
        from scipy.stats import fisher_exact

        found: Any = fisher_exact([[self.made, self.among - self.made], [self.real, self.of - self.real]])
        return float(found.pvalue)

    @property
    def ratio(self) -> float:
        """Synthetic for each real one, where fewer than `SAID` real rows count as so many."""
        return (self.made / self.among) / (max(self.real, SAID) / self.of)

    @property
    def alarms(self) -> bool:
        return abs(self.gap) > SHARE and not 1 / FACTOR <= self.ratio <= FACTOR


@dataclass(frozen=True, slots=True)
class _Found:
    tested: list[_Slice]
    significant: list[_Slice]
    looked: int

    @property
    def value(self) -> float:
        return max((abs(s.gap) for s in self.tested), default=0.0)


def _draw(compared: Compared, part: Part, most: int, rng: Generator) -> Floats:
    """At most so many rows of a part, in a random order that hangs on what they hold."""
    matrix = compared.matrix(part)
    return matrix[shuffled(matrix, rng=rng)[:most]]


def _search(real: Codes, made: Codes, conditions: Sequence[Cut]) -> _Found:
    """The slices that differ most on the first half of the rows, and which of them differ on the second."""
    halves = len(real) // 2, len(made) // 2
    widths = np.array([len(c.names) for c in conditions])
    kept = _most_apart(real[: halves[0]], made[: halves[1]], widths)
    names = [n for i in kept for n in conditions[i].names]
    owner = np.repeat(np.arange(len(kept)), widths[kept])
    a, b = (_matches(codes[:, kept], widths[kept]) for codes in (real, made))
    counts = [(m.T @ m).astype(np.float64) for m in (a[: halves[0]], b[: halves[1]])]
    apart = _chi_square(counts[0], counts[1], halves)
    # Two conditions of one column never hold together; on the diagonal stands a condition alone.
    allowed = (owner[:, None] < owner[None, :]) | np.eye(len(names), dtype=np.bool_)
    allowed &= counts[0] + counts[1] >= EXPECTED
    left, right = np.nonzero(allowed)
    order = np.lexsort((right, left, left != right, -np.round(apart[left, right], 9)))[:_LOOKED]
    pooled = np.concatenate([a[: halves[0]], b[: halves[1]]])
    chosen = _distinct(pooled, [(int(left[k]), int(right[k])) for k in order])
    tested = [
        _Slice(
            names[i] if i == j else f"{names[i]} and {names[j]}",
            int((a[halves[0] :, i] * a[halves[0] :, j]).sum()),
            len(real) - halves[0],
            int((b[halves[1] :, i] * b[halves[1] :, j]).sum()),
            len(made) - halves[1],
        )
        for i, j in chosen
    ]
    return _Found(tested, _holm(tested), len(left))


def _most_apart(real: Codes, made: Codes, widths: Codes) -> Codes:
    """The columns whose conditions differ most by themselves, in their order."""
    apart: list[float] = []
    for i, width in enumerate(widths):
        counts = [np.bincount(c[:, i] + 1, minlength=int(width) + 1).astype(np.float64) for c in (real, made)]
        apart.append(float(_chi_square(counts[0], counts[1], (len(real), len(made))).sum()))
    return np.sort(np.argsort(-np.round(apart, 9), kind="stable")[:COLUMNS])


def _chi_square(real: Floats, made: Floats, sizes: tuple[int, int]) -> Floats:
    """Of the table with two rows and two columns that each pair of counts makes; 0 where all or no rows count."""
    pooled = (real + made) / sum(sizes)
    spread = pooled * (1 - pooled) * (1 / sizes[0] + 1 / sizes[1])
    gap = made / sizes[1] - real / sizes[0]
    return np.divide(gap**2, spread, out=np.zeros_like(gap), where=spread > 0)


def _matches(codes: Codes, widths: Codes) -> Matches:
    """Which conditions each row meets, (n, conditions)."""
    return np.concatenate(
        [codes[:, [i]] == np.arange(int(width)) for i, width in enumerate(widths)], axis=1, dtype=np.float32
    )


def _distinct(pooled: Matches, ordered: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The first slices of this order that are not near-duplicates of one before them."""
    chosen: list[tuple[int, int]] = []
    rows: list[Matches] = []
    for i, j in ordered:
        own = pooled[:, i] * pooled[:, j]
        both = np.array([float(own @ other) for other in rows])
        either = np.array([float(own.sum() + other.sum()) for other in rows]) - both
        if not (both > OVERLAP * either).any():
            chosen.append((i, j))
            rows.append(own)
        if len(chosen) == TESTED:
            break
    return chosen


def _holm(tested: Sequence[_Slice]) -> list[_Slice]:
    """The slices that differ significantly, the most certain first."""
    ordered = sorted(((s.chance, s.says, s) for s in tested), key=lambda t: t[:2])
    kept: list[_Slice] = []
    for rank, (chance, _, one) in enumerate(ordered):
        if chance > LEVEL / (len(ordered) - rank):
            break
        kept.append(one)
    return kept


def _says(one: _Slice) -> str:
    few = one.real < SAID
    ratio = f"{one.ratio:.2g}" if one.ratio < 10 else f"{one.ratio:.0f}"
    times = f"{'at least ' if few else ''}{ratio} times as many"
    shares = f"{_percent(one.made / one.among)} instead of {'less than ' if few else ''}"
    return f"Synthetic rows have {times} rows with {one.says}: {shares}{_percent(max(one.real, SAID) / one.of)}."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.01 else f"{100 * share:.2g} %"


def _note(trial: Trial, compared: Compared, most: int) -> str:
    cut = any(len(compared.matrix(p)) > most for p in compared.parts)
    drawn = f" At most {most:,} rows a side, drawn at random." if cut else ""
    held = " The real rows are the training rows, for want of a holdout." if trial.holdout is None else ""
    return compared.note + drawn + held


def _summary(found: _Found, floor: float, ceiling: float | None, note: str) -> Score:
    shown = found.significant[:SHOWN]
    detail: list[dict[str, Any]] = [
        {
            "group": s.says,
            "real": max(s.real, SAID) / s.of,
            "synthetic": s.made / s.among,
            "value": s.ratio,
            "alarm": s.alarms,
            "says": _says(s),
        }
        for s in shown
    ]
    verdict = f"None of {found.looked:,} slices of rows differs more than chance explains.{note}"
    if shown:
        many = f"{len(found.significant)} of {len(found.tested)} slices tested (chosen out of {found.looked:,})"
        verdict = f"{_says(shown[0])} Off by more than chance explains: {many}.{note}"
    error = max(((abs(s.gap), s.says, s.error) for s in found.tested), default=(0.0, "", 0.0))[2]
    passed = not any(s.alarms for s in found.significant)
    interval = around(found.value, error)
    return Score("slices", "fidelity", found.value, floor, ceiling, interval, 0.0, verdict, passed, tuple(detail))
