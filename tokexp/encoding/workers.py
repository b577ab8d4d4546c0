"""Encodes pieces of text in the order in which they come: a long text with all cores, in processes of their own."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

import loky
import numpy as np

from tokexp.config import InputError
from tokexp.encoding.checks import check_spans
from tokexp.encoding.ends import trailing_bytes
from tokexp.system.provenance import cores, workers
from tokexp.tokenizer import Tokenizer, tokenizer_of_json

ALONE = 16 << 20  # bytes of a text that one process encodes by itself: the others would take two seconds to begin
AHEAD = 4  # pieces for each process that wait for their turn

Piece = list[tuple[bytes, bool]]  # texts, and of each whether a document ends with it


class Encoded(NamedTuple):
    """A piece under a tokenizer."""

    ids: np.ndarray  # (tokens,)
    lengths: np.ndarray  # (tokens,) int64, in bytes
    n_bytes: int  # of the piece: more than its tokens stand for where it has none


def in_order(tokenizer: Tokenizer, pieces: Iterable[Piece], n_bytes: int) -> Iterator[Encoded]:
    """Encode each of `pieces`, which have `n_bytes` in all."""
    processes = max(1, cores() // workers())
    if n_bytes <= ALONE or processes == 1:
        yield from (encode_piece(tokenizer, piece) for piece in pieces)
        return
    saved = {"kind": tokenizer.kind, **tokenizer.to_json()}
    executor = loky.ProcessPoolExecutor(processes, initializer=_begin, initargs=(saved,))
    try:
        pieces = iter(pieces)
        waiting: deque[Future[Encoded]] = deque(
            executor.submit(_encode, piece) for piece in itertools.islice(pieces, AHEAD * processes)
        )
        while waiting:
            encoded = waiting.popleft().result()
            waiting.extend(executor.submit(_encode, piece) for piece in itertools.islice(pieces, 1))
            yield encoded
    finally:
        executor.shutdown(wait=True, kill_workers=True)


_TOKENIZER: list[Tokenizer] = []  # of a process that encodes for another


def _begin(saved: dict[str, object]) -> None:
    _TOKENIZER[:] = [tokenizer_of_json(saved)]


def _encode(piece: Piece) -> Encoded:
    return encode_piece(_TOKENIZER[0], piece)


def encode_piece(tokenizer: Tokenizer, piece: Piece) -> Encoded:
    """The ids of a piece, a separator after each document, and the bytes that each stands for.

    White space that a lossy kind drops is that of the token after it. At the end of a document that is its separator,
    which otherwise stands for no byte; at the end of a single text its last token.
    """
    written = tokenizer.token_bytes()
    encode = _WritesAll(tokenizer, written) if tokenizer.lossless else partial(_by_spans, tokenizer)
    ids, lengths = [], []
    for raw, ends_document in piece:
        of_ids, of_lengths = encode(raw)
        if ends_document:
            assert tokenizer.eos_id is not None, "asked before by `separator_of`"
            if (of_ids == tokenizer.eos_id).any():
                raise InputError(
                    f"tokenizer kind {tokenizer.kind!r}: got its end-of-text token, id {tokenizer.eos_id}, from the "
                    "text of a document, expected it after one only; take its name out of the text, or use another kind"
                )
            trailing = len(raw) - int(of_lengths.sum())
            if len(of_ids):
                trailing += trailing_bytes(tokenizer, int(of_ids[-1]), raw, len(raw) - int(of_lengths[-1]))
            of_lengths[-1:] -= trailing
            of_ids, of_lengths = np.append(of_ids, tokenizer.eos_id), np.append(of_lengths, trailing)
        ids.append(of_ids)
        lengths.append(of_lengths)
    kind = np.min_scalar_type(len(written) - 1)
    return Encoded(np.concatenate(ids).astype(kind), np.concatenate(lengths), sum(len(raw) for raw, _ in piece))


class _WritesAll:
    """Encodes texts by a kind that is lossless: what its tokens write, end to end, must be the text."""

    def __init__(self, tokenizer: Tokenizer, written: list[bytes]) -> None:
        self._tokenizer, self._written = tokenizer, written
        self._lengths = np.array(list(map(len, written)), dtype=np.int64)

    def __call__(self, raw: bytes) -> tuple[np.ndarray, np.ndarray]:
        ids = self._tokenizer.encode_array(raw.decode())
        if b"".join(map(self._written.__getitem__, ids.tolist())) != raw:
            return _by_spans(self._tokenizer, raw)  # which says what is wrong with it
        return ids, self._lengths[ids]


def _by_spans(tokenizer: Tokenizer, raw: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The ids of a text and the length of the span of each, checked."""
    ids, spans = tokenizer.encode_with_spans(raw.decode())
    edges = np.array(spans, dtype=np.int64).reshape(-1, 2)
    check_spans(tokenizer, ids, edges, raw)
    return np.array(ids, dtype=np.uint32), edges[:, 1] - edges[:, 0]
