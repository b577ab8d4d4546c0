"""Take a step of training as the device does it best.

On CUDA the text lies on the device, the step is compiled, and captured once as a graph that is replayed, so
that a small model does not wait for its launches; its figures are left on the device until they are asked
for. A step whose gradient is not finite changes no weights of a model alone, on any device.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from tokexp.config import InputError, TrainConfig
from tokexp.encoding.stream import TokenStream
from tokexp.model.gpt import GPT
from tokexp.system.device import autocast, is_enabled
from tokexp.system.distributed import World
from tokexp.training.batches import DeviceBatches, HostBatches, make_batches
from tokexp.training.graph import Step, capture
from tokexp.training.loss import NextTokenLoss, chunk_for
from tokexp.training.optimizer import set_rate, skip_next

log = logging.getLogger(__name__)


def require_equal_parts(cfg: TrainConfig, processes: int) -> None:
    """Raise InputError where a batch cannot be shared out evenly: a mean of unequal parts is not that of the whole."""
    if cfg.batch_size % (processes * cfg.grad_accum):
        raise InputError(
            f"train.batch_size: got {cfg.batch_size}, expected a multiple of {processes * cfg.grad_accum}, "
            f"for train.grad_accum={cfg.grad_accum} parts on each of {processes} processes"
        )


class Stepper:
    """Takes the steps of one model, on one device or as one of several processes."""

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
        self.block_size = model.config.block_size
        self._batches = make_batches(data, self.block_size, self._device)
        self.runs_ahead = isinstance(self._batches, DeviceBatches)
        require_equal_parts(cfg, world.size)
        if cfg.cuda_graph == "always" and not (self.runs_ahead and world.size == 1):
            raise InputError("train.cuda_graph: got always, expected auto or never but on one CUDA device alone")
        self._loss: Callable[[Tensor], Tensor] = NextTokenLoss(model, chunk_for(model.config.vocab_size, self._device))
        if world.size > 1:
            self._loss = DistributedDataParallel(self._loss)
        self._synchronised = self._loss
        if is_enabled(cfg.compile, self._device):
            self._loss = torch.compile(self._loss)
        self._launch: Step | None = None  # a step on CUDA, captured where that is wanted

    def step(self, step: int, offsets: Sequence[np.ndarray], lr: float) -> Tensor:
        """Take step number `step` with the sequences at `offsets`, one array; loss and gradient norm, (1, 2)."""
        self._model.train()
        if self._model.config.dropout:  # masks are a pure function of the seed and the step, as batches are
            key = np.random.SeedSequence((self._seed, step, self._world.rank)).generate_state(1, np.uint64)[0]
            torch.manual_seed(int(key >> 1))
        set_rate(self._optimizer, lr)
        part = np.array_split(offsets[0], self._world.size)[self._world.rank]
        try:
            if isinstance(self._batches, HostBatches):
                return self._take(self._batches.read(part))[None]
            return self._run_ahead(self._batches, part)[None]
        except torch.OutOfMemoryError as error:
            raise out_of_memory(self._model, self._cfg, self._device, self._world.size) from error

    def _take(self, ids: Tensor) -> Tensor:
        figures = self._gradients(ids)
        if bool(figures.isfinite().all()):
            self._optimizer.step()
        return figures

    def _run_ahead(self, batches: DeviceBatches, part: np.ndarray) -> Tensor:
        """Launch a step without a word to the CPU: the optimizer itself skips what is not finite."""

        def gradients(offsets: Tensor) -> Tensor:
            return self._gradients(batches.gather(offsets))

        def step(offsets: Tensor) -> Tensor:
            figures = gradients(offsets)
            skip_next(self._optimizer, ~figures.isfinite().all())
            self._optimizer.step()
            return figures

        offsets = batches.send(part)
        if self._launch is None:
            captures = is_enabled(self._cfg.cuda_graph, self._device) and self._world.size == 1
            self._launch = capture(step, gradients, offsets) if captures else step
        return self._launch(offsets)

    def _gradients(self, ids: Tensor) -> Tensor:
        """Set the gradients for the sequences `ids`, (B, T + 1), clipped; loss and norm before, (2,)."""
        self._optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=ids.device)
        parts = ids.chunk(self._cfg.grad_accum)
        for part in parts:
            with self._averaged(part is parts[-1]):
                with autocast(self._device, self._precision):
                    loss = self._loss(part) / len(parts)
                loss.backward()
            total = total + loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._cfg.grad_clip)
        return torch.stack([self._world.mean(total).to(norm.dtype), norm])

    def _averaged(self, last: bool) -> contextlib.AbstractContextManager[Any]:
        """Gradients are averaged over the processes once a step, with the last part."""
        if isinstance(self._synchronised, DistributedDataParallel) and not last:
            return self._synchronised.no_sync()
        return contextlib.nullcontext()


def out_of_memory(model: GPT, cfg: TrainConfig, device: torch.device, processes: int) -> InputError:
    config, share = model.config, cfg.batch_size // processes
    parts = next((n for n in range(cfg.grad_accum + 1, share + 1) if share % n == 0), None)
    advice = f"try train.grad_accum={parts}, which gives the same result" if parts else "try a smaller model"
    return InputError(
        f"out of memory on {device} with train.batch_size={cfg.batch_size}, train.grad_accum={cfg.grad_accum}, "
        f"{config.block_size} tokens of context, {config.vocab_size:,} in the vocabulary, {config.n_layer} layers of "
        f"{config.n_embd}; {advice}"
    )
