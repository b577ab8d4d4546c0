"""Put together the result of a run that was trained and measured."""

from __future__ import annotations

import dataclasses

import torch

from tokexp.data.corpus import Corpus
from tokexp.model.sizes import parameter_split
from tokexp.runs.files import TOKENIZER
from tokexp.runs.identity import RESULTS_VERSION, settings_of
from tokexp.runs.result import (
    SCHEMA_VERSION,
    Architecture,
    CorpusFacts,
    Identity,
    Machine,
    OwnCounts,
    Ranked,
    RunResult,
    TokenizerFacts,
)
from tokexp.scoring.evaluator import EndScores
from tokexp.scoring.intrinsic import intrinsic
from tokexp.stages.measure import Measured
from tokexp.stages.prepare import PreparedRun
from tokexp.system.device import describe_device
from tokexp.system.files import sha256
from tokexp.system.provenance import provenance, workers
from tokexp.training.budget import describe_budget
from tokexp.training.loop import spike_share
from tokexp.training.record import Cost, EvalRow, Row, StepRow


def assemble_result(
    run: PreparedRun, rows: list[Row], scores: EndScores, measured: Measured, *, trained_as_one: int = 1
) -> RunResult:
    """Put a run's facts, costs and scores into its result.

    `rows`: all of the training. `trained_as_one`: how many runs were, this one among them.
    """
    spec, cfg, corpus = run.spec, run.cfg, run.corpus
    return RunResult(
        schema_version=SCHEMA_VERSION,
        identity=Identity(
            spec.name,
            cfg.sweep,
            cfg.arm,
            cfg.size,
            spec.config_hash,
            settings_of(cfg, corpus, spec.precision),
            RESULTS_VERSION,
        ),
        provenance=provenance(),
        machine=Machine(torch.get_num_threads(), describe_device(spec.device), workers() * trained_as_one),
        tuned=cfg.tuned,
        seed=cfg.seed,
        device=spec.device.type,
        precision=spec.precision,
        corpus=_corpus_facts(corpus),
        tokenizer=_tokenizer_facts(run),
        model=Architecture(**dataclasses.asdict(cfg.model)),
        batch_size=cfg.train.batch_size,
        parameters=parameter_split(run.model.config),
        cost=_cost(run, rows),
        scores=scores.val,
        test=scores.test,
        ranked=_ranked(corpus, scores),
        counts=OwnCounts(measured.counts.order, measured.counts.bpb),
        marginal_gain_bpb=measured.segmentations.gain_bpb if measured.segmentations else None,
        marginal_gain_error=measured.segmentations.gain_error if measured.segmentations else None,
        intrinsic=intrinsic(run.tokenizer, corpus.scored.text, run.data.scored),
        tokenizer_train_seconds=run.encoded.tokenizer_train_seconds,
        tokenizer_encode_seconds=run.encoded.tokenizer_encode_seconds,
        sample_chars_500=len(measured.samples[0]["text"]),
        context_id=run.data.context_id,
    )


def _corpus_facts(corpus: Corpus) -> CorpusFacts:
    parts = {"train": corpus.train, "val": corpus.val}
    return CorpusFacts(
        corpus.name,
        corpus.sha256,
        corpus.val.sha256,
        test_sha256=None if corpus.test is None else corpus.test.sha256,
        language=corpus.language,
        **{f"{name}_documents": len(part) for name, part in parts.items()},
        train_bytes=corpus.train.n_bytes,
        learned_bytes=corpus.learned.n_bytes,
        documents_seen=corpus.seen,
        records_skipped=corpus.skipped,
        documents_sha256=corpus.documents_sha256,
    )


def _ranked(corpus: Corpus, scores: EndScores) -> Ranked:
    """What runs are ranked by: the test part, or where there is none the validation part."""
    text = scores.texts[0]
    bpb = scores.val.val_bpb if scores.test.test_bpb is None else scores.test.test_bpb
    paragraphs = sum(text.lines) if corpus.language is not None else None
    return Ranked(
        bpb=bpb,
        scored_on=corpus.scored_on,
        test_paragraphs=paragraphs,
        bits_per_paragraph=bpb * sum(text.bytes) / paragraphs if paragraphs else None,
        tokens_per_paragraph=(sum(text.tokens) - len(corpus.scored)) / paragraphs if paragraphs else None,
    )


def _tokenizer_facts(run: PreparedRun) -> TokenizerFacts:
    tokenizer = run.tokenizer
    return TokenizerFacts(
        kind=tokenizer.kind,
        tokenizer_sha256=sha256((run.spec.path / TOKENIZER).read_bytes()),
        trained_on=tokenizer.trained_on,
        lossless=tokenizer.lossless,
        vocab_size=tokenizer.vocab_size,
        tokenizer_train_bytes=run.encoded.tokenizer_train_bytes,
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
