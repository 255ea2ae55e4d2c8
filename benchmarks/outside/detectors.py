"""Detectors that look at rows in other ways than the judge's boosted trees.

Numbers come as ranks, as last digits, and, for the pairs of columns that go together most, as differences and ratios;
categories one by one. A random forest, a linear model and a small network are asked, each for itself.
"""

import warnings

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

ROWS = 10_000
"""Rows of each side."""
PAIRS = 40
"""Pairs of number columns whose differences and ratios are looked at."""
LEVELS = 25
"""Categories of a column that have a feature of their own; the rest share one."""
FOLDS = 3

Matrix = NDArray[np.float64]


def other_detectors(real: pl.DataFrame, made: pl.DataFrame, kinds: dict[str, bool], *, seed: int) -> dict[str, float]:
    """AUC of each detector, telling made from real rows in rows it has not learned from (0.5: it can't).

    Args:
        real: Rows that the synthesizer has not seen.
        made: Its rows.
        kinds: The columns; True for numbers.
        seed: Of the rows, the folds and the detectors.
    """
    rng = np.random.default_rng(seed)
    n = min(real.height, made.height, ROWS)
    parts = [f.select(list(kinds))[rng.permutation(f.height)[:n]] for f in (real, made)]
    label = np.repeat([0, 1], n)
    numbers, one_hot, coded = _features(parts, kinds)
    wide, narrow = np.hstack([numbers, one_hot]), np.hstack([numbers, coded])
    spread = QuantileTransformer(n_quantiles=200, output_distribution="normal", random_state=seed)
    linear = LogisticRegression(max_iter=300, C=0.1)
    network = MLPClassifier((64, 32), alpha=1e-3, batch_size=256, early_stopping=True, max_iter=40, random_state=seed)
    asked = {
        "other_forest": (RandomForestClassifier(200, min_samples_leaf=3, n_jobs=2, random_state=seed), narrow),
        "other_linear": (make_pipeline(spread, StandardScaler(), linear), wide),
        "other_network": (make_pipeline(spread, StandardScaler(), network), wide),
    }
    splits = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    found: dict[str, float] = {}
    for name, (model, features) in asked.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            p = cross_val_predict(model, features, label, cv=splits, method="predict_proba")[:, 1]
        found[name] = round(float(roc_auc_score(label, p)), 5)
    return found


def _features(parts: list[pl.DataFrame], kinds: dict[str, bool]) -> tuple[Matrix, Matrix, Matrix]:
    """Numbers and what follows from them, categories one-hot, categories as codes by how common they are."""
    both = pl.concat([p.select(pl.col(c).cast(t, strict=False) for c, t in _types(kinds).items()) for p in parts])
    names = [c for c, number in kinds.items() if number]
    raw = np.column_stack([both[c].to_numpy() for c in names]) if names else np.zeros((both.height, 0))
    gone = np.isnan(raw)
    values = np.where(gone, np.nanmedian(np.where(gone.all(axis=0), 0.0, raw), axis=0), raw)
    ranks = np.column_stack([rankdata(v) for v in values.T]) if names else raw
    blocks = [ranks, gone[:, gone.any(axis=0)].astype(float), *_digits(values), *_between(values, ranks)]
    hot, coded = [np.zeros((both.height, 0))], [np.zeros((both.height, 0))]
    for name in (c for c, number in kinds.items() if not number):
        order = both[name].fill_null("∅").value_counts(sort=True)[name].to_list()
        code = both[name].fill_null("∅").replace_strict(order, range(len(order)), return_dtype=pl.Int64).to_numpy()
        coded.append(code[:, None].astype(float))
        hot.append(np.eye(LEVELS + 1)[np.minimum(code, LEVELS)][:, : min(len(order), LEVELS + 1)])
    return np.hstack(blocks), np.hstack(hot), np.hstack(coded)


def _types(kinds: dict[str, bool]) -> dict[str, pl.DataType]:
    return {c: pl.Float64() if number else pl.String() for c, number in kinds.items()}


def _digits(values: Matrix) -> list[Matrix]:
    """The last digit and the last two of columns of whole numbers: made ones are seldom as round as real ones."""
    whole = [v for v in values.T if np.ptp(v) > 20 and (v == np.round(v)).all()]
    return [np.column_stack([np.abs(v) % 10, np.abs(v) % 100, np.abs(v) % 1000 == 0]) for v in whole]


def _between(values: Matrix, ranks: Matrix) -> list[Matrix]:
    """Differences and ratios of the pairs of columns whose ranks go together most."""
    columns = [j for j in range(values.shape[1]) if np.ptp(values[:, j]) > 0]
    if len(columns) < 2:
        return []
    strength = np.abs(np.corrcoef(ranks[:, columns], rowvar=False))
    one, other = np.triu_indices(len(columns), 1)
    best = np.argsort(-strength[one, other], kind="stable")[:PAIRS]
    found: list[Matrix] = []
    for a, b in zip(one[best], other[best], strict=True):
        x, y = values[:, columns[a]], values[:, columns[b]]
        ratio = np.divide(x, y, out=np.zeros_like(x), where=y != 0)
        found.append(np.column_stack([x - y, ratio, x == y]))
    return found
