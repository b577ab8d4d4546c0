"""How fast is this machine, against what: ratios measured in one run, in turn, with their spread.

    python -m tokexp.bench tokenizers
    python -m tokexp.bench train

Times on a shared machine mean little by themselves; a ratio of two things done one after the other,
several times, means more.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from tokexp.config import TrainConfig
from tokexp.encoding.stream import TokenStream
from tokexp.model.gpt import GPT, GPTConfig
from tokexp.speed.compare import compare
from tokexp.system.device import autocast, chosen
from tokexp.training.budget import TrainPlan
from tokexp.training.loop import train


@dataclass(frozen=True)
class Training:
    """A training to time: the model, what a step reads, and where it computes."""

    model: GPTConfig
    batch_size: int
    device: str
    precision: str  # float32 | bf16
    compile: str  # always | never
    pause_every: int  # steps after which ours may wait for the device

    @property
    def title(self) -> str:
        text = f"vocabulary {self.model.vocab_size:,}"
        return text if self.device == "cpu" else f"{text}, {self.precision}, compile={self.compile}"


Steps = Iterator[int]  # trains as it is read; yields how many steps it took

ENDLESS = TrainPlan(steps=10**9, warmup_steps=0, lr=3e-4, min_lr=3e-4, schedule="constant")
BETAS, WEIGHT_DECAY, CLIP = (0.9, 0.95), 0.1, 1.0  # as in `train`
WARM_UP = 3  # steps before anything is timed


def our_loop(training: Training) -> Steps:
    """The loop of `tokexp.train`, with random ids for a text."""
    model, ids = _model_and_ids(training)
    stream = TokenStream(ids, np.arange(len(ids) + 1))
    cfg = TrainConfig(
        batch_size=training.batch_size,
        lr=ENDLESS.lr,
        min_lr=ENDLESS.min_lr,
        weight_decay=WEIGHT_DECAY,
        grad_clip=CLIP,
        compile=training.compile,
    )

    def pause(step: int) -> bool:
        return step <= WARM_UP or (step - WARM_UP) % training.pause_every == 0

    for rows in train(model, stream, ENDLESS, cfg, 0, training.precision, pause=pause):
        yield len(rows)


def plain_loop(training: Training) -> Steps:
    """What most people write: nanoGPT's training loop, on the same model and ids.

    Eager PyTorch (compiled where `ours` is), all logits and `F.cross_entropy`, a batch stacked from
    slices, AdamW as torch has it by default (fused on CUDA, as nanoGPT chooses), gradients clipped, and
    the loss read at every step, as ours is. Source: train.py of github.com/karpathy/nanoGPT.
    """
    model, data = _model_and_ids(training)
    device = next(model.parameters()).device
    T = training.model.block_size
    groups = [
        {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    fused = True if device.type == "cuda" else None
    optimizer = torch.optim.AdamW(groups, lr=ENDLESS.lr, betas=BETAS, fused=fused)
    forward = torch.compile(model) if chosen(training.compile, device) else model
    model.train()
    while True:
        ix = torch.randint(len(data) - T, (training.batch_size,))
        x = torch.stack([torch.from_numpy(data[i : i + T].astype(np.int64)) for i in ix])
        y = torch.stack([torch.from_numpy(data[i + 1 : i + 1 + T].astype(np.int64)) for i in ix])
        if device.type == "cuda":
            x, y = x.pin_memory().to(device, non_blocking=True), y.pin_memory().to(device, non_blocking=True)
        else:
            x, y = x.to(device), y.to(device)
        with autocast(device, training.precision):
            logits = forward(x)
            loss = F.cross_entropy(logits.view(-1, logits.size(-1)), y.view(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        yield 1


LOOPS = {"tokexp": our_loop, "plain loop": plain_loop}


def _model_and_ids(training: Training) -> tuple[GPT, np.ndarray]:
    torch.manual_seed(0)
    V = training.model.vocab_size
    ids = np.random.default_rng(0).integers(0, V, size=100_000 + training.model.block_size)
    return GPT(training.model).to(training.device), ids.astype(np.min_scalar_type(V - 1))


def take(loop: Steps, steps: int) -> None:
    """Train for at least `steps` steps."""
    while steps > 0:
        steps -= next(loop)


def bench_train(trainings: list[Training], steps: int, rounds: int) -> None:
    """Our loop against the plain one: speed and peak memory; on a CPU also two runs at once against in turn."""
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

    compare(f"{training.title}: {steps} steps", {name: contestant(loop) for name, loop in loops.items()}, rounds)


def compare_memory(training: Training) -> None:
    """What each loop's steps add to the memory of a process that holds the model and the text, at the peak.

    Of the machine's memory, as the system counts it (to some MB), or the GPU's. It includes the
    gradients and the optimizer's state.
    """
    with ExitStack() as stack:
        waiting = {name: stack.enter_context(_process()).submit(peak_memory, name, training) for name in LOOPS}
        peaks = {name: peak.result() for name, peak in waiting.items()}
    ours = peaks["tokexp"]
    print(f"{training.title}: peak memory of training")
    for name, peak in peaks.items():
        line = f"  {name:<22} {peak / 1e6:8.0f} MB"
        if name != "tokexp":
            line += f"  tokexp takes {ours / max(1, peak):.2f} of it"
        print(line, flush=True)


def peak_memory(name: str, training: Training) -> int:
    """In bytes. To be called in a process of its own: a peak never comes down again."""
    if training.device != "cpu":
        take(LOOPS[name](training), WARM_UP)
        return torch.cuda.max_memory_allocated() if training.device.startswith("cuda") else 0
    _model_and_ids(training)
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


def compare_sweep(training: Training, steps: int, rounds: int) -> None:
    """Two runs on two cores: both at once, a thread each, or one after the other with two threads."""
    with ExitStack() as stack:
        single = [stack.enter_context(_process()) for _ in range(2)]
        double = stack.enter_context(_process())
        threads = {single[0]: 1, single[1]: 1, double: 2}
        for waiting in [process.submit(start, training, count) for process, count in threads.items()]:
            waiting.result()

        def at_once() -> None:
            for waiting in [process.submit(go_on, steps) for process in single]:
                waiting.result()

        compare(
            f"{training.title}: two runs of {steps} steps",
            {
                "at once, 1 thread each": lambda: at_once,
                "in turn, 2 threads": lambda: lambda: double.submit(go_on, 2 * steps).result(),
            },
            rounds,
        )


_running: list[Steps] = []  # in a process of compare_sweep: its loop


def start(training: Training, threads: int) -> None:
    torch.set_num_threads(threads)
    _running.append(our_loop(training))
    go_on(WARM_UP)


def go_on(steps: int) -> None:
    take(_running[0], steps)


def _process() -> ProcessPoolExecutor:
    """A fresh process, which inherits no threads."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
