"""Parquet: which columns and rows make documents, and what is said of damaged files."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import pytest

from tokexp.config import InputError
from tokexp.data.sources import Document, Fields, Skipped, parquet, read_documents

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def write(path: Path, columns: dict[str, Any], **settings: Any) -> Path:
    pq.write_table(pa.table(columns), path, **settings)
    return path


def read(path: Path, fields: Fields | None = None, skipped: Skipped | None = None) -> list[Document]:
    return list(read_documents(path, fields or Fields(), skipped, lambda _: None))


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "dictionary"])
def test_texts_of_any_kind(kind: str, tmp_path: Path) -> None:
    texts = pa.array(["a\r\n", "é\0", "a\r\n"])
    texts = texts.dictionary_encode() if kind == "dictionary" else texts.cast(getattr(pa, kind)())
    file = write(
        tmp_path / "a.PARQUET", {"text": texts, "id": [1, None, 3], "part": ["x", "y", "y"], "n": [[], [], []]}
    )
    assert [(one.text, one.id, one.part) for one in read(file, Fields(split="part"))] == [
        ("a\r\n", "1", "x"),
        ("é\0", None, "y"),
        ("a\r\n", "3", "y"),
    ]


def test_rows_are_counted_through_groups_and_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MOST_ROWS", 3)
    file = write(tmp_path / "a.parquet", {"text": [f"t{i}" for i in range(50)]}, row_group_size=7)
    told: list[int] = []
    documents = list(read_documents(file, Fields(), None, told.append))
    assert [one.text for one in documents] == [f"t{i}" for i in range(50)]
    assert [one.where for one in documents] == [f"{file}, row {i}" for i in range(1, 51)]
    assert sum(told) == file.stat().st_size
    assert len(told) > 10


def test_no_rows_are_no_documents(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.parquet", {"text": pa.array([], pa.string())})) == []


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["x", None], "row 2: got None in 'text', expected a text; .*data.skip_bad=true"),
        (["x", ""], "row 2: an empty document"),
        (
            pa.StringArray.from_buffers(2, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"x\xff")),
            "row 2: .*UTF-8",
        ),
    ],
)
def test_a_bad_row_is_refused_or_left_out(texts: Any, message: str, tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", {"text": texts})
    with pytest.raises(InputError, match=message):
        read(file)
    skipped = Skipped()
    assert [one.text for one in read(file, None, skipped)] == ["x"]
    assert skipped.count == 1


def test_columns_of_other_types_and_names(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", {"text": [b"x"], "id": [[1]], "body": ["y"]})
    with pytest.raises(InputError, match="got b'x' in 'text', expected a text"):
        read(file)
    with pytest.raises(InputError, match=r"got \[1\] in 'id', expected a text or a number"):
        read(file, Fields("body"))
    assert read(file, Fields("body", None)) == [Document("y", None, None, f"{file}, row 1")]
    with pytest.raises(InputError, match=r"no column 'prose' among 'text', 'id', 'body'; .*data\.text_field"):
        read(file, Fields("prose"), Skipped())
    with pytest.raises(InputError, match=r"no column 'part' .*data\.split_field"):
        read(file, Fields("body", None, "part"), Skipped())
    pq.write_table(pa.Table.from_arrays([pa.array(["x"])] * 2, names=["text", "text"]), file)
    with pytest.raises(InputError, match="got 2 columns 'text', expected one"):
        read(file)


def test_a_damaged_file_is_refused_or_read(tmp_path: Path) -> None:
    rng, file = random.Random(0), tmp_path / "a.parquet"
    whole = write(file, {"text": [f"text {i}" * 9 for i in range(99)]}).read_bytes()
    for cut in (0, 3, 8, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:cut])
        with pytest.raises(
            InputError, match=r"a\.parquet: cannot be read as Parquet \(.*expected a whole file"
        ) as caught:
            read(file, None, Skipped())
        assert "\n" not in str(caught.value)
    said = []
    for _ in range(100):
        raw = bytearray(whole)
        raw[rng.randrange(len(raw))] = rng.randrange(256)
        file.write_bytes(raw)
        try:
            read(file, None, Skipped())
        except InputError as error:
            said.append(str(error))
    assert said
    assert not any("\n" in message for message in said)


def test_a_file_that_changes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MOST_ROWS", 1)
    file = write(tmp_path / "a.parquet", {"text": ["x", "y"]})
    documents = read_documents(file, Fields(), None, lambda _: None)
    next(documents)
    file.write_bytes(b"other")
    with pytest.raises(InputError, match="changed while it was read"):
        list(documents)


def test_without_pyarrow_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a.parquet", {"text": ["x"]})
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match=r"pip install 'tokexp\[parquet\]'"):
        read(file)
