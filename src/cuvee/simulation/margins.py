"""The quantile function of each variable: of a stated distribution, one fitted to a column, or the column itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from cuvee.codec.category import CategoryCodec
from cuvee.codec.codec import Codec
from cuvee.codec.number import NumberCodec
from cuvee.data.errors import SimulationError
from cuvee.data.names import did_you_mean
from cuvee.numeric.families import FITTED, FOLDS, Parameters, distance, distance_of_counts, held_out
from cuvee.simulation.distribution import Distribution
from cuvee.simulation.distributions import FAMILIES
from cuvee.simulation.scenario import Empirical, Fitted, Stated

Floats = NDArray[np.float64]
Frames = Mapping[str, pl.DataFrame]

FEWEST = 20
"""A distribution is fitted to at least this many rows."""
MOST = 5_000
"""Families are compared on at most so many rows, drawn evenly; the chosen one is fitted to them too."""
FEW = 200
"""Whole numbers with at most so many different values are counts; with more they are compared with smooth families."""


@dataclass(frozen=True, slots=True)
class Margin:
    """One variable by itself.

    Attributes:
        quantile: Ranks in (0, 1) to values, of the same shape.
        text: Whether values are text.
        expectation: The mean, where it is known.
        notes: How it was found, in sentences.
    """

    quantile: Callable[[Floats], NDArray[Any]]
    text: bool = False
    expectation: float | None = None
    notes: tuple[str, ...] = ()


def margin_of(name: str, variable: Stated | Fitted | Empirical, frames: Frames, *, rng: Generator) -> Margin:
    """The margin of a variable.

    Raises:
        SimulationError: The column is not there, or nothing can be fitted to it.
    """
    if isinstance(variable, Stated):
        stated = variable.distribution
        return Margin(stated.quantile, stated.text, stated.expectation())
    series = column_of(name, variable.data, variable.column, frames)
    if isinstance(variable, Empirical):
        return _empirical(name, variable, series)
    return _fitted(name, variable, series, rng)


def column_of(name: str, data: str, column: str, frames: Frames) -> pl.Series:
    """The column that a variable is fitted to, without nulls.

    Raises:
        SimulationError: The data or the column is not there, or is nearly empty.
    """
    if data not in frames:
        raise SimulationError(f"variables.{name}: there are no data {data!r}.{did_you_mean(data, frames)}")
    frame = frames[data]
    if column not in frame.columns:
        hint = did_you_mean(column, frame.columns)
        raise SimulationError(f"variables.{name}: the data {data!r} have no column {column!r}.{hint}")
    series = frame[column]
    series = series.cast(pl.Float64) if series.dtype == pl.Boolean or series.dtype.is_decimal() else series
    series = series.drop_nulls()
    series = series.filter(series.is_finite()) if series.dtype.is_float() else series
    if len(series) < FEWEST:
        said = f"column {column!r} of {data!r} has {len(series)} values; at least {FEWEST} are needed to fit."
        raise SimulationError(f"variables.{name}: {said}")
    return series


def _empirical(name: str, variable: Empirical, series: pl.Series) -> Margin:
    """The margin as cuvee's codecs keep it: no figure comes from fewer than five rows."""
    numeric = series.dtype.is_numeric()
    if not numeric and not (series.dtype == pl.String or isinstance(series.dtype, (pl.Categorical, pl.Enum))):
        said = f"column {variable.column!r} of {variable.data!r} is {series.dtype}; a number or text is wanted."
        raise SimulationError(f"variables.{name}: {said}")
    codec: Codec = (NumberCodec if numeric else CategoryCodec).fit(series.name, series)

    def quantile(u: Floats) -> NDArray[Any]:
        # What a rank does not say of a number or category is nothing: the generator is never asked.
        values = codec.decode(np.ascontiguousarray(u).ravel(), rng=np.random.default_rng(0))
        plain = values.cast(pl.Float64).to_numpy() if numeric else np.asarray(values.cast(pl.String).to_list())
        return plain.reshape(u.shape)

    told = f"{name} varies as column {variable.column!r} of {variable.data!r} does ({len(series):,} values)."
    return Margin(quantile, not numeric, None, (told, *codec.notes))


def _fitted(name: str, variable: Fitted, series: pl.Series, rng: Generator) -> Margin:
    if not series.dtype.is_numeric():
        said = f"column {variable.column!r} of {variable.data!r} is {series.dtype}; families are fitted to numbers."
        raise SimulationError(f"variables.{name}: {said} Text can be taken as it is, by 'empirical'.")
    x = series.cast(pl.Float64).to_numpy()
    x = x[np.sort(rng.permutation(len(x))[:MOST])]
    names = _candidates(name, variable, series, x)
    folds = rng.permutation(np.arange(len(x)) % FOLDS)
    scores = held_out(names, x, _log_density, folds)
    best = max(scores, key=lambda k: scores[k])
    if not np.isfinite(scores[best]):
        said = f"none of {', '.join(names)} can be fitted to column {variable.column!r} of {variable.data!r}."
        raise SimulationError(f"variables.{name}: {said} Take it as it is, by 'empirical'.")
    found = _distribution(best, FITTED[best].fit(x))
    told = _told(name, variable, best, found, scores, x)
    return Margin(found.quantile, text=False, expectation=found.expectation(), notes=told)


def _candidates(name: str, variable: Fitted, series: pl.Series, x: Floats) -> list[str]:
    """The families that the data can come from."""
    whole = bool((x == np.rint(x)).all()) and x.min() >= 0 and series.n_unique() <= FEW
    if variable.families is not None:
        refused = [f for f in variable.families if not FITTED[f].takes(x)]
        mixed = len({FITTED[f].discrete for f in variable.families}) > 1
        if refused or mixed:
            why = "they mix whole numbers with others" if mixed else f"the data can't come from {', '.join(refused)}"
            raise SimulationError(f"variables.{name}.fit.families: {why}. Leave them out, or name others.")
        return list(variable.families)
    if whole and FITTED["bernoulli"].takes(x):
        return ["bernoulli"]
    found = [f for f, family in FITTED.items() if family.discrete == whole and f != "bernoulli" and family.takes(x)]
    if not found:
        said = f"column {variable.column!r} of {variable.data!r} has one value throughout. State it as a number."
        raise SimulationError(f"variables.{name}: {said}")
    return found


def _distribution(name: str, parameters: Parameters) -> Distribution:
    return FAMILIES[name].model_validate(dict(parameters))


def _log_density(name: str, parameters: Parameters, x: Floats) -> Floats:
    law = _distribution(name, parameters).law()
    with np.errstate(all="ignore"):
        return np.asarray(law.logpmf(x) if FITTED[name].discrete else law.logpdf(x))


def _told(
    name: str, variable: Fitted, best: str, found: Distribution, scores: Mapping[str, float], x: Floats
) -> tuple[str, ...]:
    """How a family was chosen, and whether it fits."""
    said = ", ".join(f"{k} {v:.4g}" for k, v in found.model_dump().items() if v is not None)
    others = sorted((s, k) for k, s in scores.items() if k != best and np.isfinite(s))
    beside = f"; next {others[-1][1]} {others[-1][0]:.3f}" if others else ""
    source = f"column {variable.column!r} of {variable.data!r}"
    chosen = f"{name}: {best} ({said}) fitted to {len(x):,} rows of {source}; held-out log-likelihood "
    chosen += f"{scores[best]:.3f} a row{beside}."
    far = (distance_of_counts if FITTED[best].discrete else distance)(x, found.law().cdf)
    # With fitted parameters chance alone stays below this nearly always (Lilliefors 1967), so beyond it the fit is bad.
    limit = 1.358 / np.sqrt(len(x))
    if far <= limit:
        return (f"{chosen} Kolmogorov-Smirnov distance {far:.3f}, within what chance allows ({limit:.3f}).",)
    bad = f"{chosen} Kolmogorov-Smirnov distance {far:.3f}, more than chance allows ({limit:.3f}): "
    return (f"{bad}no family that was tried fits; 'empirical' follows the data themselves.",)
