"""A single text: cut by characters as a string would be, and the same whether it is held in memory or mapped."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tokexp.config import DataConfig, InputError
from tokexp.data import single as module
from tokexp.data.corpus import Corpus, load_corpus
from tokexp.data.part import Part
from tokexp.data.single import cut_by_characters, read_single
from tokexp.encoding.prepare import prepare
from tokexp.system import files, places

MIXED = "".join(random.Random(0).choices("abc \n\né日😀", k=5000))


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of some bytes, which cut characters; what is read is kept for the test alone."""
    monkeypatch.setattr(module, "BLOCK", 37)
    monkeypatch.setattr(places, "CACHE", tmp_path / "data")


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD", 10)


@pytest.mark.parametrize("shares", [[0.9], [0.5], [0.01, 0.999], [1 / 3, 2 / 3], [1 - 0.1 - 0.05, 1 - 0.05]])
@pytest.mark.parametrize("text", [MIXED, "abc" * 40, "日" * 100, "é", "", "aé"])
def test_it_is_cut_as_a_string_would_be(text: str, shares: list[float]) -> None:
    edges = [0, *(int(len(text) * share) for share in shares), len(text)]
    want = [text[a:b] for a, b in itertools.pairwise(edges)]
    assert [part.text for part in cut_by_characters(Part.of_text(text), shares)] == want


def test_only_a_long_text_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text(MIXED)
    for held, kind in ((20_000, np.ndarray), (100, np.memmap)):
        monkeypatch.setattr(module, "HELD", held)
        assert type(read_single([tmp_path / "a.txt"]).raw) is kind


def loaded(tmp_path: Path, **settings: Any) -> Corpus:
    return load_corpus(DataConfig(name="text", path=[str(tmp_path / "a.txt"), str(tmp_path / "b.txt")], **settings))


@pytest.mark.parametrize("settings", [{}, {"val_fraction": 0.2, "test_fraction": 0.1, "val_bytes": 777}])
def test_a_mapped_text_is_the_same_in_parts_hashes_and_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    (tmp_path / "a.txt").write_text(MIXED, newline="")
    (tmp_path / "b.txt").write_text("\r\n" + MIXED[::-1], newline="")
    (tmp_path / "further.txt").write_text("another text, né")
    settings |= {"held_out": str(tmp_path / "further.txt")}
    held = loaded(tmp_path, **settings)
    monkeypatch.setattr(module, "HELD", 10)
    os.utime(tmp_path / "a.txt", ns=(1, 1))  # so that it is read again
    mapped = loaded(tmp_path, **settings)
    assert isinstance(mapped.train.raw, np.memmap)
    assert not isinstance(held.train.raw, np.memmap)
    assert (mapped.sha256, mapped.hashes, mapped.name) == (held.sha256, held.hashes, held.name)
    whole = MIXED + "\n\r\n" + MIXED[::-1]
    assert mapped.sha256 == hashlib.sha256(whole.encode()).hexdigest()
    for a, b in zip((mapped.train, mapped.val, mapped.test), (held.train, held.val, held.test), strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert a.text == b.text
            assert a.sha256 == b.sha256 == hashlib.sha256(a.text.encode()).hexdigest()
    first = prepare("char", {}, held).data
    monkeypatch.setattr(places, "CACHE", tmp_path / "elsewhere")
    second = prepare("char", {}, mapped).data
    assert np.array_equal(first.train.ids, second.train.ids)
    assert np.array_equal(first.scored.ids, second.scored.ids)


def test_the_sha256_of_a_long_part_is_worked_out_once(
    tmp_path: Path, mapped: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text(MIXED)
    want = [part.sha256 for part in cut_by_characters(Part.of_text(MIXED), [0.9])]
    first = [part.sha256 for part in cut_by_characters(read_single([tmp_path / "a.txt"]), [0.9])]
    with monkeypatch.context() as kept:
        kept.setattr(module, "write_json", lambda *_: pytest.fail("worked out again"))
        again = [part.sha256 for part in cut_by_characters(read_single([tmp_path / "a.txt"]), [0.9])]
    assert first == again == want
    for share in (0.5, 0.7):
        *_, last = cut_by_characters(read_single([tmp_path / "a.txt"]), [share])
        assert last.sha256 == hashlib.sha256(last.text.encode()).hexdigest(), "of another cut it is another"


@pytest.mark.parametrize("at", [0, 36, 37, 100, 148, 1000])
def test_what_is_not_utf8_is_named_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """In whichever block, also where a character goes over its edge."""
    good = ("aé" * 400).encode()
    raw = good[: at // 3 * 3] + b"\xff" + good
    (tmp_path / "bad.txt").write_bytes(raw)
    said = set()
    for held in (10, 20_000):
        monkeypatch.setattr(module, "HELD", held)
        with pytest.raises(InputError, match=f"bad.txt: got byte 0xff at position {at // 3 * 3}, ") as caught:
            read_single([tmp_path / "bad.txt"])
        said.add(str(caught.value))
    assert len(said) == 1, "in the same words"


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_character_cut_at_the_end_or_begun_in_another_block_is_named_where_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    for before in (20, 34, 35, 36, 37, 200):
        for after in (b"", b"x" * 60):
            (tmp_path / "bad.txt").write_bytes(b"a" * before + "😀".encode()[:cut] + after)
            monkeypatch.setattr(module, "HELD", 10)
            with pytest.raises(InputError, match=f"byte 0xf0 at position {before}, which is not UTF-8"):
                read_single([tmp_path / "bad.txt"])
    assert not [path for path in (tmp_path / "data/cache").iterdir() if path.is_dir()], "nothing is left of it"


def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, mapped: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.txt"
    file.write_text(MIXED)

    def blocks(path: Path, real: Any = module._checked_blocks) -> Any:
        yield from real(path)
        with file.open("a") as more:
            more.write("more")

    monkeypatch.setattr(module, "_checked_blocks", blocks)
    with pytest.raises(InputError, match=r"a\.txt: changed while it was read"):
        read_single([file])


def test_a_file_that_is_not_there_is_named(tmp_path: Path, mapped: None) -> None:
    (tmp_path / "a.txt").write_text(MIXED)
    with pytest.raises(InputError, match=r"nowhere\.txt: cannot be read"):
        read_single([tmp_path / "a.txt", tmp_path / "nowhere.txt"])


def test_a_full_disk_is_said_in_a_line(tmp_path: Path, mapped: None, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text(MIXED)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: SimpleNamespace(free=99))
    with pytest.raises(InputError, match=r"the disk has 0\.0 GB left, expected .* for a copy of the text") as caught:
        read_single([tmp_path / "a.txt"])
    assert "\n" not in str(caught.value)
