"""Lists the kinds of tokenizer, trains one of a kind, and loads one that was saved.

A new kind is one file here, one line in `KINDS`, one yaml in `conf/tokenizer/`; the contract tests
then cover it.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_type_hints

from tokexp.config import InputError, describe_type, fits
from tokexp.data.text import read_file
from tokexp.system.files import sha256
from tokexp.tokenizer.base import Tokenizer, read_json
from tokexp.tokenizer.bpe import BPETokenizer
from tokexp.tokenizer.bpe_classic import BPEClassicTokenizer
from tokexp.tokenizer.bpe_fallback import BPEFallbackTokenizer
from tokexp.tokenizer.byte import ByteTokenizer
from tokexp.tokenizer.char import CharTokenizer
from tokexp.tokenizer.foreign.file import FileTokenizer
from tokexp.tokenizer.foreign.hf import HFBPETokenizer, HFUnigramTokenizer, HFWordPieceTokenizer
from tokexp.tokenizer.foreign.sp import SentencePieceBPETokenizer, SentencePieceUnigramTokenizer
from tokexp.tokenizer.gpt2 import GPT2Tokenizer
from tokexp.tokenizer.word import WordTokenizer
from tokexp.tokenizer.word_cased import WordCasedTokenizer

__all__ = ["KINDS", "Tokenizer", "check_settings", "identity", "load_tokenizer", "tokenizer_of_json", "train_tokenizer"]

KINDS: dict[str, type[Tokenizer]] = {
    "byte": ByteTokenizer,
    "char": CharTokenizer,
    "word": WordTokenizer,
    "word_cased": WordCasedTokenizer,
    "bpe": BPETokenizer,
    "bpe_fallback": BPEFallbackTokenizer,
    "bpe_classic": BPEClassicTokenizer,
    "hf_bpe": HFBPETokenizer,
    "hf_wordpiece": HFWordPieceTokenizer,
    "hf_unigram": HFUnigramTokenizer,
    "sp_bpe": SentencePieceBPETokenizer,
    "sp_unigram": SentencePieceUnigramTokenizer,
    "gpt2": GPT2Tokenizer,
    "file": FileTokenizer,
}


def train_tokenizer(kind: str, text: str, **settings: Any) -> Tokenizer:
    """A tokenizer of `kind` that learned from `text`. `settings` are the keywords of the kind's `train`."""
    check_settings(kind, settings)
    return KINDS[kind].train(text, **settings)


def load_tokenizer(path: Path | str) -> Tokenizer:
    """The tokenizer that `Tokenizer.save` wrote. Raises InputError, one line, for any other file."""
    data = read_json(path)
    try:
        return tokenizer_of_json(data)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise InputError(
            f"{path}: damaged ({type(error).__name__}: {error}); expected what Tokenizer.save wrote, so train it again"
        ) from error


def tokenizer_of_json(values: dict[str, Any]) -> Tokenizer:
    """The tokenizer of which `to_json` and the name of its kind are `values`."""
    return _kind(str(values.get("kind"))).from_json(values)


def _kind(kind: str) -> type[Tokenizer]:
    if kind not in KINDS:
        raise InputError(f"tokenizer kind: got {kind!r}, expected one of {', '.join(KINDS)}")
    return KINDS[kind]


def check_settings(kind: str, settings: dict[str, Any]) -> None:
    """Raise InputError for a setting that `train` of this kind does not take, or takes with another type."""
    train = _kind(kind).train
    allowed = {n: p for n, p in inspect.signature(train).parameters.items() if p.kind is p.KEYWORD_ONLY}
    types = get_type_hints(train)
    for name, value in settings.items():
        if name not in allowed:
            expected = ", ".join(allowed) or "none"
            raise InputError(f"tokenizer.{name}: kind {kind!r} has no such setting; expected {expected}")
        if not fits(value, types[name]):
            expected = describe_type(types[name])
            raise InputError(f"tokenizer.{name}: got {value!r}, expected {expected} for kind {kind!r}")


def identity(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as they decide what a tokenizer is: a file counts by what it says, not by where it lies."""
    if settings.get("path") is None:
        return settings
    return {**settings, "path": sha256(read_file(Path(settings["path"])))}
