"""Measures a tokenizer without a model, over a text that it did not learn from.

None of the figures says which tokenizer a model will do best with; whether one predicts it is a question for a
sweep, not an assumption.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from tokexp.encoding.stream import TokenStream
from tokexp.tokenizer.base import Tokenizer

BETWEEN_SPACES = re.compile(r"\S+")


@dataclass(frozen=True)
class IntrinsicFigures:
    """Figures of a tokenizer over a text, as a run's result has them. A word is what stands between white space."""

    bytes_per_token: float  # compression: length of the text over its tokens
    chars_per_token: float
    vocab_used: int  # different ids that the text has
    fertility: float  # mean tokens that a word takes part in; 1 is a word a token (Rust et al. 2021, tokens per word)
    words_split: float  # share of words that more than one token takes part in, from 0 to 1
    unk_rate: float  # share of tokens that are UNK
    byte_fallback_rate: float  # share of tokens that spell a byte of something unknown
    token_bytes_p10: float  # this and the next three: bytes that a token stands for, percentiles over the text
    token_bytes_p50: float
    token_bytes_p90: float
    token_bytes_max: int
    unigram_entropy: float  # -sum p log2 p of the ids' frequencies p, bits per token
    renyi_efficiency: float  # see `intrinsic`


def intrinsic(tokenizer: Tokenizer, text: str, stream: TokenStream) -> IntrinsicFigures:
    """The figures of `tokenizer` over `text`, which `stream` is in its ids.

    The Renyi efficiency is the entropy of order 2.5 of the ids' frequencies over the log of the full vocabulary,
    from 0 to 1 (Zouhar et al. 2023). It is high where frequencies are even. Two vocabularies of unlike size are
    not comparable by it.
    """
    stream = stream.without_separators()
    counts = np.bincount(stream.ids, minlength=tokenizer.vocab_size)
    p = counts[counts > 0] / len(stream)
    lengths = np.asarray(stream.lengths)
    p10, p50, p90 = np.percentile(lengths, [10, 50, 90])
    tokens = tokens_per_word(text, stream)
    unk = None if tokenizer.lossless else tokenizer.unk_id
    return IntrinsicFigures(
        vocab_used=int((counts > 0).sum()),
        bytes_per_token=stream.n_bytes / len(stream),
        chars_per_token=len(text) / len(stream),
        fertility=float(tokens.mean()),
        words_split=float((tokens > 1).mean()),
        unk_rate=0.0 if unk is None else float(counts[unk] / len(stream)),
        byte_fallback_rate=float(counts[tokenizer.fallback_ids()].sum() / len(stream)),
        token_bytes_p10=float(p10),
        token_bytes_p50=float(p50),
        token_bytes_p90=float(p90),
        token_bytes_max=int(lengths.max()),
        unigram_entropy=float(-(p * np.log2(p)).sum()),
        renyi_efficiency=renyi_entropy(p, 2.5) / math.log2(tokenizer.vocab_size),
    )


def renyi_entropy(p: np.ndarray, order: float) -> float:
    """log2(sum p^order) / (1 - order), in bits, of probabilities `p`."""
    return float(np.log2((p**order).sum()) / (1 - order))


def tokens_per_word(text: str, stream: TokenStream) -> np.ndarray:
    """The number of tokens that stand for bytes of each word of `text`, (words,) int."""
    byte_at = np.concatenate([[0], np.cumsum([len(char.encode()) for char in text])])
    spans = np.array([match.span() for match in BETWEEN_SPACES.finditer(text)]).reshape(-1, 2)
    starts, ends = byte_at[spans[:, 0]], byte_at[spans[:, 1]]
    first = np.searchsorted(stream.starts, starts, side="right") - 1
    last = np.searchsorted(stream.starts, ends, side="left") - 1
    return last - first + 1
