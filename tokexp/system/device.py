"""Resolves what a run computes on: the device, its precision, threads, and the memory that it took."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from pathlib import Path
from typing import Any

import torch

from tokexp.config import InputError
from tokexp.system.provenance import cores, processor, workers


def resolve_device(name: str) -> torch.device:
    """The device that `name` asks for; auto is CUDA where there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"device: got {name!r}, expected auto, cpu, cuda, cuda:N or mps") from None
    if device.type not in ("cpu", "cuda", "mps") or (device.type == "cpu" and device.index):
        raise InputError(f"device: got {name!r}, expected auto, cpu, cuda, cuda:N or mps")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device: got {name!r}, but torch finds no CUDA device here; try device=cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device: got {name!r}, but torch finds {torch.cuda.device_count()} CUDA devices here")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError(f"device: got {name!r}, but torch finds no MPS device here; try device=cpu")
    return device


def describe_device(device: torch.device) -> str:
    """The name of the GPU, or of the processor with its cores."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor()}, {os.cpu_count()} cores"


def total_memory(device: torch.device) -> int:
    """Bytes of memory that a GPU has, or this machine."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def peak_memory(device: torch.device) -> int:
    """Bytes, the most since `reset_peak_memory`: of a GPU's memory what torch held, on a CPU what this process held."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # Linux counts in KiB


def reset_peak_memory(device: torch.device) -> None:
    """Forget the peak of an earlier run in this process. On a CPU this works on Linux alone."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def use_threads(asked: int | None) -> None:
    """Set the CPU threads of this process: as many as asked for, or its share where several runs are at work."""
    if asked is None and workers() > 1:
        asked = max(1, cores() // workers())
    if asked is not None:
        torch.set_num_threads(asked)


def resolve_precision(name: str, device: torch.device) -> str:
    """float32, tf32 or bf16; auto is bf16 on CUDA, where it pays, else float32."""
    if name == "auto":
        return "bf16" if device.type == "cuda" else "float32"
    if name == "tf32" and device.type != "cuda":
        raise InputError(f"precision: got tf32 on {device.type}, expected float32 or bf16; tf32 is for device=cuda")
    return name


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    """The context of a forward pass in `precision`; tf32 changes the matrix products of NVIDIA GPUs alone."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def is_enabled(choice: str, device: torch.device) -> bool:
    """Whether auto, always or never means yes: auto does on CUDA."""
    return choice == "always" or (choice == "auto" and device.type == "cuda")
