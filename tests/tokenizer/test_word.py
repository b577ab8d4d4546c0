"""The seed experiment's words: how many there are, and what they keep of a text."""

from __future__ import annotations

from nasty import NASTY

from tokexp.tokenizer import train_tokenizer
from tokexp.tokenizer.word import TOKEN, fold


def test_word_keeps_what_the_seed_kept() -> None:
    word = train_tokenizer("word", "The cat saw the Cat.\n\nthe dog")
    assert word.decode(word.encode("THE cat,\nthe dog.")) == "the cat <unk>\nthe <unk> <unk>"
    assert [word.token_bytes()[i] for i in word.encode("Cat  the")] == [b"cat", b"the"]


def test_folding_keeps_the_number_of_characters() -> None:
    assert all(len(fold(s)) == len(s) for s in NASTY.values())
    assert fold("KING") == "king"
    assert TOKEN.findall("a-b\n c") == ["a", "-", "b", "\n", "c"]


def test_word_sizes_on_shakespeare(shakespeare: str) -> None:
    assert train_tokenizer("word", shakespeare[:1_003_854]).vocab_size == 6116
    assert train_tokenizer("word", shakespeare).vocab_size == 6552
    assert train_tokenizer("word", shakespeare, vocab_size=6551).vocab_size == 6551
