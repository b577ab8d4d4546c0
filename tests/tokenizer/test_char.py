"""Characters: the size of the alphabet, and what is kept of it."""

from __future__ import annotations

from tokexp.tokenizer import train_tokenizer


def test_char_keeps_the_commonest() -> None:
    char = train_tokenizer("char", "aaabbc", vocab_size=6)
    assert char.decode(char.encode("abc")) == "ab\ufffd"


def test_char_size_on_shakespeare(shakespeare: str) -> None:
    assert train_tokenizer("char", shakespeare[:1_003_854]).vocab_size == 69
