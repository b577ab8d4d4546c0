"""Says which white space at the end of a document is its separator's.

Apart from what encodes, so that a restoration is not measured anew wherever another kind of tokenizer has changed.
"""

from __future__ import annotations

from tokexp.tokenizer.base import Tokenizer


def trailing_bytes(tokenizer: Tokenizer, last: int, raw: bytes, begin: int) -> int:
    """The bytes of white space at the end of a text that its last token, from `begin` on, does not write."""
    if tokenizer.lossless:
        return 0
    piece = raw[begin:].decode(errors="replace")
    ends_line = "\n" in piece and tokenizer.decode([last]).endswith("\n")
    kept = piece[: piece.rindex("\n") + 1] if ends_line else piece.rstrip()
    return len(piece[len(kept) :].encode()) if kept else 0
