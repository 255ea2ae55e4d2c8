"""Exact tests of attacks: whether rows of one sample score above rows of another more often than chance allows.

Where the two samples can be swapped for each other (neither taught the generator anything), every order of the pooled
scores is as likely, so that the tests below need no assumption on the scores.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tail:
    """What an attack finds where it may be wrong for few controls.

    Attributes:
        hits: Members that score above the threshold.
        members: Of so many.
        false: Controls that score above it, at most `allowed`.
        controls: Of so many.
        allowed: How many false positives the rate allows.
        p: The chance of at least so many hits, were members and controls the same.
    """

    hits: int
    members: int
    false: int
    controls: int
    allowed: int
    p: float

    @property
    def rate(self) -> float:
        """The true positive rate."""
        return self.hits / self.members if self.members else 0.0


def tail_attack(members: Floats, controls: Floats, rate: float) -> Tail:
    """The members above the largest threshold that keeps false positives to this rate; ties are not above.

    Args:
        members: (n,), higher is more like a member.
        controls: (m,), m > 0.
        rate: False positives, in [0, 1).

    Source: Carlini et al. (2022), sec. 3 for the rate; the test is the negative hypergeometric distribution.

    >>> tail_attack(np.array([5.0, 4.0, 1.0]), np.array([3.0, 2.0]), 0.0).hits
    2
    """
    allowed = min(int(rate * len(controls) + 1e-9), len(controls) - 1)
    cut = np.sort(controls)[len(controls) - 1 - allowed]
    hits = int((members > cut).sum())
    return Tail(
        hits,
        len(members),
        int((controls > cut).sum()),
        len(controls),
        allowed,
        tail_chance(hits, len(members), len(controls), allowed),
    )


def tail_chance(hits: int, members: int, controls: int, allowed: int) -> float:
    """The chance of at least so many members above the threshold that `allowed` controls pass, without ties.

    At least `hits` members stand above the next control where among the `hits + allowed` highest of all there are at
    most `allowed` controls. With ties the chance is lower.

    >>> round(tail_chance(2, 2, 2, 0), 4)
    0.1667
    """
    from scipy.stats import hypergeom

    return 1.0 if hits == 0 else float(hypergeom.cdf(allowed, members + controls, controls, hits + allowed))


def more_often(first: int, of: int, second: int, among: int) -> float:
    """The chance of at least `first` successes in the first sample, given all successes of both.

    Source: Fisher's exact test, one-sided.

    >>> round(more_often(3, 3, 0, 3), 4)
    0.05
    """
    from scipy.stats import hypergeom

    return float(hypergeom.sf(first - 1, of + among, first + second, of)) if of and among else 1.0


def holm(chances: Floats) -> Floats:
    """The p values corrected for how many there are, (n,).

    Source: Holm (1979).

    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    order = np.argsort(chances, kind="stable")
    stepped = np.maximum.accumulate(chances[order] * np.arange(len(chances), 0, -1))
    out = np.empty(len(chances))
    out[order] = np.minimum(stepped, 1.0)
    return out


def smallest_tail(members: int, controls: int, allowed: int, alpha: float) -> float:
    """The smallest share of members which, found by the attack, is called in about 95 of 100 runs; 1 where none is."""
    hits = _first(lambda t: tail_chance(t, members, controls, allowed) < alpha, members)
    return _for_sure(hits, members, allowed / controls)


def smallest_excess(of: int, share: float, among: int, alpha: float) -> float:
    """The smallest excess over a share of controls that `more_often` calls in about 95 of 100 runs; 1 where none is.

    Args:
        of: Rows of the first sample.
        share: Successes in the second, in [0, 1].
        among: Rows of the second.
        alpha: Error rate of the test.
    """
    second = round(share * among)
    hits = _first(lambda t: t / of >= share and more_often(t, of, second, among) < alpha, of)
    if hits is None:
        return 1.0
    spread = 1.645 * np.sqrt(max(share * (1 - share), 1 / among) * of * of / among)  # controls may show more by chance
    return _for_sure(min(of, int(np.ceil(hits + spread))), of, share)


def _first(called: Callable[[int], bool], most: int) -> int | None:
    """The first number from 1 on that is called, by halving; None where `most` is not."""
    if most < 1 or not called(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if called(middle) else (middle, high)
    return high


def _for_sure(hits: int | None, rows: int, background: float) -> float:
    """The share above the background at which so many hits come in 95 of 100 runs."""
    from scipy.special import betaincinv

    if hits is None:
        return 1.0
    share = 1.0 if hits >= rows else float(betaincinv(hits, rows - hits + 1, 0.95))
    return min(1.0, max(share - background, 1 / rows))
