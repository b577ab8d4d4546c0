"""The records of a training: a row a step, a row an evaluation, and at its end what it cost and what it scored.

Facts without torch, so that a report can read them. How they are written down: `runs/files.py`, `runs/result.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class StepRow:
    """One step of training."""

    step: int  # from 1
    lr: float
    tokens_seen: int
    bytes_seen: int  # of the text predicted
    loss: float  # nats per token of its batch
    grad_norm: float  # before clipping


@dataclass(frozen=True)
class Evaluation:
    """The scores of a model at some step. Losses are in nats per token, bpb in bits per byte."""

    train_loss: float  # on a training slice as long as the held-out text
    val_loss: float
    val_bpb_naive: float
    val_bpb: float  # naive + restoration
    val_block_nats: list[float]  # total nats of each of the 64 blocks of the held-out text

    @property
    def is_finite(self) -> bool:
        return all(map(math.isfinite, (self.train_loss, self.val_loss, self.val_bpb_naive, self.val_bpb)))


@dataclass(frozen=True)
class EvalRow:
    """One evaluation, and what the training had cost until then."""

    step: int
    tokens_seen: int
    bytes_seen: int
    flops: float
    seconds: float  # of training alone
    tokens_per_second: float
    peak_memory: int | None  # bytes; None in rows from before it was measured
    scores: Evaluation


Row = StepRow | EvalRow


@dataclass(frozen=True)
class Cost:
    """The cost of a whole training."""

    steps: int
    budget: str  # what was held equal, such as "steps=600"
    tokens_seen: int
    bytes_seen: int
    epochs: float  # tokens_seen over the tokens of the training part
    flops: float
    grad_norm_spikes: float  # share of steps, see loop.spike_share
    train_seconds: float  # evaluation left out
    tokens_per_second: float


@dataclass(frozen=True)
class Scores:
    """The scores of a run. Losses are in nats per token, bpb in bits per UTF-8 byte of the held-out text."""

    train_loss: float  # on a training slice as long as the held-out text, at the end
    val_loss: float  # at the end
    best_train_loss: float  # at the evaluation with the best val_loss
    best_val_loss: float
    val_bytes: int
    val_tokens: int
    val_bpb_naive: float
    val_bpb_restoration: float
    val_bpb_restoration_spacing: float
    val_bpb_restoration_case: float
    val_bpb_restoration_spelling: float
    val_bpb: float  # naive + restoration, at the end: what is ranked
    val_bpb_sliding: float | None  # where runs are ranked on the validation part
    best_val_bpb: float  # checkpoint chosen on this text
    best_val_bpb_crossfit: float | None  # where evaluations read all of the text that ranks
    eval_bytes: int | None = None  # of the validation part, that evaluations read; None in older runs: all


@dataclass(frozen=True)
class TestScores:
    """The scores of a run on the test part, at the end; all None where there is none."""

    __test__ = False  # no test of pytest's

    test_bytes: int | None = None
    test_tokens: int | None = None
    test_documents: int | None = None
    test_bpb_naive: float | None = None
    test_bpb_restoration: float | None = None
    test_bpb_restoration_spacing: float | None = None
    test_bpb_restoration_case: float | None = None
    test_bpb_restoration_spelling: float | None = None
    test_bpb: float | None = None  # what is ranked
    test_bpb_sliding: float | None = None
    best_test_bpb: float | None = None  # of the checkpoint that was best on the validation part


@dataclass(frozen=True)
class TextScore:
    """The score of a run on one held-out text, at the end, by unit: a document, or a block of a single text."""

    name: str  # val | test | that of a further text
    sha256: str
    units: str  # documents | blocks
    names: list[str]  # of the documents; none of blocks
    bytes: list[int]
    tokens: list[int]
    lines: list[int]  # line ends: of parallel texts the paragraphs
    nats: list[float]  # restoration included
    bpb_naive: float
    bpb: float
