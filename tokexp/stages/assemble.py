"""Put together the result of a run that was trained and measured."""

from __future__ import annotations

import dataclasses

import torch

from tokexp.model.sizes import parameter_split
from tokexp.runs.files import TOKENIZER
from tokexp.runs.identity import settings_of
from tokexp.runs.result import (
    SCHEMA_VERSION,
    Architecture,
    CorpusFacts,
    Identity,
    Machine,
    RunResult,
    TokenizerFacts,
)
from tokexp.scoring.intrinsic import intrinsic
from tokexp.stages.measure import Measured
from tokexp.stages.prepare import PreparedRun
from tokexp.system.device import describe_device
from tokexp.system.files import sha256
from tokexp.system.provenance import provenance, workers
from tokexp.training.budget import describe_budget
from tokexp.training.loop import spike_share
from tokexp.training.record import Cost, EvalRow, Row, Scores, StepRow


def assemble_result(
    run: PreparedRun, rows: list[Row], scores: Scores, measured: Measured, *, trained_as_one: int = 1
) -> RunResult:
    """Put a run's facts, costs and scores into its result.

    `rows`: all of the training. `trained_as_one`: how many runs were, this one among them.
    """
    spec, cfg, val = run.spec, run.cfg, run.data.val
    return RunResult(
        schema_version=SCHEMA_VERSION,
        identity=Identity(spec.name, cfg.sweep, cfg.arm, cfg.size, spec.config_hash, settings_of(cfg, spec.precision)),
        provenance=provenance(),
        machine=Machine(torch.get_num_threads(), describe_device(spec.device), workers() * trained_as_one),
        tuned=cfg.tuned,
        seed=cfg.seed,
        device=spec.device.type,
        precision=spec.precision,
        corpus=CorpusFacts(run.corpus.name, run.corpus.sha256, run.corpus.val_sha256),
        tokenizer=_tokenizer_facts(run),
        model=Architecture(**dataclasses.asdict(cfg.model)),
        batch_size=cfg.train.batch_size,
        parameters=parameter_split(run.model.config),
        cost=_cost(run, rows),
        scores=scores,
        marginal_gain_bpb=measured.segmentations.gain_bpb if measured.segmentations else None,
        marginal_gain_error=measured.segmentations.gain_error if measured.segmentations else None,
        intrinsic=intrinsic(run.tokenizer, run.corpus.val, val),
        tokenizer_train_seconds=run.encoded.tokenizer_train_seconds,
        tokenizer_encode_seconds=run.encoded.tokenizer_encode_seconds,
        sample_chars_500=len(measured.samples[0]["text"]),
        context_id=run.data.context_id,
    )


def _tokenizer_facts(run: PreparedRun) -> TokenizerFacts:
    tokenizer = run.tokenizer
    return TokenizerFacts(
        kind=tokenizer.kind,
        tokenizer_sha256=sha256((run.spec.path / TOKENIZER).read_bytes()),
        trained_on=tokenizer.trained_on,
        lossless=tokenizer.lossless,
        vocab_size=tokenizer.vocab_size,
    )


def _cost(run: PreparedRun, rows: list[Row]) -> Cost:
    end = rows[-1]
    assert isinstance(end, EvalRow), "the end of a run is evaluated"
    return Cost(
        steps=run.plan.steps,
        budget=describe_budget(run.cfg.budget),
        tokens_seen=end.tokens_seen,
        bytes_seen=end.bytes_seen,
        epochs=end.tokens_seen / len(run.data.train),
        flops=end.flops,
        grad_norm_spikes=spike_share([row.grad_norm for row in rows if isinstance(row, StepRow)]),
        train_seconds=end.seconds,
        tokens_per_second=end.tokens_per_second,
    )
