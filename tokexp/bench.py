"""How fast is this machine, against what: ratios measured in one run, in turn, with their spread.

    python -m tokexp.bench tokenizers
    python -m tokexp.bench train

Times on a shared machine mean little by themselves; a ratio of two things done one after the other,
several times, means more.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokenizers
import torch
import torch.nn.functional as F
from tokenizers import models, pre_tokenizers, trainers

from tokexp.budget import TrainPlan
from tokexp.command import command
from tokexp.config import DataConfig, InputError, TrainConfig
from tokexp.corpus import load_corpus, read_bytes
from tokexp.device import autocast, chosen, describe_device, resolve_device, resolve_precision
from tokexp.model import GPT, GPTConfig
from tokexp.provenance import processor
from tokexp.tokenizer import train_tokenizer
from tokexp.tokenizer.base import SPECIALS
from tokexp.tokenizer.bpe import BPETokenizer
from tokexp.tokenizer.split import PATTERNS
from tokexp.tokens import TokenStream
from tokexp.train import train

Contestants = dict[str, Callable[[], Callable[[], object]]]  # name -> what makes a fresh thing to time


def compare(title: str, contestants: Contestants, rounds: int) -> None:
    """Time each in turn, `rounds` times over; print the medians, and the first's speed over each other's."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, prepare in contestants.items():
            run = prepare()
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    ours = next(iter(contestants))
    print(f"{title} ({rounds} rounds, in turn)")
    for name, times in seconds.items():
        line = f"  {name:<22} {statistics.median(times):8.3f} s"
        if name != ours:
            ratios = sorted(other / own for own, other in zip(seconds[ours], times, strict=True))
            line += f"   {ours} is {statistics.median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(line, flush=True)


def hugging_face(text: str, vocab_size: int) -> tokenizers.Tokenizer:
    """The library's byte-level BPE, trained on `text` with our specials."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def bench_tokenizers(text: str, vocab_size: int, rounds: int) -> None:
    """Our BPE against Hugging Face's and, for encoding, tiktoken with the same ranks; caches are fresh each time."""
    compare(
        f"BPE training, {len(text.encode()) / 1e6:.1f} MB, vocabulary {vocab_size:,}",
        {
            "tokexp": lambda: lambda: train_tokenizer("bpe", text, vocab_size=vocab_size),
            "Hugging Face": lambda: lambda: hugging_face(text, vocab_size),
        },
        rounds,
    )
    trained = BPETokenizer.train(text, vocab_size=vocab_size)
    library = hugging_face(text, vocab_size).to_str()

    def encoders(text: str) -> Contestants:
        def ours() -> Callable[[], object]:
            fresh = BPETokenizer(trained.merges, trained.pattern)
            return lambda: fresh.encode(text)

        def theirs() -> Callable[[], object]:
            fresh = tokenizers.Tokenizer.from_str(library)
            return lambda: fresh.encode(text)

        return {"tokexp": ours, "Hugging Face": theirs, **tiktoken_of(trained, text)}

    compare("encoding it, cold", encoders(text), rounds)
    compare("encoding 'a' a million times", encoders("a" * 1_000_000), rounds)
    compare("encoding 1 MB of it without white space", encoders("".join(text.split())[:1_000_000]), rounds)


def tiktoken_of(trained: BPETokenizer, text: str) -> Contestants:
    """tiktoken with the ranks of `trained`, where it is installed."""
    try:
        import tiktoken
    except ImportError:
        return {}
    ranks = {piece: rank for rank, piece in enumerate(trained.token_bytes()[len(SPECIALS) :])}
    pattern = PATTERNS[trained.pattern][0]
    encoding = tiktoken.Encoding("tokexp", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return {"tiktoken": lambda: lambda: encoding.encode_ordinary(text)}


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


def describe_machine(device: str) -> str:
    gpu = "" if device == "cpu" else f"{describe_device(torch.device(device))}; "
    threads = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}"
    return f"{gpu}{processor()}, {threads}"


def trainings_of(args: argparse.Namespace) -> list[Training]:
    """One a vocabulary; on CUDA each with bf16 and compilation off and on."""
    device = resolve_device(args.device)
    choices = [(resolve_precision("auto", device), "never")]
    if device.type == "cuda":
        choices = [(precision, compiled) for precision in ("float32", "bf16") for compiled in ("never", "always")]
    return [
        Training(
            GPTConfig(V, args.block_size, args.n_layer, args.n_head, args.n_embd),
            args.batch_size,
            str(device),
            precision,
            compiled,
            args.steps,
        )
        for V in args.vocab
        for precision, compiled in choices
    ]


@command
def main() -> int:
    logging.basicConfig(format="%(message)s")
    parser = argparse.ArgumentParser(prog="python -m tokexp.bench", description="Ratios of speed on this machine.")
    commands = parser.add_subparsers(dest="what", required=True)
    tokenizing = commands.add_parser("tokenizers", help="our BPE against other libraries")
    tokenizing.add_argument("--file", type=Path, help="a UTF-8 text (default: the training part of TinyShakespeare)")
    tokenizing.add_argument("--vocab-size", type=int, default=6551)
    training = commands.add_parser("train", help="our training loop against a plain one")
    training.add_argument("--vocab", type=int, nargs="+", default=[69, 6551], help="sizes of vocabulary")
    training.add_argument("--steps", type=int, default=5, help="at a time, before it is the other's turn")
    training.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    for name, value in {"batch-size": 16, "block-size": 128, "n-layer": 4, "n-head": 4, "n-embd": 256}.items():
        training.add_argument(f"--{name}", type=int, default=value)
    for one in (tokenizing, training):
        one.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if args.rounds < 1:
        raise InputError(f"--rounds: got {args.rounds}, expected at least 1")
    if args.what == "train":
        trainings = trainings_of(args)
        print(describe_machine(trainings[0].device))
        bench_train(trainings, args.steps, args.rounds)
    else:
        text = read_bytes(args.file).decode() if args.file else load_corpus(DataConfig()).train
        bench_tokenizers(text, args.vocab_size, args.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
