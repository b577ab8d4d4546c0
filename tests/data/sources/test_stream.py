"""Packed files, whole and not, and files that change under the reader."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tokexp.config import InputError
from tokexp.data.sources import Document, Fields, Skipped, read_documents

LINES = b"".join(b'{"text": "%d %s"}\n' % (i, os.urandom(99).hex().encode()) for i in range(200))
PACKERS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstandard.compress}
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"


def read(path: Path) -> list[Document]:
    """The documents, where bad ones would be left out."""
    return list(read_documents(path, Fields(), Skipped(), lambda _: None))


@pytest.mark.parametrize("suffix", PACKERS)
def test_files_of_several_parts(suffix: str, tmp_path: Path) -> None:
    pack, file = PACKERS[suffix], tmp_path / f"a.jsonl.{suffix}"
    for raw in (
        pack(LINES[:5000]) + pack(LINES[5000:]),
        pack(b"") + pack(LINES) + pack(b""),
        pack(LINES) + bytes(9999),
        *([SKIPPABLE + pack(LINES) + SKIPPABLE] if suffix == "zst" else []),
    ):
        file.write_bytes(raw)
        assert len(read(file)) == 200
    file.rename(tmp_path / f"a.txt.{suffix.upper()}")
    (whole,) = read(tmp_path)
    assert whole.text.encode() == LINES


def test_zstd_with_a_long_window_and_without_a_size(tmp_path: Path) -> None:
    settings = zstandard.ZstdCompressionParameters.from_level(1, window_log=28)
    packer = zstandard.ZstdCompressor(compression_params=settings).compressobj()
    (tmp_path / "a.jsonl.zst").write_bytes(packer.compress(LINES) + packer.flush())
    assert len(read(tmp_path)) == 200


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_cut_or_damaged_file_is_refused(suffix: str, tmp_path: Path) -> None:
    """Of gzip the sum at the end is compared, and of zstd where there is one."""
    pack, file = PACKERS[suffix], tmp_path / f"a.jsonl.{suffix}"
    whole = pack(LINES)
    damaged = [whole[:cut] for cut in (0, 1, 5, 20, len(whole) // 2, len(whole) - 1)]
    damaged += [pack(b"") + whole[:1], whole + b"more", LINES]
    if suffix == "gz":
        damaged += [whole[:-8] + b"\1" + whole[-7:], zstandard.compress(LINES)]
    for raw in damaged:
        file.write_bytes(raw)
        with pytest.raises(InputError, match=r"cannot be unpacked as \w+ \(.*expected a whole \.\w+ file") as caught:
            read(file)
        assert "\n" not in str(caught.value)


def change(file: Path) -> None:
    with file.open("ab") as appended:
        appended.write(b'{"text": "more"}\n')


def touch(file: Path) -> None:
    os.utime(file, ns=(0, 0))


def replace(file: Path) -> None:
    file.with_suffix(".new").write_bytes(b"other")
    file.with_suffix(".new").replace(file)


@pytest.mark.parametrize("happens", [change, touch, replace, Path.unlink])
@pytest.mark.parametrize("raw", [LINES, LINES + b"broken"])
def test_a_file_that_changes_is_refused(happens: Callable[[Path], None], raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(raw)
    documents = read_documents(tmp_path, Fields(), None, lambda _: None)
    next(documents)
    happens(tmp_path / "a.jsonl")
    with pytest.raises(InputError, match="changed while it was read"):
        list(documents)


def test_a_file_that_vanishes_before_its_turn(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("x")
    documents = read_documents(tmp_path, Fields(), Skipped(), lambda _: None)
    next(documents)
    (tmp_path / "b.txt").unlink()
    with pytest.raises(InputError, match=r"b\.txt: cannot be read \(No such file"):
        list(documents)


def test_who_stops_early_leaves_no_file_open(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    before = os.listdir("/proc/self/fd") if Path("/proc/self/fd").is_dir() else []
    documents = read_documents(tmp_path, Fields(), None, lambda _: None)
    next(documents)
    documents.close()  # type: ignore[attr-defined]  # it is a generator
    assert len(before) in (0, len(os.listdir("/proc/self/fd")))


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_file_is_not_held(suffix: str, tmp_path: Path) -> None:
    raw = b"".join(b'{"text": "%s"}\n' % os.urandom(20_000).hex().encode() for _ in range(400))
    (tmp_path / f"a.jsonl{suffix}").write_bytes(PACKERS.get(suffix[1:], bytes)(raw))
    size = len(raw)
    del raw
    tracemalloc.start()
    for _ in read_documents(tmp_path, Fields(), None, lambda _: None):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000 < size
