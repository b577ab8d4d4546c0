"""Reads UTF-8 texts from files and folders, and the text that every Python brings."""

from __future__ import annotations

import importlib
import logging
import os
from functools import cache
from pathlib import Path
from typing import Any

from tokexp.config import InputError
from tokexp.system.reading import TEXT_BYTES, read_bytes

log = logging.getLogger(__name__)


def pydoc_text() -> str:
    """Python's own help topics, in the order of their names: English prose that needs no network."""
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    return "\n".join(topics[name] for name in sorted(topics))


def text_files(path: Any) -> list[Path]:
    """Every file that `path` (a file, a folder, or a list of them) names, sorted, without those that are hidden.

    A file that symbolic links name too is there once. Raises InputError for an empty folder, for one that cannot be
    read, and for a file that is named twice.
    """
    files: list[Path] = []
    for item in [path] if isinstance(path, str | Path) else list(path):
        item = Path(item)
        try:
            inside = _files_inside(item) if item.is_dir() else [item]
        except OSError as error:
            what = f"{error.filename or item}: cannot be read ({error.strerror})"
            raise InputError(f"{what}; expected a folder that can, so allow it or give data.path without it") from error
        if not inside:
            raise InputError(f"{item}: got a folder without files, expected UTF-8 texts in it")
        files += inside
    if len(set(files)) < len(files):
        raise InputError(f"data.path={path} names a file twice; its held-out part would be trained on")
    return sorted(_each_once(files))


def _files_inside(folder: Path) -> list[Path]:
    """The files of a folder and its subfolders. Links to folders are not followed, so that no loop is without end."""

    def stop(error: OSError) -> None:
        raise error  # which `os.walk` would pass over in silence

    files: list[Path] = []
    for at, folders, names in os.walk(folder, onerror=stop):
        folders[:] = [name for name in folders if not name.startswith(".")]
        seen = [Path(at, name) for name in names if not name.startswith(".")]
        files += [file for file in seen if file.is_file()]
        for link in [file for file in [*seen, *(Path(at, name) for name in folders)] if file.is_symlink()]:
            if not link.is_file():
                _say_once(f"! {link}: left out, a link to a folder or to nothing; name in data.path what is to be read")
    return files


def _each_once(files: list[Path]) -> list[Path]:
    """The files, of those that links make one the file itself, or the first of the links."""
    by_file: dict[str, Path] = {}
    for file in sorted(files, key=lambda file: (file.is_symlink(), file)):
        first = by_file.setdefault(os.path.realpath(file), file)
        if first is not file:
            _say_once(f"! {file}: left out, since it is the file {first}, which is read once")
    return list(by_file.values())


@cache  # the runs of a sweep share their files
def _say_once(line: str) -> None:
    log.warning("%s", line)


def text_name(path: Any) -> str:
    """A name for the corpus of `path`: that of its first file, and how many more there are."""
    items = [path] if isinstance(path, str | Path) else list(path)
    stem = Path(items[0]).stem
    if Path(items[0]).suffix in (".gz", ".zst"):
        stem = Path(stem).stem
    return stem + (f"+{len(items) - 1}" if len(items) > 1 else "")


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, its newlines as they are. Raises InputError where it is not UTF-8, with the place."""
    return decode(read_file(path), str(path))


def read_file(path: Path) -> bytes:
    """The bytes of a file. Raises InputError where it cannot be read, or is no file."""
    try:
        return read_bytes(path, TEXT_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a file that can") from error


def decode(raw: bytes, name: str) -> str:
    """The text of UTF-8 bytes, without newline translation. Raises InputError, which calls them `name`."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise not_utf8(name, error.start, raw[error.start]) from None


def not_utf8(name: str, position: int, byte: int) -> InputError:
    return InputError(
        f"{name}: got byte 0x{byte:02x} at position {position}, which is not UTF-8; "
        "expected UTF-8 throughout, so convert the file (iconv -t utf-8)"
    )


def stamps_of(files: list[Path]) -> list[tuple[int, int]]:
    """When each file was changed last, in nanoseconds, and its bytes; none of a file that is not there."""
    return [(status.st_mtime_ns, status.st_size) for status in (file.stat() for file in files if file.exists())]
