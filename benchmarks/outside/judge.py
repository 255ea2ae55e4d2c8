"""The outside judge, in this process: what hangs on a set alone is worked out once and kept.

The judge is one file that shares no code with cuvee, and about a minute a call on Adult. Its functions are called here
in its own order and with its own draws, so for as many rows as train has the figures are those that its command prints.
"""

import hashlib
import importlib.util
import json
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl

from outside.detectors import other_detectors
from outside.sets import Split, conform

Figures = dict[str, float]
SEED = 0
"""The judge's default."""


def judge_module(path: Path) -> ModuleType:
    """The judge, from its file."""
    spec = importlib.util.spec_from_file_location("outside_judge", path)
    if spec is None or spec.loader is None:
        sys.exit(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Judge:
    """The judge of one set.

    Attributes:
        constants: Ceilings, floors and what a model learns from real rows.
    """

    def __init__(self, split: Split, path: Path, cache: Path, *, other: bool = False) -> None:
        """Work out what hangs on the set alone, or take it from the cache.

        Args:
            split: The set.
            path: The judge's file.
            cache: A folder for what is worked out once.
            other: Whether the other detectors are asked too.
        """
        self._judge: Any = judge_module(path)
        self._split, self._other = split, other
        frame = split.train
        self._kinds: dict[str, bool] = {
            c: self._judge.is_number(t) and frame[c].n_unique() > 2
            for c, t in frame.schema.items()
            if c not in split.ids
        }
        self._train, self._holdout = (self._judge.Table(f, self._kinds) for f in (frame, split.holdout))
        self._codes = self._judge.bin_on(self._train)
        self._seen = set(self._judge.keys(self._train))
        hashes = [str(f.hash_rows(seed=1).sum()) for f in (frame, split.holdout)]
        name = hashlib.sha256("".join([path.read_text("utf-8"), *hashes]).encode()).hexdigest()[:12]
        self._file = cache / f"{split.name}-{frame.height}-{name}.json"
        self.constants = self._constants()

    def _draw(self, *heights: int, rng: np.random.Generator) -> None:
        """Draw what the judge draws for tables of these heights, so that what follows is what it has."""
        for height in heights:
            rng.permutation(height)

    def _constants(self) -> Figures:
        kept: Figures = json.loads(self._file.read_text("utf-8")) if self._file.exists() else {}
        judge, train, holdout = self._judge, self._train, self._holdout
        if not kept:
            rng = np.random.default_rng(SEED)
            mixed = train.take(np.arange(train.n))
            mixed.columns = {c: v[rng.permutation(train.n)] for c, v in train.columns.items()}
            self._draw(holdout.n, train.n, train.n, train.n, rng=rng)
            kept = {
                "ceiling_shape": float(np.mean(list(judge.shape(train, holdout).values()))),
                "ceiling_pairs": float(judge.pairs(train, holdout, self._codes)),
                "floor_pairs": float(judge.pairs(train, mixed, self._codes)),
                "ceiling_c2st": float(self._quietly("detect", holdout, train, rng, 2)),
                "floor_c2st": float(self._quietly("detect", holdout, mixed, rng, 2)),
                "trtr": float(self._quietly("utility", train, holdout, self._split.target)),
                "exact_copies_real": float(np.mean([k in self._seen for k in judge.keys(holdout)])),
            }
        if self._other and "ceiling_other_forest" not in kept:
            found = other_detectors(self._split.holdout, self._split.train, self._kinds, seed=SEED)
            kept |= {f"ceiling_{k}": v for k, v in found.items()}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(kept, indent=1), "utf-8")
        return kept

    def _quietly(self, function: str, *arguments: Any) -> float:
        """One of the judge's functions; LightGBM's warnings on names and categories say nothing of the rows."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(self._judge, function)(*arguments)

    def figures(self, made: pl.DataFrame) -> dict[str, Any]:
        """What the judge says of made rows, without the constants of the set.

        Raises:
            ValueError: Columns are missing, or cells of a column can't be read in train's kind.
        """
        absent = [c for c in self._kinds if c not in made.columns]
        if absent:
            raise ValueError(f"The made table lacks the columns {absent}.")
        judge, train, holdout = self._judge, self._train, self._holdout
        made = conform(made, self._split.train)
        syn = judge.Table(made, self._kinds)
        rng = np.random.default_rng(SEED)
        self._draw(*[train.n] * len(self._kinds), rng=rng)
        shape: Mapping[str, float] = judge.shape(train, syn)
        found: dict[str, Any] = {
            "rows": syn.n,
            "shape": np.mean(list(shape.values())),
            "pairs": judge.pairs(train, syn, self._codes),
            "c2st_holdout": self._quietly("detect", holdout, syn, rng),
            "c2st_train": self._quietly("detect", train, syn, rng),
        }
        self._draw(holdout.n, train.n, holdout.n, train.n, rng=rng)
        found["tstr"] = self._quietly("utility", syn, holdout, self._split.target)
        found |= judge.distances(train, holdout, syn, rng)
        found["exact_copies"] = np.mean([k in self._seen for k in judge.keys(syn)])
        found |= judge.validity(self._levels(train), self._levels(holdout), syn)
        if self._other:
            found |= self.others(made)
        worst = sorted(shape.items(), key=lambda x: x[1])[:3]
        numbers = {k: round(float(v), 5) for k, v in found.items()}
        return {**numbers, "rows": syn.n, "worst_columns": {c: round(float(s), 4) for c, s in worst}}

    def _levels(self, table: Any) -> Any:
        """A table whose categories stand once each: which of them are known takes the judge minutes otherwise."""
        short = table.take(np.arange(table.n))
        short.columns = {c: v if self._kinds[c] else np.unique(v) for c, v in table.columns.items()}
        return short

    def others(self, made: pl.DataFrame) -> Figures:
        """AUC of the other detectors, made rows against holdout."""
        return other_detectors(self._split.holdout, conform(made, self._split.train), self._kinds, seed=SEED)
