"""JSON lines: each bad one is named with its place, and is left out where that is asked for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tokexp.config import InputError
from tokexp.data.sources import Document, Fields, Skipped, lines, looks_like_json_lines, read_documents

GOOD = b'{"text": "first", "id": "a", "part": "train"}\n'
LAST = b'{"text": "last"}\n'


def read(path: Path, fields: Fields | None = None, skipped: Skipped | None = None) -> list[Document]:
    return list(read_documents(path, fields or Fields(), skipped, lambda _: None))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": "x"', "broken JSON .Expecting ',' delimiter at character 14."),
        (b'{"text": "x"} {}', "broken JSON"),
        (b"plain text", "broken JSON"),
        (b'{"text": "a\tb"}', "broken JSON"),
        (b"\0\0\0", "broken JSON"),
        (b'{"text": ""}', "an empty document;"),
        (b'{"content": "x", "n": 1}', "got no 'text' among its fields 'content', 'n' .*data.text_field"),
        (b"{}", "got no 'text' among its fields none"),
        (b"{" + b",".join(b'"%d": 0' % i for i in range(99)) + b"}", "'7' and 91 more"),
        (b'{"text": null}', "got None in 'text', expected a text"),
        (b'{"text": 5}', "got 5 in 'text'"),
        (b'{"text": ["x"]}', r"got \['x'\] in 'text'"),
        (b'["text"]', r"line 2: got \['text'\]; expected one JSON object a line"),
        (b'"text"', "got 'text'"),
        (b'{"text": "x", "id": {"a": 1}}', "got {'a': 1} in 'id', expected a text or a number .*data.id_field"),
        (b'{"text": "x", "id": true}', "got True in 'id'"),
        (rb'{"text": "a\ud800b"}', r"half a character .the lone surrogate '.ud800'. at 1"),
        (rb'{"text": "x", "id": "\uDFFF"}', "half a character"),
        (b'{"text": "\xff"}', "got byte 0xff at position 10, which is not UTF-8"),
        (b'{"text": "\xed\xa0\x80"}', "not UTF-8"),
        ('{"text": "x"}'.encode("utf-16"), "not UTF-8"),
        (b'{"text": "x", "n": ' + b"9" * 5000 + b"}", "too many digits"),
        (b'{"text": ' + b"[" * 200_000, "nested too deep"),
        (b'{"text": "x", "a": ' + b'{"a":' * 200_000, "nested too deep"),
    ],
)
def test_a_bad_line_is_refused_or_left_out(line: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(GOOD + line + b"\n\n" + LAST)
    with pytest.raises(InputError, match=message) as caught:
        read(file)
    assert str(caught.value).startswith(f"{file}, line 2: ")
    end = "expected one JSON object a line with a text field 'text'; "
    assert str(caught.value).endswith(f"; {end}mend it, or leave such lines out with data.skip_bad=true")
    assert "\n" not in str(caught.value)
    skipped = Skipped()
    assert [document.text for document in read(file, None, skipped)] == ["first", "last"]
    assert skipped.count == 1
    assert skipped.first[0].startswith(f"{file}, line 2: ")


def test_of_many_bad_lines_the_first_few_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"x\n" * 99 + LAST)
    skipped = Skipped()
    assert len(read(tmp_path / "a.jsonl", None, skipped)) == 1
    assert skipped.count == 99
    assert [problem.partition(":")[0][-6:] for problem in skipped.first] == [f"line {i}" for i in range(1, 6)]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (rb'{"text": "\ud83d\ude00 \u0000 \r\n \u2028"}', "\U0001f600 \0 \r\n \u2028"),
        ('{"text": " \u2028\x85é "}'.encode(), " \u2028\x85é "),
        (b'\xef\xbb\xbf{"text": "x"}\r\n', "x"),
        (b'\xef\xbb\xbf\n \t\r\n{"text": " "}', " "),
        (b'{"score": NaN, "big": 1e999, "text": "x", "other": "\\ud800"}', "x"),
        (b'{"text": "x", "text": "y"}', "y"),
    ],
)
def test_a_text_is_taken_as_it_is(raw: bytes, text: str, tmp_path: Path) -> None:
    (tmp_path / "a.JSON").write_bytes(raw)
    assert [document.text for document in read(tmp_path / "a.JSON")] == [text]


def test_fields_of_other_names(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"body": "x", "key": 1.5, "year": 1999, "id": []}\n{"body": "y", "key": null, "year": ""}\n')
    first, second = read(file, Fields("body", "key", "year"))
    assert (first.text, first.id, first.part) == ("x", "1.5", "1999")
    assert (second.text, second.id, second.part) == ("y", None, "")
    assert [document.id for document in read(file, Fields("body", None))] == [None, None]
    file.write_bytes(GOOD + LAST)
    with pytest.raises(InputError, match=r"line 2: got no 'part' among .*data\.split_field"):
        read(file, Fields(split="part"))
    file.write_bytes(b'{"text": "x", "part": null}\n')
    with pytest.raises(InputError, match=r"line 1: got None in 'part'.*data\.split_field"):
        read(file, Fields(split="part"))


@pytest.mark.parametrize("raw", [b'[{"text": "x"}]', b"\xef\xbb\xbf\n[\n{}\n]\n"])
def test_a_json_list_is_no_lines(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(raw)
    with pytest.raises(InputError, match=r"got one JSON list, .*make it lines \(jq"):
        read(tmp_path / "a.json", None, Skipped())


def test_a_line_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINE_BYTES", len(LAST))
    file = tmp_path / "a.jsonl"
    file.write_bytes(LAST * 2)
    assert len(read(file)) == 2
    file.write_bytes(LAST + b" " + LAST)
    with pytest.raises(InputError, match=r"line 2: got a line of more than 17 bytes"):
        read(file, None, Skipped())


def test_no_file_at_all_of_lines_is_no_document(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"")
    assert read(tmp_path / "a.jsonl") == []


def test_damaged_lines_are_read_or_refused(tmp_path: Path) -> None:
    rng, good = random.Random(0), GOOD * 5 + rb'{"text": "\ud83d\ude00", "n": [1, {"a": -2.5e3}]}' + b"\n" + LAST
    for _ in range(300):
        raw = bytearray(good)
        for _ in range(rng.randint(1, 5)):
            raw[rng.randrange(len(raw))] = rng.choice([0, 10, 34, 92, 93, 123, 125, 200, 255, rng.randrange(256)])
        (tmp_path / "a.jsonl").write_bytes(raw[: rng.randrange(len(raw)) if rng.random() < 0.3 else None])
        skipped = Skipped()
        documents = read(tmp_path / "a.jsonl", None, skipped)
        assert all(document.text.encode() for document in documents)
        if skipped.count:
            with pytest.raises(InputError, match="line"):
                read(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    ("first", "looks"),
    [
        (GOOD + LAST, True),
        (GOOD[:20], True),
        (b'\xef\xbb\xbf\n {"text" : "x', True),
        (rb'{"a\"b": 1', True),
        (b'{"text": "\xff"}\n', False),
        (b'{"text": "x"} and more\n', False),
        (b"{\n", False),
        (b"{}\n", False),
        (b"[1]\n", False),
        (b"{" * 200_000 + b"\n", False),
        (b"To be, or not to be", False),
        (b'{"To be"', False),
        (b"", False),
    ],
)
def test_what_looks_like_json_lines(first: bytes, looks: bool) -> None:
    assert looks_like_json_lines(first) is looks
