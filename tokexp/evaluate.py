"""Bits per byte: every byte of a text scored exactly once, under any tokenizer.

Also a command: a trained run's bits per byte on any text.

    python -m tokexp.evaluate RUN --text FILE
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from tokexp.blocks import by_block, crossfit
from tokexp.command import command
from tokexp.config import InputError
from tokexp.corpus import decode, load_corpus, read_bytes
from tokexp.hf import Pretrained, load_any
from tokexp.model import GPT
from tokexp.restoration import PARTS, Restoration, restoration_cost
from tokexp.tokens import TokenizedCorpus, TokenStream, encode_stream

TOKENS_AT_ONCE = 8192  # logits of this many tokens are held in memory


@dataclass(frozen=True)
class Score:
    """What a text cost a model: a ratio of sums, divided once."""

    block_nats: np.ndarray  # (64,) float64, by the block of each token's first byte
    tokens: int
    n_bytes: int

    @property
    def nats(self) -> float:
        return float(self.block_nats.sum())

    @property
    def loss(self) -> float:
        """Nats per token: comparable only within one tokenizer."""
        return self.nats / self.tokens

    @property
    def bits_per_byte(self) -> float:
        return self.nats / (math.log(2) * self.n_bytes)


def score(model: GPT, context_id: int, stream: TokenStream, *, sliding: bool = False) -> Score:
    """Score `stream` after `context_id`: every id is a target once, and so is every byte."""
    nats = token_nats(model, context_id, stream.ids, sliding=sliding)
    return Score(by_block(nats, stream.starts), len(stream), stream.n_bytes)


class Window(NamedTuple):
    """What a model reads at once: inputs [context_id, *ids][first:end], targets ids[first:end]."""

    first: int
    new: int  # the targets that are scored here: ids[new:end]
    end: int


def windows(tokens: int, block_size: int, *, sliding: bool = False) -> list[Window]:
    """Windows of block_size inputs, end to end, the last one short: every id is scored in exactly one.

    With `sliding` a window advances by half a block and scores only its new half, so that every
    target but the first ones has at least half a block of context.
    """
    overlap = block_size // 2 if sliding else 0
    found: list[Window] = []
    scored = 0
    while scored < tokens:
        first = max(0, scored - overlap)
        found.append(Window(first, scored, min(first + block_size, tokens)))
        scored = found[-1].end
    return found


def predictions(
    model: GPT, context_id: int, ids: np.ndarray, *, sliding: bool = False
) -> Iterator[tuple[list[Window], torch.Tensor, torch.Tensor]]:
    """Some windows at a time, in order: the windows, their logits (B, T, V) float32 and targets (B, T).

    Who reads them should drop the logits before asking for the next ones: there may be a gigabyte of them.
    """
    T = model.config.block_size
    device = next(model.parameters()).device
    stream = torch.from_numpy(np.concatenate([[context_id], ids.astype(np.int64)])).to(device)
    was_training = model.training
    model.eval()
    try:
        for group in _equally_long(windows(len(ids), T, sliding=sliding), TOKENS_AT_ONCE // T or 1):
            rows = torch.stack([stream[first : end + 1] for first, _, end in group])
            yield group, _logits(model, rows[:, :-1]), rows[:, 1:]
    finally:
        model.train(was_training)


def token_nats(model: GPT, context_id: int, ids: np.ndarray, *, sliding: bool = False) -> np.ndarray:
    """-ln P of each id given what stands before it in its window: (tokens,) float64.

    The stream is `context_id` and then `ids`, cut into `windows`.
    """
    nats, times_scored = np.empty(len(ids)), np.zeros(len(ids), dtype=int)
    for group, logits_BTV, targets_BT in predictions(model, context_id, ids, sliding=sliding):
        rows = target_nats(logits_BTV, targets_BT)
        del logits_BTV
        for (first, new, end), row in zip(group, rows, strict=True):
            nats[new:end] = row[new - first :]
            times_scored[new:end] += 1
    assert (times_scored == 1).all(), "every id is a target exactly once"
    return nats


def target_nats(logits_BTV: torch.Tensor, targets_BT: torch.Tensor) -> np.ndarray:
    """-ln P of every target: (B, T) float64."""
    return F.cross_entropy(logits_BTV.transpose(1, 2), targets_BT, reduction="none").cpu().double().numpy()


def _equally_long(cut: list[Window], most: int) -> Iterator[list[Window]]:
    """Groups of at most `most` windows of one length; only the last window can be a short one."""
    for _, same in itertools.groupby(cut, key=lambda window: window.end - window.first):
        group = list(same)
        yield from (group[i : i + most] for i in range(0, len(group), most))


@torch.no_grad()
def _logits(model: GPT, idx_BT: torch.Tensor) -> torch.Tensor:
    return model(idx_BT).float()


class Evaluator:
    """Scores a model during its training, each time on the same texts, and keeps its best weights."""

    def __init__(self, model: GPT, data: TokenizedCorpus, restoration: Restoration) -> None:
        self._model = model
        self._data = data
        self._restoration = restoration
        self._restoration_nats = by_block(restoration.bits.sum(axis=1) * math.log(2), data.val.starts)
        self._rows: list[dict[str, Any]] = []
        self._best = -1  # index of the evaluation with the lowest held-out loss
        self.best_weights: dict[str, torch.Tensor] = {}

    def __call__(self) -> dict[str, Any]:
        """Losses in nats per token, bpb in bits per byte, total nats of each of the 64 blocks."""
        on_train = score(self._model, self._data.context_id, self._data.train_slice)
        on_val = score(self._model, self._data.context_id, self._data.val)
        total = on_val.block_nats + self._restoration_nats
        row = {
            "train_loss": on_train.loss,
            "val_loss": on_val.loss,
            "val_bpb_naive": on_val.bits_per_byte,
            "val_bpb": self._bits_per_byte(total.sum()),
            "val_block_nats": total.tolist(),
        }
        self._rows.append(row)
        if self._best < 0 or row["val_loss"] < self._rows[self._best]["val_loss"]:
            self._best = len(self._rows) - 1
            self.best_weights = {name: value.clone() for name, value in self._model.state_dict().items()}
        return row

    def resume(self, rows: list[dict[str, Any]], best_weights: dict[str, torch.Tensor]) -> None:
        """Go on where an earlier process left off: its evaluations in their order, and the best weights of them."""
        self._rows = rows
        self._best = min(range(len(rows)), key=lambda i: rows[i]["val_loss"], default=-1)
        device = next(self._model.parameters()).device
        self.best_weights = {name: value.to(device) for name, value in best_weights.items()}

    def final_scores(self) -> dict[str, Any]:
        """The end of the budget, which is ranked, and beside it the best checkpoint and the wider context."""
        last, best = self._rows[-1], self._rows[self._best]
        sliding = score(self._model, self._data.context_id, self._data.val, sliding=True).nats
        parts = self._restoration.bits.sum(axis=0) / self._data.val.n_bytes
        blocks = np.array([row["val_block_nats"] for row in self._rows])
        return {
            "train_loss": last["train_loss"],
            "val_loss": last["val_loss"],
            "best_train_loss": best["train_loss"],
            "best_val_loss": best["val_loss"],
            "val_bpb_naive": last["val_bpb_naive"],
            "val_bpb_restoration": float(parts.sum()),
            **{f"val_bpb_restoration_{part}": float(bits) for part, bits in zip(PARTS, parts, strict=True)},
            "val_bpb": last["val_bpb"],
            "val_bpb_sliding": self._bits_per_byte(sliding + self._restoration_nats.sum()),
            "best_val_bpb": best["val_bpb"],
            "best_val_bpb_crossfit": self._bits_per_byte(crossfit(blocks).sum()),
        }

    def _bits_per_byte(self, nats: float) -> float:
        return float(nats) / (math.log(2) * self._data.val.n_bytes)


@command
def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tokexp.evaluate", description="Bits per byte of a trained run.")
    parser.add_argument("run", type=Path, help="a run's folder, or one in Hugging Face's format")
    parser.add_argument("--text", type=Path, required=True, help="a UTF-8 text file")
    parser.add_argument("--weights", choices=["end", "best"], default="end")
    args = parser.parse_args()
    run = load_any(args.run, weights=args.weights)
    text = decode(read_bytes(args.text), str(args.text))
    stream = encode_stream(run.tokenizer, text)
    naive = score(run.model, run.context_id, stream).bits_per_byte
    restoration = 0.0
    if run.tokenizer.decode(run.tokenizer.encode(text)) != text:
        if isinstance(run, Pretrained):
            raise InputError(
                f"{args.run}: its tokenizer loses some of the text, and the restoration needs the corpus of a run, "
                "which that folder has not; give the run's folder"
            )
        corpus = load_corpus(run.config.data)
        if corpus.sha256 != run.result.corpus_sha256:
            raise InputError(
                f"a lossy tokenizer's restoration needs the corpus of the run, {run.result.corpus} with SHA-256 "
                f"{run.result.corpus_sha256}, but got {corpus.name} with {corpus.sha256}; bring it back"
            )
        restoration = restoration_cost(run.tokenizer, corpus.train, text).total / stream.n_bytes
    print(f"{args.text}: {stream.n_bytes:,} bytes, {len(stream):,} tokens")
    print(f"bits per byte {naive + restoration:.4f} = naive {naive:.4f} + restoration {restoration:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
