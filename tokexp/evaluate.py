"""Scores trained runs on any texts: bits per byte with their intervals, and what lies between several runs.

python -m tokexp.evaluate RUN [RUN ...] --text FILE [FILE ...]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tokexp.data.text import read_text
from tokexp.rendering.terminal import difference_line, score_table
from tokexp.runs.files import find_run
from tokexp.runs.load import load_any
from tokexp.stages.evaluate import behind, evaluate, score_row
from tokexp.system.command import command


@command
def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tokexp.evaluate", description="Bits per byte of trained runs.")
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="a run's name or folder, or a folder in Hugging Face's format"
    )
    parser.add_argument("--text", nargs="+", required=True, metavar="FILE", help="UTF-8 text files")
    parser.add_argument("--weights", choices=["end", "best"], default="end")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    args = parser.parse_args()
    folders = [find_run(name) for name in dict.fromkeys(args.runs)]
    names = [folder.name for folder in folders]
    if len({*names}) < len(names):
        names = [str(folder) for folder in folders]
    texts = {name: read_text(Path(name)) for name in args.text}
    scores = []
    for folder, name in zip(folders, names, strict=True):
        run = load_any(folder, weights=args.weights)
        scores += [evaluate(run, folder, name, file, text) for file, text in texts.items()]
    by_text = [sorted((one for one in scores if one.text == file), key=lambda one: one.bpb) for file in texts]
    differences = [behind(first, other) for first, *others in by_text for other in others]
    if args.json:
        print(json.dumps({"scores": [score_row(one) for some in by_text for one in some], "differences": differences}))
        return 0
    for file, some in zip(texts, by_text, strict=True):
        print(f"{file}: {some[0].n_bytes:,} bytes\n\n{score_table([score_row(one) for one in some])}\n")
        print("".join(f"{difference_line(one)}\n" for one in differences if one["text"] == file))
    return 0


if __name__ == "__main__":
    sys.exit(main())
