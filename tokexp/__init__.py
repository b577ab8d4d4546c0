"""tokexp: how does the choice of tokenizer change what a small GPT learns, costs and writes?

What Python code may rely on. Nothing heavy is imported until it is asked for:

    import tokexp
    tokexp.compare(["char", "word", "bpe"], path="play.txt", seeds=[0, 1, 2])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokexp.config import RunConfig as RunConfig
    from tokexp.experiment import run_experiment as run_experiment
    from tokexp.model import GPT as GPT
    from tokexp.model import GPTConfig as GPTConfig
    from tokexp.rendering.notebook import load_study as load_study
    from tokexp.runs.load import load_run as load_run
    from tokexp.sweep.notebook import compare as compare
    from tokexp.tokenizer import load_tokenizer as load_tokenizer
    from tokexp.tokenizer import train_tokenizer as train_tokenizer

__version__ = "0.1.0"

HOMES = {
    "GPT": "tokexp.model",
    "GPTConfig": "tokexp.model",
    "RunConfig": "tokexp.config",
    "compare": "tokexp.sweep.notebook",
    "load_run": "tokexp.runs.load",
    "load_study": "tokexp.rendering.notebook",
    "load_tokenizer": "tokexp.tokenizer",
    "run_experiment": "tokexp.experiment",
    "train_tokenizer": "tokexp.tokenizer",
}
__all__ = list(HOMES)


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'tokexp' has no attribute {name!r}; it has {', '.join(HOMES)}")
    return getattr(importlib.import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *HOMES])
