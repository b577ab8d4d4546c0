"""BPE over Unicode characters with byte fallback, as in SentencePiece and Llama.

Merging starts from the characters of the training text. A character outside the alphabet is written
as its UTF-8 bytes, a token each; these never merge, and a character that has a piece of its own
never becomes bytes. All 256 byte tokens are there.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Any, ClassVar, Self

import regex

from tokexp.config import InputError
from tokexp.tokenizer.base import SPECIALS, Tokenizer, check_vocab_size, refuse_surrogates, unreachable_bytes
from tokexp.tokenizer.merges import Merges, Pair, learn_merges, read_pair
from tokexp.tokenizer.split import EncodesPretokens, PretokenEncoder, counted_chunks

FIRST_BYTE = len(SPECIALS)
FIRST_CHAR = FIRST_BYTE + 256  # symbol s of the merges has id s + FIRST_CHAR

# As SentencePiece cuts: at spaces, which go with what follows, and where letters, digits and marks
# meet; other spacing, newlines too, character by character.
PRETOKEN = regex.compile(r" ?\p{L}[\p{L}\p{M}]*| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s")


class BPEFallbackTokenizer(EncodesPretokens, Tokenizer):
    kind: ClassVar[str] = "bpe_fallback"
    lossless = True

    def __init__(self, alphabet: str, merges: list[Pair]) -> None:
        """`merges`: pairs of ids, in the order in which they are to be joined."""
        if len(set(alphabet)) != len(alphabet):
            raise InputError("the alphabet names a character twice, expected each once")
        self.alphabet = alphabet
        self.merges = merges
        pairs = [(left - FIRST_CHAR, right - FIRST_CHAR) for left, right in merges]
        self._merger = Merges(pairs, list(alphabet))
        self._symbol_of = {char: chr(symbol) for symbol, char in enumerate(alphabet)}
        self._bytes = [b""] * FIRST_BYTE + [bytes([byte]) for byte in range(256)]
        self._bytes += [piece.encode() for piece in self._merger.written]
        self._split = PRETOKEN.findall
        self._encode_pretokens = PretokenEncoder(self._encode_new)

    @classmethod
    def train(cls, text: str, *, vocab_size: int = 1024, coverage: float = 0.9995) -> Self:
        """Learn merges until there are `vocab_size` tokens, or no pair is left.

        The commonest characters that make up a share `coverage` of `text` are the alphabet.
        """
        refuse_surrogates(text)
        if not 0 < coverage <= 1:
            raise InputError(f"tokenizer.coverage: got {coverage}, expected above 0 and at most 1")
        ranked = sorted(Counter(text).items(), key=lambda item: (-item[1], item[0]))
        alphabet, covered = "", 0
        for char, count in ranked:
            if covered >= coverage * len(text):
                break
            alphabet, covered = alphabet + char, covered + count
        check_vocab_size(vocab_size, FIRST_CHAR + len(alphabet), f"256 bytes and {len(alphabet)} characters")
        alphabet = "".join(sorted(alphabet))
        words: Counter[str] = Counter()
        symbol_of = {char: chr(symbol) for symbol, char in enumerate(alphabet)}
        for chunk in counted_chunks(text):
            for pretoken, count in Counter(PRETOKEN.findall(chunk)).items():
                for known, chars in groupby(pretoken, symbol_of.__contains__):
                    if known:
                        words["".join(map(symbol_of.__getitem__, chars))] += count
        pairs = learn_merges(words, list(alphabet), vocab_size - FIRST_CHAR)
        return cls(alphabet, [(left + FIRST_CHAR, right + FIRST_CHAR) for left, right in pairs])

    def _encode_new(self, pretokens: list[str]) -> list[list[int]]:
        known_or_not = self._symbol_of.__contains__
        grouped = [[(known, "".join(chars)) for known, chars in groupby(p, known_or_not)] for p in pretokens]
        words = ["".join(map(self._symbol_of.__getitem__, chars)) for p in grouped for known, chars in p if known]
        merged = iter(self._merger.apply(words))
        return [
            [
                i
                for known, chars in groups
                for i in (
                    [symbol + FIRST_CHAR for symbol in next(merged)]
                    if known
                    else [FIRST_BYTE + byte for byte in chars.encode()]
                )
            ]
            for groups in grouped
        ]

    def decode(self, ids: list[int]) -> str:
        return b"".join([self._bytes[i] for i in ids]).decode("utf-8", errors="replace")

    def token_bytes(self) -> list[bytes]:
        return list(self._bytes)

    def never_drawn(self) -> list[int]:
        unreachable = unreachable_bytes(set(self.alphabet))
        return [*range(FIRST_BYTE), *(FIRST_BYTE + byte for byte in unreachable)]

    def fallback_ids(self) -> list[int]:
        return list(range(FIRST_BYTE, FIRST_CHAR))

    def to_json(self) -> dict[str, Any]:
        return {"alphabet": self.alphabet, "merges": [f"{left} {right}" for left, right in self.merges]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(data["alphabet"], [read_pair(line) for line in data["merges"]])
