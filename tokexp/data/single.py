"""Reads a single text, of one file or of several, and cuts it by characters; a long one is mapped, not held."""

from __future__ import annotations

import codecs
import dataclasses
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tokexp.config import InputError
from tokexp.data.part import Part
from tokexp.data.text import decode, not_utf8, read_file, stamps_of
from tokexp.system.cache import cached
from tokexp.system.files import room_for, write_json
from tokexp.system.meter import Meter

HELD = 64 << 20  # bytes of a text that is held in memory; a longer one is copied into the cache and mapped
BLOCK = 1 << 24
JOINT = b"\n"  # between files


def read_single(files: list[Path]) -> Part:
    """The text of `files`, joined by line ends. Raises InputError where one is not UTF-8, with the place."""
    size = sum(file.stat().st_size for file in files if file.exists())
    if size <= HELD:
        return Part.of_text(JOINT.decode().join(decode(read_file(file), str(file)) for file in files))
    what: dict[str, Any] = {"text": [str(file) for file in files], "stamps": stamps_of(files)}

    def build(folder: Path) -> None:
        room_for(folder, size, "a copy of the text")
        with Meter("reading the text", size) as meter, (folder / "text").open("wb") as copy:
            for i, file in enumerate(files):
                copy.write(JOINT if i else b"")
                for block in _checked_blocks(file):
                    copy.write(block)
                    meter.advance(len(block))
        if [list(stamp) for stamp in stamps_of(files)] != [list(stamp) for stamp in what["stamps"]]:
            raise InputError(f"{files[0]}: changed while it was read; start again once nothing writes to it")

    raw = np.memmap(cached(what, build) / "text", dtype=np.uint8, mode="r")
    return Part(raw, np.array([0]), np.array([len(raw)]))


def _checked_blocks(file: Path) -> Iterator[bytes]:
    decoder, at = codecs.getincrementaldecoder("utf-8")(), 0  # of the first byte that is not decoded
    try:
        with file.open("rb") as source:
            while block := source.read(BLOCK):
                decoder.decode(block)
                yield block
                at = source.tell() - len(decoder.getstate()[0])
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise not_utf8(str(file), at + error.start, error.object[error.start]) from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); expected a file that can") from error


def cut_by_characters(text: Part, shares: list[float]) -> list[Part]:
    """A single text in parts: the first of `shares[0]` of its characters, rounded down, and so on, then the rest."""
    raw = text.raw
    blocks = range(0, len(raw), BLOCK)
    counts = [int(((raw[at : at + BLOCK] & 0xC0) != 0x80).sum()) for at in blocks]
    up_to = np.cumsum([0, *counts])
    edges = [0, *(_byte_of_character(raw, int(up_to[-1] * share), up_to) for share in shares), len(raw)]
    return [_with_sha256(Part(raw, np.array([begin]), np.array([end]))) for begin, end in itertools.pairwise(edges)]


def _with_sha256(part: Part) -> Part:
    """A part that knows its SHA-256: a long text is read for it once."""
    if not isinstance(part.raw, np.memmap) or part.raw.filename is None:
        return part
    what = {"sha256": Path(part.raw.filename).parent.name, "begin": int(part.begins[0]), "end": int(part.ends[0])}
    folder = cached(what, lambda folder: write_json(folder / "sha256.json", part.sha256))
    return dataclasses.replace(part, known_sha256=json.loads((folder / "sha256.json").read_bytes()))


def _byte_of_character(raw: np.ndarray, character: int, up_to: np.ndarray) -> int:
    """The byte at which a character begins. `up_to`: characters before each block and, at last, in all of them."""
    if character >= up_to[-1]:
        return len(raw)
    block = int(np.searchsorted(up_to, character, side="right")) - 1
    begins = np.flatnonzero((raw[block * BLOCK : (block + 1) * BLOCK] & 0xC0) != 0x80)
    return block * BLOCK + int(begins[character - up_to[block]])
