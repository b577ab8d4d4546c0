"""Byte-level byte-pair encoding, trained here from scratch: GPT-2's tokenizer on your own text.

The text is cut into pretokens, each of them is a row of UTF-8 bytes, and `merges.py` joins these. No byte is
ever unknown, so any text survives.

Source: Radford et al. (2019). Equal to Hugging Face's `tokenizers` merge for merge; a test holds it
to that.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Self

from tokexp.tokenizer.base import SPECIALS, Tokenizer, check_vocab_size, refuse_surrogates
from tokexp.tokenizer.merges import Merges, Pair, learn_merges, read_pair
from tokexp.tokenizer.split import EncodesPretokens, PretokenEncoder, counted_chunks, splitter

# GPT-2 shows each byte as a printable character: bytes that are printable in Latin-1 as themselves,
# the rest shifted past U+0100. Sorted by that character, the bytes are numbered as Hugging Face
# numbers them, which decides ties between equally frequent pairs.
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
BYTE_ORDER = bytes(_PRINTABLE + [byte for byte in range(256) if byte not in _PRINTABLE])
ALPHABET = [bytes([byte]) for byte in BYTE_ORDER]
_SYMBOL_OF_BYTE = bytes(BYTE_ORDER.index(byte) for byte in range(256))


def symbols(pretoken: str) -> str:
    """A pretoken as a string of symbols, one a byte."""
    return pretoken.encode().translate(_SYMBOL_OF_BYTE).decode("latin-1")


class BPETokenizer(EncodesPretokens, Tokenizer):
    kind: ClassVar[str] = "bpe"
    lossless = True
    first_id = len(SPECIALS)  # symbol s has id s + first_id

    def __init__(self, merges: list[Pair], pattern: str = "gpt2") -> None:
        """`merges`: pairs of ids, in the order in which they are to be joined."""
        self.merges = merges
        self.pattern = pattern
        self.cuts_at_spaces = pattern != "none"
        self._split = splitter(pattern)
        self._merger = Merges([(left - self.first_id, right - self.first_id) for left, right in merges], ALPHABET)
        self._bytes = self.token_bytes()
        self._encode_pretokens = PretokenEncoder(self._encode_new)

    @classmethod
    def train(cls, text: str, *, vocab_size: int = 1024, pattern: str = "gpt2") -> Self:
        """Learn merges until there are `vocab_size` tokens, or no pair is left to join."""
        refuse_surrogates(text)
        check_vocab_size(vocab_size, len(SPECIALS) + len(ALPHABET), "256 bytes")
        split, pretokens = splitter(pattern), Counter[str]()
        for chunk in [text] if pattern == "none" else counted_chunks(text):
            pretokens.update(split(chunk))
        words = Counter({symbols(pretoken): count for pretoken, count in pretokens.items()})
        pairs = learn_merges(words, ALPHABET, vocab_size - len(SPECIALS))
        return cls([(left + cls.first_id, right + cls.first_id) for left, right in pairs], pattern)

    def _encode_new(self, pretokens: list[str]) -> list[list[int]]:
        merged = self._merger.apply(list(map(symbols, pretokens)))
        return [[symbol + self.first_id for symbol in word] for word in merged]

    def decode(self, ids: list[int]) -> str:
        return b"".join([self._bytes[i] for i in ids]).decode("utf-8", errors="replace")

    def token_bytes(self) -> list[bytes]:
        return [b""] * len(SPECIALS) + self._merger.written

    def to_json(self) -> dict[str, Any]:
        return {"pattern": self.pattern, "merges": [f"{left} {right}" for left, right in self.merges]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls([read_pair(line) for line in data["merges"]], data["pattern"])
