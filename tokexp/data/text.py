"""Reads UTF-8 texts from files and folders, and the text that every Python brings."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from tokexp.config import InputError
from tokexp.system.reading import TEXT_BYTES, read_bytes


def pydoc_text() -> str:
    """Python's own help topics, in the order of their names: English prose that needs no network."""
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    return "\n".join(topics[name] for name in sorted(topics))


def text_files(path: Any) -> list[Path]:
    """Every file that `path` (a file, a folder, or a list of them) names, sorted, without those that are hidden.

    Raises InputError for an empty folder, and for a file that is named twice.
    """
    files: list[Path] = []
    for item in [path] if isinstance(path, str | Path) else list(path):
        item = Path(item)
        if item.is_dir():
            inside = [p for p in item.rglob("*") if p.is_file()]
            not_hidden = [p for p in inside if not any(s.startswith(".") for s in p.relative_to(item).parts)]
            if not not_hidden:
                raise InputError(f"{item}: got a folder without files, expected UTF-8 texts in it")
            files += not_hidden
        else:
            files.append(item)
    if len(set(files)) < len(files):
        raise InputError(f"data.path={path} names a file twice; its held-out part would be trained on")
    return sorted(files)


def text_name(path: Any) -> str:
    """A name for the corpus of `path`: that of its first file, and how many more there are."""
    items = [path] if isinstance(path, str | Path) else list(path)
    return Path(items[0]).stem + (f"+{len(items) - 1}" if len(items) > 1 else "")


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
        raise InputError(
            f"{name}: got byte 0x{raw[error.start]:02x} at position {error.start}, which is not UTF-8; "
            "expected UTF-8 throughout, so convert the file (iconv -t utf-8)"
        ) from None
