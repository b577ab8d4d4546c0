"""Read the options of conf/ without Hydra."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from tokexp.config import DataConfig, InputError, TokenizerConfig
from tokexp.system.places import ROOT


def tokenizer_option(name: str, vocab_size: int | None, path: str | None) -> tuple[str, dict[str, Any]]:
    """Read the kind and settings of an option of conf/tokenizer/, with a size and a file where given and of use.

    Raises InputError for a size where the kind leaves no choice.
    """
    settings = {key: value for key, value in option("tokenizer", name).items() if value is not None}
    kind = settings.pop("kind")
    settings.pop("train_bytes", None)
    if vocab_size is not None:
        if kind not in ("char", "word", "word_cased") and "vocab_size" not in settings:
            raise InputError(f"--vocab-size: got {vocab_size}, but {name} leaves no choice; leave it out")
        settings["vocab_size"] = vocab_size
    if path is not None and kind == "file":
        settings["path"] = path
    return kind, settings


def arm_of(option: str, tokenizer: TokenizerConfig) -> str:
    """The name of an option of conf/tokenizer/, or of a tokenizer from a file, which has the file's."""
    path = tokenizer.settings.get("path")
    if option != "file" or not isinstance(path, str):
        return option
    file = Path(path)
    several = file.stem == "tokenizer" and file.parent.name  # as Hugging Face calls every one
    return re.sub(r"^\W+|[^\w.+-]", "_", f"{file.parent.name}-{file.name}" if several else file.name)


def data_option(name: str, path: str | None) -> DataConfig:
    """Read an option of conf/data/, with its path where that is given."""
    settings = option("data", name)
    return DataConfig(**{**settings, **({} if path is None else {"path": path})})


def option(group: str, name: str) -> dict[str, Any]:
    """Read what conf/GROUP/NAME.yaml sets."""
    files = {path.stem: path for path in sorted((ROOT / "conf" / group).glob("*.yaml"))}
    if name not in files:
        raise InputError(f"{group}: got {name!r}, expected one of {', '.join(files)}")
    settings: dict[str, Any] = yaml.safe_load(files[name].read_text(encoding="utf-8"))
    return settings
