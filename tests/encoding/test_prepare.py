"""Preparing a corpus once: streams on disk, the cache that runs share, and figures of tokenizers alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tokexp.config import InputError
from tokexp.data.corpus import Corpus
from tokexp.encoding import prepare as prepare_module
from tokexp.encoding import stream
from tokexp.encoding.prepare import prepare, require_length
from tokexp.encoding.stream import TokenStream, encode_array, encode_file, encode_stream, file_stretches
from tokexp.scoring.intrinsic import intrinsic, renyi_entropy, tokens_per_word
from tokexp.system import cache, places
from tokexp.tokenizer import train_tokenizer


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "CACHE", tmp_path / "data")
    return tmp_path / "data/cache"


@pytest.fixture
def small(text: str) -> Corpus:
    return Corpus("small", text[:-500], text[-500:], "0" * 64)


def test_ids_are_in_the_smallest_type_that_holds_them(text: str) -> None:
    assert encode_array(train_tokenizer("char", text), text).dtype == np.uint8
    assert encode_array(train_tokenizer("bpe", text, vocab_size=400), text).dtype == np.uint16


@pytest.mark.parametrize("kind", ["char", "word", "bpe", "bpe_classic"])
def test_a_file_is_encoded_in_parts_as_a_text_is_whole(
    text: str, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.txt"
    path.write_bytes(("   " + text + " né 日本  ").encode())
    monkeypatch.setattr(stream, "file_stretches", lambda p: file_stretches(p, characters=300))
    assert len(list(stream.file_stretches(path))) > 20
    tokenizer = train_tokenizer(kind, text)
    whole, mapped = encode_stream(tokenizer, path.read_bytes().decode()), encode_file(tokenizer, path, tmp_path)
    assert isinstance(mapped.ids, np.memmap)
    assert np.array_equal(mapped.ids, whole.ids)
    assert np.array_equal(mapped.starts, whole.starts)
    assert mapped.ids.dtype == whole.ids.dtype


def test_a_text_without_tokens_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="has no tokens"):
        encode_stream(train_tokenizer("word", text), "   ")


def test_prepared_once_for_all_runs(own: Path, small: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare("bpe", {"vocab_size": 300}, small)
    monkeypatch.setattr(prepare_module, "train_tokenizer", lambda *_, **__: pytest.fail("trained again"))
    again = prepare("bpe", {"vocab_size": 300}, small)
    assert np.array_equal(first.data.train.ids, again.data.train.ids)
    assert first.tokenizer.to_json() == again.tokenizer.to_json()
    assert again.tokenizer_train_seconds == first.tokenizer_train_seconds
    with pytest.raises(pytest.fail.Exception):
        prepare("bpe", {"vocab_size": 301}, small)


def test_what_is_damaged_is_built_again(own: Path, small: Corpus, caplog: pytest.LogCaptureFixture) -> None:
    first = prepare("char", {}, small)
    expected = np.array(first.data.train.ids)
    (folder,) = [path for path in own.iterdir() if path.is_dir()]
    (folder / "train.ids").write_bytes(b"\0" * 10)
    assert np.array_equal(prepare("char", {}, small).data.train.ids, expected)
    assert "is damaged: building it again" in caplog.text
    (folder / "checksums.json").unlink()
    assert np.array_equal(prepare("char", {}, small).data.train.ids, expected)


def test_a_failed_build_leaves_nothing(own: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.cached({"x": 1}, build)
    assert [path.suffix for path in own.iterdir()] == [".lock"]


def test_two_processes_build_one_thing_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from tokexp.system import cache, places\n"
        "places.CACHE = Path(sys.argv[1])\n"
        "def build(folder):\n"
        "    print('built', flush=True); time.sleep(0.5); (folder / 'x').write_text('x' * 100000)\n"
        "assert (cache.cached({'y': 1}, build) / 'x').read_text() == 'x' * 100000\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert "".join(outputs).count("built") == 1


def test_without_a_writable_cache_it_works_all_the_same(
    tmp_path: Path, small: Corpus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    monkeypatch.setattr(places, "CACHE", tmp_path / "data")
    assert len(prepare("char", {}, small).data.val) == 500
    assert "nothing is kept" in caplog.text


def test_figures_by_hand() -> None:
    """Four tokens, "ab" "c " "d" "e", over "abc de": two words of 2 tokens each, of 3 and 2 letters."""
    text = "abc de"
    tokenizer = train_tokenizer("bpe", text, vocab_size=261)
    stream = TokenStream(ids=np.array([260, 5, 5, 6], dtype=np.uint16), starts=np.array([0, 2, 4, 5, 6]))
    assert tokens_per_word(text, stream).tolist() == [2, 2]
    got = intrinsic(tokenizer, text, stream)
    assert (got.vocab_used, got.bytes_per_token, got.chars_per_token) == (3, 1.5, 1.5)
    assert (got.fertility, got.words_split, got.unk_rate) == (2.0, 1.0, 0.0)
    assert (got.token_bytes_p50, got.token_bytes_max) == (1.5, 2)
    assert got.unigram_entropy == pytest.approx(1.5)
    expected = np.log2(2 * 0.25**2.5 + 0.5**2.5) / -1.5 / np.log2(261)
    assert got.renyi_efficiency == pytest.approx(expected)


def test_even_frequencies_are_fully_efficient() -> None:
    assert renyi_entropy(np.full(8, 1 / 8), 2.5) == pytest.approx(3)


def test_unknown_and_fallback_rates(text: str) -> None:
    char = train_tokenizer("char", "abc")
    assert intrinsic(char, "abzz", encode_stream(char, "abzz")).unk_rate == 0.5
    spelled = train_tokenizer("char", "abc", byte_fallback=True)
    assert intrinsic(spelled, "abé", encode_stream(spelled, "abé")).byte_fallback_rate == 0.5


def corpus(train: str, val: str) -> Corpus:
    return Corpus("test", train, val, "0" * 64)


def test_text_too_short_says_how_much_is_needed() -> None:
    short = corpus("abcdefghij", "abc")
    with pytest.raises(InputError, match=r"training part is 10 tokens, expected at least 65 for block_size=64"):
        require_length(short, prepare("char", {}, short).data, 64)


def test_held_out_text_follows_the_last_training_id(text: str) -> None:
    prepared = prepare("char", {}, corpus(text[:-100], text[-100:]))
    data = prepared.data
    assert prepared.tokenizer.decode([data.context_id]) == text[-101]
    assert (len(data.val), len(data.train_slice)) == (100, 100)
    assert data.train.ids.dtype == np.uint8
