"""Encodes texts: one in memory, or a part of a corpus, piece by piece, with all cores, into files."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tokexp.data.part import Part
from tokexp.encoding.stream import TokenStream, id_type, length_type, require_tokens, separator_of
from tokexp.encoding.workers import Encoded, Piece, encode_piece, in_order
from tokexp.system.files import room_for, write_json
from tokexp.system.meter import Meter
from tokexp.tokenizer import Tokenizer

PIECE = 1 << 20  # bytes that are encoded at once, about: a longer text is cut, short documents go together
BESIDES = 256  # bytes that a short document counts for besides its text
SAVED = 64  # pieces after which it is written down how far a part has come

# Between a visible character and the space after it, as `split.chunks` cuts: here in UTF-8, where the last byte of the
# character is told from those of the white space that Unicode has beyond ASCII.
_SAFE_CUT = re.compile(rb"(?<=[!-~\x8b-\x9e\xa1-\xa7\xaa-\xae\xb0-\xbf]) ")


def encode_stream(tokenizer: Tokenizer, text: str) -> TokenStream:
    """`text` under `tokenizer`, in memory. Raises InputError where it has no tokens."""
    return encode_part(tokenizer, Part.of_text(text))


def encode_part(tokenizer: Tokenizer, part: Part) -> TokenStream:
    """A part of a corpus in memory, with a separator after each document. Raises InputError where it has no tokens."""
    separator = separator_of(tokenizer) if part.separated else None
    come = Progress()
    encoded = [come.count(encode_piece(tokenizer, piece)) for piece in pieces(part, tokenizer.cuts_at_spaces)]
    require_tokens("text", come.tokens, part.n_bytes, tokenizer)
    ids, lengths = (np.concatenate([one[i] for one in encoded]) for i in (0, 1))
    lengths[-1] += come.waiting
    return TokenStream(ids, lengths, separator)


def write_stream(tokenizer: Tokenizer, part: Part, folder: Path, name: str) -> None:
    """Encode a part into NAME.ids and NAME.lengths, arrays without a header, and NAME.json, which ends it.

    Where an earlier process has begun it, it goes on from there. Raises InputError where the text has no tokens, or the
    disk no room for them.
    """
    if (folder / f"{name}.json").exists():
        return
    separator = separator_of(tokenizer) if part.separated else None
    types = {"ids": id_type(tokenizer), "lengths": length_type(tokenizer)}
    files, saved = {what: folder / f"{name}.{what}" for what in types}, folder / f"{name}.progress"
    come = Progress.read(saved, {files[what]: types[what].itemsize for what in types})
    left = itertools.islice(pieces(part, tokenizer.cuts_at_spaces), come.pieces, None)
    with (
        Meter(f"encoding the {name} part", part.n_bytes, come.n_bytes) as meter,
        files["ids"].open("ab") as ids,
        files["lengths"].open("ab") as lengths,
    ):
        for encoded in map(come.count, in_order(tokenizer, left, part.n_bytes - come.n_bytes)):
            encoded.ids.tofile(ids)
            encoded.lengths.astype(types["lengths"]).tofile(lengths)
            if come.pieces % SAVED == 1:
                each = sum(kind.itemsize for kind in types.values()) * come.tokens / come.n_bytes
                room_for(folder, each * (part.n_bytes - come.n_bytes), f"the ids of the {name} part")
                ids.flush()
                lengths.flush()
                come.save(saved)
            meter.advance(encoded.n_bytes)
    require_tokens(name, come.tokens, part.n_bytes, tokenizer)
    if come.waiting:
        last = np.memmap(files["lengths"], dtype=types["lengths"], mode="r+")
        last[-1] += come.waiting
        last.flush()
    saved.unlink(missing_ok=True)
    shape = {"id": types["ids"].str, "length": types["lengths"].str, "tokens": come.tokens, "separator": separator}
    write_json(folder / f"{name}.json", shape)


@dataclass
class Progress:
    """How far the encoding of a part has come."""

    pieces: int = 0
    n_bytes: int = 0
    tokens: int = 0
    waiting: int = 0  # bytes that no token stands for: those of the next one, at the end of the last one

    @classmethod
    def read(cls, path: Path, items: dict[Path, int]) -> Progress:
        """What an earlier process saved, if one did; `items`: what it wrote, and the bytes of an item of each.

        What it wrote later is cut off.
        """
        come = cls(*json.loads(path.read_bytes())) if path.exists() else cls()
        for file, size in items.items():
            if file.exists():
                os.truncate(file, come.tokens * size)
        return come

    def save(self, path: Path) -> None:
        write_json(path, list(dataclasses.astuple(self)))

    def count(self, encoded: Encoded) -> Encoded:
        """Count a piece; its first token takes the bytes that waited for one."""
        lengths = encoded.lengths
        waiting = self.waiting + encoded.n_bytes - int(lengths.sum())
        if len(lengths):
            lengths, waiting = np.append(lengths[:1] + self.waiting, lengths[1:]), waiting - self.waiting
        self.pieces, self.n_bytes = self.pieces + 1, self.n_bytes + encoded.n_bytes
        self.tokens, self.waiting = self.tokens + len(lengths), waiting
        return Encoded(encoded.ids, lengths, encoded.n_bytes)


def pieces(part: Part, cuts: bool) -> Iterator[Piece]:
    """A part in pieces of about a megabyte; `cuts`: whether a long text may be cut where no token crosses."""
    piece: Piece = []
    size = 0
    for begin, end in zip(part.begins.tolist(), part.ends.tolist(), strict=True):
        for first, last in itertools.pairwise([begin, *(_cuts(part.raw, begin, end) if cuts else []), end]):
            piece.append((part.raw[first:last].tobytes(), part.separated and last == end))
            size += last - first + BESIDES
            if size >= PIECE:
                yield piece
                piece, size = [], 0
    if piece:
        yield piece


def _cuts(raw: np.ndarray, begin: int, end: int) -> Iterator[int]:
    """Where a text is cut: after a megabyte, at the next space after a visible character."""
    while end - begin > PIECE and (cut := _SAFE_CUT.search(raw.data, begin + PIECE, end)):
        begin = cut.start()
        yield begin
