"""Cuts a text before anything is merged: into pretokens, which no token crosses, and a long text into chunks.

The patterns for pretokens are the published ones, each with a quick form for ASCII. Chunks save memory; they
are cut where a pretoken ends under every pattern but `none`, so that a text in chunks has the tokens of the whole.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

import numpy as np
import regex

from tokexp.config import InputError
from tokexp.system.meter import Meter
from tokexp.tokenizer.base import refuse_surrogates

# The white space of ASCII as Unicode has it; Python's own \s would add U+001C to U+001F.
_S = r"\t-\r "

# name -> (the pattern as published, the same for ASCII text in the standard library's quicker `re`)
PATTERNS: dict[str, tuple[str, str]] = {
    # GPT-2: contractions; then words, numbers and punctuation, each with the space before it; spacing.
    "gpt2": (
        r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        rf"'(?:[sdmt]|ll|ve|re)| ?[A-Za-z]+| ?[0-9]+| ?[^{_S}A-Za-z0-9]+|[{_S}]+(?![^{_S}])|[{_S}]+",
    ),
    # GPT-4 (cl100k): any case of contraction; words take one mark before them; at most three digits.
    "gpt4": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
        rf"'(?i:[sdmt]|ll|ve|re)|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]{{1,3}}| ?[^{_S}A-Za-z0-9]+[\r\n]*"
        rf"|[{_S}]+\Z|[{_S}]*[\r\n]|[{_S}]+(?![^{_S}])|[{_S}]",
    ),
    # No cutting: pairs may be joined across words. Slow to train, since the text is one long pretoken.
    "none": (r"(?s:.+)", r"(?s:.+)"),
}


def splitter(name: str) -> Callable[[str], list[str]]:
    """A function that cuts a text into the pretokens of pattern `name`; end to end they are the text."""
    if name not in PATTERNS:
        raise InputError(f"tokenizer.pattern: got {name!r}, expected one of {', '.join(PATTERNS)}")
    published, ascii_only = PATTERNS[name]
    any_text, quick = regex.compile(published).findall, re.compile(ascii_only, re.ASCII).findall
    return lambda text: quick(text) if text.isascii() else any_text(text)


class PretokenEncoder:
    """Encodes pretokens, each different one once: text repeats itself."""

    KEPT = 100  # characters of a pretoken that is worth remembering
    MOST = 1 << 18  # pretokens that are remembered; then it begins anew, so that a long text takes no more memory

    def __init__(self, encode_new: Callable[[list[str]], list[list[int]]]) -> None:
        """`encode_new`: the ids of each of several pretokens."""
        self._encode_new = encode_new
        self._ids_of: dict[str, bytes] = {}  # four bytes an id: to join them takes a fifth of what lists take

    def __call__(self, pretokens: list[str]) -> np.ndarray:
        """The ids of `pretokens`, one after another: (tokens,) uint32."""
        return self.each([pretokens])[0]

    def each(self, texts: list[list[str]]) -> list[np.ndarray]:
        """The ids of each text, given as its pretokens: what is new is encoded at once, which takes less time."""
        known = self._ids_of
        different = set(itertools.chain.from_iterable(texts))
        new = list(different.difference(known))
        if len(known) + len(new) > self.MOST:
            known.clear()
            new = list(different)
        if new:
            encoded = self._encode_new(new)
            lengths = [4 * len(ids) for ids in encoded]
            raw = np.array(list(itertools.chain.from_iterable(encoded)), dtype="<u4").tobytes()
            edges = itertools.accumulate(lengths, initial=0)
            known.update((word, raw[at : at + n]) for word, at, n in zip(new, edges, lengths, strict=False))
        joined = [b"".join(map(known.__getitem__, pretokens)) for pretokens in texts]
        for pretoken in new:
            if len(pretoken) > self.KEPT:
                del known[pretoken]
        return [np.frombuffer(raw, dtype="<u4") for raw in joined]


class EncodesPretokens:
    """Encodes texts pretoken by pretoken, for a kind that has what cuts them and what encodes them."""

    _split: Callable[[str], list[str]]
    _encode_pretokens: PretokenEncoder

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self.encode_arrays([text])[0].tolist()
        return ids

    def encode_arrays(self, texts: list[str]) -> list[np.ndarray]:
        for text in texts:
            refuse_surrogates(text)
        return self._encode_pretokens.each(list(map(self._split, texts)))


# Between a visible character and the space after it a pretoken always ends, whatever comes before and after.
_SAFE_CUT = re.compile(r"(?<=\S) ")


def chunks(text: str, length: int = 1 << 20) -> Iterator[str]:
    """`text` in chunks of `length` characters or a little more, each but the first beginning at a safe cut."""
    start = 0
    while len(text) - start > length and (cut := _SAFE_CUT.search(text, start + length)):
        yield text[start : cut.start()]
        start = cut.start()
    yield text[start:]


def counted_chunks(text: str) -> Iterator[str]:
    """`text` in `chunks`, for a tokenizer that counts what is in it; says how far it has come."""
    with Meter("counting what the tokenizer learns from", len(text)) as meter:
        for chunk in chunks(text):
            yield chunk
            meter.advance(len(chunk))
