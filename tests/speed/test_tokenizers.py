"""The libraries that our BPE is timed against do the same work, and the benchmark runs end to end."""

from __future__ import annotations

import re

import pytest

from tokexp.speed.tokenizers import bench_tokenizers, hugging_face, tiktoken_of
from tokexp.tokenizer.base import SPECIALS
from tokexp.tokenizer.bpe import BPETokenizer


def test_contestants_cut_alike(text: str) -> None:
    pytest.importorskip("tiktoken")
    ours = BPETokenizer.train(text, vocab_size=300)
    ids = ours.encode(text)
    assert tiktoken_of(ours, text)["tiktoken"]()() == [i - len(SPECIALS) for i in ids]
    library = hugging_face(text, 300)
    assert library.get_vocab_size() == ours.vocab_size == 300
    assert library.get_vocab()["<eos>"] == len(SPECIALS) - 1
    assert len(library.encode(text).ids) == pytest.approx(len(ids), rel=0.01)


def test_every_part_has_ratios(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    bench_tokenizers(text, 300, 1)
    printed = capsys.readouterr().out
    assert printed.count("(1 rounds, in turn)") == 4
    assert len(re.findall(r"tokexp is \d+\.\d\d times as fast", printed)) in (4, 7), "with tiktoken, or without"
