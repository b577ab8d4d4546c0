"""Byte-level BPE: by hand, against Hugging Face merge for merge, against tiktoken id for id."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path

import pytest
import tiktoken
from nasty import NASTY, TRICKY

from tokexp.speed.tokenizers import hugging_face
from tokexp.tokenizer import train_tokenizer
from tokexp.tokenizer.split import PATTERNS


def test_bpe_by_hand() -> None:
    """ab is seen 3 times, then (ab)c twice: 'abc' is one token, and 'abd' two."""
    bpe = train_tokenizer("bpe", "abcabc\nab", vocab_size=262)
    pieces = bpe.token_bytes()
    assert pieces[260:] == [b"ab", b"abc"]
    assert [pieces[i] for i in bpe.encode("abcabd")] == [b"abc", b"ab", b"d"]


def test_bpe_reports_its_real_size() -> None:
    assert train_tokenizer("bpe", "abab", vocab_size=5000).vocab_size == 262


def hf_merges(text: str, vocab_size: int) -> list[tuple[int, int]]:
    """What Hugging Face's byte-level trainer learns, as pairs of ids."""
    model = json.loads(hugging_face(text, vocab_size).to_str())["model"]
    return [(model["vocab"][left], model["vocab"][right]) for left, right in model["merges"]]


def code() -> str:
    """Python's own source: indentation, underscores, repeated marks."""
    return Path(json.__file__).read_text() + Path(subprocess.__file__).read_text()


def cjk(text: str) -> str:
    """A text of many characters with few repetitions."""
    return "".join(chr(0x4E00 + (ord(a) * 31 + ord(b)) % 2000) for a, b in itertools.pairwise(text)) + text


@pytest.mark.parametrize("vocab_size", [400, 6551])
@pytest.mark.parametrize("nature", ["speech", "code", "cjk"])
def test_bpe_merges_equal_hugging_face_at_every_rank(text: str, nature: str, vocab_size: int) -> None:
    sample = {"speech": text + TRICKY, "code": code(), "cjk": cjk(text)}[nature]
    assert train_tokenizer("bpe", sample, vocab_size=vocab_size).merges == hf_merges(sample, vocab_size)


def test_bpe_merges_equal_hugging_face_on_shakespeare(shakespeare: str) -> None:
    train = shakespeare[:1_003_854]
    ours = train_tokenizer("bpe", train, vocab_size=6551)
    assert ours.merges == hf_merges(train, 6551)
    assert ours.vocab_size == 6551


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4"])
def test_bpe_ids_equal_tiktoken_with_the_same_ranks(text: str, pattern: str) -> None:
    sample = text + code()
    ours = train_tokenizer("bpe", sample, vocab_size=1000, pattern=pattern)
    ranks = {piece: rank for rank, piece in enumerate(ours.token_bytes()[4:])}
    theirs = tiktoken.Encoding("x", pat_str=PATTERNS[pattern][0], mergeable_ranks=ranks, special_tokens={})
    for each in (sample, cjk(text), *NASTY.values()):
        assert ours.encode(each) == [i + 4 for i in theirs.encode_ordinary(each)]
