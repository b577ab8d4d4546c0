"""The text: where it is looked for, how it is split, and what is refused."""

from __future__ import annotations

import hashlib
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tokexp.config import DataConfig, InputError
from tokexp.data import corpus, pinned, shakespeare
from tokexp.data.corpus import load_corpus
from tokexp.data.text import text_files
from tokexp.system import places

CONTENT = b"To be, or not to be\n" * 50


@pytest.fixture(autouse=True)
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No TOKEXP_DATA, an empty data/, a pinned file of our own, and no way out to the network."""
    corpus._load_corpus.cache_clear()
    monkeypatch.delenv("TOKEXP_DATA", raising=False)
    monkeypatch.setattr(places, "CACHE", tmp_path / "data")
    monkeypatch.setattr(shakespeare, "SHAKESPEARE_SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(shakespeare, "SHAKESPEARE_URL", "http://127.0.0.1:9/input.txt")
    monkeypatch.setattr(pinned.time, "sleep", lambda _: None)


def place(folder: Path, content: bytes = CONTENT) -> Path:
    file = folder / "tinyshakespeare/input.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    return file


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """A server on loopback that answers with the bodies in the list, one a request; b"" is an error 500."""
    bodies: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = bodies.pop(0)
            self.send_response(200 if body else 500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.setattr(shakespeare, "SHAKESPEARE_URL", f"http://127.0.0.1:{server.server_port}/input.txt")
    yield bodies
    server.shutdown()
    thread.join()
    server.server_close()


def test_looks_in_path_then_environment_then_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEXP_DATA", str(tmp_path / "env"))
    in_env = place(tmp_path / "env")

    find = shakespeare.find_shakespeare
    assert find(None) == in_env
    assert (tmp_path / "data/tinyshakespeare/input.txt").read_bytes() == CONTENT, "copied into data/"
    in_path = place(tmp_path / "mine")
    assert find(str(tmp_path / "mine")) == in_path
    in_env.unlink()
    assert find(None) == tmp_path / "data/tinyshakespeare/input.txt"


def test_split_is_by_characters_and_hash_is_of_the_bytes(text_file: Path, text: str) -> None:
    got = load_corpus(DataConfig(name="text", path=str(text_file)))
    cut = int(len(text) * 0.9)
    assert (got.train.text, got.val.text) == (text[:cut], text[cut:])
    assert got.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert got.name == "play"


def test_shakespeare_splits_where_the_design_says(shakespeare: str) -> None:
    cut = int(len(shakespeare) * (1 - DataConfig().val_fraction))
    assert (cut, len(shakespeare) - cut) == (1_003_854, 111_540)


def test_newlines_are_not_translated(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a\r\nb\rc\n" * 20)
    got = load_corpus(DataConfig(name="text", path=str(tmp_path / "a.txt")))
    assert (got.train.text + got.val.text).encode() == b"a\r\nb\rc\n" * 20


def test_folder_and_list_are_sorted_and_joined(tmp_path: Path) -> None:
    for name, content in (("b.txt", "bbbb" * 9), ("a.txt", "aaaa" * 9), (".hidden", "xxxx")):
        (tmp_path / name).write_text(content)
    joined = "aaaa" * 9 + "\n" + "bbbb" * 9
    for path in (str(tmp_path), [str(tmp_path / "b.txt"), str(tmp_path / "a.txt")]):
        got = load_corpus(DataConfig(name="text", path=path))
        assert got.train.text + got.val.text == joined


def test_own_held_out_text_and_its_limit(tmp_path: Path, text_file: Path, text: str) -> None:
    held_out = tmp_path / "val.txt"
    held_out.write_text("né " * 100, encoding="utf-8")
    got = load_corpus(DataConfig(name="text", path=str(text_file), val=str(held_out), val_bytes=6))
    assert (got.train.text, got.val.text) == (text, "né n"), "a character cut in two is dropped"


def test_pydoc_needs_nothing() -> None:
    got = load_corpus(DataConfig(name="pydoc"))
    assert got.name == "pydoc"
    assert got.train.n_bytes > 300_000


def test_auto_falls_back_loudly_and_nothing_else_does(caplog: pytest.LogCaptureFixture) -> None:
    assert load_corpus(DataConfig(name="auto")).name == "pydoc"
    assert "NOT TinyShakespeare" in caplog.text
    with pytest.raises(InputError, match="cannot be reached"):
        load_corpus(DataConfig(name="tinyshakespeare"))


def test_download_retries_and_moves_into_place(served: list[bytes], tmp_path: Path) -> None:
    served += [b"", CONTENT]
    assert load_corpus(DataConfig(name="tinyshakespeare")).name == "tinyshakespeare"
    assert not served
    assert [p.name for p in (tmp_path / "data/tinyshakespeare").iterdir()] == ["input.txt"]


def test_download_of_another_text_leaves_nothing(served: list[bytes], tmp_path: Path) -> None:
    served.append(b"something else")
    with pytest.raises(InputError, match=r"got SHA-256 .* expected .* place it at"):
        load_corpus(DataConfig(name="tinyshakespeare"))
    assert list((tmp_path / "data/tinyshakespeare").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"good \xff bad", "byte 0xff at position 5"),
        (b"", "is empty"),
        (b"   \n  ", "is only white space"),
    ],
)
def test_bad_text_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load_corpus(DataConfig(name="text", path=str(tmp_path / "bad.txt")))
    assert "\n" not in str(caught.value)


def test_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.txt: cannot be read"):
        load_corpus(DataConfig(name="text", path=str(tmp_path / "nowhere.txt")))
    with pytest.raises(InputError, match=r"needs data\.path"):
        load_corpus(DataConfig(name="text"))
    with pytest.raises(InputError, match="holds no tinyshakespeare"):
        load_corpus(DataConfig(name="tinyshakespeare", path=str(tmp_path)))


def test_wrong_hash_is_refused_not_replaced(tmp_path: Path) -> None:
    file = place(tmp_path / "data", b"altered")
    with pytest.raises(InputError, match="got SHA-256"):
        load_corpus(DataConfig(name="auto"))
    assert file.read_bytes() == b"altered"


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions do not bind root, so that the system's refusal is put on."""
    for name in ("open", "closed", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("text " * 99)
    list_folder = os.scandir

    def scandir(folder: str) -> Any:
        if Path(folder).name in ("closed", ".hidden"):
            raise PermissionError(13, "Permission denied", folder)
        return list_folder(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(InputError, match=r"closed: cannot be read \(Permission denied\)") as caught:
        load_corpus(DataConfig(name="text", path=str(tmp_path)))
    assert "\n" not in str(caught.value)
    (tmp_path / "closed").rename(tmp_path / ".closed")
    load_corpus(DataConfig(name="text", path=str(tmp_path)))


def test_links_to_a_file_count_once_and_loops_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/b.txt").write_text("b" * 99)
    (tmp_path / "in/a.txt").symlink_to("b.txt")
    (tmp_path / "in/c.txt").symlink_to(tmp_path / "outside.txt")
    (tmp_path / "in/d.txt").symlink_to("c.txt")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/itself").symlink_to("itself")
    (tmp_path / "outside.txt").write_text("c" * 99)
    for _ in range(2):
        assert text_files(tmp_path / "in") == [tmp_path / "in/b.txt", tmp_path / "in/c.txt"]
    left_out = sorted(Path(line.split(":")[0][2:]).name for line in caplog.messages)
    assert left_out == ["a.txt", "d.txt", "itself", "loop"], "each said once"
    both = [str(tmp_path / "in/a.txt"), str(tmp_path / "in/b.txt")]
    assert text_files(both) == [tmp_path / "in/b.txt"]
    with pytest.raises(InputError, match="itself: cannot be read"):
        load_corpus(DataConfig(name="text", path=str(tmp_path / "in/itself")))
