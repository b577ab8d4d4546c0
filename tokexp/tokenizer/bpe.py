"""Byte-level byte-pair encoding, from scratch: the algorithm of GPT-2's tokenizer, trained here.

The text is cut into chunks by GPT-2's pattern, each chunk is a row of UTF-8 bytes, and training
joins the commonest adjacent pair of symbols again and again. No byte is ever unknown, so any text
survives.

One idea makes plain Python fast enough: a chunk is kept as a `str` whose code points are symbols
(the 256 bytes first, then a symbol a merge). Joining a pair everywhere in a chunk, left to right,
is then `str.replace`, which runs in C.

Source: Gage (1994), Sennrich et al. (2016), Radford et al. (2019). Equal to Hugging Face's
`tokenizers` merge for merge; a test holds it to that.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from heapq import heapify, heappop, heappush
from typing import Any, Self

import regex

from tokexp.config import InputError
from tokexp.tokenizer.base import SPECIALS, Span, Tokenizer, refuse_surrogates, spans_of_lengths

PATTERNS = {
    # Contractions; then words, numbers and punctuation, each with the space before it; then spacing.
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
}

# GPT-2 shows each byte as a printable character: bytes that are printable in Latin-1 as themselves,
# the rest shifted past U+0100. Sorted by that character, the bytes are numbered as Hugging Face
# numbers them, which decides ties between equally frequent pairs.
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
BYTE_ORDER = bytes(_PRINTABLE + [byte for byte in range(256) if byte not in _PRINTABLE])
_SYMBOL_OF_BYTE = bytes(BYTE_ORDER.index(byte) for byte in range(256))

FIRST_BYTE_ID = len(SPECIALS)  # symbol s has id s + FIRST_BYTE_ID
Pair = tuple[int, int]


def symbols(chunk: str) -> str:
    """A chunk of text as a string of symbols, one a byte."""
    return chunk.encode().translate(_SYMBOL_OF_BYTE).decode("latin-1")


class BPETokenizer(Tokenizer):
    kind = "bpe"
    lossless = True
    trained_on = "train"

    def __init__(self, merges: list[Pair], pattern: str = "gpt2") -> None:
        """`merges`: pairs of ids, in the order in which they are to be applied."""
        if pattern not in PATTERNS:
            raise InputError(f"tokenizer.pattern: got {pattern!r}, expected one of {', '.join(PATTERNS)}")
        self.merges = merges
        self.pattern = pattern
        self._chunks = regex.compile(PATTERNS[pattern])
        self._bytes = [b""] * len(SPECIALS) + [bytes([byte]) for byte in BYTE_ORDER]
        id_of = {piece: i for i, piece in enumerate(self._bytes) if piece}
        self._rank: dict[str, int] = {}  # a pair, as two symbols -> its place among the merges
        self._joined: list[str] = []  # that place -> the symbol it makes
        for rank, (left, right) in enumerate(merges):
            if not all(FIRST_BYTE_ID <= i < len(self._bytes) for i in (left, right)):
                raise InputError(f"merge {rank} joins ids {left} and {right}; expected ids defined before it")
            piece = self._bytes[left] + self._bytes[right]
            if piece not in id_of:  # two merges may spell the same token, which then has one id
                id_of[piece] = len(self._bytes)
                self._bytes.append(piece)
            pair = chr(left - FIRST_BYTE_ID) + chr(right - FIRST_BYTE_ID)
            if pair in self._rank:
                raise InputError(f"merge {rank} joins ids {left} and {right} a second time; expected once")
            self._rank[pair] = rank
            self._joined.append(chr(id_of[piece] - FIRST_BYTE_ID))
        self._cache: dict[str, list[int]] = {}  # chunk -> ids: text repeats itself

    @classmethod
    def train(cls, text: str, *, vocab_size: int = 1024, pattern: str = "gpt2") -> Self:
        """Learn merges until there are `vocab_size` tokens, or no pair is left to join."""
        refuse_surrogates(text)
        smallest = len(SPECIALS) + 256
        if vocab_size < smallest:
            raise InputError(
                f"tokenizer.vocab_size: got {vocab_size}, expected at least {smallest} "
                f"({len(SPECIALS)} specials and 256 bytes)"
            )
        untrained = cls([], pattern)
        chunks = Counter(untrained._chunks.findall(text))
        words = Counter({symbols(chunk): count for chunk, count in chunks.items()})
        return cls(learn_merges(words, vocab_size - smallest), pattern)

    @property
    def vocab_size(self) -> int:
        return len(self._bytes)

    def encode(self, text: str) -> list[int]:
        refuse_surrogates(text)
        cache = self._cache
        ids: list[int] = []
        for chunk in self._chunks.findall(text):
            known = cache.get(chunk)
            if known is None:
                known = cache[chunk] = self._encode_chunk(chunk)
            ids += known
        return ids

    def _encode_chunk(self, chunk: str) -> list[int]:
        """Join the earliest-learned pair present, everywhere in the chunk, until none is left."""
        word, rank, last = symbols(chunk), self._rank, len(self._rank)
        while len(word) > 1:
            first = min(rank.get(a + b, last) for a, b in itertools.pairwise(word))
            if first == last:
                break
            left, right = self.merges[first]
            word = word.replace(chr(left - FIRST_BYTE_ID) + chr(right - FIRST_BYTE_ID), self._joined[first])
        return [ord(symbol) + FIRST_BYTE_ID for symbol in word]

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        ids = self.encode(text)
        return ids, spans_of_lengths([len(self._bytes[i]) for i in ids])

    def decode(self, ids: list[int]) -> str:
        return b"".join([self._bytes[i] for i in ids]).decode("utf-8", errors="replace")

    def token_bytes(self) -> list[bytes]:
        return list(self._bytes)

    def to_json(self) -> dict[str, Any]:
        return {"pattern": self.pattern, "merges": [f"{left} {right}" for left, right in self.merges]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        merges = [tuple(map(int, line.split())) for line in data["merges"]]
        return cls([(left, right) for left, right in merges], data["pattern"])


def learn_merges(words: Counter[str], new_tokens: int) -> list[Pair]:
    """The merges that `new_tokens` new tokens need, as pairs of ids.

    `words`: strings of symbols and how often each occurs. Each round joins the pair with the highest
    count; of equals, the one with the smaller ids. Counts are kept up to date for the words that a
    merge touches only. The heap is lazy: an entry whose count has changed since is corrected when
    it surfaces.
    """
    spelling = list(words)
    weight = list(words.values())
    count: defaultdict[str, int] = defaultdict(int)
    where: defaultdict[str, set[int]] = defaultdict(set)  # pair -> the words that may hold it
    for i, word in enumerate(spelling):
        for a, b in itertools.pairwise(word):
            count[a + b] += weight[i]
            where[a + b].add(i)
    heap = [(-n, pair) for pair, n in count.items()]
    heapify(heap)

    piece_of = [bytes([byte]) for byte in BYTE_ORDER]  # symbol -> its bytes
    symbol_of = {piece: s for s, piece in enumerate(piece_of)}
    merges: list[Pair] = []
    target = len(piece_of) + new_tokens
    while heap and len(piece_of) < target:
        negative, pair = heappop(heap)
        if count[pair] != -negative:
            if count[pair] > 0:
                heappush(heap, (-count[pair], pair))
            continue
        first, second = ord(pair[0]), ord(pair[1])
        merges.append((first + FIRST_BYTE_ID, second + FIRST_BYTE_ID))
        piece = piece_of[first] + piece_of[second]
        if piece not in symbol_of:
            symbol_of[piece] = len(piece_of)
            piece_of.append(piece)
        joined = chr(symbol_of[piece])

        grown: set[str] = set()  # pairs that hold the new symbol
        for i in where.pop(pair):
            # What stands around each occurrence; `split` finds them as `replace` does, left to right.
            around = spelling[i].split(pair)
            n = weight[i]
            for j, (before, after) in enumerate(itertools.pairwise(around), start=1):
                changes = []
                if before:
                    changes.append((before[-1] + pair[0], before[-1] + joined))
                if after:
                    changes.append((pair[1] + after[0], joined + after[0]))
                elif j < len(around) - 1:  # the next occurrence follows at once
                    changes.append((pair[1] + pair[0], joined + joined))
                for gone, come in changes:
                    count[gone] -= n
                    count[come] += n
                    where[come].add(i)
                    grown.add(come)
            spelling[i] = joined.join(around)
        count[pair] = 0
        for changed in grown:
            heappush(heap, (-count[changed], changed))
    return merges
