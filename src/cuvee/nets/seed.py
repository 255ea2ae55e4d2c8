"""The one seed: torch's random numbers follow from the caller's numpy generator; torch's own is never touched."""

import numpy as np
import torch


def generator_of(rng: np.random.Generator) -> torch.Generator:
    """A generator of torch, on the CPU, whose numbers follow from those of numpy's.

    Noise is drawn on the CPU and moved, so that a network learns from the same numbers on every device.
    """
    return torch.Generator().manual_seed(int(rng.integers(2**62)))
