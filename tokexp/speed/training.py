"""Measures our training loop against a plain one: speed, memory, and two runs at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack

import torch

from tokexp.config import ModelConfig
from tokexp.model.architecture import require_memory
from tokexp.model.gpt import GPTConfig
from tokexp.speed.in_turn import time_in_turn
from tokexp.speed.loops import LOOPS, WARM_UP, Steps, Training, our_loop, take
from tokexp.speed.memory import compare_memory, fresh_process
from tokexp.system.device import describe_device, resolve_device, resolve_precision
from tokexp.system.provenance import processor


def trainings_of(
    model: ModelConfig, vocab_sizes: list[int], batch_size: int, device: str, steps: int
) -> list[Training]:
    """One a vocabulary; on CUDA each with bf16 and compilation off and on."""
    where = resolve_device(device)
    for V in vocab_sizes:
        require_memory(GPTConfig.of(model, V), batch_size, 1, where)
    choices = [(resolve_precision("auto", where), "never")]
    if where.type == "cuda":
        choices = [(precision, compiled) for precision in ("float32", "bf16") for compiled in ("never", "always")]
    return [
        Training(GPTConfig.of(model, V), batch_size, str(where), precision, compiled, steps)
        for V in vocab_sizes
        for precision, compiled in choices
    ]


def describe_machine(device: str) -> str:
    gpu = "" if device == "cpu" else f"{describe_device(torch.device(device))}; "
    threads = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}"
    return f"{gpu}{processor()}, {threads}"


def bench_train(trainings: list[Training], steps: int, rounds: int) -> None:
    """Measure our loop against the plain one: speed and peak memory; on a CPU also two runs at once against in turn."""
    for training in trainings:
        compare_speed(training, steps, rounds)
        compare_memory(training)
        if training.device == "cpu":
            compare_sweep(training, steps, rounds)


def compare_speed(training: Training, steps: int, rounds: int) -> None:
    loops = {name: loop(training) for name, loop in LOOPS.items()}
    for loop in loops.values():
        take(loop, WARM_UP)

    def contestant(loop: Steps) -> Callable[[], Callable[[], object]]:
        return lambda: lambda: take(loop, steps)

    time_in_turn(f"{training.title}: {steps} steps", {name: contestant(loop) for name, loop in loops.items()}, rounds)


def compare_sweep(training: Training, steps: int, rounds: int) -> None:
    """Time two runs on two cores: both at once, a thread each, or one after the other with two threads."""
    with ExitStack() as stack:
        single = [stack.enter_context(fresh_process()) for _ in range(2)]
        double = stack.enter_context(fresh_process())
        threads = {single[0]: 1, single[1]: 1, double: 2}
        for waiting in [process.submit(start_loop, training, count) for process, count in threads.items()]:
            waiting.result()

        def at_once() -> None:
            for waiting in [process.submit(advance_loop, steps) for process in single]:
                waiting.result()

        time_in_turn(
            f"{training.title}: two runs of {steps} steps",
            {
                "at once, 1 thread each": lambda: at_once,
                "in turn, 2 threads": lambda: lambda: double.submit(advance_loop, 2 * steps).result(),
            },
            rounds,
        )


_loops: list[Steps] = []  # of a process of compare_sweep: the one that it trains


def start_loop(training: Training, threads: int) -> None:
    torch.set_num_threads(threads)
    _loops.append(our_loop(training))
    advance_loop(WARM_UP)


def advance_loop(steps: int) -> None:
    take(_loops[0], steps)
