"""Scores a model during its training, each time on the same texts, and keeps its best weights."""

from __future__ import annotations

import math

import numpy as np
import torch

from tokexp.encoding.prepare import TokenizedCorpus
from tokexp.model.gpt import GPT
from tokexp.scoring.bits_per_byte import score
from tokexp.scoring.blocks import by_block, crossfit
from tokexp.scoring.restoration import Restoration
from tokexp.training.record import Evaluation, Scores


class Evaluator:
    """The evaluations of one training: a call makes the next one, `final_scores` sums them up."""

    def __init__(self, model: GPT, data: TokenizedCorpus, restoration: Restoration) -> None:
        self._model = model
        self._data = data
        self._restoration = restoration
        self._restoration_nats = by_block(restoration.bits.sum(axis=1) * math.log(2), data.val.starts)
        self._evaluations: list[Evaluation] = []
        self.best_weights: dict[str, torch.Tensor] = {}

    def __call__(self) -> Evaluation:
        on_train = score(self._model, self._data.context_id, self._data.train_slice)
        on_val = score(self._model, self._data.context_id, self._data.val)
        total = on_val.block_nats + self._restoration_nats
        evaluation = Evaluation(
            train_loss=on_train.loss,
            val_loss=on_val.loss,
            val_bpb_naive=on_val.bits_per_byte,
            val_bpb=self._bits_per_byte(total.sum()),
            val_block_nats=total.tolist(),
        )
        if not self._evaluations or evaluation.val_loss < self._best.val_loss:
            self.best_weights = {name: value.clone() for name, value in self._model.state_dict().items()}
        self._evaluations.append(evaluation)
        return evaluation

    @property
    def _best(self) -> Evaluation:
        """The evaluation with the lowest held-out loss, the first of equal ones."""
        return min(self._evaluations, key=lambda evaluation: evaluation.val_loss)

    def resume(self, evaluations: list[Evaluation], best_weights: dict[str, torch.Tensor]) -> None:
        """Go on where an earlier process left off: its evaluations in their order, and the best weights of them."""
        self._evaluations = [*evaluations]
        device = next(self._model.parameters()).device
        self.best_weights = {name: value.to(device) for name, value in best_weights.items()}

    def final_scores(self) -> Scores:
        """The end of the budget, which is ranked, and beside it the best checkpoint and the wider context."""
        last, best, val = self._evaluations[-1], self._best, self._data.val
        sliding = score(self._model, self._data.context_id, val, sliding=True).nats
        restoration = self._restoration.bits.sum(axis=0) / val.n_bytes
        spacing, case, spelling = restoration.tolist()  # the order of restoration.ASPECTS
        blocks = np.array([evaluation.val_block_nats for evaluation in self._evaluations])
        return Scores(
            train_loss=last.train_loss,
            val_loss=last.val_loss,
            best_train_loss=best.train_loss,
            best_val_loss=best.val_loss,
            val_bytes=val.n_bytes,
            val_tokens=len(val),
            val_bpb_naive=last.val_bpb_naive,
            val_bpb_restoration=float(restoration.sum()),
            val_bpb_restoration_spacing=spacing,
            val_bpb_restoration_case=case,
            val_bpb_restoration_spelling=spelling,
            val_bpb=last.val_bpb,
            val_bpb_sliding=self._bits_per_byte(sliding + self._restoration_nats.sum()),
            best_val_bpb=best.val_bpb,
            best_val_bpb_crossfit=self._bits_per_byte(crossfit(blocks).sum()),
        )

    def _bits_per_byte(self, nats: float) -> float:
        return float(nats) / (math.log(2) * self._data.val.n_bytes)
