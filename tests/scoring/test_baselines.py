"""Baselines: the reference figures, what conditional means, and texts that could break them."""

from __future__ import annotations

import logging
import math
import random
from math import log2
from pathlib import Path

import numpy as np
import pyppmd
import pytest
from corpora import corpus_of, documents_of

from tokexp.data.corpus import Corpus
from tokexp.encoding.encode import encode_part
from tokexp.scoring import baselines as module
from tokexp.scoring import units
from tokexp.scoring.baselines import (
    Baseline,
    baselines,
    compressors,
    conditional_bits,
    measure_baselines,
    uniform_bits,
)
from tokexp.scoring.ngram import CODE_POINTS, CharModel, KneserNey
from tokexp.scoring.restoration import restoration_cost
from tokexp.system import places
from tokexp.tokenizer import train_tokenizer

NAMES = [
    "uniform", *(f"Kneser-Ney {k}" for k in range(1, 7)), "word trigram",
    "gzip", "bz2", "xz", "zstd", "PPMd 6",
]  # fmt: skip


def of_whole(corpus: Corpus) -> tuple[bytes, bytes]:
    return corpus.train.text.encode(), corpus.val.text.encode()


def ppmd_of(corpus: Corpus) -> Baseline:
    return module.ppmd(module.Text(corpus.train, ""), module.Text(corpus.val, ""))


def by_name(corpus: Corpus) -> dict[str, float]:
    return {row.name: row.val_bpb for row in measure_baselines(corpus)}


def test_shakespeare_needs_what_was_measured(shakespeare: str) -> None:
    rows = {row.name: row for row in baselines(corpus_of(shakespeare[:1_003_854], shakespeare[1_003_854:]))}
    got = {name: row.val_bpb for name, row in rows.items()}
    assert list(got) == NAMES
    assert got["Kneser-Ney 6"] == pytest.approx(2.248, abs=0.005)
    assert got["PPMd 6"] == pytest.approx(2.026, abs=0.005)
    assert got["uniform"] == pytest.approx(6.02, abs=0.005)
    others = {f"Kneser-Ney {k}": bits for k, bits in enumerate([4.83, 3.58, 2.95, 2.49, 2.28], start=1)}
    for name, reference in (others | {"gzip": 3.10, "xz": 2.52, "zstd": 2.54, "bz2": 2.40}).items():
        assert 1 < got[name] < reference + 0.03, name
    words = rows["word trigram"]
    assert words.val_bpb_restoration == pytest.approx(0.367, abs=0.03)
    assert words.val_bpb - words.val_bpb_restoration == pytest.approx(1.780, abs=0.005)
    assert {row.val_bpb_restoration for row in rows.values() if row is not words} == {0.0}


def test_families(text: str) -> None:
    rows = measure_baselines(corpus_of(text[:7000], text[7000:8000]))
    assert [row.name for row in rows if row.family == "static"] == NAMES[:8]
    assert [row.name for row in rows if row.family == "adaptive"] == NAMES[8:]


def test_static_ones_stand_still(text: str) -> None:
    """Two copies of a held-out text cost twice what one does, but for the seam; whoever learns pays once."""
    train, val = text[:6000], "Wherefore doth yon juggler quaff? " + text[6000:6500]
    once, twice = corpus_of(train, val), corpus_of(train, val + val)
    one, two = by_name(once), by_name(twice)
    for name in ("Kneser-Ney 3", "Kneser-Ney 6", "word trigram"):
        assert two[name] == pytest.approx(one[name], rel=0.03), name
    for name in ("gzip", "xz", "zstd", "PPMd 6"):
        assert two[name] < 0.8 * one[name], name


def test_conditional_means_given_the_training_part() -> None:
    """What was read before is nearly free: here the beginning of 600 kB of noise, out of gzip's sight."""
    rng = random.Random(0)
    train = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz \n", k=600_000))
    corpus = corpus_of(train, train[5000:25_000])
    raws = of_whole(corpus)
    bpb = {name: conditional_bits(*raws, c) / corpus.val.n_bytes for name, c in compressors(620_000).items()}
    assert bpb["xz"] < 0.05
    assert bpb["zstd"] < 0.05
    assert bpb["gzip"] > 4
    assert ppmd_of(corpus).val_bpb < 0.5


def test_conditional_is_a_difference_of_lengths() -> None:
    assert conditional_bits(b"abc" * 5, "déf".encode(), lambda raw: raw + b"header") == 4 * 8


def ppmd(raw: bytes) -> bytes:
    encoder = pyppmd.Ppmd7Encoder(module.PPMD_ORDER, module.PPMD_MEMORY)
    return bytes(encoder.encode(raw) + encoder.flush())


@pytest.mark.parametrize("val", [100, 1000, 7, 1])
def test_what_ppmd_writes_in_blocks_is_what_the_whole_adds(text: str, val: int) -> None:
    """And a length counts only where the text comes back from it."""
    corpus = corpus_of(text[:5000] + "é", "é" + text[5000 : 5000 + val])
    measured, raws = ppmd_of(corpus), of_whole(corpus)
    assert measured.val_bpb * corpus.val.n_bytes == pytest.approx(conditional_bits(*raws, ppmd), rel=1e-12)
    assert sum(measured.block_nats or []) / math.log(2) == pytest.approx(conditional_bits(*raws, ppmd))
    cuts = module.Text(corpus.val, "").cuts()
    assert (cuts[0], cuts[-1]) == (0, corpus.val.n_bytes)
    raw = b"".join(raws)
    assert pyppmd.Ppmd7Decoder(module.PPMD_ORDER, module.PPMD_MEMORY).decode(ppmd(raw), len(raw)) == raw


def test_blocks_add_up_to_the_whole(text: str) -> None:
    """Letters of several bytes, the spelling of unknown words, PPMd's bytes: all is in some block."""
    corpus = corpus_of(text[:6000], "é" + text[6000:7000] + "ünheard-of zyxw\n")
    rows = measure_baselines(corpus)
    assert [row.name for row in rows if row.block_nats is None] == ["gzip", "bz2", "xz", "zstd"]
    for row in rows:
        if row.block_nats:
            assert len(row.block_nats) == 64
            assert sum(row.block_nats) / math.log(2) / corpus.val.n_bytes == pytest.approx(row.val_bpb), row.name
            assert min(row.block_nats) >= 0, row.name


def test_a_baseline_pays_for_a_block_where_it_stands(text: str) -> None:
    """A passage of noise makes its own block dear, for whoever kept the blocks."""
    plain = text[6000:7000]
    noisy = plain[:500] + "qzxjvkq wzzxq kjq" + plain[517:]  # in block 32 and the one after it
    without, with_noise = (measure_baselines(corpus_of(text[:6000], val)) for val in (plain, noisy))
    for quiet, loud in zip(without, with_noise, strict=True):
        if quiet.block_nats and loud.block_nats and quiet.name != "uniform":
            dearer = np.array(loud.block_nats) - np.array(quiet.block_nats)
            assert dearer.argmax() in (31, 32, 33), quiet.name
            assert abs(dearer[:30]).max() < dearer.max() / 4, quiet.name


def test_uniform_by_hand() -> None:
    assert uniform_bits("abca", "cab") == pytest.approx([1 + log2(3), log2(3), log2(3)])
    assert uniform_bits("abca", "cabé") == pytest.approx([3, 2, 2, 2 + log2(CODE_POINTS - 3)])


def test_bits_are_per_byte_not_per_character() -> None:
    """Two bytes a letter: half the bits per byte of the same text in one-byte letters."""
    latin = "".join(random.Random(0).choices("abcdefg", k=3000))
    hebrew = latin.translate({ord("a") + i: 0x05D0 + i for i in range(7)})
    assert len(hebrew.encode()) == 2 * len(latin)
    one, two = (by_name(corpus_of(t[:2400], t[2400:])) for t in (latin, hebrew))
    for name in NAMES[:7]:
        assert two[name] == pytest.approx(one[name] / 2), name
    assert two["PPMd 6"] < 0.7 * one["PPMd 6"]


def test_kneser_ney_is_conditioned_on_the_end_of_the_training_part(text: str) -> None:
    corpus = corpus_of(text[:6003], text[6003:6040])
    bits = CharModel(corpus.train.text).bits(corpus.val.text, corpus.train.text)
    assert by_name(corpus)["Kneser-Ney 6"] == pytest.approx(bits.sum() / 37)
    assert bits[0] != CharModel(corpus.train.text).bits(corpus.val.text)[0]


def test_word_trigram_pays_for_what_its_words_lose(text: str) -> None:
    corpus = corpus_of(text[:7000], text[7000:8000])
    words = next(row for row in measure_baselines(corpus) if row.name == "word trigram")
    cost = restoration_cost(train_tokenizer("word", corpus.train.text), corpus.train, corpus.val).total
    assert words.val_bpb_restoration == pytest.approx(cost / corpus.val.n_bytes)
    assert words.val_bpb > words.val_bpb_restoration > 0


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("to be or not to be, that is the question\n" * 5, "to be or not to be"),  # a few hundred bytes
        ("to be to be", "or not to be"),
        ("Only the king the king", "Only Only the"),  # words that stand once, at the beginning
        ("日本語 日本語 のテキスト です。" * 4, "日本語 テキスト"),
        ("the king " * 20, "日本 😀 ЖЖ\n\u2028é the"),  # nearly nothing seen
        ("aaaaaaaaaaaaaaaa a a", "aaa"),
        ("a a", "b"),
    ],
)
def test_odd_texts_have_finite_costs(train: str, val: str) -> None:
    got = by_name(corpus_of(train, val))
    assert list(got) == NAMES
    for name in NAMES[:8]:
        assert 0 < got[name] < 60, name
    for name in NAMES[8:]:
        assert 0 <= got[name] < 8 * 40, name  # framing weighs on a few bytes


def test_a_text_without_words_has_no_word_trigram(caplog: pytest.LogCaptureFixture) -> None:
    """Each word once: the seed's vocabulary would be empty."""
    with caplog.at_level(logging.WARNING):
        got = by_name(corpus_of("abcdefghabcdefgh", "abc"))
    assert list(got) == [name for name in NAMES if name != "word trigram"]
    assert "no word trigram" in caplog.text


def test_zstd_looks_back_over_the_whole_text() -> None:
    """Its window is a power of two that both parts fit in, whatever the size."""
    for size in (3, 1000, 1 << 20, (1 << 20) + 1):
        train = random.Random(size).randbytes(size).hex()[: size - 2]
        corpus = corpus_of(train, train[: max(2, size // 50)])
        zstd = compressors(sum(map(len, of_whole(corpus))))["zstd"]
        assert conditional_bits(*of_whole(corpus), zstd) <= 8 * 40 + size / 50 * 0.05 * 8


def test_kept_by_corpus(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "CACHE", tmp_path)
    corpus, other = corpus_of(text[:5000], text[5000:6000]), corpus_of(text[:5000], text[5000:6001])
    first = baselines(corpus)
    assert first == measure_baselines(corpus)
    assert all(isinstance(row, Baseline) for row in first)
    assert len(list(tmp_path.rglob("baselines.json"))) == 1

    def refuse(*_: module.Text) -> Baseline:
        raise AssertionError("computed again")

    monkeypatch.setattr(module, "ppmd", refuse)
    assert baselines(corpus) == first
    with pytest.raises(AssertionError, match="computed again"):
        baselines(other)


# Documents.


def test_documents_by_hand() -> None:
    """Each end is a character that is counted once, in its document, and stands for no byte."""
    rows = {row.name: row for row in measure_baselines(documents_of(["ab", "a"], ["b", "aa", "ab"]))}
    a, b, end = -log2(0.39), -log2(0.19), -log2(0.39)  # of a b | a |, with a discount of 0.2 and four symbols
    by_document = {
        "uniform": [1 + 2 * log2(3), 3 * log2(3), 3 * log2(3)],
        "Kneser-Ney 1": [b + end, a + a + end, a + b + end],
    }
    for name, bits in by_document.items():
        assert rows[name].unit_nats == pytest.approx([each * math.log(2) for each in bits]), name
        assert rows[name].val_bpb == pytest.approx(sum(bits) / 5), name
    assert all(row.block_nats is None for row in rows.values())


def documents(text: str) -> Corpus:
    made = [text[i : i + 400] + ("", "\n", "  ")[i // 400 % 3] for i in range(0, 9200, 400)]
    return documents_of(made[:18], [*made[18:], "né 日本 zyxw\n", " \n a"])


def test_documents_add_up_to_the_whole(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = documents(text)
    rows = measure_baselines(corpus)
    assert [row.name for row in rows] == NAMES
    assert [row.name for row in rows if row.unit_nats is None] == ["gzip", "bz2", "xz", "zstd"]
    for row in rows:
        if row.unit_nats is not None:
            assert len(row.unit_nats) == len(corpus.val)
            assert sum(row.unit_nats) / math.log(2) / corpus.val.n_bytes == pytest.approx(row.val_bpb), row.name
            assert min(row.unit_nats) >= 0, row.name
    monkeypatch.setattr(units, "MOST_UNITS", 3)
    borders = [0, 3, 5]  # of 7 documents in 3 units
    for row, fewer in zip(rows, measure_baselines(corpus), strict=True):
        assert fewer.val_bpb == row.val_bpb
        if row.unit_nats is not None:
            assert fewer.unit_nats == pytest.approx(np.add.reduceat(row.unit_nats, borders).tolist()), row.name


def test_words_of_documents_are_counted_with_their_ends(text: str) -> None:
    """The ids are those that a model is scored on, and what the words lose is paid in each document."""
    corpus = documents(text)
    words = next(row for row in measure_baselines(corpus) if row.name == "word trigram")
    tokenizer = train_tokenizer("word", corpus.train.lines, min_frequency=2)
    train, val = (encode_part(tokenizer, part) for part in (corpus.train, corpus.val))
    cost = restoration_cost(tokenizer, corpus.train, corpus.val).bits.sum(axis=1)
    bits = KneserNey(train.ids, 3, tokenizer.vocab_size).bits(val.ids, train.ids) + cost
    assert (val.ids == tokenizer.eos_id).sum() == len(corpus.val) == 7
    by_document = np.bincount(val.document_of, weights=bits) * math.log(2)
    assert words.unit_nats == pytest.approx(by_document.tolist())
    assert words.val_bpb_restoration == pytest.approx(cost.sum() / corpus.val.n_bytes)


def test_compressors_are_told_where_a_document_ends() -> None:
    """By a byte that no text has: other borders are another text."""
    one, other = documents_of(["abc"] * 9, ["ab", "c"]), documents_of(["abc"] * 9, ["a", "bc"])
    for corpus, raw in ((one, b"ab\xffc\xff"), (other, b"a\xffbc\xff")):
        val = module.Text(corpus.val, "\ufdd0")
        assert (val.raw, val.n_bytes) == (raw, 3)
        assert val.cuts().tolist() == [0, *(i + 1 for i, byte in enumerate(raw) if byte == 0xFF)]
    raws = [b"abc\xff" * 9, b"ab\xffc\xff"]
    ppmd_row = next(row for row in measure_baselines(one) if row.name == "PPMd 6")
    assert ppmd_row.val_bpb == pytest.approx(conditional_bits(*raws, ppmd) / 3, abs=8 / 3)


def test_the_character_of_an_end_is_one_that_no_document_has() -> None:
    texts = ["a\ufdd0b", "\ufdd1"]
    assert module._unused(*texts) == "\ufdd2"
    rows = measure_baselines(documents_of(texts, texts[::-1]))
    assert len(next(row for row in rows if row.name == "Kneser-Ney 2").unit_nats or []) == 2


def test_what_is_ranked_is_measured_and_the_beginning_of_training_learned(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "CACHE", tmp_path)
    each = [text[i : i + 300] for i in range(0, 6000, 300)]
    corpus = documents_of(each[:12], each[12:15], each[15:])
    assert baselines(corpus) == measure_baselines(documents_of(each[:12], each[15:]))
    monkeypatch.setattr(module, "LEARNED_BYTES", 1000)
    assert baselines(corpus) == measure_baselines(documents_of(each[:3], each[15:]))
