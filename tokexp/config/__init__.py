"""Defines the settings of a run: one frozen dataclass per group of `conf/`, nested in `RunConfig`.

Plain Python: neither Hydra nor torch is imported here, so that `run_experiment(RunConfig(...))`
works from a notebook. The defaults are those of `conf/`; a test keeps the two equal.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from tokexp.config.checks import (
    InputError,
    check,
    check_types,
    describe_type,
    fits,
    one_of,
    positive,
    require_name,
)
from tokexp.config.data import DataConfig

__all__ = [
    "GROUP_TYPES",
    "BudgetConfig",
    "DataConfig",
    "InputError",
    "ModelConfig",
    "RunConfig",
    "SampleConfig",
    "TokenizerConfig",
    "TrackingConfig",
    "TrainConfig",
    "describe_type",
    "fits",
    "from_dict",
    "require_name",
    "to_dict",
]


@dataclass(frozen=True)
class TokenizerConfig:
    """A kind of tokenizer and its settings, which the kind's own `train` checks by name and type."""

    kind: str = "bpe"
    vocab_size: int | None = None  # at most; null is the kind's own choice
    settings: dict[str, Any] = field(default_factory=dict)  # what else `train` of this kind takes
    train_bytes: int | None = 100_000_000  # of the training part that it learns from, at most; null: all

    def __post_init__(self) -> None:
        positive("tokenizer.train_bytes", self.train_bytes)

    def train_settings(self) -> dict[str, Any]:
        """The keywords for `train_tokenizer`."""
        return self.settings if self.vocab_size is None else {"vocab_size": self.vocab_size, **self.settings}


@dataclass(frozen=True)
class ModelConfig:
    """The settings of a model; `GPTConfig` adds the vocabulary, which the tokenizer decides."""

    block_size: int = 64  # tokens of context
    n_layer: int = 2
    n_head: int = 4
    n_embd: int = 128
    dropout: float = 0.0
    tie_weights: bool = False  # one matrix for the token embedding and the LM head
    norm: str = "layernorm"  # layernorm | rmsnorm (Zhang and Sennrich 2019)
    positions: str = "learned"  # learned | rope: rotary (Su et al. 2021)
    n_kv_head: int | None = None  # heads for keys and values (Ainslie et al. 2023), a divisor of n_head; null is n_head

    def __post_init__(self) -> None:
        check_types("model.", self)
        for name in ("block_size", "n_layer", "n_head", "n_embd", "n_kv_head"):
            positive(f"model.{name}", getattr(self, name))
        check(0 <= self.dropout < 1, "model.dropout", self.dropout, "a number from 0 up to, not including, 1")
        check(self.n_embd % self.n_head == 0, "model.n_embd", self.n_embd, f"a multiple of model.n_head={self.n_head}")
        one_of("model.norm", self.norm, "layernorm", "rmsnorm")
        one_of("model.positions", self.positions, "learned", "rope")
        if self.n_kv_head is not None:
            divides = self.n_head % self.n_kv_head == 0
            check(divides, "model.n_kv_head", self.n_kv_head, f"a divisor of model.n_head={self.n_head}")
        if self.positions == "rope":
            pairs = self.n_embd // self.n_head % 2 == 0
            check(pairs, "model.n_embd", self.n_embd, f"an even width a head for positions=rope, n_head={self.n_head}")


@dataclass(frozen=True)
class TrainConfig:
    batch_size: int = 16  # sequences a step
    batch_bytes: int | None = None  # text in a step: batch_size is worked out from it
    lr: float = 2e-3  # at the end of the warm-up
    min_lr: float = 2e-4  # at the end of the run
    warmup_steps: int | None = None  # null: a twentieth of the run's steps; a number: at most a tenth of them are used
    schedule: str = "cosine"  # cosine | constant (after the warm-up)
    weight_decay: float = 0.1  # on matrices only
    grad_clip: float = 1.0  # largest gradient norm
    eval_every: int = 100  # steps; the end of the run is always evaluated
    eval_bytes: int | None = 125_000  # of the validation part that evaluations read; at the end all of it; null: all
    grad_accum: int = 1  # micro-batches in which a batch is worked through, for less memory
    checkpoint_every: int | None = 500  # steps after which an interrupted run can go on; null: at its end only
    compile: str = "auto"  # auto | always | never: torch.compile; auto means on CUDA
    cuda_graph: str = "auto"  # auto | always | never: a step as one launch; auto means on CUDA

    def __post_init__(self) -> None:
        check_types("train.", self)
        for name in (
            "batch_size",
            "batch_bytes",
            "lr",
            "grad_clip",
            "eval_every",
            "eval_bytes",
            "grad_accum",
            "checkpoint_every",
        ):
            positive(f"train.{name}", getattr(self, name))
        for name in ("min_lr", "warmup_steps", "weight_decay"):
            check(0 <= (got := getattr(self, name) or 0) < math.inf, f"train.{name}", got, "at least 0, and finite")
        check(self.min_lr <= self.lr, "train.min_lr", self.min_lr, f"at most train.lr={self.lr}")
        one_of("train.schedule", self.schedule, "cosine", "constant")
        for name in ("compile", "cuda_graph"):
            one_of(f"train.{name}", getattr(self, name), "auto", "always", "never")


@dataclass(frozen=True)
class BudgetConfig:
    """The length of a training. Exactly one is set; the others follow from it."""

    steps: int | None = None
    bytes: int | None = None  # of training text read, repetitions included
    flops: float | None = None
    epochs: float | None = None

    def __post_init__(self) -> None:
        check_types("budget.", self)
        given = {k: v for k, v in dataclasses.asdict(self).items() if v is not None}
        check(len(given) == 1, "budget", given or "nothing", "exactly one of steps, bytes, flops, epochs")
        for name, value in given.items():
            positive(f"budget.{name}", value)


@dataclass(frozen=True)
class SampleConfig:
    prompt: str | None = None  # what every sample continues; null: the first words of the held-out text
    tokens: int = 500  # the seed experiment's sample: equal tokens, so unequal characters
    temperature: float = 0.8  # of that sample; 0 is greedy
    count: int = 20  # further samples, of equal characters, at each of `temperatures`: their readability is scored
    chars: int = 1500  # characters in each of those
    temperatures: list[float] = field(default_factory=lambda: [0.8, 1.0])
    top_k: int | None = None
    top_p: float | None = None  # at least 1e-6: less is 0 in float32, which keeps no token

    def __post_init__(self) -> None:
        check_types("sample.", self)
        positive("sample.top_k", self.top_k)
        for name in ("tokens", "chars"):  # more would not end
            enough = 0 < getattr(self, name) <= 10**7
            check(enough, f"sample.{name}", getattr(self, name), "more than 0, and at most 10,000,000")
        check(self.prompt != "", "sample.prompt", "''", "at least one character")
        check(0 <= self.count <= 10**5, "sample.count", self.count, "at least 0, and at most 100,000")
        for name, value in [("temperature", self.temperature), *(("temperatures", t) for t in self.temperatures)]:
            number = type(value) in (int, float) and (value == 0 or 1e-3 <= value <= 1e3)
            check(number, f"sample.{name}", value, "0, which is greedy, or from 0.001 to 1000")
        check(self.top_p is None or 1e-6 <= self.top_p <= 1, "sample.top_p", self.top_p, "from 0.000001 to 1")


@dataclass(frozen=True)
class TrackingConfig:
    mode: str = "auto"  # auto | online | offline | disabled: Weights & Biases; metrics.jsonl is always written
    project: str = "tokexp"
    entity: str | None = None
    weights: bool = False  # upload the best weights too
    tags: list[str] = field(default_factory=list)
    notes: str | None = None

    def __post_init__(self) -> None:
        check_types("tracking.", self)
        one_of("tracking.mode", self.mode, "auto", "online", "offline", "disabled")
        check(all(type(tag) is str for tag in self.tags), "tracking.tags", self.tags, "a list of texts")


@dataclass(frozen=True)
class RunConfig:
    data: DataConfig = field(default_factory=DataConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    budget: BudgetConfig = field(default_factory=lambda: BudgetConfig(steps=1000))
    sample: SampleConfig = field(default_factory=SampleConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    params_total: int | None = None  # total parameters: model.n_embd is worked out from it
    tuned: list[str] = field(default_factory=list)  # what was chosen by looking at held-out text, see `chosen.py`
    seed: int = 0
    device: str = "auto"  # auto | cpu | cuda | cuda:N | mps; auto is cuda where there is one, else cpu
    precision: str = "auto"  # auto | float32 | tf32 | bf16; auto is bf16 on cuda, else float32
    sweep: str = "single"  # what the run belongs to, and the report it goes into
    arm: str = ""  # the tokenizer option's name; the kind where empty
    size: str = "custom"  # the model option's name
    label: str = ""  # in the run's name: what its sweep varies besides tokenizer, model and seed, which fills it in
    rerun: bool = False  # train again where a result is there already
    keep_weights: str = "all"  # all | best | none: of a finished run; sampling and scoring need them
    threads: int | None = None  # of the CPU; null: all, or with several runs at once a fair share

    def __post_init__(self) -> None:
        check_types("", self)
        positive("params_total", self.params_total)
        check(0 <= self.seed < 2**63, "seed", self.seed, "from 0 up to, not including, 2**63")
        one_of("precision", self.precision, "auto", "float32", "tf32", "bf16")
        one_of("keep_weights", self.keep_weights, "all", "best", "none")
        check(self.threads is None or 0 < self.threads <= 2**16, "threads", self.threads, "from 1 to 65,536")
        some = self.keep_weights != "none" or not self.tracking.weights
        check(some, "tracking.weights=true", "keep_weights=none", "best or all, so that there are weights to upload")
        if not self.arm:
            object.__setattr__(self, "arm", self.tokenizer.kind)
        check(all(type(name) is str for name in self.tuned), "tuned", self.tuned, "a list of texts")
        for name in ("sweep", "arm", "size", *(["label"] if self.label else [])):
            require_name(name, getattr(self, name))


GROUP_TYPES: dict[str, type] = {
    name: kind
    for name, kind in get_type_hints(RunConfig).items()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind)
}


FORMER_NAMES = {"val_path": "val", "val_max_bytes": "val_bytes"}  # of settings of data, in older folders


def to_dict(cfg: RunConfig) -> dict[str, Any]:
    """Make nested plain dicts, as in `config.yaml`: the tokenizer's settings stand beside its kind."""
    tree = dataclasses.asdict(cfg)
    tree["tokenizer"].update(tree["tokenizer"].pop("settings"))
    return tree


def from_dict(tree: dict[str, Any]) -> RunConfig:
    """Make the settings of which `to_dict` made `tree`. Raises InputError naming a key that no group has."""
    if not isinstance(tree, dict) or not isinstance(tree.get("tokenizer", {}), dict):
        raise InputError(f"settings: got {str(tree)[:80]!r}, expected groups of settings by name")
    tree = {name: value for name, value in tree.items() if name != "dry"}  # which older folders still have
    if isinstance(tree.get("data"), dict):
        tree["data"] = {FORMER_NAMES.get(name, name): value for name, value in tree["data"].items()}
    tokenizer = {**tree.get("tokenizer", {})}
    known = {name: tokenizer.pop(name) for name in ("kind", "vocab_size", "train_bytes") if name in tokenizer}
    tree["tokenizer"] = {**known, "settings": tokenizer}
    for group, kind in GROUP_TYPES.items():
        if group in tree:
            tree[group] = _build(kind, tree[group], f"{group}.")
    return _build(RunConfig, tree, "")


def _build(kind: type, values: dict[str, Any], where: str) -> Any:
    if not isinstance(values, dict):
        raise InputError(f"{where.rstrip('.') or 'settings'}: got {values!r}, expected settings by name")
    names = [f.name for f in dataclasses.fields(kind)]
    unknown = [where + key for key in values if key not in names]
    if unknown:
        raise InputError(f"unknown setting {', '.join(unknown)}: expected one of {', '.join(names)}")
    return kind(**values)
