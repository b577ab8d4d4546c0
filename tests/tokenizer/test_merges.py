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
    assert merger._long(words) == one
    long = "".join(words)
    assert merger.apply([long]) == [list(map(ord, merger._one(long)))]


@pytest.mark.parametrize("hard", ["a" * 30_000, "abcdefgh" * 4000, "the king of" * 300])
def test_long_words_equal_hugging_face(text: str, hard: str) -> None:
    ours = train_tokenizer("bpe", text, vocab_size=600)
    hf = to_hf(ours)
    assert ours.encode(hard.replace(" ", "")) == hf.encode(hard.replace(" ", "")).ids


def test_many_long_words_take_the_rounds_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round costs much the same for one place as for thousands: word by word, a text of long words takes long."""
    rng = random.Random(2)
    letters = "".join(rng.choices("abcdefgh", k=60_000))
    bpe = train_tokenizer("bpe", letters, vocab_size=600)
    words = [letters[i : i + 600] for i in range(0, 60_000, 600)]
    rounds = []
    ranks = bpe._merger._ranks
    monkeypatch.setattr(bpe._merger, "_ranks", lambda *pairs: rounds.append(1) or ranks(*pairs))
    assert bpe.encode(" ".join(words)) == to_hf(bpe).encode(" ".join(words)).ids
    assert len(rounds) < 2 * len(bpe.merges)


def test_the_spans_of_long_words_are_merged_together(monkeypatch: pytest.MonkeyPatch) -> None:
    text = " ".join("the king of" * 60 for _ in range(3)).replace("e k", "é\n k")
    classic = train_tokenizer("bpe_classic", text.replace("f", "g"), vocab_size=40)
    calls = []
    apply = classic._merger.apply
    monkeypatch.setattr(classic._merger, "apply", lambda words: calls.append(1) or apply(words))
    ids, spans = classic.encode_with_spans(text)
    assert len(calls) == 1
    assert ids == classic.encode(text)
    assert [span[0] for span in spans] == [0, *(span[1] for span in spans[:-1])]
    assert spans[-1][1] == len(text.encode())
