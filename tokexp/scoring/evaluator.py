"""Scores a model during its training, each time on the same texts, and keeps its best weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from tokexp.encoding.prepare import TokenizedCorpus
from tokexp.model.gpt import GPT
from tokexp.scoring.bits_per_byte import score
from tokexp.scoring.blocks import by_block, crossfit
from tokexp.scoring.restoration import PARTS, Restoration


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
