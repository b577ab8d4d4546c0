"""Every bit of the total is laid to a byte, by the rule; every byte has its class; nothing is lost on the way."""

from __future__ import annotations

import itertools
import math
from math import log2
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import settings_of
from corpora import corpus_of

from tokexp.data.part import Part
from tokexp.encoding.encode import encode_stream
from tokexp.encoding.prepare import TokenizedCorpus
from tokexp.encoding.stream import TokenStream
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.scoring import bits_per_byte
from tokexp.scoring import content as module
from tokexp.scoring.bits_per_byte import token_nats
from tokexp.scoring.content import PLACES, byte_bits, byte_classes, content, context_classes
from tokexp.scoring.restoration import Restoration, restoration_cost
from tokexp.tokenizer import KINDS, Tokenizer, train_tokenizer

T = 16
HELD_OUT = "\n\nKING EDWARD:\nThe k\u0131ng's  naïve Xylophone, 日本 ﬁ ẞ e\u0301 İ\t👩 'tis \ue000▁ lord!\n"


class Fixed(torch.nn.Module):
    """A model that says the same at every position, whatever it has read."""

    def __init__(self, p: list[float]) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.tensor(p).log(), requires_grad=False)
        self.config = SimpleNamespace(block_size=4, vocab_size=8)

    def forward(self, idx_BT: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(*idx_BT.shape, -1)


def random_gpt(vocab_size: int, std: float = 0.5) -> GPT:
    torch.manual_seed(2)
    model = GPT(GPTConfig(vocab_size=vocab_size, block_size=T, n_layer=1, n_head=1, n_embd=8))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=std)
    return model


def tokenized(tokenizer: Tokenizer, train: str, val: str) -> TokenizedCorpus:
    stream = encode_stream(tokenizer, val)
    return TokenizedCorpus(encode_stream(tokenizer, train), stream, stream)


def nothing(tokens: int) -> Restoration:
    return Restoration(np.zeros((tokens, 3)))


def bits_of_stub(
    p: list[float], pieces: list[bytes], ids: list[int], starts: list[int], raw: bytes, restored: Any = None
) -> np.ndarray:
    """The bits of `raw` under a model that gives id i the probability p[i]."""
    stream = TokenStream.of_starts(np.array(ids), np.array(starts))
    restoration = nothing(len(ids)) if restored is None else Restoration(np.array(restored, dtype=float))
    tokenizer: Any = SimpleNamespace(token_bytes=lambda: pieces)
    model: Any = Fixed(p)
    return byte_bits(model, tokenizer, TokenizedCorpus(stream, stream, stream), raw, restoration)


def test_a_token_is_split_by_the_chain_rule_over_its_prefixes() -> None:
    pieces = [b"", b"abc", b"b", b"ab", b"ac", b"a"]
    p = [0.1, 0.05, 0.25, 0.1, 0.3, 0.2]
    got = bits_of_stub(p, pieces, [3, 2, 5, 1, 4], [0, 2, 3, 4, 7, 9], b"ababacac"[:2] + b"b" + b"a" + b"abc" + b"ac")
    a, ab = 0.1 + 0.05 + 0.3 + 0.2, 0.1 + 0.05
    want = [
        *(-log2(a), -log2(0.1 / a)),  # ab, and not abc
        -log2(0.25),
        -log2(0.2),  # a and no longer one: all of it is paid by its one byte
        *(-log2(a), -log2(ab / a), -log2(0.05 / ab)),
        *(-log2(a), -log2(0.3 / a)),
    ]
    assert got == pytest.approx(want, rel=1e-6)


def test_two_ids_of_the_same_bytes_are_told_apart_by_the_last_byte() -> None:
    got = bits_of_stub([0.25, 0.25, 0.5], [b"\xff\xff", b"\xff\xff", b"\xff"], [1], [0, 2], "é".encode())
    assert got == pytest.approx([0, 2])


def brute_force(model: GPT, tokenizer: Tokenizer, data: TokenizedCorpus) -> list[float]:
    """Of a lossless kind: one token, one prefix, one entry of the vocabulary at a time."""
    pieces, ids, bits = tokenizer.token_bytes(), data.val.ids.tolist(), []
    stream = [data.context_id, *ids]
    for i, target in enumerate(ids):
        p = model(torch.tensor([stream[i // T * T : i + 1]]))[0, -1].double().softmax(0).tolist()
        word, before = pieces[target], 1.0
        for k in range(1, len(word) + 1):
            begin_so = sum(p[j] for j, piece in enumerate(pieces) if piece[:k] == word[:k])
            now = begin_so if k < len(word) else p[target]
            bits.append(log2(before / now))
            before = now
    return bits


@pytest.mark.parametrize("kind", ["bpe", "bpe_fallback", "sp_unigram"])
def test_prefixes_equal_a_loop_over_the_vocabulary(
    text: str, kind: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = train_tokenizer(kind, text, **settings_of(kind, tmp_path_factory.mktemp(kind), text))
    val = text[:300] + HELD_OUT
    data, model = tokenized(tokenizer, text[300:], val), random_gpt(tokenizer.vocab_size)
    want = brute_force(model, tokenizer, data)
    got = byte_bits(model, tokenizer, data, val.encode(), nothing(len(data.val)))
    assert got == pytest.approx(want, abs=2e-5)

    monkeypatch.setattr(bits_per_byte, "TOKENS_AT_ONCE", 3 * T)
    monkeypatch.setattr(module, "PROBABILITIES_AT_ONCE", 7 * tokenizer.vocab_size)
    in_parts = byte_bits(model, tokenizer, data, val.encode(), nothing(len(data.val)))
    assert in_parts == pytest.approx(got, abs=2e-5), "however much is held in memory at once"


@pytest.mark.parametrize("kind", KINDS)
def test_no_bit_is_lost_or_made_in_any_kind(text: str, kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    tokenizer = train_tokenizer(kind, text, **settings_of(kind, tmp_path_factory.mktemp(kind), text))
    val = HELD_OUT + text[:1000] + "  \n"
    data = tokenized(tokenizer, text[1000:], val)
    restoration = restoration_cost(tokenizer, Part.of_text(text[1000:]), Part.of_text(val))
    for std in (0.5, 6):  # unsure, and so sure that sums of probabilities lose the small ones
        model = random_gpt(tokenizer.vocab_size, std)
        got = byte_bits(model, tokenizer, data, val.encode(), restoration)
        nats = token_nats(model, data.context_id, data.val.ids).sum()
        assert got.sum() == pytest.approx(nats / math.log(2) + restoration.total, rel=1e-9)
        assert got.min() >= -1e-9


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
def test_classes_sum_to_the_total(text: str, kind: str) -> None:
    tokenizer = train_tokenizer(kind, text[3000:])
    corpus = corpus_of(text[3000:], HELD_OUT + text[:3000])
    data, model = tokenized(tokenizer, corpus.train.text, corpus.val.text), random_gpt(tokenizer.vocab_size)
    restoration = restoration_cost(tokenizer, corpus.train, corpus.val)
    of_byte = byte_bits(model, tokenizer, data, corpus.val.text.encode(), restoration)
    rows = content(of_byte, data, corpus, T)
    assert all(set(row) == {"partition", "class", "bytes", "bits"} for row in rows)
    bits = token_nats(model, data.context_id, data.val.ids).sum() / math.log(2) + restoration.total
    for name in ("place", "context"):
        mine = [row for row in rows if row["partition"] == name]
        assert sum(row["bytes"] for row in mine) == len(corpus.val.text.encode())
        assert sum(row["bits"] for row in mine) == pytest.approx(bits, rel=1e-9)
    by_class = {row["class"]: row for row in rows}
    for key in ("bytes", "bits"):
        words = sum(by_class[name][key] for name in ("common", "middling", "rare", "unseen"))
        assert words == pytest.approx(by_class["word_first"][key] + by_class["word_rest"][key])


@pytest.mark.parametrize("kind", ["byte", "char"])
def test_a_token_of_one_byte_is_that_byte(text: str, kind: str) -> None:
    tokenizer = train_tokenizer(kind, text)
    data, model = tokenized(tokenizer, text[1000:], text[:1000]), random_gpt(tokenizer.vocab_size)
    got = byte_bits(model, tokenizer, data, text[:1000].encode(), nothing(1000))
    assert got.tolist() == (token_nats(model, data.context_id, data.val.ids) / math.log(2)).tolist()


def test_words_are_laid_to_the_end_of_their_span_and_the_unknown_to_all_but_its_space(text: str) -> None:
    tokenizer = train_tokenizer("word", text, vocab_size=24)
    val = "The  \tXylo,the the"
    data = tokenized(tokenizer, text, val)
    p = np.arange(1, 25) / 300
    model: Any = Fixed(p.tolist())
    got = byte_bits(model, tokenizer, data, val.encode(), nothing(5))
    pieces = tokenizer.token_bytes()
    the = pieces.index(b"the")
    assert b"thee" in pieces
    chain = [sum(p[i] for i, piece in enumerate(pieces) if piece[:k] == b"the"[:k]) for k in range(3)] + [p[the]]
    one = [log2(a / b) for a, b in itertools.pairwise(chain)]
    unknown = [-log2(p[1]) / 4] * 4
    comma = -log2(p[pieces.index(b",")])
    assert got == pytest.approx([*one, 0, 0, 0, *unknown, comma, *one, 0, *one], abs=1e-6)


def test_what_writes_more_than_its_span_is_spread() -> None:
    """A token with a space that the text lacks, one of white space, parts of a character, one at the end."""
    pieces = [b" a", b"   ", b"\xc3", b"\xa9", b"z"]
    got = bits_of_stub(
        [0.5, 0.25, 0.125, 0.0625, 0.0625],
        pieces,
        [0, 1, 2, 3, 0, 4],
        [0, 1, 3, 3, 5, 7, 7],  # "a", two spaces, nothing, "é", " a", nothing
        "a  é a".encode(),
    )
    lost_part, part, last = 3.0, 4.0, 4.0
    a_with_space = [-log2(0.75), log2(0.75) + 1]
    assert got == pytest.approx([1, 1, 1, lost_part, part, a_with_space[0], a_with_space[1] + last], abs=1e-6)


def test_restoration_is_laid_to_the_space_and_to_the_rest() -> None:
    raw = b"x  yy \n"
    restored = [[1, 2, 4], [6, 1, 3], [8, 16, 32]]  # spacing, case, spelling of "x", "  yy" and " \n"
    plain = bits_of_stub([1.0], [b""], [0, 0, 0], [0, 1, 5, 7], raw)
    got = bits_of_stub([1.0], [b""], [0, 0, 0], [0, 1, 5, 7], raw, restored)
    assert plain.sum() == 0
    assert got.tolist() == [7, 3, 3, 2, 2, 28, 28]


PLAY = """\
FIRST:
Don't say 'tis o' 3rd-rate: naïve!
not a heading:

KING O'THE EAST:
\u00a0été 3.14

A line of more than forty characters, which ends:

日本:"""


def labels(val: str, train: str = "") -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Runs of characters by class, of both partitions."""
    runs = []
    for partition in byte_classes(val, train):
        of_char, at = [], 0
        for char in val:
            classes = set(partition.of_byte[at : at + len(char.encode())].tolist())
            assert len(classes) == 1, "a character's bytes are of one class"
            i = classes.pop()
            of_char.append((char, "" if i < 0 else partition.classes[i]))
            at += len(char.encode())
        assert at == len(partition.of_byte)
        runs.append(
            [("".join(c for c, _ in run), name) for name, run in itertools.groupby(of_char, key=lambda pair: pair[1])]
        )
    return runs[0], runs[1]


def test_places_by_hand() -> None:
    place, _ = labels(PLAY)
    inside = [run for run in place if run[1] != "spacing"]
    assert inside[:17] == [
        ("FIRST:", "heading"),
        *(("D", "word_first"), ("on't", "word_rest"), ("s", "word_first"), ("ay", "word_rest")),
        *(("'", "punctuation"), ("t", "word_first"), ("is", "word_rest"), ("o", "word_first"), ("'", "punctuation")),
        *(("3", "word_first"), ("rd", "word_rest"), ("-", "punctuation"), ("r", "word_first"), ("ate", "word_rest")),
        *((":", "punctuation"), ("n", "word_first")),
    ]
    assert inside[17:19] == [("aïve", "word_rest"), ("!", "punctuation")]
    assert [run for run in inside if run[1] == "heading"] == [
        (heading, "heading") for heading in ("FIRST:", "KING O'THE EAST:", "日本:")
    ]
    assert ("\n\u00a0", "spacing") in place
    at = inside.index(("KING O'THE EAST:", "heading"))
    assert inside[at + 1 : at + 5] == [
        *(("é", "word_first"), ("té", "word_rest"), ("3", "word_first"), (".", "punctuation")),
    ]


def test_headings_by_their_rule() -> None:
    def headings(val: str) -> list[str]:
        return [chars for chars, name in labels(val)[0] if name == "heading"]

    assert headings("A:\nB:") == ["A:"]
    assert headings("\nA:\n\n\nB B:\r\n\r\nC:\r\n") == ["A:", "B B:", "C:"]
    assert headings("a" * 39 + ":") == ["a" * 39 + ":"]
    assert headings("a" * 40 + ":") == []
    assert headings("word\n \nA:\n\nB: c") == []


def test_a_decomposed_letter_stays_in_its_word() -> None:
    place, _ = labels("e\u0301te\u0301 \u0301")
    assert place == [("e", "word_first"), ("\u0301te\u0301", "word_rest"), (" ", "spacing"), ("\u0301", "punctuation")]


def test_words_by_their_frequency_in_the_training_part() -> None:
    train = "HUNDRED: " + "hundred " * 99 + "ninetynine " * 99 + "Ten ten't " * 9 + "ten nine " + "NINE " * 8 + "once"
    val = "ONCE:\nHundred ninetynine TEN nine once't Once, twice-NINETYNINE"
    _, word = labels(val, train)
    assert [run for run in word if run[1]] == [
        *(("Hundred", "common"), ("ninetynine", "middling"), ("TEN", "middling"), ("nine", "rare")),
        *(("once't", "unseen"), ("Once", "rare"), ("twice", "unseen"), ("NINETYNINE", "middling")),
    ]


def test_each_byte_is_in_one_place_and_each_byte_of_a_word_in_one_frequency(text: str) -> None:
    val = HELD_OUT + text[:2000]
    place, word = byte_classes(val, text)
    assert place.of_byte.min() == 0
    assert place.of_byte.max() == len(PLACES) - 1
    in_word = np.isin(place.of_byte, [PLACES.index("word_first"), PLACES.index("word_rest")])
    assert np.array_equal(word.of_byte >= 0, in_word)
    assert byte_classes(val, text + "x")[1] is not word


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
def test_context_is_the_text_before_the_token_in_its_window(text: str, kind: str) -> None:
    tokenizer = train_tokenizer(kind, text)
    data = tokenized(tokenizer, text[2000:] + "the lord", text[:2000] + HELD_OUT)
    got = context_classes(data, T)
    assert got.classes[:2] == ("0-15", "16-31")
    spans = list(itertools.pairwise(data.val.starts.tolist()))
    want = []
    for i, (start, end) in enumerate(spans):
        known = i // T * T  # the window's first input is the token before this one
        context = sum(b - a for a, b in spans[known:i])
        context += spans[known - 1][1] - spans[known - 1][0] if known else len(data_last(data))
        name = next(n for n in got.classes if int(n.split("-")[0]) <= context <= int(n.split("-")[1]))
        want += [name] * (end - start)
    assert [got.classes[i] for i in got.of_byte] == want
    assert got.of_byte.max() == len(got.classes) - 1


def data_last(data: TokenizedCorpus) -> range:
    """The bytes of the training part's last token."""
    return range(*data.train.starts[-2:].tolist())
