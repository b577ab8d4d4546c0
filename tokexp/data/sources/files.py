"""Reads documents from files and folders, each file as its suffix says; what is no records is one text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokexp.config import InputError
from tokexp.data.sources.document import Document, Fields, Skipped, from_text, leave_out, shown
from tokexp.data.sources.lines import SUFFIXES, not_utf8, read_lines
from tokexp.data.sources.parquet import SUFFIX, read_parquet
from tokexp.data.sources.stream import Advance, inner_suffix, opened, stamp, unpacked, unreadable
from tokexp.data.text import text_files

TEXT_BYTES = 1 << 30  # the most that is read as one document
PIECE_BYTES = 1 << 20


def source_files(path: Any) -> list[Path]:
    """Every file that `path` (a file, a folder, or a list of them) names, sorted, as `text_files` gives them.

    Raises InputError where there is none, and for one that is no regular file.
    """
    files = _files(path)
    if not files:
        raise InputError(f"data.path={path} names nothing, expected a file, a folder or a list of them")
    fingerprint(files)
    return files


def fingerprint(path: Any) -> tuple[tuple[str, int, int], ...]:
    """Each file of a source with its size and when it was last changed, in ns: another where a file has changed."""
    prints = []
    for file in _files(path):
        try:
            prints.append((str(file), *stamp(file)))
        except OSError as error:
            raise unreadable(file, error) from error
    return tuple(prints)


def _files(path: Any) -> list[Path]:
    try:
        return text_files(path)
    except InputError:
        raise
    except ValueError as error:  # of a name that no file can have
        raise unreadable(path, error) from error


def read_documents(path: Any, fields: Fields, skipped: Skipped | None, advance: Advance) -> Iterator[Document]:
    """The documents of the files that `path` names, in the order of `source_files`.

    A bad record is an InputError where `skipped` is None; else it is noted there, and the rest goes on. `advance` is
    told the bytes of the files that were read since the last call: of a whole source, the size of all its files.
    """
    folders = [item for item in map(Path, [path] if isinstance(path, str | Path) else path) if item.is_dir()]
    for file in source_files(path):
        if inner_suffix(file) in SUFFIXES:
            yield from read_lines(file, fields, skipped, advance)
        elif file.suffix.lower() == SUFFIX:
            yield from read_parquet(file, fields, skipped, advance)
        else:
            yield from _read_whole(file, _name(file, folders), fields, skipped, advance)


def _name(file: Path, folders: list[Path]) -> str:
    """The path of a file inside the folder that it was found in; of one that was given by itself its name."""
    found_in = next((folder for folder in folders if file.is_relative_to(folder)), file.parent)
    return file.relative_to(found_in).as_posix()


def _read_whole(path: Path, name: str, fields: Fields, skipped: Skipped | None, advance: Advance) -> Iterator[Document]:
    """The one document that a file of any other format is."""
    where = shown(path)
    remedy = "expected a text in UTF-8, as it is or in .gz or .zst; "
    remedy += "mend it (iconv -t utf-8), or leave such files out with data.skip_bad=true"
    if inner_suffix(path) == ".tar":
        raise InputError(f"{where}: got an archive, expected its files; unpack it, and name the folder in data.path")
    with opened(path) as file:
        raw = _read_all(unpacked(file, path, advance), where)
        try:
            if fields.split is not None:
                raise ValueError(f"got a plain text, which has no field {fields.split!r} (data.split_field)")
            document = from_text(raw.decode(), name, None, where)
        except UnicodeDecodeError as error:
            leave_out(skipped, where, not_utf8(error), remedy)
        except ValueError as error:
            leave_out(skipped, where, error, remedy)
        else:
            yield document


def _read_all(stream: Any, where: str) -> bytes:
    pieces, size = [], 0
    while piece := stream.read(PIECE_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > TEXT_BYTES:
            got = f"{where}: got more than {TEXT_BYTES:,} bytes in one document"
            raise InputError(f"{got}; expected at most that, so split the file, or give it as one text (data=text)")
    return b"".join(pieces)
