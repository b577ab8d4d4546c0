"""See what tokenizers do, without training a model: their pieces in colour, and figures over held-out text.

python -m tokexp.show char word bpe --text "Hello, world"
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

import yaml
from tabulate import tabulate

from tokexp.command import command
from tokexp.config import DataConfig, InputError
from tokexp.corpus import load_corpus, read_bytes
from tokexp.intrinsic import intrinsic
from tokexp.provenance import ROOT
from tokexp.tokenizer import Tokenizer
from tokexp.tokens import prepare

BACKGROUNDS = (153, 186, 181, 222, 151)  # of the 256 colours of a terminal: pale, told apart side by side
ROWS = {
    "vocabulary": ("vocab_size", ",.0f"),
    "of which the text uses": ("vocab_used", ",.0f"),
    "bytes per token": ("bytes_per_token", ".3f"),
    "characters per token": ("chars_per_token", ".3f"),
    "tokens per word": ("fertility", ".3f"),
    "words split": ("words_split", ".1%"),
    "unknown tokens": ("unk_rate", ".2%"),
    "byte-fallback tokens": ("byte_fallback_rate", ".2%"),
    "bytes of a token: 10 % at most": ("token_bytes_p10", ".0f"),
    "half at most": ("token_bytes_p50", ".0f"),
    "90 % at most": ("token_bytes_p90", ".0f"),
    "longest": ("token_bytes_max", ",.0f"),
    "unigram entropy, bits": ("unigram_entropy", ".3f"),
    "Rényi efficiency (order 2.5)": ("renyi_efficiency", ".3f"),
    "training, seconds": ("train_seconds", ".2f"),
    "encoding the training part, seconds": ("encode_seconds", ".2f"),
    "loses something": ("lossy", ""),
}


def load_option(name: str) -> tuple[str, dict[str, Any]]:
    """The kind and settings of an option of conf/tokenizer/."""
    settings = option("tokenizer", name)
    return settings.pop("kind"), {key: value for key, value in settings.items() if value is not None}


def data_config(name: str, path: str | None) -> DataConfig:
    """An option of conf/data/, with its path where that is given."""
    settings = option("data", name)
    return DataConfig(**{**settings, **({} if path is None else {"path": path})})


def option(group: str, name: str) -> dict[str, Any]:
    """What conf/GROUP/NAME.yaml sets."""
    files = {path.stem: path for path in sorted((ROOT / "conf" / group).glob("*.yaml"))}
    if name not in files:
        raise InputError(f"{group}: got {name!r}, expected one of {', '.join(files)}")
    settings: dict[str, Any] = yaml.safe_load(files[name].read_text(encoding="utf-8"))
    return settings


def segments(tokenizer: Tokenizer, text: str) -> list[tuple[int, str]]:
    """Each id beside what it stands for, spacing made visible; a part of a character as its bytes."""
    raw = text.encode()
    ids, spans = tokenizer.encode_with_spans(text)
    return [(i, visible(raw[start:end])) for i, (start, end) in zip(ids, spans, strict=True)]


def visible(piece: bytes) -> str:
    try:
        text = piece.decode()
    except UnicodeDecodeError:
        return "".join(f"\\x{byte:02x}" for byte in piece)
    shown = {"\n": "⏎", "\t": "⇥", "\r": "␍", " ": "·"}
    return "".join(shown.get(char, char if char.isprintable() else f"\\u{ord(char):04x}") for char in text)


def paint(tokenizer: Tokenizer, text: str, *, colour: bool, ids: bool) -> str:
    """The pieces of `text` in a row: in alternating colours, or between bars; a new line after a newline."""
    parts = []
    for n, (i, piece) in enumerate(segments(tokenizer, text)):
        label = f"{piece}({i})" if ids else piece
        unknown = i == tokenizer.unk_id and not tokenizer.lossless
        if colour:
            style = "1;97;41" if unknown else f"30;48;5;{BACKGROUNDS[n % len(BACKGROUNDS)]}"
            label = f"\x1b[{style}m{label}\x1b[0m"
        else:
            label = f"[{label}?]|" if unknown else f"{label}|"
        parts.append(label + ("\n" if "⏎" in piece else ""))
    return "".join(parts).rstrip("\n")


def table(columns: dict[str, dict[str, Any]]) -> str:
    """Figures by row, tokenizers by column, as text of equal widths."""
    rows = [
        [label, *(format(figures[name], form) for figures in columns.values())] for label, (name, form) in ROWS.items()
    ]
    text: str = tabulate(rows, headers=["", *columns], disable_numparse=True, stralign="right")
    return text


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
    corpus = load_corpus(data_config(args.data, args.data_path))
    text = args.text if args.text is not None else corpus.val[:300]
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InputError("--text: got bytes that are not UTF-8; give text, or a file by --file")
    if args.file is not None:
        text = read_bytes(args.file).decode()
    columns = {}
    for name in args.tokenizers:
        kind, settings = load_option(name)
        if args.vocab_size is not None:
            if kind not in ("char", "word", "word_cased") and "vocab_size" not in settings:
                raise InputError(f"--vocab-size: got {args.vocab_size}, but {name} leaves no choice; leave it out")
            settings["vocab_size"] = args.vocab_size
        if args.path is not None and kind == "file":
            settings["path"] = args.path
        prepared = prepare(kind, settings, corpus)
        tokenizer = prepared.tokenizer
        colour = args.color == "always" or (args.color == "auto" and sys.stdout.isatty())
        print(f"{name}\n{paint(tokenizer, text, colour=colour, ids=args.ids)}\n")
        columns[name] = {
            **intrinsic(tokenizer, corpus.val, prepared.data.val),
            "vocab_size": tokenizer.vocab_size,
            "train_seconds": prepared.tokenizer_train_seconds,
            "encode_seconds": prepared.tokenizer_encode_seconds,
            "lossy": "no" if tokenizer.lossless else "may",
        }
    print(f"on the held-out part of {corpus.name}, {corpus.val_bytes:,} bytes:\n")
    print(table(columns))
    return 0


if __name__ == "__main__":
    sys.exit(main())
