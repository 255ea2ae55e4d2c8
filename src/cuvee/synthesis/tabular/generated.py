"""What synthesizers have in common whose network makes whole rows at once: GAN and VAE."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.core import Arrays
from cuvee.data.dataset import Dataset
from cuvee.numeric.quantiles import rank
from cuvee.synthesis.tabular.chain import Rows
from cuvee.synthesis.tabular.coding import Coding
from cuvee.synthesis.tabular.correction import ROWS as CORRECTED
from cuvee.synthesis.tabular.correction import TIMES, Correction, fit_correction
from cuvee.synthesis.tabular.layout import Layout

if TYPE_CHECKING:
    from cuvee.nets.plan import History

Codes = NDArray[np.int32]
Cells = tuple[Codes, NDArray[np.floating[Any]]]
"""Codes and positions within cells, (fields, n) each."""
Draw = Callable[[int, Generator], Cells]
"""Makes so many rows."""

FEWEST_CORRECTED = 1_000
"""With fewer rows a detector learns nothing that is worth its time."""
WIDEST_CORRECTED, PACE, BUDGET = 100, 1e-5, 0.3
"""With more fields the detector takes longer than the network; its seconds for a cell; its share of a time budget."""
PART = 16_384
"""Rows are made in parts of at most this many."""


@dataclass(frozen=True, slots=True, eq=False)
class Generated:
    """What was learned of a table beside what is the network's own.

    Attributes:
        coding: The columns as fields.
        weights: The weights of the network by name; none where there is no field.
        correction: What a detector still saw, or None.
        history: One row an epoch of the training.
        said: What the user should know of the training, in sentences.
    """

    coding: Coding
    weights: Arrays
    correction: Correction | None
    history: pl.DataFrame
    said: tuple[str, ...]

    def frame(self, draw: Draw, n: int, *, start: int, rng: Generator) -> Mapping[str, pl.DataFrame]:
        """The table of n rows, kept by the odds of the correction where there is one."""
        codes, within = self._kept(draw, n, rng)
        return self.coding.frame(codes, start=start, rng=rng, within=within)

    def _kept(self, draw: Draw, n: int, rng: Generator) -> Cells:
        fields = len(self.coding.fields)
        parts: list[Cells] = [(np.zeros((fields, 0), np.int32), np.zeros((fields, 0)))]
        layout, have = Layout.of(self.coding.fields), 0
        while have < n:
            kept = 1.0 if self.correction is None else self.correction.kept
            codes, within = draw(min(int((n - have) / kept * 1.05) + 64 if kept < 1 else n - have, PART), rng)
            if self.correction is not None:
                rows = seen(layout, codes, within)
                mine = np.flatnonzero(rng.random(codes.shape[1]) < self.correction.chances(rows))[: n - have]
                codes, within = codes[:, mine], within[:, mine]
            have += codes.shape[1]
            parts.append((codes, within))
        return np.concatenate([p[0] for p in parts], axis=1), np.concatenate([p[1] for p in parts], axis=1)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """All of it, as JSON values and arrays, but for the seconds of the history: no two fits take the same."""
        values, arrays = self.coding.state()
        arrays |= {f"net.{name}": array for name, array in self.weights.items()}
        if self.correction is not None:
            arrays |= {f"correction.{name}": array for name, array in self.correction.arrays().items()}
        told = self.history.drop("seconds", strict=False).to_dict(as_series=False)
        return {"coding": values, "history": told, "said": list(self.said)}, arrays

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Arrays) -> Self:
        """What `state` gave."""

        def under(name: str) -> dict[str, NDArray[Any]]:
            return {key[len(name) :]: array for key, array in arrays.items() if key.startswith(name)}

        coding, correction = Coding.restore(values["coding"], arrays), under("correction.")
        restored = Correction.restore(correction) if correction else None
        return cls(coding, under("net."), restored, pl.DataFrame(values["history"]), tuple(values["said"]))

    def notes(self) -> tuple[str, ...]:
        """What the user should know, in sentences."""
        return (*self.coding.notes(), *self.said)


def sample_of(data: Dataset, rows: int, rng: Generator) -> Dataset:
    """At most so many rows, drawn evenly, in their order."""
    n = data.frame.height
    return data if n <= rows else data.with_frame(data.name, data.frame[np.sort(rng.permutation(n)[:rows])])


def seen(layout: Layout, codes: Codes, within: NDArray[np.floating[Any]]) -> Rows:
    """Rows as the detector of the correction sees them."""
    rows = Rows.of(codes, within)
    for f in range(len(codes)):
        rows.set(layout, f)
    return rows


def learn_correction(
    coding: Coding, real: Cells, draw: Draw, rng: Generator, *, budget: float | None
) -> Correction | None:
    """What a detector still sees of made rows; None where rows are few, fields many, or it sees nothing.

    Args:
        coding: The fields.
        real: Real rows.
        draw: Makes rows.
        rng: For all that is drawn.
        budget: Seconds that the whole fit may take; None for as long as it takes.
    """
    fields, n = real[0].shape
    seconds = PACE * fields * (1 + TIMES) * min(n, CORRECTED)
    if n < FEWEST_CORRECTED or fields > WIDEST_CORRECTED or (budget is not None and seconds > BUDGET * budget):
        return None
    layout, mine = Layout.of(coding.fields), np.sort(rng.permutation(n)[:CORRECTED])
    size = len(mine)
    made, fresh = _many(draw, TIMES * size, rng), _many(draw, size, rng)
    own = seen(layout, np.ascontiguousarray(real[0][:, mine]), np.ascontiguousarray(real[1][:, mine]))
    return fit_correction(own, seen(layout, *made), seen(layout, *fresh), layout, rng=rng)


def ranks(coding: Coding, cells: Cells) -> NDArray[np.float64]:
    """(n, fields), the ranks of rows: what quick detectors compare."""
    codes, within = cells
    pairs = zip(coding.fields, codes, within, strict=True)
    return np.column_stack([rank(f.masses, c.astype(np.int64), w.astype(np.float64)) for f, c, w in pairs])


def story(history: "History", told: str) -> tuple[str, ...]:
    """How the training ended, in sentences."""
    epochs = len(history.held)
    ends = {
        "epochs": "all epochs were learned",
        "patience": "held-out rows showed no gain any more",
        "time": "its time was over",
        "interrupted": "it was interrupted",
    }
    kept = f", and the weights of epoch {history.best + 1} were kept" if 0 <= history.best < epochs - 1 else ""
    words = "1 epoch" if epochs == 1 else f"{epochs} epochs"
    return (f"{told} learned for {words}: {ends[history.ended]}{kept}.", *history.notes)


def _many(draw: Draw, n: int, rng: Generator) -> Cells:
    parts = [draw(min(PART, n - start), rng) for start in range(0, n, PART)]
    return np.concatenate([p[0] for p in parts], axis=1), np.concatenate([p[1] for p in parts], axis=1)
