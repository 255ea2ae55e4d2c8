"""What the checks share: a requirement, what a call may not touch, and when two frames are the same bytes."""

import contextlib
import hashlib
import io
import logging
import os
import random  # noqa: TID251 (here it is proved that a plug-in leaves it alone)
import sys
import warnings
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import numpy as np
import polars as pl

from cuvee.data.errors import CuveeError

T = TypeVar("T")


def require(condition: object, sentence: str) -> None:
    """Raise AssertionError with this sentence unless the condition holds; unlike `assert`, under `python -O` too."""
    if not condition:
        raise AssertionError(sentence)


def fingerprint(frame: pl.DataFrame) -> str:
    """The hash of a frame's bytes: names, dtypes and values. Categories count by their text, not by their code."""
    plain = frame.with_columns(pl.col(pl.Categorical).cast(pl.String)) if frame.width else frame
    digest = hashlib.sha256(repr(frame.schema).encode())
    stream = io.BytesIO()
    plain.rechunk().write_ipc(stream, compression="uncompressed")
    digest.update(stream.getvalue())
    return digest.hexdigest()


@contextlib.contextmanager
def untouched(what: str) -> Generator[None]:
    """Require that the block leaves all global state alone: generators, warnings, logging, environment.

    Let the same call run once before: the first import of some libraries draws from the global generator of Python.
    """
    with _moved_generators():
        before = _global_state()
        yield
        after = _global_state()
    for name, value in before.items():
        require(after[name] == value, f"{what} changed {name}; randomness and settings are arguments, never global.")


@contextlib.contextmanager
def _moved_generators() -> Generator[None]:
    """Put the global generators where no seed puts them, so that a call that seeds them can't be missed; then back."""
    torch = sys.modules.get("torch")
    states = np.random.get_state(), random.getstate(), None if torch is None else torch.get_rng_state()  # noqa: NPY002
    np.random.random(3)  # noqa: NPY002
    random.random()  # noqa: S311 (nothing is kept secret with it)
    if torch is not None:
        torch.rand(3)
    try:
        yield
    finally:
        np.random.set_state(states[0])  # noqa: NPY002
        random.setstate(states[1])
        if torch is not None:
            torch.set_rng_state(states[2])


def attempt(what: str, call: Callable[[], T]) -> T | CuveeError:
    """What a call gives, or the CuveeError that it ends in; any other exception breaks the contract."""
    try:
        return call()
    except CuveeError as error:
        require(_is_sentence(str(error)), f"{what} ended in an error that is no sentence: {str(error)!r}.")
        return error
    except AssertionError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:  # any other error is what this looks for
        found = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        raise AssertionError(f"{what} ended in a traceback, not an answer or a CuveeError: {found}") from error


def _is_sentence(text: str) -> bool:
    return len(text.split()) >= 3 and "Traceback" not in text


def _global_state() -> dict[str, Any]:
    """All that a plug-in might touch, comparable by `==`."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    torch = sys.modules.get("torch")
    return {
        "the global generator of NumPy": (str(kind), np.asarray(keys).tobytes(), tuple(rest)),
        "the global generator of Python": random.getstate(),
        "the global generator of torch": None if torch is None else bytes(torch.get_rng_state().numpy().tobytes()),
        "the filters of warnings": list(warnings.filters),
        "the root logger": (logging.root.level, list(logging.root.handlers)),
        "the environment": dict(os.environ),
    }
