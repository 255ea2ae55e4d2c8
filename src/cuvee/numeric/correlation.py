"""Dependence between columns as a correlation of normal scores: measured on cells, shrunk, and made a proper matrix."""

import numpy as np
from numpy.typing import NDArray

from cuvee.numeric.quantiles import cumulative

Floats = NDArray[np.float64]

TERMS = 48
"""Terms of the Hermite series; enough for latent correlations up to 0.95 between two-valued columns."""
FLOOR = 0.02
"""No eigenvalue of a correlation matrix is smaller than about this."""
STRONGEST = 0.999
"""No two different columns are held to be more strongly correlated than this."""


def cell_scores(masses: Floats) -> Floats:
    """The mean of a standard normal variable within each of its cells, (m,); 0 for a cell without mass."""
    edges, height = _normal_edges(masses)
    del edges
    size = np.diff(cumulative(masses))
    return np.divide(height[:-1] - height[1:], size, out=np.zeros(len(masses)), where=size > 0)


def hermite_weights(masses: Floats, terms: int = TERMS) -> Floats:
    """The Hermite coefficients of `cell_scores` as a step function of a standard normal variable, (terms,).

    Two such variables with latent correlation rho have scores whose covariance is the sum over j of
    rho^j * weights_1[j - 1] * weights_2[j - 1].

    Source: Mehler's formula; Lancaster (1957), Some properties of the bivariate normal distribution.
    """
    edges, height = _normal_edges(masses)
    scores = cell_scores(masses)
    finite = np.where(np.isfinite(edges), edges, 0.0)
    weights = np.empty(terms)
    before, now = np.zeros_like(finite), np.ones_like(finite)  # normalised Hermite polynomials of order j - 2 and j - 1
    for order in range(1, terms + 1):
        at_edges = now * height
        weights[order - 1] = scores @ (at_edges[:-1] - at_edges[1:]) / np.sqrt(order)
        before, now = now, (finite * now - np.sqrt(order - 1) * before) / np.sqrt(order)
    return weights


def _normal_edges(masses: Floats) -> tuple[Floats, Floats]:
    """The edges of the cells on the normal scale, (m + 1,) from -inf to inf, and the normal density there."""
    from scipy.special import ndtri

    edges = ndtri(np.clip(cumulative(masses), 0, 1))
    return edges, np.exp(-np.square(edges) / 2) / np.sqrt(2 * np.pi)


def pair_moments(scores: NDArray[np.float32], present: NDArray[np.bool_] | None) -> tuple[Floats, Floats]:
    """Covariances of scores over the rows where both columns have a value, (d, d), and the numbers of those rows.

    Args:
        scores: (n, d), 0 where there is no value.
        present: (n, d), or None where every value is there.
    """
    n = len(scores)
    if present is None:
        centred = scores - scores.mean(0)
        return (centred.T @ centred).astype(np.float64) / max(n, 1), np.full((scores.shape[1],) * 2, float(n))
    seen = present.astype(np.float32)
    rows = (seen.T @ seen).astype(np.float64)
    sums = (scores.T @ seen).astype(np.float64)
    safe = np.maximum(rows, 1)
    return (scores.T @ scores).astype(np.float64) / safe - (sums / safe) * (sums.T / safe), rows


def latent_correlation(moments: Floats, weights: Floats) -> Floats:
    """The correlation that normal variables must have so that their cell scores have these covariances, (d, d).

    Discrete columns lose dependence when they are cut from normal variables; this gives it back beforehand, as the
    polychoric correlation does, but from moments and for all pairs at once.

    Args:
        moments: (d, d), covariances of scores.
        weights: (d, terms), `hermite_weights` of each column.

    Source: Cario and Nelson (1997), Modeling and generating random vectors with arbitrary marginal distributions and
    correlation matrix, whose correlation matching is solved here in the series of `hermite_weights`.
    """
    d = len(moments)
    one, other = np.triu_indices(d, 1)
    wanted = moments[one, other]
    low, high = np.full(len(one), -STRONGEST), np.full(len(one), STRONGEST)
    products = [weights[one, j] * weights[other, j] for j in range(weights.shape[1])]
    for _ in range(24):
        rho = (low + high) / 2
        value = np.zeros(len(one))
        for product in reversed(products):
            value = (value + product) * rho
        below = value < wanted
        low, high = np.where(below, rho, low), np.where(below, high, rho)
    flat = products[0] <= 0 if products else np.ones(len(one), np.bool_)
    result = np.eye(d)
    result[one, other] = result[other, one] = np.where(flat, 0.0, (low + high) / 2)
    return result


def score_covariance(correlation: Floats, weights: Floats) -> Floats:
    """The covariance of the cell scores of normal variables with this correlation, (d, d).

    It is what `latent_correlation` undoes.

    Args:
        correlation: (d, d).
        weights: (d, terms), `hermite_weights` of each column.
    """
    rho = np.clip(correlation, -STRONGEST, STRONGEST)
    result = np.zeros_like(rho)
    for j in range(weights.shape[1] - 1, -1, -1):
        result = (result + np.outer(weights[:, j], weights[:, j])) * rho
    np.fill_diagonal(result, weights[:, 0])
    return result


def complete_correlation(matrix: Floats, unknown: NDArray[np.bool_], *, rounds: int = 60) -> Floats:
    """The matrix with its unknown entries filled in so that they add no dependence of their own, (d, d).

    First the entries are moved until the matrix is (nearly) positive definite, then until the two columns of every
    unknown entry are independent given all others.

    Args:
        matrix: (d, d), symmetric, ones on the diagonal.
        unknown: (d, d), symmetric, which entries were not observed.
        rounds: At most this many of each.

    Source: Grone, Johnson, Sa and Wolkowicz (1984), Positive definite completions of partial Hermitian matrices;
    Dempster (1972), Covariance selection.
    """
    if not unknown.any():
        return matrix
    result = np.where(unknown, 0.0, matrix)
    for _ in range(rounds):
        values, vectors = np.linalg.eigh(result)
        if values[0] >= FLOOR / 2:
            break
        result = np.where(unknown, (vectors * np.maximum(values, FLOOR)) @ vectors.T, matrix)
    for _ in range(rounds):
        if np.linalg.eigvalsh(result)[0] < FLOOR / 4:
            break
        precision = np.linalg.inv(result)
        scale = np.diag(precision)
        step = np.where(unknown, precision / (np.outer(scale, scale) - np.square(precision) + np.eye(len(scale))), 0.0)
        result = result + step / 2
        if np.abs(step).max() < 1e-6:
            break
    return np.where(unknown, np.clip(result, -STRONGEST, STRONGEST), matrix)


SEEN = 20_000
"""Beyond this many rows there is next to nothing to shrink."""


def shrinkage(scores: NDArray[np.float32], correlation: Floats) -> float:
    """How far a correlation matrix should be drawn towards the identity, from 0 to 1: little data, much shrinkage.

    Args:
        scores: (n, d), what the correlations were measured on; the first 20,000 rows are looked at.
        correlation: (d, d), the correlations.

    Source: Schaefer and Strimmer (2005), A shrinkage approach to large-scale covariance matrix estimation, target D.
    """
    scores = scores[:SEEN]
    n, d = scores.shape
    if n < 4 or d < 2:
        return 0.0 if d < 2 else 1.0
    spread = scores.std(0)
    standard = (scores - scores.mean(0)) / np.where(spread > 0, spread, 1)
    mean = (standard.T @ standard).astype(np.float64) / n
    squares = np.square(standard)
    variance = ((squares.T @ squares).astype(np.float64) / n - np.square(mean)) * n / (n - 1) ** 2
    off = ~np.eye(d, dtype=np.bool_)
    signal = np.square(correlation[off]).sum()
    return float(np.clip(variance[off].sum() / signal, 0, 1)) if signal > 0 else 1.0


def shrink(correlation: Floats, amount: float) -> Floats:
    """The correlation matrix drawn towards the identity by `amount` (0 as it is, 1 the identity), (d, d)."""
    result = (1 - amount) * correlation
    np.fill_diagonal(result, 1.0)
    return result


def nearest_correlation(matrix: Floats, *, smallest: float = FLOOR, rounds: int = 50) -> Floats:
    """A correlation matrix near a symmetric one, with no eigenvalue below about `smallest`, (d, d).

    A floor well above 0 costs no quality (0.0001 to 0.05 measured alike) and keeps densities from exploding.

    Source: Higham (2002), Computing the nearest correlation matrix, alternating projections with Dykstra's correction.
    """
    result, carried = (matrix + matrix.T) / 2, np.zeros_like(matrix)
    if len(result) == 0 or np.linalg.eigvalsh(result)[0] >= smallest:
        return result
    for _ in range(rounds):
        wanted = result - carried
        values, vectors = np.linalg.eigh(wanted)
        positive = (vectors * np.maximum(values, smallest)) @ vectors.T
        carried = positive - wanted
        moved, result = result, positive.copy()
        np.fill_diagonal(result, 1.0)
        if np.abs(result - moved).max() < 1e-6:
            break
    # The rounds end near both sets; one last cut and rescaling ends inside them.
    values, vectors = np.linalg.eigh(result)
    positive = (vectors * np.maximum(values, smallest)) @ vectors.T
    scale = np.sqrt(np.diag(positive))
    return positive / scale[:, None] / scale
