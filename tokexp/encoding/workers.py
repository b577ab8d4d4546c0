"""Encodes pieces of text in the order in which they come: a long text with all cores, in processes of their own."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import NamedTuple

import loky
import numpy as np

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
    parts = [_encode_text(tokenizer, raw, ends) for raw, ends in piece]
    if len(parts) == 1:
        return parts[0]
    ids, lengths = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    return Encoded(ids, lengths, sum(part.n_bytes for part in parts))


def _encode_text(tokenizer: Tokenizer, raw: bytes, ends_document: bool) -> Encoded:
    text = raw.decode()
    ids, spans = tokenizer.encode_with_spans(text)
    edges = np.array(spans, dtype=np.int64).reshape(-1, 2)
    check_spans(tokenizer, ids, edges, raw)
    lengths = edges[:, 1] - edges[:, 0]
    if ends_document:
        assert tokenizer.eos_id is not None, "asked before by `separator_of`"
        trailing = trailing_bytes(tokenizer, ids[-1], raw, spans[-1]) if ids else len(raw)
        lengths[-1:] -= trailing
        ids, lengths = [*ids, tokenizer.eos_id], np.append(lengths, trailing)
    return Encoded(np.array(ids, dtype=np.min_scalar_type(tokenizer.vocab_size - 1)), lengths, len(raw))
