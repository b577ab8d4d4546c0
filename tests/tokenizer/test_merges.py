"""Merging many words at once and long ones, against merging one and against Hugging Face."""

from __future__ import annotations

import random

import pytest

from tokexp.tokenizer import train_tokenizer
from tokexp.tokenizer.foreign.export import to_hf


def test_merging_many_long_and_single_words_is_the_same() -> None:
    """`_many` and `_long` against `_one`, which does what the algorithm says and nothing else."""
    rng = random.Random(1)
    sample = "".join(rng.choices("ababcd ", k=4000))
    bpe = train_tokenizer("bpe", sample, vocab_size=330)
    merger = bpe._merger
    words = ["".join(chr(rng.choice([64, 65, 66, 67])) for _ in range(rng.randint(1, 40))) for _ in range(500)]
    words += ["A" * n for n in range(1, 12)]
    one = [list(map(ord, merger._one(word))) for word in words]
    assert merger._many(words) == one
    assert [merger._long(word) for word in words] == one
    long = "".join(words)
    assert merger.apply([long]) == [list(map(ord, merger._one(long)))]


@pytest.mark.parametrize("hard", ["a" * 30_000, "abcdefgh" * 4000, "the king of" * 300])
def test_long_words_equal_hugging_face(text: str, hard: str) -> None:
    ours = train_tokenizer("bpe", text, vocab_size=600)
    hf = to_hf(ours)
    assert ours.encode(hard.replace(" ", "")) == hf.encode(hard.replace(" ", "")).ids
