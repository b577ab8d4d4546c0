"""Finds how much of a sample stands verbatim in the training text, exactly and without hashing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from tokexp.scoring.samples.grams import Grams, index_of, join, slices

SHORTEST_COPY = 16  # characters
CHUNK = 1 << 17  # characters; small, so that a loop's copies are found before all of its places are looked at


def longest_copies(train: str, samples: Sequence[str], least: int = SHORTEST_COPY) -> list[int]:
    """The length of the longest substring of each sample that `train` has too; 0 below `least`.

    Substrings of a power of two are numbered in the samples and looked up in `train`, chunk by chunk; one of
    another length is two of them that overlap. `train` has every substring of one that it has, so that the
    longest is found by bisection, and only where a chunk has a longer one than those before it: no
    substring is ever paired with each of its copies.
    """
    points = [_code_points(sample) for sample in samples]
    longest = max(map(len, points), default=0)
    alphabet = np.unique(np.concatenate([np.zeros(0, np.uint32), *points]))
    powers = [1 << k for k in range(1, longest.bit_length())]
    grams = Grams(join([index_of(alphabet, p) for p in points]), powers)
    places = slices(points)
    best = [least - 1] * len(samples)
    step = max(CHUNK, longest)
    for start in range(0, len(train), step):
        in_chunk = grams.look_up(index_of(alphabet, _code_points(train[start : start + step + longest])))
        hits = {n: np.flatnonzero(at >= 0) for n, at in in_chunk.items() if 2 * n > least}
        for i, where in enumerate(places):
            size = where.stop - where.start
            copied = partial(_in_common, grams, where, in_chunk, hits)
            if best[i] < size and copied(best[i] + 1):
                best[i] = _largest(copied, best[i] + 1, size)
    return [length if length >= least else 0 for length in best]


def _largest(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The last of low..high for which `holds` is true, as it is for `low` and all between."""
    return low + bisect_left(range(low + 1, high + 1), True, key=lambda n: not holds(n))


def _in_common(
    grams: Grams, where: slice, in_chunk: dict[int, np.ndarray], hits: dict[int, np.ndarray], length: int
) -> bool:
    """Whether a substring of `length` in the sample that lies at `where` of `grams` stands in the chunk too.

    `in_chunk`: the chunk's look-up in `grams`; `hits`: where each of its arrays has a gram.
    """
    n = 1 << (length.bit_length() - 1)
    if n not in hits:
        return False
    in_sample = _ends(grams.at[n][where], np.arange(where.stop - where.start), length - n)
    begins_one = np.zeros(grams.size[n], dtype=bool)
    begins_one[in_sample[0]] = True
    candidates = hits[n][begins_one[in_chunk[n][hits[n]]]]
    of_chunk = _ends(in_chunk[n], candidates, length - n)
    in_sample_keys = np.unique(in_sample[0] * grams.size[n] + in_sample[1])
    return bool((index_of(in_sample_keys, of_chunk[0] * grams.size[n] + of_chunk[1]) >= 0).any())


def _ends(at: np.ndarray, where: np.ndarray, shift: int) -> np.ndarray:
    """The numbers `at` the places `where` and `shift` further on, (2, places), where both have one."""
    where = where[where + shift < len(at)]
    both = np.stack([at[where], at[where + shift]])
    return both[:, (both >= 0).all(axis=0)]


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
