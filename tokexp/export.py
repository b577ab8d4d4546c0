"""Writes a trained run as a folder for Hugging Face's `transformers`.

python -m tokexp.export RUN --to hf
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tokexp.model.huggingface import OUR_TOKENIZER, save_hf
from tokexp.runs.files import find_run
from tokexp.runs.load import load_run
from tokexp.system.command import command


@command
def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tokexp.export", description="A trained run in another format.")
    parser.add_argument("run", help="a run's name or folder")
    parser.add_argument("--to", choices=["hf"], required=True, help="hf: what transformers reads as GPT2LMHeadModel")
    parser.add_argument("--out", type=Path, help="a new folder (default: hf in the run's)")
    parser.add_argument("--weights", choices=["best", "end"], default="best")
    args = parser.parse_args()
    folder = find_run(args.run)
    out = args.out or folder / args.to
    run = load_run(folder, weights=args.weights)
    note = save_hf(run.model, run.tokenizer, out, run.context_id)
    if note:
        print(f"! the weights only: {note}; tokexp's own file of it is {OUR_TOKENIZER}", file=sys.stderr)
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
