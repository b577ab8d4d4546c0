"""Preparing a corpus once for all runs that need the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from corpora import corpus_of

from tokexp.config import InputError
from tokexp.data.corpus import Corpus
from tokexp.encoding import prepare as prepare_module
from tokexp.encoding.prepare import prepare, require_length
from tokexp.system import places


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "CACHE", tmp_path / "data")
    return tmp_path / "data/cache"


@pytest.fixture
def small(text: str) -> Corpus:
    return corpus_of(text[:-500], text[-500:])


def test_prepared_once_for_all_runs(empty_cache: Path, small: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare("bpe", {"vocab_size": 300}, small)
    monkeypatch.setattr(prepare_module, "train_tokenizer", lambda *_, **__: pytest.fail("trained again"))
    again = prepare("bpe", {"vocab_size": 300}, small)
    assert np.array_equal(first.data.train.ids, again.data.train.ids)
    assert first.tokenizer.to_json() == again.tokenizer.to_json()
    assert again.tokenizer_train_seconds == first.tokenizer_train_seconds
    with pytest.raises(pytest.fail.Exception):
        prepare("bpe", {"vocab_size": 301}, small)


def test_what_is_damaged_is_built_again(empty_cache: Path, small: Corpus, caplog: pytest.LogCaptureFixture) -> None:
    first = prepare("char", {}, small)
    expected = np.array(first.data.train.ids)
    (folder,) = [path for path in empty_cache.iterdir() if path.is_dir()]
    (folder / "train.ids").write_bytes(b"\0" * 10)
    assert np.array_equal(prepare("char", {}, small).data.train.ids, expected)
    assert "is damaged: building it again" in caplog.text
    (folder / "checksums.json").unlink()
    assert np.array_equal(prepare("char", {}, small).data.train.ids, expected)


def test_without_a_writable_cache_it_works_all_the_same(
    tmp_path: Path, small: Corpus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    monkeypatch.setattr(places, "CACHE", tmp_path / "data")
    assert len(prepare("char", {}, small).data.val) == 500
    assert "nothing is kept" in caplog.text


def test_text_too_short_says_how_much_is_needed() -> None:
    short = corpus_of("abcdefghij", "abc")
    with pytest.raises(InputError, match=r"training part is 10 tokens, expected at least 65 for block_size=64"):
        require_length(short, prepare("char", {}, short).data, 64)


def test_held_out_text_follows_the_last_training_id(text: str) -> None:
    prepared = prepare("char", {}, corpus_of(text[:-100], text[-100:]))
    data = prepared.data
    assert prepared.tokenizer.decode([data.context_id]) == text[-101]
    assert (len(data.val), len(data.train_slice)) == (100, 100)
    assert data.train.ids.dtype == np.uint8
