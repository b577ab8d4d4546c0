"""What is read of files that are damaged, or no files at all."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from tokexp.system.reading import Count, Maybe, Number, parse_json, read_bytes, read_json, read_yaml, wrong


def test_only_regular_files_are_read_and_nothing_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    monkeypatch.chdir(tmp_path)  # an address has room for a short path
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        for name, said in {
            "fifo": "got a FIFO, expected a regular file", "zero": "got a device", "socket": "got a socket",
            ".": "Is a directory", "self": "Too many levels", "nowhere": "No such file",
        }.items():  # fmt: skip
            with pytest.raises(OSError, match=said):
                read_bytes(Path(name), 100)


def test_a_size_limit_is_said(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match=r"got 1,099,511,627,776 bytes, expected at most 268,435,456"):
        read_json(path)
    path.write_bytes(b"12")
    assert read_json(path) == 12


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b'{"a": 1, "a": 2}', "got 'a' twice"),
        (b'{"a": NaN}', "got NaN, expected a finite number"),
        (b"[-Infinity]", "got -Infinity"),
        (b'["\xff"]', "utf-8"),
        (rb'{"a": "\ud800"}', "half a character"),
        (b"\0\0", "Expecting value"),
        (b"9" * 5000, "digits"),
        (b"", "Expecting value"),
    ],
)
def test_what_is_no_json_of_ours(raw: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_json(raw)


def test_json_that_is_read() -> None:
    assert parse_json(rb'{"a": "\ud83d\ude00"}') == {"a": "\U0001f600"}
    assert parse_json(b"\xef\xbb\xbf[1]") == [1]
    assert str(parse_json(b"[NaN]", nan=True)) == "[nan]"


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [1]\nb: *a",
        "a: 1\na: 2",
        "[" * 1000,
        "a: !!python/name:os.system",
        "? [a]\n: 1",
        "a: 2001-99-99",
        "\0",
        "a: 1:30",
        "1:" * 200_000 + "1",
    ],
)
def test_what_is_no_yaml_of_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"\S"):
        read_yaml(tmp_path / "x.yaml")


def test_yaml_that_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a:\n  b: [1, 2.5, null]\n")
    assert read_yaml(tmp_path / "x.yaml") == {"a": {"b": [1, 2.5, None]}}


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (1, float, ""),
        (True, float, "got True, expected a finite number"),
        (float("inf"), float, "got inf"),
        (float("inf"), Number, ""),
        (10**400, Number, "expected a number"),
        (1 << 63, int, "expected a whole number"),
        (-1, Count, "got -1, expected a whole number from 0"),
        (None, float | None, ""),
        ("x", float | None, "got 'x', expected a finite number or null"),
        ({"a": 1, "more": 2}, {"a": int}, ""),
        ({}, {"a": int}, "has no a"),
        ([], {"a": int}, r"got \[\], expected values by name"),
        ({}, {"a": Maybe(int)}, ""),
        ({"a": None}, {"a": Maybe(int)}, ""),
        ({"a": "x"}, {"a": Maybe(int)}, "a: got 'x'"),
        ([1, -1], [Count], "expected counts"),
        ([1, "x"], [Count], "1: got 'x'"),
        ([[0, 1], [2]], [(Count, Count)], r"1: got \[2\], expected a list of 2"),
        ({"a": 1}, dict[str, str], "expected values by name"),
        (["x", 1], list[str], "expected a list"),
        ({"a": [[[1]]]}, dict[str, Any], ""),
    ],
)
def test_kinds(value: Any, kind: Any, said: str) -> None:
    problem = wrong(value, kind)
    assert bool(problem) == bool(said)
    if said:
        assert re.search(said, problem), problem


def test_values_nested_too_deep() -> None:
    value: Any = 1
    for _ in range(900):
        value = [value]
    assert wrong({"a": value}, dict[str, Any])
