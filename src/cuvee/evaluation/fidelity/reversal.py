"""Whether two numbers rise and fall together in the same direction as in real rows, overall and within groups."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cuvee.evaluation.fidelity.conditions import Cut

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

NUMBERS = 40
"""Numbers among which the strongest relation is sought, the first by name."""

CERTAIN = 4.0
"""A direction counts where the rank correlation is so many standard errors from 0."""

_FEWEST = 30


def reversal(
    rows: Mapping[str, Floats], codes: Mapping[str, Mapping[int, Codes]], columns: Sequence[Cut], strength: Floats
) -> str:
    """A sentence where the most monotone relation of two numbers of train goes the other way in synthetic rows.

    It is looked at overall, and within each level of the column that is most associated with both (Simpson's paradox:
    a relation can be reversed within groups). Nothing where all directions agree or can't be told.

    Args:
        rows: By part, (n, features).
        codes: By part and place, the condition of each row.
        columns: The columns that are cut.
        strength: (d, d), how associated these are.

    Source: Simpson (1951), "The interpretation of interaction in contingency tables".
    """
    numbers = [i for i, c in enumerate(columns) if not c.feature.categorical][:NUMBERS]
    if len(numbers) < 2:
        return ""
    ranks = np.column_stack([_ranks(rows["train"][:, columns[i].place]) for i in numbers])
    related = np.abs(np.triu(np.nan_to_num(_correlations(ranks)), 1)).round(9)
    first, second = (numbers[int(k)] for k in np.unravel_index(int(related.argmax()), related.shape))
    if related.max() == 0 or first == second:
        return ""
    left, right = columns[first], columns[second]
    everywhere = {p: np.ones(len(rows[p]), dtype=np.bool_) for p in ("train", "synthetic")}
    places = [("overall", everywhere)]
    others = [i for i in range(len(columns)) if i not in (first, second)]
    if others:
        third = columns[max(others, key=lambda i: (round(float(strength[i, first] + strength[i, second]), 9), -i))]
        places += [
            (f"where {name}", {p: codes[p][third.place] == g for p in everywhere}) for g, name in enumerate(third.names)
        ]
    for where, picks in places:
        real, made = (_direction(rows[p][picks[p]], left.place, right.place) for p in ("train", "synthetic"))
        if real * made < 0:
            ways = ("rises", "falls") if made > 0 else ("falls", "rises")
            return f" {right.title} {ways[0]} with {left.title} in synthetic rows {where}, and {ways[1]} in real ones."
    return ""


def _ranks(values: Floats) -> Floats:
    """Mean ranks; a null stands in the middle."""
    from scipy.stats import rankdata

    known = ~np.isnan(values)
    ranks = np.full(len(values), (int(known.sum()) + 1) / 2)
    ranks[known] = rankdata(values[known])
    return ranks


def _correlations(ranks: Floats) -> Floats:
    """Pearson's of all pairs, (d, d); 0 with a constant."""
    centred = ranks - ranks.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    scaled = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    return scaled.T @ scaled


def _direction(rows: Floats, left: int, right: int) -> int:
    """1 where two numbers rise together, -1 where one falls, 0 where that can't be told."""
    pair = rows[:, [left, right]]
    pair = pair[~np.isnan(pair).any(axis=1)]
    if len(pair) < _FEWEST:
        return 0
    rho = float(_correlations(np.column_stack([_ranks(pair[:, 0]), _ranks(pair[:, 1])]))[0, 1])
    return int(np.sign(rho)) if abs(rho) * np.sqrt(len(pair) - 1) > CERTAIN else 0
