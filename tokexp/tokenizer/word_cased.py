"""A word tokenizer that loses nothing: words with their case and the space before them, any other spelled in bytes.

The text is cut as for BPE, and a pretoken that training saw often enough is one token. Nothing is lost,
so nothing needs to be restored.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Self

from tokexp.config import InputError
from tokexp.tokenizer.base import SPECIALS, Tokenizer, check_vocab_size, refuse_surrogates
from tokexp.tokenizer.split import EncodesPretokens, PretokenEncoder, counted_chunks, splitter

FIRST_BYTE = len(SPECIALS)
FIRST_WORD = FIRST_BYTE + 256


class WordCasedTokenizer(EncodesPretokens, Tokenizer):
    kind: ClassVar[str] = "word_cased"
    lossless = True

    def __init__(self, words: list[str]) -> None:
        if len(set(words)) != len(words):
            raise InputError("the vocabulary names a word twice, expected each once")
        self.words = words
        self._split = splitter("gpt2")
        self._bytes = [b""] * FIRST_BYTE + [bytes([byte]) for byte in range(256)] + [w.encode() for w in words]
        self._id_of = {word: i for i, word in enumerate(words, start=FIRST_WORD)}
        self._encode_pretokens = PretokenEncoder(lambda new: list(map(self._ids_of, new)))

    @classmethod
    def train(cls, text: str, *, vocab_size: int | None = None, min_frequency: int = 2) -> Self:
        """The pretokens of `text` seen `min_frequency` times or more, commonest first, at most `vocab_size` tokens."""
        refuse_surrogates(text)
        check_vocab_size(vocab_size, FIRST_WORD, "256 bytes")
        if min_frequency < 1:
            raise InputError(f"tokenizer.min_frequency: got {min_frequency}, expected at least 1")
        split, counts = splitter("gpt2"), Counter[str]()
        for chunk in counted_chunks(text):
            counts.update(split(chunk))
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        words = [word for word, count in ranked if count >= min_frequency]
        return cls(words if vocab_size is None else words[: vocab_size - FIRST_WORD])

    def _ids_of(self, word: str) -> list[int]:
        """The id of a known word; of any other, the ids of its bytes."""
        known = self._id_of.get(word)
        return [known] if known is not None else [FIRST_BYTE + byte for byte in word.encode()]

    def decode(self, ids: list[int]) -> str:
        return b"".join([self._bytes[i] for i in ids]).decode("utf-8", errors="replace")

    def token_bytes(self) -> list[bytes]:
        return list(self._bytes)

    def fallback_ids(self) -> list[int]:
        return list(range(FIRST_BYTE, FIRST_WORD))

    def to_json(self) -> dict[str, Any]:
        return {"words": self.words}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(data["words"])
