"""A corpus under a tokenizer: ids, the bytes that each stands for, and the batches of every step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokexp.config import InputError
from tokexp.corpus import Corpus
from tokexp.tokenizer.base import Tokenizer


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


@dataclass(frozen=True)
class TokenizedCorpus:
    train: TokenStream
    train_slice: TokenStream  # the beginning of train, as long as val: what a training loss is measured on
    val: TokenStream

    @property
    def context_id(self) -> int:
        """What stands before the held-out text: the last id of the training part."""
        return int(self.train.ids[-1])


def tokenize(corpus: Corpus, tokenizer: Tokenizer, block_size: int) -> TokenizedCorpus:
    """Encode both parts. Raises InputError for a text too short, ValueError for a tokenizer that lies."""
    train = encode_stream(tokenizer, corpus.train)
    if len(train) <= block_size:
        raise InputError(
            f"corpus {corpus.name}: the training part is {len(train)} tokens of kind {tokenizer.kind!r}, expected at "
            f"least {block_size + 1} for block_size={block_size}; give a longer text or a smaller model.block_size"
        )
    check_claim(tokenizer, corpus.val)
    val = encode_stream(tokenizer, corpus.val)
    return TokenizedCorpus(train, encode_stream(tokenizer, corpus.train[: len(corpus.val)]), val)


def encode_stream(tokenizer: Tokenizer, text: str) -> TokenStream:
    ids, spans = tokenizer.encode_with_spans(text)
    n_bytes = len(text.encode())
    if not ids:
        raise InputError(f"a text of {n_bytes} bytes has no tokens of kind {tokenizer.kind!r}; give a longer text")
    starts = np.array([start for start, _ in spans] + [n_bytes], dtype=np.int64)
    ends = np.array([end for _, end in spans], dtype=np.int64)
    assert starts[0] == 0, "the first span begins with the text"
    assert np.array_equal(starts[1:], ends), "spans tile the text"
    return TokenStream(np.array(ids, dtype=np.min_scalar_type(tokenizer.vocab_size - 1)), starts)


def check_claim(tokenizer: Tokenizer, text: str) -> None:
    """Raise ValueError where a tokenizer declares itself lossless and `text` shows that it is not."""
    if not tokenizer.lossless:
        return
    got = tokenizer.decode(tokenizer.encode(text))
    if got != text:
        at = next((i for i, (a, b) in enumerate(zip(got, text, strict=False)) if a != b), min(len(got), len(text)))
        raise ValueError(
            f"tokenizer kind {tokenizer.kind!r} declares itself lossless, but decode(encode(text)) differs from text "
            f"at character {at}: got {got[at : at + 20]!r}, expected {text[at : at + 20]!r}"
        )


def batch_offsets(seed: int, step: int, train_tokens: int, batch_size: int, block_size: int) -> np.ndarray:
    """Where the sequences of a step begin, (batch_size,) int64: a pure function of the seed and the step.

    Each sequence reads `block_size` ids from its offset and predicts those one further on.
    """
    return np.random.default_rng((seed, step)).integers(0, train_tokens - block_size, size=batch_size)
