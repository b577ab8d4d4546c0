"""One step of training, as the device does it best: of one model, or of several that differ in their seed.

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
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parallel import DistributedDataParallel

from tokexp.config import InputError, TrainConfig
from tokexp.device import autocast, chosen
from tokexp.distributed import World
from tokexp.loss import NextTokenLoss, chunk_for
from tokexp.model import GPT
from tokexp.tokens import TokenStream

log = logging.getLogger(__name__)


def works_blindly(device: torch.device) -> bool:
    """Whether reading a figure is to wait for the device, so that steps go on without: on CUDA."""
    return device.type == "cuda"


class Batches:
    """The sequences of a step, gathered where the model is."""

    def __init__(self, data: TokenStream, block_size: int, device: torch.device) -> None:
        self._device = device
        window = np.arange(block_size + 1)
        if works_blindly(device):
            self._ids = torch.from_numpy(data.ids.astype(np.int32)).to(device)
            self._window = torch.from_numpy(window).to(device)
        else:
            # A view of every window that the text has; what is read of it is copied, no more.
            self._windows = np.lib.stride_tricks.sliding_window_view(data.ids, len(window))

    def send(self, offsets: np.ndarray) -> Tensor:
        """Offsets on their way to the device, without waiting until they are there."""
        here = torch.from_numpy(offsets)
        return (here.pin_memory() if self._device.type == "cuda" else here).to(self._device, non_blocking=True)

    def gather(self, offsets: Tensor) -> Tensor:
        """Ids (..., T + 1), int64, from offsets that are on the device."""
        return self._ids[offsets[..., None] + self._window].long()

    def read(self, offsets: np.ndarray) -> Tensor:
        """The same from offsets that are not."""
        return torch.from_numpy(self._windows[offsets].astype(np.int64)).to(self._device)


def _require_equal_parts(cfg: TrainConfig, processes: int) -> None:
    """Raise InputError where a batch cannot be shared out evenly: a mean of unequal parts is not that of the whole."""
    if cfg.batch_size % (processes * cfg.grad_accum):
        raise InputError(
            f"train.batch_size: got {cfg.batch_size}, expected a multiple of {processes * cfg.grad_accum}, "
            f"for train.grad_accum={cfg.grad_accum} parts on each of {processes} processes"
        )


class Stepper:
    """Steps of one model, on one device or as one of several processes."""

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
        self.waits = works_blindly(self._device)
        _require_equal_parts(cfg, world.size)
        if cfg.cuda_graph == "always" and not (self.waits and world.size == 1):
            raise InputError("train.cuda_graph: got always, expected auto or never but on one CUDA device alone")
        self._loss: Callable[[Tensor], Tensor] = NextTokenLoss(model, chunk_for(model.config.vocab_size, self._device))
        if world.size > 1:
            self._loss = DistributedDataParallel(self._loss)
        self._synchronised = self._loss
        if chosen(cfg.compile, self._device):
            self._loss = torch.compile(self._loss)
        self._batches = Batches(data, self.block_size, self._device)
        self._graph: Graph | None = None

    def step(self, step: int, offsets: Sequence[np.ndarray], lr: float) -> Tensor:
        """Take step number `step` with the sequences at `offsets`, one array; loss and gradient norm, (1, 2)."""
        self._model.train()
        if self._model.config.dropout:  # masks are a pure function of the seed and the step, as batches are
            key = np.random.SeedSequence((self._seed, step, self._world.rank)).generate_state(1, np.uint64)[0]
            torch.manual_seed(int(key >> 1))
        set_rate(self._optimizer, lr)
        own = np.array_split(offsets[0], self._world.size)[self._world.rank]
        try:
            figures = self._replay(self._batches.send(own)) if self.waits else self._take(self._batches.read(own))
        except torch.OutOfMemoryError as error:
            raise out_of_memory(self._model, self._cfg, self._device, self._world.size) from error
        return figures[None]

    def _take(self, ids: Tensor) -> Tensor:
        figures = self._gradients(ids)
        if bool(figures.isfinite().all()):
            self._optimizer.step()
        return figures

    def _replay(self, offsets: Tensor) -> Tensor:
        if self._graph is None:
            self._graph = Graph(self._blindly, self._gradients_at, offsets, self._captures)
        return self._graph(offsets)

    @property
    def _captures(self) -> bool:
        return chosen(self._cfg.cuda_graph, self._device) and self._world.size == 1

    def _blindly(self, offsets: Tensor) -> Tensor:
        """A step without a word to the CPU: the optimizer itself skips what is not finite."""
        figures = self._gradients_at(offsets)
        self._optimizer.found_inf = (~figures.isfinite().all()).float()  # type: ignore[attr-defined]
        self._optimizer.step()
        return figures

    def _gradients_at(self, offsets: Tensor) -> Tensor:
        return self._gradients(self._batches.gather(offsets))

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


class SeveralSteppers:
    """Steps of several models at once: their parameters stacked, the forward pass mapped over the stack.

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
        _require_equal_parts(cfg, 1)
        if cfg.cuda_graph == "always" and not works_blindly(next(models[0].parameters()).device):
            raise InputError("train.cuda_graph: got always, expected auto or never but on a CUDA device")
        self._models, self._cfg, self._precision = models, cfg, precision
        self._device = next(models[0].parameters()).device
        self.block_size, self.waits = config.block_size, works_blindly(self._device)
        self._stack = {
            name: torch.stack([model.get_parameter(name).detach() for model in models]).requires_grad_()
            for name, _ in models[0].named_parameters()
        }
        self._optimizer = optimizer_of(self._stack, cfg)
        for i, (model, optimizer) in enumerate(zip(models, optimizers, strict=True)):
            for name, stacked in self._stack.items():
                parameter, moments = model.get_parameter(name), self._optimizer.state[stacked]
                own = optimizer.state[parameter]
                for moment in ("exp_avg", "exp_avg_sq"):
                    moments[moment][i] = own[moment]
                    own[moment] = moments[moment][i]
                moments["step"].copy_(own["step"])
                parameter.data = stacked.data[i]
        # The plain loss, which the map can look into.
        loss = NextTokenLoss(models[0], None)

        def losses(stack: dict[str, Tensor], ids: Tensor) -> Tensor:
            def one(own: dict[str, Tensor], ids: Tensor) -> Tensor:
                return functional_call(loss, {f"model.{name}": value for name, value in own.items()}, (ids,))

            with self._attention():
                return vmap(one)(stack, ids)

        self._losses = torch.compile(losses) if chosen(cfg.compile, self._device) else losses
        self._batches = Batches(data, self.block_size, self._device)
        self._graph: Graph | None = None

    def step(self, step: int, offsets: Sequence[np.ndarray], lr: float) -> Tensor:
        """Take a step with the sequences at `offsets`, an array a model; losses and gradient norms, (models, 2)."""
        for model in self._models:
            model.train()
        set_rate(self._optimizer, lr)
        together = np.stack(offsets)
        try:
            if not self.waits:
                return self._take(self._batches.read(together))
            sent = self._batches.send(together)
            if self._graph is None:
                self._graph = Graph(
                    lambda offsets: self._take(self._batches.gather(offsets)),
                    lambda offsets: self._gradients(self._batches.gather(offsets)),
                    sent,
                    chosen(self._cfg.cuda_graph, self._device),
                )
            return self._graph(sent)
        except torch.OutOfMemoryError as error:
            raise out_of_memory(self._models[0], self._cfg, self._device, 1) from error

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


class Graph:
    """A step on CUDA: recorded once as a graph where that is wanted and works, and replayed; else made anew."""

    def __init__(
        self,
        step: Callable[[Tensor], Tensor],
        gradients: Callable[[Tensor], Tensor],
        offsets: Tensor,
        captures: bool,
    ) -> None:
        """`gradients`: the part of `step` that changes no weights, to warm up with; `offsets`: of the right shape."""
        self._step = step
        self._graph: torch.cuda.CUDAGraph | None = None
        if not captures:
            return
        self._offsets = offsets.clone()
        masks = torch.cuda.get_rng_state(offsets.device)  # of dropout, which the warm-up must not move on
        here = torch.cuda.current_stream(offsets.device)
        side = torch.cuda.Stream(offsets.device)
        side.wait_stream(here)
        with torch.cuda.stream(side):  # compiles, and lets libraries set themselves up
            for _ in range(3):
                gradients(self._offsets)
        here.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._figures = step(self._offsets)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            log.warning("no CUDA graph (%s): every launch is made anew", str(error).splitlines()[0])
            torch.cuda.synchronize(offsets.device)
        else:
            self._graph = graph
        torch.cuda.set_rng_state(masks, offsets.device)

    def __call__(self, offsets: Tensor) -> Tensor:
        if self._graph is None:
            return self._step(offsets)
        self._offsets.copy_(offsets)
        self._graph.replay()
        return self._figures.clone()


def make_optimizer(model: torch.nn.Module, cfg: TrainConfig) -> torch.optim.AdamW:
    """AdamW with GPT-3's betas; weight decay on matrices only, not on biases and LayerNorms.

    Its state is there from the beginning, so that it can be saved, restored and captured at any step.
    """
    return optimizer_of(dict(model.named_parameters()), cfg)


def optimizer_of(named: dict[str, Any], cfg: TrainConfig) -> torch.optim.AdamW:
    """The same over parameters by name, which may be stacked: a name tells a matrix from a vector."""
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


def set_rate(optimizer: torch.optim.AdamW, lr: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):  # which a captured step reads
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr


def out_of_memory(model: GPT, cfg: TrainConfig, device: torch.device, processes: int) -> InputError:
    config, share = model.config, cfg.batch_size // processes
    parts = next((n for n in range(cfg.grad_accum + 1, share + 1) if share % n == 0), None)
    advice = f"try train.grad_accum={parts}, which gives the same result" if parts else "try a smaller model"
    return InputError(
        f"out of memory on {device} with train.batch_size={cfg.batch_size}, train.grad_accum={cfg.grad_accum}, "
        f"{config.block_size} tokens of context, {config.vocab_size:,} in the vocabulary, {config.n_layer} layers of "
        f"{config.n_embd}; {advice}"
    )
