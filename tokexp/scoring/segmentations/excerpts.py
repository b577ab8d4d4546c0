"""Chooses excerpts of the held-out text, and lists every way to cut each of them into tokens."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from tokexp.encoding.prepare import TokenizedCorpus
from tokexp.tokenizer import Tokenizer

Matches = list[list[tuple[int, int]]]  # by byte of a text: (id, end) of the tokens that begin there


@dataclass(frozen=True)
class Excerpt:
    """Canonical tokens in a row, and every way to cut their bytes."""

    context: np.ndarray  # (C,) int64, the canonical ids before it
    ids: np.ndarray  # (tokens,) int64, its canonical ids
    starts: np.ndarray  # (tokens,) int64, the byte of the excerpt at which each begins
    matches: Matches  # of each token that a segmentation can have
    segmentations: int  # how many there are, the canonical one included

    @property
    def n_bytes(self) -> int:
        return len(self.matches)


def choose_excerpts(
    tokenizer: Tokenizer, data: TokenizedCorpus, text: bytes, block_size: int, count: int
) -> list[Excerpt] | None:
    """At most `count` excerpts, spread evenly over the held-out text, none overlapping another.

    An excerpt has as many canonical tokens as lie in `block_size` / 2 bytes, so that it fits into half a
    window even byte by byte; the other half is context. None begins with a token longer than that.
    Returns None where the bytes of the tokens are not the text.
    """
    stream = data.val
    if len(text) != stream.n_bytes:
        raise ValueError(f"got a text of {len(text)} bytes, expected the {stream.n_bytes} that were encoded")
    longest = block_size // 2
    if longest == 0:
        return []
    count = min(count, stream.n_bytes // longest)
    firsts = [int(np.searchsorted(stream.starts, i * stream.n_bytes // count)) for i in range(count)]
    written = tokenizer.token_bytes()
    ids_of: dict[bytes, list[int]] = defaultdict(list)
    for i, token in enumerate(written):
        if token:
            ids_of[token].append(i)
    lengths = sorted({len(token) for token in ids_of})

    excerpts = []
    ends = np.asarray(stream.ids) == (-1 if stream.separator is None else stream.separator)
    separators = np.flatnonzero(ends)
    for first, following in itertools.pairwise([*firsts, len(stream)]):
        if len(separators):  # an excerpt lies in one document
            at = int(np.searchsorted(separators, first))
            following = min([following, *np.asarray(separators[at : at + 1]).tolist()])
        fitting = int(np.searchsorted(stream.starts, stream.starts[first] + longest, side="right")) - 1
        end = min(fitting, following)
        if end <= first:
            continue
        ids, edges = stream.ids[first:end].astype(np.int64), stream.starts[first : end + 1]
        raw = text[edges[0] : edges[-1]]
        if b"".join([written[i] for i in ids]) != raw:
            return None
        room = block_size - longest
        context = np.concatenate([[data.context_id], stream.ids[max(0, first - room) : first].astype(np.int64)])
        matches, segmentations = all_matches(raw, ids_of, lengths)
        excerpts.append(Excerpt(context[-room:], ids, edges[:-1] - edges[0], matches, segmentations))
    return excerpts


def all_matches(text: bytes, ids_of: dict[bytes, list[int]], lengths: list[int]) -> tuple[Matches, int]:
    """The tokens that some segmentation of `text` has, and how many segmentations there are."""
    ways = [0] * len(text) + [1]  # to cut what lies from here to the end
    matches: Matches = [[] for _ in text]
    for at in reversed(range(len(text))):
        for end in (at + length for length in lengths if at + length <= len(text)):
            if ways[end]:
                here = ids_of.get(text[at:end], [])
                matches[at] += [(i, end) for i in here]
                ways[at] += len(here) * ways[end]
    return matches, ways[0]
