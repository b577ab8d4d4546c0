"""A text as ids, and the bytes that each stands for: in memory, or in files that are mapped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tokexp.config import InputError
from tokexp.encoding.checks import check_spans
from tokexp.system.files import write_json
from tokexp.tokenizer import Tokenizer
from tokexp.tokenizer.split import SAFE_CUT, pieces


@dataclass(frozen=True)
class TokenStream:
    """A text as ids, in the smallest unsigned type that holds the vocabulary, and where each begins."""

    ids: np.ndarray  # (tokens,)
    starts: np.ndarray  # (tokens + 1,) int64, in bytes; the last is the length of the text

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def n_bytes(self) -> int:
        return int(self.starts[-1])


def encode_array(tokenizer: Tokenizer, text: str) -> np.ndarray:
    """The ids of `text`, (tokens,) in the smallest unsigned type that holds the vocabulary."""
    return np.array(tokenizer.encode(text), dtype=id_type(tokenizer))


def id_type(tokenizer: Tokenizer) -> np.dtype:
    return np.dtype(np.min_scalar_type(tokenizer.vocab_size - 1))


def encode_stream(tokenizer: Tokenizer, text: str) -> TokenStream:
    """`text` under `tokenizer`, in memory. Raises InputError where it has no tokens."""
    ids, starts = _encode(tokenizer, text)
    if not len(ids):
        raise InputError(
            f"a text of {len(text.encode())} bytes has no tokens of kind {tokenizer.kind!r}; give a longer text"
        )
    return TokenStream(ids, np.append(starts, len(text.encode())))


def _encode(tokenizer: Tokenizer, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Ids, and where in the text each begins, in bytes."""
    ids, spans = tokenizer.encode_with_spans(text)
    edges = np.array(spans, dtype=np.int64).reshape(-1, 2)
    check_spans(tokenizer, ids, edges, text.encode())
    return np.array(ids, dtype=id_type(tokenizer)), edges[:, 0]


def stretches(tokenizer: Tokenizer, text: str) -> Iterable[str]:
    """`text` in parts that can be encoded one by one."""
    return pieces(text) if tokenizer.cuts_at_spaces else [text]


def file_stretches(path: Path, characters: int = 1 << 20) -> Iterator[str]:
    """A UTF-8 file in parts that can be encoded one by one, never more than a few of them in memory."""
    rest = ""
    with path.open(encoding="utf-8", newline="") as file:
        while block := file.read(characters):
            rest += block
            cuts = list(SAFE_CUT.finditer(rest, max(0, len(rest) - characters // 2)))
            if cuts:
                yield rest[: cuts[-1].start()]
                rest = rest[cuts[-1].start() :]
    yield rest


def encode_file(tokenizer: Tokenizer, path: Path, folder: Path, name: str = "text") -> TokenStream:
    """A file too large for memory under `tokenizer`: written to `folder` part by part, and mapped from there."""
    parts = file_stretches(path) if tokenizer.cuts_at_spaces else [path.read_bytes().decode("utf-8")]
    write_stream(tokenizer, parts, folder, name)
    return read_stream(folder, name)


def write_stream(tokenizer: Tokenizer, parts: Iterable[str], folder: Path, name: str) -> None:
    """Encode `parts` one by one into NAME.ids and NAME.starts, arrays without a header, and NAME.json."""
    position = tokens = 0
    with (folder / f"{name}.ids").open("wb") as ids_file, (folder / f"{name}.starts").open("wb") as starts_file:
        for part in parts:
            ids, starts = _encode(tokenizer, part)
            if tokens == 0:
                starts[:1] = -position  # what came before the first token belongs to it
            ids.tofile(ids_file)
            (starts + position).tofile(starts_file)
            position, tokens = position + len(part.encode()), tokens + len(ids)
        np.array([position], dtype=np.int64).tofile(starts_file)
    if tokens == 0:
        raise InputError(
            f"{name}: a text of {position} bytes has no tokens of kind {tokenizer.kind!r}; give a longer text"
        )
    write_json(folder / f"{name}.json", {"dtype": id_type(tokenizer).str, "tokens": tokens})


def read_stream(folder: Path, name: str) -> TokenStream:
    """What `write_stream` wrote, mapped read-only."""
    shape = json.loads((folder / f"{name}.json").read_bytes())
    ids = np.memmap(folder / f"{name}.ids", dtype=shape["dtype"], mode="r", shape=(shape["tokens"],))
    starts = np.memmap(folder / f"{name}.starts", dtype=np.int64, mode="r", shape=(shape["tokens"] + 1,))
    return TokenStream(ids, starts)
