"""Lets several processes work on one run: those that `torchrun` starts, and what they tell each other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from tokexp.config import InputError


@dataclass(frozen=True)
class World:
    """The processes at work on one run; alone unless `torchrun` has started more."""

    rank: int = 0
    size: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process is the one that evaluates, writes and speaks."""
        return self.rank == 0

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a number over the processes."""
        if self.size == 1:
            return value
        value = value / self.size
        dist.all_reduce(value)
        return value

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Give every process the values that the first one has, in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.size > 1:
            dist.barrier()

    def any(self, flag: bool) -> bool:
        """Whether `flag` is true in any of the processes; all get the same answer."""
        if self.size == 1:
            return flag
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        total = torch.tensor(float(flag), device=device)
        dist.all_reduce(total)
        return bool(total > 0)


ALONE = World()


def world_from_environment() -> World:
    """The world as `torchrun` describes it in the environment, before this process has met the others."""
    return World(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


@contextmanager
def join_processes(device: torch.device) -> Iterator[tuple[World, torch.device]]:
    """Meet the other processes, if there are any. Yields the world and the device of this process."""
    world = world_from_environment()
    if world.size == 1:
        yield world, device
        return
    if device.type == "mps":
        raise InputError("device: got mps, which is one device; start it without torchrun")
    if device.type == "cuda":
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise InputError(
                f"torchrun started process {local} here, but torch finds {torch.cuda.device_count()} CUDA devices; "
                "lower --nproc_per_node"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    # Evaluation and samples are the first process's alone, and the others wait.
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(hours=6))
    try:
        yield world, device
    finally:
        dist.destroy_process_group()
