"""Prints text from a trained run, or from a GPT-2 in Hugging Face's format.

python -m tokexp.sample RUN --prompt "KING"
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from tokexp.config import InputError, SampleConfig
from tokexp.model.generate import stream_tokens
from tokexp.model.huggingface import Pretrained
from tokexp.runs.files import SAMPLES, find_run, load_lines
from tokexp.runs.load import Run, load_any
from tokexp.runs.study.tables import SAMPLE_ROW
from tokexp.system.command import command


def usual_sample(folder: Path, run: Run | Pretrained) -> SampleConfig:
    """The settings of the samples that a run has drawn, with the prompt that it left to the corpus."""
    if isinstance(run, Pretrained):
        return SampleConfig()
    cfg = run.config.sample
    first = [] if cfg.prompt else load_lines(folder / SAMPLES, SAMPLE_ROW)[:1]
    return dataclasses.replace(cfg, prompt=first[0]["prompt"]) if first else cfg


@command
def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tokexp.sample", description="Text from a trained run.")
    parser.add_argument("run", help="a run's name or folder, or a folder in Hugging Face's format")
    parser.add_argument("--prompt", help="what the text continues (default: what the run's samples continue)")
    parser.add_argument("--tokens", type=int, help="how many to draw")
    parser.add_argument("--temperature", type=float, help="0 is greedy")
    parser.add_argument("--top-k", type=int, help="draw from the k likeliest only")
    parser.add_argument("--top-p", type=float, help="draw from the likeliest that reach this probability")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", choices=["best", "end"], default="best")
    args = parser.parse_args()
    if not 0 <= args.seed < 2**63:
        raise InputError(f"--seed: got {args.seed}, expected from 0 up to, not including, 2**63")
    folder = find_run(args.run)
    run = load_any(folder, weights=args.weights)
    names = ("prompt", "tokens", "temperature", "top_k", "top_p")
    asked = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    cfg = dataclasses.replace(usual_sample(folder, run), **asked)
    if cfg.prompt is None:
        raise InputError(f"--prompt: {folder} has no samples, so it must be said what the text continues; give words")
    print(cfg.prompt, end="", flush=True)
    for text in stream_tokens(run.model, run.tokenizer, cfg, seed=args.seed):
        print(text, end="", flush=True)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
