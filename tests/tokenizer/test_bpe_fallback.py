"""BPE over characters with byte fallback, against SentencePiece."""

from __future__ import annotations

import pytest

from tokexp.tokenizer import train_tokenizer


def test_fallback_compresses_as_sentencepiece(shakespeare: str) -> None:
    train, val = shakespeare[:300_000], shakespeare[1_003_854:]
    ours, theirs = (len(train_tokenizer(k, train, vocab_size=2000).encode(val)) for k in ("bpe_fallback", "sp_bpe"))
    assert ours == pytest.approx(theirs, rel=0.01)


def test_fallback_bytes_are_only_for_what_is_unknown(text: str) -> None:
    tokenizer = train_tokenizer("bpe_fallback", text, vocab_size=330, coverage=1.0)
    fallback = set(tokenizer.fallback_ids())
    assert not fallback & set(tokenizer.encode(text))
    assert len(fallback) == 256
    assert [tokenizer.token_bytes()[i] for i in tokenizer.encode("é")] == [b"\xc3", b"\xa9"]
    assert set(tokenizer.encode("é")) <= fallback


def test_a_whole_number_may_be_the_coverage(text: str) -> None:
    assert train_tokenizer("bpe_fallback", text, coverage=1).lossless
