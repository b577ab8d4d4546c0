"""Trains a tokenizer on a corpus and encodes both parts, once for all runs that ask for the same."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokexp.config import InputError
from tokexp.data.corpus import Corpus, cached_for
from tokexp.encoding.checks import check_claim
from tokexp.encoding.stream import TokenStream, chunks_for, read_stream, write_stream
from tokexp.system.files import write_json
from tokexp.tokenizer import Tokenizer, identity, load_tokenizer, train_tokenizer


@dataclass(frozen=True)
class TokenizedCorpus:
    """A corpus in the ids of one tokenizer."""

    train: TokenStream
    train_slice: TokenStream  # the beginning of train, as long as val: what a training loss is measured on
    val: TokenStream

    @property
    def context_id(self) -> int:
        """The id before the held-out text: the last one of the training part."""
        return int(self.train.ids[-1])


@dataclass(frozen=True)
class Prepared:
    """A tokenizer that learned from a corpus, and the corpus in its ids."""

    tokenizer: Tokenizer
    data: TokenizedCorpus
    tokenizer_train_seconds: float
    tokenizer_encode_seconds: float  # for the training part


def prepare(kind: str, settings: dict[str, Any], corpus: Corpus) -> Prepared:
    """Train a tokenizer and encode both parts, or take what an earlier run has kept.

    The arrays are mapped from files, not read into memory. Raises InputError for what the user can put right,
    ValueError for a tokenizer whose spans do not tile the text or whose claim to be lossless is false.
    """

    def build(folder: Path) -> None:
        began = time.perf_counter()
        tokenizer = train_tokenizer(kind, corpus.train, **settings)
        trained = time.perf_counter()
        tokenizer.save(folder / "tokenizer.json")
        check_claim(tokenizer, corpus.val)
        encoding = time.perf_counter()
        write_stream(tokenizer, chunks_for(tokenizer, corpus.train), folder, "train")
        seconds = {"train": trained - began, "encode": time.perf_counter() - encoding}
        write_stream(tokenizer, chunks_for(tokenizer, corpus.train[: len(corpus.val)]), folder, "train_slice")
        write_stream(tokenizer, chunks_for(tokenizer, corpus.val), folder, "val")
        write_json(folder / "seconds.json", seconds)

    folder = cached_for(corpus, {"tokenizer": kind, "settings": identity(settings)}, build, __name__)
    streams = {name: read_stream(folder, name) for name in ("train", "train_slice", "val")}
    seconds = json.loads((folder / "seconds.json").read_bytes())
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    return Prepared(tokenizer, TokenizedCorpus(**streams), seconds["train"], seconds["encode"])


def require_length(corpus: Corpus, data: TokenizedCorpus, block_size: int) -> None:
    """Raise InputError for a training part too short for one sequence of `block_size`."""
    if len(data.train) <= block_size:
        raise InputError(
            f"corpus {corpus.name}: the training part is {len(data.train)} tokens, expected at least "
            f"{block_size + 1} for block_size={block_size}; give a longer text or a smaller model.block_size "
            "(data.block_bytes, where that is set)"
        )
