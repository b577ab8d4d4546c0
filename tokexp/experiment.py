"""One run from end to end: a corpus, a tokenizer, a model trained on it, and what came of it.

The file to read first: each step below is a file of its own.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from pathlib import Path
from typing import Any

import torch

from tokexp.architecture import work_out
from tokexp.baselines import baselines
from tokexp.budget import describe_budget, plan_training
from tokexp.config import RunConfig
from tokexp.content import content
from tokexp.corpus import Corpus, load_corpus, sha256
from tokexp.evaluate import Evaluator
from tokexp.generate import prompt_ids, sample_chars, sample_tokens
from tokexp.intrinsic import intrinsic
from tokexp.model import GPT, GPTConfig, parameter_split, training_flops_per_token
from tokexp.progress import Progress
from tokexp.provenance import provenance
from tokexp.readability import Reader
from tokexp.restoration import restoration_cost
from tokexp.results import (
    SCHEMA_VERSION,
    RunResult,
    config_hash,
    has_result,
    load_result,
    run_name,
    save_result,
    settings_of,
)
from tokexp.runfolder import RunFolder
from tokexp.segmentation import marginal
from tokexp.tokenizer import Tokenizer
from tokexp.tokens import Prepared, prepare, require_length
from tokexp.tracking import Tracker
from tokexp.train import describe_device, resolve_device, resolve_precision, spike_share, train

log = logging.getLogger(__name__)


def run_experiment(cfg: RunConfig, folder: Path | str | None = None) -> RunResult:
    """Do the run that `cfg` describes, or return its result where `folder` has it already.

    `folder`: where everything is written; by default runs/SWEEP/NAME. Raises InputError for what
    the user can put right, DivergedError where the loss stopped being a number.
    """
    corpus = load_corpus(cfg.data)
    device = resolve_device(cfg.device)
    precision = resolve_precision(cfg.precision, device)
    digest = config_hash(cfg, corpus, precision)
    name = run_name(cfg, digest)
    folder = Path(folder) if folder is not None else Path("runs", cfg.sweep, name)
    if not cfg.rerun and has_result(folder, digest):
        log.info("%s: done before, in %s (rerun=true trains it again)", name, folder)
        return load_result(folder)

    with RunFolder(folder, cfg, digest) as run:
        prepared = prepare(cfg.tokenizer.kind, cfg.tokenizer.train_settings(), corpus)
        tokenizer, data = prepared.tokenizer, prepared.data
        cfg = work_out(cfg, tokenizer.vocab_size, data.train.n_bytes / len(data.train))
        run.write_config(cfg)
        require_length(corpus, data, cfg.model.block_size)
        prompt_ids(tokenizer, cfg.sample.prompt)  # refused now rather than after training
        restoration = restoration_cost(tokenizer, corpus.train, corpus.val)

        torch.manual_seed(cfg.seed)
        model = GPT(GPTConfig(**dataclasses.asdict(cfg.model), vocab_size=tokenizer.vocab_size)).to(device)
        tokens_per_step = cfg.train.batch_size * cfg.model.block_size
        plan = plan_training(
            cfg.budget,
            cfg.train,
            tokens_per_step=tokens_per_step,
            train_tokens=len(data.train),
            train_bytes=data.train.n_bytes,
            flops_per_token=training_flops_per_token(model.config),
        )
        log.info(
            "%s: %s tokens, %s parameters, %s steps on %s",
            name, f"{tokenizer.vocab_size:,}", f"{sum(p.numel() for p in model.parameters()):,}",
            f"{plan.steps:,}", device,
        )  # fmt: skip

        evaluator = Evaluator(model, data, restoration)
        tracker = Tracker(folder, name, cfg)
        run.clear()
        tokenizer.save(folder / "tokenizer.json")
        with tracker, Progress(name, plan.steps, tokens_per_step) as progress:
            norms = []
            for row in train(model, data.train, plan, cfg.train, cfg.seed, precision, evaluator):
                tracker.log(row)
                progress.show(row)
                norms += [row["grad_norm"]] if row["event"] == "step" else []
            scores = evaluator.final_scores()
            run.save_weights("model.safetensors", model.state_dict())
            run.save_weights("best.safetensors", evaluator.best_weights)
            run.write_lines("content.jsonl", content(model, tokenizer, data, corpus, restoration))
            segmentations = marginal(model, tokenizer, data, corpus.val.encode())
            model.load_state_dict(evaluator.best_weights)
            samples = draw_samples(model, tokenizer, cfg)
            run.write_lines("samples.jsonl", samples)
            reader = Reader(corpus, cfg.sample.chars)
            run.write_lines("readability.jsonl", read_samples(reader, samples))
            run.write_json("corpus.json", facts_of_text(corpus, reader))
            result = RunResult(
                schema_version=SCHEMA_VERSION,
                name=name,
                sweep=cfg.sweep,
                arm=cfg.arm,
                size=cfg.size,
                config_hash=digest,
                settings=settings_of(cfg, precision),
                **provenance(),
                threads=torch.get_num_threads(),
                machine=describe_device(device),
                tuned=cfg.tuned,
                seed=cfg.seed,
                device=device.type,
                precision=precision,
                **corpus_facts(corpus),
                **tokenizer_facts(prepared, folder, corpus),
                **dataclasses.asdict(cfg.model),
                **parameter_split(model.config),
                batch_size=cfg.train.batch_size,
                budget=describe_budget(cfg.budget),
                steps=plan.steps,
                epochs=row["tokens_seen"] / len(data.train),
                **{key: row[key] for key in ("tokens_seen", "bytes_seen", "flops")},
                grad_norm_spikes=spike_share(norms),
                train_seconds=row["seconds"],
                tokens_per_second=row["tokens_per_second"],
                **scores,
                marginal_gain_bpb=segmentations.gain_bpb if segmentations else None,
                marginal_gain_error=segmentations.gain_error if segmentations else None,
                sample_chars_500=len(samples[0]["text"]),
                context_id=data.context_id,
            )
            tracker.finish(dataclasses.asdict(result), samples)
        save_result(folder, result)
    log.info("%s: %.4f bits per byte held out, in %s", name, result.val_bpb, folder)
    return result


def draw_samples(model: GPT, tokenizer: Tokenizer, cfg: RunConfig) -> list[dict[str, Any]]:
    """The seed experiment's sample of equal tokens first, then at each temperature those of equal characters."""
    common = {"arm": cfg.arm, "seed": cfg.seed, "prompt": cfg.sample.prompt}
    by_tokens = sample_tokens(model, tokenizer, cfg.sample, seed=cfg.seed)
    rows = [{"equal": "tokens", **common, "temperature": cfg.sample.temperature, "sample": 0, "text": by_tokens}]
    for temperature in cfg.sample.temperatures:
        at = dataclasses.replace(cfg.sample, temperature=temperature)
        for i, text in enumerate(sample_chars(model, tokenizer, at, seed=cfg.seed)):
            rows.append({"equal": "chars", **common, "temperature": temperature, "sample": i, "text": text})
    return rows


def read_samples(reader: Reader, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The readability of each sample of equal characters."""
    read = [row for row in samples if row["equal"] == "chars"]
    figures = reader.read([row["text"] for row in read])
    return [
        {**{key: row[key] for key in ("temperature", "sample")}, **without_nan(figure)}
        for row, figure in zip(read, figures, strict=True)
    ]


def facts_of_text(corpus: Corpus, reader: Reader) -> dict[str, Any]:
    """What belongs to the held-out text rather than to a run on it: baselines, and how people's passages read."""
    found = [dataclasses.asdict(baseline) for baseline in baselines(corpus)]
    return {
        "baselines": [{"baseline": row.pop("name"), **row} for row in found],
        "chars": reader.chars,
        "human": [without_nan(row) for row in reader.human()],
    }


def without_nan(figures: dict[str, float]) -> dict[str, float | None]:
    """As JSON has them: what could not be measured is null."""
    return {name: None if math.isnan(value) else value for name, value in figures.items()}


def corpus_facts(corpus: Corpus) -> dict[str, Any]:
    return {
        "corpus": corpus.name,
        "corpus_sha256": corpus.sha256,
        "val_sha256": corpus.val_sha256,
        "val_bytes": corpus.val_bytes,
    }


def tokenizer_facts(prepared: Prepared, folder: Path, corpus: Corpus) -> dict[str, Any]:
    tokenizer, val = prepared.tokenizer, prepared.data.val
    return {
        "tokenizer": tokenizer.kind,
        "tokenizer_sha256": sha256((folder / "tokenizer.json").read_bytes()),
        "trained_on": tokenizer.trained_on,
        "lossless": tokenizer.lossless,
        "vocab_size": tokenizer.vocab_size,
        "val_tokens": len(val),
        "tokenizer_train_seconds": prepared.tokenizer_train_seconds,
        "tokenizer_encode_seconds": prepared.tokenizer_encode_seconds,
        **intrinsic(tokenizer, corpus.val, val),
    }
