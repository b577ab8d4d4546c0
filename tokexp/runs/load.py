"""Load a finished run: its model, its tokenizer, its settings and its result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokexp.config import InputError, RunConfig, from_dict
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.model.huggingface import Pretrained, load_pretrained
from tokexp.model.weights import read_weights, require_fit
from tokexp.runs.files import BEST_WEIGHTS, CONFIG, END_WEIGHTS, RESULT, TOKENIZER
from tokexp.runs.result import RunResult, load_result
from tokexp.system.files import sha256
from tokexp.system.reading import read_yaml
from tokexp.tokenizer import Tokenizer, load_tokenizer


def load_any(folder: Path | str, weights: str = "end") -> Run | Pretrained:
    """Load a finished run, or a GPT-2 in Hugging Face's format, which has one set of weights."""
    folder = Path(folder)
    if (folder / "config.json").is_file() and not (folder / RESULT).exists():
        return load_pretrained(folder)
    return load_run(folder, weights)


def load_config(folder: Path) -> RunConfig:
    try:
        tree = read_yaml(folder / CONFIG)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{folder}: no readable {CONFIG} ({reason}); expected a run's folder") from error
    return from_dict(tree)


@dataclass(frozen=True)
class Run:
    model: GPT
    tokenizer: Tokenizer
    config: RunConfig
    result: RunResult

    @property
    def context_id(self) -> int:
        """The id before a text."""
        return self.result.context_id


def load_run(folder: Path | str, weights: str = "end") -> Run:
    """Load a finished run, its model on the CPU in eval mode. `weights`: those at the "end", or the "best"."""
    folder = Path(folder)
    result, config = load_result(folder), load_config(folder)
    tokenizer = load_tokenizer(folder / TOKENIZER)
    if sha256((folder / TOKENIZER).read_bytes()) != result.tokenizer.tokenizer_sha256:
        raise InputError(f"{folder / TOKENIZER}: not the one that this run was trained with; bring that back")
    files = {"end": END_WEIGHTS, "best": BEST_WEIGHTS}
    if weights not in files:
        raise InputError(f"weights: got {weights!r}, expected end or best")
    path = folder / files[weights]
    if not path.exists() and config.keep_weights != "all":
        raise InputError(f"{path}: not kept, since keep_weights={config.keep_weights}; run again with rerun=true")
    try:
        weights_by_name = read_weights(path)
        sizes = GPTConfig.of(config.model, tokenizer.vocab_size)
        require_fit(sizes, weights_by_name)
        model = GPT(sizes)
        model.load_state_dict(weights_by_name)
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be loaded ({reason}); run again with rerun=true") from error
    return Run(model.eval(), tokenizer, config, result)
