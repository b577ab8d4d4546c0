"""One run from end to end: a corpus, a tokenizer, a model trained on it, and what came of it.

The file to read first: each step below is a file of its own.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import torch

from tokexp.config import InputError, RunConfig
from tokexp.data.corpus import load_corpus
from tokexp.encoding.prepare import prepare, require_length
from tokexp.model.architecture import work_out
from tokexp.model.generate import prompt_ids
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.model.sizes import parameter_split, training_flops_per_token
from tokexp.runs.files import load_metrics
from tokexp.runs.folder import CHECKPOINTS, RunFolder, whole_rows
from tokexp.runs.identity import config_hash, run_name, settings_of
from tokexp.runs.progress import Progress
from tokexp.runs.result import SCHEMA_VERSION, RunResult, has_result, load_result, save_result
from tokexp.runs.state import read_state
from tokexp.runs.tracking import Tracker
from tokexp.scoring.content import content
from tokexp.scoring.evaluator import Evaluator
from tokexp.scoring.marginal import marginal
from tokexp.scoring.measure import corpus_facts, draw_samples, facts_of_text, read_samples, tokenizer_facts
from tokexp.scoring.readability import Reader
from tokexp.scoring.restoration import restoration_of
from tokexp.scoring.segments import SHOWN, piece_rows, run_segments
from tokexp.system.device import (
    describe_device,
    peak_memory,
    reset_peak_memory,
    resolve_device,
    resolve_precision,
    use_threads,
)
from tokexp.system.distributed import ALONE, World, joined
from tokexp.system.provenance import git_state, provenance, workers
from tokexp.system.signals import deferred
from tokexp.training.budget import describe_budget, plan_training
from tokexp.training.checkpoint import load_checkpoint, save_checkpoint, saved_steps
from tokexp.training.loop import DivergedError, Row, TrainState, share, spike_share, train
from tokexp.training.optimizer import make_optimizer

log = logging.getLogger(__name__)


def run_experiment(cfg: RunConfig, folder: Path | str | None = None) -> RunResult:
    """Do the run that `cfg` describes, or return its result where `folder` has it already.

    `folder`: where everything is written; by default runs/SWEEP/NAME. A run that was interrupted there
    goes on from its last checkpoint. Under torchrun all processes work on it, and one of them writes.
    Raises InputError for what the user can put right, DivergedError where the loss stopped being a
    number, Interrupted (a SystemExit) after a signal, once the step is done and saved.
    """
    use_threads(cfg.threads)
    with joined(resolve_device(cfg.device)) as (world, device):
        run = Experiment(cfg, folder, device, world)
        if run.done:
            log.info("%s: done before, in %s (rerun=true trains it again)", run.name, run.path)
            return load_result(run.path)
        run.refuse_if_diverged()
        with run:
            with deferred() as asked_to_stop:
                for rows in run.training():
                    run.record(rows)
                    if world.any(bool(asked_to_stop)):
                        run.save()
                        raise asked_to_stop.answer()
            return run.finish()


class Experiment:
    """A run at work: prepared when it is entered, trained step by step, measured when it is finished."""

    def __init__(self, cfg: RunConfig, folder: Path | str | None, device: torch.device, world: World = ALONE) -> None:
        git_state()  # asked now, and kept
        self.cfg, self._device, self._world = cfg, device, world
        self._corpus = load_corpus(cfg.data)
        self.precision = resolve_precision(cfg.precision, device)
        self._digest = config_hash(cfg, self._corpus, self.precision)
        self.name = run_name(cfg, self._digest)
        self.path = Path(folder) if folder is not None else Path("runs", cfg.sweep, self.name)
        self.done = not cfg.rerun and has_result(self.path, self._digest)
        self.together = 1  # runs trained as one
        self.resume_at: int | None = None  # at most at this step

    def refuse_if_diverged(self) -> None:
        """Raise DivergedError where the same run diverged before: that is a result, and would be again."""
        before = read_state(self.path)
        if before.state == "diverged" and before.config_hash == self._digest and not self.cfg.rerun:
            raise DivergedError(f"{self.name}: diverged before ({before.reason}); rerun=true tries it again")

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._world.writes:
                self._run = stack.enter_context(RunFolder(self.path, self.cfg, self._digest))
            self.prepare()
            if self._world.writes:
                rows = self._resume()
                self._run.set_state("running", steps=self.plan.steps)
                tracker = Tracker(self.path, self.name, self.cfg, rows)
                if not self.state.step:  # nothing is removed before all that may be refused has been accepted
                    self._run.clear()
                self.tokenizer.save(self.path / "tokenizer.json")
                self._tracker = stack.enter_context(tracker)
                tokens_per_step = self.cfg.train.batch_size * self.cfg.model.block_size
                progress = Progress(self.name, self.plan.steps, tokens_per_step, self.state.step)
                self._progress = stack.enter_context(progress)
            share(self._world, self.model, self.state)
            reset_peak_memory(self._device)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def prepare(self) -> None:
        """Tokenizer, tokens, model, plan; nothing is written but what is kept in data/cache."""
        cfg, corpus = self.cfg, self._corpus
        self._prepared = prepare(cfg.tokenizer.kind, cfg.tokenizer.train_settings(), corpus)
        self.tokenizer, self.data = self._prepared.tokenizer, self._prepared.data
        self.cfg = cfg = work_out(cfg, self.tokenizer.vocab_size, self.data.train.n_bytes / len(self.data.train))
        require_length(corpus, self.data, cfg.model.block_size)
        prompt_ids(self.tokenizer, cfg.sample.prompt)  # refused now rather than after training

        torch.manual_seed(cfg.seed)
        config = GPTConfig.of(cfg.model, self.tokenizer.vocab_size)
        try:
            self.model = GPT(config).to(self._device)
        except RuntimeError as error:  # of torch's allocator
            raise InputError(
                f"model of width {config.n_embd} and {config.n_layer} layers: cannot be made on {self._device} "
                f"({str(error).splitlines()[0][:120]}); try a smaller model or params_total"
            ) from error
        self.state = TrainState(make_optimizer(self.model, cfg.train))
        self.plan = plan_training(
            cfg.budget,
            cfg.train,
            tokens_per_step=cfg.train.batch_size * cfg.model.block_size,
            train_tokens=len(self.data.train),
            train_bytes=self.data.train.n_bytes,
            flops_per_token=training_flops_per_token(config),
        )

    def _resume(self) -> list[Row]:
        """Go to where an interrupted run was saved, if there is such a place; the rows up to there."""
        self._restoration = restoration_of(self.tokenizer, self._corpus)
        self._evaluator = Evaluator(self.model, self.data, self._restoration)
        self._run.write_config(self.cfg)
        rows: list[Row] = []
        if not self.cfg.rerun:
            rows = whole_rows(self.path)
            most = _steps(rows) if self.resume_at is None else self.resume_at
            best = load_checkpoint(self._run.checkpoints, self._digest, self.model, self.state, most=most)
            rows = [row for row in rows if row["step"] <= self.state.step]
            if best is not None:
                self._evaluator.resume([row for row in rows if row["event"] == "eval"], best)
                log.info("%s: going on from step %s", self.name, f"{self.state.step:,}")
        log.info(
            "%s: %s tokens, %s parameters, %s steps on %s",
            self.name, f"{self.tokenizer.vocab_size:,}", f"{sum(p.numel() for p in self.model.parameters()):,}",
            f"{self.plan.steps:,}", self._device,
        )  # fmt: skip
        return rows

    def saved_steps(self) -> set[int]:
        """The steps from which the run could go on."""
        if self.cfg.rerun:
            return set()
        most = _steps(whole_rows(self.path))
        return {step for step in saved_steps(self.path / CHECKPOINTS, self._digest) if step <= most}

    def training(self) -> Iterator[list[Row]]:
        """Train to the end; `record` wants what this yields, each time."""
        return train(
            self.model, self.data.train, self.plan, self.cfg.train, self.cfg.seed, self.precision, self.state,
            pause=self.pauses, world=self._world,
        )  # fmt: skip

    def pauses(self, step: int) -> bool:
        return self._evaluates(step) or self._saves(step)

    def record(self, rows: list[Row]) -> None:
        """Write down what training yielded; evaluate and save where the settings say so."""
        if not self._world.writes:
            return
        self._run.check()
        if self._evaluates(self.state.step):
            rows = [*rows, self._evaluate()]
        for row in rows:
            self._tracker.log(row)
            self._progress.show(row)
        if self._saves(self.state.step):
            self.save()

    def _evaluates(self, step: int) -> bool:
        return step % self.cfg.train.eval_every == 0 or step == self.plan.steps

    def _saves(self, step: int) -> bool:
        every = self.cfg.train.checkpoint_every
        return step == self.plan.steps or (every is not None and step % every == 0)

    def _evaluate(self) -> Row:
        """event="eval", step; tokens_seen, bytes_seen, flops, seconds, tokens_per_second, peak_memory; the scores."""
        state, scores = self.state, self._evaluator()
        if not all(math.isfinite(value) for value in scores.values() if isinstance(value, float)):
            raise DivergedError(
                f"step {state.step} of {self.plan.steps}: the model's scores are no longer numbers; "
                f"the run diverged, so try a smaller train.lr than {self.cfg.train.lr:g}"
            )
        return {
            "event": "eval",
            "step": state.step,
            "tokens_seen": state.tokens_seen,
            "bytes_seen": state.bytes_seen,
            "flops": float(state.tokens_seen * training_flops_per_token(self.model.config)),
            "seconds": state.seconds,
            "tokens_per_second": state.tokens_seen / state.seconds,
            "peak_memory": peak_memory(self._device),
            **scores,
        }

    def save(self) -> None:
        """Write a checkpoint, from which the same command goes on."""
        if self._world.writes:
            best = self._evaluator.best_weights
            save_checkpoint(self._run.checkpoints, self._digest, self.model, self.state, best)

    def finish(self) -> RunResult:
        """Measure what was trained, and write everything down; the result comes last."""
        if not self._world.writes:
            self._world.wait()
            return load_result(self.path)
        cfg, run, corpus, model, tokenizer = self.cfg, self._run, self._corpus, self.model, self.tokenizer
        scores = self._evaluator.final_scores()
        kept = {"all": ("model", "best"), "best": ("best",), "none": ()}[cfg.keep_weights]
        for which, weights in (("model", model.state_dict()), ("best", self._evaluator.best_weights)):
            if which in kept:
                run.save_weights(f"{which}.safetensors", weights)
        run.write_lines("content.jsonl", content(model, tokenizer, self.data, corpus, self._restoration))
        segmentations = marginal(model, tokenizer, self.data, corpus.val.encode())
        model.load_state_dict(self._evaluator.best_weights)
        samples = draw_samples(model, tokenizer, cfg)
        run.write_lines("samples.jsonl", samples)
        shown = [row for row in samples if row["sample"] < SHOWN]
        segments = run_segments(tokenizer, shown, corpus)
        run.write_lines("segments.jsonl", segments)
        reader = Reader(corpus, cfg.sample.chars)
        run.write_lines("readability.jsonl", read_samples(reader, samples))
        run.write_json("corpus.json", facts_of_text(corpus, reader))
        rows = load_metrics(self.path)
        result = RunResult(
            schema_version=SCHEMA_VERSION,
            name=self.name,
            sweep=cfg.sweep,
            arm=cfg.arm,
            size=cfg.size,
            config_hash=self._digest,
            settings=settings_of(cfg, self.precision),
            **provenance(),
            workers=workers() * self.together,
            threads=torch.get_num_threads(),
            machine=describe_device(self._device),
            tuned=cfg.tuned,
            seed=cfg.seed,
            device=self._device.type,
            precision=self.precision,
            **corpus_facts(corpus),
            **tokenizer_facts(self._prepared, self.path, corpus),
            **dataclasses.asdict(cfg.model),
            **parameter_split(model.config),
            batch_size=cfg.train.batch_size,
            budget=describe_budget(cfg.budget),
            steps=self.plan.steps,
            epochs=self.state.tokens_seen / len(self.data.train),
            **{key: rows[-1][key] for key in ("tokens_seen", "bytes_seen", "flops", "tokens_per_second")},
            grad_norm_spikes=spike_share([row["grad_norm"] for row in rows if row["event"] == "step"]),
            train_seconds=rows[-1]["seconds"],
            **scores,
            marginal_gain_bpb=segmentations.gain_bpb if segmentations else None,
            marginal_gain_error=segmentations.gain_error if segmentations else None,
            sample_chars_500=len(samples[0]["text"]),
            context_id=self.data.context_id,
        )
        self._tracker.finish(dataclasses.asdict(result), samples, segmentation=piece_rows(segments[-1]))
        save_result(self.path, result)
        run.remove_checkpoints()
        self._world.wait()
        log.info("%s: %.4f bits per byte held out, in %s", self.name, result.val_bpb, self.path)
        return result


def _steps(rows: list[Row]) -> int:
    """How many steps `rows` have, from the first one on, without a gap."""
    steps = [row["step"] for row in rows if row["event"] == "step"]
    return next((i for i, step in enumerate(steps) if step != i + 1), len(steps))
