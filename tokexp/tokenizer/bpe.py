"""Byte-level byte-pair encoding, trained here from scratch: GPT-2's tokenizer on your own text.

The text is cut into chunks, each chunk is a row of UTF-8 bytes, and `merges.py` joins them. No byte
is ever unknown, so any text survives.

Source: Radford et al. (2019). Equal to Hugging Face's `tokenizers` merge for merge; a test holds it
to that.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any, ClassVar, Self

from tokexp.config import InputError
from tokexp.tokenizer.base import SPECIALS, Tokenizer, refuse_surrogates
from tokexp.tokenizer.merges import Merges, Pair, learn_merges
from tokexp.tokenizer.split import pieces, splitter

# GPT-2 shows each byte as a printable character: bytes that are printable in Latin-1 as themselves,
# the rest shifted past U+0100. Sorted by that character, the bytes are numbered as Hugging Face
# numbers them, which decides ties between equally frequent pairs.
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
BYTE_ORDER = bytes(_PRINTABLE + [byte for byte in range(256) if byte not in _PRINTABLE])
ALPHABET = [bytes([byte]) for byte in BYTE_ORDER]
_SYMBOL_OF_BYTE = bytes(BYTE_ORDER.index(byte) for byte in range(256))


def symbols(chunk: str) -> str:
    """A chunk of text as a string of symbols, one a byte."""
    return chunk.encode().translate(_SYMBOL_OF_BYTE).decode("latin-1")


class BPETokenizer(Tokenizer):
    kind: ClassVar[str] = "bpe"
    lossless = True
    first_id = len(SPECIALS)  # symbol s has id s + first_id

    def __init__(self, merges: list[Pair], pattern: str = "gpt2") -> None:
        """`merges`: pairs of ids, in the order in which they are to be joined."""
        self.merges = merges
        self.pattern = pattern
        self._split = splitter(pattern)
        self._merger = Merges([(left - self.first_id, right - self.first_id) for left, right in merges], ALPHABET)
        self._ids_of: dict[str, list[int]] = {}  # of the chunks met so far: text repeats itself

    @classmethod
    def train(cls, text: str, *, vocab_size: int = 1024, pattern: str = "gpt2") -> Self:
        """Learn merges until there are `vocab_size` tokens, or no pair is left to join."""
        refuse_surrogates(text)
        smallest = len(SPECIALS) + len(ALPHABET)
        if vocab_size < smallest:
            raise InputError(
                f"tokenizer.vocab_size: got {vocab_size}, expected at least {smallest} "
                f"({len(SPECIALS)} specials and {len(ALPHABET)} bytes)"
            )
        split, chunks = splitter(pattern), Counter[str]()
        for piece in [text] if pattern == "none" else pieces(text):
            chunks.update(split(piece))
        words = Counter({symbols(chunk): count for chunk, count in chunks.items()})
        pairs = learn_merges(words, ALPHABET, vocab_size - len(SPECIALS))
        return cls([(left + cls.first_id, right + cls.first_id) for left, right in pairs], pattern)

    @property
    def cuts_at_spaces(self) -> bool:
        return self.pattern != "none"

    def encode(self, text: str) -> list[int]:
        refuse_surrogates(text)
        chunks = self._split(text)
        new = list({chunk: None for chunk in chunks if chunk not in self._ids_of})
        for chunk, merged in zip(new, self._merger.apply(list(map(symbols, new))), strict=True):
            self._ids_of[chunk] = [symbol + self.first_id for symbol in merged]
        ids = list(chain.from_iterable(map(self._ids_of.__getitem__, chunks)))
        for chunk in new:
            if len(chunk) > 100:  # seldom met again
                del self._ids_of[chunk]
        return ids

    def decode(self, ids: list[int]) -> str:
        written = self.token_bytes()
        return b"".join([written[i] for i in ids]).decode("utf-8", errors="replace")

    def token_bytes(self) -> list[bytes]:
        return [b""] * len(SPECIALS) + self._merger.written

    def to_json(self) -> dict[str, Any]:
        return {"pattern": self.pattern, "merges": [f"{left} {right}" for left, right in self.merges]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        pairs = [tuple(map(int, line.split())) for line in data["merges"]]
        return cls([(left, right) for left, right in pairs], data["pattern"])

