"""The training loop: a generator of rows, one a step. It knows no logger, no folder, no evaluation and no Hydra."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch

from tokexp.config import TrainConfig
from tokexp.encoding.batches import batch_offsets
from tokexp.encoding.stream import TokenStream
from tokexp.model.gpt import GPT
from tokexp.system.distributed import ALONE, World
from tokexp.training.budget import TrainPlan
from tokexp.training.optimizer import make_optimizer
from tokexp.training.record import StepRow
from tokexp.training.stacked import StackedStepper
from tokexp.training.state import TrainState
from tokexp.training.stepper import Stepper

LONGEST_WAIT = 100  # steps on a GPU whose figures are fetched at once


class DivergedError(Exception):
    """The loss or the gradient is no longer a finite number."""


def train(
    model: GPT,
    data: TokenStream,
    plan: TrainPlan,
    cfg: TrainConfig,
    seed: int,
    precision: str,
    state: TrainState | None = None,
    *,
    pause: Callable[[int], bool] = lambda step: False,
    world: World = ALONE,
) -> Iterator[list[StepRow]]:
    """Train `model` in place, from where `state` stands to the end of `plan`.

    Yields the rows of the steps since it last did. Between, model and state are at rest, so that the
    consumer may evaluate, save or stop. That is after every step on a CPU; on CUDA, where reading a
    figure waits for all work under way, only after the steps for which `pause` is true, the last one,
    and so that no row waits for more than 100 steps.

    Of several processes, `world`, each trains on its part of every batch, and has the same rows.
    Raises DivergedError for the first loss or gradient that is not finite; it was not applied.
    """
    state = state or TrainState(make_optimizer(model, cfg))
    stepper = Stepper(model, data, cfg, seed, precision, state.optimizer, world)
    for (rows,) in _train(stepper, data, plan, cfg, [seed], [state], pause):
        if isinstance(rows, DivergedError):
            raise rows
        yield rows


def train_as_one(
    models: Sequence[GPT],
    data: TokenStream,
    plan: TrainPlan,
    cfg: TrainConfig,
    seeds: Sequence[int],
    precision: str,
    states: Sequence[TrainState],
    *,
    pause: Callable[[int], bool] = lambda step: False,
) -> Iterator[list[list[StepRow] | DivergedError]]:
    """Train several models of one architecture, which differ in their seed, as one batched model.

    Each reads its own batches and has its own gradient norm and clip. `states` stand at the same step.
    Yields for each model what `train` would have, or the error that it would have raised; such a model
    is not to be used any more, and the others go on.
    """
    stepper = StackedStepper(models, data, cfg, precision, [state.optimizer for state in states])
    yield from _train(stepper, data, plan, cfg, seeds, states, pause)


class Taken(NamedTuple):
    """A step whose loss and gradient norm may still be under way."""

    step: int
    lr: float
    tokens_seen: int
    bytes_seen: int


def _train(
    stepper: Stepper | StackedStepper,
    data: TokenStream,
    plan: TrainPlan,
    cfg: TrainConfig,
    seeds: Sequence[int],
    states: Sequence[TrainState],
    pause: Callable[[int], bool],
) -> Iterator[list[list[StepRow] | DivergedError]]:
    T = stepper.block_size
    taken: list[list[Taken]] = [[] for _ in states]
    figures: list[torch.Tensor] = []  # of each step: (models, 2), loss and gradient norm, perhaps still being computed
    began = time.perf_counter()
    while states[0].step < plan.steps:
        step = states[0].step + 1
        lr = plan.lr_at(step)
        offsets = [batch_offsets(seed, step, len(data), cfg.batch_size, T) for seed in seeds]
        figures.append(stepper.step(step, offsets, lr))
        for state, steps, read in zip(states, taken, offsets, strict=True):
            state.count_step(cfg.batch_size * T, data.bytes_of(read + 1, T))
            steps.append(Taken(step, lr, state.tokens_seen, state.bytes_seen))
        if stepper.runs_ahead and step < plan.steps and len(figures) < LONGEST_WAIT and not pause(step):
            continue
        fetched = torch.stack(figures, dim=1).tolist()
        for state in states:
            state.count_seconds(time.perf_counter() - began)
        yield [_rows(steps, values, plan, cfg) for steps, values in zip(taken, fetched, strict=True)]
        taken, figures, began = [[] for _ in states], [], time.perf_counter()


def _rows(
    steps: list[Taken], figures: list[list[float]], plan: TrainPlan, cfg: TrainConfig
) -> list[StepRow] | DivergedError:
    rows = [StepRow(*taken, loss=loss, grad_norm=norm) for taken, (loss, norm) in zip(steps, figures, strict=True)]
    for row in rows:
        if not (math.isfinite(row.loss) and math.isfinite(row.grad_norm)):
            return DivergedError(
                f"step {row.step} of {plan.steps}: loss {row.loss}, gradient norm {row.grad_norm}; "
                f"the run diverged, so try a smaller train.lr than {cfg.lr:g}"
            )
    return rows


def spike_share(norms: list[float]) -> float:
    """Share of the steps whose gradient norm is over three times the median of the fifty steps before.

    From 0 to 1; a figure for unstable training. The first fifty steps, much of the warm-up, have no
    median to be held against. Not good for comparing learning rates: a smaller one spikes less.
    """
    spikes = sum(norm > 3 * statistics.median(norms[i - 50 : i]) for i, norm in enumerate(norms) if i >= 50)
    return spikes / max(1, len(norms) - 50)
