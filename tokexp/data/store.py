"""Keeps the documents of a corpus: read once from wherever they come, then mapped, in the order in which they came."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tokexp.config import InputError
from tokexp.data.part import DIGEST
from tokexp.data.sources import Document, Skipped
from tokexp.system.cache import cached, place_of, source_hash
from tokexp.system.files import sha256, write_json

PARTS = ("train", "val", "test")
SYNONYMS = (("train", "training"), ("val", "valid", "validation", "dev"), ("test",))
GIVEN = {name: code for code, names in enumerate(SYNONYMS) for name in names}
NOT_GIVEN = 255
COLUMNS = ("ends", "digests", "id_keys", "given", "sources", "name_ends")
Given = tuple[Document, int, int]  # a document, the number of its part in PARTS, or NOT_GIVEN, and that of its source


@dataclass(frozen=True)
class Store:
    """Documents end to end in the file `text`, and what decides which part each belongs to."""

    folder: Path
    ends: np.ndarray  # (documents,) int64, in bytes
    digests: np.ndarray  # (documents, 16) uint8, of the content
    id_keys: np.ndarray  # (documents,) uint64, a hash of the id, or of the content of one that has none
    given: np.ndarray  # (documents,) uint8: the number in PARTS of the part that its source gives it, or NOT_GIVEN
    sources: np.ndarray  # (documents,) uint16, the number of the source that each is from
    name_ends: np.ndarray  # (documents,) int64, in the file `names`
    skipped: list[str]  # what was left out: how many, and the first few places
    skipped_count: int

    @property
    def begins(self) -> np.ndarray:
        return np.concatenate([[0], self.ends[:-1]]).astype(np.int64)

    @property
    def sha256(self) -> str:
        """Of the content of all, in whatever order and parts."""
        return sha256(self.digests[np.argsort(self.content_keys, kind="stable")].tobytes())

    @property
    def content_keys(self) -> np.ndarray:
        """(documents,) uint64."""
        return np.ascontiguousarray(self.digests[:, :8]).view(">u8").ravel().astype(np.uint64)

    def name_of(self, document: int) -> str:
        """What its source calls a document."""
        begin = int(self.name_ends[document - 1]) if document else 0
        with (self.folder / "names").open("rb") as names:
            names.seek(begin)
            return names.read(int(self.name_ends[document]) - begin).decode()


def store(what: dict[str, Any], documents: Iterable[Given], skipped: Skipped | None) -> Store:
    """Keep `documents`; they are read only where the cache has not `what`.

    Raises InputError where there are none.
    """

    def build(folder: Path) -> None:
        with (folder / "text").open("wb") as text, (folder / "names").open("wb") as names:
            columns = _write(documents, text, names)
        for name, values in columns.items():
            np.save(folder / f"{name}.npy", values)
        count = skipped.count if skipped is not None else 0
        write_json(folder / "skipped.json", {"count": count, "first": skipped.first if skipped is not None else []})

    folder = cached(_with_code(what), build)
    columns = {name: np.load(folder / f"{name}.npy") for name in COLUMNS}
    left_out = json.loads((folder / "skipped.json").read_bytes())
    lines = [f"{left_out['count']:,} records left out, the first of them {line}" for line in left_out["first"][:1]]
    return Store(folder, **columns, skipped=lines, skipped_count=left_out["count"])


def is_stored(what: dict[str, Any]) -> bool:
    """Whether `store` has kept the documents of `what`."""
    return place_of(_with_code(what)).exists()


def _with_code(what: dict[str, Any]) -> dict[str, Any]:
    """What another version of the code would keep in another form has another place."""
    return {**what, "code": source_hash(__name__)}


def _write(documents: Iterable[Given], text: BinaryIO, names: BinaryIO) -> dict[str, np.ndarray]:
    ends, name_ends, id_keys, sources = array("q"), array("q"), array("Q"), array("H")
    given, digests = bytearray(), bytearray()
    for document, part, source in documents:
        raw = document.text.encode()
        digest = hashlib.sha256(raw).digest()
        name = (document.where if document.id is None else document.id).encode()
        text.write(raw)
        names.write(name)
        ends.append(len(raw) + (ends[-1] if ends else 0))
        name_ends.append(len(name) + (name_ends[-1] if name_ends else 0))
        id_keys.append(key_of(digest) if document.id is None else id_key(document.id))
        digests += digest[:DIGEST]
        given.append(part)
        sources.append(source)
    if not ends or not ends[-1]:
        raise InputError("data: got no documents; expected at least one for each part")
    return {
        "ends": np.array(ends),
        "name_ends": np.array(name_ends),
        "id_keys": np.array(id_keys, dtype=np.uint64),
        "sources": np.array(sources),
        "given": np.frombuffer(bytes(given), dtype=np.uint8),
        "digests": np.frombuffer(bytes(digests), dtype=np.uint8).reshape(-1, DIGEST),
    }


def id_key(name: str) -> int:
    """The one in `Store.id_keys` of a document with this id."""
    return key_of(hashlib.sha256(name.encode()).digest())


def key_of(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big")


def given_part(document: Document) -> int:
    """The number in PARTS of the part that a record names. Raises InputError for another name."""
    if document.part is None:
        return NOT_GIVEN
    if document.part.lower() not in GIVEN:
        raise InputError(f"{document.where}: got the part {document.part!r}, expected one of {', '.join(GIVEN)}")
    return GIVEN[document.part.lower()]
