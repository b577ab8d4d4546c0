"""The contract of every kind, on texts that break tokenizers, and each kind against an independent reference."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from conftest import settings_of
from tokenizers import models, pre_tokenizers, trainers

from tokexp.config import InputError
from tokexp.tokenizer import KINDS, Tokenizer, load_tokenizer, train_tokenizer
from tokexp.tokenizer.base import SPECIALS, UNK
from tokexp.tokenizer.split import pieces
from tokexp.tokenizer.word import TOKEN, fold

NASTY = {
    "empty": "",
    "spaces": "  two  spaces and a tab\t",
    "crlf": "a\r\nb\rc\n\n",
    "nul": "a\0b",
    "accents": "déjà vu, naïve café",
    "combining": "e\u0301 n\u0303",
    "emoji": "👩‍👩‍👧‍👦 and 🏳️‍🌈!",
    "cjk": "日本語のテキスト",
    "rtl": "שלום עולם",
    "case": "İstanbul ẞ ǆ K",
    "specials": "<unk> <pad> </w> <0x41> <|endoftext|> ▁ Ġ",
    "contractions": "I'll don't we've 'TIS it's",
    "digits": "1234 3.14 ²",
    "private": "\ue000\U0010ffff\ufffd",
    "long": "a" * 300,
}


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request: pytest.FixtureRequest, text: str, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("file")
    return train_tokenizer(request.param, text, **settings_of(request.param, folder, text))


@pytest.mark.parametrize("name", NASTY)
def test_lossless_kinds_return_the_text(tokenizer: Tokenizer, name: str) -> None:
    if tokenizer.lossless:
        assert tokenizer.decode(tokenizer.encode(NASTY[name])) == NASTY[name]


@pytest.mark.parametrize("name", NASTY)
def test_spans_tile_the_text(tokenizer: Tokenizer, name: str) -> None:
    ids, spans = tokenizer.encode_with_spans(NASTY[name])
    assert ids == tokenizer.encode(NASTY[name])
    assert len(spans) == len(ids)
    edges = [0, *(end for _, end in spans)]
    assert [start for start, _ in spans] == edges[:-1]
    assert not ids or edges[-1] == len(NASTY[name].encode())


@pytest.mark.parametrize("name", NASTY)
def test_token_bytes_are_what_is_written(tokenizer: Tokenizer, name: str) -> None:
    ids, spans = tokenizer.encode_with_spans(NASTY[name])
    raw, pieces = NASTY[name].encode(), tokenizer.token_bytes()
    if tokenizer.lossless:
        assert [pieces[i] for i in ids] == [raw[start:end] for start, end in spans]
    assert all(0 <= i < tokenizer.vocab_size for i in ids)


def test_specials_write_nothing_and_come_first_in_kinds_trained_here(tokenizer: Tokenizer) -> None:
    pieces = tokenizer.token_bytes()
    assert len(pieces) == tokenizer.vocab_size
    unwritten = [i for i, piece in enumerate(pieces) if not piece]
    if tokenizer.trained_on == "train":
        assert unwritten == [0, 1, 2, 3]
    assert set(tokenizer.never_drawn()) | {UNK} >= set(unwritten)


def test_what_is_never_drawn_is_never_emitted(tokenizer: Tokenizer, text: str) -> None:
    never = set(tokenizer.never_drawn())
    for sample in (text, *NASTY.values()):
        ids = set(tokenizer.encode(sample))
        assert not ids & never - ({UNK} if tokenizer.kind == "char" else set())
        assert not tokenizer.lossless or not ids & {i for i, p in enumerate(tokenizer.token_bytes()) if not p}


def test_encoding_in_pieces_is_encoding(tokenizer: Tokenizer, text: str) -> None:
    if tokenizer.cuts_at_spaces:
        sample = text[:3000] + "".join(NASTY.values())
        stretches = list(pieces(sample, length=50))
        assert len(stretches) > 20
        assert "".join(stretches) == sample
        assert [i for stretch in stretches for i in tokenizer.encode(stretch)] == tokenizer.encode(sample)


def test_saved_and_loaded_is_equal(tokenizer: Tokenizer, text: str, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer.json")
    again = load_tokenizer(tmp_path / "tokenizer.json")
    assert again.kind == tokenizer.kind
    assert again.encode(text) == tokenizer.encode(text)
    assert again.token_bytes() == tokenizer.token_bytes()
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "tokenizer.json").read_bytes()


def test_lone_surrogates_are_refused_by_position(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match=r"U\+D800 at character 3"):
        tokenizer.encode("abc\ud800")


def test_file_that_is_cut_short_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="cut short"):
        load_tokenizer(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "got format version 99, expected 1"),
        ({"format": "other"}, "not a tokexp tokenizer"),
        ({"kind": "smoke"}, "expected one of byte, char, word"),
        ({"merges": ["4 99999"]}, "merge 0 joins symbols 0 and 99995, expected ones"),
        ({"merges": ["4 5", "4 5"]}, "a second time"),
        ({"merges": None}, "damaged"),
        ({"pattern": "gpt9"}, "expected one of gpt2"),
    ],
)
def test_file_of_another_kind_is_refused(text: str, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "tokenizer.json"
    train_tokenizer("bpe", text, vocab_size=300).save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=message) as caught:
        load_tokenizer(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("smoke", {}, "got 'smoke', expected one of"),
        ("bpe", {"vocab_size": 100}, "got 100, expected at least 260"),
        ("bpe", {"vocab_size": "many"}, "got 'many', expected int for kind 'bpe'"),
        ("bpe", {"min_frequency": 2}, "kind 'bpe' has no such setting; expected vocab_size, pattern"),
        ("word", {"vocab_size": 4}, "expected at least 5"),
        ("char", {"vocab_size": 4}, "expected at least 5"),
    ],
)
def test_bad_settings_are_one_line(kind: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train_tokenizer(kind, "some text", **settings)


def test_training_does_not_depend_on_the_hash_seed(text_file: Path) -> None:
    """hf_unigram is left out: its library sums in a random order, as its docstring says."""
    code = (
        "import sys, hashlib; from tokexp.tokenizer import KINDS, train_tokenizer\n"
        "text = open(sys.argv[1], encoding='utf-8', newline='').read()\n"
        "kinds = [k for k in KINDS if k not in ('gpt2', 'file', 'hf_unigram')]\n"
        "print([hashlib.sha256(repr(train_tokenizer(k, text).to_json()).encode()).hexdigest() for k in kinds])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, str(text_file)],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1


def hf_merges(text: str, vocab_size: int) -> list[tuple[int, int]]:
    """What Hugging Face's byte-level trainer learns, as pairs of ids."""
    hf = tokenizers.Tokenizer(models.BPE())
    hf.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    hf.train_from_iterator([text], trainer)
    model = json.loads(hf.to_str())["model"]
    return [(model["vocab"][left], model["vocab"][right]) for left, right in model["merges"]]


@pytest.mark.parametrize("vocab_size", [400, 6551])
def test_bpe_merges_equal_hugging_face_at_every_rank(text: str, vocab_size: int) -> None:
    tricky = text + " ".join(NASTY.values()) + "aaaa aaa bababab abab " * 9
    ours = train_tokenizer("bpe", tricky, vocab_size=vocab_size)
    assert ours.merges == hf_merges(tricky, vocab_size)


def test_bpe_merges_equal_hugging_face_on_shakespeare(shakespeare: str) -> None:
    train = shakespeare[:1_003_854]
    ours = train_tokenizer("bpe", train, vocab_size=6551)
    assert ours.merges == hf_merges(train, 6551)
    assert ours.vocab_size == 6551


def test_bpe_by_hand() -> None:
    """ab is seen 3 times, then (ab)c twice: 'abc' is one token, and 'abd' two."""
    bpe = train_tokenizer("bpe", "abcabc\nab", vocab_size=262)
    pieces = bpe.token_bytes()
    assert pieces[260:] == [b"ab", b"abc"]
    assert [pieces[i] for i in bpe.encode("abcabd")] == [b"abc", b"ab", b"d"]


def test_bpe_reports_its_real_size() -> None:
    assert train_tokenizer("bpe", "abab", vocab_size=5000).vocab_size == 262


def test_char_and_word_sizes_on_shakespeare(shakespeare: str) -> None:
    train = shakespeare[:1_003_854]
    assert train_tokenizer("char", train).vocab_size == 69
    assert train_tokenizer("word", train).vocab_size == 6116
    assert train_tokenizer("word", shakespeare).vocab_size == 6552
    assert train_tokenizer("word", shakespeare, vocab_size=6551).vocab_size == 6551


def test_char_keeps_the_commonest() -> None:
    char = train_tokenizer("char", "aaabbc", vocab_size=6)
    assert char.decode(char.encode("abc")) == "ab\ufffd"


def test_word_keeps_what_the_seed_kept() -> None:
    word = train_tokenizer("word", "The cat saw the Cat.\n\nthe dog")
    assert word.decode(word.encode("THE cat,\nthe dog.")) == "the cat <unk>\nthe <unk> <unk>"
    assert [word.token_bytes()[i] for i in word.encode("Cat  the")] == [b"cat", b"the"]


def test_folding_keeps_the_number_of_characters() -> None:
    assert all(len(fold(s)) == len(s) for s in NASTY.values())
    assert fold("KING") == "king"
    assert TOKEN.findall("a-b\n c") == ["a", "-", "b", "\n", "c"]
