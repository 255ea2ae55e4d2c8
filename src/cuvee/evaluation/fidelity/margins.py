"""Margins: what the distance of distributions does not see: tails, repeated values, and rare categories."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.core import Family, Metric, Score, Trial
from cuvee.evaluation.trial import Compared, compare
from cuvee.numeric.attacks import holm
from cuvee.numeric.homogeneity import same_shares

Floats = NDArray[np.float64]
Name = Literal["tails", "rounding", "rare"]

CUTS = (0.001, 0.01, 0.99, 0.999)
"""Tails begin at these quantiles of train."""

OUTER = 2_000
"""With fewer train rows the outer two are left out: they would be single values."""

HEAPS = 10
"""The commonest values that count as repeated."""

HEAPED = 0.1
"""Numbers of which the commonest values make up less than this share are not rounded to anything."""

RARE = ((5, 20), (20, 100))
"""Levels are rare where so many train rows have them; each range counts as one."""

ALPHA = 0.01
"""Error rate of the alarms of one figure."""

PASS_AT = 0.75
"""A figure passes where its mean is at least this, or as good as fresh real rows less `SLACK`."""
SLACK = 0.1

SAYS: dict[Name, tuple[str, str]] = {
    "tails": ("Tails", "no column has enough different numbers"),
    "rounding": ("Repeated values", "no column of numbers repeats its values"),
    "rare": ("Rare categories", "no column has rare categories"),
}


@final
class Margins(Metric):
    """Shares of rows that lie in tails, on repeated values, and in rare categories, beside those of train.

    * `tails`: beyond the .1, 1, 99 and 99.9 % quantiles of train, of each column of numbers.
    * `rounding`: on each column's ten commonest values of train, and between them where train has whole numbers alone.
    * `rare`: in levels that 5 to 19, and 20 to 99, train rows have, and in levels that no real row has.

    Of each, the figure is the mean of the smaller share over the larger (1 the same, 0 where one side has none), and
    so for holdout rows. A share that differs more than chance explains is an alarm: an exact test given the sum of
    both counts, with Holm's correction, at 1 % for all of a figure.
    """

    family: ClassVar[Family] = "fidelity"
    gives: ClassVar[tuple[str, ...]] = ("tails", "rounding", "rare")

    def score(self, trial: Trial, *, rng: Generator) -> tuple[Score, ...]:
        del rng  # nothing is sampled
        compared = compare(trial)
        return tuple(_score(name, list(found), compared) for name, found in _found(compared).items())


@dataclass(frozen=True, slots=True)
class _Share:
    """Rows of one kind: how many each part has of them."""

    column: str
    says: str
    train: int
    made: int
    fresh: int | None


def _found(compared: Compared) -> dict[Name, Iterator[_Share]]:
    return {"tails": _tails(compared), "rounding": _rounding(compared), "rare": _rare(compared)}


def _sides(compared: Compared, place: int) -> tuple[Floats, Floats, Floats | None]:
    fresh = compared.matrix("holdout")[:, place] if "holdout" in compared.parts else None
    return compared.matrix("train")[:, place], compared.matrix("synthetic")[:, place], fresh


def _numbers(compared: Compared) -> Iterator[tuple[str, tuple[Floats, Floats, Floats | None]]]:
    for place, feature in enumerate(compared.encoder.features):
        if not feature.categorical and feature.part == "":
            yield feature.column, _sides(compared, place)


def _tails(compared: Compared) -> Iterator[_Share]:
    for column, (train, made, fresh) in _numbers(compared):
        known = train[~np.isnan(train)]
        if len(known) < 100 or len(np.unique(known)) < 20:
            continue
        cuts = CUTS if len(known) >= OUTER else CUTS[1:3]
        for cut, at in zip(cuts, np.quantile(known, cuts), strict=True):
            low = cut < 0.5
            counts = [None if x is None else int(((x < at) if low else (x > at)).sum()) for x in (train, made, fresh)]
            if counts[0]:
                yield _Share(column, f"{'below' if low else 'above'} the {100 * cut:g} % quantile", *_three(counts))


def _rounding(compared: Compared) -> Iterator[_Share]:
    for column, (train, made, fresh) in _numbers(compared):
        known = train[~np.isnan(train)]
        if len(known) < 100:
            continue
        values, counts = np.unique(known, return_counts=True)
        if counts.max() < len(known):
            common = values[np.lexsort((values, -counts))][:HEAPS]
            if np.sort(counts)[::-1][:HEAPS].sum() >= HEAPED * len(known):
                on = [None if x is None else int(np.isin(x, common).sum()) for x in (train, made, fresh)]
                yield _Share(column, f"on the {len(common)} commonest values", *_three(on))
        if (values == np.round(values)).all():
            off = [None if x is None else int((x[~np.isnan(x)] % 1 != 0).sum()) for x in (train, made, fresh)]
            if any(off):
                yield _Share(column, "between whole numbers", *_three(off))


def _rare(compared: Compared) -> Iterator[_Share]:
    for place, feature in enumerate(compared.encoder.features):
        if not feature.categorical:
            continue
        width = len(compared.encoder.levels[feature.column])
        counted = [
            None if x is None else np.bincount(x[~np.isnan(x)].astype(np.int64), minlength=width)
            for x in _sides(compared, place)
        ]
        train, _, fresh = counted
        if train is None:
            continue
        for low, high in RARE:
            here = (train >= low) & (train < high)
            if here.any():
                name = "category" if here.sum() == 1 else "categories"
                says = f"in {int(here.sum())} {name} of {low} to {high - 1} rows each"
                yield _Share(
                    feature.column, says, *_three([None if c is None else int(c[here].sum()) for c in counted])
                )
        real = train if fresh is None else train + fresh
        made = counted[1]
        if made is not None and made[real == 0].sum():
            yield _Share(feature.column, "in categories that no real row has", 0, int(made[real == 0].sum()), 0)


def _three(counts: Sequence[int | None]) -> tuple[int, int, int | None]:
    return counts[0] or 0, counts[1] or 0, counts[2]


def _score(name: Name, shares: list[_Share], compared: Compared) -> Score:
    what, nothing = SAYS[name]
    if not shares:
        verdict = f"Not assessed: {nothing}.{compared.note}"
        return Score(name, "fidelity", None, None, None, None, 1.0, verdict, None)
    sizes = (len(compared.matrix("train")), len(compared.matrix("synthetic")))
    counts = np.array([[s.train, s.made] for s in shares], dtype=np.float64)
    chances = holm(same_shares(counts[:, 0], counts[:, 1], sizes))
    rows = [_row(s, float(p), sizes, compared) for s, p in zip(shares, chances, strict=True)]
    value = float(np.mean([r["value"] for r in rows]))
    ceilings = [r["ceiling"] for r in rows if r["ceiling"] is not None]
    ceiling = float(np.mean(ceilings)) if ceilings else None
    rows.sort(key=lambda r: (not r["alarm"], r["value"], r["column"], r["says"]))
    reference = "" if ceiling is None else f" (fresh real rows {ceiling:.2f})"
    told = [r for r in rows if r["alarm"]]
    more = f", and {len(told) - 1} more" if len(told) > 1 else ""
    worst = (
        f"; more than chance explains: {rows[0]['says']}{more}." if told else "; none differs more than chance does."
    )
    verdict = f"{what} have the right shares by {value:.2f} of 1{reference}{worst}{compared.note}"
    passed = value >= PASS_AT or (ceiling is not None and value >= ceiling - SLACK) or not told
    return Score(name, "fidelity", value, None, ceiling, None, 1.0, verdict, passed, tuple(rows))


def _row(share: _Share, p: float, sizes: tuple[int, int], compared: Compared) -> dict[str, Any]:
    real, made = share.train / sizes[0], share.made / sizes[1]
    ceiling = None
    if share.fresh is not None and "holdout" in compared.parts:
        ceiling = _ratio(real, share.fresh / len(compared.matrix("holdout")))
    said = f"{share.column} has {made:.2%} of rows {share.says} instead of {real:.2%}"
    return {
        "column": share.column,
        "real": real,
        "synthetic": made,
        "value": _ratio(real, made),
        "ceiling": ceiling,
    } | {
        "alarm": p < ALPHA,
        "says": said,
    }


def _ratio(first: float, second: float) -> float:
    return 1.0 if first == second else min(first, second) / max(first, second)
