"""Figures of tokenizers alone, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tokexp.encoding.encode import encode_stream
from tokexp.encoding.stream import TokenStream
from tokexp.scoring.intrinsic import intrinsic, renyi_entropy, tokens_per_word
from tokexp.tokenizer import train_tokenizer


def test_figures_by_hand() -> None:
    """Four tokens, "ab" "c " "d" "e", over "abc de": two words of 2 tokens each, of 3 and 2 letters."""
    text = "abc de"
    tokenizer = train_tokenizer("bpe", text, vocab_size=261)
    stream = TokenStream.of_starts(np.array([260, 5, 5, 6], dtype=np.uint16), np.array([0, 2, 4, 5, 6]))
    assert tokens_per_word(text, stream).tolist() == [2, 2]
    got = intrinsic(tokenizer, text, stream)
    assert (got.vocab_used, got.bytes_per_token, got.chars_per_token) == (3, 1.5, 1.5)
    assert (got.fertility, got.words_split, got.unk_rate) == (2.0, 1.0, 0.0)
    assert (got.token_bytes_p50, got.token_bytes_max) == (1.5, 2)
    assert got.unigram_entropy == pytest.approx(1.5)
    expected = np.log2(2 * 0.25**2.5 + 0.5**2.5) / -1.5 / np.log2(261)
    assert got.renyi_efficiency == pytest.approx(expected)


def test_even_frequencies_are_fully_efficient() -> None:
    assert renyi_entropy(np.full(8, 1 / 8), 2.5) == pytest.approx(3)


def test_unknown_and_fallback_rates(text: str) -> None:
    char = train_tokenizer("char", "abc")
    assert intrinsic(char, "abzz", encode_stream(char, "abzz")).unk_rate == 0.5
    spelled = train_tokenizer("char", "abc", byte_fallback=True)
    assert intrinsic(spelled, "abé", encode_stream(spelled, "abé")).byte_fallback_rate == 0.5
