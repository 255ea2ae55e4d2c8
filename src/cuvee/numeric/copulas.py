"""Copulas: correlated normal and t scores as uniform ranks, and what data say of them."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STRONGEST = 0.9999
"""No two different variables are held to be more strongly correlated than this, where it is measured."""


def joint_ranks(ranks: Floats, root: Floats, df: float | None, mixing: Floats | None) -> Floats:
    """Dependent uniform ranks, (k, m), of independent ones.

    Args:
        ranks: (k, m), independent, in (0, 1).
        root: (k, k), the Cholesky root of the correlation matrix of the scores.
        df: Degrees of freedom of the t copula; None for the Gaussian.
        mixing: (m,), independent uniform ranks that the t copula needs.

    Source: Demarta and McNeil (2005), The t copula and related copulas, algorithm of section 2.
    """
    from scipy.special import chdtri, ndtr, ndtri, stdtr

    scores = ndtri(ranks)
    # Sums in a fixed order: a matrix product would round differently for blocks of another size.
    joint = np.zeros_like(scores)
    for i in range(len(root)):
        for j in range(i + 1):
            if root[i, j] != 0:
                joint[i] += root[i, j] * scores[j]
    if df is None or mixing is None:
        return np.clip(ndtr(joint), 2.0**-54, 1 - 2.0**-53)
    joint /= np.sqrt(chdtri(df, mixing) / df)
    return np.clip(stdtr(df, joint), 2.0**-54, 1 - 2.0**-53)


def from_ranks(measured: Floats, measure: str) -> Floats:
    """The correlation of normal scores that has given rank correlations.

    Source: Kruskal (1958): 2 sin(pi rho / 6) for Spearman's, sin(pi tau / 2) for Kendall's (exact for t copulas too).
    """
    if measure == "spearman":
        return 2 * np.sin(np.pi * measured / 6)
    return np.sin(np.pi * measured / 2) if measure == "kendall" else measured


def normal_scores(rows: Floats) -> Floats:
    """The normal scores of each column's ranks, (n, k); ties get the mean of their ranks."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return ndtri(rankdata(rows, axis=0) / (len(rows) + 1))


def gaussian_correlation(rows: Floats) -> Floats:
    """The correlation of normal scores of data, (k, k). Source: van der Waerden (1952)."""
    found = np.clip(np.corrcoef(normal_scores(rows), rowvar=False), -STRONGEST, STRONGEST)
    np.fill_diagonal(found, 1.0)
    return found


def kendall_correlation(rows: Floats) -> Floats:
    """The correlation of the scores of an elliptical copula by Kendall's tau, (k, k).

    Source: Lindskog, McNeil and Schmock (2003), Kendall's tau for elliptical distributions.
    """
    from scipy.stats import kendalltau

    k = rows.shape[1]
    found = np.eye(k)
    for i in range(k):
        for j in range(i):
            tau = float(cast("Any", kendalltau(rows[:, i], rows[:, j])).statistic)
            found[i, j] = found[j, i] = np.clip(np.sin(np.pi * tau / 2), -STRONGEST, STRONGEST)
    return found


def degrees_of_freedom(rows: Floats, correlation: Floats) -> float:
    """The degrees of freedom of a t copula by pseudo-likelihood, from 1.5 to 200.

    Args:
        rows: (n, k).
        correlation: (k, k), positive definite.

    Source: Genest, Ghoudi and Rivest (1995) for the pseudo-likelihood; Demarta and McNeil (2005), section 4.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import gammaln, stdtrit
    from scipy.stats import rankdata

    ranks = rankdata(rows, axis=0) / (len(rows) + 1)
    k = rows.shape[1]
    inverse, (_, logdet) = np.linalg.inv(correlation), np.linalg.slogdet(correlation)

    def loss(log_df: float) -> float:
        df = float(np.exp(log_df))
        scores = stdtrit(df, ranks)
        joint = gammaln((df + k) / 2) - gammaln(df / 2) - k / 2 * np.log(np.pi * df) - logdet / 2
        joint = joint - (df + k) / 2 * np.log1p(np.einsum("ni,ij,nj->n", scores, inverse, scores) / df)
        alone = gammaln((df + 1) / 2) - gammaln(df / 2) - np.log(np.pi * df) / 2
        alone = k * alone - (df + 1) / 2 * np.log1p(np.square(scores) / df).sum(1)
        return -float((joint - alone).mean())

    found: Any = minimize_scalar(loss, bounds=(np.log(1.5), np.log(200)), method="bounded")
    return float(np.exp(found.x))
