"""One token a byte of UTF-8: 256 of them, nothing to learn, nothing lost."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from tokexp.tokenizer.base import SPECIALS, Tokenizer, check_vocab_size, refuse_surrogates

FIRST = len(SPECIALS)


class ByteTokenizer(Tokenizer):
    kind: ClassVar[str] = "byte"
    lossless = True

    @classmethod
    def train(cls, text: str, *, vocab_size: int | None = None) -> Self:
        """Nothing is learned; a `vocab_size` is only checked to be enough."""
        refuse_surrogates(text)
        check_vocab_size(vocab_size, FIRST + 256, "256 bytes")
        return cls()

    def encode(self, text: str) -> list[int]:
        refuse_surrogates(text)
        return [byte + FIRST for byte in text.encode()]

    def encode_arrays(self, texts: list[str]) -> list[np.ndarray]:
        for text in texts:
            refuse_surrogates(text)
        return [np.frombuffer(text.encode(), dtype=np.uint8).astype(np.uint32) + FIRST for text in texts]

    def decode(self, ids: list[int]) -> str:
        return bytes(i - FIRST for i in ids if i >= FIRST).decode("utf-8", errors="replace")

    def token_bytes(self) -> list[bytes]:
        return [b""] * FIRST + [bytes([byte]) for byte in range(256)]

    def to_json(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls()
