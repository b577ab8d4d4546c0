"""The contract of every kind, on texts that break tokenizers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import settings_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nasty import NASTY

from tokexp.config import InputError
from tokexp.tokenizer import KINDS, Tokenizer, load_tokenizer, train_tokenizer
from tokexp.tokenizer.base import UNK, StreamingDecoder
from tokexp.tokenizer.split import chunks


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
    assert ids == tokenizer.encode(NASTY[name]) == tokenizer.encode_arrays([NASTY[name]])[0].tolist()
    assert len(spans) == len(ids)
    edges = [0, *(end for _, end in spans)]
    assert [start for start, _ in spans] == edges[:-1]
    assert not ids or edges[-1] == len(NASTY[name].encode())


@pytest.mark.parametrize("name", NASTY)
def test_token_bytes_are_what_is_written(tokenizer: Tokenizer, name: str) -> None:
    ids, spans = tokenizer.encode_with_spans(NASTY[name])
    raw, written = NASTY[name].encode(), tokenizer.token_bytes()
    if tokenizer.lossless:
        assert [written[i] for i in ids] == [raw[start:end] for start, end in spans]
    assert all(0 <= i < tokenizer.vocab_size for i in ids)


def test_specials_write_nothing_and_come_first_in_kinds_trained_here(tokenizer: Tokenizer) -> None:
    written = tokenizer.token_bytes()
    assert len(written) == tokenizer.vocab_size
    unwritten = [i for i, token in enumerate(written) if not token]
    if tokenizer.trained_on == "train":
        assert unwritten == [0, 1, 2, 3]
    assert set(tokenizer.never_drawn()) | {tokenizer.unk_id} >= set(unwritten)


def test_what_is_never_drawn_is_never_emitted(tokenizer: Tokenizer, text: str) -> None:
    never = set(tokenizer.never_drawn())
    for sample in (text, *NASTY.values()):
        ids = set(tokenizer.encode(sample))
        assert not ids & never - ({UNK} if tokenizer.kind == "char" else set())
        assert not tokenizer.lossless or not ids & {i for i, p in enumerate(tokenizer.token_bytes()) if not p}


def test_encoding_in_chunks_is_encoding(tokenizer: Tokenizer, text: str) -> None:
    if tokenizer.cuts_at_spaces:
        sample = text[:3000] + "".join(NASTY.values())
        parts = list(chunks(sample, length=50))
        assert len(parts) > 20
        assert "".join(parts) == sample
        assert [i for part in parts for i in tokenizer.encode(part)] == tokenizer.encode(sample)


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


def test_streaming_holds_back_what_is_incomplete(tokenizer: Tokenizer, text: str) -> None:
    for sample in ("the king 👩‍👩‍👧‍👦 né\nof", text[:200]):
        ids = tokenizer.encode(sample)
        decoder = StreamingDecoder(tokenizer)
        parts = [decoder.feed(i) for i in ids] + [decoder.finish()]
        assert "".join(parts) == tokenizer.decode(ids)
        assert not tokenizer.lossless or "\ufffd" not in "".join(parts)


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
    ("kind", "given_settings", "message"),
    [
        ("smoke", {}, "got 'smoke', expected one of"),
        ("bpe", {"vocab_size": 100}, "got 100, expected at least 260"),
        ("bpe", {"vocab_size": "many"}, "got 'many', expected int for kind 'bpe'"),
        ("bpe", {"min_frequency": 2}, "kind 'bpe' has no such setting; expected vocab_size, pattern"),
        ("word", {"vocab_size": 4}, "expected at least 5"),
        ("char", {"vocab_size": 4}, "expected at least 5"),
    ],
)
def test_bad_settings_are_one_line(kind: str, given_settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train_tokenizer(kind, "some text", **given_settings)


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


@pytest.fixture(scope="module")
def lossless_kinds(text: str, tmp_path_factory: pytest.TempPathFactory) -> list[Tokenizer]:
    folder = tmp_path_factory.mktemp("lossless")
    trained = [train_tokenizer(kind, text, **settings_of(kind, folder, text)) for kind in KINDS]
    trained += [train_tokenizer("bpe", text, vocab_size=300, pattern=pattern) for pattern in ("gpt4", "none")]
    trained.append(train_tokenizer("char", text, byte_fallback=True))
    return [tokenizer for tokenizer in trained if tokenizer.lossless]


AWKWARD = ["<0x41>", "▁", "Ġ", "</w>", "<unk>", "<|endoftext|>", "\r\n", "\0", "\u200d", "  ", "e\u0301", "the ", "'s"]


TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(AWKWARD)).map("".join)


def check_lossless(kinds: list[Tokenizer], sample: str) -> None:
    raw = sample.encode()
    for tokenizer in kinds:
        ids = tokenizer.encode(sample)
        written = tokenizer.token_bytes()
        assert tokenizer.decode(ids) == sample, tokenizer.kind
        assert b"".join(written[i] for i in ids) == raw, tokenizer.kind


@settings(max_examples=2_000, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(sample=TEXTS)
def test_any_text_survives_every_lossless_kind(lossless_kinds: list[Tokenizer], sample: str) -> None:
    check_lossless(lossless_kinds, sample)


@pytest.mark.slow
@settings(max_examples=100_000, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(sample=TEXTS)
def test_any_text_survives_every_lossless_kind_at_length(lossless_kinds: list[Tokenizer], sample: str) -> None:
    check_lossless(lossless_kinds, sample)


ODD = {
    "empty": "", "one character": "a", "one NUL": "\0", "NULs": "\0" * 5000, "white space": " \n\t" * 300,
    "combining marks": "".join(chr(0x300 + i % 90) for i in range(900)), "lone CR": "a\rb\r" * 300, "BOM": "\ufeff",
    "BOM and text": "\ufeffthe king " * 100, "one character, often": "a" * 5000, "SentencePiece's space": "▁" * 999,
    "the library's unknown": "a \0unk b\0unk" * 99, "NULs in a text": "a\0b \0c\0\0 d" * 99,
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"file", "gpt2"}))
@pytest.mark.parametrize("odd", ODD)
def test_odd_text_is_learned_from_or_refused_in_one_line(kind: str, odd: str) -> None:
    text = ODD[odd]
    vocabulary = {} if kind in ("char", "byte") else {"vocab_size": 400}
    try:
        tokenizer = train_tokenizer(kind, text, **vocabulary)
    except InputError as error:
        refused = str(error)
    else:
        refused = ""
    assert "\n" not in refused
    if refused:
        return
    ids, spans = tokenizer.encode_with_spans(text)
    assert ids == tokenizer.encode(text)
    assert not ids or (spans[0][0], spans[-1][1]) == (0, len(text.encode()))
    assert not tokenizer.lossless or tokenizer.decode(ids) == text
