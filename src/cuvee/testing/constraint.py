"""The contract of a constraint."""

from collections.abc import Callable

import numpy as np
import polars as pl

from cuvee.core import Constraint
from cuvee.data.dataset import Dataset
from cuvee.synthesis.constraints.constrained import fit_constrained
from cuvee.synthesis.tabular.independent import Independent
from cuvee.testing.require import fingerprint, require, untouched

ROWS = 3_000


def check_constraint(spec: Constraint | Callable[[], Constraint], kept: pl.DataFrame, broken: pl.DataFrame) -> None:
    """Certify a constraint: that it keeps the contract of `cuvee.core.Constraint`.

    Required are: it names its columns; what it says of a row is true, false or null, and does not change with the rows
    (unless it speaks of rows together); an empty frame is no error; nothing given is changed; it comes back from its
    values; rows that are drawn column by column keep it, every one of them, whatever they are drawn from.

    Args:
        spec: The constraint, or what makes one.
        kept: At least 200 rows, none of which breaks it.
        broken: Rows of the same columns, of which at least one breaks it.

    Raises:
        AssertionError: It does not; the message says what it should do.
    """
    made = spec if isinstance(spec, Constraint) else spec()
    name = type(made).__name__
    require(made.columns() and set(made.columns()) <= set(kept.columns), f"{name} must name columns that are there.")
    require(
        type(made).model_validate(made.model_dump(by_alias=True)) == made, f"{name} must come back from its values."
    )
    before = fingerprint(kept)
    with untouched(name):
        learned = made.learn(kept, least=1)
        truth, wrong = made.truth(kept, learned), made.truth(broken, learned)
        none = made.truth(kept[:0], None)
    require(fingerprint(kept) == before, f"{name} must not change the rows it is given.")
    for found, frame in ((truth, kept), (wrong, broken), (none, kept[:0])):
        require(
            found.dtype == pl.Boolean and len(found) == frame.height,
            f"{name} must say true, false or null of each row, and gave {len(found)} values of {found.dtype}.",
        )
    require(bool(truth.fill_null(value=True).all()), f"{name} must hold in rows that keep it.")
    require(not wrong.fill_null(value=True).all(), f"{name} must not hold in rows that break it.")
    if not made.across:
        again = made.truth(kept.reverse(), learned).reverse()
        require(again.equals(truth, null_equal=True), f"{name} must judge a row by itself.")
    _kept_in_samples(made, kept)


def _kept_in_samples(made: Constraint, kept: pl.DataFrame) -> None:
    """Rows of columns that know nothing of each other keep it, and the columns come out as they went in."""
    from cuvee.core import Model

    data, spec = Dataset.of(kept, name="data"), Independent()
    learned = fit_constrained(spec, data, [made], rng=np.random.default_rng(0))
    model = Model("independent", spec, data.schema, {"data": kept.height}, 0, learned, learned.notes())
    rows = model.sample(ROWS if not made.across else kept.height // 2, seed=1)
    (proof,) = model.prove(rows)
    name = type(made).__name__
    require(proof.broken == 0, f"{name} is broken in {proof.broken} of {proof.rows} rows that were made under it.")
    require(rows.frame.schema == kept.schema, f"{name} must leave the columns what they are.")
