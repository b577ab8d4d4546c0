"""Encodes pieces of text in the order in which they come: a long text with all cores, in processes of their own."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
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
Tokens = tuple[np.ndarray, np.ndarray]  # the ids of a text, and the bytes that each stands for


class Encoded(NamedTuple):
    """A piece under a tokenizer."""

    ids: np.ndarray  # (tokens,)
    lengths: np.ndarray  # (tokens,) uint32, in bytes
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
    texts = [raw for raw, _ in piece]
    encoded = _by_bytes(tokenizer, texts) if tokenizer.lossless else [_by_spans(tokenizer, raw) for raw in texts]
    ids, lengths = [], []
    for (raw, ends_document), (of_ids, of_lengths) in zip(piece, encoded, strict=True):
        if ends_document:
            of_ids, of_lengths = _with_separator(tokenizer, raw, of_ids, of_lengths)
        ids.append(of_ids)
        lengths.append(of_lengths)
    kind = np.min_scalar_type(tokenizer.vocab_size - 1)
    lengths_of_all = np.concatenate(lengths).astype(np.uint32)
    return Encoded(np.concatenate(ids).astype(kind), lengths_of_all, sum(map(len, texts)))


def _with_separator(tokenizer: Tokenizer, raw: bytes, ids: np.ndarray, lengths: np.ndarray) -> Tokens:
    """The ids and lengths of a document with its end."""
    assert tokenizer.eos_id is not None, "asked before by `separator_of`"
    if (ids == tokenizer.eos_id).any():
        raise InputError(
            f"tokenizer kind {tokenizer.kind!r}: got its end-of-text token, id {tokenizer.eos_id}, from the "
            "text of a document, expected it after one only; take its name out of the text, or use another kind"
        )
    trailing = len(raw) - int(lengths.sum())
    if len(ids):
        trailing += trailing_bytes(tokenizer, int(ids[-1]), raw, len(raw) - int(lengths[-1]))
    kept = np.append(lengths[:-1], lengths[-1:] - trailing)
    return np.append(ids, tokenizer.eos_id), np.append(kept, trailing)


def _by_bytes(tokenizer: Tokenizer, texts: list[bytes]) -> list[Tokens]:
    """Texts under a kind that is lossless: what its tokens write, end to end, must be the texts."""
    each = tokenizer.encode_arrays([raw.decode() for raw in texts])
    written = tokenizer.token_bytes()
    of_token = np.array(list(map(len, written)))
    ids = np.concatenate(each)
    lengths = of_token[ids]
    edges = np.cumsum(lengths)
    n_bytes = int(edges[-1]) if len(edges) else 0
    begins = np.cumsum(of_token) - of_token  # of each token in all that tokens write
    at = np.arange(n_bytes) + np.repeat(begins[ids] - (edges - lengths), lengths)
    writes = np.frombuffer(b"".join(written), dtype=np.uint8)[at]
    encoded = [(one, of_token[one]) for one in each]
    whole = all(int(of_text.sum()) == len(raw) for raw, (_, of_text) in zip(texts, encoded, strict=True))
    if not whole or not np.array_equal(writes, np.frombuffer(b"".join(texts), dtype=np.uint8)):
        return [_by_spans(tokenizer, raw) for raw in texts]  # which says what is wrong
    return encoded


def _by_spans(tokenizer: Tokenizer, raw: bytes) -> Tokens:
    """The ids of a text and the length of the span of each, checked."""
    ids, spans = tokenizer.encode_with_spans(raw.decode())
    edges = np.array(spans, dtype=np.int64).reshape(-1, 2)
    check_spans(tokenizer, ids, edges, raw)
    return np.array(ids, dtype=np.uint32), edges[:, 1] - edges[:, 0]
