"""One token a character. The alphabet is that of the training text; any other character is UNK."""

from __future__ import annotations

from collections import Counter
from typing import Any, Self

from tokexp.config import InputError
from tokexp.tokenizer.base import (
    SPECIALS,
    UNK,
    Span,
    Tokenizer,
    byte_lengths,
    refuse_surrogates,
    spans_of_lengths,
)

UNKNOWN = "\N{REPLACEMENT CHARACTER}"  # what UNK is shown as


class CharTokenizer(Tokenizer):
    kind = "char"
    lossless = False  # a character that the training text lacks is lost
    trained_on = "train"

    def __init__(self, alphabet: str) -> None:
        self.alphabet = alphabet
        self._id_of = {char: i for i, char in enumerate(alphabet, start=len(SPECIALS))}
        self._char_of = ["", UNKNOWN, "", "", *alphabet]

    @classmethod
    def train(cls, text: str, *, vocab_size: int | None = None) -> Self:
        """The characters of `text`; past `vocab_size`, the commonest of them."""
        refuse_surrogates(text)
        if vocab_size is not None and vocab_size <= len(SPECIALS):
            raise InputError(
                f"tokenizer.vocab_size: got {vocab_size}, expected at least {len(SPECIALS) + 1} "
                f"({len(SPECIALS)} specials and a character)"
            )
        ranked = sorted(Counter(text).items(), key=lambda item: (-item[1], item[0]))
        kept = ranked if vocab_size is None else ranked[: vocab_size - len(SPECIALS)]
        return cls("".join(sorted(char for char, _ in kept)))

    @property
    def vocab_size(self) -> int:
        return len(self._char_of)

    def encode(self, text: str) -> list[int]:
        refuse_surrogates(text)
        return [self._id_of.get(char, UNK) for char in text]

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        return self.encode(text), spans_of_lengths(byte_lengths(list(text)))

    def decode(self, ids: list[int]) -> str:
        return "".join(self._char_of[i] for i in ids)

    def token_bytes(self) -> list[bytes]:
        return [b""] * len(SPECIALS) + [char.encode() for char in self.alphabet]

    def to_json(self) -> dict[str, Any]:
        return {"alphabet": self.alphabet}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        alphabet = data["alphabet"]
        if len(set(alphabet)) != len(alphabet):
            raise InputError("the alphabet names a character twice; expected each once")
        return cls(alphabet)
