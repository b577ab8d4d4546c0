"""One token a character. The alphabet is that of the training text.

Any other character is UNK, or, with `byte_fallback`, its UTF-8 bytes, a token each.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Self

from tokexp.config import InputError
from tokexp.tokenizer.base import (
    SPECIALS,
    UNK,
    Span,
    Tokenizer,
    byte_lengths,
    check_vocab_size,
    refuse_surrogates,
    spans_of_lengths,
    unreachable_bytes,
)

UNKNOWN = "\N{REPLACEMENT CHARACTER}"  # what UNK is shown as


class CharTokenizer(Tokenizer):
    kind: ClassVar[str] = "char"
    exact_but_unk = True

    def __init__(self, alphabet: str, byte_fallback: bool = False) -> None:
        if len(set(alphabet)) != len(alphabet):
            raise InputError("the alphabet names a character twice, expected each once")
        self.alphabet = alphabet
        self.byte_fallback = byte_fallback
        self.lossless = byte_fallback
        self._first_byte = len(SPECIALS)
        first_char = self._first_byte + (256 if byte_fallback else 0)
        self._id_of = {char: i for i, char in enumerate(alphabet, start=first_char)}
        self._bytes = [b""] * len(SPECIALS)
        self._bytes += [bytes([byte]) for byte in range(256)] if byte_fallback else []
        self._bytes += [char.encode() for char in alphabet]

    @classmethod
    def train(cls, text: str, *, vocab_size: int | None = None, byte_fallback: bool = False) -> Self:
        """The characters of `text`; past `vocab_size`, the commonest of them."""
        refuse_surrogates(text)
        others = len(SPECIALS) + (256 if byte_fallback else 0)
        check_vocab_size(vocab_size, others + 1, f"{others - len(SPECIALS)} bytes and a character")
        ranked = sorted(Counter(text).items(), key=lambda item: (-item[1], item[0]))
        kept = ranked if vocab_size is None else ranked[: vocab_size - others]
        return cls("".join(sorted(char for char, _ in kept)), byte_fallback)

    def encode(self, text: str) -> list[int]:
        refuse_surrogates(text)
        if not self.byte_fallback:
            return [self._id_of.get(char, UNK) for char in text]
        ids: list[int] = []
        for char in text:
            known = self._id_of.get(char)
            ids += [known] if known is not None else [self._first_byte + byte for byte in char.encode()]
        return ids

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        if self.byte_fallback:
            return super().encode_with_spans(text)
        return self.encode(text), spans_of_lengths(byte_lengths(list(text)))

    def decode(self, ids: list[int]) -> str:
        raw = b"".join([UNKNOWN.encode() if i == UNK else self._bytes[i] for i in ids])
        return raw.decode("utf-8", errors="replace")

    def token_bytes(self) -> list[bytes]:
        return list(self._bytes)

    def never_drawn(self) -> list[int]:
        """UNK too: it has its place in scoring, but a model was hardly ever shown one."""
        unreachable = unreachable_bytes(set(self.alphabet)) if self.byte_fallback else []
        return [*range(len(SPECIALS)), *(self._first_byte + byte for byte in unreachable)]

    def fallback_ids(self) -> list[int]:
        return list(range(self._first_byte, self._first_byte + 256)) if self.byte_fallback else []

    def to_json(self) -> dict[str, Any]:
        return {"alphabet": self.alphabet, "byte_fallback": self.byte_fallback}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(data["alphabet"], data["byte_fallback"])
