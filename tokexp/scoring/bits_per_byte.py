"""Scores every byte of a text exactly once, under any tokenizer: bits per byte."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from tokexp.encoding.stream import TokenStream
from tokexp.model.gpt import GPT
from tokexp.scoring.blocks import by_block

TOKENS_AT_ONCE = 8192  # logits of this many tokens are held in memory, of a vocabulary of over 8,192 of fewer
LOGITS_AT_ONCE = 1 << 26  # 256 MB


@dataclass(frozen=True)
class Score:
    """The cost of a text under a model, and its ratios: of sums, divided once."""

    token_nats: np.ndarray  # (tokens,) float64
    stream: TokenStream

    @property
    def nats(self) -> float:
        return float(self.block_nats.sum())

    @cached_property
    def block_nats(self) -> np.ndarray:
        """(64,) float64, by the block of each token's first byte."""
        return by_block(self.token_nats, self.stream.starts)

    @property
    def loss(self) -> float:
        """Nats per token: comparable only within one tokenizer."""
        return self.nats / len(self.stream)

    @property
    def bits_per_byte(self) -> float:
        return self.nats / (math.log(2) * self.stream.n_bytes)


def score(model: GPT, context_id: int, stream: TokenStream, *, sliding: bool = False) -> Score:
    """Score `stream` after `context_id`: every id is a target once, and so is every byte."""
    return Score(token_nats(model, context_id, stream.ids, sliding=sliding), stream)


class Window(NamedTuple):
    """The tokens that a model reads at once: inputs [context_id, *ids][first:end], targets ids[first:end]."""

    first: int
    new: int  # the targets that are scored here: ids[new:end]
    end: int


def windows(tokens: int, block_size: int, *, sliding: bool = False) -> list[Window]:
    """Windows of block_size inputs, end to end, the last one short: every id is scored in exactly one.

    With `sliding` a window advances by half a block and scores only its new half, so that every
    target but the first ones has at least half a block of context.
    """
    overlap = block_size // 2 if sliding else 0
    cut: list[Window] = []
    scored = 0
    while scored < tokens:
        first = max(0, scored - overlap)
        cut.append(Window(first, scored, min(first + block_size, tokens)))
        scored = cut[-1].end
    return cut


def predictions(
    model: GPT, context_id: int, ids: np.ndarray, *, sliding: bool = False
) -> Iterator[tuple[list[Window], torch.Tensor, torch.Tensor]]:
    """The windows of `ids`, some at a time and in order, with their logits (B, T, V) float32 and targets (B, T).

    Drop the logits before asking for the next ones: there may be a gigabyte of them.
    """
    T = model.config.block_size
    device = next(model.parameters()).device
    stream = torch.from_numpy(np.concatenate([[context_id], ids.astype(np.int64)])).to(device)
    was_training = model.training
    model.eval()
    try:
        at_once = min(TOKENS_AT_ONCE, LOGITS_AT_ONCE // model.config.vocab_size) // T or 1
        for group in _equally_long(windows(len(ids), T, sliding=sliding), at_once):
            rows = torch.stack([stream[first : end + 1] for first, _, end in group])
            yield group, _logits(model, rows[:, :-1]), rows[:, 1:]
    finally:
        model.train(was_training)


def token_nats(
    model: GPT,
    context_id: int,
    ids: np.ndarray,
    *,
    sliding: bool = False,
    advance: Callable[[float], None] = lambda tokens: None,
) -> np.ndarray:
    """-ln P of each id given what stands before it in its window: (tokens,) float64.

    The stream is `context_id` and then `ids`, cut into `windows`. `advance` is told the tokens as they are scored.
    """
    nats, times_scored = np.empty(len(ids)), np.zeros(len(ids), dtype=int)
    for group, logits_BTV, targets_BT in predictions(model, context_id, ids, sliding=sliding):
        rows = target_nats(logits_BTV, targets_BT)
        del logits_BTV
        for (first, new, end), row in zip(group, rows, strict=True):
            nats[new:end] = row[new - first :]
            times_scored[new:end] += 1
        advance(sum(end - new for _, new, end in group))
    assert (times_scored == 1).all(), "every id is a target exactly once"
    return nats


def target_nats(logits_BTV: torch.Tensor, targets_BT: torch.Tensor) -> np.ndarray:
    """-ln P of every target: (B, T) float64."""
    nats = F.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten(), reduction="none")  # as rows: the fast way
    return nats.view_as(targets_BT).cpu().double().numpy()


def _equally_long(cut: list[Window], most: int) -> Iterator[list[Window]]:
    """Groups of at most `most` windows of one length; only the last window can be a short one."""
    for _, same in itertools.groupby(cut, key=lambda window: window.end - window.first):
        group = list(same)
        yield from (group[i : i + most] for i in range(0, len(group), most))


@torch.no_grad()
def _logits(model: GPT, idx_BT: torch.Tensor) -> torch.Tensor:
    return model(idx_BT).float()
