"""Capture a step on CUDA once as a graph, and replay it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

log = logging.getLogger(__name__)

Step = Callable[[Tensor], Tensor]  # from offsets, on the device, to loss and gradient norm


class Graph:
    """A captured step, with the tensors that it reads and writes at each replay."""

    def __init__(self, graph: torch.cuda.CUDAGraph, offsets: Tensor, figures: Tensor) -> None:
        self._graph, self._offsets, self._figures = graph, offsets, figures

    def __call__(self, offsets: Tensor) -> Tensor:
        self._offsets.copy_(offsets)
        self._graph.replay()
        return self._figures.clone()


def capture(step: Step, gradients: Step, offsets: Tensor) -> Step:
    """Capture `step` as a graph; where that fails, return `step` itself with a warning.

    `gradients`: the part of `step` that changes no weights, to warm up with; `offsets`: of the right shape.
    """
    offsets = offsets.clone()
    masks = torch.cuda.get_rng_state(offsets.device)  # of dropout, which the warm-up must not move on
    here = torch.cuda.current_stream(offsets.device)
    side = torch.cuda.Stream(offsets.device)
    side.wait_stream(here)
    with torch.cuda.stream(side):  # compiles, and lets libraries set themselves up
        for _ in range(3):
            gradients(offsets)
    here.wait_stream(side)
    graph, captured = torch.cuda.CUDAGraph(), step
    try:
        with torch.cuda.graph(graph):
            figures = step(offsets)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        log.warning("no CUDA graph (%s): each kernel is launched by itself", str(error).splitlines()[0])
        torch.cuda.synchronize(offsets.device)
    else:
        captured = Graph(graph, offsets, figures)
    torch.cuda.set_rng_state(masks, offsets.device)
    return captured
