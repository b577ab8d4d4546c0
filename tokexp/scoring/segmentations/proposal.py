"""Draws segmentations of an excerpt, other than the canonical one, and weighs them by their probability.

q draws token by token: among the tokens that lie in the excerpt and from whose end its end can be
reached, in proportion to the model's probability, times the square root of what a bigram model of the
training tokens gives the bytes after it over all ways to cut them (without that look-ahead most draws
end in cuts that the model finds all but impossible). While the tokens drawn are the first ones of the
canonical segmentation, its next one is weighted by the chance that the draw still leaves it later. So no
draw is the canonical segmentation.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch import Tensor

from tokexp.model.gpt import GPT, KVCache
from tokexp.scoring.ngram import KneserNey
from tokexp.scoring.segmentations.excerpts import Excerpt, Matches
from tokexp.system.meter import Meter

FLOATS_AT_ONCE = 1 << 27  # logits and cached keys and values held in memory: about half a gigabyte


def look_ahead(matches: Matches, bigrams: KneserNey) -> list[list[float]]:
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
    model: GPT, excerpts: list[Excerpt], bigrams: KneserNey, samples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """ln P of each excerpt's canonical segmentation (N,), and ln P / q of the others drawn (N, samples).

    -inf where there is nothing else to draw. `excerpts` in the order of the text; `bigrams` of the kind's ids.
    """
    config = model.config
    held = 2 * config.n_layer * config.n_embd * config.block_size  # keys and values of a row
    rows = max(1, FLOATS_AT_ONCE // (held + config.vocab_size))
    most = max(1, min(rows // samples, FLOATS_AT_ONCE // (held + config.block_size * config.vocab_size)))
    rng = np.random.default_rng(seed)
    log_p, log_weights = [], []
    meter = Meter("drawing other segmentations", len(excerpts))
    was_training = model.training
    model.eval()
    try:
        for _, same in itertools.groupby(excerpts, key=lambda excerpt: len(excerpt.context)):
            group = list(same)
            for i in range(0, len(group), most):
                meter.advance(len(group[i : i + most]))
                proposal = Proposal(model, group[i : i + most], bigrams)
                log_p.append(proposal.log_p)
                log_weights.append(proposal.draw(samples, rows, rng))
    finally:
        model.train(was_training)
    return np.concatenate(log_p), np.concatenate(log_weights)


class Proposal:
    """q for N excerpts that have equally many tokens of context.

    N excerpts, R rows (draws), L bytes of the longest excerpt, M matches at most at a byte.
    """

    def __init__(self, model: GPT, excerpts: list[Excerpt], bigrams: KneserNey) -> None:
        """One pass of the model over the canonical tokens."""
        self._model = model
        self._device = next(model.parameters()).device
        self._lengths = np.array([excerpt.n_bytes for excerpt in excerpts])
        N, C, L = len(excerpts), len(excerpts[0].context), self._lengths.max()
        M = max(len(here) for excerpt in excerpts for here in excerpt.matches)
        self._ids_NLM = np.zeros((N, L, M), dtype=np.int64)
        self._ends_NLM = np.zeros((N, L, M), dtype=np.int64)  # 0 where there is no match
        self._ahead_NLM = np.zeros((N, L, M))
        tokens = np.zeros((N, C + max(len(excerpt.ids) for excerpt in excerpts) - 1), dtype=np.int64)
        for i, excerpt in enumerate(excerpts):
            read = np.concatenate([excerpt.context, excerpt.ids[:-1]])
            tokens[i, : len(read)] = read
            for at, (here, ahead) in enumerate(zip(excerpt.matches, look_ahead(excerpt.matches, bigrams), strict=True)):
                if here:
                    self._ids_NLM[i, at, : len(here)], self._ends_NLM[i, at, : len(here)] = zip(*here, strict=True)
                    self._ahead_NLM[i, at, : len(here)] = ahead

        self._context, self._context_length = self._new_cache(N), C
        logits = model(torch.from_numpy(tokens).to(self._device), self._context)[:, C - 1 :]
        self.log_p = np.empty(N)  # of the canonical segmentation
        self._begin_NM = np.empty((N, M))  # ln P of the matches at the first byte
        self._canonical_NL = np.zeros((N, L), dtype=int)  # which match the t-th canonical token is
        leave = np.zeros((N, L + 1))  # chance that a draw leaves the canonical tokens at t or later
        for i, excerpt in enumerate(excerpts):
            t = np.arange(len(excerpt.ids))
            log_p = self._log_p(logits[i, : len(t)], np.full(len(t), i), excerpt.starts)
            canonical = (self._ids_NLM[i, excerpt.starts] == excerpt.ids[:, None]).argmax(axis=1)
            self.log_p[i] = log_p[t, canonical].sum()
            self._begin_NM[i], self._canonical_NL[i, : len(t)] = log_p[0], canonical
            log_q = log_p + self._ahead_NLM[i, excerpt.starts]
            q = np.exp(log_q - np.logaddexp.reduce(log_q, axis=1)[:, None])
            stay = q[t, canonical]
            q[t, canonical] = 0  # and the rest is summed: 1 - stay would lose small chances
            for k in reversed(t):
                leave[i, k] = q[k].sum() + stay[k] * leave[i, k + 1]
        with np.errstate(divide="ignore"):
            self._log_leave_NL = np.log(leave)

    def draw(self, samples: int, rows_at_once: int, rng: np.random.Generator) -> np.ndarray:
        """ln P / q of `samples` segmentations of each excerpt, none of them canonical: (N, samples)."""
        can_leave = np.flatnonzero(self._log_leave_NL[:, 0] > -np.inf)
        rows = np.repeat(can_leave, samples)
        drawn = [self._draw(rows[i : i + rows_at_once], rng) for i in range(0, len(rows), rows_at_once)]
        log_weights = np.full((len(self._lengths), samples), -np.inf)
        if drawn:
            log_weights[can_leave] = np.concatenate(drawn).reshape(-1, samples)
        return log_weights

    def _draw(self, row: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """ln P / q of one segmentation of each excerpt in `row` (R,). All rows advance at once, a token a step."""
        cache = self._new_cache(len(row))
        cache.copy(self._context, torch.from_numpy(row).to(self._device), self._context_length)

        at = np.zeros(len(row), dtype=np.int64)  # bytes cut
        canonical = np.ones(len(row), dtype=bool)  # so far
        log_weight = np.zeros(len(row))
        live, log_p = np.arange(len(row)), self._begin_NM[row]
        for t in range(self._canonical_NL.shape[1]):
            excerpt, first, every = row[live], at[live], np.arange(len(live))
            stay = self._canonical_NL[excerpt, t]
            log_q = log_p + self._ahead_NLM[excerpt, first]
            log_q[every, stay] += np.where(canonical[live], self._log_leave_NL[excerpt, t + 1], 0)
            log_q -= np.logaddexp.reduce(log_q, axis=1)[:, None]
            pick = (log_q + rng.gumbel(size=log_q.shape)).argmax(axis=1)  # a draw from q (Gumbel 1954)
            log_weight[live] += log_p[every, pick] - log_q[every, pick]
            canonical[live] &= pick == stay
            at[live] = self._ends_NLM[excerpt, first, pick]
            tokens = np.zeros((len(row), 1), dtype=np.int64)  # a row that is done reads id 0, to no effect
            tokens[live, 0] = self._ids_NLM[excerpt, first, pick]
            live = np.flatnonzero(at < self._lengths[row])
            if not len(live):
                break
            logits = self._model(torch.from_numpy(tokens).to(self._device), cache)[:, -1]
            log_p = self._log_p(logits[torch.from_numpy(live).to(self._device)], row[live], at[live])
        assert not len(live), "an excerpt has no more tokens than bytes"
        return log_weight

    def _log_p(self, logits_BV: Tensor, excerpt: np.ndarray, at: np.ndarray) -> np.ndarray:
        """ln P of the matches at byte `at` (B,) of `excerpt` (B,): (B, M) float64, -inf where there is none."""
        logits_BV = logits_BV.float()
        ids_BM = torch.from_numpy(self._ids_NLM[excerpt, at]).to(self._device)
        log_p = logits_BV.gather(1, ids_BM) - logits_BV.logsumexp(dim=1, keepdim=True)
        return np.where(self._ends_NLM[excerpt, at] > 0, log_p.cpu().double().numpy(), -np.inf)

    def _new_cache(self, rows: int) -> KVCache:
        return KVCache(self._model.config, rows, next(self._model.parameters()))
