"""Linear and logistic regression with standard errors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RIDGE = 1e-3
"""A penalty in units of one row: it moves no coefficient that rows speak of, and settles those they are silent on."""

STEPS = 25
"""Newton's steps at most; most regressions take six."""

_LARGEST = 30.0
"""A log-odds beyond this is a certainty for floating point."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A regression.

    Attributes:
        coefficients: (features,).
        errors: Their standard errors, (features,).
    """

    coefficients: Floats
    errors: Floats

    def line(self, features: Floats) -> Floats:
        """The linear predictor, (n,)."""
        return features @ self.coefficients


def least_squares(features: Floats, target: Floats) -> Fit:
    """Ordinary least squares, with standard errors that allow the spread to differ from row to row.

    Args:
        features: (n, features), the constant among them, in like units; n > features.
        target: (n,).

    Source: White (1980), the sandwich, with the correction n / (n - features) of MacKinnon and White (1985), HC1.
    """
    rows, width = features.shape
    unit = float(np.abs(target).max(initial=0.0)) or 1.0  # squares of huge numbers would not be finite
    inverse = np.linalg.pinv(features.T @ features + RIDGE * np.eye(width), hermitian=True)
    coefficients = inverse @ (features.T @ (target / unit))
    scores = features * (target / unit - features @ coefficients)[:, None]
    spread = inverse @ (scores.T @ scores) @ inverse * (rows / max(rows - width, 1))
    return Fit(coefficients * unit, np.sqrt(np.maximum(np.diag(spread), 0)) * unit)


def logistic(features: Floats, target: Floats, *, start: Floats | None = None) -> Fit:
    """Logistic regression by Newton's method, with standard errors from the curvature.

    Args:
        features: (n, features), the constant among them, in like units.
        target: (n,), 0 or 1.
        start: (features,), coefficients of similar rows, from where fewer steps are needed.

    Source: iteratively reweighted least squares, McCullagh and Nelder (1989), section 4.4; a step that does not lower
    the penalised deviance is halved.
    """
    width = features.shape[1]
    coefficients = np.zeros(width) if start is None else start
    now = _deviance(features, target, coefficients)
    for _ in range(STEPS):
        chance = _chance(features @ coefficients)
        curvature = _curvature(features, chance)
        slope = features.T @ (target - chance) - RIDGE * coefficients
        step = np.linalg.solve(curvature, slope)
        size = 1.0
        while size > 1e-3 and _deviance(features, target, coefficients + size * step) > now:
            size /= 2
        coefficients = coefficients + size * step
        before, now = now, _deviance(features, target, coefficients)
        if before - now <= 1e-8 * max(abs(before), 1.0):
            break
    spread = np.linalg.inv(_curvature(features, _chance(features @ coefficients)))
    return Fit(coefficients, np.sqrt(np.maximum(np.diag(spread), 0)))


def _chance(line: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(line, -_LARGEST, _LARGEST)))


def _curvature(features: Floats, chance: Floats) -> Floats:
    weights = chance * (1 - chance)
    return (features * weights[:, None]).T @ features + RIDGE * np.eye(features.shape[1])


def _deviance(features: Floats, target: Floats, coefficients: Floats) -> float:
    line = features @ coefficients
    loss = np.logaddexp(0, line) - target * line
    return float(loss.sum() + RIDGE / 2 * coefficients @ coefficients)


def overlap(first: Fit, second: Fit, *, width: float) -> Floats:
    """How much two intervals of each coefficient overlap, (features,): 1 the same, 0 apart, below 0 far apart.

    Two samples of the same population have .71 in the mean where they are of one size.

    Args:
        first: One regression.
        second: Another, on the same features.
        width: Half the length of an interval in standard errors.

    Source: Karr et al. (2006), A framework for evaluating the utility of data altered to protect confidentiality.
    """
    low = np.maximum(first.coefficients - width * first.errors, second.coefficients - width * second.errors)
    high = np.minimum(first.coefficients + width * first.errors, second.coefficients + width * second.errors)
    lengths = 2 * width * np.stack([first.errors, second.errors])
    with np.errstate(over="ignore"):
        return np.mean((high - low) / np.maximum(lengths, 1e-12), axis=0)
