"""Measures how fast this machine is, against what: ratios taken in one run, in turn, with their spread.

    python -m tokexp.bench tokenizers
    python -m tokexp.bench train

Times on a shared machine mean little by themselves; a ratio of two things done one after the other,
several times, means more.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from tokexp.config import DataConfig, InputError, ModelConfig
from tokexp.data.corpus import load_corpus
from tokexp.data.text import read_text
from tokexp.speed.tokenizers import bench_tokenizers
from tokexp.speed.training import bench_train, describe_machine, trainings_of
from tokexp.system.command import command

MOST = 10**9  # of any number that is asked for


def require_counts(args: argparse.Namespace) -> None:
    """Raise InputError for a number below 1, of which nothing can be timed, or one that would not end."""
    for name, given in vars(args).items():
        for number in given if isinstance(given, list) else [given]:
            if isinstance(number, int) and not 1 <= number <= MOST:
                option = "--" + name.replace("_", "-")
                raise InputError(f"{option}: got {number}, expected at least 1 and at most {MOST:,}")


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
    require_counts(args)
    if args.what == "train":
        sizes = {name: getattr(args, name) for name in ("block_size", "n_layer", "n_head", "n_embd")}
        trainings = trainings_of(ModelConfig(**sizes), args.vocab, args.batch_size, args.device, args.steps)
        print(describe_machine(trainings[0].device))
        bench_train(trainings, args.steps, args.rounds)
    else:
        text = read_text(args.file) if args.file else load_corpus(DataConfig()).train.text
        bench_tokenizers(text, args.vocab_size, args.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
