"""The options of conf/, read without Hydra."""

from __future__ import annotations

from typing import Any

import yaml

from tokexp.config import DataConfig, InputError
from tokexp.system.places import ROOT


def load_option(name: str) -> tuple[str, dict[str, Any]]:
    """The kind and settings of an option of conf/tokenizer/."""
    settings = option("tokenizer", name)
    return settings.pop("kind"), {key: value for key, value in settings.items() if value is not None}


def data_config(name: str, path: str | None) -> DataConfig:
    """An option of conf/data/, with its path where that is given."""
    settings = option("data", name)
    return DataConfig(**{**settings, **({} if path is None else {"path": path})})


def option(group: str, name: str) -> dict[str, Any]:
    """What conf/GROUP/NAME.yaml sets."""
    files = {path.stem: path for path in sorted((ROOT / "conf" / group).glob("*.yaml"))}
    if name not in files:
        raise InputError(f"{group}: got {name!r}, expected one of {', '.join(files)}")
    settings: dict[str, Any] = yaml.safe_load(files[name].read_text(encoding="utf-8"))
    return settings
