"""A step on CUDA, captured once as a graph and replayed."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

log = logging.getLogger(__name__)


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
