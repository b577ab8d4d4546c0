"""The pieces that a report colours: their bytes are the text, and the marks lie where the words do."""

from __future__ import annotations

import json
import math
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import settings_of
from corpora import corpus_of

from tokexp.encoding.encode import encode_stream
from tokexp.encoding.prepare import TokenizedCorpus
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.scoring.bits_per_byte import token_nats
from tokexp.scoring.content import byte_bits
from tokexp.scoring.restoration import restoration_cost
from tokexp.scoring.samples import grams
from tokexp.scoring.samples.readability import Reader
from tokexp.scoring.samples.segments import (
    Marks,
    first_words,
    mark_copies_and_new_words,
    piece_bits,
    piece_rows,
    run_segments,
    segment,
    shown_passage,
)
from tokexp.tokenizer import KINDS, train_tokenizer
from tokexp.tokenizer.base import UNK
from tokexp.tokenizer.split import chunks

NASTY = ["", "The king, Zounds\n\nJULIET:\n", "Ünïcode \u2014 e\u0301 \U0001f451 <script>", "\u0130\t \r\n"]


def cut(text: str, lengths: list[int]) -> list[bytes]:
    raw = text.encode()
    return [raw[a:b] for a, b in pairwise([0, *accumulate(lengths)])]


def slices(text: str, spans: list[list[int]]) -> list[str]:
    return [text.encode()[a:b].decode() for a, b in spans]


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "gpt2"])
def test_pieces_are_the_text(kind: str, text: str, tmp_path: Path) -> None:
    tokenizer = train_tokenizer(kind, text, **settings_of(kind, tmp_path, text))
    for given in NASTY:
        pieces = segment(tokenizer, given)
        assert b"".join(cut(given, pieces.bytes)) == given.encode()
        assert len(pieces.bytes) == len(tokenizer.encode(given))
        assert tokenizer.lossless <= (pieces.unknown == [])


def test_unknown_pieces_are_named(text: str) -> None:
    tokenizer = train_tokenizer("word", text)
    pieces = segment(tokenizer, "the king Zounds here")
    assert pieces.unknown == [2] == [n for n, i in enumerate(tokenizer.encode("the king Zounds here")) if i == UNK]
    assert cut("the king Zounds here", pieces.bytes)[2] == b" Zounds"


def test_pieces_as_rows() -> None:
    rows = piece_rows({"text": "né on", "bytes": [2, 1, 3], "unknown": [2]})
    assert [row["piece"] for row in rows] == ["n\ufffd", "\ufffd", " on"], "a torn character is shown as torn"
    assert [(row["bytes"], row["unknown"]) for row in rows] == [(2, False), (1, False), (3, True)]


def test_marks_by_hand() -> None:
    train = "One two three four, five six\nseven EIGHT nine ten eleven. The end"
    copy = "two Three four five six seven eight nine ten"
    texts = ["Ümlaut one " + copy + " the ténd. End", "two three four five six seven eight ten", ""]
    first, second, empty = mark_copies_and_new_words(train, texts)
    assert slices(texts[0], first.copied) == ["one " + copy]
    assert slices(texts[0], first.new_words) == ["Ümlaut", "ténd"]
    assert second == Marks([], [])  # seven words in a row are too few
    assert empty == Marks([], [])


def test_two_copies_stay_apart() -> None:
    train = "a b c d e f g h i j"
    text = "b c d e f g h i\nnew a b c d e f g h"
    (marks,) = mark_copies_and_new_words(train, [text])
    assert slices(text, marks.copied) == ["b c d e f g h i", "a b c d e f g h"]


def test_a_copy_across_chunks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    train = "one two three four five six seven eight nine ten"
    monkeypatch.setattr(grams, "chunks", lambda text: chunks(text, 9))
    (marks,) = mark_copies_and_new_words(train, ["x " + train + " y"])
    assert slices("x " + train + " y", marks.copied) == [train]
    assert len(marks.new_words) == 2


def test_marks_count_what_readability_counts(text: str) -> None:
    samples = [text[40:600], text[40:200] + " zounds forsooth " + text[900:1300], "of my good lord shall not be here"]
    train, val = text[:8000], text[8000:]
    read = Reader(corpus_of(train, val), 400).read(samples)
    for marks, measures in zip(mark_copies_and_new_words(train, samples), read, strict=True):
        assert bool(marks.copied) == (measures["copied_8grams"] > 0)
        assert bool(marks.new_words) == (measures["real_words"] < 1)
        if measures["copied_8grams"] == 1:
            assert len(marks.copied) == 1


def test_the_passage_begins_after_a_break(text: str) -> None:
    assert shown_passage("half a line\n\n \nKING:\nSpeak." + "x" * 300).startswith("KING:\nSpeak.x")
    assert len(shown_passage("half a line\n\nKING:\nSpeak." + "x" * 300)) == 300
    assert shown_passage("no break " * 90) == ("no break " * 90)[:300]
    assert shown_passage("short\n\ntext") == "short\n\ntext"


def test_samples_continue_the_first_words_of_the_passage() -> None:
    assert first_words("half a line\n\n \nKING:\nSpeak not so. " + "x" * 300) == "KING:\nSpeak not"
    assert first_words("    def f(self, x):\n") == "def f(self, x):"
    assert first_words("one") == "one"
    assert first_words(" \n\n" * 200 + "é at last") == "é at last"
    assert first_words("\u65e5\u672c" * 99) == "\u65e5\u672c" * 20, "a language without spaces"


def test_what_a_run_leaves(text: str) -> None:
    corpus = corpus_of(text[:10_000], text[10_000:])
    tokenizer = train_tokenizer("bpe", corpus.train.text, vocab_size=300)
    keys = {"equal": "chars", "temperature": 0.8, "sample": 0}
    sample = {**keys, "arm": "bpe", "seed": 0, "prompt": "KING", "text": " shall not zounds"}
    row, held_out = run_segments(tokenizer, [sample], corpus, np.ones(corpus.val.n_bytes))
    json.dumps([row, held_out])
    assert {key: row[key] for key in keys} == keys
    assert row["of"] == "sample"
    assert slices(sample["text"], row["new_words"]) == ["zounds"]
    assert held_out["text"] == shown_passage(corpus.val.text)
    assert b"".join(cut(held_out["text"], held_out["bytes"])) == held_out["text"].encode()
    assert held_out["bits"] == held_out["bytes"]


def test_bits_of_pieces_by_hand() -> None:
    assert piece_bits([2, 0, 1], np.array([1.0, 0.5, 3.0, 9.0])) == [1.5, 0.0, 3.0]
    assert piece_bits([], np.ones(4)) == []


@pytest.mark.parametrize("kind", ["byte", "bpe", "word"])
def test_bits_are_what_the_score_counts(text: str, kind: str) -> None:
    """Of each token that the passage has as the whole held-out text has it: its nats there, and what restores it."""
    text = text.replace("king", "kïng", 400)  # more bytes than characters, before the passage too
    corpus = corpus_of(text[:6_000], "kïng. " * 9 + "\n\n" + text[6_000:])
    tokenizer = train_tokenizer(kind, corpus.train.text, **settings_of(kind, Path(), text))
    val = encode_stream(tokenizer, corpus.val.text)
    data = TokenizedCorpus(encode_stream(tokenizer, corpus.train.text), val, val)
    restoration = restoration_cost(tokenizer, corpus.train, corpus.val)
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=tokenizer.vocab_size, block_size=16, n_layer=1, n_head=1, n_embd=8))
    torch.nn.init.normal_(model.lm_head.weight)  # so that tokens differ in what they cost
    bits = byte_bits(model, tokenizer, data, corpus.val.text.encode(), restoration)
    (row,) = run_segments(tokenizer, [], corpus, bits)
    costs = token_nats(model, data.context_id, val.ids) / math.log(2) + restoration.bits.sum(axis=1)
    first = int(np.searchsorted(val.starts, corpus.val.text.encode().index(row["text"].encode())))
    same = range(1, len(row["bytes"]) - 1)  # the ends of the passage may cut a token
    assert row["bytes"][1:-1] == np.diff(val.starts)[first:][same].tolist()
    assert row["bits"][1:-1] == pytest.approx(costs[first:][same], abs=1e-4)
    assert (kind == "word") == (restoration.bits[first:][same].sum() > 1)
