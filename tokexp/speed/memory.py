"""Measures the memory that training takes, a fresh process for each loop: a peak never comes down again."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import torch

from tokexp.speed.loops import LOOPS, WARM_UP, Training, model_and_ids, take


def compare_memory(training: Training) -> None:
    """Print how much memory each loop's steps add, at the peak, to a process that holds the model and the text.

    Of the machine's memory, as the system counts it (to some MB), or the GPU's. It includes the
    gradients and the optimizer's state.
    """
    with ExitStack() as stack:
        waiting = {name: stack.enter_context(fresh_process()).submit(peak_memory, name, training) for name in LOOPS}
        peaks = {name: peak.result() for name, peak in waiting.items()}
    ours = peaks["tokexp"]
    print(f"{training.title}: peak memory of training")
    for name, peak in peaks.items():
        line = f"  {name:<22} {peak / 1e6:8.0f} MB"
        if name != "tokexp":
            line += f"  tokexp takes {ours / max(1, peak):.2f} of it"
        print(line, flush=True)


def peak_memory(name: str, training: Training) -> int:
    """The bytes that `name`'s first steps add to the peak of this process."""
    if training.device != "cpu":
        take(LOOPS[name](training), WARM_UP)
        return torch.cuda.max_memory_allocated() if training.device.startswith("cuda") else 0
    model_and_ids(training)
    before = resident_peak()
    take(LOOPS[name](training), WARM_UP)
    return resident_peak() - before


def resident_peak() -> int:
    """The most memory this process has held so far, in bytes."""
    try:
        # Of this program alone; ru_maxrss of a new process also remembers what its parent held.
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def fresh_process() -> ProcessPoolExecutor:
    """A fresh process, which inherits no threads."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
