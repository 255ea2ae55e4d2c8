"""The contract of a synthesizer."""

import base64
import hashlib
import struct
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cuvee.core import Model, Synthesizer, in_order
from cuvee.data.dataset import Dataset
from cuvee.data.errors import CuveeError, ModelError
from cuvee.registry import name_of
from cuvee.synthesis.model_file import open_model
from cuvee.testing.inputs import bad_inputs
from cuvee.testing.planted import dependence_error, dependent_table, shuffled
from cuvee.testing.require import attempt, fingerprint, require, untouched
from cuvee.verbs import load

CANARIES = 50
"""Secrets that are planted in the training rows."""


@dataclass(frozen=True, slots=True)
class _Case:
    """What the checks of one synthesizer share."""

    spec: Synthesizer
    data: Dataset
    name: str
    seconds: float
    dependent: bool


def check_synthesizer(
    spec: Synthesizer | Callable[[], Synthesizer],
    *,
    rows: int = 500,
    seconds: float = 60.0,
    dependent: bool = True,
    bad: bool = True,
    brief: Synthesizer | None = None,
) -> None:
    """Certify a synthesizer of one table: that it keeps the contract of `cuvee.core.Synthesizer`.

    It is fitted and sampled on planted tables. Required are: the same seed gives the same bytes and another seed other
    rows; global state and arguments stay as they are; columns, dtypes and order survive; n rows asked are n rows got;
    a saved model samples the same, and so do several threads at once; more rows are learned into a new model, or
    refused; no planted secret stands in the saved model in any spelling; null rates are kept; dependences are nearer
    the truth than shuffled columns are; every bad input gives an answer or a CuveeError.

    Args:
        spec: The synthesizer, or what makes one.
        rows: Training rows of the planted table.
        seconds: What one fit and sample of it may take at most.
        dependent: Whether it learns dependences; False for one that by design does not.
        bad: Whether to try the bad inputs of `bad_inputs` too.
        brief: What bad inputs are tried with instead: the same synthesizer, learning for less long.

    Raises:
        AssertionError: It does not; the message says what it should do.
    """
    made = spec if isinstance(spec, Synthesizer) else spec()
    data = Dataset.of(dependent_table(rows, np.random.default_rng(1)), name="people")
    case = _Case(made, data, type(made).__name__, seconds, dependent)
    _spec_survives_json(case)
    model = _fit_in_time(case)
    _same_seed_same_bytes(case, model)
    _rows_and_columns(case, model)
    _saved_model_samples_the_same(case, model)
    _no_secret_in_the_model(case)
    _null_rates(case, model)
    _dependence(case, model)
    _density(case, model)
    _several_threads(case, model)
    _update(case, model)
    if bad:
        for one in bad_inputs():
            attempt(f"{case.name} on the bad input {one.name!r}", partial(_survive, brief or made, one.make()))


def _fitted(spec: Synthesizer, data: Dataset, seed: int) -> Model:
    """What `cuvee.fit` gives, also for a synthesizer that is not registered."""
    learned = spec.fit(data, rng=np.random.default_rng(seed))
    rows = {t: f.height for t, f in data.tables.items()}
    return Model(_name(spec), spec, data.schema, rows, seed, learned, learned.notes())


def _name(spec: Synthesizer) -> str:
    try:
        return name_of("synthesizers", type(spec))
    except CuveeError:
        return type(spec).__name__


def _sampled(case: _Case, model: Model, n: int, seed: int) -> pl.DataFrame:
    """The rows that a model gives; a model of good data gives some."""
    outcome = attempt(f"Sampling {case.name}", lambda: model.sample(n, seed=seed).frame)
    if isinstance(outcome, CuveeError):
        raise AssertionError(f"{case.name} learned a plain table and can't give rows of it: {outcome}")  # noqa: TRY004
    return outcome


def _spec_survives_json(case: _Case) -> None:
    again = type(case.spec).model_validate_json(case.spec.model_dump_json())
    require(again == case.spec, f"{case.name} is not the same after JSON; every option must be plain data.")


def _fit_in_time(case: _Case) -> Model:
    before = fingerprint(case.data.frame)
    started = time.perf_counter()
    model = _fitted(case.spec, case.data, seed=3)
    _sampled(case, model, case.data.frame.height, 3)
    took = time.perf_counter() - started
    rows, allowed = case.data.frame.height, case.seconds
    require(took <= allowed, f"{case.name} took {took:.0f} s on {rows} rows; {allowed:.0f} s are allowed.")
    require(fingerprint(case.data.frame) == before, f"{case.name} changed the data it was fitted on.")
    return model


def _same_seed_same_bytes(case: _Case, model: Model) -> None:
    with untouched(f"Sampling {case.name}"):
        first = fingerprint(_sampled(case, model, 200, 5))
    require(fingerprint(_sampled(case, model, 200, 5)) == first, f"{case.name} sampled other rows from the same seed.")
    with untouched(f"Fitting {case.name}"):
        again = _fitted(case.spec, case.data, seed=3)
    require(
        _state_hash(again) == _state_hash(model), f"{case.name} learned something else from the same data and seed."
    )
    require(
        fingerprint(_sampled(case, again, 200, 5)) == first,
        f"{case.name}, fitted twice with one seed, sampled other rows.",
    )
    require(
        fingerprint(_sampled(case, model, 200, 6)) != first, f"{case.name} sampled the same rows from another seed."
    )


def _state_hash(model: Model) -> str:
    values, arrays = model.learned.state()
    digest = hashlib.sha256(repr(values).encode())
    for key in sorted(arrays):
        digest.update(
            repr((key, arrays[key].dtype, arrays[key].shape)).encode() + np.ascontiguousarray(arrays[key]).tobytes()
        )
    return digest.hexdigest()


def _rows_and_columns(case: _Case, model: Model) -> None:
    trained = case.data.frame
    for n in (0, 1, 10, 2 * trained.height + 1):
        sampled = _sampled(case, model, n, 1)
        require(sampled.height == n, f"{case.name} gave {sampled.height} rows where {n} were asked for.")
        require(
            list(sampled.schema.items()) == list(trained.schema.items()),
            f"{case.name} gave the columns {_changed(sampled, trained)}; names, order and dtypes are training's.",
        )
    try:
        model.sample(-1)
    except ModelError:
        return
    raise AssertionError(f"{case.name} took -1 for a number of rows; a ModelError is wanted.")


def _changed(sampled: pl.DataFrame, trained: pl.DataFrame) -> str:
    pairs = [f"{n}: {d}" for n, d in sampled.schema.items() if trained.schema.get(n) != d]
    return ", ".join(pairs) or "in another order, or not all"


def _saved_model_samples_the_same(case: _Case, model: Model) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        model.save(path)
        opened = _opened(path, case.spec)
        require(
            fingerprint(_sampled(case, opened, 100, 9)) == fingerprint(_sampled(case, model, 100, 9)),
            f"{case.name} samples other rows after its model was saved and opened.",
        )
        require(opened.spec == case.spec, f"The saved model of {case.name} has another spec.")
        require(
            dict(opened.rows) == dict(model.rows), f"The saved model of {case.name} forgot its number of training rows."
        )
        second = Path(folder) / "again"
        opened.save(second)
        require(_bytes_of(second) == _bytes_of(path), f"{case.name} saves other bytes after its model was opened.")


def _opened(path: Path, spec: Synthesizer) -> Model:
    """The model of a folder; through the verb where its synthesizer is registered."""
    try:
        name_of("synthesizers", type(spec))
    except CuveeError:
        kind = type(spec)

        def same_kind(name: str) -> type[Synthesizer]:
            del name
            return kind

        return open_model(path, same_kind)
    opened = load(path)
    require(isinstance(opened, Model), f"{path.name} was saved as a model and opened as a {type(opened).__name__}.")
    return opened  # pyright: ignore[reportReturnType]


def _bytes_of(folder: Path) -> Mapping[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def _no_secret_in_the_model(case: _Case) -> None:
    """Plant values that occur once, fit, save, and look for them in every byte."""
    frame, secrets = planted_secrets()
    model = _fitted(case.spec, Dataset.of(frame, name="secrets"), seed=4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        model.save(path)
        for file, content in _bytes_of(path).items():
            for column, spellings in secrets:
                found = next((how for how, spelling in spellings.items() if spelling in content), None)
                require(
                    found is None,
                    f"{case.name} stores a value of column {column!r} that is unique in training ({found} in {file}); "
                    "a model holds no training row.",
                )
    said = " ".join((*model.notes, repr(model))).encode()
    for column, spellings in secrets:
        require(spellings["as it is"] not in said, f"{case.name} tells a value of the column {column!r} in its notes.")


def planted_secrets(rows: int = 600) -> tuple[pl.DataFrame, list[tuple[str, dict[str, bytes]]]]:
    """A table in which `CANARIES` rows hold values that occur once, and how each might be spelt in a file.

    Returns:
        The table, and for each secret its column and its spellings.
    """
    rng = np.random.default_rng(11)
    texts = [f"canary-{rng.integers(2**60):015x}" for _ in range(CANARIES)]
    mails = [f"{rng.integers(2**50):x}@secret.example" for _ in range(CANARIES)]
    # Far from the other rows and from each other: an exact extreme in a table of quantiles would show.
    amounts = (rng.permutation(CANARIES) + 1) * 1e7 + rng.random(CANARIES) * 1e6
    codes = (rng.permutation(CANARIES) + 1) * 10**15 + rng.integers(10**14, size=CANARIES)
    rest = rows - CANARIES
    order = rng.permutation(rows)
    frame = pl.DataFrame(
        {
            "note": [*texts, *rng.choice(["paid", "open", "late"], rest)],
            "mail": [*mails, *(f"user{i % 40}@example.org" for i in range(rest))],
            "amount": np.concatenate([amounts, rng.normal(100, 15, rest)]),
            "code": np.concatenate([codes, rng.integers(1, 9, rest)]),
            "group": rng.choice(["a", "b", "c"], rows),
        }
    )[order]
    secrets = [("note", _text_spellings(t)) for t in texts] + [("mail", _text_spellings(t)) for t in mails]
    secrets += [("amount", _number_spellings(float(a), repr(float(a)))) for a in amounts]
    secrets += [
        ("code", _number_spellings(float(c), str(c)) | {"as an integer": struct.pack("<q", int(c))}) for c in codes
    ]
    return frame, secrets


def _text_spellings(text: str) -> dict[str, bytes]:
    raw = text.encode()
    hashes = {name: hashlib.new(name, raw, usedforsecurity=False) for name in ("md5", "sha1", "sha256")}
    return {
        "as it is": raw,
        "in base64": base64.b64encode(raw).rstrip(b"="),
        "in hexadecimal": raw.hex().encode(),
        "in UTF-16": text.encode("utf-16-le"),
        **{f"as its {name}": h.hexdigest().encode() for name, h in hashes.items()},
        **{f"as the bytes of its {name}": h.digest() for name, h in hashes.items()},
    }


def _number_spellings(number: float, text: str) -> dict[str, bytes]:
    return {"as it is": text.encode(), "as a float": struct.pack("<d", number)} | {
        f"as its {name}": hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest().encode()
        for name in ("md5", "sha1", "sha256")
    }


def _null_rates(case: _Case, model: Model) -> None:
    trained, sampled = case.data.frame, _sampled(case, model, 3000, 2)
    for column in trained.columns:
        real, made = trained[column].null_count() / trained.height, sampled[column].null_count() / sampled.height
        # Five standard errors of a share of 3000 rows: one false alarm in a million columns; 2 % more for models.
        allowed = 5 * float(np.sqrt(max(real * (1 - real), 1e-4) / sampled.height)) + 0.02
        require(
            abs(real - made) <= allowed,
            f"{case.name} made {made:.1%} nulls in column {column!r} where training has {real:.1%}.",
        )


def _dependence(case: _Case, model: Model) -> None:
    real = case.data.frame
    made = dependence_error(_sampled(case, model, 3000, 8), real)
    floor = dependence_error(shuffled(real, np.random.default_rng(8)), real)
    # Rank correlations of 500 and 3000 rows vary by about 0.05 and 0.02.
    limit = floor / 2 if case.dependent else floor + 0.1
    require(
        made <= limit,
        f"{case.name} misses the planted dependences by {made:.2f} on average, shuffled columns by {floor:.2f}; "
        f"at most {limit:.2f} is wanted.",
    )


def _density(case: _Case, model: Model) -> None:
    density: Any = model.learned.log_prob(case.data)
    if density is None:
        return
    require(
        np.shape(density) == (case.data.frame.height,),
        f"log_prob of {case.name} gives {np.shape(density)}, not one figure a row.",
    )
    require(not np.isnan(density).any(), f"log_prob of {case.name} gives NaN.")
    cells: Any = model.learned.log_prob_cells(case.data)
    if cells is not None:
        wanted = case.data.frame.shape
        require(np.shape(cells) == wanted, f"log_prob_cells of {case.name} gives {np.shape(cells)}, not {wanted}.")
        require(not np.isnan(cells).any(), f"log_prob_cells of {case.name} gives NaN.")


def _several_threads(case: _Case, model: Model) -> None:
    """Large samples are made block by block on threads: what was learned must not change while it is used."""

    def make(seed: int) -> str:
        rng = np.random.default_rng(seed)
        return fingerprint(model.learned.sample(300, start=0, rng=rng)[case.data.name])

    alone = [make(seed) for seed in range(6)]
    require(list(in_order(make, range(6), 3)) == alone, f"{case.name} samples other rows where several threads sample.")


def _update(case: _Case, model: Model) -> None:
    """Learning more rows gives a new model of the same columns, or a ModelError."""
    before = _state_hash(model)
    more = case.data.frame.head(100)
    updated = attempt(f"Updating {case.name}", lambda: model.update(more))
    require(_state_hash(model) == before, f"{case.name} changed the model that it updated; a new one is wanted.")
    if isinstance(updated, CuveeError):
        return
    schema, wanted = dict(_sampled(case, updated, 50, 1).schema), dict(case.data.frame.schema)
    require(
        schema == wanted, f"An updated model of {case.name} has the columns {schema}; those of training are wanted."
    )
    again = model.update(more)
    require(
        _state_hash(again) == _state_hash(updated), f"{case.name}, updated twice with one seed, learned two things."
    )


def _survive(spec: Synthesizer, table: object) -> None:
    """Fit a bad input and sample it: an answer has its columns, and as many rows as were asked for."""
    data = Dataset.of(table, name="bad")
    before = fingerprint(data.frame)
    model = _fitted(spec, data, seed=1)
    sampled = model.sample(7, seed=1).frame
    require(sampled.height == 7, f"{type(spec).__name__} gave {sampled.height} rows where 7 were asked for.")
    require(
        sampled.schema == data.frame.schema, f"{type(spec).__name__} gave the columns {_changed(sampled, data.frame)}."
    )
    require(fingerprint(data.frame) == before, f"{type(spec).__name__} changed the data it was fitted on.")
