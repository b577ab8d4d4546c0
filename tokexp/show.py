"""Shows what tokenizers do, without training a model: their pieces in colour, and figures over held-out text.

python -m tokexp.show char word bpe --text "Hello, world"
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from pathlib import Path

from tokexp.config import InputError
from tokexp.data.corpus import load_corpus
from tokexp.data.text import read_text
from tokexp.encoding.prepare import prepare
from tokexp.rendering.terminal import legend, paint, table
from tokexp.scoring.intrinsic import intrinsic
from tokexp.sweep.options import data_option, tokenizer_option
from tokexp.system.command import command


@command
def main() -> int:
    logging.basicConfig(format="%(message)s")
    parser = argparse.ArgumentParser(prog="python -m tokexp.show", description="What tokenizers do to a text.")
    parser.add_argument("tokenizers", nargs="+", metavar="TOKENIZER", help="options of conf/tokenizer/")
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--text", help="the text to cut up (default: the beginning of the held-out text)")
    given.add_argument("--file", type=Path, help="the same, from a UTF-8 file")
    parser.add_argument("--ids", action="store_true", help="show each token's id")
    parser.add_argument("--vocab-size", type=int, help="for the kinds that leave a choice")
    parser.add_argument("--path", help="the file for `file`, a tokenizer of your own")
    parser.add_argument("--data", default="auto", help="the corpus to learn from: an option of conf/data/")
    parser.add_argument("--data-path", help="its data.path")
    parser.add_argument("--color", choices=["auto", "always", "never"], default="auto")
    args = parser.parse_args()
    corpus = load_corpus(data_option(args.data, args.data_path))
    text = read_text(args.file) if args.file else corpus.val.head(2000).text[:300] if args.text is None else args.text
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InputError("--text: got bytes that are not UTF-8; give text, or a file by --file")
    colour = args.color == "always" or (args.color == "auto" and sys.stdout.isatty())
    columns = {}
    for name in args.tokenizers:
        prepared = prepare(*tokenizer_option(name, args.vocab_size, args.path), corpus)
        lines = [name, paint(prepared.tokenizer, text, colour=colour, ids=args.ids)]
        print("\n".join([*lines, *legend(prepared.tokenizer, text, colour=colour), ""]))
        columns[name] = {
            **dataclasses.asdict(intrinsic(prepared.tokenizer, corpus.scored.text, prepared.data.scored)),
            "vocab_size": prepared.tokenizer.vocab_size,
            "train_seconds": prepared.tokenizer_train_seconds,
            "encode_seconds": prepared.tokenizer_encode_seconds,
            "lossy": "no" if prepared.tokenizer.lossless else "may",
        }
    print(f"on the held-out part of {corpus.name}, {corpus.scored.n_bytes:,} bytes:\n\n{table(columns)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
