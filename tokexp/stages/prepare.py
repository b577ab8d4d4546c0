"""Identify a run, and prepare all that its training needs. Nothing is written but in data/cache."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from tokexp.config import InputError, RunConfig, SampleConfig
from tokexp.data.corpus import SCORED_BYTES, Corpus, load_corpus
from tokexp.encoding.prepare import Prepared, TokenizedCorpus, prepare, require_length
from tokexp.model.architecture import fill_in_sizes, require_memory
from tokexp.model.generate import prompt_ids
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.model.sizes import training_flops_per_token
from tokexp.runs import identity
from tokexp.runs.result import has_result
from tokexp.runs.state import State, read_state
from tokexp.scoring.samples.segments import first_words
from tokexp.system.device import resolve_precision
from tokexp.system.distributed import ALONE, World, world_from_environment
from tokexp.system.provenance import git_state
from tokexp.tokenizer import Tokenizer
from tokexp.training.budget import TrainPlan, plan_training
from tokexp.training.loop import DivergedError, train
from tokexp.training.optimizer import make_optimizer
from tokexp.training.record import StepRow
from tokexp.training.state import TrainState


@dataclass(frozen=True)
class RunSpec:
    """A run to be done: its settings on this machine, its name and its folder."""

    asked: RunConfig  # sizes that it leaves to the tokenizer are open
    corpus: Corpus
    device: torch.device
    precision: str
    config_hash: str
    name: str
    path: Path

    @property
    def has_result(self) -> bool:
        return has_result(self.path, self.config_hash)

    @property
    def done(self) -> bool:
        """Whether the folder has the result, and it is not to be found anew."""
        return self.has_result and not self.asked.rerun

    def refuse_if_diverged(self) -> None:
        """Raise DivergedError where the same run diverged before: that is a result, and would be again."""
        before = read_state(self.path)
        if before.state is State.DIVERGED and before.config_hash == self.config_hash and not self.asked.rerun:
            raise DivergedError(
                f"{self.name}: it diverged in an earlier try ({before.reason}); rerun=true trains it again"
            )


def identify(cfg: RunConfig, folder: Path | str | None, device: torch.device) -> RunSpec:
    """Identify the run that `cfg` describes; `folder` is by default runs/SWEEP/NAME."""
    return identify_on(load_corpus(cfg.data), cfg, folder, device)


def identify_on(corpus: Corpus, cfg: RunConfig, folder: Path | str | None, device: torch.device) -> RunSpec:
    """Identify the run that `cfg` describes on a corpus that is at hand."""
    git_state()  # asked now, and kept
    precision = resolve_precision(cfg.precision, device)
    config_hash = identity.config_hash(cfg, corpus, precision)
    name = identity.run_name(cfg, config_hash)
    path = Path(folder) if folder is not None else Path("runs", cfg.sweep, name)
    return RunSpec(cfg, corpus, device, precision, config_hash, name, path)


@dataclass(frozen=True)
class PreparedRun:
    """All that a training needs: a corpus in a tokenizer's ids, an untrained model, and the plan of its steps."""

    spec: RunSpec
    cfg: RunConfig  # as asked, with the sizes that the tokenizer decides
    encoded: Prepared
    model: GPT
    plan: TrainPlan

    @property
    def corpus(self) -> Corpus:
        return self.spec.corpus

    @property
    def tokenizer(self) -> Tokenizer:
        return self.encoded.tokenizer

    @property
    def data(self) -> TokenizedCorpus:
        return self.encoded.data

    @property
    def sample(self) -> SampleConfig:
        """The settings of the samples, with the prompt that is left to the corpus."""
        asked = self.cfg.sample
        return (
            asked
            if asked.prompt
            else dataclasses.replace(asked, prompt=first_words(self.corpus.scored.head(SCORED_BYTES).text))
        )

    @property
    def tokens_per_step(self) -> int:
        return self.cfg.train.batch_size * self.cfg.model.block_size

    def evaluates(self, step: int) -> bool:
        return step % self.cfg.train.eval_every == 0 or step == self.plan.steps

    def saves(self, step: int) -> bool:
        every = self.cfg.train.checkpoint_every
        return step == self.plan.steps or (every is not None and step % every == 0)

    def pauses(self, step: int) -> bool:
        """Whether the model is wanted after `step`."""
        return self.evaluates(step) or self.saves(step)

    def begin(self) -> TrainState:
        """Make the state of a training that has not begun."""
        return TrainState(make_optimizer(self.model, self.cfg.train))

    def train(self, state: TrainState, world: World = ALONE) -> Iterator[list[StepRow]]:
        """Train the model from where `state` stands to the end of the plan; yields the rows of the steps taken."""
        return train(
            self.model, self.data.train, self.plan, self.cfg.train, self.cfg.seed, self.spec.precision, state,
            pause=self.pauses, world=world,
        )  # fmt: skip


def prepare_run(spec: RunSpec) -> PreparedRun:
    """Prepare a run: tokenize its corpus, make its model, plan its steps.

    Raises InputError for what the user can put right.
    """
    corpus, asked = spec.corpus, spec.asked.tokenizer
    encoded = prepare(
        asked.kind, asked.train_settings(), corpus,
        train_bytes=asked.train_bytes, eval_bytes=spec.asked.train.eval_bytes,
    )  # fmt: skip
    tokenizer, data = encoded.tokenizer, encoded.data
    cfg = fill_in_sizes(spec.asked, tokenizer.vocab_size, data.train.n_bytes / len(data.train))
    require_length(corpus, data, cfg.model.block_size)
    config = GPTConfig.of(cfg.model, tokenizer.vocab_size)
    share = -(-cfg.train.batch_size // world_from_environment().size)
    require_memory(config, share, cfg.train.grad_accum, spec.device)
    model = _initial_model(config, cfg.seed, spec.device)
    plan = plan_training(
        cfg.budget,
        cfg.train,
        tokens_per_step=cfg.train.batch_size * cfg.model.block_size,
        train_tokens=len(data.train),
        train_bytes=data.train.n_bytes,
        flops_per_token=training_flops_per_token(config),
    )
    run = PreparedRun(spec, cfg, encoded, model, plan)
    prompt_ids(tokenizer, run.sample.prompt)  # refused now rather than after training
    return run


def _initial_model(config: GPTConfig, seed: int, device: torch.device) -> GPT:
    torch.manual_seed(seed)
    try:
        return GPT(config).to(device)
    except RuntimeError as error:  # of torch's allocator
        raise InputError(
            f"model of width {config.n_embd} and {config.n_layer} layers: cannot be made on {device} "
            f"({str(error).splitlines()[0][:120]}); try a smaller model or params_total"
        ) from error
