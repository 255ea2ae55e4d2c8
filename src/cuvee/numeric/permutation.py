"""A seeded permutation of 0 ... n - 1 that is computed one number at a time: how ids are made without repeating."""

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.uint64]

LARGEST = 2**60
"""The largest space that is permuted."""
ROUNDS = 6


def mixed(numbers: Whole, key: int) -> Whole:
    """Numbers scattered over 64 bits, (n,); the same for the same key.

    Source: the finaliser of SplitMix64, Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators.
    """
    salt = np.uint64((key * 0x9E3779B97F4A7C15) % 2**64)
    z = numbers + salt + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def permuted(index: NDArray[np.int64], space: int, *, key: int) -> NDArray[np.int64]:
    """Where a permutation of 0 ... space - 1 sends each index, (n,): different for different indices.

    A Feistel network on the next even number of bits; results outside the space are sent on until they fall inside.

    Raises:
        ValueError: An index is not below the space, or the space is larger than `LARGEST`.

    Source: Black and Rogaway (2002), Ciphers with arbitrary finite domains, cycle-walking cipher.
    """
    if not 0 < space <= LARGEST:
        raise ValueError(f"The space is {space}; it is 1 to {LARGEST}.")
    if len(index) and (index.min() < 0 or index.max() >= space):
        raise ValueError(f"An index is outside 0 ... {space - 1}.")
    half = max((int(space - 1).bit_length() + 1) // 2, 1)
    result = _feistel(index.astype(np.uint64), half, key)
    while True:
        outside = np.flatnonzero(result >= np.uint64(space))
        if len(outside) == 0:
            return result.astype(np.int64)
        result[outside] = _feistel(result[outside], half, key)


def _feistel(numbers: Whole, half: int, key: int) -> Whole:
    """One pass of the network on 2 * half bits."""
    shift, mask = np.uint64(half), np.uint64(2**half - 1)
    left, right = numbers >> shift, numbers & mask
    for turn in range(ROUNDS):
        left, right = right, left ^ (mixed(right, key + turn * 7919) & mask)
    return (left << shift) | right
