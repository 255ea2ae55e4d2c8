"""Where a network works: the device, the precision, and the number of threads."""

import os
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from cuvee.data.errors import ModelError

THREADS = 4
"""More threads do small networks no good."""


def device_of(name: str) -> torch.device:
    """The device of a name; "auto" is the accelerator, where there is one that torch can use.

    Raises:
        ModelError: There is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ModelError(f"The device {name!r} was asked for, and there is none that torch can use. Leave it 'auto'.")
    return torch.device(name)


def narrow(device: torch.device) -> AbstractContextManager[object]:
    """Products in bfloat16 where that is fast, on an accelerator that has it; the CPU works in full precision."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()


@contextmanager
def threads(count: int | None = None) -> Generator[None]:
    """Work on so many threads, and afterwards on as many as before; None: as many as are of use on this machine.

    Sums may differ in their last bit with the number of threads. A fixed number gives the same bytes whatever the
    caller had chosen. Rows are sampled on one, because blocks are made side by side.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count or min(os.cpu_count() or 1, THREADS))
    try:
        yield
    finally:
        torch.set_num_threads(before)
