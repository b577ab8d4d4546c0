"""Scores a model during its training, each time on the same texts, and keeps its best weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tokexp.encoding.prepare import TokenizedCorpus
from tokexp.model.gpt import GPT
from tokexp.scoring.bits_per_byte import score, token_nats
from tokexp.scoring.blocks import by_block, crossfit
from tokexp.scoring.restoration import ASPECTS
from tokexp.scoring.target import Target
from tokexp.system.meter import Meter
from tokexp.training.record import Evaluation, Scores, TestScores, TextScore


@dataclass(frozen=True)
class EndScores:
    """The scores of a run at its end: the figures, and of every held-out text those of its units."""

    val: Scores
    test: TestScores
    texts: list[TextScore]  # what is ranked first


class Evaluator:
    """The evaluations of one training: a call makes the next one, `final_scores` sums them up."""

    def __init__(self, model: GPT, data: TokenizedCorpus, targets: dict[str, Target], eval_bytes: int | None) -> None:
        """`targets`: the held-out texts, val first; `eval_bytes`: of val, that evaluations read."""
        self._model = model
        self._data = data
        self._targets = targets
        self._read = targets["val"].head(eval_bytes)
        self._restoration_nats = by_block(self._read.restoration_nats, self._read.stream.starts)
        self._evaluations: list[Evaluation] = []
        self._last_nats: np.ndarray | None = None  # of each token of what was read last
        self.best_weights: dict[str, torch.Tensor] = {}

    def __call__(self) -> Evaluation:
        on_train = score(self._model, self._data.context_id, self._data.train_slice)
        on_val = score(self._model, self._data.context_id, self._read.stream)
        self._last_nats = on_val.token_nats
        total = on_val.block_nats + self._restoration_nats
        evaluation = Evaluation(
            train_loss=on_train.loss,
            val_loss=on_val.loss,
            val_bpb_naive=on_val.bits_per_byte,
            val_bpb=self._read.bits_per_byte(total.sum()),
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

    @property
    def _reads_all(self) -> bool:
        return self._read is self._targets["val"]

    def resume(self, evaluations: list[Evaluation], best_weights: dict[str, torch.Tensor]) -> None:
        """Go on where an earlier process left off: its evaluations in their order, and the best weights of them."""
        self._evaluations = [*evaluations]
        device = next(self._model.parameters()).device
        self.best_weights = {name: value.to(device) for name, value in best_weights.items()}

    def final_scores(self, names: Mapping[str, tuple[str, ...]]) -> EndScores:
        """The end of the budget, which is ranked, and beside it the best checkpoint and the wider context.

        `names`: of the documents of each text, where they are known.
        """
        ranked = self._targets.get("test", self._targets["val"])
        nats = {name: self._nats(one) for name, one in self._targets.items()}
        sliding = self._score(ranked, sliding=True)
        wider = ranked.bits_per_byte(sliding.sum() + ranked.restoration_nats.sum())
        only_read = self._reads_all and ranked.name == "val"  # by every evaluation: no checkpoint is scored anew
        best = {} if only_read else self._best_checkpoint(nats, ranked)
        texts = [one.score(nats[name], names.get(name, ())) for name, one in self._targets.items()]
        texts.sort(key=lambda text: text.name != ranked.name)
        return EndScores(
            self._val_scores(nats["val"], None if ranked.name == "test" else wider, best),
            self._test_scores(nats["test"], wider, best["test"]) if "test" in self._targets else TestScores(),
            texts,
        )

    def _nats(self, target: Target) -> np.ndarray:
        """Naive nats of each token at the end; the last evaluation may have them."""
        if target.name == "val" and self._reads_all and self._last_nats is not None:
            return self._last_nats
        return self._score(target)

    def _score(self, target: Target, *, sliding: bool = False) -> np.ndarray:
        with Meter(f"scoring the {target.name} part", len(target.stream)) as meter:
            nats = token_nats(
                self._model, self._data.context_id, target.stream.ids, sliding=sliding, advance=meter.advance
            )
        return nats

    def _val_scores(self, nats: np.ndarray, wider: float | None, best: dict[str, float]) -> Scores:
        last, val = self._evaluations[-1], self._targets["val"]
        blocks = np.array([evaluation.val_block_nats for evaluation in self._evaluations])
        paid_for = self._reads_all and "test" not in self._targets
        figures = _figures(val, nats)
        return Scores(
            train_loss=last.train_loss,
            val_loss=last.val_loss if self._reads_all else float(nats.mean()),
            best_train_loss=self._best.train_loss,
            best_val_loss=self._best.val_loss,
            val_bytes=val.stream.n_bytes,
            val_tokens=len(val.stream),
            **{f"val_{name}": value for name, value in figures.items()},
            val_bpb_sliding=wider,
            best_val_bpb=self._best.val_bpb if self._reads_all else best["val"],
            best_val_bpb_crossfit=val.bits_per_byte(crossfit(blocks).sum()) if paid_for else None,
            eval_bytes=self._read.stream.n_bytes,
        )

    def _test_scores(self, nats: np.ndarray, wider: float, best: float) -> TestScores:
        test = self._targets["test"]
        return TestScores(
            test_bytes=test.stream.n_bytes,
            test_tokens=len(test.stream),
            test_documents=len(test.text),
            **{f"test_{name}": value for name, value in _figures(test, nats).items()},
            test_bpb_sliding=wider,
            best_test_bpb=best,
        )

    def _best_checkpoint(self, nats: dict[str, np.ndarray], ranked: Target) -> dict[str, float]:
        """The total of the best weights on val and on what ranks; `nats`: naive ones of each token, at the end."""
        end, texts = self._model.state_dict(), {"val": self._targets["val"], ranked.name: ranked}
        if self._best is not self._evaluations[-1]:
            end = {name: value.clone() for name, value in end.items()}
            self._model.load_state_dict(self.best_weights)
            nats = {name: self._score(text) for name, text in texts.items()}
            self._model.load_state_dict(end)
        return {
            name: text.bits_per_byte(nats[name].sum() + text.restoration_nats.sum()) for name, text in texts.items()
        }


def _figures(target: Target, nats: np.ndarray) -> dict[str, Any]:
    """Bits per byte of a text at the end: naive, of the restoration and its aspects, in total."""
    restoration = target.restoration.sum(axis=0) / target.stream.n_bytes
    by_aspect = {f"bpb_restoration_{aspect}": float(value) for aspect, value in zip(ASPECTS, restoration, strict=True)}
    starts = target.stream.starts
    naive = by_block(nats, starts)
    return {
        "bpb_naive": target.bits_per_byte(naive.sum()),
        "bpb_restoration": float(restoration.sum()),
        **by_aspect,
        "bpb": target.bits_per_byte((naive + by_block(target.restoration_nats, starts)).sum()),
    }
