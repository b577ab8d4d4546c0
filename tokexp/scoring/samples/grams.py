"""Numbers the n-grams of samples without collisions, and looks them up in a training text.

A sequence is an array of symbols, words or characters, as numbers from 0 on; -1 is a boundary, which no
gram crosses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
import regex

from tokexp.tokenizer.split import chunks

WORD_OF_LETTERS = regex.compile(r"[\p{L}\p{M}]+(?:['\u2019-][\p{L}\p{M}]+)*")


def words(text: str) -> list[str]:
    """The words of `text`, in small letters. One that its beginning or end cuts in two counts as it stands."""
    matches: list[str] = WORD_OF_LETTERS.findall(text.lower())
    return matches


class Grams:
    """The n-grams of a sequence, numbered, to be looked up in other sequences.

    A gram is numbered by two of the largest power of two below its length, which may overlap.
    Source: Karp, Miller and Rosenberg (1972).
    """

    def __init__(self, ids: np.ndarray, lengths: Sequence[int]) -> None:
        """`lengths`: increasing, each with the power of two below it or 1."""
        self.at = {1: ids}  # of each length, (N,): the number of the gram that begins there, -1 for none
        self.size = {1: int(ids.max(initial=-1)) + 1}  # different grams of each length
        self._keys: dict[int, np.ndarray] = {}
        for n in lengths:
            keys = self._key(self.at, n)
            self._keys[n] = np.unique(keys[keys >= 0])
            self.at[n], self.size[n] = index_of(self._keys[n], keys), len(self._keys[n])

    def look_up(self, ids: np.ndarray) -> dict[int, np.ndarray]:
        """By length, the number of the gram that begins at each of `ids`, -1 where it is none of these.

        A length of which `ids` has none of these grams is left out.
        """
        at = {1: ids}
        for n, keys in self._keys.items():
            if _half(n) in at:
                numbers = index_of(keys, self._key(at, n))
                if (numbers >= 0).any():
                    at[n] = numbers
        return at

    def _key(self, at: dict[int, np.ndarray], n: int) -> np.ndarray:
        half = _half(n)
        keys = np.full(len(at[half]), -1)
        first, second = at[half][: max(0, len(keys) - n + half)], at[half][n - half :]
        keys[: len(first)] = np.where((first >= 0) & (second >= 0), first * self.size[half] + second, -1)
        return keys


def _half(n: int) -> int:
    """The largest power of two below `n`."""
    return 1 << ((n - 1).bit_length() - 1)


def index_of(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The index in the sorted `keys` of each of `wanted`, -1 for one that is not there or is negative."""
    index = np.full(len(wanted), -1)
    if len(keys):
        valid = np.flatnonzero(wanted >= 0)
        at = np.minimum(np.searchsorted(keys, wanted[valid]), len(keys) - 1)
        index[valid] = np.where(keys[at] == wanted[valid], at, -1)
    return index


def join(sequences: list[np.ndarray]) -> np.ndarray:
    """`sequences` end to end, each followed by the boundary -1."""
    return np.concatenate([np.zeros(0, dtype=np.int64), *(np.append(sequence, -1) for sequence in sequences)])


def slices(sequences: list[np.ndarray]) -> list[slice]:
    """The place of each of `sequences` once `join` has put them end to end."""
    ends = accumulate((len(sequence) + 1 for sequence in sequences), initial=0)
    return [slice(start, end - 1) for start, end in pairwise(ends)]


@dataclass(frozen=True)
class WordGrams:
    """The word n-grams of some samples, numbered, and which of them a training text has; 1-grams are words."""

    at: list[dict[int, np.ndarray]]  # of each sample, by length, (words,): the gram that begins there, -1 for none
    seen: dict[int, np.ndarray]  # by length, (different grams,) bool


def word_grams(train: str, samples: Sequence[Sequence[str]], lengths: Sequence[int]) -> WordGrams:
    """Number the grams of `samples`, each given as its words; one pass over `train` for all of them.

    `lengths`: more than 1, increasing, each with the power of two below it or 1.
    """
    number = {word: i for i, word in enumerate(dict.fromkeys(word for sample in samples for word in sample))}
    ids = [np.array([number[word] for word in sample], dtype=np.int64) for sample in samples]
    grams = Grams(join(ids), lengths)
    seen = {n: np.zeros(size, dtype=bool) for n, size in grams.size.items()}
    last = np.zeros(0, dtype=np.int64)  # of the chunk before, as many as the longest gram may need
    for chunk in chunks(train):
        text = np.concatenate([last, np.array([number.get(word, -1) for word in words(chunk)], dtype=np.int64)])
        for n, at in grams.look_up(text).items():
            seen[n][at[at >= 0]] = True
        last = text[max(0, len(text) - max(lengths) + 1) :]
    return WordGrams([{n: at[where] for n, at in grams.at.items()} for where in slices(ids)], seen)
