"""Defines the two loops that are compared, on the same model and random ids: ours, and what most people write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from tokexp.config import TrainConfig
from tokexp.encoding.stream import TokenStream
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.system.device import autocast, is_enabled
from tokexp.training.budget import TrainPlan
from tokexp.training.loop import train


@dataclass(frozen=True)
class Training:
    """A training to time: the model, what a step reads, and where it computes."""

    model: GPTConfig
    batch_size: int
    device: str
    precision: str  # float32 | bf16
    compile: str  # always | never
    pause_every: int  # steps after which ours may wait for the device

    @property
    def title(self) -> str:
        text = f"vocabulary {self.model.vocab_size:,}"
        return text if self.device == "cpu" else f"{text}, {self.precision}, compile={self.compile}"


Steps = Iterator[int]  # trains as it is read; yields how many steps it took

ENDLESS = TrainPlan(steps=10**9, warmup_steps=0, lr=3e-4, min_lr=3e-4, schedule="constant")
BETAS, WEIGHT_DECAY, CLIP = (0.9, 0.95), 0.1, 1.0  # as in `tokexp.training`
WARM_UP = 3  # steps before anything is timed


def our_loop(training: Training) -> Steps:
    """Train by the loop of `tokexp.training`, with random ids for a text."""
    model, ids = model_and_ids(training)
    stream = TokenStream(ids, np.ones(len(ids), dtype=np.uint8))
    cfg = TrainConfig(
        batch_size=training.batch_size,
        lr=ENDLESS.lr,
        min_lr=ENDLESS.min_lr,
        weight_decay=WEIGHT_DECAY,
        grad_clip=CLIP,
        compile=training.compile,
    )

    def pause(step: int) -> bool:
        return step <= WARM_UP or (step - WARM_UP) % training.pause_every == 0

    for rows in train(model, stream, ENDLESS, cfg, 0, training.precision, pause=pause):
        yield len(rows)


def plain_loop(training: Training) -> Steps:
    """Train as most people write it: nanoGPT's loop, on the same model and ids.

    Eager PyTorch (compiled where `ours` is), all logits and `F.cross_entropy`, a batch stacked from
    slices, AdamW as torch has it by default (fused on CUDA, as nanoGPT chooses), gradients clipped, and
    the loss read at every step, as ours is. Source: train.py of github.com/karpathy/nanoGPT.
    """
    model, data = model_and_ids(training)
    device = next(model.parameters()).device
    T = training.model.block_size
    groups = [
        {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    fused = True if device.type == "cuda" else None
    optimizer = torch.optim.AdamW(groups, lr=ENDLESS.lr, betas=BETAS, fused=fused)
    forward = torch.compile(model) if is_enabled(training.compile, device) else model
    model.train()
    while True:
        ix = torch.randint(len(data) - T, (training.batch_size,))
        x = torch.stack([torch.from_numpy(data[i : i + T].astype(np.int64)) for i in ix])
        y = torch.stack([torch.from_numpy(data[i + 1 : i + 1 + T].astype(np.int64)) for i in ix])
        if device.type == "cuda":
            x, y = x.pin_memory().to(device, non_blocking=True), y.pin_memory().to(device, non_blocking=True)
        else:
            x, y = x.to(device), y.to(device)
        with autocast(device, training.precision):
            logits = forward(x)
            loss = F.cross_entropy(logits.view(-1, logits.size(-1)), y.view(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        yield 1


LOOPS = {"tokexp": our_loop, "plain loop": plain_loop}


def model_and_ids(training: Training) -> tuple[GPT, np.ndarray]:
    """A model on its device, and random ids for a text; the same each time."""
    torch.manual_seed(0)
    V = training.model.vocab_size
    ids = np.random.default_rng(0).integers(0, V, size=100_000 + training.model.block_size)
    return GPT(training.model).to(training.device), ids.astype(np.min_scalar_type(V - 1))


def take(loop: Steps, steps: int) -> None:
    """Train for at least `steps` steps."""
    while steps > 0:
        steps -= next(loop)
