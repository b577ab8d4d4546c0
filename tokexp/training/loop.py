"""The training loop: a generator of metric rows. It knows no logger, no folder, no evaluation and no Hydra."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tokexp.config import TrainConfig
from tokexp.encoding.batches import batch_offsets
from tokexp.encoding.stream import TokenStream
from tokexp.model.gpt import GPT
from tokexp.system.distributed import ALONE, World
from tokexp.training.budget import TrainPlan
from tokexp.training.optimizer import make_optimizer
from tokexp.training.several import SeveralSteppers
from tokexp.training.stepper import Stepper

Row = dict[str, Any]

LONGEST_WAIT = 100  # steps on a GPU whose figures are fetched at once


class DivergedError(Exception):
    """The loss or the gradient is no longer a finite number."""


@dataclass
class TrainState:
    """Where a training stands between two steps, beside the weights of its model."""

    optimizer: torch.optim.AdamW
    step: int = 0  # steps done
    tokens_seen: int = 0
    bytes_seen: int = 0  # of the text predicted
    seconds: float = 0.0  # of training alone


COUNTS = ("step", "tokens_seen", "bytes_seen", "seconds")  # of a TrainState


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
) -> Iterator[list[Row]]:
    """Train `model` in place, from where `state` stands to the end of `plan`.

    Yields the rows of the steps since it last did. Between, model and state are at rest, so that the
    consumer may evaluate, save or stop. That is after every step on a CPU; on CUDA, where reading a
    figure waits for all work under way, only after the steps for which `pause` is true, the last one,
    and so that no row waits for more than 100 steps.

    A row: event="step", step, loss (nats per token of its batch), grad_norm (before clipping), lr,
    tokens_seen, bytes_seen. Of several processes, `world`, each trains on its part of every batch, and
    has the same rows.
    Raises DivergedError for the first loss or gradient that is not finite; it was not applied.
    """
    state = state or TrainState(make_optimizer(model, cfg))
    stepper = Stepper(model, data, cfg, seed, precision, state.optimizer, world)
    for (rows,) in _train(stepper, data, plan, cfg, [seed], [state], pause):
        if isinstance(rows, DivergedError):
            raise rows
        yield rows


def train_together(
    models: Sequence[GPT],
    data: TokenStream,
    plan: TrainPlan,
    cfg: TrainConfig,
    seeds: Sequence[int],
    precision: str,
    states: Sequence[TrainState],
    *,
    pause: Callable[[int], bool] = lambda step: False,
) -> Iterator[list[list[Row] | DivergedError]]:
    """Train several models of one architecture, which differ in their seed, as one batched model.

    Each reads its own batches and has its own gradient norm and clip. `states` stand at the same step.
    Yields for each model what `train` would have, or the error that it would have raised; such a model
    is not to be used any more, and the others go on.
    """
    stepper = SeveralSteppers(models, data, cfg, precision, [state.optimizer for state in states])
    yield from _train(stepper, data, plan, cfg, seeds, states, pause)


def _train(
    stepper: Stepper | SeveralSteppers,
    data: TokenStream,
    plan: TrainPlan,
    cfg: TrainConfig,
    seeds: Sequence[int],
    states: Sequence[TrainState],
    pause: Callable[[int], bool],
) -> Iterator[list[list[Row] | DivergedError]]:
    T = stepper.block_size
    rows: list[list[Row]] = [[] for _ in states]
    figures: list[torch.Tensor] = []  # of each step: (models, 2), loss and gradient norm, perhaps still being computed
    began = time.perf_counter()
    while states[0].step < plan.steps:
        step = states[0].step + 1
        lr = plan.lr_at(step)
        offsets = [batch_offsets(seed, step, len(data), cfg.batch_size, T) for seed in seeds]
        figures.append(stepper.step(step, offsets, lr))
        for state, own, read in zip(states, rows, offsets, strict=True):
            state.step = step
            state.tokens_seen += cfg.batch_size * T
            state.bytes_seen += int((data.starts[read + T + 1] - data.starts[read + 1]).sum())
            own.append({"event": "step", "step": step, "lr": lr})
            own[-1] |= {"tokens_seen": state.tokens_seen, "bytes_seen": state.bytes_seen}
        if stepper.runs_ahead and step < plan.steps and len(figures) < LONGEST_WAIT and not pause(step):
            continue
        fetched = torch.stack(figures, dim=1).tolist()
        for state in states:
            state.seconds += time.perf_counter() - began
        yield [_with_figures(own, values, plan, cfg) for own, values in zip(rows, fetched, strict=True)]
        rows, figures, began = [[] for _ in states], [], time.perf_counter()


def _with_figures(
    rows: list[Row], figures: list[list[float]], plan: TrainPlan, cfg: TrainConfig
) -> list[Row] | DivergedError:
    for row, (loss, norm) in zip(rows, figures, strict=True):
        if not (math.isfinite(loss) and math.isfinite(norm)):
            return DivergedError(
                f"step {row['step']} of {plan.steps}: loss {loss}, gradient norm {norm}; "
                f"the run diverged, so try a smaller train.lr than {cfg.lr:g}"
            )
        row |= {"loss": loss, "grad_norm": norm}
    return rows


def share(world: World, model: torch.nn.Module, state: TrainState) -> None:
    """Bring every process to where the first one stands, which may have gone on from a checkpoint."""
    if world.size == 1:
        return
    counts = torch.tensor([getattr(state, name) for name in COUNTS], dtype=torch.float64)
    counts = counts.to(next(model.parameters()).device)
    moments = [moment for own in state.optimizer.state.values() for moment in own.values()]
    world.share([counts, *(p.data for p in model.parameters()), *moments])
    for name, value in zip(COUNTS, counts.tolist(), strict=True):
        setattr(state, name, type(getattr(state, name))(value))


def spike_share(norms: list[float]) -> float:
    """Share of the steps whose gradient norm is over three times the median of the fifty steps before.

    From 0 to 1; a figure for unstable training. The first fifty steps, much of the warm-up, have no
    median to be held against. Not good for comparing learning rates: a smaller one spikes less.
    """
    spikes = sum(norm > 3 * statistics.median(norms[i - 50 : i]) for i, norm in enumerate(norms) if i >= 50)
    return spikes / max(1, len(norms) - 50)
