"""The training loop: a generator of metric rows. It knows no logger, no folder, no evaluation and no Hydra."""

from __future__ import annotations

import contextlib
import logging
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from tokexp.budget import TrainPlan
from tokexp.config import InputError, TrainConfig
from tokexp.device import autocast, chosen
from tokexp.distributed import ALONE, World
from tokexp.loss import NextTokenLoss, chunk_for
from tokexp.model import GPT
from tokexp.tokens import TokenStream, batch_offsets

log = logging.getLogger(__name__)

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
    T = model.config.block_size
    rows: list[Row] = []
    figures: list[Tensor] = []  # of each row: loss and gradient norm, perhaps still being computed
    began = time.perf_counter()
    while state.step < plan.steps:
        step = state.step + 1
        lr = plan.lr_at(step)
        offsets = batch_offsets(seed, step, len(data), cfg.batch_size, T)
        figures.append(stepper.step(step, offsets, lr))
        state.step = step
        state.tokens_seen += cfg.batch_size * T
        state.bytes_seen += int((data.starts[offsets + T + 1] - data.starts[offsets + 1]).sum())
        rows.append({"event": "step", "step": step, "lr": lr})
        rows[-1] |= {"tokens_seen": state.tokens_seen, "bytes_seen": state.bytes_seen}
        if stepper.waits and step < plan.steps and len(rows) < LONGEST_WAIT and not pause(step):
            continue
        for row, (loss, norm) in zip(rows, torch.stack(figures).tolist(), strict=True):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise DivergedError(
                    f"step {row['step']} of {plan.steps}: loss {loss}, gradient norm {norm}; "
                    f"the run diverged, so try a smaller train.lr than {cfg.lr:g}"
                )
            row |= {"loss": loss, "grad_norm": norm}
        state.seconds += time.perf_counter() - began
        yield rows
        rows, figures, began = [], [], time.perf_counter()


class Stepper:
    """One step of training, as the device does it best.

    On CUDA the text lies on the device, the step is compiled, and captured once as a graph that is
    replayed, so that a small model does not wait for its launches; figures are left on the device. A
    step whose gradient is not finite changes no weights, on any device.
    """

    def __init__(
        self,
        model: GPT,
        data: TokenStream,
        cfg: TrainConfig,
        seed: int,
        precision: str,
        optimizer: torch.optim.AdamW,
        world: World,
    ) -> None:
        self._model, self._cfg, self._seed, self._precision = model, cfg, seed, precision
        self._optimizer, self._world = optimizer, world
        self._device = next(model.parameters()).device
        self.waits = self._device.type == "cuda"
        if cfg.batch_size % (world.size * cfg.grad_accum):
            raise InputError(
                f"train.batch_size: got {cfg.batch_size}, expected a multiple of {world.size * cfg.grad_accum}, "
                f"for train.grad_accum={cfg.grad_accum} parts on each of {world.size} processes"
            )
        loss = NextTokenLoss(model, chunk_for(model.config.vocab_size, self._device))
        self._loss: Callable[[Tensor], Tensor] = loss
        if world.size > 1:
            self._loss = DistributedDataParallel(loss)
        if chosen(cfg.compile, self._device):
            self._loss = torch.compile(self._loss)
        window = np.arange(model.config.block_size + 1)
        if self.waits:
            self._ids = torch.from_numpy(data.ids.astype(np.int32)).to(self._device)
            self._window = torch.from_numpy(window).to(self._device)
        else:
            # A view of every window that the text has; what is read of it is copied, no more.
            self._windows = np.lib.stride_tricks.sliding_window_view(data.ids, len(window))
        self._graph: torch.cuda.CUDAGraph | None = None
        self._captured = False

    def step(self, step: int, offsets: np.ndarray, lr: float) -> Tensor:
        """Take step number `step` with the sequences at `offsets`; loss and gradient norm, (2,)."""
        self._model.train()
        if self._model.config.dropout:  # masks are a pure function of the seed and the step, as batches are
            key = np.random.SeedSequence((self._seed, step, self._world.rank)).generate_state(1, np.uint64)[0]
            torch.manual_seed(int(key >> 1))
        for group in self._optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(lr)
            else:
                group["lr"] = lr
        own = np.array_split(offsets, self._world.size)[self._world.rank]
        try:
            if self.waits:
                return self._replay(torch.from_numpy(own).pin_memory().to(self._device, non_blocking=True))
            return self._take(torch.from_numpy(self._windows[own].astype(np.int64)).to(self._device))
        except torch.OutOfMemoryError as error:
            raise self._out_of_memory() from error

    def _take(self, ids: Tensor) -> Tensor:
        figures = self._gradients(ids)
        if bool(figures.isfinite().all()):
            self._optimizer.step()
        return figures

    def _gradients(self, ids: Tensor) -> Tensor:
        """Set the gradients for the sequences `ids`, (B, T + 1), clipped; loss and norm before, (2,)."""
        self._optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=ids.device)
        parts = ids.chunk(self._cfg.grad_accum)
        for part in parts:
            last = part is parts[-1]
            with self._synchronised(last), autocast(self._device, self._precision):
                loss = self._loss(part) / len(parts)
                loss.backward()
            total = total + loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._cfg.grad_clip)
        return torch.stack([self._world.mean(total).to(norm.dtype), norm])

    def _synchronised(self, last: bool) -> contextlib.AbstractContextManager[Any]:
        """Gradients are averaged over the processes once a step, with the last part."""
        if isinstance(self._loss, DistributedDataParallel) and not last:
            return self._loss.no_sync()
        return contextlib.nullcontext()

    # What follows is for CUDA alone.

    def _replay(self, offsets: Tensor) -> Tensor:
        if not self._captured and chosen(self._cfg.cuda_graph, self._device) and self._world.size == 1:
            self._capture(offsets)
        if self._graph is None:
            return self._on_device(offsets)
        self._offsets.copy_(offsets)
        self._graph.replay()
        return self._figures.clone()

    def _on_device(self, offsets: Tensor) -> Tensor:
        """A step without a word to the CPU: the optimizer itself skips what is not finite."""
        figures = self._gradients(self._ids[offsets[:, None] + self._window].long())
        self._optimizer.found_inf = (~figures.isfinite().all()).float()  # type: ignore[attr-defined]
        self._optimizer.step()
        return figures

    def _capture(self, offsets: Tensor) -> None:
        """Record a step as a graph; where that fails, say so, and go on without."""
        self._captured = True
        self._offsets = offsets.clone()
        side = torch.cuda.Stream(self._device)
        side.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(side):  # compiles, and lets libraries set themselves up; no weight is changed
            for _ in range(3):
                self._gradients(self._ids[self._offsets[:, None] + self._window].long())
        torch.cuda.current_stream(self._device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._figures = self._on_device(self._offsets)
        except RuntimeError as error:
            log.warning("no CUDA graph (%s): every launch is made anew", str(error).splitlines()[0])
            torch.cuda.synchronize(self._device)
            return
        self._graph = graph

    def _out_of_memory(self) -> InputError:
        cfg, config = self._cfg, self._model.config
        share = cfg.batch_size // self._world.size
        parts = next((n for n in range(cfg.grad_accum + 1, share + 1) if share % n == 0), None)
        advice = f"try train.grad_accum={parts}, which gives the same result" if parts else "try a smaller model"
        return InputError(
            f"out of memory on {self._device} with train.batch_size={cfg.batch_size}, "
            f"train.grad_accum={cfg.grad_accum}, {config.block_size} tokens of context, {config.vocab_size:,} "
            f"in the vocabulary, {config.n_layer} layers of {config.n_embd}; {advice}"
        )


def share(world: World, model: torch.nn.Module, state: TrainState) -> None:
    """Bring every process to where the first one stands, which may have gone on from a checkpoint."""
    counts = torch.tensor([getattr(state, name) for name in COUNTS], dtype=torch.float64)
    counts = counts.to(next(model.parameters()).device)
    moments = [moment for own in state.optimizer.state.values() for moment in own.values()]
    world.share([counts, *(p.data for p in model.parameters()), *moments])
    for name, value in zip(COUNTS, counts.tolist(), strict=True):
        setattr(state, name, type(getattr(state, name))(value))


def make_optimizer(model: torch.nn.Module, cfg: TrainConfig) -> torch.optim.AdamW:
    """AdamW with GPT-3's betas; weight decay on matrices only, not on biases and LayerNorms.

    Its state is there from the beginning, so that it can be saved, restored and captured at any step.
    """
    named = dict(model.named_parameters())
    device = next(iter(named.values())).device
    on_cuda = device.type == "cuda"
    groups = [
        {"params": [p for p in named.values() if p.dim() >= 2], "weight_decay": cfg.weight_decay},
        {"params": [p for p in named.values() if p.dim() < 2], "weight_decay": 0.0},
    ]
    lr = torch.tensor(cfg.lr, device=device) if on_cuda else cfg.lr
    optimizer = torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95), fused=True, capturable=on_cuda)
    for parameter in named.values():
        optimizer.state[parameter] = {
            "step": torch.zeros((), device=device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return optimizer


def spike_share(norms: list[float]) -> float:
    """Share of the steps whose gradient norm is over three times the median of the fifty steps before.

    From 0 to 1; a figure for unstable training. The first fifty steps, much of the warm-up, have no
    median to be held against. Not good for comparing learning rates: a smaller one spikes less.
    """
    spikes = sum(norm > 3 * statistics.median(norms[i - 50 : i]) for i, norm in enumerate(norms) if i >= 50)
    return spikes / max(1, len(norms) - 50)
