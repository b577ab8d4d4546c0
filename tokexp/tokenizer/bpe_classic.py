"""The first BPE for text (Sennrich et al. 2016), and the seed experiment's: words with an end marker.

Words are what stands between white space, newlines are words of their own, and merging starts from
the word's characters, the last one marked as the end of a word. Decoding puts one space between
words, so how they were spaced is lost; a character that training never saw is UNK.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import Any, ClassVar, Self

import numpy as np

from tokexp.tokenizer.base import SPECIALS, UNK, Span, Tokenizer, check_vocab_size, refuse_surrogates, spans_of_ends
from tokexp.tokenizer.merges import Merges, Pair, learn_merges, read_pair
from tokexp.tokenizer.split import PretokenEncoder, counted_chunks

WORD_OR_NEWLINE = re.compile(r"[^\s]+|\n")
FIRST = len(SPECIALS)  # symbol s has id s + FIRST
END = "\v"  # marks a piece that ends a word: as white space, it stands in no word
UNKNOWN = "\N{REPLACEMENT CHARACTER}"  # what UNK is shown as


class BPEClassicTokenizer(Tokenizer):
    kind: ClassVar[str] = "bpe_classic"
    lossless = False

    def __init__(self, inner: str, final: str, merges: list[Pair]) -> None:
        """`inner`, `final`: the characters seen within words and at their end; `merges`: pairs of ids."""
        self.inner, self.final, self.merges = inner, final, merges
        alphabet = [*inner, *(char + END for char in final)]
        pairs = [(left - FIRST, right - FIRST) for left, right in merges]
        self._merger = Merges(pairs, alphabet)
        self._symbol_of = {piece: chr(symbol) for symbol, piece in enumerate(alphabet)}
        self.written = self._merger.written  # what each symbol writes, END included
        self._written = ["", UNKNOWN, "", "", *self.written]
        self._encode_words = PretokenEncoder(self._encode_new)

    @classmethod
    def train(cls, text: str, *, vocab_size: int = 1024) -> Self:
        """Learn merges until there are `vocab_size` tokens, or no pair is left."""
        refuse_surrogates(text)
        words: Counter[str] = Counter()
        for chunk in counted_chunks(text):
            words.update(WORD_OR_NEWLINE.findall(chunk))
        inner = "".join(sorted({char for word in words for char in word[:-1]}))
        final = "".join(sorted({word[-1] for word in words}))
        check_vocab_size(vocab_size, FIRST + len(inner) + len(final), f"{len(inner) + len(final)} characters")
        alphabet = [*inner, *(char + END for char in final)]
        symbol_of = {piece: chr(symbol) for symbol, piece in enumerate(alphabet)}
        spelled = Counter({"".join(symbol_of[c] for c in characters(word)): n for word, n in words.items()})
        pairs = learn_merges(spelled, alphabet, vocab_size - FIRST)
        return cls(inner, final, [(left + FIRST, right + FIRST) for left, right in pairs])

    def encode(self, text: str) -> list[int]:
        refuse_surrogates(text)
        ids: list[int] = self._encode_words(WORD_OR_NEWLINE.findall(text)).tolist()
        return ids

    def _encode_new(self, words: list[str]) -> list[list[int]]:
        groups = [itertools.groupby(characters(word), self._symbol_of.__contains__) for word in words]
        grouped = [[(known, list(chars)) for known, chars in word] for word in groups]
        spelled = [
            "".join(map(self._symbol_of.__getitem__, chars)) for word in grouped for known, chars in word if known
        ]
        merged = iter(self._merger.apply(spelled))
        return [
            [i for known, chars in word for i in ([s + FIRST for s in next(merged)] if known else [UNK] * len(chars))]
            for word in grouped
        ]

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        """The white space before a word belongs to its first token."""
        refuse_surrogates(text)
        words = list(WORD_OR_NEWLINE.finditer(text))
        ids = self._encode_words([word[0] for word in words]).tolist()
        lengths = [len(self._written[i].removesuffix(END)) for i in ids]
        end_of = np.array([i + 1 for word in words for i in range(*word.span())], dtype=np.int64)  # each character's
        ends = end_of[np.cumsum(lengths, dtype=np.int64) - 1].tolist()
        return ids, spans_of_ends(text, ends)

    def decode(self, ids: list[int]) -> str:
        """One space between words, none around newlines."""
        text = "".join([self._written[i] for i in ids])
        return text.replace("\n" + END, "\n").replace(END + "\n", "\n").removesuffix(END).replace(END, " ")

    def token_bytes(self) -> list[bytes]:
        return [b""] * FIRST + [piece.removesuffix(END).encode() for piece in self._merger.written]

    def to_json(self) -> dict[str, Any]:
        lines = [f"{left} {right}" for left, right in self.merges]
        return {"inner": self.inner, "final": self.final, "merges": lines}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(data["inner"], data["final"], [read_pair(line) for line in data["merges"]])


def characters(word: str) -> list[str]:
    """The characters of a word, the last one marked."""
    return [*word[:-1], word[-1] + END]
