"""Opens the files of a source: packed ones as what is in them, and none that changes while it is read."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from tokexp.config import InputError
from tokexp.data.sources.document import shown
from tokexp.system.reading import open_regular, require_regular

Advance = Callable[[int], None]  # told the bytes of the files, packed as they are, that were read since the last call

PACKED = {".gz": "gzip", ".zst": "zstd"}
BUFFER_BYTES = 1 << 20
PIECE_BYTES = {"gzip": 1 << 14, "zstd": 1 << 10}  # that are unpacked at once: of zeros to 17 and 32 MB
WINDOW_BYTES = 1 << 31  # the most that zstd --long uses


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file of a source. Raises InputError where it cannot be read or unpacked, and where it changes then."""
    try:
        with open_regular(path) as file:
            before = stamp(path)
            try:
                yield file
            except Exception:
                _require_same(path, before)  # or else what is wrong may only be that it is written to
                raise
            _require_same(path, before)
    except OSError as error:
        raise unreadable(path, error) from error
    except (EOFError, zlib.error, zstandard.ZstdError) as error:
        kind, suffix = PACKED[path.suffix.lower()], path.suffix
        what = f"{shown(path)}: cannot be unpacked as {kind} ({error})"
        raise InputError(f"{what}; expected a whole {suffix} file, so fetch or make it again, or rename it") from error


def unpacked(file: BinaryIO, path: Path, advance: Advance) -> io.BufferedReader:
    """What is in an opened file, unpacked where the file's name says that it is packed. Raises as zlib and zstd do."""
    raw: io.RawIOBase = _Counted(file, advance)
    kind = PACKED.get(path.suffix.lower())
    if kind is not None:
        raw = _Unpacked(raw, kind)
    return io.BufferedReader(raw, BUFFER_BYTES)


def inner_suffix(path: Path) -> str:
    """The suffix of what is in a file: ".jsonl" of x.jsonl and of x.jsonl.gz."""
    return Path(path.stem if path.suffix.lower() in PACKED else path.name).suffix.lower()


def stamp(path: Path) -> tuple[int, int]:
    """The size of a regular file and when it was last changed."""
    require_regular(path)
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def unreadable(path: Path, error: Exception) -> InputError:
    why = getattr(error, "strerror", None) or error
    return InputError(f"{shown(path)}: cannot be read ({why}); expected a file that can, in data.path")


def _require_same(path: Path, before: tuple[int, int]) -> None:
    try:
        same = stamp(path) == before
    except OSError:
        same = False
    if not same:
        raise InputError(f"{shown(path)}: changed while it was read; expected one that stays, so wait for its writer")


class _Counted(io.RawIOBase):
    """A file that says how much of it is read."""

    def __init__(self, file: BinaryIO, advance: Advance) -> None:
        self.file, self.advance = file, advance

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self.file.readinto(buffer)  # type: ignore[attr-defined]  # typing.BinaryIO lacks it
        self.advance(count)
        return count


class _Unpacked(io.RawIOBase):
    """What is in a file of gzip members or zstd frames, one after another. A cut one is an EOFError, not an end."""

    def __init__(self, file: io.RawIOBase, kind: str) -> None:
        self.file = io.BufferedReader(file, BUFFER_BYTES)
        self.kind = kind
        self.zstd = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES)
        self.frame: Any = self._frame()
        self.begun = True  # there is one, or more
        self.packed = b""  # what comes after the frame that ended
        self.ready = memoryview(b"")

    def _frame(self) -> Any:
        return zlib.decompressobj(wbits=31) if self.kind == "gzip" else self.zstd.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.ready:
            packed = self.packed or self.file.read(PIECE_BYTES[self.kind])
            self.packed = b""
            if not packed and self.begun:
                raise EOFError("it ends too early")
            if not packed:
                return 0
            if not self.begun:
                packed = packed.lstrip(b"\0")  # tapes and the like fill a file up
                self.begun = bool(packed)
            self.ready = memoryview(self.frame.decompress(packed) if packed else b"")
            if self.frame.eof:
                self.packed, self.frame, self.begun = self.frame.unused_data, self._frame(), False
        count = min(len(buffer), len(self.ready))
        buffer[:count] = self.ready[:count]
        self.ready = self.ready[count:]
        return count
