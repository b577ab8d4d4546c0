"""What a run is, before anything is done, and all that its training needs. Nothing is written but in data/cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from tokexp.config import InputError, RunConfig
from tokexp.data.corpus import Corpus, load_corpus
from tokexp.encoding.prepare import Prepared, TokenizedCorpus, prepare, require_length
from tokexp.model.architecture import fill_in_sizes
from tokexp.model.generate import prompt_ids
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.model.sizes import training_flops_per_token
from tokexp.runs.identity import config_hash, run_name
from tokexp.runs.result import has_result
from tokexp.runs.state import read_state
from tokexp.system.device import resolve_precision
from tokexp.system.provenance import git_state
from tokexp.tokenizer import Tokenizer
from tokexp.training.budget import TrainPlan, plan_training
from tokexp.training.loop import DivergedError


@dataclass(frozen=True)
class RunSpec:
    """A run to be done: its settings on this machine, its name and its folder."""

    cfg: RunConfig
    corpus: Corpus
    device: torch.device
    precision: str
    digest: str  # the hash of the settings
    name: str
    path: Path

    @property
    def done(self) -> bool:
        """Whether its folder has its result, which is then not to be found anew."""
        return not self.cfg.rerun and has_result(self.path, self.digest)

    def refuse_if_diverged(self) -> None:
        """Raise DivergedError where the same run diverged before: that is a result, and would be again."""
        before = read_state(self.path)
        if before.state == "diverged" and before.config_hash == self.digest and not self.cfg.rerun:
            raise DivergedError(f"{self.name}: diverged before ({before.reason}); rerun=true tries it again")


def identify(cfg: RunConfig, folder: Path | str | None, device: torch.device) -> RunSpec:
    """The run that `cfg` describes; `folder` is by default runs/SWEEP/NAME."""
    git_state()  # asked now, and kept
    corpus = load_corpus(cfg.data)
    precision = resolve_precision(cfg.precision, device)
    digest = config_hash(cfg, corpus, precision)
    name = run_name(cfg, digest)
    path = Path(folder) if folder is not None else Path("runs", cfg.sweep, name)
    return RunSpec(cfg, corpus, device, precision, digest, name, path)


@dataclass(frozen=True)
class PreparedRun:
    """All that a training needs: a corpus in a tokenizer's ids, an untrained model, and the plan of its steps."""

    spec: RunSpec
    cfg: RunConfig  # the spec's, with what the tokenizer decides filled in
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


def prepare_run(spec: RunSpec) -> PreparedRun:
    """Raises InputError for what the user can put right."""
    corpus = spec.corpus
    encoded = prepare(spec.cfg.tokenizer.kind, spec.cfg.tokenizer.train_settings(), corpus)
    tokenizer, data = encoded.tokenizer, encoded.data
    cfg = fill_in_sizes(spec.cfg, tokenizer.vocab_size, data.train.n_bytes / len(data.train))
    require_length(corpus, data, cfg.model.block_size)
    prompt_ids(tokenizer, cfg.sample.prompt)  # refused now rather than after training

    config = GPTConfig.of(cfg.model, tokenizer.vocab_size)
    model = _initial_model(config, cfg.seed, spec.device)
    plan = plan_training(
        cfg.budget,
        cfg.train,
        tokens_per_step=cfg.train.batch_size * cfg.model.block_size,
        train_tokens=len(data.train),
        train_bytes=data.train.n_bytes,
        flops_per_token=training_flops_per_token(config),
    )
    return PreparedRun(spec, cfg, encoded, model, plan)


def _initial_model(config: GPTConfig, seed: int, device: torch.device) -> GPT:
    torch.manual_seed(seed)
    try:
        return GPT(config).to(device)
    except RuntimeError as error:  # of torch's allocator
        raise InputError(
            f"model of width {config.n_embd} and {config.n_layer} layers: cannot be made on {device} "
            f"({str(error).splitlines()[0][:120]}); try a smaller model or params_total"
        ) from error
