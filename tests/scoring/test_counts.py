"""Counts of a tokenizer's tokens: what n-grams over them need, restoration included, by the units of the text."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from corpora import corpus_of, documents_of

from tokexp.data.corpus import Corpus
from tokexp.encoding.prepare import Prepared, prepare
from tokexp.scoring import counts as module
from tokexp.scoring.counts import ORDERS, count, token_counts
from tokexp.scoring.ngram import KneserNey
from tokexp.scoring.target import Target, make_targets

LN2 = math.log(2)


def prepared(kind: str, corpus: Corpus, **settings: object) -> tuple[Prepared, dict[str, Target]]:
    ready = prepare(kind, settings, corpus)
    return ready, make_targets(ready, corpus)


@pytest.mark.parametrize(("kind", "expected"), [("char", 2.248), ("bpe", 2.212), ("byte", 2.248)])
def test_shakespeare_needs_what_was_measured(shakespeare: str, kind: str, expected: float) -> None:
    """By an independent recomputation."""
    corpus = corpus_of(shakespeare[:1_003_854], shakespeare[1_003_854:])
    ready, targets = prepared(kind, corpus, **({"vocab_size": 1024} if kind == "bpe" else {}))
    counts = token_counts(ready, corpus, targets)
    assert counts.bpb == pytest.approx(expected, abs=0.003)
    assert sum(counts.nats) / (LN2 * corpus.val.n_bytes) == pytest.approx(counts.bpb)
    assert len(counts.nats) == 64


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
def test_the_order_is_the_best_on_validation(text: str, kind: str) -> None:
    corpus = corpus_of(text[:7000], text[7000:9000])
    ready, targets = prepared(kind, corpus)
    counts = token_counts(ready, corpus, targets)
    ids, val = ready.data.train.ids.astype(int), targets["val"]
    model = KneserNey(ids, max(ORDERS), ready.tokenizer.vocab_size)
    bits = [model.bits(val.stream.ids, ids, order).sum() for order in ORDERS]
    assert counts.order == ORDERS[int(np.argmin(bits))]
    total = min(bits) + val.restoration.sum()
    assert counts.bpb == pytest.approx(total / corpus.val.n_bytes)
    assert (val.restoration.sum() > 0) == (kind == "word")


def test_test_documents_choose_nothing(text: str) -> None:
    """The order is that of the validation part, whatever the part that ranks would rather have."""
    parts = {"train": [text[:6000], text[6000:7000]], "val": ["ab" * 200, "ba" * 100], "test": [text[7000:8000]] * 5}
    corpus = documents_of(**parts)
    ready, targets = prepared("char", corpus)
    counts = token_counts(ready, corpus, targets)
    flattered = count(ready.data.train, ready.tokenizer.vocab_size, targets["test"], targets["test"])
    assert counts.order != flattered.order
    assert counts.bpb > flattered.bpb
    assert len(counts.nats) == len(corpus.scored) == 5
    assert sum(counts.nats) / (LN2 * corpus.scored.n_bytes) == pytest.approx(counts.bpb)


def test_they_are_counted_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = corpus_of(text[:5000], text[5000:6000])
    ready, targets = prepared("bpe", corpus)
    first = token_counts(ready, corpus, targets)
    monkeypatch.setattr(module, "count", lambda *_: pytest.fail("counted again"))
    assert dataclasses.asdict(token_counts(ready, corpus, targets)) == dataclasses.asdict(first)
