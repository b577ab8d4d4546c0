"""A text under a tokenizer: its ids, and the bytes that each stands for; in memory, or in files that are mapped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from tokexp.config import InputError
from tokexp.tokenizer import Tokenizer


@dataclass(frozen=True)
class TokenStream:
    """A text as ids, in the smallest unsigned type that holds the vocabulary, and the bytes that each stands for."""

    ids: np.ndarray  # (tokens,)
    lengths: np.ndarray  # (tokens,) unsigned, in bytes: end to end they tile the text
    separator: int | None = None  # the id after each document; None where the text is a single one

    @classmethod
    def of_starts(cls, ids: np.ndarray, starts: np.ndarray) -> Self:
        """`starts`: (tokens + 1,), where each token begins, in bytes, and the length of the text."""
        return cls(ids, np.diff(starts))

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def starts(self) -> np.ndarray:
        """(tokens + 1,) int64, where each token begins, in bytes, and the length of the text: eight bytes a token."""
        return np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])

    @cached_property
    def n_bytes(self) -> int:
        return int(self.lengths.sum(dtype=np.int64))

    def bytes_of(self, firsts: np.ndarray, tokens: int) -> int:
        """The bytes of sequences of so many tokens, that begin at `firsts` (sequences,)."""
        return int(self.lengths[firsts[:, None] + np.arange(tokens)].sum(dtype=np.int64))

    @cached_property
    def document_of(self) -> np.ndarray:
        """(tokens,) int64, the number of the document that each token belongs to, its separator as its last."""
        ends = np.asarray(self.ids) == (-1 if self.separator is None else self.separator)
        return np.cumsum(ends) - ends

    def head(self, n_bytes: int | None) -> TokenStream:
        """The first tokens, of at most so many bytes: of whole documents, at least one, where it has any."""
        if n_bytes is None or self.n_bytes <= n_bytes:
            return self
        if self.separator is None:
            n = max(1, int(np.searchsorted(self.starts, n_bytes, side="right")) - 1)
        else:
            ends = np.flatnonzero(np.asarray(self.ids) == self.separator) + 1
            n = int(ends[max(0, int(np.searchsorted(self.starts[ends], n_bytes, side="right")) - 1)])
        return self.first(n)

    def first(self, n: int) -> TokenStream:
        """The first `n` tokens."""
        return TokenStream(self.ids[:n], self.lengths[:n], self.separator)

    def without_separators(self) -> TokenStream:
        """The tokens of the text alone; bytes that a separator stands for are those of the token before it."""
        if self.separator is None:
            return self
        kept = np.flatnonzero(np.asarray(self.ids) != self.separator)
        starts = np.append(self.starts[kept], self.n_bytes)
        starts[:1] = 0
        return TokenStream.of_starts(self.ids[kept], starts)


def id_type(tokenizer: Tokenizer) -> np.dtype:
    """The smallest unsigned type that holds the vocabulary."""
    return np.dtype(np.min_scalar_type(tokenizer.vocab_size - 1))


def length_type(tokenizer: Tokenizer) -> np.dtype:
    """A type that holds the bytes that a token can stand for: of a kind that drops white space there is no limit."""
    return np.dtype(np.min_scalar_type(max(map(len, tokenizer.token_bytes()))) if tokenizer.lossless else np.uint32)


def separator_of(tokenizer: Tokenizer) -> int:
    """The id that stands after each document. Raises InputError for a vocabulary without one."""
    if tokenizer.eos_id is None:
        raise InputError(
            f"tokenizer kind {tokenizer.kind!r}: its vocabulary has no special token, expected one that can stand "
            "between documents; add an end-of-text token to it, or give one text with data=text"
        )
    return tokenizer.eos_id


def require_tokens(name: str, tokens: int, n_bytes: int, tokenizer: Tokenizer) -> None:
    """Raise InputError for a text that has no tokens."""
    if tokens == 0:
        raise InputError(
            f"{name}: a text of {n_bytes} bytes has no tokens of kind {tokenizer.kind!r}; give a longer text"
        )


def read_stream(folder: Path, name: str) -> TokenStream:
    """The stream NAME that `write_stream` left in `folder`, mapped read-only."""
    shape = json.loads((folder / f"{name}.json").read_bytes())
    ids = np.memmap(folder / f"{name}.ids", dtype=shape["id"], mode="r", shape=(shape["tokens"],))
    lengths = np.memmap(folder / f"{name}.lengths", dtype=shape["length"], mode="r", shape=(shape["tokens"],))
    return TokenStream(ids, lengths, shape["separator"])
