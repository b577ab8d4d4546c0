"""Encoding a part: streamed into files piece by piece, alone or by several, it is what it is in memory, at once."""

from __future__ import annotations

import errno
import json
import random
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import settings_of
from corpora import corpus_of, documents_of
from nasty import NASTY

from tokexp.config import InputError
from tokexp.data.part import Part
from tokexp.encoding import encode as module
from tokexp.encoding import prepare as preparing
from tokexp.encoding import workers
from tokexp.encoding.encode import encode_part, encode_stream, pieces, write_stream
from tokexp.encoding.prepare import prepare
from tokexp.encoding.stream import TokenStream, read_stream
from tokexp.scoring.restoration import ASPECTS, restoration_cost
from tokexp.system import files, places
from tokexp.system.meter import Meter
from tokexp.tokenizer import KINDS, Tokenizer, train_tokenizer

OURS = sorted({*KINDS} - {"gpt2"})


@pytest.fixture(scope="module")
def trained(text: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tokenizer]:
    folder = tmp_path_factory.mktemp("tokenizers")
    return {kind: train_tokenizer(kind, text, **settings_of(kind, folder, text)) for kind in OURS}


@pytest.fixture(scope="module")
def documents(text: str) -> list[str]:
    """Short and long ones, with ends of all sorts; texts that break tokenizers written in haste among them."""
    rng, each = random.Random(0), []
    for i in range(60):
        begin = rng.randrange(len(text) - 900)
        ends = ("", "\n", " \n\n", "  ", "\t", "\u3000", "\r\n", "!\n ")[i % 8]
        each.append(text[begin : begin + rng.choice([1, 9, 80, 900])] + ends)
    return [*each, *(value for value in NASTY.values() if value), "\n \n", *each[:2]]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 300)
    monkeypatch.setattr(module, "BESIDES", 20)
    monkeypatch.setattr(module, "SAVED", 4)


def long_text(text: str) -> str:
    """With white space of all sorts where a piece may be cut."""
    speech = text[:5000].replace(" king", "  king").replace("the ", "the\u00a0 ").replace("my ", "my\u3000  ")
    return (
        "   "
        + speech.replace("good ", "good\n ")
        + " né 日本\u3000\u2003 a\u00a0 b  "
        + text[:2000]
        + "".join(NASTY.values())
        + " \n\t "
    )


def same(one: TokenStream, other: TokenStream) -> bool:
    arrays = np.array_equal(one.ids, other.ids) and np.array_equal(one.lengths, other.lengths)
    return arrays and one.ids.dtype == other.ids.dtype and one.separator == other.separator


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_ids_are_in_the_smallest_type_that_holds_them(text: str) -> None:
    assert encode_stream(train_tokenizer("char", text), text).ids.dtype == np.uint8
    assert encode_stream(train_tokenizer("bpe", text, vocab_size=400), text).ids.dtype == np.uint16


@pytest.mark.parametrize("kind", OURS)
def test_a_single_text_in_pieces_is_encoded_as_it_is_whole(
    kind: str, text: str, trained: dict[str, Tokenizer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no separator, whatever it ends with; a kind that says that it joins over spaces is given it whole."""
    tokenizer, part = trained[kind], Part.of_text(long_text(text))
    whole = encode_part(tokenizer, part)
    if tokenizer.cuts_at_spaces:
        ids, spans = tokenizer.encode_with_spans(part.text)
        assert whole.ids.tolist() == ids
        assert whole.starts.tolist() == [0, *(end for _, end in spans)]
    monkeypatch.setattr(module, "PIECE", 300)
    assert len(list(pieces(part, tokenizer.cuts_at_spaces))) > 20 or not tokenizer.cuts_at_spaces
    write_stream(tokenizer, part, tmp_path, "long")
    mapped = read_stream(tmp_path, "long")
    assert isinstance(mapped.ids, np.memmap)
    assert same(mapped, whole)
    assert same(encode_part(tokenizer, part), whole)
    assert mapped.n_bytes == part.n_bytes == whole.n_bytes
    assert mapped.separator is None
    assert tokenizer.eos_id not in mapped.ids
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long.ids", "long.json", "long.lengths"]


@pytest.mark.parametrize("kind", OURS)
def test_documents_are_encoded_each_for_itself_and_end_with_one_separator(
    kind: str, documents: list[str], trained: dict[str, Tokenizer], tmp_path: Path, small_pieces: None
) -> None:
    tokenizer, part = trained[kind], Part.of_texts(documents)
    if tokenizer.eos_id is None:
        with pytest.raises(InputError, match="its vocabulary has no special token"):
            write_stream(tokenizer, part, tmp_path, "x")
        return
    write_stream(tokenizer, part, tmp_path, "x")
    stream = read_stream(tmp_path, "x")
    assert same(stream, encode_part(tokenizer, part))
    assert stream.separator == tokenizer.eos_id
    ends = np.flatnonzero(stream.ids == tokenizer.eos_id)
    assert len(ends) == len(documents)
    begin = 0
    for text, end in zip(documents, ends.tolist(), strict=True):
        assert stream.ids[begin:end].tolist() == tokenizer.encode(text)
        assert stream.lengths[begin : end + 1].sum() == len(text.encode()), text
        begin = end + 1
    assert begin == len(stream)
    assert stream.n_bytes == part.n_bytes == stream.lengths.sum()
    assert np.array_equal(np.bincount(stream.document_of, weights=stream.lengths), part.lengths)
    if tokenizer.lossless:
        assert stream.lengths[ends].sum() == 0, "a separator stands for no byte"


def test_the_white_space_that_a_word_kind_drops_at_an_end_is_the_separators(trained: dict[str, Tokenizer]) -> None:
    texts = ["the king", "the king  ", "the king\n", "the king\n \t", "  the", "\n", " \u3000", "king \n the\u2003 "]
    stream = encode_part(trained["word"], Part.of_texts(texts))
    ends = np.flatnonzero(stream.ids == stream.separator)
    assert stream.lengths[ends].tolist() == [0, 2, 0, 2, 0, 0, 4, 4], "a line end is a word of its own"
    assert stream.lengths[:2].tolist() == [3, 5]
    of_blank = encode_part(trained["word"], Part.of_texts([" \t ", "the", "  "]))
    assert (of_blank.lengths.tolist(), of_blank.ids.tolist().count(stream.separator)) == ([3, 3, 0, 2], 3)


@pytest.mark.parametrize("kind", OURS)
def test_restoration_of_documents_has_a_row_for_each_token(
    kind: str, text: str, documents: list[str], trained: dict[str, Tokenizer]
) -> None:
    tokenizer, part = trained[kind], Part.of_texts([*documents[:40], "  \n ", *documents[40:60]])
    if tokenizer.eos_id is None:
        return
    stream = encode_part(tokenizer, part)
    train = Part.of_texts([text[i : i + 300].strip() for i in range(0, 6000, 300)])
    bits = restoration_cost(tokenizer, train, part).bits
    assert bits.shape == (len(stream), len(ASPECTS))
    assert np.isfinite(bits).all()
    assert bits.min() >= -1e-9
    ends = np.flatnonzero(stream.ids == stream.separator)
    if tokenizer.lossless:
        assert bits.sum() == 0
    elif kind == "word":
        white = stream.lengths[ends] > 0
        assert white.sum() > 10
        assert bits[ends][:, 1:].sum() == 0, "of an end there is white space to restore, and nothing else"
        assert np.median(bits[ends][white, 0]) > 10 > 1.5 > bits[ends][~white, 0].max(), "none is the usual"


@pytest.mark.parametrize(("kind", "separated"), [("word", True), ("bpe", False)])
def test_several_processes_write_what_one_does(
    kind: str, separated: bool, text: str, documents: list[str], trained: dict[str, Tokenizer], tmp_path: Path,
    small_pieces: None, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    part = Part.of_texts(documents) if separated else Part.of_text(long_text(text))
    (tmp_path / "alone").mkdir()
    (tmp_path / "together").mkdir()
    write_stream(trained[kind], part, tmp_path / "alone", "x")
    used: list[int] = []
    executor = workers.loky.ProcessPoolExecutor
    monkeypatch.setattr(workers.loky, "ProcessPoolExecutor", lambda n, **more: used.append(n) or executor(n, **more))
    monkeypatch.setattr(workers, "ALONE", 100)
    monkeypatch.setattr(workers, "AHEAD", 2)
    monkeypatch.setattr(workers, "cores", lambda: 2)
    monkeypatch.setattr(workers, "workers", lambda: 1)
    write_stream(trained[kind], part, tmp_path / "together", "x")
    assert used == [2]
    assert written(tmp_path / "together") == written(tmp_path / "alone")


@pytest.mark.parametrize("kind", ["word", "bpe"])
@pytest.mark.parametrize("separated", [False, True])
@pytest.mark.parametrize("after", [1, 4, 5, 7, 13])
def test_what_is_interrupted_goes_on_from_what_was_saved(
    kind: str, separated: bool, after: int, text: str, documents: list[str], trained: dict[str, Tokenizer],
    tmp_path: Path, small_pieces: None, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    part = Part.of_texts(documents) if separated else Part.of_text(" \n" * 700 + long_text(text))
    for name in ("whole", "interrupted"):
        (tmp_path / name).mkdir()
    write_stream(trained[kind], part, tmp_path / "whole", "x")
    calls, encoded = 0, 0

    def advance(self: Meter, amount: float = 1, real: Any = Meter.advance) -> None:
        nonlocal calls
        calls += 1
        if calls == after:
            raise KeyboardInterrupt
        real(self, amount)

    def counting(*given: Any, real: Any = workers.encode_piece) -> Any:
        nonlocal encoded
        encoded += 1
        return real(*given)

    monkeypatch.setattr(workers, "encode_piece", counting)
    monkeypatch.setattr(Meter, "advance", advance)
    with pytest.raises(KeyboardInterrupt):
        write_stream(trained[kind], part, tmp_path / "interrupted", "x")
    assert not (tmp_path / "interrupted/x.json").exists()
    first, encoded = encoded, 0
    write_stream(trained[kind], part, tmp_path / "interrupted", "x")
    total = len(list(pieces(part, trained[kind].cuts_at_spaces)))
    saved = (after - 1) // 4 * 4 + 1
    assert (first, encoded) == (after, total - saved), "nothing that was saved is encoded again"
    assert written(tmp_path / "interrupted") == written(tmp_path / "whole")
    write_stream(trained[kind], part, tmp_path / "interrupted", "x")
    assert encoded == total - saved, "nor what is done"


def test_a_process_that_was_killed_while_it_wrote_leaves_nothing_that_counts(
    text: str, trained: dict[str, Tokenizer], tmp_path: Path, small_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came after the last save is cut off, however much of it had reached the disk."""
    part = Part.of_text(long_text(text))
    (tmp_path / "whole").mkdir()
    write_stream(trained["bpe"], part, tmp_path / "whole", "x")
    monkeypatch.setattr(Meter, "advance", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    (tmp_path / "killed").mkdir()
    with pytest.raises(KeyboardInterrupt):
        write_stream(trained["bpe"], part, tmp_path / "killed", "x")
    monkeypatch.undo()
    monkeypatch.setattr(module, "PIECE", 300)
    monkeypatch.setattr(module, "BESIDES", 20)
    (come, *_) = json.loads((tmp_path / "killed/x.progress").read_text())
    assert come == 1
    with (tmp_path / "killed/x.ids").open("ab") as ids, (tmp_path / "killed/x.lengths").open("ab") as lengths:
        ids.write(b"half of what was")
        lengths.write(b"to come")
    write_stream(trained["bpe"], part, tmp_path / "killed", "x")
    assert written(tmp_path / "killed") == written(tmp_path / "whole")


def test_only_a_kind_that_never_joins_over_spaces_is_given_pieces(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 1000)
    part = Part.of_text("the king of " * 1000)
    for pattern, cut in (("gpt2", True), ("none", False)):
        tokenizer = train_tokenizer("bpe", text[:500], vocab_size=262, pattern=pattern)
        assert (len(list(pieces(part, tokenizer.cuts_at_spaces))) > 1) == cut


def test_pieces_are_the_part_cut_before_spaces_after_what_is_visible(
    text: str, documents: list[str], small_pieces: None
) -> None:
    part = Part.of_text(long_text(text))
    cut = [text.decode() for piece in pieces(part, True) for text, _ in piece]
    assert "".join(cut) == part.text
    assert len(cut) > 20
    assert all(after.startswith(" ") and not before[-1].isspace() for before, after in pairwise(cut))
    assert not any(ends for piece in pieces(part, True) for _, ends in piece)
    whole = list(pieces(Part.of_texts(documents), False))
    assert [text.decode() for piece in whole for text, _ in piece] == documents
    assert all(ends for piece in whole for _, ends in piece)
    assert 5 < len(whole) < len(documents), "short ones go together"
    last = [ends for piece in pieces(Part.of_texts(documents), True) for _, ends in piece]
    assert sum(last) == len(documents) < len(last)


def test_white_space_without_a_token_is_the_next_ones_and_at_the_end_the_last_ones(
    trained: dict[str, Tokenizer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE", 1)
    part = Part.of_texts(["  ", "the king", " \t ", " ", "of", " ", " "], separated=False)
    assert encode_part(trained["word"], part).lengths.tolist() == [5, 5, 8]
    write_stream(trained["word"], part, tmp_path, "x")
    assert read_stream(tmp_path, "x").lengths.tolist() == [5, 5, 8]


def test_a_part_without_tokens_is_refused(tmp_path: Path, trained: dict[str, Tokenizer]) -> None:
    with pytest.raises(InputError, match="has no tokens"):
        encode_stream(trained["word"], "   ")
    with pytest.raises(InputError, match="x: a text of 3 bytes has no tokens of kind 'word'"):
        write_stream(trained["word"], Part.of_text("   "), tmp_path, "x")


def test_a_disk_without_room_is_said_before_it_is_filled(
    text: str,
    trained: dict[str, Tokenizer],
    tmp_path: Path,
    small_pieces: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: SimpleNamespace(free=9))
    with pytest.raises(InputError, match=r"the disk has 0\.0 GB left, expected .* for the ids of the x part") as caught:
        write_stream(trained["bpe"], Part.of_text(long_text(text)), tmp_path, "x")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "x.ids").stat().st_size < 1000, "after one piece"


@pytest.mark.parametrize("how", ["no room", "disk full"])
def test_a_full_disk_leaves_nothing_behind(
    how: str, text: str, tmp_path: Path, small_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "CACHE", tmp_path / "data")
    with monkeypatch.context() as full:
        if how == "no room":
            full.setattr(files.shutil, "disk_usage", lambda _: SimpleNamespace(free=9))
        else:

            def refuse(*_: object) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

            full.setattr(module.Progress, "save", refuse)
        with pytest.raises(InputError, match=r"make room, or let data/ be a link") as caught:
            prepare("bpe", {"vocab_size": 300}, corpus_of(text[:-500], text[-500:]))
        assert "\n" not in str(caught.value)
    assert not [path for path in (tmp_path / "data/cache").iterdir() if path.suffix != ".lock"]
    assert len(prepare("bpe", {"vocab_size": 300}, corpus_of(text[:-500], text[-500:])).data.train) > 0


@pytest.mark.parametrize("name", ["train", "val"])
def test_preparing_goes_on_where_it_was_stopped(
    name: str, text: str, tmp_path: Path, small_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tokenizer that was learned and the parts that were encoded are not made again."""
    monkeypatch.setattr(places, "CACHE", tmp_path / "data")
    each = [text[i : i + 300] for i in range(0, 9000, 300)]
    corpus = documents_of(each[:20], each[20:25], each[25:])

    def stopping(tokenizer: Tokenizer, part: Part, folder: Path, of: str) -> None:
        if of == name:
            raise KeyboardInterrupt
        write_stream(tokenizer, part, folder, of)

    with monkeypatch.context() as stopped:
        stopped.setattr(preparing, "write_stream", stopping)
        with pytest.raises(KeyboardInterrupt):
            preparing.prepare("bpe", {"vocab_size": 300}, corpus)
    monkeypatch.setattr(preparing, "train_tokenizer", lambda *_, **__: pytest.fail("trained again"))
    got = preparing.prepare("bpe", {"vocab_size": 300}, corpus)
    for part, stream in ((corpus.train, got.data.train), (corpus.val, got.data.val), (corpus.scored, got.data.scored)):
        assert same(TokenStream(stream.ids, stream.lengths, stream.separator), encode_part(got.tokenizer, part))
    assert got.data.context_id == got.tokenizer.eos_id, "what stands before the first document"
    assert got.tokenizer_train_seconds > 0
    assert [path.suffix for path in (tmp_path / "data/cache").iterdir() if path.is_dir()] == [""]
