"""The same documents from any format, and what of a folder is read."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tokexp.config import InputError
from tokexp.data.sources import Document, Fields, Skipped, files, fingerprint, read_documents, source_files

TEXTS = {
    "a.txt": "one\r\ntwo\rthree\n\n",
    "b/c.md": "\ufeffé \U0001f600 \u2028 \x00 \x85",
    "b/d.py": "   \n",
    "e": "x" * 3_000_000,
}


def read(path: object, fields: Fields | None = None, skipped: Skipped | None = None) -> list[Document]:
    """The documents of `path`, whose bytes are told in full."""
    told: list[int] = []
    documents = list(read_documents(path, fields or Fields(), skipped, told.append))
    assert sum(told) == sum(file.stat().st_size for file in source_files(path))
    assert min(told, default=0) >= 0
    return documents


def json_lines() -> bytes:
    return "".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in TEXTS.items()).encode()


def folder(at: Path) -> None:
    for name, text in TEXTS.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_bytes(text.encode())


def packed_folder(at: Path) -> None:
    folder(at)
    for file in source_files(at):
        file.write_bytes(gzip.compress(file.read_bytes()))
        file.rename(at / f"{file.relative_to(at)}.gz")


def lines(at: Path) -> None:
    at.with_suffix(".jsonl").write_bytes(json_lines())


def lines_gz(at: Path) -> None:
    at.with_suffix(".jsonl.gz").write_bytes(gzip.compress(json_lines()))


def lines_zst(at: Path) -> None:
    at.with_suffix(".ndjson.zst").write_bytes(zstandard.compress(json_lines()))


def parquet(at: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"n": range(len(TEXTS)), "text": list(TEXTS.values()), "id": list(TEXTS)})
    pytest.importorskip("pyarrow.parquet").write_table(table, at.with_suffix(".parquet"), row_group_size=3)


@pytest.mark.parametrize("write", [folder, packed_folder, lines, lines_gz, lines_zst, parquet])
def test_the_same_documents_from_any_format(write: Callable[[Path], None], tmp_path: Path) -> None:
    at = tmp_path / "source"
    at.mkdir()
    write(at)
    path = next((item for item in tmp_path.iterdir() if item.is_file()), at)
    got = read(str(path))
    assert {(document.id or "").removesuffix(".gz"): document.text for document in got} == TEXTS
    assert len(got) == len(TEXTS)
    assert all(document.where.startswith(str(path)) and document.part is None for document in got)


def test_places_are_those_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('\n{"text": "x", "id": 5}\r\n\n{"text": "y"}')
    (tmp_path / "b.txt").write_text("z")
    line, last, whole = read([tmp_path])
    assert line == Document("x", "5", None, f"{tmp_path}/a.jsonl, line 2")
    assert last == Document("y", None, None, f"{tmp_path}/a.jsonl, line 4")
    assert whole == Document("z", "b.txt", None, f"{tmp_path}/b.txt")


def test_a_list_of_files_and_folders(tmp_path: Path) -> None:
    for name in ("one/b.txt", "one/.hidden/x.txt", "one/.y.txt", "two/c/d.txt", "three.TXT"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "one/link.txt").symlink_to(tmp_path / "one/b.txt")
    got = read([str(tmp_path / "two"), str(tmp_path / "three.TXT"), str(tmp_path / "one")])
    assert [(document.id, document.text) for document in got] == [
        ("b.txt", "one/b.txt"),
        ("three.TXT", "three.TXT"),
        ("c/d.txt", "two/c/d.txt"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "a.txt: an empty document; expected a text in UTF-8"),
        ("a.txt", b"good \xff", "a.txt: got byte 0xff at position 5, which is not UTF-8; .*data.skip_bad=true"),
        ("a.txt", b"\xed\xa0\x80", "not UTF-8"),
        ("a.txt", "é".encode("utf-16"), "not UTF-8"),
        ("a.txt.bz2", b"BZh91AY&SY\xff", "not UTF-8; expected .* in .gz or .zst"),
        ("a.txt.gz", gzip.compress(b"", mtime=0), "an empty document"),
    ],
)
def test_a_bad_file_is_refused_or_left_out(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "z.txt").write_text("good")
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)
    skipped = Skipped()
    assert [document.text for document in read(tmp_path, None, skipped)] == ["good"]
    assert skipped.count == 1
    assert skipped.first[0].startswith(f"{tmp_path / name}: ")


def test_a_plain_text_has_no_split(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("good")
    with pytest.raises(InputError, match=r"a\.txt: got a plain text, which has no field 'part'"):
        read(tmp_path, Fields(split="part"))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.jsonl")
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(b"x"))
    for path, message in [
        (tmp_path / "fifo.jsonl", "got a FIFO, expected a regular file"),
        ("/dev/zero", "got a device"),
        (tmp_path / "nothing", "nothing: cannot be read .No such file"),
        ("a\0b", r"a\?b: cannot be read"),
        (tmp_path / "empty", "a folder without files"),
        (tmp_path / "x.tar.gz", "got an archive, .* unpack it"),
        ([], "names nothing"),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            list(read_documents(path, Fields(), Skipped(), lambda _: None))
        assert "\n" not in str(caught.value)


def test_a_file_that_is_read_whole_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "TEXT_BYTES", 9)
    (tmp_path / "a.txt").write_text("x" * 9)
    assert len(read(tmp_path)) == 1
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"x" * 10))
    with pytest.raises(InputError, match="more than 9 bytes in one document"):
        read(tmp_path)


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.txt"))).write_text("x")
    with pytest.raises(InputError, match=r"\?\?\.txt: got half a character .*udcff"):
        read(tmp_path)


def test_fingerprints_tell_a_change(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.txt").write_text("y")
    before = fingerprint(tmp_path)
    assert before == fingerprint([str(tmp_path / "b.txt"), str(tmp_path / "a.txt")])
    assert [(name, size) for name, size, _ in before] == [(f"{tmp_path}/a.txt", 1), (f"{tmp_path}/b.txt", 1)]
    os.utime(tmp_path / "b.txt", ns=(0, 5))
    assert fingerprint(tmp_path) == (before[0], (*before[1][:2], 5))
    with pytest.raises(InputError, match="cannot be read"):
        fingerprint(tmp_path / "c.txt")
