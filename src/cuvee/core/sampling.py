"""Making many blocks on several threads, and giving them in order."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeVar

from cuvee.data.errors import ModelError

T = TypeVar("T")

BLOCK = 131_072
"""Rows are sampled in blocks of this many, each with a generator of its own: any block can be made again alone."""


def cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return max(1, len(affinity(0)) if affinity is not None else os.cpu_count() or 1)


def thread_count(workers: int | None) -> int:
    """How many threads make blocks: as many as wanted, or None for the cores there are.

    Raises:
        ModelError: That is no number of threads.
    """
    if workers is None:
        return cores()
    if not isinstance(workers, int) or workers < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ModelError(f"{workers!r} workers were asked for; their number is a whole number, 1 or more.")
    return workers


def in_order(make: Callable[[int], T], numbers: range, workers: int) -> Iterator[T]:
    """What `make` gives for each number, in order, made on threads that are never far ahead.

    At most `workers` + 1 results wait or are being made at any time, so memory stays constant. What `make` raises is
    raised here, when its turn comes; nothing runs on after that.

    Args:
        make: Called on any thread.
        numbers: What for.
        workers: How many threads; 1 makes each result on the caller's own thread, when it is asked for.
    """
    if workers <= 1 or len(numbers) <= 1:
        yield from map(make, numbers)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    pool = ThreadPoolExecutor(min(workers, len(numbers)), thread_name_prefix="cuvee")
    waiting: deque[Future[T]] = deque()
    try:
        for number in numbers:
            waiting.append(pool.submit(make, number))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def block_count(n: int) -> int:
    """How many blocks n rows are sampled in; no rows are one empty block.

    Raises:
        ModelError: n is no number of rows.
    """
    if not isinstance(n, int) or n < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ModelError(f"{n!r} rows were asked for; the number of rows is a whole number, 0 or more.")
    return -(-max(n, 1) // BLOCK)
