"""Canonical or all segmentations: what a text costs when every way to cut it into tokens counts.

A model over tokens gives probability to every segmentation of a text, and bits per byte count only
the canonical one, that of `encode`; they overstate what the text costs by log2(P(text) / P(canonical)).
Here that is estimated, by importance sampling, on stretches of the held-out text.

Of a stretch x with canonical tokens c, after canonical context:

    P(x) = P(c) + mean over draws s of P(s) / q(s)

q draws token by token: among the tokens that lie in x and from whose end its end can be reached, in
proportion to the model's probability, times the square root of what a bigram model of the training
tokens gives the bytes after it over all ways to cut them (without that look-ahead most draws end in
cuts that the model finds all but impossible). While the tokens drawn are the first ones of c, the next one of c is
weighted by the chance that the draw still leaves c after it. So no draw is c, whose probability is
known exactly: the estimate is unbiased and never below P(c). Its logarithm is too small in
expectation (Jensen), so the overstatement, if anything, is understated.

Not good for: the cost of a whole text. A segmentation counts only if it has a boundary at both ends
of its stretch: tokens that straddle an end are left out, and so is any other segmentation of the
context. The stretches have half a block of context (less where the text begins), so `canonical_bpb`
is not `val_bpb`. Few draws may miss rare segmentations of much weight, which no error shows.

Source: Cao and Rimell (2021), "You should evaluate your language model on marginal likelihood over
tokenisations"; Chirkova et al. (2023), "Should you marginalize over possible tokenizations?".
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tokexp.encoding.prepare import TokenizedCorpus
from tokexp.model.gpt import GPT, KVCache
from tokexp.scoring.ngram import KneserNey
from tokexp.tokenizer import Tokenizer

FLOATS_AT_ONCE = 1 << 27  # logits and cached keys and values held in memory: about half a gigabyte
BIGRAM_TOKENS = 1 << 20  # of the training part, that the look-ahead learns from


@dataclass(frozen=True)
class Marginal:
    """Bits per byte of some stretches of the held-out text: of the canonical segmentation, and of all."""

    canonical_bpb: float
    marginal_bpb: float
    gain_bpb: float  # canonical - marginal, never negative
    gain_error: float  # its standard error, over the choice of stretches and of segmentations
    n_bytes: int  # of all stretches


@dataclass(frozen=True)
class Stretch:
    """A run of canonical tokens, and every way to cut its bytes."""

    context: np.ndarray  # (C,) int64, the canonical ids before it
    ids: np.ndarray  # (tokens,) int64, its canonical ids
    starts: np.ndarray  # (tokens,) int64, the byte of the stretch at which each begins
    matches: list[list[tuple[int, int]]]  # by byte: (id, end) of each token that a segmentation can have there
    segmentations: int  # how many there are, the canonical one included

    @property
    def n_bytes(self) -> int:
        return len(self.matches)


def marginal(
    model: GPT,
    tokenizer: Tokenizer,
    data: TokenizedCorpus,
    val_text_bytes: bytes,
    *,
    stretches: int = 128,
    samples: int = 16,
    seed: int = 0,
) -> Marginal | None:
    """Estimate the marginal bits per byte on `stretches` stretches, with `samples` segmentations drawn of each.

    None for a lossy kind, for one whose tokens' bytes are not the text, where no stretch can be cut in a
    second way, and for a text too short for two stretches.

    The gain is a ratio of sums over the stretches, gains g in bits over bytes b, and its error is that
    of such a ratio: sqrt(n / (n - 1) sum (g - gain b)^2) / sum b. Each stretch has its own draws, so
    that their noise is in the spread between stretches; evenly spread stretches are taken as drawn at
    random. Jensen's bias is not in it.
    """
    if stretches < 2 or samples < 1:
        raise ValueError(f"got stretches={stretches} and samples={samples}, expected at least 2 and 1")
    if not tokenizer.lossless:
        return None
    chosen = choose(tokenizer, data, val_text_bytes, model.config.block_size, stretches)
    if chosen is None or len(chosen) < 2 or all(stretch.segmentations == 1 for stretch in chosen):
        return None
    bigrams = KneserNey(data.train.ids[:BIGRAM_TOKENS].astype(np.int64), 2, model.config.vocab_size)
    log_p, log_weights = weigh(model, chosen, bigrams, samples, seed)
    log_others = np.logaddexp.reduce(log_weights, axis=1) - math.log(samples)
    gains = np.logaddexp(0, log_others - log_p) / math.log(2)
    lengths = np.array([stretch.n_bytes for stretch in chosen])
    n, n_bytes = len(chosen), int(lengths.sum())
    gain = float(gains.sum() / n_bytes)
    error = math.sqrt(n / (n - 1) * ((gains - gain * lengths) ** 2).sum()) / n_bytes
    canonical = float(-log_p.sum() / (math.log(2) * n_bytes))
    return Marginal(canonical, canonical - gain, gain, error, n_bytes)


def choose(
    tokenizer: Tokenizer, data: TokenizedCorpus, text: bytes, block_size: int, count: int
) -> list[Stretch] | None:
    """At most `count` stretches, spread evenly over the held-out text, none overlapping another.

    Each is as many canonical tokens as lie in half a block of bytes, so that it fits the window even byte
    by byte; the other half is context. A token longer than that begins none. None where the bytes of the
    tokens are not the text.
    """
    stream = data.val
    if len(text) != stream.n_bytes:
        raise ValueError(f"got a text of {len(text)} bytes, expected the {stream.n_bytes} that were encoded")
    longest = block_size // 2
    if longest == 0:
        return []
    count = min(count, stream.n_bytes // longest)
    firsts = [int(np.searchsorted(stream.starts, i * stream.n_bytes // count)) for i in range(count)]
    written = tokenizer.token_bytes()
    ids_of: dict[bytes, list[int]] = defaultdict(list)
    for i, piece in enumerate(written):
        if piece:
            ids_of[piece].append(i)
    lengths = sorted({len(piece) for piece in ids_of})

    found = []
    for first, following in itertools.pairwise([*firsts, len(stream)]):
        fitting = int(np.searchsorted(stream.starts, stream.starts[first] + longest, side="right")) - 1
        end = min(fitting, following)
        if end <= first:
            continue
        ids, edges = stream.ids[first:end].astype(np.int64), stream.starts[first : end + 1]
        own_text = text[edges[0] : edges[-1]]
        if b"".join([written[i] for i in ids]) != own_text:
            return None
        room = block_size - longest
        context = np.concatenate([[data.context_id], stream.ids[max(0, first - room) : first].astype(np.int64)])
        matches, segmentations = all_matches(own_text, ids_of, lengths)
        found.append(Stretch(context[-room:], ids, edges[:-1] - edges[0], matches, segmentations))
    return found


def all_matches(
    text: bytes, ids_of: dict[bytes, list[int]], lengths: list[int]
) -> tuple[list[list[tuple[int, int]]], int]:
    """By byte of `text`, (id, end) of each token that begins there and need not be a dead end; the number of ways."""
    ways = [0] * len(text) + [1]  # to cut what lies from here to the end
    matches: list[list[tuple[int, int]]] = [[] for _ in text]
    for at in reversed(range(len(text))):
        for end in (at + length for length in lengths if at + length <= len(text)):
            if ways[end]:
                here = ids_of.get(text[at:end], [])
                matches[at] += [(i, end) for i in here]
                ways[at] += len(here) * ways[end]
    return matches, ways[0]


def look_ahead(matches: list[list[tuple[int, int]]], bigrams: KneserNey) -> list[list[float]]:
    """By byte and match: ln of what `bigrams` gives the bytes after it, over all ways to cut them, halved.

    Halved, since a bigram model is too sure: where the model is of another mind, draws would miss most of it.
    """
    backward = [(at, i, end) for at in reversed(range(len(matches))) for i, end in matches[at]]
    pairs = [(i, following) for _, i, end in backward for following, _ in (matches[end] if end < len(matches) else [])]
    bits = bigrams.bits(np.array(pairs, dtype=np.int64).ravel(), np.empty(0, dtype=np.int64))[1::2]
    steps = iter((bits * -math.log(2)).tolist())
    ahead: list[list[float]] = [[] for _ in matches]
    for at, _, end in backward:
        if end == len(matches):
            ahead[at].append(0.0)
        else:
            ahead[at].append(float(np.logaddexp.reduce([next(steps) + rest for rest in ahead[end]])))
    return [[log_p / 2 for log_p in here] for here in ahead]


@torch.no_grad()
def weigh(
    model: GPT, stretches: list[Stretch], bigrams: KneserNey, samples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """ln P of each stretch's canonical segmentation (N,), and ln P / q of the others drawn (N, samples).

    -inf where there is nothing else to draw. `stretches` in the order of the text; `bigrams` of the kind's ids.
    """
    config = model.config
    held = 2 * config.n_layer * config.n_embd * config.block_size  # keys and values of a row
    rows = max(1, FLOATS_AT_ONCE // (held + config.vocab_size))
    most = max(1, min(rows // samples, FLOATS_AT_ONCE // (held + config.block_size * config.vocab_size)))
    rng = np.random.default_rng(seed)
    log_p, log_weights = [], []
    was_training = model.training
    model.eval()
    try:
        for _, same in itertools.groupby(stretches, key=lambda stretch: len(stretch.context)):
            group = list(same)
            for i in range(0, len(group), most):
                proposal = Proposal(model, group[i : i + most], bigrams)
                log_p.append(proposal.log_p)
                log_weights.append(proposal.draw(samples, rows, rng))
    finally:
        model.train(was_training)
    return np.concatenate(log_p), np.concatenate(log_weights)


class Proposal:
    """q for N stretches that have equally many tokens of context.

    N stretches, R rows (draws), L bytes of the longest stretch, M matches at most at a byte.
    """

    def __init__(self, model: GPT, stretches: list[Stretch], bigrams: KneserNey) -> None:
        """One pass of the model over the canonical tokens."""
        self._model = model
        self._device = next(model.parameters()).device
        self._lengths = np.array([stretch.n_bytes for stretch in stretches])
        N, C, L = len(stretches), len(stretches[0].context), self._lengths.max()
        M = max(len(here) for stretch in stretches for here in stretch.matches)
        self._ids_NLM = np.zeros((N, L, M), dtype=np.int64)
        self._ends_NLM = np.zeros((N, L, M), dtype=np.int64)  # 0 where there is no match
        self._ahead_NLM = np.zeros((N, L, M))
        tokens = np.zeros((N, C + max(len(stretch.ids) for stretch in stretches) - 1), dtype=np.int64)
        for i, stretch in enumerate(stretches):
            read = np.concatenate([stretch.context, stretch.ids[:-1]])
            tokens[i, : len(read)] = read
            for at, (here, ahead) in enumerate(zip(stretch.matches, look_ahead(stretch.matches, bigrams), strict=True)):
                if here:
                    self._ids_NLM[i, at, : len(here)], self._ends_NLM[i, at, : len(here)] = zip(*here, strict=True)
                    self._ahead_NLM[i, at, : len(here)] = ahead

        self._context, self._context_length = self._new_cache(N), C
        logits = model(torch.from_numpy(tokens).to(self._device), self._context)[:, C - 1 :]
        self.log_p = np.empty(N)  # of the canonical segmentation
        self._begin_NM = np.empty((N, M))  # ln P of the matches at the first byte
        self._own_NL = np.zeros((N, L), dtype=int)  # which match the t-th canonical token is
        leave = np.zeros((N, L + 1))  # chance that a draw leaves the canonical tokens at t or later
        for i, stretch in enumerate(stretches):
            t = np.arange(len(stretch.ids))
            matches = self._log_p(logits[i, : len(t)], np.full(len(t), i), stretch.starts)
            own = (self._ids_NLM[i, stretch.starts] == stretch.ids[:, None]).argmax(axis=1)
            self.log_p[i] = matches[t, own].sum()
            self._begin_NM[i], self._own_NL[i, : len(t)] = matches[0], own
            log_q = matches + self._ahead_NLM[i, stretch.starts]
            q = np.exp(log_q - np.logaddexp.reduce(log_q, axis=1)[:, None])
            stay = q[t, own]
            q[t, own] = 0  # and the rest is summed: 1 - stay would lose small chances
            for k in reversed(t):
                leave[i, k] = q[k].sum() + stay[k] * leave[i, k + 1]
        with np.errstate(divide="ignore"):
            self._log_leave_NL = np.log(leave)

    def draw(self, samples: int, rows_at_once: int, rng: np.random.Generator) -> np.ndarray:
        """ln P / q of `samples` segmentations of each stretch, none of them canonical: (N, samples)."""
        can_leave = np.flatnonzero(self._log_leave_NL[:, 0] > -np.inf)
        rows = np.repeat(can_leave, samples)
        parts = [self._draw(rows[i : i + rows_at_once], rng) for i in range(0, len(rows), rows_at_once)]
        log_weights = np.full((len(self._lengths), samples), -np.inf)
        if parts:
            log_weights[can_leave] = np.concatenate(parts).reshape(-1, samples)
        return log_weights

    def _draw(self, row: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """ln P / q of one segmentation of each stretch in `row` (R,). All advance together, a token a step."""
        cache = self._new_cache(len(row))
        of_row = torch.from_numpy(row).to(self._device)
        for (keys, values), (old_keys, old_values) in zip(cache.layers, self._context.layers, strict=True):
            keys[:, :, : self._context_length] = old_keys[of_row, :, : self._context_length]
            values[:, :, : self._context_length] = old_values[of_row, :, : self._context_length]
        cache.length = self._context_length

        at = np.zeros(len(row), dtype=np.int64)  # bytes cut
        canonical = np.ones(len(row), dtype=bool)  # so far
        log_weight = np.zeros(len(row))
        live, log_p = np.arange(len(row)), self._begin_NM[row]
        for t in range(self._own_NL.shape[1]):
            stretch, first, every = row[live], at[live], np.arange(len(live))
            own = self._own_NL[stretch, t]
            log_q = log_p + self._ahead_NLM[stretch, first]
            log_q[every, own] += np.where(canonical[live], self._log_leave_NL[stretch, t + 1], 0)
            log_q -= np.logaddexp.reduce(log_q, axis=1)[:, None]
            pick = (log_q + rng.gumbel(size=log_q.shape)).argmax(axis=1)  # a draw from q (Gumbel 1954)
            log_weight[live] += log_p[every, pick] - log_q[every, pick]
            canonical[live] &= pick == own
            at[live] = self._ends_NLM[stretch, first, pick]
            tokens = np.zeros((len(row), 1), dtype=np.int64)  # a row that is done reads id 0, to no effect
            tokens[live, 0] = self._ids_NLM[stretch, first, pick]
            live = np.flatnonzero(at < self._lengths[row])
            if not len(live):
                break
            logits = self._model(torch.from_numpy(tokens).to(self._device), cache)[:, -1]
            log_p = self._log_p(logits[torch.from_numpy(live).to(self._device)], row[live], at[live])
        assert not len(live), "a stretch has no more tokens than bytes"
        return log_weight

    def _log_p(self, logits_BV: Tensor, stretch: np.ndarray, at: np.ndarray) -> np.ndarray:
        """ln P of the matches at byte `at` (B,) of `stretch` (B,): (B, M) float64, -inf where there is none."""
        logits_BV = logits_BV.float()
        ids_BM = torch.from_numpy(self._ids_NLM[stretch, at]).to(self._device)
        log_p = logits_BV.gather(1, ids_BM) - logits_BV.logsumexp(dim=1, keepdim=True)
        return np.where(self._ends_NLM[stretch, at] > 0, log_p.cpu().double().numpy(), -np.inf)

    def _new_cache(self, rows: int) -> KVCache:
        return KVCache(self._model.config, rows, next(self._model.parameters()))
