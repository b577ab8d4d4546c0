"""Make of a budget in steps, bytes, FLOPs or epochs a plan in steps, with the learning rate at each."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from tokexp.config import BudgetConfig, TrainConfig

WARMUP_SHARE = 0.05  # of a run's steps, where `train.warmup_steps` leaves it open


@dataclass(frozen=True)
class TrainPlan:
    steps: int
    warmup_steps: int
    lr: float
    min_lr: float
    schedule: str  # cosine | constant

    def lr_at(self, step: int) -> float:
        """Learning rate of step 1 to `steps`: a linear warm-up from 0, then cosine to `min_lr` at the last."""
        if step <= self.warmup_steps:
            return self.lr * step / self.warmup_steps
        if self.schedule == "constant":
            return self.lr
        progress = (step - self.warmup_steps) / (self.steps - self.warmup_steps)
        return self.min_lr + (self.lr - self.min_lr) * (1 + math.cos(math.pi * progress)) / 2


def plan_training(
    budget: BudgetConfig,
    train: TrainConfig,
    *,
    tokens_per_step: int,
    train_tokens: int,
    train_bytes: int,
    flops_per_token: int,
) -> TrainPlan:
    """Plan the steps that `budget` pays for: the nearest whole number, at least 1.

    `train_tokens` and `train_bytes` are those of the training part: an epoch, and what turns bytes
    into tokens.
    """
    if budget.steps is not None:
        steps = budget.steps
    else:
        if budget.bytes is not None:
            tokens = budget.bytes * train_tokens / train_bytes
        elif budget.flops is not None:
            tokens = budget.flops / flops_per_token
        else:
            assert budget.epochs is not None
            tokens = budget.epochs * train_tokens
        steps = max(1, round(tokens / tokens_per_step))
    return TrainPlan(steps, warmup_steps(train, steps), train.lr, train.min_lr, train.schedule)


def warmup_steps(train: TrainConfig, steps: int) -> int:
    """Share of a run's steps that the learning rate takes to rise: a twentieth, or what is asked for, up to a tenth."""
    return int(WARMUP_SHARE * steps) if train.warmup_steps is None else min(train.warmup_steps, steps // 10)


def describe_budget(budget: BudgetConfig) -> str:
    """Name what runs with this budget have in common, such as "steps=600"."""
    (given,) = [(name, value) for name, value in dataclasses.asdict(budget).items() if value is not None]
    return f"{given[0]}={given[1]:g}" if isinstance(given[1], float) else f"{given[0]}={given[1]}"
