"""What a detector still sees, made good: candidates are kept with the odds that they are real."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.numeric.boosted import Boosted, Inputs, fit_odds
from cuvee.synthesis.tabular.chain import Rows
from cuvee.synthesis.tabular.layout import Layout

Bytes = NDArray[np.uint8]
Narrow = NDArray[np.float32]

ROWS = 15_000
"""The detector is trained on at most this many real rows."""
TIMES = 4
"""And on this many times as many made ones: they cost little, and leave less to chance."""
CAP = 0.98
"""The odds of the most real-looking fiftieth of the candidates count as equal."""
FEWEST = 0.3
"""At least about this share of the candidates is kept; the cap is lowered where it would be less."""
WORTH = 0.003
"""Nats a row by which the detector must beat guessing on rows that it has not seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """A detector of made rows, and how its odds become a chance of being kept.

    Beside the fields it sees how far every number is from what all others say of it, by linear regression: trees alone
    are slow to see that.
    Source: Azadi et al. (2019), Discriminator rejection sampling; the odds are the density ratio of real to made rows.

    Attributes:
        numbers: (k,), the fields that have scores.
        apart: (k, k), what their scores are multiplied with to be such distances.
        cuts: (k, 254), the distances' bins.
        detector: Trees for the log odds of being real.
        cap: Odds from which on every candidate is kept.
        kept: The share of candidates that is kept.
    """

    numbers: NDArray[np.int32]
    apart: Narrow
    cuts: Narrow
    detector: Boosted
    cap: float
    kept: float

    def chances(self, rows: Rows) -> Narrow:
        """The chance of each row of being kept, (n,)."""
        features = _features(rows, (self.numbers, self.apart, self.cuts))
        odds = np.zeros(len(features), np.float32)
        self.detector.add(features, odds)
        return np.minimum(np.exp(odds) / self.cap, 1.0).astype(np.float32)

    def log_weight(self, rows: Rows) -> NDArray[np.float64]:
        """The logarithm of how much denser the kept rows are than the candidates, (n,)."""
        return np.log(self.chances(rows).astype(np.float64) + 1e-12) - np.log(self.kept)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, as arrays."""
        own = {n: getattr(self, n) for n in ("numbers", "apart", "cuts")}
        return {**self.detector.arrays(), **own, "cap": np.array([self.cap, self.kept])}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `arrays` gave."""
        own = {n: np.asarray(arrays[n]) for n in ("numbers", "apart", "cuts")}
        cap, kept = (float(x) for x in arrays["cap"])
        return cls(**own, detector=Boosted.restore(arrays), cap=cap, kept=kept)


def fit_correction(real: Rows, made: Rows, fresh: Rows, layout: Layout, *, rng: Generator) -> Correction | None:
    """Learn to tell made from real rows.

    Args:
        real: Real rows.
        made: Made rows, some times as many.
        fresh: Other made rows, for the cap.
        layout: How fields are seen.
        rng: For the rows held out.

    Returns:
        None where rows that the detector has not seen are not told apart.
    """
    n, m = real.codes.shape[1], made.codes.shape[1]
    numbers = np.array(layout.numbers, np.int32)
    apart = _apart(real.scores[numbers])
    cuts = np.quantile(apart @ real.scores[numbers], np.linspace(0, 1, 256)[1:-1], axis=1).T.astype(np.float32)
    view = (numbers, apart, np.ascontiguousarray(cuts))
    d, k = len(layout.bins), len(numbers)
    both = Inputs(
        np.ascontiguousarray(np.vstack([_features(real, view), _features(made, view)]).T),
        np.arange(d + k, dtype=np.int32),
        np.r_[layout.bins, np.full(k, 255)].astype(np.int32),
        np.r_[layout.categories, np.zeros(k)].astype(np.uint8),
        d + k,
    )
    fitted = fit_odds(both, np.r_[np.ones(n), np.zeros(m)].astype(np.float32), rng=rng)
    if fitted.gain < WORTH * n / (n + m):
        return None
    odds = np.zeros(fresh.codes.shape[1], np.float32)
    fitted.boosted.add(_features(fresh, view), odds)
    ratio = np.exp(odds.astype(np.float64))
    cap = float(np.quantile(ratio, CAP))
    while np.minimum(ratio / cap, 1).mean() < FEWEST:
        cap *= 0.9
    return Correction(*view, fitted.boosted, cap, float(np.minimum(ratio / cap, 1).mean()))


def _apart(scores: Narrow) -> Narrow:
    """(k, k), the rows of the precision matrix, each divided by its diagonal: x minus what the others say of x."""
    wide = scores.astype(np.float64)
    precision = np.linalg.inv(wide @ wide.T / max(wide.shape[1], 1) + 1e-4 * np.eye(len(wide)))
    return (precision / np.diag(precision)[:, None]).astype(np.float32)


def _features(rows: Rows, view: tuple[NDArray[np.int32], Narrow, Narrow]) -> Bytes:
    """(n, fields + numbers), bins of the fields and of the numbers' distances from what is expected."""
    numbers, apart, cuts = view
    distances = apart @ rows.scores[numbers]
    bins = [np.searchsorted(c, x).astype(np.uint8) for c, x in zip(cuts, distances, strict=True)]
    return np.column_stack([rows.features[:, :-1], *bins])
