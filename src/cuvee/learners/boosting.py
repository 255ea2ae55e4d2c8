"""Gradient boosting behind one function: LightGBM, the same every time for the same rows and seed.

LightGBM was chosen over scikit-learn's histogram boosting because it imports faster (1.3 s against 2.2 s), cross-fits
on rows that are cut into bins once, and takes codes of many levels as they are.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Task = Literal["number", "yes_no", "classes"]

WORKERS = 2
"""Folds learned at a time, each by one thread: threads that share a fold spin while they wait, which on a busy
machine took
ten times as long. The result does not hang on it."""

_SMALL = 20
"""Rows in a leaf at least, or a tenth of the rows where there are few."""


@dataclass(frozen=True, slots=True)
class Boosting:
    """A fitted learner.

    Attributes:
        task: What it predicts.
        gain: How much each feature helped, (features,), adding up to 1 (or all 0 where none helped).
    """

    task: Task
    gain: Floats
    _booster: Any
    _scale: "Scale"

    def predict(self, features: Floats) -> Floats:
        """The expected number, (n,); the chance of yes, (n,); or the chance of each class, (n, classes)."""
        guess = np.asarray(self._booster.predict(features, num_threads=1), dtype=np.float64)
        return self._scale.undo(guess)


@dataclass(frozen=True, slots=True)
class Scale:
    """A target in units near 1: LightGBM keeps it in float32, which a time or a huge number does not fit.

    Attributes:
        unit: Its largest size.
        centre: Its mean, in that unit.
        spread: Its standard deviation, in that unit.
    """

    unit: float = 1.0
    centre: float = 0.0
    spread: float = 1.0

    def do(self, target: Floats) -> Floats:
        return (target / self.unit - self.centre) / self.spread

    def undo(self, guess: Floats) -> Floats:
        return (guess * self.spread + self.centre) * self.unit


def _scale_of(target: Floats) -> Scale:
    unit = float(np.abs(target).max(initial=0.0)) or 1.0
    return Scale(unit, float((target / unit).mean()), float((target / unit).std()) or 1.0)


@dataclass(frozen=True, slots=True)
class Rounds:
    """How much boosting there is.

    Attributes:
        trees: Trees (per class).
        rate: How much of each tree is added.
        leaves: Leaves of a tree.
    """

    trees: int = 200
    rate: float = 0.1
    leaves: int = 31


def fit_boosting(
    features: Floats,
    target: Floats,
    *,
    task: Task,
    categorical: tuple[int, ...] = (),
    rounds: Rounds | None = None,
    seed: int = 0,
) -> Boosting:
    """Learn a target from features.

    Args:
        features: (n, features), NaN is a null.
        target: (n,) numbers without NaN; 0 or 1 for yes_no; 0, 1, ... for classes, each of which occurs.
        task: What the target is.
        categorical: The features whose numbers are codes without order.
        rounds: How much boosting there is.
        seed: The same seed and rows give the same learner.
    """
    scale = _scale_of(target) if task == "number" else Scale()
    scaled = scale.do(target)
    return _train(_binned(features, scaled, categorical, seed), task, scaled, rounds or Rounds(), seed, scale)


def crossfit(
    features: Floats,
    labels: NDArray[np.bool_],
    *,
    folds: int = 5,
    categorical: tuple[int, ...] = (),
    rounds: Rounds | None = None,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """The chance of yes for each row, from a learner that did not see it, and how much each feature helped.

    Row i of each class is in fold i modulo `folds`, so rows must come in random order within their class.

    Args:
        features: (n, features).
        labels: (n,), with at least `folds` rows of each class.
        folds: Parts of the rows.
        categorical: The features whose numbers are codes without order.
        rounds: How much boosting there is.
        seed: The same seed and rows give the same learners.

    Returns:
        (n,) and (features,); the latter adds up to 1, or is all 0 where no feature helped.
    """
    fold = np.empty(len(labels), dtype=np.int64)
    for label in (False, True):
        mine = labels == label
        fold[mine] = np.arange(int(mine.sum())) % folds
    target = labels.astype(np.float64)
    whole = _binned(features, target, categorical, seed)

    def learn(part: int) -> tuple[Floats, Floats]:
        rows = np.flatnonzero(fold != part)
        learner = _train(whole.subset(rows.tolist()), "yes_no", target[rows], rounds or Rounds(), seed, Scale())
        return learner.predict(features[fold == part]), learner.gain

    chance, gain = np.empty(len(labels)), np.zeros(features.shape[1])
    with ThreadPoolExecutor(WORKERS) as pool:
        for part, (guess, helped) in enumerate(pool.map(learn, range(folds))):
            chance[fold == part] = guess
            gain += helped
    return chance, _shares(gain)


def _binned(features: Floats, target: Floats, categorical: tuple[int, ...], seed: int) -> Any:
    """The rows as LightGBM keeps them: every feature cut into bins."""
    from lightgbm import Dataset

    parameters = _parameters(len(target), seed)
    data = Dataset(features, target, categorical_feature=list(categorical), params=parameters, free_raw_data=False)
    return data.construct()


def _parameters(rows: int, seed: int) -> dict[str, Any]:
    return {
        "verbosity": -1,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed % 2**31,
        "feature_pre_filter": False,
        "min_data_in_leaf": max(1, min(_SMALL, rows // 10)),
        "min_data_in_bin": min(3, max(1, rows // 10)),
    }


def _train(data: Any, task: Task, target: Floats, rounds: Rounds, seed: int, scale: Scale) -> Boosting:
    from lightgbm import Booster

    objectives: dict[Task, str] = {"number": "regression", "yes_no": "binary", "classes": "multiclass"}
    own: dict[str, Any] = {"objective": objectives[task]}
    if task == "classes":
        own["num_class"] = int(target.max()) + 1
    chosen = {"learning_rate": rounds.rate, "num_leaves": rounds.leaves}
    booster = Booster(params={**_parameters(len(target), seed), **chosen, **own}, train_set=data)
    for _ in range(rounds.trees):
        if booster.update():  # True where no tree can be grown any more
            break
    return Boosting(task, _shares(booster.feature_importance("gain")), booster, scale)


def _shares(gain: Floats) -> Floats:
    total = float(gain.sum())
    return gain / total if total > 0 else np.zeros(len(gain))
