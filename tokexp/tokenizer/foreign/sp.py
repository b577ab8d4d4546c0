"""SentencePiece, trained here and set up so that it really is lossless: BPE and Unigram.

No normalisation, no dummy prefix, no space removed, newline a symbol of its own, bytes for unknown
characters. The library writes a space as "▁" and cannot tell it from a "▁" in the text, so the text
is cut there before the library sees it and each "▁" is written as its three byte tokens.
"""

from __future__ import annotations

import base64
import io
from typing import Any, ClassVar, Self

import sentencepiece

from tokexp.config import InputError
from tokexp.tokenizer.base import BOS, EOS, PAD, SPECIALS, UNK, Tokenizer, check_vocab_size, refuse_surrogates

SPACE = "▁"


class SentencePieceTokenizer(Tokenizer):
    """The base of both kinds, which differ in the model that the library learns."""

    lossless = True
    model_type: ClassVar[str]

    def __init__(self, model: bytes) -> None:
        """`model`: the library's own serialised model."""
        self.model = model
        self._library = sentencepiece.SentencePieceProcessor(model_proto=model)
        self._bytes = [self._piece_bytes(i) for i in range(self._library.vocab_size())]
        self._space = [self._library.piece_to_id(f"<0x{byte:02X}>") for byte in SPACE.encode()]
        self._nul = self._library.piece_to_id("<0x00>")

    def _piece_bytes(self, i: int) -> bytes:
        if self._library.is_control(i) or self._library.is_unknown(i):
            return b""
        piece: str = self._library.id_to_piece(i)
        if self._library.is_byte(i):
            return bytes([int(piece[3:-1], 16)])
        return piece.replace(SPACE, " ").encode()

    @classmethod
    def train(cls, text: str, *, vocab_size: int = 1024) -> Self:
        refuse_surrogates(text)
        check_vocab_size(vocab_size, len(SPECIALS) + 256 + 2, "256 bytes, a newline and a character")
        model = io.BytesIO()
        lines = [line for line in text.replace("\0", "\n").replace(SPACE, "\n").split("\n") if line]
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(lines),
                model_writer=model,
                model_type=cls.model_type,
                vocab_size=vocab_size,
                hard_vocab_limit=False,
                normalization_rule_name="identity",
                add_dummy_prefix=False,
                remove_extra_whitespaces=False,
                byte_fallback=True,
                user_defined_symbols=["\n"],
                pad_id=PAD,
                unk_id=UNK,
                bos_id=BOS,
                eos_id=EOS,
                max_sentence_length=1 << 30,
                num_threads=1,
                minloglevel=2,
            )
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise InputError(f"SentencePiece cannot train on this text: {reason}") from error
        return cls(model.getvalue())

    def encode(self, text: str) -> list[int]:
        refuse_surrogates(text)
        ids: list[int] = []
        for i, between in enumerate(text.split(SPACE)):
            ids += self._space if i else []
            for j, plain in enumerate(between.split("\0")):
                ids += [self._nul] if j else []
                ids += self._library.encode(plain)
        return ids

    def decode(self, ids: list[int]) -> str:
        return b"".join([self._bytes[i] for i in ids]).decode("utf-8", errors="replace")

    def token_bytes(self) -> list[bytes]:
        return list(self._bytes)

    def fallback_ids(self) -> list[int]:
        return [i for i in range(self.vocab_size) if self._library.is_byte(i)]

    def to_json(self) -> dict[str, Any]:
        return {"model": base64.b64encode(self.model).decode("ascii")}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(base64.b64decode(data["model"], validate=True))


class SentencePieceBPETokenizer(SentencePieceTokenizer):
    kind: ClassVar[str] = "sp_bpe"
    model_type = "bpe"


class SentencePieceUnigramTokenizer(SentencePieceTokenizer):
    kind: ClassVar[str] = "sp_unigram"
    model_type = "unigram"
