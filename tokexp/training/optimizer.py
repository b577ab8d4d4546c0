"""AdamW as GPT-3 had it, and its learning rate."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tokexp.config import TrainConfig


def make_optimizer(model: torch.nn.Module, cfg: TrainConfig) -> torch.optim.AdamW:
    """AdamW with GPT-3's betas; weight decay on matrices only, not on biases and LayerNorms.

    Its state is there from the beginning, so that it can be saved, restored and captured at any step.
    """
    return optimizer_of(dict(model.named_parameters()), cfg)


def optimizer_of(named: dict[str, Any], cfg: TrainConfig) -> torch.optim.AdamW:
    """AdamW over parameters by name, which may be stacked: a name tells a matrix from a vector."""
    device = next(iter(named.values())).device
    on_cuda = device.type == "cuda"
    vectors = [p for name, p in named.items() if name.endswith(".bias") or ".ln_" in f".{name}"]
    matrices = [p for p in named.values() if not any(p is vector for vector in vectors)]
    groups = [{"params": matrices, "weight_decay": cfg.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    lr = torch.tensor(cfg.lr, device=device) if on_cuda else cfg.lr
    optimizer = torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95), fused=True, capturable=on_cuda)
    for parameter in named.values():
        optimizer.state[parameter] = {
            "step": torch.zeros((), device=device),
            "exp_avg": torch.zeros_like(parameter, requires_grad=False),
            "exp_avg_sq": torch.zeros_like(parameter, requires_grad=False),
        }
    return optimizer


def skip_next(optimizer: torch.optim.AdamW, skip: Tensor) -> None:
    """Let the next step change nothing where `skip`, a flag on the device, is true; AdamW looks at it there."""
    optimizer.found_inf = skip.float()  # type: ignore[attr-defined]


def set_rate(optimizer: torch.optim.AdamW, lr: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):  # which a captured step reads
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr
