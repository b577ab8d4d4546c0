"""The training loop: a generator of metric rows. It knows no logger, no folder and no Hydra."""

from __future__ import annotations

import contextlib
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from tokexp.budget import TrainPlan
from tokexp.config import InputError, TrainConfig
from tokexp.model import GPT, training_flops_per_token
from tokexp.provenance import processor
from tokexp.tokens import TokenStream, batch_offsets

Row = dict[str, Any]


class DivergedError(Exception):
    """The loss or the gradient is no longer a finite number."""


def resolve_device(name: str) -> torch.device:
    """The device that `name` asks for; auto is CUDA where there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"device: got {name!r}, expected auto, cpu, cuda, cuda:N or mps") from None
    if device.type not in ("cpu", "cuda", "mps") or (device.type == "cpu" and device.index):
        raise InputError(f"device: got {name!r}, expected auto, cpu, cuda, cuda:N or mps")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device: got {name!r}, but torch finds no CUDA device here; try device=cpu")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError(f"device: got {name!r}, but torch finds no MPS device here; try device=cpu")
    return device


def describe_device(device: torch.device) -> str:
    """What does the work: the GPU's name, or the processor's and its cores."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor()}, {os.cpu_count()} cores"


def resolve_precision(name: str, device: torch.device) -> str:
    """float32 or bf16; auto is bf16 on CUDA, where it pays, else float32."""
    if name == "auto":
        return "bf16" if device.type == "cuda" else "float32"
    return name


def train(
    model: GPT,
    data: TokenStream,
    plan: TrainPlan,
    cfg: TrainConfig,
    seed: int,
    precision: str,
    evaluate: Callable[[], Row],
) -> Iterator[Row]:
    """Train `model` in place. Yields a row for every step, and one for every evaluation.

    A step's row: event="step", step, loss (nats per token of its batch), grad_norm (before
    clipping), lr, tokens_seen, bytes_seen (of the text predicted). An evaluation's: event="eval",
    step, tokens_seen, bytes_seen, flops, seconds and tokens_per_second (of training alone), and what
    `evaluate` returns.
    Raises DivergedError at the first loss or gradient that is not finite, before it is applied.
    """
    device = next(model.parameters()).device
    T = model.config.block_size
    window = np.arange(T + 1)
    optimizer = make_optimizer(model, cfg)
    forward = torch.compile(model) if _compiles(cfg.compile, device) else model
    flops_per_token = training_flops_per_token(model.config)
    tokens_seen, bytes_seen, seconds = 0, 0, 0.0
    model.train()

    for step in range(1, plan.steps + 1):
        began = time.perf_counter()
        lr = plan.lr_at(step)
        for group in optimizer.param_groups:
            group["lr"] = lr
        offsets = batch_offsets(seed, step, len(data), cfg.batch_size, T)
        ids = torch.from_numpy(data.ids[offsets[:, None] + window].astype(np.int64)).to(device)
        with autocast(device, precision):
            logits_BTV = forward(ids[:, :-1])
            loss = F.cross_entropy(logits_BTV.flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), cfg.grad_clip)
        row: Row = {"event": "step", "step": step, "loss": loss.item(), "grad_norm": norm.item(), "lr": lr}
        if not (math.isfinite(row["loss"]) and math.isfinite(row["grad_norm"])):
            raise DivergedError(
                f"step {step} of {plan.steps}: loss {row['loss']}, gradient norm {row['grad_norm']}; "
                f"the run diverged, so try a smaller train.lr than {cfg.lr:g}"
            )
        optimizer.step()
        tokens_seen += cfg.batch_size * T
        bytes_seen += int((data.starts[offsets + T + 1] - data.starts[offsets + 1]).sum())
        seconds += time.perf_counter() - began
        yield {**row, "tokens_seen": tokens_seen, "bytes_seen": bytes_seen}
        if step % cfg.eval_every == 0 or step == plan.steps:
            scores = evaluate()
            if not all(math.isfinite(value) for value in scores.values() if isinstance(value, float)):
                raise DivergedError(
                    f"step {step} of {plan.steps}: the model's scores are no longer numbers; "
                    f"the run diverged, so try a smaller train.lr than {cfg.lr:g}"
                )
            yield {
                "event": "eval",
                "step": step,
                "tokens_seen": tokens_seen,
                "bytes_seen": bytes_seen,
                "flops": float(tokens_seen * flops_per_token),
                "seconds": seconds,
                "tokens_per_second": tokens_seen / seconds,
                **scores,
            }


def make_optimizer(model: GPT, cfg: TrainConfig) -> torch.optim.AdamW:
    """AdamW with GPT-3's betas; weight decay on matrices only, not on biases and LayerNorms."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": cfg.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=cfg.lr, betas=(0.9, 0.95), fused=True)


def spike_share(norms: list[float]) -> float:
    """Share of the steps whose gradient norm is over three times the median of the fifty steps before.

    From 0 to 1; a figure for unstable training. The first fifty steps, much of the warm-up, have no
    median to be held against. Not good for comparing learning rates: a smaller one spikes less.
    """
    spikes = sum(norm > 3 * statistics.median(norms[i - 50 : i]) for i, norm in enumerate(norms) if i >= 50)
    return spikes / max(1, len(norms) - 50)


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def _compiles(choice: str, device: torch.device) -> bool:
    return choice == "always" or (choice == "auto" and device.type == "cuda")
