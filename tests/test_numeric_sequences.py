"""Permutations and chains of tokens, against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuvee.numeric.markov import END, learn_chain, sample_chain
from cuvee.numeric.permutation import LARGEST, permuted


@given(space=st.integers(1, 3000), key=st.integers(0, 2**40))
def test_a_permutation_gives_every_number_once(space: int, key: int) -> None:
    assert sorted(permuted(np.arange(space), space, key=key).tolist()) == list(range(space))


@given(space=st.integers(1000, LARGEST), key=st.integers(0, 2**40), first=st.integers(0, 500))
def test_any_part_of_a_permutation_can_be_made_alone(space: int, key: int, first: int) -> None:
    whole = permuted(np.arange(1000), space, key=key)
    assert np.array_equal(whole[first:], permuted(np.arange(first, 1000), space, key=key))
    assert len(set(whole.tolist())) == 1000
    assert whole.min() >= 0
    assert whole.max() < space


def test_an_index_outside_the_space_is_refused() -> None:
    with pytest.raises(ValueError, match="outside 0"):
        permuted(np.array([5]), 5, key=1)
    with pytest.raises(ValueError, match="The space is"):
        permuted(np.array([0]), LARGEST + 1, key=1)


def words(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([t for r in rows for t in r], np.int64), np.array([len(r) for r in rows], np.int64)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.lists(st.integers(2, 5), max_size=6), min_size=1, max_size=40), order=st.integers(1, 3))
def test_every_kept_transition_was_seen_in_enough_rows(rows: list[list[int]], order: int) -> None:
    tokens, lengths = words(rows)
    chain = learn_chain(tokens, lengths, order=order, size=6, least=3, longest=6)
    for length, level in zip(range(order, -1, -1), chain.levels, strict=True):
        seen: dict[tuple[int, ...], set[int]] = {}
        for number, row in enumerate(rows):
            padded = [0] * length + row + [END]
            for j in range(len(row) + 1):
                seen.setdefault(tuple(padded[j : j + length + 1]), set()).add(number)
        expected = {gram for gram, who in seen.items() if len(who) >= 3}
        kept = set()
        for c, context in enumerate(level.contexts.tolist()):
            digits = [context // 6**k % 6 for k in range(length - 1, -1, -1)]
            for t in level.following[level.offsets[c] : level.offsets[c + 1]].tolist():
                kept.add((*digits, t))
        assert kept == expected


def test_samples_follow_the_chain() -> None:
    tokens, lengths = words([[2, 3, 4]] * 30 + [[5, 3, 2]] * 10)
    chain = learn_chain(tokens, lengths, order=3, size=6, least=5, longest=3)
    made = sample_chain(chain, 4000, rng=np.random.default_rng(0))
    rows = {tuple(r) for r in made.tolist()}
    assert rows == {(2, 3, 4), (5, 3, 2)}
    # 4,000 draws of a share of 0.75: standard error 0.007.
    assert (made[:, 0] == 2).mean() == pytest.approx(0.75, abs=0.03)


def test_a_chain_of_what_no_rows_share_is_empty() -> None:
    tokens, lengths = words([[2], [3], [4], [5]])
    assert (
        learn_chain(tokens, np.array([1, 1, 1, 1]), order=2, size=6, least=5, longest=1).levels[-1].following.size == 0
    )
    assert lengths.sum() == len(tokens)


def test_uncommon_tokens_break_the_chain() -> None:
    tokens, lengths = words([[2, -1, 3]] * 10)
    chain = learn_chain(tokens, lengths, order=1, size=6, least=5, longest=5)
    made = sample_chain(chain, 500, rng=np.random.default_rng(0))
    assert (made >= 0).all()
    assert (made <= 3).all()
