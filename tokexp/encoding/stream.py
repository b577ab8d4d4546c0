"""A text under a tokenizer: ids, and the byte at which each begins; in memory, or in files that are mapped."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tokexp.config import InputError
from tokexp.encoding.checks import check_spans
from tokexp.system.files import write_json
from tokexp.tokenizer import Tokenizer
from tokexp.tokenizer.split import chunks


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


def id_type(tokenizer: Tokenizer) -> np.dtype:
    """The smallest unsigned type that holds the vocabulary."""
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
    """Ids (tokens,), and the byte of the text at which each begins (tokens,), checked."""
    ids, spans = tokenizer.encode_with_spans(text)
    edges = np.array(spans, dtype=np.int64).reshape(-1, 2)
    check_spans(tokenizer, ids, edges, text.encode())
    return np.array(ids, dtype=id_type(tokenizer)), edges[:, 0]


def chunks_for(tokenizer: Tokenizer, text: str) -> Iterable[str]:
    """`text` in chunks that `tokenizer` can encode one by one: the whole, for a kind that must see all of it."""
    return chunks(text) if tokenizer.cuts_at_spaces else [text]


def write_stream(tokenizer: Tokenizer, text_chunks: Iterable[str], folder: Path, name: str) -> None:
    """Encode a text chunk by chunk into NAME.ids and NAME.starts, arrays without a header, and NAME.json.

    Raises InputError where the text has no tokens.
    """
    position = tokens = 0
    with (folder / f"{name}.ids").open("wb") as ids_file, (folder / f"{name}.starts").open("wb") as starts_file:
        for chunk in text_chunks:
            ids, starts = _encode(tokenizer, chunk)
            if tokens == 0:
                starts[:1] = -position  # text before the first token belongs to it
            ids.tofile(ids_file)
            (starts + position).tofile(starts_file)
            position, tokens = position + len(chunk.encode()), tokens + len(ids)
        np.array([position], dtype=np.int64).tofile(starts_file)
    if tokens == 0:
        raise InputError(
            f"{name}: a text of {position} bytes has no tokens of kind {tokenizer.kind!r}; give a longer text"
        )
    write_json(folder / f"{name}.json", {"dtype": id_type(tokenizer).str, "tokens": tokens})


def read_stream(folder: Path, name: str) -> TokenStream:
    """The stream NAME that `write_stream` left in `folder`, mapped read-only."""
    shape = json.loads((folder / f"{name}.json").read_bytes())
    ids = np.memmap(folder / f"{name}.ids", dtype=shape["dtype"], mode="r", shape=(shape["tokens"],))
    starts = np.memmap(folder / f"{name}.starts", dtype=np.int64, mode="r", shape=(shape["tokens"] + 1,))
    return TokenStream(ids, starts)
