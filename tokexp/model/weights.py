"""Reads the weights of a model from a safetensors file, and compares them with the settings that ask for them."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tokexp.model.gpt import GPTConfig
from tokexp.model.sizes import parameter_split
from tokexp.system.reading import require_regular

FREE = 1 << 18  # parameters that may be asked for whatever the file has: how they differ is then said by name
TABLES = 64  # numbers of rotary positions' tables, for each parameter


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file by name. Raises OSError or ValueError where they cannot be, or are not finite."""
    require_regular(path)
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor if tensor.itemsize > 1 else tensor.float()).all():
            raise ValueError(f"{name} has weights that are no finite numbers")
    return tensors


def require_fit(config: GPTConfig, tensors: dict[str, Tensor]) -> None:
    """Raise ValueError where a model of `config` has more parameters than `tensors`, before memory is taken for it."""
    held = sum(tensor.numel() for tensor in tensors.values())
    asked = parameter_split(config).params_total
    if asked > max(held, FREE):
        raise ValueError(f"got {held:,} weights, and settings that ask for {asked:,}")
    tables = 2 * config.n_layer * config.block_size * config.n_embd // config.n_head
    if config.positions == "rope" and tables > TABLES * max(held, FREE):
        raise ValueError(f"got {held:,} weights, and settings that ask for a context of {config.block_size:,} tokens")
