"""Estimates what a text costs when every segmentation counts: every way to cut it into tokens.

A model over tokens gives probability to every segmentation of a text, and bits per byte count only
the canonical one, that of `encode`; they overstate what the text costs by log2(P(text) / P(canonical)).
Here that is estimated, by importance sampling, on excerpts of the held-out text.

Of an excerpt x with canonical tokens c, after canonical context:

    P(x) = P(c) + mean over draws s of P(s) / q(s)

How q draws is told in `proposal.py`. No draw is c, whose probability is known exactly: the estimate is
unbiased and never below P(c). Its logarithm is too small in expectation (Jensen), so the overstatement,
if anything, is understated.

Not good for: the cost of a whole text. A segmentation counts only if it has a boundary at both ends
of its excerpt: tokens that straddle an end are left out, and so is any other segmentation of the
context. The excerpts have half a block of context (less where the text begins), so `canonical_bpb`
is not `val_bpb`. Few draws may miss rare segmentations of much weight, which no error shows.

Source: Cao and Rimell (2021), "You should evaluate your language model on marginal likelihood over
tokenisations"; Chirkova et al. (2023), "Should you marginalize over possible tokenizations?".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tokexp.encoding.prepare import TokenizedCorpus
from tokexp.model.gpt import GPT
from tokexp.scoring.ngram import KneserNey
from tokexp.scoring.segmentations.excerpts import choose_excerpts
from tokexp.scoring.segmentations.proposal import weigh
from tokexp.tokenizer import Tokenizer

BIGRAM_TOKENS = 1 << 20  # of the training part, that the look-ahead learns from


@dataclass(frozen=True)
class Marginal:
    """Bits per byte of some excerpts of the held-out text: of the canonical segmentation, and of all.

    A run's result keeps the gain and its error alone: the two figures that it lies between are those of the
    excerpts, with less context than `val_bpb`, and must not be ranked.
    """

    canonical_bpb: float
    marginal_bpb: float
    gain_bpb: float  # canonical - marginal, never negative
    gain_error: float  # its standard error, over the choice of excerpts and of segmentations
    n_bytes: int  # of all excerpts


def marginal(
    model: GPT,
    tokenizer: Tokenizer,
    data: TokenizedCorpus,
    val_text_bytes: bytes,
    *,
    excerpts: int = 128,
    samples: int = 16,
    seed: int = 0,
) -> Marginal | None:
    """Estimate the marginal bits per byte on `excerpts` excerpts, with `samples` segmentations drawn of each.

    None for a lossy kind, for one whose tokens' bytes are not the text, where no excerpt can be cut in a
    second way, and for a text too short for two excerpts.

    The gain is a ratio of sums over the excerpts, gains g in bits over bytes b, and its error is that
    of such a ratio: sqrt(n / (n - 1) sum (g - gain b)^2) / sum b. Each excerpt has its own draws, so
    that their noise is in the spread between excerpts; evenly spread excerpts are taken as drawn at
    random. Jensen's bias is not in it.
    """
    if excerpts < 2 or samples < 1:
        raise ValueError(f"got excerpts={excerpts} and samples={samples}, expected at least 2 and 1")
    if not tokenizer.lossless:
        return None
    chosen = choose_excerpts(tokenizer, data, val_text_bytes, model.config.block_size, excerpts)
    if chosen is None or len(chosen) < 2 or all(excerpt.segmentations == 1 for excerpt in chosen):
        return None
    bigrams = KneserNey(data.train.ids[:BIGRAM_TOKENS].astype(np.int64), 2, model.config.vocab_size)
    log_p, log_weights = weigh(model, chosen, bigrams, samples, seed)
    log_others = np.logaddexp.reduce(log_weights, axis=1) - math.log(samples)
    gains = np.logaddexp(0, log_others - log_p) / math.log(2)
    lengths = np.array([excerpt.n_bytes for excerpt in chosen])
    n, n_bytes = len(chosen), int(lengths.sum())
    gain = float(gains.sum() / n_bytes)
    error = math.sqrt(n / (n - 1) * ((gains - gain * lengths) ** 2).sum()) / n_bytes
    canonical = float(-log_p.sum() / (math.log(2) * n_bytes))
    return Marginal(canonical, canonical - gain, gain, error, n_bytes)
