"""Compiled loops: numba, with types that a checker can follow."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The function as machine code, compiled at its first call and kept on disk; it runs without Python's lock."""
    jit = cast("Any", numba).njit(cache=True, nogil=True, fastmath={"contract", "arcp", "nsz"}, error_model="numpy")
    return cast("Callable[P, R]", jit(function))
