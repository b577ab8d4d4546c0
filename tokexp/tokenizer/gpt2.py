"""The published GPT-2 vocabulary, read by our own BPE: 50,257 tokens, learned from web text, not from yours.

Source: Radford et al. (2019); `vocab.bpe` has the merges, `encoder.json` the ids, both pinned by hash.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Self

from tokexp.config import InputError
from tokexp.data.pinned import UnreachableError, find
from tokexp.tokenizer.bpe import BYTE_ORDER, BPETokenizer
from tokexp.tokenizer.merges import Pair

FILES = {
    "vocab.bpe": "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
    "encoder.json": "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
}
URL = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/"
END_OF_TEXT = 50_256

# How the files show bytes: printable ones as themselves, the rest as characters from U+0100 on.
BYTE_OF_CHAR = {chr(b) if i < 188 else chr(0x100 + i - 188): bytes([b]) for i, b in enumerate(BYTE_ORDER)}


class GPT2Tokenizer(BPETokenizer):
    kind: ClassVar[str] = "gpt2"
    trained_on = "external"
    eos_id = END_OF_TEXT
    first_id = 0  # the bytes come first here, the one special last

    @classmethod
    def train(cls, text: str, *, vocab_size: int | None = None) -> Self:  # type: ignore[override]
        """Read the published files; `text` teaches it nothing."""
        if vocab_size not in (None, END_OF_TEXT + 1):
            raise InputError(
                f"tokenizer.vocab_size: got {vocab_size}, expected null: gpt2 has {END_OF_TEXT + 1} tokens"
            )
        try:
            vocab, encoder = (find(Path("gpt2", name), digest, URL + name) for name, digest in FILES.items())
        except UnreachableError as error:
            raise InputError(str(error)) from error
        id_of = {written(shown): i for shown, i in json.loads(encoder.read_bytes()).items()}
        lines = vocab.read_text(encoding="utf-8").splitlines()[1:]  # the first says the version
        merges: list[Pair] = [(id_of[written(a)], id_of[written(b)]) for a, b in map(str.split, lines)]
        tokenizer = cls(merges)
        assert all(id_of[piece] == i for i, piece in enumerate(tokenizer.token_bytes()) if piece)
        return tokenizer

    def token_bytes(self) -> list[bytes]:
        return [*self._merger.written, b""]


def written(shown: str) -> bytes:
    """The bytes behind a token as the files show it; the end of text writes none."""
    return b"".join(BYTE_OF_CHAR[char] for char in shown) if shown != "<|endoftext|>" else b""
