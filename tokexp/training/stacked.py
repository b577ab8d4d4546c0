"""Take a step of several models at once, which differ in their seed."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from tokexp.config import InputError, TrainConfig
from tokexp.encoding.stream import TokenStream
from tokexp.model.gpt import GPT
from tokexp.system.device import autocast, is_enabled
from tokexp.training.batches import DeviceBatches, HostBatches, make_batches
from tokexp.training.graph import Step, capture
from tokexp.training.loss import NextTokenLoss
from tokexp.training.optimizer import optimizer_of, set_rate
from tokexp.training.stepper import out_of_memory, require_equal_parts


class StackedStepper:
    """Takes the steps of several models at once: their parameters stacked, the forward pass mapped over the stack.

    The parameters and moments of each model become views of the stack, so that evaluating or saving one
    sees what it has now. A gradient that is not finite spoils its own model and no other.
    """

    def __init__(
        self,
        models: Sequence[GPT],
        data: TokenStream,
        cfg: TrainConfig,
        precision: str,
        optimizers: Sequence[torch.optim.AdamW],
    ) -> None:
        config = models[0].config
        if config.dropout:
            raise InputError(
                f"model.dropout: got {config.dropout}, expected 0 where several seeds are trained as one, "
                "since their masks would not be those of runs alone; use launcher=local"
            )
        require_equal_parts(cfg, 1)
        self._device, self.block_size = next(models[0].parameters()).device, config.block_size
        self._batches = make_batches(data, self.block_size, self._device)
        self.runs_ahead = isinstance(self._batches, DeviceBatches)
        if cfg.cuda_graph == "always" and not self.runs_ahead:
            raise InputError("train.cuda_graph: got always, expected auto or never but on a CUDA device")
        self._models, self._cfg, self._precision = models, cfg, precision
        self._stack = {
            name: torch.stack([model.get_parameter(name).detach() for model in models]).requires_grad_()
            for name, _ in models[0].named_parameters()
        }
        self._optimizer = optimizer_of(self._stack, cfg)
        for i, (model, optimizer) in enumerate(zip(models, optimizers, strict=True)):
            for name, stacked in self._stack.items():
                parameter, moments = model.get_parameter(name), self._optimizer.state[stacked]
                of_model = optimizer.state[parameter]
                for moment in ("exp_avg", "exp_avg_sq"):
                    moments[moment][i] = of_model[moment]
                    of_model[moment] = moments[moment][i]
                moments["step"].copy_(of_model["step"])
                _make_view(parameter, stacked.data[i])
        # The plain loss, which the map can look into.
        loss = NextTokenLoss(models[0], None)

        def losses(stack: dict[str, Tensor], ids: Tensor) -> Tensor:
            def loss_of(parameters: dict[str, Tensor], ids: Tensor) -> Tensor:
                return functional_call(loss, {f"model.{name}": value for name, value in parameters.items()}, (ids,))

            with self._attention():
                return vmap(loss_of)(stack, ids)

        self._losses = torch.compile(losses) if is_enabled(cfg.compile, self._device) else losses
        self._launch: Step | None = None  # a step on CUDA, captured where that is wanted

    def step(self, step: int, offsets: Sequence[np.ndarray], lr: float) -> Tensor:
        """Take a step with the sequences at `offsets`, an array a model; losses and gradient norms, (models, 2)."""
        for model in self._models:
            model.train()
        set_rate(self._optimizer, lr)
        stacked = np.stack(offsets)
        try:
            if isinstance(self._batches, HostBatches):
                return self._take(self._batches.read(stacked))
            return self._run_ahead(self._batches, stacked)
        except torch.OutOfMemoryError as error:
            raise out_of_memory(self._models[0], self._cfg, self._device, 1) from error

    def _run_ahead(self, batches: DeviceBatches, stacked: np.ndarray) -> Tensor:
        def gradients(offsets: Tensor) -> Tensor:
            return self._gradients(batches.gather(offsets))

        def step(offsets: Tensor) -> Tensor:
            return self._take(batches.gather(offsets))

        offsets = batches.send(stacked)
        if self._launch is None:
            captures = is_enabled(self._cfg.cuda_graph, self._device)
            self._launch = capture(step, gradients, offsets) if captures else step
        return self._launch(offsets)

    def _attention(self) -> contextlib.AbstractContextManager[Any]:
        """The kernel that can be mapped: on a CPU the usual one would be looped over."""
        return sdpa_kernel(SDPBackend.MATH) if self._device.type == "cpu" else contextlib.nullcontext()

    def _take(self, ids: Tensor) -> Tensor:
        figures = self._gradients(ids)
        self._optimizer.step()
        return figures

    def _gradients(self, ids: Tensor) -> Tensor:
        """Set the gradients for the sequences `ids`, (models, B, T + 1), each model's clipped; (models, 2)."""
        self._optimizer.zero_grad(set_to_none=True)
        parts = ids.chunk(self._cfg.grad_accum, dim=1)
        total = torch.zeros(len(ids), device=ids.device)
        for part in parts:
            with autocast(self._device, self._precision):
                losses = self._losses(self._stack, part) / len(parts)
            losses.sum().backward()  # each model's gradient is of its own loss alone
            total = total + losses.detach()
        gradients = [stacked.grad for stacked in self._stack.values() if stacked.grad is not None]
        norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)
        shrink = (self._cfg.grad_clip / (norms + 1e-6)).clamp(max=1.0)  # as torch's clip_grad_norm_ has it
        for gradient in gradients:
            gradient.mul_(shrink.view(-1, *[1] * (gradient.dim() - 1)))
        return torch.stack([total.to(norms.dtype), norms], dim=1)


def _make_view(parameter: Tensor, values: Tensor) -> None:
    """Let a model's parameter have its values in the memory of `values`."""
    parameter.data = values
