"""Prints a trained run's bits per byte on any text.

python -m tokexp.evaluate RUN --text FILE
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tokexp.config import InputError
from tokexp.data.corpus import load_corpus
from tokexp.data.text import read_text
from tokexp.encoding.stream import encode_stream
from tokexp.model.huggingface import Pretrained
from tokexp.runs.load import load_any
from tokexp.scoring.bits_per_byte import score
from tokexp.scoring.restoration import restoration_cost
from tokexp.system.command import command


@command
def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tokexp.evaluate", description="Bits per byte of a trained run.")
    parser.add_argument("run", type=Path, help="a run's folder, or one in Hugging Face's format")
    parser.add_argument("--text", type=Path, required=True, help="a UTF-8 text file")
    parser.add_argument("--weights", choices=["end", "best"], default="end")
    args = parser.parse_args()
    run = load_any(args.run, weights=args.weights)
    text = read_text(args.text)
    stream = encode_stream(run.tokenizer, text)
    naive = score(run.model, run.context_id, stream).bits_per_byte
    restoration = 0.0
    if run.tokenizer.decode(run.tokenizer.encode(text)) != text:
        if isinstance(run, Pretrained):
            raise InputError(
                f"{args.run}: its tokenizer loses some of the text, and the restoration needs the corpus of a run, "
                "which that folder has not; give the run's folder"
            )
        corpus = load_corpus(run.config.data)
        if corpus.sha256 != run.result.corpus.corpus_sha256:
            raise InputError(
                f"a lossy tokenizer's restoration needs the corpus of the run, {run.result.corpus.name} with SHA-256 "
                f"{run.result.corpus.corpus_sha256}, but got {corpus.name} with {corpus.sha256}; bring it back"
            )
        restoration = restoration_cost(run.tokenizer, corpus.train, text).total / stream.n_bytes
    print(f"{args.text}: {stream.n_bytes:,} bytes, {len(stream):,} tokens")
    print(f"bits per byte {naive + restoration:.4f} = naive {naive:.4f} + restoration {restoration:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
