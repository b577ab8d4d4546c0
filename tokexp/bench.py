"""How fast is this machine, against what: ratios measured in one run, in turn, with their spread.

    python -m tokexp.bench tokenizers

Times on a shared machine mean little by themselves; a ratio of two things done one after the other,
several times, means more.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from tokexp.config import DataConfig, InputError
from tokexp.corpus import load_corpus, read_bytes
from tokexp.tokenizer import train_tokenizer
from tokexp.tokenizer.base import SPECIALS
from tokexp.tokenizer.bpe import BPETokenizer
from tokexp.tokenizer.split import PATTERNS

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


def main() -> int:
    logging.basicConfig(format="%(message)s")
    parser = argparse.ArgumentParser(prog="python -m tokexp.bench", description="Ratios of speed on this machine.")
    parser.add_argument("what", choices=["tokenizers"])
    parser.add_argument("--file", type=Path, help="a UTF-8 text (default: the training part of TinyShakespeare)")
    parser.add_argument("--vocab-size", type=int, default=6551)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    try:
        text = read_bytes(args.file).decode() if args.file else load_corpus(DataConfig()).train
        bench_tokenizers(text, args.vocab_size, args.rounds)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
